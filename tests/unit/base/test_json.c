/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "../test.h"
#include <stdlib.h>
#include <string.h>

static json_t *read_text(const char *text, char why[160])
{
    return mr_json_read(text, strlen(text), 4096, why);
}

static void equal_values_are_equal_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *canonical;
    } cases[] = {
        {" { \"b\" : [1, 2.5 ,true,null], \"a\":\"\\u00e9\\n\" } ", "{\"a\":\"é\\n\",\"b\":[1,2.5,true,null]}"},
        {"{\"a\":{\"z\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"z\":1}}"},
        {"\"text\"", "\"text\""},
        {"1e2", "100.0"},
        {"null", "null"},
        {"[]", "[]"},
    };
    char why[160];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *value = read_text(cases[i].text, why);
        char *text = mr_json_text(value);
        assert_string_equal(text, cases[i].canonical);
        free(text);
        json_decref(value);
    }
    assert_null(mr_json_text(NULL));
}

static void strangers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "{",  "{\"a\":1} x", "{\"a\":1,\"a\":2}",  "[1,]", "{'a':1}", "nan",
                                      "\"\xff\"", "01", "\"\\u0000\"", "{\"a\":1}{\"b\":2}", NULL};
    char why[160];
    for (const char *const *at = bad; *at; at++) {
        json_t *value = read_text(*at, why);
        if (value || !why[0])
            fail_msg("'%s' was read, or without a reason", *at);
        assert_null(read_text(*at, NULL)); /* the reason is optional */
    }
    read_text("[1,\n 2,, 3]", why);
    assert_non_null(strstr(why, "line 2"));
}

static void depth_and_size_are_limited(void **state)
{
    (void)state;
    char text[200] = "";
    char why[160];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    json_t *value = read_text(text, why);
    assert_non_null(value);
    json_decref(value);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_null(read_text(text, why));
    assert_non_null(strstr(why, "64 levels"));
    /* Brackets in a text are no levels. */
    memset(text, '[', 100);
    text[0] = '"';
    text[99] = '"';
    text[100] = '\0';
    value = read_text(text, why);
    assert_non_null(value);
    json_decref(value);
    assert_null(mr_json_read("[1, 2]", 6, 5, why));
    assert_non_null(strstr(why, "larger than 5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_are_equal_text),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(depth_and_size_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
