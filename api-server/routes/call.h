/* SPDX-License-Identifier: MIT */
/* What a call keeps while it lives, beside what its route sees. */
#ifndef MR_ROUTES_CALL_H
#define MR_ROUTES_CALL_H

#include "api-server/routes/match.h"
#include "api-server/routes/router.h"

typedef struct mr_call_parts {
    mr_call call;
    mr_match match;
    int64_t began_us;
    char *body;
    size_t body_len, body_size;
    bool claimed; /* the request's Idempotency-Key is ours to answer (repeat.c) */
    char *texts;  /* a list of blocks: the pointer to the next, then the text */
} mr_call_parts;

/* A copy that lives as long as the call. NULL: no memory. */
const char *mr_call_keep(mr_call *call, const char *text, size_t len);
/* Who asks, how often, and whether the row lets him in (admit.c). False: no, and answered. */
bool mr_call_admit(mr_call *call);
void mr_call_parts_free(mr_call_parts *parts);

/* repeat.c: a POST with an Idempotency-Key has one answer, however often it is sent. */
bool mr_call_claim(mr_call *call); /* false: answered, with what the first had */
void mr_call_keep_answer(mr_call *call, int status, const char *type, const char *text, size_t len);
void mr_call_unclaim(mr_call *call); /* there was no answer that may be told again */

#endif
