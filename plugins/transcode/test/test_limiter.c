/* SPDX-License-Identifier: MIT */
/* The limiter: nothing gets over the ceiling, nothing below it is touched, and where it began is forgotten. */
#include "../audio_limiter.h"

#include <libavutil/channel_layout.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SIZE = 1024, FRAMES = 60, CHANNELS = 2 };

#define CEILING 0.5

/* Two tones, with a loud moment here and there. */
static float signal_at(int channel, int sample)
{
    bool loud = sample / 700 % 9 == 3;
    return (float)((loud ? 1.6 : 0.3) * sin(sample * (channel ? 0.31 : 0.07)));
}

static AVFrame *new_frame(enum AVSampleFormat format)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = format;
    frame->nb_samples = SIZE;
    frame->sample_rate = 48000;
    frame->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

static float *place(AVFrame *frame, int channel, int sample)
{
    return frame->format == AV_SAMPLE_FMT_FLTP ? (float *)frame->extended_data[channel] + sample
                                               : (float *)frame->extended_data[0] + (ptrdiff_t)2 * sample + channel;
}

/* Runs frames [first, FRAMES) through a limiter; what comes out lies in out where it belongs. */
static void limit(enum AVSampleFormat format, int first, double scale, float out[CHANNELS][FRAMES * SIZE])
{
    mr_limiter *limiter = mr_limiter_new(CHANNELS, SIZE, CEILING);
    AVFrame *frame = new_frame(format);
    assert_non_null(limiter);
    for (int f = first; f < FRAMES; f++) {
        for (int i = 0; i < SIZE * CHANNELS; i++)
            *place(frame, i % 2, i / 2) = (float)(scale * signal_at(i % 2, f * SIZE + i / 2));
        bool due = mr_limiter_run(limiter, frame);
        assert_int_equal(due, f - first >= MR_LIMITER_FRAMES);
        for (int i = 0; i < SIZE * CHANNELS && due; i++)
            out[i % 2][(f - MR_LIMITER_FRAMES) * SIZE + i / 2] = *place(frame, i % 2, i / 2);
    }
    av_frame_free(&frame);
    mr_limiter_free(limiter);
}

static float whole[CHANNELS][FRAMES * SIZE];
static float later[CHANNELS][FRAMES * SIZE];

static void nothing_exceeds_the_ceiling(void **state)
{
    (void)state;
    const enum AVSampleFormat formats[] = {AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_FLT};
    for (int n = 0; n < 2; n++) {
        float most = 0;
        float last_gain = 0;
        limit(formats[n], 0, 1, whole);
        for (int i = 0; i < (FRAMES - MR_LIMITER_FRAMES) * SIZE; i++) {
            most = fmaxf(most, fmaxf(fabsf(whole[0][i]), fabsf(whole[1][i])));
            if (fabsf(signal_at(1, i)) > 0.1f) {
                float gain = whole[1][i] / signal_at(1, i);
                assert_true(last_gain <= 0 || fabsf(gain - last_gain) < 0.01f); /* no steps */
                last_gain = gain;
            }
        }
        assert_true(most <= (float)CEILING + 1e-5f);
        assert_true(most > 0.95f * (float)CEILING);
    }
}

static void what_is_below_is_not_touched(void **state)
{
    (void)state;
    limit(AV_SAMPLE_FMT_FLTP, 0, 0.2, whole);
    for (int i = 0; i < (FRAMES - MR_LIMITER_FRAMES) * SIZE; i++)
        assert_true(whole[0][i] == (float)(0.2 * signal_at(0, i)));
}

static void where_it_began_is_forgotten(void **state)
{
    (void)state;
    limit(AV_SAMPLE_FMT_FLTP, 0, 1, whole);
    limit(AV_SAMPLE_FMT_FLTP, 17, 1, later);
    for (int c = 0; c < CHANNELS; c++) {
        size_t from = (size_t)(17 + MR_LIMITER_FRAMES + 1) * SIZE;
        size_t count = (size_t)(FRAMES - MR_LIMITER_FRAMES) * SIZE - from;
        assert_memory_equal(&whole[c][from], &later[c][from], count * sizeof(float));
    }
}

static void peaks_between_samples_count(void **state)
{
    (void)state;
    /* A quarter of the rate, sampled 45 degrees off its peaks: samples of 0.6, peaks of 0.85. */
    mr_limiter *limiter = mr_limiter_new(CHANNELS, SIZE, 0.7);
    AVFrame *frame = new_frame(AV_SAMPLE_FMT_FLTP);
    for (int f = 0; f < 20; f++) {
        for (int i = 0; i < SIZE * CHANNELS; i++)
            *place(frame, i % 2, i / 2) = (float)(0.85 * sin(M_PI / 4 + i / 2 % 4 * M_PI / 2));
        mr_limiter_run(limiter, frame);
    }
    assert_true(fabsf(*place(frame, 0, 0)) < 0.52f);
    assert_true(fabsf(*place(frame, 0, 0)) > 0.46f);
    av_frame_free(&frame);
    mr_limiter_free(limiter);
    mr_limiter_free(NULL);
    assert_null(mr_limiter_new(0, SIZE, 1));
    assert_null(mr_limiter_new(99, SIZE, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_exceeds_the_ceiling),
        cmocka_unit_test(what_is_below_is_not_touched),
        cmocka_unit_test(where_it_began_is_forgotten),
        cmocka_unit_test(peaks_between_samples_count),
    };
    return cmocka_run_group_tests_name("transcode.limiter", tests, NULL, NULL);
}
