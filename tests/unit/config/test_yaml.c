/* SPDX-License-Identifier: MIT */
/* What golden tests of single files can't say: statuses, limits, sharing, memory. What is read from which text is in tests/golden/yaml. */
#include "base/clock.h"
#include "config/yaml.h"
#include "../test.h"
#include <stdlib.h>
#include <string.h>

struct result {
    mr_arena *arena;
    mr_diags *diags;
    mr_status status;
    const mr_value *value;
};

static struct result read_text(const char *text, size_t len, const mr_yaml_limits *limits)
{
    struct result result = {.arena = mr_arena_new(0), .diags = mr_diags_new()};
    result.status = mr_yaml_read(result.arena, "test.yaml", text, len, limits, result.diags, &result.value);
    assert_int_equal(result.status == MR_OK, result.value != NULL);
    assert_int_equal(result.status == MR_OK, mr_diags_errors(result.diags) == 0);
    return result;
}

static void done(struct result *result)
{
    mr_diags_free(result->diags);
    mr_arena_free(result->arena);
}

static void check_status(const char *text, const mr_yaml_limits *limits, mr_status expected)
{
    struct result result = read_text(text, strlen(text), limits);
    if (result.status != expected)
        fail_msg("'%.60s' gave %d", text, result.status);
    done(&result);
}

static void limits(void **state)
{
    (void)state;
    const mr_yaml_limits bytes = {.bytes = 6, .depth = 32, .values = 100};
    const mr_yaml_limits depth = {.bytes = 1000, .depth = 3, .values = 100};
    const mr_yaml_limits values = {.bytes = 1000, .depth = 32, .values = 4};
    check_status("a: 100", &bytes, MR_OK);
    check_status("a: 1000", &bytes, MR_ERR_LIMIT);
    check_status("[[1]]", &depth, MR_OK);
    check_status("[[[]]]", &depth, MR_OK);
    check_status("[[[1]]]", &depth, MR_OK);
    check_status("[[[[]]]]", &depth, MR_ERR_LIMIT);
    check_status("a: {b: 1}", &depth, MR_OK);
    check_status("a: {b: {c: {}}}", &depth, MR_ERR_LIMIT);
    check_status("a: &a [1]\nb: {c: *a}", &depth, MR_OK);
    check_status("a: &a [1]\nb: {c: [*a]}", &depth, MR_ERR_LIMIT);
    check_status("a: &a 1\nb: {c: [*a]}", &depth, MR_OK);
    check_status("[1, 2, 3]", &values, MR_OK);
    check_status("[1, 2, 3, 4]", &values, MR_ERR_LIMIT);
    check_status("{a: 1, b: 2, c: 3}", &values, MR_OK); /* keys are no values */
    check_status("[&a 1, *a, *a]", &values, MR_OK);
    check_status("[&a 1, *a, *a, *a]", &values, MR_ERR_LIMIT);
    check_status("[&a {x: 1}, *a]", &values, MR_ERR_LIMIT);
    check_status("[&a {x: 1}, {<<: *a}]", &values, MR_ERR_LIMIT);
}

static void many_anchors(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < 1001; i++)
        fprintf(out, "- &a%d x\n", i);
    fclose(out);
    check_status(text, NULL, MR_ERR_LIMIT);
    *strstr(text, "- &a1000") = '\0';
    check_status(text, NULL, MR_OK);
    free(text);
}

static void aliases_share(void **state)
{
    (void)state;
    static const char text[] = "a: &a {x: [1]}\nb: *a\nc: {<<: *a, y: 2}\n";
    struct result result = read_text(text, sizeof(text) - 1, NULL);
    const mr_value *a = mr_value_get(result.value, "a");
    assert_ptr_equal(a, mr_value_get(result.value, "b"));
    assert_ptr_equal(mr_value_get(a, "x"), mr_value_get(mr_value_get(result.value, "c"), "x"));
    done(&result);
}

/* Ten levels of ten aliases each would be ten thousand million values; and chains of merges as many entries. */
static void bombs_take_no_memory(void **state)
{
    (void)state;
    char text[4096];
    for (int merge = 0; merge < 2; merge++) {
        size_t len = (size_t)snprintf(text, sizeof(text), merge ? "- &a {a: 1, b: 2, c: 3}\n" : "- &a [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 20; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, merge ? "- &%c {" : "- &%c [", 'a' + i);
            for (int j = 0; j < 10; j++) {
                if (merge)
                    len += (size_t)snprintf(text + len, sizeof(text) - len, "k%d: {<<: *%c}, ", j, 'a' + i - 1);
                else
                    len += (size_t)snprintf(text + len, sizeof(text) - len, "*%c, ", 'a' + i - 1);
            }
            len += (size_t)snprintf(text + len, sizeof(text) - len, merge ? "}\n" : "]\n");
        }
        mr_arena *arena = mr_arena_new((size_t)16 << 20);
        mr_diags *diags = mr_diags_new();
        const mr_value *value = NULL;
        int64_t began = mr_thread_cpu_us();
        assert_int_equal(mr_yaml_read(arena, "bomb", text, len, NULL, diags, &value), MR_ERR_LIMIT);
        assert_true(mr_thread_cpu_us() - began < 5000000);
        assert_string_equal(mr_diags_first(diags)->code, "too-many-values");
        mr_diags_free(diags);
        mr_arena_free(arena);
    }
}

/* A megabyte of what is slow in careless readers: read, or refused, in time that grows with its size only. */
static void large_files_are_read_in_time(void **state)
{
    (void)state;
    static const struct {
        const char *piece; /* %d: counts */
        bool same;         /* the piece as it is */
    } cases[] = {{"k%d: 1\n", false}, {"- x\n", true}, {"[", true},      {"{", true},  {"- ", true},      {"? ", true},
                 {"a: ", true},       {"&a ", true},   {"!!str ", true}, {"\n", true}, {"# c\n", true},   {"\"", true},
                 {"a,", true},        {"\t", true},    {"*a ", true},    {"é", true},  {"- [x, y", true}, {"a: {b: ${c}}\n", true}};
    const size_t size = (size_t)1 << 20;
    char *text = malloc(size + 64);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = 0;
        for (int n = 0; len < size; n++) {
            size_t piece = strlen(cases[i].piece);
            if (cases[i].same)
                memcpy(text + len, cases[i].piece, piece + 1);
            else
                piece = (size_t)snprintf(text + len, 32, "k%d: 1\n", n);
            len += piece;
        }
        int64_t began = mr_thread_cpu_us();
        struct result result = read_text(text, size, NULL);
        int64_t took = mr_thread_cpu_us() - began;
        done(&result);
        if (took > 8000000)
            fail_msg("'%s' repeated took %lld ms", cases[i].piece, (long long)took / 1000);
    }
    free(text);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    static const char text[] = "a: &a [1, 2, {b: c}]\nd: {<<: {e: f}, g: *a}\nh: \"quoted\"\n";
    size_t succeeded = 0;
    for (size_t limit = 16; limit < 40000 && succeeded < 3; limit += 16) {
        mr_arena *arena = mr_arena_new(limit);
        mr_diags *diags = mr_diags_new();
        const mr_value *value = NULL;
        mr_status status = mr_yaml_read(arena, "test.yaml", text, sizeof(text) - 1, NULL, diags, &value);
        assert_true(status == MR_OK || status == MR_ERR_NOMEM);
        assert_int_equal(status == MR_OK, value != NULL);
        succeeded += status == MR_OK;
        mr_diags_free(diags);
        mr_arena_free(arena);
    }
    assert_int_equal(succeeded, 3);
}

static void without_a_collector(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    const mr_value *value = NULL;
    assert_int_equal(mr_yaml_read(arena, "f", "a: [", 4, NULL, NULL, &value), MR_ERR_INPUT);
    assert_int_equal(mr_yaml_read(arena, "f", "{a: 1, a: 2}", 12, NULL, NULL, &value), MR_ERR_INPUT);
    assert_null(value);
    assert_int_equal(mr_yaml_read(arena, "f", "", 0, NULL, NULL, &value), MR_OK);
    assert_int_equal(value->type, MR_VALUE_NULL);
    mr_arena_free(arena);
}

static void the_file_s_name_is_copied(void **state)
{
    (void)state;
    char name[] = "name.yaml";
    mr_arena *arena = mr_arena_new(0);
    const mr_value *value = NULL;
    assert_int_equal(mr_yaml_read(arena, name, "a: 1", 4, NULL, NULL, &value), MR_OK);
    memset(name, '!', sizeof(name) - 1);
    assert_string_equal(value->map.entries[0].value->span.file, "name.yaml");
    mr_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(many_anchors),
        cmocka_unit_test(aliases_share),
        cmocka_unit_test(bombs_take_no_memory),
        cmocka_unit_test(large_files_are_read_in_time),
        cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(without_a_collector),
        cmocka_unit_test(the_file_s_name_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
