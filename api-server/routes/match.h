/* SPDX-License-Identifier: MIT */
/* Whether a path is that of a route: "/api/v1/videos/{id}", "/media/{token}/{path*}". */
#ifndef MR_ROUTES_MATCH_H
#define MR_ROUTES_MATCH_H

#include <stdbool.h>
#include <stddef.h>

enum { MR_MATCH_IDS = 3, MR_MATCH_BYTES = 2048 };

typedef struct mr_match {
    const char *ids[MR_MATCH_IDS]; /* point into text */
    char text[MR_MATCH_BYTES];
} mr_match;

/* path is decoded. A part between slashes is never empty; {…*} takes the rest, slashes and all. False: it is another's, or too long. */
bool mr_match_path(const char *pattern, const char *path, mr_match *ret_match);

#endif
