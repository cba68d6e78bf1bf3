/* SPDX-License-Identifier: MIT */
/* Frame rates found from timestamps alone (plugins/media/rate.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "media/rate.h"
#include <libavutil/mathematics.h>
#include <math.h>
#include <stdlib.h>

#define FRAMES 3000

static int64_t times[FRAMES];

static void expect(mr_rate rate, int num, int den, bool variable)
{
    assert_int_equal(rate.fps.num, num);
    assert_int_equal(rate.fps.den, den);
    assert_int_equal(rate.variable, variable);
}

static mr_rate find(size_t count, AVRational time_base)
{
    return mr_rate_find(times, count, time_base, NULL, 0);
}

/* Frame i at i/fps, in ticks of time_base, rounded as muxers do. */
static void constant(AVRational fps, AVRational time_base, int64_t start)
{
    for (int i = 0; i < FRAMES; i++)
        times[i] = start + av_rescale_q(i, av_inv_q(fps), time_base);
}

static void test_constant(void **state)
{
    static const AVRational rates[] = {{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {30, 1}, {50, 1},
                                       {60000, 1001}, {60, 1}, {25, 2}, {1, 1},        {240, 1}};
    static const AVRational bases[] = {{1, 1000}, {1, 90000}, {1, 1000000000}};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (size_t k = 0; k < sizeof(bases) / sizeof(bases[0]); k++) {
            constant(rates[i], bases[k], 12345);
            expect(find(FRAMES, bases[k]), rates[i].num, rates[i].den, false);
        }
    }
    constant((AVRational){8797, 1000}, (AVRational){1, 90000}, 0);
    const AVRational claim = {8797, 1000};
    expect(mr_rate_find(times, FRAMES, (AVRational){1, 90000}, &claim, 1), 8797, 1000, false);
    /* in a short clip 29.97 and 30 can't be told apart: the container's claim decides */
    constant((AVRational){30, 1}, (AVRational){1, 1000}, 0);
    const AVRational ntsc = {30000, 1001};
    expect(mr_rate_find(times, 4, (AVRational){1, 1000}, &ntsc, 1), 30000, 1001, false);
    /* in a long one the claim is seen to be wrong */
    expect(mr_rate_find(times, FRAMES, (AVRational){1, 1000}, &ntsc, 1), 30, 1, false);
    const AVRational nonsense[] = {{1000, 1}, {90000, 1}, {0, 0}, {-1, 5}};
    expect(mr_rate_find(times, FRAMES, (AVRational){1, 1000}, nonsense, 4), 30, 1, false);
}

static void test_variable(void **state)
{
    uint32_t seed = 7;
    size_t count = 0;
    (void)state;
    /* a few frames missing: constant all the same; many: variable, at the same rate */
    for (int i = 0; i < FRAMES; i++) {
        if (i % 50 != 7)
            times[count++] = av_rescale(i, 90000, 30);
    }
    expect(find(count, (AVRational){1, 90000}), 30, 1, false);
    count = 0;
    for (int i = 0; i < FRAMES; i++) {
        if (i % 3 != 1)
            times[count++] = av_rescale(i, 90000, 30);
    }
    expect(find(count, (AVRational){1, 90000}), 30, 1, true);
    /* a phone in the dark: about 24, by several milliseconds off now and then */
    for (int i = 0; i < FRAMES; i++) {
        seed = seed * 1664525u + 1013904223u;
        times[i] = INT64_C(3750) * i + (int64_t)(seed >> 16) % 700;
    }
    mr_rate rate = find(FRAMES, (AVRational){1, 90000});
    expect(rate, 24, 1, true);
    /* slides, at odd moments: a grid fine enough to keep them near their time */
    for (int i = 0; i < 20; i++)
        times[i] = (int64_t)i * 9000 * 20 + (i * i * 7777) % 50000;
    rate = find(20, (AVRational){1, 90000});
    assert_true(rate.variable);
    assert_true(av_q2d(rate.fps) >= 10.0);
}

static void test_few_frames(void **state)
{
    const AVRational hint = {24, 1};
    const AVRational wild = {90000, 1};
    (void)state;
    times[0] = 5;
    expect(mr_rate_find(times, 1, (AVRational){1, 1000}, &hint, 1), 24, 1, false);
    expect(mr_rate_find(times, 1, (AVRational){1, 1000}, &wild, 1), 25, 1, false);
    expect(mr_rate_find(times, 0, (AVRational){1, 1000}, NULL, 0), 25, 1, false);
    times[1] = 45;
    expect(find(2, (AVRational){1, 1000}), 25, 1, false);
}

static void expect_cap(AVRational fps, AVRational max, int num, int den)
{
    AVRational capped = mr_rate_cap(fps, max);
    assert_int_equal(capped.num, num);
    assert_int_equal(capped.den, den);
}

static void test_cap(void **state)
{
    const AVRational sixty = {60, 1};
    (void)state;
    expect_cap((AVRational){25, 1}, sixty, 25, 1);
    expect_cap((AVRational){60, 1}, sixty, 60, 1);
    expect_cap((AVRational){120, 1}, sixty, 60, 1);
    expect_cap((AVRational){120000, 1001}, sixty, 60000, 1001);
    expect_cap((AVRational){90, 1}, sixty, 45, 1);
    expect_cap((AVRational){240, 1}, (AVRational){30, 1}, 30, 1);
    expect_cap((AVRational){30, 1}, (AVRational){30000, 1001}, 30000, 1001);
    expect_cap((AVRational){120, 1}, (AVRational){0, 0}, 120, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_variable),
        cmocka_unit_test(test_few_frames),
        cmocka_unit_test(test_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
