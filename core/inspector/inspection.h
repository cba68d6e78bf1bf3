/* SPDX-License-Identifier: MIT */
/*
 * What `millrace test-plugin` and the inspector in the task host share: a page of memory, the file MR_INSPECTION_FILE beside the inspector's own. The
 * wishes are written while nothing runs; what was seen is added to by __atomic builtins while an op runs, and set to zero by the tool.
 */
#ifndef MR_INSPECTION_H
#define MR_INSPECTION_H

#include <stdint.h>

#define MR_INSPECTION_FILE  "inspection"
#define MR_INSPECTION_WHERE 96

typedef struct mr_inspection {
    /* Read once, when the host starts. */
    char plugin[4096]; /* the real path of the plugin that is inspected */

    /* Wishes. 0: none. */
    uint32_t fill;            /* what fresh memory holds, plus 1 */
    uint64_t fail_allocation; /* the number, from 1, of the one that fails … */
    uint32_t fail_on;         /* … with all that come after it */
    uint32_t reserved;
    uint64_t fail_call; /* the number, from 1, of the call to the host that fails */
    uint64_t cancel_at; /* the number, from 1, of the cancelled() that is the first to be true */

    /* What was seen. */
    uint64_t entered;  /* calls of run() … */
    uint64_t returned; /* … and those that came back */
    int64_t status;    /* of the last */
    int64_t run_us;    /* of all */
    uint64_t tasks;    /* of all batches */
    uint64_t largest;  /* batch */
    uint64_t allocations;
    uint64_t calls;                         /* those that can fail */
    uint64_t asked;                         /* cancelled() */
    int64_t cancelled_us;                   /* when cancelled() was first true, monotonic */
    int64_t after_cancel_us;                /* from then to the end of run() */
    int64_t contents;                       /* made and neither emitted nor freed when run() returned */
    char failed_where[MR_INSPECTION_WHERE]; /* the allocation that was refused: "example.so+0x1234" */
} mr_inspection;

#endif
