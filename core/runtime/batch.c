/* SPDX-License-Identifier: MIT */
/*
 * Running a batch on the calling thread: what can be reused is not run; the rest goes to the op in one call.
 * While its tasks run they are the thread's; the lock is taken only to look at slots and to conclude.
 */
#include "base/clock.h"
#include "base/file.h"
#include "config/params.h"
#include "runtime/hosts/serve.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

static void report_diags(mr_task *task, const mr_diags *diags)
{
    for (const mr_diag *diag = mr_diags_first(diags); diag; diag = diag->next)
        mr_report_add(task, diag->severity, NULL, diag->hint, strdup(diag->message));
}

/* Fills the params, and evaluates 'when'. */
static mr_status prepare(mr_batch_run *batch, mr_task *task, mr_expr_vm *vm, bool *ret_skip)
{
    mr_node_run *node = task->node;
    mr_diags *diags = NULL;
    json_t *scope = NULL;
    mr_status status = MR_OK;
    bool wanted = true;
    *ret_skip = false;
    task->params = node->params;
    if (!node->open_params && !node->when)
        return MR_OK;
    diags = mr_diags_new();
    scope = mr_task_scope(task);
    if (!diags || !scope || !vm)
        status = MR_ERR_NOMEM;
    if (status == MR_OK && node->when)
        status = mr_expr_test(vm, node->when, scope, diags, &wanted);
    if (status == MR_OK && wanted && node->open_params) {
        if (!batch->arena)
            batch->arena = mr_arena_new(0);
        status = batch->arena ? mr_bound_params(batch->arena, vm, task->run->bound, node->index, scope, diags, &task->params) : MR_ERR_NOMEM;
    }
    if (status != MR_OK)
        report_diags(task, diags);
    *ret_skip = status == MR_OK && !wanted;
    json_decref(scope);
    mr_diags_free(diags);
    return status;
}

static void end_locked(mr_task *task, mr_task_state state, const char *reason)
{
    pthread_mutex_lock(&task->run->engine->lock);
    mr_task_end(task, state, reason);
    mr_run_settle(task->run);
    pthread_mutex_unlock(&task->run->engine->lock);
}

/* Not before it is known that nobody else works on it: a task that is put aside has not begun. */
static void tell_started(mr_task *task)
{
    char item[96];
    if (task->run->planning || task->told)
        return;
    pthread_mutex_lock(&task->run->engine->lock);
    task->told = true;
    mr_run_emit(
        task->run,
        (mr_event){.type = MR_EVENT_TASK_STARTED, .node = task->node->node->name, .item = mr_task_item_text(task, item), .attempt = task->attempt});
    pthread_mutex_unlock(&task->run->engine->lock);
}

/* Until a result of its own names them, nothing but their age keeps them. */
static bool keep_outputs(const mr_task *task, const json_t *outputs)
{
    size_t i;
    const json_t *one;
    json_array_foreach(outputs, i, one)
    {
        const char *digest = json_string_value(json_object_get(one, "digest"));
        const uint64_t size = (uint64_t)json_integer_value(json_object_get(one, "size"));
        if (digest && !task->run->planning && !mr_objects_keep(task->run->engine->objects, digest, size))
            return false;
    }
    return true;
}

/* True: it was done before, and is on its way to its end. */
static bool look_up(mr_task *task)
{
    json_t *outputs = NULL;
    json_t *facts = NULL;
    if (!task->identity[0] || task->run->no_cache)
        return false;
    if (mr_store_find_result(task->run->engine->store, task->identity, NULL, &outputs) != MR_OK)
        outputs = mr_task_find_trace(task, &facts);
    const bool whole = outputs && (!facts || keep_outputs(task, outputs)) && mr_outputs_load(task, outputs) == MR_OK;
    if (whole) {
        tell_started(task);
        mr_task_reuse(task, outputs, facts);
    } else {
        json_decref(outputs);
    }
    json_decref(facts);
    return whole;
}

static void begin(mr_engine *engine, mr_batch_run *batch, mr_task *task)
{
    pthread_mutex_lock(&engine->lock);
    task->attempt++;
    task->batch = batch;
    task->identity[0] = '\0';
    task->cpu_us = 0;
    task->host_lost = false;
    task->told = false;
    task->cursor_last = 0;
    if (task->cursors) /* from the beginning: what an earlier attempt took is gone with it */
        memset(task->cursors, 0, task->cursor_count * sizeof(*task->cursors));
    task->started_us = mr_wall_us();
    atomic_store(&task->timed_out, false);
    atomic_store(&task->deadline_us, task->node->node->timeout_us ? mr_now_us() + task->node->node->timeout_us : 0);
    if (task->node->node->timeout_us && !task->timed) {
        task->timed = true;
        task->timed_next = engine->timed;
        engine->timed = task;
        pthread_cond_signal(&engine->tick);
    }
    pthread_mutex_unlock(&engine->lock);
}

/* True: the op must run it. Ends or fails it otherwise. */
static bool needs_running(mr_engine *engine, mr_batch_run *batch, mr_task *task, mr_expr_vm *vm)
{
    bool skip = false;
    if (atomic_load(&task->cancel)) {
        end_locked(task, MR_TASK_CANCELLED, NULL);
        return false;
    }
    mr_status status = prepare(batch, task, vm, &skip);
    if (status != MR_OK) {
        tell_started(task);
        mr_task_conclude(task, status);
        return false;
    }
    if (skip) {
        end_locked(task, MR_TASK_SKIPPED, "its 'when' is false");
        return false;
    }
    if (mr_task_identity(task) != MR_OK)
        task->identity[0] = '\0'; /* asked for again at its end */
    if (look_up(task))
        return false;
    if (task->run->planning) {
        mr_explain_task(task);
        pthread_mutex_lock(&engine->lock);
        task->state = MR_TASK_KNOWN;
        mr_run_settle(task->run);
        pthread_mutex_unlock(&engine->lock);
        return false;
    }
    if (!mr_task_claim(task)) {
        pthread_mutex_lock(&engine->lock);
        mr_task_put_aside(task);
        mr_run_settle(task->run);
        pthread_mutex_unlock(&engine->lock);
        return false;
    }
    if (task->claim && look_up(task)) /* whoever had the claim before may have made it */
        return false;
    tell_started(task);
    return true;
}

typedef enum readiness { READY_COMPLETE, READY_IN_BATCH, READY_VOID, READY_LATER } readiness;

/* Lock held. What is missing must be made by those of the batch that run now: others end when they are durable. */
static readiness look_at_inputs(const mr_task *task, mr_task *const *selected, uint32_t count)
{
    readiness answer = READY_COMPLETE;
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        const mr_slot *slot = task->slots[b];
        bool made = false;
        if (slot->state == MR_SLOT_VOID)
            return READY_VOID;
        if (slot->state == MR_SLOT_FILLED)
            continue;
        for (uint32_t i = 0; i < count && !made; i++)
            made = selected[i] == slot->producer;
        answer = made && answer != READY_LATER ? READY_IN_BATCH : READY_LATER;
    }
    return answer;
}

/* Lock held. */
static void wait_for_inputs(mr_task *task, bool solo)
{
    mr_task_again(task);
    task->solo = task->solo || solo;
    mr_task_requeue(task);
    mr_run_settle(task->run);
}

/* Tasks whose inputs come from others of the batch can't be looked up before; everything else is. */
static uint32_t select_tasks(mr_engine *engine, mr_batch_run *batch, mr_expr_vm *vm, mr_task *ret_selected[MR_MAX_BATCH])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_task *task = batch->tasks[i];
        bool skip = false;
        begin(engine, batch, task);
        pthread_mutex_lock(&engine->lock);
        const readiness inputs = look_at_inputs(task, ret_selected, count);
        const bool open = task->node->when || task->node->open_params; /* its params depend on what is still to be made */
        if (inputs == READY_LATER || (inputs == READY_IN_BATCH && open))
            wait_for_inputs(task, inputs == READY_IN_BATCH);
        pthread_mutex_unlock(&engine->lock);
        if (inputs == READY_VOID) {
            end_locked(task, MR_TASK_SKIPPED, "what it needs was skipped");
        } else if (inputs == READY_COMPLETE) {
            if (needs_running(engine, batch, task, vm))
                ret_selected[count++] = task;
        } else if (inputs == READY_IN_BATCH && !open && prepare(batch, task, vm, &skip) == MR_OK) {
            tell_started(task);
            ret_selected[count++] = task;
        }
    }
    return count;
}

static bool is_given(const mr_task *task, const mr_artifact *artifact)
{
    const mr_port *ports = task->node->node->op->inputs;
    for (uint32_t port = 0; ports && ports[port].name; port++) {
        const mr_artifact *given;
        for (size_t i = 0; (given = mr_host_table.input(task, port, i)); i++) {
            if (given == artifact)
                return true;
        }
    }
    return false;
}

/* Which input of the pipeline to name when a task kills its hosts: one that it reads itself, else the first. */
static const char *source_name(const mr_task *task)
{
    const char *first = NULL;
    const mr_pipeline *pipeline = task->run->bound->pipeline;
    for (size_t i = 0; i < pipeline->input_count; i++) {
        const mr_stream *stream = &task->run->inputs[i];
        const mr_item *item = stream->count > 0 ? stream->slots[0]->item : NULL;
        if (!item || !item->pub.name[0])
            continue;
        if (is_given(task, &item->pub))
            return item->pub.name;
        first = first ? first : item->pub.name;
    }
    return first;
}

/* A task went alone, and its host was lost: a strike. After the last one the input is set aside. */
static mr_status count_strike(mr_task *task, const mr_host_outcome *outcome)
{
    char item[96];
    char hint[640];
    const char *source = source_name(task);
    const uint32_t most = (uint32_t)task->run->engine->settings.host_strikes;
    mr_task_item_text(task, item);
    snprintf(hint, sizeof(hint), "its last words: %s", outcome->words);
    task->host_lost = ++task->strikes < most;
    if (task->host_lost) {
        mr_host_table.report(task, MR_SEVERITY_ERROR, NULL, outcome->words[0] ? hint : NULL, "the task host %s", outcome->why);
        return MR_ERR_UNAVAILABLE;
    }
    mr_host_table.report(task, MR_SEVERITY_ERROR, NULL, outcome->words[0] ? hint : NULL,
                         "input '%s' is set aside: it cost %u task host%s in node '%s'%s%s; the last one %s", source ? source : "?", task->strikes,
                         task->strikes == 1 ? "" : "s", task->node->node->name, item[0] ? ", item " : "", item, outcome->why);
    return MR_ERR_INPUT;
}

static void look_for_script(const mr_filter_use *use, void *found)
{
    *(bool *)found |= use->filter && mr_filter_script_of(use->filter);
}

static bool has_script(mr_task *const *tasks, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        const mr_op *op = tasks[i]->node->node->op;
        found |= mr_ops_script_of(op) != NULL;
        mr_params_each_filter(op->params, tasks[i]->params, look_for_script, &found);
    }
    return found;
}

static void run_in_host(mr_engine *engine, mr_task *const *tasks, const uint32_t *slots, uint32_t count)
{
    mr_host_outcome outcome;
    mr_batch_run *whole = tasks[0]->batch;
    const bool script = has_script(tasks, count);
    uint32_t left = 0;
    mr_host_run_batch(engine->hosts, &engine->settings, tasks, slots, count, &outcome);
    for (uint32_t i = 0; i < count; i++)
        left += !whole->concluded[slots[i]];
    for (uint32_t i = 0; i < count; i++) {
        mr_task *task = tasks[i];
        mr_status status = outcome.status;
        if (whole->concluded[slots[i]])
            continue;
        task->cpu_us = outcome.cpu_us / left;
        if (outcome.lost && atomic_load(&task->cancel))
            status = MR_ERR_CANCELLED;
        else if (outcome.lost && outcome.stuck && script) /* of any other op a host that says so has just ended */
            status = MR_ERR_LIMIT;
        else if (outcome.lost)
            status = whole->count == 1 ? count_strike(task, &outcome) : MR_ERR_UNAVAILABLE;
        mr_task_conclude(task, status);
    }
}

static void run_here(mr_task *const *tasks, const uint32_t *slots, uint32_t count)
{
    mr_batch_task views[MR_MAX_BATCH];
    mr_batch_run *whole = tasks[0]->batch;
    const mr_batch batch = {.size = sizeof(batch), .count = count, .tasks = views, .processors = 1 + whole->spare};
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        views[i] = (mr_batch_task){.task = tasks[i], .op = tasks[i]->node->node->op, .params = tasks[i]->params};
    whole->cpu_mark_us = mr_thread_cpu_us();
    mr_status status = views[0].op->run(&mr_host_table, &batch);
    for (uint32_t i = 0; i < count; i++)
        left += !whole->concluded[slots[i]];
    int64_t cpu = mr_thread_cpu_us() - whole->cpu_mark_us;
    for (uint32_t i = 0; i < count; i++) {
        if (!whole->concluded[slots[i]]) {
            tasks[i]->cpu_us = cpu / left;
            mr_task_conclude(tasks[i], status > 0 && status != MR_NOT_YET ? MR_ERR_INTERNAL : status);
        }
    }
}

/* Pure ops run in a task host; those that act on the world need it, and run here. What is in Lua must be where it can be killed, sandbox or not. */
static void run_selected(mr_engine *engine, mr_task *const *tasks, uint32_t count)
{
    uint32_t slots[MR_MAX_BATCH];
    for (uint32_t i = 0; i < count; i++)
        slots[i] = tasks[i]->batch_slot;
    const mr_op *op = tasks[0]->node->node->op;
    const bool away = engine->settings.sandbox != MR_SANDBOX_OFF || has_script(tasks, count);
    if (engine->hosts && away && !(op->flags & MR_OP_EFFECT))
        run_in_host(engine, tasks, slots, count);
    else
        run_here(tasks, slots, count);
}

static void clean_up(mr_engine *engine, mr_batch_run *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->scratch[i])
            mr_dir_remove(batch->scratch[i], NULL);
        free(batch->scratch[i]);
    }
    mr_arena_free(batch->arena);
    mr_reads_free(batch);
    pthread_mutex_lock(&engine->lock);
    mr_batch_over(engine, batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        mr_task *task = batch->tasks[i];
        if (task->state >= MR_TASK_SUCCEEDED)
            mr_task_clear_attempt(task);
        if (task->batch == batch)
            task->batch = NULL;
        task->run->busy--;
        mr_run_settle(task->run);
    }
    pthread_mutex_unlock(&engine->lock);
}

void mr_batch_execute(mr_engine *engine, mr_batch_run *batch, mr_expr_vm *vm)
{
    mr_task *selected[MR_MAX_BATCH];
    mr_delivery_wait(batch->tasks[0]->run->delivery);
    uint32_t count = select_tasks(engine, batch, vm, selected);
    if (count > 0)
        run_selected(engine, selected, count);
    clean_up(engine, batch);
}
