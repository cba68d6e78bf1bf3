/* SPDX-License-Identifier: MIT */
/*
 * Streams, and how a node expands into tasks. Lock held throughout. See internal.h for the order of slots.
 *
 * Row-major order: the outermost dimension is 'each' (all its streams in step), or the first 'for'; it may still be growing while
 * tasks are made. The inner dimensions must be complete, since they decide where the next outer index begins.
 */
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

mr_slot *mr_stream_add(mr_run *run, mr_stream *stream, mr_item *item)
{
    if (stream->count == stream->room) {
        size_t room = stream->room ? stream->room * 2 : 8;
        mr_slot **grown = realloc(stream->slots, room * sizeof(*grown));
        if (!grown)
            return NULL;
        stream->slots = grown;
        stream->room = room;
    }
    mr_slot *slot = mr_arena_take(run->arena, sizeof(*slot));
    if (!slot)
        return NULL;
    slot->state = item ? MR_SLOT_FILLED : MR_SLOT_PROMISED;
    slot->item = item;
    if (item && !stream->any_order) /* else it counts arrivals, and somebody may be reading it */
        item->pub.index = stream->count;
    if (item && !mr_stream_arrive(stream, item))
        return NULL;
    stream->slots[stream->count++] = slot;
    mr_stream_changed(stream);
    return slot;
}

bool mr_stream_arrive(mr_stream *stream, mr_item *item)
{
    if (!stream->any_order || item->arrived)
        return true;
    if (stream->arrival_count == stream->arrival_room) {
        size_t room = stream->arrival_room ? stream->arrival_room * 2 : 8;
        mr_item **grown = realloc(stream->arrivals, room * sizeof(*grown));
        if (!grown)
            return false;
        stream->arrivals = grown;
        stream->arrival_room = room;
    }
    item->arrived = true;
    item->pub.index = stream->arrival_count;
    stream->arrivals[stream->arrival_count++] = item;
    mr_stream_changed(stream);
    return true;
}

void mr_node_touch(mr_node_run *node)
{
    if (node->dirty || node->done)
        return;
    node->dirty = true;
    node->dirty_next = node->run->dirty;
    node->run->dirty = node;
}

void mr_stream_changed(mr_stream *stream)
{
    for (size_t i = 0; i < stream->reader_count; i++) {
        mr_node_run *reader = stream->readers[i];
        if (!reader->expanded)
            mr_node_touch(reader);
        if (reader->streaming && reader->task_count && reader->tasks[0]->wake)
            pthread_cond_signal(reader->tasks[0]->wake);
    }
}

void mr_slot_fill(mr_slot *slot, mr_item *item)
{
    slot->state = item ? MR_SLOT_FILLED : MR_SLOT_VOID;
    if (item && slot->item != item) /* what a batch was fed with (conclude.c) is not written again, and stays: its tasks may still read it */
        slot->item = item;
    for (mr_waiter *waiter = slot->waiters; waiter; waiter = waiter->next) {
        mr_task *task = waiter->task;
        if (task->missing > 0)
            task->missing--;
        if (task->state != MR_TASK_PENDING)
            continue;
        if (!item)
            mr_task_end(task, MR_TASK_SKIPPED, "what it needs was skipped");
        else if (task->missing == 0)
            mr_task_ready(task);
    }
    slot->waiters = NULL;
}

bool mr_task_inputs_complete(const mr_task *task)
{
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        if (task->slots[b]->state != MR_SLOT_FILLED)
            return false;
    }
    return true;
}

/* ---- expanding ---- */

/* Gathers the items of the complete sources of each 'in' port. False: not all are complete, or no memory. */
static bool gather_inputs(mr_node_run *node, bool *ret_nomem)
{
    for (uint32_t b = node->crossed; b < node->node->binding_count; b++) {
        mr_bound_port *port = &node->ports[b];
        size_t count = 0;
        if (port->streaming || port->items)
            continue;
        for (size_t s = 0; s < port->binding->source_count; s++) {
            if (!port->sources[s]->complete)
                return false;
            count += port->sources[s]->count;
        }
        port->items = mr_arena_take_array(node->run->arena, count + 1, sizeof(*port->items));
        *ret_nomem = !port->items;
        if (!port->items)
            return false;
        for (size_t s = 0; s < port->binding->source_count; s++) {
            for (size_t i = 0; i < port->sources[s]->count; i++) {
                const mr_slot *slot = port->sources[s]->slots[i];
                if (slot->state == MR_SLOT_FILLED)
                    port->items[port->item_count++] = mr_rehearsal_item(node, slot->item);
            }
        }
    }
    return true;
}

/* The port that makes the node skip itself: required, and empty. NULL: none. */
static const mr_port *empty_required_port(const mr_node_run *node)
{
    for (uint32_t b = node->crossed; b < node->node->binding_count; b++) {
        const mr_bound_port *port = &node->ports[b];
        const mr_port *table = &node->node->op->inputs[port->binding->port];
        if (!port->streaming && port->item_count == 0 && !(table->flags & MR_PORT_OPTIONAL))
            return table;
    }
    return NULL;
}

/* How many outermost indices can be expanded now, and whether more may come. */
static size_t outer_extent(const mr_node_run *node, bool *ret_complete, bool *ret_uneven)
{
    uint32_t together = node->each_count ? node->each_count : 1;
    size_t least = SIZE_MAX;
    size_t most = 0;
    *ret_complete = true;
    for (uint32_t b = 0; b < together; b++) {
        const mr_stream *stream = node->ports[b].sources[0];
        least = stream->count < least ? stream->count : least;
        most = stream->count > most ? stream->count : most;
        *ret_complete = *ret_complete && (stream->complete || stream->counted);
    }
    *ret_uneven = *ret_complete && least != most;
    return least;
}

static bool inner_extent(const mr_node_run *node, uint64_t *ret_count)
{
    *ret_count = 1;
    for (uint32_t b = node->each_count ? node->each_count : 1; b < node->crossed; b++) {
        const mr_stream *stream = node->ports[b].sources[0];
        if (!stream->complete)
            return false;
        *ret_count *= stream->count;
        if (*ret_count > MR_MAX_TASKS)
            *ret_count = MR_MAX_TASKS + 1ull;
    }
    return true;
}

/* Finds the slots of row (outer, inner) and counts what is still missing. */
static bool set_slots(mr_task *task, size_t outer, uint64_t inner)
{
    mr_node_run *node = task->node;
    uint32_t together = node->each_count ? node->each_count : 1;
    if (node->crossed == 0)
        return true;
    task->slots = mr_arena_take_array(node->run->arena, node->crossed, sizeof(*task->slots));
    if (!task->slots)
        return false;
    for (uint32_t b = 0; b < together; b++)
        task->slots[b] = node->ports[b].sources[0]->slots[outer];
    task->coord_count = 1 + (node->crossed - together);
    task->coords[0] = (uint32_t)outer;
    for (uint32_t b = node->crossed; b-- > together;) {
        const mr_stream *stream = node->ports[b].sources[0];
        task->slots[b] = stream->slots[inner % stream->count];
        task->coords[1 + b - together] = (uint32_t)(inner % stream->count);
        inner /= stream->count;
    }
    return true;
}

/* Waits for its promised slots. False: no memory. */
static bool wait_for_slots(mr_task *task, bool *ret_void)
{
    *ret_void = false;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        mr_slot *slot = task->slots[b];
        if (slot->state == MR_SLOT_VOID)
            *ret_void = true;
        if (slot->state != MR_SLOT_PROMISED)
            continue;
        mr_waiter *waiter = mr_arena_take(task->run->arena, sizeof(*waiter));
        if (!waiter)
            return false;
        *waiter = (mr_waiter){.task = task, .next = slot->waiters};
        slot->waiters = waiter;
        task->missing++;
    }
    return true;
}

/* Lists the task with the item that it may share a batch over. */
static void list_as_fusable(mr_task *task)
{
    const mr_op *op = task->node->node->op;
    if (!op->batch_by || op->batch_max < 2)
        return;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        mr_item *item = task->slots[b]->item;
        if (!item || strcmp(op->inputs[task->node->ports[b].binding->port].name, op->batch_by) != 0)
            continue;
        if (item->fusable_head)
            item->fusable_last->fusable_next = task;
        else
            item->fusable_head = task;
        item->fusable_last = task;
    }
}

static bool append_task(mr_node_run *node, mr_task *task)
{
    if (node->task_count == node->task_room) {
        size_t room = node->task_room ? node->task_room * 2 : 4;
        mr_task **grown = realloc(node->tasks, room * sizeof(*grown));
        if (!grown)
            return false;
        node->tasks = grown;
        node->task_room = room;
    }
    node->tasks[node->task_count++] = task;
    node->run->task_count++;
    return true;
}

static bool promise_outputs(mr_task *task)
{
    for (uint32_t p = 0; p < task->node->output_count; p++) {
        mr_stream *stream = &task->node->outputs[p];
        if (!stream->by_task)
            continue;
        mr_slot *slot = mr_stream_add(task->run, stream, NULL);
        if (!slot)
            return false;
        slot->producer = task;
    }
    return true;
}

static bool add_task(mr_node_run *node, size_t outer, uint64_t inner, size_t outer_count)
{
    bool is_void = false;
    mr_task *task = mr_arena_take(node->run->arena, sizeof(*task));
    if (!task)
        return false;
    task->run = node->run;
    task->node = node;
    task->index = node->task_count;
    task->position = mr_rehearsal_position(node->run, mr_task_position(node, outer, outer_count));
    node->run->opening += task->position <= 0;
    if (!set_slots(task, outer, inner) || !append_task(node, task) || !promise_outputs(task) || !wait_for_slots(task, &is_void))
        return false;
    list_as_fusable(task);
    if (is_void)
        mr_task_end(task, MR_TASK_SKIPPED, "what it needs was skipped");
    else if (task->missing == 0)
        mr_task_ready(task);
    return true;
}

static void expansion_failed(mr_node_run *node, const char *code, char *take_message)
{
    node->expanded = true;
    mr_run_failure(node->run, code, node->node->span, take_message, NULL);
    mr_run_stop(node->run, MR_ERR_LIMIT);
}

/* How many items a port with exactly one a task will have is known as soon as the tasks are: who reads it can be planned too. */
static void planned(mr_node_run *node)
{
    node->expanded = true;
    for (uint32_t p = 0; p < node->output_count; p++) {
        mr_stream *stream = &node->outputs[p];
        if (stream->by_task && !stream->counted) {
            stream->counted = true;
            mr_stream_changed(stream);
        }
    }
    mr_run_emit(node->run, (mr_event){.type = MR_EVENT_NODE_PLANNED, .node = node->node->name, .total = node->task_count});
}

static void expand_crossed(mr_node_run *node)
{
    bool complete = false;
    bool uneven = false;
    uint64_t inner = 0;
    size_t outer = outer_extent(node, &complete, &uneven);
    char *message = NULL;
    if (!inner_extent(node, &inner))
        return;
    if (uneven) {
        if (asprintf(&message, "node '%s': the streams of 'each' differ in length, so they can't go in step", node->node->name) < 0)
            message = NULL;
        expansion_failed(node, "uneven-each", message);
        return;
    }
    if (node->run->task_count + (outer - node->outer) * inner > MR_MAX_TASKS) {
        if (asprintf(&message, "node '%s' would make the run larger than %u tasks", node->node->name, MR_MAX_TASKS) < 0)
            message = NULL;
        expansion_failed(node, "too-many-tasks", message);
        return;
    }
    while (node->outer < outer) {
        for (uint64_t i = 0; i < inner; i++) {
            if (!add_task(node, node->outer, i, outer)) {
                expansion_failed(node, "memory", NULL);
                return;
            }
        }
        node->outer++;
    }
    if (complete)
        planned(node);
}

void mr_node_expand(mr_node_run *node)
{
    bool nomem = false;
    if (node->expanded)
        return;
    if (node->bound->never) {
        planned(node);
        return;
    }
    if (!gather_inputs(node, &nomem)) {
        if (nomem)
            expansion_failed(node, "memory", NULL);
        return;
    }
    if (empty_required_port(node)) {
        planned(node);
        return;
    }
    if (node->crossed) {
        expand_crossed(node);
        return;
    }
    node->expanded = true; /* before the task: it may end at once */
    if (!add_task(node, 0, 0, 0)) {
        expansion_failed(node, "memory", NULL);
        return;
    }
    planned(node);
}
