/* SPDX-License-Identifier: MIT */
/* Posters, storyboards and previews of small clips, looked at by decoding them. */
#include "clip.h"
#include "op_host.h"

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const mr_op *probe;
static const mr_op *poster;
static const mr_op *sheets;
static const mr_op *storyboard;
static const mr_op *preview;

static op_result make(const mr_op *op, const char *path, const char *params)
{
    const op_input source = {.port = "source", .type = MR_TYPE_MEDIA, .path = path};
    op_result info = op_run(probe, NULL, &source, 1, NULL);
    assert_int_equal(info.status, MR_OK);
    const op_input inputs[] = {source, {.port = "info", .type = MR_TYPE_JSON, .meta = op_result_item(&info, probe, "info", 0)->meta}};
    op_result result = op_run(op, params, inputs, 2, NULL);
    if (result.messages[0])
        print_message("%s", result.messages);
    op_result_free(&info);
    return result;
}

static op_result make_of(const mr_op *op, const char *clip, const char *params)
{
    char *path = strdup(clip_path(clip));
    op_result result = make(op, path, params);
    free(path);
    return result;
}

static json_int_t number(const op_item *item, const char *key)
{
    json_t *meta = json_loads(item->meta, 0, NULL);
    json_int_t value = json_integer_value(json_object_get(meta, key));
    json_decref(meta);
    return value;
}

/* A decoded JPEG. The caller frees it. */
static AVFrame *decode(const op_item *item)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG));
    assert_true(packet && frame && codec);
    assert_int_equal(av_new_packet(packet, (int)item->size), 0);
    memcpy(packet->data, item->data, item->size);
    assert_int_equal(avcodec_open2(codec, codec->codec, NULL), 0);
    assert_int_equal(avcodec_send_packet(codec, packet), 0);
    assert_int_equal(avcodec_receive_frame(codec, frame), 0);
    avcodec_free_context(&codec);
    av_packet_free(&packet);
    return frame;
}

/* The colour around a place, as mean Y, U and V of a square of eight. */
typedef struct colour {
    int y, u, v;
} colour;

static colour colour_at(const AVFrame *frame, int x, int y)
{
    int sum[3] = {0};
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane > 0;
        for (int i = 0; i < 16; i++)
            sum[plane] += frame->data[plane][(ptrdiff_t)((y >> shift) + i / 4) * frame->linesize[plane] + (x >> shift) + i % 4];
    }
    return (colour){sum[0] / 16, sum[1] / 16, sum[2] / 16};
}

static void assert_near(colour got, int y, int u, int v)
{
    if (abs(got.y - y) > 8 || abs(got.u - u) > 8 || abs(got.v - v) > 8)
        fail_msg("colour %d %d %d is not %d %d %d", got.y, got.u, got.v, y, u, v);
}

/* JPEG's colours (BT.601, full range). */
#define RED   76, 85, 255
#define BLUE  29, 255, 107
#define BLACK 0, 128, 128

#define X264 " -c:v libx264 -preset ultrafast -pix_fmt yuv420p"

static void posters_show_something(void **state)
{
    (void)state;
    /* Black, plain, a picture, white. */
    assert_true(clip_make("moods.mp4", "-f lavfi -i color=black:s=320x180:r=10:d=3 -f lavfi -i color=gray:s=320x180:r=10:d=3 "
                                       "-f lavfi -i testsrc2=s=320x180:r=10:d=2 -f lavfi -i color=white:s=320x180:r=10:d=4 "
                                       "-filter_complex [0][1][2][3]concat=n=4" X264 " -g 10"));
    op_result result = make_of(poster, "moods.mp4", NULL);
    assert_int_equal(result.status, MR_OK);
    assert_in_range(number(&result.items[0], "time_us"), 6000000, 7999999);
    assert_int_equal(number(&result.items[0], "width"), 320);
    op_result_free(&result);
    /* The same with a single keyframe: what lies between is looked at. */
    assert_true(clip_make("moods1.mp4", "-i @moods.mp4" X264 " -g 1000 -sc_threshold 0"));
    result = make_of(poster, "moods1.mp4", NULL);
    assert_int_equal(result.status, MR_OK);
    assert_in_range(number(&result.items[0], "time_us"), 6000000, 7999999);
    op_result_free(&result);
    result = make_of(poster, "moods.mp4", "{time: 2s, width: 160}");
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(number(&result.items[0], "time_us"), 2000000);
    assert_int_equal(number(&result.items[0], "height"), 90);
    AVFrame *frame = decode(&result.items[0]);
    assert_int_equal(frame->width, 160);
    assert_near(colour_at(frame, 80, 40), BLACK);
    av_frame_free(&frame);
    op_result_free(&result);
}

/* The left half is red, the right one blue, whatever the colours and the sides of the source are. */
static void check_halves(const char *clip, int width, int height, bool upright)
{
    op_result result = make_of(poster, clip, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(number(&result.items[0], "width"), width);
    assert_int_equal(number(&result.items[0], "height"), height);
    AVFrame *frame = decode(&result.items[0]);
    assert_int_equal(frame->width, width);
    assert_int_equal(frame->height, height);
    assert_near(colour_at(frame, 16, 16), RED);
    if (upright)
        assert_near(colour_at(frame, width - 32, 16), BLUE);
    else
        assert_near(colour_at(frame, 16, height - 32), BLUE);
    av_frame_free(&frame);
    op_result_free(&result);
}

#define HALVES "-f lavfi -i color=red:s=160x180:r=10:d=1 -f lavfi -i color=blue:s=160x180:r=10:d=1 -filter_complex [0][1]hstack"

static void posters_are_upright_and_true(void **state)
{
    (void)state;
    assert_true(clip_make("sd.mp4", HALVES ",scale=out_color_matrix=bt601,format=yuv420p -colorspace smpte170m" X264));
    assert_true(clip_make("hd.mp4", HALVES ",scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709" X264));
    assert_true(clip_make("full.mp4",
                          HALVES ",scale=out_color_matrix=bt709:out_range=full,format=yuvj420p -colorspace bt709 -c:v libx264 -preset ultrafast"));
    assert_true(clip_make("wide.mp4", HALVES ",setsar=2/1,scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709" X264));
    assert_true(clip_make("turned.mp4", "-i @hd.mp4 -c copy -metadata:s:v rotate=270"));
    assert_true(clip_make("one.mp4", "-i @hd.mp4 -frames:v 1" X264));
    check_halves("sd.mp4", 320, 180, true);
    check_halves("hd.mp4", 320, 180, true);
    check_halves("full.mp4", 320, 180, true);
    check_halves("wide.mp4", 640, 180, true);
    check_halves("turned.mp4", 180, 320, false);
    check_halves("one.mp4", 320, 180, true);
}

static long parse_ms(const char *text)
{
    int hours, minutes, seconds, ms;
    assert_int_equal(sscanf(text, "%d:%d:%d.%d", &hours, &minutes, &seconds, &ms), 4);
    return ((hours * 60L + minutes) * 60 + seconds) * 1000 + ms;
}

/* All sheets of a storyboard, each made as a task of its own. */
typedef struct board {
    op_result made[8];
    size_t count;
} board;

/* Of what was known of one clip, and is read from another. */
static board make_board_from(const char *known, const char *clip, const char *params)
{
    char *known_path = strdup(clip_path(known));
    char *path = strdup(clip_path(clip));
    const op_input source = {.port = "source", .type = MR_TYPE_MEDIA, .path = known_path};
    board board = {0};
    op_result info = op_run(probe, NULL, &source, 1, NULL);
    assert_int_equal(info.status, MR_OK);
    op_input inputs[] = {source,
                         {.port = "info", .type = MR_TYPE_JSON, .meta = op_result_item(&info, probe, "info", 0)->meta},
                         {.port = "sheet", .type = MR_TYPE_JSON}};
    inputs[0].path = path;
    op_result plan = op_run(sheets, params, &inputs[1], 1, NULL);
    assert_int_equal(plan.status, MR_OK);
    board.count = op_result_count(&plan, sheets, "sheets");
    assert_in_range(board.count, 1, 8);
    for (size_t i = 0; i < board.count; i++) {
        inputs[2].meta = op_result_item(&plan, sheets, "sheets", i)->meta;
        board.made[i] = op_run(storyboard, NULL, inputs, 3, NULL);
        if (board.made[i].messages[0])
            print_message("%s", board.made[i].messages);
        assert_int_equal(board.made[i].status, MR_OK);
    }
    op_result_free(&plan);
    op_result_free(&info);
    free(known_path);
    free(path);
    return board;
}

static board make_board(const char *clip, const char *params)
{
    return make_board_from(clip, clip, params);
}

static void free_board(board *board)
{
    for (size_t i = 0; i < board->count; i++)
        op_result_free(&board->made[i]);
}

static const op_item *sheet_of(const board *board, size_t index)
{
    return index < board->count ? op_result_item(&board->made[index], storyboard, "image", 0) : NULL;
}

/* Every cue follows the one before, and names a place inside a sheet that is there by then. Returns the end of the last, in ms. */
static long check_cues(const board *board, size_t index, size_t tiles)
{
    const op_item *item = op_result_item(&board->made[index], storyboard, "track", 0);
    assert_non_null(item);
    char *text = strndup((const char *)item->data, item->size);
    long end = 0;
    size_t cues = 0;
    assert_int_equal(strncmp(text, "WEBVTT\n\n", 8), 0);
    for (char *arrow = strstr(text, " --> "); arrow; arrow = strstr(arrow + 1, " --> ")) {
        unsigned sheet, x, y, width, height;
        assert_int_equal(parse_ms(arrow - 12), end);
        end = parse_ms(arrow + 5);
        assert_int_equal(sscanf(strchr(arrow, '\n') + 1, "storyboard/%u.jpg#xywh=%u,%u,%u,%u", &sheet, &x, &y, &width, &height), 5);
        assert_in_range(sheet, 0, index);
        const op_item *image = sheet_of(board, sheet);
        assert_non_null(image);
        assert_true(x + width <= number(image, "width") && y + height <= number(image, "height"));
        assert_int_equal(width, number(image, "tile_width"));
        assert_int_equal(height, number(image, "tile_height"));
        cues++;
    }
    assert_int_equal(cues, tiles);
    free(text);
    return end;
}

static long check_track(const board *board, size_t tiles)
{
    return check_cues(board, board->count - 1, tiles);
}

/* The luma of a tile of 160x90 on a sheet of two by two. */
static int luma_of(const board *board, int tile)
{
    AVFrame *sheet = decode(sheet_of(board, (size_t)tile / 4));
    const int luma = colour_at(sheet, tile % 2 * 160 + 80, tile % 4 / 2 * 90 + 40).y;
    assert_int_equal(sheet->width, 320);
    assert_int_equal(sheet->height, 180);
    av_frame_free(&sheet);
    return luma;
}

/* The clip goes from black to white in 12 seconds: a tile tells its time by its luma. */
static void check_ramp(const char *clip, long tolerance_ms)
{
    board board = make_board(clip, "{interval: 2s, columns: 2, rows: 2}");
    assert_int_equal(board.count, 2);
    assert_in_range(check_track(&board, 6), 12000, 12001);
    assert_in_range(check_cues(&board, 0, 4), 8000, 8000);
    for (int tile = 0; tile < 6; tile++) {
        const long ms = luma_of(&board, tile) * 12000L / 255;
        assert_in_range(ms + 20000, tile * 2000 + 1000 - tolerance_ms + 20000, tile * 2000 + 1000 + 250 + 20000);
    }
    assert_int_equal(number(sheet_of(&board, 1), "start_us"), 8000000);
    assert_int_equal(number(sheet_of(&board, 1), "tiles"), 2);
    free_board(&board);
}

static void storyboards_show_what_is_there(void **state)
{
    (void)state;
    assert_true(clip_make("ramp.mp4", "-f lavfi -i nullsrc=s=160x90:r=10:d=12,geq=lum=16+219*T/12:cb=128:cr=128" X264 " -g 10"));
    assert_true(clip_make("sparse.mp4", "-i @ramp.mp4" X264 " -g 1000 -sc_threshold 0"));
    assert_true(clip_make("sparse.ts", "-i @sparse.mp4 -c copy"));
    assert_true(clip_make("ramp.ts", "-i @ramp.mp4 -c copy"));
    assert_true(clip_make("ramp.mkv", "-i @ramp.mp4 -c copy"));
    check_ramp("ramp.mp4", 1250);
    check_ramp("ramp.ts", 1250);
    check_ramp("ramp.mkv", 1250);
    check_ramp("sparse.mp4", 250); /* every picture is decoded: no keyframe to be content with */
    check_ramp("sparse.ts", 250);
}

/* The rest of what the index promises is not there: the last picture stays. */
static void storyboards_of_what_is_cut_off_show_the_last_picture(void **state)
{
    (void)state;
    char bytes[4096];
    assert_true(clip_make("front.mp4", "-i @ramp.mp4 -c copy -movflags +faststart"));
    FILE *in = fopen(clip_path("front.mp4"), "rbe");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    long left = ftell(in) * 6 / 10;
    rewind(in);
    FILE *out = fopen(clip_path("cut.mp4"), "wbe");
    assert_non_null(out);
    for (size_t got; left > 0 && (got = fread(bytes, 1, left < 4096 ? (size_t)left : sizeof(bytes), in)) > 0; left -= (long)got)
        assert_int_equal(fwrite(bytes, 1, got, out), got);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    board board = make_board_from("front.mp4", "cut.mp4", "{interval: 1s, columns: 2, rows: 2}");
    assert_int_equal(board.count, 3);
    for (int tile = 0; tile < 8; tile++) /* of the eighth second there is no keyframe */
        assert_in_range(luma_of(&board, tile) + 2, 21 * (tile < 7 ? tile : 6), 21 * (tile < 7 ? tile : 6) + 4);
    for (int tile = 9; tile < 12; tile++)
        assert_int_equal(luma_of(&board, tile), luma_of(&board, 8));
    free_board(&board);
}

static void storyboards_fit_short_and_long(void **state)
{
    (void)state;
    board short_one = make_board("one.mp4", NULL);
    assert_int_equal(short_one.count, 1);
    assert_int_equal(number(sheet_of(&short_one, 0), "columns"), 1);
    assert_in_range(check_track(&short_one, 1), 100, 101);
    free_board(&short_one);
    /* Sound goes on after the pictures: the last one stays. */
    assert_true(clip_make("longer.mp4", "-i @ramp.mp4 -f lavfi -i sine=d=20 -c:v copy -c:a aac"));
    board long_one = make_board("longer.mp4", NULL);
    assert_in_range(check_track(&long_one, 20), 20000, 20100);
    free_board(&long_one);
    /* Of five sheets, the first, the second, the fourth and the last tell what is there. */
    board many = make_board("longer.mp4", "{interval: 1s, columns: 2, rows: 2}");
    assert_int_equal(many.count, 5);
    assert_null(op_result_item(&many.made[2], storyboard, "track", 0));
    assert_int_equal(check_cues(&many, 1, 8), 8000);
    assert_int_equal(check_cues(&many, 3, 16), 16000);
    for (size_t i = 0; i < many.count; i++) {
        const op_item *track = op_result_item(&many.made[i], storyboard, "track", 0);
        assert_true(!track || (strstr(track->meta, "\"growing\":true") != NULL) == (i + 1 < many.count));
    }
    free_board(&many);
}

static void what_is_no_sheet_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"index\":1,\"all_tiles\":4,\"columns\":2,\"rows\":2,\"tile_width\":160,\"tile_height\":90,\"interval_us\":1000000}",
        "{\"index\":0,\"all_tiles\":4,\"columns\":0,\"rows\":2,\"tile_width\":160,\"tile_height\":90,\"interval_us\":1000000}",
        "{\"index\":0,\"all_tiles\":4,\"columns\":2,\"rows\":2,\"tile_width\":161,\"tile_height\":90,\"interval_us\":1000000}",
        "{\"index\":0,\"all_tiles\":4,\"columns\":2,\"rows\":2,\"tile_width\":160,\"tile_height\":90000,\"interval_us\":1000000}",
        "{\"index\":0,\"all_tiles\":4,\"columns\":2,\"rows\":2,\"tile_width\":160,\"tile_height\":90,\"interval_us\":0}",
        "{\"index\":0,\"all_tiles\":4,\"columns\":2,\"rows\":2,\"tile_width\":160,\"tile_height\":90,\"interval_us\":9000000000000000000}",
    };
    char *path = strdup(clip_path("ramp.mp4"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const op_input inputs[] = {
            {.port = "source", .type = MR_TYPE_MEDIA, .path = path},
            {.port = "info",
             .type = MR_TYPE_JSON,
             .meta = "{\"duration_us\":12000000,\"video\":{\"stream\":0,\"width\":160,\"height\":90,\"duration_us\":12000000}}"},
            {.port = "sheet", .type = MR_TYPE_JSON, .meta = bad[i]}};
        op_result result = op_run(storyboard, NULL, inputs, 3, NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        assert_non_null(strstr(result.messages, "not a sheet"));
        op_result_free(&result);
    }
    free(path);
}

/* Frames and their times in an animated WebP (https://developers.google.com/speed/webp/docs/riff_container). */
static void check_webp(const op_item *item, unsigned *ret_frames, unsigned *ret_ms)
{
    const uint8_t *data = item->data;
    *ret_frames = *ret_ms = 0;
    assert_true(item->size > 30 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0);
    for (size_t at = 12; at + 8 <= item->size;) {
        size_t len = data[at + 4] | (unsigned)data[at + 5] << 8 | (unsigned)data[at + 6] << 16 | (size_t)data[at + 7] << 24;
        assert_true(at + 8 + len <= item->size);
        if (memcmp(data + at, "ANMF", 4) == 0) {
            (*ret_frames)++;
            *ret_ms += data[at + 20] | (unsigned)data[at + 21] << 8 | (unsigned)data[at + 22] << 16;
        }
        at += 8 + len + len % 2;
    }
}

static void previews_move(void **state)
{
    (void)state;
    unsigned frames;
    unsigned ms;
    assert_true(clip_make("moving.mp4", "-f lavfi -i testsrc2=s=320x180:r=10:d=20" X264 " -g 10"));
    op_result result = make_of(preview, "moving.mp4", "{duration: 2s, fps: 5, width: 160}");
    assert_int_equal(result.status, MR_OK);
    check_webp(&result.items[0], &frames, &ms);
    assert_int_equal(frames, 10);
    assert_in_range(ms, 1800, 2200);
    assert_int_equal(number(&result.items[0], "width"), 160);
    assert_int_equal(number(&result.items[0], "height"), 90);
    assert_int_equal(number(&result.items[0], "duration_us"), 2000000);
    op_result again = make_of(preview, "moving.mp4", "{duration: 2s, fps: 5, width: 160}");
    assert_int_equal(again.items[0].size, result.items[0].size);
    assert_memory_equal(again.items[0].data, result.items[0].data, result.items[0].size);
    op_result_free(&again);
    op_result_free(&result);
    result = make_of(preview, "one.mp4", NULL);
    assert_int_equal(result.status, MR_OK);
    op_result_free(&result);
}

static void what_has_no_picture_is_refused(void **state)
{
    (void)state;
    const mr_op *const ops[] = {poster, preview};
    assert_true(clip_make("sound.wav", "-f lavfi -i sine=d=1"));
    for (size_t i = 0; i < 2; i++) {
        op_result result = make_of(ops[i], "sound.wav", NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        assert_non_null(strstr(result.messages, "no picture track"));
        op_result_free(&result);
    }
    char *path = strdup(clip_path("moving.mp4"));
    const op_input inputs[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "info", .type = MR_TYPE_JSON, .meta = "{\"video\":{\"stream\":0}}"}};
    const op_run_options soon = {.cancel_after = 4};
    op_result result = op_run(poster, NULL, inputs, 2, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    const op_input good[] = {inputs[0],
                             {.port = "info",
                              .type = MR_TYPE_JSON,
                              .meta = "{\"duration_us\":20000000,\"video\":{\"stream\":0,\"width\":320,\"height\":180,\"duration_us\":20000000}}"},
                             {.port = "sheet",
                              .type = MR_TYPE_JSON,
                              .meta = "{\"index\":0,\"all_tiles\":20,\"columns\":5,\"rows\":4,\"tile_width\":320,\"tile_height\":180,"
                                      "\"interval_us\":1000000}"}};
    result = op_run(storyboard, NULL, good, 3, &soon);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
    free(path);
}

/* Real files of many kinds: something comes out, of the right size. */
static void real_files_have_posters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int width, height;
    } files[] = {{"phone meta_rot90_1080p.mp4", 360, 640}, {"hlg_rot_editlist_phone.mp4", 360, 640}, {"vp9_odd_161x121.webm", 160, 120},
                 {"bad_missing_dts_1080p60.ts", 640, 360}, {"dv_pal_interlaced.mov", 640, 468},      {"one_frame_sar16x9.mp4", 640, 270}};
    const char *folder = clip_real_media(SOURCE_ROOT);
    for (size_t i = 0; folder && i < sizeof(files) / sizeof(files[0]); i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        op_result result = make(poster, path, "{width: 640}");
        assert_int_equal(result.status, MR_OK);
        assert_in_range(number(&result.items[0], "width"), files[i].width - 2, files[i].width + 2);
        assert_in_range(number(&result.items[0], "height"), files[i].height - 2, files[i].height + 2);
        AVFrame *frame = decode(&result.items[0]);
        assert_int_equal(frame->width, number(&result.items[0], "width"));
        av_frame_free(&frame);
        op_result_free(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posters_show_something),
        cmocka_unit_test(posters_are_upright_and_true),
        cmocka_unit_test(storyboards_show_what_is_there),
        cmocka_unit_test(storyboards_of_what_is_cut_off_show_the_last_picture),
        cmocka_unit_test(storyboards_fit_short_and_long),
        cmocka_unit_test(what_is_no_sheet_is_refused),
        cmocka_unit_test(previews_move),
        cmocka_unit_test(what_has_no_picture_is_refused),
        cmocka_unit_test(real_files_have_posters),
    };
    probe = op_load(PROBE_FILE, "probe.media");
    poster = op_load(PLUGIN_FILE, "thumbnail.poster");
    sheets = op_load(PLUGIN_FILE, "thumbnail.sheets");
    storyboard = op_load(PLUGIN_FILE, "thumbnail.storyboard");
    preview = op_load(PLUGIN_FILE, "thumbnail.preview");
    if (!probe || !poster || !sheets || !storyboard || !preview)
        return 1;
    return cmocka_run_group_tests_name("thumbnail", tests, NULL, NULL);
}
