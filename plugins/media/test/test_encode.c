/* SPDX-License-Identifier: MIT */
/* Encoders side by side in one process: each makes what it makes alone, and none waits for ever. */
#include "media/encode.h"
#include "media_host.h"

#include <libavutil/frame.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FRAMES = 9, ROUNDS = 3 };

typedef struct encoding {
    mr_encode_options options;
    mr_task task;
    uint64_t hashes[ROUNDS];
    pthread_t thread;
} encoding;

static encoding make(mr_video_codec codec, const char *preset, int width, int height)
{
    return (encoding){.options = {.codec = codec,
                                  .preset = preset,
                                  .width = width,
                                  .height = height,
                                  .fps = {25, 1},
                                  .longest_gop = 50,
                                  .crf = 30,
                                  .kind = {AV_PIX_FMT_YUV420P, AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, "SDR"}}};
}

static AVFrame *draw(const mr_encode_options *options, int number)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->format = options->kind.format;
    frame->width = options->width;
    frame->height = options->height;
    if (av_frame_get_buffer(frame, 0) < 0) {
        av_frame_free(&frame);
        return NULL;
    }
    for (int plane = 0; plane < 3; plane++) {
        for (int y = 0; y < (plane ? frame->height / 2 : frame->height); y++) {
            for (int x = 0; x < (plane ? frame->width / 2 : frame->width); x++)
                frame->data[plane][y * frame->linesize[plane] + x] = (uint8_t)(3 * x + 2 * y + 5 * number + (x * y >> 4));
        }
    }
    return frame;
}

/* FNV-1a over the packets; 0: it went wrong. */
static uint64_t encode(encoding *one)
{
    mr_encoder *encoder = NULL;
    AVPacket *packet = av_packet_alloc();
    uint64_t hash = 14695981039346656037u;
    mr_status status = packet ? mr_encoder_open(&media_host, &one->task, &one->options, &encoder) : MR_ERR_NOMEM;
    for (int i = 0; i <= FRAMES && status == MR_OK; i++) {
        AVFrame *frame = i < FRAMES ? draw(&one->options, i) : NULL;
        status = i < FRAMES && !frame ? MR_ERR_NOMEM : mr_encoder_send(encoder, frame, i, i == 0);
        av_frame_free(&frame);
        while (status == MR_OK) {
            status = mr_encoder_receive(encoder, packet);
            for (int k = 0; status == MR_OK && k < packet->size; k++)
                hash = (hash ^ packet->data[k]) * 1099511628211u;
        }
        if (status == MR_NOT_YET)
            status = MR_OK;
    }
    mr_encoder_close(encoder);
    av_packet_free(&packet);
    return status == MR_END ? hash : 0;
}

static void *encode_all(void *data)
{
    encoding *one = data;
    for (int i = 0; i < ROUNDS; i++)
        one->hashes[i] = encode(one);
    return NULL;
}

/* Unlike in preset and size: SVT-AV1's tables differ, and it crashes or hangs here when it is not kept from it. */
static void test_side_by_side_as_alone(void **state)
{
    encoding all[] = {make(MR_CODEC_AV1, "ultrafast", 64, 64),    make(MR_CODEC_AV1, "slower", 96, 64),     make(MR_CODEC_AV1, "ultrafast", 128, 96),
                      make(MR_CODEC_HEVC, "ultrafast", 128, 128), make(MR_CODEC_HEVC, "ultrafast", 64, 64), make(MR_CODEC_VP9, "ultrafast", 64, 64),
                      make(MR_CODEC_H264, "ultrafast", 64, 64)};
    enum { COUNT = sizeof(all) / sizeof(all[0]) };
    (void)state;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_create(&all[i].thread, NULL, encode_all, &all[i]), 0);
    for (int i = 0; i < COUNT; i++)
        pthread_join(all[i].thread, NULL);
    for (int i = 0; i < COUNT; i++) {
        uint64_t alone = encode(&all[i]);
        assert_string_equal(all[i].task.messages, "");
        assert_true(alone != 0);
        for (int k = 0; k < ROUNDS; k++)
            assert_true(all[i].hashes[k] == alone);
    }
}

static void *open_only(void *data)
{
    encoding *one = data;
    mr_encoder *encoder = NULL;
    one->hashes[0] = (uint64_t)-mr_encoder_open(&media_host, &one->task, &one->options, &encoder);
    mr_encoder_close(encoder);
    return NULL;
}

static void test_a_turn_that_does_not_come(void **state)
{
    encoding first = make(MR_CODEC_AV1, "ultrafast", 64, 64);
    encoding second = first;
    mr_encoder *encoder = NULL;
    mr_encoder *other = NULL;
    (void)state;
    assert_int_equal(mr_encoder_open(&media_host, &first.task, &first.options, &encoder), MR_OK);
    assert_int_equal(mr_encoder_open(&media_host, &first.task, &first.options, &other), MR_ERR_INTERNAL); /* it would wait for itself */
    assert_non_null(strstr(first.task.messages, "there can be no other"));
    second.task.cancelled = 1;
    assert_int_equal(pthread_create(&second.thread, NULL, open_only, &second), 0);
    pthread_join(second.thread, NULL);
    assert_int_equal(second.hashes[0], -MR_ERR_CANCELLED);
    mr_encoder_close(encoder);
    second.task.cancelled = 0;
    assert_int_equal(pthread_create(&second.thread, NULL, open_only, &second), 0);
    pthread_join(second.thread, NULL);
    assert_int_equal(second.hashes[0], MR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_side_by_side_as_alone),
        cmocka_unit_test(test_a_turn_that_does_not_come),
    };
    setenv("SVT_LOG", "0", 0); /* it would tell stderr what it was told */ /* NOLINT(concurrency-mt-unsafe) */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
