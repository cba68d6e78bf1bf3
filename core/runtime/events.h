/* SPDX-License-Identifier: MIT */
/*
 * Every state change of a run is an event. The progress bars, the JSON log and run.json are readers of it, nothing more.
 * Readers are called one event at a time, in order, on a thread of the run's own and without any lock (delivery.c). A slow reader slows the run: its
 * events wait in a bounded queue. It must not wait for the run itself.
 */
#ifndef MR_RUNTIME_EVENTS_H
#define MR_RUNTIME_EVENTS_H

#include "base/json.h"
#include <millrace/op.h>
#include <stdint.h>

typedef enum mr_event_type {
    MR_EVENT_RUN_STARTED,   /* total: tasks known so far */
    MR_EVENT_NODE_PLANNED,  /* node, total: number of its tasks is now known */
    MR_EVENT_TASK_STARTED,  /* node, item, attempt */
    MR_EVENT_TASK_PROGRESS, /* node, item, fraction */
    MR_EVENT_TASK_DONE,     /* node, item, state, reason, elapsed_us, cpu_us */
    MR_EVENT_TASK_RETRY,    /* node, item, attempt, reason */
    MR_EVENT_TASK_REPORT,   /* node, item, severity, reason: a message that an op left */
    MR_EVENT_NODE_DONE,     /* node, state */
    MR_EVENT_OUTPUT,        /* node, item; detail: {port, type, meta, digest, size} of a committed artifact */
    MR_EVENT_RUN_DONE,      /* state, reason */
} mr_event_type;

typedef struct mr_event {
    mr_event_type type;
    uint64_t seq;    /* from 1, without gaps */
    int64_t time_us; /* wall clock */
    const char *run;
    const char *node;  /* NULL where it is about the run */
    const char *item;  /* coordinates, "3,1"; "" for a node's only task; NULL where it is about a node or the run */
    const char *state; /* task and run states: pending ready running succeeded cached failed cancelled skipped */
    const char *reason;
    const char *hint; /* what to do about the reason */
    mr_severity severity;
    uint32_t attempt;
    uint64_t total;
    double fraction;
    int64_t elapsed_us;
    int64_t cpu_us;
    const json_t *detail; /* borrowed */
} mr_event;

typedef void (*mr_event_reader)(void *context, const mr_event *event);
const char *mr_event_name(mr_event_type type); /* "task.done" */
json_t *mr_event_json(const mr_event *event);  /* only the fields that say something; new reference; NULL: no memory */

#endif
