/* SPDX-License-Identifier: MIT */
/* See aside.h. Invariant: work is set from begin until the thread has done it; whoever changes that holds the lock. */
#include "api-server/uploads/aside.h"

#include <pthread.h>
#include <stdlib.h>

struct mr_aside {
    pthread_t thread;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool (*work)(void *context);
    void *context;
    bool result;
    bool stop;
};

static void *run(void *context)
{
    mr_aside *aside = context;
    pthread_mutex_lock(&aside->lock);
    while (!aside->stop) {
        if (!aside->work) {
            pthread_cond_wait(&aside->changed, &aside->lock);
            continue;
        }
        pthread_mutex_unlock(&aside->lock);
        const bool result = aside->work(aside->context);
        pthread_mutex_lock(&aside->lock);
        aside->result = result;
        aside->work = NULL;
        pthread_cond_signal(&aside->changed);
    }
    pthread_mutex_unlock(&aside->lock);
    return NULL;
}

mr_aside *mr_aside_new(void)
{
    mr_aside *aside = calloc(1, sizeof(*aside));
    if (!aside)
        return NULL;
    pthread_mutex_init(&aside->lock, NULL);
    pthread_cond_init(&aside->changed, NULL);
    if (pthread_create(&aside->thread, NULL, run, aside) == 0)
        return aside;
    pthread_cond_destroy(&aside->changed);
    pthread_mutex_destroy(&aside->lock);
    free(aside);
    return NULL;
}

void mr_aside_free(mr_aside *aside)
{
    if (!aside)
        return;
    pthread_mutex_lock(&aside->lock);
    aside->stop = true;
    pthread_cond_signal(&aside->changed);
    pthread_mutex_unlock(&aside->lock);
    pthread_join(aside->thread, NULL);
    pthread_cond_destroy(&aside->changed);
    pthread_mutex_destroy(&aside->lock);
    free(aside);
}

void mr_aside_begin(mr_aside *aside, bool (*work)(void *context), void *context)
{
    pthread_mutex_lock(&aside->lock);
    aside->work = work;
    aside->context = context;
    pthread_cond_signal(&aside->changed);
    pthread_mutex_unlock(&aside->lock);
}

bool mr_aside_wait(mr_aside *aside)
{
    pthread_mutex_lock(&aside->lock);
    while (aside->work)
        pthread_cond_wait(&aside->changed, &aside->lock);
    const bool result = aside->result;
    pthread_mutex_unlock(&aside->lock);
    return result;
}
