/* SPDX-License-Identifier: MIT */
/*
 * The life of a task: pending -> ready -> running -> succeeded, cached, failed, cancelled or skipped; back to ready when it is tried again.
 * A success is committed to the store before its outputs are seen by anyone (streaming tasks excepted).
 */
#include "base/clock.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_DELAY_MAX_US (60 * 1000000ll)
#define NOT_YET_DELAY_US   (100 * 1000ll)

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

/* An error always finds room: whoever floods a task with messages must not hide why it failed. */
void mr_report_add(mr_task *task, mr_severity severity, const char *param, const char *hint, char *take_message)
{
    mr_report *grown = NULL;
    if (take_message && task->report_count == MR_MAX_REPORTS && severity == MR_SEVERITY_ERROR)
        drop_last_report(task);
    if (take_message && task->report_count < MR_MAX_REPORTS)
        grown = realloc(task->reports, (task->report_count + 1) * sizeof(*grown));
    if (!grown) {
        free(take_message);
        return;
    }
    task->reports = grown;
    grown[task->report_count++] =
        (mr_report){.severity = severity, .param = param ? strdup(param) : NULL, .hint = hint ? strdup(hint) : NULL, .message = take_message};
}

static void free_reports(mr_task *task)
{
    while (task->report_count > 0)
        drop_last_report(task);
    free(task->reports);
    task->reports = NULL;
}

/* The last error that the op reported: the nearest to the cause of the end. */
static const mr_report *last_error(const mr_task *task)
{
    for (size_t i = task->report_count; i-- > 0;) {
        if (task->reports[i].severity == MR_SEVERITY_ERROR)
            return &task->reports[i];
    }
    return NULL;
}

void mr_task_clear_attempt(mr_task *task)
{
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

static void delay(mr_task *task, int64_t us)
{
    mr_engine *engine = task->run->engine;
    task->batch = NULL;
    task->state = MR_TASK_DELAYED;
    task->due_us = mr_now_us() + us;
    task->delayed_next = engine->delayed;
    engine->delayed = task;
    pthread_cond_signal(&engine->tick);
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
        if (item)
            item->pub.index = task->index;
        if (stream->slots[task->index]->state == MR_SLOT_PROMISED)
            mr_slot_fill(stream->slots[task->index], item);
        mr_stream_changed(stream);
    }
}

static bool has_ended(const mr_task *task)
{
    return task->state >= MR_TASK_SUCCEEDED;
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
    task->state = state;
    task->stamp++;
    task->batch = NULL;
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
    fill_outputs(task, state == MR_TASK_SUCCEEDED || state == MR_TASK_CACHED);
    advance_prefix(task->node);
}

/* ---- concluding an attempt ---- */

static void emit_outputs(const mr_task *task, const json_t *outputs)
{
    char item[96];
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)outputs, i, one)
    {
        mr_run_emit(task->run,
                    (mr_event){.type = MR_EVENT_OUTPUT, .node = task->node->node->name, .item = mr_task_item_text(task, item), .detail = one});
    }
}

static void emit_reports(const mr_task *task)
{
    char item[96];
    for (size_t i = 0; i < task->report_count; i++) {
        mr_run_emit(task->run, (mr_event){.type = MR_EVENT_TASK_REPORT,
                                          .node = task->node->node->name,
                                          .item = mr_task_item_text(task, item),
                                          .severity = task->reports[i].severity,
                                          .reason = task->reports[i].message});
    }
}

/* Ports that promise exactly one item a task must have got it. */
static mr_status check_outputs(mr_task *task)
{
    const mr_node_run *node = task->node;
    const mr_port *table = node->node->op->outputs;
    char *message = NULL;
    for (uint32_t p = 0; p < node->output_count; p++) {
        size_t count = 0;
        for (size_t i = 0; i < task->output_count; i++)
            count += task->outputs[i].port == p;
        bool fine = (table[p].flags & MR_PORT_MANY) || count == 1 || (count == 0 && (table[p].flags & MR_PORT_OPTIONAL));
        if (fine || node->streaming)
            continue;
        if (asprintf(&message, "op '%s' emitted %zu artifacts on port '%s', which takes exactly one", node->node->op->name, count, table[p].name) >=
            0)
            mr_report_add(task, MR_SEVERITY_ERROR, NULL, "this is a defect of the plugin", message);
        return MR_ERR_INTERNAL;
    }
    return MR_OK;
}

/* Not under the lock: blocks until durable. */
static mr_status commit(mr_task *task, const char *state, const json_t *outputs)
{
    char item[96];
    mr_diags *diags = mr_diags_new();
    const mr_task_record record = {.run = task->run->id,
                                   .node = task->node->node->name,
                                   .item = mr_task_item_text(task, item),
                                   .identity = task->identity[0] ? task->identity : NULL,
                                   .state = state,
                                   .reason = last_error(task) ? last_error(task)->message : NULL,
                                   .started_us = task->started_us,
                                   .ended_us = mr_wall_us(),
                                   .cpu_us = task->cpu_us,
                                   .attempt = task->attempt};
    json_t *facts = outputs ? mr_task_facts(task) : NULL;
    const mr_result result = {.identity = task->identity, .op = task->node->node->op->name, .outputs = outputs, .facts = facts};
    mr_status status = mr_store_task_done(task->run->engine->store, &record, outputs && task->identity[0] ? &result : NULL, diags);
    const mr_diag *first = mr_diags_first(diags);
    if (status != MR_OK && outputs) /* that a failure is not in the journal is no second failure */
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, first ? first->hint : NULL, strdup(first ? first->message : "the task store refused"));
    mr_diags_free(diags);
    json_decref(facts);
    return status;
}

static mr_status conclude_success(mr_task *task, json_t **ret_outputs)
{
    mr_status status = check_outputs(task);
    if (status == MR_OK && !task->identity[0])
        status = mr_task_identity(task);
    if (status != MR_OK)
        return status;
    *ret_outputs = mr_outputs_json(task);
    return *ret_outputs ? commit(task, "succeeded", *ret_outputs) : MR_ERR_NOMEM;
}

#define HOST_LOST_DELAY_US (100 * 1000ll)

static bool may_retry(const mr_task *task, mr_status status)
{
    if (task->host_lost && status == MR_ERR_UNAVAILABLE)
        return !atomic_load(&task->cancel);
    /* What cost a host was no attempt of the node's own. */
    return status == MR_ERR_UNAVAILABLE && task->attempt - task->strikes < task->node->node->attempts && !atomic_load(&task->cancel);
}

/* Lock held. The failure that decides what the run does. */
static void conclude_failure(mr_task *task, mr_status status)
{
    const mr_node *node = task->node->node;
    const mr_report *error = last_error(task);
    char item[96];
    if (may_retry(task, status)) {
        int64_t wait = node->retry_delay_us;
        for (uint32_t i = 1; i < task->attempt && wait < RETRY_DELAY_MAX_US; i++)
            wait *= 2;
        mr_run_emit(task->run, (mr_event){.type = MR_EVENT_TASK_RETRY,
                                          .node = node->name,
                                          .item = mr_task_item_text(task, item),
                                          .attempt = task->attempt,
                                          .reason = error ? error->message : mr_status_text(status)});
        mr_task_clear_attempt(task);
        delay(task, task->host_lost ? HOST_LOST_DELAY_US : wait < RETRY_DELAY_MAX_US ? wait : RETRY_DELAY_MAX_US);
        return;
    }
    if (node->on_error == MR_ON_ERROR_SKIP) {
        mr_task_end(task, MR_TASK_SKIPPED, error ? error->message : mr_status_text(status));
        return;
    }
    mr_run_fail(task->run, task, status);
    mr_task_end(task, MR_TASK_FAILED, error ? error->message : mr_status_text(status));
}

static mr_status name_timeout(mr_task *task, mr_status status)
{
    char *message = NULL;
    char limit[32];
    if (status != MR_ERR_CANCELLED || !atomic_load(&task->timed_out))
        return status;
    mr_duration_text(task->node->node->timeout_us, limit, sizeof(limit));
    if (asprintf(&message, "did not end within its timeout of %s", limit) >= 0)
        mr_report_add(task, MR_SEVERITY_ERROR, NULL, "raise the node's 'timeout', or make its work smaller", message);
    return MR_ERR_LIMIT;
}

/* The attempt does not count; another worker may have the task as soon as it is queued. */
static void again(mr_task *task)
{
    task->attempt--;
    mr_task_clear_attempt(task);
}

void mr_task_conclude(mr_task *task, mr_status status)
{
    mr_engine *engine = task->run->engine;
    json_t *outputs = NULL;
    task->batch->concluded[task->batch_slot] = true;
    status = mr_task_check_sources(task, name_timeout(task, status));
    if (status == MR_OK)
        status = conclude_success(task, &outputs);
    const bool alone = !task->batch || task->batch->count == 1;
    const bool final = alone && status < 0 && status != MR_ERR_CANCELLED && !may_retry(task, status);
    if (final)
        commit(task, task->node->node->on_error == MR_ON_ERROR_SKIP ? "skipped" : "failed", NULL);

    pthread_mutex_lock(&engine->lock);
    if (status == MR_OK || final)
        emit_reports(task);
    if (status == MR_OK) {
        emit_outputs(task, outputs);
        mr_task_end(task, MR_TASK_SUCCEEDED, NULL);
    } else if (status == MR_ERR_CANCELLED) {
        mr_task_end(task, MR_TASK_CANCELLED, NULL);
    } else if (status == MR_NOT_YET) {
        again(task);
        delay(task, NOT_YET_DELAY_US);
    } else if (!alone) { /* which of the batch is to blame is not known */
        again(task);
        task->solo = true;
        mr_task_requeue(task);
    } else {
        conclude_failure(task, status);
    }
    mr_run_settle(task->run);
    pthread_mutex_unlock(&engine->lock);
    json_decref(outputs);
}
