/* SPDX-License-Identifier: MIT */
/*
 * See filters.h. A state runs the whole script once; millrace.filter keeps the functions of the one filter that it is for. Tables for the params, the
 * video and the frame are made once and stay in the registry, so that a frame costs one call.
 */
#include "scripting/filters.h"

#include "scripting/filters_watch.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 4096 };

/* In the registry, by address. */
static const char key_functions, key_params, key_video, key_frame;

typedef struct filter_state {
    const mr_script_filter *filter;
    const mr_host *host;
    mr_task *task;
    const void *params;
    const mr_video_format *video; /* while it is opened */
    mr_script *script;
    mr_filter_watch *watch;
    char *chain;
    bool known; /* the script has called millrace.filter for it */
} filter_state;

static filter_state *state_of(lua_State *lua)
{
    return mr_script_context(mr_script_of(lua));
}

/* ---- what the script calls ---- */

void mr_script_check_filter(lua_State *lua, int index)
{
    const int table = lua_absindex(lua, index);
    lua_getfield(lua, table, "name");
    const char *name = lua_tostring(lua, -1);
    if (lua_getfield(lua, table, "steer") != LUA_TFUNCTION)
        luaL_error(lua, "filter '%s' needs a steer function: steer = function(frame, params, video) ... end", name);
    const int chain = lua_getfield(lua, table, "chain");
    if (chain != LUA_TFUNCTION && chain != LUA_TSTRING)
        luaL_error(lua, "filter '%s' needs a chain: a text, or a function that gives one", name);
    lua_pop(lua, 3);
}

static int lua_filter(lua_State *lua)
{
    filter_state *state = state_of(lua);
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    if (lua_getfield(lua, 1, "name") != LUA_TSTRING || strcmp(lua_tostring(lua, -1), state->filter->pub.name) != 0)
        return 0;
    mr_script_check_filter(lua, 1);
    lua_pushvalue(lua, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_functions);
    state->known = true;
    return 0;
}

int mr_script_ignored(lua_State *lua)
{
    (void)lua;
    return 0;
}

/* ---- what we call ---- */

static size_t count_settings(const mr_script_filter *filter)
{
    size_t count = 0;
    while (filter->pub.settings[count])
        count++;
    return count;
}

/* Makes the tables, and leaves the chain's text. */
static int prepare(lua_State *lua)
{
    const filter_state *state = state_of(lua);
    const mr_video_format *video = state->video;
    if (state->filter->push_params)
        state->filter->push_params(lua, state->filter->pub.params, state->params);
    else
        lua_newtable(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_params);
    lua_createtable(lua, 0, 3);
    lua_pushinteger(lua, video->width);
    lua_setfield(lua, -2, "width");
    lua_pushinteger(lua, video->height);
    lua_setfield(lua, -2, "height");
    lua_pushnumber(lua, (double)video->frame_rate.num / video->frame_rate.den);
    lua_setfield(lua, -2, "frame_rate");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_video);
    lua_createtable(lua, 0, 2);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key_frame);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_functions);
    if (lua_getfield(lua, -1, "chain") == LUA_TFUNCTION) {
        lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_params);
        lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_video);
        lua_call(lua, 2, 1);
    }
    size_t len = 0;
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &len) : NULL;
    if (!text || len == 0 || len > CHAIN_MAX || strlen(text) != len)
        return luaL_error(lua, "filter '%s': the chain must be a text of 1 to %d bytes", state->filter->pub.name, CHAIN_MAX);
    return 1;
}

/* One argument, a light pointer to the picture: calls steer, and leaves a text for each setting. */
static int call_steer(lua_State *lua)
{
    const mr_picture *frame = lua_touserdata(lua, 1);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_functions);
    lua_getfield(lua, -1, "steer");
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_frame);
    lua_pushinteger(lua, frame->number);
    lua_setfield(lua, -2, "number");
    lua_pushnumber(lua, (double)frame->time_us / 1e6);
    lua_setfield(lua, -2, "time");
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_params);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key_video);
    lua_call(lua, 3, 1);
    const filter_state *state = state_of(lua);
    const char *const *settings = state->filter->pub.settings;
    if (!lua_istable(lua, -1))
        return luaL_error(lua, "filter '%s': steer must give a table, {[\"%s\"] = …}", state->filter->pub.name, settings[0]);
    mr_script_check_fields(lua, lua_gettop(lua), "what steer gives", settings);
    const int values = lua_gettop(lua);
    const int count = (int)count_settings(state->filter);
    luaL_checkstack(lua, count, "too many settings");
    for (int i = 0; i < count; i++) { /* numbers become texts here, where memory may run out safely */
        const int type = lua_getfield(lua, values, settings[i]);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(lua, "filter '%s': steer gives no text or number for '%s'", state->filter->pub.name, settings[i]);
        lua_tostring(lua, -1);
    }
    return count;
}

/* The first mistake, with its line. */
static mr_status fail(const filter_state *state, mr_status status, const mr_diags *diags)
{
    const mr_diag *diag = mr_diags_first(diags);
    if (status == MR_ERR_CANCELLED)
        return status;
    if (diag && diag->span.line)
        state->host->report(state->task, MR_SEVERITY_ERROR, NULL, diag->hint, "%s:%u: %s", diag->span.file, (unsigned)diag->span.line, diag->message);
    else
        state->host->report(state->task, MR_SEVERITY_ERROR, NULL, diag ? diag->hint : NULL, "filter '%s': %s", state->filter->pub.name,
                            diag ? diag->message : "out of memory");
    return status;
}

static bool tick(void *context)
{
    const filter_state *state = context;
    mr_filter_watch_enter(state->watch);
    return !state->host->cancelled(state->task);
}

/* ---- the filter ---- */

static void close_filter(void *opaque)
{
    filter_state *state = opaque;
    if (!state)
        return;
    mr_filter_watch_free(state->watch);
    mr_script_free(state->script);
    free(state->chain);
    free(state);
}

static mr_status start(filter_state *state, mr_diags *diags)
{
    lua_State *lua = mr_script_lua(state->script);
    mr_status status =
        mr_script_define(state->script, "filter", lua_filter) && mr_script_define(state->script, "op", mr_script_ignored) ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_script_run(state->script, 0, diags);
    if (status == MR_OK && !state->known) {
        mr_error(diags, "script-filter", (mr_span){.file = state->filter->script->bundle->path, .line = 1, .col = 1, .len = 1},
                 "the script offers no filter '%s' when it is run again", state->filter->pub.name);
        status = MR_ERR_PARAM;
    }
    if (status == MR_OK)
        lua_pushcfunction(lua, prepare);
    if (status == MR_OK)
        status = mr_script_call(state->script, 0, 1, diags);
    if (status == MR_OK) {
        state->chain = strdup(lua_tostring(lua, -1));
        status = state->chain ? MR_OK : MR_ERR_NOMEM;
        lua_pop(lua, 1);
    }
    return status;
}

static mr_status open_filter(const mr_host *host, mr_task *task, const mr_frame_filter *filter, const void *params, const mr_video_format *in,
                             mr_video_format *out, void **ret_state)
{
    const mr_script_filter *own = (const mr_script_filter *)filter;
    mr_diags *diags = mr_diags_new();
    filter_state *state = calloc(1, sizeof(*state));
    (void)out; /* the size follows from the chain */
    if (!diags || !state) {
        mr_diags_free(diags);
        free(state);
        return MR_ERR_NOMEM;
    }
    *state = (filter_state){.filter = own, .host = host, .task = task, .params = params, .video = in};
    const mr_script_options options = {
        .bundle = own->script->bundle, .memory = own->limits.memory, .time_us = own->limits.time_us, .tick = tick, .context = state};
    state->script = mr_script_new(&options);
    state->watch = mr_filter_watch_new(host, task, own);
    mr_status status = state->script && state->watch ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK) {
        mr_filter_watch_enter(state->watch);
        status = start(state, diags);
        mr_filter_watch_leave(state->watch);
    }
    state->video = NULL;
    if (status != MR_OK) {
        status = fail(state, status, diags);
        close_filter(state);
        state = NULL;
    }
    *ret_state = state;
    mr_diags_free(diags);
    return status;
}

static const char *chain_of(void *opaque)
{
    return ((const filter_state *)opaque)->chain;
}

static mr_status steer(void *opaque, const mr_picture *frame, const mr_steering *to)
{
    filter_state *state = opaque;
    lua_State *lua = mr_script_lua(state->script);
    mr_diags *diags = mr_diags_new();
    if (!diags)
        return MR_ERR_NOMEM;
    mr_filter_watch_enter(state->watch);
    lua_pushcfunction(lua, call_steer);
    lua_pushlightuserdata(lua, (void *)frame);
    const uint32_t count = (uint32_t)count_settings(state->filter);
    mr_status status = mr_script_call(state->script, 1, (int)count, diags);
    mr_filter_watch_leave(state->watch);
    if (status != MR_OK)
        status = fail(state, status, diags);
    for (uint32_t i = 0; status == MR_OK && i < count; i++)
        status = to->set(to, i, lua_tostring(lua, (int)i - (int)count));
    lua_settop(lua, 0);
    mr_diags_free(diags);
    return status;
}

static const mr_script_filter *script_filter(const mr_frame_filter *filter)
{
    return filter->open == open_filter ? (const mr_script_filter *)(const void *)filter : NULL;
}

const mr_ops_script *mr_filter_script_of(const mr_frame_filter *filter)
{
    const mr_script_filter *mine = script_filter(filter);
    return mine ? mine->script : NULL;
}

mr_span mr_filter_span(const mr_frame_filter *filter)
{
    const mr_script_filter *mine = script_filter(filter);
    return mine ? mine->span : (mr_span){0};
}

void mr_script_filter_init(mr_script_filter *filter)
{
    filter->pub.size = sizeof(filter->pub);
    filter->pub.flags = 0;
    filter->pub.open = open_filter;
    filter->pub.close = close_filter;
    filter->pub.chain = chain_of;
    filter->pub.steer = steer;
}
