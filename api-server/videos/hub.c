/* SPDX-License-Identifier: MIT */
/*
 * Topics are videos of which something was said lately; the one that was quiet for longest goes when there are too many. A thread sends a comment now
 * and then, which finds those who have gone.
 */
#include "api-server/videos/hub.h"

#include "api-server/base/clock.h"
#include "api-server/base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct client {
    mr_later *stream;
    struct client *next;
} client;

typedef struct topic {
    char video[MR_ID_SIZE];
    int64_t ids[MR_HUB_KEPT];
    char *texts[MR_HUB_KEPT]; /* whole events; a ring */
    uint64_t said;
    int64_t last_us;
    client *clients;
    struct topic *next;
} topic;

struct mr_hub {
    pthread_mutex_t lock;
    pthread_cond_t ending;
    pthread_t beat;
    topic *topics;
    size_t topic_count, client_count;
    int64_t last_id;
    bool over;
};

static void free_topic(topic *it)
{
    for (size_t i = 0; i < MR_HUB_KEPT; i++)
        free(it->texts[i]);
    free(it);
}

static void let_go(mr_hub *hub, client **at)
{
    client *it = *at;
    *at = it->next;
    mr_http_later_resume(it->stream);
    mr_http_later_unref(it->stream);
    free(it);
    hub->client_count--;
}

/* Lock held. Whoever can't be written to is gone. */
static void send_all(mr_hub *hub, topic *it, const char *text, size_t len)
{
    for (client **at = &it->clients; *at;) {
        if (mr_http_stream_write((*at)->stream, text, len))
            at = &(*at)->next;
        else
            let_go(hub, at);
    }
}

static void *beat(void *context)
{
    mr_hub *hub = context;
    struct timespec until;
    pthread_mutex_lock(&hub->lock);
    while (!hub->over) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += MR_HUB_BEAT_S;
        if (pthread_cond_timedwait(&hub->ending, &hub->lock, &until) != ETIMEDOUT)
            continue;
        for (topic *it = hub->topics; it; it = it->next)
            send_all(hub, it, ":\n\n", 3);
    }
    pthread_mutex_unlock(&hub->lock);
    return NULL;
}

mr_hub *mr_hub_new(void)
{
    mr_hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return NULL;
    pthread_mutex_init(&hub->lock, NULL);
    pthread_cond_init(&hub->ending, NULL);
    hub->last_id = mr_now_us();
    if (pthread_create(&hub->beat, NULL, beat, hub) == 0)
        return hub;
    pthread_cond_destroy(&hub->ending);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
    return NULL;
}

void mr_hub_end(mr_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->over = true;
    for (topic *it = hub->topics; it; it = it->next)
        while (it->clients)
            let_go(hub, &it->clients);
    pthread_cond_signal(&hub->ending);
    pthread_mutex_unlock(&hub->lock);
}

void mr_hub_free(mr_hub *hub)
{
    if (!hub)
        return;
    mr_hub_end(hub);
    pthread_join(hub->beat, NULL);
    while (hub->topics) {
        topic *it = hub->topics;
        hub->topics = it->next;
        free_topic(it);
    }
    pthread_cond_destroy(&hub->ending);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

/* Lock held. The quietest without clients. */
static void drop_one(mr_hub *hub)
{
    topic **oldest = NULL;
    for (topic **at = &hub->topics; *at; at = &(*at)->next)
        if (!(*at)->clients && (!oldest || (*at)->last_us < (*oldest)->last_us))
            oldest = at;
    if (!oldest)
        return;
    topic *it = *oldest;
    *oldest = it->next;
    free_topic(it);
    hub->topic_count--;
}

/* Lock held. NULL: no memory. */
static topic *find_topic(mr_hub *hub, const char *video)
{
    for (topic *it = hub->topics; it; it = it->next)
        if (strcmp(it->video, video) == 0)
            return it;
    if (hub->topic_count >= MR_HUB_VIDEOS)
        drop_one(hub);
    topic *it = calloc(1, sizeof(*it));
    if (!it)
        return NULL;
    snprintf(it->video, sizeof(it->video), "%s", video);
    it->next = hub->topics;
    hub->topics = it;
    hub->topic_count++;
    return it;
}

void mr_hub_say(mr_hub *hub, const char *video, const char *event, const char *data)
{
    char *text = NULL;
    pthread_mutex_lock(&hub->lock);
    topic *it = hub->over ? NULL : find_topic(hub, video);
    const int len = it ? asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)++hub->last_id, event, data) : -1;
    if (len > 0) {
        const size_t at = it->said++ % MR_HUB_KEPT;
        free(it->texts[at]);
        it->texts[at] = text;
        it->ids[at] = hub->last_id;
        it->last_us = mr_now_us();
        send_all(hub, it, text, (size_t)len);
    }
    pthread_mutex_unlock(&hub->lock);
}

/* Lock held. False: what came after id is not all there. */
static bool send_missed(const topic *it, mr_later *stream, int64_t id)
{
    const uint64_t first = it->said > MR_HUB_KEPT ? it->said - MR_HUB_KEPT : 0;
    uint64_t at = it->said;
    while (at > first && it->ids[(at - 1) % MR_HUB_KEPT] > id)
        at--;
    if (at == first && (it->said == 0 || it->ids[first % MR_HUB_KEPT] != id + 1))
        return false;
    for (; at < it->said; at++)
        mr_http_stream_write(stream, it->texts[at % MR_HUB_KEPT], strlen(it->texts[at % MR_HUB_KEPT]));
    return true;
}

bool mr_hub_join(mr_hub *hub, const char *video, mr_later *take_stream, const char *last_id, mr_hub_first first, void *context)
{
    char *text = NULL;
    char *data = NULL;
    char *end = NULL;
    const int64_t id = last_id && last_id[0] ? strtoll(last_id, &end, 10) : 0;
    client *one = calloc(1, sizeof(*one));
    pthread_mutex_lock(&hub->lock);
    topic *it = hub->over || !one || hub->client_count >= MR_HUB_CLIENTS ? NULL : find_topic(hub, video);
    if (it) {
        const bool known = id > 0 && end && *end == '\0' && send_missed(it, take_stream, id);
        data = known ? NULL : first(context, video);
        const int len = data ? asprintf(&text, "id: %lld\nevent: status\ndata: %s\n\n", (long long)hub->last_id, data) : -1;
        if (len > 0)
            mr_http_stream_write(take_stream, text, (size_t)len);
        if (known || len > 0) {
            *one = (client){.stream = take_stream, .next = it->clients};
            it->clients = one;
            hub->client_count++;
        } else {
            it = NULL;
        }
    }
    pthread_mutex_unlock(&hub->lock);
    free(data);
    free(text);
    if (it)
        return true;
    free(one);
    mr_http_later_resume(take_stream);
    mr_http_later_unref(take_stream);
    return false;
}

size_t mr_hub_clients(mr_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    const size_t count = hub->client_count;
    pthread_mutex_unlock(&hub->lock);
    return count;
}
