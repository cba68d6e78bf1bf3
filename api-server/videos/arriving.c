/* SPDX-License-Identifier: MIT */
/*
 * Videos that are processed while their upload goes on, where the container lets that be worth it. docs/adr/0029 has the whole.
 *
 * What is durable of an upload is said to the engine after each commit; the worker starts (or goes on with) a run once what has come suffices to plan
 * it. Until the upload is complete the run is an offer: it makes the video playable, but its failure, or the end of the upload, leaves the video as
 * if nothing had been begun, and the upload's completion begins anew.
 *
 * Who says first that an upload is over and who starts a run for it may be two threads: the worker looks at the row again when it has started one.
 */
#include "api-server/videos/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 64, BOXES_MOST = 64, HEADER = 16 };

/* ---- what has come ---- */

typedef enum outlook { OUTLOOK_NONE, OUTLOOK_LATER, OUTLOOK_GOOD } outlook;

static uint64_t number(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* MP4 and QuickTime (ISO/IEC 14496-12): good when the index stands before the media, and is there as a whole. */
static outlook look_at_boxes(int fd, const mr_video_arriving *it)
{
    unsigned char head[HEADER];
    int64_t at = 0;
    for (int i = 0; i < BOXES_MOST; i++) {
        if (at > it->have - HEADER)
            return at > it->length - HEADER ? OUTLOOK_NONE : OUTLOOK_LATER;
        if (pread(fd, head, sizeof(head), at) != (ssize_t)sizeof(head))
            return OUTLOOK_NONE;
        const uint64_t size = number(head, 4) == 1 ? number(head + 8, 8) : number(head, 4);
        if (size < 8 || size > (uint64_t)(it->length - at))
            return OUTLOOK_NONE;
        if (memcmp(head + 4, "moov", 4) == 0)
            return (uint64_t)(it->have - at) >= size ? OUTLOOK_GOOD : OUTLOOK_LATER;
        if (memcmp(head + 4, "mdat", 4) == 0 || memcmp(head + 4, "moof", 4) == 0)
            return OUTLOOK_NONE;
        at += (int64_t)size;
    }
    return OUTLOOK_NONE;
}

static outlook look_at_file(const char *path, const mr_video_arriving *it)
{
    if (it->have == it->length) /* it is about to be complete */
        return OUTLOOK_LATER;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const outlook found = fd >= 0 ? look_at_boxes(fd, it) : OUTLOOK_NONE;
    if (fd >= 0)
        close(fd);
    return found;
}

bool mr_videos_index_has_come(const char *path, int64_t length, int64_t have)
{
    return look_at_file(path, &(mr_video_arriving){.length = length, .have = have}) == OUTLOOK_GOOD;
}

static bool path_of(const mr_videos *videos, const char *source, char path[static MR_SOURCE_PATH])
{
    const int len = snprintf(path, MR_SOURCE_PATH, "%s/%s", videos->options.host->data_dir, source);
    return len > 0 && len < MR_SOURCE_PATH;
}

/* ---- runs that were begun early ---- */

/* Lock held. */
static mr_follow *early_run_of(mr_videos *videos, const char *video)
{
    mr_follow *it = mr_follow_of_video(videos, video);
    return it && it->arriving[0] ? it : NULL;
}

bool mr_videos_early_room(const mr_videos *videos)
{
    int64_t count = mr_rehearsals_under_way(videos);
    for (const mr_follow *it = videos->follows; it; it = it->next)
        count += it->arriving[0] && !it->ended;
    return count < videos->options.early_runs;
}

static bool has_room(mr_videos *videos)
{
    pthread_mutex_lock(&videos->lock);
    const bool room = mr_videos_early_room(videos);
    pthread_mutex_unlock(&videos->lock);
    return room;
}

void mr_videos_mark_early(mr_videos *videos, const char *run, const char *source)
{
    pthread_mutex_lock(&videos->lock);
    mr_follow *it = mr_follow_find(videos, run);
    if (!it)
        it = mr_follow_add(videos, run);
    if (it)
        snprintf(it->arriving, sizeof(it->arriving), "%s", source);
    pthread_mutex_unlock(&videos->lock);
}

bool mr_videos_early_failed(mr_videos *videos, mr_follow *follow)
{
    if (mr_video_arriving_ends(videos->options.metadata, follow->video, follow->run, false) != MR_OK)
        return false;
    mr_videos_say_status(videos, follow->video);
    return true;
}

/* It was interrupted, with the server. What it had done is found done, also when it is begun anew. */
static void go_on(mr_videos *videos, const mr_video_life *life, const mr_video_arriving *it)
{
    const mr_platform_host *host = videos->options.host;
    char output[96];
    char *text = host->run(host->platform, life->run);
    json_t *run = text ? json_loads(text, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(run, "state"));
    const bool ended = state && (strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0);
    mr_status status = MR_ERR_NOT_FOUND;
    if (state && !ended) {
        snprintf(output, sizeof(output), "media/%s/%lld", life->id, (long long)life->attempt);
        mr_follow_attach(videos, life->run, life->id, output, false);
        mr_videos_mark_early(videos, life->run, it->source);
        status = mr_videos_resume_run(videos, life->run);
    }
    if (status != MR_OK && status != MR_ERR_UNAVAILABLE)
        mr_video_arriving_ends(videos->options.metadata, life->id, life->run, !ended);
    json_decref(run);
    host->text_free(host->platform, text);
}

static void begin(mr_videos *videos, const mr_video_life *life, const mr_video_arriving *it)
{
    char *answer = NULL;
    const mr_status status = mr_videos_start_early(videos, life, it->source, &answer);
    if (status != MR_OK && status != MR_ERR_UNAVAILABLE)
        mr_video_arriving_ends(videos->options.metadata, life->id, "", false);
    free(answer);
}

/* Starting held. */
static void look_at(mr_videos *videos, const char *video)
{
    const mr_platform_host *host = videos->options.host;
    mr_video_life life = {0};
    mr_video_arriving it;
    char path[MR_SOURCE_PATH];
    if (!has_room(videos) || !mr_follow_has_room(videos, video) || mr_video_arriving_find(videos->options.metadata, video, &it) != MR_OK ||
        !path_of(videos, it.source, path) || look_at_file(path, &it) != OUTLOOK_GOOD ||
        mr_video_life_find(videos->options.metadata, video, &life) != MR_OK)
        return;
    if (host->source_grew(host->platform, path, (uint64_t)it.length, (uint64_t)it.have) == MR_OK) {
        if (life.run[0])
            go_on(videos, &life, &it);
        else
            begin(videos, &life, &it);
        free(life.params);
        life = (mr_video_life){0};
        mr_video_arriving now;
        if (mr_video_arriving_find(videos->options.metadata, video, &now) != MR_OK &&
            mr_video_life_find(videos->options.metadata, video, &life) == MR_OK && strcmp(life.source, it.source) == 0)
            host->source_over(host->platform, path, true); /* completed meanwhile */
    }
    free(life.params);
}

/* An operator's rule for what was uploaded is asked when all of it is there, so nothing is begun before. */
static bool is_wanted(const mr_videos *videos)
{
    const mr_platform_host *host = videos->options.host;
    return videos->options.early_runs > 0 && !host->has_hook(host->platform, "on_upload");
}

void mr_videos_look_at_arriving(mr_videos *videos)
{
    char ids[PAGE][MR_ID_SIZE];
    char after[MR_ID_SIZE] = "";
    size_t count = PAGE;
    while (count == PAGE && is_wanted(videos) && !atomic_load(&videos->draining)) {
        if (mr_video_arriving_list(videos->options.metadata, after, ids, PAGE, &count) != MR_OK)
            return;
        for (size_t i = 0; i < count && !atomic_load(&videos->draining); i++) {
            if (mr_follow_has(videos, ids[i]))
                continue;
            pthread_mutex_lock(&videos->starting);
            if (!mr_follow_has(videos, ids[i]))
                look_at(videos, ids[i]);
            pthread_mutex_unlock(&videos->starting);
        }
        if (count > 0)
            memcpy(after, ids[count - 1], sizeof(after));
    }
}

/* ---- what uploads say ---- */

void mr_videos_upload_grew(mr_videos *videos, const char *video, const char *source, int64_t length, int64_t have)
{
    const mr_platform_host *host = videos->options.host;
    const mr_video_arriving it = {.length = length, .have = have};
    char path[MR_SOURCE_PATH];
    if (!is_wanted(videos) || !path_of(videos, source, path))
        return;
    if (host->source_grew(host->platform, path, (uint64_t)length, (uint64_t)have) == MR_OK)
        mr_rehearsals_grew(videos, video, source, path, length, have, false);
    if (!mr_follow_has(videos, video) && has_room(videos) &&
        look_at_file(path, &it) == OUTLOOK_GOOD) /* of many uploads, few are worth a look at rows */
        mr_videos_wake(videos);
}

void mr_videos_upload_passes(mr_videos *videos, const char *video, const char *source, int64_t length, int64_t have)
{
    const mr_platform_host *host = videos->options.host;
    char path[MR_SOURCE_PATH];
    if (is_wanted(videos) && path_of(videos, source, path) && host->source_grew(host->platform, path, (uint64_t)length, (uint64_t)have) == MR_OK)
        mr_rehearsals_grew(videos, video, source, path, length, have, true);
}

/* Whatever the settings say now: something may have been made under others. Nothing is started meanwhile, nor begun again with what is there. */
mr_status mr_videos_upload_changes(mr_videos *videos, const char *source)
{
    const mr_platform_host *host = videos->options.host;
    char path[MR_SOURCE_PATH];
    if (!path_of(videos, source, path))
        return MR_ERR_LIMIT;
    pthread_mutex_lock(&videos->starting);
    mr_rehearsals_over(videos, source);
    const mr_status status = host->source_over(host->platform, path, false);
    pthread_mutex_unlock(&videos->starting);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

/* The engine may be told that a source is over which it was never told of. */
void mr_videos_source_over(mr_videos *videos, const char *source, bool whole)
{
    const mr_platform_host *host = videos->options.host;
    char path[MR_SOURCE_PATH];
    mr_rehearsals_over(videos, source);
    if (videos->options.early_runs > 0 && path_of(videos, source, path))
        host->source_over(host->platform, path, whole);
}

void mr_videos_upload_whole(mr_videos *videos, const char *video, const char *source)
{
    char other[MR_RUN_SIZE] = "";
    pthread_mutex_lock(&videos->lock);
    mr_follow *it = early_run_of(videos, video);
    if (it && strcmp(it->arriving, source) != 0)
        memcpy(other, it->run, sizeof(other));
    else if (it)
        it->arriving[0] = '\0';
    pthread_mutex_unlock(&videos->lock);
    if (other[0] && mr_video_arriving_other(videos->options.metadata, video, other) == MR_OK)
        videos->options.host->run_cancel(videos->options.host->platform, other);
    mr_videos_source_over(videos, source, true);
}

void mr_videos_upload_gone(mr_videos *videos, const char *video, const char *source)
{
    char run[MR_RUN_SIZE] = "";
    pthread_mutex_lock(&videos->starting);
    pthread_mutex_lock(&videos->lock);
    const mr_follow *it = early_run_of(videos, video);
    if (it && strcmp(it->arriving, source) == 0)
        memcpy(run, it->run, sizeof(run));
    pthread_mutex_unlock(&videos->lock);
    mr_status status = run[0] ? mr_video_arriving_gone(videos->options.metadata, video) : MR_ERR_NOT_FOUND;
    if (run[0] && status == MR_ERR_NOT_FOUND) /* another one is complete */
        mr_video_arriving_other(videos->options.metadata, video, run);
    if (run[0])
        videos->options.host->run_cancel(videos->options.host->platform, run);
    mr_videos_source_over(videos, source, false);
    pthread_mutex_unlock(&videos->starting);
    mr_videos_say_status(videos, video);
}
