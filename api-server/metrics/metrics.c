/* SPDX-License-Identifier: MIT */
/* Counters, gauges and histograms in one block, and their text. */
#include "api-server/metrics/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUTES_MAX = 160, CLASSES = 6, REQUEST_BUCKETS = 10, BUCKETS = 12 };

/* Upper ends, in seconds. */
static const double request_ends[REQUEST_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5, 30};
static const double long_ends[BUCKETS] = {0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800, 7200, 43200};

typedef struct route_metrics {
    atomic_ullong answers[CLASSES]; /* by hundreds; 0: no answer */
    atomic_ullong buckets[REQUEST_BUCKETS + 1];
    atomic_ullong took_us;
} route_metrics;

struct mr_metrics {
    int64_t began_us;
    atomic_ullong counters[MR_COUNTERS];
    atomic_llong gauges[MR_GAUGES];
    struct {
        atomic_ullong buckets[BUCKETS + 1];
        atomic_ullong sum_us;
    } histograms[MR_HISTOGRAMS];
    route_metrics routes[ROUTES_MAX + 1]; /* the last one: no route */
};

typedef struct words {
    const char *name;
    const char *help;
} words;

static const words counter_words[MR_COUNTERS] = {
    [MR_COUNT_UPLOADS_STARTED] = {"millrace_uploads_started_total", "Uploads that were begun."},
    [MR_COUNT_UPLOADS_COMPLETED] = {"millrace_uploads_completed_total", "Uploads whose last byte is kept."},
    [MR_COUNT_UPLOADS_FAILED] = {"millrace_uploads_failed_total", "Uploads that were given up, refused or expired."},
    [MR_COUNT_UPLOAD_BYTES] = {"millrace_upload_bytes_total", "Bytes of uploads that were taken."},
    [MR_COUNT_RUNS_STARTED] = {"millrace_runs_started_total", "Runs that were started, resumed ones too."},
    [MR_COUNT_RUNS_SUCCEEDED] = {"millrace_runs_succeeded_total", "Runs that came to their end."},
    [MR_COUNT_RUNS_FAILED] = {"millrace_runs_failed_total", "Runs that failed."},
    [MR_COUNT_TASKS_DONE] = {"millrace_tasks_done_total", "Tasks that ran and ended."},
    [MR_COUNT_TASKS_CACHED] = {"millrace_tasks_cached_total", "Tasks whose result was there already."},
    [MR_COUNT_TASKS_AHEAD] = {"millrace_tasks_ahead_total", "Tasks that were done ahead of the upload of their source."},
    [MR_COUNT_SIGN_INS_REFUSED] = {"millrace_sign_ins_refused_total", "Attempts to sign in that were refused."},
    [MR_COUNT_RATE_LIMITED] = {"millrace_requests_limited_total", "Requests that came too fast and were refused."},
};

static const words gauge_words[MR_GAUGES] = {
    [MR_GAUGE_PROCESSING_QUEUE] = {"millrace_processing_queue_length", "Videos that are being processed or wait for it."},
    [MR_GAUGE_UPLOADS_OPEN] = {"millrace_uploads_open", "Uploads that were begun and are not complete."},
    [MR_GAUGE_EVENT_STREAMS] = {"millrace_event_streams_open", "Streams of events that clients read at the moment."},
};

static const words histogram_words[MR_HISTOGRAMS] = {
    [MR_HISTOGRAM_PROCESSING] = {"millrace_processing_seconds", "From the start of a video's run to its end."},
    [MR_HISTOGRAM_PLAYABLE] = {"millrace_time_to_playable_seconds", "From the last byte of an upload until it can be played."},
};

int64_t mr_metrics_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

mr_status mr_metrics_new(mr_metrics **ret_metrics)
{
    mr_metrics *metrics = calloc(1, sizeof(*metrics));
    *ret_metrics = metrics;
    if (!metrics)
        return MR_ERR_NOMEM;
    metrics->began_us = mr_metrics_now_us();
    return MR_OK;
}

void mr_metrics_free(mr_metrics *metrics)
{
    free(metrics);
}

static void add(atomic_ullong *to, uint64_t by)
{
    atomic_fetch_add_explicit(to, by, memory_order_relaxed);
}

void mr_metrics_count(mr_metrics *metrics, mr_counter counter, uint64_t by)
{
    add(&metrics->counters[counter], by);
}

void mr_metrics_set(mr_metrics *metrics, mr_gauge gauge, int64_t to)
{
    atomic_store_explicit(&metrics->gauges[gauge], to, memory_order_relaxed);
}

static size_t bucket_of(const double *ends, size_t count, double seconds)
{
    size_t i = 0;
    while (i < count && seconds > ends[i])
        i++;
    return i;
}

void mr_metrics_observe(mr_metrics *metrics, mr_histogram histogram, double seconds)
{
    add(&metrics->histograms[histogram].buckets[bucket_of(long_ends, BUCKETS, seconds)], 1);
    add(&metrics->histograms[histogram].sum_us, seconds > 0 ? (uint64_t)(seconds * 1e6) : 0);
}

void mr_metrics_request(mr_metrics *metrics, ptrdiff_t route, int status, int64_t took_us)
{
    route_metrics *at = &metrics->routes[route >= 0 && route < ROUTES_MAX ? route : ROUTES_MAX];
    const int hundreds = status / 100;
    add(&at->answers[hundreds > 0 && hundreds < CLASSES ? hundreds : 0], 1);
    add(&at->buckets[bucket_of(request_ends, REQUEST_BUCKETS, (double)took_us / 1e6)], 1);
    add(&at->took_us, took_us > 0 ? (uint64_t)took_us : 0);
}

/* ---- reading ---- */

static unsigned long long now(const atomic_ullong *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

uint64_t mr_metrics_counted(const mr_metrics *metrics, mr_counter counter)
{
    return now(&metrics->counters[counter]);
}

uint64_t mr_metrics_observed(const mr_metrics *metrics, mr_histogram histogram, double *ret_seconds)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS; i++)
        count += now(&metrics->histograms[histogram].buckets[i]);
    *ret_seconds = (double)now(&metrics->histograms[histogram].sum_us) / 1e6;
    return count;
}

int64_t mr_metrics_uptime(const mr_metrics *metrics)
{
    return (mr_metrics_now_us() - metrics->began_us) / 1000000;
}

/* ---- the text ---- */

static void put_head(FILE *out, const words *of, const char *type)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", of->name, of->help, of->name, type);
}

static void put_plain(FILE *out, const mr_metrics *metrics, size_t connections)
{
    static const words open = {"millrace_http_connections", "Connections that are open."};
    for (size_t i = 0; i < MR_COUNTERS; i++) {
        put_head(out, &counter_words[i], "counter");
        fprintf(out, "%s %llu\n", counter_words[i].name, now(&metrics->counters[i]));
    }
    for (size_t i = 0; i < MR_GAUGES; i++) {
        put_head(out, &gauge_words[i], "gauge");
        fprintf(out, "%s %lld\n", gauge_words[i].name, atomic_load_explicit(&metrics->gauges[i], memory_order_relaxed));
    }
    put_head(out, &open, "gauge");
    fprintf(out, "%s %zu\n", open.name, connections);
}

/* labels: "" or `route="…",` */
static void put_buckets(FILE *out, const char *name, const char *labels, const atomic_ullong *buckets, const double *ends, size_t count,
                        const atomic_ullong *sum_us)
{
    unsigned long long all = 0;
    for (size_t i = 0; i < count; i++) {
        all += now(&buckets[i]);
        fprintf(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, ends[i], all);
    }
    all += now(&buckets[count]);
    const int len = labels[0] ? (int)strlen(labels) - 1 : 0;
    fprintf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, all);
    fprintf(out, len ? "%s_sum{%.*s} %.6f\n" : "%s_sum%.*s %.6f\n", name, len, labels, (double)now(sum_us) / 1e6);
    fprintf(out, len ? "%s_count{%.*s} %llu\n" : "%s_count%.*s %llu\n", name, len, labels, all);
}

static bool was_used(const route_metrics *route)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (now(&route->answers[i]) > 0)
            return true;
    return false;
}

static void put_routes(FILE *out, const mr_metrics *metrics, const char *(*method)(size_t row), const char *(*path)(size_t row))
{
    static const words requests = {"millrace_http_requests_total", "Requests, by route and class of status; 0xx: the client went away."};
    static const words took = {"millrace_http_request_duration_seconds", "From the head of a request until its answer is out."};
    char labels[320];
    put_head(out, &requests, "counter");
    for (size_t row = 0; row <= ROUTES_MAX; row++) {
        const route_metrics *route = &metrics->routes[row];
        for (size_t i = 0; i < CLASSES; i++)
            if (now(&route->answers[i]) > 0)
                fprintf(out, "%s{method=\"%s\",route=\"%s\",status=\"%zuxx\"} %llu\n", requests.name, row < ROUTES_MAX ? method(row) : "",
                        row < ROUTES_MAX ? path(row) : "", i, now(&route->answers[i]));
    }
    put_head(out, &took, "histogram");
    for (size_t row = 0; row <= ROUTES_MAX; row++) {
        if (!was_used(&metrics->routes[row]))
            continue;
        snprintf(labels, sizeof(labels), "method=\"%s\",route=\"%s\",", row < ROUTES_MAX ? method(row) : "", row < ROUTES_MAX ? path(row) : "");
        put_buckets(out, took.name, labels, metrics->routes[row].buckets, request_ends, REQUEST_BUCKETS, &metrics->routes[row].took_us);
    }
}

char *mr_metrics_text(const mr_metrics *metrics, const char *(*method)(size_t row), const char *(*path)(size_t row), size_t connections)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    put_plain(out, metrics, connections);
    for (size_t i = 0; i < MR_HISTOGRAMS; i++) {
        put_head(out, &histogram_words[i], "histogram");
        put_buckets(out, histogram_words[i].name, "", metrics->histograms[i].buckets, long_ends, BUCKETS, &metrics->histograms[i].sum_us);
    }
    put_routes(out, metrics, method, path);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
