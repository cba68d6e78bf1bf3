/* SPDX-License-Identifier: MIT */
/*
 * transcode.audio: one sound track over one chunk, as CMAF segments; surround tracks as stereo and 5.1 from one decode.
 * A task needs its chunk, track and source only: any chunk can be made alone, first or last, and gives the same bytes.
 */
#include "audio_loudness.h"
#include "audio_reader.h"
#include "audio_rendition.h"
#include "audio_track.h"
#include "media/chunk.h"
#include "transcode.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IN_CHUNK, IN_TRACK, IN_SOURCE, IN_LOUDNESS };
enum { OUT_SEGMENTS };
enum { SURROUND_KEEP, SURROUND_DOWNMIX };
enum { MAX_SEGMENTS = 100000, MAX_RENDITIONS = 2, MAX_CHANNELS = 64 };

#define MAX_CHUNK_SECONDS 86400

struct audio_params {
    int32_t codec;
    int64_t bitrate;
    int32_t surround;
    double loudness;
    double true_peak;
    int32_t peaks;
};

static const char *const codecs[] = {"aac", "opus", NULL};
static const char *const surrounds[] = {"keep", "downmix", NULL};

static const mr_param params[] = {
    MR_CHOICE(struct audio_params, codec, .standard = "aac", .choices = codecs,
              .help = "the encoder: AAC-LC plays everywhere, Opus is better at low rates"),
    MR_BITRATE(struct audio_params, bitrate, .standard = "128k", .min = "16k", .max = "512k",
               .help = "bits per second of a stereo rendition; mono gets half of it, 5.1 three times as much"),
    MR_CHOICE(struct audio_params, surround, .standard = "keep", .choices = surrounds,
              .help = "tracks with more than stereo: keep gives 5.1 beside the stereo rendition, downmix gives stereo only"),
    MR_NUMBER(struct audio_params, loudness, .min = "-40", .max = "-5",
              .help = "the loudness wanted, in LUFS; needs the input 'loudness'; absent: as loud as the source"),
    MR_NUMBER(struct audio_params, true_peak, .standard = "-1", .min = "-9", .max = "0",
              .help = "with loudness: the true peak that is not exceeded, in dBTP"),
    MR_CHOICE(struct audio_params, peaks, .standard = "limit", .choices = mr_peaks_words,
              .help = "with loudness: limit turns down the moments that would exceed true_peak, keep makes the whole track quieter instead"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    [IN_CHUNK] = {"chunk", MR_TYPE_CHUNK, 0, "the time range to make, from segment.plan's audio_chunks"},
    [IN_TRACK] = {"track", MR_TYPE_JSON, 0, "the sound track, from probe.media's audio_tracks"},
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    [IN_LOUDNESS] = {"loudness", MR_TYPE_JSON, MR_PORT_OPTIONAL | MR_PORT_MANY, "what transcode.loudness measured, of any number of tracks"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_SEGMENTS] = {"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "an init segment per rendition, then media segments"},
    {0},
};

typedef struct audio_task {
    const mr_host *host;
    mr_task *task;
    const struct audio_params *params;
    json_t *chunk;
    mr_audio_track track;
    mr_audio_work work;
    mr_audio_segment *segments;
    int64_t origin_us;
    mr_audio_reader *reader;
    mr_audio_rendition *renditions[MAX_RENDITIONS];
    int rendition_count;
    float *planes[MAX_CHANNELS];
} audio_task;

/* ---- reading the inputs ---- */

static mr_status refuse(const audio_task *work, const char *why)
{
    work->host->report(work->task, MR_SEVERITY_ERROR, NULL, NULL, "the chunk can't be used: %s", why);
    return MR_ERR_INPUT;
}

static mr_status parse_segments(audio_task *work, const json_t *list)
{
    mr_audio_work *shared = &work->work;
    size_t count = json_array_size(list);
    if (count == 0 || count > MAX_SEGMENTS)
        return refuse(work, "it has no segments, or too many");
    work->segments = calloc(count, sizeof(*work->segments));
    if (!work->segments)
        return MR_ERR_NOMEM;
    int64_t at = shared->start;
    for (size_t i = 0; i < count; i++) {
        json_int_t index, start, end;
        if (json_unpack(json_array_get(list, i), "{s:I,s:I,s:I}", "index", &index, "start", &start, "end", &end) != 0 || index < 0 ||
            index >= UINT32_MAX || start != at || end < start || end > shared->end)
            return refuse(work, "its segments don't follow each other");
        work->segments[i] = (mr_audio_segment){.index = index, .start = start, .end = end};
        at = end;
    }
    shared->segments = work->segments;
    shared->segment_count = count;
    return MR_OK;
}

static mr_status parse_chunk(audio_task *work)
{
    mr_audio_work *shared = &work->work;
    json_int_t origin, start, end;
    int rate, last;
    json_t *segments, *tracks;
    json_error_t error = {.text = "it is missing"};
    const mr_artifact *artifact = work->host->input(work->task, IN_CHUNK, 0);
    work->chunk = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, &error) : NULL;
    if (!work->chunk || json_unpack_ex(work->chunk, &error, 0, "{s:I,s:i,s:I,s:I,s:b,s:o,s:o}", "origin_us", &origin, "sample_rate", &rate, "start",
                                       &start, "end", &end, "last", &last, "segments", &segments, "tracks", &tracks) != 0)
        return refuse(work, error.text);
    if (rate != 48000)
        return refuse(work, "its sample_rate is not 48000");
    if (start < 0 || end < start || end - start > (json_int_t)rate * MAX_CHUNK_SECONDS || end > INT64_MAX / 1000000 || !mr_is_media_time(origin))
        return refuse(work, "its range makes no sense");
    work->origin_us = origin;
    shared->rate = rate;
    shared->start = start;
    shared->end = end;
    shared->last = last;
    shared->samples = -1;
    shared->track = &work->track;
    for (size_t i = 0; i < json_array_size(tracks); i++) {
        json_int_t samples;
        int stream;
        if (json_unpack(json_array_get(tracks, i), "{s:i,s:I}", "stream", &stream, "samples", &samples) == 0 && stream == work->track.stream)
            shared->samples = samples;
    }
    if (shared->samples < 0 || shared->samples > INT64_MAX / 1000000)
        return refuse(work, "it does not name the track");
    return parse_segments(work, segments);
}

/* ---- loudness ---- */

static mr_status gain_of(const audio_task *work, int channels, double *ret_gain, double *ret_ceiling)
{
    mr_loudness loudness = {.channels = channels};
    *ret_gain = 1;
    *ret_ceiling = 0;
    if (work->params->loudness >= 0)
        return MR_OK;
    if (!mr_loudness_find(work->host, work->task, IN_LOUDNESS, work->track.stream, channels, &loudness)) {
        work->host->report(work->task, MR_SEVERITY_ERROR, "loudness", "connect the input 'loudness' to the op transcode.loudness",
                           "the loudness of stream %d was not measured", work->track.stream);
        return MR_ERR_PARAM;
    }
    mr_loudness_gain(&loudness, work->params->loudness, work->params->true_peak, (mr_peaks)work->params->peaks, ret_gain, ret_ceiling);
    return MR_OK;
}

/* ---- work ---- */

static mr_status open_rendition(audio_task *work, int channels)
{
    int64_t bitrate = channels == 1 ? work->params->bitrate / 2 : channels == 6 ? work->params->bitrate * 3 : work->params->bitrate;
    mr_audio_encoder_options options = {.codec = work->params->codec == MR_AUDIO_OPUS ? MR_AUDIO_OPUS : MR_AUDIO_AAC,
                                        .rate = work->work.rate,
                                        .layout = &work->track.layout,
                                        .channels = channels,
                                        .bitrate = bitrate};
    mr_status status = gain_of(work, channels, &options.gain, &options.ceiling);
    if (status == MR_OK)
        status = mr_audio_rendition_open(work->host, work->task, OUT_SEGMENTS, &work->work, &options, &work->renditions[work->rendition_count]);
    if (status == MR_OK)
        work->rendition_count++;
    return status;
}

static mr_status open_reader(audio_task *work)
{
    int frame_size = mr_audio_rendition_frame_size(work->renditions[0]);
    const mr_audio_reader_options options = {.stream = work->track.stream,
                                             .rate = work->work.rate,
                                             .origin_us = work->origin_us,
                                             .track_start_us = work->track.start_us,
                                             .start = mr_audio_rendition_start(work->renditions[0]),
                                             .end = work->work.samples,
                                             .until = work->work.last ? INT64_MAX : work->work.end,
                                             .bounds = mr_media_bounds_read(json_object_get(work->chunk, "bytes")),
                                             .layout = work->track.layout};
    for (int c = 0; c < work->track.layout.nb_channels; c++) {
        work->planes[c] = calloc((size_t)frame_size, sizeof(float));
        if (!work->planes[c])
            return MR_ERR_NOMEM;
    }
    return mr_audio_reader_open(work->host, work->task, work->host->input(work->task, IN_SOURCE, 0), &options, &work->reader);
}

static mr_status encode(audio_task *work)
{
    mr_status status = MR_OK;
    if (mr_audio_rendition_done(work->renditions[0]))
        return MR_OK; /* the track ends before this chunk */
    status = open_reader(work);
    while (status == MR_OK && !mr_audio_rendition_done(work->renditions[0])) {
        status = mr_audio_reader_read(work->reader, work->planes, mr_audio_rendition_frame_size(work->renditions[0]));
        for (int i = 0; i < work->rendition_count && status == MR_OK; i++)
            status = mr_audio_rendition_send(work->renditions[i], work->planes);
        work->host->progress(work->task, mr_audio_rendition_progress(work->renditions[0]));
    }
    return status;
}

static mr_status make(audio_task *work)
{
    int channels[MAX_RENDITIONS];
    mr_status status = mr_audio_track_read(work->host, work->task, work->host->input(work->task, IN_TRACK, 0), &work->track);
    if (status == MR_OK)
        status = parse_chunk(work);
    if (status != MR_OK)
        return status;
    int count = mr_audio_track_renditions(&work->track, work->params->surround == SURROUND_KEEP, channels);
    for (int i = 0; i < count && status == MR_OK; i++)
        status = open_rendition(work, channels[i]);
    return status == MR_OK ? encode(work) : status;
}

static mr_status run_one(const mr_host *host, const mr_batch_task *one)
{
    audio_task work = {.host = host, .task = one->task, .params = one->params};
    mr_status status = make(&work);
    for (int i = 0; i < work.rendition_count; i++)
        mr_audio_rendition_close(work.renditions[i]);
    mr_audio_reader_close(work.reader);
    for (int c = 0; c < MAX_CHANNELS; c++)
        free(work.planes[c]);
    free(work.segments);
    json_decref(work.chunk);
    mr_audio_track_free(&work.track);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, run_one(host, &batch->tasks[i]));
    return MR_OK;
}

const mr_op mr_op_transcode_audio = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "transcode.audio",
    .summary = "encodes a chunk of a sound track as CMAF segments",
    .help = "Every track becomes a rendition with its own layout up to stereo; with more channels, a stereo mix and 5.1 beside it.\n\n"
            "Sound keeps its place on the plan's time line: tracks that start late begin with silence, gaps in the source's time stamps are filled, "
            "overlaps are dropped. Any chunk can be made alone: the encoder is warmed up on what comes before.\n\n"
            "For a wanted loudness, connect the input loudness to transcode.loudness: one factor for the whole track, and a limiter for its peaks.",
    .cpu = 1,
    .memory_mb = 96,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct audio_params),
    .run = run,
    .toolchain = mr_transcode_audio_toolchain,
};
