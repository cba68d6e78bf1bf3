/* SPDX-License-Identifier: MIT */
/* A description, which may be anybody's, as a value tree. Places that lie outside of the texts are moved to their begin. */
#include "scripting/pipeline_internal.h"

#include <string.h>

typedef struct tree_reader {
    mr_arena *arena;
    const mr_bundle *bundle;
    size_t values;
    size_t bytes;
} tree_reader;

static mr_span read_place(const tree_reader *reader, const json_t *place)
{
    const json_int_t file = json_integer_value(json_array_get(place, 0));
    const json_int_t line = json_integer_value(json_array_get(place, 1));
    const json_int_t col = json_integer_value(json_array_get(place, 2));
    const json_int_t len = json_integer_value(json_array_get(place, 3));
    const bool known = file >= 0 && (size_t)file < reader->bundle->count;
    const mr_bundle_file *from = &reader->bundle->files[known ? file : 0];
    const json_int_t most = (json_int_t)from->len + 1;
    if (!known || line < 1 || line > most || col < 1 || col > most || len < 1 || len > most)
        return (mr_span){reader->bundle->files[0].path, 1, 1, 1};
    return (mr_span){from->path, (uint32_t)line, (uint32_t)col, (uint32_t)len};
}

static const mr_value *read_value(tree_reader *reader, const json_t *json, unsigned depth);

static const mr_value *read_scalar(const tree_reader *reader, const json_t *payload, mr_span span)
{
    const bool plain = json_is_null(payload) || json_is_boolean(payload) || json_is_number(payload) || json_is_string(payload);
    return plain ? mr_value_from_json(reader->arena, payload, span) : NULL;
}

static bool read_list(tree_reader *reader, const json_t *payload, unsigned depth, mr_value *value)
{
    const size_t count = json_array_size(payload);
    const mr_value **items = mr_arena_take_array(reader->arena, count + 1, sizeof(const mr_value *));
    for (size_t i = 0; i < count && items; i++)
        if (!(items[i] = read_value(reader, json_array_get(payload, i), depth)))
            return false;
    value->type = MR_VALUE_LIST;
    value->list.items = items;
    value->list.count = count;
    return items;
}

/* Keys are unique in a tree. */
static bool is_new(json_t *seen, const char *key)
{
    return !json_object_get(seen, key) && json_object_set_new(seen, key, json_true()) == 0;
}

static bool read_map(tree_reader *reader, const json_t *payload, unsigned depth, mr_value *value)
{
    const size_t count = json_array_size(payload);
    mr_autojson json_t *seen = json_object();
    mr_entry *entries = mr_arena_take_array(reader->arena, count + 1, sizeof(*entries));
    for (size_t i = 0; i < count && entries; i++) {
        const json_t *entry = json_array_get(payload, i);
        const char *key = json_string_value(json_array_get(entry, 0));
        if (!key || !is_new(seen, key))
            return false;
        reader->bytes += strlen(key);
        entries[i].key = mr_arena_copy(reader->arena, key, strlen(key));
        entries[i].key_span = read_place(reader, json_array_get(entry, 1));
        entries[i].value = read_value(reader, json_array_get(entry, 2), depth);
        if (!entries[i].key || !entries[i].value)
            return false;
    }
    value->type = MR_VALUE_MAP;
    value->map.entries = entries;
    value->map.count = count;
    return entries;
}

static const mr_value *read_value(tree_reader *reader, const json_t *json, unsigned depth)
{
    const char *kind = json_string_value(json_array_get(json, 0));
    const json_t *payload = json_array_get(json, 2);
    const mr_span span = read_place(reader, json_array_get(json, 1));
    reader->bytes += json_is_string(payload) ? json_string_length(payload) : 0;
    if (!kind || !payload || depth == 0 || ++reader->values > MR_SCRIPT_PIPELINE_VALUES || reader->bytes > (size_t)2 * MR_SCRIPT_PIPELINE_TEXTS)
        return NULL;
    if (strcmp(kind, "s") == 0)
        return read_scalar(reader, payload, span);
    mr_value *value = json_is_array(payload) ? mr_arena_take(reader->arena, sizeof(*value)) : NULL;
    if (!value)
        return NULL;
    value->span = span;
    bool good = false;
    if (strcmp(kind, "l") == 0)
        good = read_list(reader, payload, depth - 1, value);
    else if (strcmp(kind, "m") == 0)
        good = read_map(reader, payload, depth - 1, value);
    return good ? value : NULL;
}

mr_status mr_script_pipeline_tree(mr_arena *arena, const mr_bundle *bundle, const json_t *description, const mr_value **ret_root)
{
    tree_reader reader = {.arena = arena, .bundle = bundle};
    /* A value of the script may be nested as deeply as it is allowed; the pipeline's own levels come on top. */
    *ret_root = read_value(&reader, json_object_get(description, "root"), MR_SCRIPT_PIPELINE_DEPTH + 8);
    return *ret_root ? MR_OK : MR_ERR_INPUT;
}
