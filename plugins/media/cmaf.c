/* SPDX-License-Identifier: MIT */
/*
 * See cmaf.h. The boxes are written here rather than by libavformat's muxer: its fragments count their own decode times and sequence
 * numbers, begin where it likes, and shift composition times, so that a chunk made alone would differ from one made in order.
 * Only the sample entry is libavformat's (sample_entry.h). Invariant: everything written is a function of the arguments.
 */
#include "media/cmaf.h"
#include "media/boxes.h"
#include "media/framing.h"
#include "media/input.h"
#include "media/language.h"
#include "media/sample_entry.h"

#include <libavutil/avutil.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACK_ID = 1,
    SAMPLES_MAX = 1 << 20,               /* in one segment */
    FLAGS_SYNC = 0x02000000,             /* depends on no other sample */
    FLAGS_DELTA = 0x01010000,            /* depends on others, is not a sync sample */
    TFHD_FLAGS = 0x020000 | 0x08 | 0x20, /* default-base-is-moof; default duration and flags present */
    TRUN_DATA_OFFSET = 0x01,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_COMPOSITION = 0x800,
};

typedef struct sample {
    uint32_t duration;
    uint32_t size;
    uint32_t flags;
    int32_t composition;
} sample;

struct mr_cmaf {
    const mr_host *host;
    mr_task *task;
    AVCodecParameters *codec;
    uint32_t timescale;
    uint32_t priming;
    char language[64];
    mr_framing framing;
    mr_bytes init;
    mr_bytes segment;
    mr_bytes payload; /* of the mdat, as far as it was written rather than placed */
    uint64_t placed;  /* bytes */
    sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    uint32_t index;
    int64_t decode_time;
    bool open;
};

static mr_status out_of_memory(mr_cmaf *cmaf)
{
    cmaf->host->report(cmaf->task, MR_SEVERITY_ERROR, NULL, NULL, "memory ran out while a segment was written");
    return MR_ERR_NOMEM;
}

mr_status mr_cmaf_new(const mr_host *host, mr_task *task, const AVCodecParameters *codec, const mr_cmaf_options *options, mr_cmaf **ret_cmaf)
{
    mr_cmaf *cmaf = calloc(1, sizeof(*cmaf));
    if (cmaf)
        cmaf->codec = avcodec_parameters_alloc();
    if (!cmaf || !cmaf->codec || avcodec_parameters_copy(cmaf->codec, codec) < 0) {
        mr_cmaf_free(cmaf);
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "memory ran out while a track was set up");
        return MR_ERR_NOMEM;
    }
    cmaf->host = host;
    cmaf->task = task;
    cmaf->timescale = options->timescale;
    cmaf->priming = options->priming;
    cmaf->framing = mr_framing_of(cmaf->codec);
    const char *language = options->language ? options->language : "und";
    size_t len = strlen(language);
    memcpy(cmaf->language, language, len < sizeof(cmaf->language) ? len : sizeof(cmaf->language) - 1);
    *ret_cmaf = cmaf;
    return MR_OK;
}

void mr_cmaf_free(mr_cmaf *cmaf)
{
    if (!cmaf)
        return;
    avcodec_parameters_free(&cmaf->codec);
    mr_bytes_free(&cmaf->init);
    mr_bytes_free(&cmaf->segment);
    mr_bytes_free(&cmaf->payload);
    free(cmaf->samples);
    free(cmaf);
}

/* The init segment ------------------------------------------------------------------------------------------------------- */

static void write_matrix(mr_bytes *out)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (int i = 0; i < 9; i++)
        mr_bytes_u32(out, unity[i]);
}

static void write_ftyp(const mr_cmaf *cmaf, mr_bytes *out)
{
    size_t box = mr_box_begin(out, "ftyp");
    mr_bytes_text(out, "iso6");
    mr_bytes_u32(out, 0);
    mr_bytes_text(out, "iso6cmfcdashmp41");
    if (cmaf->codec->codec_type == AVMEDIA_TYPE_VIDEO && !cmaf->priming)
        mr_bytes_text(out, "cmf2"); /* which wants no edit list */
    mr_box_end(out, box);
}

static void write_mvhd(mr_bytes *out)
{
    size_t box = mr_full_box_begin(out, "mvhd", 0, 0);
    mr_bytes_zero(out, 8);         /* no dates */
    mr_bytes_u32(out, 1000);       /* timescale */
    mr_bytes_u32(out, 0);          /* duration: in the fragments */
    mr_bytes_u32(out, 0x00010000); /* rate */
    mr_bytes_u16(out, 0x0100);     /* volume */
    mr_bytes_zero(out, 10);
    write_matrix(out);
    mr_bytes_zero(out, 24);
    mr_bytes_u32(out, TRACK_ID + 1);
    mr_box_end(out, box);
}

static void write_tkhd(const mr_cmaf *cmaf, mr_bytes *out)
{
    const AVCodecParameters *codec = cmaf->codec;
    bool video = codec->codec_type == AVMEDIA_TYPE_VIDEO;
    size_t box = mr_full_box_begin(out, "tkhd", 0, 7); /* enabled, in movie, in preview */
    mr_bytes_zero(out, 8);
    mr_bytes_u32(out, TRACK_ID);
    mr_bytes_zero(out, 4 + 4 + 8 + 2 + 2); /* reserved, duration, reserved, layer, alternate group */
    mr_bytes_u16(out, video ? 0 : 0x0100);
    mr_bytes_u16(out, 0);
    write_matrix(out);
    AVRational sar = codec->sample_aspect_ratio;
    uint64_t width = video ? (uint64_t)codec->width << 16 : 0;
    if (video && sar.num > 0 && sar.den > 0)
        width = (uint64_t)av_rescale((int64_t)width, sar.num, sar.den);
    mr_bytes_u32(out, width > UINT32_MAX ? UINT32_MAX : (uint32_t)width);
    mr_bytes_u32(out, video ? (uint32_t)codec->height << 16 : 0);
    mr_box_end(out, box);
}

/* Presentation starts after the priming; duration 0 means to the end of the fragments (ISO/IEC 14496-12 §8.6.6). */
static void write_edts(const mr_cmaf *cmaf, mr_bytes *out)
{
    size_t edts = mr_box_begin(out, "edts");
    size_t elst = mr_full_box_begin(out, "elst", 0, 0);
    mr_bytes_u32(out, 1);
    mr_bytes_u32(out, 0);
    mr_bytes_u32(out, cmaf->priming);
    mr_bytes_u32(out, 0x00010000);
    mr_box_end(out, elst);
    mr_box_end(out, edts);
}

static void write_mdia_head(const mr_cmaf *cmaf, mr_bytes *out)
{
    bool video = cmaf->codec->codec_type == AVMEDIA_TYPE_VIDEO;
    char code[4];
    mr_language_code(cmaf->language, code);
    size_t box = mr_full_box_begin(out, "mdhd", 0, 0);
    mr_bytes_zero(out, 8);
    mr_bytes_u32(out, cmaf->timescale);
    mr_bytes_u32(out, 0);
    mr_bytes_u16(out, (unsigned)(code[0] - 0x60) << 10 | (unsigned)(code[1] - 0x60) << 5 | (unsigned)(code[2] - 0x60));
    mr_bytes_u16(out, 0);
    mr_box_end(out, box);
    box = mr_full_box_begin(out, "hdlr", 0, 0);
    mr_bytes_u32(out, 0);
    mr_bytes_text(out, video ? "vide" : "soun");
    mr_bytes_zero(out, 12 + 1); /* reserved, an empty name */
    mr_box_end(out, box);
    if (strcmp(cmaf->language, code) != 0) {
        box = mr_full_box_begin(out, "elng", 0, 0);
        mr_bytes_put(out, cmaf->language, strlen(cmaf->language) + 1);
        mr_box_end(out, box);
    }
}

static void write_empty_table(mr_bytes *out, const char *type, size_t len)
{
    size_t box = mr_full_box_begin(out, type, 0, 0);
    mr_bytes_zero(out, len);
    mr_box_end(out, box);
}

static void write_minf_head(const mr_cmaf *cmaf, mr_bytes *out)
{
    bool video = cmaf->codec->codec_type == AVMEDIA_TYPE_VIDEO;
    size_t box = mr_full_box_begin(out, video ? "vmhd" : "smhd", 0, video ? 1 : 0);
    mr_bytes_zero(out, video ? 8 : 4);
    mr_box_end(out, box);
    size_t dinf = mr_box_begin(out, "dinf");
    size_t dref = mr_full_box_begin(out, "dref", 0, 0);
    mr_bytes_u32(out, 1);
    box = mr_full_box_begin(out, "url ", 0, 1); /* the media is in the same file */
    mr_box_end(out, box);
    mr_box_end(out, dref);
    mr_box_end(out, dinf);
}

static int write_trak(const mr_cmaf *cmaf, mr_bytes *out)
{
    size_t trak = mr_box_begin(out, "trak");
    write_tkhd(cmaf, out);
    if (cmaf->priming)
        write_edts(cmaf, out);
    size_t mdia = mr_box_begin(out, "mdia");
    write_mdia_head(cmaf, out);
    size_t minf = mr_box_begin(out, "minf");
    write_minf_head(cmaf, out);
    size_t stbl = mr_box_begin(out, "stbl");
    size_t stsd = mr_full_box_begin(out, "stsd", 0, 0);
    mr_bytes_u32(out, 1);
    int error = mr_sample_entry_write(cmaf->codec, out);
    mr_box_end(out, stsd);
    write_empty_table(out, "stts", 4);
    write_empty_table(out, "stsc", 4);
    write_empty_table(out, "stsz", 8);
    write_empty_table(out, "stco", 4);
    mr_box_end(out, stbl);
    mr_box_end(out, minf);
    mr_box_end(out, mdia);
    mr_box_end(out, trak);
    return error;
}

mr_status mr_cmaf_init_segment(mr_cmaf *cmaf, const uint8_t **ret_data, size_t *ret_len)
{
    mr_bytes *out = &cmaf->init;
    out->len = 0;
    write_ftyp(cmaf, out);
    size_t moov = mr_box_begin(out, "moov");
    write_mvhd(out);
    int error = write_trak(cmaf, out);
    size_t mvex = mr_box_begin(out, "mvex");
    size_t trex = mr_full_box_begin(out, "trex", 0, 0);
    mr_bytes_u32(out, TRACK_ID);
    mr_bytes_u32(out, 1);   /* sample description */
    mr_bytes_zero(out, 12); /* duration, size, flags: in each fragment */
    mr_box_end(out, trex);
    mr_box_end(out, mvex);
    mr_box_end(out, moov);
    if (error < 0)
        return mr_media_error(cmaf->host, cmaf->task, error, "can't describe the track in MP4");
    if (out->failed)
        return out_of_memory(cmaf);
    *ret_data = out->data;
    *ret_len = out->len;
    return MR_OK;
}

/* Media segments ----------------------------------------------------------------------------------------------------------- */

mr_status mr_cmaf_begin(mr_cmaf *cmaf, uint32_t index, int64_t decode_time)
{
    if (cmaf->open || decode_time < 0) {
        cmaf->host->report(cmaf->task, MR_SEVERITY_ERROR, NULL, NULL, "segment %u begun at %lld while another is open", index,
                           (long long)decode_time);
        return MR_ERR_INTERNAL;
    }
    cmaf->open = true;
    cmaf->index = index;
    cmaf->decode_time = decode_time;
    cmaf->sample_count = 0;
    cmaf->payload.len = 0;
    cmaf->placed = 0;
    return MR_OK;
}

static sample *add_sample(mr_cmaf *cmaf)
{
    if (cmaf->sample_count == cmaf->sample_capacity) {
        size_t capacity = cmaf->sample_capacity ? cmaf->sample_capacity * 2 : 128;
        sample *grown = capacity <= SAMPLES_MAX ? reallocarray(cmaf->samples, capacity, sizeof(*grown)) : NULL;
        if (!grown)
            return NULL;
        cmaf->samples = grown;
        cmaf->sample_capacity = capacity;
    }
    return &cmaf->samples[cmaf->sample_count++];
}

/* What the packet is in the trun; its size is not known yet. */
static mr_status describe(const mr_cmaf *cmaf, const AVPacket *packet, sample *ret_sample)
{
    bool video = cmaf->codec->codec_type == AVMEDIA_TYPE_VIDEO;
    bool sync = !video || (packet->flags & AV_PKT_FLAG_KEY);
    int64_t offset = packet->pts != AV_NOPTS_VALUE && packet->dts != AV_NOPTS_VALUE ? packet->pts - packet->dts : 0;
    if (video)
        offset += cmaf->priming;
    *ret_sample = (sample){.duration = (uint32_t)packet->duration, .flags = sync ? FLAGS_SYNC : FLAGS_DELTA, .composition = (int32_t)offset};
    if (!cmaf->open || packet->duration < 0 || packet->duration > UINT32_MAX || offset > INT32_MAX || offset < INT32_MIN) {
        cmaf->host->report(cmaf->task, MR_SEVERITY_ERROR, NULL, NULL, "a packet of segment %u has a duration of %lld and an offset of %lld",
                           cmaf->index, (long long)packet->duration, (long long)offset);
        return MR_ERR_INTERNAL;
    }
    return MR_OK;
}

mr_status mr_cmaf_write(mr_cmaf *cmaf, const AVPacket *packet)
{
    sample made;
    size_t before = cmaf->payload.len;
    mr_status status = describe(cmaf, packet, &made);
    if (status != MR_OK)
        return status;
    int error = mr_framing_append(&cmaf->framing, packet->data, (size_t)packet->size, &cmaf->payload);
    if (error < 0 && error != AVERROR(ENOMEM))
        return mr_media_error(cmaf->host, cmaf->task, error, "a packet can't be put into MP4");
    sample *added = error < 0 || cmaf->payload.failed ? NULL : add_sample(cmaf);
    if (!added)
        return out_of_memory(cmaf);
    made.size = (uint32_t)(cmaf->payload.len - before);
    *added = made;
    return MR_OK;
}

bool mr_cmaf_as_is(const mr_cmaf *cmaf)
{
    return cmaf->framing.kind == MR_FRAMING_AS_IS;
}

mr_status mr_cmaf_place(mr_cmaf *cmaf, const AVPacket *packet)
{
    sample made;
    mr_status status = describe(cmaf, packet, &made);
    if (status != MR_OK)
        return status;
    sample *added = add_sample(cmaf);
    if (!added || cmaf->placed + (uint64_t)packet->size > UINT32_MAX / 2) /* the box's size has 32 bits, as where it is written */
        return out_of_memory(cmaf);
    made.size = (uint32_t)packet->size;
    cmaf->placed += made.size;
    *added = made;
    return MR_OK;
}

static uint32_t trun_flags(const mr_cmaf *cmaf)
{
    uint32_t flags = TRUN_DATA_OFFSET | TRUN_SIZE;
    const sample *first = &cmaf->samples[0];
    for (size_t i = 0; i < cmaf->sample_count; i++) {
        const sample *each = &cmaf->samples[i];
        if (each->duration != first->duration)
            flags |= TRUN_DURATION;
        if (each->flags != first->flags)
            flags |= TRUN_FLAGS;
        if (each->composition)
            flags |= TRUN_COMPOSITION;
    }
    return flags;
}

static void write_trun(const mr_cmaf *cmaf, mr_bytes *out, size_t *ret_data_offset_at)
{
    uint32_t flags = trun_flags(cmaf);
    size_t trun = mr_full_box_begin(out, "trun", 1, flags);
    mr_bytes_u32(out, (uint32_t)cmaf->sample_count);
    *ret_data_offset_at = out->len;
    mr_bytes_u32(out, 0);
    for (size_t i = 0; i < cmaf->sample_count; i++) {
        const sample *each = &cmaf->samples[i];
        if (flags & TRUN_DURATION)
            mr_bytes_u32(out, each->duration);
        mr_bytes_u32(out, each->size);
        if (flags & TRUN_FLAGS)
            mr_bytes_u32(out, each->flags);
        if (flags & TRUN_COMPOSITION)
            mr_bytes_u32(out, (uint32_t)each->composition);
    }
    mr_box_end(out, trun);
}

static void write_moof(const mr_cmaf *cmaf, mr_bytes *out)
{
    size_t data_offset_at = 0;
    size_t moof = mr_box_begin(out, "moof");
    size_t mfhd = mr_full_box_begin(out, "mfhd", 0, 0);
    mr_bytes_u32(out, cmaf->index + 1);
    mr_box_end(out, mfhd);
    size_t traf = mr_box_begin(out, "traf");
    size_t tfhd = mr_full_box_begin(out, "tfhd", 0, TFHD_FLAGS);
    mr_bytes_u32(out, TRACK_ID);
    mr_bytes_u32(out, cmaf->samples[0].duration);
    mr_bytes_u32(out, cmaf->samples[0].flags);
    mr_box_end(out, tfhd);
    size_t tfdt = mr_full_box_begin(out, "tfdt", 1, 0);
    mr_bytes_u64(out, (uint64_t)cmaf->decode_time);
    mr_box_end(out, tfdt);
    write_trun(cmaf, out, &data_offset_at);
    mr_box_end(out, traf);
    mr_box_end(out, moof);
    mr_bytes_set_u32(out, data_offset_at, (uint32_t)(out->len - moof + 8)); /* from the moof to what the mdat holds */
}

mr_status mr_cmaf_end(mr_cmaf *cmaf, const uint8_t **ret_data, size_t *ret_len, size_t *ret_iframe_bytes)
{
    mr_bytes *out = &cmaf->segment;
    if (!cmaf->open || cmaf->sample_count == 0) {
        cmaf->host->report(cmaf->task, MR_SEVERITY_ERROR, NULL, NULL, "segment %u ended without a sample", cmaf->index);
        return MR_ERR_INTERNAL;
    }
    cmaf->open = false;
    out->len = 0;
    size_t styp = mr_box_begin(out, "styp");
    mr_bytes_text(out, "cmfs");
    mr_bytes_u32(out, 0);
    mr_bytes_text(out, "cmfscmffmsdh");
    mr_box_end(out, styp);
    write_moof(cmaf, out);
    size_t mdat = mr_box_begin(out, "mdat");
    if (ret_iframe_bytes)
        *ret_iframe_bytes = out->len + cmaf->samples[0].size;
    mr_bytes_put(out, cmaf->payload.data, cmaf->payload.len);
    mr_box_end(out, mdat);
    if (cmaf->placed > 0 && !out->failed)
        mr_bytes_set_u32(out, mdat, (uint32_t)(8 + cmaf->placed));
    if (out->failed)
        return out_of_memory(cmaf);
    *ret_data = out->data;
    *ret_len = out->len;
    return MR_OK;
}
