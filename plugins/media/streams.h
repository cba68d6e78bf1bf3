/* SPDX-License-Identifier: MIT */
/* What the streams of an open container are, as far as decoders have to be asked. */
#ifndef MR_MEDIA_STREAMS_H
#define MR_MEDIA_STREAMS_H

#include "media/limits.h"
#include <libavformat/avformat.h>

/* avformat_find_stream_info within limits; an AVERROR where it fails. Of H.264 in MP4 the pixel format and the place of chroma may stay unknown. */
int mr_streams_find(AVFormatContext *format, const mr_limits *limits);

#endif
