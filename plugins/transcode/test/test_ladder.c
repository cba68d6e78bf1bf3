/* SPDX-License-Identifier: MIT */
#include "op_host.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const mr_op *op;

static const char given[] = "{rungs: [{height: 1080, max_bitrate: 5M}, {height: 720, max_bitrate: 2.5M}, {height: 480, max_bitrate: 800k}, {height: "
                            "240, max_bitrate: 200k}]}";

/* Writes "1080p:1920x1080@5000000 …" of what the ladder makes for a picture of that size. */
static mr_status ladder(const char *params, int width, int height, char *text, size_t size)
{
    char info[256];
    snprintf(info, sizeof(info), "{\"video\":{\"display_width\":%d,\"display_height\":%d,\"frame_rate\":[25,1]}}", width, height);
    const op_input input = {.port = "info", .type = MR_TYPE_JSON, .meta = width ? info : "{}"};
    op_result result = op_run(op, params, &input, 1, NULL);
    text[0] = '\0';
    for (size_t i = 0; i < result.count; i++) {
        json_t *rung = json_loads(result.items[i].meta, 0, NULL);
        size_t len = strlen(text);
        assert_int_equal(json_object_size(rung), 4); /* nothing that depends on the other rungs: they stay what they are when one is added */
        snprintf(text + len, size - len, "%s%s:%dx%d@%d", i ? " " : "", json_string_value(json_object_get(rung, "id")),
                 (int)json_integer_value(json_object_get(rung, "width")), (int)json_integer_value(json_object_get(rung, "height")),
                 (int)json_integer_value(json_object_get(rung, "max_bitrate")));
        json_decref(rung);
    }
    mr_status status = result.status;
    if (status != MR_OK)
        snprintf(text, size, "%s", result.messages);
    op_result_free(&result);
    return status;
}

#define assert_ladder(params, width, height, expected)                                                                                               \
    do {                                                                                                                                             \
        char made[1024];                                                                                                                             \
        assert_int_equal(ladder(params, width, height, made, sizeof(made)), MR_OK);                                                                  \
        assert_string_equal(made, expected);                                                                                                         \
    } while (0)

static void test_fits_every_shape_into_the_box(void **state)
{
    (void)state;
    assert_ladder(given, 1920, 1080, "240p:426x240@200000 480p:854x480@800000 720p:1280x720@2500000 1080p:1920x1080@5000000");
    assert_ladder(given, 1080, 1920, "240p:240x426@200000 480p:480x854@800000 720p:720x1280@2500000 1080p:1080x1920@5000000");
    assert_ladder(given, 1920, 804, "240p:426x178@200000 480p:854x358@800000 720p:1280x536@2500000 1080p:1920x804@5000000");
    assert_ladder(given, 1440, 1080, "240p:320x240@200000 480p:640x480@800000 720p:960x720@2500000 1080p:1440x1080@5000000");
}

static void test_leaves_out_what_the_source_does_not_fill(void **state)
{
    (void)state;
    assert_ladder(given, 1280, 720, "240p:426x240@200000 480p:854x480@800000 720p:1280x720@2500000");
    assert_ladder(given, 426, 240, "240p:426x240@200000");
    assert_ladder(given, 1600, 900, "240p:426x240@200000 480p:854x480@800000 720p:1280x720@2500000");
    /* a little short of 1080p, and no twin of it */
    assert_ladder("{rungs: [{height: 1080, max_bitrate: 5M}]}", 1916, 1076, "1080p:1916x1076@4984383");
}

static void test_keeps_a_rung_of_the_sources_size_when_none_is_near(void **state)
{
    (void)state;
    assert_ladder(given, 160, 120, "120p:160x120@70710");
    assert_ladder(given, 161, 121, "120p:160x120@71596");
    assert_ladder(given, 640, 360, "240p:426x240@200000 360p:640x360@519615");
    assert_ladder("{rungs: [{height: 1080, max_bitrate: 5M}]}", 640, 360, "360p:640x360@962250");
    assert_ladder(given, 2, 2, "2p:2x2@152");
}

static void test_automatic_ladder_and_bitrates(void **state)
{
    (void)state;
    assert_ladder(NULL, 1280, 720, "240p:426x240@250000 480p:854x480@900000 720p:1280x720@2500000");
    assert_ladder("{rungs: [{height: 720}]}", 1280, 720, "720p:1280x720@2500000");
}

static void test_exact_shapes_for_cropped_sources(void **state)
{
    (void)state;
    assert_ladder("{rungs: [{height: 1080, width: 1080, max_bitrate: 4M}]}", 1920, 1080, "1080p:1080x1080@4000000");
    assert_ladder("{rungs: [{height: 1080, width: 1080, max_bitrate: 4M, id: square}]}", 640, 360, "square:360x360@769800");
}

static void test_twins(void **state)
{
    (void)state;
    assert_ladder("{rungs: [{height: 720, max_bitrate: 1M}, {height: 720, max_bitrate: 3M}, {height: 720, max_bitrate: 3M}]}", 1280, 720,
                  "720p-2:1280x720@1000000 720p:1280x720@3000000");
}

static void test_no_picture_no_rungs(void **state)
{
    (void)state;
    assert_ladder(given, 0, 0, "");
}

static void test_refuses_ids_that_are_no_folders(void **state)
{
    char text[512];
    (void)state;
    assert_int_equal(ladder("{rungs: [{height: 720, id: ../up}]}", 1280, 720, text, sizeof(text)), MR_ERR_PARAM);
    assert_non_null(strstr(text, "can't have the id '../up'"));
    assert_int_equal(ladder("{rungs: [{height: 720, id: a}, {height: 480, id: a}]}", 1280, 720, text, sizeof(text)), MR_ERR_PARAM);
    assert_non_null(strstr(text, "two rungs have the id 'a'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_every_shape_into_the_box),
        cmocka_unit_test(test_leaves_out_what_the_source_does_not_fill),
        cmocka_unit_test(test_keeps_a_rung_of_the_sources_size_when_none_is_near),
        cmocka_unit_test(test_automatic_ladder_and_bitrates),
        cmocka_unit_test(test_exact_shapes_for_cropped_sources),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_no_picture_no_rungs),
        cmocka_unit_test(test_refuses_ids_that_are_no_folders),
    };
    op = op_load(PLUGIN_FILE, "transcode.ladder");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
