/* SPDX-License-Identifier: MIT */
/* manifest.package: whole packages against golden files (MILLRACE_GOLDEN_UPDATE=1 writes them anew), the order of publication. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mr_op *op;

static audio_spec sound(const char *path, const char *language, const char *name, int order, int stream, int channels)
{
    audio_spec spec = audio_en;
    spec.path = path;
    spec.language = language;
    spec.name = name;
    spec.order = order;
    spec.stream = stream;
    spec.channels = channels;
    spec.is_default = false;
    return spec;
}

/* Three rungs, English in 5.1 and stereo, a commentary, German in stereo only, subtitles, a poster and a storyboard. */
static void tell_vod(story *story)
{
    const video_spec rungs[] = {video_1080, rung("720p", 1, 1280, 720, 2500000), rung("240p", 2, 426, 240, 200000)};
    audio_spec tracks[] = {sound("audio/en-6ch", "en", "English", 0, 1, 6), audio_en, sound("audio/en-2ch-2", "en", "Director \\\"x\\\"", 2, 3, 2),
                           sound("audio/de-2ch", "de", "Deutsch", 3, 2, 2)};
    tracks[0].is_default = true;
    tracks[1].order = 1;
    story_plan(story, &video_1080, &audio_en);
    for (size_t i = 0; i < 3; i++)
        story_video(story, &rungs[i]);
    for (size_t i = 0; i < 4; i++)
        story_audio(story, &tracks[i]);
    story_text(story, "text/de", 0, "de", "Deutsch", false, 3);
    story_text(story, "text/en-forced", 1, "en", "English (forced)", true, 3);
    story_add(story, "images", MR_TYPE_IMAGE, 5000, NULL,
              "{\"role\":\"poster\",\"path\":\"poster.jpg\",\"content_type\":\"image/jpeg\",\"width\":1920,\"height\":1080,\"time_us\":1}");
    for (int i = 0; i < 2; i++)
        story_add(
            story, "images", MR_TYPE_IMAGE, 20000, NULL,
            "{\"role\":\"storyboard\",\"path\":\"storyboard/%05d.jpg\",\"content_type\":\"image/jpeg\",\"width\":1600,\"height\":900,\"columns\":5,"
            "\"rows\":1,\"tiles\":5,\"tile_width\":320,\"tile_height\":180,\"start_us\":%d,\"interval_us\":2000000}",
            i, i * 10000000);
}

static op_result run(const story *story, const char *params)
{
    return op_run(op, params, story->inputs, story->count, NULL);
}

static void check_success(const op_result *result)
{
    if (result->status != MR_OK)
        fail_msg("status %d: %s", result->status, result->messages);
}

static void expect_golden(story *story, const char *params, const char *name)
{
    op_result result = run(story, params);
    check_success(&result);
    check_order(&result);
    char *texts = published_texts(&result);
    check_golden(name, texts);
    free(texts);
    op_result_free(&result);
    story_free(story);
}

static void test_vod(void **state)
{
    story story = {0};
    (void)state;
    tell_vod(&story);
    expect_golden(&story, NULL, "vod");
}

/* 29.97 and 12.5 frames a second, 44.1 kHz: nothing is a round number. Two codecs and HDR: sets of their own. */
static void test_odd_rates(void **state)
{
    story story = {0};
    audio_spec odd = audio_en;
    video_spec ntsc = rung("576p", 0, 1024, 576, 1500000);
    video_spec hdr = rung("576p-hdr", 1, 1024, 576, 1200000);
    (void)state;
    ntsc.fps_num = hdr.fps_num = 30000;
    ntsc.fps_den = hdr.fps_den = 1001;
    ntsc.timescale = hdr.timescale = 30000;
    ntsc.frame_ticks = hdr.frame_ticks = 1001;
    ntsc.segment_frames = hdr.segment_frames = 119;
    hdr.codec = "hvc1.2.4.L93.B0";
    hdr.codec_name = "hevc";
    hdr.range = "PQ";
    odd.sample_rate = 44100;
    odd.segment_samples = 175104;
    odd.last_samples = 27900;
    odd.channels = 1;
    odd.language = "und";
    odd.name = "";
    story_plan(&story, &ntsc, &odd);
    story_video(&story, &ntsc);
    story_video(&story, &hdr);
    story_audio(&story, &odd);
    expect_golden(&story, NULL, "odd-rates");
}

static void test_transport_stream(void **state)
{
    story story = {0};
    (void)state;
    story_plan(&story, &video_1080, NULL);
    for (int r = 0; r < 2; r++) {
        const char *id = r == 0 ? "720p" : "240p";
        story_add(
            &story, "segments", MR_TYPE_SEGMENT, 0, NULL,
            "{\"role\":\"init\",\"kind\":\"muxed\",\"rendition\":\"%s\",\"order\":%d,\"codec\":\"avc1.64001f,mp4a.40.2\",\"codec_name\":\"h264\","
            "\"timescale\":90000,\"ext\":\"ts\",\"width\":%d,\"height\":%d,\"fps\":[25,1],\"max_bitrate\":%d}",
            id, r, r == 0 ? 1280 : 426, r == 0 ? 720 : 240, r == 0 ? 2500000 : 200000);
        for (int i = 0; i < 3; i++)
            story_add(&story, "segments", MR_TYPE_SEGMENT, r == 0 ? 900000 : 90000, NULL,
                      "{\"role\":\"media\",\"kind\":\"muxed\",\"rendition\":\"%s\",\"index\":%d,\"start\":%d,\"duration\":%d,\"timescale\":90000,"
                      "\"ext\":\"ts\"}",
                      id, i, i * 360000, i < 2 ? 360000 : 205200);
    }
    expect_golden(&story, "{formats: [hls]}", "hls-ts");
}

static void test_sound_alone(void **state)
{
    story story = {0};
    const audio_spec german = sound("audio/de-2ch", "de", "Deutsch", 1, 2, 2);
    (void)state;
    story_plan(&story, NULL, &audio_en);
    story_audio(&story, &audio_en);
    expect_golden(&story, NULL, "sound-alone");
    story_plan(&story, NULL, &audio_en);
    story_audio(&story, &audio_en);
    story_audio(&story, &german);
    expect_golden(&story, NULL, "sound-alone-two-languages");
}

/* Names come from hostile files: no quote, line end or markup may break out, and equal names must not stay equal. */
static void test_hostile_names(void **state)
{
    story story = {0};
    audio_spec tracks[] = {sound("audio/a", "en\\\" onclick", "x\\\",URI=\\\"http://evil/\\n#EXT-X-ENDLIST", 0, 1, 2),
                           sound("audio/b b$Number$", "", "</Label><script>&'\\u0001\\uffff", 1, 2, 2), sound("audio/c", "en", "Same", 2, 3, 2),
                           sound("audio/d", "en", "Same", 3, 4, 2), sound("audio/e", "en", "Same (2)", 4, 5, 2)};
    (void)state;
    story_plan(&story, NULL, &audio_en);
    for (size_t i = 0; i < 5; i++)
        story_audio(&story, &tracks[i]);
    op_result result = run(&story, NULL);
    check_success(&result);
    char *texts = published_texts(&result);
    check_golden("hostile-names", texts);
    const op_item *mpd = published(&result, "manifest.mpd");
    assert_null(memmem(mpd->data, mpd->size, "<script>", 8));
    assert_null(strstr(texts, "URI=\"http"));
    free(texts);
    op_result_free(&result);
    story_free(&story);
}

/* Two bitrates of one track are two groups with the same members. */
static void test_two_encodings(void **state)
{
    story story = {0};
    audio_spec high = audio_en;
    audio_spec opus = sound("audio/en-opus", "en", "English", 2, 1, 2);
    const audio_spec german = sound("audio/de", "de", "Deutsch", 3, 2, 2);
    (void)state;
    high.path = "audio/en-high";
    high.order = 1;
    opus.codec = "opus";
    opus.codec_name = "opus";
    opus.priming = 312;
    story_plan(&story, &video_1080, &audio_en);
    story_video(&story, &video_1080);
    story_audio(&story, &audio_en);
    story_audio(&story, &high);
    story_audio(&story, &opus);
    story_audio(&story, &german);
    expect_golden(&story, NULL, "two-encodings");
}

static void test_order_of_arrival(void **state)
{
    story story = {0};
    (void)state;
    tell_vod(&story);
    op_result first = run(&story, NULL);
    check_success(&first);
    char *expected = published_texts(&first);
    for (uint32_t seed = 1; seed <= 20; seed++) {
        story_shuffle(&story, seed);
        op_result again = run(&story, NULL);
        check_success(&again);
        check_order(&again);
        char *texts = published_texts(&again);
        assert_string_equal(texts, expected);
        free(texts);
        op_result_free(&again);
    }
    free(expected);
    op_result_free(&first);
    story_free(&story);
}

/* A short segment full of bits does not set the peak alone: RFC 8216 looks at runs of half to one and a half target durations. */
static void test_peak(void **state)
{
    static const struct {
        int first, frames;
        size_t bytes;
    } segments[] = {{0, 25, 250000}, {25, 25, 1250}, {50, 100, 500000}, {150, 100, 400000}};
    story story = {0};
    (void)state;
    story_add(&story, "plan", MR_TYPE_JSON, 0, NULL,
              "{\"duration_us\":10000000,\"segment_us\":4000000,\"video\":{\"timescale\":12800,\"frame_ticks\":512,\"frames\":250,"
              "\"segments\":[[0,25],[25,25],[50,100],[150,100]]}}");
    story_add(&story, "segments", MR_TYPE_SEGMENT, 800, NULL,
              "{\"role\":\"init\",\"kind\":\"video\",\"rendition\":\"video/a\",\"codec\":\"avc1.64001e\",\"codec_name\":\"h264\",\"timescale\":12800,"
              "\"ext\":\"mp4\",\"width\":640,\"height\":360,\"fps\":[25,1],\"max_bitrate\":900000}");
    for (int i = 0; i < 4; i++)
        story_add(&story, "segments", MR_TYPE_SEGMENT, segments[i].bytes, NULL,
                  "{\"role\":\"media\",\"kind\":\"video\",\"rendition\":\"video/a\",\"index\":%d,\"start\":%d,\"duration\":%d,\"ext\":\"m4s\"}", i,
                  segments[i].first * 512, segments[i].frames * 512);
    op_result result = run(&story, NULL);
    check_success(&result);
    const op_item *master = published(&result, "master.m3u8");
    assert_non_null(memmem(master->data, master->size, "BANDWIDTH=1005000,AVERAGE-BANDWIDTH=921000,", 43));
    op_result_free(&result);
    story_free(&story);
}

static size_t times(const op_result *result, const char *path)
{
    char quoted[256];
    size_t count = 0;
    snprintf(quoted, sizeof(quoted), "\"path\":\"%s\"", path);
    for (size_t i = 0; i < result->count; i++)
        count += strstr(result->items[i].meta, quoted) != NULL;
    return count;
}

/* An hour of two-second segments: the playlist grows often enough to watch and seldom enough to be cheap; each is a prefix of the next. */
static void test_growth(void **state)
{
    story story = {0};
    video_spec spec = rung("240p", 0, 426, 240, 100000);
    const char *before = NULL;
    (void)state;
    spec.segment_frames = 50;
    spec.frames = 50 * 1800;
    story_plan(&story, &spec, NULL);
    story_video(&story, &spec);
    op_result result = run(&story, NULL);
    check_success(&result);
    check_order(&result);
    size_t count = times(&result, "video/240p/index.m3u8");
    assert_in_range(count, 20, 80);
    assert_int_equal(times(&result, "master.m3u8"), 2);
    for (size_t i = 0; i < result.count; i++) {
        if (!strstr(result.items[i].meta, "index.m3u8"))
            continue;
        char *text = strndup((const char *)result.items[i].data, result.items[i].size);
        char *segments = strstr(text, "#EXTINF");
        assert_non_null(segments);
        if (before)
            assert_memory_equal(segments, before, strlen(before));
        assert_int_equal(strstr(text, "#EXT-X-ENDLIST") != NULL, --count == 0);
        assert_non_null(strstr(text, "#EXT-X-TARGETDURATION:2\n"));
        free((char *)before);
        before = strdup(segments);
        free(text);
    }
    free((char *)before);
    op_result_free(&result);
    story_free(&story);
}

/* With the ladder connected, nobody is sent to a multivariant playlist that lacks a rung. */
static void test_waits_for_ladder(void **state)
{
    story story = {0};
    const video_spec small = rung("240p", 1, 426, 240, 200000);
    (void)state;
    story_plan(&story, &video_1080, NULL);
    story_add(&story, "ladder", MR_TYPE_JSON, 0, NULL, "{\"id\":\"1080p\"}");
    story_add(&story, "ladder", MR_TYPE_JSON, 0, NULL, "{\"id\":\"240p\"}");
    story_video(&story, &video_1080);
    story_video(&story, &small);
    op_result result = run(&story, NULL);
    check_success(&result);
    assert_int_equal(times(&result, "master.m3u8"), 2);
    for (size_t i = 0; i < result.count; i++) {
        if (strstr(result.items[i].meta, "master.m3u8"))
            assert_non_null(memmem(result.items[i].data, result.items[i].size, "video/240p", 10));
    }
    op_result_free(&result);
    story_free(&story);
}

static size_t index_of(const op_result *result, const char *path)
{
    const op_item *item = published_nth(result, path, 0);
    assert_non_null(item);
    return (size_t)(item - result->items);
}

/* For a server that waits: whole playlists and the MPD before the segments, and the same bytes of media playlists at the end as then. */
static void test_all_at_once_for_who_waits(void **state)
{
    static const char *const playlists[] = {"video/1080p/index.m3u8", "video/240p/index.m3u8", "audio/en-2ch/index.m3u8"};
    const video_spec small = rung("240p", 1, 426, 240, 200000);
    story story = {0};
    (void)state;
    story_plan(&story, &video_1080, &audio_en);
    story_add(&story, "ladder", MR_TYPE_JSON, 0, NULL, "{\"id\":\"1080p\"}");
    story_add(&story, "ladder", MR_TYPE_JSON, 0, NULL, "{\"id\":\"240p\"}");
    story_video(&story, &video_1080);
    story_audio(&story, &audio_en);
    story_video(&story, &small);
    op_result plain = run(&story, NULL);
    op_result result = run(&story, "{waits: true}");
    check_success(&result);
    for (size_t i = 0; i < 3; i++) {
        const op_item *early = published_nth(&result, playlists[i], 0);
        const op_item *late = published(&result, playlists[i]);
        assert_non_null(early);
        assert_ptr_not_equal(early, late);
        assert_int_equal(early->size, late->size);
        assert_memory_equal(early->data, late->data, late->size);
        assert_non_null(memmem(early->data, early->size, "#EXT-X-ENDLIST", 14));
    }
    assert_true(index_of(&result, playlists[0]) < index_of(&result, "video/1080p/00000.m4s"));
    assert_true(index_of(&result, "video/240p/init.mp4") < index_of(&result, playlists[1]));
    assert_true(index_of(&result, "master.m3u8") < index_of(&result, "video/240p/00000.m4s")); /* as soon as the last rung is known */
    assert_true(index_of(&result, "manifest.mpd") < index_of(&result, "video/240p/00000.m4s"));
    assert_int_equal(times(&result, "master.m3u8"), 2);
    assert_int_equal(times(&result, "manifest.mpd"), 2);
    assert_non_null(strstr(published_nth(&result, "manifest.mpd", 0)->meta, "\"growing\":true"));
    const op_item *master = published_nth(&result, "master.m3u8", 0);
    assert_non_null(strstr(master->meta, "\"growing\":true"));
    assert_non_null(memmem(master->data, master->size, "BANDWIDTH=5640800,", 18)); /* ceilings: 1.1 times 5000000 and 128000 */
    /* How it came about is not seen at the end. */
    char *expected = published_texts(&plain);
    char *texts = published_texts(&result);
    assert_string_equal(texts, expected);
    free(texts);
    free(expected);
    op_result_free(&plain);
    op_result_free(&result);
    story_free(&story);
}

static void move_input(story *story, size_t from, size_t to)
{
    const op_input moved = story->inputs[from];
    if (from < to)
        memmove(&story->inputs[from], &story->inputs[from + 1], (to - from) * sizeof(moved));
    else
        memmove(&story->inputs[to + 1], &story->inputs[to], (from - to) * sizeof(moved));
    story->inputs[to] = moved;
}

/* Init segments of pictures come before anything is encoded: who waits gets all playlists then, and not before both renditions of a sound track are
 * known. */
static void test_what_is_known_before_it_is_encoded(void **state)
{
    audio_spec surround = audio_en;
    story story = {0};
    (void)state;
    surround.path = "audio/en-6ch";
    surround.channels = 6;
    story_plan(&story, &video_1080, &audio_en);
    story_video(&story, &video_1080); /* plan, init, 0, 1, 2 */
    const size_t sound = story.count;
    story_audio(&story, &audio_en);
    const size_t other = story.count;
    story_audio(&story, &surround);
    move_input(&story, other, sound + 1); /* a task's init segments come first */
    for (int i = 0; i < 3; i++)
        move_input(&story, 2, story.count - 1);
    op_result result = run(&story, "{waits: true}");
    check_success(&result);
    static const char *const manifests[] = {"master.m3u8", "manifest.mpd"};
    for (size_t i = 0; i < 2; i++) {
        const op_item *early = published_nth(&result, manifests[i], 0);
        assert_int_equal(times(&result, manifests[i]), 2);
        assert_true(index_of(&result, manifests[i]) < index_of(&result, "video/1080p/00000.m4s"));
        assert_non_null(memmem(early->data, early->size, "audio/en-2ch", 12));
        assert_non_null(memmem(early->data, early->size, "audio/en-6ch", 12));
    }
    op_result_free(&result);
    story_free(&story);
}

/* What was foretold is no excuse: a hole or a tail that is missing fails as ever. */
static void test_what_was_foretold_must_come(void **state)
{
    story story = {0};
    (void)state;
    story_plan(&story, &video_1080, NULL);
    story_video(&story, &video_1080);
    story_remove(&story, 3); /* plan, init, 0, [1], 2 */
    op_result hole = run(&story, "{waits: true}");
    assert_int_equal(hole.status, MR_ERR_INTERNAL);
    assert_non_null(strstr(hole.messages, "rendition 'video/1080p': segment 1 is missing"));
    op_result_free(&hole);
    story_remove(&story, 3);
    op_result tail = run(&story, "{waits: true}");
    assert_int_equal(tail.status, MR_ERR_INTERNAL);
    assert_non_null(strstr(tail.messages, "ends after 1 of 3 planned segments"));
    op_result_free(&tail);
    story_free(&story);
}

/* Sound in frames of another length can't be told to the sample: it grows, and the MPD comes at the end. */
static void test_what_cannot_be_foreseen_grows(void **state)
{
    story story = {0};
    audio_spec opus = audio_en;
    (void)state;
    opus.codec = opus.codec_name = "opus";
    story_plan(&story, &video_1080, &audio_en);
    story_video(&story, &video_1080);
    story_audio(&story, &opus);
    op_result result = run(&story, "{waits: true}");
    check_success(&result);
    const op_item *early = published_nth(&result, "audio/en-2ch/index.m3u8", 0);
    assert_null(memmem(early->data, early->size, "#EXT-X-ENDLIST", 14));
    assert_int_equal(times(&result, "manifest.mpd"), 1);
    op_result_free(&result);
    story_free(&story);
}

static void test_formats(void **state)
{
    story story = {0};
    (void)state;
    tell_vod(&story);
    op_result result = run(&story, "{formats: [dash], dash_name: x.mpd}");
    check_success(&result);
    char *texts = published_texts(&result);
    assert_int_equal(strncmp(texts, "== x.mpd\n", 9), 0);
    assert_null(strstr(texts, ".m3u8"));
    assert_non_null(strstr(published(&result, "x.mpd")->meta, "\"role\":\"dash\""));
    free(texts);
    op_result_free(&result);
    story_free(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vod),
        cmocka_unit_test(test_odd_rates),
        cmocka_unit_test(test_transport_stream),
        cmocka_unit_test(test_sound_alone),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_two_encodings),
        cmocka_unit_test(test_order_of_arrival),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_waits_for_ladder),
        cmocka_unit_test(test_all_at_once_for_who_waits),
        cmocka_unit_test(test_what_is_known_before_it_is_encoded),
        cmocka_unit_test(test_what_was_foretold_must_come),
        cmocka_unit_test(test_what_cannot_be_foreseen_grows),
        cmocka_unit_test(test_formats),
    };
    op = op_load(PLUGIN, "manifest.package");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
