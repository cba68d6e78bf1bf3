/* SPDX-License-Identifier: MIT */
/*
 * Artifacts in Lua: what an op in Lua reads. An artifact is the engine's for as long as the task runs; here is a pointer to it, with its metadata
 * turned into a table when it is first asked for. Content is read in pieces, so that a script's memory decides how much of it there is at a time.
 */
#include "scripting/ops_internal.h"

#include <lauxlib.h>
#include <string.h>

#define ARTIFACT   "mr.artifact"
#define BLOCK      (64u << 10) /* bytes that lines() reads at a time */
#define LINE_MAX_B (1u << 20)  /* bytes of a line */

static mr_ops_task *task_of(lua_State *lua)
{
    return mr_script_context(mr_script_of(lua));
}

static const mr_artifact *check(lua_State *lua)
{
    const mr_artifact *const *place = luaL_testudata(lua, 1, ARTIFACT);
    if (place)
        return *place;
    luaL_error(lua, "an artifact's functions are called with a colon, as in input:read(0, 100)"); /* does not return */
    return NULL;
}

const mr_artifact *mr_ops_to_artifact(lua_State *lua, int index)
{
    const mr_artifact *const *place = luaL_testudata(lua, index, ARTIFACT);
    return place ? *place : NULL;
}

void mr_ops_push_artifact(lua_State *lua, const mr_artifact *artifact)
{
    if (!artifact) {
        lua_pushnil(lua);
        return;
    }
    const mr_artifact **place = lua_newuserdatauv(lua, sizeof(*place), 1);
    *place = artifact;
    luaL_setmetatable(lua, ARTIFACT);
}

/* ---- content ---- */

/* Pushes what there is of these bytes: fewer at the end. */
static void push_bytes(lua_State *lua, const mr_artifact *artifact, uint64_t offset, size_t len)
{
    const mr_ops_task *it = task_of(lua);
    size_t got = 0;
    luaL_Buffer buffer;
    char *data = luaL_buffinitsize(lua, &buffer, len);
    mr_status status = it->host->read_at(it->task, artifact, offset, data, len, &got);
    luaL_pushresultsize(&buffer, status == MR_OK ? got : 0);
    if (status != MR_OK) {
        lua_pushstring(lua, "its content can't be read");
        mr_script_raise(lua, status);
    }
}

static int artifact_read(lua_State *lua)
{
    const mr_artifact *artifact = check(lua);
    const lua_Integer offset = luaL_checkinteger(lua, 2);
    const lua_Integer len = luaL_checkinteger(lua, 3);
    luaL_argcheck(lua, offset >= 0, 2, "an offset is not negative");
    luaL_argcheck(lua, len >= 0 && len <= (lua_Integer)MR_OPS_READ_MAX, 3, "at most 1048576 bytes are read at a time");
    if (len == 0 || !artifact->has_content || (uint64_t)offset >= artifact->size) {
        lua_pushliteral(lua, "");
        return 1;
    }
    const uint64_t left = artifact->size - (uint64_t)offset;
    push_bytes(lua, artifact, (uint64_t)offset, left < (uint64_t)len ? (size_t)left : (size_t)len);
    return 1;
}

static int artifact_text(lua_State *lua)
{
    const mr_artifact *artifact = check(lua);
    luaL_Buffer buffer;
    if (artifact->has_content && artifact->size > MR_OPS_TEXT_MAX)
        return luaL_error(lua, "its content is longer than 16 MiB: read it in pieces with read(offset, count), or by lines()");
    lua_settop(lua, 1);
    luaL_buffinit(lua, &buffer);
    for (uint64_t offset = 0; artifact->has_content && offset < artifact->size;) {
        const uint64_t left = artifact->size - offset;
        push_bytes(lua, artifact, offset, left < MR_OPS_READ_MAX ? (size_t)left : MR_OPS_READ_MAX);
        const size_t got = lua_rawlen(lua, -1);
        luaL_addvalue(&buffer);
        if (got == 0)
            break;
        offset += got;
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* Upvalues: the artifact, the offset of what is not read yet, and what is read but not given out. */
static int next_line(lua_State *lua)
{
    const mr_artifact *artifact = mr_ops_to_artifact(lua, lua_upvalueindex(1));
    uint64_t offset = (uint64_t)lua_tointeger(lua, lua_upvalueindex(2));
    for (;;) {
        size_t len = 0;
        const char *text = lua_tolstring(lua, lua_upvalueindex(3), &len);
        const char *end = memchr(text, '\n', len);
        const bool all = !artifact->has_content || offset >= artifact->size;
        if (end || (all && len > 0)) {
            const size_t line = end ? (size_t)(end - text) : len;
            lua_pushlstring(lua, text, line > 0 && text[line - 1] == '\r' ? line - 1 : line);
            lua_pushlstring(lua, end ? end + 1 : "", end ? len - line - 1 : 0);
            lua_replace(lua, lua_upvalueindex(3));
            return 1;
        }
        if (all)
            return 0;
        if (len > LINE_MAX_B)
            return luaL_error(lua, "a line is longer than 1 MiB");
        const uint64_t left = artifact->size - offset;
        lua_pushvalue(lua, lua_upvalueindex(3));
        push_bytes(lua, artifact, offset, left < BLOCK ? (size_t)left : BLOCK);
        offset = lua_rawlen(lua, -1) > 0 ? offset + lua_rawlen(lua, -1) : artifact->size;
        lua_concat(lua, 2);
        lua_replace(lua, lua_upvalueindex(3));
        lua_pushinteger(lua, (lua_Integer)offset);
        lua_replace(lua, lua_upvalueindex(2));
    }
}

static int artifact_lines(lua_State *lua)
{
    check(lua);
    lua_settop(lua, 1);
    lua_pushinteger(lua, 0);
    lua_pushliteral(lua, "");
    lua_pushcclosure(lua, next_line, 3);
    return 1;
}

/* ---- fields ---- */

static int push_meta(lua_State *lua, const mr_artifact *artifact)
{
    if (lua_getiuservalue(lua, 1, 1) == LUA_TTABLE)
        return 1;
    json_t *meta = mr_json_read(artifact->meta, artifact->meta_len, MR_OPS_META_MAX, NULL);
    if (!meta)
        return luaL_error(lua, "its metadata can't be read");
    mr_script_take_json(lua, meta);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, 1);
    return 1;
}

static int push_type(lua_State *lua, uint32_t type)
{
    static const char *const words[] = {"media", "chunk", "segment", "image", "text", "json", "file"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (type == 1u << i) {
            lua_pushstring(lua, words[i]);
            return 1;
        }
    }
    return 0;
}

const char *const mr_ops_artifact_fields[] = {"meta", "type", "index", "size", "digest", "name", "read", "text", "lines", NULL};

static int artifact_index(lua_State *lua)
{
    const char *const *fields = mr_ops_artifact_fields;
    const size_t count = sizeof(mr_ops_artifact_fields) / sizeof(fields[0]) - 1;
    const mr_artifact *artifact = check(lua);
    const char *field = luaL_checkstring(lua, 2);
    size_t which = 0;
    while (which < count && strcmp(fields[which], field) != 0)
        which++;
    switch (which) {
    case 0: return push_meta(lua, artifact);
    case 1: return push_type(lua, artifact->type);
    case 2: lua_pushinteger(lua, (lua_Integer)artifact->index); return 1;
    case 3: lua_pushinteger(lua, artifact->has_content ? (lua_Integer)artifact->size : 0); return 1;
    case 4: lua_pushstring(lua, artifact->digest); return 1;
    case 5: lua_pushstring(lua, artifact->name); return 1;
    case 6: lua_pushcfunction(lua, artifact_read); return 1;
    case 7: lua_pushcfunction(lua, artifact_text); return 1;
    case 8: lua_pushcfunction(lua, artifact_lines); return 1;
    default: break;
    }
    const char *near = mr_nearest(field, fields, count);
    return near ? luaL_error(lua, "an artifact has no '%s'; did you mean '%s'?", field, near) : luaL_error(lua, "an artifact has no '%s'", field);
}

void mr_ops_open_artifacts(lua_State *lua)
{
    luaL_newmetatable(lua, ARTIFACT);
    lua_pushcfunction(lua, artifact_index);
    lua_setfield(lua, -2, "__index");
    lua_pushliteral(lua, "an artifact");
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}
