/* SPDX-License-Identifier: MIT */
/*
 * The guard of a decoder. Decoders ask av_image_check_size2() with our max_pixels before they allocate a picture. When it says no, most forget the
 * picture's size, others keep it: a decoder that fails, and that knew a size and no longer does, or has one beyond the limit, has met a picture that
 * is too large. Behind good ones that may be damage: it is passed over, as players do, and said at the end if nothing good follows.
 */
#include "media/input.h"
#include "media/limits.h"

#include <libavutil/imgutils.h>

#define REFUSED_MOST 25        /* pictures that are too large, with none before them that is not */
#define SAMPLES_MOST (1 << 23) /* in one frame of sound: nearly three minutes at 48 kHz; real codecs stay below a million */
#define SECOND_US    1000000

void mr_guard_init(mr_decode_guard *guard, const mr_host *host, mr_task *task, const AVFormatContext *format, const AVStream *stream,
                   AVCodecContext *codec)
{
    *guard = (mr_decode_guard){.host = host, .task = task, .format = format, .stream = stream};
    guard->second_us = guard->latest_us = INT64_MIN;
    codec->max_pixels = mr_limits_max_pixels(mr_limits_of(host, task));
    codec->max_samples = SAMPLES_MOST;
}

/* The size that a packet's headers give, where libav has a parser for them. */
static void find_size(const AVCodecContext *codec, const AVPacket *packet, int *ret_width, int *ret_height)
{
    uint8_t *out = NULL;
    int out_size = 0;
    AVCodecParserContext *parser = av_parser_init((int)codec->codec_id);
    AVCodecContext *context = parser ? avcodec_alloc_context3(NULL) : NULL;
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    *ret_width = *ret_height = 0;
    if (context && parameters && avcodec_parameters_from_context(parameters, codec) >= 0 && avcodec_parameters_to_context(context, parameters) >= 0) {
        parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
        av_parser_parse2(parser, context, &out, &out_size, packet->data, packet->size, AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
        *ret_width = parser->coded_width > parser->width ? parser->coded_width : parser->width;
        *ret_height = parser->coded_height > parser->height ? parser->coded_height : parser->height;
    }
    avcodec_parameters_free(&parameters);
    avcodec_free_context(&context);
    av_parser_close(parser);
}

static bool was_refused(mr_decode_guard *guard, const AVCodecContext *codec, const AVPacket *packet)
{
    int64_t most = codec->max_pixels;
    guard->width = codec->coded_width > codec->width ? codec->coded_width : codec->width;
    guard->height = codec->coded_height > codec->height ? codec->coded_height : codec->height;
    if (codec->width > 0)
        return (int64_t)guard->width * guard->height > most; /* it was set, and there was no memory for it */
    if (packet && packet->size > 0)
        find_size(codec, packet, &guard->width, &guard->height);
    if ((int64_t)guard->width * guard->height > most)
        return true;
    guard->width = guard->height = 0;
    return guard->stream->codecpar->width > 0;
}

static mr_status refuse(const mr_decode_guard *guard)
{
    const char *name = mr_media_name(guard->format);
    if (guard->width > 0)
        return mr_limit_exceeded(guard->host, guard->task, MR_LIMIT_PICTURE_PIXELS, "the picture of '%s' is %dx%d", name, guard->width,
                                 guard->height);
    return mr_limit_exceeded(guard->host, guard->task, MR_LIMIT_PICTURE_PIXELS, "the pictures of '%s' are larger than its header says", name);
}

mr_status mr_guard_packet(mr_decode_guard *guard, const AVCodecContext *codec, const AVPacket *packet, int averror)
{
    guard->fed += packet && packet->size > 0 ? (uint64_t)packet->size : 0;
    if (averror >= 0 || averror == AVERROR(EAGAIN) || averror == AVERROR_EOF || codec->codec_type != AVMEDIA_TYPE_VIDEO ||
        !was_refused(guard, codec, packet))
        return MR_OK;
    return ++guard->refused >= REFUSED_MOST && guard->frames == 0 ? refuse(guard) : MR_OK;
}

static uint64_t frame_bytes(const AVFrame *frame)
{
    int bytes = frame->width > 0 ? av_image_get_buffer_size(frame->format, frame->width, frame->height, 1)
                                 : av_samples_get_buffer_size(NULL, frame->ch_layout.nb_channels, frame->nb_samples, frame->format, 1);
    return bytes > 0 ? (uint64_t)bytes : 0;
}

static mr_status check_picture(mr_decode_guard *guard, const AVFrame *frame, int64_t us)
{
    mr_status status = mr_limits_check_picture(guard->host, guard->task, mr_media_name(guard->format), frame->width, frame->height);
    if (status != MR_OK)
        return status;
    if (us == AV_NOPTS_VALUE || us == guard->latest_us)
        return MR_OK; /* without times of their own they are no rate; their bytes are counted */
    if (guard->latest_us == AV_NOPTS_VALUE || us < guard->latest_us || us - guard->second_us >= SECOND_US) {
        guard->second_us = us;
        guard->in_second = 0;
    }
    guard->latest_us = us;
    return mr_limits_check_rate(guard->host, guard->task, mr_media_name(guard->format), ++guard->in_second, (double)(us - guard->second_us) / 1e6);
}

static mr_status check_sound(const mr_decode_guard *guard, const AVFrame *frame)
{
    const mr_limits *limits = mr_limits_of(guard->host, guard->task);
    const char *name = mr_media_name(guard->format);
    if (frame->sample_rate > limits->sample_rate)
        return mr_limit_exceeded(guard->host, guard->task, MR_LIMIT_SAMPLE_RATE, "the sound of '%s' has %d samples a second", name,
                                 frame->sample_rate);
    if (frame->ch_layout.nb_channels > limits->channels)
        return mr_limit_exceeded(guard->host, guard->task, MR_LIMIT_CHANNELS, "the sound of '%s' has %d channels", name,
                                 frame->ch_layout.nb_channels);
    return MR_OK;
}

mr_status mr_guard_frame(mr_decode_guard *guard, const AVFrame *frame, int64_t us)
{
    uint64_t size = mr_media_size(guard->format);
    mr_status status = frame->width > 0 ? check_picture(guard, frame, us) : check_sound(guard, frame);
    guard->refused = 0;
    guard->frames++;
    guard->decoded += frame_bytes(frame);
    /* Packets that are the same bytes of the file count once. */
    if (status == MR_OK)
        status =
            mr_limits_check_decoded(guard->host, guard->task, mr_media_name(guard->format), guard->fed < size ? guard->fed : size, guard->decoded);
    return status;
}

mr_status mr_guard_end(const mr_decode_guard *guard)
{
    const char *name = mr_media_name(guard->format);
    if (guard->refused == 0)
        return MR_OK;
    if (guard->frames == 0)
        return refuse(guard);
    if (guard->width > 0)
        mr_limit_left_out(guard->host, guard->task, MR_LIMIT_PICTURE_PIXELS, "at its end the picture of '%s' is %dx%d", name, guard->width,
                          guard->height);
    else
        mr_limit_left_out(guard->host, guard->task, MR_LIMIT_PICTURE_PIXELS, "at its end the picture of '%s' is larger", name);
    return MR_OK;
}
