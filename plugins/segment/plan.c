/* SPDX-License-Identifier: MIT */
/*
 * segment.plan: which output frames and samples there will be, where segments begin, and what of the source each chunk needs; before anything is
 * encoded. Headers are not believed: every packet of the source is looked at once, in an MP4 by way of its tables (media/scan.h). Nothing is decoded,
 * except where the first pictures may not be decodable.
 */
#include "segment.h"

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include "grid.h"
#include "media/decoder.h"
#include "media/limits.h"

#define SOUND_RATE   48000
#define SOUND_GRID   1024
#define FIRST_CHUNKS 2 /* of one segment each: something is playable soon */
#define MAX_SEGMENTS 250000
#define MAX_TRACKS   128
#define MAX_HEAD     2000 /* frames decoded to learn which of the first can be */

/* How far around its time a chunk may read: more than it takes to warm up decoders and encoders (Opus: two seconds and a half). */
#define PICTURE_BEFORE_US 1000000
#define SOUND_BEFORE_US   3000000
#define BEHIND_US         2000000
#define SOUND_BEHIND      (INT64_C(2) * SOUND_RATE)

enum { IN_SOURCE, IN_INFO };
enum { OUT_PLAN, OUT_CHUNKS, OUT_AUDIO_CHUNKS, OUT_OPENING };

typedef struct plan_params {
    int64_t segment_duration;
    int64_t first_segment;
    int64_t chunk_segments;
    mr_ratio max_frame_rate;
    mr_ratio frame_rate;
    int64_t audio_chunk;
} plan_params;

typedef struct plan_track {
    int stream;
    int64_t samples; /* where it ends, counted from time 0 */
} plan_track;

typedef struct plan_state {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *source;
    const plan_params *params;
    json_t *info;
    const json_t *picture; /* info.video; NULL without one */
    AVFormatContext *format;
    mr_scan scan;
    int video;
    frame_grid grid;
    int64_t origin_us;
    int64_t segment_frames; /* of the grid, in a segment */
    int64_t first_frames;   /* … in the first; no more than in the others */
    int64_t video_segments;
    plan_track tracks[MAX_TRACKS];
    size_t track_count;
    int64_t samples; /* the latest of the tracks' ends */
    int64_t *sound;  /* boundaries of sound segments: sound_segments + 1 */
    int64_t sound_segments;
} plan_state;

static mr_status no_memory(const plan_state *plan)
{
    mr_media_error(plan->host, plan->task, AVERROR(ENOMEM), "planning");
    return MR_ERR_NOMEM;
}

static mr_status read_info(plan_state *plan)
{
    const mr_artifact *info = plan->host->input(plan->task, IN_INFO, 0);
    plan->info = info ? json_loadb(info->meta, info->meta_len, 0, NULL) : NULL;
    if (!json_is_object(plan->info)) {
        plan->host->report(plan->task, MR_SEVERITY_ERROR, NULL, "connect probe.media's info", "info is not a description of a source");
        return MR_ERR_INPUT;
    }
    plan->picture = json_object_get(plan->info, "video");
    plan->video = plan->picture ? (int)json_integer_value(json_object_get(plan->picture, "stream")) : -1;
    return MR_OK;
}

static mr_status check_streams(const plan_state *plan)
{
    int64_t count = plan->format->nb_streams;
    bool right = plan->video < count && json_array_size(json_object_get(plan->info, "audio")) <= MAX_TRACKS;
    if (right && plan->video >= 0)
        right = plan->format->streams[plan->video]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    for (size_t i = 0; right && i < json_array_size(json_object_get(plan->info, "audio")); i++) {
        json_int_t stream = json_integer_value(json_object_get(json_array_get(json_object_get(plan->info, "audio"), i), "stream"));
        right = stream >= 0 && stream < count && plan->format->streams[stream]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    if (right)
        return MR_OK;
    plan->host->report(plan->task, MR_SEVERITY_ERROR, NULL, "connect the info of the same source", "info does not belong to this source");
    return MR_ERR_INPUT;
}

/* Decodes up to until_us and keeps, of the frames before, those that came out. */
static mr_status try_head(plan_state *plan, int64_t until_us)
{
    mr_decoder *decoder = NULL;
    AVFormatContext *format = NULL;
    AVFrame *frame = av_frame_alloc();
    int64_t *times = av_malloc_array(MAX_HEAD, sizeof(*times));
    size_t count = 0;
    int64_t us = INT64_MIN;
    const mr_media_part part = {.stream = plan->video};
    mr_status status = frame && times ? mr_media_open_part(plan->host, plan->task, plan->source, &part, &format) : no_memory(plan);
    if (status == MR_OK)
        status = mr_decoder_open(plan->host, plan->task, format, plan->video, NULL, &decoder);
    while (status == MR_OK && count < MAX_HEAD && us < until_us) {
        status = mr_decoder_next(decoder, frame, &us);
        if (status == MR_OK)
            times[count++] = us;
    }
    if (status == MR_END)
        status = MR_OK;
    else if (status == MR_OK && us < until_us)
        until_us = us;
    if (status == MR_OK && count > 0)
        grid_keep_decoded(&plan->grid, until_us, times, count);
    mr_decoder_close(decoder);
    mr_media_close(&format);
    av_frame_free(&frame);
    av_free(times);
    return status;
}

static int64_t earliest_sound_us(const plan_state *plan)
{
    int64_t earliest = INT64_MAX;
    const json_t *track;
    size_t i;
    json_array_foreach(json_object_get(plan->info, "audio"), i, track)
    {
        int64_t start = json_integer_value(json_object_get(track, "start_us"));
        earliest = start < earliest ? start : earliest;
    }
    return earliest;
}

static int64_t first_us(const plan_state *plan)
{
    const plan_params *params = plan->params;
    return params->first_segment < params->segment_duration ? params->first_segment : params->segment_duration;
}

/* At least one. */
static int64_t frames_in(const plan_state *plan, int64_t us)
{
    int64_t frames = av_rescale_q(us, AV_TIME_BASE_Q, av_inv_q(plan->grid.fps));
    return frames < 1 ? 1 : frames;
}

/* Of the grid; that of the segment behind the last is where the last would end if the source did not. */
static int64_t first_frame_of(const plan_state *plan, int64_t segment)
{
    return segment == 0 ? 0 : plan->first_frames + (segment - 1) * plan->segment_frames;
}

static mr_status lay_out_picture(plan_state *plan)
{
    const AVStream *stream = plan->format->streams[plan->video];
    int64_t until_us;
    AVRational wanted = {plan->params->frame_rate.num, plan->params->frame_rate.den};
    AVRational most = {plan->params->max_frame_rate.num, plan->params->max_frame_rate.den};
    if (!grid_list(&plan->scan, stream->time_base, &plan->grid))
        return no_memory(plan);
    if (plan->grid.shown_count > 0 && grid_has_doubtful_head(&plan->scan, stream->time_base, &until_us)) {
        mr_status status = try_head(plan, until_us);
        if (status != MR_OK)
            return status;
    }
    if (plan->grid.shown_count == 0) {
        plan->host->report(plan->task, MR_SEVERITY_ERROR, NULL, NULL, "the picture track of the source has no pictures that can be decoded");
        return MR_ERR_INPUT;
    }
    grid_lay_out(&plan->grid, &plan->scan, stream, wanted, most, earliest_sound_us(plan));
    plan->segment_frames = frames_in(plan, plan->params->segment_duration);
    plan->first_frames = frames_in(plan, first_us(plan));
    plan->video_segments = 1;
    if (plan->grid.frames > plan->first_frames)
        plan->video_segments += (plan->grid.frames - plan->first_frames + plan->segment_frames - 1) / plan->segment_frames;
    plan->origin_us = plan->grid.origin_us;
    return MR_OK;
}

static mr_status list_sound(plan_state *plan)
{
    const json_t *track;
    size_t i;
    json_array_foreach(json_object_get(plan->info, "audio"), i, track)
    {
        int stream = (int)json_integer_value(json_object_get(track, "stream"));
        int64_t start_us = json_integer_value(json_object_get(track, "start_us"));
        int64_t end_us = plan->scan.tracks[stream].end_us;
        if (end_us == AV_NOPTS_VALUE || end_us < start_us)
            end_us = start_us + json_integer_value(json_object_get(track, "duration_us"));
        int64_t samples = av_rescale_rnd(end_us - plan->origin_us, SOUND_RATE, 1000000, AV_ROUND_NEAR_INF);
        if (samples <= 0)
            continue;
        plan->tracks[plan->track_count++] = (plan_track){.stream = stream, .samples = samples};
        plan->samples = samples > plan->samples ? samples : plan->samples;
    }
    return MR_OK;
}

static int64_t on_sound_grid(double seconds)
{
    return av_rescale_rnd((int64_t)(seconds * SOUND_RATE + 0.5), 1, SOUND_GRID, AV_ROUND_NEAR_INF) * SOUND_GRID;
}

/* Where sound segment n ends: as the picture's, as long as there is a picture; then on at the same pace. */
static int64_t sound_boundary(const plan_state *plan, int64_t n)
{
    if (plan->video < 0)
        return on_sound_grid((double)(n == 0 ? 0 : first_us(plan) + (n - 1) * plan->params->segment_duration) / 1e6);
    return on_sound_grid((double)first_frame_of(plan, n) / av_q2d(plan->grid.fps));
}

/* Sound that outlasts the picture's last segment goes on in segments of its own. */
static mr_status lay_out_sound(plan_state *plan)
{
    int64_t end = (plan->samples + SOUND_GRID - 1) / SOUND_GRID * SOUND_GRID;
    if (plan->track_count == 0)
        return MR_OK;
    plan->sound = av_malloc_array(MAX_SEGMENTS + 2, sizeof(*plan->sound));
    if (!plan->sound)
        return no_memory(plan);
    plan->sound[0] = 0;
    int64_t count = 0;
    while (plan->sound[count] < end) {
        int64_t next = sound_boundary(plan, count + 1);
        if (count >= MAX_SEGMENTS)
            return MR_ERR_LIMIT;
        if (next <= plan->sound[count])
            next = plan->sound[count] + SOUND_GRID;
        plan->sound[++count] = next < end ? next : end;
    }
    plan->sound_segments = count;
    return MR_OK;
}

static json_t *integers(int64_t a, int64_t b)
{
    return json_pack("[I,I]", (json_int_t)a, (json_int_t)b);
}

static int64_t frames_of(const plan_state *plan, int64_t segment)
{
    int64_t first = first_frame_of(plan, segment), end = first_frame_of(plan, segment + 1);
    return (end < plan->grid.frames ? end : plan->grid.frames) - first;
}

/* Where each track ends; how far beyond most it goes on is not said. */
static json_t *tracks_json(const plan_state *plan, int64_t most)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < plan->track_count; i++) {
        const int64_t samples = plan->tracks[i].samples < most ? plan->tracks[i].samples : most;
        json_array_append_new(list, json_pack("{s:i,s:I}", "stream", plan->tracks[i].stream, "samples", (json_int_t)samples));
    }
    return list;
}

static json_t *video_json(const plan_state *plan)
{
    json_t *segments = json_array();
    for (int64_t i = 0; segments && i < plan->video_segments; i++)
        json_array_append_new(segments, integers(first_frame_of(plan, i), frames_of(plan, i)));
    return json_pack("{s:i,s:o,s:I,s:I,s:I,s:o}", "stream", plan->video, "fps", integers(plan->grid.fps.num, plan->grid.fps.den), "timescale",
                     (json_int_t)plan->grid.timescale, "frame_ticks", (json_int_t)plan->grid.frame_ticks, "frames", (json_int_t)plan->grid.frames,
                     "segments", segments);
}

static json_t *audio_json(const plan_state *plan)
{
    json_t *segments = json_array();
    for (int64_t i = 0; segments && i < plan->sound_segments; i++)
        json_array_append_new(segments, integers(plan->sound[i], plan->sound[i + 1]));
    return json_pack("{s:i,s:I,s:o,s:o}", "sample_rate", SOUND_RATE, "samples", (json_int_t)plan->samples, "segments", segments, "tracks",
                     tracks_json(plan, INT64_MAX));
}

static mr_status emit(const plan_state *plan, uint32_t port, json_t *take_value)
{
    char *text = take_value ? json_dumps(take_value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = text ? plan->host->emit(plan->task, port, text, NULL) : no_memory(plan);
    free(text);
    json_decref(take_value);
    return status;
}

static mr_status emit_plan(const plan_state *plan)
{
    int64_t video_us = plan->video >= 0 ? av_rescale_q(plan->grid.frames, av_inv_q(plan->grid.fps), AV_TIME_BASE_Q) : 0;
    int64_t sound_us = av_rescale(plan->samples, 1000000, SOUND_RATE);
    int64_t segments = plan->video_segments > plan->sound_segments ? plan->video_segments : plan->sound_segments;
    json_t *value = json_pack("{s:I,s:I,s:I,s:I}", "origin_us", (json_int_t)plan->origin_us, "duration_us",
                              (json_int_t)(video_us > sound_us ? video_us : sound_us), "segment_us", (json_int_t)plan->params->segment_duration,
                              "segments", (json_int_t)segments);
    if (!value)
        return no_memory(plan);
    if (plan->video >= 0)
        json_object_set_new(value, "video", video_json(plan));
    if (plan->track_count > 0)
        json_object_set_new(value, "audio", audio_json(plan));
    return emit(plan, OUT_PLAN, value);
}

/* A chunk says nothing that only the end of the source tells: so that it is the same, whatever follows it. */
static json_t *picture_json(const plan_state *plan)
{
    json_t *picture = json_deep_copy(plan->picture);
    json_object_del(picture, "duration_us");
    json_object_del(picture, "bit_rate");
    json_object_del(picture, "keyframes_us");
    return picture;
}

static mr_status emit_chunk(const plan_state *plan, uint32_t port, int64_t index, int64_t segment, int64_t count, json_t *picture)
{
    const AVStream *stream = plan->format->streams[plan->video];
    const char *interlaced = json_string_value(json_object_get(plan->picture, "interlaced"));
    bool context = interlaced && interlaced[0] != 'n';
    int64_t first = first_frame_of(plan, segment);
    int64_t frames = 0;
    json_t *segments = json_array();
    for (int64_t i = segment; segments && i < segment + count; i++) {
        json_array_append_new(segments, json_pack("{s:I,s:I,s:I}", "index", (json_int_t)i, "first_frame", (json_int_t)first_frame_of(plan, i),
                                                  "frames", (json_int_t)frames_of(plan, i)));
        frames += frames_of(plan, i);
    }
    const int64_t decode_from_us = grid_decode_from(&plan->grid, &plan->scan, stream, first, context);
    const int64_t end_us = plan->origin_us + av_rescale_q(first + frames, av_inv_q(plan->grid.fps), AV_TIME_BASE_Q);
    const mr_media_bounds bounds = mr_scan_bounds(&plan->scan, plan->video, decode_from_us - PICTURE_BEFORE_US, end_us + BEHIND_US);
    return emit(plan, port,
                json_pack("{s:s,s:I,s:i,s:I,s:o,s:I,s:I,s:I,s:I,s:b,s:I,s:o,s:o*,s:O}", "kind", "video", "index", (json_int_t)index, "stream",
                          plan->video, "origin_us", (json_int_t)plan->origin_us, "fps", integers(plan->grid.fps.num, plan->grid.fps.den), "timescale",
                          (json_int_t)plan->grid.timescale, "frame_ticks", (json_int_t)plan->grid.frame_ticks, "first_frame", (json_int_t)first,
                          "frames", (json_int_t)frames, "last", segment + count == plan->video_segments, "decode_from_us", (json_int_t)decode_from_us,
                          "segments", segments, "bytes", bounds.known ? mr_media_bounds_json(&bounds) : NULL, "picture", picture));
}

static mr_status emit_chunks(const plan_state *plan)
{
    mr_status status = MR_OK;
    int64_t index = 0;
    json_t *picture = picture_json(plan);
    for (int64_t segment = 0; status == MR_OK && segment < plan->video_segments; index++) {
        int64_t count = index < FIRST_CHUNKS ? 1 : plan->params->chunk_segments;
        if (count > plan->video_segments - segment)
            count = plan->video_segments - segment;
        if (plan->host->cancelled(plan->task))
            status = MR_ERR_CANCELLED;
        else
            status = emit_chunk(plan, OUT_CHUNKS, index, segment, count, picture);
        if (status == MR_OK && index == 0)
            status = emit_chunk(plan, OUT_OPENING, index, segment, count, picture);
        segment += count;
    }
    json_decref(picture);
    return status;
}

/* Of all tracks together. */
static mr_media_bounds sound_bounds(const plan_state *plan, int64_t from_us, int64_t to_us)
{
    mr_media_bounds all = {.known = plan->track_count > 0};
    for (size_t i = 0; i < plan->track_count && all.known; i++) {
        const mr_media_bounds one = mr_scan_bounds(&plan->scan, plan->tracks[i].stream, from_us, to_us);
        if (i == 0 || one.from < all.from)
            all.from = one.from;
        if (i == 0 || one.until == 0 || (all.until > 0 && one.until > all.until))
            all.until = one.until;
        all.from_us = from_us;
        all.known = one.known;
    }
    return all;
}

static mr_status emit_audio_chunk(const plan_state *plan, int64_t index, int64_t segment, int64_t count)
{
    json_t *segments = json_array();
    for (int64_t i = segment; segments && i < segment + count; i++)
        json_array_append_new(
            segments, json_pack("{s:I,s:I,s:I}", "index", (json_int_t)i, "start", (json_int_t)plan->sound[i], "end", (json_int_t)plan->sound[i + 1]));
    const int64_t start_us = plan->origin_us + av_rescale(plan->sound[segment], 1000000, SOUND_RATE);
    const int64_t end_us = plan->origin_us + av_rescale(plan->sound[segment + count], 1000000, SOUND_RATE);
    const mr_media_bounds bounds = sound_bounds(plan, start_us - SOUND_BEFORE_US, end_us + BEHIND_US);
    return emit(plan, OUT_AUDIO_CHUNKS,
                json_pack("{s:s,s:I,s:I,s:i,s:I,s:I,s:b,s:o,s:o*,s:o}", "kind", "audio", "index", (json_int_t)index, "origin_us",
                          (json_int_t)plan->origin_us, "sample_rate", SOUND_RATE, "start", (json_int_t)plan->sound[segment], "end",
                          (json_int_t)plan->sound[segment + count], "last", segment + count == plan->sound_segments, "segments", segments, "bytes",
                          bounds.known ? mr_media_bounds_json(&bounds) : NULL, "tracks",
                          tracks_json(plan, plan->sound[segment + count] + SOUND_BEHIND)));
}

static mr_status emit_audio_chunks(const plan_state *plan)
{
    int64_t most = av_rescale(plan->params->audio_chunk, SOUND_RATE, 1000000);
    mr_status status = MR_OK;
    int64_t index = 0;
    for (int64_t segment = 0; status == MR_OK && segment < plan->sound_segments; index++) {
        int64_t count = 1;
        while (index > 0 && segment + count < plan->sound_segments && plan->sound[segment + count + 1] - plan->sound[segment] <= most)
            count++;
        status = emit_audio_chunk(plan, index, segment, count);
        segment += count;
    }
    return status;
}

/* Both kinds of segments together, before lists of them are made. */
static mr_status check_length(const plan_state *plan)
{
    int64_t sound_end = plan->origin_us + av_rescale(plan->samples, 1000000, SOUND_RATE);
    int64_t end = plan->video >= 0 && plan->grid.end_us > sound_end ? plan->grid.end_us : sound_end;
    int64_t length = end - plan->origin_us;
    mr_status status = mr_limits_check_duration(plan->host, plan->task, mr_media_name(plan->format), length);
    if (status != MR_OK)
        return status;
    if (length / plan->params->segment_duration < MAX_SEGMENTS && plan->video_segments < MAX_SEGMENTS)
        return MR_OK;
    plan->host->report(plan->task, MR_SEVERITY_ERROR, "segment_duration", "a larger segment_duration gives fewer segments",
                       "the source is %.0f s long: that is more than %d segments", (double)length / 1e6, MAX_SEGMENTS);
    return MR_ERR_LIMIT;
}

static mr_status make(plan_state *plan)
{
    mr_status status = read_info(plan);
    if (status == MR_OK)
        status = mr_media_open(plan->host, plan->task, plan->source, &plan->format);
    if (status == MR_OK)
        status = check_streams(plan);
    if (status != MR_OK)
        return status;
    const mr_scan_options options = {.video = plan->video};
    status = mr_scan_run(plan->host, plan->task, plan->format, &options, &plan->scan);
    if (status == MR_OK)
        status = grid_check_clock(plan->format, &plan->scan);
    if (status == MR_OK && plan->video >= 0)
        status = lay_out_picture(plan);
    else if (status == MR_OK)
        plan->origin_us = earliest_sound_us(plan);
    if (status == MR_OK)
        status = list_sound(plan);
    if (status == MR_OK && plan->video < 0 && plan->track_count == 0) {
        plan->host->report(plan->task, MR_SEVERITY_ERROR, NULL, NULL, "the source has no picture and no sound to plan for");
        status = MR_ERR_INPUT;
    }
    if (status == MR_OK)
        status = check_length(plan);
    if (status == MR_OK)
        status = lay_out_sound(plan);
    if (status == MR_OK)
        status = emit_plan(plan);
    if (status == MR_OK && plan->video >= 0)
        status = emit_chunks(plan);
    return status == MR_OK ? emit_audio_chunks(plan) : status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const mr_batch_task *task = &batch->tasks[i];
        plan_state plan = {.host = host, .task = task->task, .params = task->params, .video = -1};
        plan.source = host->input(task->task, IN_SOURCE, 0);
        mr_status status = plan.source ? make(&plan) : MR_ERR_INTERNAL;
        mr_scan_free(&plan.scan);
        grid_free(&plan.grid);
        mr_media_close(&plan.format);
        av_free(plan.sound);
        json_decref(plan.info);
        host->finish(task->task, status);
    }
    return MR_OK;
}

static const char *toolchain(void)
{
    return "libavformat " AV_STRINGIFY(LIBAVFORMAT_VERSION) ", libavcodec " AV_STRINGIFY(LIBAVCODEC_VERSION);
}

static const mr_port inputs[] = {
    {"source", MR_TYPE_MEDIA, 0, "the file to plan for"},
    {"info", MR_TYPE_JSON, 0, "what probe.media found in it"},
    {0},
};

static const mr_port outputs[] = {
    {"plan", MR_TYPE_JSON, 0, "all segments of all tracks"},
    {"chunks", MR_TYPE_CHUNK, MR_PORT_MANY | MR_PORT_OPTIONAL, "parts of the picture track to encode, each on its own"},
    {"audio_chunks", MR_TYPE_CHUNK, MR_PORT_MANY | MR_PORT_OPTIONAL, "parts of the sound tracks to encode, each on its own"},
    {"opening", MR_TYPE_CHUNK, MR_PORT_OPTIONAL, "the first of chunks, for what is to be made once: init segments"},
    {0},
};

static const mr_param params[] = {
    MR_DURATION(plan_params, segment_duration, .standard = "4s", .min = "500ms", .max = "60s",
                .help = "length of a segment; a whole number of frames"),
    MR_DURATION(plan_params, first_segment, .standard = "2s", .min = "500ms", .max = "60s",
                .help = "length of the first segment, where that is less: a short one is made, and loaded, sooner"),
    MR_INT(plan_params, chunk_segments, .standard = "2", .min = "1", .max = "100",
           .help = "segments in a chunk, after the first two chunks, which have one each so that something is playable soon"),
    MR_RATIO(plan_params, max_frame_rate, .standard = "60", .min = "1", .max = "240",
             .help = "highest frame rate; above it, frames are left out evenly"),
    MR_RATIO(plan_params, frame_rate, .min = "1", .max = "240", .help = "frame rate of the output; absent: that of the source"),
    MR_DURATION(plan_params, audio_chunk, .standard = "60s", .min = "5s", .max = "1h",
                .help = "length of a chunk of sound, at most; the first has one segment"),
    MR_PARAM_END,
};

const mr_op mr_op_segment_plan = {
    .size = sizeof(mr_op),
    .version = 6,
    .name = "segment.plan",
    .summary = "plans the segments of a source and the chunks in which they are made",
    .help = "Reads the source's packets, and puts the picture on a grid of constant frame rate: frame n is shown from n to n+1 frame lengths. A "
            "source of "
            "constant rate keeps each of its frames; one of variable rate gets the common rate nearest to its usual one.\n\n"
            "Chunks are ranges of the grid; nothing is copied. Keyframes of the source only say where decoding starts.",
    .cpu = 1,
    .memory_mb = 512,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(plan_params),
    .run = run,
    .toolchain = toolchain,
};
