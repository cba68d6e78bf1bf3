/* SPDX-License-Identifier: MIT */
/*
 * scenes.chapters: finds where the picture changes at once and makes chapters of it, as JSON for other nodes and as WebVTT for players.
 *
 * The source is read through the host alone: libavformat gets an AVIOContext over read_at(), so it never opens a file. Each picture is boiled down to
 * 16 x 9 mean luma values; where they differ from those of the picture before by more than 'threshold', a scene begins.
 */
#define _POSIX_C_SOURCE 200809L
#include <millrace/plugin.h>

#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_SOURCE };
enum { OUT_CHAPTERS, OUT_FILE };
enum { COLUMNS = 16, ROWS = 9, IO_BYTES = 65536, SCENES_MAX = 1000 };

static const mr_port inputs[] = {
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the video"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_CHAPTERS] = {"chapters", MR_TYPE_JSON, 0, "{\"chapters\": [{\"start_us\", \"end_us\", \"title\"}]}"},
    [OUT_FILE] = {"file", MR_TYPE_FILE, 0, "the same as WebVTT, to be published"},
    {0},
};

struct chapters_params {
    double threshold;
    int64_t min_length;
    const char *path;
};

static const mr_param params[] = {
    MR_NUMBER(struct chapters_params, threshold, .standard = "0.12", .min = "0.01", .max = "1",
              .help = "how different two pictures are where a scene begins: the mean difference of their luma, 1 is from black to white"),
    MR_DURATION(struct chapters_params, min_length, .standard = "1s", .min = "0s", .max = "1h", .help = "a scene is at least that long"),
    MR_TEXT(struct chapters_params, path, .standard = "chapters.vtt", .min = "1", .max = "200", .help = "of the WebVTT file, in the published tree"),
    MR_PARAM_END,
};

struct finder {
    const mr_host *host;
    mr_task *task;
    const struct chapters_params *params;
    const mr_artifact *source;
    uint64_t position; /* of the next read */
    mr_status io;      /* what read_at said when it was no success */
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
    double before[ROWS * COLUMNS]; /* of the picture before; valid when 'seen' */
    bool seen;
    int64_t start_us; /* of the track */
    int64_t end_us;   /* of the last picture */
    int64_t scenes[SCENES_MAX];
    size_t count;
};

/* ---- reading ---- */

static int read_source(void *opaque, uint8_t *buf, int len)
{
    struct finder *finder = opaque;
    size_t got = 0;
    finder->io = finder->host->read_at(finder->task, finder->source, finder->position, buf, (size_t)len, &got);
    finder->position += got;
    if (finder->io != MR_OK)
        return AVERROR_EXIT;
    return got > 0 ? (int)got : AVERROR_EOF;
}

static int64_t seek_source(void *opaque, int64_t offset, int whence)
{
    struct finder *finder = opaque;
    if (whence == AVSEEK_SIZE)
        return (int64_t)finder->source->size;
    if (whence == SEEK_CUR)
        offset += (int64_t)finder->position;
    else if (whence == SEEK_END)
        offset += (int64_t)finder->source->size;
    if (offset < 0)
        return AVERROR(EINVAL);
    finder->position = (uint64_t)offset;
    return offset;
}

/* A status for what libav says, and words for people. */
static mr_status fail(struct finder *finder, int error, const char *what)
{
    char words[AV_ERROR_MAX_STRING_SIZE];
    if (finder->io != MR_OK)
        return finder->io; /* MR_NOT_YET, or reported by the host */
    finder->host->report(finder->task, MR_SEVERITY_ERROR, NULL, NULL, "%s: %s", what, av_make_error_string(words, sizeof(words), error));
    return error == AVERROR(ENOMEM) ? MR_ERR_NOMEM : MR_ERR_INPUT;
}

static mr_status open_input(struct finder *finder)
{
    uint8_t *buffer = av_malloc(IO_BYTES);
    finder->format = avformat_alloc_context();
    if (!buffer || !finder->format) {
        av_free(buffer);
        return fail(finder, AVERROR(ENOMEM), "the source can't be opened");
    }
    finder->format->pb = avio_alloc_context(buffer, IO_BYTES, 0, finder, read_source, NULL, seek_source);
    if (!finder->format->pb) {
        av_free(buffer);
        return fail(finder, AVERROR(ENOMEM), "the source can't be opened");
    }
    AVIOContext *io = finder->format->pb;
    int error = avformat_open_input(&finder->format, NULL, NULL, NULL);
    if (error < 0) { /* it has freed the format, but not what is ours */
        av_freep(&io->buffer);
        avio_context_free(&io);
        return fail(finder, error, "the source can't be opened");
    }
    error = avformat_find_stream_info(finder->format, NULL);
    return error < 0 ? fail(finder, error, "the source can't be read") : MR_OK;
}

static mr_status open_decoder(struct finder *finder)
{
    const AVCodec *decoder = NULL;
    const int index = av_find_best_stream(finder->format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (index < 0)
        return fail(finder, index, "the source has no pictures");
    finder->stream = finder->format->streams[index];
    const AVCodecParameters *of = finder->stream->codecpar;
    const int64_t most = finder->host->limits(finder->task)->picture_pixels;
    if ((int64_t)of->width * of->height > most) {
        finder->host->report(finder->task, MR_SEVERITY_ERROR, NULL, "raise the setting limits.picture_pixels",
                             "the pictures have %d x %d pixels, the limit is %" PRId64, of->width, of->height, most);
        return MR_ERR_LIMIT;
    }
    finder->codec = avcodec_alloc_context3(decoder);
    finder->packet = av_packet_alloc();
    finder->frame = av_frame_alloc();
    if (!finder->codec || !finder->packet || !finder->frame)
        return fail(finder, AVERROR(ENOMEM), "the decoder");
    int error = avcodec_parameters_to_context(finder->codec, of);
    finder->codec->pkt_timebase = finder->stream->time_base;
    finder->codec->thread_count = 1;
    finder->codec->skip_loop_filter = AVDISCARD_ALL; /* a rough look is enough */
    if (error >= 0)
        error = avcodec_open2(finder->codec, decoder, NULL);
    return error < 0 ? fail(finder, error, "the decoder") : MR_OK;
}

static void close_all(struct finder *finder)
{
    av_frame_free(&finder->frame);
    av_packet_free(&finder->packet);
    avcodec_free_context(&finder->codec);
    if (!finder->format)
        return;
    AVIOContext *io = finder->format->pb;
    avformat_close_input(&finder->format);
    if (io)
        av_freep(&io->buffer);
    avio_context_free(&io);
}

/* ---- looking ---- */

/* The mean luma of each cell, 0 … 1; every fourth sample of every fourth row. False: a picture without a plane of luma. */
static bool look(const AVFrame *frame, double cells[ROWS * COLUMNS])
{
    const AVPixFmtDescriptor *kind = av_pix_fmt_desc_get(frame->format);
    if (!kind || (kind->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BE)))
        return false;
    const AVComponentDescriptor *luma = &kind->comp[0];
    const double full = (double)((1 << luma->depth) - 1);
    uint64_t sums[ROWS * COLUMNS] = {0};
    uint64_t counts[ROWS * COLUMNS] = {0};
    for (int y = 0; y < frame->height; y += 4) {
        const uint8_t *row = frame->data[luma->plane] + (ptrdiff_t)y * frame->linesize[luma->plane] + luma->offset;
        for (int x = 0; x < frame->width; x += 4) {
            const uint8_t *at = row + (ptrdiff_t)x * luma->step;
            const int cell = y * ROWS / frame->height * COLUMNS + x * COLUMNS / frame->width;
            sums[cell] += luma->depth > 8 ? (unsigned)(at[0] | at[1] << 8) >> luma->shift : at[0];
            counts[cell]++;
        }
    }
    for (int i = 0; i < ROWS * COLUMNS; i++)
        cells[i] = counts[i] ? (double)sums[i] / (double)counts[i] / full : 0;
    return true;
}

static void take_picture(struct finder *finder)
{
    const AVFrame *frame = finder->frame;
    double now[ROWS * COLUMNS];
    double difference = 0;
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE || !look(frame, now))
        return;
    const int64_t us = av_rescale_q(frame->best_effort_timestamp, finder->stream->time_base, AV_TIME_BASE_Q);
    if (!finder->seen) {
        finder->start_us = us;
        finder->scenes[finder->count++] = 0;
    }
    for (int i = 0; i < ROWS * COLUMNS; i++)
        difference += now[i] > finder->before[i] ? now[i] - finder->before[i] : finder->before[i] - now[i];
    const int64_t at = us - finder->start_us;
    const bool cut = finder->seen && difference / (ROWS * COLUMNS) > finder->params->threshold;
    if (cut && finder->count < SCENES_MAX && at - finder->scenes[finder->count - 1] >= finder->params->min_length)
        finder->scenes[finder->count++] = at;
    memcpy(finder->before, now, sizeof(now));
    finder->seen = true;
    finder->end_us = at > finder->end_us ? at : finder->end_us;
    if (finder->format->duration > 0)
        finder->host->progress(finder->task, (double)at / (double)finder->format->duration);
}

static void take_pictures(struct finder *finder)
{
    while (avcodec_receive_frame(finder->codec, finder->frame) >= 0)
        take_picture(finder);
}

static mr_status look_at_all(struct finder *finder)
{
    int error;
    while ((error = av_read_frame(finder->format, finder->packet)) >= 0) {
        if (finder->packet->stream_index == finder->stream->index && avcodec_send_packet(finder->codec, finder->packet) >= 0)
            take_pictures(finder); /* a packet that can't be decoded is passed over, as players do */
        av_packet_unref(finder->packet);
        if (finder->host->cancelled(finder->task))
            return MR_ERR_CANCELLED;
    }
    if (finder->io != MR_OK)
        return finder->io;
    avcodec_send_packet(finder->codec, NULL);
    take_pictures(finder);
    if (finder->count == 0)
        return fail(finder, AVERROR_INVALIDDATA, "the source has no pictures that can be decoded");
    return MR_OK;
}

/* ---- what comes out ---- */

static int64_t end_of(const struct finder *finder, size_t scene)
{
    return scene + 1 < finder->count ? finder->scenes[scene + 1] : finder->end_us;
}

static void write_time(FILE *out, int64_t us)
{
    const int64_t ms = us / 1000;
    fprintf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

/* Keys in the order of the alphabet. */
static void write_json(FILE *out, const struct finder *finder)
{
    fputs("{\"chapters\":[", out);
    for (size_t i = 0; i < finder->count; i++)
        fprintf(out, "%s{\"end_us\":%" PRId64 ",\"start_us\":%" PRId64 ",\"title\":\"Scene %zu\"}", i ? "," : "", end_of(finder, i),
                finder->scenes[i], i + 1);
    fputs("]}", out);
}

static void write_webvtt(FILE *out, const struct finder *finder)
{
    fputs("WEBVTT\n", out);
    for (size_t i = 0; i < finder->count; i++) {
        fputs("\n", out);
        write_time(out, finder->scenes[i]);
        fputs(" --> ", out);
        write_time(out, end_of(finder, i));
        fprintf(out, "\nScene %zu\n", i + 1);
    }
}

/* NULL: no memory. The caller frees. */
static char *text_of(void (*write)(FILE *out, const struct finder *finder), const struct finder *finder, size_t *ret_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_len);
    if (!out)
        return NULL;
    write(out, finder);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static mr_status emit_all(const struct finder *finder)
{
    char meta[512];
    size_t json_len = 0, vtt_len = 0;
    char *json = text_of(write_json, finder, &json_len);
    char *vtt = text_of(write_webvtt, finder, &vtt_len);
    mr_status status = json && vtt ? MR_OK : MR_ERR_NOMEM;
    if (strpbrk(finder->params->path, "\"\\\n")) {
        finder->host->report(finder->task, MR_SEVERITY_ERROR, "path", NULL, "'%s' is not a plain path", finder->params->path);
        status = MR_ERR_PARAM;
    }
    snprintf(meta, sizeof(meta), "{\"content_type\":\"text/vtt\",\"path\":\"%s\"}", finder->params->path);
    if (status == MR_OK)
        status = finder->host->emit(finder->task, OUT_CHAPTERS, json, NULL);
    if (status == MR_OK)
        status = finder->host->emit_bytes(finder->task, OUT_FILE, meta, vtt, vtt_len);
    free(json);
    free(vtt);
    return status;
}

static mr_status run_one(const mr_host *host, const mr_batch_task *one)
{
    struct finder *finder = calloc(1, sizeof(*finder));
    if (!finder)
        return MR_ERR_NOMEM;
    finder->host = host;
    finder->task = one->task;
    finder->params = one->params;
    finder->source = host->input(one->task, IN_SOURCE, 0);
    mr_status status = open_input(finder);
    if (status == MR_OK)
        status = open_decoder(finder);
    if (status == MR_OK)
        status = look_at_all(finder);
    if (status == MR_OK)
        status = emit_all(finder);
    close_all(finder);
    free(finder);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, run_one(host, &batch->tasks[i]));
    return MR_OK;
}

static const char *toolchain(void)
{
    return LIBAVCODEC_IDENT ", " LIBAVFORMAT_IDENT;
}

static const mr_op chapters = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "scenes.chapters",
    .summary = "makes chapters where the picture changes at once",
    .cpu = 1,
    .memory_mb = 300,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct chapters_params),
    .run = run,
    .toolchain = toolchain,
};

static const mr_op *const ops[] = {&chapters, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "scenes",
    .version = "1.0.0",
    .summary = "where scenes begin",
    .licence = "MIT",
    .ops = ops,
};
