/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a client may send them: head, fields, path, framing of the body. A head that is taken has one meaning only; what it says lies within it;
 * the body is as long as the framing says, however it is cut.
 */
#include "api-server/http/internal.h"
#include "api-server/http/target.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool right)
{
    if (!right)
        abort();
}

static bool lies_in_head(const mr_exchange *exchange, const char *text)
{
    return text >= exchange->head && text + strlen(text) < exchange->head + exchange->head_len;
}

static void check_path(const char *path)
{
    require(path[0] == '/' || strcmp(path, "*") == 0);
    require(!strstr(path, "/../") && !strstr(path, "/./") && !strstr(path, "//") && !strchr(path, '\\'));
    require(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static void check_head(const mr_exchange *exchange)
{
    size_t hosts = 0;
    size_t framings = 0;
    for (size_t i = 0; i < mr_http_field_count(exchange); i++) {
        const char *name = NULL;
        const char *value = NULL;
        mr_http_field_at(exchange, i, &name, &value);
        require(lies_in_head(exchange, name) && lies_in_head(exchange, value));
        require(!strpbrk(name, " \t\r\n:") && !strpbrk(value, "\r\n"));
        hosts += strcasecmp(name, "host") == 0;
        framings += strcasecmp(name, "content-length") == 0 || strcasecmp(name, "transfer-encoding") == 0;
    }
    require(hosts <= 1 && framings <= 1);
    check_path(mr_http_path(exchange));
}

static void check_query(const mr_exchange *exchange)
{
    char name[64];
    char value[64];
    const char *target = mr_http_target(exchange);
    mr_query query = mr_target_query(target, strlen(target));
    int more = 1;
    while (more > 0) {
        more = mr_query_next(&query, name, value, sizeof(name));
        require(more <= 0 || (strlen(name) < sizeof(name) && strlen(value) < sizeof(value)));
    }
}

/* In pieces of a size that the input chooses. */
static void feed_body(mr_exchange *exchange, const char *bytes, size_t len)
{
    const size_t piece = len ? (size_t)(unsigned char)bytes[len - 1] + 1 : 1;
    size_t used = 0;
    for (size_t at = 0; at < len && !exchange->whole; at += used) {
        const size_t most = len - at < piece ? len - at : piece;
        if (!mr_request_body(exchange, bytes + at, most, &used)) {
            require(exchange->body_status >= 400 && exchange->body_why);
            return;
        }
        require(used <= most && (used == most || exchange->whole));
    }
    require(exchange->body_len == exchange->received && exchange->received <= exchange->body_max);
    require(!exchange->whole || exchange->length < 0 || exchange->received == (uint64_t)exchange->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mr_http_server server; /* takes bodies into memory */
    mr_exchange *exchange = calloc(1, sizeof(*exchange));
    const size_t have = size < MR_HTTP_HEAD_MAX ? size : MR_HTTP_HEAD_MAX;
    if (!exchange)
        return 0;
    exchange->server = &server;
    exchange->body_max = 65536;
    memcpy(exchange->head, data, have);
    if (mr_head_look(&exchange->scan, exchange->head, have) == MR_HEAD_WHOLE) {
        exchange->head_len = exchange->scan.at;
        if (mr_request_parse(exchange) == MR_OK) {
            check_head(exchange);
            check_query(exchange);
            exchange->begun = true;
            feed_body(exchange, (const char *)data + exchange->head_len, size - exchange->head_len);
        }
    } else {
        require(exchange->scan.status == 0 || exchange->scan.why);
    }
    free(exchange->body);
    free(exchange);
    return 0;
}
