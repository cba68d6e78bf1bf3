/* SPDX-License-Identifier: MIT */
/*
 * See modelled_ops.h. A video is playable when the first segment of every rung and of the sound exists and manifest.package has begun; complete when
 * manifest.package has got everything. Sources are named by their number; it goes on in the metadata of what is made of them.
 */
#include "modelled_ops.h"

#include "virtual_clock.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OPS_MAX        128
#define SEGMENT_S      4.0 /* as in pipelines/vod.yaml */
#define FIRST_S        2.0 /* the first one: segment.plan, as are the next two */
#define FIRST_CHUNKS   2   /* of one segment; the others have two */
#define AUDIO_CHUNK_S  60.0
#define SHEET_PICTURES 25 /* thumbnail.sheets: one in 1 to 10 s, for about a hundred of them */
#define PICTURES_AIM   100
#define INTERVAL_MOST  10.0

static struct {
    fleet_costs costs;
    fleet_video *videos;
    size_t video_count;
    size_t complete;      /* of them */
    pthread_mutex_t lock; /* guards what videos hold, and complete */
    mr_op ops[OPS_MAX];
    mr_op_entry entries[OPS_MAX];
} model = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const mr_artifact *first_input(const mr_host *host, const mr_batch_task *one, const char *port)
{
    const int index = mr_port_find(one->op->inputs, port);
    return index >= 0 ? host->input(one->task, (uint32_t)index, 0) : NULL;
}

static mr_status emit(const mr_host *host, const mr_batch_task *one, const char *port, json_t *take_meta)
{
    const int index = mr_port_find(one->op->outputs, port);
    char *text = take_meta ? json_dumps(take_meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = text && index >= 0 ? host->emit(one->task, (uint32_t)index, text, NULL) : MR_ERR_NOMEM;
    free(text);
    json_decref(take_meta);
    return status;
}

/* The video that an artifact is of; *ret_meta, if wanted, is what it says. NULL: it says nothing. */
static fleet_video *video_of(const mr_artifact *artifact, json_t **ret_meta)
{
    json_t *meta = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    const json_t *number = json_object_get(meta, "video_number");
    size_t at = json_is_integer(number) ? (size_t)json_integer_value(number) : SIZE_MAX;
    if (artifact && at == SIZE_MAX && artifact->name[0])
        at = strtoul(artifact->name, NULL, 10);
    if (ret_meta)
        *ret_meta = meta;
    else
        json_decref(meta);
    return at < model.video_count ? &model.videos[at] : NULL;
}

static json_int_t number_of(const fleet_video *video)
{
    return video - model.videos;
}

static void work(fleet_video *video, double seconds, uint32_t tasks)
{
    const int64_t us = (int64_t)(seconds * 1e6);
    pthread_mutex_lock(&model.lock);
    video->worked_us += us;
    pthread_mutex_unlock(&model.lock);
    virtual_sleep(us, tasks);
}

/* One of the pieces without which nobody can watch: the rungs' and the sound's first, and the packager. */
static void first_piece(fleet_video *video)
{
    pthread_mutex_lock(&model.lock);
    if (++video->first_pieces == FLEET_RUNGS + 2)
        video->playable_us = virtual_now_us();
    pthread_mutex_unlock(&model.lock);
}

static mr_status probe(const mr_host *host, const mr_batch_task *one)
{
    fleet_video *video = video_of(first_input(host, one, "source"), NULL);
    if (!video)
        return MR_ERR_INPUT;
    work(video, model.costs.probe, 1);
    mr_status status = emit(host, one, "info", json_pack("{s:I,s:{s:i}}", "video_number", number_of(video), "video", "stream", 0));
    return status == MR_OK ? emit(host, one, "audio_tracks", json_pack("{s:i}", "stream", 1)) : status;
}

static mr_status ladder(const mr_host *host, const mr_batch_task *one)
{
    mr_status status = MR_OK;
    for (int i = FLEET_RUNGS; i-- > 0 && status == MR_OK;)
        status = emit(host, one, "rungs", json_pack("{s:i}", "rung", i));
    return status;
}

static mr_status emit_chunks(const mr_host *host, const mr_batch_task *one, const char *port, const fleet_video *video, bool sound)
{
    mr_status status = MR_OK;
    double start = 0;
    for (int index = 0; start < video->seconds && status == MR_OK; index++) {
        double length = sound ? AUDIO_CHUNK_S : index < FIRST_CHUNKS ? SEGMENT_S : 2 * SEGMENT_S;
        if (index == 0)
            length = FIRST_S;
        if (length > video->seconds - start)
            length = video->seconds - start;
        status = emit(host, one, port, json_pack("{s:I,s:i,s:f}", "video_number", number_of(video), "index", index, "seconds", length));
        start += length;
    }
    return status;
}

static mr_status plan(const mr_host *host, const mr_batch_task *one)
{
    fleet_video *video = video_of(first_input(host, one, "source"), NULL);
    if (!video)
        return MR_ERR_INPUT;
    work(video, model.costs.plan * video->seconds, 1);
    mr_status status = emit(host, one, "plan", json_pack("{s:I}", "video_number", number_of(video)));
    if (status == MR_OK)
        status = emit_chunks(host, one, "chunks", video, false);
    return status == MR_OK ? emit_chunks(host, one, "audio_chunks", video, true) : status;
}

/* segments: how many media segments follow the init segment. */
static mr_status emit_segments(const mr_host *host, const mr_batch_task *one, double seconds)
{
    mr_status status = emit(host, one, "segments", json_pack("{s:s}", "role", "init"));
    for (double at = 0; at < seconds && status == MR_OK; at += SEGMENT_S)
        status = emit(host, one, "segments", json_pack("{s:s}", "role", "media"));
    return status;
}

static double rung_cost(const mr_host *host, const mr_batch_task *one)
{
    const mr_artifact *rung = first_input(host, one, "rung");
    json_t *meta = rung ? json_loadb(rung->meta, rung->meta_len, 0, NULL) : NULL;
    const json_int_t at = json_integer_value(json_object_get(meta, "rung"));
    json_decref(meta);
    return at >= 0 && at < FLEET_RUNGS ? model.costs.rung[at] : 0;
}

static bool is_analysis(const mr_batch_task *one)
{
    return strcmp(one->op->name, "transcode.analyse") == 0;
}

/* The first pass and the rungs of one chunk: what a batch has of them shares the decoding. */
static mr_status run_pictures(const mr_host *host, const mr_batch *batch)
{
    json_t *chunk = NULL;
    fleet_video *video = video_of(first_input(host, &batch->tasks[0], "chunk"), &chunk);
    const double seconds = json_number_value(json_object_get(chunk, "seconds"));
    const bool first = json_integer_value(json_object_get(chunk, "index")) == 0;
    mr_status status = MR_OK;
    json_decref(chunk);
    if (!video)
        return MR_ERR_INPUT;
    double cost = model.costs.decode;
    for (uint32_t i = 0; i < batch->count; i++)
        cost += is_analysis(&batch->tasks[i]) ? model.costs.analyse : rung_cost(host, &batch->tasks[i]);
    work(video, cost * seconds, batch->count);
    for (uint32_t i = 0; i < batch->count && status == MR_OK; i++) {
        if (is_analysis(&batch->tasks[i])) {
            status = emit(host, &batch->tasks[i], "stats", json_object());
            continue;
        }
        status = emit_segments(host, &batch->tasks[i], seconds);
        if (first)
            first_piece(video);
    }
    return status;
}

static mr_status sound(const mr_host *host, const mr_batch_task *one)
{
    json_t *chunk = NULL;
    fleet_video *video = video_of(first_input(host, one, "chunk"), &chunk);
    const double seconds = json_number_value(json_object_get(chunk, "seconds"));
    const bool first = json_integer_value(json_object_get(chunk, "index")) == 0;
    json_decref(chunk);
    if (!video)
        return MR_ERR_INPUT;
    work(video, model.costs.audio * seconds, 1);
    mr_status status = emit_segments(host, one, seconds);
    if (first)
        first_piece(video);
    return status;
}

static mr_status poster(const mr_host *host, const mr_batch_task *one)
{
    fleet_video *video = video_of(first_input(host, one, "info"), NULL);
    if (!video)
        return MR_ERR_INPUT;
    work(video, model.costs.poster, 1);
    return emit(host, one, "image", json_object());
}

static mr_status sheets(const mr_host *host, const mr_batch_task *one)
{
    const fleet_video *video = video_of(first_input(host, one, "info"), NULL);
    if (!video)
        return MR_ERR_INPUT;
    double interval = ceil(video->seconds / PICTURES_AIM);
    interval = interval < 1 ? 1 : interval > INTERVAL_MOST ? INTERVAL_MOST : interval;
    mr_status status = MR_OK;
    int index = 0; /* two sheets that say the same would be one result */
    for (int left = (int)ceil(video->seconds / interval); left > 0 && status == MR_OK; left -= SHEET_PICTURES)
        status = emit(host, one, "sheets", json_pack("{s:i,s:i}", "index", index++, "pictures", left < SHEET_PICTURES ? left : SHEET_PICTURES));
    return status;
}

static mr_status storyboard(const mr_host *host, const mr_batch_task *one)
{
    const mr_artifact *sheet = first_input(host, one, "sheet");
    fleet_video *video = video_of(first_input(host, one, "info"), NULL);
    json_t *meta = sheet ? json_loadb(sheet->meta, sheet->meta_len, 0, NULL) : NULL;
    const double pictures = json_number_value(json_object_get(meta, "pictures"));
    json_decref(meta);
    if (!video)
        return MR_ERR_INPUT;
    work(video, model.costs.storyboard * pictures, 1);
    return emit(host, one, "image", json_object());
}

static mr_status take_all(const mr_host *host, const mr_batch_task *one)
{
    uint32_t port = 0;
    const mr_artifact *item = NULL;
    mr_status status = MR_OK;
    while (status == MR_OK) {
        virtual_wait_begin();
        status = host->next(one->task, &port, &item);
        virtual_wait_end();
    }
    return status == MR_END ? MR_OK : status;
}

static mr_status package(const mr_host *host, const mr_batch_task *one)
{
    fleet_video *video = video_of(first_input(host, one, "plan"), NULL);
    if (!video)
        return MR_ERR_INPUT;
    first_piece(video);
    mr_status status = take_all(host, one);
    pthread_mutex_lock(&model.lock);
    video->complete_us = virtual_now_us();
    model.complete++;
    pthread_mutex_unlock(&model.lock);
    return status;
}

size_t modelled_ops_complete(void)
{
    pthread_mutex_lock(&model.lock);
    const size_t complete = model.complete;
    pthread_mutex_unlock(&model.lock);
    return complete;
}

static mr_status run_one(const mr_host *host, const mr_batch *batch)
{
    const mr_batch_task *one = &batch->tasks[0];
    const char *name = one->op->name;
    if (strcmp(name, "probe.media") == 0)
        return probe(host, one);
    if (strcmp(name, "transcode.ladder") == 0)
        return ladder(host, one);
    if (strcmp(name, "segment.plan") == 0)
        return plan(host, one);
    if (strcmp(name, "transcode.audio") == 0)
        return sound(host, one);
    if (strcmp(name, "thumbnail.poster") == 0)
        return poster(host, one);
    if (strcmp(name, "thumbnail.sheets") == 0)
        return sheets(host, one);
    if (strcmp(name, "thumbnail.storyboard") == 0)
        return storyboard(host, one);
    if (strcmp(name, "manifest.package") == 0)
        return package(host, one);
    if (strcmp(name, "storage.publish") == 0)
        return take_all(host, one);
    host->report(one->task, MR_SEVERITY_ERROR, NULL, NULL, "no model of the op '%s'", name);
    return MR_ERR_UNSUPPORTED;
}

bool modelled_ops_init(const mr_op_set *real, const fleet_costs *costs, fleet_video *videos, size_t video_count, mr_op_set *ret_ops)
{
    if (real->count > OPS_MAX)
        return false;
    model.costs = *costs;
    model.videos = videos;
    model.video_count = video_count;
    for (size_t i = 0; i < real->count; i++) {
        const char *name = real->entries[i].op->name;
        const bool pictures = strcmp(name, "transcode.analyse") == 0 || strcmp(name, "transcode.video") == 0;
        model.ops[i] = *real->entries[i].op;
        model.ops[i].run = pictures ? run_pictures : run_one;
        model.entries[i] = (mr_op_entry){.op = &model.ops[i], .plugin = real->entries[i].plugin};
    }
    *ret_ops = (mr_op_set){.entries = model.entries, .count = real->count};
    return true;
}
