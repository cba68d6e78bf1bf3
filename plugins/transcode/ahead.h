/* SPDX-License-Identifier: MIT */
/*
 * Pictures that are made ahead on a thread of their own while others are encoded: decoding and encoding keep two processors busy. What comes out, and
 * its order, is the same as without. As many sets of pictures wait as AHEAD_SETS: memory is bounded, and who makes them waits.
 */
#ifndef MR_TRANSCODE_AHEAD_H
#define MR_TRANSCODE_AHEAD_H

#include <libavutil/frame.h>
#include <millrace/op.h>

typedef struct mr_ahead mr_ahead;

/* Makes set number index: refers to its pictures in out; those that are not wanted stay empty. Called on the thread, from 0 up to total, until one
 * fails. */
typedef mr_status (*mr_ahead_make)(void *context, int index, AVFrame *const *out);

mr_status mr_ahead_start(size_t width, int total, mr_ahead_make make, void *context, mr_ahead **ret_ahead); /* no memory, no thread: MR_ERR_LIMIT */
/* Moves the next set into out, of which it lets go. What 'make' said when it failed; MR_END: that was all. */
mr_status mr_ahead_take(mr_ahead *ahead, AVFrame *const *out);
void mr_ahead_stop(mr_ahead *ahead); /* waits for the set that is being made, if any; NULL is fine */

#endif
