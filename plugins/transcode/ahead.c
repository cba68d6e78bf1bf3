/* SPDX-License-Identifier: MIT */
/* See ahead.h. A ring: the thread fills the place behind the last, the taker empties the first; both under the lock only to count. */
#include "ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { AHEAD_MAX = 6 };

struct mr_ahead {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    mr_ahead_make make;
    void *context;
    int total;
    int made;
    int taken;
    bool stopping;
    mr_status status;             /* of the picture behind the last that was made */
    AVFrame *pictures[AHEAD_MAX]; /* number i is in i % AHEAD_MAX */
};

static void *run(void *context)
{
    mr_ahead *ahead = context;
    pthread_mutex_lock(&ahead->lock);
    while (ahead->made < ahead->total && ahead->status == MR_OK && !ahead->stopping) {
        if (ahead->made - ahead->taken == AHEAD_MAX) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        const int index = ahead->made;
        pthread_mutex_unlock(&ahead->lock);
        mr_status status = ahead->make(ahead->context, index, ahead->pictures[index % AHEAD_MAX]);
        pthread_mutex_lock(&ahead->lock);
        ahead->status = status;
        ahead->made += status == MR_OK;
        pthread_cond_signal(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

static bool make_places(mr_ahead *ahead)
{
    for (int i = 0; i < AHEAD_MAX; i++) {
        ahead->pictures[i] = av_frame_alloc();
        if (!ahead->pictures[i])
            return false;
    }
    return true;
}

static void free_ahead(mr_ahead *ahead)
{
    for (int i = 0; i < AHEAD_MAX; i++)
        av_frame_free(&ahead->pictures[i]);
    pthread_mutex_destroy(&ahead->lock);
    pthread_cond_destroy(&ahead->changed);
    free(ahead);
}

mr_status mr_ahead_start(int total, mr_ahead_make make, void *context, mr_ahead **ret_ahead)
{
    mr_ahead *ahead = calloc(1, sizeof(*ahead));
    *ret_ahead = NULL;
    if (!ahead)
        return MR_ERR_LIMIT;
    *ahead = (mr_ahead){.make = make, .context = context, .total = total};
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (!make_places(ahead) || pthread_create(&ahead->thread, NULL, run, ahead) != 0) {
        free_ahead(ahead);
        return MR_ERR_LIMIT;
    }
    *ret_ahead = ahead;
    return MR_OK;
}

mr_status mr_ahead_take(mr_ahead *ahead, AVFrame *picture)
{
    av_frame_unref(picture);
    pthread_mutex_lock(&ahead->lock);
    while (ahead->taken == ahead->made && ahead->made < ahead->total && ahead->status == MR_OK)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    mr_status status = ahead->taken < ahead->made ? MR_OK : ahead->status != MR_OK ? ahead->status : MR_END;
    if (status == MR_OK) {
        av_frame_move_ref(picture, ahead->pictures[ahead->taken++ % AHEAD_MAX]);
        pthread_cond_signal(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return status;
}

void mr_ahead_stop(mr_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stopping = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    free_ahead(ahead);
}
