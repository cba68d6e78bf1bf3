/* SPDX-License-Identifier: MIT */
/* The value tree: look-ups, and ways in and out of JSON. */
#include "config/value.h"
#include "base/units.h"
#include "config/value_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JSON_DEPTH_MAX 64

const mr_entry *mr_value_entry(const mr_value *map, const char *key)
{
    if (!map || map->type != MR_VALUE_MAP)
        return NULL;
    for (size_t i = 0; i < map->map.count; i++)
        if (strcmp(map->map.entries[i].key, key) == 0)
            return &map->map.entries[i];
    return NULL;
}

const mr_value *mr_value_get(const mr_value *map, const char *key)
{
    const mr_entry *entry = mr_value_entry(map, key);
    return entry ? entry->value : NULL;
}

const char *mr_value_type_name(mr_value_type type)
{
    switch (type) {
    case MR_VALUE_NULL: return "nothing";
    case MR_VALUE_BOOL: return "true or false";
    case MR_VALUE_INT: return "a whole number";
    case MR_VALUE_NUMBER: return "a number";
    case MR_VALUE_TEXT: return "text";
    case MR_VALUE_LIST: return "a list";
    case MR_VALUE_MAP: return "a map";
    }
    return "nothing";
}

/* --- plain scalars --- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

void mr_value_resolve(mr_value *value)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    const char *text = value->text;
    int64_t integer = 0;
    double number = 0;
    value->type = MR_VALUE_TEXT;
    if (is_one_of(text, nulls)) {
        value->type = MR_VALUE_NULL;
    } else if (is_one_of(text, yes) || is_one_of(text, no)) {
        value->type = MR_VALUE_BOOL;
        value->boolean = is_one_of(text, yes);
    } else if (mr_parse_int(text, &integer, NULL) == MR_OK) {
        value->type = MR_VALUE_INT;
        value->integer = integer;
    } else if (mr_parse_number(text, &number, NULL) == MR_OK) {
        value->type = MR_VALUE_NUMBER; /* also whole numbers that 64 bits can't hold; their text is kept */
        value->number = number;
    }
}

const mr_value *mr_value_scalar(mr_arena *arena, const char *text, mr_span span)
{
    mr_value *value = mr_arena_take(arena, sizeof(*value));
    char *copy = mr_arena_copy(arena, text, strlen(text));
    if (!value || !copy)
        return NULL;
    *value = (mr_value){.span = span, .text = copy};
    mr_value_resolve(value);
    return value;
}

/* --- JSON --- */

json_t *mr_value_to_json(const mr_value *value)
{
    json_t *json = NULL;
    switch (value->type) {
    case MR_VALUE_NULL: return json_null();
    case MR_VALUE_BOOL: return json_boolean(value->boolean);
    case MR_VALUE_INT: return json_integer(value->integer);
    case MR_VALUE_NUMBER: return json_real(value->number);
    case MR_VALUE_TEXT: return json_string(value->text);
    case MR_VALUE_LIST:
        json = json_array();
        for (size_t i = 0; json && i < value->list.count; i++) {
            if (json_array_append_new(json, mr_value_to_json(value->list.items[i])) != 0) {
                json_decref(json);
                json = NULL;
            }
        }
        return json;
    case MR_VALUE_MAP:
        json = json_object();
        for (size_t i = 0; json && i < value->map.count; i++) {
            if (json_object_set_new(json, value->map.entries[i].key, mr_value_to_json(value->map.entries[i].value)) != 0) {
                json_decref(json);
                json = NULL;
            }
        }
        return json;
    }
    return NULL;
}

/* The shortest text that reads as the same number, without an exponent where people would write none: units are parsed from it. */
static const char *number_text(mr_arena *arena, double number)
{
    char text[64] = "";
    double back = 0;
    double size = fabs(number);
    if (size == 0 || (size >= 1e-6 && size < 1e15)) {
        for (int places = 1; places <= 20; places++) {
            snprintf(text, sizeof(text), "%.*f", places, number);
            for (char *at = text; *at; at++)
                if (*at == ',')
                    *at = '.'; /* whatever the locale's decimal point is */
            if (mr_parse_number(text, &back, NULL) == MR_OK && back == number)
                return mr_arena_copy(arena, text, strlen(text));
        }
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        for (char *at = text; *at; at++)
            if (*at == ',')
                *at = '.';
        if (mr_parse_number(text, &back, NULL) == MR_OK && back == number)
            break;
    }
    return mr_arena_copy(arena, text, strlen(text));
}

static const mr_value *from_json(mr_arena *arena, const json_t *json, mr_span span, unsigned depth);

static bool list_from_json(mr_arena *arena, const json_t *json, mr_span span, unsigned depth, mr_value *value)
{
    size_t count = json_array_size(json);
    const mr_value **items = mr_arena_take_array(arena, count, sizeof(const mr_value *));
    if (!items)
        return false;
    for (size_t i = 0; i < count; i++) {
        items[i] = from_json(arena, json_array_get(json, i), span, depth + 1);
        if (!items[i])
            return false;
    }
    value->type = MR_VALUE_LIST;
    value->list.items = items;
    value->list.count = count;
    return true;
}

static bool map_from_json(mr_arena *arena, const json_t *json, mr_span span, unsigned depth, mr_value *value)
{
    const char *key = NULL;
    json_t *member = NULL;
    size_t at = 0;
    mr_entry *entries = mr_arena_take_array(arena, json_object_size(json), sizeof(*entries));
    if (!entries)
        return false;
    json_object_foreach((json_t *)json, key, member)
    {
        entries[at].key = mr_arena_copy(arena, key, strlen(key));
        entries[at].key_span = span;
        entries[at].value = from_json(arena, member, span, depth + 1);
        if (!entries[at].key || !entries[at].value)
            return false;
        at++;
    }
    value->type = MR_VALUE_MAP;
    value->map.entries = entries;
    value->map.count = at;
    return true;
}

static bool scalar_from_json(mr_arena *arena, const json_t *json, mr_value *value)
{
    switch (json_typeof(json)) {
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = MR_VALUE_BOOL;
        value->boolean = json_is_true(json);
        value->text = value->boolean ? "true" : "false";
        return true;
    case JSON_INTEGER:
        value->type = MR_VALUE_INT;
        value->integer = json_integer_value(json);
        value->text = mr_arena_printf(arena, "%lld", (long long)value->integer);
        return value->text;
    case JSON_REAL:
        value->type = MR_VALUE_NUMBER;
        value->number = json_real_value(json);
        value->text = number_text(arena, value->number);
        return value->text;
    case JSON_STRING:
        value->type = MR_VALUE_TEXT;
        value->text = mr_arena_copy(arena, json_string_value(json), json_string_length(json));
        value->quoted = true;
        return value->text;
    default:
        value->type = MR_VALUE_NULL;
        value->text = "";
        return true;
    }
}

static const mr_value *from_json(mr_arena *arena, const json_t *json, mr_span span, unsigned depth)
{
    mr_value *value = mr_arena_take(arena, sizeof(*value));
    if (!value || !json || depth > JSON_DEPTH_MAX)
        return NULL;
    value->span = span;
    bool done = json_is_array(json)    ? list_from_json(arena, json, span, depth, value)
                : json_is_object(json) ? map_from_json(arena, json, span, depth, value)
                                       : scalar_from_json(arena, json, value);
    return done ? value : NULL;
}

const mr_value *mr_value_from_json(mr_arena *arena, const json_t *json, mr_span span)
{
    return from_json(arena, json, span, 0);
}
