/* SPDX-License-Identifier: MIT */
/*
 * A host among processes: it ends with the engine, and is forked from one that has loaded the plugins.
 *
 * Invariants
 *   - Who forks has a single thread (mr_sandbox_check_threads), so nothing is held or half done in the new process.
 *   - The new process is the engine's child, not that of who forked it: the engine waits for it, and the kernel ends it with the engine's thread
 *     (PR_SET_PDEATHSIG goes by the parent).
 *   - Nothing of who forked it stays open in the new process: what it can reach is its own socket, its own stderr and /dev/null.
 */
#include "task-host/child.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool mr_child_tie(pid_t engine)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == engine;
}

/*
 * As fork() of the C library does it, but for the parent. The library keeps the number of the calling thread; the kernel writes the new one there,
 * when it tells where that is (not where it was built without CHECKPOINT_RESTORE: then only calls that name the thread itself by its number would
 * miss it, which are not allowed in the sandbox).
 */
pid_t mr_child_fork(void)
{
    int *thread_number = NULL;
    struct clone_args how = {.flags = CLONE_PARENT}; /* the signal of its end is that of who forks: SIGCHLD */
    if (prctl(PR_GET_TID_ADDRESS, &thread_number) == 0 && thread_number) {
        how.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
        how.child_tid = (uintptr_t)thread_number;
    }
    return (pid_t)syscall(SYS_clone3, &how, sizeof(how));
}

bool mr_child_take_over(mr_child *child, pid_t engine, int socket_fd, int words_fd)
{
    /* A group of its own, as one has that is started by exec. */
    if (!mr_child_tie(engine) || setpgid(0, 0) != 0 || dup2(words_fd, STDERR_FILENO) < 0)
        return false;
    mr_wire_close(&child->wire);
    return dup2(socket_fd, MR_HOST_SOCKET) >= 0 && close_range(MR_HOST_SOCKET + 1, ~0u, 0) == 0 &&
           mr_wire_open(&child->wire, MR_HOST_SOCKET, true) == MR_OK;
}
