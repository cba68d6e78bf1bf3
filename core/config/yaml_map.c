/* SPDX-License-Identifier: MIT */
/*
 * Maps: unique keys, and merge keys (https://yaml.org/type/merge.html): what is written wins over what is merged, an earlier map over a
 * later one. Keys are compared after sorting: a file made of keys costs no more than its size says.
 */
#include "config/yaml_internal.h"
#include <stdlib.h>
#include <string.h>

/* A member as it is read; kept in file order, looked at in the order of keys. */
struct member {
    mr_entry entry;
    size_t order;
    bool merged;  /* came through '<<' */
    bool dropped; /* another of that key counts */
};

static int compare_members(const void *a, const void *b)
{
    const struct member *left = *(const struct member *const *)a;
    const struct member *right = *(const struct member *const *)b;
    int order = strcmp(left->entry.key, right->entry.key);
    if (order != 0)
        return order;
    /* Written keys before merged ones, then in file order: the first of a key counts. */
    if (left->merged != right->merged)
        return left->merged ? 1 : -1;
    return left->order < right->order ? -1 : 1;
}

static void report_duplicate(reader *r, const struct member *first, const struct member *second)
{
    mr_error(r->diags, "duplicate-key", second->entry.key_span, "key '%s' is there twice", second->entry.key);
    mr_note(r->diags, first->entry.key_span, "first defined here");
    r->wrong = true;
}

/* Marks the members that don't count, and reports those that were written twice. */
static void settle_keys(reader *r, growing *members)
{
    struct member *all = members->items;
    const struct member **sorted = calloc(members->count > 0 ? members->count : 1, sizeof(const struct member *));
    if (!sorted) {
        mr_yaml_stop(r, MR_ERR_NOMEM);
        return;
    }
    for (size_t i = 0; i < members->count; i++)
        sorted[i] = &all[i];
    qsort(sorted, members->count, sizeof(const struct member *), compare_members);
    const struct member *first = members->count > 0 ? sorted[0] : NULL;
    for (size_t i = 1; i < members->count; i++) {
        if (strcmp(sorted[i]->entry.key, first->entry.key) != 0) {
            first = sorted[i];
            continue;
        }
        all[sorted[i]->order].dropped = true;
        if (!sorted[i]->merged)
            report_duplicate(r, first, sorted[i]);
    }
    free(sorted);
}

static void add_member(reader *r, growing *members, mr_entry entry, bool merged)
{
    struct member *slot = mr_yaml_grow(r, members, sizeof(*slot));
    if (slot)
        *slot = (struct member){.entry = entry, .order = members->count - 1, .merged = merged};
}

/* span: where it is merged. */
static void merge_map(reader *r, growing *members, const mr_value *map, mr_span span)
{
    if (map->type != MR_VALUE_MAP) {
        mr_error(r->diags, "bad-merge", span, "'<<' takes a map or a list of maps, not %s", mr_value_type_name(map->type));
        r->wrong = true;
        return;
    }
    for (size_t i = 0; i < map->map.count && r->status == MR_OK; i++)
        add_member(r, members, map->map.entries[i], true);
}

/* The members were counted with the alias or the map that they come from. */
static void merge(reader *r, growing *members, built *sum, const built *from, mr_span span)
{
    const mr_value *value = from->value;
    built cost = *from;
    if (!value)
        return;
    bool list = value->type == MR_VALUE_LIST;
    size_t outer = list ? 2 : 1; /* levels that merging takes away */
    cost.depth = cost.depth > outer ? cost.depth - outer : 0;
    mr_yaml_add_cost(sum, &cost);
    if (!list)
        merge_map(r, members, value, span);
    for (size_t i = 0; list && i < value->list.count && r->status == MR_OK; i++)
        merge_map(r, members, value->list.items[i], value->list.items[i]->span);
}

/* The key's text, or NULL when it can't be a key (and was reported). */
static const char *key_text(reader *r, const built *key, mr_span span)
{
    if (!key->value)
        return NULL;
    mr_value_type type = key->value->type;
    bool empty = type != MR_VALUE_LIST && type != MR_VALUE_MAP && !*key->value->text;
    if (type != MR_VALUE_LIST && type != MR_VALUE_MAP && !empty) {
        const char *colon = key->value->quoted ? NULL : strpbrk(key->value->text, ":");
        if (!colon || (colon[1] != '{' && colon[1] != '['))
            return key->value->text;
        size_t before = (size_t)(colon - key->value->text);
        mr_error(r->diags, "bad-key", span, "a space is missing after the ':' of '%.*s'", (int)before, key->value->text);
        mr_hint(r->diags, "write '%.*s: %c'", (int)before, key->value->text, colon[1]);
        r->wrong = true;
        return NULL;
    }
    mr_error(r->diags, "bad-key", span, "a key must be a word, not %s", empty ? "nothing" : mr_value_type_name(type));
    if (type == MR_VALUE_MAP)
        mr_hint(r->diags, "if this is an expression, put it in quotes: \"${…}\"");
    r->wrong = true;
    return NULL;
}

static void read_member(reader *r, size_t depth, growing *members, built *sum, mr_span *merged_at)
{
    mr_span span = mr_yaml_event_span(r);
    built key = mr_yaml_read_value(r, depth + 1);
    if (key.value)
        span = key.value->span;
    r->values -= r->status == MR_OK && key.values == 1; /* a word as key is not a value */
    const char *name = r->status == MR_OK ? key_text(r, &key, span) : NULL;
    if (r->status != MR_OK)
        return;
    mr_span value_span = mr_yaml_event_span(r);
    built value = mr_yaml_read_value(r, depth + 1);
    if (r->status != MR_OK || !name)
        return;
    if (!key.merge) {
        mr_yaml_add_cost(sum, &value);
        if (value.value)
            add_member(r, members, (mr_entry){name, span, value.value}, false);
        return;
    }
    if (merged_at->line > 0) {
        mr_error(r->diags, "duplicate-key", span, "key '<<' is there twice");
        mr_note(r->diags, *merged_at, "first defined here");
        mr_hint(r->diags, "merge several maps as a list: <<: [*one, *other]");
        r->wrong = true;
    }
    *merged_at = span;
    merge(r, members, sum, &value, value_span);
}

built mr_yaml_read_map(reader *r, size_t depth)
{
    growing members = {0};
    size_t anchor = 0;
    bool right = false;
    mr_span merged_at = {0};
    built out = {.values = 1, .depth = 1};
    bool flow = r->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    mr_value *value = mr_yaml_begin(r, depth, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag, "map", flow, &anchor, &right);
    if (!value || !mr_yaml_advance(r))
        return (built){0};
    if (!flow && r->event.type != YAML_MAPPING_END_EVENT)
        value->span = mr_yaml_event_span(r); /* the first key */
    while (r->status == MR_OK && r->event.type != YAML_MAPPING_END_EVENT)
        read_member(r, depth, &members, &out, &merged_at);
    mr_yaml_advance(r);
    if (r->status == MR_OK)
        settle_keys(r, &members);
    mr_entry *entries = mr_yaml_take(r, members.count, sizeof(*entries));
    size_t count = 0;
    const struct member *all = members.items;
    for (size_t i = 0; entries && i < members.count; i++)
        if (!all[i].dropped)
            entries[count++] = all[i].entry;
    free(members.items);
    value->type = MR_VALUE_MAP;
    value->map.entries = entries;
    value->map.count = count;
    return mr_yaml_finish(r, value, out, anchor, right);
}
