/* SPDX-License-Identifier: MIT */
/* A run under the eyes of hooks: what they are told of it, and what they may change before it starts. */
#ifndef MR_CLI_HOOKED_H
#define MR_CLI_HOOKED_H

#include "cli/job.h"
#include "runtime/hooks.h"

typedef struct mr_hooked mr_hooked;

/* The file of hooks that the settings name; a relative path in their file is taken from its folder. In arena. */
const char *mr_hooks_path(const mr_loaded_settings *settings, mr_arena *arena);

/*
 * Opens the hooks that the job's settings name, and asks on_run_start; the job is changed as that says (a resumed run keeps its params). *ret_hooked
 * is NULL where there are no hooks. An exit code; what is wrong was said.
 */
int mr_hooked_begin(mr_job *job, bool resumed, mr_session *session, mr_hooked **ret_hooked);
/* All accept NULL. */
void mr_hooked_run(mr_hooked *hooked, mr_run *run);             /* it has started: vetoes are for this one */
void mr_hooked_event(mr_hooked *hooked, const mr_event *event); /* as a reader of the run's events */
/* It has ended (mr_run_wait() has returned): asks on_run_done. What hooks did wrong goes to the session's diags. False: fatal. */
bool mr_hooked_end(mr_hooked *hooked, const mr_run *run, mr_session *session);
void mr_hooked_free(mr_hooked *hooked);

#endif
