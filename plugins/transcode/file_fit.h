/* SPDX-License-Identifier: MIT */
/* Bringing pictures of one shape into another: cut, with bars, or as they are. */
#ifndef TRANSCODE_FILE_FIT_H
#define TRANSCODE_FILE_FIT_H

#include "media/scale.h"

typedef enum mr_fit { MR_FIT_CROP, MR_FIT_PAD, MR_FIT_SCALE } mr_fit;

/* Where a scaled picture lies in what comes out. Everything is even. */
typedef struct mr_placement {
    mr_size scaled; /* the picture is scaled to this … */
    mr_size out;    /* … and this comes out: */
    int x;          /* the scaled picture's place in it: negative when it is cut */
    int y;
} mr_placement;

/*
 * width and height: the box wanted; 0: whatever follows from the other and the picture's shape (both: the picture's own). Never enlarges: the box
 * shrinks instead, and keeps its shape.
 */
mr_placement mr_fit_place(mr_size picture, int width, int height, mr_fit fit);

typedef struct mr_fitter mr_fitter;

mr_status mr_fitter_new(const mr_host *host, mr_task *task, const mr_placement *placement, mr_fitter **ret_fitter);
void mr_fitter_free(mr_fitter *fitter);
/* yuv420p in, yuv420p of placement.out out (a clean frame), to be read only. */
mr_status mr_fitter_run(mr_fitter *fitter, const AVFrame *picture, AVFrame *out);

#endif
