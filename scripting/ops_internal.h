/* SPDX-License-Identifier: MIT */
/* What describing, building and running ops in Lua share. */
#ifndef MR_SCRIPTING_OPS_INTERNAL_H
#define MR_SCRIPTING_OPS_INTERNAL_H

#include "scripting/ops.h"

#include <lauxlib.h>

typedef struct mr_script_op {
    mr_op pub; /* first: an op of a script is this */
    const mr_ops_script *script;
    mr_script_limits limits;
    mr_span span;
} mr_script_op;

/* Lua: millrace.op{…}. In the describing state all that is offered is kept; in a task's state the run function of the one that is to run. */
#define MR_OPS_KEPT "mr.ops" /* in the registry: {ops = {…}, filters = {…}}, or {[name] = run} */
int mr_ops_lua_describe(lua_State *lua);
int mr_ops_lua_define(lua_State *lua);

/* What scripts can use, for what has to know all of it (editor annotations); each list ends with NULL. */
extern const char *const mr_ops_fields[];
extern const char *const mr_ops_filter_fields[];
extern const char *const mr_ops_port_fields[];
extern const char *const mr_ops_param_fields[];
extern const char *const mr_ops_artifact_fields[];
extern const luaL_Reg mr_ops_task_functions[];

/* ops_task.c, ops_artifact.c */
void mr_ops_push_params(lua_State *lua, const mr_param *table, const void *params); /* as a table; may raise */
mr_status mr_ops_run(const mr_host *host, const mr_batch *batch);

typedef struct mr_ops_task { /* the context of a task's state */
    const mr_host *host;
    mr_task *task;
    const mr_script_op *op;
    const void *params;
    double fraction; /* told last */
    bool told;       /* why it failed, the engine knows */
    uint32_t words;  /* messages so far */
    int64_t beat_us; /* when the engine last heard of it */
} mr_ops_task;

void mr_ops_open_artifacts(lua_State *lua);                             /* once a state, before the two below */
void mr_ops_push_artifact(lua_State *lua, const mr_artifact *artifact); /* nil for NULL */
const mr_artifact *mr_ops_to_artifact(lua_State *lua, int index);       /* NULL: it is none */

#endif
