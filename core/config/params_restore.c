/* SPDX-License-Identifier: MIT */
/* The way back from mr_params_dump() to a filled struct, in another process. Values were checked when they were bound: here only their kinds are. */
#include "config/params_internal.h"

#include <string.h>

static mr_status restore_struct(const mr_filter_set *filters, const mr_param *table, const json_t *json, mr_arena *arena, char *out);

static mr_status restore_text(const json_t *json, mr_arena *arena, char *field)
{
    const char *text = NULL;
    if (json_is_string(json) && !(text = mr_arena_copy(arena, json_string_value(json), json_string_length(json))))
        return MR_ERR_NOMEM;
    memcpy(field, &text, sizeof(text));
    return text || json_is_null(json) ? MR_OK : MR_ERR_PARAM;
}

static mr_status restore_choice(const mr_param *param, const json_t *json, char *field)
{
    for (int32_t i = 0; json_is_string(json) && param->choices && param->choices[i]; i++) {
        if (strcmp(param->choices[i], json_string_value(json)) == 0) {
            memcpy(field, &i, sizeof(i));
            return MR_OK;
        }
    }
    return MR_ERR_PARAM;
}

static mr_status restore_ratio(const json_t *json, char *field)
{
    const json_t *num = json_array_get(json, 0);
    const json_t *den = json_array_get(json, 1);
    if (json_is_null(json))
        return MR_OK;
    if (!json_is_integer(num) || !json_is_integer(den))
        return MR_ERR_PARAM;
    const mr_ratio ratio = {.num = (int32_t)json_integer_value(num), .den = (int32_t)json_integer_value(den)};
    memcpy(field, &ratio, sizeof(ratio));
    return MR_OK;
}

static mr_status restore_field(const mr_filter_set *filters, const mr_param *param, const json_t *json, mr_arena *arena, char *field);

static mr_status restore_list(const mr_filter_set *filters, const mr_param *param, const json_t *json, mr_arena *arena, char *field)
{
    const size_t size = mr_param_item_size(param);
    const mr_param one = {.name = param->name, .type = param->item_type};
    const size_t count = json_array_size(json);
    mr_status status = json_is_array(json) ? MR_OK : MR_ERR_PARAM;
    char *items = count > 0 ? mr_arena_take_array(arena, count, size) : NULL;
    if (count > 0 && !items)
        return MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        const json_t *item = json_array_get(json, i);
        status = param->fields ? restore_struct(filters, param->fields, item, arena, items + i * size)
                               : restore_field(filters, &one, item, arena, items + i * size);
    }
    const mr_list list = {.items = items, .count = count};
    memcpy(field, &list, sizeof(list));
    return status;
}

static mr_status restore_field(const mr_filter_set *filters, const mr_param *param, const json_t *json, mr_arena *arena, char *field)
{
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: {
        const bool boolean = json_is_true(json);
        memcpy(field, &boolean, sizeof(boolean));
        return json_is_boolean(json) ? MR_OK : MR_ERR_PARAM;
    }
    case MR_PARAM_TYPE_NUMBER: {
        const double number = json_number_value(json);
        memcpy(field, &number, sizeof(number));
        return json_is_number(json) ? MR_OK : MR_ERR_PARAM;
    }
    case MR_PARAM_TYPE_CHOICE: return restore_choice(param, json, field);
    case MR_PARAM_TYPE_RATIO: return restore_ratio(json, field);
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL:
    case MR_PARAM_TYPE_JSON: return restore_text(json, arena, field);
    case MR_PARAM_TYPE_FILTERS: return mr_param_restore_filters(filters, json, arena, field);
    case MR_PARAM_TYPE_LIST: return restore_list(filters, param, json, arena, field);
    default: {
        const int64_t integer = json_integer_value(json);
        memcpy(field, &integer, sizeof(integer));
        return json_is_integer(json) ? MR_OK : MR_ERR_PARAM;
    }
    }
}

static mr_status restore_struct(const mr_filter_set *filters, const mr_param *table, const json_t *json, mr_arena *arena, char *out)
{
    mr_status status = json_is_object(json) ? MR_OK : MR_ERR_PARAM;
    for (const mr_param *param = table; status == MR_OK && param && param->name; param++) {
        const json_t *value = json_object_get(json, param->name);
        status = value ? restore_field(filters, param, value, arena, out + param->offset) : MR_ERR_PARAM;
    }
    return status;
}

mr_status mr_params_restore_with(const mr_filter_set *filters, const mr_param *table, const json_t *dump, mr_arena *arena, void *out, size_t size)
{
    memset(out, 0, size);
    return restore_struct(filters, table, dump, arena, out);
}

mr_status mr_params_restore(const mr_param *table, const json_t *dump, mr_arena *arena, void *out, size_t size)
{
    return mr_params_restore_with(NULL, table, dump, arena, out, size);
}
