/* SPDX-License-Identifier: MIT */
/*
 * See hasher.h. The state goes round: idle -> given -> hashed -> idle; who began is the one who waits, and makes it idle again.
 */
#include "runtime/state/hasher.h"

#include <pthread.h>
#include <stdlib.h>

enum { IDLE, GIVEN, HASHED };

struct mr_hasher {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
    bool failed; /* no thread could be started */
    bool closing;
    int state;
    mr_hash *hash;
    const void *data;
    size_t len;
};

static void *work(void *context)
{
    mr_hasher *hasher = context;
    pthread_mutex_lock(&hasher->lock);
    while (!hasher->closing) {
        if (hasher->state != GIVEN) {
            pthread_cond_wait(&hasher->changed, &hasher->lock);
            continue;
        }
        pthread_mutex_unlock(&hasher->lock);
        mr_hash_add(hasher->hash, hasher->data, hasher->len);
        pthread_mutex_lock(&hasher->lock);
        hasher->state = HASHED;
        pthread_cond_broadcast(&hasher->changed);
    }
    pthread_mutex_unlock(&hasher->lock);
    return NULL;
}

mr_hasher *mr_hasher_new(void)
{
    mr_hasher *hasher = calloc(1, sizeof(*hasher));
    if (!hasher)
        return NULL;
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->changed, NULL);
    return hasher;
}

void mr_hasher_free(mr_hasher *hasher)
{
    if (!hasher)
        return;
    pthread_mutex_lock(&hasher->lock);
    hasher->closing = true;
    pthread_cond_broadcast(&hasher->changed);
    pthread_mutex_unlock(&hasher->lock);
    if (hasher->started)
        pthread_join(hasher->thread, NULL);
    pthread_cond_destroy(&hasher->changed);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}

bool mr_hasher_begin(mr_hasher *hasher, mr_hash *hash, const void *data, size_t len)
{
    pthread_mutex_lock(&hasher->lock);
    if (!hasher->started && !hasher->failed) {
        hasher->started = pthread_create(&hasher->thread, NULL, work, hasher) == 0;
        hasher->failed = !hasher->started;
    }
    const bool free_now = hasher->started && hasher->state == IDLE;
    if (free_now) {
        hasher->state = GIVEN;
        hasher->hash = hash;
        hasher->data = data;
        hasher->len = len;
        pthread_cond_broadcast(&hasher->changed);
    }
    pthread_mutex_unlock(&hasher->lock);
    return free_now;
}

void mr_hasher_wait(mr_hasher *hasher)
{
    pthread_mutex_lock(&hasher->lock);
    while (hasher->state != HASHED)
        pthread_cond_wait(&hasher->changed, &hasher->lock);
    hasher->state = IDLE;
    pthread_mutex_unlock(&hasher->lock);
}
