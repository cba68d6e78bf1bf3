/* SPDX-License-Identifier: MIT */
/*
 * transcode.subtitles: one text track as WebVTT, cut where the plan cuts. A cue is repeated in each segment that it touches, so that a player that
 * starts anywhere shows it (RFC 8216 §3.5); the whole is one file for DASH.
 */
#include "media/chunk.h"
#include "subtitles_cues.h"
#include "track_name.h"
#include "transcode.h"

#include <inttypes.h>
#include <jansson.h>
#include <libavutil/mathematics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_TRACK, IN_SOURCE, IN_PLAN };
enum { OUT_SEGMENTS };
enum { MAX_SEGMENTS = 1000000, TIMESCALE = 1000 };
enum { MAX_REPEATED = 64 << 20 }; /* bytes of cues that go on from the segment before: thousands of cues that never end would fill a disk */

static const mr_port inputs[] = {
    [IN_TRACK] = {"track", MR_TYPE_JSON, 0, "the text track, from probe.media's text_tracks"},
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    [IN_PLAN] = {"plan", MR_TYPE_JSON, 0, "the plan, from segment.plan: where segments begin"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_SEGMENTS] = {"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "an init without content, WebVTT segments, and the whole"},
    {0},
};

typedef struct subtitles_task {
    const mr_host *host;
    mr_task *task;
    json_t *track;
    json_t *plan;
    int stream;
    int ordinal;
    int standard;
    int forced;
    const char *language;
    const char *title;
    int64_t origin_us;
    int64_t duration_us;
    int64_t *edges_ms; /* where segments begin, and the last one's end */
    size_t segment_count;
    char folder[MR_TRACK_FOLDER];
    mr_cues cues;
    size_t repeated; /* bytes, so far */
} subtitles_task;

static mr_status refuse(const subtitles_task *work, const char *what, const char *why)
{
    work->host->report(work->task, MR_SEVERITY_ERROR, NULL, NULL, "the %s can't be used: %s", what, why);
    return MR_ERR_INPUT;
}

static json_t *load(const subtitles_task *work, uint32_t port, json_error_t *error)
{
    const mr_artifact *artifact = work->host->input(work->task, port, 0);
    *error = (json_error_t){.text = "it is missing"};
    return artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, error) : NULL;
}

static mr_status parse_track(subtitles_task *work)
{
    json_error_t error;
    work->language = "und";
    work->track = load(work, IN_TRACK, &error);
    if (!work->track || json_unpack_ex(work->track, &error, 0, "{s:i,s?s,s?s,s?b,s?b,s?i}", "stream", &work->stream, "language", &work->language,
                                       "title", &work->title, "default", &work->standard, "forced", &work->forced, "ordinal", &work->ordinal) != 0)
        return refuse(work, "track", error.text);
    mr_track_folder("text", work->language, "", work->ordinal, work->stream, work->folder);
    return MR_OK;
}

/* Segments of frames: [first frame, frames]. *ret_count: how many there are; the sound may have more. */
static mr_status video_edges(subtitles_task *work, json_t *video, size_t *ret_count)
{
    json_int_t timescale, ticks;
    json_t *segments;
    json_error_t error;
    if (json_unpack_ex(video, &error, 0, "{s:I,s:I,s:o}", "timescale", &timescale, "frame_ticks", &ticks, "segments", &segments) != 0)
        return refuse(work, "plan", error.text);
    *ret_count = json_array_size(segments);
    if (timescale <= 0 || timescale > INT32_MAX || ticks <= 0 || ticks > INT32_MAX || *ret_count > work->segment_count)
        return refuse(work, "plan", "its picture segments make no sense");
    for (size_t i = 0; i < *ret_count; i++) {
        json_int_t first, frames;
        if (json_unpack(json_array_get(segments, i), "[I,I]", &first, &frames) != 0 || first < 0 || frames < 0 || first > INT32_MAX ||
            frames > INT32_MAX)
            return refuse(work, "plan", "its picture segments make no sense");
        work->edges_ms[i] = av_rescale(first * ticks, TIMESCALE, timescale);
        work->edges_ms[i + 1] = av_rescale((first + frames) * ticks, TIMESCALE, timescale);
    }
    return MR_OK;
}

/* Segments of samples: [first sample, end sample). From segment 'done' on: those before follow the picture. */
static mr_status audio_edges(subtitles_task *work, json_t *audio, size_t done)
{
    json_int_t rate;
    json_t *segments;
    json_error_t error;
    if (json_unpack_ex(audio, &error, 0, "{s:I,s:o}", "sample_rate", &rate, "segments", &segments) != 0)
        return refuse(work, "plan", error.text);
    if (rate <= 0 || rate > INT32_MAX || json_array_size(segments) != work->segment_count)
        return refuse(work, "plan", "its sound segments make no sense");
    for (size_t i = done; i < work->segment_count; i++) {
        json_int_t start, end;
        if (json_unpack(json_array_get(segments, i), "[I,I]", &start, &end) != 0 || start < 0 || end < 0)
            return refuse(work, "plan", "its sound segments make no sense");
        if (i == 0)
            work->edges_ms[0] = av_rescale(start, TIMESCALE, rate);
        work->edges_ms[i + 1] = av_rescale(end, TIMESCALE, rate);
    }
    return MR_OK;
}

static mr_status parse_plan(subtitles_task *work)
{
    json_int_t origin, duration, count;
    json_t *video = NULL;
    json_t *audio = NULL;
    json_error_t error;
    work->plan = load(work, IN_PLAN, &error);
    if (!work->plan || json_unpack_ex(work->plan, &error, 0, "{s:I,s:I,s:I,s?o,s?o}", "origin_us", &origin, "duration_us", &duration, "segments",
                                      &count, "video", &video, "audio", &audio) != 0)
        return refuse(work, "plan", error.text);
    if (!mr_is_media_time(origin) || duration < 0 || !mr_is_media_time(duration) || count < 1 || count > MAX_SEGMENTS || (!video && !audio))
        return refuse(work, "plan", "it has no segments, or impossible times");
    work->origin_us = origin;
    work->duration_us = duration;
    work->segment_count = (size_t)count;
    work->edges_ms = calloc(work->segment_count + 1, sizeof(*work->edges_ms));
    if (!work->edges_ms)
        return MR_ERR_NOMEM;
    size_t done = 0;
    mr_status status = video ? video_edges(work, video, &done) : MR_OK;
    if (status == MR_OK && done < work->segment_count) /* sound that goes on after the picture, or sound alone */
        status = audio ? audio_edges(work, audio, done) : refuse(work, "plan", "it has fewer segments than it says");
    for (size_t i = 0; status == MR_OK && i < work->segment_count; i++) {
        if (work->edges_ms[i + 1] < work->edges_ms[i])
            status = refuse(work, "plan", "its segments run backwards");
    }
    return status;
}

/* ---- writing ---- */

static mr_status emit(const subtitles_task *work, json_t *meta, const char *data, size_t len)
{
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = MR_ERR_NOMEM;
    json_decref(meta);
    if (text)
        status = data ? work->host->emit_bytes(work->task, OUT_SEGMENTS, text, data, len) : work->host->emit(work->task, OUT_SEGMENTS, text, NULL);
    free(text);
    return status;
}

static mr_status emit_init(const subtitles_task *work)
{
    char name[MR_TRACK_NAME];
    mr_track_name(work->title, work->language, "Subtitles", work->ordinal, work->forced ? "forced" : NULL, name);
    return emit(work,
                json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:i,s:s,s:s,s:s,s:b,s:b,s:i}", "role", "init", "kind", "text", "rendition", work->folder, "order",
                          0, "codec", "wvtt", "codec_name", "webvtt", "timescale", TIMESCALE, "ext", "vtt", "language", work->language, "name", name,
                          "default", work->standard, "forced", work->forced, "stream", work->stream),
                NULL, 0);
}

static void write_time(FILE *out, int64_t ms)
{
    fprintf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static void write_cue(FILE *out, const mr_cue *cue)
{
    write_time(out, cue->start_ms);
    fputs(" --> ", out);
    write_time(out, cue->end_ms);
    fprintf(out, "%s%s\n%s\n\n", cue->settings[0] ? " " : "", cue->settings, cue->text);
}

/* Is it due in a segment that begins at from? Where it was shown in the one before, as long as there is room for repetitions. */
static bool is_due(subtitles_task *work, const mr_cue *cue, int64_t from)
{
    if (cue->end_ms <= from)
        return false;
    if (cue->start_ms >= from || from < 0)
        return true;
    if (work->repeated > MAX_REPEATED)
        return false;
    work->repeated += strlen(cue->text) + strlen(cue->settings) + 32;
    if (work->repeated > MAX_REPEATED)
        work->host->report(work->task, MR_SEVERITY_WARNING, NULL, NULL,
                           "stream %d has too many cues at a time: from %" PRId64 " s on they are only in the segment in which they begin",
                           work->stream, from / 1000);
    return true;
}

/* The cues from `first` on that touch [from, to), after a head. */
static mr_status emit_text(subtitles_task *work, json_t *meta, const char *head, size_t first, int64_t from, int64_t to)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) {
        json_decref(meta);
        return MR_ERR_NOMEM;
    }
    fputs(head, out);
    for (size_t i = first; i < work->cues.count && work->cues.items[i].start_ms < to; i++) {
        if (is_due(work, &work->cues.items[i], from))
            write_cue(out, &work->cues.items[i]);
    }
    bool written = !ferror(out);
    written = fclose(out) == 0 && written;
    mr_status status = MR_ERR_NOMEM;
    if (written)
        status = emit(work, meta, text, len);
    else
        json_decref(meta);
    free(text);
    return status;
}

static mr_status emit_segments(subtitles_task *work)
{
    static const char head[] = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n";
    size_t first = 0;
    mr_status status = MR_OK;
    for (size_t i = 0; i < work->segment_count && status == MR_OK; i++) {
        int64_t from = work->edges_ms[i];
        int64_t to = work->edges_ms[i + 1];
        if (work->host->cancelled(work->task))
            return MR_ERR_CANCELLED;
        while (first < work->cues.count && work->cues.items[first].end_ms <= from)
            first++;
        json_t *meta = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:i,s:s}", "role", "media", "kind", "text", "rendition", work->folder, "index",
                                 (json_int_t)i, "start", (json_int_t)from, "duration", (json_int_t)(to - from), "timescale", TIMESCALE, "ext", "vtt");
        status = emit_text(work, meta, head, first, from, to);
        work->host->progress(work->task, (double)(i + 1) / (double)work->segment_count);
    }
    if (status != MR_OK)
        return status;
    return emit_text(work, json_pack("{s:s,s:s,s:s,s:s}", "role", "whole", "kind", "text", "rendition", work->folder, "ext", "vtt"), "WEBVTT\n\n", 0,
                     -1, INT64_MAX);
}

static mr_status run_one(const mr_host *host, const mr_batch_task *one)
{
    subtitles_task work = {.host = host, .task = one->task};
    mr_status status = parse_track(&work);
    if (status == MR_OK)
        status = parse_plan(&work);
    if (status == MR_OK)
        status = mr_cues_read(host, one->task, host->input(one->task, IN_SOURCE, 0), work.stream, work.origin_us, work.duration_us, &work.cues);
    if (status == MR_OK)
        status = emit_init(&work);
    if (status == MR_OK)
        status = emit_segments(&work);
    mr_cues_free(&work.cues);
    free(work.edges_ms);
    json_decref(work.track);
    json_decref(work.plan);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, run_one(host, &batch->tasks[i]));
    return MR_OK;
}

const mr_op mr_op_transcode_subtitles = {
    .size = sizeof(mr_op),
    .version = 2,
    .name = "transcode.subtitles",
    .summary = "turns a text subtitle track into segmented WebVTT",
    .help = "SRT, ASS, mov_text, WebVTT and what else is text. Italics, bold, underline and line breaks are kept, of WebVTT also voices, classes and "
            "settings; "
            "positions and colours of other formats are dropped. Cues are repeated in every segment that they touch.",
    .cpu = 1,
    .memory_mb = 64,
    .inputs = inputs,
    .outputs = outputs,
    .run = run,
    .toolchain = mr_transcode_audio_toolchain,
};
