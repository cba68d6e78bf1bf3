/* SPDX-License-Identifier: MIT */
/* See source.h. The host is the smallest that lets media be opened: it reads one file. */
#include "source.h"

#include <fcntl.h>
#include <libavutil/adler32.h>
#include <libavutil/imgutils.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mr_task {
    int fd;
};

static mr_status read_file(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    (void)artifact;
    ssize_t got = pread(task->fd, buf, len, (off_t)offset);
    *ret_len = got > 0 ? (size_t)got : 0;
    return got < 0 ? MR_ERR_IO : MR_OK;
}

static int never(const mr_task *task)
{
    (void)task;
    return 0;
}

static void no_progress(mr_task *task, double fraction)
{
    (void)task;
    (void)fraction;
}

static void print_report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    va_list args;
    (void)task;
    (void)severity;
    (void)param;
    (void)hint;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

static const mr_host file_host = {.size = sizeof(mr_host), .read_at = read_file, .cancelled = never, .progress = no_progress, .report = print_report};

const mr_op *source_op(const char *name)
{
    const mr_op *op = op_load(strncmp(name, "probe.", 6) == 0 ? PROBE_FILE : PLUGIN_FILE, name);
    if (!op)
        abort();
    return op;
}

static char *take_meta(const op_result *result, const mr_op *op, const char *port)
{
    const op_item *item = op_result_item(result, op, port, 0);
    return item ? strdup(item->meta) : NULL;
}

char *source_info(const char *path)
{
    const mr_op *op = source_op("probe.media");
    const op_input input = {.port = "source", .type = MR_TYPE_MEDIA, .path = path};
    op_result result = op_run(op, NULL, &input, 1, NULL);
    char *info = result.status == MR_OK ? take_meta(&result, op, "info") : NULL;
    if (!info)
        printf("%s: %s", path, result.messages);
    op_result_free(&result);
    return info;
}

static json_t *port_items(const op_result *result, const mr_op *op, const char *port)
{
    json_t *list = json_array();
    for (size_t i = 0; i < op_result_count(result, op, port); i++)
        json_array_append_new(list, json_loads(op_result_item(result, op, port, i)->meta, 0, NULL));
    return list;
}

bool source_plan_make(const char *path, const char *params, source_plan *ret_plan)
{
    *ret_plan = (source_plan){.info = source_info(path)};
    if (!ret_plan->info)
        return false;
    const mr_op *op = source_op("segment.plan");
    const op_input inputs[] = {{.port = "source", .type = MR_TYPE_MEDIA, .path = path},
                               {.port = "info", .type = MR_TYPE_JSON, .meta = ret_plan->info}};
    op_result result = op_run(op, params, inputs, 2, NULL);
    bool made = result.status == MR_OK;
    if (made) {
        ret_plan->plan = json_loads(op_result_item(&result, op, "plan", 0)->meta, 0, NULL);
        ret_plan->chunks = port_items(&result, op, "chunks");
        ret_plan->audio_chunks = port_items(&result, op, "audio_chunks");
        ret_plan->opening = port_items(&result, op, "opening");
    } else {
        printf("%s: %s", path, result.messages);
    }
    op_result_free(&result);
    return made;
}

void source_plan_free(source_plan *plan)
{
    free(plan->info);
    json_decref(plan->plan);
    json_decref(plan->chunks);
    json_decref(plan->audio_chunks);
    json_decref(plan->opening);
    *plan = (source_plan){0};
}

int64_t source_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static uint32_t sum_of(const AVFrame *frame)
{
    uint8_t *data[4];
    int lines[4];
    if (frame->nb_samples > 0)
        return (uint32_t)frame->nb_samples;
    int size = av_image_alloc(data, lines, frame->width, frame->height, frame->format, 1);
    if (size < 0)
        abort();
    av_image_copy(data, lines, (const uint8_t **)frame->data, frame->linesize, frame->format, frame->width, frame->height);
    uint32_t sum = (uint32_t)av_adler32_update(1, data[0], (size_t)size);
    av_freep(&data[0]);
    return sum;
}

static bool collect(mr_decoder *decoder, int64_t until_us, source_frame **ret_frames, size_t *ret_count)
{
    AVFrame *frame = av_frame_alloc();
    int64_t us = INT64_MIN;
    size_t room = 0;
    mr_status status;
    *ret_count = 0;
    *ret_frames = NULL;
    while (us <= until_us && (status = mr_decoder_next(decoder, frame, &us)) == MR_OK) {
        if (*ret_count == room) {
            room = room ? room * 2 : 256;
            source_frame *grown = realloc(*ret_frames, room * sizeof(*grown));
            if (!grown)
                abort();
            memset(grown + *ret_count, 0, (room - *ret_count) * sizeof(*grown));
            *ret_frames = grown;
        }
        (*ret_frames)[(*ret_count)++] = (source_frame){.us = us, .sum = sum_of(frame)};
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
    return status == MR_OK || status == MR_END;
}

bool source_decode(const char *path, int stream, int64_t from_us, int64_t until_us, source_frame **ret_frames, size_t *ret_count)
{
    struct stat info;
    mr_task task = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    AVFormatContext *format = NULL;
    mr_decoder *decoder = NULL;
    if (task.fd < 0 || fstat(task.fd, &info) != 0)
        return false;
    const mr_artifact artifact = {
        .type = MR_TYPE_MEDIA, .has_content = 1, .size = (uint64_t)info.st_size, .digest = "", .name = "clip", .meta = "{}"};
    bool done =
        mr_media_open(&file_host, &task, &artifact, &format) == MR_OK && mr_decoder_open(&file_host, &task, format, stream, NULL, &decoder) == MR_OK;
    if (done && from_us != INT64_MIN)
        done = mr_decoder_seek(decoder, from_us) == MR_OK;
    if (done)
        done = collect(decoder, until_us, ret_frames, ret_count);
    mr_decoder_close(decoder);
    mr_media_close(&format);
    close(task.fd);
    return done;
}

/* What grid frame n shows, of these frames: an index, or -1. */
static long shown_at(const source_frame *frames, size_t count, int64_t origin_us, AVRational fps, int64_t n)
{
    long found = count > 0 ? 0 : -1;
    for (size_t i = 0; i < count; i++) {
        if (av_rescale_q_rnd(frames[i].us - origin_us, AV_TIME_BASE_Q, av_inv_q(fps), AV_ROUND_NEAR_INF) <= n)
            found = (long)i;
    }
    return found;
}

static bool chunk_agrees(const char *path, const json_t *chunk, const source_frame *whole, size_t whole_count)
{
    const json_t *rate = json_object_get(chunk, "fps");
    AVRational fps = {(int)json_integer_value(json_array_get(rate, 0)), (int)json_integer_value(json_array_get(rate, 1))};
    int64_t origin = source_int(chunk, "origin_us");
    int64_t first = source_int(chunk, "first_frame");
    int64_t end = first + source_int(chunk, "frames");
    source_frame *frames = NULL;
    size_t count = 0;
    int64_t until = origin + av_rescale_q(end + 1, av_inv_q(fps), AV_TIME_BASE_Q);
    bool agrees = source_decode(path, (int)source_int(chunk, "stream"), source_int(chunk, "decode_from_us"), until, &frames, &count);
    agrees = agrees && frames && whole;
    for (int64_t n = first; agrees && n < end; n++) {
        long mine = shown_at(frames, count, origin, fps, n);
        long right = shown_at(whole, whole_count, origin, fps, n);
        agrees = mine >= 0 && right >= 0 && frames[mine].us == whole[right].us && frames[mine].sum == whole[right].sum;
        if (!agrees)
            printf("%s: chunk %lld decoded from %lld us: grid frame %lld shows %lld (%08x), not %lld (%08x)\n", path,
                   (long long)source_int(chunk, "index"), (long long)source_int(chunk, "decode_from_us"), (long long)n,
                   mine >= 0 ? (long long)frames[mine].us : -1, mine >= 0 ? frames[mine].sum : 0, right >= 0 ? (long long)whole[right].us : -1,
                   right >= 0 ? whole[right].sum : 0);
    }
    free(frames);
    return agrees;
}

bool source_chunks_agree(const char *path, const source_plan *plan)
{
    source_frame *whole = NULL;
    size_t count = 0;
    const json_t *chunk;
    size_t i;
    const json_t *video = json_object_get(plan->plan, "video");
    bool agree = source_decode(path, (int)source_int(video, "stream"), INT64_MIN, INT64_MAX, &whole, &count) && count > 0;
    json_array_foreach(plan->chunks, i, chunk) agree = agree && chunk_agrees(path, chunk, whole, count);
    free(whole);
    return agree;
}
