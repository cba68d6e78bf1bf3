/* SPDX-License-Identifier: MIT */
/* From what is wanted of a rung to what its encoder is told. */
#ifndef TRANSCODE_RATE_H
#define TRANSCODE_RATE_H

#include "analysis.h"
#include "rung.h"

/* Can a second pass over an analysis make this rung? (H.264 in 8 bits, High or Main, and not asked for plain CRF.) */
bool mr_rate_uses_analysis(const mr_chunk *chunk, const mr_video_params *params);
/* Bits a second that the wanted quality would take for this chunk at this size. The formula is in rate.c. */
int64_t mr_rate_predict(const mr_analysis *analysis, const mr_chunk *chunk, mr_size size, double quality);
/* By what the bits of the analysis's statistics are to be multiplied, so that x264 expects what mr_rate_predict does. */
double mr_rate_stats_factor(const mr_analysis *analysis, const mr_chunk *chunk, mr_size size);
/* Doublings of the bits for one step of the quantiser, about. */
#define MR_RATE_PER_QP 0.17
/* CRF of the codec for the wanted quality, which is on x264's scale. */
double mr_rate_crf(mr_video_codec codec, double quality);
/* Whole-title bitrate: this chunk's part of a mean, shared out by what the analyses of all chunks say. */
mr_status mr_rate_share(const mr_host *host, mr_task *task, uint32_t port, const mr_chunk *chunk, int64_t mean, int64_t max_bitrate,
                        int64_t *ret_bitrate);

#endif
