/* SPDX-License-Identifier: MIT */
/* See text.h. Whatever is escaped here may come from a hostile file: names, languages, titles. */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* When memory is short, utstring_oom() returns from this function, with 'failed' still set. */
static void append(mr_text *out, const char *data, size_t len)
{
    bool before = out->failed;
    out->failed = true;
    utstring_bincpy(&out->string, data, len);
    out->failed = before;
}

void text_init(mr_text *out)
{
    memset(out, 0, sizeof(*out));
    append(out, "", 0);
}

void text_free(mr_text *out)
{
    utstring_done(&out->string);
    memset(out, 0, sizeof(*out));
}

void text_add(mr_text *out, const char *fmt, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(piece, sizeof(piece), fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(piece)) {
        out->failed = true; /* long texts go through the escaping functions, which have no limit */
        return;
    }
    append(out, piece, (size_t)len);
}

void text_make_quotable(char *buf, size_t size, const char *value)
{
    size_t used = 0;
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        const char *out = c == '"' ? "\u201d" : c == '\'' ? "\u2019" : (c < 0x20 || c == 0x7f) ? " " : NULL;
        size_t len = out ? strlen(out) : 1;
        if (used + len >= size)
            break;
        memcpy(buf + used, out ? out : value, len);
        used += len;
    }
    while (*value && used > 0 && ((unsigned char)*value & 0xC0) == 0x80) { /* cut within a character: the whole of it goes */
        used--;
        value--;
    }
    buf[used] = '\0';
}

/* The bytes EF BF BE and EF BF BF are U+FFFE and U+FFFF, which XML 1.0 forbids. Surrogates can't occur: the input is valid UTF-8. */
static bool is_noncharacter(const char *c)
{
    return memcmp(c, "\xEF\xBF\xBE", 3) == 0 || memcmp(c, "\xEF\xBF\xBF", 3) == 0;
}

void text_add_xml(mr_text *out, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        switch (c) {
        case '&': append(out, "&amp;", 5); break;
        case '<': append(out, "&lt;", 4); break;
        case '>': append(out, "&gt;", 4); break;
        case '"': append(out, "&quot;", 6); break;
        case '\'': append(out, "&#39;", 5); break;
        default:
            if (c == 0xEF && value[1] && value[2] && is_noncharacter(value)) {
                append(out, " ", 1);
                value += 2;
            } else {
                append(out, c < 0x20 ? " " : value, 1);
            }
        }
    }
}

void text_add_url(mr_text *out, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (; *path; path++) {
        if (strchr(plain, *path))
            append(out, path, 1);
        else
            text_add(out, "%%%02X", (unsigned char)*path);
    }
}

void text_add_seconds(mr_text *out, int64_t us)
{
    text_add(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}
