/* SPDX-License-Identifier: MIT */
/*
 * Picture encoders, set up so that what they make from a chunk fits what is made from the next one: closed GOPs, key frames only where they are
 * asked for or where a scene changes, the same headers whatever the rate, one thread unless told otherwise, and no names of libraries in the stream.
 */
#ifndef MR_MEDIA_ENCODE_H
#define MR_MEDIA_ENCODE_H

#include "media/picture.h"
#include <libavcodec/avcodec.h>

typedef enum mr_video_codec { MR_CODEC_H264, MR_CODEC_HEVC, MR_CODEC_AV1, MR_CODEC_VP9 } mr_video_codec;
typedef enum mr_encode_mode {
    MR_ENCODE_CRF,    /* a wanted quality, under max_bitrate */
    MR_ENCODE_PASS_1, /* the same, and statistics for a second pass are left at 'stats' when the encoder is closed (H.264 only) */
    MR_ENCODE_PASS_2, /* a wanted bitrate, with the statistics of a first pass */
} mr_encode_mode;

/* Capped quality: what VBV allows (PERFORMANCE: 1.07 × and 1.5 s of the rung's max_bitrate). */
#define MR_VBV_RATE(max_bitrate)   ((max_bitrate)*107 / 100)
#define MR_VBV_BUFFER(max_bitrate) ((max_bitrate)*3 / 2)

typedef struct mr_encode_options {
    mr_video_codec codec;
    const char *preset;  /* ultrafast … placebo */
    const char *tune;    /* NULL: none; H.264 and HEVC only */
    const char *profile; /* H.264: baseline, main, high; NULL: the best that fits */
    int width;
    int height;
    AVRational fps;
    mr_picture_kind kind;
    int longest_gop; /* frames: the longest segment */
    mr_encode_mode mode;
    double crf;
    int64_t bitrate;     /* MR_ENCODE_PASS_2 */
    int64_t max_bitrate; /* 0: no ceiling */
    bool free_flow;      /* nothing is held under the ceiling by a buffer: a second pass then looks at each picture once (the level stays as it is) */
    const char *stats;   /* path of the statistics */
    int threads;         /* 0: one */
    int64_t first_dts;   /* the first packet's; 0 at the start of a chunk */
} mr_encode_options;

typedef struct mr_encoder mr_encoder;

/* Waits for its turn where mr_codec_is_alone(); MR_ERR_CANCELLED when the task is cancelled meanwhile. */
mr_status mr_encoder_open(const mr_host *host, mr_task *task, const mr_encode_options *options, mr_encoder **ret_encoder);
/* Writes the statistics of a first pass. */
void mr_encoder_close(mr_encoder *encoder);
/* frame is not changed. index: its number in the chunk, one more each time. key: begins a closed GOP. frame NULL: there are no more. */
mr_status mr_encoder_send(mr_encoder *encoder, const AVFrame *frame, int64_t index, bool key);
/* MR_NOT_YET: wants another frame; MR_END: all came out. Times in frames: pts is the frame's index, dts counts up by one, so pts − dts may be
 * negative. */
mr_status mr_encoder_receive(mr_encoder *encoder, AVPacket *packet);
/* Mean quantiser of the pictures so far, where the encoder tells it (x264 does: before its block tree); else 0. */
double mr_encoder_mean_qp(const mr_encoder *encoder);
/* What mr_cmaf_new wants, with video_delay right (not every encoder tells it before its first packet). Borrowed. */
const AVCodecParameters *mr_encoder_parameters(const mr_encoder *encoder);

/* Can one encoder be told where key frames go? Else each segment needs an encoder of its own. */
bool mr_codec_forces_keys(mr_video_codec codec);
/* Can a process have no more than one encoder of it open at a time? Then a thread must close one before it opens the next. (See encode_turn.h.) */
bool mr_codec_is_alone(mr_video_codec codec);

#endif
