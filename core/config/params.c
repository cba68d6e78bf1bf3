/* SPDX-License-Identifier: MIT */
/*
 * Binding: a value tree into a struct, by a param table. All mistakes are reported at their place. Invariant: a field is written with a
 * value within its limits, with its default, or not at all (zero).
 */
#include "config/params_internal.h"
#include "config/yaml.h"
#include <string.h>

static bool bind_map(binder *in, const mr_param *table, const mr_value *map, mr_span owner, char *out);

size_t mr_param_item_size(const mr_param *list)
{
    const mr_param_kind *kind = mr_param_kind_of(list->item_type);
    return list->fields ? list->item_size : kind ? kind->size : 0;
}

/* --- lists --- */

static bool bind_list_item(binder *in, const mr_param *param, const mr_value *item, char *place)
{
    if (in->is_open && in->is_open(item))
        return true;
    if (!param->fields) {
        const mr_param one = {.name = param->name, .type = param->item_type, .flags = param->flags};
        return mr_param_bind_one(in, &one, item, place);
    }
    if (item->type != MR_VALUE_MAP) {
        mr_error(in->diags, "bad-type", mr_param_span(in, param, item), "%s: an item of '%s' must be a map, not %s", in->what, param->name,
                 mr_value_type_name(item->type));
        mr_hint(in->diags, "write it as {%s: …}", param->fields[0].name);
        return false;
    }
    return bind_map(in, param->fields, item, item->span, place);
}

static bool bind_list(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    mr_param length = {.name = param->name, .type = MR_PARAM_TYPE_INT, .min = param->min, .max = param->max};
    size_t size = mr_param_item_size(param);
    bool right = true;
    if (value->type != MR_VALUE_LIST) {
        bool single = value->type != MR_VALUE_NULL && value->type != MR_VALUE_MAP && !(param->flags & MR_PARAM_SECRET);
        mr_param_wrong(in, param, value, NULL);
        if (single && strlen(value->text) < 80)
            mr_hint(in->diags, "write a list of one: [%s]", value->text);
        return false;
    }
    mr_param_amount amount = {.integer = (int64_t)value->list.count, .over = 1};
    if (!length.max)
        length.max = "10000"; /* MR_PARAM_LIST_MAX */
    if (!mr_param_check_limits(in, &length, value, &amount, "items"))
        return false;
    char *items = value->list.count > 0 ? mr_arena_take_array(in->arena, value->list.count, size) : NULL;
    if (value->list.count > 0 && !items) {
        in->nomem = true;
        return false;
    }
    for (size_t i = 0; i < value->list.count; i++)
        right &= bind_list_item(in, param, value->list.items[i], items + i * size);
    const mr_list list = {.items = items, .count = value->list.count};
    memcpy(field, &list, sizeof(list));
    return right;
}

bool mr_param_bind_one(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    if (param->type == MR_PARAM_TYPE_FILTERS)
        return mr_param_bind_filters(in, param, value, field);
    return param->type == MR_PARAM_TYPE_LIST ? bind_list(in, param, value, field) : mr_param_bind_scalar(in, param, value, field);
}

/* --- defaults --- */

const mr_value *mr_param_standard(mr_arena *arena, const mr_param *param, mr_diags *diags, mr_status *ret_status)
{
    static const mr_span nowhere = {0};
    const mr_value *value = NULL;
    *ret_status = MR_OK;
    /* Written as in a pipeline, so lists and maps are YAML too. Scalars are taken whole: the default "a: b" of a text is no map. */
    if (param->type == MR_PARAM_TYPE_LIST || param->type == MR_PARAM_TYPE_JSON || param->type == MR_PARAM_TYPE_FILTERS)
        *ret_status = mr_yaml_read(arena, "default", param->standard, strlen(param->standard), NULL, diags, &value);
    else if (!(value = mr_value_scalar(arena, param->standard, nowhere)))
        *ret_status = MR_ERR_NOMEM;
    if (value && value->type == MR_VALUE_NULL && (param->type == MR_PARAM_TYPE_TEXT || param->type == MR_PARAM_TYPE_CHOICE)) {
        mr_value *text = mr_arena_take(arena, sizeof(*text));
        if (text)
            *text = (mr_value){.type = MR_VALUE_TEXT, .text = value->text, .quoted = true}; /* the default "" is an empty text */
        *ret_status = text ? MR_OK : MR_ERR_NOMEM;
        value = text;
    }
    return value;
}

static bool bind_standard(binder *in, const mr_param *param, void *field)
{
    mr_status status = MR_OK;
    const mr_value *value = mr_param_standard(in->arena, param, in->diags, &status);
    in->nomem |= status == MR_ERR_NOMEM;
    return value && mr_param_bind_one(in, param, value, field);
}

/* --- maps --- */

static const mr_param *find_param(const mr_param *table, const char *name)
{
    for (const mr_param *param = table; param && param->name; param++)
        if (strcmp(param->name, name) == 0)
            return param;
    return NULL;
}

static void report_unknown(const binder *in, const mr_param *table, const mr_entry *entry)
{
    const char *names[MR_PARAM_TABLE_MAX] = {0};
    const char *all = "";
    size_t count = 0;
    for (const mr_param *param = table; param && param->name && count < MR_PARAM_TABLE_MAX; param++)
        names[count++] = param->name;
    const char *near = mr_nearest(entry->key, names, count);
    mr_error(in->diags, "unknown-param", entry->key_span, "%s has no param '%s'", in->what, entry->key);
    for (size_t i = 0; all && i < count; i++)
        all = mr_arena_printf(in->arena, "%s%s%s", all, i == 0 ? "" : i + 1 == count ? " and " : ", ", names[i]);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else if (count == 0)
        mr_hint(in->diags, "it takes no params");
    else if (all)
        mr_hint(in->diags, "it takes %s", all);
}

static bool bind_param(binder *in, const mr_param *param, const mr_value *value, mr_span owner, char *field)
{
    if (value && in->is_open && in->is_open(value))
        return true;
    if (value && value->type == MR_VALUE_NULL)
        value = NULL; /* null: as if it were not there */
    if (value)
        return mr_param_bind_one(in, param, value, field);
    if (!(param->flags & MR_PARAM_REQUIRED))
        return !param->standard || bind_standard(in, param, field);
    mr_error(in->diags, "missing-param", owner, "%s needs the param '%s'", in->what, param->name);
    mr_hint(in->diags, "%s: %s", param->name, param->help ? param->help : mr_param_kind_of(param->type)->expects);
    return false;
}

static bool bind_map(binder *in, const mr_param *table, const mr_value *map, mr_span owner, char *out)
{
    bool right = true;
    mr_span outer = in->owner;
    if (in->depth >= MR_PARAM_DEPTH_MAX) {
        mr_error(in->diags, "bad-table", owner, "%s: its params are nested more than %d levels deep", in->what, MR_PARAM_DEPTH_MAX);
        return false;
    }
    in->depth++;
    in->owner = owner;
    for (const mr_param *param = table; param && param->name; param++)
        right &= bind_param(in, param, mr_value_get(map, param->name), owner, out + param->offset);
    for (size_t i = 0; map && i < map->map.count; i++) {
        if (find_param(table, map->map.entries[i].key))
            continue;
        report_unknown(in, table, &map->map.entries[i]);
        right = false;
    }
    in->owner = outer;
    in->depth--;
    return right;
}

mr_status mr_params_bind_with(const mr_filter_set *filters, const mr_param *table, const mr_value *map, const char *what, mr_span owner,
                              mr_arena *arena, void *out, size_t size, bool (*is_open)(const mr_value *value), mr_diags *diags)
{
    binder in = {.filters = filters, .what = what, .arena = arena, .is_open = is_open, .diags = diags, .owner = owner};
    memset(out, 0, size);
    if (map && (map->type == MR_VALUE_NULL || (is_open && is_open(map))))
        map = NULL;
    if (map && map->type != MR_VALUE_MAP) {
        mr_error(diags, "bad-type", map->span, "%s: params must be a map, not %s", what, mr_value_type_name(map->type));
        return MR_ERR_PARAM;
    }
    if (bind_map(&in, table, map, owner, out))
        return MR_OK;
    return in.nomem ? MR_ERR_NOMEM : MR_ERR_PARAM;
}

mr_status mr_params_bind(const mr_param *table, const mr_value *map, const char *what, mr_span owner, mr_arena *arena, void *out, size_t size,
                         bool (*is_open)(const mr_value *value), mr_diags *diags)
{
    return mr_params_bind_with(NULL, table, map, what, owner, arena, out, size, is_open, diags);
}
