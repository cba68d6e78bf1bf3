/* SPDX-License-Identifier: MIT */
/*
 * segment.mpegts: the CMAF segments of one rung and of its sound as MPEG-TS, for players that know nothing else. The packets are the same; a segment
 * is what the picture's segment of that number holds, with the sound's of that number. Sound that goes on after the last picture is in the last.
 */
#include "segment.h"

#include <jansson.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fragment.h"
#include "media/input.h"
#include "transport.h"

#define CLOCK        90000
#define MAX_SEGMENTS 250000
#define BITRATE_MAX  (INT64_C(1) << 40)
#define TIME_MAX     (INT64_C(1) << 40) /* samples or frames: more than a plan can have */
#define OVERHEAD     8                  /* percent that the transport adds at most, to small rungs */

enum { IN_VIDEO, IN_AUDIO, IN_PLAN, IN_RUNG };
enum { OUT_SEGMENTS };

typedef struct ts_item {
    const mr_artifact *artifact; /* NULL: not come */
} ts_item;

/* One rendition among the inputs. */
typedef struct ts_track {
    const mr_artifact *init;
    json_t *meta;   /* of init */
    ts_item *media; /* by index */
    size_t count;
} ts_track;

typedef struct ts_state {
    const mr_host *host;
    mr_task *task;
    json_t *plan;
    json_t *rung; /* NULL: not connected */
    ts_track video, audio;
    const char *rendition; /* name of what is made */
    mr_transport *transport;
    bool begun; /* its tracks are known */
} ts_state;

/* The packets of one track that go into one piece, in order. */
typedef struct ts_queue {
    const ts_track *track;
    size_t next, end; /* media segments not opened yet */
    segment_fragment *open;
    AVPacket *packet; /* the next one */
    AVRational time_base;
    bool has_packet;
} ts_queue;

static mr_status refuse(const ts_state *ts, mr_status status, const char *hint, const char *what)
{
    ts->host->report(ts->task, MR_SEVERITY_ERROR, NULL, hint, "%s", what);
    return status;
}

static mr_status no_memory(const ts_state *ts)
{
    return mr_media_error(ts->host, ts->task, AVERROR(ENOMEM), "MPEG-TS");
}

static json_t *meta_of(const mr_artifact *artifact)
{
    return json_loadb(artifact->meta, artifact->meta_len, 0, NULL);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

/* The init segment of the rendition that is wanted: for pictures that of the rung, for sound the first in AAC with two channels or one. */
static bool is_wanted(const ts_state *ts, const json_t *meta, uint32_t port)
{
    char name[128];
    if (strcmp(text(meta, "role"), "init") != 0)
        return false;
    if (port == IN_AUDIO)
        return strcmp(text(meta, "kind"), "audio") == 0 && strcmp(text(meta, "codec_name"), "aac") == 0 &&
               json_integer_value(json_object_get(meta, "channels")) <= 2;
    snprintf(name, sizeof(name), "video/%s", text(ts->rung, "id"));
    return strcmp(text(meta, "kind"), "video") == 0 && (!ts->rung || strcmp(text(meta, "rendition"), name) == 0);
}

static mr_status add_media(const ts_state *ts, ts_track *track, const mr_artifact *item, const json_t *meta)
{
    json_int_t index = json_integer_value(json_object_get(meta, "index"));
    if (index < 0 || index >= MAX_SEGMENTS)
        return refuse(ts, MR_ERR_LIMIT, NULL, "a segment's index is out of range");
    if ((size_t)index >= track->count) {
        ts_item *grown = av_realloc_array(track->media, (size_t)index + 1, sizeof(*grown));
        if (!grown)
            return no_memory(ts);
        memset(grown + track->count, 0, ((size_t)index + 1 - track->count) * sizeof(*grown));
        track->media = grown;
        track->count = (size_t)index + 1;
    }
    track->media[index].artifact = item;
    return MR_OK;
}

/* Sorts the items of a port: the wanted rendition's init, and its media segments. */
static mr_status find_track(ts_state *ts, uint32_t port, ts_track *track)
{
    mr_status status = MR_OK;
    for (size_t i = 0; status == MR_OK; i++) {
        const mr_artifact *item = ts->host->input(ts->task, port, i);
        json_t *meta = item ? meta_of(item) : NULL;
        if (!item)
            break;
        if (!track->init && is_wanted(ts, meta, port)) {
            track->init = item;
            track->meta = json_incref(meta);
        } else if (track->init && strcmp(text(meta, "role"), "media") == 0 && strcmp(text(meta, "rendition"), text(track->meta, "rendition")) == 0) {
            status = add_media(ts, track, item, meta);
        }
        json_decref(meta);
    }
    for (size_t i = 0; status == MR_OK && i < track->count; i++) {
        if (!track->media[i].artifact)
            status = refuse(ts, MR_ERR_INPUT, NULL, "a segment is missing in the middle of a rendition");
    }
    return status;
}

static mr_status read_inputs(ts_state *ts)
{
    const mr_artifact *plan = ts->host->input(ts->task, IN_PLAN, 0);
    const mr_artifact *rung = ts->host->input(ts->task, IN_RUNG, 0);
    ts->plan = plan ? meta_of(plan) : NULL;
    ts->rung = rung ? meta_of(rung) : NULL;
    if (!json_is_object(ts->plan) || (rung && !json_is_object(ts->rung)))
        return refuse(ts, MR_ERR_INPUT, "connect segment.plan's plan", "plan or rung is not what it should be");
    mr_status status = find_track(ts, IN_VIDEO, &ts->video);
    if (status == MR_OK)
        status = find_track(ts, IN_AUDIO, &ts->audio);
    if (status != MR_OK)
        return status;
    if (ts->video.count == 0 && (ts->rung || ts->audio.count == 0))
        return refuse(ts, MR_ERR_INPUT, NULL, ts->rung ? "there are no segments of this rung" : "there is nothing to put into MPEG-TS");
    const char *codec = text(ts->video.meta, "codec_name");
    if (ts->video.meta && strcmp(codec, "h264") != 0 && strcmp(codec, "hevc") != 0)
        return refuse(ts, MR_ERR_INPUT, "use codec h264", "MPEG-TS carries H.264 and HEVC only");
    ts->rendition = ts->rung ? text(ts->rung, "id") : ts->video.meta ? "video" : "audio";
    return MR_OK;
}

static mr_status advance(const ts_state *ts, ts_queue *queue)
{
    mr_status status = MR_END;
    queue->has_packet = false;
    while (status == MR_END) {
        if (!queue->open) {
            if (queue->next == queue->end)
                return MR_OK;
            status = fragment_open(ts->host, ts->task, queue->track->init, queue->track->media[queue->next++].artifact, &queue->open);
            if (status != MR_OK)
                return status;
            queue->time_base = fragment_stream(queue->open)->time_base;
        }
        status = fragment_read(queue->open, queue->packet);
        if (status == MR_END) {
            fragment_close(queue->open);
            queue->open = NULL;
        }
    }
    queue->has_packet = status == MR_OK;
    return status;
}

static bool comes_first(const ts_queue *queue, const ts_queue *other)
{
    if (!queue->has_packet || !other->has_packet)
        return queue->has_packet;
    return av_compare_ts(queue->packet->dts, queue->time_base, other->packet->dts, other->time_base) <= 0;
}

static mr_status begin(ts_state *ts, const ts_queue *queues, int count)
{
    mr_status status = mr_transport_new(ts->host, ts->task, &ts->transport);
    for (int i = 0; status == MR_OK && i < count; i++)
        status = mr_transport_add(ts->transport, fragment_stream(queues[i].open)->codecpar);
    ts->begun = status == MR_OK;
    return status;
}

/* Writes the packets of all queues by decoding time. */
static mr_status merge(ts_state *ts, ts_queue *queues, int count)
{
    mr_status status = MR_OK;
    for (int i = 0; status == MR_OK && i < count; i++)
        status = advance(ts, &queues[i]);
    if (status == MR_OK && !ts->begun) {
        for (int i = 0; i < count; i++) {
            if (!queues[i].open)
                return refuse(ts, MR_ERR_INPUT, NULL, "the first segment of a rendition is empty");
        }
        status = begin(ts, queues, count);
    }
    while (status == MR_OK) {
        int first = count > 1 && !comes_first(&queues[0], &queues[1]) ? 1 : 0;
        if (!queues[first].has_packet)
            break;
        if (ts->host->cancelled(ts->task))
            return MR_ERR_CANCELLED;
        status = mr_transport_write(ts->transport, first, queues[first].packet, queues[first].time_base);
        if (status == MR_OK)
            status = advance(ts, &queues[first]);
    }
    return status;
}

/* Start and length of segment n, in ticks of the clock. False: the plan does not say. */
static bool place(const ts_state *ts, size_t n, bool last, int64_t *ret_start, int64_t *ret_duration)
{
    bool pictures = ts->video.count > 0;
    const json_t *part = json_object_get(ts->plan, pictures ? "video" : "audio");
    const json_t *entry = json_array_get(json_object_get(part, "segments"), n);
    int64_t start = json_integer_value(json_array_get(entry, 0));
    int64_t second = json_integer_value(json_array_get(entry, 1));
    int64_t end = pictures ? start + second : second;
    AVRational unit = {1, 48000};
    if (pictures) {
        const json_t *fps = json_object_get(part, "fps");
        unit = (AVRational){(int)json_integer_value(json_array_get(fps, 1)), (int)json_integer_value(json_array_get(fps, 0))};
    }
    if (unit.num < 1 || unit.den < 1 || start < 0 || start > TIME_MAX || second < 0 || second > TIME_MAX || end < start)
        return false;
    AVRational clock = {1, CLOCK};
    *ret_start = av_rescale_q(start, unit, clock);
    int64_t until = av_rescale_q(end, unit, clock);
    if (last && ts->audio.count > 0) {
        int64_t sound = av_rescale(json_integer_value(json_object_get(json_object_get(ts->plan, "audio"), "samples")), CLOCK, 48000);
        until = sound > until ? sound : until;
    }
    *ret_duration = until - *ret_start;
    return true;
}

static mr_status emit_piece(ts_state *ts, size_t n, size_t count)
{
    uint8_t *data = NULL;
    size_t len = 0;
    int64_t start;
    int64_t duration;
    if (!place(ts, n, n + 1 == count, &start, &duration)) {
        ts->host->report(ts->task, MR_SEVERITY_ERROR, NULL, NULL, "the plan does not say where segment %zu lies", n);
        return MR_ERR_INPUT;
    }
    mr_status status = mr_transport_take(ts->transport, &data, &len);
    json_t *meta = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:i,s:s}", "role", "media", "kind", "muxed", "rendition", ts->rendition, "index",
                             (json_int_t)n, "start", (json_int_t)start, "duration", (json_int_t)duration, "timescale", CLOCK, "ext", "ts");
    char *words = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (status == MR_OK)
        status = words ? ts->host->emit_bytes(ts->task, OUT_SEGMENTS, words, data, len) : no_memory(ts);
    free(words);
    json_decref(meta);
    av_free(data);
    return status;
}

static mr_status make_piece(ts_state *ts, size_t n, size_t count)
{
    bool last = n + 1 == count;
    ts_queue queues[2] = {{.track = &ts->video}, {.track = &ts->audio}};
    int used = 0;
    mr_status status = MR_OK;
    for (int i = 0; i < 2; i++) {
        const ts_track *track = queues[i].track;
        if (track->count == 0)
            continue;
        queues[used] = (ts_queue){.track = track, .packet = av_packet_alloc()};
        queues[used].next = n < track->count ? n : track->count;
        queues[used].end = last ? track->count : queues[used].next + (n < track->count ? 1 : 0);
        if (!queues[used].packet)
            status = no_memory(ts);
        used++;
    }
    if (status == MR_OK)
        status = merge(ts, queues, used);
    for (int i = 0; i < used; i++) {
        fragment_close(queues[i].open);
        av_packet_free(&queues[i].packet);
    }
    return status == MR_OK ? emit_piece(ts, n, count) : status;
}

/* Bits per second, within what can be added up. */
static int64_t bitrate_of(const json_t *meta)
{
    const int64_t bitrate = json_integer_value(json_object_get(meta, "max_bitrate"));
    return bitrate < 0 ? 0 : bitrate > BITRATE_MAX ? BITRATE_MAX : bitrate;
}

static mr_status emit_init(const ts_state *ts)
{
    char codec[160];
    const json_t *video = ts->video.meta;
    const json_t *audio = ts->audio.meta;
    bool both = video && audio;
    int64_t bitrate = bitrate_of(video) + bitrate_of(audio);
    bitrate += bitrate * OVERHEAD / 100;
    json_int_t order = json_integer_value(json_object_get(ts->rung, "index"));
    static const char *const copied[] = {"width", "height", "fps", "video_range", NULL};
    snprintf(codec, sizeof(codec), "%s%s%s", text(video, "codec"), both ? "," : "", text(audio, "codec"));
    json_t *meta = json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:i,s:s,s:I}", "role", "init", "kind", "muxed", "rendition", ts->rendition, "order", order,
                             "codec", codec, "codec_name", text(video ? video : audio, "codec_name"), "timescale", CLOCK, "ext", "ts", "max_bitrate",
                             (json_int_t)bitrate);
    for (size_t i = 0; meta && copied[i]; i++) {
        json_t *value = json_object_get(video, copied[i]);
        if (value)
            json_object_set(meta, copied[i], value);
    }
    char *words = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = words ? ts->host->emit(ts->task, OUT_SEGMENTS, words, NULL) : no_memory(ts);
    free(words);
    json_decref(meta);
    return status;
}

static mr_status make(ts_state *ts)
{
    mr_status status = read_inputs(ts);
    size_t count = ts->video.count > 0 ? ts->video.count : ts->audio.count;
    if (status == MR_OK)
        status = emit_init(ts);
    for (size_t n = 0; status == MR_OK && n < count; n++) {
        ts->host->progress(ts->task, (double)n / (double)count);
        status = make_piece(ts, n, count);
    }
    return status;
}

static void clear_track(ts_track *track)
{
    json_decref(track->meta);
    av_freep(&track->media);
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        ts_state ts = {.host = host, .task = batch->tasks[i].task};
        mr_status status = make(&ts);
        mr_transport_free(ts.transport);
        clear_track(&ts.video);
        clear_track(&ts.audio);
        json_decref(ts.plan);
        json_decref(ts.rung);
        host->finish(batch->tasks[i].task, status);
    }
    return MR_OK;
}

static const char *toolchain(void)
{
    return "libavformat " AV_STRINGIFY(LIBAVFORMAT_VERSION);
}

static const mr_port inputs[] = {
    {"video", MR_TYPE_SEGMENT, MR_PORT_MANY | MR_PORT_OPTIONAL, "CMAF segments of all renditions of the picture"},
    {"audio", MR_TYPE_SEGMENT, MR_PORT_MANY | MR_PORT_OPTIONAL,
     "CMAF segments of the sound; the first rendition in AAC with one or two channels is taken"},
    {"plan", MR_TYPE_JSON, 0, "the plan that they follow"},
    {"rung", MR_TYPE_JSON, MR_PORT_OPTIONAL, "which rendition of the picture; unconnected: the first"},
    {0},
};

static const mr_port outputs[] = {
    {"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "MPEG-TS segments with picture and sound"},
    {0},
};

const mr_op mr_op_segment_mpegts = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "segment.mpegts",
    .summary = "puts CMAF segments into MPEG-TS, for old players",
    .help =
        "Nothing is encoded: the packets are the same. Clocks and counters run on from segment to segment, and each begins with PAT and PMT, so that "
        "players may start at any of them. Times are 1.4 s later than the presentation's.",
    .cpu = 1,
    .memory_mb = 256,
    .inputs = inputs,
    .outputs = outputs,
    .run = run,
    .toolchain = toolchain,
};
