/* SPDX-License-Identifier: MIT */
/* The server about itself. */
#include "api-server/metadata/videos.h"
#include "api-server/metrics/metrics.h"
#include "api-server/routes/routes.h"
#include "api-server/routes/uploads.h"
#include "api-server/videos/videos.h"

#include <stdlib.h>
#include <string.h>

void mr_route_healthz(mr_call *call)
{
    mr_call_text(call, 200, "text/plain", "ok\n", 3);
}

void mr_route_readyz(mr_call *call)
{
    int64_t free_bytes = 0;
    if (mr_server_has_room(call->server, &free_bytes)) {
        mr_call_text(call, 200, "text/plain", "ready\n", 6);
        return;
    }
    mr_http_reply_field(call->exchange, "Retry-After", "60");
    mr_call_problem(call, 503, "disk-full",
                    "there is no room on the disk for uploads: %lld bytes are free, and %lld stay so (setting server.keep_free)",
                    (long long)free_bytes, (long long)call->server->settings->keep_free);
}

char *mr_about_text(const mr_server *server)
{
    json_t *json = json_pack("{s:s, s:s, s:b, s:I}", "name", server->settings->name, "version", server->host->version, "registration",
                             server->settings->registration == MR_REGISTRATION_OPEN, "max_upload_bytes", (json_int_t)server->settings->upload_max);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

void mr_route_server(mr_call *call)
{
    const char *text = call->server->about;
    mr_call_text(call, 200, "application/json", text, strlen(text));
}

static const char *method_of(size_t row)
{
    return mr_route_table[row].method;
}

static const char *path_of(size_t row)
{
    return mr_route_table[row].path;
}

/* What is counted elsewhere. */
static void set_gauges(const mr_server *server)
{
    json_t *numbers = mr_metadata_stats(server->metadata);
    const json_t *queue = json_object_get(json_object_get(numbers, "videos"), mr_video_status_name(MR_VIDEO_PROCESSING));
    mr_metrics_set(server->metrics, MR_GAUGE_PROCESSING_QUEUE, json_integer_value(queue));
    mr_metrics_set(server->metrics, MR_GAUGE_UPLOADS_OPEN, json_integer_value(json_object_get(numbers, "uploads")));
    mr_metrics_set(server->metrics, MR_GAUGE_EVENT_STREAMS, (int64_t)mr_hub_clients(mr_videos_hub(server->videos)));
    json_decref(numbers);
}

void mr_route_metrics(mr_call *call)
{
    const mr_server *server = call->server;
    set_gauges(server);
    char *text = mr_metrics_text(server->metrics, method_of, path_of, mr_http_connections(server->http));
    if (text)
        mr_call_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text, strlen(text));
    else
        mr_call_status(call, MR_ERR_NOMEM, "text");
    free(text);
}
