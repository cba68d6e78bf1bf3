/* SPDX-License-Identifier: MIT */
/* Tables checked once, when a plugin is loaded: what passes can't make binding write outside of a struct or refuse its own default. */
#include "config/params_internal.h"
#include <ctype.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define HELP_MAX       300

typedef struct checker {
    const char *what;
    mr_diags *diags;
    unsigned depth;
    mr_status status;
} checker;

static bool wrong(checker *in, const mr_param *param, const char *why)
{
    mr_error(in->diags, "bad-table", (mr_span){0}, "%s: the table's param '%s' %s", in->what, param->name, why);
    in->status = MR_ERR_PARAM;
    return false;
}

static bool is_snake_case(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
           strlen(name) <= NAME_MAX_BYTES;
}

/* One sentence in lower case, no full stop. A first word that is not just capitalised is a name: "HLS", "I-frame". */
static bool help_is_right(const char *help)
{
    size_t len = help ? strlen(help) : 0;
    if (len == 0 || len > HELP_MAX || help[len - 1] == '.' || strchr(help, '\n'))
        return false;
    return !isupper((unsigned char)help[0]) || (!islower((unsigned char)help[1]) && help[1] != ' ');
}

static bool check_name(checker *in, const mr_param *table, const mr_param *param)
{
    if (!is_snake_case(param->name))
        return wrong(in, param, "must be named in snake_case, with at most 64 letters");
    for (const mr_param *other = table; other != param; other++)
        if (strcmp(other->name, param->name) == 0)
            return wrong(in, param, "is there twice");
    return true;
}

static bool check_place(checker *in, const mr_param *param, size_t size)
{
    const mr_param_kind *kind = mr_param_kind_of(param->type);
    if (!kind)
        return wrong(in, param, "has an unknown type");
    if (param->offset > size || kind->size > size - param->offset)
        return wrong(in, param, "lies outside of its struct");
    return param->offset % kind->align == 0 || wrong(in, param, "is not aligned in its struct");
}

static bool check_members(checker *in, const mr_param *param)
{
    bool is_list = param->type == MR_PARAM_TYPE_LIST;
    bool is_choice = param->type == MR_PARAM_TYPE_CHOICE;
    bool right = true;
    if (!help_is_right(param->help))
        right = wrong(in, param, "needs a help text: one sentence in lower case, without a full stop");
    if (is_choice != (param->choices != NULL) || (is_choice && !param->choices[0]))
        right = wrong(in, param, is_choice ? "has no choices" : "has choices, but is none");
    if ((param->flags & MR_PARAM_REQUIRED) && param->standard)
        right = wrong(in, param, "is required, so it can't have a default");
    if (param->flags & ~(uint32_t)(MR_PARAM_REQUIRED | MR_PARAM_SECRET | MR_PARAM_SILENT | MR_PARAM_WHOLE | MR_PARAM_SCHEMES))
        right = wrong(in, param, "has unknown flags");
    if ((param->flags & MR_PARAM_WHOLE) && param->type != MR_PARAM_TYPE_FILTERS)
        right = wrong(in, param, "says MR_PARAM_WHOLE, which is for filters");
    if ((param->flags & MR_PARAM_SCHEMES) && param->type != MR_PARAM_TYPE_URL)
        right = wrong(in, param, "says MR_PARAM_SCHEMES, which is for addresses");
    if (!is_list && (param->fields || param->item_type || param->item_size))
        right = wrong(in, param, "has items, but is no list");
    return right;
}

static bool check_limits(checker *in, const mr_param *param)
{
    bool takes = param->type != MR_PARAM_TYPE_BOOL && param->type != MR_PARAM_TYPE_CHOICE && param->type != MR_PARAM_TYPE_JSON &&
                 param->type != MR_PARAM_TYPE_FILTERS;
    mr_param_amount min;
    mr_param_amount max;
    if (!param->min && !param->max)
        return true;
    if (!takes)
        return wrong(in, param, "is of a type that has no min and max");
    if (param->min && mr_param_amount_of(param, param->min, &min, NULL) != MR_OK)
        return wrong(in, param, "has a min that can't be read");
    if (param->max && mr_param_amount_of(param, param->max, &max, NULL) != MR_OK)
        return wrong(in, param, "has a max that can't be read");
    return !param->min || !param->max || mr_param_compare(&min, &max) <= 0 || wrong(in, param, "has a min above its max");
}

static bool check_table(checker *in, const mr_param *table, size_t size);

static bool check_list(checker *in, const mr_param *param)
{
    const mr_param_kind *item = mr_param_kind_of(param->item_type);
    if (param->type != MR_PARAM_TYPE_LIST)
        return true;
    if (!param->fields)
        return (item && param->item_type != MR_PARAM_TYPE_CHOICE && param->item_type != MR_PARAM_TYPE_LIST &&
                param->item_type != MR_PARAM_TYPE_FILTERS) ||
               wrong(in, param, "is a list whose items have no type, or one that items can't have");
    if (param->item_type)
        return wrong(in, param, "has both a type and fields for its items");
    if (!param->fields[0].name)
        return wrong(in, param, "is a list of maps without fields");
    if (in->depth >= MR_PARAM_DEPTH_MAX)
        return wrong(in, param, "is nested too deeply");
    in->depth++;
    bool right = check_table(in, param->fields, param->item_size);
    in->depth--;
    return right;
}

static void check_standard(checker *in, const mr_param *param)
{
    union {
        int64_t integer;
        double number;
        const char *text;
        mr_list list;
        mr_filters filters;
    } field;
    mr_param alone[] = {*param, MR_PARAM_END};
    alone[0].offset = 0;
    mr_arena *arena = mr_arena_new(0);
    mr_status status = arena ? mr_params_bind(alone, NULL, in->what, (mr_span){0}, arena, &field, sizeof(field), NULL, NULL) : MR_ERR_NOMEM;
    mr_arena_free(arena);
    if (status == MR_ERR_NOMEM)
        in->status = status;
    else if (status != MR_OK)
        wrong(in, param, "has a default that it would not accept");
}

static bool check_table(checker *in, const mr_param *table, size_t size)
{
    size_t count = 0;
    bool right = true;
    for (const mr_param *param = table; param && param->name; param++) {
        if (++count > MR_PARAM_TABLE_MAX)
            return wrong(in, param, "is one too many");
        /* A default is tried only where binding it is safe. */
        bool safe = check_name(in, table, param) && check_place(in, param, size);
        safe = safe && check_members(in, param) && check_limits(in, param) && check_list(in, param);
        if (safe && param->standard)
            check_standard(in, param);
        right &= safe;
    }
    return right;
}

mr_status mr_params_check_table(const mr_param *table, size_t size, const char *what, mr_diags *diags)
{
    checker in = {.what = what, .diags = diags, .status = MR_OK};
    check_table(&in, table, size);
    return in.status;
}
