/* SPDX-License-Identifier: MIT */
/* The table of hooks, and running them in a state. What an answer may hold is checked by who asked (runtime/hooks.c), who believes nothing. */
#include "scripting/hooks.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define KEPT "mr.hooks" /* in the registry: {name = function} */

const mr_hook mr_hooks_table[] = {
    {"on_run_start", MR_HOOK_MAY_VETO | MR_HOOK_MAY_CHANGE | MR_HOOK_MAY_NOTIFY | MR_HOOK_ANSWERS,
     "before a run starts: {pipeline, file, params, inputs, output, resumed}"},
    {"on_node_done", MR_HOOK_MAY_VETO, "a node has ended: {run, node, state, tasks}"},
    {"on_task_failed", MR_HOOK_MAY_VETO, "a task has failed for good: {run, node, item, reason, hint, attempt}"},
    {"on_run_done", MR_HOOK_ANSWERS, "a run has ended: {run, pipeline, state, reason, seconds, outputs}"},
    /* Of a server. */
    {"authorize_upload", MR_HOOK_MAY_VETO | MR_HOOK_ANSWERS, "somebody wants to upload: {user, role, filename, title, size, type}"},
    {"on_upload", MR_HOOK_MAY_VETO | MR_HOOK_ANSWERS, "an upload is complete, and is to be processed: {video, owner, attempt}"},
    {"choose_pipeline", MR_HOOK_MAY_CHOOSE | MR_HOOK_MAY_CHANGE | MR_HOOK_ANSWERS,
     "after on_upload: {video, owner, attempt, pipeline, params}, as it would be processed"},
    {"authorize_playback", MR_HOOK_MAY_VETO | MR_HOOK_ANSWERS,
     "somebody wants to watch, and may as far as visibility goes: {video, user, role, address}"},
    {"on_ready", 0, "a video is ready: {video, run}"},
    {NULL, 0, NULL},
};

const mr_hook *mr_hook_find(const char *name)
{
    for (const mr_hook *hook = mr_hooks_table; hook->name; hook++)
        if (strcmp(hook->name, name) == 0)
            return hook;
    return NULL;
}

struct mr_hooks_state {
    mr_script *script;
};

/* millrace.hooks{…}; once or more, each hook once. */
static int take_hooks(lua_State *lua)
{
    const char *names[64];
    size_t count = 0;
    luaL_argcheck(lua, lua_istable(lua, 1), 1, "millrace.hooks takes one table: millrace.hooks{on_run_start = function(run) ... end}");
    lua_settop(lua, 1);
    while (mr_hooks_table[count].name && count < 63) {
        names[count] = mr_hooks_table[count].name;
        count++;
    }
    names[count] = NULL;
    mr_script_check_fields(lua, 1, "millrace.hooks", names);
    lua_getfield(lua, LUA_REGISTRYINDEX, KEPT);
    for (size_t i = 0; i < count; i++) {
        const int type = lua_getfield(lua, 1, names[i]);
        if (type != LUA_TNIL && type != LUA_TFUNCTION)
            return luaL_error(lua, "'%s' takes a function, not a %s", names[i], lua_typename(lua, type));
        if (type == LUA_TFUNCTION && lua_getfield(lua, 2, names[i]) != LUA_TNIL)
            return luaL_error(lua, "'%s' is given twice", names[i]);
        lua_settop(lua, 3);
        if (type == LUA_TFUNCTION)
            lua_setfield(lua, 2, names[i]);
        lua_settop(lua, 2);
    }
    return 0;
}

static int make_table(lua_State *lua)
{
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, KEPT);
    return 0;
}

static json_t *describe(mr_script *script)
{
    json_t *names = json_array();
    lua_State *lua = mr_script_lua(script);
    lua_getfield(lua, LUA_REGISTRYINDEX, KEPT); /* raises nothing: both are there */
    for (const mr_hook *hook = mr_hooks_table; hook->name; hook++) {
        lua_pushstring(lua, hook->name);
        if (lua_rawget(lua, -2) == LUA_TFUNCTION)
            json_array_append_new(names, json_string(hook->name));
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return json_pack("{s:o}", "hooks", names);
}

mr_status mr_hooks_state_open(const mr_bundle *bundle, const mr_script_limits *limits, mr_diags *diags, json_t **ret_description,
                              mr_hooks_state **ret_state)
{
    const mr_script_options options = {.bundle = bundle, .memory = limits->memory, .time_us = limits->time_us};
    mr_hooks_state *state = calloc(1, sizeof(*state));
    *ret_state = NULL;
    *ret_description = NULL;
    if (!state || !(state->script = mr_script_new(&options)) || !mr_script_define(state->script, "hooks", take_hooks)) {
        mr_hooks_state_free(state);
        return MR_ERR_NOMEM;
    }
    lua_pushcfunction(mr_script_lua(state->script), make_table);
    mr_status status = mr_script_call(state->script, 0, 0, diags);
    if (status == MR_OK)
        status = mr_script_run(state->script, 0, diags);
    if (status == MR_OK && !(*ret_description = describe(state->script)))
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        *ret_state = state;
    else
        mr_hooks_state_free(state);
    return status;
}

void mr_hooks_state_free(mr_hooks_state *state)
{
    if (!state)
        return;
    mr_script_free(state->script);
    free(state);
}

typedef struct call {
    const char *name;
    json_t *argument;
} call;

/* Leaves what the hook returns; nil where there is none. */
static int call_hook(lua_State *lua)
{
    const call *what = lua_touserdata(lua, 1);
    lua_getfield(lua, LUA_REGISTRYINDEX, KEPT);
    if (lua_getfield(lua, -1, what->name) != LUA_TFUNCTION)
        return 0;
    mr_script_take_json(lua, json_incref(what->argument));
    lua_call(lua, 1, 1);
    return 1;
}

mr_status mr_hooks_state_call(mr_hooks_state *state, const char *name, const json_t *argument, mr_diags *diags, json_t **ret_answer)
{
    const char *why = NULL;
    lua_State *lua = mr_script_lua(state->script);
    call what = {.name = name, .argument = (json_t *)argument};
    *ret_answer = NULL;
    lua_pushcfunction(lua, call_hook);
    lua_pushlightuserdata(lua, &what);
    mr_status status = mr_script_call(state->script, 1, 1, diags);
    if (status != MR_OK)
        return status;
    *ret_answer = mr_script_read_json(lua, -1, MR_HOOK_VALUE_MAX, &why);
    lua_settop(lua, 0);
    if (*ret_answer)
        return MR_OK;
    mr_error(diags, "script", (mr_span){0}, "what '%s' returned can't be used: %s", name, why);
    return MR_ERR_PARAM;
}
