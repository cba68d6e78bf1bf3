/* SPDX-License-Identifier: MIT */
/*
 * Params that are lists of filters: a text is a chain of libavfilter, which the op reads; {use: NAME, with: {…}} is a frame filter of a plugin, whose
 * params are bound by its own table, here and now.
 */
#include "config/params_internal.h"

#include <stdlib.h>
#include <string.h>

static const mr_param no_params[] = {MR_PARAM_END};

const mr_filter_entry *mr_filter_set_find(const mr_filter_set *set, const char *name)
{
    size_t low = 0;
    size_t high = set ? set->count : 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(set->entries[middle].filter->name, name);
        if (order == 0)
            return &set->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- binding ---- */

static bool any_open(const binder *in, const mr_value *value)
{
    if (!value || !in->is_open)
        return false;
    if (in->is_open(value))
        return true;
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++)
        if (any_open(in, value->list.items[i]))
            return true;
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++)
        if (any_open(in, value->map.entries[i].value))
            return true;
    return false;
}

static mr_filter_use *new_use(binder *in)
{
    mr_filter_use *use = mr_arena_take(in->arena, sizeof(*use));
    if (use)
        *use = (mr_filter_use){.size = sizeof(*use)};
    in->nomem |= !use;
    return use;
}

/* Whether the keys are those of an item, and 'use' is a text. */
static bool check_item(const binder *in, const mr_param *param, const mr_value *item)
{
    static const char *const keys[] = {"use", "with"};
    bool right = true;
    for (size_t i = 0; i < item->map.count; i++) {
        const mr_entry *entry = &item->map.entries[i];
        if (strcmp(entry->key, keys[0]) == 0 || strcmp(entry->key, keys[1]) == 0)
            continue;
        const char *near = mr_nearest(entry->key, keys, 2);
        mr_error(in->diags, "unknown-key", entry->key_span, "%s: an item of '%s' has no key '%s'", in->what, param->name, entry->key);
        mr_hint(in->diags, near ? "did you mean '%s'?" : "write {use: NAME, with: {…}}", near);
        right = false;
    }
    const mr_value *use = mr_value_get(item, "use");
    if (!use)
        mr_error(in->diags, "missing-key", item->span, "%s: an item of '%s' does not say which filter: it has no 'use'", in->what, param->name);
    else if (use->type != MR_VALUE_TEXT)
        mr_error(in->diags, "bad-type", use->span, "%s: 'use' takes the name of a filter, not %s", in->what, mr_value_type_name(use->type));
    return right && use && use->type == MR_VALUE_TEXT;
}

static bool report_unknown(const binder *in, const mr_value *use)
{
    const mr_filter_set *set = in->filters;
    const size_t count = set ? set->count : 0;
    const char **names = mr_arena_take_array(in->arena, count + 1, sizeof(*names));
    for (size_t i = 0; names && i < count; i++)
        names[i] = set->entries[i].filter->name;
    const char *near = names ? mr_nearest(use->text, names, count) : NULL;
    mr_error(in->diags, "unknown-filter", use->span, "unknown filter '%s'", use->text);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else if (count > 0)
        mr_hint(in->diags, "'millrace filters' lists the filters of the plugins that are loaded; those of libavfilter are written as text");
    else
        mr_hint(in->diags, "no plugin that is loaded has filters; those of libavfilter are written as text: \"%s\"",
                strlen(use->text) < 40 ? use->text : "eq=gamma=1.1");
    return false;
}

/* A filter that remembers can't be used where a video is made in pieces. */
static bool check_reach(const binder *in, const mr_param *param, const mr_filter_use *use, mr_span span)
{
    mr_reach reach = {.size = sizeof(reach)};
    if (use->filter->reach)
        use->filter->reach(use->filter, use->params, &reach);
    if (reach.whole && !(param->flags & MR_PARAM_WHOLE)) {
        mr_error(in->diags, "whole-filter", span, "%s: the filter '%s' needs the whole video, which is made here in chunks", in->what,
                 use->filter->name);
        mr_hint(in->diags, "ops that make one file of the whole take it, such as transcode.file");
        return false;
    }
    if (reach.back <= MR_FILTER_REACH_MAX && reach.ahead <= MR_FILTER_REACH_MAX)
        return true;
    mr_error(in->diags, "limit", span, "%s: the filter '%s' wants to see %u frames before and %u after; it may have %d of each", in->what,
             use->filter->name, (unsigned)reach.back, (unsigned)reach.ahead, MR_FILTER_REACH_MAX);
    return false;
}

static json_t *use_json(const mr_filter_use *use, bool whole);

/* The text of its canonical JSON. */
static mr_status set_key(mr_filter_use *use, mr_arena *arena)
{
    json_t *json = use_json(use, false);
    char *text = json ? mr_json_text(json) : NULL;
    use->key = text ? mr_arena_copy(arena, text, strlen(text)) : NULL;
    free(text);
    json_decref(json);
    return use->key ? MR_OK : MR_ERR_NOMEM;
}

/* NULL: reported. */
static const mr_filter_use *bind_use(binder *in, const mr_param *param, const mr_value *item)
{
    if (!check_item(in, param, item))
        return NULL;
    const mr_value *name = mr_value_get(item, "use");
    const mr_value *with = mr_value_get(item, "with");
    const mr_filter_entry *entry = mr_filter_set_find(in->filters, name->text);
    if (!entry) {
        report_unknown(in, name);
        return NULL;
    }
    const mr_frame_filter *filter = entry->filter;
    mr_filter_use *use = new_use(in);
    void *params = mr_arena_take(in->arena, filter->params_size + 1);
    const char *what = mr_arena_printf(in->arena, "filter '%s'", filter->name);
    in->nomem |= !params || !what;
    if (in->nomem)
        return NULL;
    *use = (mr_filter_use){.size = sizeof(*use), .filter = filter, .plugin = entry->plugin, .params = params};
    const mr_status status = mr_params_bind_with(in->filters, filter->params ? filter->params : no_params, with, what, name->span, in->arena, params,
                                                 filter->params_size, in->is_open, in->diags);
    in->nomem |= status == MR_ERR_NOMEM;
    if (status != MR_OK)
        return NULL;
    if (any_open(in, with))
        return use;
    in->nomem |= set_key(use, in->arena) != MR_OK;
    return !in->nomem && check_reach(in, param, use, name->span) ? use : NULL;
}

static const mr_filter_use *bind_chain(binder *in, const mr_param *param, const mr_value *text)
{
    const mr_param one = {.name = param->name, .type = MR_PARAM_TYPE_TEXT, .flags = param->flags, .max = "4096"};
    mr_filter_use *use = new_use(in);
    if (!use || !mr_param_bind_scalar(in, &one, text, &use->chain))
        return NULL;
    in->nomem |= set_key(use, in->arena) != MR_OK;
    return in->nomem ? NULL : use;
}

static bool bind_item(binder *in, const mr_param *param, const mr_value *item, const mr_filter_use **items, size_t *count)
{
    if (in->is_open && in->is_open(item))
        return true;
    if (item->type == MR_VALUE_TEXT && !item->text[0])
        return true;
    if (item->type == MR_VALUE_TEXT)
        items[*count] = bind_chain(in, param, item);
    else if (item->type == MR_VALUE_MAP)
        items[*count] = bind_use(in, param, item);
    else
        return mr_param_wrong(in, param, item, "an item is a text, or {use: NAME, with: {…}}");
    return items[(*count)++] != NULL;
}

bool mr_param_bind_filters(binder *in, const mr_param *param, const mr_value *value, void *field)
{
    const bool single = value->type == MR_VALUE_TEXT || value->type == MR_VALUE_MAP;
    const size_t given = single ? 1 : value->type == MR_VALUE_LIST ? value->list.count : 0;
    size_t count = 0;
    bool right = true;
    if (!single && value->type != MR_VALUE_LIST)
        return mr_param_wrong(in, param, value, "write a text such as \"eq=gamma=1.1\", or a list");
    if (given > MR_FILTERS_MAX) {
        mr_error(in->diags, "limit", value->span, "%s: '%s' has %zu filters; it may have %d", in->what, param->name, given, MR_FILTERS_MAX);
        return false;
    }
    const mr_filter_use **items = mr_arena_take_array(in->arena, given + 1, sizeof(*items));
    if (!items) {
        in->nomem = true;
        return false;
    }
    for (size_t i = 0; i < given; i++)
        right &= bind_item(in, param, single ? value : value->list.items[i], items, &count);
    if (!right)
        return false;
    const mr_filters filters = {.items = count > 0 ? items : NULL, .count = count};
    memcpy(field, &filters, sizeof(filters));
    return true;
}

/* ---- as JSON ---- */

static json_t *use_json(const mr_filter_use *use, bool whole)
{
    if (use->chain)
        return json_string(use->chain);
    const mr_frame_filter *filter = use->filter;
    const mr_param *table = filter->params ? filter->params : no_params;
    if (whole)
        return json_pack("{s:s, s:o}", "use", filter->name, "with", mr_params_dump(table, use->params));
    return json_pack("{s:s, s:I, s:s, s:s, s:o}", "filter", filter->name, "version", (json_int_t)filter->version, "plugin", use->plugin, "toolchain",
                     filter->toolchain ? filter->toolchain() : "", "with", mr_params_json(table, use->params));
}

/* One chain alone is written as the text that it is. */
json_t *mr_param_filters_json(const mr_filters *filters, bool whole)
{
    if (filters->count == 0)
        return json_null();
    if (filters->count == 1 && filters->items[0]->chain)
        return json_string(filters->items[0]->chain);
    json_t *list = json_array();
    for (size_t i = 0; list && i < filters->count; i++) {
        if (json_array_append_new(list, use_json(filters->items[i], whole)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

void mr_params_each_filter(const mr_param *table, const void *params, void (*visit)(const mr_filter_use *use, void *context), void *context)
{
    for (const mr_param *param = table; param && param->name; param++) {
        const char *field = (const char *)params + param->offset;
        mr_filters filters = {0};
        mr_list list = {0};
        if (param->type == MR_PARAM_TYPE_FILTERS)
            memcpy(&filters, field, sizeof(filters));
        if (param->type == MR_PARAM_TYPE_LIST && param->fields)
            memcpy(&list, field, sizeof(list));
        for (size_t i = 0; i < filters.count; i++)
            visit(filters.items[i], context);
        for (size_t i = 0; i < list.count; i++)
            mr_params_each_filter(param->fields, (const char *)list.items + i * mr_param_item_size(param), visit, context);
    }
}

static mr_status restore_params(const mr_filter_set *set, const json_t *json, mr_arena *arena, mr_filter_use *use)
{
    const char *name = json_string_value(json_object_get(json, "use"));
    const mr_filter_entry *entry = name ? mr_filter_set_find(set, name) : NULL;
    if (!entry)
        return MR_ERR_PARAM;
    const mr_frame_filter *filter = entry->filter;
    void *params = mr_arena_take(arena, filter->params_size + 1);
    if (!params)
        return MR_ERR_NOMEM;
    use->filter = filter;
    use->plugin = entry->plugin;
    use->params = params;
    return mr_params_restore_with(set, filter->params ? filter->params : no_params, json_object_get(json, "with"), arena, params,
                                  filter->params_size);
}

static mr_status restore_use(const mr_filter_set *set, const json_t *json, mr_arena *arena, mr_filter_use *use)
{
    mr_status status = MR_OK;
    *use = (mr_filter_use){.size = sizeof(*use)};
    if (!json_is_string(json))
        status = restore_params(set, json, arena, use);
    else if (!(use->chain = mr_arena_copy(arena, json_string_value(json), json_string_length(json))))
        status = MR_ERR_NOMEM;
    return status == MR_OK ? set_key(use, arena) : status;
}

mr_status mr_param_restore_filters(const mr_filter_set *set, const json_t *json, mr_arena *arena, void *field)
{
    const bool single = json_is_string(json);
    const size_t count = single ? 1 : json_array_size(json);
    if (json_is_null(json))
        return MR_OK;
    if ((!single && !json_is_array(json)) || count > MR_FILTERS_MAX)
        return MR_ERR_PARAM;
    const mr_filter_use **items = mr_arena_take_array(arena, count + 1, sizeof(*items));
    mr_filter_use *uses = mr_arena_take_array(arena, count + 1, sizeof(*uses));
    mr_status status = items && uses ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        status = restore_use(set, single ? json : json_array_get(json, i), arena, &uses[i]);
        items[i] = &uses[i];
    }
    const mr_filters filters = {.items = items, .count = count};
    if (status == MR_OK)
        memcpy(field, &filters, sizeof(filters));
    return status;
}
