/* SPDX-License-Identifier: MIT */
/* What tables say of themselves: canonical JSON, words for people, JSON Schema, and a check of the tables. */
#include "config/params_internal.h"

#include <string.h>

/* ---- canonical JSON ---- */

static json_t *field_json(const mr_param *param, const char *field);

static json_t *list_json(const mr_param *param, const mr_list *list)
{
    size_t size = param->fields ? param->item_size : mr_param_kind_of(param->item_type)->size;
    const mr_param one = {.name = param->name, .type = param->item_type};
    json_t *json = json_array();
    for (size_t i = 0; json && i < list->count; i++) {
        const char *item = (const char *)list->items + i * size;
        if (json_array_append_new(json, param->fields ? mr_params_json(param->fields, item) : field_json(&one, item)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *field_json(const mr_param *param, const char *field)
{
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    int32_t index = 0;
    const char *text = NULL;
    mr_ratio ratio = {0};
    mr_list list = {0};
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: memcpy(&boolean, field, sizeof(boolean)); return json_boolean(boolean);
    case MR_PARAM_TYPE_NUMBER: memcpy(&number, field, sizeof(number)); return json_real(number);
    case MR_PARAM_TYPE_CHOICE: memcpy(&index, field, sizeof(index)); return json_string(param->choices[index]);
    case MR_PARAM_TYPE_RATIO: memcpy(&ratio, field, sizeof(ratio)); return json_pack("[i, i]", ratio.num, ratio.den);
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL: memcpy(&text, field, sizeof(text)); return text ? json_string(text) : json_null();
    case MR_PARAM_TYPE_JSON: memcpy(&text, field, sizeof(text)); return text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
    case MR_PARAM_TYPE_LIST: memcpy(&list, field, sizeof(list)); return list_json(param, &list);
    default: memcpy(&integer, field, sizeof(integer)); return json_integer(integer);
    }
}

json_t *mr_params_json(const mr_param *table, const void *params)
{
    json_t *json = json_object();
    for (const mr_param *param = table; json && param && param->name; param++) {
        if (param->flags & MR_PARAM_SILENT)
            continue;
        if (json_object_set_new(json, param->name, field_json(param, (const char *)params + param->offset)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

/* ---- words ---- */

const char *mr_names_text(mr_arena *arena, const char *const *names, size_t count)
{
    const char *text = "";
    for (size_t i = 0; text && i < count; i++)
        text = mr_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : i + 1 == count ? " and " : ", ", names[i]);
    return text ? text : "";
}

const char *mr_choices_text(mr_arena *arena, const char *const *choices)
{
    const char *text = "";
    for (size_t i = 0; text && choices[i]; i++)
        text = mr_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    return text ? text : "";
}

const char *mr_param_type_text(mr_arena *arena, const mr_param *param)
{
    const char *names[64];
    size_t count = 0;
    if (param->type != MR_PARAM_TYPE_LIST)
        return mr_param_kind_of(param->type)->name;
    if (!param->fields) {
        const char *text = mr_arena_printf(arena, "list of %s", mr_param_kind_of(param->item_type)->name);
        return text ? text : "list";
    }
    const char *fields = "";
    for (const mr_param *field = param->fields; field->name && count < 64; field++)
        names[count++] = field->name;
    for (size_t i = 0; fields && i < count; i++)
        fields = mr_arena_printf(arena, "%s%s%s", fields, i ? ", " : "", names[i]);
    const char *text = fields ? mr_arena_printf(arena, "list of {%s}", fields) : NULL;
    return text ? text : "list";
}

/* ---- JSON Schema ---- */

static json_t *with_pattern(const char *pattern)
{
    return json_pack("[{s:s}, {s:s, s:s}]", "type", "number", "type", "string", "pattern", pattern);
}

static json_t *value_schema(const mr_param *param)
{
    json_t *words = NULL;
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: return json_pack("{s:s}", "type", "boolean");
    case MR_PARAM_TYPE_INT: return json_pack("{s:s}", "type", "integer");
    case MR_PARAM_TYPE_NUMBER: return json_pack("{s:s}", "type", "number");
    case MR_PARAM_TYPE_TEXT: return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
    case MR_PARAM_TYPE_CHOICE:
        words = json_array();
        for (size_t i = 0; param->choices[i]; i++)
            json_array_append_new(words, json_string(param->choices[i]));
        return json_pack("{s:o}", "enum", words);
    case MR_PARAM_TYPE_DURATION: return json_pack("{s:o}", "anyOf", with_pattern("^([0-9.]+(us|ms|s|m|min|h)?)+$"));
    case MR_PARAM_TYPE_BITRATE: return json_pack("{s:o}", "anyOf", with_pattern("^[0-9.]+[kKMG]?(bps|bit/s)?$"));
    case MR_PARAM_TYPE_SIZE: return json_pack("{s:o}", "anyOf", with_pattern("^[0-9.]+([kKMGT]i?)?B?$"));
    case MR_PARAM_TYPE_RATIO: return json_pack("{s:o}", "anyOf", with_pattern("^[0-9.]+([/:][0-9.]+)?$"));
    case MR_PARAM_TYPE_URL: return json_pack("{s:s, s:s}", "type", "string", "format", "uri");
    case MR_PARAM_TYPE_LIST: {
        const mr_param one = {.name = param->name, .type = param->item_type};
        return json_pack("{s:s, s:o}", "type", "array", "items", param->fields ? mr_params_schema(param->fields) : value_schema(&one));
    }
    default: return json_object();
    }
}

static json_t *param_schema(const mr_param *param)
{
    json_t *schema = json_pack("{s:[o, {s:s, s:s}]}", "anyOf", value_schema(param), "type", "string", "pattern", "\\$\\{");
    if (!schema)
        return NULL;
    char range[128] = "";
    if (param->min || param->max)
        snprintf(range, sizeof(range), " (%s … %s)", param->min ? param->min : "", param->max ? param->max : "");
    char description[640];
    snprintf(description, sizeof(description), "%s%s", param->help ? param->help : "", range);
    json_object_set_new(schema, "description", json_string(description));
    if (param->standard)
        json_object_set_new(schema, "default", json_string(param->standard));
    return schema;
}

json_t *mr_params_schema(const mr_param *table)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    for (const mr_param *param = table; param && param->name; param++) {
        json_object_set_new(properties, param->name, param_schema(param));
        if (param->flags & MR_PARAM_REQUIRED)
            json_array_append_new(required, json_string(param->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required, "additionalProperties", 0);
}

/* ---- checking tables ---- */

static bool is_snake_case(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z')
        return false;
    for (; *name; name++) {
        if (!(*name >= 'a' && *name <= 'z') && !(*name >= '0' && *name <= '9') && *name != '_')
            return false;
    }
    return true;
}

static mr_status table_error(mr_diags *diags, const char *what, const mr_param *param, const char *why)
{
    mr_error(diags, "bad-table", (mr_span){0}, "%s: the table's param '%s' %s", what, param->name, why);
    return MR_ERR_PARAM;
}

static mr_status check_default(const mr_param *param, const char *what, mr_diags *diags)
{
    char field[64] = {0};
    mr_arena *arena = mr_arena_new(1 << 20);
    mr_diags *found = mr_diags_new();
    const mr_param alone[] = {{.name = param->name, .type = param->type, .standard = param->standard, .min = param->min, .max = param->max,
                               .choices = param->choices, .item_type = param->item_type, .fields = param->fields, .item_size = param->item_size},
                              MR_PARAM_END};
    mr_status status = arena && found ? mr_params_bind(alone, NULL, what, (mr_span){0}, arena, field, sizeof(field), NULL, found) : MR_ERR_NOMEM;
    mr_diags_free(found);
    mr_arena_free(arena);
    return status == MR_ERR_PARAM ? table_error(diags, what, param, "has a default that it would not accept") : status;
}

static mr_status check_param(const mr_param *table, const mr_param *param, size_t size, const char *what, mr_diags *diags)
{
    const mr_param_kind *kind = mr_param_kind_of(param->type);
    if (!is_snake_case(param->name))
        return table_error(diags, what, param, "must be named in snake_case");
    for (const mr_param *other = table; other != param; other++) {
        if (strcmp(other->name, param->name) == 0)
            return table_error(diags, what, param, "stands twice");
    }
    if (!kind)
        return table_error(diags, what, param, "has an unknown type");
    if (!param->help || !param->help[0] || param->help[strlen(param->help) - 1] == '.')
        return table_error(diags, what, param, "needs a help text without a full stop");
    if (param->offset > size || kind->size > size - param->offset)
        return table_error(diags, what, param, "lies outside its struct");
    if (param->type == MR_PARAM_TYPE_CHOICE && (!param->choices || !param->choices[0]))
        return table_error(diags, what, param, "has no choices");
    if ((param->flags & MR_PARAM_REQUIRED) && param->standard)
        return table_error(diags, what, param, "is required, so it can't have a default");
    if (param->type == MR_PARAM_TYPE_LIST) {
        const mr_param_kind *item = mr_param_kind_of(param->item_type);
        bool scalar = item && param->item_type != MR_PARAM_TYPE_CHOICE && param->item_type != MR_PARAM_TYPE_LIST;
        if (!param->fields && !scalar)
            return table_error(diags, what, param, "is a list of an unknown type");
        if (param->fields && mr_params_check_table(param->fields, param->item_size, what, diags) != MR_OK)
            return MR_ERR_PARAM;
    }
    return param->standard ? check_default(param, what, diags) : MR_OK;
}

mr_status mr_params_check_table(const mr_param *table, size_t size, const char *what, mr_diags *diags)
{
    mr_status worst = MR_OK;
    for (const mr_param *param = table; param && param->name; param++) {
        mr_status status = check_param(table, param, size, what, diags);
        worst = status != MR_OK ? status : worst;
    }
    return worst;
}
