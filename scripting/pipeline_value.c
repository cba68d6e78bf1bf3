/* SPDX-License-Identifier: MIT */
/* Values of a script as the values of a description, each with the place where it is written. Raises no Lua error: what it holds would be lost. */
#include "scripting/pipeline_internal.h"

#include "scripting/expr_internal.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *mr_place_json(const mr_describing *to, mr_area area)
{
    const mr_span span = mr_area_span(area);
    size_t file = 0;
    while (file + 1 < to->bundle->count && &to->bundle->files[file] != area.file)
        file++;
    return json_pack("[i, i, i, i]", (int)file, (int)span.line, (int)span.col, (int)span.len);
}

static json_t *make(const mr_describing *to, const char *kind, mr_area area, json_t *take_payload)
{
    return take_payload ? json_pack("[s, o, o]", kind, mr_place_json(to, area), take_payload) : NULL;
}

json_t *mr_describe_text(mr_describing *to, const char *text, mr_area area)
{
    to->bytes += strlen(text);
    return make(to, "s", area, json_string(text));
}

json_t *mr_describe_entry(const mr_describing *to, const char *key, mr_area key_area, json_t *take_value)
{
    return take_value ? json_pack("[s, o, o]", key, mr_place_json(to, key_area), take_value) : NULL;
}

static json_t *refuse(mr_value_reader *reader, const char *why, mr_area area)
{
    if (!reader->why) {
        reader->why = why;
        reader->at = area;
    }
    return NULL;
}

/*
 * An expression is written as its code, without ${ and }: its place begins two bytes early, so that a column within the text is the same column of
 * the file.
 */
static mr_area code_area(mr_area area, const char *text)
{
    const char *written = area.file ? area.file->text + area.begin : "";
    const size_t code = strlen(text) - 3; /* "${" and "}" */
    for (uint32_t i = 2; area.end > 0 && area.begin + i + code <= area.end; i++)
        if (strncmp(written + i, text + 2, code) == 0 && (written[i - 1] == '"' || written[i - 1] == '\''))
            return (mr_area){area.file, area.begin + i - 2, area.begin + i + (uint32_t)code + 1};
    return area;
}

static json_t *read_handle(mr_value_reader *reader, const mr_handle *handle, int index, mr_area area)
{
    const char *text = mr_handle_text(reader->lua, index);
    json_t *value = NULL;
    if (handle->kind == MR_HANDLE_NODE)
        refuse(reader, "a node is no stream: name one of its outputs, as in probe.info", area);
    else if (handle->kind == MR_HANDLE_PIPELINE)
        refuse(reader, "a pipeline is not a value", area);
    else
        value = mr_describe_text(reader->to, text, handle->kind == MR_HANDLE_EXPR ? code_area(area, text) : area);
    lua_pop(reader->lua, 1);
    return value ? value : refuse(reader, "memory ran out", area);
}

static json_t *read_number(mr_value_reader *reader, int index, mr_area area)
{
    const double number = lua_tonumber(reader->lua, index);
    if (lua_isinteger(reader->lua, index))
        return make(reader->to, "s", area, json_integer(lua_tointeger(reader->lua, index)));
    if (!isfinite(number))
        return refuse(reader, "it is not a finite number", area);
    /* 720 / 2 is 360, as in expressions. */
    const bool whole = number == floor(number) && fabs(number) <= 9007199254740992.0;
    return make(reader->to, "s", area, whole ? json_integer((json_int_t)number) : json_real(number));
}

static json_t *read_text(mr_value_reader *reader, int index, mr_area area)
{
    size_t len = 0;
    const char *text = lua_tolstring(reader->lua, index, &len);
    if (strlen(text) != len)
        return refuse(reader, "a text holds a NUL byte", area);
    if (reader->to->bytes > MR_SCRIPT_PIPELINE_TEXTS || len > MR_SCRIPT_PIPELINE_TEXTS - reader->to->bytes)
        return refuse(reader, "the texts of the pipeline are longer than 1 MiB", area);
    json_t *value = mr_describe_text(reader->to, text, area);
    return value ? value : refuse(reader, "a text is not UTF-8", area);
}

/* ---- tables ---- */

static json_t *read_list(mr_value_reader *reader, int index, size_t count, mr_area area)
{
    json_t *list = json_array();
    for (size_t i = 1; list && i <= count; i++) {
        mr_area key;
        const mr_area written = mr_area_entry(area, NULL, i, &key);
        lua_rawgeti(reader->lua, index, (lua_Integer)i);
        json_t *item = lua_isnil(reader->lua, -1) ? refuse(reader, "a list has a hole", area)
                                                  : mr_describe_value(reader, lua_gettop(reader->lua), written.end ? written : area);
        lua_pop(reader->lua, 1);
        if (!item || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return refuse(reader, "memory ran out", area);
        }
    }
    return make(reader->to, "l", area, list);
}

typedef struct text_key {
    const char *text;
    int index; /* on the stack */
} text_key;

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const text_key *)a)->text, ((const text_key *)b)->text);
}

/* Its keys, sorted, as Lua keeps them in no order; they lie on the stack, for the caller to pop. NULL: refused. */
static text_key *push_keys(mr_value_reader *reader, int index, size_t count, mr_area area)
{
    size_t n = 0;
    bool plain = true;
    lua_State *lua = reader->lua;
    text_key *keys = count < INT_MAX && lua_checkstack(lua, (int)count + 8) ? calloc(count + 1, sizeof(*keys)) : NULL;
    if (!keys) {
        refuse(reader, "memory ran out", area);
        return NULL;
    }
    lua_pushnil(lua);
    while (lua_next(lua, index)) {
        size_t len = 0;
        lua_pop(lua, 1);
        const char *text = lua_tolstring(lua, -1, &len); /* a text already */
        plain = plain && strlen(text) == len;
        keys[n] = (text_key){text, lua_gettop(lua)};
        n++;
        lua_pushvalue(lua, -1);
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    if (plain)
        return keys;
    free(keys);
    refuse(reader, "a key holds a NUL byte", area);
    return NULL;
}

static json_t *read_map(mr_value_reader *reader, int index, size_t count, mr_area area)
{
    lua_State *lua = reader->lua;
    const int top = lua_gettop(lua);
    json_t *map = json_array();
    text_key *keys = push_keys(reader, index, count, area);
    bool good = map && keys;
    for (size_t i = 0; i < count && good; i++) {
        mr_area key;
        const mr_area written = mr_area_entry(area, keys[i].text, 0, &key);
        reader->to->bytes += strlen(keys[i].text);
        lua_pushvalue(lua, keys[i].index);
        lua_rawget(lua, index);
        json_t *value = mr_describe_value(reader, lua_gettop(lua), written.end ? written : area);
        lua_pop(lua, 1);
        json_t *entry = mr_describe_entry(reader->to, keys[i].text, key.end ? key : area, value);
        good = entry && json_array_append_new(map, entry) == 0;
    }
    free(keys);
    lua_settop(lua, top);
    if (good)
        return make(reader->to, "m", area, map);
    json_decref(map);
    return refuse(reader, "a key is not UTF-8, or memory ran out", area);
}

static bool is_object(mr_value_reader *reader, int index)
{
    if (!lua_getmetatable(reader->lua, index))
        return false;
    const bool same = lua_rawequal(reader->lua, -1, reader->mark);
    lua_pop(reader->lua, 1);
    return same;
}

static json_t *read_table(mr_value_reader *reader, int index, mr_area area)
{
    size_t texts = 0;
    size_t numbers = 0;
    const size_t len = lua_rawlen(reader->lua, index);
    lua_pushnil(reader->lua);
    while (lua_next(reader->lua, index)) {
        lua_pop(reader->lua, 1);
        texts += lua_type(reader->lua, -1) == LUA_TSTRING;
        numbers += lua_isinteger(reader->lua, -1);
        if (lua_type(reader->lua, -1) != LUA_TSTRING && !lua_isinteger(reader->lua, -1)) {
            lua_pop(reader->lua, 1);
            return refuse(reader, "a table has a key that is neither a text nor a whole number", area);
        }
    }
    if (texts > 0 && numbers > 0)
        return refuse(reader, "a table is both a list and a map", area);
    if (texts > 0 || is_object(reader, index))
        return read_map(reader, index, texts, area);
    return numbers == len ? read_list(reader, index, len, area) : refuse(reader, "a list has a hole", area);
}

json_t *mr_describe_value(mr_value_reader *reader, int index, mr_area area)
{
    json_t *value = NULL;
    lua_State *lua = reader->lua;
    if (++reader->to->values > MR_SCRIPT_PIPELINE_VALUES)
        return refuse(reader, "the pipeline has more than 100,000 values", area);
    if (reader->depth >= MR_SCRIPT_PIPELINE_DEPTH)
        return refuse(reader, "it is nested more than 32 levels deep", area);
    if (!lua_checkstack(lua, 8))
        return refuse(reader, "memory ran out", area);
    reader->depth++;
    const mr_handle *handle = mr_handle_at(lua, index);
    switch (handle ? LUA_TUSERDATA : lua_type(lua, index)) {
    case LUA_TBOOLEAN: value = make(reader->to, "s", area, json_boolean(lua_toboolean(lua, index))); break;
    case LUA_TNUMBER: value = read_number(reader, index, area); break;
    case LUA_TSTRING: value = read_text(reader, index, area); break;
    case LUA_TTABLE: value = read_table(reader, index, area); break;
    case LUA_TUSERDATA: value = handle ? read_handle(reader, handle, index, area) : refuse(reader, "it is not a value", area); break;
    case LUA_TFUNCTION: return refuse(reader, "a function is not a value", area);
    default: return refuse(reader, "it is not a value", area);
    }
    reader->depth--;
    return value ? value : refuse(reader, "memory ran out", area);
}
