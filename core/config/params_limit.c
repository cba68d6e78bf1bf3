/* SPDX-License-Identifier: MIT */
/* Limits of params. Compared exactly: integers as integers, ratios by cross-multiplication; only real numbers as double. */
#include "config/params_internal.h"

mr_status mr_param_amount_of(const mr_param *param, const char *text, mr_param_amount *ret_amount, const char **ret_why)
{
    mr_ratio ratio = {0};
    mr_status status = MR_OK;
    *ret_amount = (mr_param_amount){.over = 1};
    switch (param->type) {
    case MR_PARAM_TYPE_NUMBER: ret_amount->real = true; return mr_parse_number(text, &ret_amount->number, ret_why);
    case MR_PARAM_TYPE_DURATION: return mr_parse_duration(text, &ret_amount->integer, ret_why);
    case MR_PARAM_TYPE_BITRATE: return mr_parse_bitrate(text, &ret_amount->integer, ret_why);
    case MR_PARAM_TYPE_SIZE: return mr_parse_size(text, &ret_amount->integer, ret_why);
    case MR_PARAM_TYPE_RATIO:
        status = mr_parse_ratio(text, &ratio, ret_why);
        ret_amount->integer = ratio.num;
        ret_amount->over = status == MR_OK ? ratio.den : 1;
        return status;
    default: return mr_parse_int(text, &ret_amount->integer, ret_why);
    }
}

int mr_param_compare(const mr_param_amount *a, const mr_param_amount *b)
{
    if (a->real || b->real)
        return a->number < b->number ? -1 : a->number > b->number;
    __int128 left = (__int128)a->integer * b->over;
    __int128 right = (__int128)b->integer * a->over;
    return left < right ? -1 : left > right;
}

static bool is_past(const mr_param *param, const char *limit, const mr_param_amount *amount, int direction)
{
    mr_param_amount edge;
    if (!limit || mr_param_amount_of(param, limit, &edge, NULL) != MR_OK)
        return false;
    return mr_param_compare(amount, &edge) * direction > 0;
}

bool mr_param_check_limits(const binder *in, const mr_param *param, const mr_value *value, const mr_param_amount *amount, const char *what)
{
    bool low = is_past(param, param->min, amount, -1);
    bool high = is_past(param, param->max, amount, 1);
    if (!low && !high)
        return true;
    mr_span span = mr_param_span(in, param, value);
    const char *amount_text = low ? "too small" : "too large";
    if (what)
        mr_error(in->diags, "out-of-range", span, "%s: '%s' has too %s %s: %lld", in->what, param->name, low ? "few" : "many", what,
                 (long long)amount->integer);
    else if (param->flags & MR_PARAM_SECRET)
        mr_error(in->diags, "out-of-range", span, "%s: '%s' is %s", in->what, param->name, amount_text);
    else
        mr_error(in->diags, "out-of-range", span, "%s: '%s' is %s: '%s'", in->what, param->name, amount_text, value->text ? value->text : "");
    if (param->min && param->max)
        mr_hint(in->diags, "expected %s … %s", param->min, param->max);
    else if (low)
        mr_hint(in->diags, "expected at least %s", param->min);
    else
        mr_hint(in->diags, "expected at most %s", param->max);
    return false;
}
