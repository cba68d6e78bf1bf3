/* SPDX-License-Identifier: MIT */
/*
 * The CODECS string of a track (RFC 6381), read from the configuration record in its sample entry. Formats: ISO/IEC 14496-15 annex E
 * (avc1, hvc1), AV1-ISOBMFF §5, the VP9 ISOBMFF binding, RFC 6381 §3.3 (mp4a).
 */
#include "media/cmaf.h"
#include "media/sample_entry.h"

#include <stdio.h>
#include <string.h>

enum { BOX_HEADER = 8, FULL_BOX_HEADER = 12 };

static uint32_t reverse_bits(uint32_t value)
{
    uint32_t reversed = 0;
    for (int i = 0; i < 32; i++)
        reversed |= (value >> i & 1u) << (31 - i);
    return reversed;
}

static int avc_string(const uint8_t *record, size_t len, char *buf, size_t size)
{
    return len < 4 ? -1 : snprintf(buf, size, "avc1.%02x%02x%02x", record[1], record[2], record[3]);
}

static int hevc_string(const uint8_t *record, size_t len, char *buf, size_t size)
{
    static const char *const spaces[] = {"", "A", "B", "C"};
    if (len < 13)
        return -1;
    int written = snprintf(buf, size, "hvc1.%s%d.%X.%c%d", spaces[record[1] >> 6], record[1] & 0x1f, (unsigned)reverse_bits(mr_read_u32(record + 2)),
                           record[1] & 0x20 ? 'H' : 'L', record[12]);
    int last = 11; /* constraint bytes 6 to 11, trailing zeroes left out */
    while (last >= 6 && record[last] == 0)
        last--;
    for (int i = 6; i <= last && written > 0 && (size_t)written < size; i++)
        written += snprintf(buf + written, size - (size_t)written, ".%X", record[i]);
    return written;
}

static int av1_string(const uint8_t *record, size_t len, char *buf, size_t size)
{
    if (len < 4)
        return -1;
    int depth = record[2] & 0x40 ? (record[2] & 0x20 ? 12 : 10) : 8;
    return snprintf(buf, size, "av01.%d.%02d%c.%02d", record[1] >> 5, record[1] & 0x1f, record[2] & 0x80 ? 'H' : 'M', depth);
}

static int vp9_string(const uint8_t *record, size_t len, char *buf, size_t size)
{
    return len < 3 ? -1 : snprintf(buf, size, "vp09.%02d.%02d.%02d", record[0], record[1], record[2] >> 4);
}

/* profile is the libav number: MPEG-4 audio object type minus one. */
static int aac_string(const AVCodecParameters *codec, char *buf, size_t size)
{
    int object_type = codec->profile == FF_PROFILE_UNKNOWN ? 2 : (codec->profile & 0x7f) + 1;
    if (codec->extradata_size >= 2) {
        object_type = codec->extradata[0] >> 3;
        if (object_type == 31) /* escape: six more bits */
            object_type = 32 + ((codec->extradata[0] & 7) << 3 | codec->extradata[1] >> 5);
    }
    return snprintf(buf, size, "mp4a.40.%d", object_type);
}

static int audio_string(const AVCodecParameters *codec, char *buf, size_t size)
{
    switch (codec->codec_id) {
    case AV_CODEC_ID_AAC: return aac_string(codec, buf, size);
    case AV_CODEC_ID_MP3: return snprintf(buf, size, "mp4a.40.34");
    case AV_CODEC_ID_OPUS: return snprintf(buf, size, "opus");
    case AV_CODEC_ID_FLAC: return snprintf(buf, size, "fLaC");
    case AV_CODEC_ID_AC3: return snprintf(buf, size, "ac-3");
    case AV_CODEC_ID_EAC3: return snprintf(buf, size, "ec-3");
    case AV_CODEC_ID_ALAC: return snprintf(buf, size, "alac");
    default: return -1;
    }
}

static int video_string(const AVCodecParameters *codec, char *buf, size_t size)
{
    static const struct {
        enum AVCodecID id;
        const char *box;
        size_t header;
        int (*text)(const uint8_t *record, size_t len, char *buf, size_t size);
    } records[] = {
        {AV_CODEC_ID_H264, "avcC", BOX_HEADER, avc_string},
        {AV_CODEC_ID_HEVC, "hvcC", BOX_HEADER, hevc_string},
        {AV_CODEC_ID_AV1, "av1C", BOX_HEADER, av1_string},
        {AV_CODEC_ID_VP9, "vpcC", FULL_BOX_HEADER, vp9_string},
    };
    mr_bytes entry = {0};
    int written = -1;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        if (records[i].id != codec->codec_id || mr_sample_entry_write(codec, &entry) < 0)
            continue;
        size_t len = 0;
        const uint8_t *children = mr_sample_entry_children(entry.data, entry.len, AVMEDIA_TYPE_VIDEO, &len);
        const uint8_t *record = children ? mr_box_find(children, len, records[i].box, &len) : NULL;
        if (record && len >= records[i].header)
            written = records[i].text(record + records[i].header, len - records[i].header, buf, size);
    }
    mr_bytes_free(&entry);
    return written;
}

mr_status mr_codec_string(const AVCodecParameters *codec, char *buf, size_t size)
{
    int written = codec->codec_type == AVMEDIA_TYPE_VIDEO ? video_string(codec, buf, size) : audio_string(codec, buf, size);
    if (written > 0 && (size_t)written < size)
        return MR_OK;
    if (size)
        buf[0] = '\0';
    return MR_ERR_UNSUPPORTED;
}
