/* SPDX-License-Identifier: MIT */
/*
 * See audio_encoder.h. Mixing is libswresample's with its usual coefficients (centre and surrounds at -3 dB, no LFE in stereo), scaled so that full
 * scale everywhere does not clip. One thread, bit-exact flags: the same samples give the same packets.
 */
#include "audio_encoder.h"
#include "audio_limiter.h"
#include "media/input.h"

#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>

struct mr_audio_encoder {
    const mr_host *host;
    mr_task *task;
    AVCodecContext *context;
    SwrContext *mixer;
    AVFrame *frame;
    mr_limiter *limiter; /* NULL: no ceiling */
    double gain;
    int64_t sent; /* samples */
};

AVChannelLayout mr_audio_rendition_layout(int channels)
{
    if (channels == 1)
        return (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    return channels == 6 ? (AVChannelLayout)AV_CHANNEL_LAYOUT_5POINT1_BACK : (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
}

int mr_audio_mixer_new(const AVChannelLayout *from, int channels, enum AVSampleFormat format, int rate, SwrContext **ret_mixer)
{
    AVChannelLayout to = mr_audio_rendition_layout(channels);
    AVChannelLayout in = *from; /* native: nothing to copy deeply */
    SwrContext *mixer = NULL;
    int error = swr_alloc_set_opts2(&mixer, &to, format, rate, &in, AV_SAMPLE_FMT_FLTP, rate, 0, NULL);
    if (error >= 0)
        error = av_opt_set_double(mixer, "rematrix_maxval", 1.0, 0);
    if (error >= 0)
        error = swr_init(mixer);
    if (error < 0)
        swr_free(&mixer);
    *ret_mixer = mixer;
    return error < 0 ? error : 0;
}

static int open_codec(mr_audio_encoder *encoder, const AVCodec *codec, const mr_audio_encoder_options *options)
{
    AVCodecContext *context = avcodec_alloc_context3(codec);
    encoder->context = context;
    if (!context)
        return AVERROR(ENOMEM);
    const AVChannelLayout layout = mr_audio_rendition_layout(options->channels);
    int error = av_channel_layout_copy(&context->ch_layout, &layout);
    if (error < 0)
        return error;
    context->sample_rate = options->rate;
    context->sample_fmt = codec->sample_fmts[0];
    for (const enum AVSampleFormat *format = codec->sample_fmts; *format != AV_SAMPLE_FMT_NONE; format++) {
        if (*format == AV_SAMPLE_FMT_FLT || *format == AV_SAMPLE_FMT_FLTP)
            context->sample_fmt = *format;
    }
    context->bit_rate = options->bitrate;
    context->time_base = (AVRational){1, options->rate};
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    context->thread_count = 1;
    if (options->codec == MR_AUDIO_OPUS) {
        error = av_opt_set(context->priv_data, "vbr", "constrained", 0); /* streams want ceilings */
        if (error < 0)
            return error;
    }
    return avcodec_open2(context, codec, NULL);
}

static int encoder_init(mr_audio_encoder *encoder, const AVCodec *codec, const mr_audio_encoder_options *options)
{
    int error = open_codec(encoder, codec, options);
    if (error < 0)
        return error;
    AVCodecContext *context = encoder->context;
    encoder->gain = options->gain > 0 ? options->gain : 1;
    error = mr_audio_mixer_new(options->layout, options->channels, context->sample_fmt, options->rate, &encoder->mixer);
    if (error < 0)
        return error;
    encoder->frame = av_frame_alloc();
    if (!encoder->frame)
        return AVERROR(ENOMEM);
    encoder->frame->format = context->sample_fmt;
    encoder->frame->nb_samples = context->frame_size;
    encoder->frame->sample_rate = context->sample_rate;
    error = av_channel_layout_copy(&encoder->frame->ch_layout, &context->ch_layout);
    if (error >= 0)
        error = av_frame_get_buffer(encoder->frame, 0);
    if (error < 0 || options->ceiling <= 0)
        return error;
    encoder->limiter = mr_limiter_new(options->channels, context->frame_size, options->ceiling);
    return encoder->limiter ? 0 : AVERROR(ENOMEM);
}

mr_status mr_audio_encoder_open(const mr_host *host, mr_task *task, const mr_audio_encoder_options *options, mr_audio_encoder **ret_encoder)
{
    const char *name = options->codec == MR_AUDIO_OPUS ? "libopus" : "aac";
    *ret_encoder = NULL;
    mr_media_quiet();
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec) {
        host->report(task, MR_SEVERITY_ERROR, "codec", "install FFmpeg libraries that have it", "these libraries have no encoder '%s'", name);
        return MR_ERR_UNSUPPORTED;
    }
    mr_audio_encoder *encoder = calloc(1, sizeof(*encoder));
    if (!encoder)
        return MR_ERR_NOMEM;
    encoder->host = host;
    encoder->task = task;
    int error = encoder_init(encoder, codec, options);
    if (error < 0) {
        mr_audio_encoder_close(encoder);
        return mr_media_error(host, task, error, "opening the sound encoder");
    }
    *ret_encoder = encoder;
    return MR_OK;
}

void mr_audio_encoder_close(mr_audio_encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->context);
    swr_free(&encoder->mixer);
    av_frame_free(&encoder->frame);
    mr_limiter_free(encoder->limiter);
    free(encoder);
}

const AVCodecContext *mr_audio_encoder_context(const mr_audio_encoder *encoder)
{
    return encoder->context;
}

mr_status mr_audio_encoder_parameters(const mr_audio_encoder *encoder, AVCodecParameters **ret_parameters)
{
    *ret_parameters = avcodec_parameters_alloc();
    int error = *ret_parameters ? avcodec_parameters_from_context(*ret_parameters, encoder->context) : AVERROR(ENOMEM);
    if (error < 0) {
        avcodec_parameters_free(ret_parameters);
        return mr_media_error(encoder->host, encoder->task, error, "describing the sound track");
    }
    return MR_OK;
}

static void apply_gain(AVFrame *frame, double gain)
{
    bool planar = av_sample_fmt_is_planar((enum AVSampleFormat)frame->format);
    int planes = planar ? frame->ch_layout.nb_channels : 1;
    int samples = frame->nb_samples * (planar ? 1 : frame->ch_layout.nb_channels);
    for (int p = 0; p < planes; p++) {
        float *data = (float *)frame->extended_data[p];
        for (int i = 0; i < samples; i++)
            data[i] = (float)(data[i] * gain);
    }
}

mr_status mr_audio_encoder_send(mr_audio_encoder *encoder, float *const *planes)
{
    AVFrame *frame = encoder->frame;
    int error = av_frame_make_writable(frame);
    if (error >= 0)
        error = swr_convert(encoder->mixer, frame->extended_data, frame->nb_samples, (const uint8_t **)planes, frame->nb_samples);
    if (error >= 0) {
        if (encoder->gain < 1 || encoder->gain > 1)
            apply_gain(frame, encoder->gain);
        if (encoder->limiter && !mr_limiter_run(encoder->limiter, frame))
            return MR_OK;
        frame->pts = encoder->sent;
        encoder->sent += frame->nb_samples;
        error = avcodec_send_frame(encoder->context, frame);
    }
    return error < 0 ? mr_media_error(encoder->host, encoder->task, error, "encoding sound") : MR_OK;
}

mr_status mr_audio_encoder_receive(mr_audio_encoder *encoder, AVPacket *packet)
{
    int error = avcodec_receive_packet(encoder->context, packet);
    if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
        return MR_END;
    return error < 0 ? mr_media_error(encoder->host, encoder->task, error, "encoding sound") : MR_OK;
}
