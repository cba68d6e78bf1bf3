/* SPDX-License-Identifier: MIT */
/*
 * The grid of output frames and what of the source each part of it needs. Pure arithmetic over what a scan found.
 * Rules (docs/plugin-author/artifacts.md): a source frame belongs to the grid frame nearest to its time; a grid frame that gets none repeats the one
 * before it (the first ones: the first); one that gets several keeps the last.
 */
#ifndef SEGMENT_GRID_H
#define SEGMENT_GRID_H

#include "media/scan.h"

/* One frame that decoding yields. */
typedef struct grid_frame {
    int64_t us;    /* presentation time in the source */
    size_t packet; /* its place in decoding order: index in mr_scan.frames */
} grid_frame;

typedef struct frame_grid {
    AVRational fps;
    bool variable;
    bool thinned;             /* the source has more frames than the grid */
    int64_t origin_us;        /* source time of output time 0 */
    int64_t start_us, end_us; /* of the picture track, source time */
    int64_t frames;           /* on the grid */
    uint32_t timescale, frame_ticks;
    grid_frame *shown; /* by time */
    size_t shown_count;
} frame_grid;

/* Refuses a source whose clock starts anew on the way: its parts can't be told from each other by their times. */
mr_status grid_check_clock(const AVFormatContext *format, const mr_scan *scan);

/* Lists the frames that make pictures, by time. Frames before the first keyframe are none. grid is zeroed before. False: memory ran out. */
bool grid_list(const mr_scan *scan, AVRational time_base, frame_grid *grid);
void grid_free(frame_grid *grid);

/* Leaves out the frames before until_us that are not among those which decoding gave: sorted times. */
void grid_keep_decoded(frame_grid *grid, int64_t until_us, const int64_t *decoded_us, size_t count);

/* Sets rate, origin and length. fps {0, 0}: found from the times. earliest_us: when the first track starts (the picture's own start is looked at as
 * well). */
void grid_lay_out(frame_grid *grid, const mr_scan *scan, const AVStream *stream, AVRational fps, AVRational max_fps, int64_t earliest_us);

/* Of which keyframe (source time) decoding must start, so that grid frame n, and with context the source frame before it, come out right. */
int64_t grid_decode_from(const frame_grid *grid, const mr_scan *scan, const AVStream *stream, int64_t n, bool context);

/* The first keyframe has pictures that are shown before it but come after it, or packets lie before it: only decoding tells which of these come out.
 */
bool grid_has_doubtful_head(const mr_scan *scan, AVRational time_base, int64_t *ret_until_us);

#endif
