/* SPDX-License-Identifier: MIT */
/* Maps: unique keys, and merge keys (https://yaml.org/type/merge.html): what is written wins over what is merged, earlier merges over later. */
#include "config/yaml_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct entries {
    mr_entry *items;
    size_t count;
    size_t room;
} entries;

static mr_entry *find(const entries *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key) == 0)
            return &list->items[i];
    }
    return NULL;
}

static bool append(entries *list, mr_entry entry)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 8;
        mr_entry *grown = realloc(list->items, room * sizeof(*grown));
        if (!grown)
            return false;
        list->items = grown;
        list->room = room;
    }
    list->items[list->count++] = entry;
    return true;
}

/* `{a: ${b}}`: YAML takes the brace of the expression as the map's. */
bool mr_line_has_open_expression(const char *text, size_t len, size_t at)
{
    size_t start = at < len ? at : len;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    for (size_t i = start; i + 1 < len && text[i] != '\n'; i++) {
        if (text[i] == '$' && text[i + 1] == '{' && (i == 0 || (text[i - 1] != '"' && text[i - 1] != '\'')))
            return true;
    }
    return false;
}

/* The key of the current event; NULL: reported. */
static const mr_value *read_key(reader *in)
{
    const mr_value *key = mr_yaml_read_node(in);
    if (!key)
        return NULL;
    if (key->type == MR_VALUE_LIST || key->type == MR_VALUE_MAP) {
        mr_error(in->diags, "bad-key", key->span, "a key must be text, not %s", mr_value_type_name(key->type));
        size_t at = in->event.start_mark.index;
        if (mr_line_has_open_expression(in->text, in->len, at))
            mr_hint(in->diags, "quote an expression inside { } or [ ]: \"${…}\"");
        return NULL;
    }
    return key;
}

static bool merge_map(reader *in, entries *into, const mr_value *from)
{
    if (from->type != MR_VALUE_MAP) {
        mr_error(in->diags, "bad-merge", from->span, "only maps can be merged with '<<', this is %s", mr_value_type_name(from->type));
        in->failed = true;
        return true;
    }
    for (size_t i = 0; i < from->map.count; i++) {
        if (!find(into, from->map.entries[i].key) && !append(into, from->map.entries[i]))
            return false;
    }
    return true;
}

static bool merge(reader *in, entries *into, const mr_value *from)
{
    if (from->type != MR_VALUE_LIST)
        return merge_map(in, into, from);
    for (size_t i = 0; i < from->list.count; i++) {
        if (!merge_map(in, into, from->list.items[i]))
            return false;
    }
    return true;
}

static bool add_entry(reader *in, entries *list, const mr_value *key, const mr_value *value)
{
    const mr_entry *first = find(list, key->text);
    if (first) {
        mr_error(in->diags, "duplicate-key", key->span, "the key '%s' is given twice", key->text);
        mr_note(in->diags, first->key_span, "first given here");
        in->failed = true;
        return true;
    }
    return append(list, (mr_entry){.key = key->text, .key_span = key->span, .value = value});
}

/* A value that begins with '$' and is cut short by '{' is an unquoted expression in a flow map. */
static void check_expression(reader *in, const mr_value *value)
{
    if (value->type == MR_VALUE_TEXT && !value->quoted && strcmp(value->text, "$") == 0) {
        mr_error(in->diags, "unquoted-expression", value->span, "an expression inside { } or [ ] must be quoted");
        mr_hint(in->diags, "write \"${…}\"");
        in->failed = true;
    }
}

const mr_value *mr_yaml_read_map(reader *in, mr_span span)
{
    entries own = {0};
    entries merged = {0};
    mr_value *value = NULL;
    for (;;) {
        if (!mr_yaml_next_event(in))
            goto done;
        if (in->event.type == YAML_MAPPING_END_EVENT)
            break;
        const mr_value *key = read_key(in);
        if (!key || !mr_yaml_next_event(in))
            goto done;
        const mr_value *child = mr_yaml_read_node(in);
        if (!child)
            goto done;
        check_expression(in, child);
        bool is_merge = !key->quoted && strcmp(key->text, "<<") == 0;
        if (!(is_merge ? merge(in, &merged, child) : add_entry(in, &own, key, child)))
            goto done;
    }
    for (size_t i = 0; i < merged.count; i++) {
        if (!find(&own, merged.items[i].key) && !append(&own, merged.items[i]))
            goto done;
    }
    mr_entry *kept = mr_arena_take_array(in->arena, own.count, sizeof(*kept));
    value = kept ? mr_arena_take(in->arena, sizeof(*value)) : NULL;
    if (!value)
        goto done;
    if (own.count)
        memcpy(kept, own.items, own.count * sizeof(*kept));
    *value = (mr_value){.type = MR_VALUE_MAP, .span = span, .map = {.entries = kept, .count = own.count}};

done:
    free(own.items);
    free(merged.items);
    return value;
}
