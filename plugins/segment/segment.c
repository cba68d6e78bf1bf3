/* SPDX-License-Identifier: MIT */
/* The plugin's entry: what it offers. */
#include "segment.h"

static const mr_op *const ops[] = {
    &mr_op_segment_plan,
    &mr_op_segment_remux,
    &mr_op_segment_mpegts,
    NULL,
};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "segment",
    .version = "0.1.0",
    .summary = "cuts sources: plans of segments, cuts without encoding, MPEG-TS",
    .licence = "MIT",
    .ops = ops,
};
