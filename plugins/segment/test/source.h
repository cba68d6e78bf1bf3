/* SPDX-License-Identifier: MIT */
/* What the tests of this plugin share: a source probed and planned, and decoding it from any place. */
#ifndef SEGMENT_TEST_SOURCE_H
#define SEGMENT_TEST_SOURCE_H

#include <jansson.h>
#include "media/decoder.h"
#include "op_host.h"

/* An op of this plugin or of probe. */
const mr_op *source_op(const char *name);
/* probe.media's info of a file; NULL with its words printed. */
char *source_info(const char *path);

typedef struct source_plan {
    char *info;
    json_t *plan;
    json_t *chunks, *audio_chunks, *opening; /* arrays */
} source_plan;

/* False with the words of the op that failed printed. params may be NULL. */
bool source_plan_make(const char *path, const char *params, source_plan *ret_plan);
void source_plan_free(source_plan *plan);

int64_t source_int(const json_t *object, const char *key);

/* A decoded frame: when, and a sum of its bytes. */
typedef struct source_frame {
    int64_t us;
    uint32_t sum;
} source_frame;

/* Decodes a stream from from_us on (INT64_MIN: without seeking) until until_us. False: it could not be opened. frames: free. */
bool source_decode(const char *path, int stream, int64_t from_us, int64_t until_us, source_frame **ret_frames, size_t *ret_count);

/* Every chunk, decoded from where the plan says, shows on each of its grid frames what decoding from the start shows there. Prints what differs. */
bool source_chunks_agree(const char *path, const source_plan *plan);

#endif
