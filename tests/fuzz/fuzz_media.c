/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a source: opened, its packets scanned from one end to the other, its frame rate found, and a few frames of each stream decoded, after
 * a seek too; all through plugins/media, over memory. Small limits on work keep a try within milliseconds. Every refusal must have been reported, in
 * one error; no read may reach beyond what there is; times must not run backwards.
 */
#include "media/decoder.h"
#include "media/input.h"
#include "media/rate.h"
#include "media/scan.h"
#include <millrace/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCE_MAX = 65536, CALLS = 3000, FRAMES = 4, STREAMS = 3, PIXELS = 1 << 18 };

struct mr_task {
    const uint8_t *data;
    size_t size;
    unsigned calls; /* of cancelled() */
    unsigned errors;
};

static void require(bool right)
{
    if (!right)
        abort();
}

static mr_status read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    require(artifact->size == task->size && len > 0);
    *ret_len = 0;
    if (offset >= task->size)
        return MR_OK;
    *ret_len = len < task->size - offset ? len : (size_t)(task->size - offset);
    memcpy(buf, task->data + offset, *ret_len);
    return MR_OK;
}

/* What takes longer than a few thousand steps is stopped, as a person would stop it. */
static int cancelled(const mr_task *task)
{
    return ++((mr_task *)task)->calls > CALLS;
}

static void progress(mr_task *task, double fraction)
{
    (void)task;
    require(fraction >= 0 && fraction <= 1);
}

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    char words[2048];
    va_list args;
    (void)param;
    (void)hint;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    require(strlen(words) > 0 && !strchr(words, '\n'));
    task->errors += severity == MR_SEVERITY_ERROR;
}

/* A thousandth of what is usual: what goes beyond is refused, which is a way that must hold, too. */
static const mr_limits *limits(const mr_task *task)
{
    static mr_limits small = MR_LIMITS_STANDARD;
    (void)task;
    small.picture_pixels = PIXELS;
    small.packets = 5000;
    small.duration = INT64_C(60) * 1000000;
    small.metadata_bytes = 1 << 20;
    small.probe_time = 2000000;
    small.decoded_ratio = 10000;
    small.decoded_floor = 16 << 20;
    return &small;
}

static const mr_host host = {
    .size = sizeof(mr_host), .read_at = read_at, .cancelled = cancelled, .progress = progress, .report = report, .limits = limits};

/* A refusal is one error; a cancel, and an end, are none. */
static void check_status(mr_task *task, mr_status status)
{
    bool failed = status < 0 && status != MR_ERR_CANCELLED;
    require(task->errors == (failed ? 1u : 0u));
    require(status != MR_ERR_INTERNAL);
    task->errors = 0;
}

static AVFormatContext *open_source(mr_task *task, const mr_artifact *source)
{
    AVFormatContext *format = NULL;
    mr_status status = mr_media_open(&host, task, source, &format);
    require((status == MR_OK) == (format != NULL));
    check_status(task, status);
    return format;
}

static int find_picture(const AVFormatContext *format)
{
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
            return (int)i;
    }
    return -1;
}

static void scan_source(mr_task *task, const mr_artifact *source)
{
    AVFormatContext *format = open_source(task, source);
    mr_scan scan;
    if (!format)
        return;
    const mr_scan_options options = {.video = find_picture(format)};
    mr_status status = mr_scan_run(&host, task, format, &options, &scan);
    check_status(task, status);
    if (status == MR_OK) {
        int64_t *times = NULL;
        size_t count = 0;
        require(scan.video == options.video && scan.track_count <= format->nb_streams);
        require(mr_scan_times(&scan, &times, &count) == MR_OK && count <= scan.frame_count);
        for (size_t i = 1; i < count; i++)
            require(times[i - 1] < times[i]);
        if (count > 0) {
            const AVStream *stream = format->streams[scan.video];
            const AVRational hints[] = {stream->avg_frame_rate, stream->r_frame_rate};
            mr_rate rate = mr_rate_find(times, count, stream->time_base, hints, 2);
            require(rate.fps.num > 0 && rate.fps.den > 0);
            require(mr_scan_end(&scan, times, count, stream->time_base, rate.fps) >= times[count - 1]);
        }
        av_free(times);
    }
    mr_scan_free(&scan);
    mr_media_close(&format);
}

static mr_status decode_frames(mr_decoder *decoder, AVFrame *frame)
{
    int64_t last_us = INT64_MIN;
    int64_t us = 0;
    mr_status status = MR_OK;
    for (int i = 0; i < FRAMES && status == MR_OK; i++) {
        status = mr_decoder_next(decoder, frame, &us);
        if (status == MR_OK) {
            require(us >= last_us && frame->buf[0] != NULL);
            last_us = us;
        }
    }
    av_frame_unref(frame);
    return status;
}

static void decode_stream(mr_task *task, AVFormatContext *format, int stream)
{
    const AVCodecParameters *codec = format->streams[stream]->codecpar;
    mr_decoder *decoder = NULL;
    if (codec->codec_type != AVMEDIA_TYPE_VIDEO && codec->codec_type != AVMEDIA_TYPE_AUDIO)
        return;
    mr_status status = mr_decoder_open(&host, task, format, stream, NULL, &decoder);
    require((status == MR_OK) == (decoder != NULL));
    AVFrame *frame = av_frame_alloc();
    require(frame != NULL);
    if (status == MR_OK)
        status = decode_frames(decoder, frame);
    if (status >= 0)
        status = mr_decoder_seek(decoder, 150000);
    if (status >= 0)
        status = decode_frames(decoder, frame);
    check_status(task, status);
    av_frame_free(&frame);
    mr_decoder_close(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SOURCE_MAX)
        return 0;
    mr_task task = {.data = data, .size = size};
    const mr_artifact source = {.type = MR_TYPE_MEDIA, .has_content = 1, .size = size, .digest = "", .name = "fuzz", .meta = "{}", .meta_len = 2};
    scan_source(&task, &source);
    task.calls = 0;
    AVFormatContext *format = open_source(&task, &source);
    for (unsigned i = 0; format && i < format->nb_streams && i < STREAMS; i++)
        decode_stream(&task, format, (int)i);
    mr_media_close(&format);
    return 0;
}
