/* SPDX-License-Identifier: MIT */
/* The thread that does what the rows say, and what others call. */
#include "api-server/videos/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 64 };

void mr_videos_log(mr_videos *videos, mr_server_log level, const char *video, const char *message)
{
    const mr_platform_host *host = videos->options.host;
    json_t *fields = json_pack("{s:s}", "video", video);
    char *text = fields ? json_dumps(fields, JSON_COMPACT) : NULL;
    host->log(host->platform, level, "video", text, message);
    free(text);
    json_decref(fields);
}

void mr_videos_wake(mr_videos *videos)
{
    pthread_mutex_lock(&videos->lock);
    videos->work = true;
    pthread_cond_signal(&videos->wanted);
    pthread_mutex_unlock(&videos->lock);
}

/* The row is read again under the lock of starts: somebody may have been faster. */
static void go_on_with(mr_videos *videos, const char *video)
{
    mr_video_life life = {0};
    pthread_mutex_lock(&videos->starting);
    if (!mr_follow_has(videos, video) && mr_video_life_find(videos->options.metadata, video, &life) == MR_OK && life.status == MR_VIDEO_PROCESSING) {
        char *answer = NULL;
        if (life.run[0])
            mr_videos_resume(videos, &life);
        else
            mr_videos_start(videos, video, false, NULL, NULL, &answer);
        free(answer);
    }
    free(life.params);
    pthread_mutex_unlock(&videos->starting);
}

static bool knows_run(mr_videos *videos, const char *run)
{
    pthread_mutex_lock(&videos->lock);
    const bool found = mr_follow_find(videos, run) != NULL;
    pthread_mutex_unlock(&videos->lock);
    return found;
}

/* Under the lock of starts: one that begins has its row before it is known here. */
static void go_on_with_posters(mr_videos *videos)
{
    mr_poster_run runs[PAGE];
    char after[sizeof(runs[0].run)] = "";
    size_t count = PAGE;
    while (count == PAGE && !atomic_load(&videos->draining)) {
        pthread_mutex_lock(&videos->starting);
        if (mr_poster_run_list(videos->options.metadata, after, runs, PAGE, &count) != MR_OK)
            count = 0;
        for (size_t i = 0; i < count && !atomic_load(&videos->draining); i++)
            if (!knows_run(videos, runs[i].run))
                mr_videos_resume_poster(videos, &runs[i]);
        pthread_mutex_unlock(&videos->starting);
        if (count > 0)
            memcpy(after, runs[count - 1].run, sizeof(after));
    }
}

static bool may_start(mr_videos *videos)
{
    return !atomic_load(&videos->draining) && mr_follow_has_room(videos, "");
}

static void do_what_rows_say(mr_videos *videos)
{
    mr_video_turn turns[PAGE];
    size_t count = PAGE;
    int64_t after = 0;
    while (count == PAGE && may_start(videos)) {
        if (mr_video_unfinished(videos->options.metadata, after, turns, PAGE, &count) != MR_OK)
            return;
        for (size_t i = 0; i < count && may_start(videos); i++)
            if (!mr_follow_has(videos, turns[i].id))
                go_on_with(videos, turns[i].id);
        after = count > 0 ? turns[count - 1].number : after;
    }
    mr_videos_look_at_arriving(videos);
    mr_videos_look_at_rehearsals(videos);
    go_on_with_posters(videos);
    mr_videos_remove_rubbish(videos);
}

static void *work(void *context)
{
    mr_videos *videos = context;
    pthread_mutex_lock(&videos->lock);
    while (!videos->closing) {
        if (!videos->work) {
            pthread_cond_wait(&videos->wanted, &videos->lock);
            continue;
        }
        videos->work = false;
        pthread_mutex_unlock(&videos->lock);
        if (!atomic_load(&videos->draining))
            do_what_rows_say(videos);
        pthread_mutex_lock(&videos->lock);
    }
    pthread_mutex_unlock(&videos->lock);
    return NULL;
}

/* ---- opening and closing ---- */

mr_status mr_videos_open(const mr_videos_options *options, mr_videos **ret_videos)
{
    *ret_videos = NULL;
    mr_videos *videos = calloc(1, sizeof(*videos));
    mr_hub *hub = videos ? mr_hub_new() : NULL;
    if (!hub) {
        free(videos);
        return MR_ERR_NOMEM;
    }
    videos->options = *options;
    videos->hub = hub;
    pthread_mutex_init(&videos->starting, NULL);
    pthread_mutex_init(&videos->lock, NULL);
    pthread_cond_init(&videos->wanted, NULL);
    *ret_videos = videos;
    return MR_OK;
}

void mr_videos_begin(mr_videos *videos)
{
    videos->work = true;
    videos->worker_runs = pthread_create(&videos->worker, NULL, work, videos) == 0;
    if (!videos->worker_runs)
        mr_videos_log(videos, MR_SERVER_LOG_ERROR, "", "no thread can be had that starts runs: start the server again");
}

static void stop_worker(mr_videos *videos)
{
    pthread_mutex_lock(&videos->lock);
    videos->closing = true;
    pthread_cond_signal(&videos->wanted);
    pthread_mutex_unlock(&videos->lock);
    if (videos->worker_runs)
        pthread_join(videos->worker, NULL);
    videos->worker_runs = false;
}

void mr_videos_drain(mr_videos *videos)
{
    atomic_store(&videos->draining, true);
    mr_hub_end(videos->hub);
    stop_worker(videos);
}

void mr_videos_close(mr_videos *videos)
{
    if (!videos)
        return;
    atomic_store(&videos->draining, true);
    stop_worker(videos);
    while (videos->follows)
        mr_follow_drop(videos, videos->follows);
    mr_rehearsals_free(videos);
    mr_hub_free(videos->hub);
    pthread_cond_destroy(&videos->wanted);
    pthread_mutex_destroy(&videos->lock);
    pthread_mutex_destroy(&videos->starting);
    free(videos);
}

mr_hub *mr_videos_hub(mr_videos *videos)
{
    return videos->hub;
}

/* ---- what others call ---- */

void mr_videos_upload_complete(mr_videos *videos, const char *video)
{
    mr_measure_arrived(videos, video);
    mr_videos_say_status(videos, video);
    mr_videos_wake(videos);
}

void mr_videos_upload_progress(mr_videos *videos, const char *video, int64_t received, int64_t size)
{
    char data[96];
    if (size >= 0)
        snprintf(data, sizeof(data), "{\"received\":%lld,\"size\":%lld}", (long long)received, (long long)size);
    else
        snprintf(data, sizeof(data), "{\"received\":%lld,\"size\":null}", (long long)received);
    mr_hub_say(videos->hub, video, "upload", data);
}

/* All of them, also those that make posters. */
static void stop_runs_of(mr_videos *videos, const char *video)
{
    const mr_platform_host *host = videos->options.host;
    char runs[PAGE][MR_RUN_SIZE];
    size_t count = 0;
    pthread_mutex_lock(&videos->lock);
    for (const mr_follow *it = videos->follows; it && count < PAGE; it = it->next)
        if (!it->ended && strcmp(it->video, video) == 0)
            memcpy(runs[count++], it->run, MR_RUN_SIZE);
    pthread_mutex_unlock(&videos->lock);
    for (size_t i = 0; i < count; i++)
        host->run_cancel(host->platform, runs[i]);
}

/* "": none is under way. */
static void find_run_of(mr_videos *videos, const char *video, char ret_run[static MR_RUN_SIZE])
{
    ret_run[0] = '\0';
    pthread_mutex_lock(&videos->lock);
    const mr_follow *follow = mr_follow_of_video(videos, video);
    if (follow)
        memcpy(ret_run, follow->run, MR_RUN_SIZE);
    pthread_mutex_unlock(&videos->lock);
}

static void stop(mr_videos *videos, const char *run)
{
    const mr_platform_host *host = videos->options.host;
    if (run[0])
        host->run_cancel(host->platform, run);
}

mr_status mr_videos_process(mr_videos *videos, const char *video, const char *pipeline, const char *params, char **ret_answer)
{
    *ret_answer = NULL;
    if (atomic_load(&videos->draining))
        return MR_ERR_UNAVAILABLE;
    char old[MR_RUN_SIZE];
    pthread_mutex_lock(&videos->starting);
    find_run_of(videos, video, old);
    mr_status status = mr_videos_start(videos, video, true, pipeline, params, ret_answer);
    if (status == MR_OK)
        stop(videos, old); /* its news are no longer the video's */
    pthread_mutex_unlock(&videos->starting);
    return status;
}

mr_status mr_videos_retry(mr_videos *videos, const char *video, const char *run)
{
    if (atomic_load(&videos->draining))
        return MR_ERR_UNAVAILABLE;
    mr_video_life life = {0};
    pthread_mutex_lock(&videos->starting);
    mr_status status = mr_video_run_again(videos->options.metadata, video, run);
    if (status == MR_OK)
        mr_videos_say_status(videos, video);
    if (status == MR_OK && mr_follow_has_room(videos, video) && mr_video_life_find(videos->options.metadata, video, &life) == MR_OK)
        mr_videos_resume(videos, &life); /* else the worker does, as soon as a run has ended */
    pthread_mutex_unlock(&videos->starting);
    free(life.params);
    return status == MR_ERR_NOT_FOUND ? MR_ERR_CONFLICT : status;
}

mr_status mr_videos_cancel(mr_videos *videos, const char *video, const char *run)
{
    const mr_platform_host *host = videos->options.host;
    mr_video_life life = {0};
    pthread_mutex_lock(&videos->starting); /* what waits does not begin meanwhile */
    mr_status status = host->run_cancel(host->platform, run);
    if (status != MR_OK) {
        const bool waits = video && mr_video_life_find(videos->options.metadata, video, &life) == MR_OK && life.again && strcmp(life.run, run) == 0;
        status = waits ? mr_videos_not_again(videos, &life) : MR_ERR_CONFLICT;
    }
    pthread_mutex_unlock(&videos->starting);
    free(life.params);
    return status;
}

mr_status mr_videos_remove(mr_videos *videos, const char *video, const char *if_match)
{
    pthread_mutex_lock(&videos->starting);
    mr_status status = mr_video_remove(videos->options.metadata, video, if_match);
    if (status == MR_OK)
        stop_runs_of(videos, video);
    if (status == MR_OK)
        mr_rehearsals_of_video_over(videos, video);
    pthread_mutex_unlock(&videos->starting);
    if (status == MR_OK) {
        mr_hub_say(videos->hub, video, "end", "{\"removed\":true}");
        mr_videos_wake(videos);
    }
    return status;
}

void mr_videos_tidy(mr_videos *videos)
{
    mr_videos_wake(videos);
}
