/* SPDX-License-Identifier: MIT */
/*
 * A Lua 5.4 state for scripts: pipelines, ops, hooks and filters in Lua. Whole programs, unlike expressions (expr.h), so they belong in a process
 * that can be killed: a pattern that takes for ever asks no hook.
 *
 * What a script has: the language; string, table, math, utf8 and coroutine; require for the modules of its bundle; what its host puts into the table
 * 'millrace'. What it has not: os, io, debug, package, load and its kin, collectgarbage, print; string.dump; finalizers and weak tables.
 *
 * The same script, asked the same, answers the same: pairs and next go through keys in order (numbers, then texts by their bytes, then false and
 * true; other keys are an error), table.sort is stable, math.random begins with the seed of the state, there is no clock, and no text shows an
 * address.
 *
 * Limits: memory by the allocator; processor time of a call by a hook that looks every 10,000 instructions; calls within calls by Lua itself (200 in
 * C, about 200,000 in Lua). What goes over one ends the call, whatever the script catches.
 *
 * One thread at a time. Functions that push may raise a Lua error, so they are for C functions that Lua calls.
 */
#ifndef MR_SCRIPTING_STATE_H
#define MR_SCRIPTING_STATE_H

#include "base/json.h"
#include "scripting/bundle.h"

#include <lua.h>

#define MR_SCRIPT_MEMORY (64u << 20)      /* bytes that a state may hold */
#define MR_SCRIPT_TIME   (60ll * 1000000) /* microseconds of processor time of one call */
#define MR_SCRIPT_FRAMES 16u              /* of a traceback */

typedef struct mr_script mr_script;

typedef struct mr_script_options {
    const mr_bundle *bundle;     /* borrowed while the state lives */
    size_t memory;               /* 0: MR_SCRIPT_MEMORY */
    int64_t time_us;             /* 0: MR_SCRIPT_TIME */
    uint64_t seed;               /* of math.random */
    bool (*tick)(void *context); /* asked every 10,000 instructions; false: what runs ends, as MR_ERR_CANCELLED. NULL: nobody is asked */
    void *context;               /* tick's, and for C functions: mr_script_context() */
} mr_script_options;

mr_script *mr_script_new(const mr_script_options *options); /* NULL when memory is short */
void mr_script_free(mr_script *script);
lua_State *mr_script_lua(mr_script *script);
mr_script *mr_script_of(lua_State *lua); /* the state that a C function was called in, also from a coroutine */
void *mr_script_context(const mr_script *script);

/* millrace.NAME = function, before the script runs. False: memory is short. */
bool mr_script_define(mr_script *script, const char *name, lua_CFunction function);

/* Runs the script itself; what it returns is left on the stack, as many values as results says (LUA_MULTRET: all). */
mr_status mr_script_run(mr_script *script, int results, mr_diags *diags);
/*
 * Calls the function below the args at the top of the stack; the results replace both, an error leaves neither. MR_ERR_LIMIT: over a limit;
 * MR_ERR_CANCELLED; MR_ERR_NOMEM; MR_ERR_PARAM: it raised an error, which diags have with its line and, as notes, the calls that led there;
 * or the status of mr_script_raise().
 */
mr_status mr_script_call(mr_script *script, int args, int results, mr_diags *diags);

/* For C functions: ends the call with this status, whatever the script catches, and the message at the top of the stack. Never returns. */
int mr_script_raise(lua_State *lua, mr_status status);
/*
 * For C functions, where a table takes fields of these names only (NULL-terminated): another one is an error with a suggestion. what names the table:
 * "op 'captions.shift'".
 */
void mr_script_check_fields(lua_State *lua, int index, const char *what, const char *const *names);
/* The line of the script that is running in the caller of the C function; line 0: none. */
mr_span mr_script_here(lua_State *lua, int level);

/* Pushes value, and gives up the reference; null is nil. May raise. */
void mr_script_take_json(lua_State *lua, json_t *take_value);
/* The value at index as JSON, of at most max bytes. New reference; NULL: *ret_why says why not. Raises nothing. */
json_t *mr_script_read_json(lua_State *lua, int index, size_t max, const char **ret_why);

#endif
