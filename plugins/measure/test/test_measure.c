/* SPDX-License-Identifier: MIT */
/* Trials tell hard from easy and better from worse; scenes are found where they begin. */
#include "clip.h"
#include "op_host.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const mr_op *trial;
static const mr_op *scenes;
static const mr_op *probe;

static op_result measure(const mr_op *op, const char *clip, const char *params, const char *rung, const op_run_options *options)
{
    char *path = strdup(clip_path(clip));
    const op_input source = {.port = "source", .type = MR_TYPE_MEDIA, .path = path};
    op_result info = op_run(probe, NULL, &source, 1, NULL);
    assert_int_equal(info.status, MR_OK);
    const op_input inputs[] = {source,
                               {.port = "info", .type = MR_TYPE_JSON, .meta = op_result_item(&info, probe, "info", 0)->meta},
                               {.port = "rung", .type = MR_TYPE_JSON, .meta = rung}};
    op_result result = op_run(op, params, inputs, rung ? 3 : 2, options);
    if (result.messages[0])
        print_message("%s", result.messages);
    op_result_free(&info);
    free(path);
    return result;
}

static json_t *meta_of(const op_result *result)
{
    assert_int_equal(result->status, MR_OK);
    assert_int_equal(result->count, 1);
    json_t *meta = json_loads(result->items[0].meta, 0, NULL);
    assert_non_null(meta);
    return meta;
}

static double number(const json_t *list, size_t index, const char *key)
{
    return json_number_value(json_object_get(json_array_get(list, index), key));
}

#define RUNG "{\"id\": \"180p\", \"width\": 320, \"height\": 180, \"max_bitrate\": 500000}"

static void trials_tell_what_a_video_takes(void **state)
{
    (void)state;
    double bitrates[2];
    static const char *const clips[] = {"easy.mp4", "hard.mp4"};
    assert_true(clip_make("easy.mp4", "-f lavfi -i testsrc=s=640x360:r=25:d=4 -c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p"));
    assert_true(clip_make(
        "hard.mp4", "-f lavfi -i nullsrc=s=640x360:r=25:d=4,geq=random(1)*255:128:128 -c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p"));
    for (size_t i = 0; i < 2; i++) {
        op_result result = measure(trial, clips[i], "{samples: 2, length: 400ms, qualities: [18, 30, 42]}", RUNG, NULL);
        json_t *meta = meta_of(&result);
        const json_t *points = json_object_get(meta, "points");
        assert_string_equal(json_string_value(json_object_get(json_object_get(meta, "rung"), "id")), "180p");
        assert_int_equal(json_array_size(points), 3);
        for (size_t p = 0; p + 1 < 3; p++) {
            assert_true(number(points, p, "bitrate") > number(points, p + 1, "bitrate"));
            assert_true(number(points, p, "ssim") > number(points, p + 1, "ssim"));
            assert_true(number(points, p, "psnr") > number(points, p + 1, "psnr"));
        }
        assert_true(number(points, 0, "ssim") > 0.9 && number(points, 0, "ssim") <= 1);
        bitrates[i] = number(points, 1, "bitrate");
        json_decref(meta);
        op_result again = measure(trial, clips[i], "{samples: 2, length: 400ms, qualities: [18, 30, 42]}", RUNG, NULL);
        assert_string_equal(again.items[0].meta, result.items[0].meta);
        op_result_free(&again);
        op_result_free(&result);
    }
    assert_true(bitrates[1] > 4 * bitrates[0]);
}

/* What comes out can be checked by hand: the same picture again and again costs nothing and is all but equal. */
static void a_still_picture_is_all_but_free(void **state)
{
    (void)state;
    assert_true(clip_make("still.mp4", "-f lavfi -i color=gray:s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"));
    op_result result = measure(trial, "still.mp4", "{samples: 8, length: 10s, qualities: [23]}", RUNG, NULL);
    json_t *meta = meta_of(&result);
    const json_t *points = json_object_get(meta, "points");
    assert_true(number(points, 0, "psnr") > 45);
    assert_true(number(points, 0, "ssim") > 0.99);
    assert_true(number(points, 0, "bitrate") < 30000);
    json_decref(meta);
    op_result_free(&result);
}

static void trials_refuse_what_they_cannot_use(void **state)
{
    (void)state;
    static const char *const rungs[] = {"{}", "{\"width\": 321, \"height\": 180}", "{\"width\": 1000000, \"height\": 180}"};
    for (size_t i = 0; i < 3; i++) {
        op_result result = measure(trial, "still.mp4", NULL, rungs[i], NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        op_result_free(&result);
    }
    op_result result = measure(trial, "still.mp4", "{qualities: [99]}", RUNG, NULL);
    assert_int_equal(result.status, MR_ERR_PARAM);
    op_result_free(&result);
    const op_run_options soon = {.cancel_after = 5};
    result = measure(trial, "still.mp4", NULL, RUNG, &soon);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
}

/* Black for a second, then white, then pictures that move, then a grey that stands. */
static void scenes_are_found_where_they_begin(void **state)
{
    (void)state;
    assert_true(clip_make("scenes.mp4", "-f lavfi -i color=black:s=320x180:r=25:d=1 -f lavfi -i color=white:s=320x180:r=25:d=2 "
                                        "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i color=gray:s=320x180:r=25:d=1.4 "
                                        "-filter_complex [0][1][2][3]concat=n=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"));
    op_result result = measure(scenes, "scenes.mp4", NULL, NULL, NULL);
    json_t *meta = meta_of(&result);
    const json_t *list = json_object_get(meta, "scenes");
    static const int starts[] = {0, 1000000, 3000000, 5000000};
    assert_int_equal(json_array_size(list), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(number(list, i, "start_us"), starts[i]);
        assert_int_equal(number(list, i, "end_us"), i < 3 ? starts[i + 1] : 6400000);
        assert_true((number(list, i, "motion") > 0.002) == (i == 2));
    }
    const json_t *motion = json_object_get(meta, "motion");
    assert_int_equal(json_array_size(motion), 7);
    for (size_t i = 0; i < 7; i++)
        assert_true((json_number_value(json_array_get(motion, i)) > 0.002) == (i == 3 || i == 4));
    json_decref(meta);
    op_result_free(&result);
    result = measure(scenes, "scenes.mp4", "{min_length: 2s}", NULL, NULL);
    meta = meta_of(&result);
    assert_int_equal(json_array_size(json_object_get(meta, "scenes")), 3); /* black and white are one: white begins too soon */
    json_decref(meta);
    op_result_free(&result);
    const op_run_options soon = {.cancel_after = 5};
    result = measure(scenes, "scenes.mp4", NULL, NULL, &soon);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
}

static void a_source_without_pictures_is_refused(void **state)
{
    (void)state;
    assert_true(clip_make("tone.wav", "-f lavfi -i sine=d=1"));
    op_result result = measure(scenes, "tone.wav", NULL, NULL, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, "no picture track"));
    op_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials_tell_what_a_video_takes),       cmocka_unit_test(a_still_picture_is_all_but_free),
        cmocka_unit_test(trials_refuse_what_they_cannot_use),   cmocka_unit_test(scenes_are_found_where_they_begin),
        cmocka_unit_test(a_source_without_pictures_is_refused),
    };
    trial = op_load(PLUGIN_FILE, "measure.trial");
    scenes = op_load(PLUGIN_FILE, "measure.scenes");
    probe = op_load(PROBE_FILE, "probe.media");
    if (!trial || !scenes || !probe)
        return 1;
    return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
