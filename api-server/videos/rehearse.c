/* SPDX-License-Identifier: MIT */
/*
 * Uploads whose container lets nothing be published before their end (Matroska, MPEG-TS), and those that count as a whole or not at all (one PUT),
 * are worked ahead of: again and again a rehearsal is run for what has come, which leaves nothing but results (core/runtime/rehearsal.c;
 * docs/adr/0029). The run that begins when the upload is complete finds them.
 *
 * Invariants
 *   - Nothing of it is in the metadata: an upload that goes takes its entry along, and who is told nothing has lost nothing but time.
 *   - The next one follows when about one more chunk has come, by what the last ones made of how many bytes. Each reads the beginning anew: that
 * takes no more than a tenth of one processor, and an upload has RUNS_MOST of them or so.
 *   - One rehearsal of an upload at a time, and of all no more than `early_runs` less the runs that were begun early.
 *   - Lock order: starting, lock. A run that says that it has started while a rehearsal is being started is that one: others are not started
 * meanwhile.
 */
#include "api-server/metrics/metrics.h"
#include "api-server/videos/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UPLOADS_MOST = 1024, RUNS_MOST = 32, HEAD = 600, STEP_LEAST = 64 << 10, PACE = 10, FAILURES_MOST = 3 };

struct mr_rehearsal {
    char video[MR_ID_SIZE];
    char source[64]; /* the upload's file, below the data folder */
    int64_t length, have;
    int64_t seen;            /* how much of it the last one had */
    int64_t step;            /* bytes that the next one waits for */
    int64_t chunks, counted; /* chunks that were whole when so many bytes had come */
    int64_t began_us;        /* the last one */
    int failures;            /* one after the other: too little may have come for it to be read at all */
    int64_t results, whole;  /* tasks that it did, and chunks that it found whole */
    int64_t reading_us;      /* processor time of those in it that look at all of the beginning */
    char run[MR_RUN_SIZE];   /* "": none */
    bool starting;
    bool ended;    /* it spoke, and was over, before its start had returned */
    bool over;     /* the upload is complete, or gone: nothing follows the one that is under way */
    bool hopeless; /* it failed, or there is nothing that can be done ahead */
    struct mr_rehearsal *next;
};

/* ---- what is worth it ---- */

static bool is_transport(const unsigned char *head, size_t packet, size_t at)
{
    return head[at] == 0x47 && head[at + packet] == 0x47 && head[at + 2 * packet] == 0x47;
}

/* Their packets tell all that is to be known, one after the other: ITU-T H.222.0 (and its form with time codes), RFC 8794. */
static bool is_read_on_and_on(const char *path)
{
    static const unsigned char ebml[] = {0x1a, 0x45, 0xdf, 0xa3};
    unsigned char head[HEAD];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const bool there = fd >= 0 && pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head);
    if (fd >= 0)
        close(fd);
    return there && (memcmp(head, ebml, sizeof(ebml)) == 0 || is_transport(head, 188, 0) || is_transport(head, 192, 4));
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_due(const mr_rehearsal *it)
{
    return !it->hopeless && !it->over && !it->starting && !it->run[0] && it->have < it->length &&
           it->have - it->seen >= larger(it->step, larger(it->length / RUNS_MOST, STEP_LEAST)) &&
           mr_metrics_now_us() - it->began_us >= PACE * it->reading_us;
}

/* One has ended: how many bytes are a chunk is what the last ones took, or more. */
static void learn(mr_rehearsal *it)
{
    if (it->whole > it->chunks) {
        it->step = (it->seen - it->counted) / (it->whole - it->chunks);
        it->chunks = it->whole;
        it->counted = it->seen;
    } else {
        it->step = larger(it->step, STEP_LEAST) * 2;
    }
}

/* ---- the list: lock held ---- */

static mr_rehearsal *find(mr_videos *videos, const char *source)
{
    mr_rehearsal *it = videos->rehearsals;
    while (it && strcmp(it->source, source) != 0)
        it = it->next;
    return it;
}

static mr_rehearsal *add(mr_videos *videos, const char *video, const char *source, int64_t length)
{
    size_t count = 0;
    for (const mr_rehearsal *it = videos->rehearsals; it; it = it->next)
        count++;
    mr_rehearsal *it = count < UPLOADS_MOST ? calloc(1, sizeof(*it)) : NULL;
    if (!it)
        return NULL;
    snprintf(it->video, sizeof(it->video), "%s", video);
    snprintf(it->source, sizeof(it->source), "%s", source);
    it->length = length;
    it->next = videos->rehearsals;
    videos->rehearsals = it;
    return it;
}

int64_t mr_rehearsals_under_way(const mr_videos *videos)
{
    int64_t count = 0;
    for (const mr_rehearsal *it = videos->rehearsals; it; it = it->next)
        count += it->starting || it->run[0];
    return count;
}

static mr_rehearsal *of_run(mr_videos *videos, const char *run)
{
    mr_rehearsal *it = videos->rehearsals;
    while (it && strcmp(it->run, run) != 0)
        it = it->next;
    return it;
}

static void drop_if_over(mr_videos *videos, mr_rehearsal *it)
{
    if (!it || !it->over || it->starting || it->run[0])
        return;
    mr_rehearsal **at = &videos->rehearsals;
    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    free(it);
}

void mr_rehearsals_free(mr_videos *videos)
{
    while (videos->rehearsals) {
        mr_rehearsal *it = videos->rehearsals;
        videos->rehearsals = it->next;
        free(it);
    }
}

/* ---- one rehearsal ---- */

static void ended(mr_videos *videos, const char *run)
{
    char video[MR_ID_SIZE] = "";
    char message[160];
    pthread_mutex_lock(&videos->lock);
    mr_rehearsal *it = of_run(videos, run);
    if (it) {
        snprintf(message, sizeof(message), "worked ahead of its upload: %" PRId64 " results from the first %" PRId64 " of %" PRId64 " bytes",
                 it->results, it->seen, it->length);
        memcpy(video, it->video, sizeof(video));
        it->run[0] = '\0';
        it->ended = true;
        learn(it);
    }
    drop_if_over(videos, it);
    pthread_mutex_unlock(&videos->lock);
    if (video[0])
        mr_videos_log(videos, MR_SERVER_LOG_INFO, video, message);
}

/* Starting held. */
static mr_status start(mr_videos *videos, const mr_rehearsal *it, char run[static MR_RUN_SIZE])
{
    const mr_platform_host *host = videos->options.host;
    mr_video_life life = {0};
    char *text = NULL;
    run[0] = '\0';
    mr_status status = mr_video_life_find(videos->options.metadata, it->video, &life);
    char *request = status == MR_OK ? mr_videos_rehearsal_request(videos, &life, it->source) : NULL;
    if (status == MR_OK)
        status = request ? host->run_start(host->platform, request, &text) : MR_ERR_NOMEM;
    json_t *json = status == MR_OK && text ? json_loads(text, 0, NULL) : NULL;
    snprintf(run, MR_RUN_SIZE, "%s", json ? json_string_value(json_object_get(json, "run")) : "");
    json_decref(json);
    host->text_free(host->platform, text);
    free(request);
    free(life.params);
    return status;
}

/* The next one that is due; false: none is, or there is no room. Lock held. */
static bool take_due(mr_videos *videos, mr_rehearsal *ret_copy)
{
    mr_rehearsal *it = videos->rehearsals;
    while (it && !is_due(it))
        it = it->next;
    if (!it || !mr_videos_early_room(videos))
        return false;
    it->starting = true;
    it->ended = false;
    it->seen = it->have;
    it->results = it->whole = it->reading_us = 0;
    it->began_us = mr_metrics_now_us();
    *ret_copy = *it;
    return true;
}

void mr_videos_look_at_rehearsals(mr_videos *videos)
{
    mr_rehearsal due;
    char run[MR_RUN_SIZE] = "";
    bool more = true;
    while (more && !atomic_load(&videos->draining)) {
        pthread_mutex_lock(&videos->starting); /* no upload is given up meanwhile */
        pthread_mutex_lock(&videos->lock);
        more = take_due(videos, &due);
        pthread_mutex_unlock(&videos->lock);
        const mr_status status = more ? start(videos, &due, run) : MR_OK;
        pthread_mutex_lock(&videos->lock);
        mr_rehearsal *it = more ? find(videos, due.source) : NULL;
        if (it) {
            it->starting = false;
            it->hopeless = it->hopeless || status != MR_OK;
            snprintf(it->run, sizeof(it->run), "%s", it->ended ? "" : run);
            drop_if_over(videos, it);
        }
        pthread_mutex_unlock(&videos->lock);
        pthread_mutex_unlock(&videos->starting);
    }
}

/* ---- what others say ---- */

/* Lock held. */
static mr_rehearsal *that_starts(mr_videos *videos, const char *run)
{
    mr_rehearsal *it = videos->rehearsals;
    while (it && (!it->starting || it->run[0]))
        it = it->next;
    if (it)
        snprintf(it->run, sizeof(it->run), "%s", run);
    return it;
}

/* Lock held. Tasks of chunks have items, "chunk" or "chunk,rung"; the others have looked at all of the beginning. */
static void count_task(mr_videos *videos, mr_rehearsal *it, const char *event)
{
    json_t *json = json_loads(event, 0, NULL);
    const char *item = json_string_value(json_object_get(json, "item"));
    const char *state = json_string_value(json_object_get(json, "state"));
    const bool made = state && strcmp(state, "succeeded") == 0;
    if (item && !item[0]) {
        it->reading_us += json_integer_value(json_object_get(json, "cpu_us"));
    } else if (item && (made || (state && strcmp(state, "cached") == 0))) {
        it->whole = larger(it->whole, strtoll(item, NULL, 10) + 1);
        it->results += made;
        mr_metrics_count(videos->options.metrics, MR_COUNT_TASKS_AHEAD, made);
    }
    json_decref(json);
}

/* Lock held. */
static void count_run(mr_rehearsal *it, const char *event)
{
    it->failures = strstr(event, "\"failed\"") ? it->failures + 1 : 0;
    it->hopeless = it->hopeless || it->failures == FAILURES_MOST || !(it->failures || strstr(event, "\"succeeded\""));
}

bool mr_rehearsals_event(mr_videos *videos, const char *run, const char *event)
{
    pthread_mutex_lock(&videos->lock);
    mr_rehearsal *it = of_run(videos, run);
    if (!it && strstr(event, "\"run.started\""))
        it = that_starts(videos, run);
    if (it && strstr(event, "\"task.done\""))
        count_task(videos, it, event);
    else if (it && strstr(event, "\"run.done\""))
        count_run(it, event);
    pthread_mutex_unlock(&videos->lock);
    if (it && strstr(event, "\"run.closed\""))
        ended(videos, run);
    return it != NULL;
}

/* An operator's rule may say that a run has other params, or none at all: that is asked when it counts. */
static bool is_worth_it(const mr_videos *videos, const char *path, int64_t length, int64_t have, bool as_a_whole)
{
    const mr_platform_host *host = videos->options.host;
    return have >= HEAD && !host->has_hook(host->platform, "on_run_start") &&
           (is_read_on_and_on(path) || (as_a_whole && mr_videos_index_has_come(path, length, have)));
}

void mr_rehearsals_grew(mr_videos *videos, const char *video, const char *source, const char *path, int64_t length, int64_t have, bool as_a_whole)
{
    pthread_mutex_lock(&videos->lock);
    mr_rehearsal *it = find(videos, source);
    pthread_mutex_unlock(&videos->lock);
    if (!it && !is_worth_it(videos, path, length, have, as_a_whole))
        return;
    pthread_mutex_lock(&videos->lock);
    it = find(videos, source);
    if (!it)
        it = add(videos, video, source, length);
    if (it && have > it->have)
        it->have = have;
    const bool due = it && is_due(it) && mr_videos_early_room(videos);
    pthread_mutex_unlock(&videos->lock);
    if (due)
        mr_videos_wake(videos);
}

void mr_rehearsals_of_video_over(mr_videos *videos, const char *video)
{
    const mr_platform_host *host = videos->options.host;
    char run[MR_RUN_SIZE];
    do {
        run[0] = '\0';
        pthread_mutex_lock(&videos->lock);
        for (mr_rehearsal *it = videos->rehearsals; it && !run[0]; it = it->next) {
            if (strcmp(it->video, video) != 0 || it->hopeless)
                continue;
            it->hopeless = true;
            memcpy(run, it->run, sizeof(run));
        }
        pthread_mutex_unlock(&videos->lock);
        if (run[0])
            host->run_cancel(host->platform, run);
    } while (run[0]);
}

void mr_rehearsals_over(mr_videos *videos, const char *source)
{
    pthread_mutex_lock(&videos->lock);
    mr_rehearsal *it = find(videos, source);
    if (it)
        it->over = true;
    drop_if_over(videos, it);
    pthread_mutex_unlock(&videos->lock);
}
