/* SPDX-License-Identifier: MIT */
/* Numbers for people: of a video for its owner, of the whole server for its administrators. */
#include "api-server/base/clock.h"
#include "api-server/metrics/metrics.h"
#include "api-server/routes/videos.h"
#include "api-server/videos/videos.h"

#include <sys/statvfs.h>

enum { DAYS = 30, TENTHS = 10 };

#define DAY_US INT64_C(86400000000)

/* [{day, views}] of the last DAYS days of UTC, today's last; days without views too. video: NULL: of all. NULL: an error. */
static json_t *views_by_day(mr_call *call, const char *video)
{
    int64_t views[DAYS] = {0};
    char text[MR_TIME_SIZE];
    const int64_t first = mr_now_us() / DAY_US - DAYS + 1;
    if (mr_view_days(call->server->metadata, video, first, DAYS, views) != MR_OK)
        return NULL;
    json_t *days = json_array();
    for (int i = 0; i < DAYS; i++) {
        mr_time_text((first + i) * DAY_US, text);
        text[10] = '\0'; /* its date */
        json_array_append_new(days, json_pack("{s:s, s:I}", "day", text, "views", (json_int_t)views[i]));
    }
    return days;
}

static json_t *counts_json(const int64_t *counts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)counts[i]));
    return list;
}

void mr_route_video_stats(mr_call *call)
{
    int64_t stopped[TENTHS] = {0};
    int64_t views = 0;
    const mr_video_view *view = mr_call_video(call, true);
    if (!view)
        return;
    mr_metadata *metadata = call->server->metadata;
    const double duration = view->duration;
    mr_status status = mr_view_count(metadata, call->ids[0], &views);
    if (status == MR_OK && duration > 0)
        status = mr_position_shares(metadata, call->ids[0], duration, TENTHS, stopped);
    json_t *days = status == MR_OK ? views_by_day(call, call->ids[0]) : NULL;
    if (!days) {
        mr_call_status(call, status == MR_OK ? MR_ERR_IO : status, "video");
        return;
    }
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(
        call, 200,
        json_pack("{s:I, s:o, s:o}", "views", (json_int_t)views, "days", days, "stopped", duration > 0 ? counts_json(stopped, TENTHS) : json_null()));
}

/* ---- the server ---- */

static json_t *count_of(const mr_call *call, mr_counter counter)
{
    return json_integer((json_int_t)mr_metrics_counted(call->server->metrics, counter));
}

static json_t *mean_of(const mr_call *call, mr_histogram histogram)
{
    double seconds = 0;
    const uint64_t count = mr_metrics_observed(call->server->metrics, histogram, &seconds);
    return count > 0 ? json_real(seconds / (double)count) : json_null();
}

/* How much room there is where everything lies. */
static json_t *storage_json(const mr_call *call, const json_t *numbers)
{
    struct statvfs disk;
    const bool known = statvfs(call->server->host->data_dir, &disk) == 0;
    json_t *free_bytes = known ? json_integer((json_int_t)disk.f_bavail * (json_int_t)disk.f_frsize) : json_null();
    json_t *disk_bytes = known ? json_integer((json_int_t)disk.f_blocks * (json_int_t)disk.f_frsize) : json_null();
    return json_pack("{s:O, s:o, s:o}", "sources_bytes", json_object_get(numbers, "bytes"), "free_bytes", free_bytes, "disk_bytes", disk_bytes);
}

static json_t *uploads_json(const mr_call *call, const json_t *numbers)
{
    return json_pack("{s:O, s:o, s:o, s:o, s:o}", "open", json_object_get(numbers, "uploads"), "started", count_of(call, MR_COUNT_UPLOADS_STARTED),
                     "completed", count_of(call, MR_COUNT_UPLOADS_COMPLETED), "failed", count_of(call, MR_COUNT_UPLOADS_FAILED), "bytes",
                     count_of(call, MR_COUNT_UPLOAD_BYTES));
}

static json_t *processing_json(const mr_call *call, const json_t *numbers)
{
    return json_pack("{s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "queue_length",
                     json_object_get(json_object_get(numbers, "videos"), mr_video_status_name(MR_VIDEO_PROCESSING)), "runs_started",
                     count_of(call, MR_COUNT_RUNS_STARTED), "runs_succeeded", count_of(call, MR_COUNT_RUNS_SUCCEEDED), "runs_failed",
                     count_of(call, MR_COUNT_RUNS_FAILED), "tasks_done", count_of(call, MR_COUNT_TASKS_DONE), "tasks_cached",
                     count_of(call, MR_COUNT_TASKS_CACHED), "mean_seconds", mean_of(call, MR_HISTOGRAM_PROCESSING), "mean_seconds_to_playable",
                     mean_of(call, MR_HISTOGRAM_PLAYABLE));
}

void mr_route_admin_stats(mr_call *call)
{
    const mr_server *server = call->server;
    json_t *numbers = mr_metadata_stats(server->metadata);
    json_t *days = numbers ? views_by_day(call, NULL) : NULL;
    if (!days) {
        json_decref(numbers);
        mr_call_status(call, MR_ERR_IO, "numbers");
        return;
    }
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, 200,
                 json_pack("{s:s, s:I, s:O, s:O, s:{s:O, s:o}, s:o, s:o, s:o, s:{s:I, s:I, s:o, s:o}}", "version", server->host->version,
                           "uptime_seconds", (json_int_t)mr_metrics_uptime(server->metrics), "users", json_object_get(numbers, "users"), "videos",
                           json_object_get(numbers, "videos"), "views", "total", json_object_get(numbers, "views"), "days", days, "storage",
                           storage_json(call, numbers), "uploads", uploads_json(call, numbers), "processing", processing_json(call, numbers), "http",
                           "connections", (json_int_t)mr_http_connections(server->http), "event_streams",
                           (json_int_t)mr_hub_clients(mr_videos_hub(server->videos)), "sign_ins_refused", count_of(call, MR_COUNT_SIGN_INS_REFUSED),
                           "requests_limited", count_of(call, MR_COUNT_RATE_LIMITED)));
    json_decref(numbers);
}
