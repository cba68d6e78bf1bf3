/* SPDX-License-Identifier: MIT */
/*
 * Status codes: what every function of Millrace that can fail returns.
 * Zero is success, negative is an error, positive is an answer that is not an error.
 * A status says what to do about it; the words for people are in diagnostics.
 */
#ifndef MILLRACE_STATUS_H
#define MILLRACE_STATUS_H

typedef enum mr_status {
    MR_OK = 0,
    MR_END = 1,              /* a stream has no further items */
    MR_NOT_YET = 2,          /* the bytes are not there yet: return it from run(), and the task is queued again */
    MR_ERR_INPUT = -1,       /* an input can't be used: never tried again */
    MR_ERR_PARAM = -2,       /* a param's value can't be used: never tried again */
    MR_ERR_UNSUPPORTED = -3, /* this build or machine can't do it: never tried again */
    MR_ERR_UNAVAILABLE = -4, /* something outside is away for now: tried again, with backoff */
    MR_ERR_IO = -5,          /* the disk or the output folder refused */
    MR_ERR_NOMEM = -6,       /* memory ran out */
    MR_ERR_LIMIT = -7,       /* a documented limit was exceeded */
    MR_ERR_CANCELLED = -8,   /* the run, or this task, was cancelled or ran out of time */
    MR_ERR_NOT_FOUND = -9,   /* what was asked for does not exist */
    MR_ERR_CONFLICT = -10,   /* it exists already, or changed meanwhile */
    MR_ERR_INTERNAL = -11,   /* a defect: please report it */
} mr_status;

#endif
