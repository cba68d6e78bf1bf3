/* SPDX-License-Identifier: MIT */
/* See cage.h. The child tells how it ended by an exit status alone where it can, and by a pipe what a status has no room for. */
#include "cage.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH 20 /* descriptors from here on are the cage's */

static const mr_sandbox_limits usual = {.memory = 1u << 30, .cpu_seconds = 60, .open_files = 64, .file_size = 1u << 20};

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    abort();
}

/* A pipe whose ends are out of the way. */
static void high_pipe(int ends[2])
{
    int low[2];
    must(pipe2(low, O_CLOEXEC) == 0, "pipe2");
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, HIGH);
        must(ends[i] >= 0, "fcntl");
        close(low[i]);
    }
}

static void die_with_parent(pid_t parent)
{
    must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
    if (getppid() != parent)
        _exit(1);
}

/* Someone of the same user, to be tampered with. */
static pid_t make_victim(void)
{
    pid_t parent = getpid();
    pid_t victim = fork();
    must(victim >= 0, "fork");
    if (victim > 0)
        return victim;
    die_with_parent(parent);
    for (;;)
        pause();
}

static void make_socket(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
    for (int i = 0; i < 2; i++)
        must((ends[i] = fcntl(ends[i], F_DUPFD, HIGH)) >= 0, "fcntl");
    must(dup2(ends[0], MR_SANDBOX_SOCKET) >= 0 && dup2(ends[1], MR_SANDBOX_SOCKET + 1) >= 0, "dup2");
}

/* cmocka's would let a crashed child go on with the next test. */
static void forget_handlers(void)
{
    const int handled[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT};
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        must(signal(handled[i], SIG_DFL) != SIG_ERR, "signal");
}

static void be_the_actor(const cage *cage, int (*run)(const act_place *place), pid_t victim, int told)
{
    char path[512];
    cage_end end = {.error = -1};
    mr_diags *diags = mr_diags_new();
    snprintf(path, sizeof(path), "%s/theirs", cage->outside);
    const act_place place = {.scratch = cage->scratch, .outside = cage->outside, .victim = victim, .input = open(path, O_RDONLY | O_CLOEXEC)};
    must(place.input >= 0, path);
    must(dup2(place.input, HIGH - 1) >= 0, "dup2");
    make_socket();
    forget_handlers();
    must(chdir(cage->scratch ? cage->scratch : cage->outside) == 0 || !cage->open, "chdir");
    if (cage->before && cage->before() != 0)
        _exit(1);
    end.entered = cage->open ? MR_OK : mr_sandbox_enter(cage->scratch, cage->limits ? cage->limits : &usual, diags, &end.missing);
    mr_diags_print(diags, stderr, false);
    if (end.entered == MR_OK)
        end.error = run(&(const act_place){.scratch = cage->scratch, .outside = cage->outside, .victim = victim, .input = HIGH - 1});
    must(write(told, &end, sizeof(end)) == (ssize_t)sizeof(end), "write");
    _exit(0);
}

/* All that comes until nobody holds the other end. */
static size_t drain(int fd, void *data, size_t room)
{
    size_t len = 0;
    char rest[256];
    for (;;) {
        bool full = len >= room;
        ssize_t got = full ? read(fd, rest, sizeof(rest)) : read(fd, (char *)data + len, room - len);
        if (got <= 0 && errno != EINTR)
            break;
        if (got == 0)
            break;
        len += got > 0 && !full ? (size_t)got : 0;
    }
    close(fd);
    return len;
}

cage_end cage_try(const cage *cage, int (*run)(const act_place *place))
{
    int words[2];
    int told[2];
    int status = 0;
    cage_end end = {.error = -1, .entered = MR_ERR_INTERNAL};
    cage_end answer;
    pid_t victim = make_victim();
    high_pipe(words);
    high_pipe(told);
    fflush(NULL);
    pid_t parent = getpid();
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        die_with_parent(parent);
        must(dup2(words[1], STDERR_FILENO) >= 0, "dup2");
        close(words[1]);
        be_the_actor(cage, run, victim, told[1]);
    }
    close(words[1]);
    close(told[1]);
    char text[sizeof(end.words)];
    size_t said = drain(words[0], text, sizeof(text) - 1);
    if (drain(told[0], &answer, sizeof(answer)) == sizeof(answer))
        end = answer;
    memcpy(end.words, text, said);
    end.words[said] = '\0';
    must(waitpid(child, &status, 0) == child, "waitpid");
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    kill(victim, SIGKILL);
    must(waitpid(victim, NULL, 0) == victim, "waitpid");
    return end;
}
