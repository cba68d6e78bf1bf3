/* SPDX-License-Identifier: MIT */
/*
 * Numbers with units. Decimals are read as an integer part and twelve digits after the point, and scaled in integers, so that "2.5M" is
 * 2500000 exactly; what is finer than the base unit is rounded to the nearest.
 */
#include "base/units.h"
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FRACTION_DIGITS 12
#define FRACTION_ONE    1000000000000ull
#define URL_MAX         2048

static mr_status fail(const char **ret_why, const char *why)
{
    if (ret_why)
        *ret_why = why;
    return MR_ERR_PARAM;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- plain numbers --- */

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

mr_status mr_parse_int(const char *text, int64_t *ret_value, const char **ret_why)
{
    static const char why[] = "expected a whole number, like 1080";
    const char *at = text;
    bool negative = *at == '-';
    int base = 10;
    uint64_t value = 0;
    *ret_value = 0;
    if (*at == '-' || *at == '+')
        at++;
    if (at == text && at[0] == '0' && (at[1] == 'x' || at[1] == 'o')) {
        base = at[1] == 'x' ? 16 : 8;
        at += 2;
    }
    if (!*at)
        return fail(ret_why, why);
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    bool over = false;
    for (; *at; at++) {
        int digit = digit_value(*at);
        if (digit >= base)
            return fail(ret_why, why);
        over |= __builtin_mul_overflow(value, (uint64_t)base, &value) || __builtin_add_overflow(value, (uint64_t)digit, &value) || value > limit;
    }
    if (over)
        return fail(ret_why, "expected a whole number of at most 64 bits");
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return MR_OK;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* [-+]? (digits [. digits*] | . digits) ([eE] [-+]? digits)? */
static bool is_number(const char *at)
{
    at += *at == '-' || *at == '+';
    size_t before = strspn(at, "0123456789");
    at += before;
    size_t after = 0;
    if (*at == '.') {
        after = strspn(at + 1, "0123456789");
        at += 1 + after;
    }
    if (before + after == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        size_t digits = strspn(at, "0123456789");
        if (digits == 0)
            return false;
        at += digits;
    }
    return !*at;
}

mr_status mr_parse_number(const char *text, double *ret_value, const char **ret_why)
{
    *ret_value = 0;
    if (!is_number(text))
        return fail(ret_why, "expected a number, like 0.5");
    pthread_once(&c_locale_once, make_c_locale);
    if (!c_locale)
        return fail(ret_why, "expected a number, but memory is short");
    double value = strtod_l(text, NULL, c_locale);
    if (!isfinite(value))
        return fail(ret_why, "expected a number of at most 1.7e308");
    *ret_value = value;
    return MR_OK;
}

/* --- decimals with units --- */

typedef struct decimal {
    uint64_t whole;
    uint64_t fraction; /* in units of 1/FRACTION_ONE */
    unsigned digits;   /* after the point, as written */
    bool over;         /* too large */
} decimal;

/* Digits, with a point and further digits or not. Returns what follows, or NULL when there is no digit. */
static const char *read_decimal(const char *at, decimal *ret)
{
    const char *begin = at;
    *ret = (decimal){0};
    for (; is_digit(*at); at++)
        ret->over |= __builtin_mul_overflow(ret->whole, 10u, &ret->whole) || __builtin_add_overflow(ret->whole, (uint64_t)(*at - '0'), &ret->whole);
    size_t before = (size_t)(at - begin);
    if (*at != '.')
        return before > 0 ? at : NULL;
    at++;
    uint64_t place = FRACTION_ONE / 10;
    for (; is_digit(*at); at++, place /= 10) {
        ret->fraction += place * (uint64_t)(*at - '0'); /* digits finer than the twelfth add nothing */
        ret->digits++;
    }
    return ret->digits > 0 ? at : NULL;
}

static bool scale(const decimal *number, uint64_t unit, int64_t *ret_value)
{
    uint64_t whole = 0;
    if (number->over || __builtin_mul_overflow(number->whole, unit, &whole))
        return false;
    unsigned __int128 part = (unsigned __int128)number->fraction * unit + FRACTION_ONE / 2;
    uint64_t sum = 0;
    if (__builtin_add_overflow(whole, (uint64_t)(part / FRACTION_ONE), &sum) || sum > INT64_MAX)
        return false;
    *ret_value = (int64_t)sum;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit *find_unit(const struct unit *units, const char *name, size_t len)
{
    for (; units->name; units++)
        if (strlen(units->name) == len && memcmp(units->name, name, len) == 0)
            return units;
    return NULL;
}

mr_status mr_parse_duration(const char *text, int64_t *ret_us, const char **ret_why)
{
    static const char why[] = "expected a duration, like 4s, 250ms, 1m30s or 2h";
    static const char why_long[] = "expected a duration of less than 292,000 years";
    static const struct unit units[] = {{"h", 3600000000u}, {"m", 60000000u}, {"s", 1000000u}, {"ms", 1000u}, {"us", 1u}, {"µs", 1u}, {NULL, 0}};
    int64_t total = 0;
    uint64_t last = UINT64_MAX;
    const char *at = text;
    *ret_us = 0;
    do {
        decimal number;
        int64_t part = 0;
        at = read_decimal(at, &number);
        if (!at)
            return fail(ret_why, why);
        size_t len = strcspn(at, "0123456789.");
        static const struct unit seconds = {"", 1000000u};
        /* A bare number is seconds, when it stands alone: "1m30" would be a riddle. */
        const struct unit *unit = len == 0 && !*at && last == UINT64_MAX ? &seconds : find_unit(units, at, len);
        if (!unit || unit->factor >= last)
            return fail(ret_why, why);
        at += len;
        if (number.digits > 0 && *at)
            return fail(ret_why, why); /* a fraction only in the last part */
        last = unit->factor;
        if (!scale(&number, unit->factor, &part) || __builtin_add_overflow(total, part, &total))
            return fail(ret_why, why_long);
    } while (*at);
    *ret_us = total;
    return MR_OK;
}

/* One decimal, perhaps a space, one unit. */
static mr_status parse_with_unit(const char *text, const struct unit *units, const char *why, const char *why_large, int64_t *ret_value,
                                 const char **ret_why)
{
    decimal number;
    *ret_value = 0;
    const char *at = read_decimal(text, &number);
    if (!at)
        return fail(ret_why, why);
    if (at[0] == ' ' && at[1])
        at++;
    const struct unit *unit = find_unit(units, at, strlen(at));
    if (!unit)
        return fail(ret_why, why);
    return scale(&number, unit->factor, ret_value) ? MR_OK : fail(ret_why, why_large);
}

mr_status mr_parse_bitrate(const char *text, int64_t *ret_bps, const char **ret_why)
{
    static const struct unit units[] = {
        {"", 1},        {"bps", 1},       {"bit/s", 1},           {"k", 1000},         {"kbps", 1000},    {"kbit/s", 1000},
        {"K", 1000},    {"M", 1000000},   {"Mbps", 1000000},      {"Mbit/s", 1000000}, {"G", 1000000000}, {"Gbps", 1000000000},
        {"Kbps", 1000}, {"Kbit/s", 1000}, {"Gbit/s", 1000000000}, {NULL, 0},
    };
    return parse_with_unit(text, units, "expected a bit rate, like 800k, 2.5M or 128000", "expected a bit rate of at most 9,223,372,036G", ret_bps,
                           ret_why);
}

mr_status mr_parse_size(const char *text, int64_t *ret_bytes, const char **ret_why)
{
    static const struct unit units[] = {
        {"", 1},       {"B", 1},         {"kB", 1000},        {"KB", 1000},           {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000},
        {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776}, {NULL, 0},
    };
    return parse_with_unit(text, units, "expected a size in bytes, like 64MiB, 10MB or 4096", "expected a size of less than 8388608TiB", ret_bytes,
                           ret_why);
}

/* --- ratios --- */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* "29.97", "59.94", "23.976", "23.98": what people write for N*1000/1001, rounded or cut after the digits they wrote. */
static bool ntsc_rate(const decimal *number, mr_ratio *ret_ratio)
{
    static const uint32_t rates[] = {24, 30, 48, 60, 96, 120, 240};
    if (number->digits < 2 || number->digits > FRACTION_DIGITS || number->whole > 240)
        return false;
    uint64_t places = 1;
    for (unsigned i = 0; i < number->digits; i++)
        places *= 10;
    uint64_t written = number->whole * places + number->fraction / (FRACTION_ONE / places);
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t exact = rates[i] * 1000ull * places; /* over 1001; below 2^58 */
        if (written == exact / 1001 || written == (2 * exact + 1001) / 2002) {
            *ret_ratio = (mr_ratio){(int32_t)(rates[i] * 1000), 1001};
            return true;
        }
    }
    return false;
}

/* The best fraction with both terms within 31 bits: the convergents of the continued fraction, the last that fits. */
static mr_ratio nearest_ratio(uint64_t num, uint64_t den)
{
    uint64_t n[2] = {0, 1};
    uint64_t d[2] = {1, 0};
    while (den > 0) {
        uint64_t term = num / den;
        uint64_t rest = num % den;
        uint64_t next_n = 0;
        uint64_t next_d = 0;
        if (__builtin_mul_overflow(term, n[1], &next_n) || __builtin_add_overflow(next_n, n[0], &next_n) || next_n > INT32_MAX ||
            __builtin_mul_overflow(term, d[1], &next_d) || __builtin_add_overflow(next_d, d[0], &next_d) || next_d > INT32_MAX)
            break;
        n[0] = n[1];
        d[0] = d[1];
        n[1] = next_n;
        d[1] = next_d;
        num = den;
        den = rest;
    }
    return (mr_ratio){(int32_t)n[1], (int32_t)d[1]};
}

static mr_status whole_ratio(const decimal *num, const decimal *den, const char *why, const char *why_large, mr_ratio *ret_ratio,
                             const char **ret_why)
{
    if (den->whole == 0 && !den->over)
        return fail(ret_why, why);
    uint64_t divisor = num->over || den->over ? 1 : common_divisor(num->whole, den->whole);
    if (num->over || den->over || num->whole / divisor > INT32_MAX || den->whole / divisor > INT32_MAX)
        return fail(ret_why, why_large);
    *ret_ratio = (mr_ratio){(int32_t)(num->whole / divisor), (int32_t)(den->whole / divisor)};
    return MR_OK;
}

mr_status mr_parse_ratio(const char *text, mr_ratio *ret_ratio, const char **ret_why)
{
    static const char why[] = "expected a ratio, like 30000/1001, 16:9, 25 or 29.97";
    static const char why_large[] = "expected a ratio whose terms are at most 2147483647";
    decimal num;
    decimal den = {.whole = 1};
    *ret_ratio = (mr_ratio){0, 0};
    const char *at = read_decimal(text, &num);
    if (!at)
        return fail(ret_why, why);
    if (*at == '/' || *at == ':') {
        at = read_decimal(at + 1, &den);
        if (!at || num.digits > 0 || den.digits > 0)
            return fail(ret_why, why);
    }
    if (*at)
        return fail(ret_why, why);
    if (num.digits == 0 || num.fraction == 0)
        return whole_ratio(&num, &den, why, why_large, ret_ratio, ret_why);
    if (num.over || num.whole > INT32_MAX)
        return fail(ret_why, why_large);
    if (ntsc_rate(&num, ret_ratio))
        return MR_OK;
    /* Nine digits keep the numerator within 64 bits; finer is below what 31 bits can tell apart. */
    *ret_ratio = nearest_ratio(num.whole * 1000000000u + num.fraction / 1000u, 1000000000u);
    return MR_OK;
}

/* --- addresses --- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* ":8080" or nothing. */
static bool port_is_right(const char *at, size_t len)
{
    unsigned port = 0;
    if (len == 0)
        return true;
    if (at[0] != ':' || len < 2 || len > 6)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!is_digit(at[i]))
            return false;
        port = port * 10 + (unsigned)(at[i] - '0');
    }
    return port > 0 && port <= 65535;
}

/* RFC 3986 section 3.2, without user information. */
static bool authority_is_right(const char *at, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    if (len > 0 && at[0] == '[') {
        size_t host = strspn(at + 1, "0123456789abcdefABCDEF:.");
        return host > 1 && host + 1 < len && at[host + 1] == ']' && port_is_right(at + host + 2, len - host - 2);
    }
    size_t host = strspn(at, letters);
    return host > 0 && host <= len && port_is_right(at + host, len - host);
}

size_t mr_url_scheme(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
    const size_t len = strspn(text, letters) > 0 ? strspn(text, others) : 0;
    return len > 0 && strncmp(text + len, "://", 3) == 0 ? len : 0;
}

mr_status mr_parse_url(const char *text, const char **ret_why)
{
    static const char why[] = "expected an address that begins with http:// or https:// and names a host";
    size_t len = strlen(text);
    if (len > URL_MAX)
        return fail(ret_why, "expected an address of at most 2048 bytes");
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"<>\\^`{|}", text[i]))
            return fail(ret_why, "expected an address in plain ASCII: other characters must be percent-encoded");
    size_t scheme = starts_with(text, "https://") ? 8 : starts_with(text, "http://") ? 7 : 0;
    if (scheme == 0)
        return fail(ret_why, why);
    size_t authority = strcspn(text + scheme, "/?#");
    if (memchr(text + scheme, '@', authority))
        return fail(ret_why, "expected an address without a user name or password");
    return authority_is_right(text + scheme, authority) ? MR_OK : fail(ret_why, why);
}
