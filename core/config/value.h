/* SPDX-License-Identifier: MIT */
/*
 * The value tree that YAML and Lua both produce: every value and every key keeps its place in the file. Immutable after
 * reading; lives in an arena.
 */
#ifndef MR_CONFIG_VALUE_H
#define MR_CONFIG_VALUE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/json.h"

typedef enum mr_value_type { MR_VALUE_NULL, MR_VALUE_BOOL, MR_VALUE_INT, MR_VALUE_NUMBER, MR_VALUE_TEXT, MR_VALUE_LIST, MR_VALUE_MAP } mr_value_type;

typedef struct mr_value mr_value;
typedef struct mr_entry {
    const char *key;
    mr_span key_span;
    const mr_value *value;
} mr_entry;

struct mr_value {
    mr_value_type type;
    bool quoted;      /* scalars: was quoted, so it is text whatever it looks like */
    mr_span span;     /* of the scalar, or of the first token of a list or map */
    const char *text; /* scalars: as written (quotes and escapes resolved); NULL else */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const mr_value *const *items;
            size_t count;
        } list;
        struct {
            const mr_entry *entries;
            size_t count;
        } map; /* in file order, keys unique */
    };
};

const mr_value *mr_value_get(const mr_value *map, const char *key); /* NULL: absent, or not a map */
const mr_entry *mr_value_entry(const mr_value *map, const char *key);
const char *mr_value_type_name(mr_value_type type); /* "a list", "text", … for messages */
json_t *mr_value_to_json(const mr_value *value);    /* new reference; NULL when memory is short */
/* Every value of the result has the span given: for values that were computed from the text at span. */
const mr_value *mr_value_from_json(mr_arena *arena, const json_t *json, mr_span span);
/* Scalars made in code, for defaults: parsed like a plain YAML scalar. */
const mr_value *mr_value_scalar(mr_arena *arena, const char *text, mr_span span);

#endif
