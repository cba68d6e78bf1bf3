/* SPDX-License-Identifier: MIT */
/*
 * Binding one scalar. The text as it was written decides, so that 30000/1001, 4s and 16:9 are read the same with and without quotes.
 * Secrets are never quoted in messages.
 */
#include "base/text.h"
#include "config/params_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const mr_param_kind *mr_param_kind_of(uint32_t type)
{
    static const mr_param_kind kinds[] = {
        [MR_PARAM_TYPE_BOOL] = {"bool", sizeof(bool), _Alignof(bool), "true or false"},
        [MR_PARAM_TYPE_INT] = {"int", sizeof(int64_t), _Alignof(int64_t), "a whole number"},
        [MR_PARAM_TYPE_NUMBER] = {"number", sizeof(double), _Alignof(double), "a number"},
        [MR_PARAM_TYPE_TEXT] = {"text", sizeof(const char *), _Alignof(const char *), "text"},
        [MR_PARAM_TYPE_CHOICE] = {"choice", sizeof(int32_t), _Alignof(int32_t), "one of its choices"},
        [MR_PARAM_TYPE_DURATION] = {"duration", sizeof(int64_t), _Alignof(int64_t), "a duration such as 4s"},
        [MR_PARAM_TYPE_BITRATE] = {"bitrate", sizeof(int64_t), _Alignof(int64_t), "a bitrate such as 2.5M"},
        [MR_PARAM_TYPE_SIZE] = {"size", sizeof(int64_t), _Alignof(int64_t), "a size such as 64MiB"},
        [MR_PARAM_TYPE_RATIO] = {"ratio", sizeof(mr_ratio), _Alignof(mr_ratio), "a ratio such as 16:9"},
        [MR_PARAM_TYPE_URL] = {"url", sizeof(const char *), _Alignof(const char *), "an http(s) URL"},
        [MR_PARAM_TYPE_LIST] = {"list", sizeof(mr_list), _Alignof(mr_list), "a list"},
        [MR_PARAM_TYPE_JSON] = {"any", sizeof(const char *), _Alignof(const char *), "any value"},
        [MR_PARAM_TYPE_FILTERS] = {"filters", sizeof(mr_filters), _Alignof(mr_filters), "a chain of filters"},
    };
    return type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].name ? &kinds[type] : NULL;
}

mr_span mr_param_span(const binder *in, const mr_param *param, const mr_value *value)
{
    return param->flags & MR_PARAM_SECRET ? in->owner : value->span;
}

bool mr_param_wrong(const binder *in, const mr_param *param, const mr_value *value, const char *why)
{
    const char *expects = mr_param_kind_of(param->type)->expects;
    bool show = value->text && value->type != MR_VALUE_NULL && !(param->flags & MR_PARAM_SECRET);
    mr_span span = mr_param_span(in, param, value);
    if (show)
        mr_error(in->diags, "bad-value", span, "%s: '%s' takes %s, not '%s'", in->what, param->name, expects, value->text);
    else
        mr_error(in->diags, "bad-type", span, "%s: '%s' takes %s, not %s", in->what, param->name, expects, mr_value_type_name(value->type));
    if (why)
        mr_hint(in->diags, "%s", why);
    return false;
}

static bool bind_bool(const binder *in, const mr_param *param, const mr_value *value, void *field)
{
    if (value->type != MR_VALUE_BOOL)
        return mr_param_wrong(in, param, value, value->type == MR_VALUE_TEXT ? "write true or false, without quotes" : NULL);
    memcpy(field, &value->boolean, sizeof(bool));
    return true;
}

/* Whole numbers, with units or without. */
static bool bind_integer(const binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    mr_param_amount amount;
    mr_status status = value->type == MR_VALUE_BOOL ? MR_ERR_PARAM : mr_param_amount_of(param, value->text, &amount, &why);
    /* Expressions divide: 1080.0 is as good as 1080. Beyond 2^53 a double no longer tells neighbours apart. */
    if (status != MR_OK && param->type == MR_PARAM_TYPE_INT && value->type == MR_VALUE_NUMBER && fabs(value->number) <= 9007199254740992.0 &&
        trunc(value->number) == value->number) {
        amount = (mr_param_amount){.integer = (int64_t)value->number, .over = 1};
        status = MR_OK;
    }
    if (status != MR_OK)
        return mr_param_wrong(in, param, value, why);
    if (!mr_param_check_limits(in, param, value, &amount, NULL))
        return false;
    memcpy(field, &amount.integer, sizeof(amount.integer));
    return true;
}

static bool bind_number(const binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    mr_param_amount amount;
    if (value->type == MR_VALUE_BOOL || mr_param_amount_of(param, value->text, &amount, &why) != MR_OK) {
        /* 0x10 is an int to YAML, so it is a number too. */
        if (value->type != MR_VALUE_INT)
            return mr_param_wrong(in, param, value, why);
        amount = (mr_param_amount){.real = true, .number = (double)value->integer, .over = 1};
    }
    if (!mr_param_check_limits(in, param, value, &amount, NULL))
        return false;
    memcpy(field, &amount.number, sizeof(amount.number));
    return true;
}

static bool bind_ratio(const binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    mr_param_amount amount;
    if (value->type == MR_VALUE_BOOL || mr_param_amount_of(param, value->text, &amount, &why) != MR_OK)
        return mr_param_wrong(in, param, value, why);
    if (!mr_param_check_limits(in, param, value, &amount, NULL))
        return false;
    mr_ratio ratio = {(int32_t)amount.integer, (int32_t)amount.over};
    memcpy(field, &ratio, sizeof(ratio));
    return true;
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static bool bind_text(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const char *why = NULL;
    size_t len = strlen(value->text);
    mr_param length = {.name = param->name, .type = MR_PARAM_TYPE_INT, .flags = param->flags, .min = param->min, .max = param->max};
    mr_param_amount amount = {.integer = (int64_t)count_characters(value->text), .over = 1};
    const size_t scheme = param->type == MR_PARAM_TYPE_URL && (param->flags & MR_PARAM_SCHEMES) ? mr_url_scheme(value->text) : 0;
    const bool plain = scheme == 0 || strncasecmp(value->text, "http", 4) == 0;
    if (param->type == MR_PARAM_TYPE_URL && plain && mr_parse_url(value->text, &why) != MR_OK)
        return mr_param_wrong(in, param, value, why);
    if (!mr_utf8_valid(value->text, len))
        return mr_param_wrong(in, param, value, "expected text in UTF-8");
    if (!length.max)
        length.max = "65536"; /* MR_PARAM_TEXT_MAX */
    if (!mr_param_check_limits(in, &length, value, &amount, "characters"))
        return false;
    const char *copy = mr_arena_copy(in->arena, value->text, len);
    in->nomem |= !copy;
    memcpy(field, &copy, sizeof(copy));
    return copy;
}

static bool bind_choice(const binder *in, const mr_param *param, const mr_value *value, void *field)
{
    size_t count = 0;
    for (; param->choices[count]; count++) {
        if (strcmp(param->choices[count], value->text) == 0) {
            int32_t index = (int32_t)count;
            memcpy(field, &index, sizeof(index));
            return true;
        }
    }
    const char *near = mr_nearest(value->text, param->choices, count);
    mr_error(in->diags, "bad-choice", mr_param_span(in, param, value), "%s: '%s' can't be '%s'", in->what, param->name,
             param->flags & MR_PARAM_SECRET ? "…" : value->text);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    const char *words = "";
    for (size_t i = 0; words && i < count; i++)
        words = mr_arena_printf(in->arena, "%s%s%s", words, i == 0 ? "" : i + 1 < count ? ", " : " or ", param->choices[i]);
    if (!near && words)
        mr_hint(in->diags, "expected %s", words);
    return false;
}

static bool bind_json(binder *in, const mr_value *value, void *field)
{
    json_t *json = mr_value_to_json(value);
    char *text = json ? mr_json_text(json) : NULL;
    const char *copy = text ? mr_arena_copy(in->arena, text, strlen(text)) : NULL;
    free(text);
    json_decref(json);
    in->nomem |= !copy;
    memcpy(field, &copy, sizeof(copy));
    return copy;
}

bool mr_param_bind_scalar(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    if (param->type == MR_PARAM_TYPE_JSON)
        return bind_json(in, value, field);
    if (value->type == MR_VALUE_LIST || value->type == MR_VALUE_MAP || value->type == MR_VALUE_NULL)
        return mr_param_wrong(in, param, value, NULL);
    switch (param->type) {
    case MR_PARAM_TYPE_BOOL: return bind_bool(in, param, value, field);
    case MR_PARAM_TYPE_NUMBER: return bind_number(in, param, value, field);
    case MR_PARAM_TYPE_RATIO: return bind_ratio(in, param, value, field);
    case MR_PARAM_TYPE_TEXT:
    case MR_PARAM_TYPE_URL: return bind_text(in, param, value, field);
    case MR_PARAM_TYPE_CHOICE: return bind_choice(in, param, value, field);
    default: return bind_integer(in, param, value, field);
    }
}
