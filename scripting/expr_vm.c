/* SPDX-License-Identifier: MIT */
/*
 * The sandbox. A state holds a few pure functions and nothing else; each evaluation gets an environment of its own with just the
 * variables that it reads. Two walls besides: the allocator refuses more than 8 MiB, and a hook counts instructions. Everything that
 * can raise a Lua error runs under lua_pcall.
 */
#include "scripting/expr_internal.h"
#include <ctype.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY 1000

struct mr_expr_vm {
    lua_State *lua;
    mr_lua_memory memory;
    unsigned steps;
};

/* --- the state --- */

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    mr_lua_memory *memory = context;
    size_t old = block ? old_size : 0; /* without a block, old_size tells what kind of object it will be */
    if (new_size == 0) {
        free(block);
        memory->used -= old;
        return NULL;
    }
    if (new_size > old && memory->used - old + new_size > MR_EXPR_MEMORY) {
        memory->refused = true;
        return NULL;
    }
    void *moved = realloc(block, new_size);
    if (moved)
        memory->used += new_size - old;
    return moved;
}

lua_State *mr_lua_new(mr_lua_memory *memory)
{
    return lua_newstate(allocate, memory);
}

const char *mr_lua_error_text(lua_State *lua)
{
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "unknown error";
    if (strncmp(text, "@:", 2) != 0)
        return text;
    const char *at = text + 2;
    while (isdigit((unsigned char)*at))
        at++;
    return strncmp(at, ": ", 2) == 0 ? at + 2 : text;
}

/* --- functions that need a wrapper: tables and functions would show their address --- */

static void refuse_objects(lua_State *lua, int first)
{
    for (int i = first; i <= lua_gettop(lua); i++) {
        int type = lua_type(lua, i);
        if (type != LUA_TNIL && type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING)
            luaL_error(lua, "a %s can't be written as text", luaL_typename(lua, i));
    }
}

static int safe_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    refuse_objects(lua, 1);
    luaL_tolstring(lua, 1, NULL);
    return 1;
}

static int safe_format(lua_State *lua)
{
    const char *format = luaL_checkstring(lua, 1);
    for (const char *at = format; *at; at++) {
        if (*at != '%')
            continue;
        at += 1 + strspn(at + 1, "-+ #0123456789.");
        if (*at == 'p')
            return luaL_error(lua, "string.format has no '%%p' here");
        if (*at == '\0')
            break;
    }
    refuse_objects(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, 1);
    return 1;
}

/* Builds the table of functions that every environment starts from, and leaves it in the registry. */
static int prepare(lua_State *lua)
{
    luaL_requiref(lua, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 1);
    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
    lua_settop(lua, 0);
    lua_pushglobaltable(lua); /* 1: all of Lua */
    lua_newtable(lua);        /* 2: what is let through */
    for (const mr_builtin *builtin = mr_builtins; builtin->name; builtin++) {
        lua_getfield(lua, 1, builtin->name);
        if (builtin->fields) {
            lua_newtable(lua);
            for (size_t i = 0; builtin->fields[i]; i++) {
                lua_getfield(lua, -2, builtin->fields[i]);
                lua_setfield(lua, -2, builtin->fields[i]);
            }
            lua_remove(lua, -2);
        }
        lua_setfield(lua, 2, builtin->name);
    }
    lua_pushcfunction(lua, safe_tostring);
    lua_setfield(lua, 2, "tostring");
    lua_getfield(lua, 2, "string"); /* 3 */
    lua_getfield(lua, 3, "format");
    lua_pushcclosure(lua, safe_format, 1);
    lua_setfield(lua, 3, "format");
    /* ("x"):method() finds the safe table only. */
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushvalue(lua, 3);
    lua_setfield(lua, -2, "__index");
    lua_settop(lua, 2);
    lua_setfield(lua, LUA_REGISTRYINDEX, "mr.functions");
    /* The rest is not reachable from an environment; it goes all the same. */
    lua_rawgeti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_rawset(lua, -4);
    }
    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    return 0;
}

mr_expr_vm *mr_expr_vm_new(void)
{
    mr_expr_vm *vm = calloc(1, sizeof(*vm));
    if (!vm)
        return NULL;
    vm->lua = mr_lua_new(&vm->memory);
    if (vm->lua) {
        lua_pushcfunction(vm->lua, prepare);
        if (lua_pcall(vm->lua, 0, 0, 0) == LUA_OK)
            return vm;
    }
    mr_expr_vm_free(vm);
    return NULL;
}

void mr_expr_vm_free(mr_expr_vm *vm)
{
    if (!vm)
        return;
    if (vm->lua)
        lua_close(vm->lua);
    free(vm);
}

/* --- evaluation --- */

static void count_steps(lua_State *lua, lua_Debug *debug)
{
    (void)debug;
    void *context = NULL;
    lua_getallocf(lua, &context);
    /* The allocator's context is a member of the machine. */
    mr_expr_vm *vm = (mr_expr_vm *)((char *)context - offsetof(mr_expr_vm, memory));
    vm->steps += HOOK_EVERY;
    if (vm->steps > MR_EXPR_STEPS)
        luaL_error(lua, "it takes more than %d instructions", MR_EXPR_STEPS);
}

typedef struct job {
    const mr_expr *expr;
    const mr_expr_part *part;
    const json_t *scope;
} job;

static const char *read_code(lua_State *lua, void *data, size_t *ret_size)
{
    (void)lua;
    const char *const **pieces = data; /* NULL-terminated */
    const char *piece = **pieces;
    if (!piece) {
        *ret_size = 0;
        return NULL;
    }
    (*pieces)++;
    *ret_size = strlen(piece);
    return piece;
}

/* Protected: loads the code, makes its environment, calls it; one result. */
static int run_job(lua_State *lua)
{
    const job *j = lua_touserdata(lua, 1);
    const char *const pieces[] = {"return ", j->part->text, "\n", NULL};
    const char *const *next = pieces;
    lua_settop(lua, 0);
    if (lua_load(lua, read_code, (void *)&next, "=@", "t") != LUA_OK)
        return lua_error(lua);
    lua_newtable(lua);
    lua_getfield(lua, LUA_REGISTRYINDEX, "mr.functions");
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, 2);
    }
    lua_settop(lua, 2);
    for (size_t i = 0; i < j->expr->name_count; i++) {
        const json_t *value = json_object_get(j->scope, j->expr->names[i]);
        lua_pushstring(lua, j->expr->names[i]);
        if (value)
            mr_lua_push_json(lua, value);
        else
            lua_pushnil(lua);
        lua_rawset(lua, 2); /* also nil: it hides a function of that name */
    }
    lua_setupvalue(lua, 1, 1); /* _ENV */
    lua_call(lua, 0, 1);
    return 1;
}

static mr_status job_failed(mr_expr_vm *vm, const mr_expr_part *part, int result, mr_diags *diags)
{
    if (result == LUA_ERRMEM && !vm->memory.refused)
        return MR_ERR_NOMEM;
    const char *why = result == LUA_ERRMEM ? "it needs more than 8 MiB" : mr_lua_error_text(vm->lua);
    bool limit = result == LUA_ERRMEM || vm->steps > MR_EXPR_STEPS;
    mr_error(diags, "expression", part->span, "'${%s}' can't be evaluated: %s", part->text, why);
    if (limit)
        mr_hint(diags, "do less here; heavy work belongs in an op");
    else if (strstr(why, "nil value"))
        mr_hint(diags, "what may be absent is guarded: 'a and a.b', or 'a or 0' for another value");
    return limit ? MR_ERR_LIMIT : MR_ERR_PARAM;
}

/* Leaves the value of one part on the stack. */
static mr_status run_part(mr_expr_vm *vm, const mr_expr *expr, const mr_expr_part *part, const json_t *scope, mr_diags *diags)
{
    job j = {expr, part, scope};
    lua_State *lua = vm->lua;
    lua_settop(lua, 0);
    vm->memory.refused = false;
    vm->steps = 0;
    lua_sethook(lua, count_steps, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(lua, run_job);
    lua_pushlightuserdata(lua, &j);
    int result = lua_pcall(lua, 1, 1, 0);
    return result == LUA_OK ? MR_OK : job_failed(vm, part, result, diags);
}

static mr_status read_result(mr_expr_vm *vm, const mr_expr_part *part, mr_diags *diags, json_t **ret_value)
{
    const char *why = NULL;
    *ret_value = mr_lua_read_json(vm->lua, &why);
    if (*ret_value)
        return MR_OK;
    mr_error(diags, "expression", part->span, "the value of '${%s}' can't be used: %s", part->text, why);
    return MR_ERR_PARAM;
}

typedef struct text {
    char *data;
    size_t len;
    const mr_expr *expr;
    mr_diags *diags;
} text;

static mr_status append(text *t, const char *data, size_t len)
{
    if (t->len + len > MR_EXPR_MEMORY) {
        mr_error(t->diags, "expression", t->expr->span, "the text grows beyond 8 MiB");
        return MR_ERR_LIMIT;
    }
    char *grown = realloc(t->data, t->len + len + 1);
    if (!grown)
        return MR_ERR_NOMEM;
    memcpy(grown + t->len, data, len);
    t->data = grown;
    t->len += len;
    grown[t->len] = '\0';
    return MR_OK;
}

static mr_status append_value(text *t, const mr_expr_part *part, const json_t *value)
{
    char number[40];
    switch (json_typeof(value)) {
    case JSON_STRING: return append(t, json_string_value(value), json_string_length(value));
    case JSON_TRUE: return append(t, "true", 4);
    case JSON_FALSE: return append(t, "false", 5);
    case JSON_INTEGER: snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: snprintf(number, sizeof(number), "%.14g", json_real_value(value)); break;
    default:
        mr_error(t->diags, "expression", part->span, "'${%s}' is %s, which can't stand inside text", part->text,
                 json_is_null(value)    ? "nil"
                 : json_is_array(value) ? "a list"
                                        : "an object");
        mr_hint(t->diags, "%s", json_is_null(value) ? "give another value for that case: 'x or \"\"'" : "name one of its fields or items");
        return MR_ERR_PARAM;
    }
    return append(t, number, strlen(number));
}

static mr_status eval_template(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope, mr_diags *diags, json_t **ret_value)
{
    text joined = {.expr = expr, .diags = diags};
    mr_status status = append(&joined, "", 0);
    for (size_t i = 0; i < expr->part_count && status == MR_OK; i++) {
        const mr_expr_part *part = &expr->parts[i];
        if (!part->code) {
            status = append(&joined, part->text, part->len);
            continue;
        }
        json_t *value = NULL;
        status = run_part(vm, expr, part, scope, diags);
        if (status == MR_OK)
            status = read_result(vm, part, diags, &value);
        if (status == MR_OK)
            status = append_value(&joined, part, value);
        json_decref(value);
    }
    if (status == MR_OK) {
        *ret_value = json_stringn(joined.data, joined.len);
        status = *ret_value ? MR_OK : MR_ERR_NOMEM;
    }
    free(joined.data);
    return status;
}

mr_status mr_expr_eval(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope, mr_diags *diags, json_t **ret_value)
{
    *ret_value = NULL;
    if (!expr->whole)
        return eval_template(vm, expr, scope, diags, ret_value);
    mr_status status = run_part(vm, expr, &expr->parts[0], scope, diags);
    if (status == MR_OK)
        status = read_result(vm, &expr->parts[0], diags, ret_value);
    lua_settop(vm->lua, 0);
    return status;
}

mr_status mr_expr_test(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope, mr_diags *diags, bool *ret_true)
{
    *ret_true = false;
    if (expr->whole) {
        mr_status status = run_part(vm, expr, &expr->parts[0], scope, diags);
        *ret_true = status == MR_OK && lua_toboolean(vm->lua, -1);
        lua_settop(vm->lua, 0);
        return status;
    }
    json_t *value = NULL;
    mr_status status = mr_expr_eval(vm, expr, scope, diags, &value);
    *ret_true = status == MR_OK; /* text is true, as in Lua */
    json_decref(value);
    return status;
}
