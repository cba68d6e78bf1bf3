/* SPDX-License-Identifier: MIT */
/* What the lives of videos add up to for /metrics: runs, tasks, how long processing takes, and how soon after its last byte a video can be played. */
#include "api-server/metrics/metrics.h"
#include "api-server/videos/internal.h"

#include <string.h>

/* Lock held. When the last byte of the video's upload came; 0: not known, or told already. */
static int64_t take_arrival(mr_videos *videos, const char *video)
{
    for (size_t i = 0; i < MR_ARRIVALS; i++) {
        mr_arrival *it = &videos->arrivals[i];
        if (it->at_us > 0 && strcmp(it->video, video) == 0) {
            const int64_t at_us = it->at_us;
            it->at_us = 0;
            return at_us;
        }
    }
    return 0;
}

void mr_measure_arrived(mr_videos *videos, const char *video)
{
    pthread_mutex_lock(&videos->lock);
    const mr_follow *follow = mr_follow_of_video(videos, video);
    const bool plays = follow && atomic_load(&follow->playable); /* it was processed while it came */
    if (!plays) {
        mr_arrival *it = &videos->arrivals[videos->arrival_next++ % MR_ARRIVALS];
        snprintf(it->video, sizeof(it->video), "%s", video);
        it->at_us = mr_metrics_now_us();
    }
    pthread_mutex_unlock(&videos->lock);
    if (plays)
        mr_metrics_observe(videos->options.metrics, MR_HISTOGRAM_PLAYABLE, 0);
}

void mr_measure_playable(mr_videos *videos, const char *video)
{
    pthread_mutex_lock(&videos->lock);
    const int64_t at_us = take_arrival(videos, video);
    pthread_mutex_unlock(&videos->lock);
    if (at_us > 0)
        mr_metrics_observe(videos->options.metrics, MR_HISTOGRAM_PLAYABLE, (double)(mr_metrics_now_us() - at_us) / 1e6);
}

/* A run that ends because the server does, and one that somebody cancelled, have neither succeeded nor failed. */
static void measure_end(mr_videos *videos, const mr_follow *follow, const char *state)
{
    mr_metrics *metrics = videos->options.metrics;
    const bool good = strcmp(state, "succeeded") == 0;
    if (good)
        mr_metrics_count(metrics, MR_COUNT_RUNS_SUCCEEDED, 1);
    else if (strcmp(state, "failed") == 0 && !atomic_load(&videos->draining))
        mr_metrics_count(metrics, MR_COUNT_RUNS_FAILED, 1);
    if (good && !follow->only_poster)
        mr_metrics_observe(metrics, MR_HISTOGRAM_PROCESSING, (double)(mr_metrics_now_us() - follow->began_us) / 1e6);
}

void mr_measure_event(mr_videos *videos, const mr_follow *follow, const char *event, const char *state)
{
    mr_metrics *metrics = videos->options.metrics;
    if (strcmp(event, "run.started") == 0)
        mr_metrics_count(metrics, MR_COUNT_RUNS_STARTED, 1);
    else if (strcmp(event, "run.done") == 0)
        measure_end(videos, follow, state);
    else if (strcmp(event, "task.done") == 0)
        mr_metrics_count(metrics, strcmp(state, "cached") == 0 ? MR_COUNT_TASKS_CACHED : MR_COUNT_TASKS_DONE, 1);
}
