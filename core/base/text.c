/* SPDX-License-Identifier: MIT */
/* UTF-8 decoding, widths, and making control characters visible. No locale is read: the same bytes give the same text everywhere. */
#include "base/text.h"
#include <stdio.h>
#include <string.h>

size_t mr_utf8_next(const char *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    if (len == 0)
        return 0;
    if (at[0] < 0x80) {
        *ret_code = at[0];
        return 1;
    }
    size_t size = at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : 0;
    if (size == 0 || size > len)
        return 0;
    uint32_t code = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return size;
}

bool mr_utf8_valid(const char *text, size_t len)
{
    uint32_t code = 0;
    for (size_t at = 0; at < len;) {
        size_t size = mr_utf8_next(text + at, len - at, &code);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

struct range {
    uint32_t first;
    uint32_t last;
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* The ranges that matter in practice, after Unicode's EastAsianWidth.txt and the general categories Mn and Cf. */
unsigned mr_utf8_columns(uint32_t code)
{
    static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
                                        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
                                        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                        {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};
    static const struct range none[] = {{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},  {0x0e31, 0x0e31},
                                        {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},  {0x20d0, 0x20ff},
                                        {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};
    if (code < 0x300)
        return 1;
    if (in_ranges(none, sizeof(none) / sizeof(none[0]), code))
        return 0;
    return in_ranges(wide, sizeof(wide) / sizeof(wide[0]), code) ? 2 : 1;
}

/* Characters that act on the reader instead of being read: controls, line separators, and the direction overrides of "Trojan Source". */
static bool acts(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t mr_text_show(const char *text, size_t len, char out[MR_TEXT_SHOWN], unsigned *ret_columns)
{
    static const char named[] = {[7] = 'a', [8] = 'b', [9] = 't', [10] = 'n', [11] = 'v', [12] = 'f', [13] = 'r'};
    uint32_t code = 0;
    int written = 0;
    out[0] = '\0';
    *ret_columns = 0;
    if (len == 0)
        return 0;
    size_t size = mr_utf8_next(text, len, &code);
    if (size > 0 && !acts(code)) {
        memcpy(out, text, size);
        out[size] = '\0';
        *ret_columns = mr_utf8_columns(code);
        return size;
    }
    if (size == 0)
        written = snprintf(out, MR_TEXT_SHOWN, "\\x%02x", (unsigned char)text[0]);
    else if (code < sizeof(named) && named[code])
        written = snprintf(out, MR_TEXT_SHOWN, "\\%c", named[code]);
    else if (code < 0x80)
        written = snprintf(out, MR_TEXT_SHOWN, "\\x%02x", (unsigned)code);
    else
        written = snprintf(out, MR_TEXT_SHOWN, "<U+%04X>", (unsigned)code);
    *ret_columns = written > 0 ? (unsigned)written : 0;
    return size > 0 ? size : 1;
}

char *mr_text_show_all(const char *text, size_t len, char *out, size_t size)
{
    static const char more[] = "…";
    char shown[MR_TEXT_SHOWN];
    unsigned columns = 0;
    size_t used = 0;
    size_t room_until = 0; /* how much may be kept when "…" must follow */
    for (size_t at = 0; at < len;) {
        at += mr_text_show(text + at, len - at, shown, &columns);
        size_t add = strlen(shown);
        if (used + add + 1 > size) {
            memcpy(out + room_until, more, sizeof(more) - 1);
            used = room_until + sizeof(more) - 1;
            break;
        }
        memcpy(out + used, shown, add);
        used += add;
        if (used + sizeof(more) <= size)
            room_until = used;
    }
    out[used] = '\0';
    return out;
}
