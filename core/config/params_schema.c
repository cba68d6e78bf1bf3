/* SPDX-License-Identifier: MIT */
/* Tables for people and for editors: the type in words, and JSON Schema (2020-12). What the schema accepts is what binding accepts. */
#include "config/params_internal.h"
#include <string.h>

#define EXPRESSION "\\$\\{"

/* --- words --- */

const char *mr_param_type_text(mr_arena *arena, const mr_param *param)
{
    const mr_param_kind *kind = mr_param_kind_of(param->type);
    const mr_param_kind *item = mr_param_kind_of(param->item_type);
    if (param->type != MR_PARAM_TYPE_LIST)
        return kind ? kind->name : "unknown";
    const char *fields = "";
    for (const mr_param *field = param->fields; fields && field && field->name; field++)
        fields = mr_arena_printf(arena, "%s%s%s", fields, *fields ? ", " : "", field->name);
    const char *text = !fields         ? NULL
                       : param->fields ? mr_arena_printf(arena, "list of {%s}", fields)
                                       : mr_arena_printf(arena, "list of %s", item ? item->name : "unknown");
    return text ? text : "list";
}

/* --- JSON Schema --- */

/* The builders take ownership of what they are given, also on failure, and pass NULL on: one check at the end is enough. */
static json_t *set(json_t *object, const char *key, json_t *take_value)
{
    if (object && json_object_set_new(object, key, take_value) == 0)
        return object;
    if (!object)
        json_decref(take_value);
    json_decref(object);
    return NULL;
}

static json_t *append(json_t *list, json_t *take_value)
{
    if (list && json_array_append_new(list, take_value) == 0)
        return list;
    if (!list)
        json_decref(take_value);
    json_decref(list);
    return NULL;
}

/* What the value may be; lists are alternatives. */
static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *text_like(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *number_or_text(const char *number, const char *pattern)
{
    return append(append(json_array(), typed(number)), text_like(pattern));
}

static json_t *limited(const mr_param *param, json_t *take_schema, const char *least, const char *most)
{
    mr_param_amount amount;
    const char *texts[] = {param->min, param->max};
    const char *keys[] = {least, most};
    const mr_param number = {.type = param->type == MR_PARAM_TYPE_NUMBER ? MR_PARAM_TYPE_NUMBER : MR_PARAM_TYPE_INT};
    for (int i = 0; i < 2; i++)
        if (texts[i] && mr_param_amount_of(&number, texts[i], &amount, NULL) == MR_OK)
            take_schema = set(take_schema, keys[i], amount.real ? json_real(amount.number) : json_integer(amount.integer));
    return take_schema;
}

static json_t *choices_schema(const mr_param *param)
{
    json_t *words = json_array();
    for (const char *const *choice = param->choices; *choice; choice++)
        words = append(words, json_string(*choice));
    return set(json_object(), "enum", words);
}

static json_t *alternatives(const mr_param *param);

/* One value: its alternatives, or an expression. */
static json_t *value_schema(const mr_param *param)
{
    if (param->type == MR_PARAM_TYPE_JSON)
        return json_object(); /* anything, so an expression too */
    if (param->type == MR_PARAM_TYPE_FILTERS)
        return json_pack("{s:s}", "$ref", "#/$defs/filters"); /* of the pipeline's schema, which knows them */
    return set(json_object(), "anyOf", append(alternatives(param), text_like(EXPRESSION)));
}

static json_t *list_schema(const mr_param *param)
{
    const mr_param one = {.name = param->name, .type = param->item_type};
    json_t *items = param->fields ? mr_params_schema(param->fields) : value_schema(&one);
    if (param->fields)
        items = set(json_object(), "anyOf", append(append(json_array(), items), text_like(EXPRESSION)));
    return limited(param, set(typed("array"), "items", items), "minItems", "maxItems");
}

static json_t *alternatives(const mr_param *param)
{
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: return append(json_array(), typed("boolean"));
    case MR_PARAM_TYPE_INT:
        return append(append(json_array(), limited(param, typed("integer"), "minimum", "maximum")), text_like("^[-+]?[0-9]+$|^0[xo][0-9a-fA-F]+$"));
    case MR_PARAM_TYPE_NUMBER:
        return append(append(json_array(), limited(param, typed("number"), "minimum", "maximum")),
                      text_like("^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?$"));
    case MR_PARAM_TYPE_CHOICE: return append(json_array(), choices_schema(param));
    case MR_PARAM_TYPE_DURATION:
        return number_or_text("number",
                              "^[0-9]*\\.?[0-9]+$|^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?$|^([0-9]+h)?([0-9]+m)?([0-9]+s)?"
                              "([0-9]+ms)?[0-9]*\\.[0-9]+(h|m|s|ms|us)$");
    case MR_PARAM_TYPE_BITRATE: return number_or_text("number", "^[0-9]*\\.?[0-9]+ ?([kKMG]?(bps|bit/s)?)$");
    case MR_PARAM_TYPE_SIZE: return number_or_text("number", "^[0-9]*\\.?[0-9]+ ?(B|[kKMGT]B|[KMGT]iB)?$");
    case MR_PARAM_TYPE_RATIO: return number_or_text("number", "^[0-9]+[/:][0-9]+$|^[0-9]*\\.?[0-9]+$");
    case MR_PARAM_TYPE_URL:
        return append(json_array(), text_like(param->flags & MR_PARAM_SCHEMES ? "^[a-zA-Z][-a-zA-Z0-9+.]*://." : "^[hH][tT][tT][pP][sS]?://[^/?#]"));
    case MR_PARAM_TYPE_LIST: return append(json_array(), list_schema(param));
    default: /* text: numbers and words like true are taken as they are written */
        return append(append(append(json_array(), limited(param, typed("string"), "minLength", "maxLength")), typed("number")), typed("boolean"));
    }
}

/* Limits that JSON Schema can't say are said to the reader. */
static json_t *description(const mr_param *param)
{
    char text[1024];
    const char *help = param->help ? param->help : param->name;
    if (param->min && param->max)
        snprintf(text, sizeof(text), "%s (%s … %s)", help, param->min, param->max);
    else if (param->min || param->max)
        snprintf(text, sizeof(text), "%s (at %s %s)", help, param->min ? "least" : "most", param->min ? param->min : param->max);
    else
        snprintf(text, sizeof(text), "%s", help);
    return json_string(text);
}

static json_t *standard_json(const mr_param *param)
{
    mr_status status = MR_OK;
    mr_arena *arena = mr_arena_new(0);
    const mr_value *value = arena ? mr_param_standard(arena, param, NULL, &status) : NULL;
    json_t *json = value ? mr_value_to_json(value) : NULL;
    /* A default that isn't right is for mr_params_check_table() to tell of. */
    if (!json && status == MR_ERR_INPUT)
        json = json_string(param->standard);
    mr_arena_free(arena);
    return json;
}

static json_t *param_schema(const mr_param *param)
{
    json_t *schema = set(value_schema(param), "description", description(param));
    return param->standard ? set(schema, "default", standard_json(param)) : schema;
}

json_t *mr_params_schema(const mr_param *table)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    for (const mr_param *param = table; param && param->name; param++) {
        properties = set(properties, param->name, param_schema(param));
        if (param->flags & MR_PARAM_REQUIRED)
            required = append(required, json_string(param->name));
    }
    json_t *schema = set(set(typed("object"), "additionalProperties", json_false()), "properties", properties);
    if (!required || json_array_size(required) > 0)
        return set(schema, "required", required);
    json_decref(required);
    return schema;
}
