/* SPDX-License-Identifier: MIT */
/* segment.plan on clips of every property: the grid, where chunks are decoded from, and what is said of sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clip.h"
#include "source.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PICTURE "-f lavfi -i testsrc2=s=160x90"
#define TONE    "-f lavfi -i sine=r=48000"
#define X264    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"

/* One clip and what its plan must say. frames 0: not checked exactly. */
typedef struct plan_case {
    const char *name, *args, *params;
    int num, den;
    int frames;
    int decoded; /* source frames that decoding yields; 0: as many as frames */
} plan_case;

static void check_segments(const json_t *plan)
{
    const json_t *video = json_object_get(plan, "video");
    const json_t *segments = json_object_get(video, "segments");
    const json_t *segment;
    int64_t next = 0;
    size_t i;
    json_array_foreach(segments, i, segment)
    {
        assert_int_equal(json_integer_value(json_array_get(segment, 0)), next);
        assert_true(json_integer_value(json_array_get(segment, 1)) > 0);
        next += json_integer_value(json_array_get(segment, 1));
    }
    assert_int_equal(next, source_int(video, "frames"));
    assert_int_equal(source_int(video, "timescale") * json_integer_value(json_array_get(json_object_get(video, "fps"), 1)),
                     source_int(video, "frame_ticks") * json_integer_value(json_array_get(json_object_get(video, "fps"), 0)));
}

/* Chunks follow each other, hold the plan's segments, and the first two have one each. */
static void check_chunks(const source_plan *plan)
{
    const json_t *chunk;
    int64_t frame = 0;
    int64_t segment = 0;
    size_t i;
    json_array_foreach(plan->chunks, i, chunk)
    {
        const json_t *segments = json_object_get(chunk, "segments");
        assert_int_equal(source_int(chunk, "index"), i);
        assert_int_equal(source_int(chunk, "first_frame"), frame);
        assert_int_equal(source_int(json_array_get(segments, 0), "index"), segment);
        assert_int_equal(json_is_true(json_object_get(chunk, "last")), i + 1 == json_array_size(plan->chunks));
        if (i < 2)
            assert_int_equal(json_array_size(segments), 1);
        assert_null(json_object_get(json_object_get(chunk, "picture"), "keyframes_us"));
        frame += source_int(chunk, "frames");
        segment += (int64_t)json_array_size(segments);
    }
    assert_int_equal(json_array_size(plan->opening), 1);
    assert_true(json_equal(json_array_get(plan->opening, 0), json_array_get(plan->chunks, 0)));
    assert_int_equal(frame, source_int(json_object_get(plan->plan, "video"), "frames"));
    assert_int_equal(segment, json_array_size(json_object_get(json_object_get(plan->plan, "video"), "segments")));
}

static void check_sound(const source_plan *plan)
{
    const json_t *audio = json_object_get(plan->plan, "audio");
    const json_t *segment;
    int64_t next = 0;
    size_t i;
    if (!audio) {
        assert_int_equal(json_array_size(plan->audio_chunks), 0);
        return;
    }
    json_array_foreach(json_object_get(audio, "segments"), i, segment)
    {
        assert_int_equal(json_integer_value(json_array_get(segment, 0)), next);
        next = json_integer_value(json_array_get(segment, 1));
        assert_int_equal(next % 1024, 0);
    }
    assert_in_range(next, source_int(audio, "samples"), source_int(audio, "samples") + 1023);
    const json_t *last = json_array_get(plan->audio_chunks, json_array_size(plan->audio_chunks) - 1);
    assert_int_equal(source_int(last, "end"), next);
    assert_true(json_is_true(json_object_get(last, "last")));
}

static size_t count_decoded(const char *path, int stream)
{
    source_frame *frames = NULL;
    size_t count = 0;
    assert_true(source_decode(path, stream, INT64_MIN, INT64_MAX, &frames, &count));
    free(frames);
    return count;
}

static void run_case(const plan_case *each)
{
    source_plan plan;
    char *path = strdup(clip_path(each->name));
    if (each->args)
        assert_true(clip_make(each->name, each->args));
    assert_true(source_plan_make(path, each->params ? each->params : "{segment_duration: 1s}", &plan));
    const json_t *video = json_object_get(plan.plan, "video");
    print_message("%s: %lld frames\n", each->name, (long long)source_int(video, "frames"));
    check_segments(plan.plan);
    check_chunks(&plan);
    check_sound(&plan);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(video, "fps"), 0)), each->num);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(video, "fps"), 1)), each->den);
    assert_int_equal(source_int(video, "frames"), each->frames);
    assert_int_equal(count_decoded(path, (int)source_int(video, "stream")), each->decoded ? each->decoded : each->frames);
    assert_true(source_chunks_agree(path, &plan));
    source_plan_free(&plan);
    unlink(path);
    free(path);
}

static void test_constant_rates(void **state)
{
    static const plan_case cases[] = {
        {"b-frames.mp4", PICTURE ":r=25:d=5 " X264 " -bf 3 -g 37", NULL, 25, 1, 125, 0},
        {"ntsc.mkv", PICTURE ":r=30000/1001:d=6 " X264 " -bf 2 -g 50", NULL, 30000, 1001, 180, 0},
        {"film.flv", PICTURE ":r=24000/1001:d=4 " X264 " -bf 2 -g 24", NULL, 24000, 1001, 96, 0},
        {"open-gop.mp4", PICTURE ":r=25:d=4 -c:v libx264 -preset fast -x264-params open-gop=1:keyint=24:min-keyint=24:bframes=3", NULL, 25, 1, 100,
         0},
        {"open-pyramid.mp4", PICTURE ":r=5:d=9 -c:v libx264 -preset medium -x264-params open-gop=1:keyint=3:min-keyint=3:bframes=2", NULL, 5, 1, 45,
         0},
        {"open-end.mp4", PICTURE ":r=1:d=9 -c:v libx264 -preset medium -x264-params open-gop=1:keyint=3:min-keyint=3:bframes=2", NULL, 1, 1, 9, 0},
        {"open-gop.ts", PICTURE ":r=25:d=4 -c:v mpeg2video -bf 2 -g 12 -q:v 4", NULL, 25, 1, 100, 0},
        {"refresh.mp4", PICTURE ":r=25:d=6 -c:v libx264 -preset ultrafast -x264-params intra-refresh=1:keyint=25", NULL, 25, 1, 150, 0},
        {"altref.webm", PICTURE ":r=25:d=3 -c:v libvpx -auto-alt-ref 1 -lag-in-frames 12 -cpu-used 8 -deadline realtime -g 20", NULL, 25, 1, 75, 0},
        {"vp9.webm", PICTURE ":r=25:d=3 -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 30", NULL, 25, 1, 75, 0},
        {"b-frames.avi", PICTURE ":r=25:d=4 -c:v mpeg4 -bf 2 -g 20 -q:v 4", NULL, 25, 1, 100, 0},
        {"program.mpg", PICTURE ":r=25:d=3 -c:v mpeg1video -bf 2 -g 10 -q:v 4", NULL, 25, 1, 75, 0},
        {"interlaced.mov", PICTURE ":r=50:d=3 -vf interlace -c:v mpeg2video -flags +ildct+ilme -g 12 -bf 2 -q:v 4", NULL, 25, 1, 75, 0},
        {"fragments.mp4", PICTURE ":r=25:d=3 " X264 " -g 20 -movflags frag_keyframe+empty_moov", NULL, 25, 1, 75, 0},
        {"hevc.mp4", PICTURE ":r=25:d=3 -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=20:open-gop=1:bframes=3", NULL, 25, 1, 75,
         0},
        {"one.mp4", PICTURE ":r=25 -frames:v 1 " X264, NULL, 25, 1, 1, 0},
        {"lecture.mp4", PICTURE ":r=1:d=20 " X264 " -g 8", "{segment_duration: 4s}", 1, 1, 20, 0},
        {"odd-rate.mp4", PICTURE ":r=17.5:d=4 " X264 " -g 20", NULL, 35, 2, 70, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i]);
}

static void test_rate_conversion(void **state)
{
    static const plan_case cases[] = {
        {"fast.mp4", PICTURE ":r=120:d=2 " X264 " -g 60", NULL, 60, 1, 120, 240},
        {"ninety.mp4", PICTURE ":r=90:d=2 " X264 " -g 60", NULL, 45, 1, 90, 180},
        {"capped.mp4", PICTURE ":r=50:d=2 " X264 " -g 60", "{max_frame_rate: 30, segment_duration: 1s}", 25, 1, 50, 100},
        {"asked.mp4", PICTURE ":r=25:d=2 " X264 " -g 60", "{frame_rate: 30, segment_duration: 1s}", 30, 1, 60, 50},
        /* every fifth frame dropped: the rate is still 30 */
        {"drops.mp4", PICTURE ":r=30:d=4 -vf select='mod(n,5)' -fps_mode vfr " X264 " -g 40", NULL, 30, 1, 119, 96},
        /* a screen that stands still for a second */
        {"still.mkv", PICTURE ":r=30:d=4 -vf select='lt(n,40)+gt(n,70)' -fps_mode vfr " X264 " -g 40", NULL, 30, 1, 120, 89},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i]);
}

static void test_damaged_and_cut(void **state)
{
    static const plan_case middle = {"middle.ts", NULL, NULL, 25, 1, 0, 0};
    source_plan plan;
    (void)state;
    /* a transport stream that begins between two keyframes: its frames count from the first keyframe on */
    assert_true(clip_make("whole.ts", PICTURE ":r=25:d=6 " X264 " -bf 2 -g 50 -b:v 300k"));
    assert_true(clip_cut(middle.name, "whole.ts", 18800, 0));
    assert_true(source_plan_make(clip_path("middle.ts"), "{segment_duration: 1s}", &plan));
    assert_true(source_chunks_agree(clip_path("middle.ts"), &plan));
    int64_t frames = source_int(json_object_get(plan.plan, "video"), "frames");
    assert_int_equal(frames, count_decoded(clip_path("middle.ts"), 0));
    assert_in_range(frames, 50, 125);
    source_plan_free(&plan);
    /* a file that was cut off: what is there counts, not what the header says */
    assert_true(clip_make("whole.mkv", PICTURE ":r=25:d=10 " X264 " -bf 0 -g 25 -b:v 300k"));
    assert_true(clip_cut("cut.mkv", "whole.mkv", 0, 120000));
    assert_true(source_plan_make(clip_path("cut.mkv"), NULL, &plan));
    frames = source_int(json_object_get(plan.plan, "video"), "frames");
    assert_in_range(frames, 20, 240);
    assert_in_range(count_decoded(clip_path("cut.mkv"), 0), frames - 1, frames);
    assert_true(source_int(plan.plan, "duration_us") < 9800000);
    source_plan_free(&plan);
    /* two recordings in one file */
    assert_true(clip_make("part.ts", PICTURE ":r=25:d=4 " X264));
    assert_true(clip_join("joined.ts", "part.ts", "part.ts"));
    char *info = source_info(clip_path("joined.ts"));
    const op_input inputs[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("joined.ts")},
                               {.port = "info", .type = MR_TYPE_JSON, .meta = info}};
    op_result result = op_run(source_op("segment.plan"), NULL, inputs, 2, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, "several recordings in one file"));
    op_result_free(&result);
    free(info);
    /* an edit list that begins between two keyframes */
    assert_true(clip_make("long.mp4", PICTURE ":r=25:d=6 " X264 " -bf 2 -g 50"));
    assert_true(clip_make("edited.mp4", "-ss 1.3 -i @long.mp4 -c copy -t 3"));
    assert_true(source_plan_make(clip_path("edited.mp4"), "{segment_duration: 1s}", &plan));
    assert_int_equal(source_int(json_object_get(plan.plan, "video"), "frames"), count_decoded(clip_path("edited.mp4"), 0));
    assert_true(source_chunks_agree(clip_path("edited.mp4"), &plan));
    source_plan_free(&plan);
}

/* The chunks of the beginning are those of the whole, but for those that end within three seconds of what has come. */
static void check_alike(const json_t *beginning, const json_t *whole, size_t least)
{
    const size_t count = json_array_size(beginning);
    size_t alike = 0;
    assert_in_range(count, 2, json_array_size(whole));
    while (alike < count && json_equal(json_array_get(beginning, alike), json_array_get(whole, alike)))
        alike++;
    assert_in_range(alike, least, count - 1);
    for (size_t i = 0; i < alike; i++) {
        const json_t *bytes = json_object_get(json_array_get(whole, i), "bytes");
        assert_true(source_int(bytes, "until") > source_int(bytes, "from"));
    }
}

/* A source that still arrives, of a container that tells its length at its end. */
static void test_beginnings(void **state)
{
    static const char *const names[] = {"arrives.mkv", "arrives.ts"};
    (void)state;
    assert_true(clip_make(names[0], PICTURE ":r=25:d=16 " TONE ":d=16 " X264 " -bf 2 -g 30 -b:v 300k -c:a aac"));
    assert_true(clip_make(names[1], "-i @arrives.mkv -c copy"));
    for (size_t i = 0; i < 2; i++) {
        source_plan whole;
        source_plan beginning;
        struct stat info;
        assert_int_equal(stat(clip_path(names[i]), &info), 0);
        assert_true(clip_cut("beginning", names[i], 0, info.st_size * 2 / 3));
        assert_true(source_plan_make(clip_path(names[i]), "{segment_duration: 1s, audio_chunk: 5s}", &whole));
        assert_true(source_plan_make(clip_path("beginning"), "{segment_duration: 1s, audio_chunk: 5s}", &beginning));
        check_alike(beginning.chunks, whole.chunks, 4);
        check_alike(beginning.audio_chunks, whole.audio_chunks, 1);
        assert_true(source_chunks_agree(clip_path(names[i]), &whole));
        source_plan_free(&whole);
        source_plan_free(&beginning);
    }
}

static void test_sound(void **state)
{
    source_plan plan;
    (void)state;
    /* sound alone */
    assert_true(clip_make("sound.m4a", TONE ":d=9 -c:a aac"));
    assert_true(source_plan_make(clip_path("sound.m4a"), NULL, &plan));
    assert_null(json_object_get(plan.plan, "video"));
    assert_int_equal(json_array_size(plan.chunks), 0);
    check_sound(&plan);
    assert_in_range(source_int(json_object_get(plan.plan, "audio"), "samples"), 9 * 48000, 9 * 48000 + 1024);
    assert_int_equal(source_int(plan.plan, "segments"), 3); /* of 2, 4 and 3 s */
    assert_in_range(source_int(json_array_get(plan.audio_chunks, 0), "end"), 2 * 48000 - 512, 2 * 48000 + 512);
    source_plan_free(&plan);
    /* sound a second later than the picture, and longer: both keep their places */
    assert_true(clip_make("late.mp4", PICTURE ":r=25:d=4 -itsoffset 1 " TONE ":d=5 " X264 " -c:a aac"));
    assert_true(source_plan_make(clip_path("late.mp4"), NULL, &plan));
    check_sound(&plan);
    assert_int_equal(source_int(plan.plan, "origin_us"), 0);
    assert_in_range(source_int(json_object_get(plan.plan, "audio"), "samples"), 6 * 48000 - 1024, 6 * 48000 + 1024);
    const json_t *late = json_object_get(plan.plan, "video");
    assert_int_equal(source_int(late, "frames"), 100);
    assert_int_equal(source_int(plan.plan, "segments"), 3); /* of sound: 2 s, 4 s and what is left */
    assert_int_equal(json_integer_value(json_array_get(json_array_get(json_object_get(late, "segments"), 1), 0)), 50); /* the first has 2 s */
    source_plan_free(&plan);
    /* a picture half a frame after the sound: the grid is laid so that the first picture lies on it */
    assert_true(clip_make("half.mkv", TONE ":d=3 -itsoffset 0.5 " PICTURE ":r=25:d=2 " X264 " -c:a pcm_s16le"));
    assert_true(source_plan_make(clip_path("half.mkv"), NULL, &plan));
    json_t *info = json_loads(plan.info, 0, NULL);
    int64_t start = source_int(json_object_get(info, "video"), "start_us");
    assert_true(start > 400000);
    assert_int_equal((start - source_int(plan.plan, "origin_us")) % 40000, 0);
    json_decref(info);
    assert_true(source_int(plan.plan, "origin_us") <= 15000 && source_int(plan.plan, "origin_us") > -40000);
    source_plan_free(&plan);
}

static void test_the_first_segment_is_no_longer_than_the_others(void **state)
{
    static const struct {
        const char *params;
        int64_t second; /* with which frame, of 25 a second, the second one begins */
    } cases[] = {{"{}", 50}, {"{first_segment: 1s}", 25}, {"{first_segment: 9s}", 100}, {"{segment_duration: 1s}", 25}};
    (void)state;
    assert_true(clip_make("five.mp4", PICTURE ":r=25:d=5 " X264 " -an"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        source_plan plan;
        assert_true(source_plan_make(clip_path("five.mp4"), cases[i].params, &plan));
        const json_t *segments = json_object_get(json_object_get(plan.plan, "video"), "segments");
        assert_int_equal(json_integer_value(json_array_get(json_array_get(segments, 1), 0)), cases[i].second);
        check_segments(plan.plan);
        check_chunks(&plan);
        source_plan_free(&plan);
    }
}

static void test_refusals(void **state)
{
    const mr_op *op = source_op("segment.plan");
    (void)state;
    assert_true(clip_make("tone.wav", TONE ":d=1"));
    const op_input wrong[] = {
        {.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("tone.wav")},
        {.port = "info", .type = MR_TYPE_JSON, .meta = "{\"video\":{\"stream\":3},\"audio\":[]}"},
    };
    op_result result = op_run(op, NULL, wrong, 2, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, "info does not belong to this source"));
    op_result_free(&result);
    const op_run_options cancelled = {.cancel_after = 2};
    char *info = source_info(clip_path("tone.wav"));
    const op_input right[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("tone.wav")},
                              {.port = "info", .type = MR_TYPE_JSON, .meta = info}};
    result = op_run(op, NULL, right, 2, &cancelled);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
    free(info);
}

/* Real media: the plan's chunks agree with decoding from the start, and nothing crashes. The largest are left to the integration tests. */
static void test_real_media(void **state)
{
    const char *folder = clip_real_media(SOURCE_ROOT);
    (void)state;
    if (!folder)
        return;
    static const char *const names[] = {
        "avchd_1080i_ac3.mts",       "hlg_rot_editlist_phone.mp4",     "vp9_10bit_23976.webm",  "weird_aspect.small.mpg",
        "sample_mpeg4asp_23976.avi", "editlist_bframes.mp4",           "ts_360p25_gameplay.ts", "awesome movie.mov",
        "bad_truncated_1132s.mkv",   "fmp4_sample_bogus_duration.mp4", "ogv_theora_vorbis.ogv", "h263_amr.3gp"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[512];
        source_plan plan;
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (access(path, R_OK) != 0)
            continue;
        assert_true(source_plan_make(path, "{segment_duration: 1s}", &plan));
        check_segments(plan.plan);
        check_chunks(&plan);
        check_sound(&plan);
        assert_true(source_chunks_agree(path, &plan));
        source_plan_free(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings),      cmocka_unit_test(test_constant_rates),
        cmocka_unit_test(test_rate_conversion), cmocka_unit_test(test_damaged_and_cut),
        cmocka_unit_test(test_sound),           cmocka_unit_test(test_the_first_segment_is_no_longer_than_the_others),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_real_media),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
