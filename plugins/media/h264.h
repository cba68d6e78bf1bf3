/* SPDX-License-Identifier: MIT */
/* What the headers of H.264 (ITU-T H.264, 7.3.2.1) say of its pictures, without a decoder. */
#ifndef MR_MEDIA_H264_H
#define MR_MEDIA_H264_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

typedef struct mr_h264_headers {
    bool frames_only;               /* each picture is a whole frame; false: there may be fields, or it is not known */
    int reorder;                    /* by how many pictures the order of showing differs from that of decoding at most (E.2.1); -1: not told */
    AVRational sample_aspect_ratio; /* 0/1: not told */
    enum AVColorRange range;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
} mr_h264_headers;

/* What the parameter sets of the configuration record (avcC) say: frames_only, where all do; the rest, where they agree in all of it. Nothing is
 * known without a record, and of other codecs. */
mr_h264_headers mr_h264_read_headers(const AVCodecParameters *codec);

#endif
