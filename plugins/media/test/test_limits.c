/* SPDX-License-Identifier: MIT */
/*
 * What media asks for, on clips that are made and then changed: headers that say too much, tables that promise billions of samples, pictures that are
 * larger than their header says or become so, little that decodes to much. The limits are low, so that the clips can be small.
 */
#include "media/decoder.h"
#include "media/limits.h"
#include "media/scan.h"
#include "media_host.h"
#include "clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PICTURE "-f lavfi -i testsrc2=s=160x90"
#define LARGE   "-f lavfi -i testsrc2=s=640x360"
#define X264    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1"

typedef struct bytes {
    uint8_t *data;
    size_t len;
} bytes;

static bytes read_clip(const char *name)
{
    bytes all = {0};
    FILE *file = fopen(clip_path(name), "rbe");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    all.len = (size_t)ftell(file);
    all.data = malloc(all.len);
    assert_non_null(all.data);
    rewind(file);
    assert_int_equal(fread(all.data, 1, all.len, file), all.len);
    fclose(file);
    return all;
}

static void write_clip(const char *name, const bytes *all)
{
    FILE *file = fopen(clip_path(name), "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(all->data, 1, all->len, file), all->len);
    assert_int_equal(fclose(file), 0);
}

/* The place of the first four letters after from. */
static size_t find(const bytes *all, size_t from, const char *letters)
{
    const uint8_t *at = memmem(all->data + from, all->len - from, letters, 4);
    assert_non_null(at);
    return (size_t)(at - all->data);
}

static void put(bytes *all, size_t at, uint64_t value, size_t size)
{
    assert_true(at + size <= all->len);
    for (size_t i = 0; i < size; i++)
        all->data[at + i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* A copy of a clip with a number written behind the first box of that type. */
static void change(const char *to, const char *from, const char *box, size_t offset, uint64_t value, size_t size)
{
    bytes all = read_clip(from);
    put(&all, find(&all, 0, box) + offset, value, size);
    write_clip(to, &all);
    free(all.data);
}

static void assert_said(const mr_task *task, const char *words)
{
    if (!strstr(task->messages, words))
        print_error("'%s' is not in: %s", words, task->messages);
    assert_non_null(strstr(task->messages, words));
}

static void refused(mr_task *task, const char *words)
{
    AVFormatContext *format = NULL;
    assert_int_equal(mr_media_open(&media_host, task, &task->source, &format), MR_ERR_INPUT);
    assert_null(format);
    assert_said(task, words);
    media_task_close(task);
}

static void refused_as_it_is(const char *name, const char *words)
{
    mr_task task;
    media_task_open(&task, clip_path(name));
    refused(&task, words);
}

/* Decodes all of a stream; how many frames there were, before it ended as it did. It may be refused as soon as it is opened. */
static int decode(mr_task *task, int stream, mr_status expected)
{
    AVFormatContext *format = NULL;
    mr_decoder *decoder = NULL;
    AVFrame *frame = av_frame_alloc();
    int64_t us = 0;
    int frames = 0;
    mr_status status = mr_media_open(&media_host, task, &task->source, &format);
    if (status == MR_OK)
        status = mr_decoder_open(&media_host, task, format, stream, NULL, &decoder);
    while (status == MR_OK && (status = mr_decoder_next(decoder, frame, &us)) == MR_OK)
        frames++;
    if (status != expected)
        print_error("%s", task->messages);
    assert_int_equal(status, expected);
    mr_decoder_close(decoder);
    mr_media_close(&format);
    av_frame_free(&frame);
    return frames;
}

static mr_status scan(mr_task *task)
{
    AVFormatContext *format = NULL;
    mr_scan result = {0};
    assert_int_equal(mr_media_open(&media_host, task, &task->source, &format), MR_OK);
    mr_status status = mr_scan_run(&media_host, task, format, &(mr_scan_options){.video = 0}, &result);
    mr_scan_free(&result);
    mr_media_close(&format);
    return status;
}

static int make_clips(void **context)
{
    (void)context;
    assert_true(clip_make("pair.mp4", PICTURE ":r=25:d=2 -f lavfi -i sine=d=2 " X264 " -c:a aac"));
    assert_true(clip_make("parts.mp4", "-i @pair.mp4 -c copy -movflags frag_keyframe+empty_moov+default_base_moof"));
    return 0;
}

static void test_what_headers_say(void **context)
{
    static const struct {
        const char *words;
        size_t offset;
        int64_t allowed;
    } cases[] = {
        {"the picture of 'pair.mp4' is 160x90, more than limits.picture_pixels allows (14399)", offsetof(mr_limits, picture_pixels), 14399},
        {"the picture of 'pair.mp4' is 160x90, more than limits.picture_side allows (159)", offsetof(mr_limits, picture_side), 159},
        {"'pair.mp4' has 2 streams, more than limits.streams allows (1)", offsetof(mr_limits, streams), 1},
        {"the sound of 'pair.mp4' has 44100 samples a second, more than limits.sample_rate allows (44099)", offsetof(mr_limits, sample_rate), 44099},
        {"of tags, attached pictures and codec headers, more than limits.metadata_bytes allows (10 bytes)", offsetof(mr_limits, metadata_bytes), 10},
    };
    (void)context;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr_task task;
        media_task_open(&task, clip_path("pair.mp4"));
        memcpy((char *)&task.limits + cases[i].offset, &cases[i].allowed, sizeof(cases[i].allowed));
        refused(&task, cases[i].words);
    }
}

static void test_exactly_the_limit_is_allowed(void **context)
{
    mr_task task;
    (void)context;
    media_task_open(&task, clip_path("pair.mp4"));
    task.limits.picture_pixels = 160L * 90;
    task.limits.picture_side = 160;
    task.limits.streams = 2;
    task.limits.sample_rate = 44100;
    task.limits.channels = 1;
    task.limits.frame_rate = 25;
    assert_int_equal(decode(&task, 0, MR_END), 50);
    assert_string_equal(task.messages, "");
    media_task_close(&task);
}

static void test_channels_and_chapters(void **context)
{
    static const char chapters[] = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=5\n[CHAPTER]\nTIMEBASE=1/10\nSTART=5\nEND=10\n";
    const bytes text = {(uint8_t *)(uintptr_t)chapters, sizeof(chapters) - 1};
    mr_task task;
    (void)context;
    write_clip("chapters.txt", &text);
    assert_true(clip_make("six.mka", "-f lavfi -i anullsrc=cl=5.1:d=1 -i @chapters.txt -map_chapters 1 -c:a flac"));
    media_task_open(&task, clip_path("six.mka"));
    task.limits.channels = 5;
    refused(&task, "the sound of 'six.mka' has 6 channels, more than limits.channels allows (5)");
    media_task_open(&task, clip_path("six.mka"));
    task.limits.chapters = 1;
    refused(&task, "'six.mka' has 2 chapters, more than limits.chapters allows (1)");
}

/* Before libav has read them: with the default limits. */
static void test_tables_of_samples(void **context)
{
    (void)context;
    change("same.mp4", "pair.mp4", "stsz", 8, UINT64_C(0x1ffffffff), 8);
    refused_as_it_is("same.mp4", "the index of 'same.mp4' lists 4294967295 packets, more than limits.packets allows (33554432)");
    change("million.mp4", "pair.mp4", "stsz", 8, UINT64_C(0x100000000) + 1000000, 8);
    refused_as_it_is("million.mp4", "'million.mp4' is damaged: its index lists 1000000 packets, and the whole file has");
    change("count.mp4", "pair.mp4", "stsz", 12, 0x40000000, 4);
    refused_as_it_is("count.mp4", "its table 'stsz' says that it has 1073741824 entries, and the whole file has no room for them");
    static const char *const tables[] = {"stts", "stsc", "stco", "stss"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        change("table.mp4", "pair.mp4", tables[i], 8, UINT32_MAX, 4);
        refused_as_it_is("table.mp4", tables[i]);
    }
}

/* A fragment whose samples are all alike needs no byte for each. */
static void test_fragments(void **context)
{
    mr_task task;
    (void)context;
    media_task_open(&task, clip_path("parts.mp4"));
    assert_int_equal(decode(&task, 0, MR_END), 50);
    media_task_close(&task);
    change("long.mp4", "parts.mp4", "trun", 4, UINT64_C(0x100000000) + 20000000, 8);
    refused_as_it_is("long.mp4", "its index lists 20000000 packets, and the whole file has");
    change("longer.mp4", "parts.mp4", "trun", 4, UINT64_C(0x100000000) + 4000000000, 8);
    refused_as_it_is("longer.mp4", "lists 4000000000 packets, more than limits.packets allows");
}

/* PCM lists its samples one by one; libav takes them by the thousand, and so do we. */
static void test_sound_by_the_sample(void **context)
{
    mr_task task;
    (void)context;
    assert_true(clip_make("pcm.mov", "-f lavfi -i sine=r=8000:d=2 -c:a pcm_u8"));
    media_task_open(&task, clip_path("pcm.mov"));
    task.limits.packets = 1000;
    assert_true(decode(&task, 0, MR_END) > 0);
    media_task_close(&task);
}

static void test_too_many_tracks(void **context)
{
    bytes all = read_clip("pair.mp4");
    size_t moov = find(&all, 0, "moov");
    size_t trak = find(&all, moov, "trak");
    size_t size = (size_t)all.data[trak - 4] << 24 | (size_t)all.data[trak - 3] << 16 | (size_t)all.data[trak - 2] << 8 | all.data[trak - 1];
    size_t moov_size = all.data[moov - 4] * 16777216U + all.data[moov - 3] * 65536U + all.data[moov - 2] * 256U + all.data[moov - 1];
    bytes many = {malloc(all.len + 1000 * size), all.len + 1000 * size};
    (void)context;
    assert_non_null(many.data);
    memcpy(many.data, all.data, all.len); /* 'moov' is the last box */
    assert_int_equal(moov - 4 + moov_size, all.len);
    for (size_t i = 0; i < 1000; i++)
        memcpy(many.data + all.len + i * size, all.data + trak - 4, size);
    put(&many, moov - 4, moov_size + 1000 * size, 4);
    write_clip("many.mp4", &many);
    refused_as_it_is("many.mp4", "'many.mp4' has 1002 streams, more than limits.streams allows (128)");
    free(many.data);
    free(all.data);
}

/* The largest that a sample entry can say. */
static void test_the_largest_picture(void **context)
{
    (void)context;
    change("wide.mp4", "pair.mp4", "avc1", 28, UINT32_MAX, 4);
    bytes all = read_clip("wide.mp4");
    size_t entry = find(&all, find(&all, 0, "stsd"), "avc1"); /* the brands name avc1, too */
    put(&all, entry + 28, UINT32_MAX, 4);
    write_clip("wide.mp4", &all);
    free(all.data);
    refused_as_it_is("wide.mp4", "the picture of 'wide.mp4' is 65535x65535, more than limits.picture_side allows (16384)");
}

/* The container says 64x36. */
static void lie(const char *to, const char *from, const char *entry)
{
    bytes all = read_clip(from);
    put(&all, find(&all, find(&all, 0, "stsd"), entry) + 28, 64U << 16 | 36U, 4);
    write_clip(to, &all);
    free(all.data);
}

static void open_with_small_pictures(mr_task *task, const char *name)
{
    media_task_open(task, clip_path(name));
    task->limits.picture_pixels = 64L * 36;
    task->limits.picture_side = 100;
}

static void test_pictures_larger_than_they_say(void **context)
{
    mr_task task;
    (void)context;
    assert_true(clip_make("stills.mov", LARGE ":r=25:d=1 -c:v png"));
    lie("lying.mov", "stills.mov", "png ");
    open_with_small_pictures(&task, "lying.mov");
    assert_int_equal(decode(&task, 0, MR_ERR_INPUT), 0);
    assert_said(&task, "the pictures of 'lying.mov' are larger than its header says, more than limits.picture_pixels allows (2304)");
    media_task_close(&task);

    assert_true(clip_make("large.mp4", LARGE ":r=25:d=1 " X264));
    lie("lying.mp4", "large.mp4", "avc1");
    open_with_small_pictures(&task, "lying.mp4");
    assert_int_equal(decode(&task, 0, MR_ERR_INPUT), 0);
    assert_said(&task, "the picture of 'lying.mp4' is 640x360, more than limits.picture_side allows (100)");
    media_task_close(&task);

    /* A little more than they may: the decoder takes it, we do not. */
    lie("lying.mp4", "pair.mp4", "avc1");
    media_task_open(&task, clip_path("lying.mp4"));
    task.limits.picture_pixels = 160L * 90 - 1;
    assert_int_equal(decode(&task, 0, MR_ERR_INPUT), 0);
    assert_said(&task, "the picture of 'lying.mp4' is 160x90, more than limits.picture_pixels allows (14399)");
    media_task_close(&task);
}

/* The first part is of use. */
static void test_pictures_that_grow(void **context)
{
    mr_task task;
    (void)context;
    assert_true(clip_make("small.h264", "-f lavfi -i testsrc2=s=64x36:r=25:d=2 " X264));
    assert_true(clip_make("large.h264", LARGE ":r=25:d=0.4 " X264));
    assert_true(clip_join("grows.h264", "small.h264", "large.h264"));
    open_with_small_pictures(&task, "grows.h264");
    assert_int_equal(decode(&task, 0, MR_END), 50);
    assert_said(&task,
                "warning: at its end the picture of 'grows.h264' is 640x368, more than limits.picture_pixels allows (2304): that part is left");
    media_task_close(&task);

    /* The decoder takes it, we do not. */
    media_task_open(&task, clip_path("grows.h264"));
    task.limits.picture_side = 639;
    assert_int_equal(decode(&task, 0, MR_ERR_INPUT), 50);
    assert_said(&task, "the picture of 'grows.h264' is 640x360, more than limits.picture_side allows (639)");
    media_task_close(&task);
}

/* 160x90 in 4:2:0 are 21,600 bytes: 50 of them from a file of a few thousand. */
static void test_much_from_little(void **context)
{
    mr_task task;
    (void)context;
    assert_true(clip_make("still.mp4", "-f lavfi -i color=s=160x90:r=25:d=2 " X264));
    media_task_open(&task, clip_path("still.mp4"));
    task.limits.decoded_floor = 100000;
    task.limits.decoded_ratio = 20;
    int frames = decode(&task, 0, MR_ERR_INPUT);
    assert_true(frames >= 4 && frames < 50);
    assert_said(&task, "of 'still.mp4' decode to");
    assert_said(&task, "more than limits.decoded_ratio allows (20 times as much)");
    media_task_close(&task);
    /* The floor alone lets it pass, and so does the ratio alone. */
    media_task_open(&task, clip_path("still.mp4"));
    task.limits.decoded_ratio = 1;
    task.limits.decoded_floor = 50 * 21600;
    assert_int_equal(decode(&task, 0, MR_END), 50);
    task.limits.decoded_floor = 1;
    task.limits.decoded_ratio = 21600;
    assert_int_equal(decode(&task, 0, MR_END), 50);
    media_task_close(&task);
}

static void test_a_million_pictures_a_second(void **context)
{
    mr_task task;
    (void)context;
    bytes all = read_clip("pair.mp4");
    size_t scale = find(&all, 0, "mdhd") + 16;
    put(&all, scale, 512ULL * 1000000, 4);
    write_clip("fast.mp4", &all);
    free(all.data);
    media_task_open(&task, clip_path("fast.mp4"));
    task.limits.frame_rate = 30; /* of the 50 there are */
    assert_int_equal(scan(&task), MR_ERR_INPUT);
    assert_said(&task, "'fast.mp4' has 1000000 pictures a second, more than limits.frame_rate allows (30)");
    task.messages[0] = '\0';
    decode(&task, 0, MR_ERR_INPUT);
    assert_said(&task, "pictures a second, more than limits.frame_rate allows (30)");
    media_task_close(&task);
}

static void test_packets_without_end(void **context)
{
    mr_task task;
    (void)context;
    assert_true(clip_make("pair.ts", "-i @pair.mp4 -c copy")); /* no index that could tell before */
    media_task_open(&task, clip_path("pair.ts"));
    task.limits.packets = 49;
    assert_int_equal(scan(&task), MR_ERR_INPUT);
    assert_said(&task, "'pair.ts' has 50 packets and more, more than limits.packets allows (49)");
    media_task_close(&task);
}

/* Should a codec crash, these are its last words. */
static void test_what_libav_complains_of(void **state)
{
    (void)state;
    mr_task task;
    assert_true(clip_make("torn.mkv", PICTURE ":r=10:d=2 " X264 " -g 10"));
    bytes all = read_clip("torn.mkv");
    memset(all.data + all.len / 2, 0xa5, all.len / 8);
    write_clip("torn.mkv", &all);
    free(all.data);
    media_log[0] = '\0';
    media_task_open(&task, clip_path("torn.mkv"));
    decode(&task, 0, MR_END);
    media_task_close(&task);
    assert_non_null(strstr(media_log, ": "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_headers_say),
        cmocka_unit_test(test_exactly_the_limit_is_allowed),
        cmocka_unit_test(test_channels_and_chapters),
        cmocka_unit_test(test_tables_of_samples),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_sound_by_the_sample),
        cmocka_unit_test(test_too_many_tracks),
        cmocka_unit_test(test_the_largest_picture),
        cmocka_unit_test(test_pictures_larger_than_they_say),
        cmocka_unit_test(test_pictures_that_grow),
        cmocka_unit_test(test_much_from_little),
        cmocka_unit_test(test_a_million_pictures_a_second),
        cmocka_unit_test(test_packets_without_end),
        cmocka_unit_test(test_what_libav_complains_of),
    };
    return cmocka_run_group_tests(tests, make_clips, NULL);
}
