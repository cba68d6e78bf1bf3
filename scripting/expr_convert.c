/* SPDX-License-Identifier: MIT */
/*
 * JSON to Lua and back. Tables made from JSON carry one of two empty metatables, so that an empty list stays a list and an empty
 * object an object; expressions cannot reach metatables. Reading back raises no Lua error (no API that allocates is used), so that
 * no JSON value leaks.
 */
#include "scripting/expr_internal.h"
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MARK   "mr.list"
#define OBJECT_MARK "mr.object"

/* A script may look for it (expressions can't): it is shown nothing that it could change for others. */
static void push_mark(lua_State *lua, const char *mark)
{
    if (luaL_newmetatable(lua, mark)) {
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
    }
}

void mr_lua_push_object_mark(lua_State *lua)
{
    push_mark(lua, OBJECT_MARK);
}

void mr_lua_push_json(lua_State *lua, const json_t *value)
{
    luaL_checkstack(lua, 6, "nested too deeply");
    switch (json_typeof(value)) {
    case JSON_OBJECT: {
        const char *key = NULL;
        const json_t *item = NULL;
        lua_createtable(lua, 0, (int)json_object_size(value));
        push_mark(lua, OBJECT_MARK);
        lua_setmetatable(lua, -2);
        json_object_foreach((json_t *)value, key, item)
        {
            lua_pushstring(lua, key);
            mr_lua_push_json(lua, item);
            lua_rawset(lua, -3);
        }
        break;
    }
    case JSON_ARRAY:
        lua_createtable(lua, (int)json_array_size(value), 0);
        push_mark(lua, LIST_MARK);
        lua_setmetatable(lua, -2);
        for (size_t i = 0; i < json_array_size(value); i++) {
            mr_lua_push_json(lua, json_array_get(value, i));
            lua_rawseti(lua, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING: lua_pushlstring(lua, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: lua_pushinteger(lua, json_integer_value(value)); break;
    case JSON_REAL: lua_pushnumber(lua, json_real_value(value)); break;
    case JSON_TRUE: lua_pushboolean(lua, 1); break;
    case JSON_FALSE: lua_pushboolean(lua, 0); break;
    case JSON_NULL: lua_pushnil(lua); break;
    }
}

typedef struct reader {
    size_t max_values;
    size_t max_bytes;
    size_t values;
    size_t bytes;
    size_t depth;
    const char *why;
} reader;

static json_t *fail(reader *r, const char *why)
{
    r->why = r->why ? r->why : why;
    return NULL;
}

static json_t *read_value(lua_State *lua, reader *r);

/* What the table at the top is, by its keys. */
typedef struct shape {
    size_t count;      /* of keys */
    size_t texts;      /* of those that are text */
    lua_Integer least; /* integer keys */
    lua_Integer most;
    bool other; /* keys that are neither */
} shape;

static shape table_shape(lua_State *lua)
{
    shape s = {.least = LUA_MAXINTEGER};
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        s.count++;
        if (lua_type(lua, -2) == LUA_TSTRING) {
            s.texts++;
        } else if (lua_isinteger(lua, -2)) {
            lua_Integer key = lua_tointeger(lua, -2);
            s.least = key < s.least ? key : s.least;
            s.most = key > s.most ? key : s.most;
        } else {
            s.other = true;
        }
        lua_pop(lua, 1);
    }
    return s;
}

/* Compares the metatable of the table at the top with a mark, without allocating: both are looked up by tables that exist. */
static bool has_mark(lua_State *lua, const char *mark)
{
    if (!lua_getmetatable(lua, -1))
        return false;
    const char *name = NULL;
    lua_pushnil(lua);
    while (lua_next(lua, -2)) { /* {__name = mark}, as luaL_newmetatable makes it */
        if (lua_type(lua, -1) == LUA_TSTRING)
            name = lua_tostring(lua, -1);
        lua_pop(lua, 1);
    }
    bool same = name && strcmp(name, mark) == 0;
    lua_pop(lua, 1);
    return same;
}

static json_t *read_list(lua_State *lua, reader *r, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 1; list && i <= count; i++) {
        lua_rawgeti(lua, -1, (lua_Integer)i);
        json_t *item = read_value(lua, r);
        lua_pop(lua, 1);
        if (!item || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return fail(r, "memory ran out");
        }
    }
    return list;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lua's own order differs from run to run: keys are sorted. */
static json_t *sorted(json_t *take_object)
{
    json_t *out = json_object();
    size_t count = json_object_size(take_object);
    const char **keys = calloc(count + 1, sizeof(*keys));
    if (out && keys) {
        size_t n = 0;
        const char *key = NULL;
        json_t *item = NULL;
        json_object_foreach(take_object, key, item) keys[n++] = key;
        qsort(keys, n, sizeof(*keys), compare_keys);
        for (size_t i = 0; i < n; i++)
            if (json_object_set(out, keys[i], json_object_get(take_object, keys[i])) != 0) {
                json_decref(out);
                out = NULL;
                break;
            }
    } else {
        json_decref(out);
        out = NULL;
    }
    free(keys);
    json_decref(take_object);
    return out;
}

static json_t *read_object(lua_State *lua, reader *r)
{
    json_t *object = json_object();
    lua_pushnil(lua);
    while (object && lua_next(lua, -2)) {
        size_t len = 0;
        const char *key = lua_tolstring(lua, -2, &len); /* a text already: nothing is converted */
        json_t *item = read_value(lua, r);
        lua_pop(lua, 1);
        r->bytes += len;
        if (strlen(key) != len)
            fail(r, "a key holds a NUL byte");
        if (!item || r->why || json_object_set_new(object, key, json_incref(item)) != 0) {
            json_decref(item);
            json_decref(object);
            return fail(r, "a key is not UTF-8, or memory ran out");
        }
        json_decref(item);
    }
    json_t *out = object ? sorted(object) : NULL;
    return out ? out : fail(r, "memory ran out");
}

static json_t *read_table(lua_State *lua, reader *r)
{
    if (r->depth >= MR_EXPR_DEPTH)
        return fail(r, "it is nested more than 32 levels deep");
    if (!lua_checkstack(lua, 8))
        return fail(r, "memory ran out");
    shape s = table_shape(lua);
    json_t *out = NULL;
    r->depth++;
    bool object = s.texts == s.count && (s.count > 0 || has_mark(lua, OBJECT_MARK));
    bool dense = s.count == 0 || (s.least >= 1 && (size_t)s.most <= 2 * s.count);
    bool list = s.texts == 0 && !s.other && (dense || (has_mark(lua, LIST_MARK) && (size_t)s.most <= r->max_values));
    if (object)
        out = read_object(lua, r);
    else if (list)
        out = read_list(lua, r, (size_t)s.most);
    else
        fail(r, s.texts > 0 ? "a table mixes a list and an object" : "a list has too many holes");
    r->depth--;
    return out;
}

static json_t *read_number(lua_State *lua, reader *r)
{
    if (lua_isinteger(lua, -1))
        return json_integer(lua_tointeger(lua, -1));
    double number = lua_tonumber(lua, -1);
    if (!isfinite(number))
        return fail(r, isnan(number) ? "it is not a number (0/0 or the like)" : "it is infinite (a division by zero, or a number too large)");
    if (number == floor(number) && fabs(number) <= 9007199254740992.0)
        return json_integer((json_int_t)number);
    return json_real(number);
}

static json_t *read_value(lua_State *lua, reader *r)
{
    if (++r->values > r->max_values)
        return fail(r, r->max_values == MR_EXPR_VALUES ? "it holds more than 100,000 values" : "it holds too many values");
    switch (lua_type(lua, -1)) {
    case LUA_TNIL: return json_null();
    case LUA_TBOOLEAN: return json_boolean(lua_toboolean(lua, -1));
    case LUA_TNUMBER: return read_number(lua, r);
    case LUA_TTABLE: return read_table(lua, r);
    case LUA_TSTRING: break;
    default: return fail(r, "a function is not a value");
    }
    size_t len = 0;
    const char *text = lua_tolstring(lua, -1, &len);
    r->bytes += len;
    if (r->bytes > r->max_bytes)
        return fail(r, r->max_bytes == MR_EXPR_MEMORY ? "it is larger than 8 MiB" : "it is too large");
    if (memchr(text, '\0', len))
        return fail(r, "a text holds a NUL byte");
    json_t *out = json_stringn(text, len);
    return out ? out : fail(r, "a text is not valid UTF-8");
}

static json_t *read_within(lua_State *lua, reader r, const char **ret_why)
{
    json_t *value = lua_checkstack(lua, 8) ? read_value(lua, &r) : NULL;
    *ret_why = value ? NULL : r.why ? r.why : "memory ran out";
    return value;
}

json_t *mr_lua_read_json(lua_State *lua, const char **ret_why)
{
    return read_within(lua, (reader){.max_values = MR_EXPR_VALUES, .max_bytes = MR_EXPR_MEMORY}, ret_why);
}

json_t *mr_lua_read_json_within(lua_State *lua, size_t max, const char **ret_why)
{
    return read_within(lua, (reader){.max_values = max / 16, .max_bytes = max}, ret_why);
}
