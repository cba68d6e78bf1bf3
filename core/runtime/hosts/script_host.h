/* SPDX-License-Identifier: MIT */
/*
 * A script host: a process that evaluates scripts, locked down like those of ops, but without plugins. What needs a script's answer asks it here:
 * what ops a script offers, what a hook says. It can be killed whatever it does, and nothing that it says is believed.
 *
 * One thread at a time; that thread, or one that lives longer, starts it.
 */
#ifndef MR_RUNTIME_HOSTS_SCRIPT_HOST_H
#define MR_RUNTIME_HOSTS_SCRIPT_HOST_H

#include "runtime/hosts/protocol.h"
#include "runtime/settings.h"
#include "scripting/ops.h"

#define MR_SCRIPT_HOST_START_US (10ll * 1000000) /* for a script to say what it offers */

typedef struct mr_script_host mr_script_host;

/* Starts one and waits until it is ready. */
mr_status mr_script_host_start(const mr_settings *settings, mr_diags *diags, mr_script_host **ret_host);
void mr_script_host_end(mr_script_host *host); /* NULL is fine */
/* False: it was lost (and killed); every further question fails. */
bool mr_script_host_is_whole(const mr_script_host *host);

/*
 * Runs the script for what it describes. What is wrong with it is in diags, at its place. timeout_us: after so long the host is killed. MR_ERR_LIMIT:
 * over a limit, this one among them. New reference.
 */
mr_status mr_script_host_evaluate(mr_script_host *host, mr_script_kind kind, const mr_bundle *bundle, const mr_script_limits *limits,
                                  int64_t timeout_us, mr_diags *diags, json_t **ret_result);
/* Calls a function of the script that was evaluated last. New reference; JSON null when it returns nothing. */
mr_status mr_script_host_call(mr_script_host *host, const char *function, const json_t *argument, int64_t timeout_us, mr_diags *diags,
                              json_t **ret_result);

#endif
