/* SPDX-License-Identifier: MIT */
/* See video_group.h: from what a rung may take to what is emitted, and which rungs are encoded together. */
#include "media/input.h"
#include "video_group.h"

#include <math.h>
#include <stdio.h>

/* The analysis of the job's chunk, given or made; NULL: it has none. */
static mr_status find_analysis(mr_video_group *all, mr_video_job *each)
{
    if (!mr_rate_uses_analysis(&all->chunk, each->params))
        return MR_OK;
    const mr_artifact *given = all->host->input(each->one->task, MR_VIDEO_ANALYSIS, 0);
    each->budget.analysis = given ? &each->analysis : &all->analysis;
    if (given)
        return mr_analysis_read(all->host, each->one->task, given, &all->chunk, &each->analysis);
    return all->analysed ? MR_OK : MR_ERR_INTERNAL;
}

static mr_status decide_rate(mr_video_group *all, mr_video_job *each, size_t number)
{
    const mr_host *host = all->host;
    mr_task *task = each->one->task;
    int64_t bitrate = 0;
    each->budget = (mr_budget){.chunk = &all->chunk, .rung = &each->rung, .params = each->params, .stats = each->stats};
    mr_status status = find_analysis(all, each);
    if (status == MR_OK && each->budget.analysis) {
        const char *folder = host->scratch(all->reader);
        int len = folder ? snprintf(each->stats, sizeof(each->stats), "%s/rung-%zu", folder, number) : -1;
        status = len > 0 && (size_t)len < sizeof(each->stats) ? MR_OK : MR_ERR_IO;
        if (status == MR_OK && each->params->rate_control == MR_RATE_BITRATE) {
            int64_t mean = (int64_t)((double)each->rung.max_bitrate * each->params->average);
            status = mr_rate_share(host, task, MR_VIDEO_ANALYSES, &all->chunk, mean, each->rung.max_bitrate, &bitrate);
        }
    }
    return status == MR_OK ? mr_budget_begin(host, task, &each->budget, bitrate) : status;
}

mr_status mr_video_settle(mr_video_group *all, mr_video_job *each)
{
    bool again = false;
    mr_status status = mr_rung_encode_finish(each->encode);
    if (status == MR_OK) {
        const mr_attempt made = {
            .bits = mr_rung_encode_bits(each->encode), .segment = mr_rung_encode_excess(each->encode), .qp = mr_rung_encode_qp(each->encode)};
        status = mr_budget_revise(all->host, each->one->task, &each->budget, &made, &again);
    }
    if (status != MR_OK || again)
        return status;
    if (each->budget.excess > 1)
        all->host->report(each->one->task, MR_SEVERITY_WARNING, NULL, "raise the rung's max_bitrate", "%s is %.0f %% over its ceiling in chunk %u",
                          each->rung.id, (each->budget.excess - 1) * 100, all->chunk.index);
    status = mr_rung_encode_emit(each->encode);
    each->made = true;
    mr_video_drop_pictures(all, &each->store);
    mr_rung_encode_free(each->encode);
    each->encode = NULL;
    return status;
}

/* The wanted job whose pictures are all kept. */
static mr_status encode_kept(mr_video_group *all, const mr_video_job *each)
{
    mr_status status = MR_OK;
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        status = mr_video_check_in(all, all->progress_from + (all->progress_to - all->progress_from) * index / all->chunk.frames);
        if (status == MR_OK)
            status = mr_rung_encode_send(each->encode, each->store[index], index);
    }
    return status;
}

/* Decodes the next picture, and gives it to each wanted job but one; NULL: to all. */
static mr_status encode_next(mr_video_group *all, const mr_video_job *but, int index)
{
    mr_status status = mr_video_next_picture(all, index);
    if (status == MR_OK)
        status = mr_video_scale(all);
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
        const mr_video_job *each = &all->jobs[i];
        if (all->wanted[i + 1] && each != but)
            status = mr_rung_encode_send(each->encode, all->scaled[i + 1], index);
    }
    return status;
}

typedef struct others {
    mr_video_group *all;
    const mr_video_job *largest;
} others;

/* On a thread of its own. */
static mr_status encode_others(void *context, int index, AVFrame *ret_for_largest)
{
    const others *own = context;
    const size_t at = (size_t)(own->largest - own->all->jobs) + 1;
    mr_status status = encode_next(own->all, own->largest, index);
    if (status == MR_OK && av_frame_ref(ret_for_largest, own->all->scaled[at]) < 0)
        status = mr_video_no_memory(own->all);
    return status;
}

static mr_status encode_largest(mr_video_group *all, const mr_video_job *largest, mr_ahead *beside)
{
    AVFrame *picture = av_frame_alloc();
    mr_status status = picture ? MR_OK : mr_video_no_memory(all);
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        status = mr_ahead_take(beside, picture);
        if (status == MR_OK)
            status = mr_rung_encode_send(largest->encode, picture, index);
    }
    av_frame_free(&picture);
    return status;
}

/* The wanted jobs together, from one decode. Where a processor is to spare, and there are several, all but the largest are on a thread of their own:
 * it takes about as long as they do. */
static mr_status encode_decoded(mr_video_group *all)
{
    const mr_video_job *largest = NULL;
    size_t count = 0;
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count; i++) {
        const mr_video_job *each = &all->jobs[i];
        count += all->wanted[i + 1];
        if (all->wanted[i + 1] && (!largest || mr_video_area(each) > mr_video_area(largest)))
            largest = each;
    }
    others own = {.all = all, .largest = largest};
    mr_ahead *beside = NULL;
    if (count > 1 && all->works_ahead)
        (void)mr_ahead_start(all->chunk.frames, encode_others, &own, &beside); /* where it can't be, one after the other */
    if (beside && largest)
        status = encode_largest(all, largest, beside);
    for (int index = 0; index < all->chunk.frames && status == MR_OK && !beside; index++)
        status = encode_next(all, NULL, index);
    mr_ahead_stop(beside);
    return status;
}

/* One attempt of the wanted jobs. kept: the only one, whose pictures are kept; NULL: it has to be decoded. */
static mr_status attempt(mr_video_group *all, const mr_video_job *kept, double progress_from, double progress_to)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
        if (all->wanted[i + 1])
            status = mr_rung_encode_begin(all->jobs[i].encode, &all->jobs[i].budget.rate);
    }
    all->progress_from = progress_from;
    all->progress_to = progress_to;
    if (status == MR_OK && !kept)
        status = mr_video_begin_decode(all, progress_from, progress_to);
    if (status == MR_OK)
        status = kept ? encode_kept(all, kept) : encode_decoded(all);
    mr_video_end_decode(all);
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
        mr_video_job *each = &all->jobs[i];
        if (!all->wanted[i + 1])
            continue;
        status = mr_video_settle(all, each);
        if (status == MR_OK && each->made && each->one->task != all->reader)
            status = mr_video_finish(all, each->one->task);
    }
    return status;
}

static bool is_alone(const mr_video_job *each)
{
    return mr_codec_is_alone((mr_video_codec)each->params->codec);
}

/* What is encoded in one go with 'next', the smallest: one whose pictures were kept, alone, so that it is playable first and one encoder at a time
 * takes memory; the others together, but for those that can't be open beside others: for each of them the source is decoded anew. */
static void choose(mr_video_group *all, const mr_video_job *next)
{
    bool one = next->store || is_alone(next);
    for (size_t i = 0; i < all->job_count; i++) {
        const mr_video_job *each = &all->jobs[i];
        all->wanted[i + 1] = one ? each == next : !each->made && !is_alone(each);
    }
}

/* On one processor. */
static mr_status encode_in_turn(mr_video_group *all)
{
    double from = all->analysed ? MR_VIDEO_ANALYSIS_PART : 0;
    double total = 0;
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count; i++)
        total += mr_video_area(&all->jobs[i]);
    double scale = (1 - from) / total;
    for (mr_video_job *next = mr_video_smallest_pending(all, false); next && status == MR_OK; next = mr_video_smallest_pending(all, false)) {
        double to = from;
        choose(all, next);
        for (size_t i = 0; i < all->job_count; i++)
            to += all->wanted[i + 1] ? scale * mr_video_area(&all->jobs[i]) : 0;
        to = fmin(1, to);
        status = attempt(all, next->store ? next : NULL, from, to);
        from = next->made ? to : from;
    }
    return status;
}

mr_status mr_video_encode_rungs(mr_video_group *all)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++)
        status = decide_rate(all, &all->jobs[i], i);
    if (status != MR_OK)
        return status;
    return mr_video_has_lanes(all) ? mr_video_encode_in_lanes(all) : encode_in_turn(all);
}
