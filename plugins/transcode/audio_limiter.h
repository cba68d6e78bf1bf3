/* SPDX-License-Identifier: MIT */
/*
 * Keeps true peaks under a ceiling by turning the sound down around them, smoothly, for less than a tenth of a second. What it does to a sample
 * depends on the MR_LIMITER_FRAMES frames before it and after it alone: so chunks that are made apart fit together.
 */
#ifndef TRANSCODE_AUDIO_LIMITER_H
#define TRANSCODE_AUDIO_LIMITER_H

#include <libavutil/frame.h>
#include <stdbool.h>

enum { MR_LIMITER_FRAMES = 4 };

typedef struct mr_limiter mr_limiter;

/* Frames of so many samples, float, planar or packed. ceiling: linear. NULL: no memory. */
mr_limiter *mr_limiter_new(int channels, int frame_size, double ceiling);
void mr_limiter_free(mr_limiter *limiter);
/* Takes a frame's samples, and puts those of MR_LIMITER_FRAMES frames before in their place. False: there are none yet, the frame is as good as
 * empty. */
bool mr_limiter_run(mr_limiter *limiter, AVFrame *frame);

#endif
