/* SPDX-License-Identifier: MIT */
/*
 * What a task is given: the calls of the table in host.c that tell an op its inputs. A streaming task takes its items while they are made, from all
 * of its sources in turn.
 */
#include "runtime/internal.h"

#define AHEAD_META ((size_t)32 << 10) /* bytes of metadata that are given before they are asked for */

static const mr_bound_port *find_port(const mr_task *task, uint32_t port, uint32_t *ret_binding)
{
    for (uint32_t b = 0; b < task->node->node->binding_count; b++) {
        if (task->node->ports[b].binding->port == port) {
            *ret_binding = b;
            return &task->node->ports[b];
        }
    }
    return NULL;
}

/* A slot may be filled by a task of the same batch, on this thread: the lock makes it seen in every other case too. */
static const mr_item *slot_item(const mr_task *task, uint32_t binding)
{
    pthread_mutex_lock(&task->run->engine->lock);
    const mr_item *item = task->slots[binding]->item;
    pthread_mutex_unlock(&task->run->engine->lock);
    return item;
}

size_t mr_host_input_count(const mr_task *task, uint32_t port)
{
    uint32_t b = 0;
    const mr_bound_port *bound = find_port(task, port, &b);
    if (!bound || bound->streaming)
        return 0;
    return b < task->node->crossed ? (slot_item(task, b) ? 1 : 0) : bound->item_count;
}

const mr_artifact *mr_host_input(const mr_task *task, uint32_t port, size_t index)
{
    uint32_t b = 0;
    const mr_bound_port *bound = find_port(task, port, &b);
    const mr_item *item = NULL;
    if (!bound || bound->streaming)
        return NULL;
    if (b < task->node->crossed)
        item = index == 0 ? slot_item(task, b) : NULL;
    else if (index < bound->item_count)
        item = bound->items[index];
    return item ? &item->pub : NULL;
}

typedef enum next_answer { NEXT_ITEM, NEXT_WAIT, NEXT_END } next_answer;

static next_answer look_at_arrivals(mr_task *task, const mr_stream *stream, size_t s, const mr_artifact **ret_item)
{
    if (task->cursors[s] == stream->arrival_count)
        return stream->complete ? NEXT_END : NEXT_WAIT;
    *ret_item = &stream->arrivals[task->cursors[s]++]->pub;
    return NEXT_ITEM;
}

/* Looks at source number s of a streaming task; voids are passed over. */
static next_answer look_at(mr_task *task, const mr_stream *stream, size_t s, const mr_artifact **ret_item)
{
    while (task->cursors[s] < stream->count) {
        const mr_slot *slot = stream->slots[task->cursors[s]];
        if (slot->state == MR_SLOT_PROMISED)
            return NEXT_WAIT;
        task->cursors[s]++;
        if (slot->state == MR_SLOT_FILLED) {
            *ret_item = &slot->item->pub;
            return NEXT_ITEM;
        }
    }
    return stream->complete ? NEXT_END : NEXT_WAIT;
}

/* Sources take turns, beginning after the one that answered last. */
static next_answer look_at_all(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    const mr_node_run *node = task->node;
    size_t total = 0;
    bool waiting = false;
    for (size_t b = 0; b < node->node->binding_count; b++)
        total += node->ports[b].streaming ? node->ports[b].binding->source_count : 0;
    for (size_t turn = 0; turn < total; turn++) {
        size_t wanted = (task->cursor_last + 1 + turn) % total;
        size_t first = 0;
        for (size_t b = 0; b < node->node->binding_count; b++) {
            const mr_bound_port *port = &node->ports[b];
            size_t count = port->streaming ? port->binding->source_count : 0;
            if (wanted < first || wanted >= first + count) {
                first += count;
                continue;
            }
            next_answer (*look)(mr_task *, const mr_stream *, size_t, const mr_artifact **) = port->any_order ? look_at_arrivals : look_at;
            next_answer answer = look(task, port->sources[wanted - first], wanted, ret_item);
            if (answer == NEXT_ITEM) {
                *ret_port = port->binding->port;
                task->cursor_last = wanted;
                return answer;
            }
            waiting = waiting || answer == NEXT_WAIT;
            break;
        }
    }
    return waiting ? NEXT_WAIT : NEXT_END;
}

mr_status mr_host_next(mr_task *task, uint32_t *ret_port, const mr_artifact **ret_item)
{
    mr_engine *engine = task->run->engine;
    mr_status status = MR_OK;
    if (!task->cursors)
        return MR_END;
    pthread_mutex_lock(&engine->lock);
    for (;;) {
        if (atomic_load(&task->cancel)) {
            status = MR_ERR_CANCELLED;
            break;
        }
        next_answer answer = look_at_all(task, ret_port, ret_item);
        if (answer != NEXT_WAIT) {
            status = answer == NEXT_ITEM ? MR_OK : MR_END;
            break;
        }
        pthread_cond_wait(task->wake, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

/* Without waiting. */
static bool next_ready(mr_task *task, size_t most_meta, uint32_t *ret_port, const mr_artifact **ret_item)
{
    mr_engine *engine = task->run->engine;
    pthread_mutex_lock(&engine->lock);
    const size_t last = task->cursor_last;
    bool found = !atomic_load(&task->cancel) && look_at_all(task, ret_port, ret_item) == NEXT_ITEM;
    if (found && (*ret_item)->meta_len > most_meta) { /* it stays the next */
        task->cursors[task->cursor_last]--;
        task->cursor_last = last;
        found = false;
    }
    pthread_mutex_unlock(&engine->lock);
    return found;
}

mr_status mr_host_next_some(mr_task *task, uint32_t most, uint32_t *ret_ports, const mr_artifact **ret_items, uint32_t *ret_count)
{
    const mr_status status = mr_host_next(task, &ret_ports[0], &ret_items[0]);
    size_t meta = 0;
    *ret_count = status == MR_OK ? 1 : 0;
    for (uint32_t i = *ret_count; i > 0 && i < most; *ret_count = ++i) {
        meta += ret_items[i - 1]->meta_len;
        if (meta > AHEAD_META || !next_ready(task, AHEAD_META - meta, &ret_ports[i], &ret_items[i]))
            break;
    }
    return status;
}
