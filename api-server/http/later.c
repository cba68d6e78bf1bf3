/* SPDX-License-Identifier: MIT */
/*
 * Answers that are put off, and streams: what other threads hold of an exchange. Invariant: later->connection is set while the exchange is this
 * one's, and whoever reads or changes it holds the lock; the loop cuts it before the connection goes or moves on.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_ROOM 16 /* behind the data, for the framing of the last chunk */

mr_later *mr_later_new(mr_exchange *exchange, bool stream)
{
    mr_later *later = calloc(1, sizeof(*later));
    if (!later)
        return NULL;
    atomic_init(&later->references, 2); /* the exchange's, and the caller's */
    pthread_mutex_init(&later->lock, NULL);
    later->connection = exchange->connection;
    later->loop = exchange->connection->loop;
    later->stream = stream;
    exchange->later = later;
    return later;
}

void mr_http_later_unref(mr_later *later)
{
    if (!later || atomic_fetch_sub(&later->references, 1) > 1)
        return;
    pthread_mutex_destroy(&later->lock);
    free(later->data);
    free(later);
}

void mr_later_cut(mr_exchange *exchange)
{
    mr_later *later = exchange->later;
    if (!later)
        return;
    pthread_mutex_lock(&later->lock);
    later->connection = NULL;
    pthread_mutex_unlock(&later->lock);
    exchange->later = NULL;
    mr_http_later_unref(later);
}

mr_later *mr_http_later(mr_exchange *exchange, int64_t timeout_ms)
{
    if (exchange->later || exchange->replied)
        return NULL;
    const int64_t wait = timeout_ms > 0 && timeout_ms < MR_HTTP_LATER_MS ? timeout_ms : MR_HTTP_LATER_MS;
    exchange->connection->deadline_ms = mr_loop_now_ms() + wait;
    return mr_later_new(exchange, false);
}

void mr_http_later_resume(mr_later *later)
{
    pthread_mutex_lock(&later->lock);
    if (later->connection && !later->resumed) {
        later->resumed = true;
        mr_loop_post(later);
    }
    pthread_mutex_unlock(&later->lock);
}

static bool make_room(mr_later *stream, size_t len)
{
    if (stream->len + len + TAIL_ROOM <= stream->room)
        return true;
    size_t room = stream->room ? stream->room : 1024;
    while (room < stream->len + len + TAIL_ROOM)
        room *= 2;
    char *grown = realloc(stream->data, room);
    if (!grown)
        return false;
    stream->data = grown;
    stream->room = room;
    return true;
}

bool mr_http_stream_write(mr_later *stream, const void *data, size_t len)
{
    pthread_mutex_lock(&stream->lock);
    bool fine = stream->connection && !stream->resumed && !stream->overrun;
    if (fine && (stream->len + len > MR_HTTP_STREAM_MAX || !make_room(stream, len))) {
        stream->overrun = true;
        mr_loop_post(stream);
        fine = false;
    }
    if (fine && len > 0) {
        memcpy(stream->data + stream->len, data, len);
        stream->len += len;
        mr_loop_post(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return fine;
}
