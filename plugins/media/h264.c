/* SPDX-License-Identifier: MIT */
/* See h264.h. Reading beyond the end gives zeros and is remembered: what was read so is not believed. */
#include "media/h264.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SPS_MOST = 1024,  /* bytes of a parameter set: one without a user interface of its own has a few dozen */
    SPS_HEAD = 4,     /* the type of the unit, profile, constraints, level */
    CYCLE_MOST = 255, /* 7.4.2.1.1: num_ref_frames_in_pic_order_cnt_cycle */
};

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

/* 9.1: Exp-Golomb codes. */
static uint32_t read_ue(bit_reader *in)
{
    unsigned int zeros = 0;
    uint32_t rest = 0;
    while (!in->failed && read_bit(in) == 0)
        zeros++;
    if (zeros > 31) {
        in->failed = true;
        return 0;
    }
    for (unsigned int i = 0; i < zeros; i++)
        rest = rest << 1 | read_bit(in);
    return (UINT32_C(1) << zeros) - 1 + rest;
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

static bool is_frames_only(const uint8_t *unit, size_t len)
{
    bit_reader in;
    if (!load(&in, unit, len))
        return false;
    read_ue(&in);
    if (has_chroma_format(in.bytes[1]))
        skip_chroma(&in);
    read_ue(&in);
    skip_picture_order(&in);
    read_ue(&in);
    read_bit(&in);
    read_ue(&in);
    read_ue(&in);
    const bool frames_only = read_bit(&in);
    return frames_only && !in.failed;
}

bool mr_h264_has_frames_only(const AVCodecParameters *codec)
{
    const uint8_t *data = codec->extradata;
    const size_t len = codec->extradata_size > 0 ? (size_t)codec->extradata_size : 0;
    if (codec->codec_id != AV_CODEC_ID_H264 || len < 7 || data[0] != 1) /* ISO/IEC 14496-15, 5.3.3.1: the record's version */
        return false;
    const unsigned int count = data[5] & 0x1f;
    size_t at = 6;
    for (unsigned int i = 0; i < count; i++) {
        if (len - at < 2)
            return false;
        const size_t size = (size_t)data[at] << 8 | data[at + 1];
        if (size > len - at - 2 || !is_frames_only(data + at + 2, size))
            return false;
        at += 2 + size;
    }
    return count > 0;
}
