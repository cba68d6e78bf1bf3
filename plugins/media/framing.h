/* SPDX-License-Identifier: MIT */
/*
 * How a packet lies in an MP4 sample. H.264 and HEVC from encoders and transport streams have start codes (ISO/IEC 14496-10 annex B) and get
 * lengths of four bytes; AV1 loses the OBUs that the container makes superfluous (AV1-ISOBMFF §2.4); everything else is taken as it is.
 */
#ifndef MR_MEDIA_FRAMING_H
#define MR_MEDIA_FRAMING_H

#include "media/boxes.h"
#include <libavcodec/avcodec.h>

typedef enum mr_framing_kind { MR_FRAMING_AS_IS, MR_FRAMING_H264, MR_FRAMING_HEVC, MR_FRAMING_AV1 } mr_framing_kind;

typedef struct mr_framing {
    mr_framing_kind kind;
    const uint8_t *headers; /* the codec's parameter sets, borrowed: repeated in a packet, they are left out */
    size_t headers_len;
} mr_framing;

/* codec must outlive the result. */
mr_framing mr_framing_of(const AVCodecParameters *codec);
/* Appends the packet's bytes as a sample. AVERROR_INVALIDDATA: neither start codes nor OBUs where they are expected. */
int mr_framing_append(const mr_framing *framing, const uint8_t *data, size_t len, mr_bytes *out);
/* The next NAL unit behind a start code at or after data; NULL: none. *ret_len: without the zeroes that trail it. */
const uint8_t *mr_nal_next(const uint8_t *data, const uint8_t *end, size_t *ret_len);

#endif
