/* SPDX-License-Identifier: MIT */
/*
 * The run() of transcode.analyse and transcode.video. A batch is one chunk, decoded for all its tasks together. The rungs' second pass begins when
 * the analysis is whole. Until then the scaled pictures of all rungs are kept if KEPT_ALL_MB holds them, else of the smallest, as many rungs as
 * KEPT_MAX_MB holds: each is then encoded alone, and again if need be, without the source. The others are encoded together in a second decode:
 * keeping some of their pictures too saves no time, since fresh memory costs about what it saves, and takes a multiple of the memory. Rungs whose
 * analysis is there already wait for nothing, and nothing is kept for them. With a processor to spare, pictures are decoded ahead on a thread
 * (ahead.h).
 *
 * Invariant: what a task makes is a function of its own inputs and params; the batch decides only about what is computed once for several.
 * The source is read on behalf of the reader, the largest rung's task, which is the last to be finished: its artifacts stay valid that long.
 */
#include "ahead.h"
#include "analysis.h"
#include "budget.h"
#include "media/filter_line.h"
#include "media/input.h"
#include "transcode.h"
#include "video.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of the progress the first pass is. */
#define ANALYSIS_PART 0.15
enum { KEPT_MAX_MB = 160, KEPT_ALL_MB = 272, PATH_SIZE = 4096 };

typedef struct job {
    const mr_batch_task *one;
    const mr_video_params *params;
    mr_rung rung;
    mr_rung_encode *encode;
    mr_budget budget;
    mr_analysis analysis; /* that came with the task */
    char stats[PATH_SIZE];
    AVFrame **store; /* scaled pictures of the whole chunk; NULL: none are kept */
    bool made;       /* good, emitted */
} job;

typedef struct group {
    const mr_host *host;
    const mr_batch_task **tasks; /* of this group, in the batch's order */
    size_t task_count;
    mr_task *reader;
    bool *finished; /* per task */
    mr_chunk chunk;
    mr_picture_options options;
    mr_pictures *pictures;
    mr_scaler *scaler; /* targets: the analysis, then each job */
    AVFrame *frame;
    AVFrame **scaled; /* of the picture that is due, those that are wanted */
    bool *wanted;
    bool works_ahead; /* there is a processor for it */
    mr_ahead *ahead;
    double progress_from, progress_to; /* of this decode */
    job *jobs;
    size_t job_count;
    size_t analysis_tasks;
    mr_analyser *analyser;
    mr_analysis analysis;
    bool analysed;
} group;

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

static mr_status no_memory(const group *all)
{
    (void)mr_media_error(all->host, all->reader, AVERROR(ENOMEM), "pictures");
    return MR_ERR_NOMEM;
}

/* Setting up ------------------------------------------------------------------------------------------------------------------ */

static mr_status add_job(group *all, const mr_batch_task *one)
{
    job *added = &all->jobs[all->job_count++];
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

static double area_of(const job *each)
{
    return (double)each->rung.size.width * each->rung.size.height;
}

/* Of the tasks the one that is encoded last, so that others need not wait for it. */
static const mr_batch_task *choose_reader(const group *all)
{
    const job *largest = NULL;
    for (size_t i = 0; i < all->job_count; i++) {
        if (!largest || area_of(&all->jobs[i]) > area_of(largest))
            largest = &all->jobs[i];
    }
    return largest ? largest->one : all->tasks[all->task_count - 1];
}

static mr_status make_scaler(group *all)
{
    size_t count = all->job_count + 1;
    mr_size *sizes = calloc(count, sizeof(*sizes));
    all->scaled = calloc(count, sizeof(*all->scaled));
    all->wanted = calloc(count, sizeof(*all->wanted));
    all->frame = av_frame_alloc();
    mr_status status = sizes && all->scaled && all->wanted && all->frame ? MR_OK : no_memory(all);
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        sizes[i] = i ? all->jobs[i - 1].rung.size : mr_analysis_size(&all->chunk);
        all->scaled[i] = av_frame_alloc();
        if (!all->scaled[i])
            status = no_memory(all);
    }
    if (status == MR_OK)
        status = mr_scaler_new(all->host, all->reader, sizes, count, &all->scaler);
    free(sizes);
    return status;
}

static mr_status set_up(group *all)
{
    const mr_batch_task *any = all->tasks[0];
    uint32_t chunk_port = is_analysis(any) ? MR_ANALYSE_CHUNK : MR_VIDEO_CHUNK;
    all->reader = any->task;
    all->options = picture_options(any);
    mr_status status = mr_chunk_read(all->host, all->reader, all->host->input(all->reader, chunk_port, 0), &all->chunk);
    all->jobs = calloc(all->task_count, sizeof(*all->jobs));
    all->finished = calloc(all->task_count, sizeof(*all->finished));
    if (status == MR_OK && (!all->jobs || !all->finished))
        status = no_memory(all);
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

static void free_store(const group *all, job *each)
{
    for (int i = 0; each->store && i < all->chunk.frames; i++)
        av_frame_free(&each->store[i]);
    free(each->store);
    each->store = NULL;
}

static void tear_down(group *all)
{
    mr_ahead_stop(all->ahead);
    for (size_t i = 0; i < all->job_count; i++) {
        free_store(all, &all->jobs[i]);
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

/* One decode ------------------------------------------------------------------------------------------------------------------ */

/* Cancelling one task cancels the batch: the others are tried again alone. */
static mr_status check_in(group *all, double progress)
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

static mr_status finish(group *all, mr_task *task)
{
    for (size_t i = 0; i < all->task_count; i++) {
        if (all->tasks[i]->task == task)
            all->finished[i] = true;
    }
    return all->host->finish(task, MR_OK);
}

/* The chunk's next picture; left empty where it is the same again. On the thread that decodes ahead, or on ours: between begin_decode and end_decode
 * it alone makes calls about the tasks, but for what may overlap. */
static mr_status decode_next(void *context, int index, AVFrame *picture)
{
    group *all = context;
    bool repeat = false;
    mr_status status = check_in(all, all->progress_from + (all->progress_to - all->progress_from) * index / all->chunk.frames);
    if (status == MR_OK)
        status = mr_pictures_next(all->pictures, picture, &repeat);
    if (status == MR_END)
        return mr_media_error(all->host, all->reader, AVERROR_BUG, "pictures");
    if (repeat)
        av_frame_unref(picture);
    return status;
}

/* From the chunk's first picture. */
static mr_status begin_decode(group *all, double progress_from, double progress_to)
{
    all->progress_from = progress_from;
    all->progress_to = progress_to;
    mr_status status = mr_pictures_rewind(all->pictures);
    if (status == MR_OK && all->works_ahead)
        (void)mr_ahead_start(all->chunk.frames, decode_next, all, &all->ahead); /* where it can't be, we do it ourselves */
    return status;
}

/* The next picture in all sizes that are wanted, in 'scaled'. One that repeats is not scaled again. */
static mr_status next_scaled(group *all, int index)
{
    mr_status status = all->ahead ? mr_ahead_take(all->ahead, all->frame) : decode_next(all, index, all->frame);
    if (status != MR_OK || !all->frame->buf[0])
        return status;
    for (size_t i = 0; i <= all->job_count; i++)
        av_frame_unref(all->scaled[i]);
    return mr_scaler_run(all->scaler, all->frame, all->wanted, all->scaled);
}

static void end_decode(group *all)
{
    mr_ahead_stop(all->ahead);
    all->ahead = NULL;
}

/* The analysis ---------------------------------------------------------------------------------------------------------------- */

static bool lacks_analysis(const group *all, const job *each)
{
    return mr_rate_uses_analysis(&all->chunk, each->params) && all->host->input_count(each->one->task, MR_VIDEO_ANALYSIS) == 0;
}

static bool analysis_is_due(const group *all)
{
    bool due = all->analysis_tasks > 0;
    for (size_t i = 0; i < all->job_count; i++)
        due |= lacks_analysis(all, &all->jobs[i]);
    return due;
}

/* The smallest that is not made; unkept: and whose pictures are not kept. NULL: there is none. */
static job *smallest_pending(group *all, bool unkept)
{
    job *smallest = NULL;
    for (size_t i = 0; i < all->job_count; i++) {
        job *each = &all->jobs[i];
        if (!each->made && !(unkept && each->store) && (!smallest || area_of(each) < area_of(smallest)))
            smallest = each;
    }
    return smallest;
}

/* Room for the pictures of the rungs that are kept. Where it is not much more for all of them than for some, that saves a decode. */
static mr_status make_stores(group *all)
{
    double sample = mr_pictures_kind(&all->chunk, &all->options).format == AV_PIX_FMT_YUV420P ? 1 : 2;
    double pixels_a_mb = (1 << 20) / (1.5 * sample * all->chunk.frames); /* of each picture */
    double pixels = 0;
    job *each;
    for (size_t i = 0; i < all->job_count; i++)
        pixels += area_of(&all->jobs[i]);
    double left = pixels <= KEPT_ALL_MB * pixels_a_mb ? pixels : KEPT_MAX_MB * pixels_a_mb;
    while ((each = smallest_pending(all, true)) && area_of(each) <= left) {
        left -= area_of(each);
        each->store = calloc((size_t)all->chunk.frames, sizeof(AVFrame *));
        if (!each->store)
            return no_memory(all);
    }
    return MR_OK;
}

static mr_status first_pass(group *all)
{
    for (size_t i = 0; i < all->job_count; i++)
        all->wanted[i + 1] = all->jobs[i].store;
    mr_status status = begin_decode(all, 0, all->job_count ? ANALYSIS_PART : 1);
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        status = next_scaled(all, index);
        if (status == MR_OK)
            status = mr_analyser_send(all->analyser, all->scaled[0], index);
        for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
            if (!all->jobs[i].store)
                continue;
            AVFrame **kept = &all->jobs[i].store[index];
            *kept = av_frame_clone(all->scaled[i + 1]);
            status = *kept ? MR_OK : no_memory(all);
        }
    }
    end_decode(all);
    return status;
}

static mr_status analyse(group *all)
{
    const char *folder = all->host->scratch(all->reader);
    if (!folder)
        return MR_ERR_IO;
    mr_status status = make_stores(all);
    if (status == MR_OK)
        status = mr_analyser_new(all->host, all->reader, &all->chunk, folder, &all->analyser);
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
            status = finish(all, all->tasks[i]->task);
    }
    return status;
}

/* The rungs ------------------------------------------------------------------------------------------------------------------- */

/* The analysis of the job's chunk, given or made; NULL: it has none. */
static mr_status find_analysis(group *all, job *each)
{
    if (!mr_rate_uses_analysis(&all->chunk, each->params))
        return MR_OK;
    const mr_artifact *given = all->host->input(each->one->task, MR_VIDEO_ANALYSIS, 0);
    each->budget.analysis = given ? &each->analysis : &all->analysis;
    if (given)
        return mr_analysis_read(all->host, each->one->task, given, &all->chunk, &each->analysis);
    return all->analysed ? MR_OK : MR_ERR_INTERNAL;
}

static mr_status decide_rate(group *all, job *each, size_t number)
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

/* Ends an attempt: good ones are emitted, others will be made again. */
static mr_status settle(group *all, job *each)
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
    free_store(all, each);
    mr_rung_encode_free(each->encode);
    each->encode = NULL;
    if (status == MR_OK && each->one->task != all->reader)
        status = finish(all, each->one->task);
    return status;
}

/* Gives each wanted job its pictures, which are all kept, or none. */
static mr_status encode_pictures(group *all, bool kept)
{
    mr_status status = MR_OK;
    for (int index = 0; index < all->chunk.frames && status == MR_OK; index++) {
        if (kept)
            status = check_in(all, all->progress_from + (all->progress_to - all->progress_from) * index / all->chunk.frames);
        else
            status = next_scaled(all, index);
        for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
            job *each = &all->jobs[i];
            if (all->wanted[i + 1])
                status = mr_rung_encode_send(each->encode, kept ? each->store[index] : all->scaled[i + 1], index);
        }
    }
    return status;
}

/* One attempt of the wanted jobs. */
static mr_status attempt(group *all, bool kept, double progress_from, double progress_to)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
        if (all->wanted[i + 1])
            status = mr_rung_encode_begin(all->jobs[i].encode, &all->jobs[i].budget.rate);
    }
    all->progress_from = progress_from;
    all->progress_to = progress_to;
    if (status == MR_OK && !kept)
        status = begin_decode(all, progress_from, progress_to);
    if (status == MR_OK)
        status = encode_pictures(all, kept);
    end_decode(all);
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++) {
        if (all->wanted[i + 1])
            status = settle(all, &all->jobs[i]);
    }
    return status;
}

static bool is_alone(const job *each)
{
    return mr_codec_is_alone((mr_video_codec)each->params->codec);
}

/* What is encoded in one go with 'next', the smallest: one whose pictures were kept, alone, so that it is playable first and one encoder at a time
 * takes memory; the others together, but for those that can't be open beside others: for each of them the source is decoded anew. */
static void choose(group *all, const job *next)
{
    bool one = next->store || is_alone(next);
    for (size_t i = 0; i < all->job_count; i++) {
        const job *each = &all->jobs[i];
        all->wanted[i + 1] = one ? each == next : !each->made && !is_alone(each);
    }
}

static mr_status encode_rungs(group *all)
{
    double from = all->analysed ? ANALYSIS_PART : 0;
    double total = 0;
    mr_status status = MR_OK;
    for (size_t i = 0; i < all->job_count; i++)
        total += area_of(&all->jobs[i]);
    double scale = (1 - from) / total;
    for (job *next = smallest_pending(all, false); next && status == MR_OK; next = smallest_pending(all, false)) {
        double to = from;
        choose(all, next);
        for (size_t i = 0; i < all->job_count; i++)
            to += all->wanted[i + 1] ? scale * area_of(&all->jobs[i]) : 0;
        to = fmin(1, to);
        status = attempt(all, next->store, from, to);
        from = next->made ? to : from;
    }
    return status;
}

static mr_status run_group(group *all)
{
    mr_status status = set_up(all);
    if (status == MR_OK && analysis_is_due(all))
        status = analyse(all);
    for (size_t i = 0; i < all->job_count && status == MR_OK; i++)
        status = decide_rate(all, &all->jobs[i], i);
    if (status == MR_OK)
        status = encode_rungs(all);
    if (status == MR_OK && all->job_count)
        status = finish(all, all->reader);
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
        group all = {.host = host, .tasks = calloc(batch->count, sizeof(*all.tasks)), .works_ahead = batch->processors > 1};
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
