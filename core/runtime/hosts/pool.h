/* SPDX-License-Identifier: MIT */
/*
 * Task hosts: child processes in which ops run, locked down (sandbox.h), warm before they are needed, reused, and replaced after a
 * number of tasks or when they have grown. A host serves one batch at a time; who has taken it is alone with it.
 */
#ifndef MR_RUNTIME_HOSTS_POOL_H
#define MR_RUNTIME_HOSTS_POOL_H

#include "runtime/hosts/process.h"
#include "runtime/state/objects.h"

typedef struct mr_hosts mr_hosts;

typedef struct mr_hosts_options {
    const mr_plugins *plugins;   /* what hosts load; borrowed */
    const mr_settings *settings; /* borrowed */
    mr_objects *objects;         /* for scratch folders; borrowed */
    uint32_t warm;               /* hosts that are kept ready once one was needed */
} mr_hosts_options;

/*
 * For a command that will run tasks, as its first act: starts the process that loads the installed plugins for hosts while the command does so,
 * too. The pool that is opened next takes it; without one it ends with the command. To be called on the main thread: it must not outlive its starter.
 */
void mr_hosts_start_early(void);

/* Starts no process yet. MR_ERR_NOT_FOUND: the host program is not where it belongs. */
mr_status mr_hosts_open(const mr_hosts_options *options, mr_diags *diags, mr_hosts **ret_hosts);
void mr_hosts_close(mr_hosts *hosts); /* when all are given back; NULL is fine */
void mr_hosts_warm(mr_hosts *hosts);  /* tasks are about to come: start some. Returns at once */

/* A host that is ready; waits for one to start when none is. NULL: none can be started, and diags say why. */
mr_task_host *mr_hosts_take(mr_hosts *hosts, mr_diags *diags);
/* whole: it may serve again; else it is killed. tasks: how many it has done since it was taken. */
void mr_hosts_give(mr_hosts *hosts, mr_task_host *host, bool whole, uint32_t tasks);

#endif
