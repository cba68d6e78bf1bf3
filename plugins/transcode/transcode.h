/* SPDX-License-Identifier: MIT */
/* The ops of this plugin. */
#ifndef TRANSCODE_TRANSCODE_H
#define TRANSCODE_TRANSCODE_H

#include <millrace/plugin.h>

extern const mr_op mr_op_transcode_ladder;
extern const mr_op mr_op_transcode_analyse;
extern const mr_op mr_op_transcode_init;
extern const mr_op mr_op_transcode_video;
extern const mr_op mr_op_transcode_audio;
extern const mr_op mr_op_transcode_loudness;
extern const mr_op mr_op_transcode_subtitles;
extern const mr_op mr_op_transcode_file;

/* What decides the bytes of encoded sound: for mr_op.toolchain. */
const char *mr_transcode_audio_toolchain(void);
const char *mr_transcode_video_toolchain(void); /* of pictures: steered filters write with a font */

#endif
