/* SPDX-License-Identifier: MIT */
/* From a script to the tables of its ops, by way of a description that nobody has to believe. */
#include "config/params.h"
#include "scripting/hooks.h"
#include "scripting/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const mr_script_limits limits = {.memory = 8 << 20, .time_us = 2000000};

static const char script[] =
    "-- two ops\n"
    "millrace.op{name = 'a.one', help = 'does one thing\\n\\nAnd no other.', version = 3, cpu = 2, memory = '128MiB',\n"
    "  inputs = {{name = 'second', type = {'text', 'json'}, help = 'x', many = true}, {name = 'first', type = 'any', help = 'x'}},\n"
    "  outputs = {o = {type = 'json', help = 'x', optional = true}},\n"
    "  params = {{name = 'wait', type = 'duration', default = '4s', max = '1m', help = 'x'},\n"
    "            {name = 'list', type = 'list', help = 'x', default = {{n = 3}}, fields = {n = {type = 'int', help = 'x'}}}},\n"
    "  run = function() end}\n"
    "millrace.op{name = 'a.two', help = 'does another', inputs = {s = {type = 'json', streaming = true, help = 'x'}}, run = function() end}\n";

typedef struct fixture {
    mr_arena *arena;
    mr_diags *diags;
    const mr_bundle *bundle;
    json_t *description;
} fixture;

static void begin(fixture *f, const char *text)
{
    *f = (fixture){.arena = mr_arena_new(0), .diags = mr_diags_new()};
    assert_int_equal(mr_bundle_of_text(f->arena, "ops/a.lua", text, strlen(text), f->diags, &f->bundle), MR_OK);
}

static void end(fixture *f)
{
    json_decref(f->description);
    mr_diags_free(f->diags);
    mr_arena_free(f->arena);
}

static void tables_are_what_the_script_says(void **state)
{
    (void)state;
    fixture f;
    const mr_plugin *plugin = NULL;
    begin(&f, script);
    assert_int_equal(mr_ops_describe(f.bundle, &limits, f.diags, &f.description), MR_OK);
    assert_int_equal(mr_ops_build(f.arena, f.bundle, f.description, &limits, f.diags, &plugin), MR_OK);
    assert_string_equal(plugin->name, "a");
    assert_string_equal(plugin->version, f.bundle->digest);
    const mr_op *one = plugin->ops[0];
    assert_string_equal(one->name, "a.one");
    assert_string_equal(one->summary, "does one thing");
    assert_string_equal(one->help, "And no other.");
    assert_int_equal(one->version, 3);
    assert_int_equal(one->cpu, 2);
    assert_int_equal(one->memory_mb, 128);
    /* A list keeps its order, a map is sorted. */
    assert_string_equal(one->inputs[0].name, "second");
    assert_int_equal(one->inputs[0].types, MR_TYPE_TEXT | MR_TYPE_JSON);
    assert_int_equal(one->inputs[0].flags, MR_PORT_MANY);
    assert_int_equal(one->inputs[1].types, MR_TYPE_ANY);
    assert_int_equal(one->outputs[0].flags, MR_PORT_OPTIONAL);
    assert_int_equal(mr_params_check_table(one->params, one->params_size, "op", f.diags), MR_OK);
    /* Bound by the engine's own code, defaults and all. */
    void *params = mr_arena_take(f.arena, one->params_size);
    assert_int_equal(mr_params_bind(one->params, NULL, "op", (mr_span){0}, f.arena, params, one->params_size, NULL, f.diags), MR_OK);
    json_t *bound = mr_params_dump(one->params, params);
    char *text = json_dumps(bound, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"list\":[{\"n\":3}],\"wait\":4000000}");
    free(text);
    json_decref(bound);
    assert_int_equal(plugin->ops[1]->inputs[0].flags, MR_PORT_STREAMING | MR_PORT_MANY);
    assert_null(plugin->ops[2]);
    assert_int_equal(mr_ops_span(plugin->ops[1]).line, 8);
    assert_ptr_equal(mr_ops_script_of(one)->bundle, f.bundle);
    /* In another process it is the same. */
    const mr_plugin *copy = NULL;
    assert_int_equal(mr_ops_restore(f.arena, mr_ops_script_of(one)->text, &limits, f.diags, &copy), MR_OK);
    assert_string_equal(copy->version, plugin->version);
    assert_string_equal(copy->ops[1]->name, "a.two");
    assert_non_null(mr_ops_script_of(copy->ops[0])->bundle->files[0].compiled);
    end(&f);
}

static mr_status build(fixture *f, const char *text)
{
    const mr_plugin *plugin = NULL;
    json_decref(f->description);
    f->description = json_loads(text, 0, NULL);
    assert_non_null(f->description);
    mr_diags_free(f->diags);
    f->diags = mr_diags_new();
    mr_status status = mr_ops_build(f->arena, f->bundle, f->description, &limits, f->diags, &plugin);
    assert_int_equal(status == MR_OK, plugin != NULL);
    assert_int_equal(status == MR_OK, mr_diags_errors(f->diags) == 0);
    return status;
}

/* What a process says that was taken over by its script. */
static void a_description_is_not_believed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "{\"ops\": []}",
        "{\"ops\": 5}",
        "{\"ops\": [5]}",
        "{\"ops\": [{\"name\": 5}]}",
        "{\"ops\": [{\"name\": \"a.b\"}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"\"}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": {}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"version\": -1}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"version\": 1e300}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"cpu\": 65}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"memory\": \"much\"}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"memory\": -5}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": 5}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": [5]}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": {\"i\": 5}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": {\"i\": {\"type\": []}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": {\"i\": {\"type\": \"text\", \"help\": 5}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"inputs\": {\"i\": {\"type\": \"text\", \"help\": \"x\", \"many\": 1}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"params\": {\"p\": {\"type\": \"filters\", \"help\": \"x\"}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"params\": {\"p\": {\"type\": \"choice\", \"choices\": [1], \"help\": \"x\"}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\", \"params\": {\"p\": {\"type\": \"list\", \"help\": \"x\"}}}]}",
        "{\"ops\": [{\"name\": \"a.b\", \"help\": \"x\"}, {\"name\": \"b.c\", \"help\": \"x\"}]}",
    };
    fixture f;
    begin(&f, "return");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (build(&f, wrong[i]) != MR_ERR_PARAM)
            fail_msg("%s is believed", wrong[i]);
    /* A place that is not in its files is none. */
    assert_int_equal(build(&f, "{\"ops\": [{\"name\": \"a.b\", \"help\": {}, \"file\": \"/etc/passwd\", \"line\": 3}]}"), MR_ERR_PARAM);
    assert_string_equal(mr_diags_first(f.diags)->span.file, "ops/a.lua");
    assert_int_equal(mr_diags_first(f.diags)->span.line, 1);
    end(&f);
}

static void lists_have_an_end(void **state)
{
    (void)state;
    fixture f;
    begin(&f, "for i = 1, 65 do millrace.op{name = 'a.n' .. i, help = 'x', run = function() end} end");
    assert_int_equal(mr_ops_describe(f.bundle, &limits, f.diags, &f.description), MR_ERR_PARAM);
    assert_string_equal(mr_diags_first(f.diags)->message, "a script offers at most 64 ops");
    end(&f);
    begin(
        &f,
        "local p = {} for i = 1, 200 do p['p' .. i] = {type = 'int', help = 'x'} end millrace.op{name = 'a.b', help = 'x', params = p, run = next}");
    const mr_plugin *plugin = NULL;
    assert_int_equal(mr_ops_describe(f.bundle, &limits, f.diags, &f.description), MR_OK);
    assert_int_equal(mr_ops_build(f.arena, f.bundle, f.description, &limits, f.diags, &plugin), MR_ERR_PARAM);
    assert_string_equal(mr_diags_first(f.diags)->message, "op 'a.b': 'params' takes a table of at most 128 entries, each a table");
    end(&f);
    begin(&f, "local p = {type = 'list', help = 'x'} p.fields = {p = p} millrace.op{name = 'a.b', help = 'x', params = {p = p}, run = next}");
    assert_int_equal(mr_ops_describe(f.bundle, &limits, f.diags, &f.description), MR_ERR_PARAM);
    end(&f);
}

static void hooks_keep_their_state(void **state)
{
    (void)state;
    fixture f;
    mr_hooks_state *hooks = NULL;
    json_t *answer = NULL;
    begin(&f, "local n = 0 millrace.hooks{on_run_start = function(run) n = n + run.by return {veto = tostring(n)} end}");
    assert_int_equal(mr_hooks_state_open(f.bundle, &limits, f.diags, &f.description, &hooks), MR_OK);
    assert_string_equal(json_string_value(json_array_get(json_object_get(f.description, "hooks"), 0)), "on_run_start");
    json_t *argument = json_pack("{s:i}", "by", 2);
    for (int i = 1; i <= 3; i++) {
        char expected[8];
        snprintf(expected, sizeof(expected), "%d", 2 * i);
        assert_int_equal(mr_hooks_state_call(hooks, "on_run_start", argument, f.diags, &answer), MR_OK);
        assert_string_equal(json_string_value(json_object_get(answer, "veto")), expected);
        json_decref(answer);
    }
    assert_int_equal(mr_hooks_state_call(hooks, "on_node_done", argument, f.diags, &answer), MR_OK); /* it has none */
    assert_true(json_is_null(answer));
    json_decref(answer);
    json_decref(argument);
    mr_hooks_state_free(hooks);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_what_the_script_says),
        cmocka_unit_test(a_description_is_not_believed),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(hooks_keep_their_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
