/* SPDX-License-Identifier: MIT */
/* What the headers of H.264 (ITU-T H.264, 7.3.2.1) say of its pictures, without a decoder. */
#ifndef MR_MEDIA_H264_H
#define MR_MEDIA_H264_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

/* Is each picture a whole frame, as all parameter sets of the configuration record (avcC) say? False: there may be fields, or it is not known. */
bool mr_h264_has_frames_only(const AVCodecParameters *codec);

#endif
