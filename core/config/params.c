/* SPDX-License-Identifier: MIT */
/*
 * Binding: a value tree into a struct, by a param table. One function per type of param; all mistakes are reported at their place.
 * Invariant: a field is written with a value within its limits, with its default, or not at all (zero).
 */
#include "config/params_internal.h"

#include <string.h>

const mr_param_kind *mr_param_kind_of(uint32_t type)
{
    static const mr_param_kind kinds[] = {
        [MR_PARAM_TYPE_BOOL] = {"bool", sizeof(bool), "true or false"},
        [MR_PARAM_TYPE_INT] = {"int", sizeof(int64_t), "a whole number"},
        [MR_PARAM_TYPE_NUMBER] = {"number", sizeof(double), "a number"},
        [MR_PARAM_TYPE_TEXT] = {"text", sizeof(const char *), "text"},
        [MR_PARAM_TYPE_CHOICE] = {"choice", sizeof(int32_t), "one of its choices"},
        [MR_PARAM_TYPE_DURATION] = {"duration", sizeof(int64_t), "a duration such as 4s"},
        [MR_PARAM_TYPE_BITRATE] = {"bitrate", sizeof(int64_t), "a bitrate such as 2.5M"},
        [MR_PARAM_TYPE_SIZE] = {"size", sizeof(int64_t), "a size such as 64MiB"},
        [MR_PARAM_TYPE_RATIO] = {"ratio", sizeof(mr_ratio), "a ratio such as 16:9"},
        [MR_PARAM_TYPE_URL] = {"url", sizeof(const char *), "an http(s) URL"},
        [MR_PARAM_TYPE_LIST] = {"list", sizeof(mr_list), "a list"},
        [MR_PARAM_TYPE_JSON] = {"any", sizeof(const char *), "any value"},
    };
    return type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].name ? &kinds[type] : NULL;
}

static bool bad_type(const binder *in, const mr_param *param, const mr_value *value, const char *why)
{
    bool scalar = value->text && value->type != MR_VALUE_NULL;
    if (scalar && why)
        mr_error(in->diags, "bad-value", value->span, "%s: '%s' takes %s, not '%s'", in->what, param->name, mr_param_kind_of(param->type)->expects, value->text);
    else
        mr_error(in->diags, "bad-type", value->span, "%s: '%s' takes %s, not %s", in->what, param->name, mr_param_kind_of(param->type)->expects,
                 mr_value_type_name(value->type));
    if (why)
        mr_hint(in->diags, "%s", why);
    return false;
}

/* ---- numbers ---- */

/* A limit as a plain number in base units; false: there is none. */
static bool limit_of(const mr_param *param, const char *text, double *ret_limit)
{
    int64_t integer = 0;
    mr_ratio ratio = {0};
    const char *why = NULL;
    if (!text)
        return false;
    switch (param->type) {
    case MR_PARAM_TYPE_NUMBER: return mr_parse_number(text, ret_limit, &why) == MR_OK;
    case MR_PARAM_TYPE_RATIO:
        if (mr_parse_ratio(text, &ratio, &why) != MR_OK)
            return false;
        *ret_limit = (double)ratio.num / ratio.den;
        return true;
    case MR_PARAM_TYPE_DURATION:
        if (mr_parse_duration(text, &integer, &why) != MR_OK)
            return false;
        break;
    case MR_PARAM_TYPE_BITRATE:
        if (mr_parse_bitrate(text, &integer, &why) != MR_OK)
            return false;
        break;
    case MR_PARAM_TYPE_SIZE:
        if (mr_parse_size(text, &integer, &why) != MR_OK)
            return false;
        break;
    default:
        if (mr_parse_int(text, &integer, &why) != MR_OK)
            return false;
    }
    *ret_limit = (double)integer;
    return true;
}

static bool check_limits(const binder *in, const mr_param *param, const mr_value *value, double number, const char *noun)
{
    double least = 0;
    double most = 0;
    bool low = limit_of(param, param->min, &least) && number < least;
    bool high = limit_of(param, param->max, &most) && number > most;
    if (!low && !high)
        return true;
    mr_error(in->diags, "out-of-range", value->span, "%s: '%s'%s is %s: '%s'", in->what, param->name, noun, low ? "too small" : "too large",
             value->text ? value->text : "…");
    if (param->min && param->max)
        mr_hint(in->diags, "expected %s … %s", param->min, param->max);
    else
        mr_hint(in->diags, low ? "expected at least %s" : "expected at most %s", low ? param->min : param->max);
    return false;
}

static bool bind_integer(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    int64_t number = 0;
    mr_status status = MR_ERR_PARAM;
    if (!value->text || value->type == MR_VALUE_NULL || value->type == MR_VALUE_BOOL)
        return bad_type(in, param, value, NULL);
    switch (param->type) {
    case MR_PARAM_TYPE_DURATION: status = mr_parse_duration(value->text, &number, &why); break;
    case MR_PARAM_TYPE_BITRATE: status = mr_parse_bitrate(value->text, &number, &why); break;
    case MR_PARAM_TYPE_SIZE: status = mr_parse_size(value->text, &number, &why); break;
    default:
        status = mr_parse_int(value->text, &number, &why);
        if (status != MR_OK && value->type == MR_VALUE_INT) { /* octal */
            number = value->integer;
            status = MR_OK;
        }
    }
    if (status != MR_OK)
        return bad_type(in, param, value, why);
    if (!check_limits(in, param, value, (double)number, ""))
        return false;
    memcpy(field, &number, sizeof(number));
    return true;
}

static bool bind_number(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    double number = value->type == MR_VALUE_INT ? (double)value->integer : value->number;
    if (value->type != MR_VALUE_INT && value->type != MR_VALUE_NUMBER)
        return bad_type(in, param, value, value->type == MR_VALUE_TEXT ? "write a number such as 0.5" : NULL);
    if (!check_limits(in, param, value, number, ""))
        return false;
    memcpy(field, &number, sizeof(number));
    return true;
}

static bool bind_ratio(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    mr_ratio ratio = {0};
    if (!value->text || value->type == MR_VALUE_NULL || value->type == MR_VALUE_BOOL)
        return bad_type(in, param, value, NULL);
    if (mr_parse_ratio(value->text, &ratio, &why) != MR_OK)
        return bad_type(in, param, value, why);
    if (!check_limits(in, param, value, (double)ratio.num / ratio.den, ""))
        return false;
    memcpy(field, &ratio, sizeof(ratio));
    return true;
}

/* ---- words ---- */

static bool bind_text(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    if (!value->text || value->type == MR_VALUE_NULL)
        return bad_type(in, param, value, NULL);
    if (param->type == MR_PARAM_TYPE_URL && mr_parse_url(value->text, &why) != MR_OK)
        return bad_type(in, param, value, why);
    if (param->type == MR_PARAM_TYPE_TEXT) {
        const mr_param length = {.name = param->name, .type = MR_PARAM_TYPE_INT, .min = param->min, .max = param->max};
        if (!check_limits(in, &length, value, (double)strlen(value->text), "'s length"))
            return false;
    }
    memcpy(field, &value->text, sizeof(value->text));
    return true;
}

static bool bind_choice(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    size_t count = 0;
    if (!value->text)
        return bad_type(in, param, value, NULL);
    for (; param->choices[count]; count++) {
        if (strcmp(param->choices[count], value->text) == 0) {
            int32_t index = (int32_t)count;
            memcpy(field, &index, sizeof(index));
            return true;
        }
    }
    const char *near = mr_nearest(value->text, param->choices, count);
    mr_error(in->diags, "bad-choice", value->span, "%s: '%s' can't be '%s'", in->what, param->name, value->text);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else
        mr_hint(in->diags, "expected %s", mr_choices_text(in->arena, param->choices));
    return false;
}

static bool bind_json(binder *in, const mr_value *value, void *field)
{
    json_t *json = mr_value_to_json(value);
    char *text = json ? mr_json_text(json) : NULL;
    const char *kept = text ? mr_arena_copy(in->arena, text, strlen(text)) : NULL;
    free(text);
    json_decref(json);
    if (!kept)
        return false;
    memcpy(field, &kept, sizeof(kept));
    return true;
}

/* ---- lists ---- */

static bool bind_list_item(binder *in, const mr_param *param, const mr_value *item, char *place)
{
    if (in->is_open && in->is_open(item))
        return true;
    if (!param->fields) {
        const mr_param one = {.name = param->name, .type = param->item_type};
        return mr_param_bind_one(in, &one, item, place);
    }
    if (item->type != MR_VALUE_MAP) {
        mr_error(in->diags, "bad-type", item->span, "%s: an item of '%s' must be a map, not %s", in->what, param->name, mr_value_type_name(item->type));
        mr_hint(in->diags, "write it as {%s: …}", param->fields[0].name);
        return false;
    }
    return mr_param_bind_map(in, param->fields, item, item->span, place);
}

static bool bind_list(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const mr_param length = {.name = param->name, .type = MR_PARAM_TYPE_INT, .min = param->min, .max = param->max};
    size_t size = param->fields ? param->item_size : mr_param_kind_of(param->item_type)->size;
    bool fine = true;
    if (value->type != MR_VALUE_LIST)
        return bad_type(in, param, value, NULL);
    if (!check_limits(in, &length, value, (double)value->list.count, "'s number of items"))
        return false;
    char *items = value->list.count ? mr_arena_take_array(in->arena, value->list.count, size) : NULL;
    if (value->list.count && !items) {
        in->nomem = true;
        return false;
    }
    for (size_t i = 0; i < value->list.count; i++)
        fine = bind_list_item(in, param, value->list.items[i], items + i * size) && fine;
    const mr_list list = {.items = items, .count = value->list.count};
    memcpy(field, &list, sizeof(list));
    return fine;
}

/* ---- one value, one map ---- */

bool mr_param_bind_one(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL:
        if (value->type != MR_VALUE_BOOL)
            return bad_type(in, param, value, value->type == MR_VALUE_TEXT ? "write true or false, without quotes" : NULL);
        memcpy(field, &value->boolean, sizeof(bool));
        return true;
    case MR_PARAM_TYPE_NUMBER: return bind_number(in, param, value, field);
    case MR_PARAM_TYPE_RATIO: return bind_ratio(in, param, value, field);
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL: return bind_text(in, param, value, field);
    case MR_PARAM_TYPE_CHOICE: return bind_choice(in, param, value, field);
    case MR_PARAM_TYPE_LIST: return bind_list(in, param, value, field);
    case MR_PARAM_TYPE_JSON: return bind_json(in, value, field);
    default: return bind_integer(in, param, value, field);
    }
}

static void unknown_param(const binder *in, const mr_param *table, const mr_entry *entry)
{
    const char *names[128] = {0};
    size_t count = 0;
    for (const mr_param *param = table; param && param->name && count < 128; param++)
        names[count++] = param->name;
    const char *near = mr_nearest(entry->key, names, count);
    mr_error(in->diags, "unknown-param", entry->key_span, "%s has no param '%s'", in->what, entry->key);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else if (count == 0)
        mr_hint(in->diags, "it takes no params");
    else
        mr_hint(in->diags, "it takes %s", mr_names_text(in->arena, names, count));
}

/* A default is written as in a pipeline, so lists and maps in it are YAML too. */
static bool bind_default(binder *in, const mr_param *param, void *field)
{
    const mr_value *value = NULL;
    const mr_span nowhere = {0};
    if (!param->standard)
        return true;
    if (param->type == MR_PARAM_TYPE_LIST || param->type == MR_PARAM_TYPE_JSON) {
        if (mr_yaml_read(in->arena, "default", param->standard, strlen(param->standard), &mr_yaml_limits_default, in->diags, &value) != MR_OK)
            return false;
    } else {
        value = mr_value_scalar(in->arena, param->standard, nowhere);
    }
    if (!value) {
        in->nomem = true;
        return false;
    }
    if (param->type == MR_PARAM_TYPE_TEXT && value->type == MR_VALUE_NULL) { /* the default "" */
        memcpy(field, &value->text, sizeof(value->text));
        return true;
    }
    return mr_param_bind_one(in, param, value, field);
}

bool mr_param_bind_map(binder *in, const mr_param *table, const mr_value *map, mr_span owner, char *out)
{
    bool fine = true;
    for (const mr_param *param = table; param && param->name; param++) {
        const mr_value *value = mr_value_get(map, param->name);
        if (value && in->is_open && in->is_open(value))
            continue;
        if (value && value->type == MR_VALUE_NULL && !(param->flags & MR_PARAM_REQUIRED) && param->type != MR_PARAM_TYPE_JSON)
            value = NULL; /* null: as if it were not there */
        if (value) {
            fine = mr_param_bind_one(in, param, value, out + param->offset) && fine;
        } else if (param->flags & MR_PARAM_REQUIRED) {
            mr_error(in->diags, "missing-param", owner, "%s needs the param '%s'", in->what, param->name);
            mr_hint(in->diags, "%s: %s", param->name, param->help ? param->help : mr_param_kind_of(param->type)->expects);
            fine = false;
        } else {
            fine = bind_default(in, param, out + param->offset) && fine;
        }
    }
    for (size_t i = 0; map && i < map->map.count; i++) {
        const mr_param *param = table;
        while (param && param->name && strcmp(param->name, map->map.entries[i].key) != 0)
            param++;
        if (!param || !param->name) {
            unknown_param(in, table, &map->map.entries[i]);
            fine = false;
        }
    }
    return fine;
}

mr_status mr_params_bind(const mr_param *table, const mr_value *map, const char *what, mr_span owner, mr_arena *arena, void *out, size_t size,
                         bool (*is_open)(const mr_value *value), mr_diags *diags)
{
    binder in = {.what = what, .arena = arena, .is_open = is_open, .diags = diags};
    memset(out, 0, size);
    if (map && map->type == MR_VALUE_NULL)
        map = NULL;
    if (map && map->type != MR_VALUE_MAP) {
        mr_error(diags, "bad-type", map->span, "%s: params must be a map, not %s", what, mr_value_type_name(map->type));
        return MR_ERR_PARAM;
    }
    if (mr_param_bind_map(&in, table, map, owner, out))
        return MR_OK;
    return in.nomem ? MR_ERR_NOMEM : MR_ERR_PARAM;
}
