/* SPDX-License-Identifier: MIT */
/*
 * CMAF tracks (ISO/IEC 23000-19): an init segment, and media segments of one moof and one mdat each. Deterministic: no dates, no
 * names of libraries. The decode time of each segment (tfdt) is given, not counted, so that any chunk can be made alone.
 */
#ifndef MR_MEDIA_CMAF_H
#define MR_MEDIA_CMAF_H

#include <libavcodec/avcodec.h>
#include <millrace/op.h>
#include <stdbool.h>

typedef struct mr_cmaf mr_cmaf;

typedef struct mr_cmaf_options {
    uint32_t timescale;   /* media timescale: ticks of everything below */
    const char *language; /* BCP 47 or ISO 639-2; NULL: und */
    /* The media time of presentation time 0, for the edit list. Audio: samples before it. Video: ticks by which a picture may be decoded later than
     * it is presented (frames of delay times their length); the same for every segment of a rendition. */
    uint32_t priming;
} mr_cmaf_options;

/* codec is copied: parameters as an opened encoder (AV_CODEC_FLAG_GLOBAL_HEADER) or a demuxer gives them. */
mr_status mr_cmaf_new(const mr_host *host, mr_task *task, const AVCodecParameters *codec, const mr_cmaf_options *options, mr_cmaf **ret_cmaf);
void mr_cmaf_free(mr_cmaf *cmaf);
/* ftyp + moov. Borrowed until the next call. */
mr_status mr_cmaf_init_segment(mr_cmaf *cmaf, const uint8_t **ret_data, size_t *ret_len);
/* index: of the segment in its rendition, from 0 (mfhd sequence number is index + 1). decode_time: in ticks, that of the first packet's dts. */
mr_status mr_cmaf_begin(mr_cmaf *cmaf, uint32_t index, int64_t decode_time);
/* packet's pts, dts and duration are in ticks, relative to any origin that is the same within a segment. Not consumed. A picture is presented at
 * decode_time + (its pts − the first packet's dts); priming is added to what the sample says and taken off by the edit list, since libavformat and
 * what is built on it show pictures late when composition offsets are negative. */
mr_status mr_cmaf_write(mr_cmaf *cmaf, const AVPacket *packet);
/* Whether a packet is a sample as it is, so that whoever has its bytes elsewhere may place it rather than write it. */
bool mr_cmaf_as_is(const mr_cmaf *cmaf);
/* As mr_cmaf_write, but the packet's bytes are put behind the segment by the caller, in order: its data is not looked at. All of a segment's packets
 * are placed, or all are written. */
mr_status mr_cmaf_place(mr_cmaf *cmaf, const AVPacket *packet);
/* Borrowed until the next call. *ret_iframe_bytes (may be NULL): from the segment's start to the end of its first sample. */
mr_status mr_cmaf_end(mr_cmaf *cmaf, const uint8_t **ret_data, size_t *ret_len, size_t *ret_iframe_bytes);
/* RFC 6381 string of a track: "avc1.640028", "hvc1…", "av01…", "vp09…", "mp4a.40.2", "opus". buf at least 64 bytes. MR_ERR_UNSUPPORTED: unknown. */
mr_status mr_codec_string(const AVCodecParameters *codec, char *buf, size_t size);

#endif
