/* SPDX-License-Identifier: MIT */
/*
 * Runs a script to see which ops and frame filters it offers. Here is checked what only Lua knows: that fields are spelled right, and that what is to
 * be a function is one; all else is checked where the tables are built, by whoever does not trust this process.
 */
#include "scripting/ops_internal.h"

#include "scripting/filters.h"

#include <lauxlib.h>
#include <string.h>

#define DESCRIPTION_MAX (4u << 20) /* bytes */

const char *const mr_ops_fields[] = {"name", "help", "version", "inputs", "outputs", "params", "cpu", "memory", "run", NULL};
const char *const mr_ops_filter_fields[] = {"name", "help", "version", "params", "settings", "chain", "steer", NULL};
const char *const mr_ops_port_fields[] = {"name", "type", "help", "many", "optional", "streaming", NULL};
const char *const mr_ops_param_fields[] = {"name",   "type",  "default", "min",    "max",  "choices", "required",
                                           "secret", "items", "fields",  "silent", "help", NULL};

/* The entries of the table at the top are tables with these fields; of params, their 'fields' too. */
static void check_entries(lua_State *lua, const char *what, const char *kind, const char *const *names, int depth)
{
    luaL_checkstack(lua, 8, "nested too deeply");
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        const int value = lua_gettop(lua);
        lua_pushvalue(lua, value - 1); /* its key, or in a list its name */
        if (lua_type(lua, -1) != LUA_TSTRING && lua_istable(lua, value))
            lua_getfield(lua, value, "name");
        const char *whole = lua_pushfstring(lua, "%s '%s' of %s", kind, lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "", what);
        if (!lua_istable(lua, value))
            luaL_error(lua, "%s takes a table, as in {type = ..., help = ...}, not a %s", whole, luaL_typename(lua, value));
        mr_script_check_fields(lua, value, whole, names);
        if (names == mr_ops_param_fields && depth < 8 && lua_getfield(lua, value, "fields") == LUA_TTABLE)
            check_entries(lua, whole, "field", names, depth + 1);
        lua_settop(lua, value - 1);
    }
}

static void check_part(lua_State *lua, const char *what, const char *field, const char *kind, const char *const *names)
{
    if (lua_getfield(lua, 1, field) == LUA_TTABLE)
        check_entries(lua, what, kind, names, 0);
    else if (!lua_isnil(lua, -1))
        luaL_error(lua, "'%s' of %s takes a table, not a %s", field, what, luaL_typename(lua, -1));
    lua_pop(lua, 1);
}

/* The table at 1, checked as far as Lua has to. */
static void check_op(lua_State *lua)
{
    luaL_argcheck(lua, lua_istable(lua, 1), 1, "millrace.op takes one table: millrace.op{name = ..., run = function(task) ... end}");
    lua_settop(lua, 1);
    if (lua_getfield(lua, 1, "name") != LUA_TSTRING)
        luaL_error(lua, "an op needs a name, as in name = \"captions.shift\"");
    const char *what = lua_pushfstring(lua, "op '%s'", lua_tostring(lua, -1));
    mr_script_check_fields(lua, 1, what, mr_ops_fields);
    check_part(lua, what, "inputs", "input", mr_ops_port_fields);
    check_part(lua, what, "outputs", "output", mr_ops_port_fields);
    check_part(lua, what, "params", "param", mr_ops_param_fields);
    if (lua_getfield(lua, 1, "run") != LUA_TFUNCTION)
        luaL_error(lua, "%s needs a run function: run = function(task) ... end", what);
    lua_settop(lua, 1);
}

static void check_filter(lua_State *lua)
{
    luaL_argcheck(lua, lua_istable(lua, 1), 1, "millrace.filter takes one table: millrace.filter{name = ..., steer = function(frame) ... end}");
    lua_settop(lua, 1);
    if (lua_getfield(lua, 1, "name") != LUA_TSTRING)
        luaL_error(lua, "a filter needs a name, as in name = \"titles.clock\"");
    const char *what = lua_pushfstring(lua, "filter '%s'", lua_tostring(lua, -1));
    mr_script_check_fields(lua, 1, what, mr_ops_filter_fields);
    check_part(lua, what, "params", "param", mr_ops_param_fields);
    mr_script_check_filter(lua, 1);
    lua_settop(lua, 1);
}

/* The table at 1, without its functions, becomes the next entry of the kept list. */
static int keep(lua_State *lua, mr_span here, const char *list, const char *const *fields)
{
    lua_newtable(lua);
    for (size_t i = 0; fields[i]; i++) {
        if (lua_getfield(lua, 1, fields[i]) != LUA_TFUNCTION)
            lua_setfield(lua, -2, fields[i]);
        else
            lua_pop(lua, 1);
    }
    lua_pushstring(lua, here.file);
    lua_setfield(lua, -2, "file");
    lua_pushinteger(lua, here.line);
    lua_setfield(lua, -2, "line");
    lua_getfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    lua_getfield(lua, -1, list);
    const lua_Integer count = luaL_len(lua, -1);
    if (count >= MR_OPS_MAX)
        return luaL_error(lua, "a script offers at most %d %s", (int)MR_OPS_MAX, list);
    lua_pushvalue(lua, -3);
    lua_rawseti(lua, -2, count + 1);
    return 0;
}

int mr_ops_lua_describe(lua_State *lua)
{
    const mr_span here = mr_script_here(lua, 1);
    check_op(lua);
    return keep(lua, here, "ops", mr_ops_fields);
}

static int describe_filter(lua_State *lua)
{
    const mr_span here = mr_script_here(lua, 1);
    check_filter(lua);
    return keep(lua, here, "filters", mr_ops_filter_fields);
}

int mr_ops_lua_define(lua_State *lua)
{
    lua_settop(lua, 1);
    if (!lua_istable(lua, 1) || lua_getfield(lua, 1, "name") != LUA_TSTRING || lua_getfield(lua, 1, "run") != LUA_TFUNCTION)
        return luaL_error(lua, "an op needs a name and a run function"); /* it had both when it was described */
    lua_getfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    lua_insert(lua, 2);
    lua_rawset(lua, 2);
    return 0;
}

static int make_lists(lua_State *lua)
{
    lua_newtable(lua);
    lua_newtable(lua);
    lua_setfield(lua, -2, "ops");
    lua_newtable(lua);
    lua_setfield(lua, -2, "filters");
    lua_setfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    return 0;
}

/* Leaves what it offers. */
static int push_lists(lua_State *lua)
{
    lua_getfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    return 1;
}

mr_status mr_ops_describe(const mr_bundle *bundle, const mr_script_limits *limits, mr_diags *diags, json_t **ret_description)
{
    const char *why = NULL;
    const mr_script_options options = {.bundle = bundle, .memory = limits->memory, .time_us = limits->time_us};
    mr_script *script = mr_script_new(&options);
    *ret_description = NULL;
    if (!script || !mr_script_define(script, "op", mr_ops_lua_describe) || !mr_script_define(script, "filter", describe_filter)) {
        mr_script_free(script);
        return MR_ERR_NOMEM;
    }
    lua_State *lua = mr_script_lua(script);
    lua_pushcfunction(lua, make_lists);
    mr_status status = mr_script_call(script, 0, 0, diags);
    if (status == MR_OK)
        status = mr_script_run(script, 0, diags);
    lua_pushcfunction(lua, push_lists);
    if (status == MR_OK)
        status = mr_script_call(script, 0, 1, diags);
    if (status == MR_OK && !(*ret_description = mr_script_read_json(lua, -1, DESCRIPTION_MAX, &why))) {
        mr_error(diags, "script", (mr_span){.file = bundle->path, .line = 1, .col = 1, .len = 1}, "what the script offers can't be used: %s", why);
        status = MR_ERR_PARAM;
    }
    mr_script_free(script);
    return status;
}
