/* SPDX-License-Identifier: MIT */
/* Params that are lists of filters: what is taken, what is refused and where, and that nothing is lost on the way to another process. */
#include "config/params.h"
#include "config/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct logo {
    const char *text;
    double opacity;
    mr_list points;
};

struct point {
    int64_t x;
    int64_t y;
};

static const mr_param points[] = {
    MR_INT(struct point, x, .help = "from the left"),
    MR_INT(struct point, y, .help = "from the top"),
    MR_PARAM_END,
};

static const mr_param logo_params[] = {
    MR_TEXT(struct logo, text, .flags = MR_PARAM_REQUIRED, .help = "what it says"),
    MR_NUMBER(struct logo, opacity, .standard = "0.5", .min = "0", .max = "1", .help = "how much of it is seen"),
    MR_LIST(struct logo, points, .fields = points, .item_size = sizeof(struct point), .help = "where it stands"),
    MR_PARAM_END,
};

static void reach_far(const mr_frame_filter *filter, const void *params, mr_reach *ret_reach)
{
    (void)filter, (void)params;
    ret_reach->ahead = MR_FILTER_REACH_MAX + 1;
}

/* It depends on the params: more than half is too much for a part. */
static void reach_whole(const mr_frame_filter *filter, const void *params, mr_reach *ret_reach)
{
    (void)filter;
    ret_reach->whole = ((const struct logo *)params)->opacity > 0.5;
}

static const mr_frame_filter far = {.size = sizeof(far), .version = 1, .name = "overlay.far", .summary = "looks far", .reach = reach_far};
static const mr_frame_filter logo = {
    .size = sizeof(logo), .version = 3, .name = "overlay.logo", .summary = "a logo", .params = logo_params, .params_size = sizeof(struct logo)};
static const mr_frame_filter plain = {.size = sizeof(plain), .version = 1, .name = "overlay.plain", .summary = "takes nothing"};
static const mr_frame_filter whole = {.size = sizeof(whole),
                                      .version = 1,
                                      .name = "overlay.whole",
                                      .summary = "remembers",
                                      .reach = reach_whole,
                                      .params = logo_params,
                                      .params_size = sizeof(struct logo)};
static const mr_filter_entry entries[] = {{&far, "overlay 1.0.0"}, {&logo, "overlay 1.0.0"}, {&plain, "overlay 1.0.0"}, {&whole, "overlay 1.0.0"}};
static const mr_filter_set set = {.entries = entries, .count = 4};

struct op {
    mr_filters filters;
    mr_filters of_whole;
};

static const mr_param table[] = {
    MR_FILTERS(struct op, filters, .help = "what is done to pictures"),
    MR_FILTERS(struct op, of_whole, .flags = MR_PARAM_WHOLE, .help = "the same, also what remembers"),
    MR_PARAM_END,
};

static mr_arena *arena;

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

static bool is_open(const mr_value *value)
{
    return value->type == MR_VALUE_TEXT && strncmp(value->text, "${", 2) == 0;
}

static mr_status bind(const char *text, struct op *op, mr_diags *diags)
{
    const mr_span owner = {.file = "p.yaml", .line = 1, .col = 1, .len = 1};
    const mr_value *value = NULL;
    assert_int_equal(mr_yaml_read(arena, "p.yaml", text, strlen(text), NULL, diags, &value), MR_OK);
    return mr_params_bind_with(&set, table, value, "op 'x.y'", owner, arena, op, sizeof(*op), is_open, diags);
}

static struct op bound(const char *text)
{
    struct op op;
    mr_diags *diags = mr_diags_new();
    if (bind(text, &op, diags) != MR_OK || mr_diags_first(diags))
        fail_msg("'%s': %s", text, mr_diags_first(diags) ? mr_diags_first(diags)->message : "refused without a word");
    mr_diags_free(diags);
    return op;
}

static void test_takes(void **state)
{
    (void)state;
    struct op op = bound("{filters: [\"eq=gamma=1.1\", {use: overlay.logo, with: {text: hi, points: [{x: 1, y: 2}]}}, {use: overlay.plain}]}");
    assert_int_equal(op.filters.count, 3);
    assert_string_equal(op.filters.items[0]->chain, "eq=gamma=1.1");
    assert_null(op.filters.items[0]->filter);
    assert_ptr_equal(op.filters.items[1]->filter, &logo);
    assert_string_equal(op.filters.items[1]->plugin, "overlay 1.0.0");
    const struct logo *given = op.filters.items[1]->params;
    assert_string_equal(given->text, "hi");
    assert_true(given->opacity == 0.5);
    assert_int_equal(((const struct point *)given->points.items)[0].y, 2);
    assert_ptr_equal(op.filters.items[2]->filter, &plain);
    assert_int_equal(op.of_whole.count, 0);

    op = bound("{filters: hflip}");
    assert_int_equal(op.filters.count, 1);
    assert_string_equal(op.filters.items[0]->chain, "hflip");
    op = bound("{filters: {use: overlay.plain}}");
    assert_ptr_equal(op.filters.items[0]->filter, &plain);
    op = bound("{filters: []}");
    assert_int_equal(op.filters.count, 0);
    op = bound("{filters: \"\"}");
    assert_int_equal(op.filters.count, 0);
    op = bound("{filters: null}");
    assert_int_equal(op.filters.count, 0);
    op = bound("{of_whole: {use: overlay.whole, with: {text: a, opacity: 1}}, filters: {use: overlay.whole, with: {text: a}}}");
    assert_ptr_equal(op.of_whole.items[0]->filter, &whole);
}

static void test_what_is_known_later(void **state)
{
    struct op op;
    mr_diags *diags = mr_diags_new();
    (void)state;
    assert_int_equal(bind("{filters: [\"${params.chain}\", {use: overlay.logo, with: {text: \"${params.text}\"}}]}", &op, diags), MR_OK);
    assert_int_equal(bind("{filters: \"${params.filters}\"}", &op, diags), MR_OK);
    assert_int_equal(bind("{filters: {use: overlay.whole, with: {text: a, opacity: \"${params.opacity}\"}}}", &op, diags), MR_OK);
    assert_null(mr_diags_first(diags));
    mr_diags_free(diags);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *text;
        const char *code;
        uint32_t col;
        const char *message;
        const char *hint;
    } wrong[] = {
        {"{filters: 7}", "bad-value", 11, "'filters' takes a chain of filters, not '7'", "or a list"},
        {"{filters: [7]}", "bad-value", 12, "takes a chain of filters", "{use: NAME"},
        {"{filters: {use: overlay.lgo}}", "unknown-filter", 17, "unknown filter 'overlay.lgo'", "did you mean 'overlay.logo'?"},
        {"{filters: {use: something}}", "unknown-filter", 17, "unknown filter 'something'", "millrace filters"},
        {"{filters: {with: {}}}", "missing-key", 11, "does not say which filter", ""},
        {"{filters: {use: [a]}}", "bad-type", 17, "'use' takes the name of a filter, not a list", ""},
        {"{filters: {use: overlay.plain, wiht: {}}}", "unknown-key", 32, "has no key 'wiht'", "did you mean 'with'?"},
        {"{filters: {use: overlay.logo}}", "missing-param", 17, "filter 'overlay.logo' needs the param 'text'", "what it says"},
        {"{filters: {use: overlay.logo, with: {text: a, opacty: 1}}}", "unknown-param", 47, "filter 'overlay.logo' has no param 'opacty'",
         "'opacity'"},
        {"{filters: {use: overlay.logo, with: {text: a, opacity: 2}}}", "out-of-range", 56, "'opacity' is too large", "0 … 1"},
        {"{filters: {use: overlay.plain, with: {a: 1}}}", "unknown-param", 39, "filter 'overlay.plain' has no param 'a'", "takes no params"},
        {"{filters: {use: overlay.far}}", "limit", 17, "wants to see 0 frames before and 33 after", ""},
        {"{filters: {use: overlay.whole, with: {text: a, opacity: 1}}}", "whole-filter", 17, "needs the whole video", "transcode.file"},
        {"{filters: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]}", "limit", 11, "has 33 filters; it may have 32", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct op op;
        mr_diags *diags = mr_diags_new();
        assert_int_equal(bind(wrong[i].text, &op, diags), MR_ERR_PARAM);
        const mr_diag *diag = mr_diags_first(diags);
        assert_non_null(diag);
        if (strcmp(diag->code, wrong[i].code) != 0 || diag->span.col != wrong[i].col || !strstr(diag->message, wrong[i].message) ||
            !strstr(diag->hint ? diag->hint : "", wrong[i].hint) || diag->next)
            fail_msg("'%s' gave [%s] at %u: %s (%s)%s", wrong[i].text, diag->code, diag->span.col, diag->message, diag->hint ? diag->hint : "",
                     diag->next ? " and more" : "");
        assert_int_equal(op.filters.count, 0);
        mr_diags_free(diags);
    }
}

static char *canonical(const char *text)
{
    const struct op op = bound(text);
    json_t *json = mr_params_json(table, &op);
    char *out = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    return out;
}

/* What goes into the identity of results: the filter, its version, its plugin, and its params, however they are written. */
static void test_identity(void **state)
{
    (void)state;
    char *one = canonical("{filters: {use: overlay.logo, with: {text: a}}}");
    char *same = canonical("{filters: [{use: overlay.logo, with: {opacity: 0.50, text: \"a\"}}]}");
    char *chain = canonical("{filters: [hflip]}");
    char *text = canonical("{filters: hflip}");
    assert_string_equal(one, same);
    assert_string_equal(chain, text);
    assert_string_equal(text, "{\"filters\":\"hflip\",\"of_whole\":null}");
    assert_string_equal(one, "{\"filters\":[{\"filter\":\"overlay.logo\",\"plugin\":\"overlay 1.0.0\",\"toolchain\":\"\",\"version\":3,"
                             "\"with\":{\"opacity\":0.5,\"points\":[],\"text\":\"a\"}}],\"of_whole\":null}");
    free(one);
    free(same);
    free(chain);
    free(text);
    struct op op = bound("{filters: [hflip, {use: overlay.logo, with: {text: a}}], of_whole: [hflip, {use: overlay.logo, with: {text: a}}]}");
    assert_string_equal(op.filters.items[1]->key, op.of_whole.items[1]->key);
    assert_string_not_equal(op.filters.items[0]->key, op.filters.items[1]->key);
    op = bound("{filters: {use: overlay.logo, with: {text: a}}, of_whole: {use: overlay.logo, with: {text: b}}}");
    assert_string_not_equal(op.filters.items[0]->key, op.of_whole.items[0]->key);
}

static void test_goes_elsewhere(void **state)
{
    static const char *const texts[] = {"{}", "{filters: hflip}", "{filters: [hflip, {use: overlay.logo, with: {text: a, points: [{x: 3}]}}, vflip]}",
                                        "{filters: {use: overlay.plain}}"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct op there;
        const struct op here = bound(texts[i]);
        json_t *dump = mr_params_dump(table, &here);
        assert_int_equal(mr_params_restore_with(&set, table, dump, arena, &there, sizeof(there)), MR_OK);
        json_t *again = mr_params_dump(table, &there);
        assert_true(json_equal(dump, again));
        assert_int_equal(here.filters.count, there.filters.count);
        for (size_t k = 0; k < here.filters.count; k++)
            assert_string_equal(here.filters.items[k]->key, there.filters.items[k]->key);
        json_decref(dump);
        json_decref(again);
    }
    static const char *const bad[] = {"{\"filters\":7,\"of_whole\":null}", "{\"filters\":[{\"use\":\"overlay.gone\",\"with\":{}}],\"of_whole\":null}",
                                      "{\"filters\":[{\"use\":\"overlay.logo\",\"with\":7}],\"of_whole\":null}",
                                      "{\"filters\":[7],\"of_whole\":null}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct op there;
        json_t *dump = json_loads(bad[i], 0, NULL);
        assert_int_equal(mr_params_restore_with(&set, table, dump, arena, &there, sizeof(there)), MR_ERR_PARAM);
        json_decref(dump);
    }
}

static void test_any_scheme(void **state)
{
    static const struct {
        const char *text;
        mr_status status;
    } urls[] = {{"{url: mem://box/x}", MR_OK},      {"{url: \"s3://bucket/a b\"}", MR_OK}, {"{url: https://example.com/}", MR_OK},
                {"{url: https://}", MR_ERR_PARAM},  {"{url: box}", MR_ERR_PARAM},          {"{url: \"://x\"}", MR_ERR_PARAM},
                {"{url: \"1a://x\"}", MR_ERR_PARAM}};
    static const mr_param params[] = {{.name = "url", .type = MR_PARAM_TYPE_URL, .flags = MR_PARAM_SCHEMES, .offset = 0, .help = "an address"},
                                      MR_PARAM_END};
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const char *url = NULL;
        const mr_value *value = NULL;
        assert_int_equal(mr_yaml_read(arena, "p.yaml", urls[i].text, strlen(urls[i].text), NULL, NULL, &value), MR_OK);
        if (mr_params_bind(params, value, "op 'x.y'", (mr_span){0}, arena, &url, sizeof(url), NULL, NULL) != urls[i].status)
            fail_msg("%s", urls[i].text);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_takes), T(test_what_is_known_later), T(test_refuses), T(test_identity), T(test_goes_elsewhere), T(test_any_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
