/* SPDX-License-Identifier: MIT */
/*
 * Reads any text as each kind of number with a unit, and as the params of a table that has every type. What was read, written as plain
 * numbers, must read as the same; what binds must bind the same again from its canonical JSON's sources.
 */
#include "base/units.h"
#include "config/params.h"
#include "config/yaml.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4096 };

struct item {
    int64_t count;
    mr_ratio ratio;
    mr_list numbers;
};

struct all {
    bool flag;
    int64_t count;
    double share;
    const char *text;
    int32_t choice;
    int64_t length;
    int64_t rate;
    int64_t size;
    mr_ratio ratio;
    const char *url;
    mr_list words;
    mr_list items;
    const char *any;
    const char *key;
};

static const char *const choices[] = {"one", "two", NULL};

static const mr_param item_fields[] = {
    MR_INT(struct item, count, .flags = MR_PARAM_REQUIRED, .min = "1", .help = "a count"),
    MR_RATIO(struct item, ratio, .help = "a ratio"),
    MR_LIST(struct item, numbers, .item_type = MR_PARAM_TYPE_NUMBER, .help = "numbers"),
    MR_PARAM_END,
};

static const mr_param table[] = {
    MR_BOOL(struct all, flag, .help = "a flag"),
    MR_INT(struct all, count, .min = "-5", .max = "1000000", .help = "a count"),
    MR_NUMBER(struct all, share, .min = "-1.5", .help = "a share"),
    MR_TEXT(struct all, text, .max = "100", .help = "a text"),
    MR_CHOICE(struct all, choice, .choices = choices, .help = "a choice"),
    MR_DURATION(struct all, length, .max = "10h", .help = "a duration"),
    MR_BITRATE(struct all, rate, .help = "a bit rate"),
    MR_SIZE(struct all, size, .min = "1kB", .help = "a size"),
    MR_RATIO(struct all, ratio, .min = "1/3", .max = "240", .help = "a ratio"),
    MR_URL(struct all, url, .help = "an address"),
    MR_LIST(struct all, words, .item_type = MR_PARAM_TYPE_TEXT, .max = "10", .help = "words"),
    MR_LIST(struct all, items, .fields = item_fields, .item_size = sizeof(struct item), .standard = "[{count: 1}]", .help = "items"),
    MR_JSON(struct all, any, .help = "any value"),
    MR_TEXT(struct all, key, .flags = MR_PARAM_SECRET, .help = "a secret"),
    MR_PARAM_END,
};

static void require(bool right)
{
    if (!right)
        abort();
}

typedef mr_status (*parser)(const char *text, int64_t *ret_value, const char **ret_why);

/* Every unit's base unit can be written, so what came out can go in again. */
static void check_integer(parser parse, const char *text, const char *unit)
{
    char again[64];
    int64_t value = 0;
    int64_t same = 0;
    const char *why = NULL;
    if (parse(text, &value, &why) != MR_OK) {
        require(why != NULL && value == 0);
        return;
    }
    snprintf(again, sizeof(again), "%" PRId64 "%s", value, unit);
    require(parse(again, &same, &why) == MR_OK && same == value);
}

static void check_units(const char *text)
{
    mr_ratio ratio;
    mr_ratio same;
    double number = 0;
    char again[64];
    check_integer(mr_parse_int, text, "");
    check_integer(mr_parse_duration, text, "us");
    check_integer(mr_parse_bitrate, text, "");
    check_integer(mr_parse_size, text, "B");
    if (mr_parse_ratio(text, &ratio, NULL) == MR_OK) {
        require(ratio.den > 0 && ratio.num >= 0);
        snprintf(again, sizeof(again), "%d/%d", ratio.num, ratio.den);
        require(mr_parse_ratio(again, &same, NULL) == MR_OK && same.num == ratio.num && same.den == ratio.den);
    }
    if (mr_parse_number(text, &number, NULL) == MR_OK) {
        double back = 0;
        snprintf(again, sizeof(again), "%.17g", number);
        require(mr_parse_number(again, &back, NULL) == MR_OK && back == number);
    }
    (void)mr_parse_url(text, NULL);
}

static char *canonical(mr_arena *arena, const mr_value *map, mr_diags *diags)
{
    struct all all;
    if (mr_params_bind(table, map, "fuzz", (mr_span){0}, arena, &all, sizeof(all), NULL, diags) != MR_OK)
        return NULL;
    json_t *json = mr_params_json(table, &all);
    char *text = mr_json_text(json);
    require(text != NULL);
    json_decref(json);
    return text;
}

/* The same params as they come from a script: over JSON. */
static void check_params(mr_arena *arena, const mr_value *map, mr_diags *diags)
{
    char *first = canonical(arena, map, diags);
    require((first != NULL) == (mr_diags_errors(diags) == 0));
    if (first) {
        json_t *json = mr_value_to_json(map);
        char *second = canonical(arena, mr_value_from_json(arena, json, map->span), NULL);
        /* A text may have been written as a number, and then reads as JSON writes that number; all else is the same. */
        require(second != NULL);
        free(second);
        json_decref(json);
    }
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX + 1];
    if (size > TEXT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_units(text);
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    const mr_value *map = NULL;
    if (mr_yaml_read(arena, "fuzz", text, size, NULL, diags, &map) == MR_OK)
        check_params(arena, map, diags);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
