/* SPDX-License-Identifier: MIT */
#include "media/scale.h"
#include "media_host.h"
#include "pictures.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static mr_task task;

static AVFrame *render(const char *graph)
{
    test_pictures pictures;
    assert_true(pictures_render(graph, 1, &pictures));
    AVFrame *frame = av_frame_clone(pictures.frames[0]);
    pictures_free(&pictures);
    return frame;
}

/* The picture in each size, to be freed. */
static void scale(const AVFrame *picture, const mr_size *sizes, size_t count, AVFrame **out)
{
    mr_scaler *scaler = NULL;
    assert_int_equal(mr_scaler_new(&media_host, &task, sizes, count, &scaler), MR_OK);
    for (size_t i = 0; i < count; i++)
        out[i] = av_frame_alloc();
    assert_int_equal(mr_scaler_run(scaler, picture, NULL, out), MR_OK);
    mr_scaler_free(scaler);
}

static bool same(const AVFrame *a, const AVFrame *b)
{
    bool same = a->width == b->width && a->height == b->height;
    for (int plane = 0; plane < 3 && same; plane++) {
        int shift = plane ? 1 : 0;
        for (int y = 0; y < a->height >> shift && same; y++)
            same = memcmp(a->data[plane] + (ptrdiff_t)y * a->linesize[plane], b->data[plane] + (ptrdiff_t)y * b->linesize[plane],
                          (size_t)(a->width >> shift)) == 0;
    }
    return same;
}

static void test_a_size_does_not_depend_on_its_company(void **state)
{
    static const mr_size sizes[] = {{640, 360}, {320, 180}, {480, 270}, {160, 90}, {100, 56}};
    AVFrame *together[5];
    AVFrame *picture = render("testsrc2=size=640x360,format=yuv420p");
    (void)state;
    scale(picture, sizes, 5, together);
    for (int i = 0; i < 5; i++) {
        AVFrame *alone;
        scale(picture, &sizes[i], 1, &alone);
        assert_true(same(alone, together[i]));
        assert_int_equal(alone->width, sizes[i].width);
        assert_int_equal(alone->height, sizes[i].height);
        av_frame_free(&alone);
        av_frame_free(&together[i]);
    }
    av_frame_free(&picture);
}

static void test_the_same_size_is_the_same_picture(void **state)
{
    static const mr_size size = {640, 360};
    AVFrame *picture = render("testsrc2=size=640x360,format=yuv420p");
    AVFrame *out;
    (void)state;
    scale(picture, &size, 1, &out);
    assert_ptr_equal(out->data[0], picture->data[0]);
    av_frame_free(&out);
    av_frame_free(&picture);
}

/* A slope in each plane: its scaled slope has the same values at the same places, also for chroma, which sits left. */
static void check_slope(const char *graph, mr_size size, int unit)
{
    AVFrame *picture = render(graph);
    AVFrame *out;
    scale(picture, &size, 1, &out);
    double ratio = (double)picture->width / size.width;
    for (int x = size.width / 4; x < size.width * 3 / 4; x++) { /* away from the edges */
        double at = (x + 0.5) * ratio - 0.5;
        int value = unit == 1 ? out->data[0][x + 10 * out->linesize[0]]
                              : ((const uint16_t *)(const void *)(out->data[0] + 10 * (ptrdiff_t)out->linesize[0]))[x];
        assert_float_equal(value, unit * (20 + at / 2), unit * 0.8);
    }
    for (int x = size.width / 8; x < size.width * 3 / 8; x++) {
        double at = ((2 * x + 0.5) * ratio - 0.5) / 2; /* chroma sample x stands on luma column 2 x */
        int value = unit == 1 ? out->data[1][x + 5 * out->linesize[1]]
                              : ((const uint16_t *)(const void *)(out->data[1] + 5 * (ptrdiff_t)out->linesize[1]))[x];
        assert_float_equal(value, unit * (20 + at), unit * 0.8);
    }
    av_frame_free(&out);
    av_frame_free(&picture);
}

static void test_nothing_moves_sideways(void **state)
{
    static const char eight[] = "nullsrc=size=400x80,geq=lum=20+X/2:cb=20+X:cr=128,format=yuv420p";
    static const char ten[] = "nullsrc=size=400x80,format=yuv420p10,geq=lum=80+2*X:cb=80+4*X:cr=512";
    (void)state;
    check_slope(eight, (mr_size){200, 40}, 1); /* one half */
    check_slope(eight, (mr_size){100, 20}, 1); /* two */
    check_slope(eight, (mr_size){300, 60}, 1); /* one scale */
    check_slope(eight, (mr_size){150, 30}, 1);
    check_slope(eight, (mr_size){120, 24}, 1); /* both */
    check_slope(ten, (mr_size){200, 40}, 4);
    check_slope(ten, (mr_size){150, 30}, 4);
    check_slope(ten, (mr_size){120, 24}, 4);
}

static void test_odd_and_tiny(void **state)
{
    static const char *const sources[] = {"testsrc2=size=162x122,format=yuv420p", "testsrc2=size=161x121,format=yuv420p",
                                          "testsrc2=size=16x8,format=yuv420p"};
    static const mr_size sizes[] = {{80, 60}, {2, 2}, {14, 6}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        AVFrame *picture = render(sources[i]);
        AVFrame *out;
        scale(picture, &sizes[i], 1, &out);
        assert_int_equal(out->width, sizes[i].width);
        assert_true(picture_mean(out, 0) > 16);
        av_frame_free(&out);
        av_frame_free(&picture);
    }
}

/* k(x) of Mitchell and Netravali with B = 0. */
static double cubic(double x, double c)
{
    x = fabs(x);
    if (x < 1)
        return (2 - c) * x * x * x - (3 - c) * x * x + 1;
    return x < 2 ? -c * x * x * x + 5 * c * x * x - 8 * c * x + 4 * c : 0;
}

/* What the sum of the kernel's weights gives for a luma sample of 'out'. */
static double expected(const AVFrame *picture, const AVFrame *out, int x, int y, double c)
{
    const double across = (double)picture->width / out->width;
    const double down = (double)picture->height / out->height;
    const double left = (x + 0.5) * across - 0.5;
    const double top = (y + 0.5) * down - 0.5;
    double sum = 0;
    double weights = 0;
    for (int row = (int)ceil(top - 2 * down); row <= top + 2 * down; row++) {
        for (int column = (int)ceil(left - 2 * across); column <= left + 2 * across; column++) {
            double weight = cubic((row - top) / down, c) * cubic((column - left) / across, c);
            sum += weight * picture->data[0][column + (ptrdiff_t)row * picture->linesize[0]];
            weights += weight;
        }
    }
    return fmin(255, fmax(0, sum / weights));
}

static void test_the_kernel_is_the_one_that_is_named(void **state)
{
    static const mr_size size = {480, 270}; /* of 640 × 360: no half, and C = 0.6; nothing so dark or bright that it would be cut off */
    AVFrame *picture = render("testsrc2=size=640x360,noise=alls=40:all_seed=7,format=yuv420p,lutyuv=y=64+val/2");
    AVFrame *out;
    (void)state;
    scale(picture, &size, 1, &out);
    for (int y = 8; y < size.height - 8; y += 3) {
        for (int x = 8; x < size.width - 8; x++)
            assert_float_equal(out->data[0][x + (ptrdiff_t)y * out->linesize[0]], expected(picture, out, x, y, 0.6), 1);
    }
    av_frame_free(&out);
    av_frame_free(&picture);
}

/* What makes an odd side even is part of the picture: at its edges, too, it is what it was. */
static void check_flat(const char *graph, mr_size size)
{
    AVFrame *picture = render(graph);
    AVFrame *out;
    scale(picture, &size, 1, &out);
    for (int y = 0; y < size.height; y++) {
        for (int x = 0; x < size.width; x++)
            assert_int_equal(out->data[0][x + (ptrdiff_t)y * out->linesize[0]], 180);
    }
    av_frame_free(&out);
    av_frame_free(&picture);
}

static void test_odd_sides_have_clean_edges(void **state)
{
    static const mr_size size = {80, 60};
    (void)state;
    check_flat("nullsrc=size=161x120,format=yuv420p,geq=lum=180:cb=128:cr=128", size);
    check_flat("nullsrc=size=160x121,format=yuv420p,geq=lum=180:cb=128:cr=128", size);
    check_flat("nullsrc=size=161x121,format=yuv420p,geq=lum=180:cb=128:cr=128", size);
}

static void test_lines_may_lie_anywhere(void **state)
{
    static const mr_size sizes[] = {{300, 170}, {120, 68}, {602, 340}};
    AVFrame *cut = render("testsrc2=size=640x360,format=yuv420p,crop=602:340:18:6");
    AVFrame *aligned = render("testsrc2=size=640x360,format=yuv420p,crop=602:340:18:6,copy");
    AVFrame *one[3];
    AVFrame *other[3];
    (void)state;
    assert_int_not_equal((uintptr_t)cut->data[0] % 32, 0);
    scale(cut, sizes, 3, one);
    scale(aligned, sizes, 3, other);
    for (int i = 0; i < 3; i++) {
        assert_true(same(one[i], other[i]));
        av_frame_free(&one[i]);
        av_frame_free(&other[i]);
    }
    av_frame_free(&cut);
    av_frame_free(&aligned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_size_does_not_depend_on_its_company),
        cmocka_unit_test(test_the_same_size_is_the_same_picture),
        cmocka_unit_test(test_nothing_moves_sideways),
        cmocka_unit_test(test_odd_and_tiny),
        cmocka_unit_test(test_the_kernel_is_the_one_that_is_named),
        cmocka_unit_test(test_odd_sides_have_clean_edges),
        cmocka_unit_test(test_lines_may_lie_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
