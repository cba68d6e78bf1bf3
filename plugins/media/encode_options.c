/* SPDX-License-Identifier: MIT */
/*
 * See encode_options.h. Invariants: nothing that reaches a stream's headers depends on the rate control or on a chunk's content; the options that
 * x264 compares between two passes (bframes, b-pyramid, weightp, mbtree, keyint, open-gop) are the same for every preset.
 */
#include "media/encode_options.h"

#include <libavutil/bprint.h>
#include <stdio.h>
#include <string.h>

/* With GOPs shorter than KEYINT_MIN x264 would turn features off, and the headers of a short last chunk differ from the others'. */
enum { B_FRAMES = 3, DPB_MIN = 4, REFS_MAX = 16, KEYINT_MIN = 16 };

const char *mr_encoder_name(mr_video_codec codec)
{
    static const char *const names[] = {"libx264", "libx265", "libsvtav1", "libvpx-vp9"};
    return names[codec];
}

/* ITU-T H.264 table A-1: level, macroblocks a second, in a frame, in the decoded picture buffer, kbit/s (Main profile). */
static const struct level {
    int level;
    int per_second;
    int frame;
    int buffer;
    int kbps;
} levels[] = {
    {10, 1485, 99, 396, 64},
    {11, 3000, 396, 900, 192},
    {12, 6000, 396, 2376, 384},
    {13, 11880, 396, 2376, 768},
    {20, 11880, 396, 2376, 2000},
    {21, 19800, 792, 4752, 4000},
    {22, 20250, 1620, 8100, 4000},
    {30, 40500, 1620, 8100, 10000},
    {31, 108000, 3600, 18000, 14000},
    {32, 216000, 5120, 20480, 20000},
    {40, 245760, 8192, 32768, 20000},
    {41, 245760, 8192, 32768, 50000},
    {42, 522240, 8704, 34816, 50000},
    {50, 589824, 22080, 110400, 135000},
    {51, 983040, 36864, 184320, 240000},
    {52, 2073600, 36864, 184320, 240000},
    {60, 4177920, 139264, 696320, 240000},
    {61, 8355840, 139264, 696320, 480000},
    {62, 16711680, 139264, 696320, 800000},
};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

int mr_h264_level(int width, int height, AVRational fps, int64_t max_bitrate, bool high_profile, int *ret_dpb_frames)
{
    int64_t columns = (width + 15) / 16;
    int64_t rows = (height + 15) / 16;
    int64_t frame = columns * rows;
    int64_t per_second = av_rescale_rnd(frame, fps.num, fps.den, AV_ROUND_UP);
    int i = 0;
    for (; i < LEVELS - 1; i++) {
        const struct level *level = &levels[i];
        int64_t bits = (int64_t)level->kbps * (high_profile ? 1250 : 1000);
        bool sides = columns * columns <= 8 * (int64_t)level->frame && rows * rows <= 8 * (int64_t)level->frame;
        if (frame <= level->frame && per_second <= level->per_second && sides && MR_VBV_RATE(max_bitrate) <= bits && level->buffer / frame >= DPB_MIN)
            break;
    }
    *ret_dpb_frames = (int)FFMIN(levels[i].buffer / frame, REFS_MAX);
    return levels[i].level;
}

static const struct {
    const char *name;
    int refs;      /* of x264's preset */
    int lookahead; /* too; at least what mbtree needs with keyframes at a given distance */
    int av1;       /* SVT-AV1's preset */
    int vp9;       /* libvpx's cpu-used */
} presets[] = {
    {"ultrafast", 1, 10, 12, 8}, {"superfast", 1, 10, 11, 7}, {"veryfast", 1, 10, 10, 6}, {"faster", 2, 20, 9, 5},    {"fast", 2, 30, 8, 4},
    {"medium", 3, 40, 7, 3},     {"slow", 5, 50, 5, 2},       {"slower", 8, 60, 4, 1},    {"veryslow", 16, 60, 3, 1}, {"placebo", 16, 60, 2, 0},
};

static int preset_index(const char *name)
{
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (strcmp(presets[i].name, name) == 0)
            return (int)i;
    }
    return 5;
}

/* Sets name=value in dictionary; carries an earlier error on. */
static int set(int error, AVDictionary **dictionary, const char *name, const char *value)
{
    return error < 0 ? error : av_dict_set(dictionary, name, value, 0);
}

static int set_int(int error, AVDictionary **dictionary, const char *name, int64_t value)
{
    return error < 0 ? error : av_dict_set_int(dictionary, name, value, 0);
}

static int set_crf(int error, AVDictionary **dictionary, double crf)
{
    char text[32];
    snprintf(text, sizeof(text), "%.2f", crf);
    return set(error, dictionary, "crf", text);
}

static int set_x264(const mr_encode_options *options, AVCodecContext *context, AVDictionary **dictionary)
{
    const char *profile = options->profile ? options->profile : "high";
    bool baseline = strcmp(profile, "baseline") == 0;
    int dpb = 0;
    char params[512];
    int level = mr_h264_level(options->width, options->height, options->fps, options->max_bitrate, strcmp(profile, "high") == 0, &dpb);
    int refs = FFMIN(presets[preset_index(options->preset)].refs, dpb);
    context->level = level;
    int len = snprintf(params, sizeof(params),
                       "stitchable=1:cpu-independent=1:open-gop=0:bframes=%d:b-pyramid=%s:weightp=%d:mbtree=1:rc-lookahead=%d:ref=%d:keyint=%d:aud=0:"
                       "nal-hrd=none:sliced-threads=0%s",
                       baseline ? 0 : B_FRAMES, baseline ? "none" : "normal", baseline ? 0 : 2, presets[preset_index(options->preset)].lookahead,
                       refs, FFMAX(options->longest_gop, KEYINT_MIN), options->mode == MR_ENCODE_PASS_2 ? ":ratetol=inf" : "");
    int error = len > 0 && (size_t)len < sizeof(params) ? 0 : AVERROR(ENOSPC);
    error = set(error, dictionary, "x264-params", params);
    error = set(error, dictionary, "preset", options->preset);
    if (options->tune)
        error = set(error, dictionary, "tune", options->tune);
    error = set(error, dictionary, "profile", options->kind.format == AV_PIX_FMT_YUV420P ? profile : "high10");
    error = set(error, dictionary, "forced-idr", "1");
    error = set(error, dictionary, "a53cc", "0");
    if (options->mode != MR_ENCODE_CRF)
        error = set(error, dictionary, "stats", options->stats);
    if (options->mode == MR_ENCODE_PASS_2)
        context->bit_rate = options->bitrate;
    else
        error = set_crf(error, dictionary, options->crf);
    return error;
}

static int set_x265(const mr_encode_options *options, AVDictionary **dictionary)
{
    AVBPrint params;
    av_bprint_init(&params, 0, 1024);
    av_bprintf(&params, "info=0:log-level=none:open-gop=0:repeat-headers=0:hash=0:aud=0:hrd=0:bframes=%d:b-pyramid=1:keyint=%d", B_FRAMES,
               FFMAX(options->longest_gop, KEYINT_MIN));
    if (options->threads <= 1)
        av_bprintf(&params, ":pools=none:frame-threads=1:wpp=0");
    if (FFMIN(options->width, options->height) < 128) /* a coding tree must fit into the picture */
        av_bprintf(&params, ":ctu=16");
    if (options->kind.transfer == AVCOL_TRC_SMPTE2084)
        av_bprintf(&params, ":hdr10-opt=1");
    int error = av_bprint_is_complete(&params) ? 0 : AVERROR(ENOMEM);
    error = set(error, dictionary, "x265-params", params.str);
    av_bprint_finalize(&params, NULL);
    error = set(error, dictionary, "preset", options->preset);
    if (options->tune)
        error = set(error, dictionary, "tune", options->tune);
    error = set(error, dictionary, "forced-idr", "1");
    return set_crf(error, dictionary, options->crf);
}

static int set_svtav1(const mr_encode_options *options, AVCodecContext *context, AVDictionary **dictionary)
{
    char params[128];
    int len = snprintf(params, sizeof(params), "lp=%d:scd=0:keyint=%d", options->threads > 1 ? options->threads : 1, options->longest_gop);
    if (options->max_bitrate > 0)
        snprintf(params + len, sizeof(params) - (size_t)len, ":mbr=%lld", (long long)(MR_VBV_RATE(options->max_bitrate) / 1000));
    context->rc_max_rate = 0; /* the wrapper knows it for other modes only */
    context->rc_buffer_size = 0;
    int error = set(0, dictionary, "svtav1-params", params);
    error = set_int(error, dictionary, "preset", presets[preset_index(options->preset)].av1);
    return set_int(error, dictionary, "crf", FFMIN((int64_t)(options->crf + 0.5), 63));
}

static int set_vp9(const mr_encode_options *options, AVCodecContext *context, AVDictionary **dictionary)
{
    int columns = 0;
    while (columns < 4 && options->width >> (columns + 1) >= 480)
        columns++;
    /* With a bitrate beside the quality, libvpx takes it for a ceiling of the mean. */
    context->bit_rate = options->max_bitrate;
    context->rc_max_rate = 0;
    context->rc_buffer_size = 0;
    context->gop_size = options->longest_gop;
    int error = set(0, dictionary, "deadline", "good");
    error = set_int(error, dictionary, "cpu-used", presets[preset_index(options->preset)].vp9);
    error = set_int(error, dictionary, "row-mt", 0);
    error = set_int(error, dictionary, "tile-columns", columns);
    error = set_int(error, dictionary, "auto-alt-ref", 1);
    error = set_int(error, dictionary, "lag-in-frames", 25);
    return set_int(error, dictionary, "crf", FFMIN((int64_t)(options->crf + 0.5), 63));
}

int mr_encoder_delay(const mr_encode_options *options)
{
    if (options->codec == MR_CODEC_AV1 || options->codec == MR_CODEC_VP9)
        return 0; /* hidden frames travel with shown ones */
    bool baseline = options->codec == MR_CODEC_H264 && options->profile && strcmp(options->profile, "baseline") == 0;
    return baseline ? 0 : 2; /* B-frames that are referred to */
}

int mr_encoder_set_options(const mr_encode_options *options, AVCodecContext *context, AVDictionary **dictionary)
{
    switch (options->codec) {
    case MR_CODEC_H264: return set_x264(options, context, dictionary);
    case MR_CODEC_HEVC: return set_x265(options, dictionary);
    case MR_CODEC_AV1: return set_svtav1(options, context, dictionary);
    case MR_CODEC_VP9: return set_vp9(options, context, dictionary);
    }
    return AVERROR_BUG;
}
