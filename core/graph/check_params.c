/* SPDX-License-Identifier: MIT */
/* The declarations under 'params', and reading a value by its declaration: the param tables of ops (config/params.h) do the work. */
#include "graph/check.h"
#include "config/params.h"

static const struct param_type {
    const char *name;
    mr_param_type type;
    mr_param_type limits; /* the type of min and max; END: it has none */
} param_types[] = {
    {"bool", MR_PARAM_TYPE_BOOL, MR_PARAM_TYPE_END},
    {"int", MR_PARAM_TYPE_INT, MR_PARAM_TYPE_INT},
    {"number", MR_PARAM_TYPE_NUMBER, MR_PARAM_TYPE_NUMBER},
    {"text", MR_PARAM_TYPE_TEXT, MR_PARAM_TYPE_INT},
    {"choice", MR_PARAM_TYPE_CHOICE, MR_PARAM_TYPE_END},
    {"duration", MR_PARAM_TYPE_DURATION, MR_PARAM_TYPE_DURATION},
    {"bitrate", MR_PARAM_TYPE_BITRATE, MR_PARAM_TYPE_BITRATE},
    {"size", MR_PARAM_TYPE_SIZE, MR_PARAM_TYPE_SIZE},
    {"ratio", MR_PARAM_TYPE_RATIO, MR_PARAM_TYPE_RATIO},
    {"url", MR_PARAM_TYPE_URL, MR_PARAM_TYPE_END},
    {"list", MR_PARAM_TYPE_LIST, MR_PARAM_TYPE_INT},
    {"map", MR_PARAM_TYPE_JSON, MR_PARAM_TYPE_END},
    {"any", MR_PARAM_TYPE_JSON, MR_PARAM_TYPE_END},
};
#define PARAM_TYPES (sizeof(param_types) / sizeof(param_types[0]))

static const char *const param_type_names[] = {"bool", "int",   "number", "text", "choice", "duration", "bitrate",
                                               "size", "ratio", "url",    "list", "map",    "any",      NULL};

typedef union any_field {
    bool boolean;
    int64_t integer;
    double number;
    const char *text;
    int32_t choice;
    mr_ratio ratio;
    mr_list list;
} any_field;

/* One value against a table of one param. */
static mr_status bind_one(mr_arena *arena, const mr_param *spec, const char *what, const mr_value *value, mr_diags *diags, any_field *ret_field)
{
    mr_param table[2] = {*spec, MR_PARAM_END};
    table[0].offset = 0;
    table[0].standard = NULL;
    table[0].flags = 0;
    mr_entry entry = {spec->name, value->span, value};
    mr_value map = {.type = MR_VALUE_MAP, .span = value->span, .map = {&entry, 1}};
    return mr_params_bind(table, &map, what, value->span, arena, ret_field, sizeof(*ret_field), NULL, diags);
}

static json_t *whole_or_real(double number)
{
    if (number >= -9007199254740992.0 && number <= 9007199254740992.0 && (double)(int64_t)number == number)
        return json_integer((json_int_t)number);
    return json_real(number);
}

/* As expressions see it: see mr_pipeline_bind. */
static json_t *field_json(const mr_pipeline_param *param, const any_field *field, const mr_value *value)
{
    switch (param->spec.type) {
    case MR_PARAM_TYPE_BOOL: return json_boolean(field->boolean);
    case MR_PARAM_TYPE_NUMBER: return json_real(field->number);
    case MR_PARAM_TYPE_INT:
    case MR_PARAM_TYPE_BITRATE:
    case MR_PARAM_TYPE_SIZE: return json_integer(field->integer);
    case MR_PARAM_TYPE_DURATION: return whole_or_real((double)field->integer / 1e6);
    case MR_PARAM_TYPE_RATIO: return field->ratio.den ? whole_or_real((double)field->ratio.num / field->ratio.den) : json_null();
    case MR_PARAM_TYPE_CHOICE: return json_string(param->spec.choices[field->choice]);
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL: return field->text ? json_string(field->text) : json_null();
    default: return mr_value_to_json(value);
    }
}

mr_status mr_param_read(mr_arena *arena, const mr_pipeline_param *param, const mr_value *value, mr_diags *diags, json_t **ret_json)
{
    any_field field = {0};
    if (strcmp(param->type, "map") == 0 && value->type != MR_VALUE_MAP) {
        mr_error(diags, "wrong-type", value->span, "the pipeline's params: '%s' must be a map, not %s", param->spec.name,
                 mr_value_type_name(value->type));
        return MR_ERR_PARAM;
    }
    mr_status status = bind_one(arena, &param->spec, "the pipeline's params", value, diags, &field);
    if (status != MR_OK)
        return status;
    *ret_json = field_json(param, &field, value);
    return *ret_json ? MR_OK : MR_ERR_NOMEM;
}

/* --- declarations --- */

/* A limit as a number, for comparing. */
static double field_number(mr_param_type type, const any_field *field)
{
    if (type == MR_PARAM_TYPE_NUMBER)
        return field->number;
    if (type == MR_PARAM_TYPE_RATIO)
        return field->ratio.den ? (double)field->ratio.num / field->ratio.den : 0;
    return (double)field->integer;
}

static bool read_limit(mr_check *check, const mr_value *map, const char *key, const char *what, const struct param_type *type, const char **ret_text,
                       any_field *ret_field)
{
    const mr_value *value = mr_value_get(map, key);
    if (!value)
        return false;
    if (type->limits == MR_PARAM_TYPE_END) {
        mr_fail(check, "unknown-key", mr_value_entry(map, key)->key_span, "%s is of type %s, which has no '%s'", what, type->name, key);
        return false;
    }
    mr_param spec = {.name = key, .type = type->limits};
    if (value->type == MR_VALUE_LIST || value->type == MR_VALUE_MAP || value->type == MR_VALUE_NULL) {
        mr_fail(check, "wrong-type", value->span, "'%s' of %s must be one value, not %s", key, what, mr_value_type_name(value->type));
        return false;
    }
    if (bind_one(check->arena, &spec, what, value, check->diags, ret_field) != MR_OK) {
        check->failed = true;
        return false;
    }
    *ret_text = value->text;
    return true;
}

static void read_limits(mr_check *check, const mr_value *map, const char *what, const struct param_type *type, mr_param *spec)
{
    any_field min = {0};
    any_field max = {0};
    bool has_min = read_limit(check, map, "min", what, type, &spec->min, &min);
    bool has_max = read_limit(check, map, "max", what, type, &spec->max, &max);
    if (has_min && has_max && field_number(type->limits, &min) > field_number(type->limits, &max))
        mr_fail(check, "out-of-range", mr_value_get(map, "min")->span, "'min' of %s is %s, which is above its 'max', %s", what, spec->min, spec->max);
}

static void read_choices(mr_check *check, const mr_value *map, const char *what, const struct param_type *type, const mr_entry *owner, mr_param *spec)
{
    static const char *const none[] = {NULL};
    const mr_entry *entry = mr_value_entry(map, "choices");
    bool wanted = type->type == MR_PARAM_TYPE_CHOICE;
    if (wanted)
        spec->choices = none;
    if (!entry) {
        if (wanted) {
            mr_fail(check, "missing-key", owner->key_span, "%s is a choice, and needs its choices", what);
            mr_hint(check->diags, "add choices: [one, another]");
        }
        return;
    }
    if (!wanted) {
        mr_fail(check, "unknown-key", entry->key_span, "%s is of type %s, which has no 'choices'", what, type->name);
        mr_hint(check->diags, "did you mean 'type: choice'?");
        return;
    }
    const mr_value *list = entry->value;
    if (list->type != MR_VALUE_LIST || list->list.count == 0 || list->list.count > MR_PIPELINE_NAMES_MAX) {
        mr_fail(check, "wrong-type", list->span, "'choices' of %s must be a list of 1 to %d words", what, MR_PIPELINE_NAMES_MAX);
        return;
    }
    const char **words = mr_check_take(check, list->list.count + 1, sizeof(*words));
    if (!words)
        return;
    for (size_t i = 0; i < list->list.count; i++) {
        const mr_value *word = list->list.items[i];
        if (word->type == MR_VALUE_LIST || word->type == MR_VALUE_MAP || word->type == MR_VALUE_NULL) {
            mr_fail(check, "wrong-type", word->span, "'choices' of %s must be words, not %s", what, mr_value_type_name(word->type));
            return;
        }
        words[i] = word->text;
    }
    spec->choices = words;
}

static void read_default(mr_check *check, const mr_value *map, const char *what, mr_pipeline_param *param)
{
    const mr_value *value = mr_value_get(map, "default");
    const mr_value *required = mr_value_get(map, "required");
    if (!value || value->type == MR_VALUE_NULL)
        return;
    if (required && required->type == MR_VALUE_BOOL && required->boolean) {
        mr_fail(check, "conflict", required->span, "%s has a default, so it is never required", what);
        mr_hint(check->diags, "remove 'required', or 'default'");
    }
    if (mr_has_expressions(value)) {
        mr_fail(check, "wrong-type", value->span, "the default of %s must be a plain value, not an expression", what);
        return;
    }
    json_t *json = NULL;
    if (param->spec.type == MR_PARAM_TYPE_CHOICE && !param->spec.choices[0])
        return; /* without choices nothing would fit */
    if (mr_param_read(check->arena, param, value, check->diags, &json) == MR_OK)
        param->standard = value;
    else
        check->failed = true;
    json_decref(json);
}

static void read_param(mr_check *check, const mr_entry *entry, mr_pipeline_param *param)
{
    static const char *const keys[] = {"type", "default", "min", "max", "choices", "required", "help", NULL};
    const char *what = mr_check_text(check, "param '%s'", entry->key);
    const mr_value *map = entry->value;
    int type = -1;
    *param = (mr_pipeline_param){.spec = {.name = entry->key, .type = MR_PARAM_TYPE_JSON}, .type = "any", .span = entry->key_span};
    mr_check_name(check, entry->key, entry->key_span, "a param");
    if (!mr_check_map(check, map, what)) {
        mr_hint(check->diags, "write for example %s: {type: text, default: …}", entry->key);
        return;
    }
    mr_check_keys(check, map, what, keys);
    if (!mr_value_get(map, "type")) {
        mr_fail(check, "missing-key", entry->key_span, "%s has no 'type'", what);
        mr_hint(check->diags, "one of: %s", mr_join(check->arena, param_type_names, PARAM_TYPES, PARAM_TYPES));
    }
    mr_read_choice(check, map, "type", what, param_type_names, &type);
    mr_read_text(check, map, "help", what, &param->spec.help);
    param->required = true;
    mr_read_bool(check, map, "required", what, &param->required);
    if (type < 0)
        return;
    param->type = param_types[type].name;
    param->spec.type = param_types[type].type;
    if (param->spec.type == MR_PARAM_TYPE_LIST)
        param->spec.item_type = MR_PARAM_TYPE_JSON;
    read_limits(check, map, what, &param_types[type], &param->spec);
    read_choices(check, map, what, &param_types[type], entry, &param->spec);
    read_default(check, map, what, param);
    param->required &= mr_value_get(map, "default") == NULL;
}

void mr_check_params(mr_check *check, const mr_value *map)
{
    if (!map || !mr_check_map(check, map, "'params'") || !mr_check_count(check, map, MR_PIPELINE_NAMES_MAX, "params"))
        return;
    check->params = mr_check_take(check, map->map.count, sizeof(*check->params));
    check->param_names = mr_check_take(check, map->map.count, sizeof(*check->param_names));
    check->param_used = mr_check_take(check, map->map.count, sizeof(*check->param_used));
    if (!check->params || !check->param_names || !check->param_used)
        return;
    for (size_t i = 0; i < map->map.count; i++) {
        read_param(check, &map->map.entries[i], &check->params[i]);
        check->param_names[i] = map->map.entries[i].key;
    }
    check->pipeline->params = check->params;
    check->pipeline->param_count = map->map.count;
}
