/* SPDX-License-Identifier: MIT */
/*
 * thumbnail.poster: one good picture of a video. A dozen keyframes between 10 and 60 % are looked at small, the best is decoded again in full. Where
 * keyframes are too few, pictures between them are looked at as well, a bounded number.
 */
#include "media/toolchain.h"
#include "thumbnail.h"

#include <stdlib.h>

enum { OUT_IMAGE };
enum { CANDIDATES = 12, ENOUGH = 4, SMALL = 160, DECODE_LIMIT = 600, DECODE_STEP = 25 };

#define DECODE_PIXELS INT64_C(138240000) /* of them all: large pictures take long */
#define GOOD_SCORE    6.0                /* black is about 0, plain 3, most of what one would show 8 and more */

struct poster_params {
    int64_t time;
    int64_t width;
    int64_t quality;
    const char *path;
};

static const mr_param params[] = {
    MR_DURATION(struct poster_params, time, .help = "the moment to show; absent or 0: a good one is looked for (1us is the first picture)"),
    MR_INT(struct poster_params, width, .standard = "1920", .min = "16", .max = "8192",
           .help = "of the longer side at most, in pixels; never larger than the video"),
    MR_INT(struct poster_params, quality, .standard = "90", .min = "1", .max = "100", .help = "of the JPEG: 100 is best"),
    MR_TEXT(struct poster_params, path, .standard = "poster.jpg", .min = "1", .max = "200", .help = "its place in the published tree"),
    MR_PARAM_END,
};

static const mr_port outputs[] = {
    [OUT_IMAGE] = {"image", MR_TYPE_IMAGE, 0, "the poster, a JPEG"},
    {0},
};

typedef struct poster_search {
    thumb_source *source;
    thumb_shape *shape; /* small pictures, to be judged */
    AVFrame *frame;
    AVFrame *small;
    int seen;
    int64_t best_us;
    double best_score;
} poster_search;

static mr_status judge(poster_search *search, int64_t us)
{
    mr_status status = thumb_shape_run(search->shape, search->frame, search->small);
    if (status != MR_OK)
        return status;
    double score = thumb_score(search->small);
    if (search->seen++ == 0 || score > search->best_score) {
        search->best_score = score;
        search->best_us = us;
    }
    return MR_OK;
}

static mr_status judge_keyframes(poster_search *search)
{
    thumb_source *source = search->source;
    int64_t length = source->end_us - source->start_us;
    int64_t last = INT64_MIN;
    for (int i = 0; i < CANDIDATES; i++) {
        int64_t us;
        int64_t wanted = source->start_us + length / 10 + length / 2 * i / (CANDIDATES - 1);
        if (source->keyframes && thumb_source_keyframe(source, wanted) == last)
            continue;
        mr_status status = thumb_source_seek(source, wanted, search->frame, &us);
        if (status == MR_OK && us != last) {
            last = us;
            status = judge(search, us);
        }
        if (status != MR_OK && status != MR_END)
            return status;
        source->host->progress(source->task, 0.8 * (i + 1) / CANDIDATES);
    }
    return MR_OK;
}

/* Every so many pictures from the start. */
static mr_status judge_between(poster_search *search)
{
    int64_t us;
    int64_t limit = DECODE_PIXELS / ((int64_t)search->source->picture.width * search->source->picture.height);
    mr_status status = thumb_source_reopen(search->source, false);
    for (int i = 0; status == MR_OK && i < DECODE_LIMIT && i <= limit; i++) {
        status = thumb_source_next(search->source, search->frame, &us);
        if (status == MR_OK && i % DECODE_STEP == 0)
            status = judge(search, us);
        search->source->host->progress(search->source->task, 0.8);
    }
    return status == MR_END ? MR_OK : status;
}

static mr_status find_good(thumb_source *source, int64_t *ret_us)
{
    int width;
    int height;
    poster_search search = {.source = source, .frame = av_frame_alloc(), .small = av_frame_alloc()};
    thumb_source_fit(source, SMALL, SMALL, &width, &height);
    mr_status status = thumb_shape_new(source, width, height, THUMB_LIMITED, false, &search.shape);
    if (status == MR_OK && (!search.frame || !search.small))
        status = mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    if (status == MR_OK)
        status = judge_keyframes(&search);
    if (status == MR_OK && search.seen < ENOUGH && (search.seen == 0 || search.best_score < GOOD_SCORE))
        status = judge_between(&search);
    if (status == MR_OK && search.seen == 0)
        status = MR_END;
    *ret_us = search.best_us;
    thumb_shape_free(search.shape);
    av_frame_free(&search.frame);
    av_frame_free(&search.small);
    return status;
}

static mr_status emit_picture(thumb_source *source, const struct poster_params *options, int64_t us, AVFrame *frame, AVFrame *picture)
{
    uint8_t *data = NULL;
    size_t len = 0;
    int width;
    int height;
    thumb_shape *shape = NULL;
    thumb_source_fit(source, (int)options->width, (int)options->width, &width, &height);
    mr_status status = thumb_shape_new(source, width, height, THUMB_FULL, true, &shape);
    if (status == MR_OK)
        status = thumb_shape_run(shape, frame, picture);
    if (status == MR_OK)
        status = thumb_jpeg(source->host, source->task, picture, (int)options->quality, &data, &len);
    if (status == MR_OK)
        status = thumb_emit(source->host, source->task, OUT_IMAGE,
                            json_pack("{s:s,s:s,s:s,s:i,s:i,s:I}", "role", "poster", "path", options->path, "content_type", "image/jpeg", "width",
                                      width, "height", height, "time_us", (json_int_t)(us > source->origin_us ? us - source->origin_us : 0)),
                            data, len);
    av_free(data);
    thumb_shape_free(shape);
    return status;
}

static mr_status make(thumb_source *source, const void *given)
{
    const struct poster_params *options = given;
    int64_t wanted = source->origin_us + (options->time < source->duration_us ? options->time : source->duration_us);
    int64_t us = 0;
    AVFrame *frame = av_frame_alloc();
    AVFrame *picture = av_frame_alloc();
    mr_status status = frame && picture ? MR_OK : mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    if (status == MR_OK && options->time == 0)
        status = find_good(source, &wanted);
    if (status == MR_OK)
        status = thumb_source_reopen(source, false);
    if (status == MR_OK)
        status = thumb_source_at(source, wanted, frame, &us);
    if (status == MR_OK)
        status = emit_picture(source, options, us, frame, picture);
    av_frame_free(&frame);
    av_frame_free(&picture);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return thumb_run(host, batch, true, make);
}

const mr_op mr_op_thumbnail_poster = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "thumbnail.poster",
    .summary = "picks a good picture of a video, or the one at a given time",
    .help = "Black, white, plain, faded and blurred pictures are passed over. The poster is upright, has square pixels, and HDR is tone-mapped.",
    .cpu = 1,
    .memory_mb = 256,
    .inputs = thumb_inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct poster_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
