/* SPDX-License-Identifier: MIT */
/* The plugin's entry: what it offers. */
#include "transcode.h"
#include "media/font.h"
#include "media/toolchain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const mr_op *const ops[] = {
    &mr_op_transcode_ladder,    &mr_op_transcode_analyse, &mr_op_transcode_init,
    &mr_op_transcode_video,     &mr_op_transcode_audio,   &mr_op_transcode_loudness,
    &mr_op_transcode_subtitles, &mr_op_transcode_file,    NULL,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char toolchain[1280];

static void write_toolchain(void)
{
    snprintf(toolchain, sizeof(toolchain), "%s, %s", mr_media_toolchain(), mr_font_identity());
}

const char *mr_transcode_video_toolchain(void)
{
    pthread_once(&once, write_toolchain);
    return toolchain;
}

/* SVT-AV1 writes to stderr what it was told, unless it is asked not to before it is opened first. Nothing else runs yet. */
static mr_status load(const mr_host *host, char *why, size_t why_size)
{
    (void)host;
    (void)why;
    (void)why_size;
    setenv("SVT_LOG", "0", 0); /* NOLINT(concurrency-mt-unsafe) */
    mr_font_load();
    return MR_OK;
}

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "transcode",
    .version = "0.1.0",
    .summary = "encodes pictures, sound and subtitles",
    .licence = "MIT",
    .ops = ops,
    .load = load,
};
