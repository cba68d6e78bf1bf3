/* SPDX-License-Identifier: MIT */
#include "config/value.h"
#include "../test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const mr_span place = {.file = "f", .line = 3, .col = 4, .len = 5};

static void scalars_as_in_yaml(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mr_value_type type;
    } cases[] = {{"", MR_VALUE_NULL},     {"null", MR_VALUE_NULL}, {"true", MR_VALUE_BOOL},
                 {"12", MR_VALUE_INT},    {"0x1f", MR_VALUE_INT},  {"1.5", MR_VALUE_NUMBER},
                 {"4s", MR_VALUE_TEXT},   {"yes", MR_VALUE_TEXT},  {"99999999999999999999", MR_VALUE_NUMBER},
                 {".nan", MR_VALUE_TEXT}, {"a\"b", MR_VALUE_TEXT}};
    mr_arena *arena = mr_arena_new(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const mr_value *value = mr_value_scalar(arena, cases[i].text, place);
        assert_int_equal(value->type, cases[i].type);
        assert_string_equal(value->text, cases[i].text);
        assert_false(value->quoted);
        assert_memory_equal(&value->span, &place, sizeof(place));
    }
    mr_arena_free(arena);
}

static void there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"a\":[1,-2,2.5,true,false,null,\"x\",{}],\"b\":{\"c\":{\"d\":[]}}}", "\"text\"", "9223372036854775807",
                                        "[]", "null"};
    mr_arena *arena = mr_arena_new(0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = mr_json_read(texts[i], strlen(texts[i]), 4096, NULL);
        const mr_value *value = mr_value_from_json(arena, json, place);
        json_t *back = mr_value_to_json(value);
        char *text = mr_json_text(back);
        assert_string_equal(text, texts[i]);
        free(text);
        json_decref(back);
        json_decref(json);
    }
    mr_arena_free(arena);
}

/* Units are parsed from the text, so a computed number must look as people write it; and mean the same number. */
static void computed_numbers_have_texts(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } cases[] = {{540, "540.0"},
                 {7500000, "7500000.0"},
                 {0.1, "0.1"},
                 {-2.5, "-2.5"},
                 {0, "0.0"},
                 {1e-7, "1e-07"},
                 {1e21, "1e+21"},
                 {0.000001, "0.000001"},
                 {1.0 / 3, "0.3333333333333333"},
                 {123456789012345.0, "123456789012345.0"}};
    mr_arena *arena = mr_arena_new(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = json_real(cases[i].number);
        const mr_value *value = mr_value_from_json(arena, json, place);
        assert_string_equal(value->text, cases[i].text);
        assert_true(strtod(value->text, NULL) == cases[i].number);
        json_decref(json);
    }
    mr_arena_free(arena);
}

static void look_ups(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    json_t *json = json_pack("{s:i, s:n}", "a", 1, "b");
    const mr_value *map = mr_value_from_json(arena, json, place);
    json_decref(json);
    assert_int_equal(mr_value_get(map, "a")->integer, 1);
    assert_string_equal(mr_value_entry(map, "b")->key, "b");
    assert_null(mr_value_get(map, "c"));
    assert_null(mr_value_get(mr_value_get(map, "a"), "a"));
    assert_null(mr_value_get(NULL, "a"));
    for (int type = MR_VALUE_NULL; type <= MR_VALUE_MAP; type++)
        assert_true(strlen(mr_value_type_name((mr_value_type)type)) > 3);
    mr_arena_free(arena);
}

static void too_deep_or_no_memory_is_null(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    mr_arena *small = mr_arena_new(128);
    json_t *json = json_array();
    for (int i = 0; i < 100; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, json);
        json = outer;
    }
    assert_null(mr_value_from_json(arena, json, place));
    assert_null(mr_value_from_json(small, json, place));
    assert_null(mr_value_scalar(small, "a text that is longer than what is left in the arena", place));
    json_decref(json);
    mr_arena_free(small);
    mr_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scalars_as_in_yaml), cmocka_unit_test(there_and_back),
                                       cmocka_unit_test(computed_numbers_have_texts), cmocka_unit_test(look_ups),
                                       cmocka_unit_test(too_deep_or_no_memory_is_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
