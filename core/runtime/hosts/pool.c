/* SPDX-License-Identifier: MIT */
/*
 * Starting, keeping and ending task hosts.
 *
 * Invariants
 *   - Hosts are started by the keeper thread only (but for an early one): the kernel ends a host when the thread that started it ends
 *     (PR_SET_PDEATHSIG), and the keeper lives as long as the pool. Besides, a host ends when its socket closes.
 *   - A host is either in the list of idle ones or taken by one thread, which alone uses it. Its process is reaped by whoever retires it.
 *   - The lock guards the list and the numbers; nobody waits for a process under it.
 */
#include "runtime/hosts/pool.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/hosts/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DYING_MS    2000  /* from the end of its socket to the end of a process, which may have much memory to give back */
#define START_TRIES 3     /* hosts that end before they are ready, one after the other */
#define START_MS    20000 /* for a host to load its plugins, on a machine that has much else to do */

struct mr_hosts {
    mr_hosts_options options;
    char *program;
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

/* ---- starting ---- */

/* Beside the command ("…/bin/millrace") as in an install: "…/libexec/millrace/millrace-task-host". */
static char *find_program(mr_diags *diags)
{
    char path[PATH_MAX];
    char *program = NULL;
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    for (int i = 0; i < 2 && len > 0; i++) {
        path[len] = '\0';
        char *slash = strrchr(path, '/');
        len = slash ? slash - path : 0;
    }
    path[len > 0 ? len : 0] = '\0';
    if (len <= 0 || asprintf(&program, "%s/libexec/millrace/millrace-task-host", path) < 0)
        return NULL;
    if (access(program, X_OK) == 0)
        return program;
    mr_error(diags, "task-host", nowhere, "the program '%s', in which ops run, can't be executed: %s", program, strerrordesc_np(errno));
    mr_hint(diags, "install Millrace again, or run without protection: --set sandbox=off");
    free(program);
    return NULL;
}

/* The page is ours to write; the host gets a descriptor that it can only read. */
static mr_control *make_control(int *ret_fd)
{
    char path[64];
    mr_control *control = MAP_FAILED;
    mr_autoclose int fd = memfd_create("millrace-control", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, sizeof(*control)) == 0)
        control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED)
        return NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*ret_fd >= 0)
        return control;
    munmap(control, sizeof(*control));
    return NULL;
}

static int spawn(const char *program, int socket_fd, int words_fd, pid_t *ret_pid)
{
    char parent[32];
    char *argv[] = {"millrace-task-host", parent, NULL};
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, words_fd, 2);
    posix_spawn_file_actions_adddup2(&actions, socket_fd, MR_HOST_SOCKET);
    /* A group of its own: Ctrl-C in a terminal is for the engine, which ends its hosts in order. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn(ret_pid, program, &actions, &attributes, argv, nothing);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static mr_status say_hello(const mr_hosts *hosts, mr_task_host *host, int control_fd)
{
    const mr_settings *settings = hosts->options.settings;
    const size_t plugins = mr_plugins_count(hosts->options.plugins);
    mr_packer *packer = &host->packer;
    mr_pack_begin(packer, MR_FRAME_HELLO);
    mr_pack_u32(packer, MR_HOST_PROTOCOL);
    mr_pack_text(packer, host->scratch);
    mr_pack_u64(packer, (uint64_t)settings->host_memory);
    mr_pack_u64(packer, (uint64_t)(settings->host_cpu / 1000000));
    mr_pack_u64(packer, (uint64_t)settings->host_open_files);
    mr_pack_u64(packer, (uint64_t)settings->host_file_size);
    mr_pack_u32(packer, (uint32_t)sizeof(settings->limits));
    mr_pack_bytes(packer, &settings->limits, sizeof(settings->limits));
    mr_pack_u32(packer, (uint32_t)plugins);
    for (size_t i = 0; i < plugins; i++)
        mr_pack_text(packer, mr_plugins_get(hosts->options.plugins, i)->path);
    return mr_wire_send(&host->wire, packer, control_fd, START_MS);
}

/* True: it has ended by itself, at the latest after patience_ms: a socket closes a moment before its process can be reaped. */
static bool reap_ended(mr_task_host *host, int patience_ms, siginfo_t *ret_info)
{
    if (waitid(P_PID, (id_t)host->pid, ret_info, WEXITED | WNOHANG) == 0 && ret_info->si_pid != 0)
        return true;
    mr_autoclose int process = patience_ms > 0 ? pidfd_open(host->pid, 0) : -1;
    struct pollfd poller = {.fd = process, .events = POLLIN};
    if (process < 0 || poll(&poller, 1, patience_ms) <= 0)
        return false;
    return waitid(P_PID, (id_t)host->pid, ret_info, WEXITED | WNOHANG) == 0 && ret_info->si_pid != 0;
}

/* What ended by itself gives its own reason; info->si_pid is 0 for what had to be killed. */
static void kill_and_reap(mr_task_host *host, int patience_ms, siginfo_t *ret_info)
{
    *ret_info = (siginfo_t){0};
    if (host->pid <= 0)
        return;
    if (!reap_ended(host, patience_ms, ret_info)) {
        kill(host->pid, SIGKILL);
        while (waitid(P_PID, (id_t)host->pid, ret_info, WEXITED) != 0 && errno == EINTR)
            continue;
        *ret_info = (siginfo_t){0};
    }
    host->pid = 0;
}

static void free_host(mr_task_host *host)
{
    siginfo_t info;
    if (!host)
        return;
    kill_and_reap(host, 0, &info);
    mr_wire_close(&host->wire);
    mr_packer_free(&host->packer);
    if (host->words_fd >= 0)
        close(host->words_fd);
    if (host->control)
        munmap(host->control, sizeof(*host->control));
    if (host->scratch)
        mr_dir_remove(host->scratch, NULL);
    free(host->scratch);
    free(host);
}

/* The ends of a host that is about to start; ours are in it then. */
typedef struct ends {
    int control;
    int socket;
    int words;
} ends;

static void close_ends(ends *it)
{
    mr_cleanup_fd(&it->control);
    mr_cleanup_fd(&it->socket);
    mr_cleanup_fd(&it->words);
}

/* 0, or an errno. */
static int make_ends(mr_task_host *host, ends *ret_ends)
{
    int sockets[2];
    int words[2];
    errno = 0;
    host->control = make_control(&ret_ends->control);
    if (!host->control || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return errno ? errno : ENOMEM;
    ret_ends->socket = sockets[1];
    if (mr_wire_open(&host->wire, sockets[0], false) != MR_OK)
        return ENOMEM;
    if (pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0)
        return errno;
    host->words_fd = words[0];
    ret_ends->words = words[1];
    return 0;
}

static mr_task_host *new_host(void)
{
    mr_task_host *host = calloc(1, sizeof(*host));
    if (host) {
        host->words_fd = -1;
        host->wire = (mr_wire){.fd = -1, .fd_in = -1};
    }
    return host;
}

/* A process that was started before its pool. Of the main thread until that is open, then the keeper's. */
static struct {
    mr_task_host *host; /* NULL: none waits */
    ends its;
} early;

void mr_hosts_start_early(void)
{
    mr_diags *diags = mr_diags_new();
    char *program = diags && !early.host ? find_program(diags) : NULL;
    mr_task_host *host = program ? new_host() : NULL;
    ends its = {-1, -1, -1};
    if (host && make_ends(host, &its) == 0 && spawn(program, its.socket, its.words, &host->pid) == 0) {
        early.host = host;
        early.its = its;
    } else { /* the pool will say why */
        close_ends(&its);
        free_host(host);
    }
    free(program);
    mr_diags_free(diags);
}

/* NULL: why says what went wrong. */
static mr_task_host *start_host(mr_hosts *hosts, char *why, size_t why_size)
{
    const bool begun = early.host != NULL;
    ends its = begun ? early.its : (ends){-1, -1, -1};
    mr_diags *diags = mr_diags_new();
    mr_task_host *host = begun ? early.host : new_host();
    bool started = false;
    int error = ENOMEM;
    early.host = NULL;
    if (!host || !diags)
        goto end;
    mr_status status = mr_objects_scratch(hosts->options.objects, diags, &host->scratch);
    error = status != MR_OK ? EIO : begun ? 0 : make_ends(host, &its);
    if (error == 0 && !begun)
        error = spawn(hosts->program, its.socket, its.words, &host->pid);
    if (error == 0 && say_hello(hosts, host, its.control) != MR_OK)
        error = EPIPE;
    started = error == 0;
end:
    if (!started) {
        const mr_diag *diag = diags ? mr_diags_first(diags) : NULL;
        snprintf(why, why_size, "%s", diag ? diag->message : strerrordesc_np(error));
        free_host(host);
        host = NULL;
    }
    close_ends(&its);
    mr_diags_free(diags);
    return host;
}

static bool more_wanted(const mr_hosts *hosts)
{
    return early.host || hosts->idle_count < hosts->waiters || (hosts->warming && hosts->count < hosts->options.warm);
}

static void *keep_hosts(void *context)
{
    mr_hosts *hosts = context;
    char why[sizeof(hosts->why)] = "";
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
    char *program = find_program(diags);
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
        free_host(host);
    }
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

static bool is_alive(const mr_task_host *host)
{
    struct pollfd poller = {.fd = host->wire.fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 0; /* an idle host has nothing to say */
}

/* It has loaded its plugins and locked itself down, or it is of no use. */
static bool hear_ready(mr_task_host *host, const mr_settings *settings, mr_diags *diags)
{
    mr_frame frame = {0};
    char how[256];
    char words[512];
    mr_status status = mr_wire_receive(&host->wire, START_MS, &frame);
    if (status == MR_OK && frame.type == MR_FRAME_READY) {
        const uint32_t protocol = mr_frame_u32(&frame);
        mr_frame_u32(&frame);
        const char *wrong = mr_frame_text(&frame);
        if (mr_frame_done(&frame) && protocol == MR_HOST_PROTOCOL && wrong[0] == '\0') {
            host->ready = true;
            return true;
        }
        mr_error(diags, "task-host", nowhere, "a task host could not get ready: %s", wrong[0] ? wrong : "it is of another build");
        return false;
    }
    mr_host_autopsy(host, settings, how, sizeof(how));
    mr_host_last_words(host, words, sizeof(words));
    mr_error(diags, "task-host", nowhere, "a task host %s before it was ready", how);
    if (words[0])
        mr_hint(diags, "its last words: %s", words);
    return false;
}

mr_task_host *mr_hosts_take(mr_hosts *hosts, mr_diags *diags)
{
    for (int failed = 0; failed < START_TRIES;) {
        mr_task_host *host = wait_for_host(hosts, diags);
        if (!host)
            return NULL;
        const bool was_ready = host->ready;
        if (was_ready ? is_alive(host) : hear_ready(host, hosts->options.settings, diags)) {
            memset(host->control, 0, sizeof(*host->control));
            return host;
        }
        failed += !was_ready; /* one that ended while it was idle says nothing about the next */
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
        free_host(host);
}

/* ---- ends ---- */

void mr_host_autopsy(mr_task_host *host, const mr_settings *settings, char *ret_text, size_t size)
{
    char limit[32];
    siginfo_t info;
    kill_and_reap(host, DYING_MS, &info);
    const char *name = info.si_code == CLD_EXITED ? NULL : sigabbrev_np(info.si_status);
    if (info.si_pid == 0)
        snprintf(ret_text, size, "had to be ended");
    else if (info.si_code == CLD_EXITED)
        snprintf(ret_text, size, "ended by itself with code %d", info.si_status);
    else if (info.si_status == SIGSYS)
        snprintf(ret_text, size, "was killed by SIGSYS: it asked the kernel for what the sandbox forbids");
    else if (info.si_status == SIGKILL)
        snprintf(ret_text, size, "was killed by SIGKILL: the machine may have run out of memory");
    else if (info.si_status == SIGXCPU)
        snprintf(ret_text, size, "was killed by SIGXCPU: it used more CPU time than host.cpu allows (%s)",
                 (mr_duration_text(settings->host_cpu, limit, sizeof(limit)), limit));
    else
        snprintf(ret_text, size, "was killed by SIG%s (%s)", name ? name : "?", sigdescr_np(info.si_status) ? sigdescr_np(info.si_status) : "?");
}

void mr_host_listen(mr_task_host *host)
{
    char some[512];
    for (int turns = 0; turns < 16; turns++) { /* a host that never stops talking must not hold us up */
        ssize_t len = read(host->words_fd, some, sizeof(some));
        if (len <= 0)
            return;
        size_t over = host->words_len + (size_t)len > MR_HOST_WORDS ? host->words_len + (size_t)len - MR_HOST_WORDS : 0;
        memmove(host->words, host->words + over, host->words_len - over);
        host->words_len -= over;
        memcpy(host->words + host->words_len, some, (size_t)len);
        host->words_len += (size_t)len;
    }
}

void mr_host_last_words(mr_task_host *host, char *ret_text, size_t size)
{
    mr_host_listen(host);
    size_t end = host->words_len;
    while (end > 0 && host->words[end - 1] == '\n')
        end--;
    size_t begin = end;
    for (int lines = 0; begin > 0 && end - begin < size - 1; begin--) {
        if (host->words[begin - 1] == '\n' && ++lines == 3)
            break;
    }
    size_t used = 0;
    for (size_t i = begin; i < end && used + 1 < size; i++) {
        const unsigned char c = (unsigned char)host->words[i];
        ret_text[used++] = (char)(c == '\n' ? '|' : c < 0x20 || c >= 0x7f ? '?' : c); /* hostile: it may write escape sequences */
    }
    ret_text[used] = '\0';
}
