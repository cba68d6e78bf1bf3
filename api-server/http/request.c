/* SPDX-License-Identifier: MIT */
/*
 * Parsing with llhttp: the fields of a head, which lies in one piece, and the framing of a chunked body. The head was looked at before (head.c), so
 * that what llhttp would let pass is not there. Chunk extensions and trailers carry nothing that anybody here reads: they are refused.
 */
#include "internal.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    mr_exchange *exchange = parser->data;
    exchange->target = (uint16_t)(at - exchange->head);
    exchange->head[exchange->target + len] = '\0'; /* the blank before the version */
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    mr_exchange *exchange = parser->data;
    if (exchange->begun) { /* a trailer */
        llhttp_set_error_reason(parser, "trailers are not taken");
        return HPE_USER;
    }
    if (exchange->field_count == MR_HTTP_FIELDS_MAX)
        return HPE_USER;
    mr_field *field = &exchange->fields[exchange->field_count++];
    field->name = (uint16_t)(at - exchange->head);
    field->value = (uint16_t)(field->name + len); /* empty, unless a value follows */
    exchange->head[field->value] = '\0';          /* the colon */
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    mr_exchange *exchange = parser->data;
    if (exchange->begun || exchange->field_count == 0)
        return HPE_USER;
    if (len == 0) /* `at` is where the next line begins: the value is what stands at the colon */
        return 0;
    char *value = exchange->head + (at - exchange->head);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    value[len] = '\0'; /* blank or CR */
    exchange->fields[exchange->field_count - 1].value = (uint16_t)(at - exchange->head);
    return 0;
}

static int on_head(llhttp_t *parser)
{
    parser->upgrade = 0; /* an offer that is not taken */
    return HPE_PAUSED;   /* what follows is read when the handler wants it */
}

static int on_body(llhttp_t *parser, const char *at, size_t len);

static int on_extension(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    (void)len;
    llhttp_set_error_reason(parser, "chunk extensions are not taken");
    return HPE_USER;
}

static int on_whole(llhttp_t *parser)
{
    mr_exchange *exchange = parser->data;
    exchange->whole = true;
    return HPE_PAUSED; /* the next request is looked at first */
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_message_complete = on_whole,
};

static mr_status take_length(mr_exchange *exchange)
{
    const char *length = mr_http_field(exchange, "content-length");
    if (exchange->scan.chunked) {
        exchange->length = -1;
        return MR_OK;
    }
    exchange->length = length ? strtoll(length, NULL, 10) : 0; /* digits only, 18 at most: head.c */
    exchange->whole = exchange->length == 0;
    return MR_OK;
}

/* Random bytes of the kernel, fetched for many requests at a time. */
static const unsigned char *noise(void)
{
    static _Thread_local unsigned char bytes[64 * MR_HTTP_ID];
    static _Thread_local size_t left;
    if (left == 0) {
        if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != (ssize_t)sizeof(bytes))
            memset(bytes, 0, sizeof(bytes));
        left = sizeof(bytes);
    }
    left -= MR_HTTP_ID;
    return bytes + left;
}

void mr_request_name(mr_exchange *exchange)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
    const unsigned char *bytes = noise();
    for (size_t i = 0; i < MR_HTTP_ID; i++)
        exchange->id[i] = letters[bytes[i] & 31];
    exchange->id[MR_HTTP_ID] = '\0';
}

mr_status mr_request_parse(mr_exchange *exchange)
{
    llhttp_init(&exchange->parser, HTTP_REQUEST, &settings);
    exchange->parser.data = exchange;
    const char *space = memchr(exchange->head, ' ', exchange->head_len);
    const size_t method = space ? (size_t)(space - exchange->head) : 0;
    if (method == 0 || method >= sizeof(exchange->method))
        return MR_ERR_UNSUPPORTED;
    memcpy(exchange->method, exchange->head, method);
    exchange->method[method] = '\0';
    const llhttp_errno_t parsed = llhttp_execute(&exchange->parser, exchange->head, exchange->head_len);
    if (parsed == HPE_INVALID_METHOD)
        return MR_ERR_UNSUPPORTED;
    if (parsed != HPE_PAUSED)
        return MR_ERR_INPUT;
    llhttp_resume(&exchange->parser);
    exchange->head_only = strcmp(exchange->method, "HEAD") == 0;
    const char *target = exchange->head + exchange->target;
    if (strcmp(target, "*") == 0)
        memcpy(exchange->path, "*", 2);
    else if (!mr_target_path(target, strlen(target), exchange->path))
        return MR_ERR_PARAM;
    return take_length(exchange);
}

static bool body_is_wrong(mr_exchange *exchange, int status, const char *why)
{
    exchange->body_status = status;
    exchange->body_why = why;
    return false;
}

static bool keep(mr_exchange *exchange, const char *bytes, size_t len)
{
    if (exchange->body_len + len + 1 > exchange->body_room) {
        size_t room = exchange->body_room ? exchange->body_room * 2 : 4096;
        while (room < exchange->body_len + len + 1)
            room *= 2;
        char *grown = realloc(exchange->body, room);
        if (!grown)
            return body_is_wrong(exchange, 503, "memory is short");
        exchange->body = grown;
        exchange->body_room = room;
    }
    memcpy(exchange->body + exchange->body_len, bytes, len);
    exchange->body_len += len;
    exchange->body[exchange->body_len] = '\0';
    return true;
}

/* A piece of content, without framing. */
static bool take(mr_exchange *exchange, const char *bytes, size_t len)
{
    const mr_http_handler *handler = &exchange->server->handler;
    exchange->received += len;
    if (exchange->replied) /* refused in the middle: drained */
        return true;
    if (exchange->received > exchange->body_max)
        return body_is_wrong(exchange, 413, "the body is larger than this resource takes");
    if (!handler->body)
        return keep(exchange, bytes, len);
    if (handler->body(handler->context, exchange, bytes, len) == MR_OK || exchange->replied)
        return true;
    return body_is_wrong(exchange, 500, "the body could not be taken");
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    return take(parser->data, at, len) ? 0 : HPE_USER;
}

bool mr_request_body(mr_exchange *exchange, const char *bytes, size_t len, size_t *ret_used)
{
    *ret_used = 0;
    if (exchange->length >= 0) {
        const uint64_t left = (uint64_t)exchange->length - exchange->received;
        *ret_used = len < left ? len : (size_t)left;
        const bool taken = *ret_used == 0 || take(exchange, bytes, *ret_used);
        exchange->whole = exchange->received == (uint64_t)exchange->length;
        return taken;
    }
    const llhttp_errno_t parsed = llhttp_execute(&exchange->parser, bytes, len);
    if (parsed == HPE_OK) {
        *ret_used = len;
        return true;
    }
    if (parsed == HPE_PAUSED && exchange->whole) {
        *ret_used = (size_t)(llhttp_get_error_pos(&exchange->parser) - bytes);
        return true;
    }
    return exchange->body_status ? false : body_is_wrong(exchange, 400, "the body is not made of well-formed chunks");
}

/* ---- what handlers ask ---- */

const char *mr_http_method(const mr_exchange *exchange)
{
    return exchange->method;
}

const char *mr_http_path(const mr_exchange *exchange)
{
    return exchange->path;
}

const char *mr_http_target(const mr_exchange *exchange)
{
    return exchange->head + exchange->target;
}

const char *mr_http_field(const mr_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->field_count; i++) {
        if (strcasecmp(exchange->head + exchange->fields[i].name, name) == 0)
            return exchange->head + exchange->fields[i].value;
    }
    return NULL;
}

size_t mr_http_field_count(const mr_exchange *exchange)
{
    return exchange->field_count;
}

void mr_http_field_at(const mr_exchange *exchange, size_t index, const char **ret_name, const char **ret_value)
{
    *ret_name = exchange->head + exchange->fields[index].name;
    *ret_value = exchange->head + exchange->fields[index].value;
}

int64_t mr_http_length(const mr_exchange *exchange)
{
    return exchange->length;
}

const void *mr_http_body(const mr_exchange *exchange, size_t *ret_len)
{
    *ret_len = exchange->body_len;
    return exchange->body ? exchange->body : "";
}

const char *mr_http_peer(const mr_exchange *exchange)
{
    return exchange->connection->peer;
}

const char *mr_http_request_id(const mr_exchange *exchange)
{
    return exchange->id;
}

void mr_http_set_state(mr_exchange *exchange, void *state)
{
    exchange->state = state;
}

void *mr_http_state(const mr_exchange *exchange)
{
    return exchange->state;
}
