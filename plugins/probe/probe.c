/* SPDX-License-Identifier: MIT */
/* probe.media: what is in a source, measured rather than believed. The order of work is that of probe_source(), below. */
#include "probe.h"

#include <libavutil/imgutils.h>
#include <millrace/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { IN_SOURCE };
enum { OUT_INFO, OUT_AUDIO_TRACKS, OUT_TEXT_TRACKS };

#define NAME(probe) ((probe)->source->name[0] ? (probe)->source->name : "the source")

static mr_status no_memory(const probe_state *probe)
{
    mr_media_error(probe->host, probe->task, AVERROR(ENOMEM), "probing");
    return MR_ERR_NOMEM;
}

static bool is_picture_track(const AVStream *stream)
{
    return stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
           !(stream->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS));
}

static int64_t pixels(const AVStream *stream)
{
    return (int64_t)stream->codecpar->width * stream->codecpar->height;
}

/* The picture track to show, among those not yet tried: a default one, then the largest, then the first. */
static int choose_video(const AVFormatContext *format, const bool *tried)
{
    int best = -1;
    for (unsigned int i = 0; i < format->nb_streams; i++) {
        const AVStream *stream = format->streams[i];
        if (!is_picture_track(stream) || tried[i])
            continue;
        bool is_default = stream->disposition & AV_DISPOSITION_DEFAULT;
        bool best_default = best >= 0 && (format->streams[best]->disposition & AV_DISPOSITION_DEFAULT);
        if (best < 0 || (is_default && !best_default) || (is_default == best_default && pixels(stream) > pixels(format->streams[best])))
            best = (int)i;
    }
    return best;
}

/* One pass over the packets, with probe->video as the picture track. */
static mr_status pass(probe_state *probe)
{
    bool long_enough = probe->format->duration != AV_NOPTS_VALUE && probe->format->duration > 0;
    const mr_scan_options options = {
        .video = probe->video,
        .max_bytes = long_enough && !probe->params->loudness ? (uint64_t)probe->params->scan_limit : 0, /* an unknown length is found out, always */
        .packet = probe_sample,
        .wants_data = probe_is_sampling,
        .opaque = probe,
    };
    mr_status status = probe_samplers_open(probe);
    if (status == MR_OK)
        status = mr_scan_run(probe->host, probe->task, probe->format, &options, &probe->scan);
    if (status == MR_OK)
        status = probe_samplers_drain(probe);
    return status;
}

static void clear_pass(probe_state *probe)
{
    mr_scan_free(&probe->scan);
    probe_samplers_close(probe);
    mr_media_close(&probe->format);
}

static bool decoded(const probe_state *probe, int stream)
{
    return stream >= 0 && probe->samplers[stream].decoded;
}

/* Is there a picture that is shown at all? An edit list may cut each of them. */
static bool shows_pictures(const mr_scan *scan)
{
    for (size_t i = 0; i < scan->frame_count; i++) {
        if (!(scan->frames[i].flags & MR_FRAME_HIDDEN))
            return true;
    }
    return false;
}

static void warn_left_out(const probe_state *probe, const AVStream *stream, const char *why)
{
    static const char *const words[] = {"picture", "sound", "data", "subtitle"};
    int type = stream->codecpar->codec_type;
    probe->host->report(probe->task, MR_SEVERITY_WARNING, NULL, NULL, "%s track %d (%s) of '%s' is left out: %s",
                        type >= 0 && type < 4 ? words[type] : "the", stream->index, avcodec_get_name(stream->codecpar->codec_id), NAME(probe), why);
}

/* Opens and reads the source until a picture track decodes, or there is none left to try. */
static mr_status find_picture(probe_state *probe)
{
    bool *tried = NULL;
    mr_status status;
    while (true) {
        status = mr_media_open(probe->host, probe->task, probe->source, &probe->format);
        if (status == MR_OK && !tried)
            tried = av_calloc(probe->format->nb_streams + 1, sizeof(*tried));
        if (status == MR_OK && !tried)
            status = no_memory(probe);
        if (status != MR_OK)
            break;
        probe->video = choose_video(probe->format, tried);
        status = pass(probe);
        if (status != MR_OK || probe->video < 0)
            break;
        bool good = decoded(probe, probe->video);
        if (good && shows_pictures(&probe->scan))
            break;
        tried[probe->video] = true;
        warn_left_out(probe, probe->format->streams[probe->video],
                      good ? "none of its pictures is ever shown" : "none of its pictures can be decoded");
        clear_pass(probe);
    }
    av_free(tried);
    return status;
}

/* How many tracks of the same language stand before the list's last one: with it, names and folders of renditions are unique. */
static void set_ordinal(json_t *list)
{
    json_t *last = json_array_get(list, json_array_size(list) - 1);
    const char *language = json_string_value(json_object_get(last, "language"));
    json_int_t ordinal = 0;
    for (size_t i = 0; last && language && i + 1 < json_array_size(list); i++) {
        const char *other = json_string_value(json_object_get(json_array_get(list, i), "language"));
        ordinal += other && strcasecmp(other, language) == 0;
    }
    if (last)
        json_object_set_new(last, "ordinal", json_integer(ordinal));
}

static json_t *audio_tracks(probe_state *probe)
{
    json_t *list = json_array();
    for (unsigned int i = 0; list && i < probe->stream_count; i++) {
        const AVStream *stream = probe->format->streams[i];
        if (stream->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
            continue;
        if (probe->samplers[i].decoded && probe->samplers[i].sample_rate > 0) {
            json_array_append_new(list, probe_describe_audio(probe, stream));
            set_ordinal(list);
        } else
            warn_left_out(probe, stream, probe->scan.tracks[i].packets ? "it can't be decoded" : "it is empty or damaged");
    }
    return list;
}

static bool is_text(const AVStream *stream)
{
    const AVCodecDescriptor *codec = avcodec_descriptor_get(stream->codecpar->codec_id);
    return probe_is_webvtt(stream->codecpar) || (codec && (codec->props & AV_CODEC_PROP_TEXT_SUB));
}

static json_t *text_tracks(const probe_state *probe)
{
    json_t *list = json_array();
    for (unsigned int i = 0; list && i < probe->stream_count; i++) {
        const AVStream *stream = probe->format->streams[i];
        if (stream->codecpar->codec_type != AVMEDIA_TYPE_SUBTITLE)
            continue;
        if (!probe_is_webvtt(stream->codecpar) && !avcodec_find_decoder(stream->codecpar->codec_id)) {
            warn_left_out(probe, stream, "its format is not known");
        } else {
            json_array_append_new(list, probe_describe_text(stream));
            set_ordinal(list);
        }
    }
    return list;
}

static int cover(const AVFormatContext *format)
{
    for (unsigned int i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC)
            return (int)i;
    }
    return -1;
}

/* From the earliest start to the latest end of what can be shown and heard. */
static void set_extent(json_t *info, const json_t *video, const json_t *audio)
{
    int64_t start = INT64_MAX;
    int64_t end = INT64_MIN;
    for (size_t i = 0; i <= json_array_size(audio); i++) {
        const json_t *track = i < json_array_size(audio) ? json_array_get(audio, i) : video;
        if (!track)
            continue;
        int64_t from = json_integer_value(json_object_get(track, "start_us"));
        int64_t to = from + json_integer_value(json_object_get(track, "duration_us"));
        start = from < start ? from : start;
        end = to > end ? to : end;
    }
    json_object_set_new(info, "start_us", json_integer(start));
    json_object_set_new(info, "duration_us", json_integer(end - start));
}

static mr_status check_duration(const probe_state *probe, json_t *info, const json_t *video)
{
    int64_t duration_us = json_integer_value(json_object_get(info, "duration_us"));
    mr_status status = mr_limits_check_duration(probe->host, probe->task, NAME(probe), duration_us);
    if (status != MR_OK)
        return status;
    if (duration_us <= 0 && !video) {
        probe->host->report(probe->task, MR_SEVERITY_ERROR, NULL, NULL, "the sound of '%s' is empty", NAME(probe));
        return MR_ERR_INPUT;
    }
    if (duration_us > 0)
        json_object_set_new(info, "bit_rate", json_integer(av_rescale((int64_t)probe->source->size, 8000000, duration_us)));
    return MR_OK;
}

/* What the packets that were read will decode to: told now, not by a task that has decoded terabytes. */
static mr_status check_decoded(const probe_state *probe)
{
    uint64_t bytes = 0;
    for (unsigned int i = 0; i < probe->stream_count; i++) {
        const track_sample *sample = &probe->samplers[i];
        const mr_scan_track *track = &probe->scan.tracks[i];
        if ((int)i == probe->video) {
            int picture = av_image_get_buffer_size(sample->pixel_format, sample->width, sample->height, 1);
            bytes += picture > 0 ? probe->scan.frame_count * (uint64_t)picture : 0;
        } else if (sample->decoded && track->end_us > track->first_us) {
            double samples = (double)(track->end_us - track->first_us) / 1e6 * sample->sample_rate * sample->layout.nb_channels;
            bytes += (uint64_t)(samples * sizeof(float));
        }
    }
    return mr_limits_check_decoded(probe->host, probe->task, NAME(probe), probe->source->size, bytes);
}

/* Nothing to make a stream of: one sentence that says why. */
static mr_status refuse(const probe_state *probe)
{
    bool pictures = false;
    bool sound = false;
    for (unsigned int i = 0; i < probe->stream_count; i++) {
        pictures = pictures || is_picture_track(probe->format->streams[i]);
        sound = sound || probe->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    const char *why = "has no picture and no sound";
    if (pictures && sound)
        why = "is damaged: neither its picture nor its sound can be decoded";
    else if (pictures)
        why = "is damaged: none of its pictures can be decoded";
    else if (sound)
        why = "is damaged: none of its sound can be decoded";
    probe->host->report(probe->task, MR_SEVERITY_ERROR, NULL, pictures || sound ? "copy or upload it again" : "give a file that has one of them",
                        "'%s' %s", NAME(probe), why);
    return MR_ERR_INPUT;
}

static mr_status emit_json(const probe_state *probe, uint32_t port, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    mr_status status = text ? probe->host->emit(probe->task, port, text, NULL) : no_memory(probe);
    free(text);
    return status;
}

/* Without what only the end of the source tells: so that it is the same, whatever follows. */
static mr_status emit_track(const probe_state *probe, const json_t *track)
{
    static const char *const of_the_whole[] = {"duration_us", "bit_rate", "loudness"};
    json_t *steady = json_copy((json_t *)track);
    for (size_t i = 0; i < sizeof(of_the_whole) / sizeof(of_the_whole[0]); i++)
        json_object_del(steady, of_the_whole[i]);
    mr_status status = steady ? emit_json(probe, OUT_AUDIO_TRACKS, steady) : no_memory(probe);
    json_decref(steady);
    return status;
}

static mr_status emit_all(const probe_state *probe, const json_t *info)
{
    const json_t *track;
    size_t i;
    mr_status status = emit_json(probe, OUT_INFO, info);
    json_array_foreach(json_object_get(info, "audio"), i, track)
    {
        if (status == MR_OK)
            status = emit_track(probe, track);
    }
    json_array_foreach(json_object_get(info, "text"), i, track)
    {
        int stream = (int)json_integer_value(json_object_get(track, "stream"));
        if (status == MR_OK && is_text(probe->format->streams[stream]))
            status = emit_json(probe, OUT_TEXT_TRACKS, track);
    }
    return status;
}

static mr_status describe(probe_state *probe, json_t *info)
{
    json_t *video = probe->video >= 0 ? probe_describe_video(probe) : NULL;
    json_t *audio = audio_tracks(probe);
    if (probe->video >= 0 && !video) {
        json_decref(audio);
        return no_memory(probe);
    }
    if (!video && json_array_size(audio) == 0) {
        json_decref(audio);
        return refuse(probe);
    }
    set_extent(info, video, audio);
    mr_status status = check_duration(probe, info, video);
    if (status == MR_OK)
        status = check_decoded(probe);
    json_object_set_new(info, "container", json_string(probe->format->iformat->name));
    json_object_set_new(info, "size", json_integer((json_int_t)probe->source->size));
    if (video)
        json_object_set_new(info, "video", video);
    json_object_set_new(info, "audio", audio);
    json_object_set_new(info, "text", text_tracks(probe));
    json_object_set_new(info, "chapters", probe_chapters(probe->format));
    json_object_set_new(info, "tags", probe_tags(probe->format->metadata));
    int picture = cover(probe->format);
    if (picture >= 0)
        json_object_set_new(info, "cover", json_pack("{s:i}", "stream", picture));
    return status;
}

static mr_status probe_source(probe_state *probe)
{
    mr_status status = find_picture(probe);
    json_t *info = status == MR_OK ? json_object() : NULL;
    if (status == MR_OK)
        status = info ? describe(probe, info) : no_memory(probe);
    if (status == MR_OK)
        status = emit_all(probe, info);
    json_decref(info);
    clear_pass(probe);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const mr_batch_task *task = &batch->tasks[i];
        probe_state probe = {.host = host, .task = task->task, .params = task->params, .video = -1};
        probe.source = host->input(task->task, IN_SOURCE, 0);
        host->finish(task->task, probe.source ? probe_source(&probe) : MR_ERR_INTERNAL);
    }
    return MR_OK;
}

static const char *toolchain(void)
{
    return "libavformat " AV_STRINGIFY(LIBAVFORMAT_VERSION) ", libavcodec " AV_STRINGIFY(LIBAVCODEC_VERSION);
}

static const mr_port inputs[] = {
    {"source", MR_TYPE_MEDIA, 0, "the file to look into"},
    {0},
};

static const mr_port outputs[] = {
    {"info", MR_TYPE_JSON, 0, "everything that is known of the source"},
    {"audio_tracks", MR_TYPE_JSON, MR_PORT_MANY | MR_PORT_OPTIONAL, "one item of info.audio each, without duration_us, bit_rate and loudness"},
    {"text_tracks", MR_TYPE_JSON, MR_PORT_MANY | MR_PORT_OPTIONAL, "one item of info.text each, without bitmap subtitles"},
    {0},
};

static const mr_param params[] = {
    MR_BOOL(probe_params, loudness, .standard = "false",
            .help = "measure each track's integrated loudness and true peak (EBU R 128): decodes all sound"),
    MR_SIZE(probe_params, scan_limit, .standard = "256MiB", .min = "1MiB",
            .help = "how far into a source packets are read; beyond, the header is believed where it says how long the source is"),
    MR_PARAM_END,
};

static const mr_op probe_media = {
    .size = sizeof(mr_op),
    .version = 4,
    .name = "probe.media",
    .summary = "finds out what is in a media file",
    .help = "Reads the source's packets and decodes the beginning of each track, so that what is said is what is there: true start and length, frame "
            "rate "
            "and whether it varies, orientation, shape of pixels, interlacing, colours and HDR, languages, channels, chapters.\n\n"
            "A track that can't be decoded is left out with a warning, as long as there is a picture or sound left.",
    .cpu = 1,
    .memory_mb = 512,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(probe_params),
    .run = run,
    .toolchain = toolchain,
};

static const mr_op *const ops[] = {&probe_media, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "probe",
    .version = "0.1.0",
    .summary = "looks into media files",
    .licence = "MIT",
    .ops = ops,
};
