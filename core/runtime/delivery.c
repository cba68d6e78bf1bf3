/* SPDX-License-Identifier: MIT */
/*
 * Events on their way from a run to its reader: a queue, and a thread that calls the reader with one event after another, in order.
 *
 * Invariants
 *   - The reader is called without any lock, and the thread takes none but the queue's own, which it holds only to take an event off. So whoever
 *     puts an event in may hold the engine's lock, even when it has to wait for room: the reader gets on without it.
 *   - An event is copied whole: what it says is nobody else's by the time it is read.
 *   - Nothing is lost. Above SOFT_LIMIT those who make events wait where they hold no lock (mr_delivery_wait: before a batch, and before what was
 *     committed is told), so a slow reader slows the workers, not whoever needs the engine's lock meanwhile. What is changed under one hold of the
 *     lock may go beyond; at HARD_LIMIT it waits under the lock, too: memory stays bounded whatever happens.
 */
#include "runtime/delivery.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SOFT_LIMIT 1024u
#define HARD_LIMIT 16384u

typedef struct letter {
    mr_event event;
    json_t *detail;
    struct letter *next;
    char text[]; /* of item, reason and hint */
} letter;

struct mr_delivery {
    mr_event_reader reader;
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted; /* there is an event, or it is the end */
    pthread_cond_t room;
    letter *first;
    letter *last;
    size_t count;
    bool ending;
};

static void *deliver(void *context)
{
    mr_delivery *delivery = context;
    pthread_mutex_lock(&delivery->lock);
    for (;;) {
        while (!delivery->first && !delivery->ending)
            pthread_cond_wait(&delivery->wanted, &delivery->lock);
        letter *it = delivery->first;
        if (!it)
            break;
        delivery->first = it->next;
        if (!delivery->first)
            delivery->last = NULL;
        pthread_mutex_unlock(&delivery->lock);
        delivery->reader(delivery->context, &it->event);
        json_decref(it->detail);
        free(it);
        pthread_mutex_lock(&delivery->lock);
        delivery->count--;
        if (delivery->count < SOFT_LIMIT || delivery->count == HARD_LIMIT - 1)
            pthread_cond_broadcast(&delivery->room);
    }
    pthread_mutex_unlock(&delivery->lock);
    return NULL;
}

mr_delivery *mr_delivery_start(mr_event_reader reader, void *context)
{
    mr_delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery)
        return NULL;
    delivery->reader = reader;
    delivery->context = context;
    pthread_mutex_init(&delivery->lock, NULL);
    pthread_cond_init(&delivery->wanted, NULL);
    pthread_cond_init(&delivery->room, NULL);
    if (pthread_create(&delivery->thread, NULL, deliver, delivery) == 0)
        return delivery;
    pthread_mutex_destroy(&delivery->lock);
    pthread_cond_destroy(&delivery->wanted);
    pthread_cond_destroy(&delivery->room);
    free(delivery);
    return NULL;
}

void mr_delivery_end(mr_delivery *delivery)
{
    if (!delivery)
        return;
    pthread_mutex_lock(&delivery->lock);
    delivery->ending = true;
    pthread_cond_signal(&delivery->wanted);
    pthread_mutex_unlock(&delivery->lock);
    pthread_join(delivery->thread, NULL);
    pthread_mutex_destroy(&delivery->lock);
    pthread_cond_destroy(&delivery->wanted);
    pthread_cond_destroy(&delivery->room);
    free(delivery);
}

static const char *keep(char **at, const char *text)
{
    if (!text)
        return NULL;
    const size_t size = strlen(text) + 1;
    const char *kept = memcpy(*at, text, size);
    *at += size;
    return kept;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

void mr_delivery_put(mr_delivery *delivery, const mr_event *event)
{
    letter *it = malloc(sizeof(*it) + size_of(event->item) + size_of(event->reason) + size_of(event->hint));
    if (!it)
        return; /* its number is missing in what the reader sees */
    char *at = it->text;
    it->event = *event;
    it->event.item = keep(&at, event->item);
    it->event.reason = keep(&at, event->reason);
    it->event.hint = keep(&at, event->hint);
    it->detail = event->detail ? json_deep_copy(event->detail) : NULL;
    it->event.detail = it->detail;
    it->next = NULL;
    pthread_mutex_lock(&delivery->lock);
    while (delivery->count >= HARD_LIMIT)
        pthread_cond_wait(&delivery->room, &delivery->lock);
    if (delivery->last)
        delivery->last->next = it;
    else
        delivery->first = it;
    delivery->last = it;
    delivery->count++;
    pthread_cond_signal(&delivery->wanted);
    pthread_mutex_unlock(&delivery->lock);
}

void mr_delivery_wait(mr_delivery *delivery)
{
    if (!delivery)
        return;
    pthread_mutex_lock(&delivery->lock);
    while (delivery->count >= SOFT_LIMIT)
        pthread_cond_wait(&delivery->room, &delivery->lock);
    pthread_mutex_unlock(&delivery->lock);
}
