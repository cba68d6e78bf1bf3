/* SPDX-License-Identifier: MIT */
/*
 * The state of a script: what it is made of, how it is called, and what an error becomes.
 *
 * Invariants
 *   - Everything that can raise a Lua error runs under lua_pcall, with a handler that notes where the script was.
 *   - Once a limit is reached or the host wants an end, the hook raises at every instruction, in every coroutine that runs: a script can catch that
 *     error, but it gets no further. What hooks don't reach (finalizers, handlers of xpcall) there is not: state_library.c.
 */
#include "scripting/state.h"

#include "base/clock.h"
#include "scripting/expr_internal.h"
#include "scripting/state_internal.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY  10000
#define MESSAGE_MAX 1000 /* bytes of an error's text */
#define LEVELS_MAX  64   /* calls that are looked at for a traceback, those of C among them */

static mr_script **place_of(lua_State *lua)
{
    return lua_getextraspace(lua); /* Lua copies it into each coroutine */
}

mr_script *mr_script_of(lua_State *lua)
{
    return *place_of(lua);
}

lua_State *mr_script_lua(mr_script *script)
{
    return script->lua;
}

void *mr_script_context(const mr_script *script)
{
    return script->options.context;
}

/* ---- limits ---- */

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    mr_script *script = context;
    const size_t old = block ? old_size : 0; /* without a block, old_size tells what kind of object it will be */
    if (new_size == 0) {
        free(block);
        script->used -= old;
        return NULL;
    }
    if (new_size > old && script->used - old + new_size > script->options.memory) {
        script->refused = true;
        return NULL;
    }
    void *moved = realloc(block, new_size);
    if (moved)
        script->used += new_size - old;
    return moved;
}

static void look_at_limits(lua_State *lua, lua_Debug *debug)
{
    (void)debug;
    mr_script *script = mr_script_of(lua);
    if (script->ends == MR_OK && script->options.tick && !script->options.tick(script->options.context))
        script->ends = MR_ERR_CANCELLED;
    if (script->ends == MR_OK && mr_thread_cpu_us() - script->began_us > script->options.time_us)
        script->ends = MR_ERR_LIMIT;
    if (script->ends == MR_OK)
        return;
    lua_sethook(lua, look_at_limits, LUA_MASKCOUNT, 1);
    if (script->ends == MR_ERR_CANCELLED)
        luaL_error(lua, "it was cancelled");
    if (script->ends != MR_ERR_LIMIT)
        luaL_error(lua, "it goes on where it has failed");
    char limit[32];
    mr_duration_text(script->options.time_us, limit, sizeof(limit));
    luaL_error(lua, "it takes more than %s of processor time", limit);
}

/* ---- making one ---- */

mr_script *mr_script_new(const mr_script_options *options)
{
    mr_script *script = calloc(1, sizeof(*script));
    if (!script)
        return NULL;
    script->options = *options;
    script->options.memory = options->memory ? options->memory : MR_SCRIPT_MEMORY;
    script->options.time_us = options->time_us ? options->time_us : MR_SCRIPT_TIME;
    script->lua = lua_newstate(allocate, script);
    if (script->lua) {
        *place_of(script->lua) = script;
        lua_pushcfunction(script->lua, mr_script_open_library);
        if (lua_pcall(script->lua, 0, 0, 0) == LUA_OK)
            return script;
    }
    mr_script_free(script);
    return NULL;
}

void mr_script_free(mr_script *script)
{
    if (!script)
        return;
    if (script->lua)
        lua_close(script->lua);
    free(script);
}

static int define(lua_State *lua)
{
    lua_getglobal(lua, "millrace");
    lua_pushvalue(lua, 1);
    lua_pushvalue(lua, 2);
    lua_rawset(lua, -3);
    return 0;
}

bool mr_script_define(mr_script *script, const char *name, lua_CFunction function)
{
    lua_pushcfunction(script->lua, define);
    lua_pushstring(script->lua, name);
    lua_pushcfunction(script->lua, function);
    return lua_pcall(script->lua, 2, 0, 0) == LUA_OK;
}

/* ---- places ---- */

/* Whether src is what Lua calls that file in messages; it shortens long names. */
static bool is_chunk(const mr_bundle_file *file, const char *src, size_t len)
{
    const size_t whole = strlen(file->chunk);
    if (whole < LUA_IDSIZE)
        return len == whole && memcmp(src, file->chunk, len) == 0;
    const size_t tail = LUA_IDSIZE - sizeof("...");
    return len == LUA_IDSIZE - 1 && memcmp(src, "...", 3) == 0 && memcmp(src + 3, file->chunk + whole - tail, tail) == 0;
}

static const mr_bundle_file *file_of(const mr_script *script, const char *src, size_t len)
{
    const mr_bundle *bundle = script->options.bundle;
    for (size_t i = 0; i < bundle->count; i++)
        if (is_chunk(&bundle->files[i], src, len))
            return &bundle->files[i];
    return NULL;
}

static const char *line_of(const mr_bundle_file *file, int line)
{
    const char *at = file->text;
    for (int i = 1; i < line; i++) {
        const size_t len = strcspn(at, "\n");
        if (!at[len])
            break;
        at += len + 1;
    }
    return at;
}

/* What of the line to underline: all of it but its indent. */
static mr_span span_at(const mr_bundle_file *file, int line)
{
    const char *at = line_of(file, line);
    const size_t indent = strspn(at, " \t");
    const size_t len = strcspn(at + indent, "\r\n");
    return (mr_span){.file = file->path, .line = (uint32_t)line, .col = (uint32_t)indent + 1, .len = len > 0 ? (uint32_t)len : 1};
}

mr_span mr_script_here(lua_State *lua, int level)
{
    lua_Debug debug;
    const mr_script *script = mr_script_of(lua);
    for (; lua_getstack(lua, level, &debug); level++) {
        lua_getinfo(lua, "Sl", &debug);
        const mr_bundle_file *file = debug.currentline > 0 ? file_of(script, debug.short_src, strlen(debug.short_src)) : NULL;
        if (file)
            return span_at(file, debug.currentline);
    }
    return (mr_span){0};
}

/* "captions.lua:12: …": the place, and *text moves behind it. */
static mr_span take_place(const mr_script *script, const char **text)
{
    for (const char *colon = strchr(*text, ':'); colon; colon = strchr(colon + 1, ':')) {
        const char *at = colon + 1;
        int line = 0;
        while (isdigit((unsigned char)*at) && line < 100000000)
            line = line * 10 + (*at++ - '0');
        if (at == colon + 1 || strncmp(at, ": ", 2) != 0)
            continue;
        const mr_bundle_file *file = file_of(script, *text, (size_t)(colon - *text));
        if (!file)
            return (mr_span){0};
        *text = at + 2;
        return span_at(file, line);
    }
    return (mr_span){0};
}

/* ---- errors ---- */

static void note_frame(mr_script *script, lua_Debug *debug)
{
    const mr_bundle_file *file = file_of(script, debug->short_src, strlen(debug->short_src));
    if (!file)
        return;
    mr_script_frame *frame = &script->frames[script->frame_count++];
    frame->span = span_at(file, debug->currentline);
    frame->name[0] = '\0';
    if (debug->name && strcmp(debug->namewhat, "") != 0)
        snprintf(frame->name, sizeof(frame->name), "%s", debug->name);
}

/* Runs where the error was raised: the script's own calls, from the innermost out. */
static int on_error(lua_State *lua)
{
    lua_Debug debug;
    mr_script *script = mr_script_of(lua);
    script->frame_count = 0;
    /* Each step looks from the top again, so a runaway recursion is not followed to its end. */
    for (int level = 1; level < LEVELS_MAX && script->frame_count < MR_SCRIPT_FRAMES && lua_getstack(lua, level, &debug); level++) {
        lua_getinfo(lua, "Sln", &debug);
        if (debug.currentline > 0)
            note_frame(script, &debug);
    }
    return 1;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Of a line, the word that the message quotes: "there is no variable 'sorce'". The whole line, where it does not stand there. */
static mr_span narrow(const mr_script *script, mr_span span, const char *text)
{
    const mr_bundle *bundle = script->options.bundle;
    const char *quote = strchr(text, '\'');
    size_t len = 0;
    while (quote && is_word(quote[1 + len]))
        len++;
    if (!quote || len == 0 || quote[1 + len] != '\'')
        return span;
    for (size_t i = 0; i < bundle->count; i++) {
        if (bundle->files[i].path != span.file)
            continue;
        const char *line = line_of(&bundle->files[i], (int)span.line);
        const size_t line_len = strcspn(line, "\r\n");
        for (size_t at = 0; at + len <= line_len; at++) {
            if (memcmp(line + at, quote + 1, len) != 0 || (at > 0 && is_word(line[at - 1])) || is_word(line[at + len]))
                continue;
            span.col = (uint32_t)at + 1;
            span.len = (uint32_t)len;
            return span;
        }
    }
    return span;
}

static void tell_error(mr_script *script, mr_status status, const char *text, mr_diags *diags)
{
    mr_span span = take_place(script, &text);
    size_t first = 0;
    if (span.line == 0 && script->frame_count > 0)
        span = script->frames[0].span;
    /* The calls that led to that line; it may not be the innermost, as error() can name a caller's. */
    while (first < script->frame_count && (script->frames[first].span.line != span.line || script->frames[first].span.file != span.file))
        first++;
    mr_error(diags, status == MR_ERR_LIMIT ? "script-limit" : "script", narrow(script, span, text), "%.*s", MESSAGE_MAX, text);
    for (size_t i = first + 1; i < script->frame_count; i++) {
        if (script->frames[i - 1].name[0])
            mr_note(diags, script->frames[i].span, "'%s' was called here", script->frames[i - 1].name);
        else
            mr_note(diags, script->frames[i].span, "called from here");
    }
}

static mr_status failed(mr_script *script, int result, mr_diags *diags)
{
    lua_State *lua = script->lua;
    char text[128];
    mr_status status = script->ends != MR_OK ? script->ends : MR_ERR_PARAM;
    if (result == LUA_ERRMEM && !script->refused) {
        lua_pop(lua, 1);
        return MR_ERR_NOMEM;
    }
    if (result == LUA_ERRMEM) {
        status = MR_ERR_LIMIT;
        snprintf(text, sizeof(text), "the script needs more than %zu MiB of memory", script->options.memory >> 20);
        tell_error(script, status, text, diags);
    } else if (lua_type(lua, -1) == LUA_TSTRING) {
        tell_error(script, status, lua_tostring(lua, -1), diags);
    } else {
        snprintf(text, sizeof(text), "it raised an error that is no text, but a %s", luaL_typename(lua, -1));
        tell_error(script, status, text, diags);
    }
    lua_pop(lua, 1);
    return status;
}

int mr_script_raise(lua_State *lua, mr_status status)
{
    mr_script_of(lua)->ends = status;
    lua_sethook(lua, look_at_limits, LUA_MASKCOUNT, 1);
    luaL_where(lua, 1);
    lua_insert(lua, -2);
    lua_concat(lua, 2);
    return lua_error(lua);
}

/* ---- calling ---- */

mr_status mr_script_call(mr_script *script, int args, int results, mr_diags *diags)
{
    lua_State *lua = script->lua;
    const int at = lua_gettop(lua) - args; /* of the function */
    script->refused = false;
    script->ends = MR_OK;
    script->frame_count = 0;
    script->began_us = mr_thread_cpu_us();
    lua_pushcfunction(lua, on_error);
    lua_insert(lua, at);
    lua_sethook(lua, look_at_limits, LUA_MASKCOUNT, HOOK_EVERY);
    const int result = lua_pcall(lua, args, results, at);
    lua_sethook(lua, NULL, 0, 0);
    lua_remove(lua, at);
    if (result != LUA_OK)
        return failed(script, result, diags);
    if (script->ends == MR_OK)
        return MR_OK;
    /* It caught the error that was to end it, as its last act. */
    lua_settop(lua, at - 1);
    lua_pushstring(lua, script->ends == MR_ERR_CANCELLED ? "it was cancelled" : "it goes on where it has failed");
    return failed(script, LUA_ERRRUN, diags);
}

/* Protected: leaves the script, compiled. */
static int load_script(lua_State *lua)
{
    mr_script_load(lua, &mr_script_of(lua)->options.bundle->files[0]);
    return 1;
}

mr_status mr_script_run(mr_script *script, int results, mr_diags *diags)
{
    lua_pushcfunction(script->lua, load_script);
    mr_status status = mr_script_call(script, 0, 1, diags);
    return status == MR_OK ? mr_script_call(script, 0, results, diags) : status;
}

/* ---- compiled once ---- */

static int append(lua_State *lua, const void *data, size_t len, void *context)
{
    (void)lua;
    return fwrite(data, 1, len, context) == len ? 0 : 1;
}

typedef struct compilation {
    const mr_bundle_file *file;
    FILE *out;
} compilation;

/* Protected. */
static int compile(lua_State *lua)
{
    const compilation *what = lua_touserdata(lua, 1);
    mr_script_load(lua, what->file);
    if (lua_dump(lua, append, what->out, 0) != 0)
        luaL_error(lua, "memory ran out");
    return 0;
}

mr_status mr_bundle_compile(mr_arena *arena, const mr_bundle *bundle)
{
    const mr_script_options options = {.bundle = bundle};
    mr_bundle_file *files = (mr_bundle_file *)bundle->files; /* the arena's */
    mr_script *script = mr_script_new(&options);
    mr_status status = script ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < bundle->count && status == MR_OK; i++) {
        char *data = NULL;
        size_t len = 0;
        compilation what = {.file = &files[i], .out = open_memstream(&data, &len)};
        if (!what.out) {
            status = MR_ERR_NOMEM;
            break;
        }
        lua_pushcfunction(script->lua, compile);
        lua_pushlightuserdata(script->lua, &what);
        const bool good = mr_script_call(script, 1, 0, NULL) == MR_OK;
        if (fclose(what.out) == 0 && good) {
            files[i].compiled = mr_arena_copy(arena, data, len);
            files[i].compiled_len = len;
            status = files[i].compiled ? MR_OK : MR_ERR_NOMEM;
        }
        free(data);
    }
    mr_script_free(script);
    return status;
}

/* ---- JSON ---- */

/* Protected, so that the reference is given up whatever happens. */
static int push_json(lua_State *lua)
{
    mr_lua_push_json(lua, lua_touserdata(lua, 1));
    return 1;
}

void mr_script_take_json(lua_State *lua, json_t *take_value)
{
    if (!lua_checkstack(lua, 2)) {
        json_decref(take_value);
        luaL_error(lua, "nested too deeply");
    }
    lua_pushcfunction(lua, push_json);
    lua_pushlightuserdata(lua, take_value);
    const int result = lua_pcall(lua, 1, 1, 0);
    json_decref(take_value);
    if (result != LUA_OK)
        lua_error(lua);
}

json_t *mr_script_read_json(lua_State *lua, int index, size_t max, const char **ret_why)
{
    if (!lua_checkstack(lua, 1)) {
        *ret_why = "memory ran out";
        return NULL;
    }
    lua_pushvalue(lua, index);
    json_t *value = mr_lua_read_json_within(lua, max, ret_why);
    lua_pop(lua, 1);
    return value;
}
