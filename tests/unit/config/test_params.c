/* SPDX-License-Identifier: MIT */
/* Binding: what is written in a pipeline into a struct, and every message on the way. */
#include "config/params.h"
#include "config/yaml.h"
#include "../test.h"
#include <stdlib.h>
#include <string.h>

struct rung {
    int64_t height;
    int64_t max_bitrate;
    const char *name;
};

struct all {
    bool flag;
    int64_t count;
    double share;
    const char *text;
    int32_t speed;
    int64_t length;
    int64_t bitrate;
    int64_t size;
    mr_ratio ratio;
    const char *url;
    mr_list words;
    mr_list numbers;
    mr_list rungs;
    const char *any;
    const char *key;
};

static const char *const speeds[] = {"slow", "medium", "fast", NULL};

static const mr_param rung_fields[] = {
    MR_INT(struct rung, height, .flags = MR_PARAM_REQUIRED, .min = "16", .max = "8192", .help = "lines of the picture"),
    MR_BITRATE(struct rung, max_bitrate, .standard = "1M", .help = "ceiling of the bit rate"),
    MR_TEXT(struct rung, name, .help = "name of the rung"),
    MR_PARAM_END,
};

static const mr_param table[] = {
    MR_BOOL(struct all, flag, .standard = "true", .help = "a flag"),
    MR_INT(struct all, count, .standard = "23", .min = "0", .max = "51", .help = "a count"),
    MR_NUMBER(struct all, share, .standard = "0.5", .min = "-1", .max = "1", .help = "a share"),
    MR_TEXT(struct all, text, .standard = "", .max = "5", .help = "a text"),
    MR_CHOICE(struct all, speed, .standard = "medium", .choices = speeds, .help = "a choice"),
    MR_DURATION(struct all, length, .standard = "4s", .min = "1s", .max = "15s", .help = "a duration"),
    MR_BITRATE(struct all, bitrate, .min = "16k", .help = "a bit rate"),
    MR_SIZE(struct all, size, .max = "1MiB", .help = "a size"),
    MR_RATIO(struct all, ratio, .min = "1", .max = "30000/1001", .help = "a ratio"),
    MR_URL(struct all, url, .help = "an address"),
    MR_LIST(struct all, words, .item_type = MR_PARAM_TYPE_TEXT, .standard = "[hls, dash]", .min = "1", .max = "3", .help = "words"),
    MR_LIST(struct all, numbers, .item_type = MR_PARAM_TYPE_RATIO, .help = "ratios"),
    MR_LIST(struct all, rungs, .fields = rung_fields, .item_size = sizeof(struct rung),
            .standard = "[{height: 720}, {height: 240, max_bitrate: 200k}]", .help = "rungs"),
    MR_JSON(struct all, any, .help = "any value"),
    MR_TEXT(struct all, key, .flags = MR_PARAM_SECRET | MR_PARAM_SILENT, .max = "8", .help = "a secret"),
    MR_PARAM_END,
};

static mr_arena *arena;
static struct all all;

static int begin(void **state)
{
    (void)state;
    arena = mr_arena_new(0);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    mr_arena_free(arena);
    return 0;
}

static const mr_value *read_yaml(const char *text, mr_diags *diags)
{
    const mr_value *value = NULL;
    assert_int_equal(mr_yaml_read(arena, "p.yaml", text, strlen(text), NULL, diags, &value), MR_OK);
    return value;
}

static mr_status bind_text(const char *text, mr_diags *diags)
{
    const mr_span owner = {.file = "p.yaml", .line = 1, .col = 1, .len = 1};
    return mr_params_bind(table, read_yaml(text, diags), "op 'x.y'", owner, arena, &all, sizeof(all), NULL, diags);
}

static void bind_right(const char *text)
{
    mr_diags *diags = mr_diags_new();
    if (bind_text(text, diags) != MR_OK || mr_diags_first(diags))
        fail_msg("'%s': %s", text, mr_diags_first(diags) ? mr_diags_first(diags)->message : "refused without a word");
    mr_diags_free(diags);
}

/* One mistake, with this code at this column of line 1; message and hint hold these texts. */
static void bind_wrong(const char *text, const char *code, uint32_t col, const char *message, const char *hint)
{
    mr_diags *diags = mr_diags_new();
    assert_int_equal(bind_text(text, diags), MR_ERR_PARAM);
    const mr_diag *diag = mr_diags_first(diags);
    assert_non_null(diag);
    if (strcmp(diag->code, code) != 0 || diag->span.col != col || !strstr(diag->message, message) || !strstr(diag->hint ? diag->hint : "", hint) ||
        diag->next)
        fail_msg("'%s' gave [%s] at %u: %s (%s)%s", text, diag->code, diag->span.col, diag->message, diag->hint ? diag->hint : "",
                 diag->next ? " and more" : "");
    mr_diags_free(diags);
}

static const struct rung *rung(size_t index)
{
    return &((const struct rung *)all.rungs.items)[index];
}

static void defaults(void **state)
{
    (void)state;
    bind_right("{}");
    assert_true(all.flag);
    assert_int_equal(all.count, 23);
    assert_true(all.share == 0.5);
    assert_string_equal(all.text, "");
    assert_int_equal(all.speed, 1);
    assert_int_equal(all.length, 4000000);
    assert_int_equal(all.bitrate, 0);
    assert_int_equal(all.ratio.den, 0);
    assert_null(all.url);
    assert_null(all.any);
    assert_null(all.numbers.items);
    assert_int_equal(all.words.count, 2);
    assert_string_equal(((const char *const *)all.words.items)[1], "dash");
    assert_int_equal(all.rungs.count, 2);
    assert_int_equal(rung(0)->max_bitrate, 1000000);
    assert_int_equal(rung(1)->max_bitrate, 200000);
    assert_null(rung(1)->name);
    memset(&all, 0xff, sizeof(all));
    assert_int_equal(mr_params_bind(table, NULL, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, NULL), MR_OK);
    assert_int_equal(all.count, 23);
    assert_null(all.key);
    bind_right("{count: , speed: null, words: ~}"); /* nothing: as if it were not there */
    assert_int_equal(all.count, 23);
    assert_int_equal(all.words.count, 2);
}

static void values_as_people_write_them(void **state)
{
    (void)state;
    bind_right("{flag: false, count: 51, share: -1, text: ünïcö, speed: fast, length: 1.5s, bitrate: 2.5M, size: 64KiB, ratio: 30000/1001,"
               " url: \"https://example.com/x\", words: [a], numbers: [16:9, 29.97, 25], rungs: [{height: 16, name: low}], any: {b: [1, 2.5], a: "
               "null}, key: abc}");
    assert_false(all.flag);
    assert_int_equal(all.count, 51);
    assert_true(all.share == -1);
    assert_string_equal(all.text, "ünïcö"); /* five characters */
    assert_int_equal(all.speed, 2);
    assert_int_equal(all.length, 1500000);
    assert_int_equal(all.bitrate, 2500000);
    assert_int_equal(all.size, 65536);
    assert_int_equal(all.ratio.num, 30000);
    assert_string_equal(all.url, "https://example.com/x");
    assert_int_equal(((const mr_ratio *)all.numbers.items)[1].den, 1001);
    assert_int_equal(rung(0)->height, 16);
    assert_string_equal(rung(0)->name, "low");
    assert_string_equal(all.any, "{\"a\":null,\"b\":[1,2.5]}");
    assert_string_equal(all.key, "abc");
}

/* With quotes or without; numbers as text; whole numbers that a division made. */
static void quotes_and_other_spellings(void **state)
{
    (void)state;
    bind_right("{length: \"2s\", count: \"12\", bitrate: '800k', ratio: \"16:9\", share: '1', text: 12.50, size: 4096}");
    assert_int_equal(all.length, 2000000);
    assert_int_equal(all.count, 12);
    assert_int_equal(all.ratio.den, 9);
    assert_string_equal(all.text, "12.50"); /* as it was written */
    bind_right("{text: true, count: 0x10, share: 0x1, length: 2}");
    assert_string_equal(all.text, "true");
    assert_int_equal(all.count, 16);
    assert_true(all.share == 1);
    assert_int_equal(all.length, 2000000);
    bind_right("{count: 12.0, text: ''}");
    assert_int_equal(all.count, 12);
    assert_string_equal(all.text, "");
}

static void mistakes_have_a_place_and_a_way_out(void **state)
{
    (void)state;
    bind_wrong("{flag: 1}", "bad-value", 8, "op 'x.y': 'flag' takes true or false, not '1'", "");
    bind_wrong("{flag: \"true\"}", "bad-value", 8, "not 'true'", "without quotes");
    bind_wrong("{count: 12.5}", "bad-value", 9, "'count' takes a whole number, not '12.5'", "like 1080");
    bind_wrong("{count: true}", "bad-value", 9, "not 'true'", "");
    bind_wrong("{count: [1]}", "bad-type", 9, "not a list", "");
    bind_wrong("{count: 52}", "out-of-range", 9, "'count' is too large: '52'", "expected 0 … 51");
    bind_wrong("{count: -1}", "out-of-range", 9, "too small: '-1'", "expected 0 … 51");
    bind_wrong("{count: 99999999999999999999}", "bad-value", 9, "", "64 bits");
    bind_wrong("{share: 1.01}", "out-of-range", 9, "'share' is too large: '1.01'", "expected -1 … 1");
    bind_wrong("{share: x}", "bad-value", 9, "takes a number, not 'x'", "like 0.5");
    bind_wrong("{text: sixsix}", "out-of-range", 8, "'text' has too many characters: 6", "at most 5");
    bind_wrong("{text: {a: 1}}", "bad-type", 8, "takes text, not a map", "");
    bind_wrong("{speed: fst}", "bad-choice", 9, "'speed' can't be 'fst'", "did you mean 'fast'?");
    bind_wrong("{speed: 12}", "bad-choice", 9, "'speed' can't be '12'", "expected slow, medium or fast");
    bind_wrong("{speed: [fast]}", "bad-type", 9, "not a list", "");
    bind_wrong("{length: 4x}", "bad-value", 10, "takes a duration such as 4s, not '4x'", "250ms");
    bind_wrong("{length: 20s}", "out-of-range", 10, "'length' is too large: '20s'", "expected 1s … 15s");
    bind_wrong("{length: 999ms}", "out-of-range", 10, "too small", "expected 1s … 15s");
    bind_wrong("{bitrate: 15999}", "out-of-range", 11, "too small", "expected at least 16k");
    bind_wrong("{size: 1048577}", "out-of-range", 8, "too large", "expected at most 1MiB");
    bind_wrong("{ratio: 30}", "out-of-range", 9, "'ratio' is too large: '30'", "expected 1 … 30000/1001");
    bind_wrong("{url: ftp://x}", "bad-value", 7, "takes an http(s) URL, not 'ftp://x'", "http://");
    bind_wrong("{words: []}", "out-of-range", 9, "'words' has too few items: 0", "expected 1 … 3");
    bind_wrong("{words: hls}", "bad-value", 9, "takes a list, not 'hls'", "[hls]");
    bind_wrong("{words: [a, [b]]}", "bad-type", 13, "'words' takes text, not a list", "");
    bind_wrong("{words: [a, ~]}", "bad-type", 13, "not nothing", "");
    bind_wrong("{numbers: [25, 1/0]}", "bad-value", 16, "'numbers' takes a ratio such as 16:9, not '1/0'", "ratio");
    bind_wrong("{rungs: [5]}", "bad-type", 10, "an item of 'rungs' must be a map, not a whole number", "{height: …}");
    bind_wrong("{rungs: [{height: 8}]}", "out-of-range", 19, "'height' is too small", "16 … 8192");
    bind_wrong("{rungs: [{name: x}]}", "missing-param", 10, "needs the param 'height'", "height: lines of the picture");
    bind_wrong("{rungs: [{heigth: 16, height: 16}]}", "unknown-param", 11, "has no param 'heigth'", "did you mean 'height'?");
    bind_wrong("{cuont: 1}", "unknown-param", 2, "op 'x.y' has no param 'cuont'", "did you mean 'count'?");
    bind_wrong("{rungs: [{height: 16, zzz: 1}]}", "unknown-param", 23, "has no param 'zzz'", "it takes height, max_bitrate and name");
    bind_wrong("[1]", "bad-type", 1, "params must be a map, not a list", "");
}

static void all_mistakes_at_once(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    assert_int_equal(bind_text("{count: x, length: 20s, unknown: 1, rungs: [{height: 1}, {max_bitrate: x}]}", diags), MR_ERR_PARAM);
    assert_int_equal(mr_diags_errors(diags), 6);
    mr_diags_free(diags);
}

static void secrets_are_not_told(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    char *text = NULL;
    size_t size = 0;
    const mr_value *map = read_yaml("\n\nkey: hunter2-hunter2\n", diags);
    const mr_span owner = {.file = "p.yaml", .line = 1, .col = 1, .len = 1};
    assert_int_equal(mr_params_bind(table, map, "op", owner, arena, &all, sizeof(all), NULL, diags), MR_ERR_PARAM);
    FILE *out = open_memstream(&text, &size);
    mr_diags_print(diags, out, false);
    fclose(out);
    assert_non_null(strstr(text, "'key' has too many characters: 15"));
    assert_null(strstr(text, "hunter2"));
    free(text);
    mr_diags_free(diags);
}

static bool is_open(const mr_value *value)
{
    return value->type == MR_VALUE_TEXT && strstr(value->text, "${");
}

static void what_is_known_later_is_taken(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    const mr_value *map = read_yaml("{count: \"${a}\", words: [\"${b}\", c], rungs: [\"${c}\", {height: \"${d}\"}], length: x}", diags);
    assert_int_equal(mr_params_bind(table, map, "op", (mr_span){0}, arena, &all, sizeof(all), is_open, diags), MR_ERR_PARAM);
    assert_int_equal(mr_diags_errors(diags), 1); /* the length only */
    assert_int_equal(all.count, 0);
    assert_int_equal(all.words.count, 2);
    map = read_yaml("\"${all}\"", diags);
    assert_int_equal(mr_params_bind(table, map, "op", (mr_span){0}, arena, &all, sizeof(all), is_open, diags), MR_OK);
    mr_diags_free(diags);
}

static void long_lists_and_texts_have_a_limit(void **state)
{
    (void)state;
    static const mr_param open_table[] = {
        MR_LIST(struct all, words, .item_type = MR_PARAM_TYPE_INT, .help = "numbers"),
        MR_TEXT(struct all, text, .help = "a text"),
        MR_PARAM_END,
    };
    enum { ITEMS = 10001, LETTERS = 65537 };
    static mr_value items[ITEMS];
    static const mr_value *pointers[ITEMS];
    char *letters = mr_arena_take(arena, LETTERS + 1);
    assert_non_null(letters);
    memset(letters, 'x', LETTERS);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (mr_value){.type = MR_VALUE_INT, .text = "1", .integer = 1};
        pointers[i] = &items[i];
    }
    mr_value list = {.type = MR_VALUE_LIST, .list = {pointers, ITEMS - 1}};
    mr_value text = {.type = MR_VALUE_TEXT, .text = letters + 1};
    const mr_entry entries[] = {{"words", {0}, &list}, {"text", {0}, &text}};
    mr_value map = {.type = MR_VALUE_MAP, .map = {entries, 2}};
    assert_int_equal(mr_params_bind(open_table, &map, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, NULL), MR_OK);
    list.list.count = ITEMS;
    assert_int_equal(mr_params_bind(open_table, &map, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, NULL), MR_ERR_PARAM);
    list.list.count = 1;
    text.text = letters;
    assert_int_equal(mr_params_bind(open_table, &map, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, NULL), MR_ERR_PARAM);
}

static void texts_outlive_the_tree(void **state)
{
    (void)state;
    char word[] = "word";
    const mr_value text = {.type = MR_VALUE_TEXT, .text = word};
    const mr_value *items[] = {&text};
    const mr_value list = {.type = MR_VALUE_LIST, .list = {items, 1}};
    const mr_entry entries[] = {{"text", {0}, &text}, {"words", {0}, &list}};
    const mr_value map = {.type = MR_VALUE_MAP, .map = {entries, 2}};
    assert_int_equal(mr_params_bind(table, &map, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, NULL), MR_OK);
    memset(word, '!', 4);
    assert_string_equal(all.text, "word");
    assert_string_equal(*(const char *const *)all.words.items, "word");
}

static void no_memory_is_told(void **state)
{
    (void)state;
    const mr_value *map = read_yaml("{text: abc, words: [a, b, c], rungs: [{height: 16}], any: [1]}", NULL);
    size_t succeeded = 0;
    for (size_t limit = 16; limit < 60000 && succeeded < 3; limit += 16) {
        mr_arena *small = mr_arena_new(limit);
        mr_status status = mr_params_bind(table, map, "op", (mr_span){0}, small, &all, sizeof(all), NULL, NULL);
        assert_true(status == MR_OK || status == MR_ERR_NOMEM);
        succeeded += status == MR_OK;
        mr_arena_free(small);
    }
    assert_int_equal(succeeded, 3);
}

static void a_dump_restores_to_the_same(void **state)
{
    (void)state;
    struct all copy;
    mr_diags *diags = mr_diags_new();
    const mr_value *map =
        read_yaml("{flag: false, share: -0.3, text: \"a\", speed: fast, length: 1500ms, bitrate: 2.5M, ratio: 30000/1001, any: {b: [1, 2.5], a: x},"
                  " words: [x], numbers: [16:9, 2], rungs: [{height: 480, name: n}], key: s3cret}",
                  diags);
    assert_int_equal(mr_params_bind(table, map, "op", (mr_span){0}, arena, &all, sizeof(all), NULL, diags), MR_OK);
    json_t *dump = mr_params_dump(table, &all);
    assert_non_null(dump);
    assert_string_equal(json_string_value(json_object_get(dump, "key")), "s3cret");
    assert_int_equal(mr_params_restore(table, dump, arena, &copy, sizeof(copy)), MR_OK);
    json_t *again = mr_params_dump(table, &copy);
    assert_true(json_equal(dump, again));
    assert_string_equal(copy.any, all.any);
    assert_int_equal(copy.speed, all.speed);
    json_object_set_new(dump, "speed", json_string("warp"));
    assert_int_equal(mr_params_restore(table, dump, arena, &copy, sizeof(copy)), MR_ERR_PARAM);
    json_object_del(dump, "speed");
    assert_int_equal(mr_params_restore(table, dump, arena, &copy, sizeof(copy)), MR_ERR_PARAM);
    json_decref(dump);
    json_decref(again);
    mr_diags_free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dump_restores_to_the_same, begin, end),
        cmocka_unit_test_setup_teardown(defaults, begin, end),
        cmocka_unit_test_setup_teardown(values_as_people_write_them, begin, end),
        cmocka_unit_test_setup_teardown(quotes_and_other_spellings, begin, end),
        cmocka_unit_test_setup_teardown(mistakes_have_a_place_and_a_way_out, begin, end),
        cmocka_unit_test_setup_teardown(all_mistakes_at_once, begin, end),
        cmocka_unit_test_setup_teardown(secrets_are_not_told, begin, end),
        cmocka_unit_test_setup_teardown(what_is_known_later_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(long_lists_and_texts_have_a_limit, begin, end),
        cmocka_unit_test_setup_teardown(texts_outlive_the_tree, begin, end),
        cmocka_unit_test_setup_teardown(no_memory_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
