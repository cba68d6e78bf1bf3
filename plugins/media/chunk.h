/* SPDX-License-Identifier: MIT */
/* A video chunk (docs/plugin-author/artifacts.md), read and checked: what a task needs to make its part of the picture track alone. */
#ifndef MR_MEDIA_CHUNK_H
#define MR_MEDIA_CHUNK_H

#include "media/bounds.h"

#include <libavutil/pixfmt.h>
#include <libavutil/rational.h>
#include <millrace/op.h>

typedef enum mr_interlacing { MR_PROGRESSIVE, MR_TOP_FIRST, MR_BOTTOM_FIRST } mr_interlacing;
typedef enum mr_hdr { MR_HDR_NONE, MR_HDR_PQ, MR_HDR_HLG } mr_hdr; /* hdr10 is PQ with metadata */

/* What info.video says of the source. Colours are those of the container, AV…UNSPECIFIED where it is silent. */
typedef struct mr_picture_info {
    int width, height;                 /* as coded */
    int display_width, display_height; /* upright, square pixels, even */
    AVRational sar;
    AVRational frame_rate;
    int rotation; /* clockwise, to show it upright: 0, 90, 180, 270 */
    bool mirror;  /* first of all, left to right */
    bool variable_rate;
    mr_interlacing interlacing;
    mr_hdr hdr;
    enum AVColorRange range;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
} mr_picture_info;

/* A time in a plan or in what a probe tells, in µs: so far from the ends of the range that a few of them can be added. */
static inline bool mr_is_media_time(int64_t us)
{
    return us >= -(INT64_MAX / 8) && us <= INT64_MAX / 8;
}

typedef struct mr_chunk_segment {
    uint32_t index;      /* in the rendition */
    int64_t first_frame; /* on the plan's grid */
    int frames;
} mr_chunk_segment;

typedef struct mr_chunk {
    uint32_t index;
    int stream;
    int64_t origin_us; /* source time of output time 0 */
    AVRational fps;
    uint32_t timescale;
    uint32_t frame_ticks;
    int64_t first_frame;
    int frames;
    bool last;
    int64_t decode_from_us;
    mr_media_bounds bounds;
    mr_chunk_segment *segments;
    size_t segment_count;
    int longest_segment; /* frames */
    mr_picture_info picture;
} mr_chunk;

/* Reports what is wrong with it. mr_chunk_free is due in any case. */
mr_status mr_chunk_read(const mr_host *host, mr_task *task, const mr_artifact *artifact, mr_chunk *ret_chunk);
void mr_chunk_free(mr_chunk *chunk);

/* info.video, or a chunk's picture (a json_t *). Returns what is wrong with it, or NULL. */
struct json_t;
const char *mr_picture_info_read(const struct json_t *object, mr_picture_info *ret_info);

#endif
