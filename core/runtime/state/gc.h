/* SPDX-License-Identifier: MIT */
/*
 * Collecting what a state folder no longer needs: runs that are to be forgotten, results that no remembered run used, objects that no result names,
 * leftovers of processes that are gone. Safe while runs go on in other processes, and safe to be killed at any instant (docs/adr/0012).
 */
#ifndef MR_RUNTIME_GC_H
#define MR_RUNTIME_GC_H

#include "base/diag.h"
#include <millrace/status.h>

#define MR_GC_RUNS 1000u /* ended runs that are remembered at most, the latest */

typedef struct mr_gc_options {
    int64_t older_than_us; /* runs that ended longer ago are forgotten; 0: whatever their age */
    int64_t max_bytes;     /* results are dropped, the longest unused first, until what their objects take is no more; -1: whatever they take */
    bool verify;           /* read every object, and drop those that are damaged */
    bool dry_run;          /* change nothing, and say what would be done */
} mr_gc_options;

typedef struct mr_gc_report {
    uint64_t runs, results, objects, bytes; /* that went */
    uint64_t damaged;                       /* objects whose bytes are not what their name says; among those that went */
    uint64_t kept_results, kept_objects, kept_bytes;
} mr_gc_report;

/* The state folder must exist: MR_ERR_NOT_FOUND without a word when nothing ever ran with it. */
mr_status mr_gc(const char *state_dir, const mr_gc_options *options, mr_diags *diags, mr_gc_report *ret_report);

#endif
