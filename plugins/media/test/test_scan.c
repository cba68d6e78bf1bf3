/* SPDX-License-Identifier: MIT */
/*
 * A scan that takes an MP4's packets from its tables finds what one finds that reads them all: in clips of each kind, in files that are cut off
 * anywhere, in real media. Where the packets themselves have to be looked at, they are.
 */
#include "media/scan.h"
#include "media_host.h"
#include "clip.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PICTURE "-f lavfi -i testsrc2=s=320x180:r=25:d=10"
#define SOUND   "-f lavfi -i anoisesrc=d=10:seed=3:amplitude=0.3"
#define X264    "-c:v libx264 -preset ultrafast -g 20 -pix_fmt yuv420p -b:v 2M -minrate 2M -threads 1"
#define AAC     "-c:a aac -b:a 64k"
#define ARRIVED 700000 /* bytes: two keyframes, and what is read ahead */

/* By tables alone; by tables and a look at the keyframes that they list; all packets. */
typedef enum how { TABLES, KEYS, ALL } how;

typedef struct scanned {
    mr_scan scan;
    mr_status status;
    uint64_t bytes;
    char messages[4096];
} scanned;

static bool always(void *opaque)
{
    (void)opaque;
    return true;
}

/* Opens and scans a file, of which so many bytes have arrived (0: all); false: it is no media. */
static bool scan_part(const char *path, uint64_t have, how how, scanned *ret)
{
    mr_task task;
    AVFormatContext *format = NULL;
    media_task_open(&task, path);
    task.have = have;
    *ret = (scanned){0};
    const bool opened = mr_media_open(&media_host, &task, &task.source, &format) == MR_OK;
    if (opened) {
        const uint64_t before = task.bytes_read;
        const int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
        const mr_scan_options options = {.video = video < 0 ? -1 : video, .wants_data = how == ALL ? always : NULL, .each_key = how == KEYS};
        ret->status = mr_scan_run(&media_host, &task, format, &options, &ret->scan);
        ret->bytes = task.bytes_read - before;
        memcpy(ret->messages, task.messages, sizeof(ret->messages));
    }
    mr_media_close(&format);
    media_task_close(&task);
    return opened;
}

static bool scan_file(const char *path, how how, scanned *ret)
{
    return scan_part(path, 0, how, ret);
}

/* Keyframes that the tables don't list are found only by looking at them: some of them may be missing, and no others may be there. */
static void expect_same_frames(const mr_scan *all, const mr_scan *told, bool all_keys)
{
    assert_int_equal(told->frame_count, all->frame_count);
    for (size_t i = 0; i < all->frame_count; i++) {
        mr_scan_frame one = all->frames[i];
        mr_scan_frame other = told->frames[i];
        if (!all_keys && (one.flags & MR_FRAME_KEY))
            other.flags |= one.flags & (MR_FRAME_KEY | MR_FRAME_GRADUAL);
        assert_memory_equal(&one, &other, sizeof(one));
    }
}

static void expect_same_by(how how, const char *path, bool all_keys, scanned *all, scanned *told)
{
    *told = (scanned){0};
    if (!scan_file(path, ALL, all) || !scan_file(path, how, told))
        return;
    assert_int_equal(told->status, all->status);
    assert_string_equal(told->messages, all->messages);
    if (all->status != MR_OK || told->scan.belied) {
        mr_scan_free(&all->scan);
        mr_scan_free(&told->scan);
        return;
    }
    assert_int_equal(told->scan.track_count, all->scan.track_count);
    assert_memory_equal(told->scan.tracks, all->scan.tracks, all->scan.track_count * sizeof(all->scan.tracks[0]));
    assert_int_equal(told->scan.restarts, all->scan.restarts);
    assert_int_equal(told->scan.complete, all->scan.complete);
    expect_same_frames(&all->scan, &told->scan, all_keys);
    mr_scan_free(&all->scan);
    mr_scan_free(&told->scan);
}

static void expect_same(const char *path, bool all_keys, scanned *all, scanned *told)
{
    expect_same_by(TABLES, path, all_keys, all, told);
}

/* Of clips whose tables tell all, hardly anything is read behind the first keyframes. */
static void packets_of_tables(void **state)
{
    (void)state;
    static const char *const names[] = {"late.mp4", "first.mp4", "edited.mp4", "fragments.mp4", "hevc.mp4", "sound.m4a", "pcm.mov"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scanned all, told;
        expect_same(clip_path(names[i]), true, &all, &told);
        if (told.bytes >= all.bytes / 2)
            print_error("%s: %llu bytes of %llu\n", names[i], (unsigned long long)told.bytes, (unsigned long long)all.bytes);
        assert_true(told.bytes < all.bytes / 2);
    }
}

/* Fields, pictures refreshed piece by piece, codecs that have packets without pictures; keyframes that the tables don't know, or make up. */
static void packets_to_look_at(void **state)
{
    (void)state;
    static const char *const names[] = {"fields.mp4", "refresh.mp4", "vp9.mp4", "ac3.mp4", "one-key.mp4", "unlisted.mp4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scanned all, told;
        expect_same(clip_path(names[i]), true, &all, &told);
        assert_int_equal(told.bytes, all.bytes);
    }
}

/* What a table lists as a keyframe is looked at, at little cost, and one that is none is found. */
static void keyframes_of_tables(void **state)
{
    (void)state;
    static const char *const names[] = {"late.mp4", "first.mp4", "edited.mp4", "hevc.mp4", "sound.m4a", "pcm.mov", "refresh.mp4", "unlisted.mp4"};
    scanned all, told;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        expect_same_by(KEYS, clip_path(names[i]), true, &all, &told);
        assert_false(told.scan.belied);
        assert_true(i > 5 || told.bytes < all.bytes * 3 / 4);
    }
    assert_true(scan_file(clip_path("made-up.mp4"), KEYS, &told));
    assert_true(told.scan.belied);
    mr_scan_free(&told.scan);
    expect_same_by(KEYS, clip_path("fragments.mp4"), true, &all, &told);
}

static void files_cut_off(void **state)
{
    (void)state;
    static const char *const names[] = {"first.mp4", "fragments.mp4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t keep = 20000; keep < 1500000; keep = keep * 5 / 3) {
            scanned all, told;
            assert_true(clip_cut("cut.mp4", names[i], 0, keep));
            expect_same(clip_path("cut.mp4"), true, &all, &told);
        }
    }
}

/* The first part of a file that is still on its way tells all of it. */
static void files_that_arrive(void **state)
{
    (void)state;
    scanned all, arriving, impatient;
    assert_true(scan_file(clip_path("first.mp4"), ALL, &all));
    assert_true(all.bytes > 3 * ARRIVED);
    assert_true(scan_part(clip_path("first.mp4"), ARRIVED, TABLES, &arriving));
    assert_int_equal(arriving.status, MR_OK);
    expect_same_frames(&all.scan, &arriving.scan, true);
    assert_true(scan_part(clip_path("first.mp4"), ARRIVED, ALL, &impatient));
    assert_int_equal(impatient.status, MR_NOT_YET);
    mr_scan_free(&all.scan);
    mr_scan_free(&arriving.scan);
}

static void real_media(void **state)
{
    (void)state;
    const char *folder = clip_real_media(SOURCE_ROOT);
    DIR *dir = folder ? opendir(folder) : NULL;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[512];
        scanned all, told;
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || (strcmp(dot, ".mp4") != 0 && strcmp(dot, ".mov") != 0 && strcmp(dot, ".m4a") != 0 && strcmp(dot, ".3gp") != 0))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        expect_same(path, false, &all, &told);
        expect_same_by(KEYS, path, false, &all, &told);
    }
    if (dir)
        closedir(dir);
}

/* A copy whose table of keyframes has other bytes from some place on. */
static bool make_with_keys(const char *name, long offset, const char *bytes, size_t count)
{
    static uint8_t head[65536];
    if (!clip_cut(name, "first.mp4", 0, 0))
        return false;
    FILE *file = fopen(clip_path(name), "r+be");
    const size_t len = file ? fread(head, 1, sizeof(head), file) : 0;
    const uint8_t *at = memmem(head, len, "stss", 4);
    const bool made = at && fseek(file, (long)(at - head) + offset, SEEK_SET) == 0 && fwrite(bytes, 1, count, file) == count;
    return file && fclose(file) == 0 && made;
}

/* It is called something else: all samples count as keyframes then. */
static bool make_unlisted(void)
{
    return make_with_keys("unlisted.mp4", 0, "skip", 4);
}

/* Its fourth entry, which should be 61, is 62. */
static bool make_made_up(void)
{
    return make_with_keys("made-up.mp4", 4 + 8 + 3 * 4, "\0\0\0\076", 4);
}

static int make_clips(void **state)
{
    (void)state;
    const bool made =
        clip_make("late.mp4", PICTURE " " SOUND " " X264 " -bf 2 " AAC) && clip_make("first.mp4", "-i @late.mp4 -c copy -movflags +faststart") &&
        clip_make("edited.mp4", "-ss 1.3 -i @late.mp4 -c copy -t 7") &&
        clip_make("fragments.mp4", "-i @late.mp4 -c copy -movflags +empty_moov+frag_keyframe+default_base_moof") &&
        clip_make("hevc.mp4", PICTURE " -c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=20:bitrate=2000") &&
        clip_make("sound.m4a", SOUND " " AAC) && clip_make("pcm.mov", PICTURE " " SOUND " " X264 " -c:a pcm_s16le") &&
        clip_make("fields.mp4", PICTURE " -c:v libx264 -preset ultrafast -g 20 -pix_fmt yuv420p -x264-params tff=1") &&
        clip_make("refresh.mp4", PICTURE " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=20") &&
        clip_make("vp9.mp4", PICTURE " -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 20 -t 2") &&
        clip_make("ac3.mp4", "-i @late.mp4 -c:v copy -c:a ac3") &&
        clip_make("one-key.mp4", PICTURE " -c:v libx264 -preset ultrafast -g 1000 -pix_fmt yuv420p") && make_unlisted() && make_made_up();
    return made ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_tables), cmocka_unit_test(packets_to_look_at), cmocka_unit_test(keyframes_of_tables),
        cmocka_unit_test(files_cut_off),     cmocka_unit_test(files_that_arrive),  cmocka_unit_test(real_media),
    };
    return cmocka_run_group_tests_name("a scan", tests, make_clips, NULL);
}
