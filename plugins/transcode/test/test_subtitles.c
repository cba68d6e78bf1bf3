/* SPDX-License-Identifier: MIT */
/* transcode.subtitles: what becomes of every format, where cues lie, and that hostile text stays text. */
#include "clip.h"
#include "op_host.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const mr_op *subtitles;

/* Three segments of four seconds, by a picture track of 25 frames a second. */
static const char plan_text[] =
    "{\"origin_us\":%d,\"duration_us\":12000000,\"segment_us\":4000000,\"segments\":3,\"video\":{\"stream\":0,\"fps\":[25,1],"
    "\"timescale\":12800,\"frame_ticks\":512,\"frames\":300,\"segments\":[[0,100],[100,100],[200,100]]}}";

static void write_text(const char *name, const char *text, size_t len)
{
    FILE *out = fopen(clip_path(name), "wbe");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static op_result convert(const char *clip, int stream, int origin_us, const char *more)
{
    char plan[512];
    char track[256];
    char *path = strdup(clip_path(clip));
    snprintf(plan, sizeof(plan), plan_text, origin_us);
    snprintf(track, sizeof(track), "{\"stream\":%d,\"language\":\"de\"%s}", stream, more);
    const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = track},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "plan", .type = MR_TYPE_JSON, .meta = plan}};
    op_result result = op_run(subtitles, NULL, inputs, 3, NULL);
    if (result.messages[0])
        print_message("%s", result.messages);
    free(path);
    return result;
}

/* An item's content as text. The caller frees it. */
static char *text_of(const op_item *item)
{
    return strndup((const char *)item->data, item->size);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' is in:\n%s", part, text);
}

/* The whole, which is the last item. */
static char *whole_of(const char *clip, int stream)
{
    op_result result = convert(clip, stream, 0, "");
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 5);
    char *text = text_of(&result.items[4]);
    op_result_free(&result);
    return text;
}

static const char srt[] = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i> & welcome\nsecond line\n\n"
                          "2\n00:00:03,000 --> 00:00:09,000\nover <b>two</b> seams\n\n"
                          "3\n00:00:20,000 --> 00:00:21,000\nafter the end\n\n";

static void cues_are_repeated_in_segments_they_touch(void **state)
{
    (void)state;
    write_text("a.srt", srt, strlen(srt));
    assert_true(clip_make("a.mkv", "-i @a.srt -c:s subrip"));
    op_result result = convert("a.mkv", 0, 0, ",\"forced\":true,\"default\":true");
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 5);
    assert_false(result.items[0].has_content);
    assert_has(result.items[0].meta, "\"rendition\":\"text/de\"");
    assert_has(result.items[0].meta, "\"name\":\"Deutsch (forced)\"");
    assert_has(result.items[0].meta, "\"codec\":\"wvtt\"");
    for (int i = 0; i < 3; i++) {
        char *text = text_of(&result.items[i + 1]);
        assert_int_equal(strncmp(text, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n", 52), 0);
        assert_has(text, "00:00:03.000 --> 00:00:09.000\nover <b>two</b> seams\n\n");
        if (i == 0)
            assert_has(text, "00:00:01.000 --> 00:00:02.500\n<i>Hello</i> &amp; welcome\nsecond line\n\n");
        else
            assert_lacks(text, "Hello");
        assert_lacks(text, "after the end");
        free(text);
    }
    assert_has(result.items[2].meta, "\"start\":4000");
    assert_has(result.items[2].meta, "\"duration\":4000");
    char *whole = text_of(&result.items[4]);
    assert_int_equal(strncmp(whole, "WEBVTT\n\n", 8), 0);
    assert_lacks(whole, "X-TIMESTAMP-MAP");
    free(whole);
    op_result_free(&result);
}

static void times_count_from_the_plans_origin(void **state)
{
    (void)state;
    op_result result = convert("a.mkv", 0, 2000000, "");
    char *whole = text_of(&result.items[4]);
    assert_has(whole, "00:00:00.000 --> 00:00:00.500\n<i>Hello"); /* what begins before is cut */
    assert_has(whole, "00:00:01.000 --> 00:00:07.000\nover");
    free(whole);
    op_result_free(&result);
}

static void every_format_comes_through(void **state)
{
    (void)state;
    static const char ass[] =
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\an8\\pos(10,20)\\i1}slanted{\\i0} plain\\Nnext {\\b700}fat\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}\n"
        "Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,a < b > c & d\n";
    static const char vtt[] = "WEBVTT\n\n00:01.000 --> 00:02.000 line:0 position:20%,line-left align:start region:fred\n"
                              "<v Fred & <b>Co>Hi, <c.red>red</c> <00:00:01.500><script>alert(1)</script>\n\n"
                              "00:03.000 --> 00:04.000\n1 &lt; 2 & <i>open\n\n";
    write_text("b.ass", ass, strlen(ass));
    write_text("c.vtt", vtt, strlen(vtt));
    assert_true(clip_make("b.mkv", "-i @b.ass -c:s ass"));
    assert_true(clip_make("c.webm", "-i @c.vtt -c:s copy"));
    assert_true(clip_make("d.mp4", "-i @a.srt -c:s mov_text"));
    char *text = whole_of("b.mkv", 0);
    assert_has(text, "00:00:01.000 --> 00:00:02.000\n<i>slanted</i> plain\nnext <b>fat</b>\n\n");
    assert_lacks(text, "m 0 0 l");
    assert_has(text, "a &lt; b &gt; c &amp; d");
    free(text);
    text = whole_of("c.webm", 0);
    assert_has(text, "00:00:01.000 --> 00:00:02.000 line:0 position:20%,line-left align:start\n");
    assert_has(text, "<c.red>red</c>");
    assert_has(text, "alert(1)");
    assert_lacks(text, "<script");
    assert_lacks(text, "region");
    assert_lacks(text, "<00:");
    assert_has(text, "1 &lt; 2 &amp; <i>open</i>\n\n");
    free(text);
    text = whole_of("d.mp4", 0);
    assert_has(text, "00:00:03.000 --> 00:00:09.000\nover <b>two</b> seams\n\n");
    free(text);
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    static const char bad[] = "1\n00:00:01,000 --> 00:00:02,000\nthere --> here\nWEBVTT\n\n"
                              "2\n00:00:03,000 --> 00:00:04,000\nbell\a esc\x1b[31m del\x7f broken\xff\xfe"
                              "utf \xed\xa0\x80 end\n\n"
                              "3\n00:00:05,000 --> 00:00:06,000\n<b><b><b><b><b><b><b><b><b><b><b><b>deep {\\b1 never closed <i\n\n";
    char *long_cue = malloc(20000);
    assert_non_null(long_cue);
    int head = snprintf(long_cue, 100, "1\n00:00:01,000 --> 00:00:02,000\n<i>");
    for (ptrdiff_t i = 0; i < 5000; i++)
        memcpy(long_cue + head + 2 * i, "\xc3\xa9", 2);
    memcpy(long_cue + head + 10000, "</i>\n\n", 7);
    write_text("bad.srt", bad, sizeof(bad) - 1);
    write_text("long.srt", long_cue, strlen(long_cue));
    free(long_cue);
    char *text = whole_of("bad.srt", 0);
    /* One arrow per cue: those of the cues themselves. */
    size_t arrows = 0;
    for (const char *at = strstr(text, "-->"); at; at = strstr(at + 1, "-->"))
        arrows++;
    size_t cues = 0;
    for (const char *at = strstr(text, "\n\n"); at && at[2]; at = strstr(at + 2, "\n\n"))
        cues++;
    assert_int_equal(arrows, cues);
    assert_has(text, "--&gt;");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        assert_true(*c == '\n' || (*c >= 0x20 && *c != 0x7f));
    assert_has(text, "\xef\xbf\xbd");
    assert_lacks(text, "\xff");
    assert_lacks(text, "\xed\xa0\x80");
    free(text);
    text = whole_of("long.srt", 0);
    assert_in_range(strlen(text), 3000, 4300);
    assert_has(text, "\xc3\xa9</i>\n\n"); /* cut at a character, closed all the same */
    free(text);
}

static void sound_may_go_on_after_the_picture(void **state)
{
    (void)state;
    static const char plan[] =
        "{\"origin_us\":0,\"duration_us\":9000000,\"segments\":3,\"video\":{\"timescale\":12800,\"frame_ticks\":512,\"segments\":"
        "[[0,100]]},\"audio\":{\"sample_rate\":48000,\"segments\":[[0,192512],[192512,384000],[384000,432000]]}}";
    char *path = strdup(clip_path("a.mkv"));
    const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = "{\"stream\":0}"},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "plan", .type = MR_TYPE_JSON, .meta = plan}};
    op_result result = op_run(subtitles, NULL, inputs, 3, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 5);
    assert_has(result.items[1].meta, "\"duration\":4000");
    assert_has(result.items[2].meta, "\"start\":4000");
    assert_has(result.items[2].meta, "\"duration\":4000");
    assert_has(result.items[3].meta, "\"start\":8000");
    assert_has(result.items[3].meta, "\"duration\":1000");
    op_result_free(&result);
    free(path);
}

/* A few kilobytes that would be gigabytes: cues without an end, in each of very many segments. */
static void cues_without_an_end_fill_no_disk(void **state)
{
    (void)state;
    enum { CUES = 40, SEGMENTS = 3000, CUE_BYTES = 1000, MOST = 68 << 20 };
    char *text = NULL;
    char *plan = NULL;
    size_t len = 0;
    size_t sum = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    fputs("WEBVTT\n\n", out);
    for (int i = 0; i < CUES; i++)
        fprintf(out, "00:00.000 --> 99:00:00.000\n%0*d\n\n", CUE_BYTES, i);
    fclose(out);
    write_text("endless.vtt", text, len);
    free(text);
    out = open_memstream(&plan, &len);
    assert_non_null(out);
    fprintf(out, "{\"origin_us\":0,\"duration_us\":%d,\"segments\":%d,\"audio\":{\"sample_rate\":1000,\"segments\":[", SEGMENTS * 100000, SEGMENTS);
    for (int i = 0; i < SEGMENTS; i++)
        fprintf(out, "%s[%d,%d]", i ? "," : "", i * 100, (i + 1) * 100);
    fputs("]}}", out);
    fclose(out);
    char *path = strdup(clip_path("endless.vtt"));
    const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = "{\"stream\":0}"},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "plan", .type = MR_TYPE_JSON, .meta = plan}};
    op_result result = op_run(subtitles, NULL, inputs, 3, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, SEGMENTS + 2);
    for (size_t i = 0; i < result.count; i++)
        sum += result.items[i].size;
    assert_in_range(sum, MOST / 2, MOST);
    assert_has(result.messages, "stream 0 has too many cues at a time");
    op_result_free(&result);
    free(path);
    free(plan);
}

static void real_files_come_through(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int stream;
        const char *part;
    } files[] = {{"mkv_srt.mkv", 2, "This is the first subtitle."},
                 {"mkv_ass.mkv", 2, "This is the first subtitle."},
                 {"mkv_vtt.mkv", 2, "This is the first subtitle."},
                 {"nasa_2audio_2sub_2video.mp4", 2, "NAR: This is the optical and science segment of the Webb"}};
    const char *folder = clip_real_media(SOURCE_ROOT);
    for (size_t i = 0; folder && i < sizeof(files) / sizeof(files[0]); i++) {
        char path[4096];
        char plan[512];
        char track[64];
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        snprintf(plan, sizeof(plan), plan_text, 0);
        snprintf(track, sizeof(track), "{\"stream\":%d}", files[i].stream);
        const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = track},
                                   {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                                   {.port = "plan", .type = MR_TYPE_JSON, .meta = plan}};
        op_result result = op_run(subtitles, NULL, inputs, 3, NULL);
        assert_int_equal(result.status, MR_OK);
        char *text = text_of(&result.items[result.count - 1]);
        assert_has(text, files[i].part);
        free(text);
        op_result_free(&result);
    }
}

static void bad_inputs_are_refused(void **state)
{
    (void)state;
    static const char *const plans[] = {
        "{}",
        "{\"origin_us\":0,\"duration_us\":1,\"segments\":1}",
        "{\"origin_us\":0,\"duration_us\":1,\"segments\":2,\"audio\":{\"sample_rate\":48000,\"segments\":[[0,9]]}}",
        "{\"origin_us\":0,\"duration_us\":1,\"segments\":1,\"audio\":{\"sample_rate\":0,\"segments\":[[0,9]]}}",
        "{\"origin_us\":0,\"duration_us\":1,\"segments\":1,\"audio\":{\"sample_rate\":48000,\"segments\":[[900,9]]}}",
    };
    char *path = strdup(clip_path("a.mkv"));
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = "{\"stream\":0}"},
                                   {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                                   {.port = "plan", .type = MR_TYPE_JSON, .meta = plans[i]}};
        op_result result = op_run(subtitles, NULL, inputs, 3, NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        op_result_free(&result);
    }
    free(path);
    op_result result = convert("a.mkv", 7, 0, "");
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    assert_true(clip_make("sound.wav", "-f lavfi -i sine=d=1"));
    result = convert("sound.wav", 0, 0, "");
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cues_are_repeated_in_segments_they_touch),
        cmocka_unit_test(times_count_from_the_plans_origin),
        cmocka_unit_test(every_format_comes_through),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(sound_may_go_on_after_the_picture),
        cmocka_unit_test(cues_without_an_end_fill_no_disk),
        cmocka_unit_test(real_files_come_through),
        cmocka_unit_test(bad_inputs_are_refused),
    };
    subtitles = op_load(PLUGIN_FILE, "transcode.subtitles");
    if (!subtitles)
        return 1;
    return cmocka_run_group_tests_name("transcode.subtitles", tests, NULL, NULL);
}
