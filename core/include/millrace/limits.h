/* SPDX-License-Identifier: MIT */
/*
 * What media may ask for. The operator sets these (docs/reference/settings.md); ops that open media ask the host for them with
 * mr_host.limits and refuse what goes beyond, in one sentence that names the value, the limit and the setting ("limits.picture_side").
 * Every limit is at least 1. New ones are added at the end: look at size before reading one that your header has and an older engine may not.
 */
#ifndef MILLRACE_LIMITS_H
#define MILLRACE_LIMITS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mr_limits {
    uint32_t size;          /* sizeof(mr_limits) of the engine */
    uint32_t public_only;   /* not 0: ops reach public addresses of the network only, whatever their params allow */
    int64_t picture_pixels; /* of one picture: width times height, as coded */
    int64_t picture_side;   /* of its width and its height, each */
    int64_t frame_rate;     /* pictures per second */
    int64_t packets;        /* of all streams together: pictures, pieces of sound, subtitles */
    int64_t duration;       /* of the whole, microseconds */
    int64_t streams;        /* of all kinds */
    int64_t sample_rate;    /* of sound, per second */
    int64_t channels;       /* of one track of sound */
    int64_t chapters;
    int64_t cues;           /* subtitles of one track */
    int64_t metadata_bytes; /* tags, attached pictures and fonts, codec headers: all that is kept in memory beside the samples */
    int64_t probe_bytes;    /* read to find the streams */
    int64_t probe_time;     /* media time looked at to find the streams, microseconds */
    int64_t decoded_ratio;  /* bytes of decoded pictures and sound per byte of input … */
    int64_t decoded_floor;  /* … which is not asked before so many bytes are decoded */
} mr_limits;

/* The defaults, for those who stand in for the engine in tests. */
/* clang-format off */
#define MR_LIMITS_STANDARD                                                                                                                    \
    { sizeof(mr_limits), 0, INT64_C(8192) * 8192, 16384, 480, INT64_C(1) << 25, INT64_C(48) * 3600 * 1000000, 128, 384000, 64, 10000, 50000, \
      INT64_C(64) << 20, INT64_C(16) << 20, INT64_C(15) * 1000000, 1000000, INT64_C(64) << 30 }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
