/* SPDX-License-Identifier: MIT */
/* The engine with many tasks: counts, order, priorities, queues that stay bounded, slow readers; and the same work asked for twice at once. */
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

#define MANY 20000

typedef struct world {
    char state[64];
    mr_engine *engine;
} world;

typedef struct job {
    mr_arena *arena;
    mr_bound *bound;
    mr_run *run;
} job;

static mr_engine *open_engine(const char *state, uint32_t jobs)
{
    mr_engine *engine = NULL;
    assert_int_equal(mr_engine_open(&(mr_engine_options){.state_dir = state, .jobs = jobs}, NULL, &engine), MR_OK);
    return engine;
}

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    memcpy(it->state, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->state));
    it->engine = open_engine(it->state, 2);
    atomic_store(&ops_runs, 0);
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

static job start(mr_engine *engine, const char *yaml, mr_event_reader reader, void *reader_context)
{
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    job it = {.arena = mr_arena_new(0)};
    it.bound = mr_arena_take(it.arena, sizeof(*it.bound));
    assert_int_equal(mr_yaml_read(it.arena, "test.yaml", yaml, strlen(yaml), &mr_yaml_limits_default, NULL, &root), MR_OK);
    assert_int_equal(mr_pipeline_check(it.arena, "test.yaml", root, &engine_ops, NULL, &pipeline), MR_OK);
    assert_int_equal(mr_pipeline_bind(it.arena, pipeline, NULL, 0, NULL, it.bound), MR_OK);
    const mr_run_options options = {.reader = reader, .reader_context = reader_context};
    assert_int_equal(mr_run_start(engine, it.bound, &options, NULL, &it.run), MR_OK);
    return it;
}

static void drop(job *it)
{
    mr_run_free(it->run);
    mr_bound_clear(it->bound);
    mr_arena_free(it->arena);
}

/* ---- many tasks ---- */

#define STRING(number)  STRING_(number)
#define STRING_(number) #number

static const char many[] = "millrace: 1\nname: many\nnodes:\n"
                           "  rows: {op: test.count, with: {n: " STRING(MANY) "}}\n"
                                                                              "  sums: {op: test.add, each: {value: rows.values}}\n"
                                                                              "outputs: {out: sums.sum}\n";

/* What no queue may let grow: tasks that ran, but whose end was not read yet. Queues: 1024 events, and 1024 and a group of 256 changes. */
#define MOST_UNREAD 4096

typedef struct tally {
    uint64_t last_seq;
    int gaps;
    int started;
    int done;
    int succeeded;
    int cached;
    int most_unread;
    bool over;
} tally;

static void count(void *context, const mr_event *event)
{
    tally *it = context;
    it->gaps += event->seq != it->last_seq + 1;
    it->last_seq = event->seq;
    it->started += event->type == MR_EVENT_TASK_STARTED;
    it->over = event->type == MR_EVENT_RUN_DONE;
    if (event->type != MR_EVENT_TASK_DONE)
        return;
    const int unread = atomic_load(&ops_runs) - it->done;
    it->most_unread = unread > it->most_unread ? unread : it->most_unread;
    it->done++;
    it->succeeded += strcmp(event->state, "succeeded") == 0;
    it->cached += strcmp(event->state, "cached") == 0;
}

static void assert_sums(const mr_run *run)
{
    json_t *outputs = mr_run_outputs(run);
    const json_t *out = json_object_get(outputs, "out");
    assert_int_equal(json_array_size(out), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(out, i), "value")), (json_int_t)i * 100 + 1);
    json_decref(outputs);
}

static void test_many_tasks_are_all_done_and_in_order(void **context)
{
    world *in = *context;
    tally first = {0};
    tally second = {0};
    job it = start(in->engine, many, count, &first);
    assert_int_equal(mr_run_wait(it.run, NULL), MR_OK);
    assert_true(first.over); /* the wait ends when the last event was read */
    assert_int_equal(first.gaps, 0);
    assert_int_equal(first.started, MANY + 1);
    assert_int_equal(first.succeeded, MANY + 1);
    assert_in_range(first.most_unread, 1, MOST_UNREAD);
    assert_int_equal(atomic_load(&ops_runs), MANY + 1);
    assert_sums(it.run);
    drop(&it);
    it = start(in->engine, many, count, &second);
    assert_int_equal(mr_run_wait(it.run, NULL), MR_OK);
    assert_int_equal(second.cached, MANY + 1); /* what was told as finished was in the store */
    assert_int_equal(atomic_load(&ops_runs), MANY + 1);
    assert_sums(it.run);
    drop(&it);
}

/* ---- readers ---- */

/* A reader that stands still until it may go on. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached;
    bool open;
    tally seen;
} gate;

static void stand_still(void *context, const mr_event *event)
{
    gate *it = context;
    pthread_mutex_lock(&it->lock);
    it->reached = true;
    pthread_cond_broadcast(&it->changed);
    while (!it->open)
        pthread_cond_wait(&it->changed, &it->lock);
    pthread_mutex_unlock(&it->lock);
    count(&it->seen, event);
}

static void test_a_reader_that_stands_still_stops_its_run_only(void **context)
{
    /* Fewer tasks than events fit in the queue: the end of each is told when the run is cancelled. */
    static const char some[] = "millrace: 1\nname: some\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 5000}}\n"
                               "  sums: {op: test.add, each: {value: rows.values}}\n"
                               "outputs: {out: sums.sum}\n";
    static const char other[] = "millrace: 1\nname: other\nnodes: {rows: {op: test.count, with: {n: 7}}}\noutputs: {out: rows.values}\n";
    world *in = *context;
    mr_engine *second = open_engine(in->state, 1); /* the workers of the first may all be waiting for the reader */
    gate it = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    job slow = start(in->engine, some, stand_still, &it);
    pthread_mutex_lock(&it.lock);
    while (!it.reached)
        pthread_cond_wait(&it.changed, &it.lock);
    pthread_mutex_unlock(&it.lock);
    job quick = start(second, other, NULL, NULL);
    assert_int_equal(mr_run_wait(quick.run, NULL), MR_OK);
    mr_run_cancel(slow.run); /* needs the engine's lock: nobody holds it while the reader stands still */
    pthread_mutex_lock(&it.lock);
    it.open = true;
    pthread_cond_broadcast(&it.changed);
    pthread_mutex_unlock(&it.lock);
    assert_int_equal(mr_run_wait(slow.run, NULL), MR_ERR_CANCELLED);
    assert_int_equal(it.seen.gaps, 0);
    assert_true(it.seen.over);
    drop(&slow);
    drop(&quick);
    mr_engine_close(second);
}

/* ---- priorities ---- */

#define ROWS 200

typedef struct order {
    char text[3 * ROWS + 1]; /* of started tasks: d for deep, f for flat */
    size_t used;
    long last_deep;
    long last_flat;
    bool backwards;
} order;

static void note_order(void *context, const mr_event *event)
{
    order *it = context;
    if (event->type != MR_EVENT_TASK_STARTED || (strcmp(event->node, "deep") != 0 && strcmp(event->node, "flat") != 0))
        return;
    const bool deep = event->node[0] == 'd';
    long *last = deep ? &it->last_deep : &it->last_flat;
    const long item = strtol(event->item, NULL, 10);
    it->backwards = it->backwards || item != *last + 1;
    *last = item;
    it->text[it->used++] = deep ? 'd' : 'f';
}

/* One worker: earliest in the video first, then the longest way to the end. */
static void test_priorities_are_honoured(void **context)
{
    static const char yaml[] =
        "millrace: 1\nname: order\nnodes:\n"
        "  rows: {op: test.count, with: {n: " STRING(ROWS) "}}\n"
                                                           "  flat: {op: test.add, each: {value: rows.values}, with: {by: 1}}\n"
                                                           "  deep: {op: test.add, each: {value: rows.values}, with: {by: 2}}\n"
                                                           "  tail: {op: test.add, each: {value: deep.sum}, with: {by: 3}}\n"
                                                           "outputs: {out: tail.sum}\n";
    world *in = *context;
    mr_engine *alone = open_engine(in->state, 1);
    order seen = {.last_deep = -1, .last_flat = -1};
    job it = start(alone, yaml, note_order, &seen);
    assert_int_equal(mr_run_wait(it.run, NULL), MR_OK);
    assert_false(seen.backwards);
    assert_int_equal(seen.used, 2 * ROWS);
    for (size_t i = 0; i < seen.used; i++)
        assert_int_equal(seen.text[i], i % 2 ? 'f' : 'd');
    drop(&it);
    mr_engine_close(alone);
}

typedef struct awaited {
    const char *node, *item;
    atomic_bool done;
} awaited;

static void await(void *context, const mr_event *event)
{
    awaited *it = context;
    if (event->type == MR_EVENT_TASK_DONE && strcmp(event->node, it->node) == 0 && strcmp(event->item, it->item) == 0)
        atomic_store(&it->done, true);
}

static void wait_for(awaited *it)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    while (!atomic_load(&it->done))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

/* The only slot is held while a late item is demanded: that is made meanwhile, with what it needs and without its siblings, and readers who take any
 * order see it at once. */
static void test_what_is_demanded_goes_first(void **context)
{
    static const char yaml[] = "millrace: 1\nname: demand\nnodes:\n"
                               "  rungs: {op: test.count, with: {n: 2}}\n"
                               "  rows: {op: test.count, in: {after: rungs.values}, with: {n: 20}}\n"
                               "  held: {op: test.hold, each: {value: rows.values}}\n"
                               "  half: {op: test.half, each: {item: held.value}}\n"
                               "  join: {op: test.join, each: {item: held.value, half: half.half}, for: {rung: rungs.values}}\n"
                               "  heap: {op: test.heap, in: {values: join.joined}}\n"
                               "  fold: {op: test.fold, in: {values: join.joined}}\n"
                               "outputs: {heap: heap.values, fold: fold.values}\n";
    const struct timespec moment = {.tv_nsec = 1000000};
    world *in = *context;
    mr_engine *alone = open_engine(in->state, 1);
    atomic_store(&ops_hold, true);
    atomic_store(&ops_blocked, 0);
    awaited late = {.node = "join", .item = "15,1"};
    job it = start(alone, yaml, await, &late);
    while (atomic_load(&ops_blocked) == 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    assert_int_equal(mr_run_demand(it.run, "join", "20,0"), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_run_demand(it.run, "join", "15"), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_run_demand(it.run, "nothing", ""), MR_ERR_NOT_FOUND);
    static const char *const bad[] = {"15,", ",1", "15,x", "-1", "99999999999", "1,1,1,1,1,1,1,1,1", " 1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(mr_run_demand(it.run, "join", bad[i]), MR_ERR_PARAM);
    assert_int_equal(mr_run_demand(it.run, "join", "15,1"), MR_OK);
    assert_int_equal(mr_run_demand(it.run, "join", "15,1"), MR_OK);
    wait_for(&late);
    atomic_store(&ops_hold, false);
    assert_int_equal(mr_run_wait(it.run, NULL), MR_OK);
    json_t *outputs = mr_run_outputs(it.run);
    const json_t *heap = json_object_get(outputs, "heap");
    const json_t *fold = json_object_get(outputs, "fold");
    size_t place = 0;
    size_t sibling = 0;
    assert_int_equal(json_array_size(heap), 40);
    assert_int_equal(json_array_size(fold), 40);
    for (size_t i = 0; i < 40; i++) { /* join: item, half, rung */
        const json_int_t value = json_integer_value(json_object_get(json_array_get(heap, i), "value"));
        place = value == 150701 ? i : place;
        sibling = value == 150700 ? i : sibling;
        assert_int_equal(json_integer_value(json_object_get(json_array_get(fold, i), "value")), i / 2 * 10000 + i / 4 * 100 + i % 2);
    }
    assert_in_range(place, 0, 2); /* those of the held item may be before it */
    assert_true(sibling > place); /* in one batch it would be before it */
    json_decref(outputs);
    drop(&it);
    mr_engine_close(alone);
}

/* The only slot is held by one run: another's opening is made all the same. */
static void test_an_opening_does_not_wait_for_another_run(void **context)
{
    static const char held[] = "millrace: 1\nname: held\nnodes:\n"
                               "  rows: {op: test.count, with: {n: 2}}\n"
                               "  held: {op: test.hold, each: {value: rows.values}}\n"
                               "outputs: {held: held.value}\n";
    static const char other[] = "millrace: 1\nname: other\nnodes:\n"
                                "  rows: {op: test.count, with: {n: 20}}\n"
                                "  sum: {op: test.add, each: {value: rows.values}, with: {by: 9}}\n"
                                "outputs: {sum: sum.sum}\n";
    const struct timespec moment = {.tv_nsec = 1000000};
    world *in = *context;
    mr_engine *alone = open_engine(in->state, 1);
    atomic_store(&ops_hold, true);
    atomic_store(&ops_blocked, 0);
    job first = start(alone, held, NULL, NULL);
    while (atomic_load(&ops_blocked) == 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    awaited opening = {.node = "sum", .item = "0"};
    job second = start(alone, other, await, &opening);
    wait_for(&opening);
    atomic_store(&ops_hold, false);
    assert_int_equal(mr_run_wait(first.run, NULL), MR_OK);
    assert_int_equal(mr_run_wait(second.run, NULL), MR_OK);
    drop(&first);
    drop(&second);
    mr_engine_close(alone);
}

/* ---- the same work, twice at once ---- */

#define TWINS 1000
static const char twins[] = "millrace: 1\nname: twins\nnodes:\n"
                            "  rows: {op: test.count, with: {n: " STRING(TWINS) "}}\n"
                                                                                "  one: {op: test.add, each: {value: rows.values}, with: {by: 5}}\n"
                                                                                "  two: {op: test.add, each: {value: rows.values}, with: {by: 5}}\n"
                                                                                "outputs: {one: one.sum, two: two.sum}\n";

static void test_two_nodes_with_one_identity_do_it_once(void **context)
{
    world *in = *context;
    tally seen = {0};
    job it = start(in->engine, twins, count, &seen);
    assert_int_equal(mr_run_wait(it.run, NULL), MR_OK);
    assert_int_equal(atomic_load(&ops_runs), 1 + TWINS);
    assert_int_equal(seen.succeeded, 1 + TWINS);
    assert_int_equal(seen.cached, TWINS);
    assert_int_equal(seen.started, 1 + 2 * TWINS); /* waiting for another is no attempt */
    json_t *outputs = mr_run_outputs(it.run);
    assert_true(json_equal(json_object_get(outputs, "one"), json_object_get(outputs, "two")));
    json_decref(outputs);
    drop(&it);
}

/* Two engines over one state folder are as two processes: they have nothing else in common. */
static void test_two_runs_over_one_state_folder_do_it_once(void **context)
{
    world *in = *context;
    mr_engine *second = open_engine(in->state, 2);
    job it[] = {start(in->engine, twins, NULL, NULL), start(second, twins, NULL, NULL), start(in->engine, twins, NULL, NULL)};
    json_t *outputs[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(mr_run_wait(it[i].run, NULL), MR_OK);
        outputs[i] = mr_run_outputs(it[i].run);
    }
    assert_int_equal(atomic_load(&ops_runs), 1 + TWINS);
    assert_true(json_equal(outputs[0], outputs[1]));
    assert_true(json_equal(outputs[0], outputs[2]));
    for (size_t i = 0; i < 3; i++) {
        json_decref(outputs[i]);
        drop(&it[i]);
    }
    mr_engine_close(second);
}

/* Batches hold tasks whose inputs are made in them: those are claimed before what they are made from can be seen. */
static void test_batches_over_one_state_folder_do_it_once(void **context)
{
    static const char yaml[] = "millrace: 1\nname: batches\nnodes:\n"
                               "  rungs: {op: test.count, with: {n: 3}}\n"
                               "  chunks: {op: test.count, in: {after: rungs.values}, with: {n: 100}}\n"
                               "  half: {op: test.half, each: {item: chunks.values}}\n"
                               "  join: {op: test.join, each: {item: chunks.values, half: half.half}, for: {rung: rungs.values}}\n"
                               "outputs: {out: join.joined}\n";
    world *in = *context;
    mr_engine *second = open_engine(in->state, 2);
    job it[] = {start(in->engine, yaml, NULL, NULL), start(second, yaml, NULL, NULL)};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(mr_run_wait(it[i].run, NULL), MR_OK);
    assert_int_equal(atomic_load(&ops_runs), 2 + 100 + 300);
    for (size_t i = 0; i < 2; i++)
        drop(&it[i]);
    mr_engine_close(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_many_tasks_are_all_done_and_in_order),
        TEST(test_a_reader_that_stands_still_stops_its_run_only),
        TEST(test_priorities_are_honoured),
        TEST(test_what_is_demanded_goes_first),
        TEST(test_an_opening_does_not_wait_for_another_run),
        TEST(test_two_nodes_with_one_identity_do_it_once),
        TEST(test_two_runs_over_one_state_folder_do_it_once),
        TEST(test_batches_over_one_state_folder_do_it_once),
    };
    return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
