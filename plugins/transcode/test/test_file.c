/* SPDX-License-Identifier: MIT */
/* transcode.file: shape, length, loudness and layout of the MP4. */
#include "clip.h"
#include "sound.h"

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const mr_op *file;
static const mr_op *probe;
static const mr_op *loudness;

static op_result make_of(const char *clip, const char *params, const char *cuts, const op_run_options *options)
{
    char *path = strdup(clip_path(clip));
    const op_input source = {.port = "source", .type = MR_TYPE_MEDIA, .path = path};
    op_result info = op_run(probe, NULL, &source, 1, NULL);
    assert_int_equal(info.status, MR_OK);
    const op_input inputs[] = {source,
                               {.port = "info", .type = MR_TYPE_JSON, .meta = op_result_item(&info, probe, "info", 0)->meta},
                               {.port = "cuts", .type = MR_TYPE_JSON, .meta = cuts}};
    op_result result = op_run(file, params, inputs, cuts ? 3 : 2, options);
    if (result.messages[0])
        print_message("%s", result.messages);
    op_result_free(&info);
    free(path);
    return result;
}

static op_result make(const char *clip, const char *params, const op_run_options *options)
{
    return make_of(clip, params, NULL, options);
}

typedef struct seen {
    int width;
    int height;
    int64_t frames;
    int64_t video_us; /* of the tracks, from presentation time 0 */
    int64_t audio_us;
    int corner; /* luma of the first picture, at the top left and in the middle */
    int middle;
    int levels[64]; /* luma at the top left of the first pictures */
} seen;

static void look_at_picture(AVFormatContext *format, int stream, seen *ret)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(format->streams[stream]->codecpar->codec_id));
    assert_true(packet && frame && codec);
    assert_true(avcodec_parameters_to_context(codec, format->streams[stream]->codecpar) >= 0);
    assert_int_equal(avcodec_open2(codec, codec->codec, NULL), 0);
    bool more = true;
    while (more) {
        more = av_read_frame(format, packet) >= 0;
        if (more && packet->stream_index != stream) {
            av_packet_unref(packet);
            continue;
        }
        avcodec_send_packet(codec, more ? packet : NULL);
        av_packet_unref(packet);
        while (avcodec_receive_frame(codec, frame) == 0) {
            if (ret->frames < 64)
                ret->levels[ret->frames] = frame->data[0][0];
            if (ret->frames++ == 0) {
                ret->corner = frame->data[0][0];
                ret->middle = frame->data[0][(ptrdiff_t)frame->height / 2 * frame->linesize[0] + frame->width / 2];
            }
            av_frame_unref(frame);
        }
    }
    avcodec_free_context(&codec);
    av_packet_free(&packet);
    av_frame_free(&frame);
}

static seen look(const op_result *result)
{
    seen ret = {0};
    AVFormatContext *format = NULL;
    const op_item *item = op_result_item(result, file, "file", 0);
    assert_true(file_join(clip_path("made.mp4"), &item, 1));
    assert_int_equal(avformat_open_input(&format, clip_path("made.mp4"), NULL, NULL), 0);
    assert_true(avformat_find_stream_info(format, NULL) >= 0);
    int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    int audio = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (audio >= 0)
        ret.audio_us = av_rescale_q(format->streams[audio]->duration, format->streams[audio]->time_base, AV_TIME_BASE_Q);
    if (video >= 0) {
        ret.width = format->streams[video]->codecpar->width;
        ret.height = format->streams[video]->codecpar->height;
        ret.video_us = av_rescale_q(format->streams[video]->duration, format->streams[video]->time_base, AV_TIME_BASE_Q);
        look_at_picture(format, video, &ret);
    }
    avformat_close_input(&format);
    return ret;
}

static void shapes_are_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        int width, height;
        bool bars;
    } cases[] = {
        {"{preset: ultrafast}", 320, 180, false},
        {"{width: 120, height: 120, preset: ultrafast}", 120, 120, false},
        {"{width: 120, height: 120, fit: pad, preset: ultrafast}", 120, 120, true},
        {"{width: 120, height: 120, fit: scale, preset: ultrafast}", 120, 68, false},
        {"{height: 90, preset: ultrafast}", 160, 90, false},
        {"{width: 1000, height: 1000, preset: ultrafast}", 180, 180, false}, /* never enlarged */
        {"{width: 1000, height: 1000, fit: pad, preset: ultrafast}", 320, 320, true},
    };
    assert_true(clip_make("white.mp4", "-f lavfi -i color=white:s=320x180:r=25:d=1 -f lavfi -i sine=d=1.3 -c:v libx264 -preset ultrafast -c:a aac"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        op_result result = make("white.mp4", cases[i].params, NULL);
        assert_int_equal(result.status, MR_OK);
        seen got = look(&result);
        assert_int_equal(got.width, cases[i].width);
        assert_int_equal(got.height, cases[i].height);
        assert_int_equal(got.frames, 25);
        assert_in_range(got.video_us, 999000, 1001000);
        assert_in_range(got.audio_us, 1300000 - 2000, 1300000 + 22000);
        assert_in_range(got.middle, 225, 240);
        if (cases[i].bars)
            assert_in_range(got.corner, 14, 20);
        else
            assert_in_range(got.corner, 225, 240);
        op_result_free(&result);
    }
}

static void index_comes_first_and_bytes_are_the_same(void **state)
{
    (void)state;
    op_result a = make("white.mp4", "{preset: ultrafast}", NULL);
    op_result b = make("white.mp4", "{preset: ultrafast}", NULL);
    assert_int_equal(a.items[0].size, b.items[0].size);
    assert_memory_equal(a.items[0].data, b.items[0].data, a.items[0].size);
    const char *data = (const char *)a.items[0].data;
    const char *moov = memmem(data, a.items[0].size, "moov", 4);
    const char *mdat = memmem(data, a.items[0].size, "mdat", 4);
    assert_true(moov && mdat && moov < mdat);
    assert_null(memmem(data, a.items[0].size, "Lavf", 4));
    assert_null(memmem(data, a.items[0].size, "x264", 4));
    assert_string_equal(a.items[0].meta, "{\"content_type\":\"video/mp4\",\"path\":\"video.mp4\",\"replaceable\":false,\"role\":\"media\"}");
    op_result_free(&a);
    op_result_free(&b);
}

static void sound_is_as_loud_as_asked_and_in_its_place(void **state)
{
    (void)state;
    assert_true(
        clip_make("tone.wav", "-f lavfi -i aevalsrc=0.07*sin(2*PI*1000*t)*gte(t\\,1)|0.07*sin(2*PI*1000*t)*gte(t\\,1):s=44100:d=4 -c:a pcm_s16le"));
    op_result result = make("tone.wav", "{loudness: -14}", NULL);
    assert_int_equal(result.status, MR_OK);
    assert_non_null(strstr(result.items[0].meta, "audio/mp4"));
    seen got = look(&result);
    assert_int_equal(got.frames, 0);
    sound made = sound_read(clip_path("made.mp4"));
    assert_in_range(sound_find(&made, 0, 0.1f, 0) - 1024, 48000 - 300, 48000 + 300);
    sound_free(&made);
    op_result_free(&result);
    char *path = strdup(clip_path("made.mp4"));
    const op_input inputs[] = {{.port = "track", .type = MR_TYPE_JSON, .meta = "{\"stream\":0,\"channels\":2,\"layout\":\"stereo\"}"},
                               {.port = "source", .type = MR_TYPE_MEDIA, .path = path}};
    op_result level = op_run(loudness, NULL, inputs, 2, NULL);
    json_t *meta = json_loads(level.items[0].meta, 0, NULL);
    double lufs = json_number_value(json_object_get(json_array_get(json_object_get(meta, "renditions"), 0), "integrated_lufs"));
    assert_true(fabs(lufs + 14) < 0.5);
    json_decref(meta);
    op_result_free(&level);
    free(path);
}

static void length_is_cut_and_work_can_be_cancelled(void **state)
{
    (void)state;
    op_result result = make("white.mp4", "{preset: ultrafast, max_duration: 400ms}", NULL);
    assert_int_equal(result.status, MR_OK);
    seen got = look(&result);
    assert_int_equal(got.frames, 10);
    assert_in_range(got.audio_us, 398000, 422000);
    op_result_free(&result);
    const op_run_options soon = {.cancel_after = 40};
    result = make("white.mp4", "{preset: ultrafast}", &soon);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    assert_int_equal(result.count, 0);
    op_result_free(&result);
    const op_input inputs[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = clip_path("white.mp4")},
                               {.port = "info", .type = MR_TYPE_JSON, .meta = "{}"}};
    result = op_run(file, NULL, inputs, 2, NULL);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
}

/* Each second has its own grey, and a tone sounds in the third. */
static void parts_are_joined_as_asked(void **state)
{
    (void)state;
    assert_true(clip_make("greys.mp4", "-f lavfi -i nullsrc=s=64x64:r=25:d=4,geq=lum=40+50*floor(T):cb=128:cr=128 "
                                       "-f lavfi -i aevalsrc=0.5*sin(2*PI*1000*t)*between(t\\,2\\,3):s=48000:d=4 "
                                       "-c:v libx264 -preset ultrafast -g 100 -pix_fmt yuv420p -c:a aac"));
    op_result result = make_of("greys.mp4", "{preset: ultrafast, quality: 10}",
                               "{\"cuts\": [{\"start_us\": 2400000, \"duration_us\": 400000}, {\"start_us\": 0, \"duration_us\": 600000},"
                               "{\"start_us\": 3600000, \"duration_us\": 9000000}, {\"start_us\": 8000000, \"duration_us\": 1000000}]}",
                               NULL);
    assert_int_equal(result.status, MR_OK);
    seen got = look(&result);
    assert_int_equal(got.frames, 10 + 15 + 10);
    for (int i = 0; i < 35; i++)
        assert_in_range(got.levels[i], (i < 10 ? 140 : i < 25 ? 40 : 190) - 6, (i < 10 ? 140 : i < 25 ? 40 : 190) + 6);
    assert_in_range(got.audio_us, 1400000 - 1000, 1400000 + 1000);
    sound made = sound_read(clip_path("made.mp4"));
    assert_in_range(sound_find(&made, 0, 0.2f, 0), 0, 1024 + 300);
    assert_true(sound_level(&made, 1024 + 2000, 1024 + 17000) > 0.3);
    assert_true(sound_level(&made, 1024 + 21000, 1024 + 60000) < 0.01);
    assert_true(fabsf(sound_at(&made, 1024 + 19200, 0)) < 0.1f); /* at the join */
    sound_free(&made);
    op_result_free(&result);
}

static void cuts_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}",
                                      "{\"cuts\": []}",
                                      "{\"cuts\": [{}]}",
                                      "{\"cuts\": [{\"start_us\": -1, \"duration_us\": 1}]}",
                                      "{\"cuts\": [{\"start_us\": 0, \"duration_us\": 0}]}",
                                      "{\"cuts\": [{\"start_us\": 1e3, \"duration_us\": 5}]}",
                                      "{\"cuts\": [{\"start_us\": 9000000, \"duration_us\": 5000000}]}",
                                      "{\"cuts\": [{\"start_us\": 9223372036854775807, \"duration_us\": 9223372036854775807}]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        op_result result = make_of("greys.mp4", "{preset: ultrafast}", bad[i], NULL);
        assert_int_equal(result.status, MR_ERR_INPUT);
        assert_non_null(strstr(result.messages, "the cuts can't be used"));
        op_result_free(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_as_asked),
        cmocka_unit_test(index_comes_first_and_bytes_are_the_same),
        cmocka_unit_test(sound_is_as_loud_as_asked_and_in_its_place),
        cmocka_unit_test(length_is_cut_and_work_can_be_cancelled),
        cmocka_unit_test(parts_are_joined_as_asked),
        cmocka_unit_test(cuts_that_make_no_sense_are_refused),
    };
    file = op_load(PLUGIN_FILE, "transcode.file");
    loudness = op_load(PLUGIN_FILE, "transcode.loudness");
    probe = op_load(PROBE_FILE, "probe.media");
    if (!file || !probe || !loudness)
        return 1;
    return cmocka_run_group_tests_name("transcode.file", tests, NULL, NULL);
}
