/* SPDX-License-Identifier: MIT */
/* transcode.analyse: its tables. The work is in video_run.c and analyser.c. */
#include "transcode.h"
#include "video.h"

static const mr_port inputs[] = {
    {"chunk", MR_TYPE_CHUNK, 0, "the part of the picture track to analyse"},
    {"source", MR_TYPE_MEDIA, 0, "the video"},
    {0},
};

static const mr_port outputs[] = {
    {"stats", MR_TYPE_JSON, 0, "what transcode.video wants on 'analysis', and of all chunks on 'analyses'; the encoder's statistics are its content"},
    {0},
};

static const char *const hdr_choices[] = {"tonemap", "keep", NULL};

static const mr_param params_table[] = {
    MR_FILTERS(mr_analyse_params, filters, .help = "the same as in transcode.video"),
    MR_CHOICE(mr_analyse_params, hdr, .choices = hdr_choices, .standard = "tonemap", .help = "what happens to HDR, the same as in transcode.video"),
    MR_PARAM_END,
};

const mr_op mr_op_transcode_analyse = {
    .size = sizeof(mr_op),
    .version = 4,
    .name = "transcode.analyse",
    .summary = "looks at a chunk once for all renditions",
    .help = "x264's first pass over pictures of 240 lines, whatever the ladder. It decides where scenes change and which pictures and blocks others "
            "depend "
            "on, so that each rendition's encoder spends less time and more bits where they count; and it tells how hard the chunk is.",
    .cpu = 1,
    .memory_mb = 300,
    .batch_max = 16,
    .batch_by = "chunk",
    .inputs = inputs,
    .outputs = outputs,
    .params = params_table,
    .params_size = sizeof(mr_analyse_params),
    .run = mr_video_run,
    .toolchain = mr_transcode_video_toolchain,
};
