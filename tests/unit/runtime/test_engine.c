/* SPDX-License-Identifier: MIT */
/* The engine on pipelines of numbers: order, crossing, batches, caching, failure, retry, timeout, triggers, cancel, planning. */
#include "engine_ops.h"

#include "base/file.h"
#include "config/yaml.h"
#include "runtime/engine.h"

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
} world;

typedef struct job {
    mr_arena *arena;
    mr_bound *bound; /* borrowed by the run: in the arena, so that a job can be copied */
    mr_diags *diags;
    mr_run *run;
    mr_status status;
    json_t *outputs;
} job;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    memcpy(it->state, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->state));
    const mr_engine_options options = {.state_dir = it->state, .jobs = 2};
    assert_int_equal(mr_engine_open(&options, NULL, &it->engine), MR_OK);
    atomic_store(&ops_runs, 0);
    atomic_store(&ops_batches, 0);
    atomic_store(&ops_largest, 0);
    atomic_store(&ops_flaky_left, 0);
    atomic_store(&ops_blocked, 0);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_engine_close(it->engine);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

static job load(const char *yaml)
{
    job it = {.arena = mr_arena_new(0), .diags = mr_diags_new()};
    it.bound = mr_arena_take(it.arena, sizeof(*it.bound));
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    assert_int_equal(mr_yaml_read(it.arena, "test.yaml", yaml, strlen(yaml), &mr_yaml_limits_default, it.diags, &root), MR_OK);
    mr_status status = mr_pipeline_check(it.arena, "test.yaml", root, &engine_ops, it.diags, &pipeline);
    if (status == MR_OK)
        status = mr_pipeline_bind(it.arena, pipeline, NULL, 0, it.diags, it.bound);
    if (status != MR_OK)
        mr_diags_print(it.diags, stderr, false);
    assert_int_equal(status, MR_OK);
    return it;
}

static job start(world *in, const char *yaml, mr_event_reader reader, void *reader_context)
{
    job it = load(yaml);
    const mr_run_options options = {.reader = reader, .reader_context = reader_context};
    assert_int_equal(mr_run_start(in->engine, it.bound, &options, it.diags, &it.run), MR_OK);
    return it;
}

static void finish(job *it)
{
    it->status = mr_run_wait(it->run, it->diags);
    it->outputs = mr_run_outputs(it->run);
}

static job run(world *in, const char *yaml)
{
    job it = start(in, yaml, NULL, NULL);
    finish(&it);
    return it;
}

static void drop(job *it)
{
    json_decref(it->outputs);
    mr_run_free(it->run);
    mr_bound_clear(it->bound);
    mr_diags_free(it->diags);
    mr_arena_free(it->arena);
}

static void assert_list(const job *it, const char *expected)
{
    const json_t *out = json_array_get(json_object_get(it->outputs, "out"), 0);
    assert_non_null(out);
    assert_string_equal(json_string_value(json_object_get(out, "list")), expected);
}

static const char fan[] = "millrace: 1\nname: fan\nnodes:\n"
                          "  rows: {op: test.count, with: {n: 3}}\n"
                          "  columns: {op: test.count, with: {n: 2}}\n"
                          "  cells: {op: test.add, each: {value: rows.values}, for: {other: columns.values}, with: {by: 10}}\n"
                          "  all: {op: test.list, in: {values: cells.sum}}\n"
                          "outputs: {out: all.list}\n";

static void test_fan_out_and_in_keep_row_major_order(void **context)
{
    job it = run(*context, fan);
    assert_int_equal(it.status, MR_OK);
    assert_list(&it, "10 11 110 111 210 211");
    drop(&it);
}

static void test_second_run_does_no_work(void **context)
{
    job first = run(*context, fan);
    int runs = atomic_load(&ops_runs);
    job second = run(*context, fan);
    assert_int_equal(runs, 1 + 1 + 6 + 1);
    assert_int_equal(atomic_load(&ops_runs), runs);
    assert_list(&second, "10 11 110 111 210 211");
    drop(&first);
    drop(&second);
}

static void test_only_what_changed_is_run(void **context)
{
    job first = run(*context, fan);
    atomic_store(&ops_runs, 0);
    job second = run(*context, "millrace: 1\nname: fan\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 4}}\n"
                               "  columns: {op: test.count, with: {n: 2}}\n"
                               "  cells: {op: test.add, each: {value: rows.values}, for: {other: columns.values}, with: {by: 10}}\n"
                               "  all: {op: test.list, in: {values: cells.sum}}\n"
                               "outputs: {out: all.list}\n");
    assert_int_equal(atomic_load(&ops_runs), 1 + 2 + 1); /* rows, the two cells of the new row, all */
    assert_list(&second, "10 11 110 111 210 211 310 311");
    drop(&first);
    drop(&second);
}

static void test_plan_says_what_would_run(void **context)
{
    world *in = *context;
    job it = load(fan);
    const mr_run_options options = {0};
    json_t *plan = NULL;
    assert_int_equal(mr_engine_plan(in->engine, it.bound, &options, it.diags, &plan), MR_OK);
    assert_int_equal(json_integer_value(json_object_get(plan, "cached")), 0);
    assert_int_equal(json_integer_value(json_object_get(plan, "run")), 2); /* rows and columns: what follows is not known yet */
    assert_int_equal(atomic_load(&ops_runs), 0);
    json_decref(plan);
    job done = run(in, fan);
    assert_int_equal(mr_engine_plan(in->engine, it.bound, &options, it.diags, &plan), MR_OK);
    assert_int_equal(json_integer_value(json_object_get(plan, "cached")), 9);
    assert_int_equal(json_integer_value(json_object_get(plan, "run")), 0);
    json_decref(plan);
    drop(&done);
    drop(&it);
}

static const char batches[] = "millrace: 1\nname: batches\nnodes:\n"
                              "  rungs: {op: test.count, with: {n: 3}}\n"
                              "  chunks: {op: test.count, in: {after: rungs.values}, with: {n: 40}}\n"
                              "  half: {op: test.half, each: {item: chunks.values}}\n"
                              "  join: {op: test.join, each: {item: chunks.values, half: half.half}, for: {rung: rungs.values}}\n"
                              "  all: {op: test.list, in: {values: join.joined}}\n"
                              "outputs: {out: all.list}\n";

static void test_tasks_over_one_item_go_in_one_batch(void **context)
{
    job it = run(*context, batches);
    assert_int_equal(it.status, MR_OK);
    assert_int_equal(atomic_load(&ops_largest), 4); /* half and its three joins */
    assert_in_range(atomic_load(&ops_batches), 40, 60);
    const char *list = json_string_value(json_object_get(json_array_get(json_object_get(it.outputs, "out"), 0), "list"));
    assert_int_equal(strncmp(list, "0 1 2 10000 10001 10002 20100 20101 20102 30100", 47), 0);
    drop(&it);
}

static void test_streaming_node_keeps_the_order_of_its_source(void **context)
{
    job it = run(*context, "millrace: 1\nname: fold\nnodes:\n"
                           "  rows: {op: test.count, with: {n: 50}}\n"
                           "  sums: {op: test.add, each: {value: rows.values}, with: {by: 0}}\n"
                           "  fold: {op: test.fold, in: {values: sums.sum}}\n"
                           "  all: {op: test.list, in: {values: fold.values}}\n"
                           "outputs: {out: all.list}\n");
    assert_int_equal(it.status, MR_OK);
    const char *list = json_string_value(json_object_get(json_array_get(json_object_get(it.outputs, "out"), 0), "list"));
    assert_int_equal(strncmp(list, "0 100 200 300 400 500 600 700 800 900 1000", 42), 0);
    drop(&it);
}

static void test_a_failure_names_node_item_and_param(void **context)
{
    job it = run(*context, "millrace: 1\nname: fail\nnodes:\n"
                           "  rows: {op: test.count, with: {n: 4}}\n"
                           "  bad: {op: test.fail, each: {value: rows.values}, with: {on: 2}}\n"
                           "  all: {op: test.list, in: {values: bad.value}}\n"
                           "outputs: {out: all.list}\n");
    const mr_diag *diag = mr_diags_first(it.diags);
    assert_int_equal(it.status, MR_ERR_LIMIT);
    assert_string_equal(diag->message, "node 'bad', item 2: the value is 2");
    assert_string_equal(diag->hint, "give another number");
    assert_int_equal(diag->span.line, 5);
    assert_int_equal(json_array_size(json_object_get(it.outputs, "out")), 0);
    drop(&it);
}

static void test_on_error_skip_leaves_the_item_out(void **context)
{
    job it = run(*context, "millrace: 1\nname: skip\nnodes:\n"
                           "  rows: {op: test.count, with: {n: 4}}\n"
                           "  bad: {op: test.fail, each: {value: rows.values}, with: {on: 2}, on_error: skip}\n"
                           "  next: {op: test.add, each: {value: bad.value}, with: {by: 0}}\n"
                           "  all: {op: test.list, in: {values: next.sum}}\n"
                           "outputs: {out: all.list}\n");
    assert_int_equal(it.status, MR_OK);
    assert_list(&it, "0 100 300");
    drop(&it);
}

static void test_retry_until_it_works_or_attempts_end(void **context)
{
    static const char yaml[] = "millrace: 1\nname: retry\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 1}}\n"
                               "  far: {op: test.flaky, each: {value: rows.values}, retry: {attempts: 3, delay: 10ms}}\n"
                               "  all: {op: test.list, in: {values: far.value}}\n"
                               "outputs: {out: all.list}\n";
    atomic_store(&ops_flaky_left, 9);
    job bad = run(*context, yaml);
    assert_int_equal(bad.status, MR_ERR_UNAVAILABLE);
    assert_int_equal(atomic_load(&ops_flaky_left), 6);
    atomic_store(&ops_flaky_left, 2);
    job good = run(*context, yaml);
    assert_int_equal(good.status, MR_OK);
    assert_list(&good, "0");
    drop(&bad);
    drop(&good);
}

static void test_timeout_ends_a_task(void **context)
{
    job it = run(*context, "millrace: 1\nname: slow\nnodes:\n"
                           "  rows: {op: test.count, with: {n: 1}}\n"
                           "  slow: {op: test.block, each: {value: rows.values}, timeout: 100ms}\n"
                           "outputs: {out: slow.value}\n");
    assert_int_equal(it.status, MR_ERR_LIMIT);
    assert_non_null(strstr(mr_diags_first(it.diags)->message, "timeout of 100ms"));
    drop(&it);
}

static void *cancel_when_blocked(void *context)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    while (atomic_load(&ops_blocked) < 2)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    mr_run_cancel(((job *)context)->run);
    return NULL;
}

static void test_cancel_stops_running_and_waiting_tasks(void **context)
{
    pthread_t thread;
    job it = start(*context,
                   "millrace: 1\nname: cancel\nnodes:\n"
                   "  rows: {op: test.count, with: {n: 8}}\n"
                   "  slow: {op: test.block, each: {value: rows.values}}\n"
                   "  fold: {op: test.fold, in: {values: slow.value}}\n"
                   "  tell: {op: test.note, trigger: always}\n"
                   "outputs: {out: fold.values}\n",
                   NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_blocked, &it), 0);
    finish(&it);
    pthread_join(thread, NULL);
    assert_int_equal(it.status, MR_ERR_CANCELLED);
    assert_int_equal(atomic_load(&ops_blocked), 2); /* two slots */
    assert_int_equal(atomic_load(&ops_noted), 0);
    drop(&it);
}

static const char triggers[] = "millrace: 1\nname: triggers\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 3}}\n"
                               "  bad: {op: test.fail, each: {value: rows.values}, with: {on: %d}}\n"
                               "  note: {op: test.note, trigger: %s}\n"
                               "outputs: {out: bad.value}\n";

static void assert_noted(world *in, int fail_on, const char *trigger, const char *state, const char *failed_node)
{
    char text[1024];
    snprintf(text, sizeof(text), triggers, fail_on, trigger);
    atomic_store(&ops_noted, 0);
    job it = run(in, text);
    assert_int_equal(atomic_load(&ops_noted), state ? 1 : 0);
    if (state) {
        json_t *noted = json_loads(ops_note, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(noted, "state")), state);
        const char *node = json_string_value(json_object_get(noted, "failed_node"));
        assert_true(failed_node ? node && strcmp(node, failed_node) == 0 : node == NULL);
        json_decref(noted);
    }
    drop(&it);
}

static void test_triggers_fire_after_the_rest(void **context)
{
    assert_noted(*context, 1, "success", NULL, NULL);
    assert_noted(*context, 1, "failure", "failed", "bad");
    assert_noted(*context, 1, "always", "failed", "bad");
    assert_noted(*context, 99, "success", "succeeded", NULL);
    assert_noted(*context, 99, "failure", NULL, NULL);
    assert_noted(*context, 99, "always", "succeeded", NULL);
}

static void test_when_and_open_params_see_their_inputs(void **context)
{
    job it =
        run(*context, "millrace: 1\nname: open\nnodes:\n"
                      "  rows: {op: test.count, with: {n: 5}}\n"
                      "  odd: {op: test.add, each: {value: rows.values}, with: {by: \"${value.value * 2}\"}, when: \"${value.value % 2 == 1}\"}\n"
                      "  all: {op: test.list, in: {values: odd.sum}}\n"
                      "outputs: {out: all.list}\n");
    assert_int_equal(it.status, MR_OK);
    assert_list(&it, "102 306");
    drop(&it);
}

static void test_empty_streams_skip_what_needs_them(void **context)
{
    job it = run(*context, "millrace: 1\nname: empty\nnodes:\n"
                           "  rows: {op: test.count, with: {n: 0}}\n"
                           "  sums: {op: test.add, each: {value: rows.values}}\n"
                           "  all: {op: test.list, in: {values: sums.sum}}\n"
                           "  note: {op: test.note, in: {value: all.list}}\n"
                           "outputs: {out: all.list, note: note.state}\n");
    assert_int_equal(it.status, MR_OK);
    assert_int_equal(json_array_size(json_object_get(it.outputs, "out")), 0);
    assert_int_equal(json_array_size(json_object_get(it.outputs, "note")), 1); /* its input is optional */
    drop(&it);
}

typedef struct seen {
    uint64_t last_seq;
    bool gap;
    int done;
    char end[16];
} seen;

static void look(void *context, const mr_event *event)
{
    seen *it = context;
    it->gap = it->gap || event->seq != it->last_seq + 1;
    it->last_seq = event->seq;
    it->done += event->type == MR_EVENT_TASK_DONE;
    if (event->type == MR_EVENT_RUN_DONE)
        snprintf(it->end, sizeof(it->end), "%s", event->state);
}

static void test_events_tell_everything_in_order(void **context)
{
    seen what = {0};
    job it = start(*context, fan, look, &what);
    finish(&it);
    assert_false(what.gap);
    assert_int_equal(what.done, 9);
    assert_string_equal(what.end, "succeeded");
    drop(&it);
}

static void test_many_tasks_and_two_runs_at_once(void **context)
{
    static const char yaml[] = "millrace: 1\nname: many\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 300}}\n"
                               "  sums: {op: test.add, each: {value: rows.values}, with: {by: 3}}\n"
                               "  all: {op: test.list, in: {values: sums.sum}}\n"
                               "outputs: {out: all.list}\n";
    job one = start(*context, yaml, NULL, NULL);
    job two = start(*context, batches, NULL, NULL);
    finish(&one);
    finish(&two);
    assert_int_equal(one.status, MR_OK);
    assert_int_equal(two.status, MR_OK);
    drop(&one);
    drop(&two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fan_out_and_in_keep_row_major_order),
        TEST(test_second_run_does_no_work),
        TEST(test_only_what_changed_is_run),
        TEST(test_plan_says_what_would_run),
        TEST(test_tasks_over_one_item_go_in_one_batch),
        TEST(test_streaming_node_keeps_the_order_of_its_source),
        TEST(test_a_failure_names_node_item_and_param),
        TEST(test_on_error_skip_leaves_the_item_out),
        TEST(test_retry_until_it_works_or_attempts_end),
        TEST(test_timeout_ends_a_task),
        TEST(test_cancel_stops_running_and_waiting_tasks),
        TEST(test_triggers_fire_after_the_rest),
        TEST(test_when_and_open_params_see_their_inputs),
        TEST(test_empty_streams_skip_what_needs_them),
        TEST(test_events_tell_everything_in_order),
        TEST(test_many_tasks_and_two_runs_at_once),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
