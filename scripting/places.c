/* SPDX-License-Identifier: MIT */
/*
 * Reads table constructors and argument lists in the text of a script. It is told only texts that Lua has compiled, so brackets and blocks match;
 * where it is wrong all the same, a message stands at a place nearby.
 */
#include "scripting/places.h"

#include "scripting/expr_internal.h"

#include <string.h>

#define CALL_TOKENS 2000u /* from the line that Lua names to the call's own name: a chain of calls may lie between */

static mr_token token_at(mr_area area, uint32_t at)
{
    const mr_token end = {MR_TOKEN_END, area.end, 0};
    if (!area.file) /* an argument that is not there */
        return end;
    const mr_token token = mr_token_next_code(area.file->text, at);
    return token.start >= area.end ? end : token;
}

static bool is(mr_area area, mr_token token, const char *word)
{
    return token.kind != MR_TOKEN_TEXT && token.kind != MR_TOKEN_END && mr_token_is(area.file->text, token, word);
}

/* How much deeper the text is after the token: brackets and blocks. */
static int deeper(mr_area area, mr_token token)
{
    static const char *const opens[] = {"(", "{", "[", "function", "if", "do", "repeat", NULL};
    static const char *const closes[] = {")", "}", "]", "end", "until", NULL};
    for (size_t i = 0; opens[i]; i++)
        if (is(area, token, opens[i]))
            return 1;
    for (size_t i = 0; closes[i]; i++)
        if (is(area, token, closes[i]))
            return -1;
    return 0;
}

/*
 * One item of a list that begins at from: up to a comma or semicolon of its own level, or to what closes the list. *ret_next: behind that, or the
 * area's end when it was the last.
 */
static mr_area item_at(mr_area list, uint32_t from, uint32_t *ret_next)
{
    int depth = 0;
    mr_area item = {list.file, 0, 0};
    for (mr_token token = token_at(list, from); token.kind != MR_TOKEN_END; token = token_at(list, token.start + token.len)) {
        const int change = deeper(list, token);
        *ret_next = token.start + token.len;
        if (depth == 0 && (is(list, token, ",") || is(list, token, ";")))
            return item;
        if (depth + change < 0)
            break;
        depth += change;
        if (item.end == 0)
            item.begin = token.start;
        item.end = token.start + token.len;
    }
    *ret_next = list.end;
    return item;
}

/* ---- calls ---- */

static bool is_name(mr_area arg, const char *name)
{
    const mr_token token = token_at(arg, arg.begin);
    const size_t len = strlen(name);
    if (arg.end == 0 || token.kind != MR_TOKEN_TEXT || token.start + token.len != arg.end)
        return arg.end != 0 && token.kind != MR_TOKEN_TEXT; /* computed: it may well be */
    return token.len == len + 2 && memcmp(arg.file->text + token.start + 1, name, len) == 0;
}

static void read_args(mr_area rest, mr_token opening, mr_area ret_args[MR_AREA_ARGS])
{
    memset(ret_args, 0, MR_AREA_ARGS * sizeof(*ret_args));
    if (is(rest, opening, "(")) {
        uint32_t next = opening.start + 1;
        for (size_t i = 0; i < MR_AREA_ARGS && next < rest.end; i++)
            ret_args[i] = item_at(rest, next, &next);
        return;
    }
    ret_args[0] = (mr_area){rest.file, opening.start, opening.start + opening.len};
    uint32_t next = 0;
    if (is(rest, opening, "{")) {
        ret_args[0] = item_at(rest, opening.start, &next);
        int depth = 0; /* the constructor alone, without what is done with the call's value */
        for (mr_token token = token_at(ret_args[0], opening.start); token.kind != MR_TOKEN_END; token = token_at(rest, token.start + token.len)) {
            depth += deeper(rest, token);
            ret_args[0].end = token.start + token.len;
            if (depth == 0)
                break;
        }
    }
}

static uint32_t line_begin(const mr_bundle_file *file, int line)
{
    const char *at = file->text;
    for (int i = 1; i < line && at; i++) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return at ? (uint32_t)(at - file->text) : (uint32_t)file->len;
}

mr_area mr_area_line(const mr_bundle_file *file, int line)
{
    uint32_t begin = line_begin(file, line);
    begin += (uint32_t)strspn(file->text + begin, " \t");
    uint32_t len = (uint32_t)strcspn(file->text + begin, "\r\n");
    return (mr_area){file, begin, begin + (len ? len : 1)};
}

bool mr_area_call(const mr_bundle_file *file, int line, const char *method, const char *name, mr_area *ret_call, mr_area ret_args[MR_AREA_ARGS])
{
    bool found = false;
    mr_area args[MR_AREA_ARGS];
    mr_area rest = {file, line_begin(file, line), (uint32_t)file->len};
    mr_token before = {MR_TOKEN_END, 0, 0};
    mr_token token = token_at(rest, rest.begin);
    *ret_call = mr_area_line(file, line);
    memset(ret_args, 0, MR_AREA_ARGS * sizeof(*ret_args));
    for (unsigned i = 0; i < CALL_TOKENS && token.kind != MR_TOKEN_END; i++) {
        const mr_token after = token_at(rest, token.start + token.len);
        const bool called = after.kind == MR_TOKEN_TEXT || is(rest, after, "(") || is(rest, after, "{");
        if (called && token.kind == MR_TOKEN_NAME && is(rest, token, method) && (is(rest, before, ":") || is(rest, before, "."))) {
            read_args(rest, after, args);
            const bool right = !name || is_name(args[0], name);
            if (right || !found) {
                *ret_call = (mr_area){file, token.start, token.start + token.len};
                memcpy(ret_args, args, sizeof(args));
            }
            found = true;
            if (right)
                return true;
        }
        if (found && memchr(file->text + rest.begin, '\n', token.start - rest.begin))
            return true; /* another one would have to stand on the same line */
        before = token;
        token = after;
    }
    return found;
}

/* ---- tables ---- */

/* The key of an entry, and where its value begins; false: it is an item of the list. */
static bool read_key(mr_area entry, mr_area *ret_key, uint32_t *ret_value)
{
    mr_token token = token_at(entry, entry.begin);
    *ret_key = (mr_area){entry.file, token.start, token.start + token.len};
    mr_token after = token_at(entry, token.start + token.len);
    if (is(entry, token, "[")) {
        *ret_key = (mr_area){entry.file, after.start, after.start + after.len};
        after = token_at(entry, after.start + after.len);
        if (!is(entry, after, "]"))
            return false;
        after = token_at(entry, after.start + after.len);
    } else if (token.kind != MR_TOKEN_NAME) {
        return false;
    }
    if (!is(entry, after, "="))
        return false;
    *ret_value = after.start + after.len;
    return true;
}

static bool says(mr_area key, const char *word)
{
    const char *text = key.file->text + key.begin;
    size_t len = key.end - key.begin;
    if (len >= 2 && (text[0] == '"' || text[0] == '\'')) {
        text++;
        len -= 2;
    }
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

mr_area mr_area_entry(mr_area table, const char *key, size_t index, mr_area *ret_key)
{
    const mr_area nothing = {0};
    size_t count = 0;
    *ret_key = nothing;
    if (table.end == 0 || !is(table, token_at(table, table.begin), "{"))
        return nothing;
    for (uint32_t next = table.begin + 1; next < table.end;) {
        const mr_area entry = item_at(table, next, &next);
        mr_area named = nothing;
        uint32_t value = 0;
        if (entry.end == 0)
            continue;
        if (!read_key(entry, &named, &value)) {
            if (++count == index && !key)
                return entry;
        } else if (key && says(named, key)) {
            *ret_key = named;
            return (mr_area){entry.file, token_at(entry, value).start, entry.end};
        }
    }
    return nothing;
}

mr_span mr_area_span(mr_area area)
{
    if (area.end == 0)
        return (mr_span){0};
    mr_span span = {.file = area.file->path, .line = 1, .col = 1};
    uint32_t begin = 0;
    for (uint32_t i = 0; i < area.begin; i++) {
        if (area.file->text[i] == '\n') {
            span.line++;
            begin = i + 1;
        }
    }
    span.col = area.begin - begin + 1;
    span.len = area.end - area.begin;
    if (memchr(area.file->text + area.begin, '\n', span.len)) {
        const mr_token first = token_at(area, area.begin);
        const uint32_t line = (uint32_t)strcspn(area.file->text + area.begin, "\r\n");
        span.len = first.len > 0 && first.len < line ? first.len : line;
    }
    span.len += span.len == 0;
    return span;
}
