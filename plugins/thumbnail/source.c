/* SPDX-License-Identifier: MIT */
/* The pictures of a source, found by time. See thumbnail.h. */
#include "thumbnail.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEYFRAMES (1u << 20)

static mr_status refuse(const thumb_source *source, const char *why)
{
    source->host->report(source->task, MR_SEVERITY_ERROR, NULL, "connect the port 'info' to probe.media's 'info'", "the info can't be used: %s", why);
    return MR_ERR_INPUT;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static mr_status read_keyframes(thumb_source *source, const json_t *list)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > MAX_KEYFRAMES)
        return MR_OK;
    source->keyframes = calloc(count, sizeof(*source->keyframes));
    if (!source->keyframes)
        return MR_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        source->keyframes[i] = json_integer_value(json_array_get(list, i));
    source->keyframe_count = count;
    qsort(source->keyframes, count, sizeof(*source->keyframes), compare_times);
    return MR_OK;
}

/* Presentation time 0 is the earliest start of the picture track and the sound tracks, as segment.plan has it. */
static int64_t earliest_start(const json_t *info, int64_t start)
{
    size_t i;
    json_t *track;
    json_array_foreach(json_object_get(info, "audio"), i, track)
    {
        const json_t *value = json_object_get(track, "start_us");
        if (json_is_integer(value) && json_integer_value(value) < start)
            start = json_integer_value(value);
    }
    return start;
}

mr_status thumb_source_describe(thumb_source *source, const mr_artifact *artifact)
{
    json_int_t start = 0;
    json_int_t duration = 0;
    json_int_t whole = 0;
    mr_status status = MR_OK;
    json_t *info = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    json_t *video = json_object_get(info, "video");
    const char *wrong = !info ? "it is not JSON" : !video ? "the source has no picture track" : mr_picture_info_read(video, &source->picture);
    if (!wrong && json_unpack(video, "{s:i,s?I,s?I}", "stream", &source->stream, "start_us", &start, "duration_us", &duration) != 0)
        wrong = "it does not say which stream the pictures are";
    json_unpack(info, "{s?I}", "duration_us", &whole);
    if (!wrong && (duration < 0 || whole < 0 || !mr_is_media_time(duration) || !mr_is_media_time(whole) || !mr_is_media_time(start)))
        wrong = "its times make no sense";
    if (wrong)
        status = refuse(source, wrong);
    else
        status = read_keyframes(source, json_object_get(video, "keyframes_us"));
    const char *interlaced = json_string_value(json_object_get(video, "interlaced"));
    source->progressive = interlaced && strcmp(interlaced, "no") == 0;
    source->start_us = start;
    source->end_us = start + (duration > 0 ? duration : whole);
    source->origin_us = earliest_start(info, start);
    source->duration_us = whole > source->end_us - source->origin_us ? whole : source->end_us - source->origin_us;
    json_decref(info);
    return status;
}

mr_status thumb_source_reopen(thumb_source *source, bool keyframes_only)
{
    const mr_decoder_options options = {.keyframes_only = keyframes_only, .one_by_one = keyframes_only && source->progressive};
    source->keyframes_only = keyframes_only;
    mr_decoder_close(source->decoder);
    source->decoder = NULL;
    mr_media_close(&source->format);
    const mr_media_part part = {.stream = source->stream, .headers_suffice = keyframes_only};
    mr_status status = mr_media_open_part(source->host, source->task, source->artifact, &part, &source->format);
    if (status == MR_OK)
        status = mr_decoder_open(source->host, source->task, source->format, source->stream, &options, &source->decoder);
    return status;
}

void thumb_source_close(thumb_source *source)
{
    mr_decoder_close(source->decoder);
    mr_media_close(&source->format);
    free(source->keyframes);
}

const mr_port thumb_inputs[] = {
    [THUMB_IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    [THUMB_IN_INFO] = {"info", MR_TYPE_JSON, 0, "what probe.media says of it"},
    {0},
};

mr_status thumb_run(const mr_host *host, const mr_batch *batch, bool keyframes_only, mr_status (*make)(thumb_source *source, const void *params))
{
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_task *task = batch->tasks[i].task;
        thumb_source source = {.host = host, .task = task, .artifact = host->input(task, THUMB_IN_SOURCE, 0)};
        mr_status status = thumb_source_describe(&source, host->input(task, THUMB_IN_INFO, 0));
        if (status == MR_OK)
            status = thumb_source_reopen(&source, keyframes_only);
        if (status == MR_OK)
            status = make(&source, batch->tasks[i].params);
        if (status == MR_END)
            status = mr_media_refuse(source.format, "copy or upload it again", "is damaged: none of its pictures can be decoded");
        thumb_source_close(&source);
        host->finish(task, status);
    }
    return MR_OK;
}

mr_status thumb_source_next(thumb_source *source, AVFrame *frame, int64_t *ret_us)
{
    if (source->host->cancelled(source->task))
        return MR_ERR_CANCELLED;
    mr_status status = mr_decoder_next(source->decoder, frame, ret_us);
    if (status == MR_OK)
        mr_colour_complete(frame, &source->picture);
    return status;
}

mr_status thumb_source_seek(thumb_source *source, int64_t us, AVFrame *frame, int64_t *ret_us)
{
    mr_status status = mr_decoder_seek(source->decoder, us);
    if (status == MR_OK)
        status = thumb_source_next(source, frame, ret_us);
    if (status != MR_END || source->keyframes_only)
        return status;
    /* Nothing decodes from there on, perhaps because nothing is marked as a keyframe: from the start, as it comes. */
    status = thumb_source_reopen(source, false);
    return status == MR_OK ? thumb_source_next(source, frame, ret_us) : status;
}

mr_status thumb_source_at(thumb_source *source, int64_t us, AVFrame *frame, int64_t *ret_us)
{
    int64_t ahead_us;
    AVFrame *ahead = av_frame_alloc();
    if (!ahead)
        return mr_media_error(source->host, source->task, AVERROR(ENOMEM), "pictures");
    mr_status status = thumb_source_seek(source, us, frame, ret_us);
    mr_status more = status;
    while (more == MR_OK && *ret_us < us) {
        more = thumb_source_next(source, ahead, &ahead_us);
        if (more != MR_OK || ahead_us > us)
            break;
        av_frame_unref(frame);
        av_frame_move_ref(frame, ahead);
        *ret_us = ahead_us;
    }
    av_frame_free(&ahead);
    return more == MR_END ? status : more;
}

int64_t thumb_source_keyframe(const thumb_source *source, int64_t us)
{
    size_t low = 0;
    size_t high = source->keyframe_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (source->keyframes[middle] <= us)
            low = middle + 1;
        else
            high = middle;
    }
    return source->keyframes[low > 0 ? low - 1 : 0];
}

static int even(double value)
{
    int whole = (int)(value / 2 + 0.5) * 2;
    return whole < 2 ? 2 : whole;
}

void thumb_source_fit(const thumb_source *source, int box_width, int box_height, int *ret_width, int *ret_height)
{
    double width = source->picture.display_width;
    double height = source->picture.display_height;
    double factor = 1;
    if (box_width < width)
        factor = box_width / width;
    if (box_height < height * factor)
        factor = box_height / height;
    *ret_width = even(width * factor);
    *ret_height = even(height * factor);
}
