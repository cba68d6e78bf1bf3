/* SPDX-License-Identifier: MIT */
/*
 * Hooks at work: a file in Lua (scripting/hooks.h) in a script host of its own, which is warm from the start and keeps its state. A thread asks it,
 * one question after the other. Who needs an answer waits for it (mr_hooks_ask); who only tells what happened goes on at once (mr_hooks_tell), and
 * what the hook says to that comes back by a callback.
 *
 * A hook that fails, or takes longer than its time, is a warning or an error by hooks.on_error; its process is killed and begins anew.
 */
#ifndef MR_RUNTIME_HOOKS_H
#define MR_RUNTIME_HOOKS_H

#include "base/diag.h"
#include "runtime/settings.h"
#include "scripting/hooks.h"

typedef struct mr_hooks mr_hooks;

typedef struct mr_hook_answer {
    char *veto;     /* why; NULL: it may go on */
    char *pipeline; /* NULL: it chooses none */
    json_t *params; /* {name: value}; NULL: none */
    json_t *notify; /* [{url, on, …}]; NULL: none */
} mr_hook_answer;
void mr_hook_answer_clear(mr_hook_answer *answer);

/* On the hooks' thread. why: what the run is to fail with, a veto or, where errors are fatal, an error. */
typedef void (*mr_hooks_verdict)(void *context, const char *code, const char *why);

/* Starts the process, and has it read the file. What is wrong with it is in diags. settings are copied. */
mr_status mr_hooks_open(const char *file, const mr_settings *settings, mr_diags *diags, mr_hooks **ret_hooks);
void mr_hooks_close(mr_hooks *hooks);                       /* what was told and not heard yet is dropped; NULL is fine */
bool mr_hooks_has(const mr_hooks *hooks, const char *name); /* the file has that hook; NULL has none */

/* For what tell() brings about. Before the first tell(). */
void mr_hooks_listen(mr_hooks *hooks, mr_hooks_verdict verdict, void *context);
/*
 * Asks and waits, in turn with what was told before. An answer that says what this hook may not say is an error. MR_OK also for a veto, and for an
 * error that is to be ignored: then the answer is empty.
 */
mr_status mr_hooks_ask(mr_hooks *hooks, const char *name, const json_t *argument, mr_diags *diags, mr_hook_answer *ret_answer);
/* From any thread; waits only while MR_HOOKS_QUEUE are under way. */
void mr_hooks_tell(mr_hooks *hooks, const char *name, json_t *take_argument);
/* Waits until all that was told was heard; what was wrong since the last time goes to diags. */
void mr_hooks_drain(mr_hooks *hooks, mr_diags *diags);

#define MR_HOOKS_QUEUE 1024u

#endif
