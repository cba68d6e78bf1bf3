/* SPDX-License-Identifier: MIT */
/* The pictures of a chunk do not depend on where the chunks are cut. */
#include "clip.h"
#include "media/picture.h"
#include "media_host.h"
#include "pictures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FRAMES = 40 };

static AVFrame *read_frames(mr_task *task, const mr_picture_info *info, int first, int frames, int64_t decode_from_us, AVFrame **out)
{
    mr_chunk_segment segment = {.first_frame = first, .frames = frames};
    const mr_chunk chunk = {.fps = {25, 1},
                            .timescale = 12800,
                            .frame_ticks = 512,
                            .first_frame = first,
                            .frames = frames,
                            .decode_from_us = decode_from_us,
                            .segments = &segment,
                            .segment_count = 1,
                            .longest_segment = frames,
                            .picture = *info};
    const mr_picture_options options = {.keep_hdr = false};
    mr_pictures *pictures = NULL;
    bool repeat;
    assert_int_equal(mr_pictures_open(&media_host, task, &task->source, &chunk, &options, &pictures), MR_OK);
    for (int i = 0; i < frames; i++) {
        out[i] = av_frame_alloc();
        assert_int_equal(mr_pictures_next(pictures, out[i], &repeat), MR_OK);
        assert_false(repeat);
        assert_int_equal(out[i]->pts, i);
    }
    AVFrame *none = av_frame_alloc();
    assert_int_equal(mr_pictures_next(pictures, none, &repeat), MR_END);
    av_frame_free(&none);
    mr_pictures_close(pictures);
    return NULL;
}

/* Every way to cut gives the pictures of the whole. keys: every so many frames there is a keyframe. */
static void check_cuts(const char *name, const mr_picture_info *info, int keys)
{
    static const int cuts[] = {1, 12, 13, 20, 24, 25, 39};
    AVFrame *whole[FRAMES];
    AVFrame *parts[FRAMES];
    mr_task task;
    media_task_open(&task, clip_path(name));
    read_frames(&task, info, 0, FRAMES, 0, whole);
    for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
        read_frames(&task, info, 0, cuts[c], 0, parts);
        read_frames(&task, info, cuts[c], FRAMES - cuts[c], cuts[c] / keys * keys * 40000, parts + cuts[c]);
        for (int i = 0; i < FRAMES; i++) {
            assert_true(picture_psnr(whole[i], parts[i]) == 99);
            av_frame_free(&parts[i]);
        }
    }
    assert_string_equal(task.messages, "");
    for (int i = 0; i < FRAMES; i++)
        av_frame_free(&whole[i]);
    media_task_close(&task);
}

static mr_picture_info info_of(mr_interlacing interlacing)
{
    return (mr_picture_info){.width = 160, .height = 96, .display_width = 160, .display_height = 96, .sar = {1, 1}, .interlacing = interlacing};
}

static void test_cuts_do_not_show(void **state)
{
    const mr_picture_info info = info_of(MR_PROGRESSIVE);
    (void)state;
    assert_true(
        clip_make("plain.mp4", "-f lavfi -i testsrc2=size=160x96:rate=25,format=yuv420p -frames:v 40 -c:v libx264 -preset ultrafast -g 12 -bf 2"));
    check_cuts("plain.mp4", &info, 12);
}

static void test_cuts_do_not_show_in_interlaced_pictures(void **state)
{
    const mr_picture_info info = info_of(MR_TOP_FIRST);
    (void)state;
    assert_true(clip_make("fields.mp4", "-f lavfi -i testsrc2=size=160x96:rate=50,tinterlace=interleave_top,format=yuv420p -frames:v 40 -c:v libx264 "
                                        "-preset ultrafast -flags +ildct+ilme -x264-params tff=1 -g 12 -bf 0"));
    check_cuts("fields.mp4", &info, 12);
    assert_true(
        clip_make("intra.mov", "-f lavfi -i testsrc2=size=160x96:rate=50,tinterlace=interleave_top,format=yuv422p -frames:v 40 -c:v mjpeg -q:v 2"));
    check_cuts("intra.mov", &info, 1);
}

static void test_interlaced_pictures_lose_their_combs(void **state)
{
    const mr_picture_info fields = info_of(MR_TOP_FIRST);
    const mr_picture_info left = info_of(MR_PROGRESSIVE);
    AVFrame *woven[8];
    AVFrame *whole[8];
    mr_task task;
    double combs[2] = {0, 0};
    (void)state;
    media_task_open(&task, clip_path("fields.mp4"));
    read_frames(&task, &left, 0, 8, 0, woven);
    read_frames(&task, &fields, 0, 8, 0, whole);
    for (int i = 0; i < 8; i++) {
        for (int y = 1; y < 95; y++) {
            for (int x = 0; x < 160; x++) {
                for (int k = 0; k < 2; k++) { /* how far a line differs from both of its neighbours in the same direction */
                    const uint8_t *row = (k ? whole[i] : woven[i])->data[0] + (ptrdiff_t)y * (k ? whole[i] : woven[i])->linesize[0] + x;
                    ptrdiff_t stride = (k ? whole[i] : woven[i])->linesize[0];
                    int up = row[0] - row[-stride];
                    int down = row[0] - row[stride];
                    combs[k] += up * down > 400;
                }
            }
        }
        av_frame_free(&woven[i]);
        av_frame_free(&whole[i]);
    }
    media_task_close(&task);
    assert_true(combs[0] > 2 * combs[1]);
}

static void test_a_hole_is_filled_from_before(void **state)
{
    /* the planner points behind everything that can be decoded: the last picture there is serves */
    const mr_picture_info info = info_of(MR_PROGRESSIVE);
    mr_chunk_segment segment = {.first_frame = 100, .frames = 2};
    const mr_chunk chunk = {.fps = {25, 1},
                            .timescale = 12800,
                            .frame_ticks = 512,
                            .first_frame = 100,
                            .frames = 2,
                            .decode_from_us = 4000000,
                            .segments = &segment,
                            .segment_count = 1,
                            .longest_segment = 2,
                            .picture = info};
    const mr_picture_options options = {.keep_hdr = false};
    mr_pictures *pictures = NULL;
    AVFrame *frame = av_frame_alloc();
    bool repeat;
    mr_task task;
    (void)state;
    media_task_open(&task, clip_path("plain.mp4"));
    assert_int_equal(mr_pictures_open(&media_host, &task, &task.source, &chunk, &options, &pictures), MR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mr_pictures_next(pictures, frame, &repeat), MR_OK);
    assert_int_equal(mr_pictures_next(pictures, frame, &repeat), MR_END);
    mr_pictures_close(pictures);
    av_frame_free(&frame);
    media_task_close(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_do_not_show),
        cmocka_unit_test(test_cuts_do_not_show_in_interlaced_pictures),
        cmocka_unit_test(test_interlaced_pictures_lose_their_combs),
        cmocka_unit_test(test_a_hole_is_filled_from_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
