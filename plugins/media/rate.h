/* SPDX-License-Identifier: MIT */
/* Finding the frame rate that a picture track really has, from the times of its frames. */
#ifndef MR_MEDIA_RATE_H
#define MR_MEDIA_RATE_H

#include <libavutil/rational.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_rate {
    AVRational fps; /* nominal: with a constant rate, frame n lies at n/fps to within the timestamps' own rounding */
    bool variable;
} mr_rate;

/* times: sorted presentation times, each once, in ticks of time_base. hints: what the container claims, {0, 0} for none; a claim counts only when it
 * fits the times, or when there is but one frame. */
mr_rate mr_rate_find(const int64_t *times, size_t count, AVRational time_base, const AVRational *hints, size_t hint_count);

/* The rate at most max, by leaving out frames evenly (60 -> 30, never 60 -> 50). max {0, 0}: as it is. */
AVRational mr_rate_cap(AVRational fps, AVRational max);

#endif
