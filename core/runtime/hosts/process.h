/* SPDX-License-Identifier: MIT */
/*
 * One task host as a process: starting it, hearing that it is ready, how it ended. The pool (pool.h) shares hosts among workers; a script host
 * (script_host.h) is one by itself.
 *
 * Loading plugins, and what they are linked with, costs more than all else of a start: so one process loads them and forks hosts (docs/adr/0031).
 *
 * The kernel ends a host when the thread that started it, or its fork server, ends (PR_SET_PDEATHSIG), so that thread has to live as long as the host
 * is wanted.
 */
#ifndef MR_RUNTIME_HOSTS_PROCESS_H
#define MR_RUNTIME_HOSTS_PROCESS_H

#include "base/diag.h"
#include "runtime/hosts/protocol.h"
#include "runtime/hosts/wire.h"
#include "runtime/plugins.h"
#include "runtime/settings.h"

#include <sys/types.h>

#define MR_HOST_WORDS 2048 /* bytes kept of what a host last wrote to stderr */

typedef struct mr_task_host {
    pid_t pid;
    mr_wire wire;
    mr_packer packer;
    mr_control *control; /* shared with it */
    int control_fd;      /* the same as it will get it, until hello; else -1 */
    char *scratch;       /* its folder */
    int words_fd;        /* what it writes to stderr */
    char words[MR_HOST_WORDS];
    size_t words_len;
    bool ready;                /* it has said so */
    bool stuck;                /* it ended since a filter in Lua was in one call for too long; why is reported */
    bool struck;               /* somebody else, or the kernel for want of memory, has killed it */
    const mr_bundle **scripts; /* that it knows; borrowed */
    size_t script_count;
    uint32_t tasks;
    struct mr_task_host *next; /* the pool's */
} mr_task_host;

/* The program that hosts run: beside the command. Caller frees. NULL: it is not where it belongs (and diags say so), or memory is short. */
char *mr_host_program(mr_diags *diags);
/* Starts the process. bare: it will not load plugins, so it need not prepare for it. NULL: *ret_error, an errno, says why. */
mr_task_host *mr_host_begin(const char *program, bool bare, int *ret_error);
/* Tells it what to load. It is less urgent than who asks (host.nice). 0, or an errno. It may fork hosts like itself then, or be told hello and be
 * one. */
int mr_host_load(mr_task_host *host, const mr_settings *settings, const mr_plugins *plugins);
/*
 * A process beside the server that is a host as it would be: a child of this process, too. NULL: *ret_error, an errno, says why. EPIPE: the server is
 * of no use any more; ENOSYS: the kernel can't do this.
 */
mr_task_host *mr_host_fork(mr_task_host *server, int *ret_error);
/* Tells it its limits, once. host->scratch is its folder; NULL: none. 0, or an errno. */
int mr_host_hello(mr_task_host *host, const mr_settings *settings);
/* It has loaded its plugins and locked itself down, or it is of no use: waits until it says so. */
bool mr_host_hear_ready(mr_task_host *host, const mr_settings *settings, mr_diags *diags);
/* The script, where the host does not know it yet. */
mr_status mr_host_tell_script(mr_task_host *host, const mr_settings *settings, const mr_ops_script *script);
bool mr_host_is_alive(const mr_task_host *host); /* of one that is idle */
void mr_host_free(mr_task_host *host);           /* kills it; NULL is fine */

/* Kills it and says how it had ended: "was killed by SIGSEGV (Segmentation fault)". To be called once, before it is given back. */
void mr_host_autopsy(mr_task_host *host, const mr_settings *settings, char *ret_text, size_t size);
/* The last lines that it wrote, in one; "" when there are none. */
void mr_host_last_words(mr_task_host *host, char *ret_text, size_t size);
void mr_host_listen(mr_task_host *host); /* takes what it wrote to stderr, so that it is not held up */

#endif
