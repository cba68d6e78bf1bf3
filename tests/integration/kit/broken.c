/* SPDX-License-Identifier: MIT */
/*
 * Ops each of which breaks one promise, and one that breaks none: what `millrace test-plugin` must find, and what it must leave alone.
 * Every op takes a text and makes a text of it, but for what is wrong with it.
 */
#include <millrace/plugin.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP = 4096, SLOW_MS = 1400, SIZE_MAX_OF_A_TEXT = 1 << 20 };

/* ---- what is right ---- */

static mr_status say(const mr_host *host, mr_task *task, mr_status status, const char *words)
{
    host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "%s", words);
    return status;
}

static mr_status read_whole(const mr_host *host, mr_task *task, const mr_artifact *source, char *ret_text)
{
    size_t len = STEP;
    for (uint64_t offset = 0; len == STEP; offset += len) {
        if (host->cancelled(task))
            return MR_ERR_CANCELLED;
        mr_status status = host->read_at(task, source, offset, ret_text + offset, STEP, &len);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static mr_status copy(const mr_host *host, mr_task *task)
{
    const mr_artifact *source = host->input(task, 0, 0);
    mr_content *content = NULL;
    if (source->size > SIZE_MAX_OF_A_TEXT)
        return say(host, task, MR_ERR_LIMIT, "the text is longer than 1 MiB");
    char *text = malloc((size_t)source->size + STEP);
    if (!text)
        return say(host, task, MR_ERR_NOMEM, "no memory for the text");
    mr_status status = read_whole(host, task, source, text);
    if (status == MR_OK)
        status = host->content_new(task, &content);
    if (status == MR_OK)
        status = host->content_write_at(content, 0, text, (size_t)source->size);
    free(text);
    if (status == MR_OK)
        return host->emit(task, 0, NULL, content);
    host->content_free(content);
    return status;
}

static mr_status run_good(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count && status == MR_OK; i++)
        status = host->finish(batch->tasks[i].task, copy(host, batch->tasks[i].task));
    return status;
}

/* ---- what is wrong ---- */

static mr_status refuses(const mr_host *host, mr_task *task)
{
    return say(host, task, MR_ERR_INPUT, "this is not what it wants");
}

static mr_status crashes(const mr_host *host, mr_task *task)
{
    (void)host;
    (void)task;
    abort();
}

static mr_status keeps_content(const mr_host *host, mr_task *task)
{
    mr_content *content = NULL;
    mr_status status = host->content_new(task, &content);
    return status == MR_OK ? copy(host, task) : status;
}

/* Differs from process to process. */
static mr_status tells_pid(const mr_host *host, mr_task *task)
{
    char meta[64];
    snprintf(meta, sizeof(meta), "{\"process\":%d}", (int)getpid());
    return host->emit_bytes(task, 0, meta, "", 0);
}

static mr_status tells_garbage(const mr_host *host, mr_task *task)
{
    char *volatile memory = malloc(64); /* volatile: compilers see it, too */
    if (!memory)
        return say(host, task, MR_ERR_NOMEM, "no memory");
    mr_status status = host->emit_bytes(task, 0, NULL, memory, 64);
    free(memory);
    return status;
}

static mr_status run_counts_tasks(const mr_host *host, const mr_batch *batch)
{
    char meta[64];
    mr_status status = MR_OK;
    snprintf(meta, sizeof(meta), "{\"beside\":%u}", batch->count);
    for (uint32_t i = 0; i < batch->count && status == MR_OK; i++)
        status = host->finish(batch->tasks[i].task, host->emit_bytes(batch->tasks[i].task, 0, meta, "", 0));
    return status;
}

/* On a certain text, so that not every trial takes its time. */
static mr_status is_deaf(const mr_host *host, mr_task *task)
{
    char text[4] = "";
    size_t len = 0;
    mr_status status = host->read_at(task, host->input(task, 0, 0), 0, text, sizeof(text), &len);
    if (status != MR_OK || len != sizeof(text) || memcmp(text, "slow", sizeof(text)) != 0)
        return status == MR_OK ? host->emit_bytes(task, 0, NULL, "", 0) : status;
    struct timespec began;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    do {
        poll(NULL, 0, 20);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < SLOW_MS);
    return host->emit_bytes(task, 0, NULL, "", 0);
}

/* Hears it, and says that the input is to blame. */
static mr_status blames_input(const mr_host *host, mr_task *task)
{
    if (host->cancelled(task))
        return say(host, task, MR_ERR_INPUT, "it can't be used");
    return host->emit_bytes(task, 0, NULL, "", 0);
}

static mr_status trusts_malloc(const mr_host *host, mr_task *task)
{
    char *volatile memory = malloc(16);
    memset(memory, 'x', 16);
    mr_status status = host->emit_bytes(task, 0, NULL, memory, 16);
    free(memory);
    return status;
}

/* Without memory it makes something else, and calls that a success. */
static mr_status makes_do(const mr_host *host, mr_task *task)
{
    char *volatile memory = calloc(1, 16); /* volatile: a compiler may know that nobody needs it */
    mr_status status = host->emit_bytes(task, 0, NULL, "whole", memory ? 5 : 2);
    free(memory);
    return status;
}

static mr_status ignores_errors(const mr_host *host, mr_task *task)
{
    char buf[16];
    size_t len = 0;
    host->read_at(task, host->input(task, 0, 0), 0, buf, sizeof(buf), &len);
    return host->emit_bytes(task, 0, NULL, "done", 4);
}

/* Of an empty text it takes the last byte. */
static mr_status trusts_input(const mr_host *host, mr_task *task)
{
    const mr_artifact *source = host->input(task, 0, 0);
    char last = 0;
    size_t len = 0;
    mr_status status = host->read_at(task, source, source->size ? source->size - 1 : 0, &last, 1, &len);
    if (status == MR_OK && len == 0)
        abort();
    return status == MR_OK ? host->emit_bytes(task, 0, NULL, &last, 1) : status;
}

static mr_status is_mute(const mr_host *host, mr_task *task)
{
    return host->input(task, 0, 0)->size == 0 ? MR_ERR_INPUT : host->emit_bytes(task, 0, NULL, "", 0);
}

static mr_status blames_itself(const mr_host *host, mr_task *task)
{
    if (host->input(task, 0, 0)->size == 0)
        return say(host, task, MR_ERR_INTERNAL, "this can't be");
    return host->emit_bytes(task, 0, NULL, "", 0);
}

/* ---- tables ---- */

static const mr_port inputs[] = {{.name = "source", .types = MR_TYPE_TEXT, .help = "a text"}, {0}};
static const mr_port outputs[] = {{.name = "text", .types = MR_TYPE_TEXT, .help = "a text"}, {0}};

#define TABLES                                                                                                                                       \
    .size = sizeof(mr_op), .version = 1, .summary = "breaks one promise, or none", .cpu = 1, .memory_mb = 1, .inputs = inputs, .outputs = outputs

#define OP(function)                                                                                                                                 \
    static mr_status run_##function(const mr_host *host, const mr_batch *batch)                                                                      \
    {                                                                                                                                                \
        return function(host, batch->tasks[0].task);                                                                                                 \
    }                                                                                                                                                \
    static const mr_op op_##function = {TABLES, .name = "broken." #function, .run = run_##function};

static const mr_op op_good = {TABLES, .name = "broken.good", .batch_max = 4, .batch_by = "source", .run = run_good};
static const mr_op op_counts_tasks = {TABLES, .name = "broken.counts_tasks", .batch_max = 4, .batch_by = "source", .run = run_counts_tasks};
OP(refuses)
OP(crashes)
OP(keeps_content)
OP(tells_pid)
OP(tells_garbage)
OP(is_deaf)
OP(blames_input)
OP(trusts_malloc)
OP(makes_do)
OP(ignores_errors)
OP(trusts_input)
OP(is_mute)
OP(blames_itself)

static const mr_op *const ops[] = {
    &op_good,         &op_refuses,       &op_crashes,  &op_keeps_content,  &op_tells_pid,    &op_tells_garbage, &op_counts_tasks,  &op_is_deaf,
    &op_blames_input, &op_trusts_malloc, &op_makes_do, &op_ignores_errors, &op_trusts_input, &op_is_mute,       &op_blames_itself, NULL,
};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "broken",
    .version = "1.0.0",
    .summary = "breaks promises",
    .licence = "MIT",
    .ops = ops,
};
