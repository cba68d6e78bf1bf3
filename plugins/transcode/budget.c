/* SPDX-License-Identifier: MIT */
/* See budget.h. Invariant: what is told to a later attempt because one was over is stricter than what that one was told. */
#include "budget.h"

#include <math.h>

enum { REVISIONS_MAX = 4, BITRATE_MIN = 8000 /* x264 counts in kbit/s and takes no zero */ };
/* What of a chunk is not the encoder's: bytes of a segment's boxes, and in them for each picture (cmaf.c). */
enum { SEGMENT_BYTES = 112, PICTURE_BYTES = 12 };
/* By what factor an attempt may miss the bits that the wanted quality takes: about three steps of the quantiser. */
#define MISSED 1.42
/* And those that are its share of the title's. */
#define MISSED_SHARE 1.1
/* Attempts at the ceiling aim this far below it: an encoder that hits it in the mean would be over every other time. */
#define AIM 0.985
/* Constant quality, looked for after an attempt that was over: bits double about every eight steps (of SVT-AV1: every twenty), less often where the
 * buffer is the limit, more often in noise. The next attempt aims BELOW what is allowed: over by little is all for nothing. What is FAR below is
 * tried again, to come NEAR it. */
#define CRF_SLOPE     0.13
#define CRF_SLOPE_AV1 0.05
#define AV1_ABOVE_QP  2.3
#define CRF_STEP_MIN  1.0
#define BELOW         0.96
#define CRF_STEP_MAX  12.0
#define FAR           0.6
#define NEAR          0.9

static double seconds_of(const mr_chunk *chunk)
{
    return chunk->frames * av_q2d(av_inv_q(chunk->fps));
}

/* Bits that the chunk's mean allows its segments. */
static double allowance(const mr_budget *budget)
{
    return (double)budget->rung->max_bitrate * MR_CEILING_TOLERANCE * fmax(1, seconds_of(budget->chunk));
}

/* The most that an encoder is asked for. */
static double ceiling(const mr_budget *budget)
{
    const mr_chunk *chunk = budget->chunk;
    double boxes = 8 * ((double)chunk->segment_count * SEGMENT_BYTES + (double)chunk->frames * PICTURE_BYTES);
    return AIM * (double)budget->rung->max_bitrate * seconds_of(chunk) - boxes;
}

static mr_status aim(const mr_host *host, mr_task *task, mr_budget *budget, double bits)
{
    double seconds = seconds_of(budget->chunk);
    bits = fmax(fmin(bits, ceiling(budget)), BITRATE_MIN * seconds);
    budget->rate.bitrate = (int64_t)(bits / seconds);
    budget->rate.stats = budget->stats;
    budget->rate.free_flow = !budget->guarded;
    return mr_analysis_write(host, task, budget->analysis, mr_rate_stats_factor(&budget->model, bits), budget->stats);
}

static double wanted_bits(const mr_budget *budget)
{
    return budget->share > 0 ? budget->share : mr_rate_model_bits(&budget->model, budget->model.wanted);
}

mr_status mr_budget_begin(const mr_host *host, mr_task *task, mr_budget *budget, int64_t bitrate)
{
    double quality = budget->params->quality;
    budget->rate = (mr_rung_rate){.crf = mr_rate_crf((mr_video_codec)budget->params->codec, quality)};
    if (!budget->analysis)
        return MR_OK;
    mr_rate_model_init(&budget->model, budget->analysis, budget->chunk, budget->rung->size, quality);
    budget->share = (double)bitrate * seconds_of(budget->chunk);
    return aim(host, task, budget, wanted_bits(budget));
}

/* The quality that an attempt had. Where the buffer was the limit that is less than it was told. x264 and x265 with a block tree encode constant
 * quality with a constant quantiser: 13.5 × (1 − qcompress) above it, and 0.4 octaves for one of the frame rate; SVT-AV1's mean quantiser lies a
 * little below. */
static double effective_crf(const mr_budget *budget, double qp)
{
    if (budget->params->codec == MR_CODEC_AV1 && qp > 0)
        return fmax(budget->rate.crf, qp + AV1_ABOVE_QP);
    double fps = fmin(fmax(av_q2d(budget->chunk->fps), 1), 100);
    bool known = budget->params->codec == MR_CODEC_H264 || budget->params->codec == MR_CODEC_HEVC;
    return known && qp > 0 ? fmax(budget->rate.crf, qp - 13.5 * 0.4 - 6 * 0.4 * log2(fps / 25)) : budget->rate.crf;
}

/* Constant quality, after an attempt that was over: something stricter; or, far below after one that was over, something between. What was under
 * stays the way out: the last attempt is that again, or the worst quality there is. */
static bool other_crf(mr_budget *budget, const mr_attempt *made)
{
    double most = mr_rate_crf_max((mr_video_codec)budget->params->codec);
    double told = budget->rate.crf;
    struct mr_budget_try *over = &budget->over;
    struct mr_budget_try *under = &budget->under;
    if (budget->excess > 1)
        *over = (struct mr_budget_try){fmin(effective_crf(budget, made->qp), most), made->bits};
    else
        *under = (struct mr_budget_try){told, made->bits};
    bool between = under->bits > 0 && over->bits > under->bits && over->crf < under->crf;
    if (budget->excess > 1 && (budget->attempts == REVISIONS_MAX || (under->bits > 0 && !between))) {
        budget->rate.crf = under->bits > 0 ? under->crf : most;
    } else if (between && budget->attempts < REVISIONS_MAX) {
        double part = log2(over->bits / (NEAR * allowance(budget))) / log2(over->bits / under->bits);
        budget->rate.crf = over->crf + fmin(fmax(part, 0.1), 0.9) * (under->crf - over->crf);
    } else if (budget->excess > 1) {
        double slope = budget->params->codec == MR_CODEC_AV1 ? CRF_SLOPE_AV1 : CRF_SLOPE;
        double step = fmax(log2(budget->excess / BELOW) / slope, CRF_STEP_MIN) * budget->attempts;
        budget->rate.crf = fmin(most, over->crf + fmin(step, CRF_STEP_MAX));
    }
    return budget->rate.crf != told;
}

/* A second pass: what it took at its quantiser says how hard the chunk is at this size. So the next one begins where it will end, and misses by less.
 */
static mr_status stricter_bitrate(const mr_host *host, mr_task *task, mr_budget *budget, const mr_attempt *made)
{
    double told = (double)budget->rate.bitrate * seconds_of(budget->chunk);
    bool first = budget->attempts == 1 && made->segment <= 1 && made->qp > 0;
    budget->guarded = budget->guarded || !first;
    if (made->qp > 0)
        mr_rate_model_learn(&budget->model, made->bits, made->qp);
    return aim(host, task, budget, first ? told * 0.97 : told * AIM / budget->excess);
}

/* Was the attempt far from what it should have taken? With quality: the prediction was far off, or the ceiling far from the analysis's quality; but
 * not to save bits where there are few. */
static bool missed(const mr_budget *budget, const mr_attempt *made)
{
    if (budget->corrected || budget->attempts > 0 || made->qp <= 0)
        return false;
    double better = fmin(wanted_bits(budget), ceiling(budget)) / made->bits;
    if (budget->share > 0)
        return better > MISSED_SHARE || better < 1 / MISSED_SHARE;
    return better > MISSED || (better < 1 / MISSED && made->bits > 0.5 * ceiling(budget));
}

mr_status mr_budget_revise(const mr_host *host, mr_task *task, mr_budget *budget, const mr_attempt *made, bool *ret_again)
{
    *ret_again = false;
    budget->excess = fmax(made->segment, made->bits / allowance(budget));
    bool over = budget->excess > 1;
    bool far = budget->over.bits > 0 && made->bits < FAR * allowance(budget);
    if ((over || far) && budget->attempts < REVISIONS_MAX) {
        budget->attempts++;
        *ret_again = budget->analysis || other_crf(budget, made);
        return budget->analysis ? stricter_bitrate(host, task, budget, made) : MR_OK;
    }
    if (over || !budget->analysis)
        return MR_OK;
    if (made->qp > 0)
        mr_rate_model_learn(&budget->model, made->bits, made->qp);
    if (!missed(budget, made))
        return MR_OK;
    *ret_again = budget->corrected = true;
    return aim(host, task, budget, wanted_bits(budget));
}
