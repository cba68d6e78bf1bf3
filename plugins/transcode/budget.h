/* SPDX-License-Identifier: MIT */
/*
 * How many bits a rung of a chunk gets, from one attempt to the next.
 * A chunk's mean stays under MR_CEILING_TOLERANCE × max_bitrate, so that the title's does, and each segment under what may flow in while it plays
 * and the buffer before it; what comes out over is made again. What the next attempt is told depends on the chunk, the rung and the params alone.
 */
#ifndef TRANSCODE_BUDGET_H
#define TRANSCODE_BUDGET_H

#include "analysis.h"
#include "rate.h"
#include "rung.h"

/* By how much a chunk's mean may exceed its rung's max_bitrate. A chunk shorter than a second counts as one: a key frame must fit in. */
#define MR_CEILING_TOLERANCE 1.03

typedef struct mr_budget {
    const mr_chunk *chunk;
    const mr_rung *rung;
    const mr_video_params *params;
    const mr_analysis *analysis; /* NULL: the encoder's constant quality decides */
    const char *stats;           /* with an analysis: where the second pass finds its statistics */
    mr_rate_model model;         /* with an analysis */
    double share;                /* bits that the title gives the chunk; 0: quality decides */
    mr_rung_rate rate;           /* what the next attempt is told */
    int attempts;                /* that were over, or far below after one that was */
    bool corrected;              /* the wanted quality was missed once */
    bool guarded;                /* a second pass minds the decoder's buffer: a fifth of its time, so not before it is found to be needed */
    double excess;               /* of the last attempt */
    struct mr_budget_try {
        double crf;
        double bits; /* 0: there was none */
    } over, under;   /* constant quality: the strictest attempt that was over, and the least strict that was not */
} mr_budget;

/* What one attempt came to. */
typedef struct mr_attempt {
    double bits;    /* all segments */
    double segment; /* the worst one's bits ÷ what it may take */
    double qp;      /* mean quantiser; 0: not known */
} mr_attempt;

/* Sets budget->rate for the first attempt. bitrate: the title's share of this chunk, or 0. All pointers are borrowed for as long as the budget is
 * used. Writes the statistics. */
mr_status mr_budget_begin(const mr_host *host, mr_task *task, mr_budget *budget, int64_t bitrate);
/* After an attempt: is it to be made again? If so, *ret_again and budget->rate says how. budget->excess above 1: it is over, and stays it. */
mr_status mr_budget_revise(const mr_host *host, mr_task *task, mr_budget *budget, const mr_attempt *made, bool *ret_again);

#endif
