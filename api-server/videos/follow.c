/* SPDX-License-Identifier: MIT */
/*
 * Which run is whose. A run may speak before its start has returned its id: what it says then waits, in order, until it is known whose it is. Others
 * than those that are started here there are none.
 */
#include "api-server/metrics/metrics.h"
#include "api-server/videos/internal.h"

#include <stdlib.h>
#include <string.h>

mr_follow *mr_follow_find(mr_videos *videos, const char *run)
{
    mr_follow *it = videos->follows;
    while (it && (it->ended || strcmp(it->run, run) != 0))
        it = it->next;
    return it;
}

mr_follow *mr_follow_of_video(mr_videos *videos, const char *video)
{
    mr_follow *it = videos->follows;
    while (it && (it->ended || it->only_poster || strcmp(it->video, video) != 0))
        it = it->next;
    return it;
}

bool mr_follow_has_room(mr_videos *videos, const char *video)
{
    int64_t count = 0;
    pthread_mutex_lock(&videos->lock);
    for (const mr_follow *it = videos->follows; it; it = it->next)
        count += !it->ended && !it->only_poster && !it->arriving[0] && strcmp(it->video, video) != 0;
    pthread_mutex_unlock(&videos->lock);
    return count < videos->options.runs;
}

bool mr_follow_has(mr_videos *videos, const char *video)
{
    pthread_mutex_lock(&videos->lock);
    const bool found = mr_follow_of_video(videos, video) != NULL;
    pthread_mutex_unlock(&videos->lock);
    return found;
}

mr_follow *mr_follow_add(mr_videos *videos, const char *run)
{
    mr_follow *it = calloc(1, sizeof(*it));
    if (!it)
        return NULL;
    snprintf(it->run, sizeof(it->run), "%s", run);
    it->began_us = mr_metrics_now_us();
    it->next = videos->follows;
    videos->follows = it;
    return it;
}

static void free_follow(mr_follow *it)
{
    for (size_t i = 0; i < it->early_count; i++)
        free(it->early[i]);
    free(it->early);
    free(it);
}

void mr_follow_drop(mr_videos *videos, mr_follow *follow)
{
    pthread_mutex_lock(&videos->lock);
    mr_follow **at = &videos->follows;
    while (*at && *at != follow)
        at = &(*at)->next;
    const bool found = *at != NULL;
    if (found)
        *at = follow->next;
    pthread_mutex_unlock(&videos->lock);
    if (found)
        free_follow(follow);
}

void mr_follow_forget(mr_videos *videos, const char *run)
{
    pthread_mutex_lock(&videos->lock);
    mr_follow *it = mr_follow_find(videos, run);
    pthread_mutex_unlock(&videos->lock);
    mr_follow_drop(videos, it);
}

/* The first that waits; NULL: none, and from now on none does. */
static char *next_early(mr_videos *videos, mr_follow *it)
{
    char *text = NULL;
    pthread_mutex_lock(&videos->lock);
    if (it->early_count > 0) {
        text = it->early[0];
        memmove(it->early, it->early + 1, --it->early_count * sizeof(*it->early));
    } else {
        it->attached = true;
    }
    pthread_mutex_unlock(&videos->lock);
    return text;
}

void mr_follow_attach(mr_videos *videos, const char *run, const char *video, const char *output, bool only_poster)
{
    pthread_mutex_lock(&videos->lock);
    mr_follow *it = mr_follow_find(videos, run);
    if (!it)
        it = mr_follow_add(videos, run);
    if (it) {
        snprintf(it->video, sizeof(it->video), "%s", video);
        snprintf(it->output, sizeof(it->output), "%s", output);
        it->only_poster = only_poster;
    }
    pthread_mutex_unlock(&videos->lock);
    if (!it)
        return;
    if (videos->options.run_is && !only_poster)
        videos->options.run_is(videos->options.context, run, output);
    if (!only_poster)
        mr_videos_say_status(videos, video);
    bool ended = false; /* as soon as nothing waits any more, it is its run's thread that frees it */
    for (char *text = next_early(videos, it); text; text = next_early(videos, it)) {
        mr_follow_event(videos, it, text);
        ended = it->ended;
        free(text);
    }
    if (ended) {
        mr_follow_drop(videos, it);
        mr_videos_wake(videos);
    }
}

/* Lock held. Too much said too early: the start has hung; the end is seen by the next start of the server. */
static void keep_early(mr_follow *it, const char *event)
{
    if (it->early_count == it->early_room) {
        const size_t room = it->early_room ? it->early_room * 2 : 32;
        char **grown = room <= MR_EARLY_MAX ? realloc(it->early, room * sizeof(*grown)) : NULL;
        if (!grown)
            return;
        it->early = grown;
        it->early_room = room;
    }
    char *copy = strdup(event);
    if (copy)
        it->early[it->early_count++] = copy;
}

void mr_follow_sort_out(mr_videos *videos, const char *started)
{
    char run[MR_RUN_SIZE];
    const mr_follow *it = NULL;
    do {
        pthread_mutex_lock(&videos->lock);
        for (it = videos->follows; it && (it->video[0] || strcmp(it->run, started) == 0);)
            it = it->next;
        if (it)
            memcpy(run, it->run, sizeof(run));
        pthread_mutex_unlock(&videos->lock);
        if (it)
            mr_follow_forget(videos, run);
    } while (it);
}

void mr_videos_event(mr_videos *videos, const char *run, const char *event)
{
    const bool rehearsed = mr_rehearsals_event(videos, run, event);
    if (strstr(event, "\"run.closed\"")) { /* what is rubbish of it can go now */
        mr_videos_wake(videos);
        return;
    }
    if (rehearsed)
        return;
    pthread_mutex_lock(&videos->lock);
    mr_follow *it = mr_follow_find(videos, run);
    const bool maybe_ours = !it && videos->start_under_way;
    if (maybe_ours)
        it = mr_follow_add(videos, run);
    if (it && !it->attached) {
        keep_early(it, event);
        it = NULL;
    }
    pthread_mutex_unlock(&videos->lock);
    if (!it)
        return;
    mr_follow_event(videos, it, event);
    if (it->ended) {
        mr_follow_drop(videos, it);
        mr_videos_wake(videos); /* rubbish that was in use */
    }
}
