/* SPDX-License-Identifier: MIT */
/*
 * Pictures that are decoded into memory which another thread prepares are those that libavcodec decodes into its own: of each format, in odd sizes,
 * and where the size changes. What was prepared needs no fresh pages.
 */
#include "media/picture_memory.h"
#include <libavformat/avformat.h>
#include "clip.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <libavutil/hash.h>
#include <libavutil/imgutils.h>
#include <libavutil/mem.h>

#define PICTURE "-f lavfi -i testsrc2=s=162x94:r=25:d=2"
enum { PAGE = 4096, MOST_HELD = 60 };

static const char *const clips[][2] = {
    {"plain.mp4", PICTURE " -c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p"},
    {"deep.mp4", PICTURE " -c:v libx264 -preset ultrafast -profile:v high444 -pix_fmt yuv444p10le"},
    {"odd.mkv", "-f lavfi -i testsrc2=s=161x93:r=25:d=1 -c:v ffv1 -pix_fmt yuv444p"},
    {"small.avi", "-f lavfi -i testsrc2=s=18x10:r=25:d=1 -c:v mpeg4"},
    {"motion.mov", PICTURE " -c:v mjpeg -pix_fmt yuvj422p"},
    {"palette.gif", PICTURE " -frames:v 10"},
    {"hevc.mp4", PICTURE " -c:v libx265 -preset ultrafast -x265-params log-level=none"},
    {"vp9.webm", PICTURE " -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -frames:v 10"},
    {"larger.ts", "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"},
    {"smaller.ts", "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p"},
};
enum { CLIPS = sizeof(clips) / sizeof(clips[0]) };

typedef struct preparing {
    mr_picture_memory *memory;
    pthread_t thread;
    atomic_bool stop;
} preparing;

static void *prepare(void *context)
{
    preparing *own = context;
    while (!atomic_load(&own->stop))
        mr_picture_memory_prepare(own->memory);
    return NULL;
}

static void add_picture(struct AVHashContext *hash, const AVFrame *frame)
{
    uint8_t *bytes = NULL;
    const int size = av_image_get_buffer_size(frame->format, frame->width, frame->height, 1);
    assert_true(size > 0);
    bytes = av_malloc((size_t)size);
    assert_non_null(bytes);
    assert_int_equal(
        av_image_copy_to_buffer(bytes, size, (const uint8_t *const *)frame->data, frame->linesize, frame->format, frame->width, frame->height, 1),
        size);
    av_hash_update(hash, bytes, (size_t)size);
    av_free(bytes);
}

/* Some pictures are held for a while, as scalers and encoders do. */
static int decode(AVFormatContext *format, AVCodecContext *codec, char text[AV_HASH_MAX_SIZE * 2 + 4])
{
    struct AVHashContext *hash = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *held[MOST_HELD];
    int count = 0;
    bool at_end = false;
    assert_int_equal(av_hash_alloc(&hash, "SHA256"), 0);
    av_hash_init(hash);
    for (size_t i = 0; i < MOST_HELD; i++)
        held[i] = av_frame_alloc();
    while (!at_end) {
        at_end = av_read_frame(format, packet) < 0;
        avcodec_send_packet(codec, at_end ? NULL : packet);
        av_packet_unref(packet);
        while (avcodec_receive_frame(codec, held[count % MOST_HELD]) >= 0) {
            add_picture(hash, held[count++ % MOST_HELD]);
            if (count % 3 == 0)
                av_frame_unref(held[count / 3 % MOST_HELD]);
        }
    }
    av_hash_final_hex(hash, (uint8_t *)text, AV_HASH_MAX_SIZE * 2 + 4);
    av_hash_freep(&hash);
    for (size_t i = 0; i < MOST_HELD; i++)
        av_frame_free(&held[i]);
    av_packet_free(&packet);
    return count;
}

static int decode_clip(const char *path, bool prepared, char text[AV_HASH_MAX_SIZE * 2 + 4])
{
    AVFormatContext *format = NULL;
    assert_true(avformat_open_input(&format, path, NULL, NULL) >= 0 && avformat_find_stream_info(format, NULL) >= 0);
    const AVCodec *decoder = avcodec_find_decoder(format->streams[0]->codecpar->codec_id);
    AVCodecContext *codec = avcodec_alloc_context3(decoder);
    preparing beside = {.memory = mr_picture_memory_new()};
    assert_true(codec && beside.memory && avcodec_parameters_to_context(codec, format->streams[0]->codecpar) >= 0);
    codec->thread_count = 1;
    if (prepared)
        mr_picture_memory_serve(beside.memory, codec);
    assert_true(avcodec_open2(codec, decoder, NULL) >= 0);
    assert_int_equal(pthread_create(&beside.thread, NULL, prepare, &beside), 0);
    const int count = decode(format, codec, text);
    atomic_store(&beside.stop, true);
    pthread_join(beside.thread, NULL);
    avcodec_free_context(&codec);
    mr_picture_memory_free(beside.memory);
    avformat_close_input(&format);
    return count;
}

static void pictures_are_the_same(void **state)
{
    char ours[AV_HASH_MAX_SIZE * 2 + 4];
    char theirs[AV_HASH_MAX_SIZE * 2 + 4];
    (void)state;
    assert_true(clip_join("changes.ts", "larger.ts", "smaller.ts"));
    for (size_t i = 0; i <= CLIPS; i++) {
        const char *name = i < CLIPS ? clips[i][0] : "changes.ts";
        const int count = decode_clip(clip_path(name), true, ours);
        if (decode_clip(clip_path(name), false, theirs) != count || count < 5 || strcmp(ours, theirs) != 0)
            fail_msg("%s: other pictures (%d)", name, count);
    }
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
}

static void *prepare_once(void *memory)
{
    mr_picture_memory_prepare(memory);
    return NULL;
}

/* How many pages are fresh to who takes a picture's memory and writes it. */
static long faults_of_a_picture(mr_picture_memory *memory, AVCodecContext *codec, AVFrame *picture, bool prepared)
{
    pthread_t thread;
    if (prepared) {
        assert_int_equal(pthread_create(&thread, NULL, prepare_once, memory), 0);
        pthread_join(thread, NULL);
    }
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = 1920;
    picture->height = 1080;
    const long before = faults();
    assert_int_equal(codec->get_buffer2(codec, picture, 0), 0);
    memset(picture->buf[0]->data, 1, picture->buf[0]->size);
    return faults() - before;
}

static void prepared_memory_is_not_fresh(void **state)
{
    (void)state;
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    mr_picture_memory *memory = mr_picture_memory_new();
    AVFrame *pictures[3] = {av_frame_alloc(), av_frame_alloc(), av_frame_alloc()};
    assert_true(codec && memory && pictures[0] && pictures[1] && pictures[2]);
    codec->thread_count = 1;
    mr_picture_memory_serve(memory, codec);
    assert_int_equal(avcodec_open2(codec, NULL, NULL), 0);
    const long pages = 1920L * 1080 * 3 / 2 / PAGE;
    assert_true(faults_of_a_picture(memory, codec, pictures[0], false) >= pages / 2);
    assert_true(faults_of_a_picture(memory, codec, pictures[1], false) >= pages / 2);
    assert_true(faults_of_a_picture(memory, codec, pictures[2], true) < pages / 4);
    for (size_t i = 0; i < 3; i++)
        av_frame_free(&pictures[i]);
    avcodec_free_context(&codec);
    mr_picture_memory_free(memory);
}

static int make_clips(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIPS; i++) {
        if (!clip_make(clips[i][0], clips[i][1]))
            return -1;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_the_same),
        cmocka_unit_test(prepared_memory_is_not_fresh),
    };
    return cmocka_run_group_tests_name("the memory of pictures", tests, make_clips, NULL);
}
