/* SPDX-License-Identifier: MIT */
/*
 * Which bytes of a source hold what lies between two times, for containers whose index stands at their end, or that have none (Matroska, MPEG-TS).
 * Who reads a chunk of such a source by its bounds sees a source that ends where they do, and need not ask its end for an index: what it makes
 * depends on these bytes and those of the container's beginning alone, and can be made before the rest is there.
 */
#ifndef MR_MEDIA_BOUNDS_H
#define MR_MEDIA_BOUNDS_H

#include <libavformat/avformat.h>
#include <stdbool.h>

struct json_t;

typedef struct mr_media_bounds {
    bool known;      /* false: the whole source is read, in the container's own way */
    int64_t from;    /* a place in the file at which reading may begin for what is shown at from_us or later. 0: the container finds it */
    int64_t from_us; /* of the stream */
    uint64_t until;  /* what lies from this byte on is not there to be seen. 0: all is */
} mr_media_bounds;

/* A chunk's "bytes" (docs/plugin-author/artifacts.md); NULL, or what makes no sense: not known. */
mr_media_bounds mr_media_bounds_read(const struct json_t *bytes);
/* New reference; NULL: no memory. */
struct json_t *mr_media_bounds_json(const mr_media_bounds *bounds);
/* Tells libav's demuxer where reading may begin, where that is a place it can seek to by its index (Matroska). */
void mr_media_bounds_seed(AVFormatContext *format, int stream, const mr_media_bounds *bounds);

#endif
