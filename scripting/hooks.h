/* SPDX-License-Identifier: MIT */
/*
 * Hooks in Lua: functions that are told what happens, and may have a say. A script gives them all at once:
 *
 *     millrace.hooks{
 *       on_run_start = function(run) if run.params.preset == "placebo" then return {veto = "too slow"} end end,
 *     }
 *
 * One table names them; a hook more is a row more. The script keeps its state from call to call.
 */
#ifndef MR_SCRIPTING_HOOKS_H
#define MR_SCRIPTING_HOOKS_H

#include "scripting/ops.h"

enum {                               /* what a hook's answer may hold */
       MR_HOOK_MAY_VETO = 1u << 0,   /* veto: why */
       MR_HOOK_MAY_CHANGE = 1u << 1, /* params: {name = value}, instead of what was given */
       MR_HOOK_MAY_NOTIFY = 1u << 2, /* notify: {url = …} or a list of them: notify.webhook at the run's end, with the trigger 'on' */
       MR_HOOK_MAY_CHOOSE = 1u << 4, /* pipeline: the name of one */
       MR_HOOK_ANSWERS = 1u << 3,    /* whoever calls it waits for the answer; the others are told, and go on */
};

typedef struct mr_hook {
    const char *name;
    uint32_t flags;
    const char *help; /* what it is told, and when */
} mr_hook;

extern const mr_hook mr_hooks_table[];         /* ends with {0} */
const mr_hook *mr_hook_find(const char *name); /* NULL: there is none */

#define MR_HOOK_VALUE_MAX (1u << 20) /* bytes of what a hook is told, and of what it answers */

/* In the process that runs them. */
typedef struct mr_hooks_state mr_hooks_state;
/* Runs the script; {hooks: [names]}. */
mr_status mr_hooks_state_open(const mr_bundle *bundle, const mr_script_limits *limits, mr_diags *diags, json_t **ret_description,
                              mr_hooks_state **ret_state);
/* Calls one of them; JSON null: it has nothing to say, or there is no such hook. New reference. */
mr_status mr_hooks_state_call(mr_hooks_state *state, const char *name, const json_t *argument, mr_diags *diags, json_t **ret_answer);
void mr_hooks_state_free(mr_hooks_state *state); /* NULL is fine */

#endif
