/* SPDX-License-Identifier: MIT */
/* Canonical JSON text, and reading of JSON from strangers. */
#include "base/json.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 64
#define WHY_SIZE  160

char *mr_json_text(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
}

/* Looked at before parsing, so that jansson never recurses deeper. Brackets within strings don't count. */
static bool too_deep(const char *text, size_t len)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *mr_json_read(const char *text, size_t len, size_t max, char ret_why[160])
{
    char unused[WHY_SIZE];
    char shown[WHY_SIZE - 48];
    char *why = ret_why ? ret_why : unused;
    json_error_t error;
    why[0] = '\0';
    if (len > max) {
        snprintf(why, WHY_SIZE, "is larger than %zu bytes", max);
        return NULL;
    }
    if (too_deep(text, len)) {
        snprintf(why, WHY_SIZE, "is nested more than %d levels deep", DEPTH_MAX);
        return NULL;
    }
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value)
        snprintf(why, WHY_SIZE, "line %d, column %d: %s", error.line, error.column,
                 mr_text_show_all(error.text, strnlen(error.text, sizeof(error.text)), shown, sizeof(shown)));
    return value;
}
