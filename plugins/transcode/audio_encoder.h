/* SPDX-License-Identifier: MIT */
/* One rendition of a sound track: mixed down from the layout that was read, made louder or quieter, and encoded. Deterministic on one class of CPU.
 */
#ifndef TRANSCODE_AUDIO_ENCODER_H
#define TRANSCODE_AUDIO_ENCODER_H

#include <libavcodec/avcodec.h>
#include <millrace/op.h>

typedef enum mr_audio_codec { MR_AUDIO_AAC = 0, MR_AUDIO_OPUS = 1 } mr_audio_codec;

typedef struct mr_audio_encoder mr_audio_encoder;

typedef struct mr_audio_encoder_options {
    mr_audio_codec codec;
    int rate;                      /* of what is sent, Hz */
    const AVChannelLayout *layout; /* of what is sent: planar float */
    int channels;                  /* of the rendition: 1, 2 or 6 */
    int64_t bitrate;               /* of the rendition */
    double gain;                   /* factor on the samples; 0 and 1: none */
    double ceiling;                /* true peaks above it are turned down (audio_limiter.h); linear, 0: none */
} mr_audio_encoder_options;

mr_status mr_audio_encoder_open(const mr_host *host, mr_task *task, const mr_audio_encoder_options *options, mr_audio_encoder **ret_encoder);
void mr_audio_encoder_close(mr_audio_encoder *encoder);

/* Of the opened encoder: frame_size, initial_padding, extradata. Borrowed. */
const AVCodecContext *mr_audio_encoder_context(const mr_audio_encoder *encoder);
/* What can be written into a container. The caller frees it with avcodec_parameters_free. */
mr_status mr_audio_encoder_parameters(const mr_audio_encoder *encoder, AVCodecParameters **ret_parameters);

/* Exactly frame_size samples. With a ceiling, what comes out is some frames behind. */
mr_status mr_audio_encoder_send(mr_audio_encoder *encoder, float *const *planes);
/* MR_END: wants more samples, or is empty. Packets are counted by the caller: the first one covers the encoder's priming. */
mr_status mr_audio_encoder_receive(mr_audio_encoder *encoder, AVPacket *packet);

/* Mono, stereo or 5.1. */
AVChannelLayout mr_audio_rendition_layout(int channels);

/* The mix of a rendition: from one layout to mono, stereo or 5.1, never louder than the loudest channel can be. Both planar float. The caller frees
 * it. */
struct SwrContext;
int mr_audio_mixer_new(const AVChannelLayout *from, int channels, enum AVSampleFormat format, int rate, struct SwrContext **ret_mixer);

#endif
