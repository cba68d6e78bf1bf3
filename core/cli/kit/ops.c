/* SPDX-License-Identifier: MIT */
/*
 * The ops that make a trial's inputs: one for each type of artifact, since an output port names exactly one. They run in the tool's own process (they
 * say that they act on the world), so they may open files. Their ports are optional because tasks that share an artifact are batched only where it
 * was there when they were made (runtime/stream.c).
 */
#include "cli/kit/kit.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { META_MAX = 15 << 20, STEP = 1 << 16 };

struct item_params {
    const char *meta;
    const char *content;
};

static const mr_param params[] = {
    MR_TEXT(struct item_params, meta, .help = "a file that holds the metadata"),
    MR_TEXT(struct item_params, content, .help = "a file that holds the content"),
    MR_PARAM_END,
};

static mr_status copy_content(const mr_host *host, const char *path, mr_content *content)
{
    char buf[STEP];
    mr_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t offset = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0) {
        got = read(fd, buf, sizeof(buf));
        if (got > 0 && host->content_write_at(content, offset, buf, (size_t)got) != MR_OK)
            return MR_ERR_IO;
        offset += got > 0 ? (uint64_t)got : 0;
    }
    return got < 0 ? MR_ERR_IO : MR_OK;
}

static mr_status run(const mr_host *host, const mr_batch *batch)
{
    mr_task *task = batch->tasks[0].task;
    const struct item_params *given = batch->tasks[0].params;
    mr_autofree char *meta = NULL;
    mr_content *content = NULL;
    size_t len = 0;
    mr_status status = given->meta ? mr_file_read(given->meta, META_MAX, &meta, &len, NULL) : MR_OK;
    if (status == MR_OK && given->content) {
        status = host->content_new(task, &content);
        if (status == MR_OK)
            status = copy_content(host, given->content, content);
    }
    if (status == MR_OK)
        return host->emit(task, 0, meta, content);
    host->content_free(content);
    host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "can't read '%s' or '%s'", given->meta ? given->meta : "",
                 given->content ? given->content : "");
    return status;
}

#define ITEM_OP(word, bit)                                                                                                                           \
    static const mr_port word##_outputs[] = {{.name = "item", .types = (bit), .flags = MR_PORT_OPTIONAL, .help = "it"}, {0}};                        \
    static const mr_op word##_op = {.size = sizeof(mr_op),                                                                                           \
                                    .version = 1,                                                                                                    \
                                    .name = "kit." #word,                                                                                            \
                                    .summary = "makes an artifact from files",                                                                       \
                                    .flags = MR_OP_EFFECT,                                                                                           \
                                    .outputs = word##_outputs,                                                                                       \
                                    .params = params,                                                                                                \
                                    .params_size = sizeof(struct item_params),                                                                       \
                                    .run = run};

ITEM_OP(media, MR_TYPE_MEDIA)
ITEM_OP(chunk, MR_TYPE_CHUNK)
ITEM_OP(segment, MR_TYPE_SEGMENT)
ITEM_OP(image, MR_TYPE_IMAGE)
ITEM_OP(text, MR_TYPE_TEXT)
ITEM_OP(json, MR_TYPE_JSON)
ITEM_OP(file, MR_TYPE_FILE)

const mr_op *const mr_kit_ops[] = {&media_op, &chunk_op, &segment_op, &image_op, &text_op, &json_op, &file_op, NULL};

const char *mr_kit_op_name(uint32_t type)
{
    for (const mr_op *const *op = mr_kit_ops; *op; op++) {
        if ((*op)->outputs[0].types == type)
            return (*op)->name;
    }
    return "kit.json";
}
