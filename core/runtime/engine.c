/* SPDX-License-Identifier: MIT */
/*
 * The engine's threads: one worker per CPU slot and one more for what is urgent (schedule.c), and a timekeeper for retries and timeouts. Streaming
 * tasks and those that only wait have threads of their own (task.c), and one watches what others want of the runs (watch.c). Idle threads sleep on
 * conditions; nothing polls, but the timekeeper while a task has a deadline, and the watcher while a run goes on.
 */
#include "base/clock.h"
#include "base/file.h"
#include "runtime/hosts/pool.h"
#include "runtime/hosts/sandbox.h"
#include "runtime/internal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICK_US 50000

const mr_host *mr_engine_host(void)
{
    return &mr_host_table;
}

static void work_on(mr_engine *engine, mr_batch_run *(*pick)(mr_engine *engine), pthread_cond_t *more)
{
    mr_expr_vm *vm = mr_expr_vm_new();
    pthread_mutex_lock(&engine->lock);
    for (;;) {
        mr_batch_run *batch = pick(engine);
        if (!batch) {
            if (engine->closing)
                break;
            pthread_cond_wait(more, &engine->lock);
            continue;
        }
        engine->running++;
        engine->memory_used_mb += batch->memory_mb;
        pthread_mutex_unlock(&engine->lock);
        mr_batch_execute(engine, batch, vm);
        pthread_mutex_lock(&engine->lock);
        engine->running--;
        engine->memory_used_mb -= batch->memory_mb;
        free(batch);
        if (engine->memory_short) { /* memory came free: what was left may fit now */
            engine->memory_short = false;
            mr_wake_workers(engine);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    mr_expr_vm_free(vm);
}

static void *work(void *context)
{
    mr_engine *engine = context;
    work_on(engine, mr_pick, &engine->work);
    return NULL;
}

static void *work_on_urgent(void *context)
{
    mr_engine *engine = context;
    work_on(engine, mr_pick_urgent, &engine->urgent);
    return NULL;
}

/* Queues what is due. Returns when the next is, or 0. */
static int64_t wake_delayed(mr_engine *engine, int64_t now)
{
    int64_t next = 0;
    mr_task *waiting = engine->delayed;
    engine->delayed = NULL;
    while (waiting) {
        mr_task *task = waiting;
        waiting = task->delayed_next;
        if (task->state != MR_TASK_DELAYED)
            continue;
        if (task->due_us <= now) {
            mr_task_requeue(task);
            mr_run_settle(task->run);
            continue;
        }
        next = next == 0 || task->due_us < next ? task->due_us : next;
        task->delayed_next = engine->delayed;
        engine->delayed = task;
    }
    return next;
}

static int64_t check_deadlines(mr_engine *engine, int64_t now)
{
    for (mr_task **at = &engine->timed; *at;) {
        mr_task *task = *at;
        if (task->state != MR_TASK_RUNNING) {
            *at = task->timed_next;
            task->timed = false;
            continue;
        }
        int64_t deadline = atomic_load(&task->deadline_us);
        if (deadline && now >= deadline && !atomic_load(&task->timed_out)) {
            atomic_store(&task->timed_out, true);
            atomic_store(&task->cancel, true);
            if (task->wake)
                pthread_cond_broadcast(task->wake);
        }
        at = &task->timed_next;
    }
    return engine->timed ? now + TICK_US : 0;
}

static void *keep_time(void *context)
{
    mr_engine *engine = context;
    pthread_mutex_lock(&engine->lock);
    while (!engine->closing) {
        int64_t now = mr_now_us();
        int64_t due = wake_delayed(engine, now);
        int64_t tick = check_deadlines(engine, now);
        int64_t next = due == 0 || (tick && tick < due) ? tick : due;
        if (next == 0) {
            pthread_cond_wait(&engine->tick, &engine->lock);
            continue;
        }
        struct timespec until = {.tv_sec = next / 1000000, .tv_nsec = (next % 1000000) * 1000};
        pthread_cond_timedwait(&engine->tick, &engine->lock, &until);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

static uint32_t usable_processors(void)
{
    cpu_set_t set;
    long long quota = 0;
    long long period = 0;
    uint32_t count = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    FILE *limit = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (limit) {
        if (fscanf(limit, "%lld %lld", &quota, &period) == 2 && period > 0 && quota > 0 && (uint64_t)(quota / period) < count)
            count = (uint32_t)(quota / period);
        fclose(limit);
    }
    return count ? count : 1;
}

static uint64_t usable_memory_mb(void)
{
    unsigned long long limit_bytes = 0;
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *limit = fopen("/sys/fs/cgroup/memory.max", "re");
    if (limit) {
        if (fscanf(limit, "%llu", &limit_bytes) == 1 && limit_bytes > 0 && limit_bytes < bytes)
            bytes = limit_bytes;
        fclose(limit);
    }
    return bytes / 4 * 3 / (1 << 20);
}

static void init_locks(mr_engine *engine)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    pthread_cond_init(&engine->urgent, NULL);
    pthread_cond_init(&engine->idle, NULL);
    pthread_cond_init(&engine->committed, NULL);
    pthread_cond_init(&engine->tick, &monotonic);
    pthread_cond_init(&engine->watch, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static mr_status start_threads(mr_engine *engine, mr_diags *diags)
{
    engine->workers = calloc(engine->jobs, sizeof(*engine->workers));
    if (!engine->workers)
        return MR_ERR_NOMEM;
    engine->timekeeper_started = pthread_create(&engine->timekeeper, NULL, keep_time, engine) == 0;
    engine->watcher_started = pthread_create(&engine->watcher, NULL, mr_watch, engine) == 0;
    engine->urgent_worker_started = pthread_create(&engine->urgent_worker, NULL, work_on_urgent, engine) == 0;
    while (engine->worker_count < engine->jobs && pthread_create(&engine->workers[engine->worker_count], NULL, work, engine) == 0)
        engine->worker_count++;
    if (engine->timekeeper_started && engine->watcher_started && engine->urgent_worker_started && engine->worker_count == engine->jobs)
        return MR_OK;
    mr_error(diags, "threads", (mr_span){0}, "can't start %u worker threads", engine->jobs);
    mr_hint(diags, "use a smaller --jobs, or raise the limit of processes (ulimit -u)");
    return MR_ERR_LIMIT;
}

static bool any_script(const mr_plugins *plugins)
{
    for (size_t i = 0; i < mr_plugins_count(plugins); i++)
        if (mr_plugins_get(plugins, i)->bundle)
            return true;
    return false;
}

/* Where the kernel lacks something this is said once, or is the end of it. */
static mr_status start_hosts(mr_engine *engine, const mr_engine_options *options, mr_diags *diags)
{
    char text[128];
    if (!options->plugins || (engine->settings.sandbox == MR_SANDBOX_OFF && !any_script(options->plugins)))
        return MR_OK;
    const uint32_t missing = mr_sandbox_missing();
    mr_sandbox_missing_text(missing, text, sizeof(text));
    if (missing && engine->settings.sandbox == MR_SANDBOX_REQUIRE) {
        mr_error(diags, "sandbox", (mr_span){0}, "the settings require the sandbox, but this kernel lacks %s", text);
        mr_hint(diags, "use a kernel with it, or set 'sandbox: auto' to go without what is missing");
        return MR_ERR_UNSUPPORTED;
    }
    if (missing) {
        mr_warning(diags, "sandbox", (mr_span){0}, "this kernel lacks %s: task hosts are less well contained", text);
        mr_hint(diags, "see docs/operations/sandbox.md; 'sandbox: require' in the settings refuses to run like this");
    }
    const mr_hosts_options hosts = {.plugins = options->plugins, .settings = &engine->settings, .objects = engine->objects, .warm = engine->jobs};
    return mr_hosts_open(&hosts, diags, &engine->hosts);
}

mr_status mr_engine_open(const mr_engine_options *options, mr_diags *diags, mr_engine **ret_engine)
{
    const mr_settings *settings = options->settings ? options->settings : mr_settings_default();
    mr_engine *engine = settings ? calloc(1, sizeof(*engine)) : NULL;
    *ret_engine = NULL;
    if (!engine)
        return MR_ERR_NOMEM;
    init_locks(engine);
    engine->log = options->log;
    engine->plugins = options->plugins;
    engine->settings = *settings;
    engine->jobs = options->jobs ? options->jobs : usable_processors();
    engine->memory_mb = options->memory_mb ? options->memory_mb : usable_memory_mb();
    mr_status status = mr_dir_make(options->state_dir, 0700, diags);
    if (status == MR_OK)
        status = mr_objects_open(options->state_dir, diags, &engine->objects);
    if (status == MR_OK)
        status = mr_store_open(options->state_dir, diags, &engine->store);
    if (status == MR_OK)
        status = mr_catalogue_open(options->state_dir, diags, &engine->catalogue);
    if (status == MR_OK)
        status = mr_journal_open(options->state_dir, false, diags, &engine->journal);
    if (status == MR_OK)
        status = mr_claims_open(options->state_dir, diags, &engine->claims);
    if (status == MR_OK && !(engine->movers = mr_movers_new(engine->jobs)))
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        status = start_hosts(engine, options, diags);
    if (status == MR_OK)
        status = start_threads(engine, diags);
    if (status != MR_OK) {
        mr_engine_close(engine);
        return status;
    }
    *ret_engine = engine;
    return MR_OK;
}

mr_status mr_engine_learn_source(mr_engine *engine, const char *path, uint64_t length, const unsigned char *leaves, size_t count,
                                 char ret_digest[MR_DIGEST_TEXT])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return MR_ERR_IO;
    const mr_status status = mr_source_learn(engine->catalogue, fd, length, leaves, count, ret_digest);
    close(fd);
    return status;
}

void mr_engine_close(mr_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    mr_wake_workers(engine);
    pthread_cond_broadcast(&engine->tick);
    pthread_cond_broadcast(&engine->watch);
    while (engine->waiting_tasks > 0)
        pthread_cond_wait(&engine->idle, &engine->lock);
    mr_own_threads_join(engine);
    pthread_mutex_unlock(&engine->lock);
    for (uint32_t i = 0; i < engine->worker_count; i++)
        pthread_join(engine->workers[i], NULL);
    if (engine->urgent_worker_started)
        pthread_join(engine->urgent_worker, NULL);
    if (engine->timekeeper_started)
        pthread_join(engine->timekeeper, NULL);
    if (engine->watcher_started)
        pthread_join(engine->watcher, NULL);
    mr_movers_free(engine->movers);
    mr_hosts_close(engine->hosts);
    mr_journal_close(engine->journal);
    mr_catalogue_close(engine->catalogue);
    mr_store_close(engine->store);
    mr_growths_free(engine);
    mr_claims_close(engine->claims);
    mr_objects_close(engine->objects);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->urgent);
    pthread_cond_destroy(&engine->idle);
    pthread_cond_destroy(&engine->committed);
    pthread_cond_destroy(&engine->tick);
    pthread_cond_destroy(&engine->watch);
    free(engine->heap);
    free(engine->workers);
    free(engine);
}
