/* SPDX-License-Identifier: MIT */
/*
 * measure.trial: how many bits a rendition takes at some qualities, and how good it then is: a few moments of the source are encoded fast, decoded
 * again, and compared with what was encoded.
 */
#include "measure.h"
#include "media/encode.h"
#include "media/input.h"
#include "media/scale.h"
#include "media/toolchain.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

enum { IN_SOURCE, IN_INFO, IN_RUNG };
enum { OUT_TRIAL };
enum { QUALITIES = 8, FRAMES_MAX = 600, HELD_BYTES = 192 << 20, LEAST_FRAMES = 4 };

struct trial_params {
    int64_t samples;
    int64_t length;
    mr_list qualities;
    int32_t preset;
};

static const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", NULL};

static const mr_param params[] = {
    MR_INT(struct trial_params, samples, .standard = "4", .min = "1", .max = "32", .help = "how many moments are looked at, evenly over the source"),
    MR_DURATION(struct trial_params, length, .standard = "2s", .min = "200ms", .max = "10s",
                .help = "of each; of large pictures as many as 192 MiB hold"),
    MR_LIST(struct trial_params, qualities, .item_type = MR_PARAM_TYPE_NUMBER, .standard = "[20, 28, 36]", .min = "1", .max = "8",
            .help = "to try, on the scale of x264's CRF: lower is better"),
    MR_CHOICE(struct trial_params, preset, .standard = "superfast", .choices = presets, .help = "the encoder's speed"),
    MR_PARAM_END,
};

static const mr_port inputs[] = {
    [IN_SOURCE] = {"source", MR_TYPE_MEDIA, 0, "the video"},
    [IN_INFO] = {"info", MR_TYPE_JSON, 0, "what probe.media says of it"},
    [IN_RUNG] = {"rung", MR_TYPE_JSON, 0, "the rendition, from transcode.ladder"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_TRIAL] = {"trial", MR_TYPE_JSON, 0, "{rung, points: [{quality, bitrate, psnr, ssim}]}: the rung, and what was measured at each quality"},
    {0},
};

typedef struct point {
    double quality;
    int64_t bits;
    measure_likeness likeness;
} point;

typedef struct trial {
    const mr_host *host;
    mr_task *task;
    const struct trial_params *params;
    json_t *rung;
    mr_size size;
    mr_chunk chunk; /* the moment that is looked at */
    int64_t total;  /* pictures of the source */
    mr_scaler *scaler;
    AVFrame *pictures[FRAMES_MAX]; /* of the moment, scaled */
    int held;
    point points[QUALITIES];
    size_t count;
    AVFrame *frame;
    AVPacket *packet;
} trial;

/* ---- what to try ---- */

static mr_status refuse(const trial *it, const char *param, const char *why)
{
    it->host->report(it->task, MR_SEVERITY_ERROR, param, NULL, "%s", why);
    return param ? MR_ERR_PARAM : MR_ERR_INPUT;
}

static mr_status read_rung(trial *it)
{
    const mr_artifact *artifact = it->host->input(it->task, IN_RUNG, 0);
    it->rung = artifact ? json_loadb(artifact->meta, artifact->meta_len, 0, NULL) : NULL;
    const json_int_t width = json_integer_value(json_object_get(it->rung, "width"));
    const json_int_t height = json_integer_value(json_object_get(it->rung, "height"));
    if (width < 16 || height < 16 || width > 16384 || height > 16384 || width % 2 || height % 2)
        return refuse(it, NULL, "the rung can't be used: its sides must be even, and from 16 to 16384");
    it->size = (mr_size){(int)width, (int)height};
    return MR_OK;
}

static mr_status read_all(trial *it)
{
    int64_t duration_us = 0;
    const double *qualities = it->params->qualities.items;
    mr_status status = measure_source_read(it->host, it->task, it->host->input(it->task, IN_INFO, 0), &it->chunk, &duration_us);
    if (status == MR_OK)
        status = read_rung(it);
    if (status != MR_OK)
        return status;
    it->count = it->params->qualities.count;
    for (size_t i = 0; i < it->count; i++) {
        if (!(qualities[i] >= 0 && qualities[i] <= 51))
            return refuse(it, "qualities", "a quality lies between 0 and 51");
        it->points[i].quality = qualities[i];
    }
    const AVRational fps = it->chunk.fps;
    it->total = av_rescale(duration_us, fps.num, (int64_t)fps.den * 1000000);
    it->total += it->total == 0;
    int64_t frames = av_rescale(it->params->length, fps.num, (int64_t)fps.den * 1000000);
    const int64_t most = HELD_BYTES / ((int64_t)it->size.width * it->size.height * 3 / 2);
    frames = frames < most ? frames : most;
    frames = frames > LEAST_FRAMES ? frames : LEAST_FRAMES;
    frames = frames < FRAMES_MAX ? frames : FRAMES_MAX;
    it->chunk.frames = (int)(frames < it->total ? frames : it->total);
    it->chunk.longest_segment = it->chunk.frames;
    return MR_OK;
}

/* ---- the pictures of a moment ---- */

static void let_go(trial *it)
{
    for (int i = 0; i < it->held; i++)
        av_frame_free(&it->pictures[i]);
    it->held = 0;
}

static mr_status hold(trial *it, const AVFrame *picture)
{
    AVFrame *scaled = av_frame_alloc();
    if (!scaled)
        return mr_media_error(it->host, it->task, AVERROR(ENOMEM), "pictures");
    it->pictures[it->held++] = scaled;
    return mr_scaler_run(it->scaler, picture, NULL, &scaled);
}

static mr_status read_moment(trial *it, int64_t index)
{
    const int64_t middle = it->total * (2 * index + 1) / (2 * it->params->samples);
    const int64_t last = it->total - it->chunk.frames;
    const int64_t first = middle - it->chunk.frames / 2;
    mr_chunk_segment segment = {.frames = it->chunk.frames};
    it->chunk.first_frame = segment.first_frame = first < 0 ? 0 : first < last ? first : last;
    it->chunk.decode_from_us = it->chunk.origin_us + av_rescale(it->chunk.first_frame, (int64_t)it->chunk.fps.den * 1000000, it->chunk.fps.num);
    it->chunk.segments = &segment;
    it->chunk.segment_count = 1;
    const mr_picture_options plain = {0};
    mr_pictures *pictures = NULL;
    mr_status status = mr_pictures_open(it->host, it->task, it->host->input(it->task, IN_SOURCE, 0), &it->chunk, &plain, &pictures);
    while (status == MR_OK) {
        bool repeat = false;
        status = it->host->cancelled(it->task) ? MR_ERR_CANCELLED : mr_pictures_next(pictures, it->frame, &repeat);
        if (status == MR_OK)
            status = hold(it, it->frame);
    }
    mr_pictures_close(pictures);
    it->chunk.segments = NULL;
    it->chunk.segment_count = 0;
    return status == MR_END ? MR_OK : status;
}

/* ---- trying ---- */

typedef struct turn { /* one moment at one quality */
    trial *it;
    point *point;
    mr_encoder *encoder;
    AVCodecContext *decoder;
    int compared;
} turn;

static mr_status compare(turn *t)
{
    for (;;) {
        const int error = avcodec_receive_frame(t->decoder, t->it->frame);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return MR_OK;
        if (error < 0)
            return mr_media_error(t->it->host, t->it->task, error, "decoding a trial");
        const AVFrame *made = t->it->frame;
        if (t->compared >= t->it->held || made->width != t->it->size.width || made->height != t->it->size.height)
            return refuse(t->it, NULL, "a trial did not decode to the pictures that were encoded");
        measure_compare(t->it->pictures[t->compared++], made, &t->point->likeness);
        av_frame_unref(t->it->frame);
    }
}

static mr_status decode(turn *t, const AVPacket *packet)
{
    const int error = avcodec_send_packet(t->decoder, packet);
    return error < 0 ? mr_media_error(t->it->host, t->it->task, error, "decoding a trial") : compare(t);
}

static mr_status take_packets(turn *t)
{
    for (;;) {
        mr_status status = mr_encoder_receive(t->encoder, t->it->packet);
        if (status == MR_NOT_YET)
            return MR_OK;
        if (status == MR_END)
            return decode(t, NULL);
        if (status == MR_OK) {
            t->point->bits += 8 * (int64_t)t->it->packet->size;
            status = decode(t, t->it->packet);
        }
        av_packet_unref(t->it->packet);
        if (status != MR_OK)
            return status;
    }
}

static mr_status open_turn(turn *t)
{
    trial *it = t->it;
    const mr_picture_options plain = {0};
    const mr_encode_options options = {.codec = MR_CODEC_H264,
                                       .preset = presets[it->params->preset],
                                       .width = it->size.width,
                                       .height = it->size.height,
                                       .fps = it->chunk.fps,
                                       .kind = mr_pictures_kind(&it->chunk, &plain),
                                       .longest_gop = it->chunk.frames,
                                       .mode = MR_ENCODE_CRF,
                                       .crf = t->point->quality};
    mr_status status = mr_encoder_open(it->host, it->task, &options, &t->encoder);
    if (status != MR_OK)
        return status;
    t->decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    int error = t->decoder ? avcodec_parameters_to_context(t->decoder, mr_encoder_parameters(t->encoder)) : AVERROR(ENOMEM);
    if (error >= 0) {
        t->decoder->thread_count = 1;
        error = avcodec_open2(t->decoder, t->decoder->codec, NULL);
    }
    return error < 0 ? mr_media_error(it->host, it->task, error, "decoding a trial") : MR_OK;
}

static mr_status try_quality(trial *it, point *p)
{
    turn t = {.it = it, .point = p};
    mr_status status = open_turn(&t);
    for (int i = 0; i < it->held && status == MR_OK; i++) {
        status = it->host->cancelled(it->task) ? MR_ERR_CANCELLED : mr_encoder_send(t.encoder, it->pictures[i], i, i == 0);
        if (status == MR_OK)
            status = take_packets(&t);
    }
    if (status == MR_OK)
        status = mr_encoder_send(t.encoder, NULL, 0, false);
    if (status == MR_OK)
        status = take_packets(&t);
    if (status == MR_OK && t.compared != it->held)
        status = refuse(it, NULL, "a trial did not decode to the pictures that were encoded");
    mr_encoder_close(t.encoder);
    avcodec_free_context(&t.decoder);
    return status;
}

/* ---- the whole ---- */

static json_t *describe(const trial *it)
{
    json_t *points = json_array();
    for (size_t i = 0; i < it->count && points; i++) {
        const point *p = &it->points[i];
        const double seconds = (double)p->likeness.pictures * it->chunk.fps.den / it->chunk.fps.num;
        json_array_append_new(points, json_pack("{s:o, s:I, s:o, s:o}", "quality", measure_number(p->quality), "bitrate",
                                                (json_int_t)((double)p->bits / (seconds > 0 ? seconds : 1)), "psnr",
                                                measure_number(measure_psnr(&p->likeness)), "ssim", measure_number(measure_ssim(&p->likeness))));
    }
    return json_pack("{s:O, s:o}", "rung", it->rung, "points", points);
}

static mr_status emit(const trial *it)
{
    json_t *meta = describe(it);
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(10)) : NULL;
    mr_status status = text ? it->host->emit(it->task, OUT_TRIAL, text, NULL) : MR_ERR_NOMEM;
    free(text);
    json_decref(meta);
    return status;
}

static mr_status measure(trial *it)
{
    mr_status status = read_all(it);
    it->frame = av_frame_alloc();
    it->packet = av_packet_alloc();
    if (status == MR_OK && (!it->frame || !it->packet))
        status = mr_media_error(it->host, it->task, AVERROR(ENOMEM), "pictures");
    if (status == MR_OK)
        status = mr_scaler_new(it->host, it->task, &it->size, 1, &it->scaler);
    const int64_t moments = it->params->samples * it->chunk.frames > it->total ? 1 + it->total / (it->chunk.frames + 1) : it->params->samples;
    for (int64_t i = 0; i < moments && status == MR_OK; i++) {
        status = read_moment(it, i);
        for (size_t q = 0; q < it->count && status == MR_OK; q++) {
            status = try_quality(it, &it->points[q]);
            it->host->progress(it->task, ((double)i + (double)(q + 1) / (double)it->count) / (double)moments);
        }
        let_go(it);
    }
    return status == MR_OK ? emit(it) : status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        trial *it = calloc(1, sizeof(*it));
        mr_status status = MR_ERR_NOMEM;
        if (it) {
            *it = (trial){.host = host, .task = batch->tasks[i].task, .params = batch->tasks[i].params};
            status = measure(it);
            let_go(it);
            mr_scaler_free(it->scaler);
            av_frame_free(&it->frame);
            av_packet_free(&it->packet);
            json_decref(it->rung);
        }
        free(it);
        host->finish(batch->tasks[i].task, status);
    }
    return MR_OK;
}

const mr_op mr_op_measure_trial = {
    .size = sizeof(mr_op),
    .version = 4,
    .name = "measure.trial",
    .summary = "encodes moments of a video fast, to see what it takes",
    .help = "A few moments, evenly over the source, are scaled to the rung and encoded at each quality, decoded again and compared with what was "
            "encoded: the bitrate, PSNR and SSIM of the luma tell how hard this video is, and with what quality of the encoder it looks how good. A "
            "pipeline chooses its ladder by that; see pipelines/per-title.lua.\n\n"
            "Bitrates are those of the fast preset and of short moments that each begin with a key frame: a real encode takes fewer bits.",
    .cpu = 1,
    .memory_mb = 700,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct trial_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
