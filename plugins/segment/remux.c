/* SPDX-License-Identifier: MIT */
/*
 * segment.remux: a source that is already fit for streaming becomes segments without being encoded again. The source is read to learn where it can be
 * cut; to cut it, it is read once more, or where its samples are what segments are made of, the engine is told which bytes to move. Segments are as
 * long as keyframes allow, so the plan's segments vary.
 */
#include "remux.h"
#include "remux_index.h"
#include "segment.h"

#include <stdlib.h>

#define MAX_TRACKS 64
#define SOUND_RATE 48000 /* unit of the plan's sound */

enum { IN_SOURCE, IN_INFO };

typedef struct remux_params {
    int64_t segment_duration;
    int64_t max_segment;
} remux_params;

typedef struct remux_state {
    const mr_host *host;
    mr_task *task;
    const mr_artifact *source;
    const remux_params *params;
    json_t *info;
    const json_t *picture;
    int video;
    AVFormatContext *format;
    mr_scan scan;
    frame_grid grid;
    cut_list cuts;
    int64_t *sound_us; /* starts of sound segments, sound_count + 1 */
    size_t sound_count;
    remux_track *tracks[MAX_TRACKS]; /* by stream index */
    unsigned int track_count;
    remux_index index;
} remux_state;

static mr_status no_memory(const remux_state *remux)
{
    mr_media_error(remux->host, remux->task, AVERROR(ENOMEM), "segments without encoding");
    return MR_ERR_NOMEM;
}

static const json_t *sound(const remux_state *remux)
{
    return json_object_get(remux->info, "audio");
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static mr_status read_info(remux_state *remux)
{
    const mr_artifact *info = remux->host->input(remux->task, IN_INFO, 0);
    remux->info = info ? json_loadb(info->meta, info->meta_len, 0, NULL) : NULL;
    remux->picture = json_object_get(remux->info, "video");
    remux->video = remux->picture ? (int)integer(remux->picture, "stream") : -1;
    if (json_is_object(remux->info))
        return MR_OK;
    remux->host->report(remux->task, MR_SEVERITY_ERROR, NULL, "connect probe.media's info", "info is not a description of a source");
    return MR_ERR_INPUT;
}

static const AVStream *stream_at(const remux_state *remux, int64_t index, enum AVMediaType type)
{
    if (index < 0 || index >= (int64_t)remux->format->nb_streams || index >= MAX_TRACKS)
        return NULL;
    const AVStream *stream = remux->format->streams[index];
    return stream->codecpar->codec_type == type ? stream : NULL;
}

/* Is all of it fit for streaming? */
static mr_status check(const remux_state *remux)
{
    const json_t *track;
    size_t i;
    mr_status status = MR_OK;
    bool right = true;
    if (remux->picture) {
        const AVStream *stream = stream_at(remux, remux->video, AVMEDIA_TYPE_VIDEO);
        right = stream != NULL;
        if (stream)
            status = cuts_check_picture(remux->host, remux->task, stream, remux->picture);
    }
    json_array_foreach(sound(remux), i, track)
    {
        const AVStream *stream = stream_at(remux, integer(track, "stream"), AVMEDIA_TYPE_AUDIO);
        right = right && stream;
        if (stream && status == MR_OK)
            status = cuts_check_sound(remux->host, remux->task, stream);
    }
    if (right)
        return status;
    remux->host->report(remux->task, MR_SEVERITY_ERROR, NULL, "connect the info of the same source", "info does not belong to this source");
    return MR_ERR_INPUT;
}

static int64_t sound_start_us(const remux_state *remux)
{
    const json_t *track;
    size_t i;
    int64_t start = INT64_MAX;
    json_array_foreach(sound(remux), i, track) start = integer(track, "start_us") < start ? integer(track, "start_us") : start;
    return start;
}

static int64_t sound_end_us(const remux_state *remux)
{
    const json_t *track;
    size_t i;
    int64_t end = INT64_MIN;
    json_array_foreach(sound(remux), i, track)
    {
        int64_t scanned = remux->scan.tracks[integer(track, "stream")].end_us;
        end = scanned != AV_NOPTS_VALUE && scanned > end ? scanned : end;
    }
    return end;
}

/* Sound is cut where the picture is; what outlasts it goes on in segments of the wanted length. */
static mr_status cut_sound(remux_state *remux)
{
    int64_t end = sound_end_us(remux);
    int64_t target = remux->params->segment_duration;
    if (end <= remux->cuts.origin_us) /* also where there is none */
        return MR_OK;
    end -= remux->cuts.origin_us;
    int64_t last = remux->cuts.start_us[remux->cuts.count - 1];
    size_t room = remux->cuts.count + (end > last ? (size_t)((end - last) / target) : 0) + 2;
    remux->sound_us = av_malloc_array(room, sizeof(*remux->sound_us));
    if (!remux->sound_us)
        return no_memory(remux);
    size_t count = 0;
    for (size_t i = 0; i < remux->cuts.count && remux->cuts.start_us[i] < end; i++)
        remux->sound_us[count++] = remux->cuts.start_us[i];
    for (int64_t at = last + target; count + 1 < room && at + target / 2 < end; at += target)
        remux->sound_us[count++] = at;
    remux->sound_us[count] = end;
    remux->sound_count = count;
    return MR_OK;
}

static mr_status find_cuts(remux_state *remux)
{
    const cuts_options options = {.target_us = remux->params->segment_duration, .most_us = remux->params->max_segment};
    if (!remux->picture && sound_end_us(remux) == INT64_MIN) {
        remux->host->report(remux->task, MR_SEVERITY_ERROR, NULL, NULL, "there is neither a picture track nor sound to cut");
        return MR_ERR_INPUT;
    }
    if (!remux->picture)
        return cuts_even(remux->host, remux->task, sound_start_us(remux), sound_end_us(remux), &options, &remux->cuts);
    const AVStream *stream = remux->format->streams[remux->video];
    const AVRational any = {0, 0};
    if (!grid_list(&remux->scan, stream->time_base, &remux->grid))
        return no_memory(remux);
    if (remux->grid.shown_count == 0) {
        remux->host->report(remux->task, MR_SEVERITY_ERROR, NULL, NULL, "the picture track of the source has no pictures");
        return MR_ERR_INPUT;
    }
    grid_lay_out(&remux->grid, &remux->scan, stream, any, any, sound_start_us(remux));
    return cuts_find(remux->host, remux->task, &remux->grid, &remux->scan, stream->time_base, &options, &remux->cuts);
}

static json_t *video_json(const remux_state *remux)
{
    json_t *segments = json_array();
    const AVRational fps = remux->grid.fps;
    size_t first = remux->cuts.packet[0];
    for (size_t i = 0; segments && i < remux->cuts.count; i++)
        json_array_append_new(segments, json_pack("[I,I]", (json_int_t)(remux->cuts.packet[i] - first),
                                                  (json_int_t)(remux->cuts.packet[i + 1] - remux->cuts.packet[i])));
    return json_pack("{s:i,s:[i,i],s:I,s:I,s:I,s:o}", "stream", remux->video, "fps", fps.num, fps.den, "timescale", (json_int_t)remux->grid.timescale,
                     "frame_ticks", (json_int_t)remux->grid.frame_ticks, "frames", (json_int_t)(remux->cuts.packet[remux->cuts.count] - first),
                     "segments", segments);
}

static json_t *audio_json(const remux_state *remux)
{
    json_t *segments = json_array();
    json_t *tracks = json_array();
    const json_t *track;
    size_t i;
    for (i = 0; i < remux->sound_count; i++)
        json_array_append_new(segments, json_pack("[I,I]", (json_int_t)av_rescale(remux->sound_us[i], SOUND_RATE, 1000000),
                                                  (json_int_t)av_rescale(remux->sound_us[i + 1], SOUND_RATE, 1000000)));
    json_array_foreach(sound(remux), i, track)
    {
        int64_t end_us = remux->scan.tracks[integer(track, "stream")].end_us - remux->cuts.origin_us;
        json_array_append_new(tracks, json_pack("{s:I,s:I}", "stream", (json_int_t)integer(track, "stream"), "samples",
                                                (json_int_t)av_rescale(end_us, SOUND_RATE, 1000000)));
    }
    return json_pack("{s:i,s:I,s:o,s:o}", "sample_rate", SOUND_RATE, "samples",
                     (json_int_t)av_rescale(remux->sound_us[remux->sound_count], SOUND_RATE, 1000000), "segments", segments, "tracks", tracks);
}

static mr_status emit_plan(const remux_state *remux)
{
    int64_t end_us = remux->picture ? remux->cuts.start_us[remux->cuts.count] : 0;
    size_t count = remux->picture && remux->cuts.count > remux->sound_count ? remux->cuts.count : remux->sound_count;
    if (remux->sound_count && remux->sound_us[remux->sound_count] > end_us)
        end_us = remux->sound_us[remux->sound_count];
    json_t *plan = json_pack("{s:I,s:I,s:I,s:I}", "origin_us", (json_int_t)remux->cuts.origin_us, "duration_us", (json_int_t)end_us, "segment_us",
                             (json_int_t)remux->params->segment_duration, "segments", (json_int_t)count);
    if (plan && remux->picture)
        json_object_set_new(plan, "video", video_json(remux));
    if (plan && remux->sound_count)
        json_object_set_new(plan, "audio", audio_json(remux));
    char *words = plan ? json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = words ? remux->host->emit(remux->task, REMUX_OUT_PLAN, words, NULL) : no_memory(remux);
    free(words);
    json_decref(plan);
    return status;
}

static mr_status open_tracks(remux_state *remux)
{
    const json_t *track;
    size_t i;
    mr_status status = MR_OK;
    remux->track_count = remux->format->nb_streams < MAX_TRACKS ? remux->format->nb_streams : MAX_TRACKS;
    for (unsigned int k = 0; k < remux->format->nb_streams; k++)
        remux->format->streams[k]->discard = AVDISCARD_ALL;
    remux_track_options options = {.origin_us = remux->cuts.origin_us, .fps = remux->grid.fps};
    options.source = remux->index.unfit ? NULL : remux->source;
    if (remux->picture) {
        options.stream = remux->format->streams[remux->video];
        options.info = remux->picture;
        options.packet = remux->cuts.packet;
        options.start_us = remux->cuts.start_us;
        options.bound_count = remux->cuts.count;
        options.max_bitrate = remux->cuts.peak_bits + remux->cuts.peak_bits / 50; /* and what the boxes take */
        remux->format->streams[remux->video]->discard = AVDISCARD_DEFAULT;
        status = remux_track_open(remux->host, remux->task, &options, &remux->tracks[remux->video]);
    }
    options.packet = NULL;
    options.start_us = remux->sound_us;
    options.bound_count = remux->sound_count;
    json_array_foreach(sound(remux), i, track)
    {
        int64_t stream = integer(track, "stream");
        options.stream = remux->format->streams[stream];
        options.info = track;
        options.order = (int)i;
        options.max_bitrate = integer(track, "bit_rate") + integer(track, "bit_rate") / 4;
        remux->format->streams[stream]->discard = AVDISCARD_DEFAULT;
        if (status == MR_OK && !remux->tracks[stream])
            status = remux_track_open(remux->host, remux->task, &options, &remux->tracks[stream]);
    }
    return status;
}

/* The next packet, from the list or from the source. MR_END: that was all. */
static mr_status next_packet(remux_state *remux, size_t *at, AVPacket *packet)
{
    int64_t size = avio_size(remux->format->pb);
    mr_status status = MR_OK;
    if (remux->host->cancelled(remux->task))
        return MR_ERR_CANCELLED;
    if (remux->index.unfit)
        status = mr_media_read(remux->format, packet);
    else if (*at < remux->index.count)
        remux_index_packet(&remux->index, (*at)++, packet);
    else
        status = MR_END;
    int64_t reached = remux->index.unfit ? avio_tell(remux->format->pb) : packet->pos;
    if (status == MR_OK)
        remux->host->progress(remux->task, size > 0 && reached > 0 ? 0.5 + 0.5 * (double)reached / (double)size : 0.5);
    return status;
}

static mr_status cut(remux_state *remux)
{
    size_t at = 0;
    AVPacket *packet = av_packet_alloc();
    mr_status status = packet ? MR_OK : no_memory(remux);
    while (status == MR_OK && (status = next_packet(remux, &at, packet)) == MR_OK) {
        if (packet->stream_index >= 0 && (unsigned int)packet->stream_index < remux->track_count && remux->tracks[packet->stream_index])
            status = remux_track_write(remux->tracks[packet->stream_index], packet);
    }
    for (unsigned int i = 0; status == MR_END && i < remux->track_count; i++) {
        mr_status ended = remux->tracks[i] ? remux_track_write(remux->tracks[i], NULL) : MR_OK;
        status = ended == MR_OK ? status : ended;
    }
    av_packet_free(&packet);
    return status == MR_END ? MR_OK : status;
}

static bool wants_data(void *opaque)
{
    (void)opaque;
    return true;
}

static mr_status scan(remux_state *remux, bool by_tables)
{
    const mr_scan_options options = {.video = remux->video,
                                     .packet = remux_index_add,
                                     .wants_data = by_tables ? NULL : wants_data,
                                     .opaque = &remux->index,
                                     .each_key = by_tables};
    mr_scan_free(&remux->scan);
    remux_index_free(&remux->index);
    remux_index_open(&remux->index, remux->host, remux->task, remux->format);
    return mr_scan_run(remux->host, remux->task, remux->format, &options, &remux->scan);
}

static mr_status reopen(remux_state *remux)
{
    mr_media_close(&remux->format);
    return mr_media_open(remux->host, remux->task, remux->source, &remux->format);
}

/* Are there keyframes enough for segments that are not too long? */
static bool has_keys(const remux_state *remux)
{
    const mr_scan *scan = &remux->scan;
    const AVRational tick = remux->video >= 0 ? remux->format->streams[remux->video]->time_base : AV_TIME_BASE_Q;
    const int64_t most = av_rescale_q(remux->params->max_segment, AV_TIME_BASE_Q, tick);
    int64_t last = scan->frame_count > 0 ? scan->frames[0].pts : 0;
    for (size_t i = 0; i < scan->frame_count; i++) {
        if (scan->frames[i].pts - last > most)
            return false;
        if ((scan->frames[i].flags & MR_FRAME_KEY) && !(scan->frames[i].flags & MR_FRAME_GRADUAL))
            last = scan->frames[i].pts;
    }
    return true;
}

/*
 * A cut is right only where the packet itself is a keyframe, whatever the tables say: those that they list are looked at. All packets are, where one
 * of them is none, or where more keyframes than they list are needed.
 */
static mr_status look(remux_state *remux)
{
    mr_status status = scan(remux, true);
    if (status != MR_OK || (!remux->scan.belied && has_keys(remux)))
        return status;
    status = reopen(remux);
    return status == MR_OK ? scan(remux, false) : status;
}

static mr_status make(remux_state *remux)
{
    mr_status status = read_info(remux);
    if (status == MR_OK)
        status = mr_media_open(remux->host, remux->task, remux->source, &remux->format);
    if (status == MR_OK)
        status = check(remux);
    if (status == MR_OK)
        status = look(remux);
    if (status == MR_OK)
        status = grid_check_clock(remux->format, &remux->scan);
    if (status == MR_OK)
        status = find_cuts(remux);
    if (status == MR_OK)
        status = cut_sound(remux);
    if (status == MR_OK)
        status = emit_plan(remux);
    if (status == MR_OK && remux->index.unfit)
        status = reopen(remux);
    if (status == MR_OK)
        status = open_tracks(remux);
    return status == MR_OK ? cut(remux) : status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const mr_batch_task *task = &batch->tasks[i];
        remux_state remux = {.host = host, .task = task->task, .params = task->params, .video = -1};
        remux.source = host->input(task->task, IN_SOURCE, 0);
        mr_status status = remux.source ? make(&remux) : MR_ERR_INTERNAL;
        for (unsigned int k = 0; k < MAX_TRACKS; k++)
            remux_track_close(remux.tracks[k]);
        mr_scan_free(&remux.scan);
        remux_index_free(&remux.index);
        grid_free(&remux.grid);
        cuts_free(&remux.cuts);
        av_free(remux.sound_us);
        mr_media_close(&remux.format);
        json_decref(remux.info);
        host->finish(task->task, status);
    }
    return MR_OK;
}

static const char *toolchain(void)
{
    return "libavformat " AV_STRINGIFY(LIBAVFORMAT_VERSION) ", libavcodec " AV_STRINGIFY(LIBAVCODEC_VERSION);
}

static const mr_port inputs[] = {
    {"source", MR_TYPE_MEDIA, 0, "the file to cut"},
    {"info", MR_TYPE_JSON, 0, "what probe.media found in it"},
    {0},
};

static const mr_port outputs[] = {
    [REMUX_OUT_PLAN] = {"plan", MR_TYPE_JSON, 0, "the segments of all tracks"},
    [REMUX_OUT_SEGMENTS] = {"segments", MR_TYPE_SEGMENT, MR_PORT_MANY, "init and media segments of the picture and of each sound track"},
    {0},
};

static const mr_param params[] = {
    MR_DURATION(remux_params, segment_duration, .standard = "4s", .min = "500ms", .max = "60s",
                .help = "wanted length of a segment; keyframes decide"),
    MR_DURATION(remux_params, max_segment, .standard = "12s", .min = "1s", .max = "120s",
                .help = "longest segment; a source with keyframes further apart is refused"),
    MR_PARAM_END,
};

const mr_op mr_op_segment_remux = {
    .size = sizeof(mr_op),
    .version = 2,
    .name = "segment.remux",
    .summary = "cuts a source into segments without encoding it",
    .help = "For sources that are fit for streaming as they are: H.264, HEVC, AV1 or VP9 in 4:2:0 and upright, sound in AAC, Opus, MP3 or FLAC, "
            "and keyframes near enough to each other. Segments begin at keyframes that nothing after them looks behind.\n\n"
            "A source that is not fit is refused with the reason.",
    .cpu = 1,
    .memory_mb = 512,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(remux_params),
    .run = run,
    .toolchain = toolchain,
};
