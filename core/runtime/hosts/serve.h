/* SPDX-License-Identifier: MIT */
/* Running a batch in a task host: the engine's end. */
#ifndef MR_RUNTIME_HOSTS_SERVE_H
#define MR_RUNTIME_HOSTS_SERVE_H

#include "runtime/hosts/pool.h"
#include "runtime/internal.h"

typedef struct mr_host_outcome {
    bool lost;        /* the host ended, hung or misbehaved: tasks without an outcome are to be tried again */
    bool stuck;       /* lost, and would be again: a script that was in one call for too long. Why is reported */
    mr_status status; /* else: what run() returned */
    int64_t cpu_us;   /* since the last task was finished */
    char why[384];    /* lost: "was killed by SIGSEGV (…)", to follow "its task host" */
    char words[512];  /* lost: what it last wrote, or "" */
} mr_host_outcome;

/*
 * Runs tasks, of one batch, in a host as op->run() would here: with the same calls, which do the same (host.c), on this thread. slots:
 * their places in the batch, as tasks that are finished may be someone else's already.
 */
void mr_host_run_batch(mr_hosts *hosts, const mr_settings *settings, mr_task *const *tasks, const uint32_t *slots, uint32_t count,
                       mr_host_outcome *ret_outcome);

/*
 * The same over a host that was taken: for the pool's caller above, and for tests that play the host.
 * False: the host is lost, and why (of size bytes) says why when it was for what it said.
 */
bool mr_host_serve(mr_task_host *host, const mr_settings *settings, mr_task *const *tasks, const uint32_t *slots, uint32_t count,
                   mr_host_outcome *ret_outcome);

#endif
