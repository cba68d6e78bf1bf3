/* SPDX-License-Identifier: MIT */
/*
 * Starting, keeping and ending task hosts.
 *
 * Invariants
 *   - Hosts, and the process that they are forked from, are started by the keeper thread only (but for an early one): the kernel ends a host when the
 *     thread that started it ends (PR_SET_PDEATHSIG), and the keeper lives as long as the pool. Besides, a host ends when its socket closes.
 *   - The fork server belongs to the keeper. It is given nothing to read but what the engine says.
 *   - A host is either in the list of idle ones or taken by one thread, which alone uses it. Its process is reaped by whoever retires it.
 *   - The lock guards the list and the numbers; nobody waits for a process under it.
 */
#include "runtime/hosts/pool.h"

#include "base/sanitized.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_TRIES 3  /* hosts that end before they are ready, one after the other */
#define STRUCK_MAX  16 /* the same of those that were killed from outside: that says little about the next */

struct mr_hosts {
    mr_hosts_options options;
    char *program;
    bool forks;           /* hosts come from a fork server; else each is started by itself */
    mr_task_host *server; /* NULL: not started yet */
    pthread_t keeper;
    bool keeper_started;
    pthread_mutex_t lock;
    pthread_cond_t wanted; /* the keeper has something to do */
    pthread_cond_t came;   /* a host was started, or could not be */
    mr_task_host *idle;
    uint32_t idle_count;
    uint32_t count;   /* all that live */
    uint32_t waiters; /* in take(), for a host to be started */
    bool warming;
    bool closing;
    uint64_t failures; /* to start one */
    char why[256];     /* the last of them */
};

static const mr_span nowhere;

/* A fork server, or where hosts aren't forked a host, that was started before its pool. Of the main thread until that is open, then the keeper's.
 * NULL: none waits. */
static mr_task_host *early;

void mr_hosts_start_early(void)
{
    int error = 0;
    mr_diags *diags = mr_diags_new();
    char *program = diags && !early ? mr_host_program(diags) : NULL;
    if (program)
        early = mr_host_begin(program, false, &error); /* where that fails, the pool will say why */
    free(program);
    mr_diags_free(diags);
}

/* A process that loads the plugins, with which it may be a host, or fork hosts. */
static mr_task_host *load_host(const mr_hosts *hosts, int *ret_error)
{
    mr_task_host *host = early ? early : mr_host_begin(hosts->program, false, ret_error);
    early = NULL;
    if (!host)
        return NULL;
    *ret_error = mr_host_load(host, hosts->options.settings, hosts->options.plugins);
    if (*ret_error == 0)
        return host;
    mr_host_free(host);
    return NULL;
}

static mr_task_host *fork_host(mr_hosts *hosts, int *ret_error)
{
    if (!hosts->server)
        hosts->server = load_host(hosts, ret_error);
    mr_task_host *host = hosts->server ? mr_host_fork(hosts->server, ret_error) : NULL;
    if (host || !hosts->server)
        return host;
    if (*ret_error == EPIPE || *ret_error == ENOSYS) {
        mr_host_free(hosts->server);
        hosts->server = NULL;
    }
    hosts->forks = *ret_error != ENOSYS;
    return hosts->forks ? NULL : load_host(hosts, ret_error);
}

/* NULL: why says what went wrong. *ret_gone: it had ended before it was greeted. */
static mr_task_host *try_host(mr_hosts *hosts, char *why, size_t why_size, bool *ret_gone)
{
    int error = 0;
    mr_diags *diags = mr_diags_new();
    mr_task_host *host = hosts->forks ? fork_host(hosts, &error) : load_host(hosts, &error);
    if (host && mr_objects_scratch(hosts->options.objects, diags, &host->scratch) != MR_OK)
        error = EIO;
    if (host && error == 0)
        error = mr_host_hello(host, hosts->options.settings);
    if (error != 0) {
        const mr_diag *diag = diags ? mr_diags_first(diags) : NULL;
        snprintf(why, why_size, "%s", diag ? diag->message : strerrordesc_np(error));
        mr_host_free(host);
        host = NULL;
    }
    mr_diags_free(diags);
    *ret_gone = error == EPIPE;
    return host;
}

static mr_task_host *start_host(mr_hosts *hosts, char *why, size_t why_size)
{
    bool gone = true;
    mr_task_host *host = NULL;
    for (int i = 0; i < STRUCK_MAX && gone && !host; i++)
        host = try_host(hosts, why, why_size, &gone);
    return host;
}

static bool more_wanted(const mr_hosts *hosts)
{
    return hosts->idle_count < hosts->waiters || (hosts->warming && hosts->count < hosts->options.warm);
}

static void *keep_hosts(void *context)
{
    mr_hosts *hosts = context;
    char why[sizeof(hosts->why)] = "";
    int error = 0;
    if (early && hosts->forks)
        hosts->server = load_host(hosts, &error); /* it loads while nobody waits; where that fails, the first host will say why */
    pthread_mutex_lock(&hosts->lock);
    while (!hosts->closing) {
        if (!more_wanted(hosts)) {
            hosts->warming = false;
            pthread_cond_wait(&hosts->wanted, &hosts->lock);
            continue;
        }
        hosts->count++;
        pthread_mutex_unlock(&hosts->lock);
        mr_task_host *host = start_host(hosts, why, sizeof(why));
        pthread_mutex_lock(&hosts->lock);
        if (host) {
            host->next = hosts->idle;
            hosts->idle = host;
            hosts->idle_count++;
            pthread_cond_signal(&hosts->came);
            continue;
        }
        hosts->count--;
        hosts->failures++;
        hosts->warming = false;
        memcpy(hosts->why, why, sizeof(why));
        hosts->waiters = 0; /* each of them gives up */
        pthread_cond_broadcast(&hosts->came);
    }
    pthread_mutex_unlock(&hosts->lock);
    return NULL;
}

/* ---- the pool ---- */

mr_status mr_hosts_open(const mr_hosts_options *options, mr_diags *diags, mr_hosts **ret_hosts)
{
    char *program = mr_host_program(diags);
    *ret_hosts = NULL;
    if (!program)
        return MR_ERR_NOT_FOUND;
    mr_hosts *hosts = calloc(1, sizeof(*hosts));
    if (!hosts) {
        free(program);
        return MR_ERR_NOMEM;
    }
    hosts->options = *options;
    hosts->program = program;
    hosts->forks = !MR_SANITIZED; /* threads of sanitizers don't live through a fork */
    pthread_mutex_init(&hosts->lock, NULL);
    pthread_cond_init(&hosts->wanted, NULL);
    pthread_cond_init(&hosts->came, NULL);
    hosts->keeper_started = pthread_create(&hosts->keeper, NULL, keep_hosts, hosts) == 0;
    if (!hosts->keeper_started) {
        mr_error(diags, "threads", nowhere, "can't start the thread that keeps task hosts");
        mr_hint(diags, "raise the limit of processes (ulimit -u)");
        mr_hosts_close(hosts);
        return MR_ERR_LIMIT;
    }
    *ret_hosts = hosts;
    return MR_OK;
}

void mr_hosts_close(mr_hosts *hosts)
{
    if (!hosts)
        return;
    pthread_mutex_lock(&hosts->lock);
    hosts->closing = true;
    pthread_cond_signal(&hosts->wanted);
    pthread_mutex_unlock(&hosts->lock);
    if (hosts->keeper_started)
        pthread_join(hosts->keeper, NULL);
    while (hosts->idle) {
        mr_task_host *host = hosts->idle;
        hosts->idle = host->next;
        mr_host_free(host);
    }
    mr_host_free(hosts->server);
    pthread_mutex_destroy(&hosts->lock);
    pthread_cond_destroy(&hosts->wanted);
    pthread_cond_destroy(&hosts->came);
    free(hosts->program);
    free(hosts);
}

void mr_hosts_warm(mr_hosts *hosts)
{
    pthread_mutex_lock(&hosts->lock);
    hosts->warming = true;
    pthread_cond_signal(&hosts->wanted);
    pthread_mutex_unlock(&hosts->lock);
}

/* The ready ones first. Lock held. */
static mr_task_host *pop_idle(mr_hosts *hosts)
{
    mr_task_host **best = &hosts->idle;
    for (mr_task_host **at = &hosts->idle; *at; at = &(*at)->next) {
        if ((*at)->ready && !(*best)->ready)
            best = at;
    }
    mr_task_host *host = *best;
    if (host) {
        *best = host->next;
        host->next = NULL;
        hosts->idle_count--;
    }
    return host;
}

static mr_task_host *wait_for_host(mr_hosts *hosts, mr_diags *diags)
{
    pthread_mutex_lock(&hosts->lock);
    const uint64_t failures = hosts->failures;
    mr_task_host *host = pop_idle(hosts);
    if (!host)
        hosts->waiters++;
    while (!host && hosts->failures == failures) {
        pthread_cond_signal(&hosts->wanted);
        pthread_cond_wait(&hosts->came, &hosts->lock);
        host = pop_idle(hosts);
        if (host && hosts->waiters > 0)
            hosts->waiters--;
    }
    if (!host) {
        mr_error(diags, "task-host", nowhere, "can't start a task host: %s", hosts->why);
        mr_hint(diags, "raise the limits of processes and open files (ulimit -u, ulimit -n)");
    }
    pthread_mutex_unlock(&hosts->lock);
    return host;
}

mr_task_host *mr_hosts_take(mr_hosts *hosts, mr_diags *diags)
{
    int struck = 0;
    for (int failed = 0; failed < START_TRIES && struck < STRUCK_MAX;) {
        mr_task_host *host = wait_for_host(hosts, diags);
        if (!host)
            return NULL;
        const bool was_ready = host->ready;
        if (was_ready ? mr_host_is_alive(host) : mr_host_hear_ready(host, hosts->options.settings, diags)) {
            memset(host->control, 0, sizeof(*host->control));
            return host;
        }
        struck += host->struck;
        failed += !was_ready && !host->struck; /* one that ended while it was idle says nothing about the next */
        mr_hosts_give(hosts, host, false, 0);
    }
    return NULL;
}

static uint64_t resident_bytes(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void mr_hosts_give(mr_hosts *hosts, mr_task_host *host, bool whole, uint32_t tasks)
{
    const mr_settings *settings = hosts->options.settings;
    host->tasks += tasks;
    bool keep = whole && host->tasks < (uint64_t)settings->host_tasks && resident_bytes(host->pid) <= (uint64_t)settings->host_growth;
    pthread_mutex_lock(&hosts->lock);
    keep = keep && hosts->idle_count < hosts->options.warm;
    if (keep) {
        host->next = hosts->idle;
        hosts->idle = host;
        hosts->idle_count++;
        pthread_cond_signal(&hosts->came);
    } else {
        hosts->count--;
        pthread_cond_signal(&hosts->wanted);
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!keep)
        mr_host_free(host);
}
