/* SPDX-License-Identifier: MIT */
/*
 * The pictures of one chunk: upright, on the plan's grid of frames, in the colours that encoders are given. De-interlaced, rotated and mirrored,
 * HDR tone-mapped to SDR or kept, anything else brought to BT.709 in limited range and 4:2:0, and through the user's filters. Sizes and the shape
 * of pixels stay as they are: scaling (scale.h) goes straight to the wanted size.
 * What comes out depends on the chunk and the options alone, not on what was decoded before.
 */
#ifndef MR_MEDIA_PICTURE_H
#define MR_MEDIA_PICTURE_H

#include "media/chunk.h"
#include <libavutil/frame.h>

typedef struct mr_picture_options {
    mr_filters filters;
    bool keep_hdr; /* PQ and HLG stay as they are, in 10 bits */
} mr_picture_options;

/* What comes out for a chunk: known before anything is decoded. */
typedef struct mr_picture_kind {
    enum AVPixelFormat format; /* yuv420p, or yuv420p10 where HDR is kept */
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    const char *video_range; /* as HLS calls it: SDR, PQ, HLG */
} mr_picture_kind;

typedef struct mr_pictures mr_pictures;

mr_picture_kind mr_pictures_kind(const mr_chunk *chunk, const mr_picture_options *options);
/* source, chunk and the texts of options are borrowed until mr_pictures_close. */
mr_status mr_pictures_open(const mr_host *host, mr_task *task, const mr_artifact *source, const mr_chunk *chunk, const mr_picture_options *options,
                           mr_pictures **ret_pictures);
void mr_pictures_close(mr_pictures *pictures);
/* The next frame of the chunk; *ret_repeat: it is the one before once more (same buffers). MR_END after chunk->frames of them. Where the source ends
 * early the last picture is repeated, and the task warned. */
mr_status mr_pictures_next(mr_pictures *pictures, AVFrame *ret_frame, bool *ret_repeat);
/* Makes memory for the next ones (mr_decoder_prepare). On any thread. */
void mr_pictures_prepare(const mr_pictures *pictures);
/* Starts over at the chunk's first frame. */
mr_status mr_pictures_rewind(mr_pictures *pictures);

#endif
