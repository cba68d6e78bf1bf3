/* SPDX-License-Identifier: MIT */
/* From what is wanted of a rung to what its encoder is told. */
#ifndef TRANSCODE_RATE_H
#define TRANSCODE_RATE_H

#include "analysis.h"
#include "rung.h"

/* Can a second pass over an analysis make this rung? (H.264 in 8 bits, High or Main, and not asked for plain CRF.) */
bool mr_rate_uses_analysis(const mr_chunk *chunk, const mr_video_params *params);

/*
 * How many bits a chunk takes at a rung's size, by the quantiser. That of the first pass is the same for all its pictures (a block tree makes
 * constant quality that), so a step of quality is a step of it. The law was fitted to real clips (README); an attempt teaches better.
 */
typedef struct mr_rate_model {
    double bits;                   /* at the analysis's quality */
    double slope;                  /* halvings of them with each step */
    double qp;                     /* of the analysis */
    double wanted;                 /* steps from there to the wanted quality */
    double area;                   /* pixels of the rung ÷ of the analysis */
    double texture, vectors, rest; /* the analysis's bits, as x264 shares them out */
} mr_rate_model;

void mr_rate_model_init(mr_rate_model *model, const mr_analysis *analysis, const mr_chunk *chunk, mr_size size, double quality);
/* Bits of the chunk, so many steps from the analysis's quantiser. */
double mr_rate_model_bits(const mr_rate_model *model, double steps);
/* An attempt took so many bits at that mean quantiser. */
void mr_rate_model_learn(mr_rate_model *model, double bits, double qp);
/* By what the statistics of the analysis are to be multiplied for mr_analysis_write, so that x264, told to take that many bits, begins with the
 * quantiser at which the chunk takes them. */
double mr_rate_stats_factor(const mr_rate_model *model, double bits);
/* CRF of the codec for the wanted quality, which is on x264's scale; and the worst that the codec has. */
double mr_rate_crf(mr_video_codec codec, double quality);
double mr_rate_crf_max(mr_video_codec codec);
/* Whole-title bitrate: this chunk's part of a mean, shared out by what the analyses of all chunks say. */
mr_status mr_rate_share(const mr_host *host, mr_task *task, uint32_t port, const mr_chunk *chunk, int64_t mean, int64_t max_bitrate,
                        int64_t *ret_bitrate);

#endif
