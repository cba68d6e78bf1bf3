/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEVELS 64

char *mr_json_text(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
}

static int levels(const json_t *value, int left)
{
    const char *key;
    json_t *child;
    size_t i;
    if (left == 0)
        return 0;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, child)
        {
            if (!levels(child, left - 1))
                return 0;
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, child)
        {
            if (!levels(child, left - 1))
                return 0;
        }
    }
    return 1;
}

json_t *mr_json_read(const char *text, size_t len, size_t max, char ret_why[160])
{
    json_error_t error = {0};
    if (len > max) {
        if (ret_why)
            snprintf(ret_why, 160, "is longer than %zu bytes", max);
        return NULL;
    }
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value) {
        if (ret_why)
            snprintf(ret_why, 160, "line %d, column %d: %.100s", error.line, error.column, error.text);
        return NULL;
    }
    if (!levels(value, MAX_LEVELS)) {
        if (ret_why)
            snprintf(ret_why, 160, "is nested deeper than %d levels", MAX_LEVELS);
        json_decref(value);
        return NULL;
    }
    return value;
}
