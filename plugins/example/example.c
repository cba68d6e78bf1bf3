/* SPDX-License-Identifier: MIT */
/*
 * A plugin with one op, example.count, that counts the bytes and the lines of its input.
 *
 * A plugin is tables first: what goes in, what comes out, and what may be set. The engine checks pipelines against them, fills the
 * params struct, and makes the documentation (`millrace ops example.count`) from them. What remains is run().
 */
#include <millrace/plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Ports are named by their index in these tables. */
enum { IN_SOURCE };
enum { OUT_COUNT };

static const mr_port inputs[] = {
    [IN_SOURCE] = {.name = "source", .types = MR_TYPE_MEDIA | MR_TYPE_TEXT, .help = "what to count"},
    {0},
};

static const mr_port outputs[] = {
    [OUT_COUNT] = {.name = "count", .types = MR_TYPE_JSON, .help = "{\"bytes\": 12, \"lines\": 1}; lines only when they were asked for"},
    {0},
};

/* The engine fills this struct before run() is called; the table says what each field is called in a pipeline. */
struct count_params {
    bool lines;
    int64_t limit;
};

static const mr_param params[] = {
    MR_BOOL(struct count_params, lines, .standard = "false", .help = "count line ends too"),
    MR_SIZE(struct count_params, limit, .standard = "1GiB", .min = "1", .help = "the largest input that is counted"),
    MR_PARAM_END,
};

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t lines = 0;
    for (const char *at = data; (at = memchr(at, '\n', len - (size_t)(at - data))) != NULL; at++)
        lines++;
    return lines;
}

static mr_status count(const mr_host *host, mr_task *task, const struct count_params *given)
{
    const mr_artifact *source = host->input(task, IN_SOURCE, 0); /* required by its port, so it is there */
    char buf[65536];
    char meta[96];
    uint64_t bytes = 0;
    uint64_t lines = 0;
    size_t len = sizeof(buf);
    if (source->size > (uint64_t)given->limit) {
        host->report(task, MR_SEVERITY_ERROR, "limit", "raise 'limit', or give a smaller input",
                     "the input has %" PRIu64 " bytes, the limit is %" PRId64, source->size, given->limit);
        return MR_ERR_LIMIT;
    }
    while (len == sizeof(buf)) { /* a short read is the last */
        if (host->cancelled(task))
            return MR_ERR_CANCELLED;
        mr_status status = host->read_at(task, source, bytes, buf, sizeof(buf), &len);
        if (status != MR_OK)
            return status; /* an error that the host has reported, or MR_NOT_YET: then the task is run again later */
        if (given->lines)
            lines += count_lines(buf, len);
        bytes += len;
        host->progress(task, source->size ? (double)bytes / (double)source->size : 1.0);
    }
    if (given->lines)
        snprintf(meta, sizeof(meta), "{\"bytes\":%" PRIu64 ",\"lines\":%" PRIu64 "}", bytes, lines);
    else
        snprintf(meta, sizeof(meta), "{\"bytes\":%" PRIu64 "}", bytes);
    return host->emit(task, OUT_COUNT, meta, NULL);
}

/* batch_max is not set below, so a batch is always one task. */
static mr_status run(const mr_host *host, const mr_batch *batch)
{
    return count(host, batch->tasks[0].task, batch->tasks[0].params);
}

static const mr_op op_count = {
    .size = sizeof(mr_op),
    .version = 1, /* raise it when the same input gives another output: results that were kept are then made again */
    .name = "example.count",
    .summary = "counts the bytes and the lines of an input",
    .cpu = 1,
    .memory_mb = 1,
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .params_size = sizeof(struct count_params),
    .run = run,
};

static const mr_op *const ops[] = {&op_count, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "example",
    .version = "1.0.0",
    .summary = "counts what is in a file",
    .licence = "MIT",
    .ops = ops,
};
