/* SPDX-License-Identifier: MIT */
/*
 * How often somebody may ask: a bucket for each of them that fills within a minute (GCRA: one time a bucket). Memory is bounded, whatever the number
 * of those who ask: where there is no room, the bucket that is fullest goes, which is the one that matters least.
 */
#ifndef MR_LIMITS_H
#define MR_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_limits mr_limits;

typedef enum mr_limit_kind {
    MR_LIMIT_API,     /* requests of a user, or of an address */
    MR_LIMIT_SIGN_IN, /* passwords from an address */
    MR_LIMIT_ACCOUNT, /* passwords for an account, from wherever */
    MR_LIMIT_KINDS,
    MR_LIMIT_NONE = MR_LIMIT_KINDS,
} mr_limit_kind;

typedef struct mr_limit_verdict {
    bool let_in;
    uint32_t limit;     /* a minute; 0: there is none, and the rest is 0, too */
    uint32_t remaining; /* at once */
    uint32_t seconds;   /* let in: until the bucket is full; not: until one more is let in */
} mr_limit_verdict;

/* per_minute: of each kind; 0: no limit. NULL: no memory. */
mr_limits *mr_limits_new(const uint32_t per_minute[MR_LIMIT_KINDS]);
void mr_limits_free(mr_limits *limits); /* NULL is fine */
/* Takes one from the bucket of whose. Any thread; waits for nobody for long. now_us: of a clock that doesn't jump. */
mr_limit_verdict mr_limits_take(mr_limits *limits, mr_limit_kind kind, const char *whose, int64_t now_us);

#endif
