/* SPDX-License-Identifier: MIT */
/*
 * Runs a script to see which pipeline it describes. Each call adds to the description as it comes, with the places of what it was given: what a
 * script does with its tables afterwards changes nothing.
 *
 * Invariant: nothing of ours is held by a C function that may still raise a Lua error; what is made is kept by mr_describing at once.
 */
#include "scripting/pipeline_internal.h"

#include "scripting/expr_internal.h"

#include <lauxlib.h>
#include <string.h>

const char *const mr_script_pipeline_fields[] = {"name", "description", "scripts", NULL};
const char *const mr_script_pipeline_methods[] = {"input", "param", "node", "output", NULL};
const char *const mr_script_node_fields[] = {"help", "each", "cross", "from", "with", "when", "retry", "timeout", "on_error", "trigger", NULL};

/* What mr_script_node_fields are called in YAML; 'each', 'cross' and the like are maps also when they are empty. */
static const struct {
    const char *yaml;
    bool map;
} node_keys[] = {{"help", false}, {"each", true},  {"for", true},      {"in", true},        {"with", true},
                 {"when", false}, {"retry", true}, {"timeout", false}, {"on_error", false}, {"trigger", false}};

#define FIELDS_MAX 16

static mr_describing *describing(lua_State *lua)
{
    return mr_script_context(mr_script_of(lua));
}

/* ---- one call ---- */

typedef struct call {
    mr_describing *to;
    lua_State *lua;
    mr_value_reader reader;
    mr_area at;
    mr_area args[MR_AREA_ARGS];
    const char *what;                /* "node 'probe'"; on the stack */
    const char *instead[FIELDS_MAX]; /* of the fields, by their number: how it is misspelled. So that a mistake is told once */
} call;

/* Where the script calls method; what raises is over when this has returned. */
static call begin_call(lua_State *lua, const char *method, const char *name)
{
    call c = {.to = describing(lua), .lua = lua};
    const mr_span here = mr_script_here(lua, 1);
    c.at = (mr_area){.file = &c.to->bundle->files[0], .begin = 0, .end = 1};
    for (size_t i = 0; i < c.to->bundle->count && here.line > 0; i++)
        if (c.to->bundle->files[i].path == here.file)
            mr_area_call(&c.to->bundle->files[i], (int)here.line, method, name, &c.at, c.args);
    c.what = name ? lua_pushfstring(lua, "%s '%s'", method, name) : method;
    luaL_checkstack(lua, 16, "calls within calls");
    mr_lua_push_object_mark(lua);
    c.reader = (mr_value_reader){.to = c.to, .lua = lua, .mark = lua_gettop(lua)};
    return c;
}

static mr_area arg_area(const call *c, size_t arg)
{
    return c->args[arg].end > 0 ? c->args[arg] : c->at;
}

/* The field that was meant by key; NULL: nobody knows. */
static const char *meant(const char *key, const char *const *fields, size_t *ret_index)
{
    size_t count = 0;
    while (fields[count])
        count++;
    const char *near = mr_nearest(key, fields, count);
    if (strcmp(key, "in") == 0 || strcmp(key, "for") == 0)
        near = strcmp(key, "in") == 0 ? "from" : "cross";
    for (size_t i = 0; near && i < count; i++)
        if (strcmp(near, fields[i]) == 0)
            *ret_index = i;
    return near;
}

static void hint_fields(const call *c, const char *key, const char *near, const char *const *fields)
{
    char all[256] = "";
    size_t len = 0;
    for (size_t i = 0; fields[i]; i++)
        len += len < sizeof(all) ? (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", fields[i]) : 0;
    if (strcmp(key, "in") == 0 || strcmp(key, "for") == 0)
        mr_hint(c->to->diags, "in Lua it is called '%s', as '%s' is a word of the language", near, key);
    else if (near)
        mr_hint(c->to->diags, "did you mean '%s'?", near);
    else
        mr_hint(c->to->diags, "it has: %s", all);
}

/* Misspelled fields of the table at index, all of them. */
static void check_fields(call *c, int index, mr_area area, const char *const *fields)
{
    lua_pushnil(c->lua);
    while (lua_next(c->lua, index)) {
        lua_pop(c->lua, 1);
        const char *key = lua_type(c->lua, -1) == LUA_TSTRING ? lua_tostring(c->lua, -1) : NULL;
        bool known = false;
        for (size_t i = 0; key && fields[i] && !known; i++)
            known = strcmp(key, fields[i]) == 0;
        if (known)
            continue;
        mr_area where = {0};
        if (key)
            mr_area_entry(area, key, 0, &where);
        mr_error(c->to->diags, "unknown-key", mr_area_span(where.end ? where : area), key ? "%s has no field '%s'" : "%s takes named fields only",
                 c->what, key ? key : "");
        size_t index_meant = 0;
        const char *near = key ? meant(key, fields, &index_meant) : NULL;
        if (key)
            hint_fields(c, key, near, fields);
        if (near)
            c->instead[index_meant] = key;
    }
}

/* The value at index; NULL: said where. */
static json_t *read_value(call *c, int index, mr_area area)
{
    c->reader.why = NULL;
    c->reader.depth = 0;
    json_t *value = mr_describe_value(&c->reader, index, area);
    c->to->refused |= !value;
    if (!value)
        mr_error(c->to->diags, "script", mr_area_span(c->reader.at.end ? c->reader.at : c->at), "%s can't have this value: %s", c->what,
                 c->reader.why);
    return value;
}

static bool is_empty_list(const json_t *value)
{
    return strcmp(json_string_value(json_array_get(value, 0)), "l") == 0 && json_array_size(json_array_get(value, 2)) == 0;
}

/* Appends; a value that is missing was told of. */
static bool add(json_t *list, json_t *take_entry)
{
    return take_entry && json_array_append_new(list, take_entry) == 0;
}

/* The field of the table at index, or the one that is misspelled, as an entry with the key given. */
static void add_field(call *c, json_t *list, int index, mr_area area, size_t number, const char *const *fields, const char *key, bool map)
{
    mr_area key_area;
    const char *field = fields[number];
    lua_pushstring(c->lua, field);
    if (lua_rawget(c->lua, index) == LUA_TNIL && c->instead[number]) {
        lua_pop(c->lua, 1);
        field = c->instead[number];
        lua_pushstring(c->lua, field);
        lua_rawget(c->lua, index);
    }
    if (!lua_isnil(c->lua, -1)) {
        mr_area written = mr_area_entry(area, field, 0, &key_area);
        written = written.end ? written : area;
        json_t *value = read_value(c, lua_gettop(c->lua), written);
        if (value && map && is_empty_list(value))
            json_array_set_new(value, 0, json_string("m"));
        add(list, mr_describe_entry(c->to, key, key_area.end ? key_area : written, value));
    }
    lua_pop(c->lua, 1);
}

/* Adds name to what the pipeline has of its kind, unless it is there. */
static bool is_new(call *c, const char *method, const char *name)
{
    char id[256];
    snprintf(id, sizeof(id), "%s %.200s", method, name);
    const json_t *place = json_object_get(c->to->known, id);
    if (!place) {
        json_object_set_new(c->to->known, id, mr_place_json(c->to, arg_area(c, 0)));
        return true;
    }
    const mr_bundle_file *file = &c->to->bundle->files[json_integer_value(json_array_get(place, 0))];
    const mr_span first = {file->path, (uint32_t)json_integer_value(json_array_get(place, 1)), (uint32_t)json_integer_value(json_array_get(place, 2)),
                           (uint32_t)json_integer_value(json_array_get(place, 3))};
    mr_error(c->to->diags, "duplicate-key", mr_area_span(arg_area(c, 0)), "the pipeline has a %s '%s' already", method, name);
    mr_note(c->to->diags, first, "it was made here");
    return false;
}

/* The name that a method was given; how is an example of the call. */
static const char *check_call(lua_State *lua, const char *method, const char *how)
{
    const mr_handle *handle = mr_handle_at(lua, 1);
    if (!handle || handle->kind != MR_HANDLE_PIPELINE)
        luaL_error(lua, "'%s' is called with a colon, as in %s", method, how);
    if (lua_type(lua, 2) != LUA_TSTRING)
        luaL_error(lua, "'%s' takes a name first, as in %s", method, how);
    return lua_tostring(lua, 2);
}

static void check_table(lua_State *lua, int index, const char *method, const char *how)
{
    if (lua_type(lua, index) != LUA_TTABLE)
        luaL_error(lua, "'%s' takes a table here, as in %s, and got %s", method, how,
                   lua_isnoneornil(lua, index) ? "nothing" : luaL_typename(lua, index));
}

/* ---- the calls ---- */

static int add_declaration(lua_State *lua, const char *method, const char *how, mr_handle_kind kind, const char *handle)
{
    const char *name = check_call(lua, method, how);
    lua_settop(lua, 3);
    check_table(lua, 3, method, how);
    call c = begin_call(lua, method, name);
    if (is_new(&c, method, name)) {
        json_t *list = kind == MR_HANDLE_STREAM ? c.to->inputs : c.to->params;
        json_t *value = read_value(&c, 3, arg_area(&c, 1));
        if (value && is_empty_list(value))
            json_array_set_new(value, 0, json_string("m"));
        add(list, mr_describe_entry(c.to, name, arg_area(&c, 0), value));
    }
    mr_handle_push(lua, kind, lua_pushfstring(lua, handle, name));
    return 1;
}

static int add_input(lua_State *lua)
{
    return add_declaration(lua, "input", "p:input(\"source\", {type = \"media\"})", MR_HANDLE_STREAM, "inputs.%s");
}

static int add_param(lua_State *lua)
{
    return add_declaration(lua, "param", "p:param(\"preset\", {type = \"text\", default = \"medium\"})", MR_HANDLE_EXPR, "${params.%s}");
}

/* Streams that cross do so in an order, which a table with several keys does not have. */
static void check_cross(lua_State *lua, const char *name)
{
    int fields = 0;
    if (lua_getfield(lua, 4, "cross") == LUA_TTABLE) {
        lua_pushnil(lua);
        for (; lua_next(lua, -2); lua_pop(lua, 1))
            fields += lua_type(lua, -2) == LUA_TSTRING;
    }
    lua_pop(lua, 1);
    if (fields > 1)
        luaL_error(lua, "node '%s': streams cross in an order, so several are a list: cross = {{rung = …}, {track = …}}", name);
}

/* {{rung = …}, {track = …}} becomes one map, in that order. */
static void join_cross(json_t *fields)
{
    size_t i;
    json_t *field;
    json_t *one;
    size_t k;
    json_array_foreach(fields, i, field)
    {
        json_t *value = json_array_get(field, 2);
        json_t *maps = json_array_get(value, 2);
        if (strcmp(json_string_value(json_array_get(field, 0)), "for") != 0 || strcmp(json_string_value(json_array_get(value, 0)), "l") != 0)
            continue;
        json_t *entries = json_array();
        bool good = entries != NULL;
        json_array_foreach(maps, k, one)
        {
            good = good && strcmp(json_string_value(json_array_get(one, 0)), "m") == 0 && json_array_extend(entries, json_array_get(one, 2)) == 0;
        }
        if (good) {
            json_array_set_new(value, 0, json_string("m"));
            json_array_set(value, 2, entries);
        }
        json_decref(entries);
    }
}

/* Its entries, which the description holds already: what follows may raise. NULL: memory is short. */
static json_t *new_node(call *c, const char *name)
{
    json_t *entries = json_array();
    json_t *node = entries ? json_pack("[s, o, o]", "m", mr_place_json(c->to, arg_area(c, 0)), entries) : NULL;
    return add(c->to->nodes, mr_describe_entry(c->to, name, arg_area(c, 0), node)) ? entries : NULL;
}

#define NODE_HOW "p:node(\"probe\", \"probe.media\", {from = {source = source}})"

static int add_node(lua_State *lua)
{
    const char *name = check_call(lua, "node", NODE_HOW);
    if (lua_type(lua, 3) != LUA_TSTRING)
        return luaL_error(lua, "'node' takes the name of an op after its own, as in " NODE_HOW);
    if (lua_isnoneornil(lua, 4)) {
        lua_settop(lua, 3);
        lua_newtable(lua);
    }
    lua_settop(lua, 4);
    check_table(lua, 4, "node", NODE_HOW);
    check_cross(lua, name);
    call c = begin_call(lua, "node", name);
    check_fields(&c, 4, arg_area(&c, 2), mr_script_node_fields);
    json_t *entries = is_new(&c, "node", name) ? new_node(&c, name) : NULL;
    if (entries) {
        json_t *op = read_value(&c, 3, arg_area(&c, 1));
        add(entries, mr_describe_entry(c.to, "op", arg_area(&c, 1), op));
        for (size_t i = 0; i < sizeof(node_keys) / sizeof(node_keys[0]); i++)
            add_field(&c, entries, 4, arg_area(&c, 2), i, mr_script_node_fields, node_keys[i].yaml, node_keys[i].map);
        join_cross(entries);
    }
    mr_handle_push(lua, MR_HANDLE_NODE, name);
    return 1;
}

static int add_output(lua_State *lua)
{
    const char *name = check_call(lua, "output", "p:output(\"hls\", publish.hls)");
    lua_settop(lua, 3);
    const mr_handle *handle = mr_handle_at(lua, 3);
    if (!handle || handle->kind != MR_HANDLE_STREAM)
        return luaL_error(lua, "'output' takes a stream after its name, as in p:output(\"hls\", publish.hls), and got %s",
                          handle              ? "no stream"
                          : lua_isnil(lua, 3) ? "nothing"
                                              : luaL_typename(lua, 3));
    call c = begin_call(lua, "output", name);
    if (is_new(&c, "output", name))
        add(c.to->outputs, mr_describe_entry(c.to, name, arg_area(&c, 0), read_value(&c, 3, arg_area(&c, 1))));
    return 0;
}

static int no_method(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : luaL_typename(lua, 2);
    size_t count = 0;
    while (mr_script_pipeline_methods[count])
        count++;
    const char *near = mr_nearest(name, mr_script_pipeline_methods, count);
    return near ? luaL_error(lua, "a pipeline has no '%s'; did you mean '%s'?", name, near)
                : luaL_error(lua, "a pipeline has no '%s'; it has input, param, node and output", name);
}

static void open_pipeline_type(lua_State *lua)
{
    static const lua_CFunction functions[] = {add_input, add_param, add_node, add_output};
    luaL_newmetatable(lua, "mr.pipeline");
    lua_newtable(lua); /* the methods */
    for (size_t i = 0; mr_script_pipeline_methods[i]; i++) {
        lua_pushcfunction(lua, functions[i]);
        lua_setfield(lua, -2, mr_script_pipeline_methods[i]);
    }
    lua_newtable(lua); /* and what is asked when there is none of that name */
    lua_pushcfunction(lua, no_method);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, "pipeline");
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

static int make_pipeline(lua_State *lua)
{
    mr_describing *to = describing(lua);
    lua_settop(lua, 1);
    check_table(lua, 1, "millrace.pipeline", "millrace.pipeline{name = \"vod\"}");
    if (to->made)
        return luaL_error(lua, "a script describes one pipeline, and this is its second");
    to->made = true;
    call c = begin_call(lua, "pipeline", NULL);
    const mr_area fields = arg_area(&c, 0);
    c.what = "the pipeline";
    check_fields(&c, 1, fields, mr_script_pipeline_fields);
    add(to->top, mr_describe_entry(to, "millrace", c.at, json_pack("[s, o, i]", "s", mr_place_json(to, c.at), 1)));
    for (size_t i = 0; mr_script_pipeline_fields[i]; i++)
        add_field(&c, to->top, 1, fields, i, mr_script_pipeline_fields, mr_script_pipeline_fields[i], false);
    mr_handle_push(lua, MR_HANDLE_PIPELINE, "pipeline");
    return 1;
}

/* millrace.expr "CODE" */
static int make_expr(lua_State *lua)
{
    if (lua_type(lua, 1) != LUA_TSTRING)
        return luaL_error(lua, "millrace.expr takes the code of an expression, as in millrace.expr \"info.video ~= nil\"");
    mr_handle_push(lua, MR_HANDLE_EXPR, lua_pushfstring(lua, "${%s}", lua_tostring(lua, 1)));
    return 1;
}

/* What stands in a script of its own. */
static int no_op_here(lua_State *lua)
{
    return luaL_error(
        lua, "ops, filters and hooks stand in scripts of their own: a pipeline names those of its ops, as in scripts = {\"ops/captions.lua\"}");
}

static int open_types(lua_State *lua)
{
    mr_handles_open(lua);
    open_pipeline_type(lua);
    return 0;
}

/* ---- the whole ---- */

/* The root: what stands at the top, then what there is of inputs, params, nodes and outputs. */
static json_t *finish(mr_describing *to)
{
    const struct {
        const char *key;
        json_t *entries;
        bool always;
    } parts[] = {{"inputs", to->inputs, false}, {"params", to->params, false}, {"nodes", to->nodes, true}, {"outputs", to->outputs, false}};
    const mr_area begin = {.file = &to->bundle->files[0], .begin = 0, .end = 1};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (json_array_size(parts[i].entries) == 0 && !parts[i].always)
            continue;
        json_t *map = json_pack("[s, o, O]", "m", mr_place_json(to, begin), parts[i].entries);
        add(to->top, mr_describe_entry(to, parts[i].key, begin, map));
    }
    return json_pack("{s: [s, o, O]}", "root", "m", mr_place_json(to, begin), to->top);
}

static mr_status run(mr_script *script, mr_describing *to)
{
    lua_State *lua = mr_script_lua(script);
    lua_pushcfunction(lua, open_types);
    mr_status status = mr_script_call(script, 0, 0, to->diags);
    if (status == MR_OK)
        status = mr_script_run(script, 1, to->diags);
    const mr_span first = mr_area_span(mr_area_line(&to->bundle->files[0], 1));
    if (status != MR_OK || to->made)
        return status == MR_OK && to->refused ? MR_ERR_PARAM : status;
    mr_error(to->diags, "script", first, "the script describes no pipeline");
    if (lua_istable(lua, -1))
        mr_hint(to->diags,
                "it returns a table: make the pipeline by local p = millrace.pipeline{name = …}, then p:input, p:param, p:node and p:output");
    else
        mr_hint(to->diags, "it begins with local p = millrace.pipeline{name = …}");
    return MR_ERR_PARAM;
}

mr_status mr_script_pipeline_describe(const mr_bundle *bundle, size_t memory, mr_diags *diags, json_t **ret_description)
{
    mr_describing to = {.bundle = bundle, .diags = diags};
    const mr_script_options options = {.bundle = bundle, .memory = memory, .time_us = MR_SCRIPT_PIPELINE_TIME, .context = &to};
    mr_script *script = mr_script_new(&options);
    mr_status status = MR_ERR_NOMEM;
    *ret_description = NULL;
    to.top = json_array();
    to.inputs = json_array();
    to.params = json_array();
    to.nodes = json_array();
    to.outputs = json_array();
    to.known = json_object();
    if (script && to.top && to.inputs && to.params && to.nodes && to.outputs && to.known && mr_script_define(script, "pipeline", make_pipeline) &&
        mr_script_define(script, "expr", make_expr) && mr_script_define(script, "op", no_op_here) && mr_script_define(script, "filter", no_op_here) &&
        mr_script_define(script, "hooks", no_op_here))
        status = run(script, &to);
    if (status == MR_OK && !(*ret_description = finish(&to)))
        status = MR_ERR_NOMEM;
    json_decref(to.top);
    json_decref(to.inputs);
    json_decref(to.params);
    json_decref(to.nodes);
    json_decref(to.outputs);
    json_decref(to.known);
    mr_script_free(script);
    return status;
}
