/* SPDX-License-Identifier: MIT */
/*
 * See video_group.h: the rungs of a chunk whose pictures are all kept, encoded on two processors. The largest ones are shared out by their pixels,
 * and each lane makes its own one after the other, the smallest first, so that it can be played first. Invariant: a lane touches the jobs and tasks
 * of its own and no others; what both read (chunk, source, analysis) stays as it is.
 */
#include "media/input.h"
#include "video_group.h"

#include <pthread.h>
#include <stdlib.h>

enum { LANES = 2 };

typedef struct lane {
    mr_video_group *all;
    mr_video_job **jobs; /* the largest first */
    size_t count;
    double area;
    bool beside; /* on a thread of its own: who called run() finishes its tasks */
    mr_status status;
} lane;

bool mr_video_has_lanes(const mr_video_group *all)
{
    bool kept = true;
    for (size_t i = 0; i < all->job_count; i++)
        kept = kept && (all->source_is_whole || all->jobs[i].store);
    return kept && all->works_ahead && all->job_count > 0;
}

static mr_status check_in(const lane *own, const mr_video_job *at_work, int index)
{
    const mr_video_group *all = own->all;
    if (atomic_load(&own->all->stopping))
        return MR_ERR_CANCELLED;
    for (size_t i = 0; i < own->count; i++) {
        const mr_video_job *each = own->jobs[i];
        const double done = each == at_work ? (double)index / all->chunk.frames : 0;
        if (each->made && each->one->task != all->reader)
            continue;
        if (all->host->cancelled(each->one->task))
            return MR_ERR_CANCELLED;
        all->host->progress(each->one->task, MR_VIDEO_ANALYSIS_PART + (1 - MR_VIDEO_ANALYSIS_PART) * done);
    }
    return MR_OK;
}

/* One attempt. scaler: NULL where its pictures are kept as they are wanted. */
static mr_status attempt(const lane *own, mr_video_job *each, mr_scaler *scaler, AVFrame *scaled)
{
    mr_video_group *all = own->all;
    mr_status status = mr_rung_encode_begin(each->encode, &each->budget.rate);
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        status = check_in(own, each, index);
        if (status == MR_OK && scaler && all->source[index]->buf[0]) { /* else it is the one before it again */
            av_frame_unref(scaled);
            status = mr_scaler_run(scaler, all->source[index], NULL, &scaled);
        }
        if (status == MR_OK)
            status = mr_rung_encode_send(each->encode, scaler ? scaled : each->store[index], index);
    }
    return status == MR_OK ? mr_video_settle(all, each) : status;
}

static mr_status encode(const lane *own, mr_video_job *each)
{
    const mr_video_group *all = own->all;
    mr_scaler *scaler = NULL;
    AVFrame *scaled = av_frame_alloc();
    mr_status status = scaled ? MR_OK : mr_media_error(all->host, each->one->task, AVERROR(ENOMEM), "pictures");
    if (status == MR_OK && !each->store)
        status = mr_scaler_new(all->host, each->one->task, &each->rung.size, 1, &scaler);
    while (status == MR_OK && !each->made)
        status = attempt(own, each, scaler, scaled);
    if (status == MR_OK && !own->beside && each->one->task != all->reader)
        status = mr_video_finish(own->all, each->one->task);
    av_frame_free(&scaled);
    mr_scaler_free(scaler);
    return status;
}

static void *run(void *context)
{
    lane *own = context;
    for (size_t i = own->count; i-- > 0 && own->status == MR_OK;)
        own->status = encode(own, own->jobs[i]);
    if (own->status != MR_OK)
        atomic_store(&own->all->stopping, true);
    return NULL;
}

static int larger_first(const void *a, const void *b)
{
    const mr_video_job *const *left = a;
    const mr_video_job *const *right = b;
    const double more = mr_video_area(*right) - mr_video_area(*left);
    return more > 0 ? 1 : more < 0 ? -1 : (*left < *right) - (*left > *right);
}

/* sorted: the largest first; room for as many in each lane. */
static void share_out(mr_video_job *const *sorted, size_t count, lane lanes[LANES])
{
    for (size_t i = 0; i < count; i++) {
        lane *to = lanes[0].area <= lanes[1].area ? &lanes[0] : &lanes[1];
        to->jobs[to->count++] = sorted[i];
        to->area += mr_video_area(sorted[i]);
    }
}

static void finish_those_beside(lane *own)
{
    for (size_t i = 0; i < own->count && own->beside && own->status == MR_OK; i++) {
        if (own->jobs[i]->one->task != own->all->reader)
            own->status = mr_video_finish(own->all, own->jobs[i]->one->task);
    }
}

mr_status mr_video_encode_in_lanes(mr_video_group *all)
{
    const size_t count = all->job_count;
    mr_video_job **jobs = calloc(count * (1 + LANES), sizeof(mr_video_job *));
    pthread_t thread;
    if (!jobs)
        return mr_video_no_memory(all);
    lane lanes[LANES] = {{.all = all, .jobs = jobs + count}, {.all = all, .jobs = jobs + 2 * count}};
    for (size_t i = 0; i < count; i++)
        jobs[i] = &all->jobs[i];
    qsort(jobs, count, sizeof(mr_video_job *), larger_first);
    share_out(jobs, count, lanes);
    lanes[0].beside = lanes[1].count > 0;
    const bool beside = lanes[0].beside && pthread_create(&thread, NULL, run, &lanes[0]) == 0;
    run(&lanes[1]);
    if (beside) {
        pthread_join(thread, NULL);
    } else {
        lanes[0].beside = false;
        run(&lanes[0]);
    }
    finish_those_beside(&lanes[0]);
    free(jobs);
    /* The one that failed, not the one that ended for its sake. */
    return lanes[0].status == MR_OK || (lanes[0].status == MR_ERR_CANCELLED && lanes[1].status != MR_OK) ? lanes[1].status : lanes[0].status;
}
