/* SPDX-License-Identifier: MIT */
/* A stage at work: opened for the size of its pictures, and making one of them of those that it holds. See filter_line.c for the whole. */
#include "media/filter_stage.h"
#include "media/font.h"
#include "media/input.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MIN = 16, SIDE_MAX = 16384, ALIGN = 64, CHAIN_MAX = 8192 };

void mr_stage_close(mr_stage *stage)
{
    if (stage->open && stage->use && stage->use->filter->close)
        stage->use->filter->close(stage->state);
    stage->open = false;
    stage->state = NULL;
    mr_filter_free(stage->filter);
    stage->filter = NULL;
    for (size_t i = 0; i < MR_STAGE_SETTINGS; i++) {
        free(stage->values[i]);
        stage->values[i] = NULL;
    }
}

static mr_status start_chain(mr_stage *stage, const AVFrame *like, const char *chain)
{
    char text[CHAIN_MAX];
    const int len = snprintf(text, sizeof(text), "%s,format=%s,copy", chain, av_get_pix_fmt_name(stage->format));
    if (len < 0 || (size_t)len >= sizeof(text))
        return mr_media_error(stage->host, stage->task, AVERROR(ENOSPC), "the filters are too long");
    return mr_filter_new(stage->host, stage->task, like, av_inv_q(stage->chunk->fps), text, "filters", &stage->filter);
}

static mr_status open_filter(mr_stage *stage, const AVFrame *like)
{
    const mr_frame_filter *filter = stage->use->filter;
    const mr_video_format in = {.size = sizeof(in),
                                .pixels = stage->format == AV_PIX_FMT_YUV420P ? MR_PIXELS_YUV420P : MR_PIXELS_YUV420P10,
                                .width = like->width,
                                .height = like->height,
                                .frame_rate = {stage->chunk->fps.num, stage->chunk->fps.den},
                                .primaries = stage->kind->primaries,
                                .transfer = stage->kind->transfer,
                                .matrix = stage->kind->matrix};
    stage->out = in;
    mr_status status = filter->open(stage->host, stage->task, filter, stage->use->params, &in, &stage->out, &stage->state);
    if (status != MR_OK)
        return status > 0 ? MR_ERR_INTERNAL : status;
    stage->open = true;
    const mr_video_format *out = &stage->out;
    const bool fits = out->width >= SIDE_MIN && out->height >= SIDE_MIN && out->width <= SIDE_MAX && out->height <= SIDE_MAX && out->width % 2 == 0 &&
                      out->height % 2 == 0;
    if ((out->width == in.width && out->height == in.height) || (filter->apply && fits))
        return MR_OK;
    stage->host->report(stage->task, MR_SEVERITY_ERROR, "filters", NULL, "the filter '%s' wants to make pictures of %dx%d, which can't be",
                        filter->name, out->width, out->height);
    return MR_ERR_PARAM;
}

static mr_status open_stage(mr_stage *stage, const AVFrame *like)
{
    stage->width = like->width;
    stage->height = like->height;
    if (stage->chain)
        return start_chain(stage, like, stage->chain);
    mr_status status = open_filter(stage, like);
    if (status != MR_OK || stage->use->filter->apply)
        return status;
    const char *chain = stage->use->filter->chain(stage->state);
    if (!chain || !chain[0]) {
        stage->host->report(stage->task, MR_SEVERITY_ERROR, "filters", NULL, "the filter '%s' names no chain to steer", stage->use->filter->name);
        return MR_ERR_PARAM;
    }
    char with_font[CHAIN_MAX];
    status = mr_filter_check(stage->host, stage->task, "filters", chain, true);
    if (status == MR_OK)
        status = mr_font_chain(stage->host, stage->task, chain, with_font, sizeof(with_font));
    return status == MR_OK ? start_chain(stage, like, with_font) : status;
}

void mr_stage_describe(const mr_stage *stage, const mr_held *held, bool planes, mr_picture *ret_picture)
{
    const AVFrame *frame = held->frame;
    const bool still = stage->use->filter->flags & MR_FILTER_STILL;
    *ret_picture = (mr_picture){.size = sizeof(*ret_picture), .number = -1, .time_us = -1};
    if (!still) {
        ret_picture->number = held->number;
        ret_picture->time_us = av_rescale(held->number, (int64_t)stage->chunk->fps.den * 1000000, stage->chunk->fps.num);
    }
    for (int i = 0; planes && i < 3; i++) {
        ret_picture->plane[i] = (mr_plane){.data = frame->data[i],
                                           .stride = frame->linesize[i],
                                           .width = i ? (frame->width + 1) / 2 : frame->width,
                                           .height = i ? (frame->height + 1) / 2 : frame->height};
    }
    ret_picture->planes = planes ? 3 : 0;
}

/* ---- filters that make pixels ---- */

/* An empty picture of the stage's size. Buffers are used again. */
static mr_status new_picture(mr_stage *stage, const AVFrame *like)
{
    AVFrame *made = stage->made;
    const int bytes = av_image_get_buffer_size(stage->format, stage->out.width, stage->out.height, ALIGN);
    if (bytes > 0 && stage->pool_bytes != (size_t)bytes) {
        av_buffer_pool_uninit(&stage->pool);
        stage->pool = av_buffer_pool_init((size_t)bytes + ALIGN, NULL);
        stage->pool_bytes = stage->pool ? (size_t)bytes : 0;
    }
    made->buf[0] = bytes > 0 && stage->pool ? av_buffer_pool_get(stage->pool) : NULL;
    if (!made->buf[0] || av_frame_copy_props(made, like) < 0)
        return mr_media_error(stage->host, stage->task, AVERROR(ENOMEM), "filters");
    uint8_t *base = made->buf[0]->data;
    base += (ALIGN - (uintptr_t)base % ALIGN) % ALIGN;
    made->format = stage->format;
    made->width = stage->out.width;
    made->height = stage->out.height;
    av_image_fill_arrays(made->data, made->linesize, base, stage->format, made->width, made->height, ALIGN);
    return MR_OK;
}

static bool works_in_place(const mr_stage *stage)
{
    return (stage->use->filter->flags & MR_FILTER_IN_PLACE) && stage->out.width == stage->width && stage->out.height == stage->height &&
           stage->back == 0 && stage->ahead == 0;
}

/* The picture itself, which is nobody else's from now on; copied where it is. */
static mr_status take_picture(mr_stage *stage, mr_held *held)
{
    if (av_frame_is_writable(held->frame)) {
        return av_frame_ref(stage->made, held->frame) < 0 ? mr_media_error(stage->host, stage->task, AVERROR(ENOMEM), "filters") : MR_OK;
    }
    mr_status status = new_picture(stage, held->frame);
    if (status == MR_OK && av_frame_copy(stage->made, held->frame) < 0)
        status = mr_media_error(stage->host, stage->task, AVERROR(ENOMEM), "filters");
    return status;
}

mr_status mr_stage_pixels(mr_stage *stage, size_t at)
{
    mr_picture pictures[MR_STAGE_HELD];
    const mr_picture *frames[MR_STAGE_HELD];
    mr_picture out;
    mr_frame_window window = {.size = sizeof(window), .frames = frames};
    const mr_held *due = &stage->held[at];
    const bool in_place = works_in_place(stage);
    mr_status status = in_place ? take_picture(stage, &stage->held[at]) : new_picture(stage, due->frame);
    if (status != MR_OK)
        return status;
    /* Neighbours of another size are beyond an edge, as are those before the first and after the last. */
    for (size_t i = 0; i < stage->held_count; i++) {
        const mr_held *held = &stage->held[i];
        const bool near = held->number >= due->number - stage->back && held->number <= due->number + stage->ahead;
        if (!near || held->frame->width != stage->width || held->frame->height != stage->height) {
            if (i > at)
                break;
            window.count = 0;
            continue;
        }
        if (i == at)
            window.at = window.count;
        mr_stage_describe(stage, held, true, &pictures[window.count]);
        frames[window.count] = &pictures[window.count];
        window.count++;
    }
    const mr_held made = {.frame = stage->made, .number = due->number};
    mr_stage_describe(stage, &made, true, &out);
    if (in_place)
        pictures[window.at] = out;
    status = stage->use->filter->apply(stage->state, &window, &out);
    return status > 0 ? MR_ERR_INTERNAL : status;
}

/* ---- running ---- */

static mr_status run_chain(mr_stage *stage, size_t at)
{
    AVFrame *in = av_frame_clone(stage->held[at].frame);
    if (!in)
        return mr_media_error(stage->host, stage->task, AVERROR(ENOMEM), "filters");
    in->pts = stage->held[at].number;
    mr_status status = mr_filter_send(stage->filter, in);
    av_frame_free(&in);
    if (status == MR_OK)
        status = mr_filter_receive(stage->filter, stage->made);
    if (status == MR_NOT_YET || status == MR_END)
        return mr_media_error(stage->host, stage->task, AVERROR_BUG, "the filters gave no picture for one");
    return status;
}

mr_status mr_stage_run(mr_stage *stage, size_t at)
{
    const AVFrame *frame = stage->held[at].frame;
    mr_status status = MR_OK;
    if ((stage->open || stage->filter) && (frame->width != stage->width || frame->height != stage->height))
        mr_stage_close(stage);
    if (!stage->open && !stage->filter)
        status = open_stage(stage, frame);
    if (status != MR_OK)
        return status;
    if (stage->use && stage->use->filter->apply)
        return mr_stage_pixels(stage, at);
    if (stage->use)
        status = mr_stage_steer(stage, at);
    return status == MR_OK ? run_chain(stage, at) : status;
}
