/* SPDX-License-Identifier: MIT */
/* probe.media on clips of every property, on what is not media, and on real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clip.h"
#include "op_host.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PICTURE "-f lavfi -i testsrc2=s=160x90"
#define TONE    "-f lavfi -i sine=r=48000"
#define X264    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"

static const mr_op *op;

static op_result probe(const char *path, const char *params)
{
    const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .path = path};
    return op_run(op, params, &input, 1, NULL);
}

static json_t *info_of(const char *path, const char *params)
{
    op_result result = probe(path, params);
    if (result.status != MR_OK)
        print_message("%s: %s", path, result.messages);
    assert_int_equal(result.status, MR_OK);
    json_t *info = json_loads(op_result_item(&result, op, "info", 0)->meta, 0, NULL);
    assert_non_null(info);
    op_result_free(&result);
    return info;
}

static json_t *made(const char *name, const char *args, const char *params)
{
    assert_true(clip_make(name, args));
    return info_of(clip_path(name), params);
}

/* "video.frame_rate" -> the compact JSON at that place. */
static void expect(const json_t *info, const char *where, const char *wanted)
{
    char path[128];
    const json_t *value = info;
    char *rest = path;
    snprintf(path, sizeof(path), "%s", where);
    for (char *key = strsep(&rest, "."); key; key = strsep(&rest, "."))
        value = key[0] >= '0' && key[0] <= '9' ? json_array_get(value, strtoul(key, NULL, 10)) : json_object_get(value, key);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : strdup("(absent)");
    if (strcmp(text, wanted) != 0)
        print_error("%s is %s, not %s\n", where, text, wanted);
    assert_string_equal(text, wanted);
    free(text);
}

static int64_t number(const json_t *info, const char *part, const char *key)
{
    const json_t *object = strcmp(part, "audio") == 0 ? json_array_get(json_object_get(info, "audio"), 0)
                           : part[0]                  ? json_object_get(info, part)
                                                      : info;
    return json_integer_value(json_object_get(object, key));
}

static void test_plain(void **state)
{
    (void)state;
    json_t *info =
        made("plain.mp4", PICTURE ":r=25:d=2 " TONE ":d=2 " X264 " -g 25 -c:a aac -metadata title=Clip -metadata:s:a:0 language=ger", NULL);
    expect(info, "video.codec", "\"h264\"");
    expect(info, "video.width", "160");
    expect(info, "video.height", "90");
    expect(info, "video.display_width", "160");
    expect(info, "video.sar", "[1,1]");
    expect(info, "video.rotation", "0");
    expect(info, "video.mirror", "false");
    expect(info, "video.frame_rate", "[25,1]");
    expect(info, "video.variable_rate", "false");
    expect(info, "video.start_us", "0");
    expect(info, "video.duration_us", "2000000");
    expect(info, "video.keyframes_us", "[0,1000000]");
    expect(info, "video.pixel_format", "\"yuv420p\"");
    expect(info, "video.bit_depth", "8");
    expect(info, "video.range", "\"limited\"");
    expect(info, "video.hdr", "\"none\"");
    expect(info, "video.interlaced", "\"no\"");
    expect(info, "audio.0.codec", "\"aac\"");
    expect(info, "audio.0.profile", "\"LC\"");
    expect(info, "audio.0.channels", "1");
    expect(info, "audio.0.layout", "\"mono\"");
    expect(info, "audio.0.language", "\"de\"");
    expect(info, "audio.0.start_us", "0");
    expect(info, "audio.1", "(absent)");
    expect(info, "text", "[]");
    expect(info, "tags.title", "\"Clip\"");
    expect(info, "tags.major_brand", "(absent)");
    assert_in_range(number(info, "audio", "duration_us"), 1999000, 2022000);
    assert_in_range(number(info, "", "duration_us"), 1999000, 2022000);
    json_decref(info);
}

/* Writes a, b, c, d of the track header's matrix (ISO/IEC 14496-12, 8.3.2) into a copy of upright.mp4. */
static json_t *turned(const int32_t abcd[4])
{
    static const size_t places[] = {0, 4, 12, 16};
    static uint8_t data[1 << 20];
    FILE *file = fopen(clip_path("upright.mp4"), "rbe");
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    uint8_t *header = memmem(data, size, "tkhd", 4);
    assert_non_null(header);
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = (uint32_t)(abcd[i] * 65536);
        for (int k = 0; k < 4; k++)
            header[44 + places[i] + (size_t)k] = (uint8_t)(value >> (24 - 8 * k));
    }
    file = fopen(clip_path("turned.mp4"), "wbe");
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    return info_of(clip_path("turned.mp4"), NULL);
}

static void test_orientation(void **state)
{
    /* a pixel (x, y) goes to (a·x + c·y, b·x + d·y), y downwards */
    static const struct {
        int32_t abcd[4];
        const char *rotation, *mirror, *width, *height;
    } turns[] = {
        {{0, 1, -1, 0}, "90", "false", "90", "160"}, {{-1, 0, 0, -1}, "180", "false", "160", "90"}, {{0, -1, 1, 0}, "270", "false", "90", "160"},
        {{-1, 0, 0, 1}, "0", "true", "160", "90"},   {{1, 0, 0, -1}, "180", "true", "160", "90"},   {{0, 1, 1, 0}, "270", "true", "90", "160"},
        {{0, -1, -1, 0}, "90", "true", "90", "160"},
    };
    (void)state;
    assert_true(clip_make("upright.mp4", PICTURE ":r=25:d=0.2 " X264));
    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        json_t *info = turned(turns[i].abcd);
        expect(info, "video.rotation", turns[i].rotation);
        expect(info, "video.mirror", turns[i].mirror);
        expect(info, "video.display_width", turns[i].width);
        expect(info, "video.display_height", turns[i].height);
        json_decref(info);
    }
    /* H.264's display orientation message says "mirrored": flipped upside down is mirrored and turned by 180 */
    json_t *info = made("mirror.mp4", PICTURE ":r=25:d=0.2 " X264 " -bsf:v h264_metadata=display_orientation=insert:flip=horizontal", NULL);
    expect(info, "video.mirror", "true");
    expect(info, "video.rotation", "0");
    json_decref(info);
    info = made("flipped.mp4", PICTURE ":r=25:d=0.2 " X264 " -bsf:v h264_metadata=display_orientation=insert:flip=vertical", NULL);
    expect(info, "video.mirror", "true");
    expect(info, "video.rotation", "180");
    json_decref(info);
}

static void test_picture_properties(void **state)
{
    (void)state;
    json_t *info = made("wide.mkv", "-f lavfi -i testsrc2=s=120x90:r=25:d=0.2 -vf setsar=4/3 " X264, NULL);
    expect(info, "video.sar", "[4,3]");
    expect(info, "video.display_width", "160");
    expect(info, "video.display_height", "90");
    json_decref(info);
    info = made("odd.webm", "-f lavfi -i testsrc=s=161x121:r=25:d=0.2 -pix_fmt yuv420p -c:v libvpx-vp9 -cpu-used 8 -deadline realtime", NULL);
    expect(info, "video.width", "161");
    expect(info, "video.display_width", "160");
    expect(info, "video.display_height", "120");
    json_decref(info);
    info = made("top.mov", PICTURE ":r=50:d=0.4 -vf interlace=scan=tff -c:v mpeg2video -flags +ildct+ilme", NULL);
    expect(info, "video.interlaced", "\"tff\"");
    json_decref(info);
    info = made("bottom.mov", PICTURE ":r=50:d=0.4 -vf interlace=scan=bff -c:v mpeg2video -flags +ildct+ilme -top 0", NULL);
    expect(info, "video.interlaced", "\"bff\"");
    json_decref(info);
    info = made("hlg.mp4",
                PICTURE ":r=25:d=0.2 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params "
                        "log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
                NULL);
    expect(info, "video.hdr", "\"hlg\"");
    expect(info, "video.bit_depth", "10");
    expect(info, "video.primaries", "\"bt2020\"");
    json_decref(info);
    info = made("hdr10.mp4",
                PICTURE ":r=25:d=0.2 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params "
                        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:max-cll=1000,400",
                NULL);
    expect(info, "video.hdr", "\"hdr10\"");
    json_decref(info);
    info = made("pq.mkv",
                PICTURE ":r=25:d=0.2 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params "
                        "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
                NULL);
    expect(info, "video.hdr", "\"pq\"");
    json_decref(info);
    info = made("full.mp4", PICTURE ":r=25:d=0.2 -vf scale=out_range=full -c:v libx264 -preset ultrafast -pix_fmt yuvj420p", NULL);
    expect(info, "video.range", "\"full\"");
    json_decref(info);
}

static void test_rates_and_times(void **state)
{
    (void)state;
    json_t *info = made("ntsc.mkv", PICTURE ":r=30000/1001:d=3 " X264 " -bf 2", NULL);
    expect(info, "video.frame_rate", "[30000,1001]");
    expect(info, "video.variable_rate", "false");
    json_decref(info);
    info = made("varies.mp4", PICTURE ":r=30:d=4 -vf select='mod(n,5)' -fps_mode vfr " X264, NULL);
    expect(info, "video.frame_rate", "[30,1]");
    expect(info, "video.variable_rate", "true");
    json_decref(info);
    info = made("late.ts", PICTURE ":r=25:d=2 -itsoffset 0.4 " TONE ":d=2 " X264 " -bf 0 -c:a mp2 -muxdelay 0 -muxpreload 0 -output_ts_offset 100",
                NULL);
    assert_in_range(number(info, "", "start_us"), 99900000, 100100000);
    assert_in_range(number(info, "audio", "start_us") - number(info, "video", "start_us"), 350000, 450000);
    json_decref(info);
    /* no length in the header, and one that is wrong */
    info = made("live.webm", PICTURE ":r=25:d=2 -c:v libvpx -deadline realtime -cpu-used 8 -f webm -live 1", NULL);
    expect(info, "video.duration_us", "2000000");
    json_decref(info);
    assert_true(clip_make("long.mkv", PICTURE ":r=25:d=8 " X264 " -g 25 -b:v 300k"));
    assert_true(clip_cut("short.mkv", "long.mkv", 0, 100000));
    info = info_of(clip_path("short.mkv"), NULL);
    assert_in_range(number(info, "", "duration_us"), 500000, 7000000);
    json_decref(info);
    info = made("one.mp4", PICTURE ":r=25 -frames:v 1 " X264, NULL);
    expect(info, "video.duration_us", "40000");
    json_decref(info);
}

static void test_tracks(void **state)
{
    (void)state;
    static const char chapters[] =
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Two\n";
    static const char words[] = "1\n00:00:00,100 --> 00:00:00,900\nHello\n";
    FILE *file = fopen(clip_path("chapters.txt"), "we");
    fputs(chapters, file);
    fclose(file);
    file = fopen(clip_path("words.srt"), "we");
    fputs(words, file);
    fclose(file);
    assert_true(clip_make("tracks.mkv", PICTURE
                          ":r=25:d=1 " TONE ":d=1 -f lavfi -i anullsrc=cl=5.1:r=48000:d=1 -i @words.srt -f ffmetadata -i @chapters.txt "
                          "-map 0 -map 1 -map 2 -map 3 -map_chapters 4 " X264 " -c:a aac -c:s srt -metadata:s:a:0 language=eng "
                          "-metadata:s:a:1 language=fre -metadata:s:a:1 title=Film -metadata:s:s:0 language=pt-BR -disposition:s:0 forced -t 1"));
    op_result result = probe(clip_path("tracks.mkv"), NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(op_result_count(&result, op, "audio_tracks"), 2);
    assert_int_equal(op_result_count(&result, op, "text_tracks"), 1);
    json_t *info = json_loads(op_result_item(&result, op, "info", 0)->meta, 0, NULL);
    expect(info, "audio.0.language", "\"en\"");
    expect(info, "audio.1.language", "\"fr\"");
    expect(info, "audio.1.title", "\"Film\"");
    expect(info, "audio.1.layout", "\"5.1\"");
    expect(info, "audio.1.ordinal", "0");
    expect(info, "text.0.codec", "\"subrip\"");
    expect(info, "text.0.language", "\"pt-BR\"");
    expect(info, "text.0.forced", "true");
    expect(info, "chapters", "[{\"end_us\":500000,\"start_us\":0,\"title\":\"One\"},{\"end_us\":1000000,\"start_us\":500000,\"title\":\"Two\"}]");
    json_decref(info);
    op_result_free(&result);
    /* cover art is no picture track */
    assert_true(clip_make("cover.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1"));
    info = made("cover.flac", TONE ":d=1 -i @cover.png -map 0 -map 1 -disposition:v attached_pic -c:v copy", NULL);
    expect(info, "video", "(absent)");
    expect(info, "cover", "{\"stream\":1}");
    json_decref(info);
}

/* EBU R 128: a sine of 997 Hz at -20 dBFS on both channels has -20 LUFS (less what the weighting takes at 1 kHz: nothing). */
static void test_loudness(void **state)
{
    (void)state;
    json_t *info = made("tone.wav", "-f lavfi -i aevalsrc=0.1*sin(2*PI*997*t)|0.1*sin(2*PI*997*t):s=48000:d=4 -c:a pcm_s24le", "{loudness: true}");
    const json_t *loudness = json_object_get(json_array_get(json_object_get(info, "audio"), 0), "loudness");
    double lufs = json_number_value(json_object_get(loudness, "i_lufs"));
    double peak = json_number_value(json_object_get(loudness, "tp_dbfs"));
    assert_true(lufs > -20.2 && lufs < -19.8);
    assert_true(peak > -20.3 && peak < -19.7);
    json_decref(info);
    info = made("silence.wav", "-f lavfi -i anullsrc=r=48000:d=2", "{loudness: true}");
    expect(info, "audio.0.loudness", "{\"i_lufs\":-70.0,\"tp_dbfs\":-120.0}");
    json_decref(info);
    info = info_of(clip_path("silence.wav"), NULL);
    expect(info, "audio.0.loudness", "(absent)");
    json_decref(info);
}

static void expect_refusal(const char *name, const void *data, size_t size, const char *params, const char *words)
{
    const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .path = data ? NULL : clip_path(name), .data = data, .size = size};
    op_result result = op_run(op, params, &input, 1, NULL);
    if (!strstr(result.messages, words))
        print_error("%s: %s", name, result.messages);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, words));
    assert_int_equal(result.count, 0);
    op_result_free(&result);
}

static void test_not_media(void **state)
{
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    static const char concat[] = "ffconcat version 1.0\nfile '/etc/passwd'\n";
    static const char mpd[] = "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period/></MPD>";
    static const char sdp[] = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n";
    static const char text[] = "this is only text, and not very long\n";
    static const char vtt[] = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n";
    (void)state;
    expect_refusal("empty", "", 0, NULL, "is empty");
    expect_refusal("playlist", playlist, sizeof(playlist) - 1, NULL, "is an HLS playlist, not media");
    expect_refusal("concat", concat, sizeof(concat) - 1, NULL, "is a list of files, not media");
    expect_refusal("mpd", mpd, sizeof(mpd) - 1, NULL, "is a DASH manifest, not media");
    expect_refusal("sdp", sdp, sizeof(sdp) - 1, NULL, "is a session description, not media");
    expect_refusal("text", text, sizeof(text) - 1, NULL, "is text, not media");
    expect_refusal("vtt", vtt, sizeof(vtt) - 1, NULL, "has no picture and no sound");
    assert_true(clip_make("still.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1"));
    expect_refusal("still.png", NULL, 0, NULL, "is a still picture, not a video");
    assert_true(clip_make("whole.mp4", PICTURE ":r=25:d=1 " X264));
    assert_true(clip_cut("head.mp4", "whole.mp4", 0, 2000));
    expect_refusal("head.mp4", NULL, 0, NULL, "is damaged or cut off");
}

/* libdav1d gives pictures that the edit list cuts, all of them here. */
static void test_nothing_shown(void **state)
{
    char data[32768];
    (void)state;
    assert_true(clip_make("cut.mp4", "-f lavfi -i testsrc2=s=64x64:r=25:d=0.4 -c:v libsvtav1 -preset 12 -crf 60"));
    FILE *file = fopen(clip_path("cut.mp4"), "rbe");
    assert_non_null(file);
    size_t size = fread(data, 1, sizeof(data), file);
    assert_int_equal(fclose(file), 0);
    char *edits = memmem(data, size, "elst", 4);
    assert_non_null(edits);
    memcpy(edits + 16, "\x7f\0\0\0", 4); /* the media time at which it begins */
    expect_refusal("cut.mp4", data, size, NULL, "none of its pictures is ever shown");
}

/* Each limit, on a clip that asks for a little more. */
static void test_limits(void **state)
{
    static const struct {
        size_t offset;
        int64_t allowed;
        const char *words;
    } cases[] = {
        {offsetof(mr_limits, picture_pixels), 14399, "the picture of 'pair.mp4' is 160x90, more than limits.picture_pixels allows (14399)"},
        {offsetof(mr_limits, picture_side), 159, "the picture of 'pair.mp4' is 160x90, more than limits.picture_side allows (159)"},
        {offsetof(mr_limits, streams), 1, "'pair.mp4' has 2 streams, more than limits.streams allows (1)"},
        {offsetof(mr_limits, duration), 1000000, "'pair.mp4' is 2 s long, more than limits.duration allows (1 s)"},
        {offsetof(mr_limits, frame_rate), 20, "'pair.mp4' has 25 pictures a second, more than limits.frame_rate allows (20)"},
        {offsetof(mr_limits, packets), 99, "packets, more than limits.packets allows (99)"},
        {offsetof(mr_limits, sample_rate), 8000, "the sound of 'pair.mp4' has 48000 samples a second, more than limits.sample_rate allows (8000)"},
    };
    (void)state;
    assert_true(clip_make("pair.mp4", PICTURE ":r=25:d=2 " TONE ":d=2 " X264 " -c:a aac"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr_limits limits = MR_LIMITS_STANDARD;
        const op_run_options options = {.limits = &limits};
        const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("pair.mp4")};
        memcpy((char *)&limits + cases[i].offset, &cases[i].allowed, sizeof(cases[i].allowed));
        op_result result = op_run(op, NULL, &input, 1, &options);
        assert_int_equal(result.status, MR_ERR_INPUT);
        if (!strstr(result.messages, cases[i].words))
            print_error("%s", result.messages);
        assert_non_null(strstr(result.messages, cases[i].words));
        assert_int_equal(result.count, 0);
        op_result_free(&result);
    }
}

/* Noise in the place of media, and media with noise in it: an answer or a refusal, never a crash. */
static void test_noise(void **state)
{
    (void)state;
    assert_true(clip_make("base.mkv", PICTURE ":r=25:d=1 " TONE ":d=1 " X264 " -c:a aac"));
    assert_true(clip_make("base.mp4", PICTURE ":r=25:d=1 " TONE ":d=1 " X264 " -c:a aac -movflags +faststart"));
    assert_true(clip_make("base.ts", PICTURE ":r=25:d=1 " TONE ":d=1 " X264 " -c:a aac"));
    static const char *const names[] = {"base.mkv", "base.mp4", "base.ts"};
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        static uint8_t data[1 << 20];
        FILE *file = fopen(clip_path(names[i]), "rbe");
        size_t size = fread(data, 1, sizeof(data), file);
        fclose(file);
        for (int round = 0; round < 12; round++) {
            for (int k = 0; k < 20; k++) {
                seed = seed * 1664525u + 1013904223u;
                data[(seed >> 8) % (round < 6 ? 2000 : size)] = (uint8_t)seed;
            }
            const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .data = data, .size = size};
            op_result result = op_run(op, NULL, &input, 1, NULL);
            assert_true(result.status == MR_OK || result.status == MR_ERR_INPUT || result.status == MR_ERR_LIMIT);
            assert_true(result.status == MR_OK || strstr(result.messages, "error: "));
            op_result_free(&result);
        }
    }
}

static void test_cancel(void **state)
{
    const op_run_options cancelled = {.cancel_after = 3};
    (void)state;
    assert_true(clip_make("cancel.mp4", PICTURE ":r=25:d=1 " X264));
    const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("cancel.mp4")};
    op_result result = op_run(op, NULL, &input, 1, &cancelled);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    assert_string_equal(result.messages, "");
    op_result_free(&result);
}

/* What is known of real files by other means. */
static void test_real_media(void **state)
{
    static const struct {
        const char *file, *where, *value;
    } known[] = {
        {"rotate_and_reflect.mp4", "video.rotation", "270"},
        {"rotate_and_reflect.mp4", "video.mirror", "true"},
        {"rotate_and_reflect.mp4", "video.display_width", "720"},
        {"phone meta_rot90_1080p.mp4", "video.rotation", "90"},
        {"hlg_rot_editlist_phone.mp4", "video.hdr", "\"hlg\""},
        {"hdr10_av1_mdcv_clli.mp4", "video.hdr", "\"hdr10\""},
        {"hdr10_pq_hevc.mp4", "video.hdr", "\"hdr10\""},
        {"avchd_1080i_ac3.mts", "video.interlaced", "\"tff\""},
        {"avchd_1080i_ac3.mts", "video.frame_rate", "[30000,1001]"},
        {"dv_pal_interlaced.mov", "video.interlaced", "\"bff\""},
        {"hdv_1080i60_anamorphic.mov", "video.display_width", "1920"},
        {"sar_3x2_1280x1080.mp4", "video.display_width", "1920"},
        {"vp9_odd_161x121.webm", "video.display_height", "120"},
        {"fmp4_sample_bogus_duration.mp4", "video.duration_us", "1001000"},
        {"audio_flac_cover.flac", "video", "(absent)"},
        {"mkv_pgs.mkv", "text.0.codec", "\"hdmv_pgs_subtitle\""},
        {"awesome movie.mov", "video.variable_rate", "true"},
        {"bad_missing_stsd.mp4", "audio", "[]"},
    };
    const char *folder = clip_real_media(SOURCE_ROOT);
    char path[512];
    (void)state;
    for (size_t i = 0; folder && i < sizeof(known) / sizeof(known[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, known[i].file);
        if (access(path, R_OK) != 0)
            continue;
        json_t *info = info_of(path, NULL);
        expect(info, known[i].where, known[i].value);
        json_decref(info);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),           cmocka_unit_test(test_orientation), cmocka_unit_test(test_picture_properties),
        cmocka_unit_test(test_rates_and_times), cmocka_unit_test(test_tracks),      cmocka_unit_test(test_loudness),
        cmocka_unit_test(test_not_media),       cmocka_unit_test(test_limits),      cmocka_unit_test(test_noise),
        cmocka_unit_test(test_cancel),          cmocka_unit_test(test_real_media),  cmocka_unit_test(test_nothing_shown),
    };
    op = op_load(PLUGIN_FILE, "probe.media");
    if (!op)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
