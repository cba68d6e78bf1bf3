/* SPDX-License-Identifier: MIT */
/*
 * transcode.init: a rendition's init segment before anything is encoded, so that playlists need not wait for the first chunk of the slowest rung. The
 * encoder is opened as for any chunk, and closed without a picture: what is in an init segment does not depend on what is encoded.
 */
#include "rung.h"
#include "transcode.h"

static mr_status make(const mr_host *host, const mr_batch_task *one)
{
    mr_chunk chunk = {0};
    mr_rung rung;
    mr_rung_encode *encode = NULL;
    mr_status status = mr_chunk_read(host, one->task, host->input(one->task, MR_INIT_CHUNK, 0), &chunk);
    if (status == MR_OK)
        status = mr_rung_read(host, one->task, host->input(one->task, MR_INIT_RUNG, 0), &rung);
    if (status == MR_OK)
        status = mr_rung_encode_new(host, one->task, &chunk, &rung, one->params, &encode);
    if (status == MR_OK)
        status = mr_rung_encode_begin(encode, &(mr_rung_rate){.crf = ((const mr_video_params *)one->params)->quality});
    if (status == MR_OK)
        status = mr_rung_encode_emit_init(encode, MR_INIT_SEGMENT);
    mr_rung_encode_free(encode);
    mr_chunk_free(&chunk);
    return status;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        host->finish(batch->tasks[i].task, make(host, &batch->tasks[i]));
    return MR_OK;
}

static const mr_port inputs[] = {
    {"chunk", MR_TYPE_CHUNK, 0, "any part of the picture track"},
    {"rung", MR_TYPE_JSON, 0, "the rendition, from transcode.ladder"},
    {0},
};

static const mr_port outputs[] = {
    {"segment", MR_TYPE_SEGMENT, 0, "the init segment, the same that comes with every chunk"},
    {0},
};

const mr_op mr_op_transcode_init = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "transcode.init",
    .summary = "makes the init segment of a rendition before it is encoded",
    .help = "Beside transcode.video, with the same params: manifest.package then knows each rendition as soon as the plan is made, and with 'waits' "
            "publishes the playlists that name all of it. A rendition whose chunks come with another init segment is refused.",
    .cpu = 1,
    .memory_mb = 256,
    .batch_max = 16,
    .batch_by = "chunk",
    .inputs = inputs,
    .outputs = outputs,
    .params = mr_video_params_table,
    .params_size = sizeof(mr_video_params),
    .run = run,
    .toolchain = mr_transcode_video_toolchain,
};
