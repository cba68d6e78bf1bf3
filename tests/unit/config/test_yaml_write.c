/* SPDX-License-Identifier: MIT */
/* YAML as it is written: read again it is the same tree, and it looks as people write it. */
#include "config/yaml.h"
#include "config/yaml_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const mr_value *read_yaml(mr_arena *arena, const char *text)
{
    const mr_value *root = NULL;
    mr_diags *diags = mr_diags_new();
    if (mr_yaml_read(arena, "test.yaml", text, strlen(text), &mr_yaml_limits_default, diags, &root) != MR_OK) {
        mr_diags_print(diags, stderr, false);
        fail_msg("can't read: %s", text);
    }
    mr_diags_free(diags);
    return root;
}

static char *write_yaml(const mr_value *root, unsigned levels)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(mr_yaml_write(root, levels, out), MR_OK);
    fclose(out);
    return text;
}

static void same(const mr_value *a, const mr_value *b)
{
    assert_int_equal(a->type, b->type);
    if (a->type == MR_VALUE_LIST) {
        assert_int_equal(a->list.count, b->list.count);
        for (size_t i = 0; i < a->list.count; i++)
            same(a->list.items[i], b->list.items[i]);
    } else if (a->type == MR_VALUE_MAP) {
        assert_int_equal(a->map.count, b->map.count);
        for (size_t i = 0; i < a->map.count; i++) {
            assert_string_equal(a->map.entries[i].key, b->map.entries[i].key); /* in their order, too */
            same(a->map.entries[i].value, b->map.entries[i].value);
        }
    } else if (a->type != MR_VALUE_NULL) {
        assert_string_equal(a->text, b->text);
    }
}

static void test_looks(void **state)
{
    (void)state;
    static const char text[] =
        "millrace: 1\n"
        "name: vod\n"
        "params:\n"
        "  preset: {type: text, default: medium}\n"
        "  wide:\n"
        "    - {name: \"the first of two entries that don't fit on one line\", height: 1080}\n"
        "    - {name: the second of two entries that do not fit on one line, height: 720}\n"
        "nodes:\n"
        "  video: {op: transcode.video, with: {preset: \"${params.preset}\", ratio: \"16:9\", list: [1, 2.5, true, null, \"5\"]}}\n"
        "  none: {}\n"
        "  empty: []\n";
    mr_arena *arena = mr_arena_new(0);
    char *written = write_yaml(read_yaml(arena, text), 1);
    assert_string_equal(written, text);
    free(written);
    mr_arena_free(arena);
}

/* Texts that YAML might take for something else, in every place where one can stand. */
static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "a b",
                                        "a ",
                                        " a",
                                        "true",
                                        "null",
                                        "~",
                                        "1",
                                        "0x10",
                                        "1.5",
                                        "-",
                                        "- a",
                                        "a: b",
                                        "a:",
                                        ":a",
                                        "#a",
                                        "a #b",
                                        "a#b",
                                        "[a",
                                        "{a}",
                                        "a,b",
                                        "&a",
                                        "*a",
                                        "!a",
                                        "|",
                                        ">",
                                        "'a'",
                                        "\"a\"",
                                        "%a",
                                        "@a",
                                        "`a`",
                                        "?",
                                        "? a",
                                        "=",
                                        "<<",
                                        "${a}",
                                        "\\",
                                        "a\\nb",
                                        "a\nb",
                                        "a\tb",
                                        "\xc3\xa9t\xc3\xa9",
                                        "\xe2\x80\xa6",
                                        "a\x7f",
                                        "---",
                                        "...",
                                        "2001-01-01",
                                        "y",
                                        "no",
                                        "on",
                                        "1:30",
                                        "1_000",
                                        ".5",
                                        ".inf",
                                        "+1",
                                        "1e3",
                                        "\r",
                                        "a\r\nb",
                                        "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        mr_arena *arena = mr_arena_new(0);
        json_t *json = json_pack("{s:{s:s, s:[s, {s:s}]}, s:s}", "deep", "key", texts[i], "list", texts[i], "item", texts[i], "top", texts[i]);
        if (texts[i][0])
            json_object_set_new(json, texts[i], json_string("as a key"));
        const mr_value *value = mr_value_from_json(arena, json, (mr_span){0});
        for (unsigned levels = 0; levels < 4; levels++) {
            char *written = write_yaml(value, levels);
            same(value, read_yaml(arena, written));
            free(written);
        }
        json_decref(json);
        mr_arena_free(arena);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, 5e-324, -2.5, 1e15, 0.000001};
    mr_arena *arena = mr_arena_new(0);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        json_t *json = json_pack("[f, I]", numbers[i], (json_int_t)INT64_MIN);
        char *written = write_yaml(mr_value_from_json(arena, json, (mr_span){0}), 0);
        const mr_value *read = read_yaml(arena, written);
        assert_true(read->list.items[0]->number == numbers[i]);
        assert_true(read->list.items[1]->integer == INT64_MIN);
        free(written);
        json_decref(json);
    }
    mr_arena_free(arena);
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    FILE *full = fopen("/dev/full", "we");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(mr_yaml_write(read_yaml(arena, "a: 1\n"), 2, full), MR_ERR_IO);
    fclose(full);
    mr_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_looks), cmocka_unit_test(test_texts), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_nowhere_to_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
