/* SPDX-License-Identifier: MIT */
/*
 * millrace-task-host: loads the plugins, locks itself down, and runs batches for the engine that started it until that closes the socket.
 * It is started by the engine only: its argument is the engine's process, descriptor 3 the socket.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "config/params.h"
#include "runtime/hosts/sandbox.h"
#include "runtime/plugins.h"
#include "task-host/child.h"
#include "task-host/scripts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PARAMS_MAX (16u << 20)

/* Looking for leaks at the end needs what the sandbox forbids; the ops' own tests look for them. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MR_WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(MR_WITH_ASAN)
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Ends with the engine, also when that was killed: the kernel sees to it. */
static bool tie_to_parent(const char *parent)
{
    char *end = NULL;
    const long pid = strtol(parent, &end, 10);
    return *end == '\0' && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == pid;
}

static mr_status load_plugins(mr_plugins *plugins, mr_frame *frame, mr_diags *diags)
{
    mr_status status = MR_OK;
    const uint32_t count = mr_frame_u32(frame);
    for (uint32_t i = 0; i < count && status == MR_OK && !frame->bad; i++)
        status = mr_plugins_add(plugins, mr_frame_text(frame), &mr_child_host, diags);
    return status == MR_OK && !mr_frame_done(frame) ? MR_ERR_INTERNAL : status;
}

/* HELLO: see protocol.h. */
static mr_status get_ready(mr_child *child, mr_plugins *plugins, mr_frame *frame, mr_diags *diags, uint32_t *ret_missing)
{
    if (mr_frame_u32(frame) != MR_HOST_PROTOCOL)
        return MR_ERR_UNSUPPORTED;
    child->scratch = strdup(mr_frame_text(frame));
    const mr_sandbox_limits limits = {
        .memory = mr_frame_u64(frame), .cpu_seconds = mr_frame_u64(frame), .open_files = mr_frame_u64(frame), .file_size = mr_frame_u64(frame)};
    if (!child->scratch || mr_frame_u32(frame) != sizeof(child->limits) || frame->left < sizeof(child->limits))
        return MR_ERR_UNSUPPORTED;
    memcpy(&child->limits, frame->at, sizeof(child->limits));
    frame->at += sizeof(child->limits);
    frame->left -= sizeof(child->limits);
    const int control = mr_wire_take_fd(&child->wire);
    void *page = mmap(NULL, sizeof(mr_control), PROT_READ, MAP_SHARED, control, 0);
    if (page == MAP_FAILED)
        return MR_ERR_IO;
    close(control);
    child->control = page;
    mr_status status = load_plugins(plugins, frame, diags);
    return status == MR_OK ? mr_sandbox_enter(child->scratch[0] ? child->scratch : NULL, &limits, diags, ret_missing) : status;
}

static bool start(mr_child *child, mr_plugins *plugins)
{
    mr_frame frame = {0};
    uint32_t missing = 0;
    mr_diags *diags = mr_diags_new();
    mr_status status = diags ? mr_wire_receive(&child->wire, -1, &frame) : MR_ERR_NOMEM;
    if (status != MR_OK || frame.type != MR_FRAME_HELLO) {
        mr_diags_free(diags);
        return false;
    }
    status = get_ready(child, plugins, &frame, diags, &missing);
    const mr_diag *diag = status != MR_OK ? mr_diags_first(diags) : NULL;
    mr_pack_begin(&child->packer, MR_FRAME_READY);
    mr_pack_u32(&child->packer, MR_HOST_PROTOCOL);
    mr_pack_u32(&child->packer, missing);
    mr_pack_text(&child->packer, status == MR_OK ? "" : diag ? diag->message : "it is of another build than the engine");
    mr_child_send(child);
    mr_diags_free(diags);
    return status == MR_OK;
}

/* ---- batches ---- */

static mr_status read_task(mr_child *child, const mr_plugins *plugins, mr_frame *frame, uint32_t slot, mr_arena *arena, mr_batch_task *ret_view)
{
    const mr_op_entry *entry = mr_op_set_find(mr_plugins_ops(plugins), mr_frame_text(frame));
    const char *text = mr_frame_text(frame);
    if (frame->bad || !entry)
        return MR_ERR_INTERNAL;
    void *params = mr_arena_take(arena, entry->op->params_size + 1);
    json_t *dump = mr_json_read(text, strlen(text), PARAMS_MAX, NULL);
    mr_status status = params && dump ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK && entry->op->params)
        status = mr_params_restore_with(&mr_plugins_ops(plugins)->filters, entry->op->params, dump, arena, params, entry->op->params_size);
    json_decref(dump);
    child->tasks[slot] = (mr_task){.child = child, .slot = slot, .op = entry->op};
    *ret_view = (mr_batch_task){.task = &child->tasks[slot], .op = entry->op, .params = params};
    return status;
}

static mr_status run_batch(mr_child *child, const mr_plugins *plugins, mr_frame *frame)
{
    mr_batch_task views[MR_CONTROL_SLOTS];
    const uint32_t count = mr_frame_u32(frame);
    if (count == 0 || count > MR_CONTROL_SLOTS)
        return MR_ERR_INTERNAL;
    mr_arena *arena = mr_arena_new(0);
    child->tasks = calloc(count, sizeof(*child->tasks));
    child->task_count = child->tasks ? count : 0;
    mr_status status = arena && child->tasks ? MR_OK : MR_ERR_NOMEM;
    for (uint32_t i = 0; i < count && status == MR_OK; i++)
        status = read_task(child, plugins, frame, i, arena, &views[i]);
    const mr_batch batch = {.size = sizeof(batch), .count = count, .tasks = views};
    if (status == MR_OK)
        status = views[0].op->run(&mr_child_host, &batch);
    mr_child_tell_reads(child);
    mr_child_clear(child);
    mr_arena_free(arena);
    return status;
}

static void run(mr_child *child, const mr_plugins *plugins, mr_frame *frame)
{
    child->cpu_mark_us = mr_child_cpu_us();
    mr_status status = run_batch(child, plugins, frame);
    mr_pack_begin(&child->packer, MR_FRAME_DONE);
    mr_pack_i64(&child->packer, status);
    mr_pack_i64(&child->packer, mr_child_cpu_us() - child->cpu_mark_us);
    mr_child_send(child);
    mr_memory_give_back(); /* the tables of a long source, and pictures: with many hosts, most of what they take */
}

static void serve(mr_child *child, mr_plugins *plugins)
{
    mr_frame frame;
    mr_child_script *script = NULL;
    bool good = true;
    while (good && mr_wire_receive(&child->wire, -1, &frame) == MR_OK) {
        switch (frame.type) {
        case MR_FRAME_RUN: run(child, plugins, &frame); break;
        case MR_FRAME_SCRIPT: good = mr_child_add_ops(plugins, &frame); break;
        case MR_FRAME_EVALUATE: good = mr_child_evaluate(child, &script, &frame); break;
        case MR_FRAME_CALL: good = mr_child_call(child, script, &frame); break;
        default: good = false;
        }
    }
}

int main(int argc, char **argv)
{
    mr_child child = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const bool bare = argc == 3 && strcmp(argv[2], "bare") == 0; /* it will be told to load nothing */
    if ((argc != 2 && !bare) || !tie_to_parent(argv[1])) {
        fprintf(stderr, "millrace-task-host is started by millrace, not by hand\n");
        return 2;
    }
    /* What the engine was given by its own parent and did not know of. */
    if (close_range(MR_HOST_SOCKET + 1, ~0u, 0) != 0 || mr_wire_open(&child.wire, MR_HOST_SOCKET, true) != MR_OK)
        return 1;
    mr_memory_large_blocks_apart();
    mr_plugins *plugins = mr_plugins_new();
    if (!bare)
        mr_plugins_load_ahead();
    if (!plugins || !start(&child, plugins))
        return 1;
    serve(&child, plugins);
    _exit(0); /* nothing is left to be done, and libraries' last acts are not for a sandbox */
}
