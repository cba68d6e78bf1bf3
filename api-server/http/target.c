/* SPDX-License-Identifier: MIT */
/* See target.h. */
#include "target.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that an escape at text stands for; -1: none. */
static int unescape(const char *text, const char *end)
{
    const int high = end - text >= 3 ? hex_digit(text[1]) : -1;
    const int low = high >= 0 ? hex_digit(text[2]) : -1;
    return low >= 0 ? high * 16 + low : -1;
}

static bool segment_is_plain(const char *segment, size_t len, bool last)
{
    if (len == 0)
        return last;
    return !(segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.')));
}

bool mr_target_path(const char *target, size_t len, char *path)
{
    const char *query = memchr(target, '?', len);
    const char *end = query ? query : target + len;
    char *out = path;
    char *segment = path + 1;
    if (target == end || *target != '/')
        return false;
    for (const char *at = target; at < end; at++) {
        int c = (unsigned char)*at;
        if (c == '%') {
            c = unescape(at, end);
            at += 2;
            if (c == '/')
                return false;
        } else if (c == '/' && out > path) {
            if (!segment_is_plain(segment, (size_t)(out - segment), false))
                return false;
            segment = out + 1;
        }
        if (c < ' ' || c == 0x7f || c == '\\')
            return false;
        *out++ = (char)c;
    }
    *out = '\0';
    if (query && memmem(query, len - (size_t)(query - target), "%00", 3)) /* it would end a text early, and so widen what is asked for */
        return false;
    return segment_is_plain(segment, (size_t)(out - segment), true);
}

mr_query mr_target_query(const char *target, size_t len)
{
    const char *query = memchr(target, '?', len);
    const char *end = target + len;
    return (mr_query){.next = query ? query + 1 : end, .end = end};
}

static bool decode(const char *text, const char *end, char *out, size_t size)
{
    size_t len = 0;
    for (; text < end; text++) {
        int c = (unsigned char)*text;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            c = unescape(text, end);
            text += 2;
        }
        if (c <= 0 || len + 1 >= size)
            return false;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return true;
}

int mr_query_next(mr_query *query, char *name, char *value, size_t size)
{
    while (query->next < query->end && *query->next == '&')
        query->next++;
    if (query->next >= query->end)
        return 0;
    const char *begin = query->next;
    const char *ampersand = memchr(begin, '&', (size_t)(query->end - begin));
    const char *end = ampersand ? ampersand : query->end;
    const char *equals = memchr(begin, '=', (size_t)(end - begin));
    query->next = end;
    const bool fine = decode(begin, equals ? equals : end, name, size) && decode(equals ? equals + 1 : end, end, value, size);
    return fine ? 1 : -1;
}
