/* SPDX-License-Identifier: MIT */
/*
 * The way of a connection through its phases: IDLE -> HEAD -> BODY -> (ANSWER ->) WRITE or STREAM -> IDLE, or LINGER and closed. A function that
 * returns bool says whether the connection is still there.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const mr_http_limits *limits(const mr_connection *connection)
{
    return &connection->loop->server->limits;
}

static void set_deadline(mr_connection *connection, int64_t ms)
{
    connection->deadline_ms = connection->loop->now_ms + ms;
}

void mr_connection_open_window(mr_connection *connection)
{
    connection->moved = 0;
    set_deadline(connection, limits(connection)->window_ms);
}

void mr_connection_progress(mr_connection *connection, size_t bytes)
{
    const uint32_t enough = limits(connection)->window_bytes;
    connection->moved = bytes >= enough || connection->moved >= enough ? enough : connection->moved + (uint32_t)bytes;
}

static void end_exchange(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    const mr_http_handler *handler = &connection->loop->server->handler;
    mr_later_cut(exchange);
    if (exchange->begun && handler->ended)
        handler->ended(handler->context, exchange);
    exchange->begun = false;
}

void mr_connection_close(mr_connection *connection)
{
    if (connection->exchange) {
        end_exchange(connection);
        mr_exchange_free(connection->exchange);
    }
    mr_loop_unlink(connection);
    close(connection->fd);
    atomic_fetch_sub(&connection->loop->server->connections, 1);
    free(connection);
}

/* The other end may still be sending: closed at once, it would get a reset instead of the answer. */
static bool linger(mr_connection *connection)
{
    shutdown(connection->fd, SHUT_WR);
    connection->phase = MR_PHASE_LINGER;
    mr_loop_watch(connection, false);
    set_deadline(connection, limits(connection)->linger_ms);
    return true;
}

static bool start_writing(mr_connection *connection)
{
    connection->phase = MR_PHASE_WRITE;
    mr_connection_open_window(connection);
    return mr_reply_write(connection);
}

/* The answer, if there is one by now, or the wait for it. */
static bool after_handler(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    if (exchange->replied)
        return start_writing(connection);
    if (exchange->later) {
        connection->phase = MR_PHASE_ANSWER;
        mr_loop_watch(connection, false);
        return true;
    }
    mr_http_reply_problem(exchange, 500, "no-answer", "this request was not answered: a defect of the server");
    return start_writing(connection);
}

static bool answer(mr_connection *connection)
{
    const mr_http_handler *handler = &connection->loop->server->handler;
    handler->answer(handler->context, connection->exchange);
    return after_handler(connection);
}

bool mr_connection_refuse(mr_connection *connection, int status, const char *why)
{
    const mr_http_handler *handler = &connection->loop->server->handler;
    mr_exchange *exchange = connection->exchange;
    connection->close_after = true;
    exchange->fields_len = 0;
    exchange->spoilt = false;
    mr_http_reply_problem(exchange, status, status == 408 ? "too-slow" : status == 413 ? "too-large" : "bad-request", why);
    if (!exchange->begun && handler->refused)
        handler->refused(handler->context, exchange, why);
    return start_writing(connection);
}

/* Gives on what is in the exchange's buffer, then waits for more. */
static bool read_body_from_head(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    size_t used = 0;
    if (!exchange->whole && exchange->read < exchange->have) {
        if (!mr_request_body(exchange, exchange->head + exchange->read, exchange->have - exchange->read, &used))
            return mr_connection_refuse(connection, exchange->body_status, exchange->body_why);
        exchange->read += used;
    }
    if (exchange->replied) /* the handler has had enough */
        return start_writing(connection);
    return exchange->whole ? answer(connection) : true;
}

static bool wants_continue(const mr_exchange *exchange)
{
    const char *expect = mr_http_field(exchange, "expect");
    return expect && strcasecmp(expect, "100-continue") == 0 && !exchange->scan.version_1_0;
}

/* On the lane where it is handled. */
static bool start_body(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    connection->phase = MR_PHASE_BODY;
    mr_connection_open_window(connection);
    if (!exchange->whole && exchange->read == exchange->have && wants_continue(exchange) && !mr_reply_continue(exchange)) {
        mr_connection_close(connection);
        return false;
    }
    return read_body_from_head(connection);
}

static mr_loop *loop_of_lane(mr_http_server *server, mr_lane lane)
{
    const size_t count = server->first[lane + 1] - server->first[lane];
    return &server->loops[server->first[lane] + atomic_fetch_add(&server->turn[lane], 1) % count];
}

static bool begin(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    mr_http_server *server = connection->loop->server;
    mr_lane lane = MR_LANE_QUICK;
    const mr_status parsed = mr_request_parse(exchange);
    if (parsed != MR_OK)
        return mr_connection_refuse(connection, parsed == MR_ERR_UNSUPPORTED ? 501 : 400,
                                    parsed == MR_ERR_UNSUPPORTED ? "this method is not known here"
                                    : parsed == MR_ERR_PARAM     ? "the path is not plain: use normalised paths without '..', '//', '%2f' or '%00'"
                                                                 : "the request could not be parsed");
    connection->close_after = !llhttp_should_keep_alive(&exchange->parser) || atomic_load(&server->closing);
    exchange->begun = true;
    server->handler.begin(server->handler.context, exchange, &lane, &exchange->body_max);
    if (exchange->replied || exchange->later)
        return after_handler(connection);
    if (!server->handler.body && exchange->body_max > MR_HTTP_BODY_MAX)
        exchange->body_max = MR_HTTP_BODY_MAX;
    if (exchange->length > 0 && (uint64_t)exchange->length > exchange->body_max)
        return mr_connection_refuse(connection, 413, "the body is larger than this resource takes");
    if (lane == connection->loop->lane)
        return start_body(connection);
    connection->phase = MR_PHASE_BODY;
    mr_loop_send(loop_of_lane(server, lane), connection);
    return false; /* not here any more */
}

static bool look_at_head(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    const mr_head_verdict verdict = mr_head_look(&exchange->scan, exchange->head, exchange->have);
    if (verdict == MR_HEAD_MORE)
        return true;
    if (verdict == MR_HEAD_BAD)
        return mr_connection_refuse(connection, exchange->scan.status, exchange->scan.why);
    exchange->head_len = exchange->read = exchange->scan.at;
    return begin(connection);
}

static bool start_exchange(mr_connection *connection)
{
    connection->exchange = mr_exchange_new(connection);
    if (!connection->exchange) {
        mr_connection_close(connection);
        return false;
    }
    connection->phase = MR_PHASE_HEAD;
    set_deadline(connection, limits(connection)->head_ms);
    return true;
}

bool mr_connection_next(mr_connection *connection)
{
    mr_exchange *done = connection->exchange;
    const size_t left = done->have - done->read;
    end_exchange(connection);
    if (connection->close_after) {
        const bool all_read = done->whole && left == 0;
        mr_exchange_free(done);
        connection->exchange = NULL;
        if (!all_read)
            return linger(connection);
        mr_connection_close(connection);
        return false;
    }
    if (left > 0) { /* requests that were sent without waiting */
        if (!start_exchange(connection)) {
            mr_exchange_free(done);
            return false;
        }
        memcpy(connection->exchange->head, done->head + done->read, left);
        connection->exchange->have = left;
    } else {
        connection->exchange = NULL;
        connection->phase = MR_PHASE_IDLE;
        set_deadline(connection, limits(connection)->idle_ms);
    }
    mr_exchange_free(done);
    mr_loop_watch(connection, false);
    if (connection->loop != connection->home) {
        mr_loop_send(connection->home, connection);
        return false;
    }
    return left > 0 ? look_at_head(connection) : true;
}

bool mr_connection_arrived(mr_connection *connection)
{
    switch (connection->phase) {
    case MR_PHASE_BODY: return start_body(connection);
    case MR_PHASE_HEAD: return look_at_head(connection);
    default: return true;
    }
}

bool mr_connection_resume(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    if (connection->phase == MR_PHASE_STREAM)
        return mr_reply_stream(connection);
    if (connection->phase != MR_PHASE_ANSWER)
        return true; /* a stream that is being written: it goes on by itself */
    mr_later_cut(exchange);
    return answer(connection);
}

/* ---- reading ---- */

#define MIN_ROOM 4096

typedef enum got { GOT_NOTHING, GOT_SOME, GOT_END } got;

static got receive(const mr_connection *connection, char *into, size_t room, size_t *ret_len)
{
    const ssize_t len = recv(connection->fd, into, room, 0);
    *ret_len = len > 0 ? (size_t)len : 0;
    if (len > 0)
        return GOT_SOME;
    return len < 0 && (errno == EAGAIN || errno == EINTR) ? GOT_NOTHING : GOT_END;
}

static bool read_head(mr_connection *connection)
{
    size_t len = 0;
    const int64_t deadline_ms = connection->deadline_ms;
    if (!connection->exchange && !start_exchange(connection))
        return false;
    mr_exchange *exchange = connection->exchange;
    const got what = receive(connection, exchange->head + exchange->have, sizeof(exchange->head) - exchange->have, &len);
    exchange->have += len;
    if (what == GOT_SOME)
        return look_at_head(connection);
    if (what == GOT_END) {
        mr_connection_close(connection);
        return false;
    }
    if (exchange->have == 0) { /* a false alarm: it rests on */
        mr_exchange_free(exchange);
        connection->exchange = NULL;
        connection->phase = MR_PHASE_IDLE;
        connection->deadline_ms = deadline_ms;
    }
    return true;
}

/* Into the loop's buffer, as much as comes, but others have their turn too. */
static bool read_body(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    size_t len = 0;
    size_t used = 0;
    size_t most = MR_HTTP_SCRATCH;
    if (exchange->length >= 0 && (uint64_t)exchange->length - exchange->received < most)
        most = (size_t)((uint64_t)exchange->length - exchange->received); /* nothing of the next request */
    if (exchange->length < 0)                                             /* what follows the last chunk must fit behind the head */
        most = sizeof(exchange->head) - exchange->head_len > MIN_ROOM ? sizeof(exchange->head) - exchange->head_len : MIN_ROOM;
    const got what = receive(connection, connection->loop->scratch, most, &len);
    if (what == GOT_NOTHING)
        return true;
    if (what == GOT_END) {
        mr_connection_close(connection);
        return false;
    }
    mr_connection_progress(connection, len);
    if (!mr_request_body(exchange, connection->loop->scratch, len, &used))
        return mr_connection_refuse(connection, exchange->body_status, exchange->body_why);
    if (exchange->replied) /* the handler has had enough */
        return start_writing(connection);
    if (!exchange->whole)
        return true;
    if (used < len) { /* behind the head, where it can stay until its turn comes */
        exchange->read = exchange->head_len;
        exchange->have = exchange->head_len;
        if (len - used > sizeof(exchange->head) - exchange->have)
            return mr_connection_refuse(connection, 400, "too much was sent ahead");
        memcpy(exchange->head + exchange->have, connection->loop->scratch + used, len - used);
        exchange->have += len - used;
    }
    return answer(connection);
}

static bool drain(mr_connection *connection)
{
    size_t len = 0;
    if (receive(connection, connection->loop->scratch, MR_HTTP_SCRATCH, &len) != GOT_END)
        return true;
    mr_connection_close(connection);
    return false;
}

bool mr_connection_readable(mr_connection *connection)
{
    switch (connection->phase) {
    case MR_PHASE_IDLE:
    case MR_PHASE_HEAD: return read_head(connection);
    case MR_PHASE_BODY: return read_body(connection);
    case MR_PHASE_LINGER: return drain(connection);
    default: return true;
    }
}

/* ---- time ---- */

bool mr_connection_overdue(mr_connection *connection)
{
    switch (connection->phase) {
    case MR_PHASE_HEAD: return mr_connection_refuse(connection, 408, "the head of the request took too long");
    case MR_PHASE_BODY:
        if (connection->moved < limits(connection)->window_bytes)
            return mr_connection_refuse(connection, 408, "the body comes too slowly");
        mr_connection_open_window(connection);
        return true;
    case MR_PHASE_WRITE:
        if (connection->moved >= limits(connection)->window_bytes) {
            mr_connection_open_window(connection);
            return true;
        }
        break;
    case MR_PHASE_ANSWER: return mr_connection_resume(connection);
    case MR_PHASE_STREAM: /* silence is no fault of the reader */ set_deadline(connection, limits(connection)->window_ms); return true;
    default: break;
    }
    mr_connection_close(connection);
    return false;
}
