/* SPDX-License-Identifier: MIT */
/*
 * The run() of transcode.analyse and transcode.video. A batch is one chunk, decoded for all its tasks together. The rungs' second pass begins when
 * the analysis is whole. Until then the scaled pictures of all rungs are kept if KEPT_ALL_MB holds them, else of the smallest, as many rungs as
 * KEPT_MAX_MB holds: each is then encoded alone, and again if need be, without the source. The others are encoded together in a second decode:
 * keeping some of their pictures too saves no time, since fresh memory costs about what it saves, and takes a multiple of the memory. Rungs whose
 * analysis is there already wait for nothing, and nothing is kept for them.
 *
 * With a processor to spare, pictures are decoded ahead on a thread (ahead.h). Then those of all rungs are kept if KEPT_ALONE_MB holds them, or else
 * the source's, if it holds these; rungs whose pictures are kept one way or the other are encoded on two threads (video_lanes.c), and of those that
 * are encoded from a second decode the largest is on a thread of its own (video_rungs.c).
 *
 * Invariant: what a task makes is a function of its own inputs and params; the batch decides only about what is computed once for several.
 * The source is read on behalf of the reader, the largest rung's task, which is the last to be finished: its artifacts stay valid that long.
 */
#include "media/filter_line.h"
#include "media/input.h"
#include "transcode.h"
#include "video.h"
#include "video_group.h"

#include <stdlib.h>

static bool is_analysis(const mr_batch_task *one)
{
    return one->op == &mr_op_transcode_analyse;
}

static mr_picture_options picture_options(const mr_batch_task *one)
{
    if (is_analysis(one)) {
        const mr_analyse_params *params = one->params;
        return (mr_picture_options){.filters = params->filters, .keep_hdr = params->hdr == MR_HDR_KEEP};
    }
    const mr_video_params *params = one->params;
    return (mr_picture_options){.filters = params->filters, .keep_hdr = params->hdr == MR_HDR_KEEP};
}

static bool same_pictures(const mr_batch_task *a, const mr_batch_task *b)
{
    mr_picture_options left = picture_options(a);
    mr_picture_options right = picture_options(b);
    return left.keep_hdr == right.keep_hdr && mr_filters_equal(&left.filters, &right.filters);
}

/* Setting up ------------------------------------------------------------------------------------------------------------------ */

mr_status mr_video_no_memory(const mr_video_group *all)
{
    (void)mr_media_error(all->host, all->reader, AVERROR(ENOMEM), "pictures");
    return MR_ERR_NOMEM;
}

double mr_video_area(const mr_video_job *each)
{
    return (double)each->rung.size.width * each->rung.size.height;
}

mr_video_job *mr_video_smallest_pending(mr_video_group *all, bool unkept)
{
    mr_video_job *smallest = NULL;
    for (size_t i = 0; i < all->job_count; i++) {
        mr_video_job *each = &all->jobs[i];
        if (!each->made && !(unkept && each->store) && (!smallest || mr_video_area(each) < mr_video_area(smallest)))
            smallest = each;
    }
    return smallest;
}

mr_status mr_video_finish(mr_video_group *all, mr_task *task)
{
    for (size_t i = 0; i < all->task_count; i++) {
        if (all->tasks[i]->task == task)
            all->finished[i] = true;
    }
    return all->host->finish(task, MR_OK);
}

static mr_status add_job(mr_video_group *all, const mr_batch_task *one)
{
    mr_video_job *added = &all->jobs[all->job_count++];
    added->one = one;
    added->params = one->params;
    if (added->params->codec == MR_CODEC_H264 && all->options.keep_hdr && all->chunk.picture.hdr != MR_HDR_NONE) {
        all->host->report(one->task, MR_SEVERITY_ERROR, "hdr", "use the codec hevc, av1 or vp9, or tonemap", "players don't show HDR in H.264");
        return MR_ERR_PARAM;
    }
    mr_status status = mr_rung_read(all->host, one->task, all->host->input(one->task, MR_VIDEO_RUNG, 0), &added->rung);
    if (status == MR_OK)
        status = mr_rung_encode_new(all->host, one->task, &all->chunk, &added->rung, added->params, &added->encode);
    return status;
}

/* Of the tasks the one that is encoded last, so that others need not wait for it. */
static const mr_batch_task *choose_reader(const mr_video_group *all)
{
    const mr_video_job *largest = NULL;
    for (size_t i = 0; i < all->job_count; i++) {
        if (!largest || mr_video_area(&all->jobs[i]) > mr_video_area(largest))
            largest = &all->jobs[i];
    }
    return largest ? largest->one : all->tasks[all->task_count - 1];
}

static mr_status make_scaler(mr_video_group *all)
{
    size_t count = all->job_count + 1;
    mr_size *sizes = calloc(count, sizeof(*sizes));
    all->scaled = calloc(count, sizeof(*all->scaled));
    all->wanted = calloc(count, sizeof(*all->wanted));
    all->frame = av_frame_alloc();
    mr_status status = sizes && all->scaled && all->wanted && all->frame ? MR_OK : mr_video_no_memory(all);
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        sizes[i] = i ? all->jobs[i - 1].rung.size : mr_analysis_size(&all->chunk);
        all->scaled[i] = av_frame_alloc();
        if (!all->scaled[i])
            status = mr_video_no_memory(all);
    }
    if (status == MR_OK)
        status = mr_scaler_new(all->host, all->reader, sizes, count, &all->scaler);
    free(sizes);
    return status;
}

static mr_status set_up(mr_video_group *all)
{
    const mr_batch_task *any = all->tasks[0];
    uint32_t chunk_port = is_analysis(any) ? MR_ANALYSE_CHUNK : MR_VIDEO_CHUNK;
    all->reader = any->task;
    all->options = picture_options(any);
    mr_status status = mr_chunk_read(all->host, all->reader, all->host->input(all->reader, chunk_port, 0), &all->chunk);
    all->jobs = calloc(all->task_count, sizeof(*all->jobs));
    all->finished = calloc(all->task_count, sizeof(*all->finished));
    if (status == MR_OK && (!all->jobs || !all->finished))
        status = mr_video_no_memory(all);
    for (size_t i = 0; i < all->task_count && status == MR_OK; i++) {
        if (is_analysis(all->tasks[i]))
            all->analysis_tasks++;
        else
            status = add_job(all, all->tasks[i]);
    }
    if (status != MR_OK)
        return status;
    const mr_batch_task *reader = choose_reader(all);
    uint32_t source_port = is_analysis(reader) ? MR_ANALYSE_SOURCE : MR_VIDEO_SOURCE;
    all->reader = reader->task;
    status = make_scaler(all);
    if (status == MR_OK)
        status = mr_pictures_open(all->host, all->reader, all->host->input(all->reader, source_port, 0), &all->chunk, &all->options, &all->pictures);
    return status;
}

static void tear_down(mr_video_group *all)
{
    mr_ahead_stop(all->ahead);
    mr_video_drop_pictures(all, &all->source);
    for (size_t i = 0; i < all->job_count; i++) {
        mr_video_drop_pictures(all, &all->jobs[i].store);
        mr_rung_encode_free(all->jobs[i].encode);
        mr_analysis_free(&all->jobs[i].analysis);
    }
    for (size_t i = 0; all->scaled && i <= all->job_count; i++)
        av_frame_free(&all->scaled[i]);
    av_frame_free(&all->frame);
    mr_analyser_free(all->analyser);
    mr_analysis_free(&all->analysis);
    mr_scaler_free(all->scaler);
    mr_pictures_close(all->pictures);
    mr_chunk_free(&all->chunk);
    free(all->scaled);
    free(all->wanted);
    free(all->jobs);
    free(all->finished);
    free(all->tasks);
}

/* The analysis ---------------------------------------------------------------------------------------------------------------- */

static bool lacks_analysis(const mr_video_group *all, const mr_video_job *each)
{
    return mr_rate_uses_analysis(&all->chunk, each->params) && all->host->input_count(each->one->task, MR_VIDEO_ANALYSIS) == 0;
}

static bool analysis_is_due(const mr_video_group *all)
{
    bool due = all->analysis_tasks > 0;
    for (size_t i = 0; i < all->job_count; i++)
        due |= lacks_analysis(all, &all->jobs[i]);
    return due;
}

static mr_status first_pass(mr_video_group *all)
{
    mr_status status = mr_video_begin_decode(all, 0, all->job_count ? MR_VIDEO_ANALYSIS_PART : 1);
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        status = mr_video_next_picture(all, index);
        if (status == MR_OK && index == 0)
            status = mr_video_choose_kept(all);
        if (status == MR_OK)
            status = mr_video_keep(all, all->source, index, all->frame);
        if (status == MR_OK)
            status = mr_video_scale(all);
        if (status == MR_OK)
            status = mr_analyser_send(all->analyser, all->scaled[0], index);
        for (size_t i = 0; i < all->job_count && status == MR_OK; i++)
            status = mr_video_keep(all, all->jobs[i].store, index, all->scaled[i + 1]);
    }
    mr_video_end_decode(all);
    all->source_is_whole = all->source && status == MR_OK;
    return status;
}

static mr_status analyse(mr_video_group *all)
{
    const char *folder = all->host->scratch(all->reader);
    if (!folder)
        return MR_ERR_IO;
    mr_status status = mr_analyser_new(all->host, all->reader, &all->chunk, folder, &all->analyser);
    all->wanted[0] = true;
    if (status == MR_OK)
        status = first_pass(all);
    if (status == MR_OK)
        status = mr_analyser_finish(all->analyser, &all->analysis);
    all->wanted[0] = false;
    mr_scaler_trim(all->scaler);
    all->analysed = status == MR_OK;
    for (size_t i = 0; i < all->task_count && status == MR_OK; i++) {
        if (!is_analysis(all->tasks[i]))
            continue;
        status = mr_analysis_emit(all->host, all->tasks[i]->task, MR_ANALYSE_STATS, &all->chunk, &all->analysis);
        if (status == MR_OK)
            status = mr_video_finish(all, all->tasks[i]->task);
    }
    return status;
}

/* All of it ------------------------------------------------------------------------------------------------------------------ */

static mr_status run_group(mr_video_group *all)
{
    mr_status status = set_up(all);
    if (status == MR_OK && analysis_is_due(all))
        status = analyse(all);
    if (status == MR_OK)
        status = mr_video_encode_rungs(all);
    if (status == MR_OK && all->job_count)
        status = mr_video_finish(all, all->reader);
    tear_down(all);
    return status;
}

mr_status mr_video_run(const mr_host *host, const mr_batch *batch)
{
    bool *taken = calloc(batch->count, sizeof(*taken));
    mr_status status = taken ? MR_OK : MR_ERR_NOMEM;
    for (uint32_t i = 0; i < batch->count && status == MR_OK; i++) {
        if (taken[i])
            continue;
        mr_video_group all = {.host = host, .tasks = calloc(batch->count, sizeof(*all.tasks)), .works_ahead = batch->processors > 1};
        if (all.tasks)
            all.tasks[all.task_count++] = &batch->tasks[i];
        for (uint32_t k = i + 1; all.tasks && k < batch->count; k++) {
            if (taken[k] || !same_pictures(&batch->tasks[i], &batch->tasks[k]))
                continue;
            taken[k] = true;
            all.tasks[all.task_count++] = &batch->tasks[k];
        }
        status = all.tasks ? run_group(&all) : MR_ERR_NOMEM;
    }
    free(taken);
    return status;
}
