/* SPDX-License-Identifier: MIT */
/* Every param macro in strict C: the tables that plugin authors write must compile without the compiler's extensions. */
#include <millrace/plugin.h>

extern const mr_param tables_params[];

struct inner {
    const char *label;
    int64_t height;
};

struct params {
    bool flag;
    int64_t integer;
    double number;
    const char *text;
    int32_t choice;
    int64_t duration;
    int64_t bitrate;
    int64_t size;
    mr_ratio ratio;
    const char *url;
    mr_list list;
    mr_list words;
    const char *json;
};

static const char *const choices[] = {"slow", "fast", NULL};

static const mr_param inner[] = {
    MR_TEXT(struct inner, label, .help = "its name", .flags = MR_PARAM_REQUIRED),
    MR_INT(struct inner, height, .help = "in lines"),
    MR_PARAM_END,
};

const mr_param tables_params[] = {
    MR_BOOL(struct params, flag, .standard = "false", .help = "a flag"),
    MR_INT(struct params, integer, .min = "0", .max = "9", .help = "an integer"),
    MR_NUMBER(struct params, number, .help = "a number"),
    MR_TEXT(struct params, text, .flags = MR_PARAM_SECRET, .help = "a text"),
    MR_CHOICE(struct params, choice, .choices = choices, .standard = "fast", .help = "a choice"),
    MR_DURATION(struct params, duration, .standard = "4s", .help = "a duration"),
    MR_BITRATE(struct params, bitrate, .standard = "800k", .help = "a bit rate"),
    MR_SIZE(struct params, size, .standard = "64MiB", .help = "a size"),
    MR_RATIO(struct params, ratio, .standard = "30000/1001", .help = "a ratio"),
    MR_URL(struct params, url, .help = "an address"),
    MR_LIST(struct params, list, .fields = inner, .item_size = sizeof(struct inner), .help = "a list of maps"),
    MR_LIST(struct params, words, .item_type = MR_PARAM_TYPE_TEXT, .help = "a list of texts"),
    MR_JSON(struct params, json, .help = "anything"),
    MR_PARAM_END,
};
