/* SPDX-License-Identifier: MIT */
/* See sample_entry.h. ISO/IEC 14496-12 §8.5.2 (sample description), §12.1.3 and §12.2.3 (visual and audio entries). */
#include "media/sample_entry.h"

#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <string.h>

enum {
    STSD_HEADER = 16,     /* full box header and entry_count */
    VISUAL_ENTRY = 86,    /* header and fixed fields of a VisualSampleEntry */
    AUDIO_ENTRY = 36,     /* the same of an AudioSampleEntry, version 0 */
    COMPRESSOR_NAME = 50, /* where a visual entry has 32 bytes of free text */
    COMPRESSOR_NAME_LEN = 32,
};

static uint32_t entry_tag(const AVCodecParameters *codec)
{
    switch (codec->codec_id) {
    case AV_CODEC_ID_H264: return MKTAG('a', 'v', 'c', '1');
    case AV_CODEC_ID_HEVC: return MKTAG('h', 'v', 'c', '1');
    default: return 0; /* the muxer knows */
    }
}

/* The muxer's own reader of AV1 sequence headers may go on for ever behind the end of a short one (libavformat 59); this one refuses it. */
static int check_headers(const AVCodecParameters *codec)
{
    AVBSFContext *reader = NULL;
    if (codec->codec_id != AV_CODEC_ID_AV1)
        return 0;
    const AVBitStreamFilter *filter = av_bsf_get_by_name("av1_metadata");
    int error = filter ? av_bsf_alloc(filter, &reader) : AVERROR_BSF_NOT_FOUND;
    if (error >= 0)
        error = avcodec_parameters_copy(reader->par_in, codec);
    if (error >= 0)
        error = av_bsf_init(reader);
    av_bsf_free(&reader);
    return error;
}

/* Runs the mp4 muxer up to its header, into memory. */
static int mux_header(const AVCodecParameters *codec, uint8_t **ret_data, int *ret_len)
{
    AVFormatContext *format = NULL;
    AVDictionary *options = NULL;
    int error = avformat_alloc_output_context2(&format, NULL, "mp4", NULL);
    if (error < 0)
        return error;
    AVStream *stream = avformat_new_stream(format, NULL);
    error = stream ? avcodec_parameters_copy(stream->codecpar, codec) : AVERROR(ENOMEM);
    if (error < 0)
        goto done;
    stream->codecpar->codec_tag = entry_tag(codec);
    stream->codecpar->bit_rate = codec->codec_type == AVMEDIA_TYPE_AUDIO ? codec->bit_rate : 0;
    stream->sample_aspect_ratio = codec->sample_aspect_ratio;
    stream->time_base = (AVRational){1, codec->sample_rate > 0 ? codec->sample_rate : 90000};
    format->flags |= AVFMT_FLAG_BITEXACT;
    format->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    error = av_dict_set(&options, "movflags", "empty_moov+default_base_moof+frag_custom", 0);
    if (error >= 0)
        error = avio_open_dyn_buf(&format->pb);
    if (error >= 0)
        error = avformat_write_header(format, &options);
done:
    if (format->pb)
        *ret_len = avio_close_dyn_buf(format->pb, ret_data);
    format->pb = NULL;
    av_dict_free(&options);
    avformat_free_context(format);
    return error;
}

const uint8_t *mr_sample_entry_children(const uint8_t *entry, size_t len, enum AVMediaType type, size_t *ret_len)
{
    size_t fixed = type == AVMEDIA_TYPE_VIDEO ? VISUAL_ENTRY : AUDIO_ENTRY;
    if (len < fixed)
        return NULL;
    *ret_len = len - fixed;
    return entry + fixed;
}

static int copy_entry(const uint8_t *entry, size_t len, enum AVMediaType type, mr_bytes *out)
{
    size_t left;
    const uint8_t *child = mr_sample_entry_children(entry, len, type, &left);
    if (!child)
        return AVERROR_INVALIDDATA;
    size_t start = out->len;
    mr_bytes_put(out, entry, len - left);
    if (type == AVMEDIA_TYPE_VIDEO && !out->failed)
        memset(out->data + start + COMPRESSOR_NAME, 0, COMPRESSOR_NAME_LEN);
    while (left >= 8) {
        size_t size = mr_read_u32(child);
        if (size < 8 || size > left)
            return AVERROR_INVALIDDATA;
        if (memcmp(child + 4, "btrt", 4) != 0)
            mr_bytes_put(out, child, size);
        child += size;
        left -= size;
    }
    mr_box_end(out, start);
    return out->failed ? AVERROR(ENOMEM) : 0;
}

int mr_sample_entry_write(const AVCodecParameters *codec, mr_bytes *out)
{
    uint8_t *header = NULL;
    int header_len = 0;
    int error = check_headers(codec);
    if (error >= 0)
        error = mux_header(codec, &header, &header_len);
    if (error >= 0) {
        size_t len = 0;
        const uint8_t *stsd = header ? mr_box_path(header, (size_t)header_len, "moov/trak/mdia/minf/stbl/stsd", &len) : NULL;
        error = AVERROR_INVALIDDATA;
        if (stsd && len > STSD_HEADER + 8 && mr_read_u32(stsd + STSD_HEADER) <= len - STSD_HEADER)
            error = copy_entry(stsd + STSD_HEADER, mr_read_u32(stsd + STSD_HEADER), codec->codec_type, out);
    }
    av_free(header);
    return error;
}
