/* SPDX-License-Identifier: MIT */
/*
 * See audio_limiter.h. Per sample: the gain that its peak allows; of these the smallest within REACH to either side; of those the mean within REACH
 * to either side. Each term of that mean is at most what the sample in the middle allows, so no peak gets through, and the gain has no steps. Peaks
 * between samples are found at four times the rate (ITU-R BS.1770-4, annex 2), by a windowed sinc.
 */
#include "audio_limiter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 2 * MR_LIMITER_FRAMES + 1, PHASES = 3, TAPS = 12, MAX_CHANNELS = 8 };

struct mr_limiter {
    int channels;
    int frame_size;
    int reach; /* half of what lies before and after */
    double ceiling;
    int frames;      /* seen so far, up to KEPT */
    float *samples;  /* planar: channel by channel, the last MR_LIMITER_FRAMES + 1 frames */
    float *allowed;  /* the gain that each sample's peak allows, the last KEPT frames */
    float *smallest; /* within reach, for the frame that is due and reach to either side */
    int *waiting;    /* indexes whose gains may yet be the smallest */
    float history[MAX_CHANNELS][TAPS];
    float taps[PHASES][TAPS];
};

static double sinc(double x)
{
    return fabs(x) < 1e-9 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static void make_taps(mr_limiter *limiter)
{
    for (int phase = 0; phase < PHASES; phase++) {
        double sum = 0;
        for (int tap = 0; tap < TAPS; tap++) {
            double x = tap - (TAPS / 2.0 - 1) - (phase + 1) / 4.0;
            double window = 0.5 + 0.5 * cos(M_PI * x / (TAPS / 2.0));
            limiter->taps[phase][tap] = (float)(sinc(x) * window);
            sum += sinc(x) * window;
        }
        for (int tap = 0; tap < TAPS; tap++)
            limiter->taps[phase][tap] = (float)(limiter->taps[phase][tap] / sum);
    }
}

mr_limiter *mr_limiter_new(int channels, int frame_size, double ceiling)
{
    if (channels < 1 || channels > MAX_CHANNELS || frame_size < 2)
        return NULL;
    mr_limiter *limiter = calloc(1, sizeof(*limiter));
    if (!limiter)
        return NULL;
    size_t frame = (size_t)frame_size;
    limiter->channels = channels;
    limiter->frame_size = frame_size;
    limiter->reach = MR_LIMITER_FRAMES * frame_size / 2;
    limiter->ceiling = ceiling;
    limiter->samples = calloc((size_t)channels * (MR_LIMITER_FRAMES + 1) * frame, sizeof(float));
    limiter->allowed = calloc(KEPT * frame, sizeof(float));
    limiter->smallest = calloc(KEPT * frame, sizeof(float));
    limiter->waiting = calloc(KEPT * frame, sizeof(int));
    if (!limiter->samples || !limiter->allowed || !limiter->smallest || !limiter->waiting) {
        mr_limiter_free(limiter);
        return NULL;
    }
    for (size_t i = 0; i < KEPT * frame; i++)
        limiter->allowed[i] = 1;
    make_taps(limiter);
    return limiter;
}

void mr_limiter_free(mr_limiter *limiter)
{
    if (!limiter)
        return;
    free(limiter->samples);
    free(limiter->allowed);
    free(limiter->smallest);
    free(limiter->waiting);
    free(limiter);
}

/* The largest size near the next sample of a channel: at it, or between those half a dozen samples before. */
static float next_peak(mr_limiter *limiter, int channel, float sample)
{
    float *history = limiter->history[channel];
    float peak = fabsf(sample);
    memmove(history, history + 1, (TAPS - 1) * sizeof(*history));
    history[TAPS - 1] = sample;
    for (int phase = 0; phase < PHASES; phase++) {
        float between = 0;
        for (int tap = 0; tap < TAPS; tap++)
            between += limiter->taps[phase][tap] * history[tap];
        peak = fmaxf(peak, fabsf(between));
    }
    return peak;
}

static float *sample_at(const AVFrame *frame, int channel, int sample)
{
    if (av_sample_fmt_is_planar((enum AVSampleFormat)frame->format))
        return (float *)frame->extended_data[channel] + sample;
    return (float *)frame->extended_data[0] + (ptrdiff_t)sample * frame->ch_layout.nb_channels + channel;
}

/* Moves everything on by one frame and takes in the new one. */
static void take(mr_limiter *limiter, const AVFrame *frame)
{
    size_t size = (size_t)limiter->frame_size;
    float *allowed = limiter->allowed + (KEPT - 1) * size;
    memmove(limiter->allowed, limiter->allowed + size, (KEPT - 1) * size * sizeof(float));
    for (size_t i = 0; i < size; i++)
        allowed[i] = 1;
    for (int c = 0; c < limiter->channels; c++) {
        float *line = limiter->samples + (size_t)c * (MR_LIMITER_FRAMES + 1) * size;
        memmove(line, line + size, MR_LIMITER_FRAMES * size * sizeof(float));
        for (int i = 0; i < limiter->frame_size; i++) {
            float sample = *sample_at(frame, c, i);
            float peak = next_peak(limiter, c, sample);
            line[MR_LIMITER_FRAMES * size + (size_t)i] = sample;
            if (peak > limiter->ceiling)
                allowed[i] = fminf(allowed[i], (float)(limiter->ceiling / peak));
        }
    }
}

/* smallest[i] is that of allowed[i … i + 2 * reach]. Returns false when all are 1. */
static bool find_smallest(mr_limiter *limiter)
{
    int count = KEPT * limiter->frame_size;
    int width = 2 * limiter->reach + 1;
    int head = 0;
    int tail = 0;
    bool limits = false;
    for (int i = 0; i < count; i++) {
        limits = limits || limiter->allowed[i] < 1;
        while (tail > head && limiter->allowed[limiter->waiting[tail - 1]] >= limiter->allowed[i])
            tail--;
        limiter->waiting[tail++] = i;
        if (limiter->waiting[head] <= i - width)
            head++;
        if (i >= width - 1)
            limiter->smallest[i - width + 1] = limiter->allowed[limiter->waiting[head]];
    }
    return limits;
}

/* The frame in the middle of what is kept is due; its sample i is allowed[2 * reach + i]. */
static void give(mr_limiter *limiter, AVFrame *frame)
{
    size_t size = (size_t)limiter->frame_size;
    int width = 2 * limiter->reach + 1;
    bool limits = find_smallest(limiter);
    double sum = 0;
    for (int i = 0; i < width - 1 && limits; i++)
        sum += limiter->smallest[i];
    for (int i = 0; i < limiter->frame_size; i++) {
        float gain = 1;
        if (limits) {
            sum += limiter->smallest[i + width - 1];
            gain = (float)(sum / width);
            sum -= limiter->smallest[i];
        }
        for (int c = 0; c < limiter->channels; c++)
            *sample_at(frame, c, i) = limiter->samples[(size_t)c * (MR_LIMITER_FRAMES + 1) * size + (size_t)i] * gain;
    }
}

bool mr_limiter_run(mr_limiter *limiter, AVFrame *frame)
{
    take(limiter, frame);
    if (limiter->frames < MR_LIMITER_FRAMES) {
        limiter->frames++;
        return false;
    }
    give(limiter, frame);
    return true;
}
