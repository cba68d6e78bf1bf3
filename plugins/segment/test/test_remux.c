/* SPDX-License-Identifier: MIT */
/* segment.remux and segment.mpegts: what comes out is what went in, cut where it may be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clip.h"
#include "source.h"
#include <stdlib.h>
#include <string.h>

#define PICTURE "-f lavfi -i testsrc2=s=160x90"
#define TONE    "-f lavfi -i sine=r=48000"
#define X264    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
#define TS      ((size_t)188)

static op_result remux(const char *path, const char *params)
{
    char *info = source_info(path);
    assert_non_null(info);
    const op_input inputs[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = path}, {.port = "info", .type = MR_TYPE_JSON, .meta = info}};
    op_result result = op_run(source_op("segment.remux"), params, inputs, 2, NULL);
    free(info);
    return result;
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

/* Puts a rendition's init and media segments one after another into a file. Returns how many media segments there were; checks their chain. */
static int join(const op_result *result, const char *kind, const char *name, double *ret_end)
{
    int count = 0;
    int64_t next = -1;
    FILE *file = fopen(clip_path(name), "wbe");
    for (size_t i = 0; i < result->count; i++) {
        json_t *meta = json_loads(result->items[i].meta, 0, NULL);
        if (strcmp(text(meta, "kind"), kind) == 0) {
            assert_int_equal(fwrite(result->items[i].data, 1, result->items[i].size, file), result->items[i].size);
            if (strcmp(text(meta, "role"), "media") == 0) {
                assert_int_equal(source_int(meta, "index"), count);
                if (next >= 0)
                    assert_int_equal(source_int(meta, "start"), next);
                next = source_int(meta, "start") + source_int(meta, "duration");
                *ret_end = (double)next / (double)source_int(meta, "timescale");
                count++;
            }
        }
        json_decref(meta);
    }
    fclose(file);
    return count;
}

static size_t decoded(const char *path, int64_t *ret_first_us, int64_t *ret_last_us)
{
    source_frame *frames = NULL;
    size_t count = 0;
    assert_true(source_decode(path, 0, INT64_MIN, INT64_MAX, &frames, &count));
    assert_true(count > 0);
    *ret_first_us = frames[0].us;
    *ret_last_us = frames[count - 1].us;
    free(frames);
    return count;
}

static void expect_whole(const char *name, const char *args, int segments, size_t frames, int64_t last_us)
{
    int64_t first;
    int64_t last;
    double end = 0.0;
    char *path = strdup(clip_path(name));
    if (args)
        assert_true(clip_make(name, args));
    op_result result = remux(path, "{segment_duration: 2s}");
    if (result.status != MR_OK)
        print_error("%s: %s", name, result.messages);
    assert_int_equal(result.status, MR_OK);
    json_t *plan = json_loads(op_result_item(&result, source_op("segment.remux"), "plan", 0)->meta, 0, NULL);
    const json_t *video = json_object_get(plan, "video");
    assert_int_equal(json_array_size(json_object_get(video, "segments")), segments);
    assert_int_equal(source_int(video, "frames"), frames);
    assert_int_equal(join(&result, "video", "joined.mp4", &end), segments);
    assert_int_equal(decoded(clip_path("joined.mp4"), &first, &last), frames);
    assert_in_range(first + 1000, 0, 2000);
    assert_in_range(last, last_us - 2000, last_us + 2000);
    int sound = (int)json_array_size(json_object_get(json_object_get(plan, "audio"), "segments"));
    assert_int_equal(join(&result, "audio", "sound.mp4", &end), sound);
    if (sound > 0) {
        decoded(clip_path("sound.mp4"), &first, &last);
        assert_in_range(first + 25000, 0, 50000); /* libavformat doesn't cut the priming of fragments */
        assert_in_range((int64_t)(end * 1e6), last, last + 100000);
    }
    json_decref(plan);
    op_result_free(&result);
    free(path);
}

static void test_fit_sources(void **state)
{
    (void)state;
    expect_whole("plain.mp4", PICTURE ":r=25:d=6 " TONE ":d=6 " X264 " -bf 2 -g 25 -c:a aac", 3, 150, 5960000);
    /* its sound begins 21 ms before the picture: time 0 is a frame before the first picture, which is shown from there on */
    expect_whole("plain.ts", PICTURE ":r=25:d=6 " TONE ":d=6 " X264 " -bf 2 -g 50 -c:a aac", 3, 150, 6000000);
    expect_whole("jitter.mkv", PICTURE ":r=30000/1001:d=6 " TONE ":d=6 " X264 " -bf 2 -g 30 -c:a libopus", 3, 180, 5972633);
    expect_whole("silent.webm", PICTURE ":r=25:d=4 -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 25", 2, 100, 3960000);
    /* keyframes further apart than wanted: longer segments */
    expect_whole("wide.mp4", PICTURE ":r=25:d=9 " X264 " -g 75", 3, 225, 8960000);
    /* open groups can't be cut; the closed ones in between can */
    expect_whole("hevc.mp4", PICTURE ":r=25:d=4 -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25:open-gop=0", 2, 100, 3960000);
}

/* A copy of a clip with other bytes in its table of keyframes. */
static void make_with_keys(const char *name, const char *from, size_t offset, const char *bytes, size_t count)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(clip_path(from), "rbe");
    const size_t len = fread(data, 1, sizeof(data), file);
    fclose(file);
    uint8_t *table = memmem(data, len, "stss", 4);
    assert_non_null(table);
    memcpy(table + offset, bytes, count);
    file = fopen(clip_path(name), "wbe");
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static size_t count_segments(const char *name, const char *params)
{
    op_result result = remux(clip_path(name), params);
    assert_int_equal(result.status, MR_OK);
    json_t *plan = json_loads(op_result_item(&result, source_op("segment.remux"), "plan", 0)->meta, 0, NULL);
    const size_t count = json_array_size(json_object_get(json_object_get(plan, "video"), "segments"));
    json_decref(plan);
    op_result_free(&result);
    return count;
}

/* The table of keyframes is believed only as far as the packets agree, and only as far as it is enough. */
static void test_tables_that_lie(void **state)
{
    (void)state;
    make_with_keys("made-up.mp4", "plain.mp4", 4 + 8 + 2 * 4, "\0\0\0\064", 4); /* its third keyframe is said to be the packet after it */
    expect_whole("made-up.mp4", NULL, 3, 150, 5960000);
    make_with_keys("few.mp4", "plain.mp4", 4 + 4, "\0\0\0\3", 4); /* the first three of six */
    assert_int_equal(count_segments("few.mp4", "{segment_duration: 2s}"), 2);
    assert_int_equal(count_segments("few.mp4", "{segment_duration: 2s, max_segment: 3s}"), 3);
}

static void test_sound_alone(void **state)
{
    double end = 0.0;
    (void)state;
    assert_true(clip_make("tone.mp3", TONE ":d=5 -c:a libmp3lame"));
    op_result result = remux(clip_path("tone.mp3"), "{segment_duration: 2s}");
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(join(&result, "audio", "tone.mp4", &end), 3);
    assert_true(end > 4.9 && end < 5.15);
    op_result_free(&result);
}

static void expect_refusal(const char *name, const char *args, const char *params, const char *words)
{
    assert_true(clip_make(name, args));
    op_result result = remux(clip_path(name), params);
    if (!strstr(result.messages, words))
        print_error("%s: %s", name, result.messages);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, words));
    assert_non_null(strstr(result.messages, "transcode.video"));
    op_result_free(&result);
}

static void test_unfit_sources(void **state)
{
    (void)state;
    expect_refusal("mpeg4.mp4", PICTURE ":r=25:d=1 -c:v mpeg4", NULL, "its picture is in mpeg4");
    expect_refusal("chroma.mp4", PICTURE ":r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv444p", NULL, "its pixels are yuv444p");
    expect_refusal("pcm.mov", PICTURE ":r=25:d=1 " TONE ":d=1 " X264 " -c:a pcm_s16le", NULL, "sound track 1 is in pcm_s16le");
    expect_refusal("sparse.mp4", PICTURE ":r=25:d=8 " X264 " -g 250", "{max_segment: 3s}", "it has no keyframe to cut at for 8.000 s");
    expect_refusal("open.mp4", PICTURE ":r=25:d=6 -c:v libx264 -preset fast -x264-params open-gop=1:keyint=25:bframes=3", "{max_segment: 2s}",
                   "no keyframe to cut at");
    expect_refusal("fields.ts", PICTURE ":r=50:d=1 -vf scale=160:96,interlace " X264 " -flags +ildct+ilme", NULL, "its picture is interlaced");
}

/* What MPEG-TS has to be at a segment's start and across segments. Returns the first PTS of a PID, or -1. */
typedef struct ts_check {
    int counters[8192];
    int64_t first_pts, packets;
} ts_check;

static void check_packet(ts_check *check, const uint8_t *packet)
{
    int pid = (packet[1] & 0x1f) << 8 | packet[2];
    bool payload = packet[3] & 0x10;
    bool starts = packet[1] & 0x40;
    assert_int_equal(packet[0], 0x47);
    if (payload) {
        if (check->counters[pid] >= 0)
            assert_int_equal(packet[3] & 15, (check->counters[pid] + 1) & 15);
        check->counters[pid] = packet[3] & 15;
    }
    size_t at = packet[3] & 0x20 ? 5u + packet[4] : 4;
    bool pes = payload && starts && at + 14 < TS && packet[at] == 0 && packet[at + 1] == 0 && packet[at + 2] == 1;
    if (pes && (packet[at + 3] & 0xf0) == 0xe0 && check->first_pts < 0)
        check->first_pts = (int64_t)(packet[at + 9] & 0x0e) << 29 | packet[at + 10] << 22 | (packet[at + 11] & 0xfe) << 14 | packet[at + 12] << 7 |
                           packet[at + 13] >> 1;
    check->packets++;
}

static void check_segment(ts_check *check, const op_item *item)
{
    assert_int_equal(item->size % TS, 0);
    assert_true(item->size >= 3 * TS);
    bool pat = false;
    for (size_t at = 0; at < 3 * TS; at += TS) /* a table of services may come first */
        pat = pat || ((item->data[at + 1] & 0x1f) == 0 && item->data[at + 2] == 0);
    assert_true(pat);
    for (size_t at = 0; at < item->size; at += TS)
        check_packet(check, item->data + at);
}

static void test_transport_stream(void **state)
{
    static ts_check check = {.first_pts = -1};
    op_input inputs[64];
    size_t count = 0;
    const mr_op *op = source_op("segment.mpegts");
    (void)state;
    for (size_t i = 0; i < 8192; i++)
        check.counters[i] = -1;
    assert_true(clip_make("stereo.mp4", PICTURE ":r=25:d=6 " TONE ":d=6 " X264 " -bf 2 -g 50 -c:a aac -ac 2"));
    op_result cut = remux(clip_path("stereo.mp4"), "{segment_duration: 2s}");
    assert_int_equal(cut.status, MR_OK);
    for (size_t i = 0; i < cut.count && count < 60; i++) {
        const op_item *item = &cut.items[i];
        if (item->type == MR_TYPE_JSON)
            inputs[count++] = (op_input){.port = "plan", .type = MR_TYPE_JSON, .meta = item->meta};
        else
            inputs[count++] = (op_input){.port = strstr(item->meta, "\"kind\":\"video\"") ? "video" : "audio",
                                         .type = MR_TYPE_SEGMENT,
                                         .meta = item->meta,
                                         .data = item->data,
                                         .size = item->size};
    }
    inputs[count++] = (op_input){.port = "rung", .type = MR_TYPE_JSON, .meta = "{\"id\":\"90p\",\"index\":0}"};
    op_result result = op_run(op, NULL, inputs, count, NULL);
    if (result.status != MR_OK)
        print_error("%s", result.messages);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 4);
    json_t *init = json_loads(result.items[0].meta, 0, NULL);
    assert_false(result.items[0].has_content);
    assert_string_equal(text(init, "role"), "init");
    assert_string_equal(text(init, "kind"), "muxed");
    assert_string_equal(text(init, "rendition"), "90p");
    assert_non_null(strstr(text(init, "codec"), ",mp4a.40.2"));
    assert_int_equal(source_int(init, "width"), 160);
    json_decref(init);
    FILE *file = fopen(clip_path("joined.ts"), "wbe");
    for (size_t i = 1; i < result.count; i++) {
        json_t *meta = json_loads(result.items[i].meta, 0, NULL);
        assert_int_equal(source_int(meta, "index"), i - 1);
        assert_int_equal(source_int(meta, "start"), (i - 1) * 180000);
        assert_in_range(source_int(meta, "duration"), 180000, i + 1 == result.count ? 183000 : 180000);
        assert_int_equal(source_int(meta, "timescale"), 90000);
        check_segment(&check, &result.items[i]);
        assert_int_equal(fwrite(result.items[i].data, 1, result.items[i].size, file), result.items[i].size);
        json_decref(meta);
    }
    fclose(file);
    assert_int_equal(check.first_pts, 126000); /* 1.4 s */
    int64_t first;
    int64_t last;
    assert_int_equal(decoded(clip_path("joined.ts"), &first, &last), 150);
    assert_int_equal(last - first, 5960000);
    op_result_free(&result);
    /* a rung that was not made */
    inputs[count - 1].meta = "{\"id\":\"1080p\",\"index\":0}";
    result = op_run(op, NULL, inputs, count, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, "there are no segments of this rung"));
    op_result_free(&result);
    op_result_free(&cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit_sources),   cmocka_unit_test(test_tables_that_lie),  cmocka_unit_test(test_sound_alone),
        cmocka_unit_test(test_unfit_sources), cmocka_unit_test(test_transport_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
