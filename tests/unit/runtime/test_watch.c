/* SPDX-License-Identifier: MIT */
/* The engine's watch over its runs: asked to stop from elsewhere, what they say is kept, and they go on under their id. */
#include "engine_ops.h"

#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"
#include "runtime/state/journal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

typedef struct world {
    char state[64];
    mr_engine *engine;
    mr_journal *journal; /* as another process has it */
    mr_arena *arena;
    mr_diags *diags;
    mr_bound bound;
} world;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->state, sizeof(it->state), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->state));
    const mr_engine_options options = {.state_dir = it->state, .jobs = 2};
    assert_int_equal(mr_engine_open(&options, NULL, &it->engine), MR_OK);
    assert_int_equal(mr_journal_open(it->state, true, NULL, &it->journal), MR_OK);
    it->arena = mr_arena_new(0);
    it->diags = mr_diags_new();
    atomic_store(&ops_runs, 0);
    atomic_store(&ops_blocked, 0);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_bound_clear(&it->bound);
    mr_journal_close(it->journal);
    mr_engine_close(it->engine);
    mr_diags_free(it->diags);
    mr_arena_free(it->arena);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

static void load(world *it, const char *yaml)
{
    const mr_pipeline *pipeline = NULL;
    mr_bound_clear(&it->bound);
    assert_int_equal(mr_pipeline_read(it->arena, "test.yaml", yaml, strlen(yaml), &engine_ops, it->diags, &pipeline), MR_OK);
    assert_int_equal(mr_pipeline_bind(it->arena, pipeline, NULL, 0, it->diags, &it->bound), MR_OK);
}

static mr_run *start(world *it, const char *resume)
{
    mr_run *run = NULL;
    mr_autojson json_t *record = json_pack("{s:s}", "file", "test.yaml");
    const mr_run_options options = {.record = record, .resume = resume};
    assert_int_equal(mr_run_start(it->engine, &it->bound, &options, it->diags, &run), MR_OK);
    return run;
}

/* Events of that name. */
static size_t count(world *it, const char *run, const char *name, json_t **ret_last)
{
    size_t i;
    size_t found = 0;
    json_t *event;
    int64_t after = 0;
    mr_autojson json_t *events = NULL;
    assert_int_equal(mr_journal_events(it->journal, run, NULL, &after, it->diags, &events), MR_OK);
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_string_value(json_object_get(event, "event")), name) != 0)
            continue;
        found++;
        if (ret_last) {
            json_decref(*ret_last);
            *ret_last = json_incref(event);
        }
    }
    return found;
}

static void test_asked_to_stop_from_elsewhere(void **context)
{
    world *it = *context;
    const struct timespec moment = {.tv_nsec = 2000000};
    load(it, "millrace: 1\nname: blocked\nnodes:\n"
             "  rows: {op: test.count, with: {n: 4}}\n"
             "  slow: {op: test.block, each: {value: rows.values}}\n"
             "outputs: {out: slow.value}\n");
    mr_run *run = start(it, NULL);
    while (atomic_load(&ops_blocked) == 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    assert_string_equal(mr_journal_state(it->journal, mr_run_id(run)), "running");
    assert_int_equal(mr_journal_cancel(it->journal, mr_run_id(run), it->diags), MR_OK);
    assert_int_equal(mr_run_wait(run, it->diags), MR_ERR_CANCELLED); /* test.block ends only when it is cancelled */
    assert_string_equal(mr_journal_state(it->journal, mr_run_id(run)), "cancelled");
    assert_int_equal(count(it, mr_run_id(run), "run.cancel", NULL), 1);
    mr_run_free(run);
}

static void test_what_a_run_says_is_kept(void **context)
{
    world *it = *context;
    mr_autojson json_t *report = NULL;
    mr_autojson json_t *failure = NULL;
    mr_autojson json_t *kept = NULL;
    load(it, "millrace: 1\nname: bad\nnodes:\n"
             "  rows: {op: test.count, with: {n: 3}}\n"
             "  bad: {op: test.fail, each: {value: rows.values}, with: {on: 1}}\n"
             "outputs: {out: bad.value}\n");
    mr_run *run = start(it, NULL);
    assert_int_equal(mr_run_wait(run, it->diags), MR_ERR_LIMIT);
    assert_int_equal(count(it, mr_run_id(run), "task.report", &report), 1);
    assert_string_equal(json_string_value(json_object_get(report, "severity")), "error");
    assert_string_equal(json_string_value(json_object_get(report, "reason")), "the value is 1");
    assert_string_equal(json_string_value(json_object_get(report, "hint")), "give another number");
    assert_int_equal(count(it, mr_run_id(run), "run.failure", &failure), 1);
    assert_string_equal(json_string_value(json_object_get(failure, "code")), "task-failed");
    assert_string_equal(json_string_value(json_object_get(failure, "hint")), "give another number");
    assert_int_equal(count(it, mr_run_id(run), "node.done", NULL), 2);
    assert_int_equal(count(it, mr_run_id(run), "run.done", NULL), 1);
    assert_int_equal(mr_journal_run(it->journal, mr_run_id(run), it->diags, &kept), MR_OK);
    assert_string_equal(json_string_value(json_object_get(json_object_get(kept, "given"), "file")), "test.yaml");
    mr_run_free(run);
}

static void test_goes_on_under_its_id(void **context)
{
    world *it = *context;
    char id[64];
    load(it, "millrace: 1\nname: bad\nnodes:\n"
             "  rows: {op: test.count, with: {n: 3}}\n"
             "  bad: {op: test.fail, each: {value: rows.values}, with: {on: 1}}\n"
             "outputs: {out: bad.value}\n");
    mr_run *run = start(it, NULL);
    snprintf(id, sizeof(id), "%s", mr_run_id(run));
    assert_int_equal(mr_run_wait(run, it->diags), MR_ERR_LIMIT);
    mr_run_free(run);
    run = start(it, id);
    assert_string_equal(mr_run_id(run), id);
    assert_int_equal(mr_run_wait(run, it->diags), MR_ERR_LIMIT);
    assert_int_equal(count(it, id, "run.resumed", NULL), 1);
    assert_int_equal(count(it, id, "run.done", NULL), 2);
    assert_string_equal(mr_journal_state(it->journal, id), "failed");
    mr_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asked_to_stop_from_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_run_says_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_goes_on_under_its_id, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
