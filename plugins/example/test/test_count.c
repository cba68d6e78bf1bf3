/* SPDX-License-Identifier: MIT */
/* example.count on small, empty and large inputs; its limit; cancelling. */
#include "op_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static op_result count(const char *params, const void *data, size_t size, const op_run_options *options)
{
    const mr_op *op = op_load(PLUGIN_FILE, "example.count");
    assert_non_null(op);
    const op_input input = {.port = "source", .type = MR_TYPE_TEXT, .data = data ? data : "", .size = size};
    return op_run(op, params, &input, 1, options);
}

static void assert_count(const char *params, const void *data, size_t size, const char *expected)
{
    op_result result = count(params, data, size, NULL);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.count, 1);
    assert_string_equal(result.items[0].meta, expected);
    assert_string_equal(result.messages, "");
    op_result_free(&result);
}

static void test_bytes_and_lines(void **context)
{
    (void)context;
    assert_count(NULL, "one\ntwo\n", 8, "{\"bytes\":8}");
    assert_count("{lines: true}", "one\ntwo\nthree", 13, "{\"bytes\":13,\"lines\":2}");
    assert_count("{lines: true}", "\n\n\n", 3, "{\"bytes\":3,\"lines\":3}");
    assert_count("{lines: true}", NULL, 0, "{\"bytes\":0,\"lines\":0}");
}

/* Around the size of its buffer, where a short read ends the loop. */
static void test_inputs_larger_than_a_read(void **context)
{
    (void)context;
    static const struct {
        size_t size;
        const char *expected;
    } cases[] = {
        {65535, "{\"bytes\":65535,\"lines\":65535}"}, {65536, "{\"bytes\":65536,\"lines\":65536}"}, {200000, "{\"bytes\":200000,\"lines\":200000}"}};
    char *data = malloc(200000);
    assert_non_null(data);
    memset(data, '\n', 200000);
    for (size_t i = 0; i < 3; i++)
        assert_count("{lines: true}", data, cases[i].size, cases[i].expected);
    free(data);
}

static void test_more_than_the_limit_is_refused(void **context)
{
    (void)context;
    assert_count("{limit: 4}", "four", 4, "{\"bytes\":4}");
    op_result result = count("{limit: 4}", "fives", 5, NULL);
    assert_int_equal(result.status, MR_ERR_LIMIT);
    assert_int_equal(result.count, 0);
    assert_non_null(strstr(result.messages, "the input has 5 bytes, the limit is 4"));
    op_result_free(&result);
    result = count("{limit: 0}", "x", 1, NULL);
    assert_int_equal(result.status, MR_ERR_PARAM); /* by its table */
    op_result_free(&result);
}

static void test_cancelled(void **context)
{
    (void)context;
    const op_run_options options = {.cancel_after = 1};
    char *data = calloc(1, 200000);
    assert_non_null(data);
    op_result result = count(NULL, data, 200000, &options);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    assert_int_equal(result.count, 0);
    op_result_free(&result);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_lines),
        cmocka_unit_test(test_inputs_larger_than_a_read),
        cmocka_unit_test(test_more_than_the_limit_is_refused),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
