/* SPDX-License-Identifier: MIT */
/*
 * The ops of a pipeline with their own tables (ports, params, batches, memory) from their plugins, but a run() that takes the time that was measured
 * and gives artifacts of the right number and shape. transcode.ladder's rungs, segment.plan's chunks and thumbnail.sheets' sheets are made by
 * the rules that those ops document.
 */
#ifndef FLEET_MODELLED_OPS_H
#define FLEET_MODELLED_OPS_H

#include "runtime/plugins.h"

#define FLEET_RUNGS 4

/* Seconds of one CPU. Where "per second" stands: of the video's duration. */
typedef struct fleet_costs {
    double probe;             /* per video */
    double plan;              /* per second: it reads every packet */
    double decode;            /* per second, once a batch, with the scaling */
    double analyse;           /* per second */
    double rung[FLEET_RUNGS]; /* per second, highest first */
    double audio;             /* per second */
    double poster;            /* per video */
    double storyboard;        /* per picture on its sheets */
} fleet_costs;

typedef struct fleet_video {
    double seconds;
    int64_t arrived_us; /* virtual time */
    int64_t playable_us;
    int64_t complete_us;
    int64_t worked_us; /* CPU time of all its tasks */
    unsigned first_pieces;
} fleet_video;

/* videos: what the source named NUMBER is; written to by the ops. Both are borrowed for the life of the process. */
bool modelled_ops_init(const mr_op_set *real, const fleet_costs *costs, fleet_video *videos, size_t video_count, mr_op_set *ret_ops);
/* How many videos are complete so far. */
size_t modelled_ops_complete(void);

#endif
