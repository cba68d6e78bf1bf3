/* SPDX-License-Identifier: MIT */
/* The plugin's entry: what it offers. */
#include "thumbnail.h"

static const mr_op *const ops[] = {
    &mr_op_thumbnail_poster, &mr_op_thumbnail_sheets, &mr_op_thumbnail_storyboard, &mr_op_thumbnail_preview, NULL,
};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "thumbnail",
    .version = "0.1.0",
    .summary = "makes still and moving thumbnails of a video",
    .licence = "MIT",
    .ops = ops,
};
