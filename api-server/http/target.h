/* SPDX-License-Identifier: MIT */
/* Paths and queries of request targets (RFC 3986 section 3.3 and 3.4; form encoding as in the WHATWG URL standard). Pure functions. */
#ifndef MR_HTTP_TARGET_H
#define MR_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes the path of a target (up to '?') into path, which has room for len + 1 bytes. False: an escape that is none, a NUL, a control character, a
 * backslash, a segment "." or "..", an empty segment within, or an escaped slash: each is a way to mean another file than it seems. Nor
 * may a NUL be in what stands behind '?'.
 */
bool mr_target_path(const char *target, size_t len, char *path);

typedef struct mr_query {
    const char *next;
    const char *end;
} mr_query;

mr_query mr_target_query(const char *target, size_t len); /* of what stands behind '?' */
/*
 * The next pair, decoded in place of name and value, which have room for size bytes each. 1: there was one; 0: the end; -1: an escape that is none, a
 * NUL, or a pair that is too long.
 */
int mr_query_next(mr_query *query, char *name, char *value, size_t size);

#endif
