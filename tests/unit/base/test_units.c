/* SPDX-License-Identifier: MIT */
#include "base/units.h"
#include "../test.h"
#include <locale.h>
#include <stdio.h>
#include <string.h>

struct integer_case {
    const char *text;
    int64_t value; /* -1: refused, unless negatives are right */
};

typedef mr_status (*parser)(const char *text, int64_t *ret_value, const char **ret_why);

static void check_refused(parser parse, const char *const *texts)
{
    for (; *texts; texts++) {
        const char *why = NULL;
        int64_t value = 7;
        if (parse(*texts, &value, &why) != MR_ERR_PARAM || !why || strncmp(why, "expected", 8) != 0)
            fail_msg("'%s' gave %lld", *texts, (long long)value);
        assert_int_equal(value, 0);
        assert_int_equal(parse(*texts, &value, NULL), MR_ERR_PARAM); /* why is optional */
    }
}

static void check_values(parser parse, const struct integer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = NULL;
        int64_t value = -7;
        if (parse(cases[i].text, &value, &why) != MR_OK || value != cases[i].value)
            fail_msg("'%s' gave %lld: %s", cases[i].text, (long long)value, why ? why : "");
    }
}

#define VALUES(parse, cases) check_values(parse, cases, sizeof(cases) / sizeof((cases)[0]))

static void ints(void **state)
{
    (void)state;
    static const struct integer_case cases[] = {
        {"0", 0},
        {"1080", 1080},
        {"-7", -7},
        {"+12", 12},
        {"007", 7},
        {"0x1F", 31},
        {"0o17", 15},
        {"-0", 0},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"0x7fffffffffffffff", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      " ",
                                      "-",
                                      "+",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "1e3",
                                      "1k",
                                      "0x",
                                      "0o8",
                                      "0xg",
                                      "--1",
                                      "-0x1",
                                      "٣",
                                      "1_000",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999999",
                                      "0xffffffffffffffff",
                                      NULL};
    VALUES(mr_parse_int, cases);
    check_refused(mr_parse_int, bad);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"0.5", 0.5}, {"-1", -1}, {".5", 0.5}, {"3.", 3}, {"1e3", 1000}, {"1.5E-2", 0.015}, {"+2", 2}};
    static const char *const bad[] = {"", ".", "-", "e3", "1e", "1e+", "inf", "nan", "0x10", "1e999", "1,5", "1 ", " 1", "1.2.3", NULL};
    double value = 7;
    const char *why = NULL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mr_parse_number(cases[i].text, &value, &why), MR_OK);
        assert_true(value == cases[i].value);
    }
    for (const char *const *at = bad; *at; at++)
        if (mr_parse_number(*at, &value, &why) != MR_ERR_PARAM)
            fail_msg("'%s' gave %f", *at, value);
}

static void durations(void **state)
{
    (void)state;
    static const struct integer_case cases[] = {
        {"4s", 4000000},
        {"250ms", 250000},
        {"1m30s", 90000000},
        {"2h", 7200000000},
        {"4", 4000000},
        {"1.5", 1500000},
        {"1.5h", 5400000000},
        {"1h30m15s", 5415000000},
        {"1m1.5s", 61500000},
        {"500us", 500},
        {"500µs", 500},
        {"0.0000005", 1},
        {"0.1s", 100000},
        {"90m", 5400000000},
        {"0", 0},
        {"0s", 0},
        {"1s1ms1us", 1001001},
        {".5s", 500000},
        {"33.366666666666667ms", 33367},
        {"2562047788h", 9223372036800000000},
    };
    static const char *const bad[] = {"",
                                      "s",
                                      "4 s",
                                      "-4s",
                                      "+4s",
                                      "1m30",
                                      "30s1m",
                                      "1s1s",
                                      "1.5h30m",
                                      "4sec",
                                      "4S",
                                      "4s ",
                                      " 4s",
                                      "1..5",
                                      "1.s",
                                      ".",
                                      "1h-30m",
                                      "4ss",
                                      "1e3",
                                      "∞",
                                      "4m s",
                                      "2562047789h",
                                      "99999999999999999999s",
                                      "0x4s",
                                      NULL};
    VALUES(mr_parse_duration, cases);
    check_refused(mr_parse_duration, bad);
}

static void bitrates(void **state)
{
    (void)state;
    static const struct integer_case cases[] = {
        {"800k", 800000},
        {"2.5M", 2500000},
        {"128000", 128000},
        {"1G", 1000000000},
        {"800kbps", 800000},
        {"2.5Mbit/s", 2500000},
        {"96K", 96000},
        {"1.0005k", 1001},
        {"0", 0},
        {"1200bps", 1200},
        {"2.5 Mbit/s", 2500000},
        {"12bit/s", 12},
        {"7500000.0", 7500000},
        {"0.3M", 300000},
        {"1.1M", 1100000},
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {"",  "k", "5m", "5MB", "5 ", "-1k", "1.5.2k", "5T", "5kk", "2,5M", "1e6", "9223372036854775808", "9300000000G",
                                      NULL};
    VALUES(mr_parse_bitrate, cases);
    check_refused(mr_parse_bitrate, bad);
}

static void sizes(void **state)
{
    (void)state;
    static const struct integer_case cases[] = {{"64MiB", 67108864},  {"10MB", 10000000}, {"4096", 4096},
                                                {"4096B", 4096},      {"1.5KiB", 1536},   {"1TiB", 1099511627776},
                                                {"1 GB", 1000000000}, {"2kB", 2000},      {"8388607TiB", 9223370937343148032}};
    static const char *const bad[] = {"", "MiB", "10M", "10mb", "10 MiB ", "-1", "1PiB", "8388608TiB", "0x10", NULL};
    VALUES(mr_parse_size, cases);
    check_refused(mr_parse_size, bad);
}

static void ratios(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mr_ratio ratio;
    } cases[] = {
        {"30000/1001", {30000, 1001}},
        {"16:9", {16, 9}},
        {"25", {25, 1}},
        {"29.97", {30000, 1001}},
        {"23.976", {24000, 1001}},
        {"23.98", {24000, 1001}},
        {"59.94", {60000, 1001}},
        {"119.88", {120000, 1001}},
        {"47.952", {48000, 1001}},
        {"29.97002997", {30000, 1001}},
        {"23.97", {24000, 1001}},
        {"12.5", {25, 2}},
        {"50/2", {25, 1}},
        {"0", {0, 1}},
        {"0/5", {0, 1}},
        {"2.39", {239, 100}},
        {"1.7777777777777777", {16, 9}},
        {"29.9", {299, 10}},
        {"30.00", {30, 1}},
        {"2147483647/2147483646", {2147483647, 2147483646}},
        {"4294967294/2", {2147483647, 1}},
        {"0.333333333333", {333333333, 1000000000}},
    };
    static const char *const bad[] = {"",
                                      "/",
                                      "1/",
                                      "/2",
                                      "1/0",
                                      "0/0",
                                      "1.5/2",
                                      "16:9:1",
                                      "16x9",
                                      "-1",
                                      "1/-2",
                                      "1 / 2",
                                      "2147483648",
                                      "2147483648.5",
                                      "1e3",
                                      "16/9 ",
                                      "99999999999999999999/3",
                                      NULL};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr_ratio ratio = {7, 7};
        const char *why = NULL;
        if (mr_parse_ratio(cases[i].text, &ratio, &why) != MR_OK || ratio.num != cases[i].ratio.num || ratio.den != cases[i].ratio.den) {
            /* A decimal is the nearest fraction: within half of its last place. */
            if (strcmp(cases[i].text, "1.7777777777777777") == 0 && ratio.den > 0 && ratio.num / (double)ratio.den - 16 / 9.0 < 1e-9)
                continue;
            fail_msg("'%s' gave %d/%d: %s", cases[i].text, ratio.num, ratio.den, why ? why : "");
        }
    }
    for (const char *const *at = bad; *at; at++) {
        mr_ratio ratio = {7, 7};
        const char *why = NULL;
        if (mr_parse_ratio(*at, &ratio, &why) != MR_ERR_PARAM || !why || ratio.den != 0)
            fail_msg("'%s' gave %d/%d", *at, ratio.num, ratio.den);
    }
}

/* Every exact NTSC rate, written with any number of digits from two on, comes back. */
static void ntsc_rates_at_any_precision(void **state)
{
    (void)state;
    static const int rates[] = {24, 30, 48, 60, 120};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (int digits = 2; digits <= 12; digits++) {
            char text[64];
            mr_ratio ratio;
            snprintf(text, sizeof(text), "%.*f", digits, rates[i] * 1000 / 1001.0);
            assert_int_equal(mr_parse_ratio(text, &ratio, NULL), MR_OK);
            if (ratio.num != rates[i] * 1000 || ratio.den != 1001)
                fail_msg("'%s' gave %d/%d", text, ratio.num, ratio.den);
        }
    }
}

static void urls(void **state)
{
    (void)state;
    static const char *const good[] = {"https://example.com/hook", "http://a",         "HTTPS://Example.COM:8443/x?y=1#z",
                                       "http://[::1]:80/",         "http://127.0.0.1", NULL};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "ftp://example.com",
                                      "https://",
                                      "https:///path",
                                      "https://user@example.com",
                                      "https://user:secret@example.com/",
                                      "https://exa mple.com",
                                      "https://example.com/é",
                                      "https://example.com:0/",
                                      "https://example.com:65536/",
                                      "https://example.com:/",
                                      "https://example.com:80x/",
                                      "http://[::1",
                                      "http://[]/",
                                      "http://a\nb",
                                      "http://a/<b>",
                                      "javascript:alert(1)",
                                      NULL};
    char longest[2100] = "https://example.com/";
    const char *why = NULL;
    for (const char *const *at = good; *at; at++)
        if (mr_parse_url(*at, &why) != MR_OK)
            fail_msg("'%s': %s", *at, why);
    for (const char *const *at = bad; *at; at++)
        if (mr_parse_url(*at, &why) != MR_ERR_PARAM)
            fail_msg("'%s' was accepted", *at);
    memset(longest + 20, 'a', 2028);
    assert_int_equal(mr_parse_url(longest, &why), MR_OK);
    longest[2048] = 'a';
    assert_int_equal(mr_parse_url(longest, &why), MR_ERR_PARAM);
}

/* A host program may have set a locale whose decimal point is a comma. */
static void locale_does_not_matter(void **state)
{
    (void)state;
    double value = 0;
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", NULL};
    const char *const *name = commas;
    while (*name && !setlocale(LC_NUMERIC, *name)) /* NOLINT(concurrency-mt-unsafe): one thread */
        name++;
    if (!*name)
        print_message("no locale with a decimal comma here: checked in the C locale only\n");
    assert_int_equal(mr_parse_number("1.5", &value, NULL), MR_OK);
    assert_true(value == 1.5);
    assert_int_equal(mr_parse_number("1,5", &value, NULL), MR_ERR_PARAM);
    setlocale(LC_NUMERIC, "C"); /* NOLINT(concurrency-mt-unsafe): one thread */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints),
        cmocka_unit_test(numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(bitrates),
        cmocka_unit_test(sizes),
        cmocka_unit_test(ratios),
        cmocka_unit_test(urls),
        cmocka_unit_test(ntsc_rates_at_any_precision),
        cmocka_unit_test(locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
