/* SPDX-License-Identifier: MIT */
/*
 * What scripts find in their globals: Lua's own library without what reaches outside, escapes the limits, or answers differently from run to run;
 * in place of some of it functions that don't.
 */
#include "scripting/state_internal.h"

#include "base/diag.h"
#include "scripting/expr_internal.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX   256       /* of globals and fields that a suggestion is looked for among */
#define LOOK_LEVELS 16        /* of functions whose variables are looked at, too */
#define SORT_MAX    (1 << 24) /* items */
#define LOADED      "mr.loaded"
#define IS_LOADING  ((void *)"") /* a light userdata that is no module's value */

/* ---- keys in order ---- */

typedef struct key {
    int rank; /* numbers, texts, false, true */
    lua_Integer integer;
    lua_Number number;
    bool is_integer;
    const char *text;
    size_t len;
    lua_Integer index; /* in the list that holds it */
} key;

static key read_key(lua_State *lua, int index)
{
    key k = {0};
    switch (lua_type(lua, index)) {
    case LUA_TNUMBER:
        k.is_integer = lua_isinteger(lua, index);
        k.integer = k.is_integer ? lua_tointeger(lua, index) : 0;
        k.number = lua_tonumber(lua, index);
        break;
    case LUA_TSTRING:
        k.rank = 1;
        k.text = lua_tolstring(lua, index, &k.len);
        break;
    case LUA_TBOOLEAN: k.rank = lua_toboolean(lua, index) ? 3 : 2; break;
    default: luaL_error(lua, "a table with a key that is a %s has no order to go through it in", luaL_typename(lua, index));
    }
    return k;
}

static int compare_keys(const void *left, const void *right)
{
    const key *a = left;
    const key *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->rank == 0 && a->is_integer && b->is_integer)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->rank == 0)
        return (a->number > b->number) - (a->number < b->number);
    if (a->rank != 1)
        return 0;
    const int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* The keys of the table at index, in order, as a list on the stack. */
static void push_keys(lua_State *lua, int index)
{
    lua_Integer count = 0;
    lua_newtable(lua);
    const int list = lua_gettop(lua);
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_rawseti(lua, list, ++count);
    }
    key *keys = lua_newuserdatauv(lua, (size_t)(count + 1) * sizeof(*keys), 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(lua, list, i);
        keys[i - 1] = read_key(lua, -1);
        keys[i - 1].index = i;
        lua_pop(lua, 1); /* the list holds it */
    }
    qsort(keys, (size_t)count, sizeof(*keys), compare_keys);
    lua_createtable(lua, count < (1 << 24) ? (int)count : 0, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(lua, list, keys[i].index);
        lua_rawseti(lua, -2, i + 1);
    }
    lua_replace(lua, list);
    lua_settop(lua, list);
}

/* Upvalues: the keys, how many are done, and the table. Those that are gone meanwhile are passed over. */
static int next_pair(lua_State *lua)
{
    lua_Integer done = lua_tointeger(lua, lua_upvalueindex(2));
    for (;;) {
        lua_settop(lua, 0);
        if (lua_rawgeti(lua, lua_upvalueindex(1), ++done) == LUA_TNIL)
            return 1;
        lua_pushvalue(lua, 1);
        if (lua_rawget(lua, lua_upvalueindex(3)) != LUA_TNIL)
            break;
    }
    lua_pushinteger(lua, done);
    lua_replace(lua, lua_upvalueindex(2));
    return 2;
}

static int ordered_pairs(lua_State *lua)
{
    luaL_checkany(lua, 1);
    if (luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(lua, 1);
        lua_call(lua, 1, 3);
        return 3;
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    push_keys(lua, 1);
    lua_pushinteger(lua, 0);
    lua_pushvalue(lua, 1);
    lua_pushcclosure(lua, next_pair, 3);
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

/* The least key above the one given: each step looks at all of them, which pairs does once. */
static int ordered_next(lua_State *lua)
{
    key best = {0};
    bool found = false;
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    const bool first = lua_isnil(lua, 2);
    const key after = first ? best : read_key(lua, 2);
    lua_pushnil(lua); /* 3: the best so far */
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        lua_pop(lua, 1);
        const key k = read_key(lua, -1);
        if ((!first && compare_keys(&k, &after) <= 0) || (found && compare_keys(&k, &best) >= 0))
            continue;
        best = k;
        found = true;
        lua_pushvalue(lua, -1);
        lua_replace(lua, 3);
    }
    lua_settop(lua, 3);
    if (!found)
        return 1;
    lua_pushvalue(lua, 3);
    lua_rawget(lua, 1);
    return 2;
}

/* ---- sorting, stable ---- */

/* Whether the item at b of the list at from comes before the one at a. Arguments: 2 the function, or nil. */
static bool is_before(lua_State *lua, int from, lua_Integer b, lua_Integer a)
{
    bool before = false;
    if (lua_isnil(lua, 2)) {
        lua_rawgeti(lua, from, b);
        lua_rawgeti(lua, from, a);
        before = lua_compare(lua, -2, -1, LUA_OPLT);
        lua_pop(lua, 2);
        return before;
    }
    lua_pushvalue(lua, 2);
    lua_rawgeti(lua, from, b);
    lua_rawgeti(lua, from, a);
    lua_call(lua, 2, 1);
    before = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return before;
}

static void merge(lua_State *lua, int from, int to, lua_Integer low, lua_Integer middle, lua_Integer high)
{
    lua_Integer a = low;
    lua_Integer b = middle;
    for (lua_Integer at = low; at < high; at++) {
        const bool second = a >= middle || (b < high && is_before(lua, from, b, a));
        lua_rawgeti(lua, from, second ? b++ : a++);
        lua_rawseti(lua, to, at);
    }
}

static int stable_sort(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (!lua_isnoneornil(lua, 2))
        luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    const lua_Integer count = luaL_len(lua, 1);
    luaL_argcheck(lua, count < SORT_MAX, 1, "it has too many items");
    lua_createtable(lua, (int)count, 0); /* 3 */
    lua_createtable(lua, (int)count, 0); /* 4 */
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(lua, 1, i);
        lua_rawseti(lua, 3, i);
    }
    int from = 3;
    for (lua_Integer width = 1; width < count; width *= 2) {
        for (lua_Integer low = 1; low <= count; low += 2 * width) {
            const lua_Integer middle = low + width <= count + 1 ? low + width : count + 1;
            const lua_Integer high = low + 2 * width <= count + 1 ? low + 2 * width : count + 1;
            merge(lua, from, 7 - from, low, middle, high);
        }
        from = 7 - from;
    }
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(lua, from, i);
        lua_seti(lua, 1, i);
    }
    return 0;
}

/* ---- text without addresses ---- */

static void push_text(lua_State *lua, int index)
{
    const int type = lua_type(lua, index);
    if (luaL_callmeta(lua, index, "__tostring")) {
        if (lua_type(lua, -1) != LUA_TSTRING)
            luaL_error(lua, "'__tostring' must give a text");
    } else if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD || type == LUA_TLIGHTUSERDATA) {
        lua_pushstring(lua, luaL_typename(lua, index));
    } else {
        luaL_tolstring(lua, index, NULL);
    }
}

static int plain_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    push_text(lua, 1);
    return 1;
}

/* Upvalue: Lua's own. */
static int plain_format(lua_State *lua)
{
    const char *format = luaL_checkstring(lua, 1);
    for (const char *at = strchr(format, '%'); at && *at; at = strchr(at, '%')) {
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == 'p')
            return luaL_error(lua, "string.format has no '%%p' here");
        at += *at != '\0';
    }
    for (int i = 2; i <= lua_gettop(lua); i++) {
        const int type = lua_type(lua, i);
        if (type != LUA_TNIL && type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING) {
            push_text(lua, i);
            lua_replace(lua, i);
        }
    }
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, 1);
    return 1;
}

/* ---- the rest ---- */

/* Finalizers run where no limit is looked at, and what weak tables hold depends on when memory is collected. */
static int plain_setmetatable(lua_State *lua)
{
    static const char *const refused[] = {"__gc", "__mode"};
    for (size_t i = 0; i < 2 && lua_istable(lua, 2); i++) {
        lua_pushstring(lua, refused[i]);
        if (lua_rawget(lua, 2) != LUA_TNIL)
            return luaL_error(lua, "a metatable can't have '%s' here", refused[i]);
        lua_pop(lua, 1);
    }
    lua_settop(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 2, 1);
    return 1;
}

/* The handler runs after the error, not within it, where no limit is looked at. */
static int plain_xpcall(lua_State *lua)
{
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushvalue(lua, 2);
    lua_insert(lua, 1); /* 1 the handler, 2 the function, 3 the handler again */
    lua_remove(lua, 3);
    const int result = lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0);
    if (result == LUA_OK) {
        lua_pushboolean(lua, 1);
        lua_replace(lua, 1);
        return lua_gettop(lua);
    }
    lua_pushboolean(lua, 0);
    lua_insert(lua, 1); /* 1 false, 2 the handler, 3 the error */
    lua_call(lua, 1, 1);
    return 2;
}

static int seeded_random(lua_State *lua)
{
    luaL_argcheck(lua, lua_gettop(lua) > 0, 1, "a number; without one it would differ from run to run");
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, 0);
    return 0;
}

void mr_script_load(lua_State *lua, const mr_bundle_file *file)
{
    const char *chunk = lua_pushfstring(lua, "@%s", file->chunk);
    const int result = file->compiled ? luaL_loadbufferx(lua, file->compiled, file->compiled_len, chunk, "b")
                                      : luaL_loadbufferx(lua, file->text, file->len, chunk, "t");
    if (result != LUA_OK)
        lua_error(lua);
    lua_remove(lua, -2);
}

static int require_module(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);
    const mr_bundle *bundle = mr_script_of(lua)->options.bundle;
    if (!mr_module_is_name(name))
        return luaL_error(lua, "require: '%s' can't be a module's name; 'lib.cues' stands for the file lib/cues.lua beside the script", name);
    lua_settop(lua, 1);
    lua_getfield(lua, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(lua, 2, name) == LUA_TLIGHTUSERDATA)
        return luaL_error(lua, "require: the module '%s' requires itself, by way of others", name);
    if (!lua_isnil(lua, 3))
        return 1;
    const mr_bundle_file *file = mr_bundle_find(bundle, name);
    if (!file)
        return luaL_error(lua, "require: there is no module '%s' beside '%s'; its name has to be written out", name, bundle->files[0].chunk);
    lua_pushlightuserdata(lua, IS_LOADING);
    lua_setfield(lua, 2, name);
    mr_script_load(lua, file);
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        lua_pushboolean(lua, 1);
    }
    lua_pushvalue(lua, -1);
    lua_setfield(lua, 2, name);
    return 1;
}

/* Local variables of the functions that are running: what was meant may be one of them, though of a caller. */
static size_t add_locals(lua_State *lua, const char **names)
{
    size_t count = 0;
    lua_Debug debug;
    for (int level = 1; level <= LOOK_LEVELS && lua_getstack(lua, level, &debug); level++) {
        for (int i = 1; count < NAMES_MAX; i++, lua_pop(lua, 1)) {
            const char *name = lua_getlocal(lua, &debug, i);
            if (!name)
                break;
            if (name[0] != '(') /* what Lua keeps for itself */
                names[count++] = name;
        }
        lua_getinfo(lua, "f", &debug);
        for (int i = 1; count < NAMES_MAX && !lua_iscfunction(lua, -1); i++, lua_pop(lua, 1)) {
            const char *name = lua_getupvalue(lua, -1, i);
            if (!name)
                break;
            if (strcmp(name, "_ENV") != 0)
                names[count++] = name;
        }
        lua_pop(lua, 1);
    }
    return count;
}

/* The text keys of the table at index, and locals, for a suggestion. They live as long as it does. */
static const char *nearest_key(lua_State *lua, int index, const char *word, bool locals)
{
    const char *names[NAMES_MAX];
    size_t count = locals ? add_locals(lua, names) : 0;
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        lua_pop(lua, 1);
        if (lua_type(lua, -1) == LUA_TSTRING && count < NAMES_MAX)
            names[count++] = lua_tostring(lua, -1);
    }
    return mr_nearest(word, names, count);
}

static int unknown_name(lua_State *lua)
{
    static const char *const absent[] = {"os",       "io",     "debug",          "package", "load", "loadstring",
                                         "loadfile", "dofile", "collectgarbage", "print",   "warn"};
    if (lua_type(lua, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tostring(lua, 2);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (strcmp(name, absent[i]) == 0)
            return luaL_error(lua, "scripts have no '%s'", name);
    const char *near = nearest_key(lua, 1, name, true);
    return near ? luaL_error(lua, "there is no variable '%s'; did you mean '%s'?", name, near)
                : luaL_error(lua, "there is no variable '%s'; one that may be missing is looked up with rawget(_G, name)", name);
}

/* Fields of the table millrace, and of what else knows its fields. Upvalue: what to call it. */
static int unknown_field(lua_State *lua)
{
    const char *what = lua_tostring(lua, lua_upvalueindex(1));
    if (lua_type(lua, 2) != LUA_TSTRING)
        return 0;
    const char *near = nearest_key(lua, 1, lua_tostring(lua, 2), false);
    return near ? luaL_error(lua, "%s has no '%s'; did you mean '%s'?", what, lua_tostring(lua, 2), near)
                : luaL_error(lua, "%s has no '%s'", what, lua_tostring(lua, 2));
}

void mr_script_check_fields(lua_State *lua, int index, const char *what, const char *const *names)
{
    size_t count = 0;
    index = lua_absindex(lua, index);
    while (names[count])
        count++;
    push_keys(lua, index); /* the same mistake is told whichever order Lua keeps them in */
    const int keys = lua_gettop(lua);
    for (lua_Integer i = 1; lua_rawgeti(lua, keys, i) != LUA_TNIL; i++) {
        const char *key = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
        bool known = false;
        for (size_t k = 0; key && k < count && !known; k++)
            known = strcmp(key, names[k]) == 0;
        const char *near = key && !known ? mr_nearest(key, names, count) : NULL;
        if (!key)
            luaL_error(lua, "%s takes named fields only", what);
        else if (near)
            luaL_error(lua, "%s has no field '%s'; did you mean '%s'?", what, key, near);
        else if (!known)
            luaL_error(lua, "%s has no field '%s'", what, key);
        lua_pop(lua, 1);
    }
    lua_settop(lua, keys - 1);
}

/* {} is a list: this makes an object of a table, also of an empty one. */
static int make_object(lua_State *lua)
{
    if (lua_isnoneornil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua);
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    mr_lua_push_object_mark(lua);
    lua_setmetatable(lua, 1);
    return 1;
}

/* The function NAME of the table at the top, with Lua's own as its upvalue. */
static void wrap(lua_State *lua, const char *name, lua_CFunction function)
{
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
}

static void drop(lua_State *lua, const char *const *names)
{
    for (; *names; names++) {
        lua_pushnil(lua);
        lua_setfield(lua, -2, *names);
    }
}

static void change_base(lua_State *lua)
{
    static const char *const unwanted[] = {"dofile", "loadfile", "load", "collectgarbage", "print", "warn", NULL};
    static const luaL_Reg ours[] = {{"pairs", ordered_pairs}, {"next", ordered_next},      {"tostring", plain_tostring},
                                    {"xpcall", plain_xpcall}, {"require", require_module}, {NULL, NULL}};
    lua_pushglobaltable(lua);
    drop(lua, unwanted);
    luaL_setfuncs(lua, ours, 0);
    wrap(lua, "setmetatable", plain_setmetatable);
    lua_getfield(lua, -1, "string");
    wrap(lua, "format", plain_format);
    lua_pushnil(lua);
    lua_setfield(lua, -2, "dump");
    lua_pop(lua, 1);
    lua_getfield(lua, -1, "table");
    lua_pushcfunction(lua, stable_sort);
    lua_setfield(lua, -2, "sort");
    lua_pop(lua, 1);
    lua_getfield(lua, -1, "math");
    lua_getfield(lua, -1, "randomseed");
    lua_pushvalue(lua, -1);
    lua_pushinteger(lua, (lua_Integer)mr_script_of(lua)->options.seed);
    lua_call(lua, 1, 0);
    lua_pushcclosure(lua, seeded_random, 1);
    lua_setfield(lua, -2, "randomseed");
    lua_pop(lua, 2);
}

static void guard(lua_State *lua, lua_CFunction function, const char *what)
{
    lua_createtable(lua, 0, 2);
    lua_pushstring(lua, what);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
}

int mr_script_open_library(lua_State *lua)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},       {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_COLIBNAME, luaopen_coroutine}};
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
        lua_pop(lua, 1);
    }
    change_base(lua);
    lua_newtable(lua); /* millrace */
    lua_pushcfunction(lua, make_object);
    lua_setfield(lua, -2, "object");
    guard(lua, unknown_field, "millrace");
    lua_setglobal(lua, "millrace");
    lua_pushglobaltable(lua);
    guard(lua, unknown_name, "the script");
    lua_pop(lua, 1);
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, LOADED);
    lua_pushnil(lua); /* Lua's own list of what is loaded holds the libraries as they were made; nothing of ours looks there */
    lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    return 0;
}
