/* SPDX-License-Identifier: MIT */
/* Paths that are plain and those that are not; queries. */
#include "api-server/http/target.h"
#include "tests/unit/test.h"

#include <string.h>

static void check_path(const char *target, const char *wanted)
{
    char path[256];
    const bool fine = mr_target_path(target, strlen(target), path);
    if (fine != (wanted != NULL) || (wanted && strcmp(path, wanted) != 0))
        fail_msg("%s: %s", target, fine ? path : "refused");
}

static void test_paths(void **state)
{
    (void)state;
    check_path("/", "/");
    check_path("/a/b", "/a/b");
    check_path("/a/b/", "/a/b/");
    check_path("/a?x=/../y", "/a");
    check_path("/a%20b/%c3%A9", "/a b/\xc3\xa9");
    check_path("/a..b/...", "/a..b/...");
    check_path("/.hidden", "/.hidden");
    check_path("", NULL);
    check_path("a", NULL);
    check_path("/..", NULL);
    check_path("/a/../b", NULL);
    check_path("/a/./b", NULL);
    check_path("/a/.", NULL);
    check_path("/%2e%2e/b", NULL);
    check_path("/a/%2E", NULL);
    check_path("//a", NULL);
    check_path("/a//b", NULL);
    check_path("/a%2fb", NULL);
    check_path("/a%2Fb", NULL);
    check_path("/a\\b", NULL);
    check_path("/a%5cb", NULL);
    check_path("/a%00", NULL);
    check_path("/a%0ab", NULL);
    check_path("/a%7f", NULL);
    check_path("/a?b=c%00d", NULL);
    check_path("/a?b=c%2500d", "/a");
    check_path("/a%", NULL);
    check_path("/a%2", NULL);
    check_path("/a%zz", NULL);
}

static void test_query(void **state)
{
    static const char target[] = "/a?q=one+two%21&empty=&flag&&last=%c3%a9";
    static const char *const wanted[][2] = {{"q", "one two!"}, {"empty", ""}, {"flag", ""}, {"last", "\xc3\xa9"}};
    char name[32];
    char value[32];
    mr_query query = mr_target_query(target, strlen(target));
    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(mr_query_next(&query, name, value, sizeof(name)), 1);
        assert_string_equal(name, wanted[i][0]);
        assert_string_equal(value, wanted[i][1]);
    }
    assert_int_equal(mr_query_next(&query, name, value, sizeof(name)), 0);
}

static int first_of(const char *target)
{
    char name[8];
    char value[8];
    mr_query query = mr_target_query(target, strlen(target));
    return mr_query_next(&query, name, value, sizeof(name));
}

static void test_bad_queries(void **state)
{
    (void)state;
    assert_int_equal(first_of("/a"), 0);
    assert_int_equal(first_of("/a?"), 0);
    assert_int_equal(first_of("/a?x=%"), -1);
    assert_int_equal(first_of("/a?x=%0"), -1);
    assert_int_equal(first_of("/a?x=%00"), -1);
    assert_int_equal(first_of("/a?toolongname=1"), -1);
    assert_int_equal(first_of("/a?x=1234567"), 1);
    assert_int_equal(first_of("/a?x=12345678"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_bad_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
