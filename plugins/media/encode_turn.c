/* SPDX-License-Identifier: MIT */
/* See encode_turn.h. Invariant: 'holder' means something only while 'held'; both are guarded by 'lock'. */
#include "media/encode_turn.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum { LOOK_NS = 50 * 1000 * 1000, SECOND_NS = 1000 * 1000 * 1000 }; /* how often a waiting task looks whether it was cancelled */

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static pthread_t holder;
static bool held;

static struct timespec in_a_moment(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / SECOND_NS;
    until.tv_nsec %= SECOND_NS;
    return until;
}

mr_status mr_encode_turn_take(const mr_host *host, mr_task *task)
{
    mr_status status = MR_OK;
    pthread_mutex_lock(&lock);
    if (held && pthread_equal(holder, pthread_self()))
        status = MR_ERR_INTERNAL;
    while (status == MR_OK && held) {
        struct timespec until = in_a_moment();
        pthread_cond_clockwait(&given, &lock, CLOCK_MONOTONIC, &until);
        if (held && host->cancelled(task))
            status = MR_ERR_CANCELLED;
    }
    if (status == MR_OK) {
        held = true;
        holder = pthread_self();
    }
    pthread_mutex_unlock(&lock);
    if (status == MR_ERR_INTERNAL)
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "this thread has an encoder open beside which there can be no other");
    return status;
}

void mr_encode_turn_give(void)
{
    pthread_mutex_lock(&lock);
    held = false;
    pthread_cond_signal(&given);
    pthread_mutex_unlock(&lock);
}

void mr_encode_opening_lock(void)
{
    pthread_mutex_lock(&opening);
}

void mr_encode_opening_unlock(void)
{
    pthread_mutex_unlock(&opening);
}
