/* SPDX-License-Identifier: MIT */
/*
 * A part of a source (mr_media_open_part) gives the packets that the whole gives, at the same times, with a small part of its index; files whose
 * tables are not plain are read as they are. The sound is ten minutes of 8 kHz, so that its table is a long one.
 */
#include "media/decoder.h"
#include "media/mp4_part.h"
#include "media_host.h"
#include "clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOUND    "-f lavfi -i anoisesrc=d=1200:r=8000:seed=3:amplitude=0.3"
#define AAC      "-c:a aac -b:a 24k -ac 1"
#define PICTURE  "-f lavfi -i testsrc2=s=64x36:r=1:d=1200"
#define X264     "-c:v libx264 -preset ultrafast -g 4 -pix_fmt yuv420p -threads 1"
#define SECOND   INT64_C(1000000)
#define SAMPLES  (1200 * 8000 / 1024)
#define MAX_SEEN 400

typedef struct seen_packet {
    int64_t pts, dts;
    int size, flags;
    uint64_t sum;
} seen_packet;

static uint64_t sum_of(const AVPacket *packet)
{
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < packet->size; i++)
        sum = (sum ^ packet->data[i]) * 1099511628211u;
    return sum;
}

/* The stream's packets from a time on, up to one that begins at another. */
static size_t packets_between(AVFormatContext *format, int stream, int64_t from_us, int64_t to_us, seen_packet *seen)
{
    AVPacket *packet = av_packet_alloc();
    const AVRational base = format->streams[stream]->time_base;
    size_t count = 0;
    const int64_t from = av_rescale_q(from_us, AV_TIME_BASE_Q, base);
    assert_non_null(packet);
    if (from_us > 0)
        assert_true(avformat_seek_file(format, stream, INT64_MIN, from, from, 0) >= 0);
    while (mr_media_read(format, packet) == MR_OK) {
        if (packet->stream_index != stream)
            continue;
        if (av_rescale_q(packet->pts, base, AV_TIME_BASE_Q) >= to_us || count == MAX_SEEN)
            break;
        seen[count++] = (seen_packet){packet->pts, packet->dts, packet->size, packet->flags, sum_of(packet)};
    }
    av_packet_free(&packet);
    return count;
}

static int entries(const AVFormatContext *format, int stream)
{
    return avformat_index_get_entries_count(format->streams[stream]);
}

/* Reads the same of the whole and of the part; *ret_part stays open. */
static void compare(mr_task *task, const mr_media_part *part, AVFormatContext **ret_part)
{
    static seen_packet of_whole[MAX_SEEN], of_part[MAX_SEEN];
    AVFormatContext *whole = NULL;
    assert_int_equal(mr_media_open(&media_host, task, &task->source, &whole), MR_OK);
    assert_int_equal(mr_media_open_part(&media_host, task, &task->source, part, ret_part), MR_OK);
    assert_int_equal((*ret_part)->nb_streams, whole->nb_streams);
    const AVStream *one = whole->streams[part->stream];
    const AVStream *other = (*ret_part)->streams[part->stream];
    assert_int_equal(one->start_time, other->start_time);
    assert_int_equal(one->codecpar->initial_padding, other->codecpar->initial_padding);
    assert_int_equal(one->codecpar->sample_rate, other->codecpar->sample_rate);
    assert_int_equal(one->codecpar->format, other->codecpar->format);
    assert_int_equal(one->codecpar->video_delay, other->codecpar->video_delay);
    const int64_t to_us = part->to_us > part->from_us ? part->to_us : part->from_us + 30 * SECOND;
    const size_t count = packets_between(whole, part->stream, part->from_us, to_us, of_whole);
    assert_true(count > 0);
    assert_int_equal(packets_between(*ret_part, part->stream, part->from_us, to_us, of_part), count);
    assert_memory_equal(of_whole, of_part, count * sizeof(of_whole[0]));
    mr_media_close(&whole);
}

static void open_clip(mr_task *task, const char *name)
{
    media_task_open(task, clip_path(name));
}

static void a_stretch_of_sound(void **state)
{
    (void)state;
    static const int64_t begins[] = {0, 1, 4, 300, 1000, 1190};
    mr_task task;
    open_clip(&task, "long.mp4");
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        AVFormatContext *format = NULL;
        const mr_media_part part = {.stream = 1, .from_us = begins[i] * SECOND, .to_us = (begins[i] + 20) * SECOND};
        compare(&task, &part, &format);
        assert_int_equal(entries(format, 0), 0);
        assert_true(entries(format, 1) < SAMPLES / 8);
        mr_media_close(&format);
    }
    media_task_close(&task);
}

static void what_lies_behind_is_no_end(void **state)
{
    (void)state;
    mr_task task;
    mr_status status = MR_OK;
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    open_clip(&task, "long.mp4");
    const mr_media_part part = {.stream = 1, .from_us = 300 * SECOND, .to_us = 310 * SECOND};
    assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &part, &format), MR_OK);
    while (status == MR_OK)
        status = mr_media_read(format, packet);
    assert_int_equal(status, MR_ERR_INTERNAL);
    assert_non_null(strstr(task.messages, "beyond the part"));
    mr_media_close(&format);
    const mr_media_part rest = {.stream = 1, .from_us = 1000 * SECOND, .to_us = INT64_MAX};
    assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &rest, &format), MR_OK);
    assert_true(entries(format, 1) < SAMPLES / 4);
    while ((status = mr_media_read(format, packet)) == MR_OK)
        ;
    assert_int_equal(status, MR_END);
    av_packet_free(&packet);
    mr_media_close(&format);
    media_task_close(&task);
}

static void the_picture_alone(void **state)
{
    (void)state;
    mr_task task;
    AVFormatContext *format = NULL;
    open_clip(&task, "long.mp4");
    compare(&task, &(mr_media_part){.stream = 0, .from_us = 600 * SECOND}, &format);
    assert_int_equal(entries(format, 0), 1200);
    assert_int_equal(entries(format, 1), 0);
    mr_media_close(&format);
    media_task_close(&task);
}

/* Files that hold their samples in other ways: whole or cut, the same packets. */
static void other_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t most; /* entries of the index */
    } clips[] = {{"late.mp4", SAMPLES / 8},      {"first.mp4", SAMPLES / 8}, {"delayed.mp4", SAMPLES / 8},
                 {"fragments.mp4", SAMPLES + 2}, {"law.mov", SAMPLES + 2},   {"sound.mka", SAMPLES + 2}};
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        mr_task task;
        AVFormatContext *format = NULL;
        open_clip(&task, clips[i].name);
        compare(&task, &(mr_media_part){.stream = 0, .from_us = 700 * SECOND, .to_us = 720 * SECOND}, &format);
        if (entries(format, 0) >= clips[i].most)
            print_error("%s: %d entries\n", clips[i].name, entries(format, 0));
        assert_true(entries(format, 0) < clips[i].most);
        mr_media_close(&format);
        media_task_close(&task);
    }
}

/* Another number so many bytes behind the first box of that type in late.mp4. */
static void change_clip(const char *name, const char *box, size_t offset)
{
    static const uint8_t number[] = {1, 0, 0, 3};
    assert_true(clip_cut(name, "late.mp4", 0, 0));
    FILE *file = fopen(clip_path(name), "r+be");
    assert_non_null(file);
    assert_int_equal(fseek(file, -65536, SEEK_END), 0);
    static uint8_t tail[65536];
    assert_int_equal(fread(tail, 1, sizeof(tail), file), sizeof(tail));
    const uint8_t *at = memmem(tail, sizeof(tail), box, 4);
    assert_non_null(at);
    assert_int_equal(fseek(file, (long)(at - tail) + (long)offset - 65536, SEEK_END), 0);
    assert_int_equal(fwrite(number, 1, sizeof(number), file), sizeof(number));
    assert_int_equal(fclose(file), 0);
}

/* A number in a table is changed: the part is no better and no worse than the whole. */
static void damaged_tables(void **state)
{
    (void)state;
    static const char *const tables[] = {"stts", "stsc", "stsz", "stco", "elst", "mdhd", "tkhd"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (size_t at = 8; at <= 24; at += 4) {
            mr_task task;
            AVFormatContext *whole = NULL;
            AVFormatContext *part = NULL;
            change_clip("damaged.mp4", tables[i], at);
            open_clip(&task, "damaged.mp4");
            const mr_media_part wanted = {.stream = 0, .from_us = 700 * SECOND, .to_us = 720 * SECOND};
            const mr_status status = mr_media_open(&media_host, &task, &task.source, &whole);
            assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &wanted, &part), status);
            mr_media_close(&whole);
            mr_media_close(&part);
            media_task_close(&task);
        }
    }
}

/* Half of the file is there: what it has is read to the last byte, and who needs more hears it before any work. */
static void what_arrives(void **state)
{
    (void)state;
    mr_task task;
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    const mr_media_part picture = {.stream = 0, .headers_suffice = true};
    open_clip(&task, "front.mp4");
    task.have = task.source.size / 2;
    assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &picture, &format), MR_OK);
    const uint64_t before = task.bytes_read;
    assert_int_equal(mr_media_ask_ahead(format, 0, 900 * SECOND), MR_NOT_YET);
    assert_true(task.bytes_read == before);
    mr_media_close(&format);
    assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &picture, &format), MR_OK);
    assert_int_equal(mr_media_ask_ahead(format, 0, 100 * SECOND), MR_OK);
    mr_status status;
    int64_t end = 0;
    while ((status = mr_media_read(format, packet)) == MR_OK)
        end = packet->pos + packet->size;
    assert_int_equal(status, MR_NOT_YET);
    assert_true((uint64_t)end <= task.have && (uint64_t)end > task.have - 16384); /* of a packet each second */
    mr_media_close(&format);
    task.have = task.source.size;
    assert_int_equal(mr_media_open_part(&media_host, &task, &task.source, &picture, &format), MR_OK);
    assert_int_equal(mr_media_ask_ahead(format, 0, INT64_MAX), MR_OK);
    mr_media_close(&format);
    av_packet_free(&packet);
    media_task_close(&task);
}

static int make_clips(void **state)
{
    (void)state;
    const bool made = clip_make("late.mp4", SOUND " " AAC) && clip_make("long.mp4", PICTURE " -i @late.mp4 " X264 " -c:a copy") &&
                      clip_make("front.mp4", "-i @long.mp4 -c copy -movflags +faststart") &&
                      clip_make("first.mp4", "-i @late.mp4 -c copy -movflags +faststart") &&
                      clip_make("delayed.mp4", "-itsoffset 2 -i @late.mp4 -c copy") &&
                      clip_make("fragments.mp4", "-i @late.mp4 -c copy -movflags +empty_moov -frag_duration 5000000") &&
                      clip_make("law.mov", "-i @late.mp4 -c:a pcm_mulaw") && clip_make("sound.mka", "-i @late.mp4 -c copy");
    return made ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stretch_of_sound), cmocka_unit_test(what_lies_behind_is_no_end),
        cmocka_unit_test(the_picture_alone),  cmocka_unit_test(other_layouts),
        cmocka_unit_test(damaged_tables),     cmocka_unit_test(what_arrives),
    };
    return cmocka_run_group_tests_name("a part of a source", tests, make_clips, NULL);
}
