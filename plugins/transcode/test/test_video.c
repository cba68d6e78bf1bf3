/* SPDX-License-Identifier: MIT */
/* transcode.analyse and transcode.video: what comes out is right, wherever the chunks are cut and however tasks are batched. */
#include "clip.h"
#include "config/filters.h"
#include "video_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BT709   "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
#define NEARLY  "-c:v libx264 -preset ultrafast -crf 4 -g 12 -bf 2"
#define PATTERN "testsrc2=size=320x180:rate=25"

static kit_source plain = {.width = 320, .height = 180, .fps = 25};
static const kit_rung whole[] = {{"180p", 320, 180, 2000000}};
static const int first_segments[] = {12, 13, 0};
static const int second_segments[] = {13, 12, 0};

static kit_source make(const char *name, const char *args, kit_source source)
{
    static char paths[64][256]; /* clip_path's own goes with its next call */
    static size_t used;
    assert_true(used < 64 && clip_make(name, args));
    snprintf(paths[used], sizeof(paths[0]), "%s", clip_path(name));
    source.path = paths[used++];
    return source;
}

static op_result encode_one(const kit_source *source, const int *segments, const char *params, const kit_rung *rung)
{
    op_result result;
    char *chunk = kit_chunk(source, 0, 0, 0, segments);
    const kit_run run = {.source = source, .chunk = chunk, .params = params, .rungs = rung, .rung_count = 1};
    kit_video(&run, &result);
    free(chunk);
    return result;
}

static void read_back(const op_result *results, size_t count, test_pictures *pictures)
{
    size_t len;
    uint8_t *bytes = kit_join(results, count, &len);
    assert_true(pictures_read(bytes, len, pictures));
    free(bytes);
}

/* Encodes one chunk and gives its pictures; it must have gone well and silently. */
static void encode_pictures(const kit_source *source, const int *segments, const char *params, const kit_rung *rung, test_pictures *pictures)
{
    op_result result = encode_one(source, segments, params, rung);
    assert_string_equal(result.messages, "");
    assert_int_equal(result.status, MR_OK);
    read_back(&result, 1, pictures);
    op_result_free(&result);
}

static void encode_two(const char *params, int64_t second_origin_us, op_result *results)
{
    kit_source second = plain;
    second.origin_us = second_origin_us;
    char *chunks[] = {kit_chunk(&plain, 0, 0, 0, first_segments), kit_chunk(&second, 1, 25, 960000, second_segments)};
    for (int i = 0; i < 2; i++) {
        const kit_run run = {.source = i ? &second : &plain, .chunk = chunks[i], .params = params, .rungs = whole, .rung_count = 1};
        kit_video(&run, &results[i]);
        assert_int_equal(results[i].status, MR_OK);
        free(chunks[i]);
    }
}

/* Are the pictures the pattern's, at the seams as elsewhere? */
static bool pictures_are_right(const test_pictures *pictures, double floor)
{
    test_pictures expected;
    bool right = pictures_render(PATTERN ",format=yuv420p", (int)pictures->count, &expected);
    for (size_t i = 0; i < pictures->count && right; i++)
        right = picture_psnr(pictures->frames[i], expected.frames[i]) >= floor;
    pictures_free(&expected);
    return right;
}

static void test_frames_are_where_the_plan_puts_them(void **state)
{
    static const char *const params[] = {"{rate_control: crf, quality: 15}", "{quality: 15}", "{quality: 15, preset: ultrafast}",
                                         "{profile: baseline, quality: 15}"};
    (void)state;
    for (size_t p = 0; p < sizeof(params) / sizeof(params[0]); p++) {
        op_result results[2];
        test_pictures pictures;
        encode_two(params[p], 0, results);
        assert_int_equal(results[0].items[0].size, results[1].items[0].size);
        assert_memory_equal(results[0].items[0].data, results[1].items[0].data, results[0].items[0].size);
        read_back(results, 2, &pictures);
        assert_int_equal(pictures.count, 50);
        for (size_t i = 0; i < pictures.count; i++) {
            assert_int_equal(pictures.frames[i]->pts, i * 512);
            if (i == 0 || i == 12 || i == 25 || i == 38)
                assert_int_equal(pictures.frames[i]->key_frame, 1);
        }
        assert_true(pictures_are_right(&pictures, 34));
        pictures_free(&pictures);
        op_result_free(&results[0]);
        op_result_free(&results[1]);
    }
}

static void test_a_broken_seam_shows(void **state)
{
    op_result results[2];
    test_pictures pictures;
    (void)state;
    encode_two("{rate_control: crf, quality: 15}", -40000, results); /* the second chunk is one frame late */
    read_back(results, 2, &pictures);
    assert_int_equal(pictures.count, 50);
    assert_false(pictures_are_right(&pictures, 34));
    pictures_free(&pictures);
    op_result_free(&results[0]);
    op_result_free(&results[1]);
}

/* A clip whose picture k is grey of 20 + 8 k. */
static kit_source make_steps(const char *name, const char *rate)
{
    char args[512];
    snprintf(args, sizeof(args), "-f lavfi -i nullsrc=size=64x64:rate=%s,geq=lum=20+8*N:cb=128:cr=128,format=yuv420p -frames:v 20 " NEARLY " " BT709,
             rate);
    return make(name, args, (kit_source){.width = 64, .height = 64, .fps = 25});
}

static int step_shown(const AVFrame *frame)
{
    return (int)((picture_mean(frame, 0) - 20) / 8 + 0.5);
}

static void test_frames_go_to_the_nearest_place_on_the_grid(void **state)
{
    static const kit_rung rung[] = {{"64p", 64, 64, 1000000}};
    static const int segments[] = {30, 20, 0};
    test_pictures pictures;
    (void)state;
    kit_source slow = make_steps("slow.mp4", "10");
    encode_pictures(&slow, segments, "{rate_control: crf, quality: 10}", rung, &pictures);
    assert_int_equal(pictures.count, 50);
    for (int n = 0; n < 50; n++) {
        int shown = 0;
        while (shown < 19 && (25 * (shown + 1) + 5) / 10 <= n) /* the next one's place, halves going up */
            shown++;
        assert_int_equal(step_shown(pictures.frames[n]), shown);
    }
    pictures_free(&pictures);
    static const int fewer[] = {8, 0};
    kit_source fast = make_steps("fast.mp4", "60");
    encode_pictures(&fast, fewer, "{rate_control: crf, quality: 10}", rung, &pictures);
    for (int n = 0; n < 8; n++) { /* the last of those that are nearest to n */
        int shown = 0;
        while (shown < 19 && ((shown + 1) * 25 * 2 + 60) / 120 <= n)
            shown++;
        assert_int_equal(step_shown(pictures.frames[n]), shown);
    }
    pictures_free(&pictures);
}

static void test_a_source_that_ends_early_is_padded_and_said(void **state)
{
    static const kit_rung rung[] = {{"64p", 64, 64, 1000000}};
    static const int segments[] = {25, 0};
    test_pictures pictures;
    (void)state;
    kit_source steps = make_steps("steps.mp4", "25");
    op_result result = encode_one(&steps, segments, NULL, rung);
    assert_int_equal(result.status, MR_OK);
    assert_non_null(strstr(result.messages, "warning: the source's pictures end 5 frames early"));
    read_back(&result, 1, &pictures);
    assert_int_equal(pictures.count, 25);
    assert_int_equal(step_shown(pictures.frames[24]), 19);
    pictures_free(&pictures);
    op_result_free(&result);
}

static double mean_of(const AVFrame *frame, int x, int y, int size)
{
    double sum = 0;
    for (int row = y; row < y + size; row++) {
        for (int column = x; column < x + size; column++)
            sum += frame->data[0][(ptrdiff_t)row * frame->linesize[0] + column];
    }
    return sum / (size * size);
}

/* The clip's upper left quarter is white. Where is it after turning? */
static void check_turn(kit_source source, const char *more, int display_width, int display_height, int white_x, int white_y)
{
    static const int segments[] = {2, 0};
    const kit_rung rung = {"turned", display_width, display_height, 1000000};
    test_pictures pictures;
    source.more = more;
    source.display_width = display_width;
    source.display_height = display_height;
    encode_pictures(&source, segments, "{rate_control: crf, quality: 10}", &rung, &pictures);
    assert_int_equal(pictures.frames[0]->width, display_width);
    assert_int_equal(pictures.frames[0]->height, display_height);
    for (int y = 0; y < 2; y++) {
        for (int x = 0; x < 2; x++) {
            double mean = mean_of(pictures.frames[0], x ? display_width - 24 : 8, y ? display_height - 24 : 8, 16);
            assert_true(x == white_x && y == white_y ? mean > 220 : mean < 30);
        }
    }
    pictures_free(&pictures);
}

static void test_pictures_are_upright_and_square(void **state)
{
    (void)state;
    kit_source corner = make(
        "corner.mp4", "-f lavfi -i color=black:size=128x96:rate=25,drawbox=w=64:h=48:color=white:t=fill,format=yuv420p -frames:v 2 " NEARLY " " BT709,
        (kit_source){.width = 128, .height = 96, .fps = 25});
    check_turn(corner, "", 128, 96, 0, 0);
    check_turn(corner, ",\"rotation\":90", 96, 128, 1, 0);
    check_turn(corner, ",\"rotation\":180", 128, 96, 1, 1);
    check_turn(corner, ",\"rotation\":270", 96, 128, 0, 1);
    check_turn(corner, ",\"mirror\":true", 128, 96, 1, 0);
    check_turn(corner, ",\"mirror\":true,\"rotation\":90", 96, 128, 1, 1);
    check_turn(corner, ",\"sar\":[2,3]", 86, 96, 0, 0);
}

static void check_colour(const char *name, const char *args, const char *more, double luma, double cb, double cr)
{
    static const kit_rung rung[] = {{"64p", 64, 64, 1000000}};
    static const int segments[] = {2, 0};
    test_pictures pictures;
    kit_source source = make(name, args, (kit_source){.width = 64, .height = 64, .fps = 25, .more = more});
    encode_pictures(&source, segments, "{rate_control: crf, quality: 10}", rung, &pictures);
    const AVFrame *frame = pictures.frames[0];
    assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(frame->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(frame->format, AV_PIX_FMT_YUV420P);
    assert_float_equal(picture_mean(frame, 0), luma, 2.5);
    assert_float_equal(picture_mean(frame, 1), cb, 2.5);
    assert_float_equal(picture_mean(frame, 2), cr, 2.5);
    pictures_free(&pictures);
}

#define PLANE(y, u, v) "-f lavfi -i nullsrc=size=64x64:rate=25,format=yuv444p,geq=lum=" #y ":cb=" #u ":cr=" #v

static void test_colours_become_bt709_in_limited_range(void **state)
{
    (void)state;
    /* red: (81, 90, 240) by BT.601, (63, 102, 240) by BT.709 */
    check_colour("red601.mp4", PLANE(81, 90, 240) ",format=yuv420p -frames:v 2 " NEARLY " -colorspace smpte170m -color_range tv", "", 63, 102, 240);
    check_colour("red709.mp4", PLANE(63, 102, 240) ",format=yuv420p -frames:v 2 " NEARLY " " BT709, "", 63, 102, 240);
    check_colour("untagged.mp4", PLANE(81, 90, 240) ",format=yuv420p -frames:v 2 " NEARLY, "", 63, 102, 240);
    check_colour("full.mp4", PLANE(255, 128, 128) ",format=yuv420p -frames:v 2 " NEARLY " -colorspace bt709 -color_range pc", "", 235, 128, 128);
    check_colour("422.mp4", PLANE(63, 102, 240) ",format=yuv422p -frames:v 2 " NEARLY " " BT709, "", 63, 102, 240);
    check_colour("ten.mp4", PLANE(63, 102, 240) ",format=yuv420p10 -frames:v 2 " NEARLY " " BT709, "", 63, 102, 240);
    check_colour("rgb.mkv", "-f lavfi -i color=red:size=64x64:rate=25,format=gbrp -frames:v 2 -c:v ffv1", "", 63, 102, 240);
    check_colour("odd.mkv", "-f lavfi -i nullsrc=size=65x65:rate=25,geq=lum=81:cb=90:cr=240,format=yuv420p -frames:v 2 -c:v ffv1", "", 63, 102, 240);
}

static void test_hdr_is_tone_mapped(void **state)
{
    static const kit_rung rung[] = {{"64p", 64, 64, 1000000}};
    static const int segments[] = {2, 0};
    static const struct {
        const char *name;
        const char *args;
    } greys[] = {
        {"pq10.mkv", "-f lavfi -i nullsrc=size=64x64:rate=25,format=yuv420p10,geq=lum=320:cb=512:cr=512 -frames:v 2 -c:v ffv1"},
        {"pq100.mkv", "-f lavfi -i nullsrc=size=64x64:rate=25,format=yuv420p10,geq=lum=509:cb=512:cr=512 -frames:v 2 -c:v ffv1"},
        {"pq1000.mkv", "-f lavfi -i nullsrc=size=64x64:rate=25,format=yuv420p10,geq=lum=723:cb=512:cr=512 -frames:v 2 -c:v ffv1"},
    };
    double before = 16;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        test_pictures pictures;
        kit_source source = make(greys[i].name, greys[i].args, (kit_source){.width = 64, .height = 64, .fps = 25, .more = ",\"hdr\":\"pq\""});
        encode_pictures(&source, segments, NULL, rung, &pictures);
        double mean = picture_mean(pictures.frames[0], 0);
        assert_true(mean > before + 20);
        assert_int_equal(pictures.frames[0]->color_trc, AVCOL_TRC_BT709);
        assert_float_equal(picture_mean(pictures.frames[0], 1), 128, 2);
        before = mean;
        pictures_free(&pictures);
        op_result refused = encode_one(&source, segments, "{hdr: keep}", rung);
        assert_int_equal(refused.status, MR_ERR_PARAM);
        assert_non_null(strstr(refused.messages, "param 'hdr'"));
        op_result_free(&refused);
    }
    assert_float_equal(before, 235, 8); /* what is as bright as the source gets becomes white */
}

static void test_filters(void **state)
{
    static const struct {
        const char *params;
        const char *word;
    } bad[] = {
        {"{filters: 'movie=/etc/passwd'}", "'movie'"},
        {"{filters: 'crop=10:10,subtitles=x.srt'}", "'subtitles'"},
        {"{filters: '[in]crop=10:10[out]'}", "not a plain chain"},
        {"{filters: 'crop=10:10;hflip'}", "not a plain chain"},
        {"{filters: 'crop=width=nonsense'}", "can't be used on pictures"},
    };
    static const int segments[] = {5, 0};
    static const kit_rung square[] = {{"square", 180, 180, 1000000}};
    test_pictures pictures;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        op_result result = encode_one(&plain, segments, bad[i].params, whole);
        assert_int_equal(result.status, MR_ERR_PARAM);
        assert_non_null(strstr(result.messages, bad[i].word));
        op_result_free(&result);
    }
    encode_pictures(&plain, segments, "{filters: 'crop=ih:ih, negate', rate_control: crf, quality: 10}", square, &pictures);
    test_pictures expected;
    assert_true(pictures_render(PATTERN ",format=yuv420p,crop=ih:ih,negate", 5, &expected));
    assert_true(picture_psnr(pictures.frames[4], expected.frames[4]) > 36);
    pictures_free(&expected);
    pictures_free(&pictures);
}

/* Draws the frame's number and the size of its window, bit by bit, as squares of 16 pixels in the first two lines of them. */
static mr_status draw_number(void *drawn, const mr_frame_window *window, const mr_picture *out)
{
    const int64_t numbers[] = {out->number, window->count};
    (void)drawn;
    for (int plane = 0; plane < 3; plane++) {
        const mr_plane *from = &window->frames[window->at]->plane[plane];
        for (int y = 0; y < from->height; y++)
            memcpy(out->plane[plane].data + y * out->plane[plane].stride, from->data + y * from->stride, (size_t)from->width);
    }
    for (int y = 0; y < 32; y++) {
        for (int x = 0; x < 128; x++)
            out->plane[0].data[y * out->plane[0].stride + x] = numbers[y / 16] >> x / 16 & 1 ? 235 : 16;
    }
    return MR_OK;
}

static int read_number(const AVFrame *frame, int line)
{
    int number = 0;
    for (int bit = 0; bit < 8; bit++)
        number |= (frame->data[0][(line * 16 + 8) * frame->linesize[0] + bit * 16 + 8] > 125) << bit;
    return number;
}

static mr_status open_drawing(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                              mr_video_format *out, void **ret_state)
{
    (void)host, (void)task, (void)filter, (void)params, (void)out;
    assert_int_equal(in->width, 320);
    assert_int_equal(in->frame_rate.num, 25);
    assert_int_equal(in->matrix, 1); /* BT.709 */
    *ret_state = NULL;
    return MR_OK;
}

static void reach_three(const mr_frame_filter *filter, const void *params, mr_reach *ret_reach)
{
    (void)filter, (void)params;
    ret_reach->back = ret_reach->ahead = 3;
}

static const mr_frame_filter drawing = {
    .size = sizeof(drawing), .version = 1, .name = "test.draw", .summary = "draws", .open = open_drawing, .apply = draw_number, .reach = reach_three};

/* A plugin's filter sees the plan's numbers and looks over the seam, whichever chunk is made, alone or in a batch with the analysis. */
static void test_filters_of_plugins(void **state)
{
    static const mr_filter_entry entries[] = {{&drawing, "test 1"}};
    static const mr_filter_set set = {.entries = entries, .count = 1};
    (void)state;
    for (int batch = 0; batch < 2; batch++) {
        char *chunks[] = {kit_chunk(&plain, 0, 0, 0, first_segments), kit_chunk(&plain, 1, 25, 960000, second_segments)};
        op_result results[2];
        test_pictures pictures;
        for (int i = 0; i < 2; i++) {
            const kit_run run = {.source = &plain,
                                 .chunk = chunks[i],
                                 .params = "{filters: {use: test.draw}, quality: 12}",
                                 .analyse_params = "{filters: {use: test.draw}}",
                                 .rungs = whole,
                                 .rung_count = 1,
                                 .analyse = true,
                                 .batch = batch,
                                 .filters = &set};
            kit_video(&run, &results[i]);
            assert_string_equal(results[i].messages, "");
            assert_int_equal(results[i].status, MR_OK);
            free(chunks[i]);
        }
        read_back(results, 2, &pictures);
        assert_int_equal(pictures.count, 50);
        for (int i = 0; i < 50; i++) {
            const int before = i < 3 ? i : 3;
            assert_int_equal(read_number(pictures.frames[i], 0), i);
            if (i < 47) /* behind them the source may end */
                assert_int_equal(read_number(pictures.frames[i], 1), before + 4);
        }
        pictures_free(&pictures);
        op_result_free(&results[0]);
        op_result_free(&results[1]);
    }
}

/* Noise at every rate control and codec: no segment goes over what may flow in and the buffer, and the chunk's mean not over the ceiling. */
static void test_nothing_goes_over_its_ceiling(void **state)
{
    enum { CEILING = 400000 };
    static const kit_rung rung[] = {{"small", 320, 180, CEILING}};
    static const int segments[] = {25, 25, 0};
    static const char *const params[] = {"{quality: 10}",
                                         "{quality: 23, preset: ultrafast}",
                                         "{rate_control: crf, quality: 10}",
                                         "{codec: hevc, preset: ultrafast}",
                                         "{codec: vp9, preset: ultrafast}",
                                         "{codec: av1, preset: ultrafast}"};
    (void)state;
    kit_source noise =
        make("grain.mp4", "-f lavfi -i testsrc2=size=320x180:rate=25,noise=alls=20:allf=t:all_seed=7,format=yuv420p -frames:v 50 " NEARLY " " BT709,
             (kit_source){.width = 320, .height = 180, .fps = 25});
    for (size_t p = 0; p < sizeof(params) / sizeof(params[0]); p++) {
        size_t bits = 0;
        op_result result = encode_one(&noise, segments, params[p], rung);
        assert_int_equal(result.status, MR_OK);
        assert_string_equal(result.messages, "");
        assert_int_equal(result.count, 3);
        for (size_t i = 1; i < 3; i++) {
            assert_true(8 * result.items[i].size <= CEILING * 107 / 100 + CEILING * 3 / 2);
            bits += 8 * result.items[i].size;
        }
        assert_in_range(bits, CEILING, 2 * CEILING * 103 / 100); /* and no less than half of what it may take */
        op_result_free(&result);
    }
}

static void test_other_codecs(void **state)
{
    static const char *const params[] = {"{codec: hevc, preset: ultrafast}", "{codec: av1, preset: ultrafast}", "{codec: vp9, preset: ultrafast}"};
    static const char *const names[] = {"\"codec\":\"hvc1.1.", "\"codec\":\"av01.0.", "\"codec\":\"vp09.00."};
    (void)state;
    for (size_t p = 0; p < sizeof(params) / sizeof(params[0]); p++) {
        op_result results[2];
        test_pictures pictures;
        encode_two(params[p], 0, results);
        assert_non_null(strstr(results[0].items[0].meta, names[p]));
        assert_memory_equal(results[0].items[0].data, results[1].items[0].data, results[0].items[0].size);
        read_back(results, 2, &pictures);
        assert_int_equal(pictures.count, 50);
        for (size_t i = 0; i < pictures.count; i++) {
            assert_int_equal(pictures.frames[i]->pts, i * 512);
            if (i == 0 || i == 12 || i == 25 || i == 38)
                assert_int_equal(pictures.frames[i]->key_frame, 1);
        }
        assert_true(pictures_are_right(&pictures, 24));
        pictures_free(&pictures);
        op_result_free(&results[0]);
        op_result_free(&results[1]);
    }
}

static void test_a_titles_bitrate_needs_all_analyses(void **state)
{
    static const int segments[] = {12, 0};
    (void)state;
    op_result result = encode_one(&plain, segments, "{rate_control: bitrate}", whole);
    assert_int_equal(result.status, MR_ERR_INPUT);
    assert_non_null(strstr(result.messages, "chunk 0 is not among the 0 given"));
    op_result_free(&result);
}

static void test_chunks_that_are_wrong(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"kind\":\"audio\"}",
        "{\"kind\":\"video\",\"index\":0,\"stream\":0,\"fps\":[25,0],\"timescale\":25,\"frame_ticks\":1}",
        "{\"kind\":\"video\",\"index\":0,\"stream\":0,\"fps\":[25,1],\"timescale\":25,\"frame_ticks\":0,\"first_frame\":0,\"frames\":1}",
        ("{\"kind\":\"video\",\"index\":0,\"stream\":0,\"fps\":[25,1],\"timescale\":25,\"frame_ticks\":1,\"first_frame\":0,\"frames\":2,"
         "\"segments\":[{\"index\":0,\"first_frame\":0,\"frames\":1}],\"picture\":{\"width\":64,\"height\":64}}"),
        ("{\"kind\":\"video\",\"index\":0,\"stream\":0,\"fps\":[25,1],\"timescale\":25,\"frame_ticks\":1,\"first_frame\":0,\"frames\":1,"
         "\"origin_us\":9223372036854775807,"
         "\"segments\":[{\"index\":0,\"first_frame\":0,\"frames\":1}],\"picture\":{\"width\":64,\"height\":64}}"),
        ("{\"kind\":\"video\",\"index\":0,\"stream\":0,\"fps\":[1,1000000],\"timescale\":1,\"frame_ticks\":1000000,\"first_frame\":4000000000000,"
         "\"frames\":1,\"segments\":[{\"index\":0,\"first_frame\":4000000000000,\"frames\":1}],\"picture\":{\"width\":64,\"height\":64}}"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        op_result result;
        const kit_run run = {.source = &plain, .chunk = bad[i], .rungs = whole, .rung_count = 1};
        kit_video(&run, &result);
        assert_int_equal(result.status, MR_ERR_INPUT);
        assert_non_null(strstr(result.messages, "video chunk can't be used"));
        op_result_free(&result);
    }
}

static int set_up(void **state)
{
    (void)state;
    plain = make("plain.mp4", "-f lavfi -i " PATTERN ",format=yuv420p -frames:v 50 " NEARLY " " BT709, plain);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_where_the_plan_puts_them),
        cmocka_unit_test(test_a_broken_seam_shows),
        cmocka_unit_test(test_frames_go_to_the_nearest_place_on_the_grid),
        cmocka_unit_test(test_a_source_that_ends_early_is_padded_and_said),
        cmocka_unit_test(test_pictures_are_upright_and_square),
        cmocka_unit_test(test_colours_become_bt709_in_limited_range),
        cmocka_unit_test(test_hdr_is_tone_mapped),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filters_of_plugins),
        cmocka_unit_test(test_nothing_goes_over_its_ceiling),
        cmocka_unit_test(test_other_codecs),
        cmocka_unit_test(test_a_titles_bitrate_needs_all_analyses),
        cmocka_unit_test(test_chunks_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
