/* SPDX-License-Identifier: MIT */
/* Where a source can be cut into segments without encoding it again, and whether it is fit for streaming as it is. */
#ifndef SEGMENT_CUTS_H
#define SEGMENT_CUTS_H

#include <jansson.h>
#include "grid.h"

typedef struct cuts_options {
    int64_t target_us; /* wanted length of a segment */
    int64_t most_us;   /* longest that is accepted */
} cuts_options;

typedef struct cut_list {
    int64_t origin_us; /* source time of output time 0 */
    size_t count;      /* segments */
    int64_t *start_us; /* count + 1: presentation start of each, from time 0; then the end */
    size_t *packet;    /* with a picture, count + 1: the packet (mr_scan.frames) with which each begins; then where packets end */
    int64_t peak_bits; /* bits per second of the fattest segment's pictures */
} cut_list;

/* Is the picture (info.video) one that players take as it is? Reports why not, and what to do. */
/* Reports "the source can't be streamed as it is: WHAT"; MR_ERR_INPUT. */
mr_status cuts_unfit(const mr_host *host, mr_task *task, const char *what);
mr_status cuts_check_picture(const mr_host *host, mr_task *task, const AVStream *stream, const json_t *picture);
mr_status cuts_check_sound(const mr_host *host, mr_task *task, const AVStream *stream);

/* grid is laid out. */
mr_status cuts_find(const mr_host *host, mr_task *task, const frame_grid *grid, const mr_scan *scan, AVRational time_base,
                    const cuts_options *options, cut_list *ret_cuts);
/* Without a picture: every target_us. */
mr_status cuts_even(const mr_host *host, mr_task *task, int64_t origin_us, int64_t end_us, const cuts_options *options, cut_list *ret_cuts);
void cuts_free(cut_list *cuts);

#endif
