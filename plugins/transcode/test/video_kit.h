/* SPDX-License-Identifier: MIT */
/* Chunks by hand, and transcode.analyse and transcode.video run on them as the engine would: alone or as a batch. */
#ifndef VIDEO_KIT_H
#define VIDEO_KIT_H

#include "op_host.h"
#include "pictures.h"

enum { KIT_SEGMENTS_MAX = 8, KIT_RUNGS_MAX = 4 };

typedef struct kit_source {
    const char *path;
    int width, height;
    int display_width, display_height; /* 0: as coded */
    int fps, fps_den;                  /* of the plan; fps_den 0: 1 */
    int64_t origin_us;
    const char *more; /* further members of the chunk's picture, each with a comma before it; NULL: none */
} kit_source;

typedef struct kit_rung {
    const char *id;
    int width, height;
    int64_t max_bitrate;
} kit_rung;

/* A chunk of segments of so many frames (0 ends the list) from first_frame on. decode_from_us: of the keyframe before it. To be freed. */
char *kit_chunk(const kit_source *source, int index, int first_frame, int64_t decode_from_us, const int *segments);

typedef struct kit_run {
    const kit_source *source;
    const char *chunk;
    const char *params; /* YAML; NULL: the defaults */
    const kit_rung *rungs;
    size_t rung_count;
    bool analyse; /* transcode.analyse comes first, else each rung is on its own */
    bool batch;   /* all in one batch, else one task after the other */
    uint32_t cancel_after;
    uint32_t processors;                 /* 0: one */
    const struct mr_filter_set *filters; /* that params may name */
    const char *analyse_params;
} kit_run;

/* One result for each rung. Each must begin with the init segment that transcode.init makes without any picture. */
void kit_video(const kit_run *run, op_result *results);

/* The bytes of the init segment (of the first result) and the media segments of several results, in order. To be freed. */
uint8_t *kit_join(const op_result *results, size_t count, size_t *ret_len);
bool kit_same(const op_result *a, const op_result *b);

#endif
