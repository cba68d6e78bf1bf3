/* SPDX-License-Identifier: MIT */
/* What transcode.analyse, transcode.init and transcode.video share: their params, ports, and the one run() that serves a batch of analyse and video.
 */
#ifndef TRANSCODE_VIDEO_H
#define TRANSCODE_VIDEO_H

#include "media/encode.h"
#include <millrace/op.h>

typedef enum mr_hdr_choice { MR_HDR_TONEMAP, MR_HDR_KEEP } mr_hdr_choice;
typedef enum mr_profile_choice { MR_PROFILE_HIGH, MR_PROFILE_MAIN, MR_PROFILE_BASELINE } mr_profile_choice;
typedef enum mr_rate_control { MR_RATE_QUALITY, MR_RATE_CRF, MR_RATE_BITRATE } mr_rate_control;

typedef struct mr_analyse_params {
    mr_filters filters;
    int32_t hdr; /* mr_hdr_choice */
} mr_analyse_params;

typedef struct mr_video_params {
    int32_t codec; /* mr_video_codec */
    int32_t preset;
    int32_t rate_control; /* mr_rate_control */
    double quality;
    double average;
    int32_t profile; /* mr_profile_choice */
    int32_t tune;
    int64_t encoder_threads;
    mr_filters filters;
    int32_t hdr; /* mr_hdr_choice */
} mr_video_params;

extern const char *const mr_video_presets[];
extern const char *const mr_video_profiles[];
extern const char *const mr_video_tunes[];
extern const mr_param mr_video_params_table[]; /* of transcode.video and transcode.init */

/* Ports, by index. */
enum { MR_ANALYSE_CHUNK, MR_ANALYSE_SOURCE };
enum { MR_ANALYSE_STATS = 0 };
enum { MR_VIDEO_CHUNK, MR_VIDEO_ANALYSIS, MR_VIDEO_RUNG, MR_VIDEO_SOURCE, MR_VIDEO_ANALYSES };
enum { MR_VIDEO_SEGMENTS = 0 };
enum { MR_INIT_CHUNK, MR_INIT_RUNG };
enum { MR_INIT_SEGMENT = 0 };

mr_status mr_video_run(const mr_host *host, const mr_batch *batch);

#endif
