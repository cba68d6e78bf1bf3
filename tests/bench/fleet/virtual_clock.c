/* SPDX-License-Identifier: MIT */
/*
 * See virtual_clock.h. Invariant: the time changes only under the clock's lock, in virtual_clock_step(), while the engine is at rest. Whoever is
 * woken counts as working from that moment, before its thread runs: so the engine is not at rest again before it did.
 */
#include "virtual_clock.h"

#include "runtime/internal.h"

#include <time.h>

enum { MOMENT_NS = 20000 };

typedef struct sleeper {
    int64_t wake_us;
    uint32_t tasks;
    bool urgent; /* in the worker that none of the slots is */
    bool woken;
    pthread_cond_t wake;
    struct sleeper *next; /* by wake_us */
} sleeper;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* one more is asleep or waits */
    const mr_engine *engine;
    int64_t now_us;
    sleeper *sleepers;
    size_t batches; /* asleep */
    size_t urgent;  /* of these */
    size_t tasks;   /* in them */
    size_t waiting; /* streaming tasks */
    bool looking;   /* whether ready tasks may start now is being looked at once more */
} it = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void virtual_clock_of(const mr_engine *engine)
{
    it.engine = engine;
}

int64_t virtual_now_us(void)
{
    pthread_mutex_lock(&it.lock);
    const int64_t now = it.now_us;
    pthread_mutex_unlock(&it.lock);
    return now;
}

void virtual_sleep(int64_t us, uint32_t tasks)
{
    sleeper self = {.tasks = tasks, .urgent = pthread_equal(pthread_self(), it.engine->urgent_worker)};
    pthread_cond_init(&self.wake, NULL);
    pthread_mutex_lock(&it.lock);
    self.wake_us = it.now_us + us;
    sleeper **at = &it.sleepers;
    while (*at && (*at)->wake_us <= self.wake_us)
        at = &(*at)->next;
    self.next = *at;
    *at = &self;
    it.batches++;
    it.urgent += self.urgent;
    it.tasks += tasks;
    pthread_cond_signal(&it.changed);
    while (!self.woken)
        pthread_cond_wait(&self.wake, &it.lock);
    pthread_mutex_unlock(&it.lock);
    pthread_cond_destroy(&self.wake);
}

void virtual_wait_begin(void)
{
    pthread_mutex_lock(&it.lock);
    it.waiting++;
    pthread_cond_signal(&it.changed);
    pthread_mutex_unlock(&it.lock);
}

void virtual_wait_end(void)
{
    pthread_mutex_lock(&it.lock);
    it.waiting--;
    pthread_mutex_unlock(&it.lock);
}

static size_t ready_tasks(const mr_engine *engine)
{
    size_t ready = 0;
    for (const mr_run *run = engine->runs; run; run = run->next)
        ready += run->ready;
    return ready;
}

/* Slots are free and tasks are ready: the scheduler keeps slots for others, or no worker has looked yet. All are asked to look again before that is
 * believed. */
static bool slots_are_kept(mr_engine *engine)
{
    const bool kept = engine->slots_kept && it.looking;
    it.looking = engine->slots_kept ? !it.looking : it.looking;
    if (it.looking)
        mr_slots_look_again(engine);
    return kept;
}

/* Under both locks. A streaming task whose item has just come still counts as waiting: what it does takes no time. What is said of all runs is looked
 * at last: there may be a thousand, and the engine waits meanwhile. */
static bool at_rest(mr_engine *engine)
{
    size_t busy = 0;
    if (engine->running != it.batches || engine->delayed)
        return false;
    for (const mr_run *run = engine->runs; run; run = run->next)
        busy += run->busy;
    return busy == it.tasks + it.waiting && (engine->running - it.urgent == engine->jobs || ready_tasks(engine) == 0 || slots_are_kept(engine));
}

static void wake_due(void)
{
    while (it.sleepers && it.sleepers->wake_us <= it.now_us) {
        sleeper *due = it.sleepers;
        it.sleepers = due->next;
        it.batches--;
        it.urgent -= due->urgent;
        it.tasks -= due->tasks;
        due->woken = true;
        pthread_cond_signal(&due->wake);
    }
}

/* Until somebody goes to sleep; or for a moment, since a worker that finds nothing to do tells nobody. The engine is at work: it can do with the
 * processor and the lock. */
static void await_change(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MOMENT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_clockwait(&it.changed, &it.lock, CLOCK_MONOTONIC, &until);
}

bool virtual_clock_step(mr_engine *engine, int64_t until_us)
{
    for (;;) {
        pthread_mutex_lock(&engine->lock);
        pthread_mutex_lock(&it.lock);
        const bool rest = at_rest(engine);
        const bool sleeping = it.sleepers != NULL;
        if (rest && (sleeping || until_us >= 0)) {
            const bool first = sleeping && (until_us < 0 || it.sleepers->wake_us < until_us);
            it.now_us = first ? it.sleepers->wake_us : until_us;
            wake_due();
        }
        pthread_mutex_unlock(&engine->lock);
        if (!rest)
            await_change();
        pthread_mutex_unlock(&it.lock);
        if (rest)
            return sleeping || until_us >= 0;
    }
}
