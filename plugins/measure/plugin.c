/* SPDX-License-Identifier: MIT */
/* The plugin's entry: what it offers. */
#include "measure.h"

static const mr_op *const ops[] = {&mr_op_measure_trial, &mr_op_measure_scenes, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "measure",
    .version = "0.1.0",
    .summary = "measures what a video is like, for pipelines that choose by it",
    .licence = "MIT",
    .ops = ops,
};
