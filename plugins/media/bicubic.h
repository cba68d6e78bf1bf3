/* SPDX-License-Identifier: MIT */
/*
 * Pictures of one size to another by zimg's bicubic filter, whose bytes are the same on every processor. For yuv420p and yuv420p10, chroma on the
 * left luma column.
 */
#ifndef MR_MEDIA_BICUBIC_H
#define MR_MEDIA_BICUBIC_H

#include "media/scale.h"

enum { MR_BICUBIC_ALIGNMENT = 64 }; /* of all lines, in bytes: where they begin, and the room they have */

typedef struct mr_bicubic mr_bicubic;

/* Where a side of 'from' is odd, the frames that are given have its last line of luma twice; those of 'to' are even. sharpness: C of Mitchell and
 * Netravali (Reconstruction Filters in Computer Graphics, 1988) with B = 0. NULL: it can't be done, or memory ran out. */
mr_bicubic *mr_bicubic_new(mr_size from, mr_size to, enum AVPixelFormat format, double sharpness);
void mr_bicubic_free(mr_bicubic *bicubic);
/* One thread at a time. to: has its buffer. */
bool mr_bicubic_run(const mr_bicubic *bicubic, const AVFrame *from, const AVFrame *to);

#endif
