/* SPDX-License-Identifier: MIT */
/*
 * measure.scenes: where scenes begin, and how much moves in each. A picture is boiled down to 32x18 levels of luma; how far those of two successive
 * pictures lie apart is what all numbers here are made of.
 */
#include "measure.h"
#include "media/decoder.h"
#include "media/toolchain.h"

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

enum { IN_SOURCE, IN_INFO };
enum { OUT_SCENES };
enum { COLUMNS = 32, ROWS = 18, LEVELS = COLUMNS * ROWS, SCENES_MAX = 10000, SECONDS_MAX = 604800 };

struct scenes_params {
    double threshold;
    int64_t min_length;
};

static const mr_param params[] = {
    MR_NUMBER(struct scenes_params, threshold, .standard = "0.1", .min = "0.005", .max = "1",
              .help = "how far two successive pictures lie apart where a scene begins: the mean difference of their luma, 1 is from black to white"),
    MR_DURATION(struct scenes_params, min_length, .standard = "1s", .min = "0s", .max = "1h", .help = "a scene is at least that long"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the video"},
    [IN_INFO] = {"info", MR_TYPE_JSON, 0, "what probe.media says of it"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_SCENES] =
        {"scenes", MR_TYPE_JSON, 0,
         "{duration_us, scenes: [{start_us, end_us, motion}], motion: [of each second]}: motion is the mean difference of successive pictures"},
    {0},
};

typedef struct scene {
    int64_t start_us;
    double motion;
    int64_t pictures;
} scene;

typedef struct finder {
    const mr_host *host;
    mr_task *task;
    const struct scenes_params *params;
    mr_chunk chunk;
    int64_t duration_us;
    struct SwsContext *scaler;
    uint8_t levels[2][LEVELS]; /* of the picture before, and of this one */
    bool seen;
    scene *scenes;
    size_t count;
    double *motion; /* of each second, summed up */
    int64_t *pictures;
    size_t seconds;
    int64_t end_us;
} finder;

static mr_status shrink(finder *it, const AVFrame *frame, uint8_t *levels)
{
    uint8_t *out[4] = {levels};
    const int strides[4] = {COLUMNS};
    it->scaler = sws_getCachedContext(it->scaler, frame->width, frame->height, (enum AVPixelFormat)frame->format, COLUMNS, ROWS, AV_PIX_FMT_GRAY8,
                                      SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (!it->scaler)
        return mr_media_error(it->host, it->task, AVERROR(EINVAL), "scaling");
    const int lines = sws_scale(it->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, out, strides);
    return lines < 0 ? mr_media_error(it->host, it->task, lines, "scaling") : MR_OK;
}

static double difference(const uint8_t *a, const uint8_t *b)
{
    int64_t sum = 0;
    for (size_t i = 0; i < LEVELS; i++)
        sum += abs(a[i] - b[i]);
    return (double)sum / (255.0 * LEVELS);
}

static void begin_scene(finder *it, int64_t us)
{
    it->scenes[it->count++] = (scene){.start_us = us};
}

/* us: from time 0. */
static mr_status look_at(finder *it, const AVFrame *frame, int64_t us)
{
    mr_status status = shrink(it, frame, it->levels[1]);
    if (status != MR_OK)
        return status;
    us = us > 0 ? us : 0;
    const double apart = it->seen ? difference(it->levels[0], it->levels[1]) : 0;
    memcpy(it->levels[0], it->levels[1], LEVELS);
    it->end_us = us;
    if (!it->seen) {
        it->seen = true;
        begin_scene(it, 0);
        return MR_OK;
    }
    scene *now = &it->scenes[it->count - 1];
    if (apart >= it->params->threshold && us - now->start_us >= it->params->min_length && it->count < SCENES_MAX) {
        begin_scene(it, us);
        return MR_OK; /* the cut itself is no motion */
    }
    now->motion += apart;
    now->pictures++;
    const size_t second = (size_t)(us / 1000000);
    if (second < it->seconds) {
        it->motion[second] += apart;
        it->pictures[second]++;
    }
    return MR_OK;
}

static mr_status look_at_all(finder *it)
{
    int64_t us = 0;
    AVFormatContext *format = NULL;
    mr_decoder *decoder = NULL;
    AVFrame *frame = av_frame_alloc();
    const mr_media_part part = {.stream = it->chunk.stream, .headers_suffice = true};
    mr_status status = frame ? mr_media_open_part(it->host, it->task, it->host->input(it->task, IN_SOURCE, 0), &part, &format) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_decoder_open(it->host, it->task, format, it->chunk.stream, NULL, &decoder);
    while (status == MR_OK) {
        status = it->host->cancelled(it->task) ? MR_ERR_CANCELLED : mr_decoder_next(decoder, frame, &us);
        if (status == MR_OK)
            status = look_at(it, frame, us - it->chunk.origin_us);
        if (it->duration_us > 0 && it->end_us < it->duration_us)
            it->host->progress(it->task, (double)it->end_us / (double)it->duration_us);
    }
    if (status == MR_END)
        status = it->seen ? MR_OK : mr_media_refuse(format, "copy or upload it again", "is damaged: none of its pictures can be decoded");
    mr_decoder_close(decoder);
    mr_media_close(&format);
    av_frame_free(&frame);
    return status;
}

static json_t *describe(const finder *it)
{
    json_t *scenes = json_array();
    json_t *motion = json_array();
    const int64_t end_us = it->duration_us > it->end_us ? it->duration_us : it->end_us;
    for (size_t i = 0; i < it->count; i++) {
        const scene *one = &it->scenes[i];
        json_array_append_new(scenes, json_pack("{s:I, s:I, s:o}", "start_us", (json_int_t)one->start_us, "end_us",
                                                (json_int_t)(i + 1 < it->count ? it->scenes[i + 1].start_us : end_us), "motion",
                                                measure_number(one->pictures ? one->motion / (double)one->pictures : 0)));
    }
    for (size_t i = 0; i < it->seconds; i++)
        json_array_append_new(motion, measure_number(it->pictures[i] ? it->motion[i] / (double)it->pictures[i] : 0));
    return json_pack("{s:I, s:o, s:o}", "duration_us", (json_int_t)end_us, "scenes", scenes, "motion", motion);
}

static mr_status find(finder *it)
{
    mr_status status = measure_source_read(it->host, it->task, it->host->input(it->task, IN_INFO, 0), &it->chunk, &it->duration_us);
    if (status != MR_OK)
        return status;
    it->seconds = (size_t)((it->duration_us + 999999) / 1000000);
    it->seconds = it->seconds < SECONDS_MAX ? it->seconds : SECONDS_MAX;
    it->scenes = calloc(SCENES_MAX, sizeof(*it->scenes));
    it->motion = calloc(it->seconds + 1, sizeof(*it->motion));
    it->pictures = calloc(it->seconds + 1, sizeof(*it->pictures));
    if (!it->scenes || !it->motion || !it->pictures)
        return mr_media_error(it->host, it->task, AVERROR(ENOMEM), "scenes");
    status = look_at_all(it);
    json_t *meta = status == MR_OK ? describe(it) : NULL;
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(10)) : NULL;
    if (status == MR_OK)
        status = text ? it->host->emit(it->task, OUT_SCENES, text, NULL) : MR_ERR_NOMEM;
    free(text);
    json_decref(meta);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        finder it = {.host = host, .task = batch->tasks[i].task, .params = batch->tasks[i].params};
        mr_status status = find(&it);
        sws_freeContext(it.scaler);
        free(it.scenes);
        free(it.motion);
        free(it.pictures);
        host->finish(batch->tasks[i].task, status);
    }
    return MR_OK;
}

const mr_op mr_op_measure_scenes = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "measure.scenes",
    .summary = "finds where scenes begin, and how much moves in them",
    .help = "Every picture is decoded and compared with the one before it. Where they lie far apart at once a scene begins; how far they lie apart "
            "otherwise is its motion, which is also told for each second: what a pipeline needs to choose moments. See pipelines/highlights.lua.",
    .cpu = 1,
    .memory_mb = 400,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct scenes_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
