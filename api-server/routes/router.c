/* SPDX-License-Identifier: MIT */
/*
 * The handler of the HTTP server: finds the route, lets the caller in or not, gathers the body, and calls the route.
 *
 * Memory: a call and what it needs lie in one block that is made when the head has come and freed when the exchange has ended.
 */
#include "api-server/routes/router.h"

#include "api-server/base/clock.h"
#include "api-server/metadata/accounts.h"
#include "api-server/metrics/metrics.h"
#include "api-server/routes/call.h"
#include "api-server/routes/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- begin ---- */

static bool is_method(const mr_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* NULL: answered. */
static const mr_route *find_route(mr_call *call, const char *method, const char *path)
{
    char allow[128] = "";
    size_t len = 0;
    for (const mr_route *route = mr_route_table; route->method; route++) {
        if (!mr_match_path(route->path, path, &call->parts->match))
            continue;
        if (is_method(route, method))
            return route;
        if (strcmp(route->path, "/{path*}") == 0)
            break; /* the page has an answer to everything, but that is no reason to speak of methods */
        int added = snprintf(allow + len, sizeof(allow) - len, "%s%s", len ? ", " : "", route->method);
        len = added > 0 && len + (size_t)added < sizeof(allow) ? len + (size_t)added : len;
    }
    if (len == 0) {
        mr_call_problem(call, 404, "not-found", "there is nothing at '%s'", path);
        return NULL;
    }
    mr_http_reply_field(call->exchange, "Allow", allow);
    if (strcmp(method, "OPTIONS") == 0)
        mr_call_empty(call, 204);
    else
        mr_call_problem(call, 405, "method-not-allowed", "'%s' takes %s", path, allow);
    return NULL;
}

static uint64_t body_bound(const mr_route *route)
{
    switch (route->takes) {
    case MR_BODY_NONE: return 0;
    case MR_BODY_JSON: return route->body_max ? route->body_max : MR_JSON_MAX;
    case MR_BODY_KEPT: return route->body_max;
    case MR_BODY_PIECES: break;
    }
    return route->body_max ? route->body_max : UINT64_MAX;
}

static void on_begin(void *context, mr_exchange *exchange, mr_lane *ret_lane, uint64_t *ret_body_max)
{
    mr_call_parts *parts = calloc(1, sizeof(*parts));
    if (!parts) {
        mr_http_reply_problem(exchange, 503, "no-memory", "the server is short of memory");
        return;
    }
    mr_call *call = &parts->call;
    parts->began_us = mr_metrics_now_us();
    *call = (mr_call){.server = context, .exchange = exchange, .request_id = mr_http_request_id(exchange), .parts = parts};
    mr_http_set_state(exchange, call);
    const mr_route *route = find_route(call, mr_http_method(exchange), mr_http_path(exchange));
    if (!route)
        return;
    call->route = route;
    memcpy(call->ids, parts->match.ids, sizeof(call->ids));
    if (!mr_call_admit(call))
        return;
    const mr_platform_host *host = call->server->host;
    *ret_lane = route->hooked && route->lane == MR_LANE_QUICK && host->has_hook(host->platform, route->hooked) ? MR_LANE_SLOW : route->lane;
    *ret_body_max = body_bound(route);
    if (route->begin)
        route->begin(call, ret_body_max);
}

/* ---- the body ---- */

static mr_status keep(mr_call_parts *parts, const void *data, size_t len)
{
    if (parts->body_len + len + 1 > parts->body_size) {
        size_t size = parts->body_size ? parts->body_size * 2 : 4096;
        while (size < parts->body_len + len + 1)
            size *= 2;
        char *grown = realloc(parts->body, size);
        if (!grown)
            return MR_ERR_NOMEM;
        parts->body = grown;
        parts->body_size = size;
    }
    memcpy(parts->body + parts->body_len, data, len);
    parts->body_len += len;
    parts->body[parts->body_len] = '\0';
    return MR_OK;
}

static mr_status on_body(void *context, mr_exchange *exchange, const void *data, size_t len)
{
    (void)context;
    mr_call *call = mr_http_state(exchange);
    if (call->route->takes == MR_BODY_PIECES) { /* uploads, all of them */
        mr_metrics_count(call->server->metrics, MR_COUNT_UPLOAD_BYTES, len);
        return call->route->body(call, data, len);
    }
    mr_status status = keep(call->parts, data, len);
    if (status != MR_OK)
        mr_call_problem(call, 503, "no-memory", "the server is short of memory");
    return status;
}

static bool read_json(mr_call *call)
{
    json_error_t error = {0};
    const mr_call_parts *parts = call->parts;
    call->json = parts->body_len > 0 ? json_loadb(parts->body, parts->body_len, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (!call->json)
        mr_call_problem(call, 400, "bad-json", "the body is no JSON: %s (line %d, column %d)", error.text, error.line, error.column);
    else if (!json_is_object(call->json))
        mr_call_problem(call, 400, "bad-json", "the body must be a JSON object");
    return json_is_object(call->json);
}

static void on_answer(void *context, mr_exchange *exchange)
{
    (void)context;
    mr_call *call = mr_http_state(exchange);
    if (call->route->takes == MR_BODY_JSON && !call->json && !read_json(call))
        return;
    call->body = call->parts->body;
    call->body_len = call->parts->body_len;
    if (call->who.is_key && call->route->lane != MR_LANE_QUICK) /* once an hour it writes */
        mr_key_used(call->server->metadata, call->who.proof, mr_now_us());
    if (mr_call_claim(call))
        call->route->answer(call);
}

static void log_request(const mr_server *server, json_t *take_fields)
{
    char *text = take_fields ? json_dumps(take_fields, JSON_COMPACT) : NULL;
    if (text)
        server->host->log(server->host->platform, MR_SERVER_LOG_INFO, "request", text, "");
    free(text);
    json_decref(take_fields);
}

/* One line for each request; what strangers wrote is made safe by the log. */
static void log_access(const mr_call *call, int status, int64_t len, int64_t took_us)
{
    log_request(call->server,
                json_pack("{s:s, s:s, s:i, s:I, s:f, s:s, s:s, s:s*}", "method", mr_http_method(call->exchange), "path", mr_http_path(call->exchange),
                          "status", status, "bytes", (json_int_t)len, "ms", (double)took_us / 1000, "peer", mr_http_peer(call->exchange), "id",
                          call->request_id, "user", call->who.user[0] ? call->who.user : NULL));
}

static void on_refused(void *context, const mr_exchange *exchange, const char *why)
{
    const mr_server *server = context;
    int64_t len = 0;
    const int status = mr_http_answered(exchange, &len);
    if (server->settings->access_log)
        log_request(server, json_pack("{s:s, s:i, s:I, s:s, s:s, s:s}", "method", mr_http_method(exchange), "status", status, "bytes",
                                      (json_int_t)len, "peer", mr_http_peer(exchange), "id", mr_http_request_id(exchange), "refused", why));
}

static void on_ended(void *context, mr_exchange *exchange)
{
    const mr_server *server = context;
    mr_call *call = mr_http_state(exchange);
    if (!call)
        return;
    int64_t len = 0;
    const int status = mr_http_answered(exchange, &len);
    const int64_t took_us = mr_metrics_now_us() - call->parts->began_us;
    mr_metrics_request(server->metrics, call->route ? call->route - mr_route_table : -1, status, took_us);
    if (server->settings->access_log && !(call->route && call->route->quiet))
        log_access(call, status, len, took_us);
    if (call->route && call->route->ended)
        call->route->ended(call);
    mr_call_unclaim(call);
    mr_call_parts_free(call->parts);
}

mr_http_handler mr_router_handler(mr_server *server)
{
    return (mr_http_handler){.context = server, .begin = on_begin, .body = on_body, .answer = on_answer, .ended = on_ended, .refused = on_refused};
}
