/* SPDX-License-Identifier: MIT */
/* manifest.package: what it refuses, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "story.h"

#include <string.h>

static const mr_op *op;

static void expect_refusal(story *story, const char *params, mr_status status, const char *words)
{
    op_result result = op_run(op, params, story->inputs, story->count, NULL);
    assert_int_equal(result.status, status);
    if (!strstr(result.messages, words))
        fail_msg("'%s' is not in: %s", words, result.messages);
    const op_item *manifest = published(&result, "manifest.mpd");
    assert_null(manifest);
    op_result_free(&result);
    story_free(story);
}

static void test_incomplete(void **state)
{
    story story = {0};
    const video_spec small = rung("240p", 1, 426, 240, 200000);
    (void)state;
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_remove(&story, 3); /* plan, init, 0, [1], 2 */
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "rendition 'video/1080p': segment 1 is missing");
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_remove(&story, 4);
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "ends after 2 of 3 planned segments");
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_remove(&story, 1);
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "without an init segment");
    story_plan(&story, &video_1080, NULL);
    expect_refusal(&story, NULL, MR_ERR_INPUT, "nothing to package");
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_video(&story, &small);
    story_remove(&story, story.count - 1);
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "'video/240p' ends after 2 of 3");
}

static void test_contradictions(void **state)
{
    story story = {0};
    video_spec shifted = rung("240p", 1, 426, 240, 200000);
    (void)state;
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_video(&story, &video_1080);
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "segment 0 came twice");
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story.inputs[story.count++] = story.inputs[1];
    story.inputs[story.count - 1].meta = strdup(story.inputs[1].meta);
    story.inputs[story.count - 1].digest = "sha256:other";
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "different init segments");
    shifted.segment_frames = 90;
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_video(&story, &shifted);
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "does not begin where");
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_add(&story, "segments", MR_TYPE_SEGMENT, 10, NULL,
              "{\"role\":\"media\",\"kind\":\"audio\",\"rendition\":\"video/1080p\",\"index\":0,\"start\":0,\"duration\":1,\"ext\":\"m4s\"}");
    expect_refusal(&story, NULL, MR_ERR_INTERNAL, "came as video and as audio");
}

static void test_bad_metadata(void **state)
{
    static const struct {
        const char *meta, *words;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{\"role\":\"media\",\"kind\":\"smell\",\"rendition\":\"a\"}", "'kind'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"../a\"}", "'rendition'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"/a\"}", "'rendition'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"a\",\"index\":-1}", "'index'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"a\",\"index\":99999999}", "'index'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"a\",\"index\":0,\"start\":0,\"duration\":1,\"ext\":\"a/b\"}", "'ext'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"a\",\"index\":0,\"start\":0,\"duration\":0,\"ext\":\"m4s\"}", "'duration'"},
        {"{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"a\",\"index\":0,\"start\":0,\"duration\":1,\"ext\":\"m4s\",\"iframe_bytes\":99}",
         "'iframe_bytes'"},
        {"{\"role\":\"other\",\"kind\":\"video\",\"rendition\":\"a\"}", "'role'"},
        {"{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"a\",\"timescale\":0}", "'timescale'"},
        {"{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"a\",\"timescale\":1,\"codec\":\"a\\\"b\",\"codec_name\":\"x\",\"ext\":\"mp4\"}",
         "'codec'"},
        {"{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"a\",\"timescale\":1,\"fps\":[1,0]}", "'fps'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        story story = {0};
        story_plan(&story, &video_1080, NULL);
        story_add(&story, "segments", MR_TYPE_SEGMENT, 10, NULL, "%s", cases[i].meta);
        expect_refusal(&story, NULL, MR_ERR_INTERNAL, cases[i].words);
    }
}

static void test_bad_params(void **state)
{
    static const char *const params[] = {"{formats: [hls, smooth]}", "{hls_name: a/b}", "{playlist_name: '..'}"};
    (void)state;
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        story story = {0};
        story_plan(&story, &video_1080, NULL);
        story_video(&story, &video_1080);
        expect_refusal(&story, params[i], MR_ERR_PARAM, "param '");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_bad_params),
    };
    op = op_load(PLUGIN, "manifest.package");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
