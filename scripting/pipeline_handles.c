/* SPDX-License-Identifier: MIT */
/*
 * What the calls of a pipeline give back: the pipeline itself, streams, nodes (whose fields are their streams) and expressions. They are names for
 * what will be there when the pipeline runs, and say so to whoever takes them for values.
 */
#include "scripting/pipeline_internal.h"

#include <lauxlib.h>
#include <string.h>

static const char *const type_names[] = {"mr.pipeline", "mr.stream", "mr.node", "mr.expr"};

const mr_handle *mr_handle_at(lua_State *lua, int index)
{
    /* A script makes no userdata of its own; the size tells ours from those of others' functions. */
    const size_t size = lua_type(lua, index) == LUA_TUSERDATA ? lua_rawlen(lua, index) : 0;
    return size == sizeof(mr_handle) ? lua_touserdata(lua, index) : NULL;
}

const char *mr_handle_text(lua_State *lua, int index)
{
    lua_getiuservalue(lua, index, 1);
    return lua_tostring(lua, -1);
}

void mr_handle_push(lua_State *lua, mr_handle_kind kind, const char *text)
{
    lua_pushstring(lua, text);
    mr_handle *handle = lua_newuserdatauv(lua, sizeof(*handle), 1);
    handle->kind = kind;
    lua_insert(lua, -2);
    lua_setiuservalue(lua, -2, 1);
    luaL_setmetatable(lua, type_names[kind]);
}

/* NODE.PORT */
static int node_port(lua_State *lua)
{
    const char *port = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : NULL;
    const char *node = mr_handle_text(lua, 1);
    if (!port)
        return luaL_error(lua, "an output of node '%s' is named by a text, not by a %s", node, luaL_typename(lua, 2));
    mr_handle_push(lua, MR_HANDLE_STREAM, lua_pushfstring(lua, "%s.%s", node, port));
    return 1;
}

static int plain_text(lua_State *lua)
{
    mr_handle_text(lua, 1);
    return 1;
}

static int no_stream_field(lua_State *lua)
{
    return luaL_error(lua, "stream '%s' has no fields yet: what is in it is known when the pipeline runs, to an expression of the node that takes it",
                      mr_handle_text(lua, 1));
}

static int no_expr_field(lua_State *lua)
{
    return luaL_error(lua,
                      "%s has no value yet: it gets one when the pipeline runs. Write all of it as an expression: millrace.expr \"params.NAME …\"",
                      mr_handle_text(lua, 1));
}

static int no_operator(lua_State *lua)
{
    const mr_handle *handle = mr_handle_at(lua, 1);
    mr_handle_text(lua, handle ? 1 : 2);
    return luaL_error(lua, "%s has no value yet: it gets one when the pipeline runs. Write the calculation as an expression: millrace.expr \"…\"",
                      lua_tostring(lua, -1));
}

/* "eq=contrast=" .. contrast is "eq=contrast=${params.contrast}". */
static int join(lua_State *lua)
{
    for (int i = 1; i <= 2; i++) {
        const mr_handle *handle = mr_handle_at(lua, i);
        if (handle && handle->kind == MR_HANDLE_EXPR)
            mr_handle_text(lua, i);
        else if (!handle && (lua_type(lua, i) == LUA_TSTRING || lua_type(lua, i) == LUA_TNUMBER))
            luaL_tolstring(lua, i, NULL);
        else
            return luaL_error(lua, "'..' joins texts, numbers, params and expressions, and no %s",
                              handle ? type_names[handle->kind] + 3 : luaL_typename(lua, i));
    }
    lua_concat(lua, 2);
    return 1;
}

static void open_type(lua_State *lua, mr_handle_kind kind, const luaL_Reg *functions)
{
    luaL_newmetatable(lua, type_names[kind]);
    luaL_setfuncs(lua, functions, 0);
    lua_pushstring(lua, type_names[kind] + 3);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

void mr_handles_open(lua_State *lua)
{
    static const luaL_Reg node[] = {{"__index", node_port}, {"__tostring", plain_text}, {NULL, NULL}};
    static const luaL_Reg stream[] = {{"__index", no_stream_field}, {"__tostring", plain_text}, {NULL, NULL}};
    static const luaL_Reg expr[] = {{"__index", no_expr_field}, {"__tostring", plain_text}, {"__concat", join},      {"__add", no_operator},
                                    {"__sub", no_operator},     {"__mul", no_operator},     {"__div", no_operator},  {"__idiv", no_operator},
                                    {"__mod", no_operator},     {"__pow", no_operator},     {"__unm", no_operator},  {"__lt", no_operator},
                                    {"__le", no_operator},      {"__len", no_operator},     {"__call", no_operator}, {NULL, NULL}};
    open_type(lua, MR_HANDLE_NODE, node);
    open_type(lua, MR_HANDLE_STREAM, stream);
    open_type(lua, MR_HANDLE_EXPR, expr);
}
