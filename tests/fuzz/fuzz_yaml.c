/* SPDX-License-Identifier: MIT */
/*
 * Reads any text as YAML. What is read must hold what the reader promises: spans within the text, keys that are unique, no more values and
 * levels than the limits, and JSON that comes back the same. What is not read must have said why; and saying it must work.
 */
#include "base/text.h"
#include "config/yaml.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
    const size_t *lines; /* length of each */
    size_t line_count;
    size_t values;
};

static void require(bool right)
{
    if (!right)
        abort();
}

static void check_span(const struct walk *walk, mr_span span)
{
    require(span.line >= 1 && span.line <= walk->line_count && span.col >= 1 && span.len >= 1);
    size_t len = walk->lines[span.line - 1];
    /* A place at the end of a line is one column after it. */
    require(span.col <= len + 1 && (span.len == 1 || span.col - 1 + span.len <= len));
}

static void check_value(struct walk *walk, const mr_value *value, size_t depth)
{
    require(++walk->values <= mr_yaml_limits_default.values);
    check_span(walk, value->span);
    bool scalar = value->type != MR_VALUE_LIST && value->type != MR_VALUE_MAP;
    require(scalar == (value->text != NULL));
    require(scalar || depth < mr_yaml_limits_default.depth);
    if (value->text)
        require(mr_utf8_valid(value->text, strlen(value->text)));
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++)
        check_value(walk, value->list.items[i], depth + 1);
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++) {
        const mr_entry *entry = &value->map.entries[i];
        check_span(walk, entry->key_span);
        if (value->map.count < 200) /* look-ups are linear */
            require(mr_value_entry(value, entry->key) == entry);
        check_value(walk, entry->value, depth + 1);
    }
}

static void check_json(mr_arena *arena, const mr_value *value)
{
    json_t *json = mr_value_to_json(value);
    require(json != NULL);
    const mr_value *again = mr_value_from_json(arena, json, value->span);
    require(again != NULL);
    json_t *back = mr_value_to_json(again);
    require(json_equal(json, back));
    json_decref(back);
    json_decref(json);
}

static void check_tree(mr_arena *arena, const uint8_t *data, size_t size, const mr_value *value)
{
    size_t *lines = calloc(size + 1, sizeof(*lines));
    struct walk walk = {.lines = lines, .line_count = 1};
    size_t mark = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (!lines)
        abort();
    for (size_t i = mark; i < size; i++) {
        if (data[i] == '\n')
            walk.line_count++;
        else
            lines[walk.line_count - 1]++;
    }
    check_value(&walk, value, 0);
    check_json(arena, value);
    free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *sink;
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    const mr_value *value = NULL;
    if (!sink)
        sink = fopen("/dev/null", "we");
    mr_status status = mr_yaml_read(arena, "fuzz", (const char *)data, size, NULL, diags, &value);
    require((status == MR_OK) == (value != NULL) && (status == MR_OK) == (mr_diags_errors(diags) == 0));
    if (value)
        check_tree(arena, data, size, value);
    mr_diags_print(diags, sink, true);
    char *json = mr_diags_json(diags);
    require(json != NULL);
    free(json);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
