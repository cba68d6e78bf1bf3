/* SPDX-License-Identifier: MIT */
/* Another version of a plugin makes its results anew, and a plan says so; the former version finds its own again. */
#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char yaml[] = "millrace: 1\nname: upgrade\nnodes:\n  value: {op: versioned.value}\noutputs: {value: value.value}\n";

/* Runs (or only plans) with one version of the plugin. What the plan says of the node before. */
static json_t *plan_and_run(const char *state, const char *plugin, bool and_run)
{
    mr_diags *diags = mr_diags_new();
    mr_arena *arena = mr_arena_new(0);
    mr_plugins *plugins = mr_plugins_new();
    mr_settings settings = *mr_settings_default();
    mr_engine *engine = NULL;
    mr_bound bound;
    mr_run *run = NULL;
    json_t *plan = NULL;
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    const mr_run_options options = {0};
    settings.sandbox = MR_SANDBOX_OFF;
    assert_int_equal(mr_plugins_add(plugins, plugin, mr_engine_host(), diags), MR_OK);
    const mr_engine_options engine_options = {.state_dir = state, .jobs = 1, .settings = &settings, .plugins = plugins};
    assert_int_equal(mr_engine_open(&engine_options, diags, &engine), MR_OK);
    assert_int_equal(mr_yaml_read(arena, "test.yaml", yaml, strlen(yaml), &mr_yaml_limits_default, diags, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(arena, "test.yaml", root, mr_plugins_ops(plugins), diags, &pipeline), MR_OK);
    assert_int_equal(mr_pipeline_bind(arena, pipeline, NULL, 0, diags, &bound), MR_OK);
    assert_int_equal(mr_engine_plan(engine, &bound, &options, diags, &plan), MR_OK);
    if (and_run) {
        assert_int_equal(mr_run_start(engine, &bound, &options, diags, &run), MR_OK);
        assert_int_equal(mr_run_wait(run, diags), MR_OK);
        mr_run_free(run);
    }
    json_t *node = json_incref(json_array_get(json_object_get(plan, "nodes"), 0));
    json_decref(plan);
    mr_bound_clear(&bound);
    mr_engine_close(engine);
    mr_plugins_free(plugins);
    mr_arena_free(arena);
    mr_diags_free(diags);
    return node;
}

static void assert_plan(const char *state, const char *plugin, bool and_run, int cached, const char *why)
{
    json_t *node = plan_and_run(state, plugin, and_run);
    char *text = mr_json_text(json_object_get(node, "why"));
    assert_int_equal(json_integer_value(json_object_get(node, "cached")), cached);
    assert_string_equal(text, why);
    free(text);
    json_decref(node);
}

static void test_an_upgrade(void **context)
{
    (void)context;
    char state[] = "/tmp/millrace-test-XXXXXX";
    assert_non_null(mkdtemp(state));
    assert_plan(state, VERSIONED "/1/versioned.so", true, 0, "[{\"items\":[],\"reason\":\"new\",\"tasks\":1}]");
    assert_plan(state, VERSIONED "/1/versioned.so", true, 1, "[]");
    assert_plan(state, VERSIONED "/2/versioned.so", true, 0,
                "[{\"items\":[],\"new\":\"versioned 1.1.0\",\"old\":\"versioned 1.0.0\",\"reason\":\"plugin\",\"tasks\":1}]");
    assert_plan(state, VERSIONED "/2/versioned.so", false, 1, "[]");
    assert_plan(state, VERSIONED "/1/versioned.so", false, 1, "[]");
    assert_int_equal(mr_dir_remove(state, NULL), MR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_upgrade)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
