/* SPDX-License-Identifier: MIT */
/* See utf8.h. RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
#include "utf8.h"

#include <stdbool.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd };

uint32_t mr_utf8_next(const char *text, size_t len, size_t *ret_len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t need = bytes[0] < 0x80 ? 1 : (bytes[0] & 0xe0) == 0xc0 ? 2 : (bytes[0] & 0xf0) == 0xe0 ? 3 : (bytes[0] & 0xf8) == 0xf0 ? 4 : 0;
    *ret_len = 1;
    if (need == 1)
        return bytes[0];
    if (need == 0 || need > len)
        return REPLACEMENT;
    uint32_t code = bytes[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        code = code << 6 | (bytes[i] & 0x3fu);
    }
    if (code < smallest[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return REPLACEMENT;
    *ret_len = need;
    return code;
}

size_t mr_utf8_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[len] | code);
    return len;
}

/* C0, C1 and what moves text about in ways that a list of names must not. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || (code >= 0x202a && code <= 0x202e) || code == 0xfeff;
}

void mr_utf8_line(const char *text, size_t len, char *out, size_t size)
{
    size_t at = 0;
    size_t end = 0; /* of the last character that is not a space */
    size_t used;
    for (size_t i = 0; i < len; i += used) {
        char bytes[4];
        uint32_t code = mr_utf8_next(text + i, len - i, &used);
        bool space = is_control(code) || code == ' ';
        if (space && (at == 0 || out[at - 1] == ' '))
            continue;
        size_t n = mr_utf8_put(space ? ' ' : code, bytes);
        if (at + n + 1 > size)
            break;
        memcpy(out + at, bytes, n);
        at += n;
        if (!space)
            end = at;
    }
    out[end] = '\0';
}
