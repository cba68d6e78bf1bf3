/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "../test.h"
#include <string.h>

static void utf8_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        uint32_t code;
    } cases[] = {{"a", 1, 'a'}, {"é", 2, 0xe9}, {"…", 3, 0x2026}, {"🎬", 4, 0x1f3ac}, {"\xf4\x8f\xbf\xbf", 4, 0x10ffff}};
    /* RFC 3629: overlong forms, surrogates, past the end, stray and missing continuation bytes. */
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\xaf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xc3",
                                      "\xe2\x80",
                                      "\xf0\x9f\x8e",
                                      "\xc3(",
                                      "\xff",
                                      NULL};
    uint32_t code = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mr_utf8_next(cases[i].text, strlen(cases[i].text), &code), cases[i].size);
        assert_int_equal(code, cases[i].code);
    }
    for (const char *const *at = bad; *at; at++)
        assert_int_equal(mr_utf8_next(*at, strlen(*at), &code), 0);
    assert_int_equal(mr_utf8_next("", 0, &code), 0);
    assert_true(mr_utf8_valid("a\0é", 4));
    assert_false(mr_utf8_valid("aé", 2));
}

static void columns(void **state)
{
    (void)state;
    assert_int_equal(mr_utf8_columns('a'), 1);
    assert_int_equal(mr_utf8_columns(0xe9), 1);
    assert_int_equal(mr_utf8_columns(0x0301), 0);
    assert_int_equal(mr_utf8_columns(0x65e5), 2);
    assert_int_equal(mr_utf8_columns(0x1f3ac), 2);
    assert_int_equal(mr_utf8_columns(0x200d), 0);
}

static void nothing_acts_on_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } cases[] = {
        {"plain é 日本", 15, "plain é 日本"},
        {"a\nb\tc\r", 6, "a\\nb\\tc\\r"},
        {"\033[31m", 5, "\\x1b[31m"},
        {"\0", 1, "\\x00"},
        {"\x7f", 1, "\\x7f"},
        {"\xc2\x9b"
         "31m",
         5, "<U+009B>31m"},
        {"\xe2\x80\xae"
         "abc",
         6, "<U+202E>abc"},
        {"caf\xe9", 4, "caf\\xe9"},
        {"\xe2\x80", 2, "\\xe2\\x80"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(mr_text_show_all(cases[i].text, cases[i].len, out, sizeof(out)), cases[i].shown);
}

static void cut_at_a_character(void **state)
{
    (void)state;
    char out[16];
    for (size_t len = 0; len < 40; len++) {
        char text[82] = "";
        for (size_t i = 0; i < len; i++)
            memcpy(text + 2 * i, "é", 3);
        mr_text_show_all(text, 2 * len, out, sizeof(out));
        assert_true(mr_utf8_valid(out, strlen(out)));
        assert_int_equal(strstr(out, "…") != NULL, 2 * len >= sizeof(out));
    }
    assert_string_equal(mr_text_show_all("0123456789abcde", 15, out, sizeof(out)), "0123456789abcde");
    assert_string_equal(mr_text_show_all("0123456789abcdef", 16, out, sizeof(out)), "0123456789ab…");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_decoded),
        cmocka_unit_test(columns),
        cmocka_unit_test(nothing_acts_on_a_terminal),
        cmocka_unit_test(cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
