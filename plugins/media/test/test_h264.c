/* SPDX-License-Identifier: MIT */
/*
 * What our reader of H.264's parameter sets finds is what libx264 was told to write; and a source that is opened by way of it is described as
 * libavformat does that decodes its pictures.
 */
#include "media/h264.h"
#include "media/input.h"
#include "media_host.h"
#include "clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PICTURE  "-f lavfi -i testsrc2=s=318x180:r=25:d=1"
#define X264     "-c:v libx264 -preset ultrafast -bf 3 -pix_fmt yuv420p"
#define MODEL    "nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900"
#define METADATA "h264_metadata=colour_primaries=9:transfer_characteristics=16:matrix_coefficients=9:sample_aspect_ratio=4/3"
#define COLOURS  "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv"

static const struct clip {
    const char *name, *args;
    bool frames_only;
    int reorder;
    bool heads_suffice;
} clips[] = {
    {"plain.mp4", PICTURE " " X264, true, 2, true},
    {"no-pyramid.mp4", PICTURE " " X264 " -x264-params b-pyramid=none", true, 1, true},
    {"in-order.mp4", PICTURE " " X264 " -bf 0", true, 0, false},
    {"fields.mp4", PICTURE " " X264 " -x264-params tff=1", false, 2, true},
    {"high.mp4", PICTURE " -c:v libx264 -preset ultrafast -bf 3 -profile:v high444 -pix_fmt yuv444p10le -x264-params cqm=jvt", true, 2, true},
    {"display.mp4", PICTURE " " X264 " " COLOURS " -aspect 7:5 -x264-params " MODEL ":overscan=show:videoformat=pal:chromaloc=2", true, 2, true},
    {"inside.mp4", "-i @plain.mp4 -c copy -bsf:v " METADATA, true, 2, true},
    {"matroska.mkv", PICTURE " " X264, true, 2, false},
    {"transport.ts", PICTURE " " X264, false, -1, false},
};
enum { CLIPS = sizeof(clips) / sizeof(clips[0]) };

static void open_clip(mr_task *task, const struct clip *clip, AVFormatContext **ret_format)
{
    media_task_open(task, clip_path(clip->name));
    assert_int_equal(mr_media_open(&media_host, task, &task->source, ret_format), MR_OK);
}

static void parameter_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIPS; i++) {
        mr_task task;
        AVFormatContext *format = NULL;
        open_clip(&task, &clips[i], &format);
        const AVCodecParameters *codec = format->streams[0]->codecpar;
        if (mr_h264_read_headers(codec).frames_only != clips[i].frames_only || mr_h264_read_headers(codec).reorder != clips[i].reorder)
            fail_msg("%s: %d, %d", clips[i].name, mr_h264_read_headers(codec).frames_only, mr_h264_read_headers(codec).reorder);
        mr_media_close(&format);
        media_task_close(&task);
    }
}

/* The record of one clip with the parameter set of another behind its own. */
static mr_h264_headers headers_of_both(const char *name, const char *other)
{
    const char *names[] = {name, other};
    uint8_t record[512] = {1, 0, 0, 0, 0xff, 0xe2};
    size_t len = 6;
    for (size_t i = 0; i < 2; i++) {
        AVFormatContext *format = NULL;
        assert_true(avformat_open_input(&format, clip_path(names[i]), NULL, NULL) >= 0);
        const uint8_t *data = format->streams[0]->codecpar->extradata;
        const size_t size = 2 + ((size_t)data[6] << 8 | data[7]);
        assert_true(len + size <= sizeof(record));
        memcpy(record + len, data + 6, size);
        len += size;
        avformat_close_input(&format);
    }
    const AVCodecParameters codec = {.codec_id = AV_CODEC_ID_H264, .extradata = record, .extradata_size = (int)len};
    return mr_h264_read_headers(&codec);
}

static void several_parameter_sets(void **state)
{
    (void)state;
    const mr_h264_headers same = headers_of_both("plain.mp4", "plain.mp4");
    assert_true(same.frames_only && same.reorder == 2);
    const mr_h264_headers other_colours = headers_of_both("plain.mp4", "inside.mp4");
    assert_true(other_colours.frames_only && other_colours.reorder == -1 && other_colours.primaries == AVCOL_PRI_UNSPECIFIED);
    const mr_h264_headers other_order = headers_of_both("no-pyramid.mp4", "plain.mp4");
    assert_true(other_order.frames_only && other_order.reorder == -1);
    assert_false(headers_of_both("plain.mp4", "fields.mp4").frames_only);
    assert_false(headers_of_both("fields.mp4", "plain.mp4").frames_only);
}

/* The configuration record, cut anywhere: nothing is known then; and with each bit turned over: at worst it is something else. */
static void damaged_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIPS; i++) {
        mr_task task;
        AVFormatContext *format = NULL;
        open_clip(&task, &clips[i], &format);
        AVCodecParameters *codec = format->streams[0]->codecpar;
        const int size = codec->extradata_size;
        const int set = size > 8 ? 8 + (codec->extradata[6] << 8 | codec->extradata[7]) : 0; /* where the parameter set ends */
        for (codec->extradata_size = 0; clips[i].frames_only && codec->extradata_size < set; codec->extradata_size++) {
            assert_false(mr_h264_read_headers(codec).frames_only);
            assert_int_equal(mr_h264_read_headers(codec).reorder, -1);
        }
        codec->extradata_size = size;
        for (int bit = 0; bit < size * 8; bit++) {
            codec->extradata[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_in_range(mr_h264_read_headers(codec).reorder + 1, 0, 17);
            codec->extradata[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        mr_media_close(&format);
        media_task_close(&task);
    }
}

/* But for what only a decoded picture says: its format, and where its chroma lies. */
static void describe(const AVStream *stream, char text[256])
{
    const AVCodecParameters *codec = stream->codecpar;
    snprintf(text, 256, "profile %d.%d, %dx%d, delay %d, fields %d, colours %d %d %d %d, at %lld for %lld, %d/%d (%d/%d), pixels %d:%d",
             codec->profile, codec->level, codec->width, codec->height, codec->video_delay, codec->field_order, codec->color_primaries,
             codec->color_trc, codec->color_space, codec->color_range, (long long)stream->start_time, (long long)stream->duration,
             stream->avg_frame_rate.num, stream->avg_frame_rate.den, stream->r_frame_rate.num, stream->r_frame_rate.den,
             codec->sample_aspect_ratio.num, codec->sample_aspect_ratio.den);
}

static void streams_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIPS; i++) {
        mr_task task;
        AVFormatContext *format = NULL;
        AVFormatContext *other = NULL;
        char ours[256];
        char theirs[256];
        open_clip(&task, &clips[i], &format);
        assert_true(avformat_open_input(&other, clip_path(clips[i].name), NULL, NULL) >= 0);
        assert_true(avformat_find_stream_info(other, NULL) >= 0);
        describe(format->streams[0], ours);
        describe(other->streams[0], theirs);
        assert_string_equal(ours, theirs);
        assert_int_equal(format->streams[0]->codecpar->format, clips[i].heads_suffice ? AV_PIX_FMT_NONE : other->streams[0]->codecpar->format);
        avformat_close_input(&other);
        mr_media_close(&format);
        media_task_close(&task);
    }
}

static int make_clips(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIPS; i++) {
        if (!clip_make(clips[i].name, clips[i].args))
            return -1;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_sets),
        cmocka_unit_test(several_parameter_sets),
        cmocka_unit_test(damaged_records),
        cmocka_unit_test(streams_are_known),
    };
    return cmocka_run_group_tests_name("H.264's headers", tests, make_clips, NULL);
}
