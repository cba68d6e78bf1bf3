/* SPDX-License-Identifier: MIT */
/* See encode.h. The options of each encoder are in encode_options.c. */
#include "media/encode.h"
#include "media/encode_options.h"
#include "media/encode_turn.h"
#include "media/framing.h"
#include "media/input.h"

#include <errno.h>
#include <libavutil/intreadwrite.h>
#include <stdlib.h>
#include <string.h>

enum { H264_NAL_SEI = 6, SEI_USER_DATA = 5 };

struct mr_encoder {
    const mr_host *host;
    mr_task *task;
    mr_video_codec codec;
    AVCodecContext *context;
    AVCodecParameters *parameters;
    AVFrame *frame;
    int64_t next_dts;
    int64_t sent;
    double qp_sum;
    int64_t qp_count;
    bool alone; /* has its turn */
};

bool mr_codec_forces_keys(mr_video_codec codec)
{
    return codec == MR_CODEC_H264 || codec == MR_CODEC_HEVC;
}

bool mr_codec_is_alone(mr_video_codec codec)
{
    return codec == MR_CODEC_AV1;
}

static AVCodecContext *new_context(const mr_encode_options *options, const AVCodec *codec)
{
    AVCodecContext *context = avcodec_alloc_context3(codec);
    if (!context)
        return NULL;
    context->width = options->width;
    context->height = options->height;
    context->pix_fmt = options->kind.format;
    context->time_base = av_inv_q(options->fps);
    context->framerate = options->fps;
    context->sample_aspect_ratio = (AVRational){1, 1};
    context->color_primaries = options->kind.primaries;
    context->color_trc = options->kind.transfer;
    context->colorspace = options->kind.matrix;
    context->color_range = AVCOL_RANGE_MPEG;
    context->chroma_sample_location = AVCHROMA_LOC_LEFT;
    context->thread_count = options->threads > 1 ? options->threads : 1;
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_CLOSED_GOP;
    if (options->mode == MR_ENCODE_PASS_1)
        context->flags |= AV_CODEC_FLAG_PASS1;
    if (options->mode == MR_ENCODE_PASS_2)
        context->flags |= AV_CODEC_FLAG_PASS2;
    if (options->max_bitrate > 0 && !options->free_flow) {
        context->rc_max_rate = MR_VBV_RATE(options->max_bitrate);
        context->rc_buffer_size = (int)FFMIN(MR_VBV_BUFFER(options->max_bitrate), INT32_MAX);
        context->rc_initial_buffer_occupancy = context->rc_buffer_size;
    }
    return context;
}

static mr_status open_context(mr_encoder *encoder, const mr_encode_options *options)
{
    const char *name = mr_encoder_name(options->codec);
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    AVDictionary *dictionary = NULL;
    if (!codec) {
        encoder->host->report(encoder->task, MR_SEVERITY_ERROR, "codec", "FFmpeg's libavcodec must be built with it",
                              "the encoder %s is missing here", name);
        return MR_ERR_UNSUPPORTED;
    }
    encoder->context = new_context(options, codec);
    encoder->parameters = avcodec_parameters_alloc();
    encoder->frame = av_frame_alloc();
    int error =
        encoder->context && encoder->parameters && encoder->frame ? mr_encoder_set_options(options, encoder->context, &dictionary) : AVERROR(ENOMEM);
    mr_encode_opening_lock();
    if (error >= 0)
        error = avcodec_open2(encoder->context, codec, &dictionary);
    mr_encode_opening_unlock();
    if (error >= 0)
        error = avcodec_parameters_from_context(encoder->parameters, encoder->context);
    if (error >= 0)
        encoder->parameters->video_delay = mr_encoder_delay(options);
    const AVDictionaryEntry *unknown = av_dict_get(dictionary, "", NULL, AV_DICT_IGNORE_SUFFIX);
    mr_status status = MR_OK;
    if (error == AVERROR_EXTERNAL && options->mode == MR_ENCODE_PASS_2) {
        encoder->host->report(encoder->task, MR_SEVERITY_ERROR, NULL, NULL, "the encoder %s can't use the statistics of the analysis", name);
        status = MR_ERR_INPUT;
    } else if (error < 0) {
        status = mr_media_error(encoder->host, encoder->task, error, "the encoder can't be opened");
    } else if (unknown) {
        encoder->host->report(encoder->task, MR_SEVERITY_ERROR, NULL, NULL, "the encoder %s does not know its option '%s'", name, unknown->key);
        status = MR_ERR_UNSUPPORTED;
    }
    av_dict_free(&dictionary);
    return status;
}

mr_status mr_encoder_open(const mr_host *host, mr_task *task, const mr_encode_options *options, mr_encoder **ret_encoder)
{
    mr_media_quiet();
    mr_encoder *encoder = calloc(1, sizeof(*encoder));
    if (!encoder)
        return mr_media_error(host, task, AVERROR(ENOMEM), "encoder");
    *encoder = (mr_encoder){.host = host, .task = task, .codec = options->codec, .next_dts = options->first_dts};
    mr_status status = mr_codec_is_alone(options->codec) ? mr_encode_turn_take(host, task) : MR_OK;
    encoder->alone = status == MR_OK && mr_codec_is_alone(options->codec);
    if (status == MR_OK)
        status = open_context(encoder, options);
    if (status != MR_OK) {
        mr_encoder_close(encoder);
        return status;
    }
    *ret_encoder = encoder;
    return MR_OK;
}

/* SVT-AV1 1.4 waits for a packet when it is closed, for ever if it was never given a picture. */
static void feed_once(mr_encoder *encoder)
{
    AVFrame *frame = encoder->frame;
    av_frame_unref(frame);
    frame->width = encoder->context->width;
    frame->height = encoder->context->height;
    frame->format = encoder->context->pix_fmt;
    frame->pts = 0;
    if (av_frame_get_buffer(frame, 0) < 0)
        return;
    for (int plane = 0; plane < 3; plane++)
        memset(frame->data[plane], 0, (size_t)frame->linesize[plane] * (size_t)(plane ? (frame->height + 1) / 2 : frame->height));
    (void)avcodec_send_frame(encoder->context, frame);
}

void mr_encoder_close(mr_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->codec == MR_CODEC_AV1 && encoder->sent == 0 && encoder->context && encoder->frame && avcodec_is_open(encoder->context))
        feed_once(encoder);
    mr_encode_opening_lock();
    avcodec_free_context(&encoder->context);
    mr_encode_opening_unlock();
    if (encoder->alone)
        mr_encode_turn_give();
    avcodec_parameters_free(&encoder->parameters);
    av_frame_free(&encoder->frame);
    free(encoder);
}

const AVCodecParameters *mr_encoder_parameters(const mr_encoder *encoder)
{
    return encoder->parameters;
}

/* x264 writes the statistics of a first pass itself, and says no more than that it failed. errno was 0 before. */
static int name_error(int error)
{
    return error == AVERROR_EXTERNAL && (errno == ENOSPC || errno == EDQUOT) ? AVERROR(ENOSPC) : error;
}

mr_status mr_encoder_send(mr_encoder *encoder, const AVFrame *frame, int64_t index, bool key)
{
    int error = 0;
    if (frame) {
        av_frame_unref(encoder->frame);
        error = av_frame_ref(encoder->frame, frame);
        if (error >= 0) {
            encoder->frame->pts = index;
            encoder->frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
            while (encoder->frame->nb_side_data > 0) /* captions, user data: encoders would copy some of it into the stream */
                av_frame_remove_side_data(encoder->frame, encoder->frame->side_data[0]->type);
        }
    }
    errno = 0;
    if (error >= 0)
        error = avcodec_send_frame(encoder->context, frame ? encoder->frame : NULL);
    encoder->sent += frame != NULL;
    error = name_error(error);
    return error < 0 ? mr_media_error(encoder->host, encoder->task, error, "a picture can't be encoded") : MR_OK;
}

/* libavcodec puts x264's message with its version and options before the first picture. */
static void drop_message(AVPacket *packet)
{
    const uint8_t *end = packet->data + packet->size;
    size_t len = 0;
    const uint8_t *nal = mr_nal_next(packet->data, end, &len);
    if (!nal || len < 2 || (nal[0] & 0x1f) != H264_NAL_SEI || nal[1] != SEI_USER_DATA)
        return;
    packet->size -= (int)(nal + len - packet->data);
    packet->data = (uint8_t *)nal + len;
}

double mr_encoder_mean_qp(const mr_encoder *encoder)
{
    return encoder->qp_count ? encoder->qp_sum / (double)encoder->qp_count : 0;
}

static void count_qp(mr_encoder *encoder, const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *stats = av_packet_get_side_data(packet, AV_PKT_DATA_QUALITY_STATS, &size);
    /* With frame threads libx264 tells that of the picture that went in last; of those that come out when none go in, -1. */
    const int quality = stats && size >= 4 ? (int32_t)AV_RL32(stats) : 0;
    if (quality <= 0)
        return;
    encoder->qp_sum += quality / (double)FF_QP2LAMBDA;
    encoder->qp_count++;
}

mr_status mr_encoder_receive(mr_encoder *encoder, AVPacket *packet)
{
    av_packet_unref(packet);
    errno = 0;
    int error = name_error(avcodec_receive_packet(encoder->context, packet));
    if (error == AVERROR(EAGAIN))
        return MR_NOT_YET;
    if (error == AVERROR_EOF)
        return MR_END;
    if (error < 0)
        return mr_media_error(encoder->host, encoder->task, error, "a picture can't be encoded");
    if (encoder->codec == MR_CODEC_H264)
        drop_message(packet);
    count_qp(encoder, packet);
    packet->dts = encoder->next_dts++;
    packet->duration = 1;
    return MR_OK;
}
