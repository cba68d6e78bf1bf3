/* SPDX-License-Identifier: MIT */
/* Answers, and what is read of a request. */
#include "api-server/routes/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_MAX = 1024 };

#define FORM (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* the digits of a double that hold: 0.1 is 0.1 */

/* ---- memory ---- */

const char *mr_call_keep(mr_call *call, const char *text, size_t len)
{
    char *block = malloc(sizeof(char *) + len + 1);
    if (!block)
        return NULL;
    memcpy(block, &call->parts->texts, sizeof(char *));
    call->parts->texts = block;
    memcpy(block + sizeof(char *), text, len);
    block[sizeof(char *) + len] = '\0';
    return block + sizeof(char *);
}

void mr_call_parts_free(mr_call_parts *parts)
{
    for (char *block = parts->texts; block;) {
        char *next;
        memcpy(&next, block, sizeof(next));
        free(block);
        block = next;
    }
    json_decref(parts->call.json);
    free(parts->body);
    free(parts);
}

/* ---- answers ---- */

void mr_call_text(mr_call *call, int status, const char *type, const char *text, size_t len)
{
    if (call->parts->claimed)
        mr_call_keep_answer(call, status, type, text, len);
    mr_http_reply_field(call->exchange, "Content-Type", type);
    mr_http_reply(call->exchange, status, text, len);
}

void mr_call_json(mr_call *call, int status, json_t *take_json)
{
    char *text = take_json ? json_dumps(take_json, FORM) : NULL;
    json_decref(take_json);
    if (text)
        mr_call_text(call, status, "application/json", text, strlen(text));
    else
        mr_call_problem(call, 503, "no-memory", "the server is short of memory");
    free(text);
}

void mr_call_number_field(mr_call *call, const char *name, int64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, number);
    mr_http_reply_field(call->exchange, name, text);
}

void mr_call_empty(mr_call *call, int status)
{
    mr_http_reply(call->exchange, status, NULL, 0);
}

static void send_problem(mr_call *call, int status, const char *code, const char *detail, json_t *take_errors)
{
    json_t *problem = json_pack("{s:s+, s:s, s:i, s:s, s:s, s:o*}", "type", MR_PROBLEM_TYPE, code, "title", mr_http_reason(status), "status", status,
                                "detail", detail, "request_id", call->request_id, "errors", take_errors);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    if (text)
        mr_call_text(call, status, "application/problem+json", text, strlen(text));
    else
        mr_http_reply_problem(call->exchange, status, code, "");
    free(text);
}

void mr_call_problem(mr_call *call, int status, const char *code, const char *fmt, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    send_problem(call, status, code, detail, NULL);
}

void mr_call_invalid(mr_call *call, json_t *take_errors)
{
    send_problem(call, 422, "invalid", "the request has mistakes; errors lists them", take_errors);
}

void mr_call_status(mr_call *call, mr_status status, const char *what)
{
    switch (status) {
    case MR_ERR_NOT_FOUND: mr_call_problem(call, 404, "not-found", "there is no such %s", what); break;
    case MR_ERR_CONFLICT: mr_call_problem(call, 409, "conflict", "the %s is there already, or has changed meanwhile", what); break;
    case MR_ERR_LIMIT: mr_call_problem(call, 413, "too-large", "the %s is too large", what); break;
    case MR_ERR_PARAM:
    case MR_ERR_INPUT: mr_call_problem(call, 422, "invalid", "the %s can't be used", what); break;
    case MR_ERR_NOMEM:
    case MR_ERR_UNAVAILABLE:
        mr_http_reply_field(call->exchange, "Retry-After", "2");
        mr_call_problem(call, 503, "unavailable", "the server can't do that at the moment");
        break;
    default: mr_call_problem(call, 500, "internal", "something went wrong; the log of the server says what, under this request's id"); break;
    }
}

/* ---- the request ---- */

static int hex(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    letter |= 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded, as the WHATWG's URL standard decodes it. In place. */
static size_t decode(char *text, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        const bool escaped = text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        if (escaped) {
            text[out++] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            text[out++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    text[out] = '\0';
    return out;
}

const char *mr_call_query(mr_call *call, const char *name)
{
    const char *at = strchr(mr_http_target(call->exchange), '?');
    const size_t name_len = strlen(name);
    while (at) {
        at++;
        const size_t len = strcspn(at, "&");
        if (strncmp(at, name, name_len) == 0 && (at[name_len] == '=' || name_len == len)) {
            const size_t skip = at[name_len] == '=' ? name_len + 1 : name_len;
            char *copy = (char *)mr_call_keep(call, at + skip, len - skip);
            return copy && strlen(copy) == len - skip && decode(copy, len - skip) == strlen(copy) ? copy : NULL;
        }
        at = at[len] ? at + len : NULL;
    }
    return NULL;
}

bool mr_call_query_number(mr_call *call, const char *name, int64_t least, int64_t most, int64_t standard, int64_t *ret)
{
    const char *text = mr_call_query(call, name);
    char *end = NULL;
    errno = 0;
    *ret = text ? strtoll(text, &end, 10) : standard;
    if (!text || (end != text && *end == '\0' && errno == 0 && *ret >= least && *ret <= most))
        return true;
    mr_call_problem(call, 400, "bad-query", "'%s' must be a whole number from %lld to %lld", name, (long long)least, (long long)most);
    return false;
}

/* A Host field is the client's word: good enough to tell it where it is, and for nothing else. */
const char *mr_call_origin(mr_call *call)
{
    const char *url = call->server->settings->public_url;
    char text[512];
    if (url) {
        size_t len = strlen(url);
        return mr_call_keep(call, url, url[len - 1] == '/' ? len - 1 : len);
    }
    const char *host = mr_http_field(call->exchange, "Host");
    int len = snprintf(text, sizeof(text), "http://%s", host ? host : "localhost");
    return len > 0 && (size_t)len < sizeof(text) ? mr_call_keep(call, text, (size_t)len) : NULL;
}
