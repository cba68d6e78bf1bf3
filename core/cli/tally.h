/* SPDX-License-Identifier: MIT */
/* What the events of a run add up to, per node and altogether. Not for several threads at once: its owner locks. */
#ifndef MR_CLI_TALLY_H
#define MR_CLI_TALLY_H

#include "graph/pipeline.h"
#include "runtime/events.h"

typedef enum mr_node_state {
    MR_NODE_WAITING,
    MR_NODE_RUNNING,
    MR_NODE_SUCCEEDED,
    MR_NODE_FAILED,
    MR_NODE_CANCELLED,
    MR_NODE_SKIPPED,
} mr_node_state;

typedef struct mr_tally_node {
    const mr_node *node;
    mr_node_state state;
    bool planned;   /* total is final */
    uint64_t total; /* tasks known so far */
    uint64_t done;  /* of them, ended in whatever way */
    uint64_t cached, failed, skipped, running;
    double fraction;    /* of the running tasks, added up */
    int64_t started_us; /* wall clock of its first task; 0: none yet */
    int64_t ended_us;
    int64_t work_us; /* what its tasks took, added up (cached ones took none) */
    int64_t cpu_us;
} mr_tally_node;

typedef struct mr_running mr_running; /* a task that runs */

typedef struct mr_tally {
    mr_tally_node *nodes; /* as in the pipeline */
    size_t count;
    mr_running *running;
    int64_t started_us, ended_us;
    char state[16]; /* of the run: "succeeded" …; "" while it runs */
} mr_tally;

bool mr_tally_init(mr_tally *tally, const mr_pipeline *pipeline); /* false: memory is short */
void mr_tally_clear(mr_tally *tally);
/* The node it was about, or NULL. */
mr_tally_node *mr_tally_add(mr_tally *tally, const mr_event *event);

const char *mr_node_state_name(mr_node_state state);

typedef struct mr_totals {
    uint64_t tasks, done, cached, failed;
    double fraction; /* 0 … 1 */
} mr_totals;
mr_totals mr_tally_totals(const mr_tally *tally);
/* Microseconds until the end, from what each node's tasks took so far; -1: can't be told. */
int64_t mr_tally_remaining_us(const mr_tally *tally, int64_t now_us);

#endif
