/* SPDX-License-Identifier: MIT */
/*
 * A hostile task host: any bytes and any frames into the engine's reader and dispatch (runtime/hosts/wire.c, serve.c). The calls end in a table of
 * this file, which knows what the engine promises whoever implements them: only tasks that still run, only artifacts that were given out, ports that
 * there are, contents that are the task's own, bytes within the limit, texts without control of their length; and that nothing is left open.
 */
#include "host_frames.h"
#include "runtime/hosts/serve.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TASKS = 3, ARTIFACTS = 4, FILE_MOST = 4096, INPUT_MAX = 65536 };

struct mr_content {
    mr_task *task;
};

static size_t contents; /* that live */
static uint64_t written;

static const mr_artifact artifacts[ARTIFACTS] = {
    {.type = MR_TYPE_MEDIA, .has_content = 1, .size = 100, .digest = "", .name = "source.mp4", .meta = "{}", .meta_len = 2},
    {.type = MR_TYPE_CHUNK, .index = 1, .digest = "", .name = "", .meta = "{\"index\":1}", .meta_len = 11},
    {.type = MR_TYPE_SEGMENT, .has_content = 1, .index = 2, .size = 5, .digest = "sha256:x", .name = "", .meta = "{}", .meta_len = 2},
    {.type = MR_TYPE_JSON, .index = UINT64_MAX, .size = UINT64_MAX, .digest = "", .name = "", .meta = "{}", .meta_len = 2},
};

static void require(bool right)
{
    if (!right)
        abort();
}

/* ---- what the engine calls ---- */

static void check_task(const mr_task *task)
{
    require(task && task->batch && !task->batch->concluded[task->batch_slot]);
}

static void check_artifact(const mr_artifact *artifact)
{
    require(artifact >= artifacts && artifact < artifacts + ARTIFACTS);
}

static size_t input_count(const mr_task *task, uint32_t port)
{
    check_task(task);
    require(port < 2);
    return ARTIFACTS;
}

static const mr_artifact *input(const mr_task *task, uint32_t port, size_t index)
{
    check_task(task);
    require(port < 2);
    return index < ARTIFACTS ? &artifacts[index] : NULL;
}

static mr_status next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    check_task(task);
    *ret_port = 1;
    *ret_item = &artifacts[task->open_next % ARTIFACTS];
    return task->open_next++ < 10 ? MR_OK : MR_END;
}

static int content_fd(mr_task *task, const mr_artifact *artifact)
{
    static int nothing = -1;
    check_task(task);
    check_artifact(artifact);
    if (nothing < 0)
        nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return artifact->has_content ? nothing : -1;
}

static mr_status content_new(mr_task *task, mr_content **ret_content)
{
    check_task(task);
    *ret_content = malloc(sizeof(**ret_content));
    require(*ret_content != NULL && ++contents <= MR_HOST_CONTENTS);
    (*ret_content)->task = task;
    return MR_OK;
}

static mr_status content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    static volatile unsigned char sum; /* every byte is there to be read */
    check_task(content->task);
    require(offset <= FILE_MOST && len <= FILE_MOST - offset && (written += len) <= FILE_MOST);
    for (size_t i = 0; i < len; i++)
        sum = (unsigned char)(sum + ((const unsigned char *)data)[i]);
    return MR_OK;
}

static mr_status content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    uint64_t bytes = 0;
    check_task(content->task);
    check_artifact(from);
    require(count > 0 && count <= MR_HOST_RANGES && from->has_content);
    for (size_t i = 0; i < count; i++) {
        require(ranges[i].offset <= from->size && ranges[i].size <= from->size - ranges[i].offset);
        bytes += ranges[i].size;
    }
    require(bytes <= MR_HOST_COPY && offset <= UINT64_MAX - bytes);
    return MR_OK;
}

static void content_free(mr_content *content)
{
    contents -= content != NULL;
    free(content);
}

static mr_status emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    check_task(task);
    require(port < 2 && strlen(meta) < MR_FRAME_MAX);
    require(!take_content || take_content->task == task);
    content_free(take_content);
    return MR_OK;
}

static mr_status emit_from(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of)
{
    check_artifact(content_of);
    return emit(task, port, meta, NULL);
}

static void progress(mr_task *task, double fraction)
{
    check_task(task);
    require(isfinite(fraction));
}

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    char words[8192];
    va_list args;
    check_task(task);
    require(severity >= MR_SEVERITY_NOTE && severity <= MR_SEVERITY_ERROR);
    va_start(args, fmt);
    int len = vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    require(len >= 0 && (size_t)len < sizeof(words));
    require((!param || strlen(param) <= 4096) && (!hint || strlen(hint) <= 4096));
}

const mr_host mr_host_table = {.size = sizeof(mr_host),
                               .input_count = input_count,
                               .input = input,
                               .content_fd = content_fd,
                               .content_new = content_new,
                               .content_write_at = content_write_at,
                               .content_copy_at = content_copy_at,
                               .content_free = content_free,
                               .emit = emit,
                               .emit_from = emit_from,
                               .progress = progress,
                               .report = report};

mr_status mr_host_next_some(mr_task *task, uint32_t most, uint32_t *ret_ports, const mr_artifact **ret_items, uint32_t *ret_count)
{
    mr_status status = next(task, &ret_ports[0], &ret_items[0]);
    *ret_count = status == MR_OK ? 1 : 0;
    while (*ret_count > 0 && *ret_count < most && next(task, &ret_ports[*ret_count], &ret_items[*ret_count]) == MR_OK)
        ++*ret_count;
    return status;
}

int mr_task_open_content(mr_task *task, const mr_artifact *artifact)
{
    return content_fd(task, artifact);
}

uint64_t mr_item_have(const mr_item *item)
{
    const mr_artifact *artifact = (const mr_artifact *)(const void *)item;
    check_artifact(artifact);
    return artifact->size / 2;
}

mr_status mr_task_need(mr_task *task, const mr_item *item, uint64_t until)
{
    check_task(task);
    require(until <= ((const mr_artifact *)(const void *)item)->size);
    return until <= mr_item_have(item) ? MR_OK : MR_NOT_YET;
}

bool mr_reads_merge(mr_batch_run *batch, const mr_item *item, uint32_t first, const unsigned char *blocks, size_t len)
{
    unsigned sum = 0;
    require(batch != NULL);
    check_artifact((const mr_artifact *)(const void *)item);
    for (size_t i = 0; i < len; i++) /* they are there */
        sum += blocks[i];
    return sum <= 255u * len && first < 1000;
}

void mr_task_conclude(mr_task *task, mr_status status)
{
    check_task(task);
    require(status >= MR_ERR_INTERNAL && status <= MR_NOT_YET && status != MR_END && task->cpu_us >= 0);
    task->batch->concluded[task->batch_slot] = true;
}

/* The process behind the socket is this one: nothing to start, to listen to, or to bury. */
mr_status mr_host_tell_script(mr_task_host *host, const mr_settings *settings, const mr_ops_script *script)
{
    (void)host;
    (void)settings;
    (void)script; /* ops in C have none */
    return MR_OK;
}

void mr_host_listen(mr_task_host *host)
{
    (void)host;
}

/* ---- one batch ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const mr_port inputs[] = {{"a", MR_TYPE_ANY, 0, "one"}, {"b", MR_TYPE_ANY, MR_PORT_MANY, "many"}, {0}};
    static const mr_port outputs[] = {{"c", MR_TYPE_JSON, 0, "one"}, {"d", MR_TYPE_SEGMENT, MR_PORT_MANY, "many"}, {0}};
    static const mr_op op = {.size = sizeof(mr_op), .name = "fuzz.op", .inputs = inputs, .outputs = outputs};
    static const mr_node node = {.name = "node", .op = &op};
    static mr_node_run node_run = {.node = &node, .output_count = 2};
    static const uint32_t slots[TASKS] = {0, 2, 5}; /* the others of the batch were found in the store */
    static mr_task tasks[TASKS];
    static mr_batch_run batch;
    static mr_control control;
    mr_task *const all[TASKS] = {&tasks[0], &tasks[1], &tasks[2]};
    mr_settings settings = {.host_file_size = FILE_MOST, .host_hang = 60000000};
    mr_task_host host = {.control = &control, .words_fd = -1};
    mr_host_outcome outcome = {0};
    if (size > INPUT_MAX)
        return 0;
    memset(&batch, 0, sizeof(batch));
    written = 0;
    for (size_t i = 0; i < TASKS; i++) {
        memset(&tasks[i], 0, sizeof(tasks[i]));
        tasks[i].node = &node_run;
        tasks[i].batch = &batch;
        tasks[i].batch_slot = slots[i];
    }
    host_frames_open(data, size, MR_FRAME_READY, &host.wire, NULL);
    bool good = mr_host_serve(&host, &settings, all, slots, TASKS, &outcome);
    require(good == !outcome.lost && contents == 0);
    require(!good || (outcome.status >= MR_ERR_INTERNAL && outcome.status <= MR_NOT_YET && outcome.cpu_us >= 0));
    require(memchr(outcome.why, '\0', sizeof(outcome.why)) != NULL);
    mr_wire_close(&host.wire);
    mr_packer_free(&host.packer);
    return 0;
}
