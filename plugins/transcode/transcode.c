/* SPDX-License-Identifier: MIT */
/* The plugin's entry: what it offers. */
#include "transcode.h"

static const mr_op *const ops[] = {
    &mr_op_transcode_ladder,
    &mr_op_transcode_analyse,
    &mr_op_transcode_video,
    &mr_op_transcode_audio,
    &mr_op_transcode_loudness,
    &mr_op_transcode_subtitles,
    NULL,
};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "transcode",
    .version = "0.1.0",
    .summary = "encodes pictures, sound and subtitles",
    .licence = "MIT",
    .ops = ops,
};
