/* SPDX-License-Identifier: MIT */
/* See sound.h. */
#include "sound.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(sound *out, SwrContext *swr, const AVFrame *frame)
{
    size_t room = (size_t)swr_get_out_samples(swr, frame ? frame->nb_samples : 0);
    float *grown = realloc(out->data, (out->samples + room + 1) * (size_t)out->channels * sizeof(float));
    if (!grown)
        abort();
    out->data = grown;
    uint8_t *to = (uint8_t *)(out->data + out->samples * (size_t)out->channels);
    int made = swr_convert(swr, &to, (int)room, frame ? (const uint8_t **)frame->extended_data : NULL, frame ? frame->nb_samples : 0);
    out->samples += made > 0 ? (size_t)made : 0;
}

static void decode(sound *out, AVFormatContext *format, AVCodecContext *codec, int stream)
{
    SwrContext *swr = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    bool more = true;
    while (more) {
        more = av_read_frame(format, packet) >= 0;
        if (more && packet->stream_index != stream) {
            av_packet_unref(packet);
            continue;
        }
        avcodec_send_packet(codec, more ? packet : NULL);
        av_packet_unref(packet);
        while (avcodec_receive_frame(codec, frame) >= 0) {
            if (!swr) {
                out->channels = frame->ch_layout.nb_channels;
                out->rate = frame->sample_rate;
                swr_alloc_set_opts2(&swr, &frame->ch_layout, AV_SAMPLE_FMT_FLT, frame->sample_rate, &frame->ch_layout,
                                    (enum AVSampleFormat)frame->format, frame->sample_rate, 0, NULL);
                swr_init(swr);
            }
            append(out, swr, frame);
            av_frame_unref(frame);
        }
    }
    swr_free(&swr);
    av_packet_free(&packet);
    av_frame_free(&frame);
}

sound sound_read(const char *path)
{
    sound out = {0};
    AVFormatContext *format = NULL;
    av_log_set_level(AV_LOG_ERROR);
    if (avformat_open_input(&format, path, NULL, NULL) < 0)
        return out;
    avformat_find_stream_info(format, NULL);
    int stream = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    const AVCodec *decoder = stream >= 0 ? avcodec_find_decoder(format->streams[stream]->codecpar->codec_id) : NULL;
    AVCodecContext *codec = decoder ? avcodec_alloc_context3(decoder) : NULL;
    if (codec && avcodec_parameters_to_context(codec, format->streams[stream]->codecpar) >= 0) {
        codec->flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL; /* nothing is cut off at the ends */
        if (avcodec_open2(codec, decoder, NULL) >= 0)
            decode(&out, format, codec, stream);
    }
    avcodec_free_context(&codec);
    avformat_close_input(&format);
    return out;
}

void sound_free(sound *sound)
{
    free(sound->data);
    sound->data = NULL;
    sound->samples = 0;
}

float sound_at(const sound *sound, size_t sample, int channel)
{
    return sample < sound->samples ? sound->data[sample * (size_t)sound->channels + (size_t)channel] : 0;
}

long sound_find(const sound *sound, int channel, float level, size_t from)
{
    for (size_t i = from; i < sound->samples; i++) {
        if (fabsf(sound_at(sound, i, channel)) > level)
            return (long)i;
    }
    return -1;
}

double sound_difference(const sound *a, const sound *b, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++) {
        double d = sound_at(a, i, 0) - sound_at(b, i, 0);
        sum += d * d;
    }
    return sqrt(sum / (double)(to - from));
}

double sound_level(const sound *sound, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += (double)sound_at(sound, i, 0) * sound_at(sound, i, 0);
    return sqrt(sum / (double)(to - from));
}

bool file_join(const char *path, const op_item *const *items, size_t count)
{
    FILE *out = fopen(path, "wbe");
    bool written = out != NULL;
    for (size_t i = 0; i < count && written; i++)
        written = fwrite(items[i]->data, 1, items[i]->size, out) == items[i]->size;
    if (out)
        written = fclose(out) == 0 && written;
    return written;
}
