/* SPDX-License-Identifier: MIT */
/* The plan, and whether what was made is what was planned: no hole, no overlap, rungs that can be switched at every segment. */
#include "model.h"
#include "reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* [[a, b], …]: b is a length, or the end where ends. The longest, in ticks. */
static int64_t longest_of(const json_t *segments, bool ends)
{
    int64_t longest = 0;
    size_t i;
    json_t *segment;
    json_array_foreach(segments, i, segment)
    {
        int64_t length = json_integer_value(json_array_get(segment, 1)) - (ends ? json_integer_value(json_array_get(segment, 0)) : 0);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static size_t planned(mr_reader *reader, const json_t *segments)
{
    if (json_array_size(segments) > SEGMENTS_MAX)
        reader_fault(reader, "segments", "are more than a rendition may have");
    return json_array_size(segments);
}

static void read_video_plan(mr_reader *reader, const json_t *video, mr_plan *plan)
{
    mr_reader part = {.host = reader->host, .task = reader->task, .what = "the plan's picture track", .object = json_incref((json_t *)video)};
    int64_t timescale = read_int(&part, "timescale", REQUIRED, 1, INT32_MAX);
    int64_t frame_ticks = read_int(&part, "frame_ticks", REQUIRED, 1, INT32_MAX);
    const json_t *segments = json_object_get(video, "segments");
    int64_t frames = longest_of(segments, false);
    plan->has_video = true;
    plan->segments[KIND_VIDEO] = planned(&part, segments);
    if (frames < 0 || frames > INT32_MAX)
        reader_fault(&part, "segments", "are out of range");
    else if (!part.bad)
        plan->longest_us[KIND_VIDEO] = ticks_to_us(frames * frame_ticks, timescale);
    if (!part.bad && !plan_foresee(plan, KIND_VIDEO, segments, timescale, frame_ticks))
        reader_fault(&part, "segments", "don't fit in memory");
    reader->bad |= part.bad;
    reader_end(&part);
}

static mr_status read_audio_plan(mr_reader *reader, const json_t *audio, mr_plan *plan)
{
    mr_reader part = {.host = reader->host, .task = reader->task, .what = "the plan's sound", .object = json_incref((json_t *)audio)};
    int64_t rate = read_int(&part, "sample_rate", REQUIRED, 1, 1000000);
    const json_t *segments = json_object_get(audio, "segments");
    const json_t *tracks = json_object_get(audio, "tracks");
    size_t count = json_array_size(tracks);
    int64_t samples = longest_of(segments, true);
    plan->segments[KIND_AUDIO] = planned(&part, segments);
    if (samples < 0 || samples > INT64_C(1) << 40)
        reader_fault(&part, "segments", "are out of range");
    else if (!part.bad)
        plan->longest_us[KIND_AUDIO] = ticks_to_us(samples, rate);
    if (!part.bad && !plan_foresee(plan, KIND_AUDIO, segments, rate, 0))
        reader_fault(&part, "segments", "don't fit in memory");
    plan->tracks = calloc(count + 1, sizeof(*plan->tracks));
    plan->track_us = calloc(count + 1, sizeof(*plan->track_us));
    plan->track_samples = calloc(count + 1, sizeof(*plan->track_samples));
    mr_status status = plan->tracks && plan->track_us && plan->track_samples ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        json_int_t end = json_integer_value(json_object_get(json_array_get(tracks, i), "samples"));
        plan->tracks[i] = json_integer_value(json_object_get(json_array_get(tracks, i), "stream"));
        plan->track_samples[i] = end > 0 && end < INT64_C(1) << 50 && !part.bad ? end : 0;
        plan->track_us[i] = plan->track_samples[i] > 0 ? ticks_to_us(end, rate) : 0;
        plan->track_count = i + 1;
    }
    reader->bad |= part.bad;
    reader_end(&part);
    return status;
}

mr_status model_read_plan(mr_model *model, const char *meta)
{
    mr_plan *plan = &model->plan;
    mr_reader reader = reader_begin(model->host, model->task, "plan", meta);
    const json_t *video = json_object_get(reader.object, "video");
    const json_t *audio = json_object_get(reader.object, "audio");
    mr_status status = MR_OK;
    plan->duration_us = read_int(&reader, "duration_us", 0, 0, INT64_C(1) << 50);
    int64_t segment_us = read_int(&reader, "segment_us", 0, 0, INT64_C(1) << 40);
    if (json_is_object(video))
        read_video_plan(&reader, video, plan);
    if (json_is_object(audio))
        status = read_audio_plan(&reader, audio, plan);
    mr_kind lead = plan->has_video ? KIND_VIDEO : KIND_AUDIO; /* text and muxed segments follow the picture, or the sound where there is none */
    plan->segments[KIND_TEXT] = plan->segments[KIND_MUXED] = plan->segments[lead];
    plan->longest_us[KIND_TEXT] = plan->longest_us[KIND_MUXED] = plan->longest_us[lead];
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (plan->longest_us[kind] == 0)
            plan->longest_us[kind] = segment_us;
    }
    if (reader.bad && status == MR_OK)
        status = MR_ERR_INTERNAL;
    reader_end(&reader);
    return status;
}

static mr_status refuse(const mr_model *model, const mr_rendition *rendition, const char *what, size_t index)
{
    model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s': segment %zu %s", rendition->path, index, what);
    return MR_ERR_INTERNAL;
}

/* Segments follow each other without gap or overlap. Transport streams are cut at 90 kHz, text where it likes: one frame of play. */
static mr_status check_timeline(const mr_model *model, const mr_rendition *rendition)
{
    int64_t slack = rendition->kind == KIND_MUXED || rendition->kind == KIND_TEXT ? rendition->timescale / 10 : 0;
    const mr_piece *last = &rendition->pieces[rendition->count - 1];
    if (ticks_to_us(last->start + last->duration, rendition->timescale) == TIME_MAX_US)
        return refuse(model, rendition, "ends later than any video does", rendition->count - 1);
    for (size_t i = 0; i + 1 < rendition->count; i++) {
        int64_t end = rendition->pieces[i].start + rendition->pieces[i].duration;
        int64_t next = rendition->pieces[i + 1].start;
        if (next - end > slack)
            return refuse(model, rendition, "ends before the next one begins", i);
        if (end - next > slack)
            return refuse(model, rendition, "ends after the next one begins", i);
    }
    return MR_OK;
}

/* How many segments of this rendition the plan asks for; a sound track may end before the others do. 0: not known. */
static size_t wanted(const mr_model *model, const mr_rendition *rendition)
{
    const mr_plan *plan = &model->plan;
    return rendition->kind == KIND_TEXT ? 0 : plan->segments[rendition->kind];
}

static bool ends_early(const mr_model *model, const mr_rendition *rendition)
{
    const mr_plan *plan = &model->plan;
    int64_t end = piece_end_us(rendition, rendition->count - 1);
    if (rendition->kind != KIND_AUDIO)
        return false;
    for (size_t i = 0; i < plan->track_count; i++) {
        if (plan->tracks[i] == rendition->stream && end + 100000 >= plan->track_us[i])
            return true;
    }
    return false;
}

static mr_status check_rendition(const mr_model *model, const mr_rendition *rendition)
{
    if (!rendition->has_init)
        return refuse(model, rendition, "came without an init segment", 0);
    if (rendition->count == 0 && rendition->kind == KIND_TEXT && rendition->whole_ext[0])
        return MR_OK;
    if (rendition->count == 0) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s' has no segments", rendition->path);
        return MR_ERR_INTERNAL;
    }
    if (rendition->prefix < rendition->count)
        return refuse(model, rendition, "is missing", rendition->prefix);
    size_t want = wanted(model, rendition);
    if (want > rendition->count && !ends_early(model, rendition)) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s' ends after %zu of %zu planned segments", rendition->path,
                            rendition->count, want);
        return MR_ERR_INTERNAL;
    }
    if (want > 0 && rendition->count > want)
        return refuse(model, rendition, "is beyond the plan", want);
    if (rendition->kind == KIND_VIDEO && (rendition->width == 0 || rendition->height == 0)) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "rendition '%s': its init segment does not say its size", rendition->path);
        return MR_ERR_INTERNAL;
    }
    return check_timeline(model, rendition);
}

/* Rungs have to begin each segment at the same instant; a millisecond covers timescales that differ. */
static mr_status check_alignment(const mr_model *model, const mr_rendition *first, const mr_rendition *other)
{
    if (first->count != other->count) {
        model->host->report(model->task, MR_SEVERITY_ERROR, NULL, NULL, "renditions '%s' and '%s' have %zu and %zu segments: players can't switch",
                            first->path, other->path, first->count, other->count);
        return MR_ERR_INTERNAL;
    }
    for (size_t i = 0; i < first->count; i++) {
        if (llabs(piece_start_us(first, i) - piece_start_us(other, i)) > 1000)
            return refuse(model, other, "does not begin where that of the first rendition does", i);
    }
    return MR_OK;
}

mr_status model_check(const mr_model *model)
{
    const mr_rendition *first[KIND_COUNT] = {0};
    mr_status status = MR_OK;
    for (size_t i = 0; i < model->count && status == MR_OK; i++) {
        const mr_rendition *rendition = model->renditions[i];
        status = check_rendition(model, rendition);
        if (status != MR_OK || (rendition->kind != KIND_VIDEO && rendition->kind != KIND_MUXED))
            continue;
        if (first[rendition->kind])
            status = check_alignment(model, first[rendition->kind], rendition);
        else
            first[rendition->kind] = rendition;
    }
    return status;
}
