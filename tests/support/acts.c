/* SPDX-License-Identifier: MIT */
/* See acts.h. Everything that an act opens it closes, what it makes in scratch stays: the folder goes as a whole. */
#include "acts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOMB 32 /* processes of the fork bomb: enough to be one, few enough for a machine that lets it go off */

static int outcome(long result)
{
    return result < 0 ? errno : 0;
}

/* The outcome of what returned a descriptor. */
static int opened(int fd)
{
    int error = outcome(fd);
    if (fd >= 0)
        close(fd);
    return error;
}

static const char *in(char buf[PATH_MAX], const char *folder, const char *name)
{
    snprintf(buf, PATH_MAX, "%s/%s", folder, name);
    return buf;
}

/* ---- the network ---- */

static int tcp(const act_place *place)
{
    (void)place;
    return opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int udp(const act_place *place)
{
    (void)place;
    return opened(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int unix_socket(const act_place *place)
{
    (void)place;
    return opened(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* ---- files ---- */

static int read_passwd(const act_place *place)
{
    (void)place;
    return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int list_root(const act_place *place)
{
    (void)place;
    return opened(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int read_outside(const act_place *place)
{
    char path[PATH_MAX];
    return opened(open(in(path, place->outside, "theirs"), O_RDONLY | O_CLOEXEC));
}

static int write_outside(const act_place *place)
{
    char path[PATH_MAX];
    return opened(open(in(path, place->outside, "planted"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int write_through_dots(const act_place *place)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/../../../../../../../../../../../../../../../..%s/planted-too", place->scratch, place->outside);
    return opened(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int folder_outside(const act_place *place)
{
    char path[PATH_MAX];
    return outcome(mkdir(in(path, place->outside, "folder"), 0700));
}

static int truncate_outside(const act_place *place)
{
    char path[PATH_MAX];
    return outcome(truncate(in(path, place->outside, "theirs"), 1));
}

static int rename_outside(const act_place *place)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    int error = opened(open(in(from, place->scratch, "mine"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return error ? error : outcome(rename(from, in(to, place->outside, "moved")));
}

static int link_inside(const act_place *place)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    return outcome(link(in(from, place->outside, "theirs"), in(to, place->scratch, "linked")));
}

static int symlink_inside(const act_place *place)
{
    char path[PATH_MAX];
    return outcome(symlink("/etc/passwd", in(path, place->scratch, "trap")));
}

static int pipe_inside(const act_place *place)
{
    char path[PATH_MAX];
    return outcome(mkfifo(in(path, place->scratch, "pipe"), 0600));
}

static int chdir_out(const act_place *place)
{
    return outcome(chdir(place->outside));
}

static int watch_outside(const act_place *place)
{
    int fd = inotify_init1(IN_CLOEXEC);
    int error = fd < 0 ? errno : outcome(inotify_add_watch(fd, place->outside, IN_OPEN));
    if (fd >= 0)
        close(fd);
    return error;
}

/* ---- the input's descriptor ---- */

static int reopen_input(const act_place *place)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", place->input);
    return opened(open(path, O_RDWR | O_CLOEXEC));
}

static int chmod_input(const act_place *place)
{
    return outcome(fchmod(place->input, 0640));
}
static int touch_input(const act_place *place)
{
    return outcome(futimens(place->input, NULL));
}
static int chown_input(const act_place *place)
{
    return outcome(fchown(place->input, getuid(), getgid()));
}
static int lock_input(const act_place *place)
{
    return outcome(flock(place->input, LOCK_EX | LOCK_NB));
}
static int flags_of_input(const act_place *place)
{
    return outcome(fcntl(place->input, F_SETFL, O_NONBLOCK));
}

/* ---- processes ---- */

static int fork_once(const act_place *place)
{
    (void)place;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : outcome(waitpid(child, &status, 0));
}

static int fork_bomb(const act_place *place)
{
    int error = 0;
    for (int i = 0; i < BOMB && error == 0; i++)
        error = fork_once(place);
    return error;
}

static int spawn(const act_place *place)
{
    (void)place;
    char *argv[] = {"true", NULL};
    pid_t child;
    int status;
    int error = posix_spawn(&child, "/bin/true", NULL, NULL, argv, argv + 1);
    return error ? error : outcome(waitpid(child, &status, 0));
}

/* A program that is not there: who is told so was let through. */
static int exec(const act_place *place)
{
    (void)place;
    char *none[] = {NULL};
    execve("/proc/self/no-such-program", none, none);
    return errno == ENOENT ? 0 : errno;
}

static int trace_parent(const act_place *place)
{
    int error = outcome(ptrace(PTRACE_SEIZE, place->victim, NULL, NULL));
    if (error == 0) { /* a tracee must stand still to be let go */
        ptrace(PTRACE_INTERRUPT, place->victim, NULL, NULL);
        waitpid(place->victim, NULL, __WALL);
        ptrace(PTRACE_DETACH, place->victim, NULL, NULL);
    }
    return error;
}

static int read_parent(const act_place *place)
{
    static char here;
    struct iovec local = {&here, 1};
    struct iovec remote = {&here, 1};
    ssize_t got = process_vm_readv(place->victim, &local, 1, &remote, 1, 0);
    return got < 0 && errno != EFAULT ? errno : 0; /* EFAULT: it may look, but there is nothing at that address */
}

/* A signal that does nothing to who doesn't ask for it; whoever may send it may send SIGKILL. */
static int signal_parent(const act_place *place)
{
    return outcome(kill(place->victim, SIGURG));
}

static int signal_group(const act_place *place)
{
    (void)place;
    return outcome(kill(0, SIGURG));
}

/* ---- the process itself ---- */

static int outlive_parent(const act_place *place)
{
    (void)place;
    return outcome(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}

static int become_dumpable(const act_place *place)
{
    (void)place;
    return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int set_limit(const act_place *place)
{
    (void)place;
    struct rlimit limit;
    int error = outcome(getrlimit(RLIMIT_CPU, &limit));
    return error ? error : outcome(setrlimit(RLIMIT_CPU, &limit));
}

static int take_sigsys(const act_place *place)
{
    (void)place;
    struct sigaction old;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int error = outcome(sigaction(SIGSYS, &ignore, &old));
    if (error == 0)
        sigaction(SIGSYS, &old, NULL);
    return error;
}

static int executable_memory(const act_place *place)
{
    (void)place;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return errno;
    munmap(page, 4096);
    return 0;
}

static int make_executable(const act_place *place)
{
    (void)place;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return errno;
    int error = outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    munmap(page, 4096);
    return error;
}

static int memory_file(const act_place *place)
{
    (void)place;
    return opened(memfd_create("memory", MFD_CLOEXEC));
}

static int pin_others(const act_place *place)
{
    cpu_set_t set;
    int error = outcome(sched_getaffinity(place->victim, sizeof(set), &set));
    return error ? error : outcome(sched_setaffinity(place->victim, sizeof(set), &set));
}

/* ---- the kernel ---- */

static int new_namespace(const act_place *place)
{
    (void)place;
    return outcome(syscall(SYS_unshare, 0));
}

static int mount_folder(const act_place *place)
{
    int error = outcome(mount("none", place->scratch, "tmpfs", 0, "size=4k"));
    return error ? error : outcome(umount2(place->scratch, MNT_DETACH));
}

static int ring(const act_place *place)
{
    (void)place;
    char params[120] = {0};
    return opened((int)syscall(SYS_io_uring_setup, 1, params));
}

static int page_faults(const act_place *place)
{
    (void)place;
    return opened((int)syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}

static int keyring(const act_place *place)
{
    (void)place;
    return outcome(syscall(SYS_keyctl, 0, -3, 0, 0, 0)); /* KEYCTL_GET_KEYRING_ID of the session */
}

const act acts[] = {
    {"tcp", tcp, .call = "socket"},
    {"udp", udp, .call = "socket"},
    {"unix-socket", unix_socket, .call = "socket"},
    {"read-passwd", read_passwd, .error = EACCES},
    {"list-root", list_root, .error = EACCES},
    {"read-outside", read_outside, .error = EACCES},
    {"write-outside", write_outside, .error = EACCES},
    {"write-through-dots", write_through_dots, .error = EACCES},
    {"folder-outside", folder_outside, .error = EACCES},
    {"truncate-outside", truncate_outside, .error = EPERM},
    {"rename-outside", rename_outside, .error = EACCES},
    {"link-inside", link_inside, .error = EPERM},
    {"symlink-inside", symlink_inside, .error = EPERM},
    {"pipe-inside", pipe_inside, .error = EPERM},
    {"chdir", chdir_out, .error = EPERM},
    {"watch-outside", watch_outside, .error = EPERM},
    {"reopen-input", reopen_input, .error = EACCES},
    {"chmod-input", chmod_input, .error = EPERM},
    {"touch-input", touch_input, .error = EPERM},
    {"chown-input", chown_input, .error = EPERM},
    {"lock-input", lock_input, .error = EPERM},
    {"flags-of-input", flags_of_input, .error = EPERM},
    {"fork", fork_once, .call = "clone"},
    {"fork-bomb", fork_bomb, .call = "clone"},
    {"spawn", spawn, .call = "clone", .unsaid = true},
    {"exec", exec, .call = "execve"},
    {"trace-parent", trace_parent, .call = "ptrace", .alone_may_fail = true},
    {"read-parent", read_parent, .call = "process_vm_readv", .alone_may_fail = true},
    {"signal-parent", signal_parent, .call = "kill"},
    {"signal-group", signal_group, .call = "kill"},
    {"outlive-parent", outlive_parent, .error = EPERM},
    {"become-dumpable", become_dumpable, .error = EPERM},
    {"set-limit", set_limit, .error = EPERM},
    {"take-sigsys", take_sigsys, .error = EPERM},
    {"executable-memory", executable_memory, .error = EPERM},
    {"make-executable", make_executable, .error = EPERM},
    {"memory-file", memory_file, .error = EPERM},
    {"pin-others", pin_others, .error = EPERM},
    {"namespace", new_namespace, .call = "unshare"},
    {"mount", mount_folder, .call = "mount", .alone_may_fail = true},
    {"io-uring", ring, .call = "io_uring_setup", .alone_may_fail = true},
    {"userfaultfd", page_faults, .call = "userfaultfd", .alone_may_fail = true},
    {"keyring", keyring, .call = "keyctl", .alone_may_fail = true},
};
const size_t act_count = sizeof(acts) / sizeof(acts[0]);

const act *act_find(const char *name)
{
    for (size_t i = 0; i < act_count; i++) {
        if (strcmp(acts[i].name, name) == 0)
            return &acts[i];
    }
    return NULL;
}
