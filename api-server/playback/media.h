/* SPDX-License-Identifier: MIT */
/* One published file as an answer: which may be asked for, its type, how long it may be kept, parts of it. */
#ifndef MR_PLAYBACK_MEDIA_H
#define MR_PLAYBACK_MEDIA_H

#include "api-server/http/http.h"

#include <time.h>

enum { MR_MEDIA_PATH = 1024 }; /* bytes of a path with its end */

typedef struct mr_media_file {
    int fd;
    const char *type;
    bool manifest; /* may be replaced; all else is there for good */
    bool changing; /* manifests: a run may replace it at any moment */
    uint64_t size;
    struct timespec modified;
    uint64_t inode;
} mr_media_file;

/* A plain path with a slash, to a file of a kind that viewers load: nothing that begins with a dot, no way up, no notes. */
bool mr_media_path_is_fine(const char *path);
/* path: checked; below folder, and no way out of it by links. MR_ERR_NOT_FOUND; MR_ERR_IO: it can't be opened. */
mr_status mr_media_open(int folder, const char *path, mr_media_file *ret_file);
/* The fields of every answer, so that pages of other origins may read it. */
void mr_media_fields(mr_exchange *exchange);
/* Closes it. Conditions, a range, HEAD. */
void mr_media_reply(mr_exchange *exchange, mr_media_file *take_file);

#endif
