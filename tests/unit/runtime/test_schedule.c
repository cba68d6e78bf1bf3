/* SPDX-License-Identifier: MIT */
/*
 * What is picked next in the opening of a video, on a run made by hand: plan and ladder lead to an analysis per chunk and an encode per chunk and
 * rung, which share batches; the poster has no place in the video. No threads: each test says what is at work.
 */
#include "runtime/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLAN, LADDER, ANALYSIS, VIDEO, POSTER, NODES };
enum { CHUNKS = 3, RUNGS = 4 };

static mr_status run_encoder(const mr_host *host, const mr_batch *batch)
{
    (void)host;
    (void)batch;
    return MR_OK;
}

static mr_status run_other(const mr_host *host, const mr_batch *batch)
{
    return run_encoder(host, batch);
}

#define JSON(port)                                                                                                                                   \
    {                                                                                                                                                \
        .name = port, .types = MR_TYPE_JSON, .help = "for the test"                                                                                  \
    }
static const mr_port chunk_in[] = {JSON("chunk"), JSON("analysis"), JSON("rung"), {0}};
static const mr_op encoder_op = {
    .size = sizeof(mr_op), .cpu = 1, .memory_mb = 1, .batch_by = "chunk", .batch_max = 16, .inputs = chunk_in, .run = run_encoder};
static const mr_op other_op = {.size = sizeof(mr_op), .cpu = 1, .memory_mb = 1, .inputs = chunk_in, .run = run_other};

static const mr_source from[NODES] = {
    {.kind = MR_SOURCE_NODE, .index = PLAN}, {.kind = MR_SOURCE_NODE, .index = LADDER}, {.kind = MR_SOURCE_NODE, .index = ANALYSIS}};
static const mr_binding by_chunk = {.port = 0, .sources = &from[PLAN], .source_count = 1};
static const mr_binding by_analysis = {.port = 1, .sources = &from[ANALYSIS], .source_count = 1};
static const mr_binding by_rung = {.port = 2, .sources = &from[LADDER], .source_count = 1};

typedef struct world {
    mr_engine engine;
    mr_run run;
    mr_node_run nodes[NODES];
    mr_node models[NODES];
    mr_bound_port ports[NODES][3];
    mr_task *lists[NODES][CHUNKS * RUNGS];
    mr_task tasks[NODES][CHUNKS * RUNGS];
    mr_slot *slots[NODES][CHUNKS * RUNGS][3];
    mr_item chunks[CHUNKS];
    mr_item rungs[RUNGS];
    mr_slot chunk_slots[CHUNKS];
    mr_slot rung_slots[RUNGS];
    mr_slot stats[CHUNKS];
    mr_batch_run last; /* that was picked */
} world;

static int set_up(void **context)
{
    static const mr_op *const ops[NODES] = {&other_op, &other_op, &encoder_op, &encoder_op, &other_op};
    static const uint32_t depths[NODES] = {4, 3, 3, 2, 2};
    world *in = calloc(1, sizeof(*in));
    assert_non_null(in);
    in->engine.jobs = 2;
    in->engine.memory_mb = 1000;
    in->run.engine = &in->engine;
    in->run.nodes = in->nodes;
    in->run.node_count = NODES;
    for (int n = 0; n < NODES; n++) {
        in->models[n].op = ops[n];
        in->nodes[n] = (mr_node_run){
            .run = &in->run, .node = &in->models[n], .index = (uint32_t)n, .depth = depths[n], .ports = in->ports[n], .tasks = in->lists[n]};
    }
    in->nodes[PLAN].leads = in->nodes[LADDER].leads = in->nodes[ANALYSIS].leads = true;
    in->nodes[ANALYSIS].crossed = in->nodes[ANALYSIS].each_count = 1;
    in->nodes[VIDEO].crossed = 3;
    in->nodes[VIDEO].each_count = 2;
    in->ports[ANALYSIS][0].binding = in->ports[VIDEO][0].binding = &by_chunk;
    in->ports[VIDEO][1].binding = &by_analysis;
    in->ports[VIDEO][2].binding = &by_rung;
    *context = in;
    return 0;
}

static int tear_down(void **context)
{
    world *in = *context;
    free(in->engine.heap);
    free(in);
    return 0;
}

static mr_task *add(world *in, int node, size_t outer)
{
    mr_node_run *at = &in->nodes[node];
    mr_task *task = &in->tasks[node][at->task_count];
    *task = (mr_task){.run = &in->run,
                      .node = at,
                      .index = at->task_count,
                      .position = mr_task_position(at, outer, CHUNKS),
                      .slots = in->slots[node][at->task_count]};
    in->lists[node][at->task_count++] = task;
    in->run.opening += task->position <= 0;
    return task;
}

static void list(mr_item *item, mr_task *task)
{
    if (item->fusable_head)
        item->fusable_last->fusable_next = task;
    else
        item->fusable_head = task;
    item->fusable_last = task;
}

static void ready(mr_task *task)
{
    task->state = MR_TASK_READY;
    task->run->ready++;
    assert_true(mr_heap_push(task->run->engine, task));
}

static mr_task *at_work(mr_task *task)
{
    task->state = MR_TASK_RUNNING;
    task->run->engine->running++;
    return task;
}

static void done(mr_task *task)
{
    task->state = MR_TASK_SUCCEEDED;
    task->run->opening -= task->position <= 0;
    task->run->engine->running--;
}

static void expand_analysis(world *in)
{
    for (size_t c = 0; c < CHUNKS; c++) {
        mr_task *task = add(in, ANALYSIS, c);
        in->chunk_slots[c] = (mr_slot){.state = MR_SLOT_FILLED, .item = &in->chunks[c]};
        in->stats[c] = (mr_slot){.state = MR_SLOT_PROMISED, .producer = task};
        task->slots[0] = &in->chunk_slots[c];
        list(&in->chunks[c], task);
        ready(task);
    }
    in->nodes[ANALYSIS].expanded = true;
}

static void measure(world *in, const char *const metas[CHUNKS])
{
    for (int c = 0; c < CHUNKS; c++)
        in->chunks[c].pub = (mr_artifact){.type = MR_TYPE_CHUNK, .meta = metas[c], .meta_len = strlen(metas[c])};
}

static void expand_video(world *in)
{
    for (size_t i = 0; i < CHUNKS * RUNGS; i++) {
        mr_task *task = add(in, VIDEO, i / RUNGS);
        in->rung_slots[i % RUNGS] = (mr_slot){.state = MR_SLOT_FILLED, .item = &in->rungs[i % RUNGS]};
        task->slots[0] = &in->chunk_slots[i / RUNGS];
        task->slots[1] = &in->stats[i / RUNGS];
        task->slots[2] = &in->rung_slots[i % RUNGS];
        task->missing = 1;
        list(&in->chunks[i / RUNGS], task);
    }
    in->nodes[VIDEO].expanded = true;
}

/* Picks a batch of so many tasks, the first of which is this one; a worker has it then. How many processors it may use besides its own. */
static uint32_t assert_picks(world *in, const mr_task *first, uint32_t count)
{
    mr_batch_run *batch = mr_pick(&in->engine);
    assert_non_null(batch);
    assert_ptr_equal(batch->tasks[0], first);
    assert_int_equal(batch->count, count);
    for (uint32_t i = 0; i < count; i++)
        batch->tasks[i]->batch = NULL;
    const uint32_t spare = batch->spare;
    in->engine.running++;
    in->last = *batch;
    free(batch);
    return spare;
}

/* The batch that was picked last has run. */
static void over(world *in)
{
    mr_batch_over(&in->engine, &in->last);
    in->engine.running--;
}

/* The chunk's analysis is there: so is all that its tasks that are left wait for. */
static mr_task *analysed(world *in, size_t chunk)
{
    mr_task *last = &in->tasks[VIDEO][chunk * RUNGS + RUNGS - 1];
    in->stats[chunk].state = MR_SLOT_FILLED;
    last->missing = 0;
    ready(last);
    return last;
}

static void assert_picks_nothing(world *in)
{
    in->engine.slots_kept = false;
    assert_null(mr_pick(&in->engine));
    assert_true(in->engine.slots_kept); /* who changes something is asked to wake us */
}

static void open_video(world *in)
{
    expand_analysis(in);
    expand_video(in);
    ready(add(in, POSTER, 0));
}

static void test_what_has_no_place_waits_for_what_leads_to_the_video(void **context)
{
    world *in = *context;
    mr_task *plan = at_work(add(in, PLAN, 0));
    mr_task *poster = add(in, POSTER, 0);
    ready(poster);
    assert_picks_nothing(in);
    done(plan);
    assert_picks(in, poster, 1);
}

static void test_a_batch_waits_for_its_siblings(void **context)
{
    world *in = *context;
    mr_task *ladder = at_work(add(in, LADDER, 0));
    expand_analysis(in);
    in->engine.jobs = 3;
    ready(add(in, POSTER, 0));
    assert_picks_nothing(in); /* no other chunk either: the opening will want all slots, and for long */
    done(ladder);
    expand_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1);
}

static void test_the_opening_is_one_batch_on_two_slots(void **context)
{
    world *in = *context;
    open_video(in);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1), 1);
    assert_picks_nothing(in); /* the other slot is its second processor's, until it is over */
    const mr_batch_run opening = in->last;
    mr_task *sound = add(in, LADDER, 0);
    ready(sound); /* but for what is of the opening itself */
    assert_picks(in, sound, 1);
    in->engine.running--;
    assert_picks_nothing(in);
    in->last = opening;
    over(in);
    assert_false(in->engine.slots_kept); /* who waited was told */
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1), 0);
    assert_picks(in, &in->tasks[POSTER][0], 1); /* what has no place, beside the second chunk's analysis, which all wait for */
    assert_picks(in, &in->tasks[ANALYSIS][2], RUNGS + 1);
}

static void test_on_four_slots_the_opening_is_split_and_slots_are_kept_for_it(void **context)
{
    world *in = *context;
    in->engine.jobs = 4;
    open_video(in);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS), 1);
    assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1);
    assert_picks_nothing(in); /* the largest rung will want a slot, and the first batch has two */
    assert_int_equal(assert_picks(in, analysed(in, 0), 1), 1);
    assert_picks_nothing(in);
}

/* Otherwise a slot would be idle for as long as it takes. */
static void test_the_last_batch_leaves_tasks_to_slots_that_are_busy(void **context)
{
    world *in = *context;
    in->engine.jobs = 3;
    expand_analysis(in);
    expand_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1);
    over(in);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1), 1); /* the third chunk is there for another slot */
    in->engine.running--;
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][2], RUNGS - 1), 1);
    in->engine.running--;
    assert_null(mr_pick(&in->engine));
    assert_int_equal(assert_picks(in, analysed(in, 2), 1), 1); /* whoever is free first: the same worker here */
}

/* Chunks of these lengths, of which the first is made. */
static void begin_behind_opening(world *in, const char *const metas[CHUNKS])
{
    measure(in, metas);
    expand_analysis(in);
    expand_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1);
    over(in);
}

/* It is decoded once then: on its slot and on what is idle besides. */
static void test_the_last_chunk_is_one_batch_on_two_slots(void **context)
{
#define PICTURES(frames) "{\"frames\":" frames ",\"picture\":{\"width\":1920,\"height\":1080}}"
    static const char *const metas[CHUNKS] = {PICTURES("100"), PICTURES("200"), PICTURES("100")};
    world *in = *context;
    begin_behind_opening(in, metas);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1), 1); /* too long to be held: nothing is kept for it */
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][2], RUNGS), 1);     /* could be held, but not beside another */
}

/* Where its pictures can be held meanwhile, and no other's are, the second slot is its own: two at a time would hold twice as many. */
static void test_a_short_last_chunk_has_two_slots_to_itself(void **context)
{
    static const char *const metas[CHUNKS] = {PICTURES("50"), PICTURES("100"), PICTURES("50")};
    world *in = *context;
    begin_behind_opening(in, metas);
    in->run.opening = 0; /* all its tasks have ended */
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1), 1);
    const mr_batch_run second = in->last;
    assert_picks_nothing(in);
    ready(add(in, POSTER, 0)); /* which is no chunk */
    assert_picks(in, &in->tasks[POSTER][0], 1);
    in->engine.running--;
    in->last = second;
    over(in);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][2], RUNGS + 1), 1);
}

/* Otherwise the long one before would be alone at the end. */
static void test_a_short_last_chunk_is_no_work_for_a_slot(void **context)
{
    static const char *const metas[CHUNKS] = {"{\"frames\":100}", "{\"frames\":150}", "{\"frames\":10}"};
    world *in = *context;
    begin_behind_opening(in, metas);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1), 1);
}

static void test_with_other_work_the_last_batch_is_whole(void **context)
{
    world *in = *context;
    static mr_slot slot;
    static mr_item item;
    expand_analysis(in);
    expand_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1);
    over(in);
    assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1);
    mr_task *other = add(in, ANALYSIS, CHUNKS - 1); /* as if of another run */
    slot = (mr_slot){.state = MR_SLOT_FILLED, .item = &item};
    other->slots[0] = &slot;
    list(&item, other);
    ready(other);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][2], RUNGS + 1), 0);
}

static void test_pictures_come_behind_the_opening_and_along_the_video(void **context)
{
    world *in = *context;
    mr_node_run *sheets = &in->nodes[POSTER]; /* as those of a storyboard: one along the video for each item */
    sheets->crossed = sheets->each_count = 1;
    sheets->beside = true;
    assert_true(mr_task_position(sheets, 0, CHUNKS) > 0);
    assert_true(mr_task_position(sheets, 0, CHUNKS) < mr_task_position(&in->nodes[VIDEO], 1, CHUNKS));
    assert_true(mr_task_position(sheets, 1, CHUNKS) == mr_task_position(&in->nodes[VIDEO], 1, CHUNKS)); // NOLINT: the same division
    sheets->beside = false;
    assert_true(mr_task_position(sheets, 0, CHUNKS) <= 0);
}

static void test_more_slots_than_the_opening_wants_are_used(void **context)
{
    world *in = *context;
    in->engine.jobs = 8;
    open_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], 2); /* the lowest rung goes along; three follow */
    assert_picks(in, &in->tasks[ANALYSIS][1], 2); /* split: slots would be idle */
    in->engine.running = 4;
    assert_picks_nothing(in);
    in->engine.running = 3;
    assert_picks(in, &in->tasks[POSTER][0], 1);
}

static void test_one_slot_takes_everything(void **context)
{
    world *in = *context;
    in->engine.jobs = 1;
    open_video(in);
    assert_int_equal(assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1), 0);
    in->engine.running--;
    assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1);
}

static void test_nothing_is_kept_for_what_waits_otherwise(void **context)
{
    world *in = *context;
    open_video(in);
    in->engine.jobs = 4;
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS);
    over(in);
    in->engine.running = 3;
    in->tasks[ANALYSIS][0].state = MR_TASK_DELAYED; /* it is to be tried again in a while */
    assert_picks(in, &in->tasks[ANALYSIS][1], RUNGS + 1);
}

static void test_who_is_waited_for_does_not_wait(void **context)
{
    world *in = *context;
    open_video(in);
    assert_picks(in, &in->tasks[ANALYSIS][0], RUNGS + 1);
    in->tasks[ANALYSIS][2].demanded = true;
    mr_heap_raise(&in->engine, &in->tasks[ANALYSIS][2]);
    assert_picks(in, &in->tasks[ANALYSIS][2], 1);
}

/* One worker more than there are slots. */
static void test_urgent_is_what_is_demanded_and_the_opening_of_who_has_no_slot(void **context)
{
    world *in = *context;
    open_video(in);
    assert_null(mr_pick_urgent(&in->engine)); /* slots are free: their workers take it */
    in->engine.running = in->engine.jobs;
    mr_batch_run *batch = mr_pick_urgent(&in->engine);
    assert_non_null(batch);
    assert_ptr_equal(batch->tasks[0], &in->tasks[ANALYSIS][0]);
    free(batch);
    assert_null(mr_pick_urgent(&in->engine)); /* its opening is at work */
    in->tasks[ANALYSIS][2].demanded = true;
    mr_heap_raise(&in->engine, &in->tasks[ANALYSIS][2]);
    batch = mr_pick_urgent(&in->engine);
    assert_non_null(batch);
    assert_ptr_equal(batch->tasks[0], &in->tasks[ANALYSIS][2]);
    assert_int_equal(batch->count, 1);
    free(batch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_has_no_place_waits_for_what_leads_to_the_video),
        TEST(test_a_batch_waits_for_its_siblings),
        TEST(test_the_opening_is_one_batch_on_two_slots),
        TEST(test_on_four_slots_the_opening_is_split_and_slots_are_kept_for_it),
        TEST(test_the_last_batch_leaves_tasks_to_slots_that_are_busy),
        TEST(test_the_last_chunk_is_one_batch_on_two_slots),
        TEST(test_a_short_last_chunk_has_two_slots_to_itself),
        TEST(test_a_short_last_chunk_is_no_work_for_a_slot),
        TEST(test_with_other_work_the_last_batch_is_whole),
        TEST(test_pictures_come_behind_the_opening_and_along_the_video),
        TEST(test_more_slots_than_the_opening_wants_are_used),
        TEST(test_one_slot_takes_everything),
        TEST(test_nothing_is_kept_for_what_waits_otherwise),
        TEST(test_who_is_waited_for_does_not_wait),
        TEST(test_urgent_is_what_is_demanded_and_the_opening_of_who_has_no_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
