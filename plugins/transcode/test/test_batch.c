/* SPDX-License-Identifier: MIT */
/* transcode.analyse and transcode.video in batches: what comes out does not depend on who is in one, nor on how many processors it has. */
#include "clip.h"
#include "video_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NEARLY "-c:v libx264 -preset ultrafast -crf 4 -g 12 -bf 2 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"

static kit_source plain = {.width = 320, .height = 180, .fps = 25};
static const kit_rung two_rungs[] = {{"180p", 320, 180, 800000}, {"90p", 160, 90, 200000}};
static const int first_segments[] = {12, 13, 0};
static const int second_segments[] = {13, 12, 0};

/* clip_path's own goes with its next call: path is of 256. */
static kit_source make(const char *name, const char *args, char *path, kit_source source)
{
    assert_true(clip_make(name, args));
    snprintf(path, 256, "%s", clip_path(name));
    source.path = path;
    return source;
}

static void assert_batch_does_not_matter(const kit_rung *rungs)
{
    char *chunk = kit_chunk(&plain, 1, 25, 960000, second_segments);
    op_result results[8][2];
    for (int i = 0; i < 8; i++) { /* batch, batch again, alone with the analysis, each with one of its own; the same on two processors */
        const kit_run run = {.source = &plain,
                             .chunk = chunk,
                             .rungs = rungs,
                             .rung_count = 2,
                             .analyse = i % 4 != 3,
                             .batch = i % 4 < 2,
                             .processors = i < 4 ? 1 : 2};
        kit_video(&run, results[i]);
        for (int r = 0; r < 2; r++) {
            assert_int_equal(results[i][r].status, MR_OK);
            assert_true(kit_same(&results[0][r], &results[i][r]));
        }
    }
    for (int i = 0; i < 16; i++)
        op_result_free(&results[i / 2][i % 2]);
    free(chunk);
}

static void test_the_batch_does_not_matter(void **state)
{
    static const kit_rung smaller[] = {{"90p", 160, 90, 200000}, {"46p", 80, 46, 100000}}; /* their pictures are kept, not the source's */
    (void)state;
    assert_batch_does_not_matter(two_rungs);
    assert_batch_does_not_matter(smaller);
}

/* Nothing is kept of what needs no analysis: all rungs are encoded from one decode, the largest on a thread of its own where there is a processor. */
static void test_the_largest_may_be_encoded_beside_the_others(void **state)
{
    static const kit_rung rungs[] = {{"180p", 320, 180, 800000}, {"90p", 160, 90, 200000}, {"46p", 80, 46, 100000}};
    static const char *const params[] = {"{rate_control: crf}", "{codec: hevc, preset: ultrafast}"};
    char *chunk = kit_chunk(&plain, 1, 25, 960000, second_segments);
    (void)state;
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        op_result results[2][3];
        for (uint32_t p = 0; p < 2; p++) {
            const kit_run run = {
                .source = &plain, .chunk = chunk, .params = params[i], .rungs = rungs, .rung_count = 3, .batch = true, .processors = 1 + p};
            kit_video(&run, results[p]);
        }
        for (int r = 0; r < 3; r++) {
            assert_int_equal(results[0][r].status, MR_OK);
            assert_true(kit_same(&results[0][r], &results[1][r]));
            op_result_free(&results[0][r]);
            op_result_free(&results[1][r]);
        }
        const kit_run cancelled = {.source = &plain,
                                   .chunk = chunk,
                                   .params = params[i],
                                   .rungs = rungs,
                                   .rung_count = 3,
                                   .batch = true,
                                   .cancel_after = 9,
                                   .processors = 2};
        kit_video(&cancelled, results[0]);
        for (int r = 0; r < 3; r++) {
            assert_int_equal(results[0][r].status, MR_ERR_CANCELLED);
            op_result_free(&results[0][r]);
        }
    }
    free(chunk);
}

/* They have two threads in the first chunk of a video: always, so that it is the same on one processor. */
static void test_large_pictures_open_the_same_on_one_processor(void **state)
{
    static const kit_rung rungs[] = {{"90p", 160, 90, 200000}, {"720p", 1280, 720, 20000000}};
    static const char *const params[] = {NULL, NULL, "{encoder_threads: 2}"};
    static const int segments[] = {12, 0};
    char path[256];
    const kit_source large = make("large.mp4", "-f lavfi -i testsrc2=size=1280x720:rate=25,format=yuv420p -frames:v 12 " NEARLY, path,
                                  (kit_source){.width = 1280, .height = 720, .fps = 25});
    char *chunk = kit_chunk(&large, 0, 0, 0, segments);
    op_result results[3][2];
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        const kit_run run = {&large, chunk, params[i], rungs, 2, .analyse = true, .batch = true, .processors = 1 + i % 2};
        kit_video(&run, results[i]);
        assert_true(kit_same(&results[0][0], &results[i][0]) && kit_same(&results[0][1], &results[i][1]));
    }
    for (int i = 0; i < 6; i++)
        op_result_free(&results[i / 2][i % 2]);
    free(chunk);
}

static void test_cancel(void **state)
{
    static const uint32_t after[] = {9, 30}; /* of 25 pictures: in the analysis, in the encodes */
    char *chunk = kit_chunk(&plain, 0, 0, 0, first_segments);
    op_result results[2];
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        const kit_run run = {.source = &plain,
                             .chunk = chunk,
                             .rungs = two_rungs,
                             .rung_count = 2,
                             .batch = true,
                             .cancel_after = after[i / 2],
                             .processors = 1 + i % 2};
        kit_video(&run, results);
        for (int r = 0; r < 2; r++) {
            assert_int_equal(results[r].status, MR_ERR_CANCELLED);
            assert_int_equal(results[r].count, 0);
            op_result_free(&results[r]);
        }
    }
    free(chunk);
}

static int set_up(void **state)
{
    static char path[256];
    (void)state;
    plain = make("plain.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25,format=yuv420p -frames:v 50 " NEARLY, path, plain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_batch_does_not_matter),
        cmocka_unit_test(test_the_largest_may_be_encoded_beside_the_others),
        cmocka_unit_test(test_large_pictures_open_the_same_on_one_processor),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
