/* SPDX-License-Identifier: MIT */
/* What comes of a table: canonical JSON for identities, words, JSON Schema; and what is found wrong with a table. */
#include "config/params.h"
#include "config/yaml.h"
#include "../test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    int64_t height;
    const char *name;
};

struct op {
    int64_t length;
    double share;
    mr_ratio rate;
    int32_t speed;
    mr_list items;
    mr_list words;
    const char *any;
    const char *key;
    int64_t threads;
    bool flag;
};

static const char *const speeds[] = {"slow", "fast", NULL};

static const mr_param item_fields[] = {
    MR_INT(struct item, height, .flags = MR_PARAM_REQUIRED, .min = "16", .help = "lines"),
    MR_TEXT(struct item, name, .max = "20", .help = "its name"),
    MR_PARAM_END,
};

static const mr_param table[] = {
    MR_DURATION(struct op, length, .standard = "4s", .min = "1s", .max = "15s", .help = "length of a segment"),
    MR_NUMBER(struct op, share, .standard = "0.5", .min = "0", .max = "1", .help = "a share"),
    MR_RATIO(struct op, rate, .help = "frames a second"),
    MR_CHOICE(struct op, speed, .standard = "slow", .choices = speeds, .help = "how fast"),
    MR_LIST(struct op, items, .fields = item_fields, .item_size = sizeof(struct item), .standard = "[{height: 720}]", .min = "1",
            .help = "the rungs"),
    MR_LIST(struct op, words, .item_type = MR_PARAM_TYPE_TEXT, .flags = MR_PARAM_REQUIRED, .help = "some words"),
    MR_JSON(struct op, any, .help = "any value"),
    MR_TEXT(struct op, key, .flags = MR_PARAM_SECRET, .help = "a secret"),
    MR_INT(struct op, threads, .flags = MR_PARAM_SILENT, .standard = "1", .help = "threads"),
    MR_BOOL(struct op, flag, .standard = "false", .help = "a flag"),
    MR_PARAM_END,
};

static char *canonical(const char *yaml)
{
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    const mr_value *map = NULL;
    struct op op;
    assert_int_equal(mr_yaml_read(arena, "p.yaml", yaml, strlen(yaml), NULL, diags, &map), MR_OK);
    if (mr_params_bind(table, map, "op", (mr_span){0}, arena, &op, sizeof(op), NULL, diags) != MR_OK)
        fail_msg("'%s': %s", yaml, mr_diags_first(diags)->message);
    json_t *json = mr_params_json(table, &op);
    char *text = mr_json_text(json);
    json_decref(json);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return text;
}

static void check_same(const char *a, const char *b, bool same)
{
    char *left = canonical(a);
    char *right = canonical(b);
    if ((strcmp(left, right) == 0) != same)
        fail_msg("%s\n%s", left, right);
    free(left);
    free(right);
}

static void json_is_canonical(void **state)
{
    (void)state;
    char *text = canonical("{words: [a, b], rate: 60/2, any: {b: 1, a: 2.0}}");
    assert_string_equal(text,
                        "{\"any\":{\"a\":2.0,\"b\":1},\"flag\":false,\"items\":[{\"height\":720,\"name\":null}],\"key\":null,\"length\":4000000,"
                        "\"rate\":[30,1],\"share\":0.5,\"speed\":\"slow\",\"words\":[\"a\",\"b\"]}");
    free(text);
    check_same("{words: [a]}", "{words: [a], length: 4s, share: 0.50, speed: slow, items: [{height: 720}], flag: false}", true);
    check_same("{words: [a], length: 4000ms}", "{words: [a], length: 4}", true);
    check_same("{words: [a], rate: 29.97}", "{words: [a], rate: 30000/1001}", true);
    check_same("{words: [a], share: 1}", "{words: [a], share: 1.0}", true);
    check_same("{words: [a], threads: 1}", "{words: [a], threads: 8}", true);
    check_same("{words: [a], length: 4s}", "{words: [a], length: 5s}", false);
    check_same("{words: [a, b]}", "{words: [b, a]}", false);
    check_same("{words: [a]}", "{words: [a], rate: 25}", false);
}

static void secrets_count_but_are_not_written(void **state)
{
    (void)state;
    char *text = canonical("{words: [a], key: hunter2}");
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"key\":\"sha256:"));
    free(text);
    check_same("{words: [a], key: hunter2}", "{words: [a], key: hunter2}", true);
    check_same("{words: [a], key: hunter2}", "{words: [a], key: hunter3}", false);
}

static void types_in_words(void **state)
{
    (void)state;
    static const char *const words[] = {"duration",     "number", "ratio", "choice", "list of {height, name}",
                                        "list of text", "any",    "text",  "int",    "bool"};
    mr_arena *arena = mr_arena_new(0);
    for (size_t i = 0; table[i].name; i++)
        assert_string_equal(mr_param_type_text(arena, &table[i]), words[i]);
    mr_arena_free(arena);
}

static const json_t *at(const json_t *json, const char *path)
{
    char part[64];
    while (json && *path) {
        size_t len = strcspn(path, "/");
        snprintf(part, sizeof(part), "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)strtoul(part, NULL, 10)) : json_object_get(json, part);
        path += len + (path[len] == '/');
    }
    return json;
}

static void check_at(const json_t *schema, const char *path, const char *expected)
{
    char *text = mr_json_text(at(schema, path));
    if (!text || strcmp(text, expected) != 0)
        fail_msg("%s is %s", path, text ? text : "absent");
    free(text);
}

static void schema_says_what_is_accepted(void **state)
{
    (void)state;
    json_t *schema = mr_params_schema(table);
    check_at(schema, "type", "\"object\"");
    check_at(schema, "additionalProperties", "false");
    check_at(schema, "required", "[\"words\"]");
    check_at(schema, "properties/length/description", "\"length of a segment (1s … 15s)\"");
    check_at(schema, "properties/length/default", "\"4s\"");
    check_at(schema, "properties/length/anyOf/0", "{\"type\":\"number\"}");
    check_at(schema, "properties/length/anyOf/2", "{\"pattern\":\"\\\\$\\\\{\",\"type\":\"string\"}");
    check_at(schema, "properties/share/anyOf/0", "{\"maximum\":1.0,\"minimum\":0.0,\"type\":\"number\"}");
    check_at(schema, "properties/share/default", "0.5");
    check_at(schema, "properties/speed/anyOf/0", "{\"enum\":[\"slow\",\"fast\"]}");
    check_at(schema, "properties/flag/default", "false");
    check_at(schema, "properties/items/default", "[{\"height\":720}]");
    check_at(schema, "properties/items/anyOf/0/minItems", "1");
    check_at(schema, "properties/items/anyOf/0/items/anyOf/0/required", "[\"height\"]");
    check_at(schema, "properties/items/anyOf/0/items/anyOf/0/properties/height/anyOf/0", "{\"minimum\":16,\"type\":\"integer\"}");
    check_at(schema, "properties/items/anyOf/0/items/anyOf/0/properties/name/anyOf/0", "{\"maxLength\":20,\"type\":\"string\"}");
    check_at(schema, "properties/any", "{\"description\":\"any value\"}");
    json_decref(schema);
    static const mr_param nothing[] = {MR_PARAM_END};
    schema = mr_params_schema(nothing);
    check_at(schema, "properties", "{}");
    assert_null(json_object_get(schema, "required"));
    json_decref(schema);
}

static void right_tables_pass(void **state)
{
    (void)state;
    static const mr_param nothing[] = {MR_PARAM_END};
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_params_check_table(table, sizeof(struct op), "op 'x'", diags), MR_OK);
    assert_int_equal(mr_params_check_table(nothing, 0, "op 'x'", diags), MR_OK);
    assert_int_equal(mr_params_check_table(NULL, 0, "op 'x'", diags), MR_OK);
    assert_null(mr_diags_first(diags));
    mr_diags_free(diags);
}

struct broken {
    mr_param param;
    const char *message;
};

#define PARAM(n, t, h, ...)                                                                                                                          \
    {                                                                                                                                                \
        .name = (n), .type = (t), .help = (h), __VA_ARGS__                                                                                           \
    }
#define INT MR_PARAM_TYPE_INT

static void broken_tables_are_told(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const mr_param bad_fields[] = {{.name = "b", .type = MR_PARAM_TYPE_INT, .offset = 8, .help = "past the end"}, MR_PARAM_END};
    static const mr_param endless[] = {{.name = "c", .type = MR_PARAM_TYPE_LIST, .fields = endless, .item_size = 16, .help = "itself"}, MR_PARAM_END};
    static const mr_param no_fields[] = {MR_PARAM_END};
    static const struct broken cases[] = {
        {PARAM("Bad", INT, "a count", .flags = 0), "snake_case"},
        {PARAM("a-b", INT, "a count", .flags = 0), "snake_case"},
        {PARAM("", INT, "a count", .flags = 0), "snake_case"},
        {PARAM("a", 99, "a count", .flags = 0), "unknown type"},
        {PARAM("a", INT, "a count", .offset = 16), "outside of its struct"},
        {PARAM("a", INT, "a count", .offset = 12), "outside of its struct"},
        {PARAM("a", INT, "a count", .offset = SIZE_MAX), "outside of its struct"},
        {PARAM("a", INT, "a count", .offset = 4), "not aligned"},
        {PARAM("a", INT, NULL, .flags = 0), "help text"},
        {PARAM("a", INT, "", .flags = 0), "help text"},
        {PARAM("a", INT, "A count", .flags = 0), "help text"},
        {PARAM("a", INT, "a count.", .flags = 0), "help text"},
        {PARAM("a", INT, "a\ncount", .flags = 0), "help text"},
        {PARAM("a", MR_PARAM_TYPE_CHOICE, "a count", .flags = 0), "has no choices"},
        {PARAM("a", MR_PARAM_TYPE_CHOICE, "a count", .choices = none), "has no choices"},
        {PARAM("a", INT, "a count", .choices = speeds), "is none"},
        {PARAM("a", INT, "a count", .flags = MR_PARAM_REQUIRED, .standard = "1"), "can't have a default"},
        {PARAM("a", INT, "a count", .flags = 1u << 20), "unknown flags"},
        {PARAM("a", INT, "a count", .item_size = 8), "is no list"},
        {PARAM("a", INT, "a count", .min = "x"), "a min that can't be read"},
        {PARAM("a", INT, "a count", .max = "1s"), "a max that can't be read"},
        {PARAM("a", INT, "a count", .min = "2", .max = "1"), "min above its max"},
        {PARAM("a", MR_PARAM_TYPE_BOOL, "a count", .min = "1"), "no min and max"},
        {PARAM("a", INT, "a count", .standard = "x"), "would not accept"},
        {PARAM("a", INT, "a count", .standard = "5", .max = "4"), "would not accept"},
        {PARAM("a", MR_PARAM_TYPE_CHOICE, "a count", .choices = speeds, .standard = "medium"), "would not accept"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .item_type = MR_PARAM_TYPE_INT, .standard = "[1, x]"), "would not accept"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .item_type = MR_PARAM_TYPE_INT, .standard = "[1"), "would not accept"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .flags = 0), "have no type"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .item_type = MR_PARAM_TYPE_CHOICE), "can't have"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .item_type = MR_PARAM_TYPE_LIST), "can't have"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .item_type = MR_PARAM_TYPE_INT, .fields = bad_fields), "both"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .fields = no_fields, .item_size = 8), "without fields"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .fields = bad_fields, .item_size = 8), "'b' lies outside"},
        {PARAM("a", MR_PARAM_TYPE_LIST, "a count", .fields = endless, .item_size = 16), "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const mr_param one[] = {cases[i].param, MR_PARAM_END};
        mr_diags *diags = mr_diags_new();
        assert_int_equal(mr_params_check_table(one, 16, "op 'x'", diags), MR_ERR_PARAM);
        const mr_diag *diag = mr_diags_first(diags);
        if (!diag || !strstr(diag->message, cases[i].message) || strncmp(diag->message, "op 'x': ", 8) != 0)
            fail_msg("expected '%s', got '%s'", cases[i].message, diag ? diag->message : "nothing");
        mr_diags_free(diags);
    }
}

static void names_are_unique_and_tables_end(void **state)
{
    (void)state;
    static mr_param twice[] = {PARAM("a", INT, "a count", .flags = 0), PARAM("a", INT, "a count", .flags = 0), MR_PARAM_END};
    static mr_param many[200];
    static char names[200][8];
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_params_check_table(twice, 8, "op", diags), MR_ERR_PARAM);
    assert_non_null(strstr(mr_diags_first(diags)->message, "is there twice"));
    mr_diags_free(diags);
    for (int i = 0; i < 199; i++) {
        snprintf(names[i], sizeof(names[i]), "p%d", i);
        many[i] = (mr_param){.name = names[i], .type = MR_PARAM_TYPE_INT, .help = "a count"};
    }
    assert_int_equal(mr_params_check_table(many, 8, "op", NULL), MR_ERR_PARAM);
    many[128].name = NULL;
    assert_int_equal(mr_params_check_table(many, 8, "op", NULL), MR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_canonical),
        cmocka_unit_test(secrets_count_but_are_not_written),
        cmocka_unit_test(types_in_words),
        cmocka_unit_test(schema_says_what_is_accepted),
        cmocka_unit_test(right_tables_pass),
        cmocka_unit_test(broken_tables_are_told),
        cmocka_unit_test(names_are_unique_and_tables_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
