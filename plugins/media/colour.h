/* SPDX-License-Identifier: MIT */
/* From whatever colours a source has to those that encoders are given: the chain of filters that does it. */
#ifndef MR_MEDIA_COLOUR_H
#define MR_MEDIA_COLOUR_H

#include "media/chunk.h"
#include <libavutil/frame.h>

/* Fills in what the frame doesn't say of its colours, from the container, else as players guess; formats that imply full range (yuvj…) become plain.
 */
void mr_colour_complete(AVFrame *frame, const mr_picture_info *info);
/* Writes the filters for frames like this one (completed; turned upright by filters before), ending in an 8-bit, or with keep_hdr 10-bit, 4:2:0
 * format. buf: at least 512 bytes. */
void mr_colour_chain(const AVFrame *frame, const mr_picture_info *info, bool keep_hdr, char *buf, size_t size);

#endif
