/* SPDX-License-Identifier: MIT */
/*
 * transcode.file: a whole source as one MP4, H.264 and AAC, for where a stream is not what is wanted. One task, one thread: pictures and sound are
 * encoded in turn, whichever is behind.
 */
#include "audio_encoder.h"
#include "audio_loudness.h"
#include "audio_reader.h"
#include "file_fit.h"
#include "file_mux.h"
#include "file_parts.h"
#include "media/encode.h"
#include "media/rate.h"
#include "transcode.h"
#include "video.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { IN_SOURCE, IN_INFO, IN_LOUDNESS, IN_CUTS };
enum { OUT_FILE };
enum { AUDIO_RATE = 48000, MAX_CHANNELS = 64, MAX_FRAMES = 1 << 20, GOP_SECONDS = 4 };

#define MAX_DURATION_US INT64_C(604800000000) /* the most that limits.duration can be set to */

struct file_params {
    int64_t width;
    int64_t height;
    int32_t fit;
    mr_filters filters;
    mr_ratio max_fps;
    double quality;
    int32_t preset;
    int64_t audio_bitrate;
    double loudness;
    double true_peak;
    int32_t peaks;
    int64_t max_duration;
    const char *path;
};

static const char *const fits[] = {"crop", "pad", "scale", NULL};

static const mr_param params[] = {
    MR_INT(struct file_params, width, .standard = "0", .min = "0", .max = "8192",
           .help = "of the picture, in pixels; 0: follows from the height, or as it is"),
    MR_INT(struct file_params, height, .standard = "0", .min = "0", .max = "8192",
           .help = "of the picture, in pixels; 0: follows from the width, or as it is"),
    MR_CHOICE(struct file_params, fit, .standard = "crop", .choices = fits,
              .help = "a picture of another shape: crop keeps its middle, pad adds bars, scale keeps its shape inside width and height"),
    MR_FILTERS(struct file_params, filters, .flags = MR_PARAM_WHOLE,
               .help = "for the upright picture, before it is scaled: chains of libavfilter, and {use: NAME, with: {…}} for the filters of plugins, "
                       "also those that need the whole"),
    MR_RATIO(struct file_params, max_fps, .standard = "60", .min = "1", .max = "240",
             .help = "frames per second at most: more are thinned out evenly"),
    MR_NUMBER(struct file_params, quality, .standard = "20", .min = "0", .max = "51",
              .help = "of the picture, as x264's CRF: lower is better and larger"),
    MR_CHOICE(struct file_params, preset, .standard = "medium", .choices = mr_video_presets, .help = "the picture encoder's speed"),
    MR_BITRATE(struct file_params, audio_bitrate, .standard = "160k", .min = "16k", .max = "512k",
               .help = "bits per second of stereo sound; mono gets half"),
    MR_NUMBER(struct file_params, loudness, .min = "-40", .max = "-5",
              .help = "the loudness wanted, in LUFS; measured here unless the input 'loudness' says it; absent: as loud as the source"),
    MR_NUMBER(struct file_params, true_peak, .standard = "-1", .min = "-9", .max = "0",
              .help = "with loudness: the true peak that is not exceeded, in dBTP"),
    MR_CHOICE(struct file_params, peaks, .standard = "limit", .choices = mr_peaks_words,
              .help = "with loudness: limit turns down the moments that would exceed true_peak, keep makes the whole track quieter instead"),
    MR_DURATION(struct file_params, max_duration, .max = "48h", .help = "cuts what is longer; absent or 0: everything"),
    MR_TEXT(struct file_params, path, .standard = "video.mp4", .min = "1", .max = "200", .help = "its place in the published tree"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the source"},
    [IN_INFO] = {"info", MR_TYPE_JSON, 0, "what probe.media says of it"},
    [IN_LOUDNESS] = {"loudness", MR_TYPE_JSON, MR_PORT_OPTIONAL | MR_PORT_MANY, "what transcode.loudness measured, of any number of tracks"},
    [IN_CUTS] = {"cuts", MR_TYPE_JSON, MR_PORT_OPTIONAL,
                 "the parts that are joined, in their order: {\"cuts\": [{\"start_us\", \"duration_us\"}]}; without it, the whole source"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_FILE] = {"file", MR_TYPE_FILE, 0, "the MP4"},
    {0},
};

typedef struct picture_side {
    bool wanted;
    int track;
    mr_chunk chunk; /* the whole track as one, or the part that is under way */
    mr_chunk_segment segment;
    mr_pictures *pictures;
    mr_fitter *fitter;
    mr_encoder *encoder;
    AVFrame *frame;
    AVFrame *fitted;
    int64_t start_us; /* of the track, in source time */
    size_t part;
    int64_t frames; /* of all parts */
    int64_t sent;
    bool joins;    /* the next picture is the first of a part */
    int64_t delay; /* frames by which decoding times lie before presentation times */
    bool ended;
} picture_side;

typedef struct sound_side {
    bool wanted;
    int track;
    mr_audio_track source;
    mr_audio_reader *reader;
    mr_audio_encoder *encoder;
    float *planes[MAX_CHANNELS];
    int frame_size;
    int64_t priming;
    int64_t samples; /* where the track ends: of all parts */
    size_t part;
    int64_t part_samples;
    int64_t part_done;
    int64_t sent; /* frames */
    int64_t received;
    bool ended;
} sound_side;

typedef struct file_task {
    const mr_host *host;
    mr_task *task;
    const struct file_params *params;
    json_t *info;
    int64_t origin_us;
    mr_file_parts parts;
    picture_side picture;
    sound_side sound;
    mr_mp4 *mp4;
    AVPacket *packet;
} file_task;

/* ---- what to make ---- */

static mr_status refuse(const file_task *work, const char *why)
{
    work->host->report(work->task, MR_SEVERITY_ERROR, NULL, NULL, "the info can't be used: %s", why);
    return MR_ERR_INPUT;
}

static int64_t integer(const json_t *object, const char *key)
{
    int64_t value = json_integer_value(json_object_get(object, key));
    return value > -MAX_DURATION_US * 100 && value < MAX_DURATION_US * 100 ? value : 0;
}

/* How long a track is, from time 0, with max_duration. */
static int64_t track_end_us(const file_task *work, const json_t *track)
{
    int64_t end = integer(track, "start_us") + integer(track, "duration_us") - work->origin_us;
    int64_t most = work->params->max_duration > 0 ? work->params->max_duration : MAX_DURATION_US;
    return end < 0 ? 0 : end < most ? end : most;
}

static const json_t *choose_sound(const json_t *list)
{
    size_t i;
    json_t *track;
    json_array_foreach(list, i, track)
    {
        if (json_is_true(json_object_get(track, "default")))
            return track;
    }
    return json_array_get(list, 0);
}

static void find_origin(file_task *work, const json_t *video, const json_t *sounds)
{
    size_t i;
    json_t *track;
    work->origin_us = video ? integer(video, "start_us") : INT64_MAX;
    json_array_foreach(sounds, i, track)
    {
        int64_t start = integer(track, "start_us");
        work->origin_us = start < work->origin_us ? start : work->origin_us;
    }
}

static mr_status plan_picture(file_task *work, const json_t *video)
{
    mr_chunk *chunk = &work->picture.chunk;
    const char *wrong = mr_picture_info_read(video, &chunk->picture);
    if (wrong)
        return refuse(work, wrong);
    AVRational fps = chunk->picture.frame_rate.num > 0 ? chunk->picture.frame_rate : (AVRational){25, 1};
    AVRational most = {work->params->max_fps.num, work->params->max_fps.den};
    if (most.num > 0)
        fps = mr_rate_cap(fps, most);
    chunk->stream = (int)integer(video, "stream");
    chunk->origin_us = work->origin_us;
    chunk->fps = fps;
    chunk->timescale = (uint32_t)fps.num;
    chunk->frame_ticks = (uint32_t)fps.den;
    chunk->last = true;
    work->picture.start_us = chunk->decode_from_us = integer(video, "start_us");
    chunk->longest_segment = fps.num * GOP_SECONDS / fps.den > 0 ? (int)(fps.num * INT64_C(1) * GOP_SECONDS / fps.den) : 1;
    chunk->segments = &work->picture.segment;
    chunk->segment_count = 1;
    work->picture.wanted = true;
    return MR_OK;
}

static int64_t frames_of(const file_task *work, int64_t us)
{
    const AVRational fps = work->picture.chunk.fps;
    return av_rescale(us, fps.num, (int64_t)fps.den * 1000000);
}

/* The part's pictures, or all of them. */
static void plan_part(file_task *work, size_t part)
{
    mr_chunk *chunk = &work->picture.chunk;
    chunk->frames = (int)work->picture.frames;
    if (work->parts.count > 0) {
        const mr_file_part *one = &work->parts.parts[part];
        chunk->first_frame = frames_of(work, one->start_us);
        chunk->frames = (int)(frames_of(work, one->end_us) - chunk->first_frame);
        chunk->decode_from_us = chunk->first_frame > 0 ? work->origin_us + one->start_us : work->picture.start_us;
    }
    work->picture.segment = (mr_chunk_segment){.first_frame = chunk->first_frame, .frames = chunk->frames};
}

/* The length of the pictures and of the sound: where their tracks end, or that of all parts, for both. */
static mr_status plan_length(file_task *work, const json_t *video, const json_t *sound)
{
    const int64_t video_us = video ? track_end_us(work, video) : 0;
    const int64_t sound_us = sound ? track_end_us(work, sound) : 0;
    const AVRational fps = work->picture.wanted ? work->picture.chunk.fps : (AVRational){1000, 1};
    mr_status status = mr_file_parts_read(work->host, work->task, work->host->input(work->task, IN_CUTS, 0), fps,
                                          video_us > sound_us ? video_us : sound_us, &work->parts);
    int64_t length_us = 0;
    for (size_t i = 0; i < work->parts.count; i++)
        length_us += work->parts.parts[i].end_us - work->parts.parts[i].start_us;
    work->picture.frames = frames_of(work, video_us);
    work->sound.samples = av_rescale(work->parts.count ? length_us : sound_us, AUDIO_RATE, 1000000);
    if (work->parts.count > 0) {
        work->picture.frames = 0;
        for (size_t i = 0; i < work->parts.count; i++)
            work->picture.frames += frames_of(work, work->parts.parts[i].end_us) - frames_of(work, work->parts.parts[i].start_us);
    }
    if (work->picture.wanted && work->picture.frames > MAX_FRAMES) {
        work->host->report(work->task, MR_SEVERITY_ERROR, "max_duration", "set max_duration, or make a stream with transcode.video",
                           "the source has %lld pictures: a file of its own may have %d", (long long)work->picture.frames, MAX_FRAMES);
        return MR_ERR_LIMIT;
    }
    work->picture.frames += work->picture.frames == 0;
    plan_part(work, 0);
    return status;
}

static mr_status plan_all(file_task *work)
{
    const mr_artifact *artifact = work->host->input(work->task, IN_INFO, 0);
    work->info = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    if (!work->info)
        return refuse(work, "it is not JSON");
    const json_t *video = json_object_get(work->info, "video");
    const json_t *sounds = json_object_get(work->info, "audio");
    const json_t *sound = choose_sound(sounds);
    if (!video && !sound)
        return refuse(work, "the source has neither pictures nor sound");
    find_origin(work, video, sounds);
    mr_status status = video ? plan_picture(work, video) : MR_OK;
    if (status == MR_OK)
        status = plan_length(work, video, sound);
    if (status != MR_OK || !sound)
        return status;
    status = mr_audio_track_take(work->host, work->task, json_incref((json_t *)sound), &work->sound.source);
    work->sound.wanted = status == MR_OK && work->sound.samples > 0;
    return status;
}

/* ---- pictures ---- */

static mr_status open_picture(file_task *work)
{
    picture_side *side = &work->picture;
    const mr_picture_options pictures = {.filters = work->params->filters};
    mr_size shown = {side->chunk.picture.display_width, side->chunk.picture.display_height};
    mr_placement placement = mr_fit_place(shown, (int)work->params->width, (int)work->params->height, (mr_fit)work->params->fit);
    const mr_encode_options encode = {.codec = MR_CODEC_H264,
                                      .preset = mr_video_presets[work->params->preset],
                                      .width = placement.out.width,
                                      .height = placement.out.height,
                                      .fps = side->chunk.fps,
                                      .kind = mr_pictures_kind(&side->chunk, &pictures),
                                      .longest_gop = side->chunk.longest_segment,
                                      .mode = MR_ENCODE_CRF,
                                      .crf = work->params->quality};
    side->frame = av_frame_alloc();
    side->fitted = av_frame_alloc();
    if (!side->frame || !side->fitted)
        return MR_ERR_NOMEM;
    mr_status status =
        mr_pictures_open(work->host, work->task, work->host->input(work->task, IN_SOURCE, 0), &side->chunk, &pictures, &side->pictures);
    if (status == MR_OK)
        status = mr_fitter_new(work->host, work->task, &placement, &side->fitter);
    if (status == MR_OK)
        status = mr_encoder_open(work->host, work->task, &encode, &side->encoder);
    if (status != MR_OK)
        return status;
    const AVCodecParameters *codec = mr_encoder_parameters(side->encoder);
    side->delay = codec->video_delay;
    return mr_mp4_add_track(work->mp4, codec, av_inv_q(side->chunk.fps), NULL, &side->track);
}

static mr_status drain_picture(file_task *work)
{
    picture_side *side = &work->picture;
    for (;;) {
        mr_status status = mr_encoder_receive(side->encoder, work->packet);
        if (status == MR_END)
            side->ended = true;
        if (status != MR_OK)
            return status == MR_NOT_YET || status == MR_END ? MR_OK : status;
        work->packet->dts -= side->delay;
        status = mr_mp4_write(work->mp4, side->track, work->packet);
        if (status != MR_OK)
            return status;
    }
}

/* The pictures of the next part, from a reader of their own. */
static mr_status open_next_part(file_task *work)
{
    picture_side *side = &work->picture;
    const mr_picture_options pictures = {.filters = work->params->filters};
    mr_pictures_close(side->pictures);
    side->pictures = NULL;
    side->part++;
    side->joins = true;
    plan_part(work, side->part);
    return mr_pictures_open(work->host, work->task, work->host->input(work->task, IN_SOURCE, 0), &side->chunk, &pictures, &side->pictures);
}

static mr_status step_picture(file_task *work)
{
    picture_side *side = &work->picture;
    bool repeat;
    mr_status status = mr_pictures_next(side->pictures, side->frame, &repeat);
    if (status == MR_END && side->part + 1 < work->parts.count) {
        status = open_next_part(work);
        if (status == MR_OK)
            status = mr_pictures_next(side->pictures, side->frame, &repeat);
    }
    if (status == MR_END) {
        status = mr_encoder_send(side->encoder, NULL, 0, false);
    } else if (status == MR_OK) {
        if (!repeat || side->joins || !side->fitted->buf[0])
            status = mr_fitter_run(side->fitter, side->frame, side->fitted);
        if (status == MR_OK)
            status = mr_encoder_send(side->encoder, side->fitted, side->sent, side->joins || side->sent % side->chunk.longest_segment == 0);
        side->sent++;
        side->joins = false;
    }
    return status == MR_OK ? drain_picture(work) : status;
}

/* ---- sound ---- */

static mr_status find_gain(file_task *work, int channels, double *ret_gain, double *ret_ceiling)
{
    const mr_audio_track *track = &work->sound.source;
    mr_loudness loudness;
    mr_status status = MR_OK;
    *ret_gain = 1;
    *ret_ceiling = 0;
    if (work->params->loudness >= 0)
        return MR_OK;
    if (!mr_loudness_find(work->host, work->task, IN_LOUDNESS, track->stream, channels, &loudness))
        status = mr_loudness_measure(work->host, work->task, work->host->input(work->task, IN_SOURCE, 0), track, work->params->max_duration,
                                     &channels, 1, &loudness);
    if (status == MR_OK)
        mr_loudness_gain(&loudness, work->params->loudness, work->params->true_peak, (mr_peaks)work->params->peaks, ret_gain, ret_ceiling);
    return status;
}

static mr_status open_encoder(file_task *work)
{
    sound_side *side = &work->sound;
    int channels[2];
    AVCodecParameters *codec = NULL;
    mr_audio_track_renditions(&side->source, false, channels);
    mr_audio_encoder_options options = {.codec = MR_AUDIO_AAC,
                                        .rate = AUDIO_RATE,
                                        .layout = &side->source.layout,
                                        .channels = channels[0],
                                        .bitrate = channels[0] == 1 ? work->params->audio_bitrate / 2 : work->params->audio_bitrate};
    mr_status status = find_gain(work, channels[0], &options.gain, &options.ceiling);
    if (status == MR_OK)
        status = mr_audio_encoder_open(work->host, work->task, &options, &side->encoder);
    if (status == MR_OK)
        status = mr_audio_encoder_parameters(side->encoder, &codec);
    if (status == MR_OK)
        status = mr_mp4_add_track(work->mp4, codec, (AVRational){1, AUDIO_RATE}, side->source.language, &side->track);
    avcodec_parameters_free(&codec);
    return status;
}

/* The sound of a part, or all of it. */
static mr_status open_reader(file_task *work, size_t part)
{
    sound_side *side = &work->sound;
    const bool cut = work->parts.count > 0;
    const mr_file_part *one = cut ? &work->parts.parts[part] : NULL;
    const int64_t start = cut ? av_rescale(one->start_us, AUDIO_RATE, 1000000) : 0;
    const mr_audio_reader_options options = {.stream = side->source.stream,
                                             .rate = AUDIO_RATE,
                                             .origin_us = work->origin_us,
                                             .track_start_us = side->source.start_us,
                                             .start = start,
                                             .end = cut ? av_rescale(one->end_us, AUDIO_RATE, 1000000) : side->samples,
                                             .layout = side->source.layout};
    mr_audio_reader_close(side->reader);
    side->reader = NULL;
    side->part = part;
    side->part_samples = cut ? options.end - start : INT64_MAX;
    side->part_done = 0;
    return mr_audio_reader_open(work->host, work->task, work->host->input(work->task, IN_SOURCE, 0), &options, &side->reader);
}

static mr_status open_sound(file_task *work)
{
    sound_side *side = &work->sound;
    mr_status status = open_encoder(work);
    if (status != MR_OK)
        return status;
    const AVCodecContext *context = mr_audio_encoder_context(side->encoder);
    side->frame_size = context->frame_size;
    side->priming = context->initial_padding;
    for (int c = 0; c < side->source.layout.nb_channels; c++) {
        side->planes[c] = calloc((size_t)side->frame_size, sizeof(float));
        if (!side->planes[c])
            return MR_ERR_NOMEM;
    }
    return open_reader(work, 0);
}

/* Encoded frames cover the priming and the track; the last one ends with it. */
static mr_status drain_sound(file_task *work)
{
    sound_side *side = &work->sound;
    int64_t total = (side->samples + side->priming + side->frame_size - 1) / side->frame_size;
    while (side->received < total) {
        mr_status status = mr_audio_encoder_receive(side->encoder, work->packet);
        if (status != MR_OK)
            return status == MR_END ? MR_OK : status;
        int64_t end = (side->received + 1) * side->frame_size - side->priming;
        work->packet->pts = work->packet->dts = side->received * side->frame_size - side->priming;
        work->packet->duration = (end < side->samples ? end : side->samples) - work->packet->pts;
        side->received++;
        status = mr_mp4_write(work->mp4, side->track, work->packet);
        if (status != MR_OK)
            return status;
    }
    side->ended = true;
    return MR_OK;
}

/* The next samples, from one part after the other; silence behind the last. */
static mr_status read_parts(file_task *work)
{
    sound_side *side = &work->sound;
    mr_status status = MR_OK;
    for (int done = 0; done < side->frame_size && status == MR_OK;) {
        float *planes[MAX_CHANNELS];
        const int64_t left = side->part_samples - side->part_done;
        const int count = left < side->frame_size - done ? (int)left : side->frame_size - done;
        for (int c = 0; c < side->source.layout.nb_channels; c++)
            planes[c] = side->planes[c] + done;
        if (count == 0 && side->part + 1 < work->parts.count) {
            status = open_reader(work, side->part + 1);
            continue;
        }
        if (count == 0) {
            for (int c = 0; c < side->source.layout.nb_channels; c++)
                memset(planes[c], 0, (size_t)(side->frame_size - done) * sizeof(float));
            return MR_OK;
        }
        status = mr_audio_reader_read(side->reader, planes, count);
        mr_file_part_fade(planes, side->source.layout.nb_channels, count, side->part_done, side->part_samples);
        side->part_done += count;
        done += count;
    }
    return status;
}

static mr_status step_sound(file_task *work)
{
    sound_side *side = &work->sound;
    mr_status status = work->parts.count > 0 ? read_parts(work) : mr_audio_reader_read(side->reader, side->planes, side->frame_size);
    if (status == MR_OK)
        status = mr_audio_encoder_send(side->encoder, side->planes);
    side->sent++;
    return status == MR_OK ? drain_sound(work) : status;
}

/* ---- both ---- */

static mr_status encode_all(file_task *work)
{
    picture_side *picture = &work->picture;
    sound_side *sound = &work->sound;
    mr_status status = MR_OK;
    picture->ended = !picture->wanted;
    sound->ended = !sound->wanted;
    while (status == MR_OK && !(picture->ended && sound->ended)) {
        double shown = picture->wanted ? (double)picture->sent * picture->chunk.fps.den / picture->chunk.fps.num : 0;
        double heard = sound->wanted ? (double)sound->sent * sound->frame_size / AUDIO_RATE : 0;
        if (work->host->cancelled(work->task))
            return MR_ERR_CANCELLED;
        status = sound->ended || (!picture->ended && shown <= heard) ? step_picture(work) : step_sound(work);
        double whole = picture->wanted ? (double)picture->frames : (double)sound->samples / (sound->frame_size ? sound->frame_size : 1);
        double done = picture->wanted ? (double)picture->sent / whole : (double)sound->sent / whole;
        work->host->progress(work->task, done < 1 ? done : 1);
    }
    return status;
}

static mr_status emit_file(file_task *work)
{
    json_t *meta = json_pack("{s:s,s:s,s:b,s:s}", "path", work->params->path, "content_type", work->picture.wanted ? "video/mp4" : "audio/mp4",
                             "replaceable", 0, "role", "media");
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(meta);
    if (!text)
        return MR_ERR_NOMEM;
    mr_status status = mr_mp4_emit(work->mp4, OUT_FILE, text);
    free(text);
    return status;
}

static mr_status make(file_task *work)
{
    mr_status status = plan_all(work);
    work->packet = av_packet_alloc();
    if (status == MR_OK && !work->packet)
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_mp4_open(work->host, work->task, &work->mp4);
    if (status == MR_OK && work->picture.wanted)
        status = open_picture(work);
    if (status == MR_OK && work->sound.wanted)
        status = open_sound(work);
    if (status == MR_OK)
        status = mr_mp4_begin(work->mp4);
    if (status == MR_OK)
        status = encode_all(work);
    return status == MR_OK ? emit_file(work) : status;
}

static mr_status run_one(const mr_host *host, const mr_batch_task *one)
{
    file_task work = {.host = host, .task = one->task, .params = one->params};
    mr_status status = make(&work);
    mr_pictures_close(work.picture.pictures);
    mr_fitter_free(work.picture.fitter);
    mr_encoder_close(work.picture.encoder);
    av_frame_free(&work.picture.frame);
    av_frame_free(&work.picture.fitted);
    mr_audio_reader_close(work.sound.reader);
    mr_audio_encoder_close(work.sound.encoder);
    mr_audio_track_free(&work.sound.source);
    for (int c = 0; c < MAX_CHANNELS; c++)
        free(work.sound.planes[c]);
    mr_mp4_close(work.mp4);
    av_packet_free(&work.packet);
    mr_file_parts_free(&work.parts);
    json_decref(work.info);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, run_one(host, &batch->tasks[i]));
    return MR_OK;
}

const mr_op mr_op_transcode_file = {
    .size = sizeof(mr_op),
    .version = 4,
    .name = "transcode.file",
    .summary = "encodes a whole source as one MP4",
    .help = "H.264 and AAC with the index in front, to be played as it is downloaded. The picture is cut, padded or scaled to the size wanted, never "
            "enlarged; of several sound tracks the default one is taken, as stereo.\n\n"
            "With cuts, parts of the source are joined instead, in the order in which they are given.",
    .cpu = 1,
    .memory_mb = 768,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct file_params),
    .run = run,
    .toolchain = mr_transcode_video_toolchain,
};
