/* SPDX-License-Identifier: MIT */
/*
 * Stands between an op and its host, in the task host: counts what the op asks for, lets calls fail, and tells it that it is cancelled, as the page
 * that it shares with `millrace test-plugin` says. It is a plugin like any other, so that a host under test is the very program that ops run in.
 *
 * Invariants
 *   - Anywhere but in a task host, and without the page, it does nothing.
 *   - All is prepared in load(), before the host locks itself down: the page is mapped, and the plugin's tables and calls point here.
 */
#include "inspector.h"

#include <millrace/plugin.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { OPS_MAX = 256 };

mr_inspection *mr_inspected;
bool mr_inspecting;

static const mr_host *host;
static mr_host between; /* host, with ours in it */
static struct {
    const mr_op *op;
    mr_status (*run)(const mr_host *host, const mr_batch *batch);
} originals[OPS_MAX];
static size_t original_count;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- calls ---- */

/* Whether this one fails; task NULL: nobody can be told. */
static bool fails(mr_task *task)
{
    const uint64_t number = __atomic_add_fetch(&mr_inspected->calls, 1, __ATOMIC_RELAXED);
    if (number != mr_inspected->fail_call)
        return false;
    if (task)
        host->report(task, MR_SEVERITY_ERROR, NULL, NULL, "this call fails for a test");
    return true;
}

static mr_status our_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    return fails(task) ? MR_ERR_IO : host->next(task, ret_port, ret_item);
}

static mr_status our_read_at(mr_task *task, const mr_artifact *artifact, uint64_t offset, void *buf, size_t len, size_t *ret_len)
{
    if (!fails(task))
        return host->read_at(task, artifact, offset, buf, len, ret_len);
    *ret_len = 0;
    return MR_ERR_IO;
}

static int our_content_fd(mr_task *task, const mr_artifact *artifact)
{
    return fails(task) ? -1 : host->content_fd(task, artifact);
}

static void count_content(int by)
{
    __atomic_add_fetch(&mr_inspected->contents, by, __ATOMIC_RELAXED);
}

static mr_status our_content_new(mr_task *task, mr_content **ret_content)
{
    *ret_content = NULL;
    const mr_status status = fails(task) ? MR_ERR_IO : host->content_new(task, ret_content);
    count_content(*ret_content != NULL);
    return status;
}

static mr_status our_content_write_at(mr_content *content, uint64_t offset, const void *data, size_t len)
{
    return fails(NULL) ? MR_ERR_IO : host->content_write_at(content, offset, data, len);
}

static mr_status our_content_copy_at(mr_content *content, uint64_t offset, const mr_artifact *from, const mr_range *ranges, size_t count)
{
    return fails(NULL) ? MR_ERR_IO : host->content_copy_at(content, offset, from, ranges, count);
}

static void our_content_free(mr_content *content)
{
    count_content(-(content != NULL));
    host->content_free(content);
}

static mr_status our_emit(mr_task *task, uint32_t port, const char *meta, mr_content *take_content)
{
    count_content(-(take_content != NULL));
    if (!fails(task))
        return host->emit(task, port, meta, take_content);
    host->content_free(take_content);
    return MR_ERR_IO;
}

static mr_status our_emit_bytes(mr_task *task, uint32_t port, const char *meta, const void *data, size_t len)
{
    return fails(task) ? MR_ERR_IO : host->emit_bytes(task, port, meta, data, len);
}

static mr_status our_emit_from(mr_task *task, uint32_t port, const char *meta, const mr_artifact *content_of)
{
    return fails(task) ? MR_ERR_IO : host->emit_from(task, port, meta, content_of);
}

static const char *our_scratch(mr_task *task)
{
    return fails(task) ? NULL : host->scratch(task);
}

static int our_cancelled(const mr_task *task)
{
    const uint64_t number = __atomic_add_fetch(&mr_inspected->asked, 1, __ATOMIC_RELAXED);
    if (host->cancelled(task))
        return 1;
    if (mr_inspected->cancel_at == 0 || number < mr_inspected->cancel_at)
        return 0;
    if (number == mr_inspected->cancel_at)
        mr_inspected->cancelled_us = now_us();
    return 1;
}

/* ---- running ---- */

static mr_status our_run(const mr_host *given, const mr_batch *batch)
{
    mr_status status = MR_ERR_INTERNAL;
    const int64_t began = now_us();
    (void)given; /* the one that load() was given */
    mr_inspected->tasks += batch->count;
    if (batch->count > mr_inspected->largest)
        mr_inspected->largest = batch->count;
    mr_inspected->contents = 0;
    mr_inspected->entered++;
    mr_inspecting = true;
    for (size_t i = 0; i < original_count; i++) {
        if (originals[i].op == batch->tasks[0].op)
            status = originals[i].run(&between, batch);
    }
    mr_inspecting = false;
    const int64_t ended = now_us();
    mr_inspected->run_us += ended - began;
    if (mr_inspected->cancelled_us)
        mr_inspected->after_cancel_us = ended - mr_inspected->cancelled_us;
    mr_inspected->status = status;
    mr_inspected->returned++;
    return status;
}

/* ---- preparing ---- */

static bool map_page(char *why, size_t why_size)
{
    char path[4096];
    Dl_info info;
    const char *slash = dladdr((const void *)our_run, &info) != 0 ? strrchr(info.dli_fname, '/') : NULL;
    if (!slash)
        return true;
    snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, MR_INSPECTION_FILE);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    void *page = fd >= 0 ? mmap(NULL, sizeof(*mr_inspected), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (page != MAP_FAILED) {
        mr_inspected = page;
        return true;
    }
    snprintf(why, why_size, "'%s' can't be mapped", path);
    return false;
}

static bool take_ops(const mr_plugin *plugin)
{
    void *ours = NULL;
    mr_status (*const run)(const mr_host *, const mr_batch *) = our_run;
    memcpy(&ours, &run, sizeof(ours));
    for (size_t i = 0; plugin->ops && plugin->ops[i] && i < OPS_MAX; i++) {
        originals[i].op = plugin->ops[i];
        originals[i].run = plugin->ops[i]->run;
        original_count++;
        if (!mr_inspect_poke(&plugin->ops[i]->run, ours))
            return false;
    }
    return true;
}

static mr_status load(const mr_host *given, char *why, size_t why_size)
{
    if (strcmp(program_invocation_short_name, "millrace-task-host") != 0)
        return MR_OK;
    if (!map_page(why, why_size))
        return MR_ERR_IO;
    host = given;
    between = *given;
    between.next = our_next;
    between.read_at = our_read_at;
    between.content_fd = our_content_fd;
    between.content_new = our_content_new;
    between.content_write_at = our_content_write_at;
    between.content_copy_at = our_content_copy_at;
    between.content_free = our_content_free;
    between.emit = our_emit;
    between.emit_bytes = our_emit_bytes;
    between.emit_from = our_emit_from;
    between.scratch = our_scratch;
    between.cancelled = our_cancelled;
    void *handle = dlopen(mr_inspected->plugin, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    const mr_plugin *plugin = handle ? dlsym(handle, MR_PLUGIN_SYMBOL) : NULL;
    if (plugin && take_ops(plugin) && mr_inspect_allocations(mr_inspected->plugin))
        return MR_OK;
    snprintf(why, why_size, "'%s' can't be inspected", mr_inspected->plugin);
    return MR_ERR_INTERNAL;
}

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "inspector",
    .version = "1.0.0",
    .summary = "stands between the ops of another plugin and their host",
    .licence = "MIT",
    .load = load,
};
