/* SPDX-License-Identifier: MIT */
/*
 * One picture in, one out per wanted size. A size is reached by halving a picture while it is at least three times as large, or just twice, then by
 * one good (bicubic) scale, sharper where much is left out; the halves are shared. What comes out for a size depends on the picture and that
 * size alone, on any CPU. Pictures are yuv420p or yuv420p10; sides that are not multiples of four are not halved.
 */
#ifndef MR_MEDIA_SCALE_H
#define MR_MEDIA_SCALE_H

#include <libavutil/frame.h>
#include <millrace/op.h>

typedef struct mr_scaler mr_scaler;
typedef struct mr_size {
    int width;
    int height;
} mr_size;

/* sizes (even, copied) may repeat. */
mr_status mr_scaler_new(const mr_host *host, mr_task *task, const mr_size *sizes, size_t count, mr_scaler **ret_scaler);
void mr_scaler_free(mr_scaler *scaler);
/* Lets go of memory that waits to be used again: a picture's goes when the picture does. */
void mr_scaler_trim(mr_scaler *scaler);
/* Fills out[i] (all clean frames) with a picture of sizes[i] for each i that is wanted (NULL: all). They may share buffers with each other and with
 * picture: to be read only. */
mr_status mr_scaler_run(mr_scaler *scaler, const AVFrame *picture, const bool *wanted, AVFrame *const *out);

#endif
