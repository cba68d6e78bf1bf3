/* SPDX-License-Identifier: MIT */
/*
 * Numbers are read by hand into an integer and a scale of ten, so that "2.5M" is exactly 2500000 and "0.1s" exactly 100000 µs.
 * Invariant: nothing is rounded silently; what a unit can't hold is an error.
 */
#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* A decimal number at *at: digits without the point, and how many stood behind it (at most 9). False: none, or too large. */
static bool read_decimal(const char **at, int64_t *ret_digits, int *ret_scale)
{
    const char *p = *at;
    int64_t value = 0;
    int scale = 0;
    bool any = false;
    for (; is_digit(*p); p++, any = true) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return false;
    }
    if (*p == '.' && is_digit(p[1])) {
        for (p++; is_digit(*p); p++) {
            any = true;
            if (scale == 9) {
                if (*p != '0')
                    return false;
                continue;
            }
            scale++;
            if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
                return false;
        }
    }
    *at = p;
    *ret_digits = value;
    *ret_scale = scale;
    return any;
}

/* digits / 10^scale * factor, exactly. */
static bool apply(int64_t digits, int scale, int64_t factor, int64_t *ret_value)
{
    __int128 value = (__int128)digits * factor;
    for (; scale > 0; scale--) {
        if (value % 10 != 0)
            return false;
        value /= 10;
    }
    if (value > INT64_MAX)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

/* The longest unit of the table at *at; an empty name matches always. NULL: none. */
static const unit *read_unit(const char **at, const unit *table)
{
    const unit *best = NULL;
    for (; table->name; table++) {
        size_t len = strlen(table->name);
        if (strncmp(*at, table->name, len) == 0 && (!best || len > strlen(best->name)))
            best = table;
    }
    if (best)
        *at += strlen(best->name);
    return best;
}

mr_status mr_parse_int(const char *text, int64_t *ret_value, const char **ret_why)
{
    char *end = NULL;
    *ret_why = "expected a whole number";
    if (!text[0] || (!is_digit(text[0]) && !((text[0] == '-' || text[0] == '+') && is_digit(text[1]))))
        return MR_ERR_PARAM;
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    int base = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10;
    errno = 0;
    long long value = strtoll(text, &end, base);
    if (*end != '\0')
        return MR_ERR_PARAM;
    if (errno == ERANGE) {
        *ret_why = "the number is too large";
        return MR_ERR_PARAM;
    }
    *ret_value = value;
    return MR_OK;
}

mr_status mr_parse_number(const char *text, double *ret_value, const char **ret_why)
{
    char *end = NULL;
    *ret_why = "expected a number";
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    if (!is_digit(digits[0]) && !(digits[0] == '.' && is_digit(digits[1])))
        return MR_ERR_PARAM;
    errno = 0;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return MR_ERR_PARAM;
    *ret_value = value;
    return MR_OK;
}

mr_status mr_parse_duration(const char *text, int64_t *ret_us, const char **ret_why)
{
    static const unit units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"min", 60000000}, {"h", 3600000000ll}, {NULL, 0}};
    const char *at = text;
    int64_t total = 0;
    int64_t last_factor = INT64_MAX;
    *ret_why = "expected a duration such as 4s, 250ms, 1m30s or 2h";
    do {
        int64_t digits = 0;
        int64_t part = 0;
        int scale = 0;
        if (!read_decimal(&at, &digits, &scale))
            return MR_ERR_PARAM;
        bool bare = *at == '\0' && last_factor == INT64_MAX;
        const unit *found = bare ? &units[2] : read_unit(&at, units);
        if (!found || found->factor >= last_factor || !apply(digits, scale, found->factor, &part) || __builtin_add_overflow(total, part, &total))
            return MR_ERR_PARAM;
        last_factor = found->factor;
    } while (*at);
    *ret_us = total;
    return MR_OK;
}

static mr_status parse_scaled(const char *text, const unit *units, const char *const *suffixes, int64_t *ret_value)
{
    const char *at = text;
    int64_t digits = 0;
    int scale = 0;
    if (!read_decimal(&at, &digits, &scale))
        return MR_ERR_PARAM;
    const unit *found = read_unit(&at, units);
    if (!found || !apply(digits, scale, found->factor, ret_value))
        return MR_ERR_PARAM;
    for (; *at && suffixes && *suffixes; suffixes++) {
        if (strcmp(at, *suffixes) == 0)
            return MR_OK;
    }
    return *at ? MR_ERR_PARAM : MR_OK;
}

mr_status mr_parse_bitrate(const char *text, int64_t *ret_bps, const char **ret_why)
{
    static const unit units[] = {{"", 1}, {"k", 1000}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
    static const char *const suffixes[] = {"bps", "bit/s", NULL};
    *ret_why = "expected a bitrate such as 800k, 2.5M or 128000";
    return parse_scaled(text, units, suffixes, ret_bps);
}

mr_status mr_parse_size(const char *text, int64_t *ret_bytes, const char **ret_why)
{
    static const unit units[] = {{"", 1},          {"B", 1},          {"kB", 1000},          {"KB", 1000},           {"MB", 1000000},      {"GB", 1000000000},
                                 {"TB", 1000000000000}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1ll << 40}, {NULL, 0}};
    *ret_why = "expected a size such as 64MiB, 10MB or 4096";
    return parse_scaled(text, units, NULL, ret_bytes);
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a ? a : 1;
}

static bool set_ratio(int64_t num, int64_t den, mr_ratio *ret_ratio)
{
    int64_t divisor = gcd(num, den);
    num /= divisor;
    den /= divisor;
    if (den == 0 || num > INT32_MAX || den > INT32_MAX)
        return false;
    *ret_ratio = (mr_ratio){.num = (int32_t)num, .den = (int32_t)den};
    return true;
}

/* Television's rates are written short: 29.97 is 30000/1001. */
static bool is_ntsc(int64_t digits, int scale, mr_ratio *ret_ratio)
{
    static const struct {
        double rate;
        int32_t num;
    } rates[] = {{23.976, 24000}, {29.97, 30000}, {47.952, 48000}, {59.94, 60000}, {119.88, 120000}};
    double value = (double)digits / pow(10, scale);
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        if (scale >= 2 && fabs(value - rates[i].rate) < 0.0051 && fabs(value - rates[i].num / 1001.0) < 0.0051) {
            *ret_ratio = (mr_ratio){.num = rates[i].num, .den = 1001};
            return true;
        }
    }
    return false;
}

mr_status mr_parse_ratio(const char *text, mr_ratio *ret_ratio, const char **ret_why)
{
    const char *at = text;
    int64_t num = 0;
    int64_t den = 1;
    int scale = 0;
    int den_scale = 0;
    *ret_why = "expected a ratio such as 30000/1001, 16:9, 25 or 29.97";
    if (!read_decimal(&at, &num, &scale))
        return MR_ERR_PARAM;
    if (*at == '\0' && is_ntsc(num, scale, ret_ratio))
        return MR_OK;
    if (*at == '/' || *at == ':') {
        at++;
        if (!read_decimal(&at, &den, &den_scale))
            return MR_ERR_PARAM;
    }
    for (; scale > den_scale; den_scale++) {
        if (__builtin_mul_overflow(den, 10, &den))
            return MR_ERR_PARAM;
    }
    for (; den_scale > scale; scale++) {
        if (__builtin_mul_overflow(num, 10, &num))
            return MR_ERR_PARAM;
    }
    return *at == '\0' && den > 0 && set_ratio(num, den, ret_ratio) ? MR_OK : MR_ERR_PARAM;
}

mr_status mr_parse_url(const char *text, const char **ret_why)
{
    *ret_why = "expected an http:// or https:// URL";
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    if (!scheme || strnlen(text, 2049) > 2048)
        return MR_ERR_PARAM;
    size_t host = strcspn(text + scheme, "/?#");
    if (host == 0 || text[scheme] == ':') {
        *ret_why = "the URL names no host";
        return MR_ERR_PARAM;
    }
    if (memchr(text + scheme, '@', host)) {
        *ret_why = "the URL holds a user name; give credentials another way";
        return MR_ERR_PARAM;
    }
    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\"<>\\^`{|}", *at)) {
            *ret_why = "the URL holds a character that must be percent-encoded";
            return MR_ERR_PARAM;
        }
    }
    return MR_OK;
}
