/* SPDX-License-Identifier: MIT */
/* See filters_watch.h. A thread for each open filter, which sleeps. */
#include "scripting/filters_watch.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_US 10000000ll /* without an instruction of Lua: as long as ops in Lua may have */
#define LOOK_MS    250

struct mr_filter_watch {
    const mr_host *host;
    mr_task *task;
    const mr_script_filter *filter;
    int64_t most_us;
    int64_t since_us; /* processor time; 0: Lua does not run. Atomic */
    clockid_t clock;  /* of the thread that is watched */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool ending;
};

static int64_t used_us(const mr_filter_watch *watch)
{
    struct timespec now = {0};
    clock_gettime(watch->clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void end_process(const mr_filter_watch *watch)
{
    char limit[32];
    const mr_script_filter *filter = watch->filter;
    mr_duration_text(watch->most_us, limit, sizeof(limit));
    watch->host->report(watch->task, MR_SEVERITY_ERROR, NULL, "a pattern may take for ever: look for several '.-' or '.*' in one",
                        "%s:%u: filter '%s' was ended: it was in one call of Lua's library for %s", filter->span.file, (unsigned)filter->span.line,
                        filter->pub.name, limit);
    _exit(MR_SCRIPT_STUCK);
}

static void *look(void *context)
{
    mr_filter_watch *watch = context;
    struct timespec until;
    pthread_mutex_lock(&watch->lock);
    while (!watch->ending) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000l;
        until.tv_sec += until.tv_nsec / 1000000000l;
        until.tv_nsec %= 1000000000l;
        if (pthread_cond_timedwait(&watch->ends, &watch->lock, &until) != ETIMEDOUT)
            continue;
        const int64_t since_us = __atomic_load_n(&watch->since_us, __ATOMIC_ACQUIRE);
        if (since_us != 0 && used_us(watch) - since_us > watch->most_us)
            end_process(watch);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

mr_filter_watch *mr_filter_watch_new(const mr_host *host, mr_task *task, const mr_script_filter *filter)
{
    pthread_condattr_t attributes;
    mr_filter_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    *watch = (mr_filter_watch){.host = host, .task = task, .filter = filter, .most_us = SILENCE_US, .lock = PTHREAD_MUTEX_INITIALIZER};
    if (filter->limits.time_us > 0 && filter->limits.time_us < SILENCE_US)
        watch->most_us = filter->limits.time_us;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->ends, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_getcpuclockid(pthread_self(), &watch->clock) == 0 && pthread_create(&watch->thread, NULL, look, watch) == 0)
        return watch;
    pthread_cond_destroy(&watch->ends);
    free(watch);
    return NULL;
}

void mr_filter_watch_free(mr_filter_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    pthread_cond_signal(&watch->ends);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->ends);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

void mr_filter_watch_enter(mr_filter_watch *watch)
{
    __atomic_store_n(&watch->since_us, mr_thread_cpu_us(), __ATOMIC_RELEASE);
}

void mr_filter_watch_leave(mr_filter_watch *watch)
{
    __atomic_store_n(&watch->since_us, 0, __ATOMIC_RELEASE);
}
