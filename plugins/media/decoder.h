/* SPDX-License-Identifier: MIT */
/* One stream of an open input, as frames in presentation order. Damaged packets are skipped and counted, as players do. */
#ifndef MR_MEDIA_DECODER_H
#define MR_MEDIA_DECODER_H

#include <libavcodec/avcodec.h>
#include "media/input.h"

typedef struct mr_decoder mr_decoder;

typedef struct mr_decoder_options {
    bool keyframes_only; /* decodes nothing else, skips the loop filter: thumbnails */
    bool one_by_one;     /* each packet is a whole picture and needs no other, as keyframes that are not two fields do: it is given at once */
    int threads;         /* 0 and 1: one */
} mr_decoder_options;

/* Other streams of format are discarded. format is borrowed; options may be NULL. */
mr_status mr_decoder_open(const mr_host *host, mr_task *task, AVFormatContext *format, int stream, const mr_decoder_options *options,
                          mr_decoder **ret_decoder);
void mr_decoder_close(mr_decoder *decoder);
/* Goes to the keyframe at or before us (source time, AV_TIME_BASE units); where the container can't seek, from the start. */
mr_status mr_decoder_seek(mr_decoder *decoder, int64_t us);
/* *frame is unreferenced and filled; MR_END at the end. *ret_us: its timestamp in source time, µs (guessed where missing, never backwards). */
mr_status mr_decoder_next(mr_decoder *decoder, AVFrame *frame, int64_t *ret_us);
/* Makes memory for the next pictures, so that decoding need not wait for it. On any thread, also while mr_decoder_next() is at work on another. */
void mr_decoder_prepare(const mr_decoder *decoder);
uint64_t mr_decoder_damaged(const mr_decoder *decoder); /* packets that did not decode */

#endif
