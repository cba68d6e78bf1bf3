/* SPDX-License-Identifier: MIT */
/* What each encoder is told. Internal to encode.c. */
#ifndef MR_MEDIA_ENCODE_OPTIONS_H
#define MR_MEDIA_ENCODE_OPTIONS_H

#include "media/encode.h"

const char *mr_encoder_name(mr_video_codec codec);
/* Sets what context holds itself, and the encoder's own options in *dictionary. Negative AVERROR on failure. */
int mr_encoder_set_options(const mr_encode_options *options, AVCodecContext *context, AVDictionary **dictionary);

/* Frames by which decoding runs ahead of showing: as the streams say it, and known before the first packet. */
int mr_encoder_delay(const mr_encode_options *options);

/* The lowest level of H.264 (ten times its number) whose limits hold; *ret_dpb_frames: reference frames that it allows, at most 16. */
int mr_h264_level(int width, int height, AVRational fps, int64_t max_bitrate, bool high_profile, int *ret_dpb_frames);

#endif
