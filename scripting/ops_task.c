/* SPDX-License-Identifier: MIT */
/*
 * Running an op in Lua: a fresh state for each task, the task as an object in it, and what the script does with it as calls to the host.
 *
 * A call that fails ends the task with its status, whatever the script catches: MR_NOT_YET must reach the engine. While Lua runs, the hook tells the
 * engine now and then that it does, so that silence means a call that no hook reaches.
 */
#include "scripting/ops_internal.h"

#include "base/clock.h"
#include "config/params_internal.h"
#include "scripting/filters.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TASK    "mr.task"
#define CONTENT "mr.content"
#define BEAT_US 500000

enum { VALUE_INPUTS = 1, VALUE_PARAMS, VALUE_COUNT = VALUE_PARAMS };

typedef struct content {
    mr_content *content; /* NULL: emitted */
    uint64_t size;
} content;

static mr_ops_task *task_of(lua_State *lua)
{
    return mr_script_context(mr_script_of(lua));
}

/* The object itself is of no use, but that the function was called with a colon. */
static mr_ops_task *check_task(lua_State *lua)
{
    if (!luaL_testudata(lua, 1, TASK))
        luaL_error(lua, "a task's functions are called with a colon, as in task:progress(0.5)");
    return task_of(lua);
}

/* The host has said why. */
static int host_failed(lua_State *lua, mr_status status)
{
    task_of(lua)->told = true;
    lua_pushliteral(lua, "the engine refused");
    return mr_script_raise(lua, status);
}

/* ---- inputs ---- */

/* Index of the port; or an error with what was meant. */
static uint32_t find_port(lua_State *lua, const mr_port *ports, const char *kind, const char *name)
{
    const char *names[64];
    uint32_t count = 0;
    for (; ports && ports[count].name && count < 64; count++) {
        names[count] = ports[count].name;
        if (strcmp(names[count], name) == 0)
            return count;
    }
    const char *near = mr_nearest(name, names, count);
    const char *op = task_of(lua)->op->pub.name;
    if (near)
        luaL_error(lua, "op '%s' has no %s '%s'; did you mean '%s'?", op, kind, name, near);
    return (uint32_t)luaL_error(lua, "op '%s' has no %s '%s'", op, kind, name);
}

/* What came in by a port: an artifact or nil; a list where the port takes many. Kept in the table, as that of a large list takes a while. */
static int inputs_index(lua_State *lua)
{
    const mr_ops_task *it = task_of(lua);
    const mr_port *ports = it->op->pub.inputs;
    const char *name = luaL_checkstring(lua, 2);
    const uint32_t port = find_port(lua, ports, "input", name);
    if (ports[port].flags & MR_PORT_STREAMING)
        return luaL_error(lua, "input '%s' is a stream: task:next() gives its items", name);
    const size_t count = it->host->input_count(it->task, port);
    if (!(ports[port].flags & MR_PORT_MANY)) {
        mr_ops_push_artifact(lua, count > 0 ? it->host->input(it->task, port, 0) : NULL);
    } else {
        lua_createtable(lua, count < 100000 ? (int)count : 100000, 0);
        for (size_t i = 0; i < count; i++) {
            mr_ops_push_artifact(lua, it->host->input(it->task, port, i));
            lua_rawseti(lua, -2, (lua_Integer)i + 1);
        }
    }
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, 1);
    return 1;
}

/* task:next(): the name of a port and its next item; nil: all streams have ended. */
static int task_next(lua_State *lua)
{
    mr_ops_task *it = check_task(lua);
    const mr_artifact *item = NULL;
    uint32_t port = 0;
    mr_status status = it->host->next(it->task, &port, &item);
    if (status == MR_END)
        return 0;
    if (status != MR_OK)
        return host_failed(lua, status);
    lua_pushstring(lua, it->op->pub.inputs[port].name);
    mr_ops_push_artifact(lua, item);
    return 2;
}

/* ---- params ---- */

static void push_param(lua_State *lua, const mr_param *param, const char *field);

static void push_list(lua_State *lua, const mr_param *param, const char *field)
{
    mr_list list;
    memcpy(&list, field, sizeof(list));
    const mr_param one = {.type = param->item_type};
    const size_t size = mr_param_item_size(param);
    lua_createtable(lua, list.count < 100000 ? (int)list.count : 100000, 0);
    for (size_t i = 0; i < list.count; i++) {
        const char *item = (const char *)list.items + i * size;
        if (param->fields)
            mr_ops_push_params(lua, param->fields, item);
        else
            push_param(lua, &one, item);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
}

static void push_param(lua_State *lua, const mr_param *param, const char *field)
{
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    int32_t choice = 0;
    const char *text = NULL;
    mr_ratio ratio = {0};
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL:
        memcpy(&boolean, field, sizeof(boolean));
        lua_pushboolean(lua, boolean);
        return;
    case MR_PARAM_TYPE_NUMBER:
        memcpy(&number, field, sizeof(number));
        lua_pushnumber(lua, number);
        return;
    case MR_PARAM_TYPE_CHOICE:
        memcpy(&choice, field, sizeof(choice));
        lua_pushstring(lua, param->choices[choice]);
        return;
    case MR_PARAM_TYPE_DURATION:
        memcpy(&integer, field, sizeof(integer));
        lua_pushnumber(lua, (double)integer / 1e6);
        return;
    case MR_PARAM_TYPE_LIST: push_list(lua, param, field); return;
    case MR_PARAM_TYPE_RATIO:
        memcpy(&ratio, field, sizeof(ratio));
        if (ratio.den)
            lua_pushnumber(lua, (double)ratio.num / ratio.den);
        else
            lua_pushnil(lua);
        return;
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL:
        memcpy(&text, field, sizeof(text));
        lua_pushstring(lua, text);
        return;
    case MR_PARAM_TYPE_JSON: {
        memcpy(&text, field, sizeof(text));
        json_t *value = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : json_null();
        if (!value)
            luaL_error(lua, "a param can't be read");
        mr_script_take_json(lua, value);
        return;
    }
    default:
        memcpy(&integer, field, sizeof(integer));
        lua_pushinteger(lua, integer);
        return;
    }
}

void mr_ops_push_params(lua_State *lua, const mr_param *table, const void *params)
{
    luaL_checkstack(lua, 8, "nested too deeply");
    lua_newtable(lua);
    for (const mr_param *param = table; param && param->name; param++) {
        push_param(lua, param, (const char *)params + param->offset);
        lua_setfield(lua, -2, param->name);
    }
}

/* A param that was not given is nil; one that there is not is an error. */
static int params_index(lua_State *lua)
{
    const char *names[128];
    size_t count = 0;
    const mr_script_op *op = task_of(lua)->op;
    const char *name = luaL_checkstring(lua, 2);
    for (const mr_param *param = op->pub.params; param && param->name && count < 128; param++) {
        names[count++] = param->name;
        if (strcmp(param->name, name) == 0)
            return 0;
    }
    const char *near = mr_nearest(name, names, count);
    return near ? luaL_error(lua, "op '%s' has no param '%s'; did you mean '%s'?", op->pub.name, name, near)
                : luaL_error(lua, "op '%s' has no param '%s'", op->pub.name, name);
}

/* ---- outputs ---- */

static int content_free(lua_State *lua)
{
    content *mine = luaL_checkudata(lua, 1, CONTENT);
    task_of(lua)->host->content_free(mine->content);
    mine->content = NULL;
    return 0;
}

static int task_content(lua_State *lua)
{
    mr_ops_task *it = check_task(lua);
    content *mine = lua_newuserdatauv(lua, sizeof(*mine), 0);
    *mine = (content){0};
    luaL_setmetatable(lua, CONTENT);
    mr_status status = it->host->content_new(it->task, &mine->content);
    return status == MR_OK ? 1 : host_failed(lua, status);
}

static int content_write(lua_State *lua)
{
    content *mine = luaL_testudata(lua, 1, CONTENT);
    if (!mine)
        return luaL_error(lua, "a content's functions are called with a colon, as in out:write(text)");
    if (!mine->content)
        return luaL_error(lua, "this content has been emitted");
    for (int i = 2; i <= lua_gettop(lua); i++) {
        size_t len = 0;
        const char *data = luaL_checklstring(lua, i, &len);
        mr_status status = task_of(lua)->host->content_write_at(mine->content, mine->size, data, len);
        if (status != MR_OK)
            return host_failed(lua, status);
        mine->size += len;
    }
    lua_settop(lua, 1);
    return 1;
}

/* The table at index as canonical text; caller frees. May raise. */
static char *meta_text(lua_State *lua, int index)
{
    const char *why = NULL;
    if (lua_isnoneornil(lua, index))
        return strdup("{}");
    luaL_checktype(lua, index, LUA_TTABLE);
    json_t *meta = mr_script_read_json(lua, index, MR_OPS_META_MAX, &why);
    if (json_is_array(meta) && json_array_size(meta) == 0) { /* {} */
        json_decref(meta);
        meta = json_object();
    }
    char *text = json_is_object(meta) ? mr_json_text(meta) : NULL;
    const bool other = meta && !json_is_object(meta);
    json_decref(meta);
    if (!text)
        luaL_error(lua, "the metadata can't be used: %s", other ? "it is a list, not a table with named fields" : why ? why : "memory ran out");
    return text;
}

static mr_status emit_content(lua_State *lua, mr_ops_task *it, uint32_t port, const char *meta)
{
    size_t len = 0;
    content *mine = luaL_testudata(lua, 4, CONTENT);
    const mr_artifact *artifact = mr_ops_to_artifact(lua, 4);
    if (lua_isnoneornil(lua, 4))
        return it->host->emit(it->task, port, meta, NULL);
    if (lua_type(lua, 4) == LUA_TSTRING) {
        const char *data = lua_tolstring(lua, 4, &len);
        return it->host->emit_bytes(it->task, port, meta, data, len);
    }
    if (artifact)
        return it->host->emit_from(it->task, port, meta, artifact);
    mr_content *taken = mine->content;
    mine->content = NULL;
    return it->host->emit(it->task, port, meta, taken);
}

/* task:emit(port, metadata, content): content is a text, what task:content() gave, or an artifact whose content it shares; or none. */
static int task_emit(lua_State *lua)
{
    mr_ops_task *it = check_task(lua);
    const uint32_t port = find_port(lua, it->op->pub.outputs, "output", luaL_checkstring(lua, 2));
    const content *mine = luaL_testudata(lua, 4, CONTENT);
    const bool fits = lua_isnoneornil(lua, 4) || lua_type(lua, 4) == LUA_TSTRING || mr_ops_to_artifact(lua, 4) || mine;
    luaL_argcheck(lua, fits, 4, "a content is a text, an artifact, or what task:content() gave");
    if (mine && !mine->content)
        return luaL_error(lua, "this content has been emitted");
    char *meta = meta_text(lua, 3);
    if (!meta)
        return luaL_error(lua, "memory ran out");
    mr_status status = emit_content(lua, it, port, meta);
    free(meta);
    return status == MR_OK ? 0 : host_failed(lua, status);
}

/* ---- being a good task ---- */

static int task_progress(lua_State *lua)
{
    mr_ops_task *it = check_task(lua);
    it->fraction = luaL_checknumber(lua, 2);
    luaL_argcheck(lua, it->fraction >= 0 && it->fraction <= 1, 2, "a fraction is from 0 to 1");
    it->host->progress(it->task, it->fraction);
    return 0;
}

static int task_cancelled(lua_State *lua)
{
    mr_ops_task *it = check_task(lua);
    lua_pushboolean(lua, it->host->cancelled(it->task));
    return 1;
}

static int say(lua_State *lua, mr_severity severity)
{
    size_t len = 0;
    mr_ops_task *it = check_task(lua);
    const char *text = luaL_checklstring(lua, 2, &len);
    luaL_argcheck(lua, len <= MR_OPS_WORDS_MAX, 2, "a message has at most 2000 bytes");
    if (++it->words > MR_OPS_WORDS)
        return luaL_error(lua, "a task says at most 100 things");
    it->host->report(it->task, severity, NULL, NULL, "%s", text);
    return 0;
}

static int task_log(lua_State *lua)
{
    return say(lua, MR_SEVERITY_NOTE);
}

static int task_warn(lua_State *lua)
{
    return say(lua, MR_SEVERITY_WARNING);
}

static const char *field_text(lua_State *lua, int index, const char *field)
{
    size_t len = 0;
    if (!lua_istable(lua, index) || lua_getfield(lua, index, field) == LUA_TNIL)
        return NULL;
    const char *text = luaL_checklstring(lua, -1, &len);
    luaL_argcheck(lua, len <= MR_OPS_WORDS_MAX, index, "a text in it is longer than 2000 bytes");
    return text;
}

/* task:fail(message, {param = …, hint = …}): an input, or a param, can't be used. */
static int task_fail(lua_State *lua)
{
    static const char *const fields[] = {"param", "hint", NULL};
    size_t len = 0;
    mr_ops_task *it = check_task(lua);
    const char *text = luaL_checklstring(lua, 2, &len);
    luaL_argcheck(lua, len <= MR_OPS_WORDS_MAX, 2, "a message has at most 2000 bytes");
    lua_settop(lua, 3);
    if (lua_istable(lua, 3))
        mr_script_check_fields(lua, 3, "what task:fail() takes", fields);
    const char *param = field_text(lua, 3, "param");
    const char *hint = field_text(lua, 3, "hint");
    it->host->report(it->task, MR_SEVERITY_ERROR, param, hint, "%s", text);
    it->told = true;
    lua_pushvalue(lua, 2);
    return mr_script_raise(lua, param ? MR_ERR_PARAM : MR_ERR_INPUT);
}

/* ---- the object ---- */

const luaL_Reg mr_ops_task_functions[] = {{"emit", task_emit},           {"content", task_content}, {"progress", task_progress},
                                          {"cancelled", task_cancelled}, {"log", task_log},         {"warn", task_warn},
                                          {"fail", task_fail},           {"next", task_next},       {NULL, NULL}};

static int push_value(lua_State *lua, int which)
{
    if (lua_getiuservalue(lua, 1, which) == LUA_TTABLE)
        return 1;
    const mr_ops_task *it = task_of(lua);
    if (which == VALUE_PARAMS)
        mr_ops_push_params(lua, it->op->pub.params, it->params);
    else
        lua_newtable(lua);
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, which == VALUE_PARAMS ? params_index : inputs_index);
    lua_setfield(lua, -2, "__index");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, which);
    return 1;
}

static int task_index(lua_State *lua)
{
    const char *names[16] = {"inputs", "params"};
    size_t count = 2;
    const char *name = luaL_checkstring(lua, 2);
    if (strcmp(name, "inputs") == 0)
        return push_value(lua, VALUE_INPUTS);
    if (strcmp(name, "params") == 0)
        return push_value(lua, VALUE_PARAMS);
    for (const luaL_Reg *function = mr_ops_task_functions; function->name; function++) {
        names[count++] = function->name;
        if (strcmp(function->name, name) == 0) {
            lua_pushcfunction(lua, function->func);
            return 1;
        }
    }
    const char *near = mr_nearest(name, names, count);
    return near ? luaL_error(lua, "a task has no '%s'; did you mean '%s'?", name, near) : luaL_error(lua, "a task has no '%s'", name);
}

static void open_content(lua_State *lua)
{
    luaL_newmetatable(lua, CONTENT);
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, content_write);
    lua_setfield(lua, -2, "write");
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, content_free);
    lua_setfield(lua, -2, "__gc");
    lua_pushliteral(lua, "a content");
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

/* Protected: what the state needs besides the library. */
static int open_task(lua_State *lua)
{
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    mr_ops_open_artifacts(lua);
    open_content(lua);
    luaL_newmetatable(lua, TASK);
    lua_pushcfunction(lua, task_index);
    lua_setfield(lua, -2, "__index");
    lua_pushliteral(lua, "a task");
    lua_setfield(lua, -2, "__metatable");
    return 0;
}

/* Protected: calls the run function of the op with the task. */
static int call_run(lua_State *lua)
{
    lua_getfield(lua, LUA_REGISTRYINDEX, MR_OPS_KEPT);
    if (lua_getfield(lua, -1, task_of(lua)->op->pub.name) != LUA_TFUNCTION)
        return luaL_error(lua, "the script does not offer op '%s' any more: what it offers must not change from run to run",
                          task_of(lua)->op->pub.name);
    lua_newuserdatauv(lua, 0, VALUE_COUNT);
    luaL_setmetatable(lua, TASK);
    lua_call(lua, 1, 0);
    return 0;
}

/* ---- running ---- */

static bool tick(void *context)
{
    mr_ops_task *it = context;
    if (it->host->cancelled(it->task))
        return false;
    const int64_t now = mr_now_us();
    if (now - it->beat_us > BEAT_US) {
        it->beat_us = now;
        it->host->progress(it->task, it->fraction);
    }
    return true;
}

/* "captions.lua:12: …; called from captions.lua:30": a report has no other place for the lines. */
static void report(const mr_ops_task *it, const mr_diags *diags)
{
    char calls[512] = "";
    size_t len = 0;
    const mr_diag *diag = mr_diags_first(diags);
    if (!diag)
        return;
    for (const mr_diag *note = diag->notes; note && len < sizeof(calls); note = note->next) {
        const int added = snprintf(calls + len, sizeof(calls) - len, "%s %s:%u", len == 0 ? "; called from" : ",", note->span.file, note->span.line);
        len += added > 0 ? (size_t)added : 0;
    }
    if (diag->span.line > 0)
        it->host->report(it->task, MR_SEVERITY_ERROR, NULL, diag->hint, "%s:%u: %s%s", diag->span.file, diag->span.line, diag->message, calls);
    else
        it->host->report(it->task, MR_SEVERITY_ERROR, NULL, diag->hint, "%s: %s", it->op->script->bundle->path, diag->message);
}

static mr_status run_script(mr_script *script, mr_diags *diags)
{
    if (!mr_script_define(script, "op", mr_ops_lua_define) || !mr_script_define(script, "filter", mr_script_ignored))
        return MR_ERR_NOMEM;
    lua_pushcfunction(mr_script_lua(script), open_task);
    mr_status status = mr_script_call(script, 0, 0, diags);
    if (status == MR_OK)
        status = mr_script_run(script, 0, diags);
    lua_pushcfunction(mr_script_lua(script), call_run);
    return status == MR_OK ? mr_script_call(script, 0, 0, diags) : status;
}

static mr_status run_task(const mr_host *host, const mr_batch_task *view)
{
    const mr_script_op *op = (const mr_script_op *)(const void *)view->op;
    mr_ops_task it = {.host = host, .task = view->task, .op = op, .params = view->params, .beat_us = mr_now_us()};
    const mr_script_options options = {
        .bundle = op->script->bundle, .memory = op->limits.memory, .time_us = op->limits.time_us, .tick = tick, .context = &it};
    mr_diags *diags = mr_diags_new();
    mr_script *script = diags ? mr_script_new(&options) : NULL;
    mr_status status = script ? run_script(script, diags) : MR_ERR_NOMEM;
    if (status == MR_ERR_PARAM && !it.told)
        status = MR_ERR_INTERNAL; /* the script's own defect */
    if (status < 0 && !it.told && status != MR_ERR_CANCELLED)
        report(&it, diags);
    mr_script_free(script);
    mr_diags_free(diags);
    return status;
}

mr_status mr_ops_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        status = run_task(host, &batch->tasks[i]);
        if (batch->count > 1)
            host->finish(batch->tasks[i].task, status);
    }
    return status;
}
