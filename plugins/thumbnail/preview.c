/* SPDX-License-Identifier: MIT */
/*
 * thumbnail.preview: a few short moments of a video as one animated WebP that plays for ever. Each moment begins at the keyframe before it, so that
 * little is decoded, and takes pictures at an even rate.
 */
#include "media/toolchain.h"
#include "thumbnail.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdlib.h>

enum { OUT_IMAGE };

struct preview_params {
    int64_t duration;
    int64_t moments;
    int64_t fps;
    int64_t width;
    int64_t quality;
    const char *path;
};

static const mr_param params[] = {
    MR_DURATION(struct preview_params, duration, .standard = "3s", .min = "500ms", .max = "15s", .help = "how long it plays before it starts over"),
    MR_INT(struct preview_params, moments, .standard = "4", .min = "1", .max = "10", .help = "how many places of the video it shows"),
    MR_INT(struct preview_params, fps, .standard = "8", .min = "2", .max = "25", .help = "pictures per second"),
    MR_INT(struct preview_params, width, .standard = "480", .min = "32", .max = "1280",
           .help = "at most so wide, in pixels; never larger than the video"),
    MR_INT(struct preview_params, quality, .standard = "60", .min = "1", .max = "100", .help = "of the pictures: 100 is best"),
    MR_TEXT(struct preview_params, path, .standard = "preview.webp", .min = "1", .max = "200", .help = "its place in the published tree"),
    MR_PARAM_END,
};

static const mr_port outputs[] = {
    [OUT_IMAGE] = {"image", MR_TYPE_IMAGE, 0, "the preview, an animated WebP"},
    {0},
};

typedef struct preview {
    thumb_source *source;
    const struct preview_params *params;
    thumb_shape *shape;
    AVCodecContext *encoder;
    AVFrame *frame; /* decoded */
    AVFrame *held;  /* decoded, shown until frame is due */
    AVFrame *small;
    AVPacket *packet;
    int width;
    int height;
    int64_t sent; /* pictures */
} preview;

static mr_status failed(const preview *work, int error, const char *what)
{
    return mr_media_error(work->source->host, work->source->task, error, what);
}

static mr_status open_encoder(preview *work)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libwebp_anim");
    if (!codec) {
        work->source->host->report(work->source->task, MR_SEVERITY_ERROR, NULL, "install FFmpeg libraries that have it",
                                   "these libraries have no encoder 'libwebp_anim'");
        return MR_ERR_UNSUPPORTED;
    }
    work->encoder = avcodec_alloc_context3(codec);
    if (!work->encoder)
        return failed(work, AVERROR(ENOMEM), "the preview");
    work->encoder->width = work->width;
    work->encoder->height = work->height;
    work->encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    work->encoder->time_base = (AVRational){1, (int)work->params->fps};
    work->encoder->framerate = (AVRational){(int)work->params->fps, 1};
    work->encoder->thread_count = 1;
    work->encoder->flags |= AV_CODEC_FLAG_BITEXACT;
    int error = av_opt_set_double(work->encoder->priv_data, "quality", (double)work->params->quality, 0);
    if (error >= 0)
        error = avcodec_open2(work->encoder, codec, NULL);
    return error < 0 ? failed(work, error, "opening the WebP encoder") : MR_OK;
}

static mr_status open_all(preview *work)
{
    thumb_source_fit(work->source, (int)work->params->width, (int)work->params->width, &work->width, &work->height);
    work->frame = av_frame_alloc();
    work->held = av_frame_alloc();
    work->small = av_frame_alloc();
    work->packet = av_packet_alloc();
    if (!work->frame || !work->held || !work->small || !work->packet)
        return failed(work, AVERROR(ENOMEM), "the preview");
    mr_status status = thumb_shape_new(work->source, work->width, work->height, THUMB_LIMITED, false, &work->shape);
    return status == MR_OK ? open_encoder(work) : status;
}

/* Encodes the held picture once more. */
static mr_status send_held(preview *work, bool changed)
{
    mr_status status = MR_OK;
    if (changed) {
        AVFrame *copy = av_frame_clone(work->held);
        status = copy ? thumb_shape_run(work->shape, copy, work->small) : failed(work, AVERROR(ENOMEM), "the preview");
        av_frame_free(&copy);
    }
    if (status != MR_OK)
        return status;
    work->small->pts = work->sent++;
    int error = avcodec_send_frame(work->encoder, work->small);
    return error < 0 ? failed(work, error, "encoding WebP") : MR_OK;
}

/* count pictures from the keyframe at or before a moment on. A source that ends repeats its last one. */
static mr_status show_moment(preview *work, int64_t us, int count)
{
    thumb_source *source = work->source;
    int64_t start_us = 0;
    int64_t frame_us = 0;
    bool more = true;
    bool changed = true;
    mr_status status = thumb_source_seek(source, us, work->held, &start_us);
    if (status == MR_END)
        return work->held->buf[0] && work->sent > 0 ? MR_OK : MR_END;
    av_frame_unref(work->frame);
    for (int i = 0; i < count && status == MR_OK; i++) {
        int64_t due = start_us + i * INT64_C(1000000) / work->params->fps;
        while (status == MR_OK && more) {
            if (work->frame->buf[0] && frame_us > due)
                break;
            if (work->frame->buf[0]) {
                av_frame_unref(work->held);
                av_frame_move_ref(work->held, work->frame);
                changed = true;
            }
            status = thumb_source_next(source, work->frame, &frame_us);
            more = status == MR_OK;
            if (status == MR_END)
                status = MR_OK;
        }
        if (status == MR_OK)
            status = send_held(work, changed);
        changed = false;
    }
    return status;
}

static mr_status show_all(preview *work)
{
    const thumb_source *source = work->source;
    int pictures = (int)(work->params->duration * work->params->fps / 1000000);
    int64_t length = source->end_us - source->start_us;
    int moments = (int)work->params->moments;
    if (length < 4 * work->params->duration)
        moments = 1; /* too short for leaps: one piece */
    if (moments > pictures)
        moments = pictures;
    for (int i = 0; i < moments; i++) {
        int count = pictures * (i + 1) / moments - pictures * i / moments;
        int64_t us = moments == 1 && length < 2 * work->params->duration
                         ? source->start_us
                         : source->start_us + length * (2 * INT64_C(1) * i + 1) / (2 * INT64_C(1) * moments);
        mr_status status = show_moment(work, us, count);
        if (status != MR_OK)
            return status;
        source->host->progress(source->task, (double)(i + 1) / moments);
    }
    return MR_OK;
}

static mr_status emit_preview(preview *work)
{
    int error = avcodec_send_frame(work->encoder, NULL);
    if (error >= 0)
        error = avcodec_receive_packet(work->encoder, work->packet);
    if (error < 0)
        return failed(work, error, "encoding WebP");
    json_t *meta = json_pack("{s:s,s:s,s:s,s:i,s:i,s:I}", "role", "preview", "path", work->params->path, "content_type", "image/webp", "width",
                             work->width, "height", work->height, "duration_us", (json_int_t)(work->sent * 1000000 / work->params->fps));
    return thumb_emit(work->source->host, work->source->task, OUT_IMAGE, meta, work->packet->data, (size_t)work->packet->size);
}

static mr_status make(thumb_source *source, const void *given)
{
    preview work = {.source = source, .params = given};
    mr_status status = open_all(&work);
    if (status == MR_OK)
        status = show_all(&work);
    if (status == MR_OK)
        status = emit_preview(&work);
    avcodec_free_context(&work.encoder);
    thumb_shape_free(work.shape);
    av_frame_free(&work.frame);
    av_frame_free(&work.held);
    av_frame_free(&work.small);
    av_packet_free(&work.packet);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return thumb_run(host, batch, false, make);
}

const mr_op mr_op_thumbnail_preview = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "thumbnail.preview",
    .summary = "makes a short animated picture of a video",
    .help = "An animated WebP with a few moments of the video, for lists and hovering.",
    .cpu = 1,
    .memory_mb = 256,
    .inputs = thumb_inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct preview_params),
    .run = run,
    .toolchain = mr_media_toolchain,
};
