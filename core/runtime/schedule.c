/* SPDX-License-Identifier: MIT */
/*
 * What runs next: a heap of ready tasks, and the making of batches. Lock held throughout.
 *
 * Order: what somebody waits for, then the earliest in the video, then the longest remaining path, then the order of the pipeline file and of the
 * items. A batch gathers the tasks that share the first one's batch_by item and whose inputs are there or made by a task before them in the batch;
 * one that is demanded takes those along that are demanded too, and no others: they would make the viewer wait. When slots would stay idle, the first
 * takes only its share: batches are split, never an encoder's thread count raised.
 */
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

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
    return true;
}

/* Old entries of the task move with it: they are compared by what it is now. From the front: what stands above one is in order then. */
void mr_heap_raise(mr_engine *engine, const mr_task *task)
{
    for (size_t i = 0; i < engine->heap_count; i++) {
        if (engine->heap[i].task == task)
            sift_up(engine, i);
    }
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

/* Ready tasks that do not share the item: work for other slots. Counting stops at enough. */
static uint32_t other_work(const mr_engine *engine, const mr_item *item, uint32_t enough)
{
    uint32_t count = 0;
    for (size_t i = 0; i < engine->heap_count && count < enough; i++)
        count += is_current(&engine->heap[i]) && shared_item(engine->heap[i].task) != item;
    return count;
}

static void gather(mr_engine *engine, mr_batch_run *batch, mr_item *item)
{
    const mr_op *op = batch->tasks[0]->node->node->op;
    uint32_t idle = engine->jobs > engine->running + 1 ? engine->jobs - engine->running - 1 : 0;
    uint32_t others = idle ? other_work(engine, item, idle) : 0;
    size_t most = op->batch_max < MR_MAX_BATCH ? op->batch_max : MR_MAX_BATCH;
    while (item->fusable_head && item->fusable_head->state >= MR_TASK_SUCCEEDED)
        item->fusable_head = item->fusable_head->fusable_next;
    if (others < idle) { /* someone would have nothing to do */
        size_t share = (count_fitting(item, batch, op) + 1 + (idle - others)) / (1 + idle - others);
        most = share < most ? (share ? share : 1) : most;
    }
    for (mr_task *task = item->fusable_head; task && batch->count < most; task = task->fusable_next) {
        const mr_op *other = task->node->node->op;
        if (other->run == op->run && other->batch_by && strcmp(other->batch_by, op->batch_by) == 0 && fits_batch(task, batch))
            join(batch, task);
    }
}

static bool fits_memory(const mr_engine *engine, const mr_task *task)
{
    return engine->running == 0 || engine->memory_used_mb + task->node->node->op->memory_mb <= engine->memory_mb;
}

mr_batch_run *mr_pick(mr_engine *engine)
{
    mr_task *aside[64];
    size_t aside_count = 0;
    mr_task *task = pop(engine);
    while (task && !fits_memory(engine, task) && aside_count < 64) {
        aside[aside_count++] = task;
        task = pop(engine);
    }
    engine->memory_short = engine->memory_short || aside_count > 0;
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
    return batch;
}
