/* SPDX-License-Identifier: MIT */
/*
 * Answers: a head that is made here, then content from memory, a file by sendfile, or a stream in chunks. What a handler puts into fields may come
 * from outside: a control character there makes the answer a 500, never a second answer.
 */
#include "internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_TURN  (2u << 20) /* bytes of a file before others have their turn */
#define FILE_SMALL 65536      /* one that shares a packet with its head. Behind a head, the pages of a large one took the kernel twice the time */

const char *mr_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {460, "Checksum Mismatch"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].status == status)
            return known[i].reason;
    }
    return "Status";
}

static bool is_clean(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' && *text != '\t')
            return false;
        if (*text == 0x7f)
            return false;
    }
    return true;
}

/* There is room. (The printf family costs a request a tenth of its time.) */
static char *put(char *to, const char *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static char *put_text(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return put(to, digits + at, sizeof(digits) - at);
}

void mr_http_reply_field(mr_exchange *exchange, const char *name, const char *value)
{
    const size_t name_len = strlen(name);
    const size_t value_len = strlen(value);
    if (!is_clean(name) || !is_clean(value) || name_len + value_len + 4 > sizeof(exchange->out_fields) - exchange->fields_len) {
        exchange->spoilt = true;
        return;
    }
    char *to = put(exchange->out_fields + exchange->fields_len, name, name_len);
    to = put(put(put(to, ": ", 2), value, value_len), "\r\n", 2);
    exchange->fields_len = (size_t)(to - exchange->out_fields);
}

/* length: of the content; -1: chunked, or until the end of the connection. */
static void make_head(mr_exchange *exchange, int status, int64_t length)
{
    mr_connection *connection = exchange->connection;
    if (!exchange->whole)
        connection->close_after = true; /* what is left of the body would be taken for a request */
    if (length < 0 && exchange->scan.version_1_0)
        connection->close_after = true;
    exchange->chunked_answer = length < 0 && !exchange->scan.version_1_0;
    char *to = put_number(put_text(exchange->out, "HTTP/1.1 "), (uint64_t)status);
    to = put_text(put_text(to, " "), mr_http_reason(status));
    to = put_text(put_text(to, "\r\nDate: "), mr_loop_date(connection->loop));
    to = put_text(to, connection->close_after ? "\r\nConnection: close\r\n" : exchange->scan.version_1_0 ? "\r\nConnection: keep-alive\r\n" : "\r\n");
    if (length >= 0 && status != 204 && status != 304)
        to = put_text(put_number(put_text(to, "Content-Length: "), (uint64_t)length), "\r\n");
    else if (exchange->chunked_answer)
        to = put_text(to, "Transfer-Encoding: chunked\r\n");
    to = put(put_text(to, "X-Request-Id: "), exchange->id, MR_HTTP_ID);
    to = put_text(put(put_text(to, "\r\n"), exchange->out_fields, exchange->fields_len), "\r\n");
    exchange->out_at = 0;
    exchange->out_len = (size_t)(to - exchange->out);
    exchange->replied = true;
    exchange->status = status;
    exchange->answer_len = length;
}

int mr_http_answered(const mr_exchange *exchange, int64_t *ret_len)
{
    *ret_len = exchange->replied ? exchange->answer_len : 0;
    return exchange->replied ? exchange->status : 0;
}

/* True: the answer can be made as it was asked for. Otherwise it is a 500, and made already. */
static bool may_reply(mr_exchange *exchange)
{
    if (exchange->replied)
        return false;
    if (!exchange->spoilt)
        return true;
    exchange->spoilt = false;
    exchange->fields_len = 0;
    mr_http_reply_problem(exchange, 500, "internal", "the answer can't be sent: a field of it is not one");
    return false;
}

void mr_http_reply(mr_exchange *exchange, int status, const void *content, size_t len)
{
    if (!may_reply(exchange))
        return;
    const bool wanted = len > 0 && !exchange->head_only;
    make_head(exchange, status, (int64_t)len);
    if (!wanted)
        return;
    if (len <= sizeof(exchange->out) - exchange->out_len) { /* one piece */
        memcpy(exchange->out + exchange->out_len, content, len);
        exchange->out_len += len;
        return;
    }
    exchange->extra = malloc(len);
    if (!exchange->extra) { /* half an answer would lie */
        exchange->connection->close_after = true;
        exchange->out_len = 0;
        return;
    }
    memcpy(exchange->extra, content, len);
    exchange->extra_len = len;
}

void mr_http_reply_file(mr_exchange *exchange, int status, int take_fd, uint64_t offset, uint64_t len)
{
    if (!may_reply(exchange)) {
        close(take_fd);
        return;
    }
    make_head(exchange, status, (int64_t)len);
    if (len == 0 || exchange->head_only) {
        close(take_fd);
        return;
    }
    exchange->file = take_fd;
    exchange->file_at = (off_t)offset;
    exchange->file_left = len;
}

void mr_http_reply_problem(mr_exchange *exchange, int status, const char *code, const char *detail)
{
    json_t *problem = json_pack("{s:s+,s:s,s:i,s:s,s:s}", "type", MR_PROBLEM_TYPE, code, "title", mr_http_reason(status), "status", status, "detail",
                                detail, "request_id", exchange->id);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    mr_http_reply_field(exchange, "Content-Type", "application/problem+json");
    mr_http_reply(exchange, status, text ? text : "", text ? strlen(text) : 0);
    free(text);
    json_decref(problem);
}

mr_later *mr_http_reply_stream(mr_exchange *exchange, int status)
{
    mr_later *stream = may_reply(exchange) ? mr_later_new(exchange, true) : NULL;
    if (!stream) {
        exchange->connection->close_after = true;
        return NULL;
    }
    make_head(exchange, status, -1);
    return stream;
}

bool mr_reply_continue(mr_exchange *exchange)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    return send(exchange->connection->fd, text, sizeof(text) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(text) - 1;
}

/* What is in memory. 1: all is out; 0: later; -1: the other end is gone. */
static int write_memory(mr_exchange *exchange)
{
    while (exchange->out_at < exchange->out_len || exchange->extra_at < exchange->extra_len) {
        struct iovec pieces[2] = {
            {.iov_base = exchange->out + exchange->out_at, .iov_len = exchange->out_len - exchange->out_at},
            {.iov_base = exchange->extra ? exchange->extra + exchange->extra_at : NULL, .iov_len = exchange->extra_len - exchange->extra_at},
        };
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
        const bool more = exchange->file_left > 0 && exchange->file_left < FILE_SMALL;
        const ssize_t sent = sendmsg(exchange->connection->fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        const size_t of_out = (size_t)sent < pieces[0].iov_len ? (size_t)sent : pieces[0].iov_len;
        exchange->out_at += of_out;
        exchange->extra_at += (size_t)sent - of_out;
        mr_connection_progress(exchange->connection, (size_t)sent);
    }
    return 1;
}

static int write_file(mr_exchange *exchange)
{
    uint64_t turn = FILE_TURN;
    while (exchange->file_left > 0) {
        const size_t most = exchange->file_left < turn ? (size_t)exchange->file_left : (size_t)turn;
        if (most == 0)
            return 0;
        const ssize_t sent = sendfile(exchange->connection->fd, exchange->file, &exchange->file_at, most);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        if (sent == 0)
            return -1; /* the file is shorter than it was */
        exchange->file_left -= (uint64_t)sent;
        turn -= (uint64_t)sent;
        mr_connection_progress(exchange->connection, (size_t)sent);
    }
    return 1;
}

bool mr_reply_write(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    int done = write_memory(exchange);
    if (done > 0)
        done = write_file(exchange);
    if (done < 0) {
        mr_connection_close(connection);
        return false;
    }
    if (done == 0) {
        mr_loop_watch(connection, true);
        return true;
    }
    if (exchange->later && exchange->later->stream)
        return mr_reply_stream(connection);
    return mr_connection_next(connection);
}

/* Moves what the stream holds into the exchange, as one chunk. */
static void fill_from_stream(mr_exchange *exchange, bool *ret_end)
{
    mr_later *stream = exchange->later;
    pthread_mutex_lock(&stream->lock);
    exchange->out_at = exchange->out_len = 0;
    free(exchange->extra);
    exchange->extra = stream->data;
    exchange->extra_at = 0;
    exchange->extra_len = stream->len;
    *ret_end = stream->resumed || stream->overrun;
    if (stream->overrun)
        exchange->connection->close_after = true;
    const bool whole = stream->resumed && !stream->overrun;
    stream->data = NULL;
    stream->len = stream->room = 0;
    pthread_mutex_unlock(&stream->lock);
    if (exchange->extra_len > 0 && exchange->chunked_answer)
        exchange->out_len = (size_t)snprintf(exchange->out, sizeof(exchange->out), "%zx\r\n", exchange->extra_len);
    if (exchange->chunked_answer && (exchange->extra_len > 0 || whole)) {
        /* The line end of the chunk, and the last chunk, follow the data: there is room for them behind it (later.c). */
        if (!exchange->extra) {
            exchange->out_len = (size_t)snprintf(exchange->out, sizeof(exchange->out), "0\r\n\r\n");
        } else {
            const char *tail = whole ? "\r\n0\r\n\r\n" : "\r\n";
            memcpy(exchange->extra + exchange->extra_len, tail, strlen(tail));
            exchange->extra_len += strlen(tail);
        }
    }
}

bool mr_reply_stream(mr_connection *connection)
{
    mr_exchange *exchange = connection->exchange;
    bool end = false;
    int done = write_memory(exchange);
    while (done > 0 && !end) {
        fill_from_stream(exchange, &end);
        const bool nothing = exchange->out_len == 0 && exchange->extra_len == 0;
        done = write_memory(exchange);
        if (nothing)
            break;
    }
    if (done < 0) {
        mr_connection_close(connection);
        return false;
    }
    if (done > 0 && end)
        return mr_connection_next(connection);
    if (done == 0 && connection->phase == MR_PHASE_STREAM)
        mr_connection_open_window(connection);
    connection->phase = done > 0 ? MR_PHASE_STREAM : MR_PHASE_WRITE;
    mr_loop_watch(connection, done == 0);
    return true;
}
