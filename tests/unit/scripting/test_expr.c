/* SPDX-License-Identifier: MIT */
/* Expressions: what they compute, what they see, what they may not, and where mistakes are shown. */
#include "scripting/expr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"params", "info", "chunk"};
static const char *const param_names[] = {"height", "preset", "ladder", "webhook", "empty"};
static const char scope_text[] =
    "{\"params\": {\"height\": 720, \"preset\": \"slow\", \"ladder\": [{\"h\": 1}, {\"h\": 2}], \"webhook\": null, \"empty\": []},"
    " \"info\": {\"video\": {\"width\": 1920, \"sar\": [1, 1]}, \"none\": {}}, \"chunk\": {\"index\": 9007199254740993}}";

typedef struct fixture {
    mr_arena *arena;
    mr_diags *diags;
    mr_expr_vm *vm;
    json_t *scope;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    f->arena = mr_arena_new(0);
    f->diags = mr_diags_new();
    f->vm = mr_expr_vm_new();
    f->scope = json_loads(scope_text, 0, NULL);
    *state = f;
    return f->arena && f->diags && f->vm && f->scope ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    json_decref(f->scope);
    mr_expr_vm_free(f->vm);
    mr_diags_free(f->diags);
    mr_arena_free(f->arena);
    free(f);
    return 0;
}

static mr_status compile(fixture *f, const char *text, const mr_expr **ret_expr)
{
    mr_span span = {"file", 3, 10, (uint32_t)strlen(text)};
    return mr_expr_compile(f->arena, text, span, names, 3, param_names, 5, f->diags, ret_expr);
}

/* The value as canonical JSON, or "error: message". */
static char *value_of(fixture *f, const char *text)
{
    const mr_expr *expr = NULL;
    json_t *value = NULL;
    mr_diags_free(f->diags);
    f->diags = mr_diags_new();
    if (compile(f, text, &expr) != MR_OK || mr_expr_eval(f->vm, expr, f->scope, f->diags, &value) != MR_OK) {
        const mr_diag *diag = mr_diags_first(f->diags);
        assert_non_null(diag);
        char *out = NULL;
        assert_true(asprintf(&out, "error: %s", diag->message) > 0);
        return out;
    }
    char *out = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    json_decref(value);
    return out;
}

static void check(fixture *f, const char *text, const char *expected)
{
    char *value = value_of(f, text);
    assert_string_equal(value, expected);
    free(value);
}

static void check_error(fixture *f, const char *text, const char *part)
{
    char *value = value_of(f, text);
    if (strncmp(value, "error: ", 7) != 0 || !strstr(value, part))
        fail_msg("%s gave %s, not an error with '%s'", text, value, part);
    free(value);
}

/* The first mistake stands at col (counted from the scalar's start at 1), len bytes long, with that hint (NULL: any). */
static void check_place(fixture *f, const char *text, uint32_t col, uint32_t len, const char *hint)
{
    const mr_expr *expr = NULL;
    mr_diags_free(f->diags);
    f->diags = mr_diags_new();
    assert_true(compile(f, text, &expr) < 0);
    assert_null(expr);
    const mr_diag *diag = mr_diags_first(f->diags);
    assert_non_null(diag);
    if (diag->span.col != col + 9 || diag->span.len != len || (hint && (!diag->hint || !strstr(diag->hint, hint))))
        fail_msg("%s: %s at %u+%u, hint %s", text, diag->message, diag->span.col - 9, diag->span.len, diag->hint ? diag->hint : "none");
}

static void test_values(void **state)
{
    fixture *f = *state;
    check(f, "${params.height}", "720");
    check(f, "${params.height / 2}", "360");
    check(f, "${params.height / 7 * 0 + 0.5}", "0.5");
    check(f, "${chunk.index}", "9007199254740993");
    check(f, "${params.preset}", "\"slow\"");
    check(f, "${params.webhook}", "null");
    check(f, "${params.webhook ~= nil}", "false");
    check(f, "${info.video ~= nil and info.video.width > 1280}", "true");
    check(f, "${#params.ladder}", "2");
    check(f, "${params.ladder[2].h}", "2");
    check(f, "${params.ladder}", "[{\"h\":1},{\"h\":2}]");
    check(f, "${math.max(1, 2.5)}", "2.5");
    check(f, "${math.floor(7 / 2)}", "3");
    check(f, "${string.format('%04d-%s', 7, 'x')}", "\"0007-x\"");
    check(f, "${('Abc'):upper() .. string.lower('ABC')}", "\"ABCabc\"");
    check(f, "${tonumber('0x10') + tonumber('2')}", "18");
    check(f, "${tostring(1) .. tostring(true) .. tostring(nil)}", "\"1truenil\"");
    check(f, "${[[a}b]]}", "\"a}b\"");
    check(f, "${'}'}", "\"}\"");
    check(f, "${params[ 'preset' ]}", "\"slow\"");
}

static void test_tables(void **state)
{
    fixture *f = *state;
    check(f, "${{}}", "[]");
    check(f, "${params.empty}", "[]");
    check(f, "${info.none}", "{}");
    check(f, "${{1, 'two', {three = 3}}}", "[1,\"two\",{\"three\":3}]");
    check(f, "${{b = 1, a = 2, ['c d'] = 3}}", "{\"a\":2,\"b\":1,\"c d\":3}");
    check(f, "${{1, nil, 3}}", "[1,null,3]");
    check_error(f, "${{1, a = 2}}", "mixes a list and an object");
    check_error(f, "${{[1000000] = 1}}", "too many holes");
    check_error(f, "${{[1.5] = 1}}", "");
    check_error(f, "${math.floor}", "a function is not a value");
    check_error(f, "${0/0}", "not a number");
    check_error(f, "${1/0}", "infinite");
    check_error(f, "${'\\0'}", "NUL");
    check_error(f, "${'\\xff'}", "not valid UTF-8");
}

static void test_templates(void **state)
{
    fixture *f = *state;
    check(f, "h${params.height}p", "\"h720p\"");
    check(f, "${params.height}${params.preset}", "\"720slow\"");
    check(f, "${4/2}x", "\"2x\"");
    check(f, "a$${b}", "\"a${b}\"");
    check(f, "$$${1}", "\"$${1}\"");
    check(f, "costs $5", "\"costs $5\"");
    check(f, "${1 == 1}!", "\"true!\"");
    check_error(f, "x${params.webhook}", "is nil, which can't stand inside text");
    check_error(f, "x${params.ladder}", "is a list");
    assert_true(mr_expr_present("a${b}"));
    assert_false(mr_expr_present("a$${b}"));
    assert_false(mr_expr_present("$b {c}"));
}

/* A block scalar ends with a line break that is no part of what it says. */
static void test_block(void **state)
{
    fixture *f = *state;
    const mr_expr *expr = NULL;
    assert_int_equal(compile(f, "${params.height\n  > 3}\n", &expr), MR_OK);
    assert_true(mr_expr_whole(expr));
    bool truth = false;
    assert_int_equal(mr_expr_test(f->vm, expr, f->scope, f->diags, &truth), MR_OK);
    assert_true(truth);
}

static void test_sandbox(void **state)
{
    static const char *const gone[] = {"os",
                                       "io",
                                       "require",
                                       "load",
                                       "loadstring",
                                       "dofile",
                                       "loadfile",
                                       "debug",
                                       "package",
                                       "coroutine",
                                       "setmetatable",
                                       "getmetatable",
                                       "rawset",
                                       "rawget",
                                       "pcall",
                                       "error",
                                       "print",
                                       "_G",
                                       "_ENV",
                                       "utf8",
                                       "table",
                                       "collectgarbage",
                                       "select",
                                       "next",
                                       "pairs",
                                       "string.rep('a', 9)",
                                       "string.find('a', 'a')",
                                       "string.gsub('a', 'a', 'b')",
                                       "string.gmatch('a', 'a')",
                                       "string.match('a', 'a')",
                                       "string.dump",
                                       "string.byte('a')",
                                       "string.char(1)",
                                       "math.random()",
                                       "math.randomseed(1)",
                                       NULL};
    fixture *f = *state;
    for (size_t i = 0; gone[i]; i++) {
        char text[80];
        snprintf(text, sizeof(text), "${%s}", gone[i]);
        check_error(f, text, "unknown");
    }
    /* Where names are computed, nothing is behind them. */
    check(f, "${string['r' .. 'ep']}", "null");
    check(f, "${math['ran' .. 'dom']}", "null");
    check_error(f, "${('a'):rep(9)}", "unknown function 'string.rep'");
    check_error(f, "${tostring(params)}", "a table can't be written as text");
    check_error(f, "${string.format('%s', params)}", "a table can't be written as text");
    check_error(f, "${string.format('%p', 'a')}", "'%p'");
    check_error(f, "${string.format('%-10p', params.preset)}", "'%p'");
    check_error(f, "${string.format('%99999d', 1)}", "");
    check(f, "${string.format('%d%%', 5)}", "\"5%\"");
}

static void test_limits(void **state)
{
    fixture *f = *state;
    /* 2^20 times 64 bytes by doubling inside one format: over 8 MiB. */
    char text[4000] = "${string.format('";
    for (int i = 0; i < 300; i++)
        strncat(text, "%s", sizeof(text) - strlen(text) - 1);
    strncat(text, "'", sizeof(text) - strlen(text) - 1);
    for (int i = 0; i < 300; i++)
        strncat(text, ",info.big", sizeof(text) - strlen(text) - 1);
    strncat(text, ")}", sizeof(text) - strlen(text) - 1);
    char *big = malloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    json_object_set_new(json_object_get(f->scope, "info"), "big", json_string(big));
    check_error(f, text, "");
    char list[2000] = "${{";
    for (int i = 0; i < 180; i++)
        strncat(list, "info.big,", sizeof(list) - strlen(list) - 1);
    strncat(list, "}}", sizeof(list) - strlen(list) - 1);
    check_error(f, list, "larger than 8 MiB");
    free(big);
    check(f, "${1 + 1}", "2"); /* the machine is as good as new */

    char *deep = calloc(1, 400);
    deep[0] = '$';
    deep[1] = '{';
    memset(deep + 2, '{', 40);
    memset(deep + 42, '}', 41);
    check_error(f, deep, "more than 32 levels");
    free(deep);
    char *nested = calloc(1, 2000);
    nested[0] = '$';
    nested[1] = '{';
    memset(nested + 2, '(', 600);
    nested[602] = '1';
    memset(nested + 603, ')', 600);
    nested[1203] = '}';
    check_error(f, nested, "");
    free(nested);
    char *longer = malloc(MR_EXPR_TEXT_MAX + 10);
    memset(longer, 'a', MR_EXPR_TEXT_MAX + 9);
    longer[MR_EXPR_TEXT_MAX + 9] = '\0';
    check_error(f, longer, "at most 8192 bytes");
    free(longer);
}

static void test_runtime_errors(void **state)
{
    fixture *f = *state;
    check_error(f, "${info.audio.channels}", "attempt to index a nil value");
    check_error(f, "${params.height + info}", "attempt to perform arithmetic");
    check_error(f, "${params.ladder < 3}", "attempt to compare");
    const mr_diag *diag = mr_diags_first(f->diags);
    assert_int_equal(diag->span.col, 10);
    assert_int_equal(diag->span.line, 3);
    char *shown = value_of(f, "${info.audio.channels}");
    assert_string_equal(shown, "error: '${info.audio.channels}' can't be evaluated: attempt to index a nil value (field 'audio')");
    free(shown);
}

static void test_places(void **state)
{
    fixture *f = *state;
    check_place(f, "${params.heigth}", 10, 6, "did you mean 'params.height'?");
    check_place(f, "${params['heigth']}", 11, 6, "params.height");
    check_place(f, "${infos.video}", 3, 5, "did you mean 'info'?");
    check_place(f, "${1 + math.flor(2)}", 12, 4, "math.floor");
    check_place(f, "${height > 3}", 3, 6, "params.height");
    check_place(f, "a ${1 +* 2}", 8, 1, NULL);
    check_place(f, "${1 + }", 7, 1, NULL);
    check_place(f, "${(1 + 2}", 9, 1, "')' is missing");
    check_place(f, "${1 2}", 5, 1, NULL);
    check_place(f, "${params.height != 3}", 17, 2, "~=");
    check_place(f, "${true && false}", 8, 2, "and");
    check_place(f, "${!true}", 3, 1, "not");
    check_place(f, "${true ? 1 : 2}", 8, 1, "and a or b");
    check_place(f, "${info == null}", 11, 4, "nil");
    check_place(f, "${params.height = 3}", 17, 1, "==");
    check_place(f, "${1, 2}", 4, 1, "{a, b}");
    check_place(f, "${function() end}", 3, 8, NULL);
    check_place(f, "${1 -- one\n}", 1, 12, NULL); /* text and file differ: the whole scalar */
    check_place(f, "${...}", 3, 3, NULL);
    check_place(f, "${}", 1, 3, NULL);
    check_place(f, "${  }", 1, 5, NULL);
    check_place(f, "abc ${params.height", 5, 15, "quote");
    check_place(f, "${'abc}", 3, 5, "close it");
    check_place(f, "${3x}", 3, 2, NULL);
    check_place(f, "${{a 1}}", 6, 1, NULL);
    check_place(f, "${1)}", 4, 1, NULL);
    check_place(f, "${a.b.c + chunk}", 3, 1, NULL);
}

/* In quotes, text begins one column after the scalar. */
static void test_quoted_place(void **state)
{
    fixture *f = *state;
    const mr_expr *expr = NULL;
    const char *text = "${params.heigth}";
    mr_span span = {"file", 1, 5, (uint32_t)strlen(text) + 2};
    assert_true(mr_expr_compile(f->arena, text, span, names, 3, param_names, 5, f->diags, &expr) < 0);
    assert_int_equal(mr_diags_first(f->diags)->span.col, 5 + 1 + 9);
}

/* Several mistakes in one text are all reported. */
static void test_all_mistakes(void **state)
{
    fixture *f = *state;
    const mr_expr *expr = NULL;
    assert_true(compile(f, "${nam} ${params.x1} ${1 +}", &expr) < 0);
    assert_int_equal(mr_diags_errors(f->diags), 3);
}

static void test_uses(void **state)
{
    fixture *f = *state;
    const mr_expr *expr = NULL;
    assert_int_equal(compile(f, "${{info = 1, x = params.preset, y = ('info'):len()}}", &expr), MR_OK);
    assert_true(mr_expr_uses(expr, "params"));
    assert_false(mr_expr_uses(expr, "info"));
    assert_true(mr_expr_only_params(expr));
    assert_true(mr_expr_uses_param(expr, "preset"));
    assert_false(mr_expr_uses_param(expr, "height"));
    assert_null(mr_expr_pure_param(expr));
    assert_int_equal(compile(f, "${info.params and chunk.index}", &expr), MR_OK);
    assert_true(mr_expr_uses(expr, "info"));
    assert_true(mr_expr_uses(expr, "chunk"));
    assert_false(mr_expr_uses(expr, "params"));
    assert_false(mr_expr_only_params(expr));
    assert_int_equal(compile(f, "${params[info.key]}", &expr), MR_OK);
    assert_true(mr_expr_uses_param(expr, "webhook"));
    assert_int_equal(compile(f, "${ params . height }", &expr), MR_OK);
    assert_string_equal(mr_expr_pure_param(expr), "height");
    assert_int_equal(compile(f, "x${params.height}", &expr), MR_OK);
    assert_null(mr_expr_pure_param(expr));
    assert_false(mr_expr_whole(expr));
}

static void test_truth(void **state)
{
    static const struct {
        const char *text;
        bool truth;
    } cases[] = {{"${nil}", false}, {"${false}", false},          {"${0}", true},         {"${''}", true},
                 {"${info}", true}, {"${params.webhook}", false}, {"${math.floor}", true}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const mr_expr *expr = NULL;
        bool truth = !cases[i].truth;
        assert_int_equal(compile(f, cases[i].text, &expr), MR_OK);
        assert_int_equal(mr_expr_test(f->vm, expr, f->scope, f->diags, &truth), MR_OK);
        assert_int_equal(truth, cases[i].truth);
    }
}

/* A port may be called like a function: the port wins. */
static void test_shadowing(void **state)
{
    static const char *const ports[] = {"math"};
    fixture *f = *state;
    const mr_expr *expr = NULL;
    json_t *value = NULL;
    json_t *scope = json_pack("{s:{s:i}}", "math", "max", 5);
    assert_int_equal(mr_expr_compile(f->arena, "${math.max}", (mr_span){"f", 1, 1, 11}, ports, 1, NULL, 0, f->diags, &expr), MR_OK);
    assert_int_equal(mr_expr_eval(f->vm, expr, scope, f->diags, &value), MR_OK);
    assert_int_equal(json_integer_value(value), 5);
    json_decref(value);
    json_decref(scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),         cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_templates, setup, teardown),      cmocka_unit_test_setup_teardown(test_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sandbox, setup, teardown),        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runtime_errors, setup, teardown), cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quoted_place, setup, teardown),   cmocka_unit_test_setup_teardown(test_all_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uses, setup, teardown),           cmocka_unit_test_setup_teardown(test_truth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shadowing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
