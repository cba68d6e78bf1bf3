/* SPDX-License-Identifier: MIT */
/* See h264.h. Reading beyond the end gives zeros and is remembered: what was read so is not believed. */
#include "media/h264.h"

#include <libavutil/pixdesc.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPS_MOST = 1024,  /* bytes of a parameter set: one without a user interface of its own has a few dozen */
    SPS_HEAD = 4,     /* the type of the unit, profile, constraints, level */
    CYCLE_MOST = 255, /* 7.4.2.1.1: num_ref_frames_in_pic_order_cnt_cycle */
    EXTENDED_SAR = 255,
    REORDER_MOST = 16, /* MaxDpbFrames (A.3.1) is no more */
};

static const mr_h264_headers unknown = {.reorder = -1,
                                        .sample_aspect_ratio = {0, 1},
                                        .range = AVCOL_RANGE_UNSPECIFIED,
                                        .primaries = AVCOL_PRI_UNSPECIFIED,
                                        .transfer = AVCOL_TRC_UNSPECIFIED,
                                        .matrix = AVCOL_SPC_UNSPECIFIED};

typedef struct bit_reader {
    uint8_t bytes[SPS_MOST];
    size_t bits, at;
    bool failed;
} bit_reader;

static unsigned int read_bit(bit_reader *in)
{
    if (in->at >= in->bits) {
        in->failed = true;
        return 0;
    }
    const unsigned int bit = in->bytes[in->at / 8] >> (7 - in->at % 8) & 1;
    in->at++;
    return bit;
}

static uint32_t read_bits(bit_reader *in, unsigned int count)
{
    uint32_t bits = 0;
    for (unsigned int i = 0; i < count; i++)
        bits = bits << 1 | read_bit(in);
    return bits;
}

/* 9.1: Exp-Golomb codes. */
static uint32_t read_ue(bit_reader *in)
{
    unsigned int zeros = 0;
    while (!in->failed && read_bit(in) == 0)
        zeros++;
    if (zeros > 31) {
        in->failed = true;
        return 0;
    }
    return (UINT32_C(1) << zeros) - 1 + read_bits(in, zeros);
}

static int64_t read_se(bit_reader *in)
{
    const int64_t code = read_ue(in);
    return code & 1 ? (code + 1) / 2 : -(code / 2);
}

/* Without the bytes that keep start codes from appearing by chance (7.4.1.1). */
static bool load(bit_reader *in, const uint8_t *unit, size_t len)
{
    size_t kept = 0;
    unsigned int zeros = 0;
    *in = (bit_reader){0};
    if (len > SPS_MOST)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (zeros >= 2 && unit[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = unit[i] == 0 ? zeros + 1 : 0;
        in->bytes[kept++] = unit[i];
    }
    in->bits = kept * 8;
    in->at = (size_t)SPS_HEAD * 8;
    return kept > SPS_HEAD;
}

static bool has_chroma_format(uint8_t profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    for (size_t i = 0; i < sizeof(profiles); i++) {
        if (profiles[i] == profile)
            return true;
    }
    return false;
}

/* 7.3.2.1.1.1 */
static void skip_scaling_list(bit_reader *in, unsigned int size)
{
    int64_t last = 8;
    int64_t next = 8;
    for (unsigned int i = 0; i < size && !in->failed; i++) {
        if (next != 0)
            next = (last + read_se(in) + 256) & 255;
        last = next == 0 ? last : next;
    }
}

static void skip_chroma(bit_reader *in)
{
    const uint32_t format = read_ue(in);
    if (format == 3)
        read_bit(in);
    read_ue(in);
    read_ue(in);
    read_bit(in);
    const bool has_matrix = read_bit(in);
    for (unsigned int i = 0; has_matrix && i < (format == 3 ? 12u : 8u); i++) {
        if (read_bit(in))
            skip_scaling_list(in, i < 6 ? 16 : 64);
    }
}

static void skip_picture_order(bit_reader *in)
{
    const uint32_t type = read_ue(in);
    if (type == 0) {
        read_ue(in);
    } else if (type == 1) {
        read_bit(in);
        read_se(in);
        read_se(in);
        const uint32_t count = read_ue(in);
        in->failed = in->failed || count > CYCLE_MOST;
        for (uint32_t i = 0; i < count && !in->failed; i++)
            read_se(in);
    }
}

static void skip_cropping(bit_reader *in)
{
    const bool cropped = read_bit(in);
    for (unsigned int i = 0; cropped && i < 4; i++)
        read_ue(in);
}

/* E.1.2 */
static void skip_decoder_model(bit_reader *in)
{
    const uint32_t count = read_ue(in) + 1;
    in->failed = in->failed || count > 32;
    read_bits(in, 8);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        read_ue(in);
        read_ue(in);
        read_bit(in);
    }
    read_bits(in, 20);
}

static AVRational read_sample_aspect_ratio(bit_reader *in)
{
    static const AVRational ratios[] = {{0, 1},   {1, 1},   {12, 11}, {10, 11}, {16, 11},  {40, 33}, {24, 11}, {20, 11}, {32, 11},
                                        {80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3},   {3, 2},   {2, 1}}; /* table E-1 */
    if (!read_bit(in))
        return ratios[0];
    const uint32_t idc = read_bits(in, 8);
    if (idc != EXTENDED_SAR)
        return ratios[idc < sizeof(ratios) / sizeof(ratios[0]) ? idc : 0];
    const int width = (int)read_bits(in, 16);
    const int height = (int)read_bits(in, 16);
    return width > 0 && height > 0 ? (AVRational){width, height} : ratios[0];
}

static void read_colours(bit_reader *in, mr_h264_headers *headers)
{
    read_bits(in, 3);
    headers->range = read_bit(in) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    if (!read_bit(in))
        return;
    const int primaries = (int)read_bits(in, 8); /* libavutil's numbers are the standard's */
    const int transfer = (int)read_bits(in, 8);
    const int matrix = (int)read_bits(in, 8);
    if (av_color_primaries_name(primaries))
        headers->primaries = primaries;
    if (av_color_transfer_name(transfer))
        headers->transfer = transfer;
    if (av_color_space_name(matrix))
        headers->matrix = matrix;
}

/* From the place of chroma to the restrictions. */
static void skip_timing(bit_reader *in)
{
    if (read_bit(in)) { /* place of chroma */
        read_ue(in);
        read_ue(in);
    }
    if (read_bit(in)) { /* timing */
        read_bits(in, 32);
        read_bits(in, 32);
        read_bit(in);
    }
    const bool nal_model = read_bit(in);
    if (nal_model)
        skip_decoder_model(in);
    const bool vcl_model = read_bit(in);
    if (vcl_model)
        skip_decoder_model(in);
    if (nal_model || vcl_model)
        read_bit(in);
    read_bit(in);
}

static int read_reorder(bit_reader *in)
{
    if (!read_bit(in)) /* no restrictions */
        return -1;
    read_bit(in);
    for (unsigned int i = 0; i < 4; i++)
        read_ue(in);
    const uint32_t most = read_ue(in);
    return !in->failed && most <= REORDER_MOST ? (int)most : -1;
}

/* E.1.1. What is cut off, or wrong, tells nothing. */
static void read_usability(bit_reader *in, mr_h264_headers *headers)
{
    mr_h264_headers found = *headers;
    if (!read_bit(in))
        return;
    found.sample_aspect_ratio = read_sample_aspect_ratio(in);
    if (read_bit(in)) /* overscan */
        read_bit(in);
    if (read_bit(in)) /* video signal */
        read_colours(in, &found);
    skip_timing(in);
    found.reorder = read_reorder(in);
    if (!in->failed)
        *headers = found;
}

static mr_h264_headers read_unit(const uint8_t *unit, size_t len)
{
    mr_h264_headers headers = unknown;
    bit_reader in;
    if (!load(&in, unit, len))
        return unknown;
    read_ue(&in);
    if (has_chroma_format(in.bytes[1]))
        skip_chroma(&in);
    read_ue(&in);
    skip_picture_order(&in);
    read_ue(&in);
    read_bit(&in);
    read_ue(&in);
    read_ue(&in);
    headers.frames_only = read_bit(&in);
    if (!headers.frames_only)
        read_bit(&in);
    read_bit(&in);
    skip_cropping(&in);
    if (in.failed)
        return unknown;
    read_usability(&in, &headers);
    return headers;
}

/* But for frames_only. */
static bool is_same(const mr_h264_headers *a, const mr_h264_headers *b)
{
    return a->reorder == b->reorder && av_cmp_q(a->sample_aspect_ratio, b->sample_aspect_ratio) == 0 && a->range == b->range &&
           a->primaries == b->primaries && a->transfer == b->transfer && a->matrix == b->matrix;
}

static mr_h264_headers merge(const mr_h264_headers *a, const mr_h264_headers *b)
{
    mr_h264_headers both = is_same(a, b) ? *a : unknown;
    both.frames_only = a->frames_only && b->frames_only;
    return both;
}

mr_h264_headers mr_h264_read_headers(const AVCodecParameters *codec)
{
    const uint8_t *data = codec->extradata;
    const size_t len = codec->extradata_size > 0 ? (size_t)codec->extradata_size : 0;
    if (codec->codec_id != AV_CODEC_ID_H264 || len < 7 || data[0] != 1) /* ISO/IEC 14496-15, 5.3.3.1: the record's version */
        return unknown;
    const unsigned int count = data[5] & 0x1f;
    mr_h264_headers all = unknown;
    size_t at = 6;
    for (unsigned int i = 0; i < count; i++) {
        if (len - at < 2)
            return unknown;
        const size_t size = (size_t)data[at] << 8 | data[at + 1];
        if (size > len - at - 2)
            return unknown;
        const mr_h264_headers one = read_unit(data + at + 2, size);
        all = i == 0 ? one : merge(&all, &one);
        at += 2 + size;
    }
    return all;
}
