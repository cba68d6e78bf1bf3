/* SPDX-License-Identifier: MIT */
/*
 * What /metrics tells, in Prometheus' text format (exposition formats, version 0.0.4). Counting is a relaxed atomic addition, from any thread; the
 * text is a snapshot whose numbers need not fit each other to the last one.
 */
#ifndef MR_METRICS_METRICS_H
#define MR_METRICS_METRICS_H

#include <millrace/status.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_metrics mr_metrics;

typedef enum mr_counter {
    MR_COUNT_UPLOADS_STARTED, /* upload_success_rate = completed / (completed + failed) */
    MR_COUNT_UPLOADS_COMPLETED,
    MR_COUNT_UPLOADS_FAILED,
    MR_COUNT_UPLOAD_BYTES,
    MR_COUNT_RUNS_STARTED,
    MR_COUNT_RUNS_SUCCEEDED,
    MR_COUNT_RUNS_FAILED,
    MR_COUNT_TASKS_DONE,
    MR_COUNT_TASKS_CACHED,
    MR_COUNT_TASKS_AHEAD,
    MR_COUNT_SIGN_INS_REFUSED,
    MR_COUNT_RATE_LIMITED,
    MR_COUNTERS,
} mr_counter;

typedef enum mr_gauge {
    MR_GAUGE_PROCESSING_QUEUE, /* videos whose run has not ended */
    MR_GAUGE_UPLOADS_OPEN,     /* uploads that are not complete */
    MR_GAUGE_EVENT_STREAMS,    /* gauges are set by who asks for the text */
    MR_GAUGES,
} mr_gauge;

typedef enum mr_histogram {
    MR_HISTOGRAM_PROCESSING, /* seconds from the run's start to its end */
    MR_HISTOGRAM_PLAYABLE,   /* seconds from the last byte to playable */
    MR_HISTOGRAMS,
} mr_histogram;

int64_t mr_metrics_now_us(void); /* monotonic */

mr_status mr_metrics_new(mr_metrics **ret_metrics);
void mr_metrics_free(mr_metrics *metrics); /* NULL is fine */

void mr_metrics_count(mr_metrics *metrics, mr_counter counter, uint64_t by);
void mr_metrics_set(mr_metrics *metrics, mr_gauge gauge, int64_t to);
void mr_metrics_observe(mr_metrics *metrics, mr_histogram histogram, double seconds);
/* route: its row in the table; -1: none. status 0: the client went away before the answer. */
void mr_metrics_request(mr_metrics *metrics, ptrdiff_t route, int status, int64_t took_us);

uint64_t mr_metrics_counted(const mr_metrics *metrics, mr_counter counter);
/* How many there were, and their sum. */
uint64_t mr_metrics_observed(const mr_metrics *metrics, mr_histogram histogram, double *ret_seconds);
int64_t mr_metrics_uptime(const mr_metrics *metrics); /* seconds since it was made */

/* name(row): "GET /api/v1/videos/{id}"; NULL behind the last. connections: at the moment. Caller frees; NULL: no memory. */
char *mr_metrics_text(const mr_metrics *metrics, const char *(*method)(size_t row), const char *(*path)(size_t row), size_t connections);

#endif
