/* SPDX-License-Identifier: MIT */
/*
 * Our own reading of boxes, and what packets and codec headers go through on their way into segments: any bytes as an init segment, as a codec's
 * headers, as packets of each codec. What is found must lie in what was given; what is written must be boxes again.
 *
 * Input: a byte that chooses the codec, two bytes of the headers' length, the headers, and packets of a byte of length and so many bytes.
 */
#include "media/boxes.h"
#include "media/cmaf.h"
#include "media/framing.h"
#include "media/h264.h"
#include "media/input.h"
#include "media/sample_entry.h"
#include <libavutil/mem.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 4096, TIMESCALE = 1000, MOST_REORDERED = 16 };

struct mr_task {
    uint32_t errors;
};

static void require(bool right)
{
    if (!right)
        abort();
}

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    (void)param;
    (void)hint;
    (void)fmt;
    task->errors += severity == MR_SEVERITY_ERROR;
}

static const mr_host host = {.size = sizeof(mr_host), .report = report};

/* ---- looking for boxes ---- */

static void check_within(const uint8_t *data, size_t size, const uint8_t *box, size_t len)
{
    if (box)
        require(box >= data && len >= 8 && len <= size && (size_t)(box - data) <= size - len);
}

static void find_boxes(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"moov", "moov/trak/mdia/minf/stbl/stsd", "moof/traf/trun", "mdat"};
    size_t len = 0;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const uint8_t *box = mr_box_path(data, size, paths[i], &len);
        check_within(data, size, box, len);
    }
    const uint8_t *children = mr_sample_entry_children(data, size, AVMEDIA_TYPE_VIDEO, &len);
    require(!children || (children >= data && (size_t)(children - data) + len == size));
    for (const uint8_t *nal = data; (nal = mr_nal_next(nal, data + size, &len)); nal += len)
        require(nal > data && len <= (size_t)(data + size - nal));
}

/* ---- a track of any headers and packets ---- */

static AVCodecParameters *choose_codec(uint8_t choice)
{
    static const enum AVCodecID ids[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1,  AV_CODEC_ID_VP9, AV_CODEC_ID_AAC,
                                         AV_CODEC_ID_OPUS, AV_CODEC_ID_AC3,  AV_CODEC_ID_FLAC, AV_CODEC_ID_MP3, AV_CODEC_ID_MPEG4};
    enum AVCodecID id = ids[choice % (sizeof(ids) / sizeof(ids[0]))];
    AVCodecParameters *codec = avcodec_parameters_alloc();
    require(codec != NULL);
    codec->codec_id = id;
    codec->codec_type = avcodec_get_type(id);
    codec->width = 64;
    codec->height = 48;
    codec->format = codec->codec_type == AVMEDIA_TYPE_VIDEO ? (int)AV_PIX_FMT_YUV420P : (int)AV_SAMPLE_FMT_FLTP;
    codec->sample_rate = 48000;
    codec->frame_size = 1024;
    av_channel_layout_default(&codec->ch_layout, 2);
    return codec;
}

/* The one box of that type at data, and behind it nothing but what may follow. */
static size_t check_box(const uint8_t *data, size_t size, const char *type)
{
    size_t len = 0;
    require(mr_box_find(data, size, type, &len) == data);
    return len;
}

static void check_segment(const uint8_t *data, size_t size)
{
    size_t styp = check_box(data, size, "styp");
    data += styp;
    size -= styp;
    size_t moof = check_box(data, size, "moof");
    require(moof + check_box(data + moof, size - moof, "mdat") == size);
    size_t len = 0;
    require(mr_box_path(data, size, "moof/traf/tfdt", &len) != NULL && mr_box_path(data, size, "moof/traf/trun", &len) != NULL);
}

static void write_packets(mr_cmaf *cmaf, const uint8_t *data, size_t size)
{
    AVPacket *packet = av_packet_alloc();
    const uint8_t *segment = NULL;
    size_t len = 0;
    size_t iframe_bytes = 0;
    int64_t at = 0;
    mr_status status = mr_cmaf_begin(cmaf, 0, 0);
    require(packet != NULL);
    while (size > 0 && status == MR_OK) {
        size_t take = data[0] < size - 1 ? data[0] : size - 1;
        require(av_new_packet(packet, (int)take) == 0);
        memcpy(packet->data, data + 1, take);
        packet->pts = packet->dts = at;
        packet->duration = 40;
        packet->flags = at == 0 ? AV_PKT_FLAG_KEY : 0;
        status = mr_cmaf_write(cmaf, packet);
        av_packet_unref(packet);
        at += 40;
        data += 1 + take;
        size -= 1 + take;
    }
    if (status == MR_OK && at > 0 && mr_cmaf_end(cmaf, &segment, &len, &iframe_bytes) == MR_OK) {
        check_segment(segment, len);
        require(iframe_bytes <= len);
    }
    av_packet_free(&packet);
}

static void write_track(const uint8_t *data, size_t size)
{
    if (size < 3)
        return;
    AVCodecParameters *codec = choose_codec(data[0]);
    size_t headers = ((size_t)data[1] << 8 | data[2]) % HEADERS_MAX;
    data += 3;
    size -= 3;
    headers = headers < size ? headers : size;
    if (headers > 0) {
        codec->extradata = av_mallocz(headers + AV_INPUT_BUFFER_PADDING_SIZE);
        require(codec->extradata != NULL);
        memcpy(codec->extradata, data, headers);
        codec->extradata_size = (int)headers;
    }
    require(mr_h264_read_headers(codec).reorder <= MOST_REORDERED);
    struct mr_task task = {0};
    const mr_cmaf_options options = {.timescale = TIMESCALE};
    mr_cmaf *cmaf = NULL;
    const uint8_t *init = NULL;
    size_t len = 0;
    char words[64];
    mr_status status = mr_cmaf_new(&host, &task, codec, &options, &cmaf);
    if (status == MR_OK)
        status = mr_cmaf_init_segment(cmaf, &init, &len);
    require((status != MR_OK) == (task.errors > 0));
    if (status == MR_OK) {
        size_t ftyp = check_box(init, len, "ftyp");
        require(ftyp + check_box(init + ftyp, len - ftyp, "moov") == len);
        require(mr_box_path(init, len, "moov/trak/mdia/minf/stbl/stsd", &len) != NULL);
        write_packets(cmaf, data + headers, size - headers);
    }
    if (mr_codec_string(codec, words, sizeof(words)) == MR_OK) {
        for (const char *c = words; *c; c++)
            require(*c > 0x20 && *c < 0x7f && *c != '"');
    }
    mr_cmaf_free(cmaf);
    avcodec_parameters_free(&codec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mr_media_quiet();
    uint8_t *exact = malloc(size ? size : 1);
    require(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    find_boxes(exact, size);
    write_track(exact, size);
    free(exact);
    return 0;
}
