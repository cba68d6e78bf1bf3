/* SPDX-License-Identifier: MIT */
/*
 * A filled struct as JSON, in two forms. Canonical: base units, whole numbers as integers, ratios in lowest terms, so that equal values are
 * equal bytes; without what does not matter, secrets as digests. Whole: everything, as params_restore.c wants it.
 */
#include "base/hash.h"
#include "config/params_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *struct_json(const mr_param *table, const void *params, bool whole);
static json_t *field_json(const mr_param *param, const char *field, bool whole);

static json_t *list_json(const mr_param *param, const mr_list *list, bool whole)
{
    size_t size = mr_param_item_size(param);
    const mr_param one = {.name = param->name, .type = param->item_type};
    json_t *json = json_array();
    for (size_t i = 0; json && i < list->count; i++) {
        const char *item = (const char *)list->items + i * size;
        if (json_array_append_new(json, param->fields ? struct_json(param->fields, item, whole) : field_json(&one, item, whole)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *number_json(double number)
{
    if (trunc(number) == number && fabs(number) <= 9007199254740992.0)
        return json_integer((json_int_t)number); /* also -0 */
    return json_real(number);
}

static json_t *field_json(const mr_param *param, const char *field, bool whole)
{
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    int32_t index = 0;
    const char *text = NULL;
    mr_ratio ratio = {0};
    mr_list list = {0};
    mr_filters filters = {0};
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: memcpy(&boolean, field, sizeof(boolean)); return json_boolean(boolean);
    case MR_PARAM_TYPE_NUMBER: memcpy(&number, field, sizeof(number)); return number_json(number);
    case MR_PARAM_TYPE_CHOICE: memcpy(&index, field, sizeof(index)); return param->choices ? json_string(param->choices[index]) : NULL;
    case MR_PARAM_TYPE_RATIO: memcpy(&ratio, field, sizeof(ratio)); return ratio.den ? json_pack("[i, i]", ratio.num, ratio.den) : json_null();
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL: memcpy(&text, field, sizeof(text)); return text ? json_string(text) : json_null();
    case MR_PARAM_TYPE_JSON:
        memcpy(&text, field, sizeof(text));
        if (!text || whole)
            return text ? json_string(text) : json_null();
        return json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    case MR_PARAM_TYPE_LIST: memcpy(&list, field, sizeof(list)); return list_json(param, &list, whole);
    case MR_PARAM_TYPE_FILTERS: memcpy(&filters, field, sizeof(filters)); return mr_param_filters_json(&filters, whole);
    default: memcpy(&integer, field, sizeof(integer)); return json_integer(integer);
    }
}

/* A secret tells two results apart without being told. */
static json_t *secret_json(json_t *take_value)
{
    char digest[MR_DIGEST_TEXT];
    if (!take_value || json_is_null(take_value))
        return take_value;
    char *text = mr_json_text(take_value);
    json_decref(take_value);
    if (!text)
        return NULL;
    mr_digest(text, strlen(text), digest);
    free(text);
    return digest[0] ? json_string(digest) : NULL;
}

static json_t *struct_json(const mr_param *table, const void *params, bool whole)
{
    json_t *json = json_object();
    for (const mr_param *param = table; json && param && param->name; param++) {
        if ((param->flags & MR_PARAM_SILENT) && !whole)
            continue;
        json_t *value = field_json(param, (const char *)params + param->offset, whole);
        if ((param->flags & MR_PARAM_SECRET) && !whole)
            value = secret_json(value);
        if (json_object_set_new(json, param->name, value) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

json_t *mr_params_json(const mr_param *table, const void *params)
{
    return struct_json(table, params, false);
}

json_t *mr_params_dump(const mr_param *table, const void *params)
{
    return struct_json(table, params, true);
}
