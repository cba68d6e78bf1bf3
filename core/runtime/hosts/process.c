/* SPDX-License-Identifier: MIT */
/*
 * Starting and ending one task host. What it inherits is named here: an empty environment, three descriptors and its end of the socket. Its process
 * is reaped by whoever frees it.
 */
#include "runtime/hosts/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "scripting/filters.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DYING_MS 2000  /* from the end of its socket to the end of a process, which may have much memory to give back */
#define START_MS 20000 /* for a host to load its plugins, on a machine that has much else to do */

static const mr_span nowhere;

/* ---- starting ---- */

/* Beside the command ("…/bin/millrace") as in an install: "…/libexec/millrace/millrace-task-host". */
char *mr_host_program(mr_diags *diags)
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

static int spawn(const char *program, bool bare, int socket_fd, int words_fd, pid_t *ret_pid)
{
    char parent[32];
    char *argv[] = {"millrace-task-host", parent, bare ? "bare" : NULL, NULL};
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

static mr_status say_hello(mr_task_host *host, const mr_settings *settings)
{
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
    return mr_wire_send(&host->wire, packer, host->control_fd, START_MS);
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

void mr_host_free(mr_task_host *host)
{
    siginfo_t info;
    if (!host)
        return;
    kill_and_reap(host, 0, &info);
    mr_wire_close(&host->wire);
    mr_packer_free(&host->packer);
    if (host->words_fd >= 0)
        close(host->words_fd);
    if (host->control_fd >= 0)
        close(host->control_fd);
    if (host->control)
        munmap(host->control, sizeof(*host->control));
    if (host->scratch)
        mr_dir_remove(host->scratch, NULL);
    free(host->scratch);
    free(host->scripts);
    free(host);
}

/* Ours are in the host then; its own go out by ret_socket and ret_words. 0, or an errno. */
static int make_ends(mr_task_host *host, int *ret_socket, int *ret_words)
{
    int sockets[2];
    int words[2];
    errno = 0;
    host->control = make_control(&host->control_fd);
    if (!host->control || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return errno ? errno : ENOMEM;
    *ret_socket = sockets[1];
    if (mr_wire_open(&host->wire, sockets[0], false) != MR_OK)
        return ENOMEM;
    if (pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0)
        return errno;
    host->words_fd = words[0];
    *ret_words = words[1];
    return 0;
}

/* What the server has made of it: 0, or an errno. */
static int ask_to_fork(mr_task_host *server, int socket_fd, int words_fd, pid_t *ret_pid)
{
    mr_frame frame = {0};
    mr_pack_begin(&server->packer, MR_FRAME_WORDS);
    if (mr_wire_send(&server->wire, &server->packer, words_fd, START_MS) != MR_OK)
        return EPIPE;
    mr_pack_begin(&server->packer, MR_FRAME_FORK);
    if (mr_wire_send(&server->wire, &server->packer, socket_fd, START_MS) != MR_OK)
        return EPIPE;
    if (mr_wire_receive(&server->wire, START_MS, &frame) != MR_OK || frame.type != MR_FRAME_REPLY)
        return EPIPE;
    const int64_t status = mr_frame_i64(&frame);
    const int64_t pid = mr_frame_i64(&frame);
    if (!mr_frame_done(&frame))
        return EPIPE;
    *ret_pid = status == MR_OK ? (pid_t)pid : 0;
    return status == MR_OK ? 0 : status == MR_ERR_UNSUPPORTED ? ENOSYS : EAGAIN;
}

/* From a program, or (NULL) from a fork server. NULL: *ret_error says why. */
static mr_task_host *start(const char *program, bool bare, mr_task_host *server, int *ret_error)
{
    mr_autoclose int socket_fd = -1;
    mr_autoclose int words_fd = -1;
    mr_task_host *host = calloc(1, sizeof(*host));
    *ret_error = ENOMEM;
    if (!host)
        return NULL;
    host->words_fd = -1;
    host->control_fd = -1;
    host->wire = (mr_wire){.fd = -1, .fd_in = -1};
    *ret_error = make_ends(host, &socket_fd, &words_fd);
    if (*ret_error == 0)
        *ret_error = program ? spawn(program, bare, socket_fd, words_fd, &host->pid) : ask_to_fork(server, socket_fd, words_fd, &host->pid);
    if (*ret_error == 0)
        return host;
    mr_host_free(host);
    return NULL;
}

mr_task_host *mr_host_begin(const char *program, bool bare, int *ret_error)
{
    return start(program, bare, NULL, ret_error);
}

mr_task_host *mr_host_fork(mr_task_host *server, int *ret_error)
{
    return start(NULL, false, server, ret_error);
}

int mr_host_load(mr_task_host *host, const mr_settings *settings, const mr_plugins *plugins)
{
    uint32_t count = 0;
    /* Before it has threads, or forks: each inherits it. The kernel stops at 19. Scripts that somebody waits for load nothing, and are as urgent as
     * he. */
    setpriority(PRIO_PROCESS, (id_t)host->pid, getpriority(PRIO_PROCESS, 0) + (int)settings->host_nice);
    for (size_t i = 0; i < mr_plugins_count(plugins); i++)
        count += !mr_plugins_get(plugins, i)->bundle; /* scripts are told when something of them is to run */
    mr_packer *packer = &host->packer;
    mr_pack_begin(packer, MR_FRAME_LOAD);
    mr_pack_u32(packer, count);
    for (size_t i = 0; i < mr_plugins_count(plugins); i++)
        if (!mr_plugins_get(plugins, i)->bundle)
            mr_pack_text(packer, mr_plugins_get(plugins, i)->path);
    return mr_wire_send(&host->wire, packer, -1, START_MS) == MR_OK ? 0 : EPIPE;
}

int mr_host_hello(mr_task_host *host, const mr_settings *settings)
{
    mr_status status = say_hello(host, settings);
    mr_cleanup_fd(&host->control_fd);
    host->control_fd = -1;
    return status == MR_OK ? 0 : EPIPE;
}

mr_status mr_host_tell_script(mr_task_host *host, const mr_settings *settings, const mr_ops_script *script)
{
    mr_packer *packer = &host->packer;
    for (size_t i = 0; i < host->script_count; i++)
        if (host->scripts[i] == script->bundle)
            return MR_OK;
    const mr_bundle **grown = realloc(host->scripts, (host->script_count + 1) * sizeof(*grown));
    if (!grown)
        return MR_ERR_NOMEM;
    host->scripts = grown;
    host->scripts[host->script_count++] = script->bundle;
    mr_pack_begin(packer, MR_FRAME_SCRIPT);
    mr_pack_u64(packer, (uint64_t)settings->scripts_memory);
    mr_pack_i64(packer, settings->scripts_time);
    mr_pack_text(packer, script->text);
    return mr_wire_send(&host->wire, packer, -1, START_MS);
}

bool mr_host_is_alive(const mr_task_host *host)
{
    struct pollfd poller = {.fd = host->wire.fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 0; /* an idle host has nothing to say */
}

bool mr_host_hear_ready(mr_task_host *host, const mr_settings *settings, mr_diags *diags)
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

/* ---- ends ---- */

void mr_host_autopsy(mr_task_host *host, const mr_settings *settings, char *ret_text, size_t size)
{
    char limit[32];
    siginfo_t info;
    kill_and_reap(host, DYING_MS, &info);
    host->stuck = info.si_pid != 0 && info.si_code == CLD_EXITED && info.si_status == MR_SCRIPT_STUCK;
    host->struck = info.si_pid != 0 && info.si_code == CLD_KILLED && info.si_status == SIGKILL;
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
