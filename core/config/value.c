/* SPDX-License-Identifier: MIT */
/* See value.h. Scalars follow the core schema of YAML 1.2 (section 10.3). */
#include "config/value.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

const mr_entry *mr_value_entry(const mr_value *map, const char *key)
{
    if (!map || map->type != MR_VALUE_MAP)
        return NULL;
    for (size_t i = 0; i < map->map.count; i++) {
        if (strcmp(map->map.entries[i].key, key) == 0)
            return &map->map.entries[i];
    }
    return NULL;
}

const mr_value *mr_value_get(const mr_value *map, const char *key)
{
    const mr_entry *entry = mr_value_entry(map, key);
    return entry ? entry->value : NULL;
}

const char *mr_value_type_name(mr_value_type type)
{
    static const char *const names[] = {"nothing", "true or false", "a whole number", "a number", "text", "a list", "a map"};
    return names[type];
}

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
                return NULL;
            }
        }
        return json;
    default:
        json = json_object();
        for (size_t i = 0; json && i < value->map.count; i++) {
            if (json_object_set_new(json, value->map.entries[i].key, mr_value_to_json(value->map.entries[i].value)) != 0) {
                json_decref(json);
                return NULL;
            }
        }
        return json;
    }
}

static mr_value *list_from_json(mr_arena *arena, const json_t *json, mr_span span, mr_value *value)
{
    const mr_value **items = mr_arena_take_array(arena, json_array_size(json), sizeof(*items));
    if (!items)
        return NULL;
    value->type = MR_VALUE_LIST;
    value->list.count = json_array_size(json);
    value->list.items = items;
    for (size_t i = 0; i < value->list.count; i++) {
        items[i] = mr_value_from_json(arena, json_array_get(json, i), span);
        if (!items[i])
            return NULL;
    }
    return value;
}

static mr_value *map_from_json(mr_arena *arena, const json_t *json, mr_span span, mr_value *value)
{
    mr_entry *entries = mr_arena_take_array(arena, json_object_size(json), sizeof(*entries));
    const char *key;
    json_t *child;
    if (!entries)
        return NULL;
    value->type = MR_VALUE_MAP;
    value->map.entries = entries;
    json_object_foreach((json_t *)json, key, child)
    {
        mr_entry *entry = &entries[value->map.count++];
        *entry = (mr_entry){.key = mr_arena_copy(arena, key, strlen(key)), .key_span = span, .value = mr_value_from_json(arena, child, span)};
        if (!entry->key || !entry->value)
            return NULL;
    }
    return value;
}

const mr_value *mr_value_from_json(mr_arena *arena, const json_t *json, mr_span span)
{
    mr_value *value = mr_arena_take(arena, sizeof(*value));
    if (!value)
        return NULL;
    value->span = span;
    switch (json_typeof(json)) {
    case JSON_OBJECT: return map_from_json(arena, json, span, value);
    case JSON_ARRAY: return list_from_json(arena, json, span, value);
    case JSON_STRING:
        value->type = MR_VALUE_TEXT;
        value->quoted = true;
        value->text = mr_arena_copy(arena, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        value->type = MR_VALUE_INT;
        value->integer = json_integer_value(json);
        value->text = mr_arena_printf(arena, "%lld", (long long)value->integer);
        break;
    case JSON_REAL:
        value->type = MR_VALUE_NUMBER;
        value->number = json_real_value(json);
        value->text = mr_arena_printf(arena, "%.15g", value->number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = MR_VALUE_BOOL;
        value->boolean = json_is_true(json);
        value->text = value->boolean ? "true" : "false";
        break;
    default: value->type = MR_VALUE_NULL; value->text = "null";
    }
    return value->text ? value : NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static bool read_octal(const char *text, int64_t *ret_value)
{
    char *end = NULL;
    if (strncmp(text, "0o", 2) != 0 || text[2] < '0' || text[2] > '7')
        return false;
    *ret_value = strtoll(text + 2, &end, 8);
    return *end == '\0';
}

const mr_value *mr_value_scalar(mr_arena *arena, const char *text, mr_span span)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    const char *why = NULL;
    mr_value *value = mr_arena_take(arena, sizeof(*value));
    char *copy = mr_arena_copy(arena, text, strlen(text));
    if (!value || !copy)
        return NULL;
    value->span = span;
    value->text = copy;
    value->type = MR_VALUE_TEXT;
    if (is_one_of(text, nulls)) {
        value->type = MR_VALUE_NULL;
    } else if (is_one_of(text, trues) || is_one_of(text, falses)) {
        value->type = MR_VALUE_BOOL;
        value->boolean = is_one_of(text, trues);
    } else if (mr_parse_int(text, &value->integer, &why) == MR_OK || read_octal(text, &value->integer)) {
        value->type = MR_VALUE_INT;
    } else {
        double number = 0;
        if (mr_parse_number(text, &number, &why) == MR_OK) {
            value->type = MR_VALUE_NUMBER;
            value->number = number;
        }
    }
    return value;
}
