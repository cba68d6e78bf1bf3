/* SPDX-License-Identifier: MIT */
/*
 * The life of a task: pending -> ready -> running -> succeeded, cached, failed, cancelled or skipped; back to ready when it is tried again.
 * How an attempt is concluded is in conclude.c.
 */
#include "base/clock.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define CLAIM_DELAY_US     (20 * 1000ll)
#define CLAIM_DELAY_MAX_US (250 * 1000ll)

const char *mr_task_state_name(mr_task_state state)
{
    static const char *const names[] = {"pending", "ready", "running", "ready", "pending", "succeeded", "cached", "failed", "cancelled", "skipped"};
    return names[state];
}

const char *mr_status_text(mr_status status)
{
    switch (status) {
    case MR_ERR_INPUT: return "an input can't be used";
    case MR_ERR_PARAM: return "a param can't be used";
    case MR_ERR_UNSUPPORTED: return "not supported here";
    case MR_ERR_UNAVAILABLE: return "something outside is not available";
    case MR_ERR_IO: return "the disk or the output folder refused";
    case MR_ERR_NOMEM: return "memory ran out";
    case MR_ERR_LIMIT: return "a limit was exceeded";
    case MR_ERR_CANCELLED: return "cancelled";
    case MR_ERR_NOT_FOUND: return "not found";
    case MR_ERR_CONFLICT: return "a conflict";
    default: return "an internal error";
    }
}

const char *mr_task_item_text(const mr_task *task, char buf[96])
{
    size_t used = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < task->coord_count && used < 84; i++)
        used += (size_t)snprintf(buf + used, 96 - used, "%s%u", i ? "," : "", task->coords[i]);
    return buf;
}

/* ---- messages ---- */

static void drop_last_report(mr_task *task)
{
    mr_report *last = &task->reports[--task->report_count];
    free(last->param);
    free(last->hint);
    free(last->message);
}

/* An op may report from several threads at once. */
static pthread_mutex_t reporting = PTHREAD_MUTEX_INITIALIZER;

/* An error always finds room: whoever floods a task with messages must not hide why it failed. */
void mr_report_add(mr_task *task, mr_severity severity, const char *param, const char *hint, char *take_message)
{
    mr_report *grown = NULL;
    pthread_mutex_lock(&reporting);
    if (take_message && task->report_count == MR_MAX_REPORTS && severity == MR_SEVERITY_ERROR)
        drop_last_report(task);
    if (take_message && task->report_count < MR_MAX_REPORTS)
        grown = realloc(task->reports, (task->report_count + 1) * sizeof(*grown));
    if (grown) {
        task->reports = grown;
        grown[task->report_count++] =
            (mr_report){.severity = severity, .param = param ? strdup(param) : NULL, .hint = hint ? strdup(hint) : NULL, .message = take_message};
    } else {
        free(take_message);
    }
    pthread_mutex_unlock(&reporting);
}

static void free_reports(mr_task *task)
{
    while (task->report_count > 0)
        drop_last_report(task);
    free(task->reports);
    task->reports = NULL;
}

void mr_task_clear_attempt(mr_task *task)
{
    mr_task_unclaim(task);
    free_reports(task);
    mr_task_close_contents(task);
    if (task->state != MR_TASK_SUCCEEDED && task->state != MR_TASK_CACHED) { /* else they wait for their turn in the streams */
        free(task->outputs);
        task->outputs = NULL;
        task->output_count = 0;
        task->output_room = 0;
    }
    task->params = NULL;
    free(task->effect_key);
    task->effect_key = NULL;
    free(task->run_state);
    task->run_state = NULL;
}

/* ---- becoming ready ---- */

struct mr_own_thread {
    mr_engine *engine;
    mr_batch_run batch;
    pthread_t thread;
    bool done; /* its last act under the lock: joining it does not wait for anyone */
    mr_own_thread *next;
};

static void *run_on_own_thread(void *context)
{
    mr_own_thread *own = context;
    mr_engine *engine = own->engine;
    mr_expr_vm *vm = mr_expr_vm_new();
    mr_batch_execute(engine, &own->batch, vm);
    mr_expr_vm_free(vm);
    pthread_mutex_lock(&engine->lock);
    own->done = true;
    engine->waiting_tasks--;
    pthread_cond_broadcast(&engine->idle);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

void mr_own_threads_join(mr_engine *engine)
{
    for (mr_own_thread **at = &engine->own_threads; *at;) {
        mr_own_thread *own = *at;
        if (!own->done) {
            at = &own->next;
            continue;
        }
        *at = own->next;
        pthread_join(own->thread, NULL);
        free(own);
    }
}

/* Streaming tasks and those that need no CPU slot: they wait more than they work. */
static bool start_on_own_thread(mr_task *task)
{
    mr_engine *engine = task->run->engine;
    mr_own_threads_join(engine);
    mr_own_thread *own = engine->waiting_tasks < MR_MAX_WAITING_TASKS ? calloc(1, sizeof(*own)) : NULL;
    if (!own)
        return false;
    own->engine = engine;
    own->batch.tasks[0] = task;
    own->batch.count = 1;
    task->batch = &own->batch;
    task->batch_slot = 0;
    task->state = MR_TASK_RUNNING;
    if (pthread_create(&own->thread, NULL, run_on_own_thread, own) != 0) {
        task->batch = NULL;
        task->state = MR_TASK_PENDING;
        free(own);
        return false;
    }
    task->run->busy++;
    engine->waiting_tasks++;
    own->next = engine->own_threads;
    engine->own_threads = own;
    return true;
}

static bool make_streaming(mr_task *task)
{
    size_t sources = 0;
    for (size_t b = 0; b < task->node->node->binding_count; b++)
        sources += task->node->ports[b].streaming ? task->node->ports[b].binding->source_count : 0;
    task->cursor_count = sources;
    task->cursors = mr_arena_take_array(task->run->arena, sources + 1, sizeof(*task->cursors));
    task->wake = mr_arena_take(task->run->arena, sizeof(*task->wake));
    return task->cursors && task->wake && pthread_cond_init(task->wake, NULL) == 0;
}

void mr_task_ready(mr_task *task)
{
    mr_node_run *node = task->node;
    if (task->run->stopping && node->node->trigger == MR_TRIGGER_NONE) {
        mr_task_end(task, MR_TASK_CANCELLED, NULL);
        return;
    }
    if (node->streaming && !task->run->planning && !task->wake && !make_streaming(task)) {
        mr_run_fail(task->run, task, MR_ERR_NOMEM);
        return;
    }
    bool own = (node->streaming || node->node->op->cpu == 0) && !task->run->planning;
    if (own && start_on_own_thread(task))
        return;
    if (own && node->streaming) { /* on a CPU slot it would starve those that it waits for */
        mr_run_fail(task->run, task, MR_ERR_LIMIT);
        return;
    }
    task->state = MR_TASK_READY;
    task->run->ready++;
    if (!mr_heap_push(task->run->engine, task))
        mr_run_fail(task->run, task, MR_ERR_NOMEM);
}

/* After a batch failed, or a wait: back to where its inputs say. Lock held. */
void mr_task_requeue(mr_task *task)
{
    task->batch = NULL;
    task->missing = 0;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        mr_slot *slot = task->slots[b];
        if (slot->state == MR_SLOT_VOID) {
            mr_task_end(task, MR_TASK_SKIPPED, "what it needs was skipped");
            return;
        }
        if (slot->state != MR_SLOT_PROMISED)
            continue;
        mr_waiter *waiter = mr_arena_take(task->run->arena, sizeof(*waiter));
        if (!waiter) {
            mr_run_fail(task->run, task, MR_ERR_NOMEM);
            return;
        }
        *waiter = (mr_waiter){.task = task, .next = slot->waiters};
        slot->waiters = waiter;
        task->missing++;
    }
    task->state = MR_TASK_PENDING;
    if (task->missing == 0)
        mr_task_ready(task);
}

void mr_task_delay(mr_task *task, int64_t us)
{
    mr_engine *engine = task->run->engine;
    task->batch = NULL;
    task->state = MR_TASK_DELAYED;
    task->due_us = mr_now_us() + us;
    task->delayed_next = engine->delayed;
    engine->delayed = task;
    pthread_cond_signal(&engine->tick);
}

void mr_task_put_aside(mr_task *task)
{
    int64_t us = CLAIM_DELAY_US;
    for (uint32_t i = 0; i < task->asides && us < CLAIM_DELAY_MAX_US; i++)
        us *= 2;
    task->asides++;
    task->attempt--;
    mr_task_clear_attempt(task);
    mr_task_delay(task, us < CLAIM_DELAY_MAX_US ? us : CLAIM_DELAY_MAX_US);
}

/* ---- ending ---- */

static void fill_outputs(mr_task *task, bool made)
{
    mr_node_run *node = task->node;
    for (uint32_t p = 0; p < node->output_count; p++) {
        mr_stream *stream = &node->outputs[p];
        mr_item *item = NULL;
        if (!stream->by_task || task->index >= stream->count)
            continue;
        for (size_t i = 0; made && i < task->output_count; i++) {
            if (task->outputs[i].port == p)
                item = task->outputs[i].item;
        }
        if (item && !stream->any_order && item->pub.index != task->index) /* what its batch reads already is not written again */
            item->pub.index = task->index;
        if (item && !mr_stream_arrive(stream, item))
            mr_run_stop(task->run, MR_ERR_NOMEM);
        if (stream->slots[task->index]->state == MR_SLOT_PROMISED)
            mr_slot_fill(stream->slots[task->index], item);
        mr_stream_changed(stream);
    }
}

static bool has_ended(const mr_task *task)
{
    return task->state >= MR_TASK_SUCCEEDED;
}

/* For those who take any order, the turn of the others is not waited for. */
static void tell_arrivals(mr_task *task)
{
    for (size_t i = 0; i < task->output_count && !task->node->streaming; i++) {
        mr_stream *stream = &task->node->outputs[task->outputs[i].port];
        if (!stream->by_task && !mr_stream_arrive(stream, task->outputs[i].item))
            mr_run_stop(task->run, MR_ERR_NOMEM);
    }
}

/* Ports with any number of items get them in task order: as far as all tasks before have ended. */
static void advance_prefix(mr_node_run *node)
{
    while (node->prefix < node->task_count && has_ended(node->tasks[node->prefix])) {
        mr_task *task = node->tasks[node->prefix++];
        bool made = (task->state == MR_TASK_SUCCEEDED || task->state == MR_TASK_CACHED) && !node->streaming;
        for (size_t i = 0; made && i < task->output_count; i++) {
            mr_stream *stream = &node->outputs[task->outputs[i].port];
            if (!stream->by_task && !mr_stream_add(node->run, stream, task->outputs[i].item))
                mr_run_stop(node->run, MR_ERR_NOMEM);
        }
        free(task->outputs);
        task->outputs = NULL;
        task->output_count = 0;
    }
}

static void count_end(mr_node_run *node, mr_task_state state)
{
    node->ended++;
    switch (state) {
    case MR_TASK_SUCCEEDED: node->succeeded++; break;
    case MR_TASK_CACHED: node->cached++; break;
    case MR_TASK_FAILED: node->failed++; break;
    case MR_TASK_CANCELLED: node->cancelled++; break;
    default: node->skipped++; break;
    }
}

void mr_task_end(mr_task *task, mr_task_state state, const char *reason)
{
    char item[96];
    if (has_ended(task))
        return;
    task->run->ready -= task->state == MR_TASK_READY;
    task->run->opening -= task->position <= 0;
    task->state = state;
    task->stamp++;
    count_end(task->node, state);
    mr_node_touch(task->node);
    mr_run_emit(task->run, (mr_event){.type = MR_EVENT_TASK_DONE,
                                      .node = task->node->node->name,
                                      .item = mr_task_item_text(task, item),
                                      .state = mr_task_state_name(state),
                                      .reason = reason,
                                      .attempt = task->attempt,
                                      .elapsed_us = task->started_us ? mr_wall_us() - task->started_us : 0,
                                      .cpu_us = task->cpu_us});
    const bool made = state == MR_TASK_SUCCEEDED || state == MR_TASK_CACHED;
    fill_outputs(task, made);
    if (made)
        tell_arrivals(task);
    advance_prefix(task->node);
}
