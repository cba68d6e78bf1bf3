/* SPDX-License-Identifier: MIT */
/* See framing.h. */
#include "media/framing.h"

#include <string.h>

enum {
    H264_AUD = 9,
    H264_FILLER = 12,
    H264_SPS = 7,
    H264_PPS = 8,
    HEVC_AUD = 35,
    HEVC_FILLER = 38,
    HEVC_VPS = 32,
    HEVC_PPS = 34,
    OBU_TEMPORAL_DELIMITER = 2,
    OBU_TILE_LIST = 8,
    OBU_PADDING = 15,
};

static bool has_start_codes(const AVCodecParameters *codec)
{
    /* A configuration record (avcC, hvcC) begins with its version, 1; parameter sets with a start code. */
    return codec->extradata_size < 4 || codec->extradata[0] == 0;
}

mr_framing mr_framing_of(const AVCodecParameters *codec)
{
    mr_framing framing = {.headers = codec->extradata, .headers_len = codec->extradata_size > 0 ? (size_t)codec->extradata_size : 0};
    if (codec->codec_id == AV_CODEC_ID_AV1)
        framing.kind = MR_FRAMING_AV1;
    else if (codec->codec_id == AV_CODEC_ID_H264 && has_start_codes(codec))
        framing.kind = MR_FRAMING_H264;
    else if (codec->codec_id == AV_CODEC_ID_HEVC && has_start_codes(codec))
        framing.kind = MR_FRAMING_HEVC;
    return framing;
}

/* The first byte of a 00 00 01, or end. */
static const uint8_t *find_start_code(const uint8_t *data, const uint8_t *end)
{
    while (end - data >= 3) {
        const uint8_t *one = memchr(data + 2, 1, (size_t)(end - data - 2));
        if (!one)
            return end;
        if (one[-1] == 0 && one[-2] == 0)
            return one - 2;
        data = one - 1;
    }
    return end;
}

const uint8_t *mr_nal_next(const uint8_t *data, const uint8_t *end, size_t *ret_len)
{
    const uint8_t *start = find_start_code(data, end);
    if (end - start < 4)
        return NULL;
    start += 3;
    const uint8_t *stop = find_start_code(start, end);
    while (stop > start && stop[-1] == 0)
        stop--;
    *ret_len = (size_t)(stop - start);
    return start;
}

static bool is_superfluous(const mr_framing *framing, const uint8_t *nal, size_t len)
{
    int type = framing->kind == MR_FRAMING_H264 ? nal[0] & 0x1f : nal[0] >> 1 & 0x3f;
    bool header = framing->kind == MR_FRAMING_H264 ? type == H264_SPS || type == H264_PPS : type >= HEVC_VPS && type <= HEVC_PPS;
    if (header)
        return framing->headers_len >= len && memmem(framing->headers, framing->headers_len, nal, len);
    return framing->kind == MR_FRAMING_H264 ? type == H264_AUD || type == H264_FILLER : type == HEVC_AUD || type == HEVC_FILLER;
}

static int append_nals(const mr_framing *framing, const uint8_t *data, size_t len, mr_bytes *out)
{
    const uint8_t *end = data + len;
    const uint8_t *nal = data;
    size_t nal_len = 0;
    size_t before = out->len;
    while ((nal = mr_nal_next(nal, end, &nal_len))) {
        if (nal_len > 0 && !is_superfluous(framing, nal, nal_len)) {
            mr_bytes_u32(out, (uint32_t)nal_len);
            mr_bytes_put(out, nal, nal_len);
        }
        nal += nal_len;
    }
    if (out->failed)
        return AVERROR(ENOMEM);
    return out->len > before ? 0 : AVERROR_INVALIDDATA;
}

static int append_obus(const uint8_t *data, size_t len, mr_bytes *out)
{
    size_t before = out->len;
    while (len > 0) {
        size_t header = data[0] & 0x04 ? 2 : 1;
        uint64_t size = 0;
        size_t at = header;
        if (!(data[0] & 0x02)) { /* no size field: it is the last one and fills the packet */
            size = len - (header < len ? header : len);
        } else {
            unsigned shift = 0;
            do {
                if (at >= len || shift > 28)
                    return AVERROR_INVALIDDATA;
                size |= (uint64_t)(data[at] & 0x7f) << shift;
                shift += 7;
            } while (data[at++] & 0x80);
        }
        if (at > len || size > len - at)
            return AVERROR_INVALIDDATA;
        int type = data[0] >> 3 & 0x0f;
        if (type != OBU_TEMPORAL_DELIMITER && type != OBU_TILE_LIST && type != OBU_PADDING)
            mr_bytes_put(out, data, at + (size_t)size);
        data += at + size;
        len -= at + (size_t)size;
    }
    if (out->failed)
        return AVERROR(ENOMEM);
    return out->len > before ? 0 : AVERROR_INVALIDDATA;
}

int mr_framing_append(const mr_framing *framing, const uint8_t *data, size_t len, mr_bytes *out)
{
    switch (framing->kind) {
    case MR_FRAMING_H264:
    case MR_FRAMING_HEVC: return append_nals(framing, data, len, out);
    case MR_FRAMING_AV1: return append_obus(data, len, out);
    case MR_FRAMING_AS_IS: break;
    }
    mr_bytes_put(out, data, len);
    return out->failed ? AVERROR(ENOMEM) : 0;
}
