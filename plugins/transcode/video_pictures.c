/* SPDX-License-Identifier: MIT */
/*
 * See video_group.h: the chunk's pictures, decoded or kept. Memory that is fresh costs time too, so more is not kept than saves a whole decode.
 * Invariant: 'source' is whole or not used; an empty picture in it, or in 'frame', is the one before it again.
 */
#include "media/input.h"
#include "video_group.h"

#include <libavutil/frame.h>
#include <stdlib.h>

/* Of the pictures of some rungs; of all rungs; of all rungs or of the source, by a batch that has the machine to itself. */
enum { KEPT_MAX_MB = 160, KEPT_ALL_MB = 272, KEPT_ALONE_MB = 384 };

void mr_video_drop_pictures(const mr_video_group *all, AVFrame ***pictures)
{
    for (int i = 0; *pictures && i < all->chunk.frames; i++)
        av_frame_free(&(*pictures)[i]);
    free(*pictures);
    *pictures = NULL;
}

mr_status mr_video_check_in(mr_video_group *all, double progress)
{
    for (size_t i = 0; i < all->task_count; i++) {
        if (all->finished[i])
            continue;
        if (all->host->cancelled(all->tasks[i]->task))
            return MR_ERR_CANCELLED;
        all->host->progress(all->tasks[i]->task, progress);
    }
    return MR_OK;
}

/* The chunk's next picture; left empty where it is the same again. On the thread that decodes ahead, or on ours: between begin_decode and end_decode
 * it alone makes calls about the tasks, but for what may overlap. */
static mr_status decode_next(void *context, int index, AVFrame *picture)
{
    mr_video_group *all = context;
    bool repeat = false;
    mr_status status = mr_video_check_in(all, all->progress_from + (all->progress_to - all->progress_from) * index / all->chunk.frames);
    if (status == MR_OK)
        status = mr_pictures_next(all->pictures, picture, &repeat);
    if (status == MR_END)
        return mr_media_error(all->host, all->reader, AVERROR_BUG, "pictures");
    if (repeat)
        av_frame_unref(picture);
    return status;
}

mr_status mr_video_begin_decode(mr_video_group *all, double progress_from, double progress_to)
{
    all->progress_from = progress_from;
    all->progress_to = progress_to;
    mr_status status = mr_pictures_rewind(all->pictures);
    if (status == MR_OK && all->works_ahead)
        (void)mr_ahead_start(all->chunk.frames, decode_next, all, &all->ahead); /* where it can't be, we do it ourselves */
    return status;
}

mr_status mr_video_next_picture(mr_video_group *all, int index)
{
    if (!all->ahead)
        return decode_next(all, index, all->frame);
    mr_pictures_prepare(all->pictures); /* who decodes is who all wait for */
    return mr_ahead_take(all->ahead, all->frame);
}

mr_status mr_video_scale(mr_video_group *all)
{
    if (!all->frame->buf[0])
        return MR_OK;
    for (size_t i = 0; i <= all->job_count; i++)
        av_frame_unref(all->scaled[i]);
    return mr_scaler_run(all->scaler, all->frame, all->wanted, all->scaled);
}

void mr_video_end_decode(mr_video_group *all)
{
    mr_ahead_stop(all->ahead);
    all->ahead = NULL;
}

static AVFrame **new_pictures(const mr_video_group *all)
{
    return calloc((size_t)all->chunk.frames, sizeof(AVFrame *));
}

/* Where it is not much more for all rungs than for some, that saves a decode. Else so does keeping the source's own, which each rung then scales for
 * itself (but the smallest, whose pictures are there): that pays where two encode at a time, and no other batch does the same. */
mr_status mr_video_choose_kept(mr_video_group *all)
{
    double sample = all->frame->format == AV_PIX_FMT_YUV420P ? 1 : 2;
    double pixels_a_mb = (1 << 20) / (1.5 * sample * all->chunk.frames); /* of each picture */
    double pixels = 0;
    mr_video_job *each = mr_video_smallest_pending(all, true);
    for (size_t i = 0; i < all->job_count; i++)
        pixels += mr_video_area(&all->jobs[i]);
    double source = (double)all->frame->width * all->frame->height;
    const bool fits = pixels <= (all->works_ahead ? KEPT_ALONE_MB : KEPT_ALL_MB) * pixels_a_mb;
    double left = fits ? pixels : KEPT_MAX_MB * pixels_a_mb;
    if (all->works_ahead && !fits && source < pixels && source <= KEPT_ALONE_MB * pixels_a_mb) {
        left = mr_video_area(each);
        all->source = new_pictures(all);
        if (!all->source)
            return mr_video_no_memory(all);
    }
    for (; each && mr_video_area(each) <= left; each = mr_video_smallest_pending(all, true)) {
        left -= mr_video_area(each);
        each->store = new_pictures(all);
        if (!each->store)
            return mr_video_no_memory(all);
    }
    for (size_t i = 0; i < all->job_count; i++)
        all->wanted[i + 1] = all->jobs[i].store;
    return MR_OK;
}

mr_status mr_video_keep(const mr_video_group *all, AVFrame **pictures, int index, const AVFrame *picture)
{
    if (!pictures)
        return MR_OK;
    pictures[index] = picture->buf[0] ? av_frame_clone(picture) : av_frame_alloc();
    return pictures[index] ? MR_OK : mr_video_no_memory(all);
}
