/* SPDX-License-Identifier: MIT */
/*
 * The head of a request, looked at before it is parsed: what may mean one thing here and another to a proxy in front is refused (RFC 9112 sections
 * 2.2, 5.1, 5.2, 6.1, 6.3; RFC 9110 section 7.2). Stricter than the RFCs allow a server to be, never looser.
 */
#ifndef MR_HTTP_HEAD_H
#define MR_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define MR_HTTP_HEAD_MAX   16384 /* bytes of a head, with the empty line */
#define MR_HTTP_TARGET_MAX 8192  /* bytes of a request target */
#define MR_HTTP_FIELDS_MAX 100

typedef enum mr_head_verdict {
    MR_HEAD_MORE, /* not whole yet, nothing wrong so far */
    MR_HEAD_WHOLE,
    MR_HEAD_BAD,
} mr_head_verdict;

typedef struct mr_head_scan {
    size_t at;    /* bytes that were looked at; 0 at first. Calls with more of the same head go on there */
    size_t line;  /* where the current line begins */
    size_t lines; /* complete ones */
    bool host;
    bool length;
    bool chunked;
    bool version_1_0;
    int status;      /* of a BAD one: 400, 414, 431, 501 or 505 */
    const char *why; /* of a BAD one: static text */
} mr_head_scan;

/* bytes: the head from its beginning, as far as it has come. WHOLE: scan->at is its length with the empty line. */
mr_head_verdict mr_head_look(mr_head_scan *scan, const char *bytes, size_t len);

#endif
