/* SPDX-License-Identifier: MIT */
/*
 * A plugin that does what hostile media would make a codec do. hostile.act does one thing that is named: one of acts.h, or one of those below, which
 * need a host. It says so when it was let through, and reports an error when it was stopped and lived to tell.
 */
#include "acts.h"
#include "runtime/hosts/protocol.h" /* what the engine would hear */

#include <errno.h>
#include <fcntl.h>
#include <millrace/plugin.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENGINE MR_HOST_SOCKET

enum { IN_SOURCE, IN_ACT };
enum { OUT_DONE, OUT_MORE };
enum { OUT_ACTS };

struct act_params {
    const char *act;
    const char *outside;
    int64_t victim;
    int64_t amount;
};

typedef struct doer {
    const mr_host *host;
    mr_task *task;
    const struct act_params *params;
} doer;

/* ---- acts that need a host; 0, or an errno ---- */

static int do_crash(const doer *it)
{
    it->host->log_line("hostile: the picture is 7 lines too high\n");
    volatile int *volatile nowhere = NULL;
    *nowhere = 1; // NOLINT(clang-analyzer-core.NullDereference): a crash is what is asked for
    return 0;
}

static int do_abort(const doer *it)
{
    (void)it;
    abort();
}

/* From then on neither progress nor an ear for anyone. */
static int do_hang(const doer *it)
{
    it->host->progress(it->task, 0.5);
    poll(NULL, 0, (int)it->params->amount);
    return 0;
}

static int64_t cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int do_spin(const doer *it)
{
    const int64_t end = cpu_ms() + it->params->amount;
    while (cpu_ms() < end)
        it->host->progress(it->task, 0.5);
    return 0;
}

#define BLOCK (64u << 20)

/* Blocks until nothing is left, or the amount (MiB) is reached. Not touched: what is limited is what is asked for. */
static int do_memory(const doer *it)
{
    void *blocks[256];
    size_t count = 0;
    int error = 0;
    for (; count < 256 && (int64_t)count * 64 < it->params->amount && error == 0; count += error == 0) {
        blocks[count] = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        error = blocks[count] == MAP_FAILED ? errno : 0;
    }
    for (size_t i = 0; i < count; i++)
        munmap(blocks[i], BLOCK);
    return error;
}

static void *wait_for_the_end(void *context)
{
    pthread_rwlock_rdlock(context);
    pthread_rwlock_unlock(context);
    return NULL;
}

static int do_thread_bomb(const doer *it)
{
    pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
    pthread_t *threads = calloc((size_t)it->params->amount, sizeof(*threads));
    int64_t count = 0;
    int error = threads ? 0 : ENOMEM;
    pthread_rwlock_wrlock(&gate);
    for (; count < it->params->amount && error == 0; count += error == 0)
        error = pthread_create(&threads[count], NULL, wait_for_the_end, &gate);
    pthread_rwlock_unlock(&gate);
    for (int64_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return error;
}

/* MiB in one file of its own folder. */
static int do_large_file(const doer *it)
{
    char path[512];
    const char *scratch = it->host->scratch(it->task);
    snprintf(path, sizeof(path), "%s/large", scratch ? scratch : "");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int error = fd < 0 || ftruncate(fd, it->params->amount << 20) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

static int do_large_content(const doer *it)
{
    mr_content *content = NULL;
    mr_status status = it->host->content_new(it->task, &content);
    if (status == MR_OK)
        status = it->host->content_write_at(content, (uint64_t)it->params->amount << 20, "end", 3);
    if (status == MR_OK)
        return it->host->emit(it->task, OUT_MORE, NULL, content) == MR_OK ? 0 : EFBIG;
    it->host->content_free(content);
    return EFBIG;
}

/* Folders in folders, so many levels. */
static int do_nested_folders(const doer *it)
{
    const char *scratch = it->host->scratch(it->task);
    int fd = scratch ? open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int error = fd < 0 ? errno : 0;
    for (int64_t i = 0; i < it->params->amount && error == 0; i++) {
        int next = mkdirat(fd, "d", 0700) == 0 ? openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        error = next < 0 ? errno : 0;
        close(fd);
        fd = next;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* A folder with a file in it that nobody may look into. */
static int do_locked_folder(const doer *it)
{
    char path[512];
    char hidden[544];
    const char *scratch = it->host->scratch(it->task);
    snprintf(path, sizeof(path), "%s/open", scratch ? scratch : "");
    snprintf(hidden, sizeof(hidden), "%s/locked", path);
    return mkdir(path, 0700) != 0 || mkdir(hidden, 0) != 0 ? errno : 0;
}

static int do_reports(const doer *it)
{
    for (int64_t i = 0; i < it->params->amount; i++)
        it->host->report(it->task, MR_SEVERITY_NOTE, NULL, NULL, "message %lld", (long long)i);
    return 0;
}

/* Past the host's own code, straight to the engine: bytes, so many times. Then not a word more. */
static int say(const doer *it, const void *bytes, size_t len)
{
    struct pollfd engine = {.fd = ENGINE, .events = POLLOUT};
    for (int64_t i = 0; i < it->params->amount; i++) {
        poll(&engine, 1, -1);
        if (write(ENGINE, bytes, len) != (ssize_t)len && errno != EAGAIN)
            return errno;
    }
    poll(NULL, 0, 60000);
    return 0;
}

static int do_garbage(const doer *it)
{
    char bytes[4096];
    memset(bytes, 0xa5, sizeof(bytes));
    return say(it, bytes, sizeof(bytes));
}

/* Frames as they should be (runtime/hosts/protocol.h), but too many. */
static int do_progress_flood(const doer *it)
{
    static const struct __attribute__((packed)) {
        uint32_t len;
        uint32_t type;
        uint32_t slot;
        double fraction;
    } frame = {12, MR_FRAME_PROGRESS, 0, 0.5};
    return say(it, &frame, sizeof(frame));
}

/* Many artifacts, where one is expected. */
static int do_emits(const doer *it)
{
    int error = 0;
    for (int64_t i = 0; i < it->params->amount && error == 0; i++)
        error = it->host->emit(it->task, OUT_MORE, "{}", NULL) == MR_OK ? 0 : ENOBUFS;
    return error;
}

static const struct own_act {
    const char *name;
    int (*run)(const doer *it);
} own_acts[] = {
    {"crash", do_crash},
    {"abort", do_abort},
    {"hang", do_hang},
    {"spin", do_spin},
    {"memory", do_memory},
    {"thread-bomb", do_thread_bomb},
    {"large-file", do_large_file},
    {"large-content", do_large_content},
    {"nested-folders", do_nested_folders},
    {"locked-folder", do_locked_folder},
    {"reports", do_reports},
    {"emits", do_emits},
    {"garbage", do_garbage},
    {"progress-flood", do_progress_flood},
};

/* ---- ops ---- */

static int do_act(const doer *it, const mr_artifact *source)
{
    const act *found = act_find(it->params->act);
    for (size_t i = 0; i < sizeof(own_acts) / sizeof(own_acts[0]); i++) {
        if (strcmp(own_acts[i].name, it->params->act) == 0)
            return own_acts[i].run(it);
    }
    if (!found)
        return EINVAL;
    const act_place place = {.scratch = it->host->scratch(it->task),
                             .outside = it->params->outside,
                             .input = it->host->content_fd(it->task, source),
                             .victim = it->params->victim ? (pid_t)it->params->victim : getppid()};
    return place.scratch && place.input >= 0 ? found->run(&place) : EBADF;
}

static mr_status run_act(const mr_host *host, const mr_batch *batch)
{
    char meta[128];
    const doer it = {.host = host, .task = batch->tasks[0].task, .params = batch->tasks[0].params};
    const int error = do_act(&it, host->input(it.task, IN_SOURCE, 0));
    if (error != 0) {
        host->report(it.task, MR_SEVERITY_ERROR, "act", "use another act", "act '%s' was stopped: %s", it.params->act, strerrordesc_np(error));
        return MR_ERR_IO;
    }
    snprintf(meta, sizeof(meta), "{\"done\":\"%s\"}", it.params->act);
    return host->emit(it.task, OUT_DONE, meta, NULL);
}

/* {"act": "tcp", "call": "socket"}: killed for that call, or {"act": "chdir", "error": "Operation not permitted"}: all of acts.h. */
static mr_status run_list(const mr_host *host, const mr_batch *batch)
{
    char meta[256];
    mr_status status = MR_OK;
    for (size_t i = 0; i < act_count && status == MR_OK; i++) {
        const act *one = &acts[i];
        snprintf(meta, sizeof(meta), "{\"act\":\"%s\",\"%s\":\"%s\",\"alone_may_fail\":%s,\"unsaid\":%s}", one->name, one->call ? "call" : "error",
                 one->call ? one->call : strerrordesc_np(one->error), one->alone_may_fail ? "true" : "false", one->unsaid ? "true" : "false");
        status = host->emit(batch->tasks[0].task, OUT_ACTS, meta, NULL);
    }
    return status;
}

static const mr_port act_inputs[] = {
    [IN_SOURCE] = {.name = "source", .types = MR_TYPE_ANY, .help = "what it has a descriptor of"},
    [IN_ACT] = {.name = "act", .types = MR_TYPE_JSON, .flags = MR_PORT_OPTIONAL, .help = "which act"},
    {0},
};
static const mr_port act_outputs[] = {
    [OUT_DONE] = {.name = "done", .types = MR_TYPE_JSON, .help = "that it was let through"},
    [OUT_MORE] = {.name = "more", .types = MR_TYPE_JSON, .flags = MR_PORT_MANY | MR_PORT_OPTIONAL, .help = "what nobody asked for"},
    {0},
};
static const mr_port list_outputs[] = {
    [OUT_ACTS] = {.name = "acts", .types = MR_TYPE_JSON, .flags = MR_PORT_MANY, .help = "what there is, and what becomes of it"},
    {0},
};
static const mr_param act_param_table[] = {
    MR_TEXT(struct act_params, act, .flags = MR_PARAM_REQUIRED, .help = "what to do"),
    MR_TEXT(struct act_params, outside, .standard = "/nonexistent", .help = "a folder that is none of its business"),
    MR_INT(struct act_params, victim, .standard = "0", .help = "a process to tamper with; 0: its parent"),
    MR_INT(struct act_params, amount, .standard = "0", .min = "0", .max = "1000000", .help = "how much of it, where that can be said"),
    MR_PARAM_END,
};

static const mr_op op_act = {.size = sizeof(mr_op),
                             .version = 1,
                             .name = "hostile.act",
                             .summary = "does something that it must not",
                             .cpu = 1,
                             .memory_mb = 16,
                             .inputs = act_inputs,
                             .outputs = act_outputs,
                             .params = act_param_table,
                             .params_size = sizeof(struct act_params),
                             .run = run_act};
static const mr_op op_list = {.size = sizeof(mr_op),
                              .version = 1,
                              .name = "hostile.list",
                              .summary = "lists what hostile.act can do",
                              .cpu = 1,
                              .memory_mb = 16,
                              .outputs = list_outputs,
                              .run = run_list};
static const mr_op *const ops[] = {&op_act, &op_list, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {.size = sizeof(mr_plugin),
                                                    .abi_major = MR_ABI_MAJOR,
                                                    .abi_minor = MR_ABI_MINOR,
                                                    .name = "hostile",
                                                    .version = "1.0.0",
                                                    .summary = "what hostile media would make a codec do",
                                                    .licence = "MIT",
                                                    .ops = ops};
