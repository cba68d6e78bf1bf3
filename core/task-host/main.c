/* SPDX-License-Identifier: MIT */
/*
 * millrace-task-host: loads the plugins, locks itself down, and runs batches for the engine that started it until that closes the socket.
 * It is started by the engine only: its argument is the engine's process, descriptor 3 the socket. Until it is told to lock itself down it forks
 * others like itself, as often as the engine wants them: loading is what costs (docs/adr/0031).
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/sanitized.h"
#include "config/params.h"
#include "runtime/hosts/sandbox.h"
#include "runtime/plugins.h"
#include "task-host/child.h"
#include "task-host/scripts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARAMS_MAX (16u << 20)

/* Looking for leaks at the end needs what the sandbox forbids; the ops' own tests look for them. */
#if MR_WITH_ASAN
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* What it knows before it is a host. */
typedef struct mr_beginning {
    mr_plugins *plugins;
    mr_diags *diags; /* of loading them; told with READY */
    mr_status loaded;
    pid_t engine;
    int words; /* stderr of the next one that is forked; else -1 */
} mr_beginning;

static mr_status load_plugins(mr_beginning *it, mr_frame *frame)
{
    mr_status status = MR_OK;
    const uint32_t count = mr_frame_u32(frame);
    for (uint32_t i = 0; i < count && status == MR_OK && !frame->bad; i++)
        status = mr_plugins_add(it->plugins, mr_frame_text(frame), &mr_child_host, it->diags);
    if (status == MR_OK && !mr_frame_done(frame))
        return MR_ERR_INTERNAL;
    return status == MR_OK ? mr_sandbox_check_threads(it->diags) : status; /* a fork would lose them */
}

/* HELLO: see protocol.h. */
static mr_status get_ready(mr_child *child, const mr_beginning *it, mr_frame *frame, uint32_t *ret_missing)
{
    if (mr_frame_u32(frame) != MR_HOST_PROTOCOL)
        return MR_ERR_UNSUPPORTED;
    child->scratch = strdup(mr_frame_text(frame));
    const mr_sandbox_limits limits = {
        .memory = mr_frame_u64(frame), .cpu_seconds = mr_frame_u64(frame), .open_files = mr_frame_u64(frame), .file_size = mr_frame_u64(frame)};
    if (!child->scratch || mr_frame_u32(frame) != sizeof(child->limits) || frame->left != sizeof(child->limits))
        return MR_ERR_UNSUPPORTED;
    memcpy(&child->limits, frame->at, sizeof(child->limits));
    const int control = mr_wire_take_fd(&child->wire);
    void *page = mmap(NULL, sizeof(mr_control), PROT_READ, MAP_SHARED, control, 0);
    if (page == MAP_FAILED)
        return MR_ERR_IO;
    close(control);
    child->control = page;
    return it->loaded == MR_OK ? mr_sandbox_enter(child->scratch[0] ? child->scratch : NULL, &limits, it->diags, ret_missing) : it->loaded;
}

static bool hello(mr_child *child, const mr_beginning *it, mr_frame *frame)
{
    uint32_t missing = 0;
    const mr_status status = get_ready(child, it, frame, &missing);
    const mr_diag *diag = status != MR_OK ? mr_diags_first(it->diags) : NULL;
    mr_pack_begin(&child->packer, MR_FRAME_READY);
    mr_pack_u32(&child->packer, MR_HOST_PROTOCOL);
    mr_pack_u32(&child->packer, missing);
    mr_pack_text(&child->packer, status == MR_OK ? "" : diag ? diag->message : "it is of another build than the engine");
    mr_child_send(child);
    return status == MR_OK;
}

/* FORK. In the new process, the wire is its own from here on. False: this process is of no more use. */
static bool fork_one(mr_child *child, mr_beginning *it)
{
    const int socket_fd = mr_wire_take_fd(&child->wire);
    const int words_fd = it->words;
    it->words = -1;
    const pid_t pid = socket_fd >= 0 && words_fd >= 0 ? mr_child_fork() : -1;
    if (pid == 0)
        return mr_child_take_over(child, it->engine, socket_fd, words_fd);
    const int error = pid < 0 ? errno : 0;
    mr_pack_begin(&child->packer, MR_FRAME_REPLY);
    mr_pack_i64(&child->packer, pid > 0 ? MR_OK : error == ENOSYS || error == EPERM ? MR_ERR_UNSUPPORTED : MR_ERR_LIMIT);
    mr_pack_i64(&child->packer, pid);
    mr_child_send(child);
    if (words_fd >= 0)
        close(words_fd);
    if (socket_fd >= 0)
        close(socket_fd);
    return true;
}

/* True: it is a host, and locked down. */
static bool begin(mr_child *child, mr_beginning *it)
{
    mr_frame frame = {0};
    while (mr_wire_receive(&child->wire, -1, &frame) == MR_OK) {
        switch (frame.type) {
        case MR_FRAME_LOAD: it->loaded = load_plugins(it, &frame); break;
        case MR_FRAME_WORDS: it->words = mr_wire_take_fd(&child->wire); break;
        case MR_FRAME_FORK:
            if (!fork_one(child, it))
                return false;
            break;
        case MR_FRAME_HELLO: return hello(child, it, &frame);
        default: return false;
        }
    }
    return false;
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
    const uint32_t processors = mr_frame_u32(frame);
    const uint32_t count = mr_frame_u32(frame);
    if (count == 0 || count > MR_CONTROL_SLOTS)
        return MR_ERR_INTERNAL;
    mr_arena *arena = mr_arena_new(0);
    child->tasks = calloc(count, sizeof(*child->tasks));
    child->task_count = child->tasks ? count : 0;
    mr_status status = arena && child->tasks ? MR_OK : MR_ERR_NOMEM;
    for (uint32_t i = 0; i < count && status == MR_OK; i++)
        status = read_task(child, plugins, frame, i, arena, &views[i]);
    const mr_batch batch = {.size = sizeof(batch), .count = count, .tasks = views, .processors = processors};
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
    mr_beginning beginning = {.words = -1};
    char *end = "";
    const bool bare = argc == 3 && strcmp(argv[2], "bare") == 0; /* it will be told to load nothing */
    if (argc == 2 || bare)
        beginning.engine = (pid_t)strtol(argv[1], &end, 10);
    if (*end != '\0' || !mr_child_tie(beginning.engine)) {
        fprintf(stderr, "millrace-task-host is started by millrace, not by hand\n");
        return 2;
    }
    /* What the engine was given by its own parent and did not know of. */
    if (close_range(MR_HOST_SOCKET + 1, ~0u, 0) != 0 || mr_wire_open(&child.wire, MR_HOST_SOCKET, true) != MR_OK)
        return 1;
    mr_memory_large_blocks_apart();
    beginning.plugins = mr_plugins_new();
    beginning.diags = mr_diags_new();
    if (!bare)
        mr_plugins_load_ahead();
    if (!beginning.plugins || !beginning.diags || !begin(&child, &beginning))
        return 1;
    serve(&child, beginning.plugins);
    _exit(0); /* nothing is left to be done, and libraries' last acts are not for a sandbox */
}
