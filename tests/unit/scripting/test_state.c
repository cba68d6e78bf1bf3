/* SPDX-License-Identifier: MIT */
/* The state of scripts: what is there and what isn't, the limits and who tries to get around them, order, modules, and what errors say. */
#include "base/file.h"
#include "scripting/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct outcome {
    mr_status status;
    char message[512];
    char code[32];
    uint32_t line;
    size_t notes;
    char note[256]; /* the first */
    char text[512]; /* what it returned, as JSON */
} outcome;

static bool answer_no(void *context)
{
    int *left = context;
    return --*left > 0;
}

static outcome run_bundle(const mr_bundle *bundle, const mr_script_options *given)
{
    outcome out = {0};
    mr_script_options options = given ? *given : (mr_script_options){0};
    mr_diags *diags = mr_diags_new();
    options.bundle = bundle;
    mr_script *script = mr_script_new(&options);
    assert_non_null(script);
    out.status = mr_script_run(script, 1, diags);
    if (out.status == MR_OK) {
        const char *why = NULL;
        json_t *value = mr_script_read_json(mr_script_lua(script), -1, 1 << 20, &why);
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        snprintf(out.text, sizeof(out.text), "%s", text ? text : why ? why : "?");
        free(text);
        json_decref(value);
    }
    const mr_diag *diag = mr_diags_first(diags);
    if (diag) {
        snprintf(out.message, sizeof(out.message), "%s", diag->message);
        snprintf(out.code, sizeof(out.code), "%s", diag->code);
        out.line = diag->span.line;
        for (const mr_diag *note = diag->notes; note; note = note->next)
            out.notes++;
        if (diag->notes)
            snprintf(out.note, sizeof(out.note), "%u %s", diag->notes->span.line, diag->notes->message);
    }
    mr_script_free(script);
    mr_diags_free(diags);
    return out;
}

static outcome run(const char *text, const mr_script_options *options)
{
    const mr_bundle *bundle = NULL;
    mr_arena *arena = mr_arena_new(0);
    assert_int_equal(mr_bundle_of_text(arena, "test.lua", text, strlen(text), NULL, &bundle), MR_OK);
    outcome out = run_bundle(bundle, options);
    mr_arena_free(arena);
    return out;
}

static void gives(const char *text, const char *expected)
{
    outcome out = run(text, NULL);
    if (out.status != MR_OK || strcmp(out.text, expected) != 0)
        fail_msg("%s: gave %s %s, not %s", text, out.text, out.message, expected);
}

static void fails(const char *text, const char *expected)
{
    outcome out = run(text, NULL);
    if (out.status == MR_OK || !strstr(out.message, expected))
        fail_msg("%s: %d %s %s, not %s", text, out.status, out.text, out.message, expected);
}

/* ---- what there is ---- */

static void it_runs_lua(void **state)
{
    (void)state;
    gives("local t = {} for i = 1, 3 do t[i] = i * i end return t", "[1,4,9]");
    gives("return ('a,b'):gsub(',', ';')", "\"a;b\"");
    gives("local function f(...) return select('#', ...) end return f(1, nil, 3)", "3");
    gives("local co = coroutine.wrap(function() coroutine.yield(1) end) return co()", "1");
    gives("return {utf8.len('äö'), math.type(3), string.rep('x', 3)}", "[2,\"integer\",\"xxx\"]");
    gives("return select(2, pcall(error, {code = 7})).code", "7");
    gives("return select(2, xpcall(function() error('x', 0) end, function(e) return e .. '!' end))", "\"x!\"");
    gives("return {xpcall(function(a) return a end, error, 5)}", "[true,5]");
}

static void what_reaches_outside_is_not_there(void **state)
{
    (void)state;
    static const char *const names[] = {"os", "io", "debug", "package", "load", "loadfile", "dofile", "collectgarbage", "print", "loadstring"};
    char text[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "return %s.x", names[i]);
        fails(text, "scripts have no '");
        snprintf(text, sizeof(text), "return rawget(_G, '%s') == nil", names[i]);
        gives(text, "true");
    }
    gives("return string.dump == nil", "true");
    fails("return pritn", "there is no variable 'pritn'");
    fails("return tostrin(3)", "did you mean 'tostring'?");
    fails("return millrace.obj()", "millrace has no 'obj'");
    fails("return getmetatable(_G).x", "boolean");
    fails("setmetatable({}, {__gc = function() while true do end end})", "a metatable can't have '__gc' here");
    fails("setmetatable({}, {__mode = 'k'})", "a metatable can't have '__mode' here");
}

static void bytecode_is_not_taken(void **state)
{
    (void)state;
    const mr_bundle *bundle = NULL;
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_bundle_of_text(arena, "test.lua", "\x1bLua\x54", 5, diags, &bundle), MR_ERR_INPUT);
    assert_non_null(strstr(mr_diags_first(diags)->message, "it is bytecode"));
    mr_diags_free(diags);
    mr_arena_free(arena);
}

/* ---- order ---- */

static void order_is_fixed(void **state)
{
    (void)state;
    gives("local o = {} for k in pairs({b = 1, a = 2, [10] = 3, [2] = 4, [true] = 5, [1.5] = 6}) do o[#o + 1] = tostring(k) end return o",
          "[\"1.5\",\"2\",\"10\",\"a\",\"b\",\"true\"]");
    gives("local o, k = {}, nil repeat k = next({c = 1, a = 1, b = 1}, k) o[#o + 1] = k until not k return o", "[\"a\",\"b\",\"c\"]");
    gives("return next({}) == nil", "true");
    gives("local t, n = {a = 1, b = 2, c = 3}, 0 for k in pairs(t) do t.b = nil n = n + 1 end return n", "2");
    fails("for k in pairs({[{}] = 1}) do end", "a table with a key that is a table has no order");
}

static void texts_show_no_address(void **state)
{
    (void)state;
    gives("return {tostring({}), tostring(tostring), string.format('%s %5.1f', {}, 2)}", "[\"table\",\"function\",\"table   2.0\"]");
    fails("return string.format('%p', {})", "string.format has no '%p' here");
    gives("return tostring(setmetatable({}, {__tostring = function() return 'mine' end}))", "\"mine\"");
}

static void random_begins_with_the_seed(void **state)
{
    (void)state;
    const mr_script_options other = {.seed = 7};
    outcome first = run("return {math.random(1000000), math.random(1000000)}", NULL);
    outcome again = run("return {math.random(1000000), math.random(1000000)}", NULL);
    outcome seeded = run("return {math.random(1000000), math.random(1000000)}", &other);
    assert_string_equal(first.text, again.text);
    assert_string_not_equal(first.text, seeded.text);
    fails("math.randomseed()", "differ from run to run");
    gives("math.randomseed(3) local a = math.random(9999) math.randomseed(3) return a == math.random(9999)", "true");
}

static void sorting_is_stable(void **state)
{
    (void)state;
    gives("local t = {3, 1, 2} table.sort(t) return t", "[1,2,3]");
    gives("local t = {} for i = 1, 300 do t[i] = {k = i % 3, i = i} end table.sort(t, function(a, b) return a.k < b.k end)"
          " for i = 2, 300 do if t[i - 1].k == t[i].k and t[i - 1].i > t[i].i then return i end end return 'stable'",
          "\"stable\"");
    gives("local t = {} table.sort(t) return #t", "0");
    fails("table.sort({1, 'a'})", "attempt to compare");
}

/* ---- limits ---- */

static void loops_end(void **state)
{
    (void)state;
    const mr_script_options options = {.time_us = 50000};
    static const char *const texts[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
        "pcall(function() while true do end end) return 1",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        outcome out = run(texts[i], &options);
        if (out.status != MR_ERR_LIMIT || strcmp(out.code, "script-limit") != 0)
            fail_msg("%s: %d %s", texts[i], out.status, out.message);
    }
}

static void a_cancel_ends_it(void **state)
{
    (void)state;
    int left = 3;
    const mr_script_options options = {.tick = answer_no, .context = &left};
    outcome out = run("while true do pcall(function() while true do end end) end", &options);
    assert_int_equal(out.status, MR_ERR_CANCELLED);
}

static void memory_is_limited(void **state)
{
    (void)state;
    const mr_script_options options = {.memory = 4 << 20};
    static const char *const texts[] = {
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "return string.rep('x', 1 << 40)",
        "return ('x'):rep(1 << 30, ',')",
        "local t = {} for i = 1, 1 << 20 do t[i] = 'text' .. i end return table.concat(t)",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        outcome out = run(texts[i], &options);
        if (out.status == MR_OK)
            fail_msg("%s: %s", texts[i], out.text);
    }
    assert_int_equal(run(texts[1], &options).status, MR_ERR_LIMIT);
    assert_string_equal(run(texts[1], &options).message, "the script needs more than 4 MiB of memory");
    /* One that catches it goes on with what is left. */
    outcome out = run("pcall(function() local t = {} while true do t[#t + 1] = {} end end) return 'fine'", &options);
    assert_string_equal(out.text, "\"fine\"");
}

static void recursion_is_limited(void **state)
{
    (void)state;
    fails("local function f() return 1 + f() end return f()", ""); /* the stack's limit, or the memory's */
    fails("local t = {} t[1] = setmetatable({}, {__eq = function(a, b) return a == b end}) return t[1] == setmetatable({}, getmetatable(t[1]))",
          "C stack overflow");
    fails("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", "loop");
    fails("local s = string.rep('(', 100) .. string.rep(')', 100) return s:match(s:rep(3))", "too many captures");
    gives("local t = {} for i = 1, 31 do t = {t} end return t ~= nil", "true");
    gives("local t = {} for i = 1, 40 do t = {t} end return t", "it is nested more than 32 levels deep");
}

/* ---- modules ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mr_file_write_atomic(path, text, strlen(text), 0644, NULL), MR_OK);
}

static outcome run_folder(const char *folder, char ret_digest[MR_DIGEST_TEXT], size_t *ret_files)
{
    char path[512];
    const mr_bundle *bundle = NULL;
    mr_arena *arena = mr_arena_new(0);
    snprintf(path, sizeof(path), "%s/main.lua", folder);
    assert_int_equal(mr_bundle_read(arena, path, (mr_span){0}, NULL, &bundle), MR_OK);
    outcome out = run_bundle(bundle, NULL);
    memcpy(ret_digest, bundle->digest, MR_DIGEST_TEXT);
    *ret_files = bundle->count;
    /* By way of another process it is the same. */
    const mr_bundle *copy = NULL;
    json_t *json = mr_bundle_json(bundle);
    assert_int_equal(mr_bundle_from_json(arena, json, &copy), MR_OK);
    assert_string_equal(copy->digest, bundle->digest);
    assert_string_equal(run_bundle(copy, NULL).text, out.text);
    json_decref(json);
    mr_arena_free(arena);
    return out;
}

static void modules_come_from_beside_the_script(void **state)
{
    (void)state;
    char folder[] = "/tmp/millrace-test-XXXXXX";
    char lib[64];
    char before[MR_DIGEST_TEXT];
    char after[MR_DIGEST_TEXT];
    size_t files = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(lib, sizeof(lib), "%s/lib", folder);
    assert_int_equal(mkdir(lib, 0755), 0);
    write_file(folder, "lib/a.lua", "local b = require('lib.b') return {sum = function(x, y) return b.add(x, y) end, name = ...}");
    write_file(folder, "lib/b.lua", "return {add = function(x, y) return x + y end}");
    write_file(
        folder, "main.lua",
        "-- require 'not.this'\nlocal s = \"require 'nor.this'\"\nlocal a = require [[lib.a]]\nreturn {a.sum(2, 3), a.name, require('lib.a') == a}");
    outcome out = run_folder(folder, before, &files);
    assert_string_equal(out.text, "[5,\"lib.a\",true]");
    assert_int_equal(files, 3);
    write_file(folder, "lib/b.lua", "return {add = function(x, y) return x - y end}");
    out = run_folder(folder, after, &files);
    assert_string_equal(out.text, "[-1,\"lib.a\",true]");
    assert_string_not_equal(before, after); /* what a module says counts */
    write_file(folder, "lib/b.lua", "return require 'lib.a'");
    out = run_folder(folder, after, &files);
    assert_non_null(strstr(out.message, "requires itself"));
    mr_dir_remove(folder, NULL);
}

static void modules_lie_within_the_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"../../etc/passwd", "/etc/passwd", "..etc", "a..b", ".a", "a.", "", "a/b", "a b", "lib.1a"};
    char text[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_false(mr_module_is_name(names[i]));
        snprintf(text, sizeof(text), "return require '%s'", names[i]);
        fails(text, "can't be a module's name");
    }
    fails("return require 'nothing.there'", "there is no module 'nothing.there' beside 'test.lua'");
}

/* ---- errors ---- */

static void errors_name_the_line_and_the_calls(void **state)
{
    (void)state;
    outcome out =
        run("local function inner(x)\n  return x.y.z\nend\nlocal function outer()\n  local v = inner({})\n  return v\nend\nreturn outer(), 1", NULL);
    assert_string_equal(out.message, "attempt to index a nil value (field 'y')");
    assert_int_equal(out.line, 2);
    assert_int_equal(out.notes, 2);
    assert_string_equal(out.note, "5 'inner' was called here");
    out = run("local x =\n\nreturn", NULL);
    assert_int_equal(out.line, 3);
    out = run("local function check() error('no good', 2) end\ncheck()\nreturn 1", NULL);
    assert_string_equal(out.message, "no good");
    assert_int_equal(out.line, 2);
    assert_int_equal(out.notes, 0);
    fails("error({})", "it raised an error that is no text, but a table");
    fails("error()", "it raised an error that is no text, but a nil");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_lua),
        cmocka_unit_test(what_reaches_outside_is_not_there),
        cmocka_unit_test(bytecode_is_not_taken),
        cmocka_unit_test(order_is_fixed),
        cmocka_unit_test(texts_show_no_address),
        cmocka_unit_test(random_begins_with_the_seed),
        cmocka_unit_test(sorting_is_stable),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(a_cancel_ends_it),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(recursion_is_limited),
        cmocka_unit_test(modules_come_from_beside_the_script),
        cmocka_unit_test(modules_lie_within_the_folder),
        cmocka_unit_test(errors_name_the_line_and_the_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
