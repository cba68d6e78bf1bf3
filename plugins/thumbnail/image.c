/* SPDX-License-Identifier: MIT */
/* Encoding and putting together still pictures. See thumbnail.h. */
#include "thumbnail.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <stdlib.h>
#include <string.h>

static int open_jpeg(AVCodecContext *context, const AVCodec *codec, const AVFrame *picture, int quality)
{
    int scale = 1 + (100 - quality) * 30 / 99; /* 1 (best) … 31 */
    context->width = picture->width;
    context->height = picture->height;
    context->pix_fmt = AV_PIX_FMT_YUVJ420P;
    context->color_range = AVCOL_RANGE_JPEG;
    context->time_base = (AVRational){1, 1};
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_QSCALE;
    context->qmin = 1;
    context->mb_lmin = FF_QP2LAMBDA;
    context->global_quality = FF_QP2LAMBDA * scale;
    return avcodec_open2(context, codec, NULL);
}

static int encode(AVCodecContext *context, const AVFrame *picture, AVPacket *packet)
{
    AVFrame *frame = av_frame_clone(picture);
    if (!frame)
        return AVERROR(ENOMEM);
    frame->format = AV_PIX_FMT_YUVJ420P; /* the same planes: only the name says full range */
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->sample_aspect_ratio = (AVRational){1, 1};
    frame->quality = context->global_quality;
    frame->pts = 0;
    int error = avcodec_send_frame(context, frame);
    if (error >= 0)
        error = avcodec_send_frame(context, NULL);
    if (error >= 0)
        error = avcodec_receive_packet(context, packet);
    av_frame_free(&frame);
    return error;
}

mr_status thumb_jpeg(const mr_host *host, mr_task *task, const AVFrame *picture, int quality, uint8_t **ret_data, size_t *ret_len)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *packet = av_packet_alloc();
    int error = !codec ? AVERROR_ENCODER_NOT_FOUND : context && packet ? 0 : AVERROR(ENOMEM);
    *ret_data = NULL;
    *ret_len = 0;
    if (error >= 0)
        error = open_jpeg(context, codec, picture, quality);
    if (error >= 0)
        error = encode(context, picture, packet);
    if (error >= 0) {
        *ret_data = av_memdup(packet->data, (size_t)packet->size);
        *ret_len = (size_t)packet->size;
        error = *ret_data ? 0 : AVERROR(ENOMEM);
    }
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return error < 0 ? mr_media_error(host, task, error, "encoding JPEG") : MR_OK;
}

AVFrame *thumb_canvas(int width, int height, thumb_range range)
{
    AVFrame *canvas = av_frame_alloc();
    if (!canvas)
        return NULL;
    canvas->format = AV_PIX_FMT_YUV420P;
    canvas->width = width;
    canvas->height = height;
    canvas->color_range = range == THUMB_FULL ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    if (av_frame_get_buffer(canvas, 0) < 0) {
        av_frame_free(&canvas);
        return NULL;
    }
    ptrdiff_t strides[4] = {canvas->linesize[0], canvas->linesize[1], canvas->linesize[2]};
    av_image_fill_black(canvas->data, strides, AV_PIX_FMT_YUV420P, canvas->color_range, width, height);
    return canvas;
}

void thumb_paste(AVFrame *canvas, const AVFrame *picture, int x, int y)
{
    for (int plane = 0; plane < 3; plane++) {
        int shift = plane > 0;
        uint8_t *to = canvas->data[plane] + (ptrdiff_t)(y >> shift) * canvas->linesize[plane] + (x >> shift);
        av_image_copy_plane(to, canvas->linesize[plane], picture->data[plane], picture->linesize[plane], picture->width >> shift,
                            picture->height >> shift);
    }
}

mr_status thumb_emit(const mr_host *host, mr_task *task, uint32_t port, json_t *meta, const void *data, size_t len)
{
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(meta);
    if (!text)
        return mr_media_error(host, task, AVERROR(ENOMEM), "describing an image");
    mr_status status = host->emit_bytes(task, port, text, data, len);
    free(text);
    return status;
}
