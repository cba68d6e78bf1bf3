/* SPDX-License-Identifier: MIT */
/*
 * What runs next: a heap of ready tasks, and the making of batches. Lock held throughout.
 *
 * Order: what somebody waits for, then the earliest in the video, then the longest remaining path, then the order of the pipeline file and of the
 * items. A batch gathers the tasks that share the first one's batch_by item and whose inputs are there or made by a task before them in the batch;
 * one that is demanded takes those along that are demanded too, and no others: they would make the viewer wait. Batches are split when slots would
 * stay idle, never an encoder's thread count raised: the last batches leave tasks to the other slots, even to those that are busy at this moment, for
 * who is free first takes them. A long chunk whose part is two slots is one batch, which may use what is idle besides its own; a short one, whose
 * pictures can all be held, has the second slot to itself, and no other chunk of the run is begun meanwhile. docs/adr/0038.
 *
 * The opening is what the first moment of the video needs: the tasks that make the items along it, and those of its first items. All slots are the
 * opening's as far as it can use them: its batches have two processors each, so that a chunk is decoded once, and are split over what slots there
 * are; what has no place in the video comes behind it, and so do pictures (sheets of a storyboard), which nobody waits for; and slots are kept free
 * of all else for the second processors, and for those of its tasks whose inputs are being made on a slot at this moment. Nothing is kept for what
 * waits otherwise, so that nothing can wait for ever. docs/adr/0033. Before what has no place goes what leads to the video's second item: of a video
 * of two chunks the second one's analysis is what all slots wait for next, and pictures are made meanwhile.
 *
 * A batch is never interrupted, and may take half a minute. So that nobody waits that long for a slot, one worker more takes what is urgent while all
 * slots are taken, and nothing else: what is demanded, and the opening of a run of which nothing else is at work. docs/adr/0030.
 */
#include "runtime/internal.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BEHIND_OPENING 1e-9 /* a position before that of any second item: a run has fewer tasks than 1e9 */
#define SECOND_LEADS   5e-10
#define MOST_OPENING   64    /* tasks of a node that are looked at to see what an opening wants */
#define MOST_LOOKED_AT 256   /* ready tasks that are looked at for other batches */
#define MOST_HELD      2.5e8 /* pixels of a chunk whose pictures an op can be expected to hold: 4 s of 1080p, 30 a second */
#define LITTLE         0.25  /* of a slot that is idle at the end, rather than one decode more */

double mr_task_position(const mr_node_run *node, size_t outer, size_t outer_count)
{
    if (outer > 0)
        return outer == 1 && node->leads ? SECOND_LEADS : (double)outer / (double)outer_count;
    return (node->each_count > 0 && !node->beside) || node->leads ? 0 : BEHIND_OPENING;
}

static bool in_opening(const mr_task *task)
{
    return task->position <= 0;
}

static bool comes_before(const mr_task *a, const mr_task *b)
{
    if (a->demanded != b->demanded)
        return a->demanded;
    if (a->position < b->position || a->position > b->position)
        return a->position < b->position;
    if (a->node->depth != b->node->depth)
        return a->node->depth > b->node->depth;
    if (a->run != b->run)
        return a->run->started_us < b->run->started_us;
    if (a->node->index != b->node->index)
        return a->node->index < b->node->index;
    return a->index < b->index;
}

/* For the worker of what is urgent: lock held, and it looks by itself what there is. */
static void tell_urgent(mr_engine *engine, const mr_task *task, uint32_t running)
{
    if (running >= engine->jobs && (task->demanded || in_opening(task)))
        pthread_cond_signal(&engine->urgent);
}

static void sift_up(mr_engine *engine, size_t i)
{
    mr_heap_entry entry = engine->heap[i];
    while (i > 0 && comes_before(entry.task, engine->heap[(i - 1) / 2].task)) {
        engine->heap[i] = engine->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    engine->heap[i] = entry;
}

static void sift_down(mr_engine *engine, size_t i)
{
    mr_heap_entry entry = engine->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= engine->heap_count)
            break;
        if (child + 1 < engine->heap_count && comes_before(engine->heap[child + 1].task, engine->heap[child].task))
            child++;
        if (!comes_before(engine->heap[child].task, entry.task))
            break;
        engine->heap[i] = engine->heap[child];
        i = child;
    }
    engine->heap[i] = entry;
}

/* Into the heap, which has room. */
static void put(mr_engine *engine, mr_task *task)
{
    engine->heap[engine->heap_count++] = (mr_heap_entry){.task = task, .stamp = task->stamp};
    sift_up(engine, engine->heap_count - 1);
}

bool mr_heap_push(mr_engine *engine, mr_task *task)
{
    if (engine->heap_count == engine->heap_room) {
        size_t room = engine->heap_room ? engine->heap_room * 2 : 64;
        mr_heap_entry *grown = realloc(engine->heap, room * sizeof(*grown));
        if (!grown)
            return false;
        engine->heap = grown;
        engine->heap_room = room;
    }
    put(engine, task);
    pthread_cond_signal(&engine->work);
    tell_urgent(engine, task, engine->running);
    return true;
}

/* Old entries of the task move with it: they are compared by what it is now. From the front: what stands above one is in order then. */
void mr_heap_raise(mr_engine *engine, const mr_task *task)
{
    for (size_t i = 0; i < engine->heap_count; i++) {
        if (engine->heap[i].task == task)
            sift_up(engine, i);
    }
    tell_urgent(engine, task, engine->running);
}

static bool is_current(const mr_heap_entry *entry)
{
    return entry->task->state == MR_TASK_READY && entry->stamp == entry->task->stamp;
}

/* The first ready task, taken out of the heap; NULL: none. */
static mr_task *pop(mr_engine *engine)
{
    while (engine->heap_count > 0) {
        mr_heap_entry first = engine->heap[0];
        engine->heap[0] = engine->heap[--engine->heap_count];
        if (engine->heap_count > 0)
            sift_down(engine, 0);
        if (is_current(&first))
            return first.task;
    }
    return NULL;
}

void mr_heap_drop_run(mr_engine *engine, const mr_run *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < engine->heap_count; i++) {
        if (engine->heap[i].task->run != run)
            engine->heap[kept++] = engine->heap[i];
    }
    engine->heap_count = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(engine, i);
}

/* ---- batches ---- */

static mr_item *shared_item(const mr_task *task)
{
    const mr_op *op = task->node->node->op;
    if (!op->batch_by || op->batch_max < 2 || task->solo)
        return NULL;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        if (strcmp(op->inputs[task->node->ports[b].binding->port].name, op->batch_by) == 0)
            return task->slots[b]->item;
    }
    return NULL;
}

/* Its inputs are there, or made by a task that the batch holds already. */
static bool fits_batch(const mr_task *task, const mr_batch_run *batch)
{
    if (batch->count > 0 && batch->tasks[0]->demanded && !task->demanded)
        return false;
    if (task->solo || (task->state != MR_TASK_READY && task->state != MR_TASK_PENDING))
        return false;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        const mr_slot *slot = task->slots[b];
        if (slot->state == MR_SLOT_VOID)
            return false;
        if (slot->state == MR_SLOT_PROMISED && (slot->producer == NULL || slot->producer->batch != batch))
            return false;
    }
    return true;
}

static void join(mr_batch_run *batch, mr_task *task)
{
    uint32_t memory = task->node->node->op->memory_mb;
    task->run->ready -= task->state == MR_TASK_READY;
    task->state = MR_TASK_RUNNING;
    task->stamp++;
    task->batch = batch;
    task->batch_slot = batch->count;
    task->run->busy++;
    batch->tasks[batch->count++] = task;
    batch->memory_mb = memory > batch->memory_mb ? memory : batch->memory_mb;
}

static size_t count_fitting(mr_item *item, mr_batch_run *batch, const mr_op *op)
{
    size_t count = 0;
    for (const mr_task *task = item->fusable_head; task; task = task->fusable_next)
        count += task->node->node->op->run == op->run && fits_batch(task, batch);
    return count;
}

/* Of an item that is a chunk, its length, which is how much work lies in it, and the pixels of its pictures; 1 and 0 of any other. */
static double measure(const mr_item *item, double *ret_pixels)
{
    json_t *meta = item->pub.type == MR_TYPE_CHUNK && item->pub.meta ? json_loadb(item->pub.meta, item->pub.meta_len, 0, NULL) : NULL;
    const json_t *picture = json_object_get(meta, "picture");
    const double frames = (double)json_integer_value(json_object_get(meta, "frames"));
    const double width = (double)json_integer_value(json_object_get(picture, "width"));
    *ret_pixels = frames * width * (double)json_integer_value(json_object_get(picture, "height"));
    json_decref(meta);
    return frames >= 1 ? frames : 1;
}

static double weight_of(const mr_item *item)
{
    double pixels;
    return measure(item, &pixels);
}

/* The weight of other items with ready tasks that make batches: work for other slots. Up to enough; of a long heap a part is looked at. */
static double other_work(const mr_engine *engine, const mr_item *item, double enough)
{
    const mr_item *seen[MOST_LOOKED_AT];
    size_t count = 0;
    double weight = 0;
    for (size_t i = 0; i < engine->heap_count && weight < enough; i++) {
        const mr_item *other = is_current(&engine->heap[i]) ? shared_item(engine->heap[i].task) : NULL;
        bool known = !other || other == item;
        for (size_t k = 0; k < count && !known; k++)
            known = seen[k] == other;
        if (!known) {
            seen[count++] = other;
            weight += weight_of(other);
        }
        if (i == MOST_LOOKED_AT - 1)
            return enough;
    }
    return weight;
}

/* Among how many slots the tasks that share the item are divided: in an opening all of them, of which each batch has two; else its part of all by
 * what is left, but for a little. */
static uint32_t slots_for(const mr_engine *engine, const mr_task *first, const mr_item *item)
{
    if (in_opening(first) || engine->jobs < 2)
        return engine->jobs > 3 ? engine->jobs / 2 : 1;
    const double own = weight_of(item);
    const double part = own / (own + other_work(engine, item, own * engine->jobs));
    const double slots = engine->jobs * part - LITTLE;
    return slots > 1 ? (uint32_t)ceil(slots) : 1;
}

/*
 * How large the batch may be. It leaves a task for each of the other slots: the last ones, which are the largest rungs. But it takes one along that
 * waits for its first where that leads the others: they begin as soon as there is what they need.
 */
static size_t share_of(const mr_batch_run *batch, uint32_t slots, size_t fitting)
{
    const size_t all = fitting + 1;
    const size_t least = batch->tasks[0]->node->leads && all > 1 ? 2 : 1;
    return all > slots - 1 + least ? all - (slots - 1) : least;
}

/* Is it whole, though its part is two slots? It may use two processors then. What its op can hold all pictures of is quick on them: it has both slots
 * to itself. Beside a batch that holds its own it is shared instead: two would hold twice as many. */
static bool is_whole_on_two(const mr_task *first, const mr_item *item, uint32_t slots, bool *ret_alone)
{
    double pixels = 0;
    if (slots != 2 || in_opening(first) || !first->node->leads)
        return false;
    measure(item, &pixels);
    const bool held = pixels > 0 && pixels <= MOST_HELD;
    *ret_alone = held && first->run->led == 0;
    return !held || *ret_alone;
}

static void gather(mr_engine *engine, mr_batch_run *batch, mr_item *item)
{
    const mr_op *op = batch->tasks[0]->node->node->op;
    size_t most = op->batch_max < MR_MAX_BATCH ? op->batch_max : MR_MAX_BATCH;
    while (item->fusable_head && item->fusable_head->state >= MR_TASK_SUCCEEDED)
        item->fusable_head = item->fusable_head->fusable_next;
    const uint32_t slots = slots_for(engine, batch->tasks[0], item);
    bool alone = in_opening(batch->tasks[0]) && engine->jobs > 1;
    const bool whole = is_whole_on_two(batch->tasks[0], item, slots, &alone);
    const size_t share = share_of(batch, whole ? 1 : slots, count_fitting(item, batch, op));
    batch->kept = alone ? 1 : 0;
    batch->led = batch->tasks[0]->node->leads ? 1 : 0;
    batch->tasks[0]->run->second_slots += batch->kept;
    batch->tasks[0]->run->led += batch->led;
    batch->spare = batch->kept > 0 || slots > 1 ? 1 : 0;
    most = share < most ? share : most;
    for (mr_task *task = item->fusable_head; task && batch->count < most; task = task->fusable_next) {
        const mr_op *other = task->node->node->op;
        if (other->run == op->run && other->batch_by && strcmp(other->batch_by, op->batch_by) == 0 && fits_batch(task, batch))
            join(batch, task);
    }
}

/* ---- the opening ---- */

/* On a CPU slot, with all its inputs: it will end whatever else is started. */
static bool is_at_work(const mr_task *task)
{
    return task->state == MR_TASK_RUNNING && !task->node->streaming && task->node->node->op->cpu > 0;
}

/* It waits for nothing but what is being made now. */
static bool is_about_to_start(const mr_task *task)
{
    if (task->state != MR_TASK_PENDING || task->missing == 0)
        return false;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        const mr_slot *slot = task->slots[b];
        if (slot->state == MR_SLOT_PROMISED && !(slot->producer && is_at_work(slot->producer)))
            return false;
    }
    return true;
}

/* A node that shares batches with the task's is about to expand: what makes the items that it lacks is at work. */
static bool siblings_are_near(const mr_task *task)
{
    const mr_run *run = task->run;
    bool near = false;
    for (size_t n = 0; shared_item(task) && n < run->node_count && !near; n++) {
        const mr_node_run *node = &run->nodes[n];
        if (node->node->op->run != task->node->node->op->run)
            continue;
        for (uint32_t b = 0; b < node->crossed && !node->expanded; b++) {
            const mr_source *source = &node->ports[b].binding->sources[0];
            const mr_node_run *maker = source->kind == MR_SOURCE_INPUT ? NULL : &run->nodes[source->index];
            near = near || (maker && maker->each_count == 0 && maker->task_count > 0 && is_at_work(maker->tasks[0]));
        }
    }
    return near;
}

/* How many slots the run's opening uses besides those of its batches, or will want in a moment; enough: no less than that, or it is not known as long
 * as what its tasks are made of is being made. */
static uint32_t opening_wants(const mr_run *run, uint32_t enough)
{
    uint32_t count = run->second_slots;
    bool begun = false;
    bool leading = false;
    bool waiting = false; /* for those that it will share a batch with */
    for (size_t n = 0; run->opening > 0 && n < run->node_count && count < enough; n++) {
        const mr_node_run *node = &run->nodes[n];
        begun = begun || (node->each_count > 0 && node->task_count > 0);
        for (size_t i = 0; i < node->task_count && i < MOST_OPENING && in_opening(node->tasks[i]); i++) {
            leading = leading || (node->each_count == 0 && is_at_work(node->tasks[i]));
            waiting = waiting || (node->tasks[i]->state == MR_TASK_READY && siblings_are_near(node->tasks[i]));
            count += is_about_to_start(node->tasks[i]);
        }
    }
    return waiting || (leading && !begun) ? enough : count;
}

static bool must_wait(const mr_engine *engine, const mr_task *task)
{
    const uint32_t free_slots = engine->jobs > engine->running ? engine->jobs - engine->running : 1; /* the asking worker's is one */
    if (task->demanded || task->run->planning)
        return false;
    if (task->run->opening == 0)
        return task->node->leads && shared_item(task) && task->run->second_slots >= free_slots;
    return in_opening(task) ? siblings_are_near(task) : opening_wants(task->run, free_slots) >= free_slots;
}

void mr_slots_look_again(mr_engine *engine)
{
    if (!engine->slots_kept)
        return;
    engine->slots_kept = false;
    mr_wake_workers(engine);
}

void mr_batch_over(mr_engine *engine, const mr_batch_run *batch)
{
    batch->tasks[0]->run->second_slots -= batch->kept;
    batch->tasks[0]->run->led -= batch->led;
    mr_slots_look_again(engine);
}

void mr_wake_workers(mr_engine *engine)
{
    pthread_cond_broadcast(&engine->work);
    pthread_cond_broadcast(&engine->urgent);
}

static bool fits_memory(const mr_engine *engine, const mr_task *task)
{
    return engine->running == 0 || engine->memory_used_mb + task->node->node->op->memory_mb <= engine->memory_mb;
}

/* Why the task can't start now: as what somebody who changes that is asked to wake us. False: it can. */
static bool is_left(mr_engine *engine, const mr_task *task)
{
    const bool memory = !fits_memory(engine, task);
    const bool slots = !memory && must_wait(engine, task);
    engine->memory_short = engine->memory_short || memory;
    engine->slots_kept = engine->slots_kept || slots;
    return memory || slots;
}

static bool opening_is_at_work(const mr_run *run)
{
    for (size_t n = 0; n < run->node_count; n++) {
        const mr_node_run *node = &run->nodes[n];
        for (size_t i = 0; i < node->task_count && i < MOST_OPENING && in_opening(node->tasks[i]); i++)
            if (is_at_work(node->tasks[i]))
                return true;
    }
    return false;
}

static bool is_urgent(const mr_task *task)
{
    return task->demanded || (in_opening(task) && task->run->opening > 0 && !task->run->planning && !opening_is_at_work(task->run));
}

static mr_batch_run *pick(mr_engine *engine, bool urgent)
{
    mr_task *aside[64];
    size_t aside_count = 0;
    mr_task *task = pop(engine);
    while (task && ((urgent && !is_urgent(task)) || is_left(engine, task))) {
        const bool last = urgent && !task->demanded && !in_opening(task); /* those behind it are no more urgent */
        aside[aside_count++] = task;
        task = !last && aside_count < sizeof(aside) / sizeof(*aside) ? pop(engine) : NULL;
    }
    for (size_t i = 0; i < aside_count; i++) /* room is there: they were in it. Nobody is woken: they would not fit for another either */
        put(engine, aside[i]);
    mr_batch_run *batch = task ? calloc(1, sizeof(*batch)) : NULL;
    if (!batch) {
        if (task)
            mr_heap_push(engine, task);
        return NULL;
    }
    join(batch, task);
    mr_item *item = task->run->planning ? NULL : shared_item(task);
    if (item)
        gather(engine, batch, item);
    mr_slots_look_again(engine); /* what it takes needs no slot of its own */
    if (engine->heap_count > 0)
        tell_urgent(engine, engine->heap[0].task, engine->running + 1); /* this was perhaps the last slot */
    return batch;
}

mr_batch_run *mr_pick(mr_engine *engine)
{
    return pick(engine, false);
}

mr_batch_run *mr_pick_urgent(mr_engine *engine)
{
    return engine->running >= engine->jobs ? pick(engine, true) : NULL;
}
