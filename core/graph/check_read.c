/* SPDX-License-Identifier: MIT */
/* Small readers of the checker: a value of a known shape, or an error at its place that says what is expected. */
#include "graph/check.h"
#include "base/units.h"
#include <inttypes.h>
#include <stdarg.h>

void *mr_check_take(mr_check *check, size_t count, size_t size)
{
    void *memory = mr_arena_take_array(check->arena, count > 0 ? count : 1, size);
    check->nomem |= !memory;
    return memory;
}

const char *mr_check_text(mr_check *check, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    const char *copy = mr_arena_copy(check->arena, text, kept);
    check->nomem |= !copy;
    return copy ? copy : "";
}

const char *mr_join(mr_arena *arena, const char *const *names, size_t count, size_t most)
{
    const char *text = "";
    for (size_t i = 0; i < count && i < most && text; i++)
        text = mr_arena_printf(arena, "%s%s%s", text, i > 0 ? ", " : "", names[i]);
    if (text && count > most)
        text = mr_arena_printf(arena, "%s and %zu more", text, count - most);
    return text ? text : "";
}

bool mr_is_lua(const mr_check *check)
{
    const size_t len = strlen(check->pipeline->file);
    return len > 4 && strcmp(check->pipeline->file + len - 4, ".lua") == 0;
}

const char *mr_key_word(const mr_check *check, const char *key)
{
    if (!mr_is_lua(check))
        return key;
    return strcmp(key, "in") == 0 ? "from" : strcmp(key, "for") == 0 ? "cross" : key;
}

void mr_hint_names(mr_check *check, const char *word, const char *const *names, size_t count, const char *lead)
{
    const char *near = mr_nearest(word, names, count);
    if (near)
        mr_hint(check->diags, "did you mean '%s'?", near);
    else if (count > 0)
        mr_hint(check->diags, "%s: %s", lead, mr_join(check->arena, names, count, 16));
}

bool mr_check_map(mr_check *check, const mr_value *value, const char *what)
{
    if (value->type == MR_VALUE_MAP)
        return true;
    mr_fail(check, "wrong-type", value->span, "%s must be a map, not %s", what, mr_value_type_name(value->type));
    return false;
}

void mr_check_keys(mr_check *check, const mr_value *map, const char *what, const char *const *keys)
{
    size_t count = 0;
    while (keys[count])
        count++;
    for (size_t i = 0; i < map->map.count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known |= strcmp(keys[k], entry->key) == 0;
        if (known)
            continue;
        mr_fail(check, "unknown-key", entry->key_span, "%s has no key '%s'", what, entry->key);
        mr_hint_names(check, entry->key, keys, count, "it has");
    }
}

bool mr_check_name(mr_check *check, const char *name, mr_span span, const char *what)
{
    size_t len = strlen(name);
    bool good = len > 0 && len <= MR_PIPELINE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z';
    for (size_t i = 0; i < len && good; i++)
        good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_';
    if (good)
        return true;
    mr_fail(check, "bad-name", span, "'%s' can't be the name of %s", name, what);
    mr_hint(check->diags, "a name has lower-case letters, digits and '_', begins with a letter, and has at most %d characters", MR_PIPELINE_NAME_MAX);
    return false;
}

bool mr_check_count(mr_check *check, const mr_value *map, size_t max, const char *what)
{
    if (map->map.count <= max)
        return true;
    mr_fail(check, "limit", map->map.entries[max].key_span, "%zu %s are more than the %zu that a pipeline may have", map->map.count, what, max);
    return false;
}

static bool is_scalar(const mr_value *value)
{
    return value->type != MR_VALUE_LIST && value->type != MR_VALUE_MAP && value->type != MR_VALUE_NULL;
}

/* How a scalar is quoted in a message. */
static const char *shown(mr_check *check, const mr_value *value)
{
    if (!is_scalar(value))
        return mr_value_type_name(value->type);
    return mr_check_text(check, "'%.60s'", value->text);
}

void mr_read_text(mr_check *check, const mr_value *map, const char *key, const char *what, const char **ret_text)
{
    const mr_value *value = mr_value_get(map, key);
    if (!value)
        return;
    if (!is_scalar(value))
        mr_fail(check, "wrong-type", value->span, "'%s' of %s must be text, not %s", key, what, mr_value_type_name(value->type));
    else if (strlen(value->text) > MR_PIPELINE_HELP_MAX)
        mr_fail(check, "limit", value->span, "'%s' of %s is longer than %d bytes", key, what, MR_PIPELINE_HELP_MAX);
    else
        *ret_text = value->text;
}

void mr_read_bool(mr_check *check, const mr_value *map, const char *key, const char *what, bool *ret_value)
{
    const mr_value *value = mr_value_get(map, key);
    if (!value)
        return;
    if (value->type == MR_VALUE_BOOL)
        *ret_value = value->boolean;
    else
        mr_fail(check, "wrong-type", value->span, "'%s' of %s must be true or false, not %s", key, what, shown(check, value));
}

void mr_read_int(mr_check *check, const mr_value *map, const char *key, const char *what, int64_t min, int64_t max, int64_t *ret_value)
{
    const mr_value *value = mr_value_get(map, key);
    if (!value)
        return;
    if (value->type != MR_VALUE_INT)
        mr_fail(check, "wrong-type", value->span, "'%s' of %s must be a whole number, not %s", key, what, shown(check, value));
    else if (value->integer < min || value->integer > max)
        mr_fail(check, "out-of-range", value->span, "'%s' of %s must be from %" PRId64 " to %" PRId64 ", not %" PRId64, key, what, min, max,
                value->integer);
    else
        *ret_value = value->integer;
}

void mr_read_duration(mr_check *check, const mr_value *map, const char *key, const char *what, int64_t max_us, int64_t *ret_us)
{
    const mr_value *value = mr_value_get(map, key);
    const char *why = NULL;
    int64_t us = 0;
    if (!value)
        return;
    if (!is_scalar(value) || value->type == MR_VALUE_BOOL || mr_parse_duration(value->text, &us, &why) != MR_OK) {
        mr_fail(check, "wrong-type", value->span, "'%s' of %s must be a duration, not %s", key, what, shown(check, value));
        mr_hint(check->diags, "write for example 500ms, 4s, 30m or 1h30m");
    } else if (us < 0 || us > max_us) {
        mr_fail(check, "out-of-range", value->span, "'%s' of %s must be from 0s to %" PRId64 "s, not '%s'", key, what, max_us / 1000000, value->text);
    } else {
        *ret_us = us;
    }
}

void mr_read_choice(mr_check *check, const mr_value *map, const char *key, const char *what, const char *const *choices, int *ret_index)
{
    const mr_value *value = mr_value_get(map, key);
    if (!value)
        return;
    size_t count = 0;
    for (; choices[count]; count++) {
        if (is_scalar(value) && strcmp(choices[count], value->text) == 0) {
            *ret_index = (int)count;
            return;
        }
    }
    mr_fail(check, "wrong-type", value->span, "'%s' of %s can't be %s", key, what, shown(check, value));
    mr_hint_names(check, is_scalar(value) ? value->text : "", choices, count, "one of");
}
