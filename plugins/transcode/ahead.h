/* SPDX-License-Identifier: MIT */
/*
 * Pictures that are decoded ahead on a thread of their own while others are scaled and encoded: that keeps two processors busy. What comes out, and
 * its order, is the same as without. No more pictures wait than AHEAD_MAX: memory is bounded, and who makes them waits.
 */
#ifndef MR_TRANSCODE_AHEAD_H
#define MR_TRANSCODE_AHEAD_H

#include <libavutil/frame.h>
#include <millrace/op.h>

typedef struct mr_ahead mr_ahead;

/* Makes picture number index, or leaves it empty. Called on the thread, from 0 up to total, until one fails. */
typedef mr_status (*mr_ahead_make)(void *context, int index, AVFrame *picture);

mr_status mr_ahead_start(int total, mr_ahead_make make, void *context, mr_ahead **ret_ahead); /* no memory, no thread: MR_ERR_LIMIT */
/* Moves the next picture into this one, of which it lets go. What 'make' said when it failed; MR_END: that was all. */
mr_status mr_ahead_take(mr_ahead *ahead, AVFrame *picture);
void mr_ahead_stop(mr_ahead *ahead); /* waits for the picture that is being made, if any; NULL is fine */

#endif
