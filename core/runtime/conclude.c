/* SPDX-License-Identifier: MIT */
/*
 * How an attempt is concluded. A success goes to the store's writer, and the worker goes on; when it is durable the task ends: only then its outputs
 * are seen by others, and it is told (streaming tasks excepted, whose outputs are seen at once by definition).
 *
 * Invariants
 *   - From mr_task_conclude() on, the task is not its worker's any more: nothing but clean_up (batch.c, under the lock) looks at it there.
 *   - While its commit is on the way a task is RUNNING and counts as busy: a run is over when all its commits are done.
 *   - Who needs the outputs in the same batch gets them at once (their slots hold the item, and are still promised to all others), and its commit
 *     comes after theirs is durable: should theirs fail, it is made again, too, for nobody could find a result whose inputs are not recorded.
 */
#include "base/clock.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_DELAY_MAX_US (60 * 1000000ll)
#define NOT_YET_DELAY_US   (100 * 1000ll)
#define MANY_OUTPUTS       256 /* as JSON they take megabytes for a moment */

/* The last error that the op reported: the nearest to the cause of the end. */
static const mr_report *last_error(const mr_task *task)
{
    for (size_t i = task->report_count; i-- > 0;) {
        if (task->reports[i].severity == MR_SEVERITY_ERROR)
            return &task->reports[i];
    }
    return NULL;
}

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
                                          .hint = task->reports[i].hint,
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

/* ---- commits ---- */

/* A success on its way to the disk. */
typedef struct commitment {
    mr_task *task;
    json_t *outputs; /* to be told; NULL: nobody listens */
    bool cached;
    bool alone; /* was alone in its batch */
} commitment;

static void conclude_failure(mr_task *task, mr_status status, bool alone);

/* Lock held. */
static void end_success(const commitment *it)
{
    it->task->run->engine->untidy |= it->task->output_count >= MANY_OUTPUTS;
    emit_reports(it->task);
    if (it->outputs)
        emit_outputs(it->task, it->outputs);
    mr_task_end(it->task, it->cached ? MR_TASK_CACHED : MR_TASK_SUCCEEDED, NULL);
    mr_task_clear_attempt(it->task);
}

static void report_refusal(mr_task *task, const mr_diags *diags)
{
    const mr_diag *first = mr_diags_first(diags);
    mr_report_add(task, MR_SEVERITY_ERROR, NULL, first ? first->hint : NULL, strdup(first ? first->message : "the task store refused"));
}

/* On the store's writer thread. After the lock is let go the run may be gone. */
static void committed(void *context, mr_status status, const mr_diags *diags)
{
    commitment *it = context;
    mr_task *task = it->task;
    mr_engine *engine = task->run->engine;
    mr_delivery_wait(task->run->delivery);
    if (status != MR_OK && !it->cached)
        report_refusal(task, diags);
    pthread_mutex_lock(&engine->lock);
    task->run->busy--;
    task->committing = false;
    pthread_cond_broadcast(&engine->committed);
    if (it->cached && status == MR_ERR_NOT_FOUND) { /* collected a moment ago (gc.c): it has to be made again */
        mr_task_again(task);
        task->output_count = 0; /* the items stay with the run, unseen */
        mr_task_requeue(task);
    } else if (status == MR_OK || it->cached) { /* that a result was used again need not be recorded: it is there */
        end_success(it);
    } else {
        conclude_failure(task, status, it->alone);
    }
    mr_run_settle(task->run);
    pthread_mutex_unlock(&engine->lock);
    json_decref(it->outputs);
    free(it);
}

static mr_task_record record_of(const mr_task *task, const char *state, char item[96])
{
    const mr_report *error = last_error(task);
    return (mr_task_record){.run = task->run->id,
                            .node = task->node->node->name,
                            .item = mr_task_item_text(task, item),
                            .identity = task->identity[0] ? task->identity : NULL,
                            .state = state,
                            .reason = error ? error->message : NULL,
                            .started_us = task->started_us,
                            .ended_us = mr_wall_us(),
                            .cpu_us = task->cpu_us,
                            .attempt = task->attempt};
}

static void set_committing(mr_task *task, bool committing)
{
    pthread_mutex_lock(&task->run->engine->lock);
    task->committing = committing;
    task->run->busy += committing ? 1 : -1u;
    pthread_mutex_unlock(&task->run->engine->lock);
}

/*
 * Not under the lock. MR_OK: committed() will be called, and outputs is not the caller's any more: whoever counts references beside the writer's
 * thread races with it.
 */
static mr_status submit(mr_task *task, json_t *outputs, const json_t *facts, bool cached)
{
    json_t *unheard = task->run->delivery ? NULL : outputs;
    char item[96];
    const mr_task_record record = record_of(task, cached ? "cached" : "succeeded", item);
    const mr_result result = {.identity = task->identity, .op = task->node->node->op->name, .outputs = outputs, .facts = facts};
    const bool with_result = task->identity[0] && (!cached || facts);
    commitment *it = calloc(1, sizeof(*it));
    if (!it)
        return MR_ERR_NOMEM;
    *it = (commitment){.task = task, .cached = cached, .alone = !task->batch || task->batch->count == 1, .outputs = unheard ? NULL : outputs};
    mr_diags *diags = mr_diags_new();
    set_committing(task, true);
    mr_status status = mr_store_task_submit(task->run->engine->store, &record, with_result ? &result : NULL, committed, it, diags);
    if (status != MR_OK) {
        set_committing(task, false);
        if (!cached)
            report_refusal(task, diags);
        free(it);
    } else {
        json_decref(unheard);
    }
    mr_diags_free(diags);
    return status;
}

/* A failure is in the journal before it is told; that it can't be is no second failure. */
static void record_failure(mr_task *task, const char *state)
{
    char item[96];
    const mr_task_record record = record_of(task, state, item);
    mr_store_task_done(task->run->engine->store, &record, NULL, NULL);
}

void mr_task_reuse(mr_task *task, json_t *take_outputs, const json_t *facts)
{
    mr_engine *engine = task->run->engine;
    const commitment it = {.task = task, .cached = true};
    if (!task->run->planning && submit(task, take_outputs, facts, true) == MR_OK)
        return;
    pthread_mutex_lock(&engine->lock);
    if (task->run->delivery)
        emit_outputs(task, take_outputs);
    end_success(&it);
    mr_run_settle(task->run);
    pthread_mutex_unlock(&engine->lock);
    json_decref(take_outputs);
}

/* ---- those of its batch that wait for it ---- */

static bool waits_for(const mr_task *task, const mr_task *producer)
{
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        if (task->slots[b]->state == MR_SLOT_PROMISED && task->slots[b]->producer == producer)
            return true;
    }
    return false;
}

static bool has_all_items(const mr_task *task)
{
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        if (!task->slots[b]->item)
            return false;
    }
    return true;
}

/* Lock held. Lets those of the batch that wait for it have its outputs; which of them have all now. */
static uint32_t feed_batch(mr_task *task, mr_task *ret_fed[MR_MAX_BATCH])
{
    const mr_batch_run *batch = task->batch;
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (!batch->concluded[i] && batch->tasks[i]->batch == batch && waits_for(batch->tasks[i], task))
            ret_fed[count++] = batch->tasks[i];
    }
    for (uint32_t p = 0; count && p < task->node->output_count; p++) {
        const mr_stream *stream = &task->node->outputs[p];
        for (size_t i = 0; stream->by_task && i < task->output_count; i++) {
            if (task->outputs[i].port != p)
                continue;
            task->outputs[i].item->pub.index = task->index;
            stream->slots[task->index]->item = task->outputs[i].item;
        }
    }
    uint32_t whole = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (has_all_items(ret_fed[i]))
            ret_fed[whole++] = ret_fed[i];
    }
    return whole;
}

/*
 * Before the commit can be seen, what follows in the batch is claimed: else another process would find this result, and begin with the same. Where
 * someone has the claim already, it is done twice: the op has begun.
 */
static void feed_and_claim(mr_task *task)
{
    mr_task *fed[MR_MAX_BATCH];
    if (task->batch->count < 2)
        return;
    pthread_mutex_lock(&task->run->engine->lock);
    const uint32_t count = feed_batch(task, fed);
    pthread_mutex_unlock(&task->run->engine->lock);
    for (uint32_t i = 0; i < count; i++) {
        if (mr_task_identity(fed[i]) == MR_OK)
            mr_task_claim(fed[i]);
    }
}

/* What it was made from is recorded: those of its own batch may be on their way to the disk. */
static mr_status await_producers(const mr_task *task)
{
    mr_engine *engine = task->run->engine;
    mr_status status = MR_OK;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t b = 0; b < task->node->crossed && status == MR_OK; b++) {
        const mr_slot *slot = task->slots[b];
        while (slot->state == MR_SLOT_PROMISED && slot->producer && slot->producer->committing)
            pthread_cond_wait(&engine->committed, &engine->lock);
        if (slot->state != MR_SLOT_FILLED)
            status = MR_ERR_CONFLICT;
    }
    pthread_mutex_unlock(&engine->lock);
    return status;
}

static mr_status conclude_success(mr_task *task)
{
    mr_status status = check_outputs(task);
    if (status == MR_OK)
        status = await_producers(task);
    if (status == MR_OK && !task->identity[0])
        status = mr_task_identity(task);
    if (status != MR_OK)
        return status;
    json_t *outputs = mr_outputs_json(task);
    if (!outputs)
        return MR_ERR_NOMEM;
    json_t *facts = mr_task_facts(task);
    feed_and_claim(task);
    status = submit(task, outputs, facts, false);
    if (status != MR_OK)
        json_decref(outputs);
    json_decref(facts);
    return status;
}

/* ---- failures ---- */

#define HOST_LOST_DELAY_US (100 * 1000ll)

static bool may_retry(const mr_task *task, mr_status status)
{
    /* What cost a host was no attempt of the node's own. */
    return status == MR_ERR_UNAVAILABLE && (task->host_lost || task->attempt - task->strikes < task->node->node->attempts);
}

/* What would be tried again, if it were not told to stop, has not failed. */
static mr_status after_cancel(const mr_task *task, mr_status status)
{
    return may_retry(task, status) && atomic_load(&task->cancel) ? MR_ERR_CANCELLED : status;
}

/* Lock held. The failure that decides what the run does. */
static void fail_or_retry(mr_task *task, mr_status status)
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
                                          .reason = error ? error->message : mr_status_text(status),
                                          .hint = error ? error->hint : NULL});
        mr_task_clear_attempt(task);
        mr_task_delay(task, task->host_lost ? HOST_LOST_DELAY_US : wait < RETRY_DELAY_MAX_US ? wait : RETRY_DELAY_MAX_US);
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
void mr_task_again(mr_task *task)
{
    task->attempt--;
    mr_task_clear_attempt(task);
}

static bool is_final(const mr_task *task, mr_status status, bool alone)
{
    return alone && status < 0 && status != MR_ERR_CANCELLED && !may_retry(task, status);
}

/* Lock held. */
static void conclude_failure(mr_task *task, mr_status status, bool alone)
{
    status = after_cancel(task, status);
    if (is_final(task, status, alone))
        emit_reports(task);
    if (status == MR_ERR_CANCELLED) {
        mr_task_end(task, MR_TASK_CANCELLED, NULL);
    } else if (status == MR_NOT_YET) {
        mr_growth *lacks = task->batch->lacks;
        const uint64_t until = task->batch->lacks_until;
        mr_task_again(task);
        if (lacks)
            mr_task_await(task, lacks, until);
        else
            mr_task_delay(task, NOT_YET_DELAY_US);
    } else if (!alone) { /* which of the batch is to blame is not known */
        mr_task_again(task);
        task->solo = true;
        mr_task_requeue(task);
    } else {
        fail_or_retry(task, status);
    }
}

void mr_task_conclude(mr_task *task, mr_status status)
{
    mr_engine *engine = task->run->engine;
    const bool alone = task->batch->count == 1;
    status = mr_task_end_moves(task, status);
    status = mr_task_check_sources(task, mr_task_lacks(task, name_timeout(task, status)));
    task->batch->concluded[task->batch_slot] = true;
    if (status == MR_OK)
        status = conclude_success(task);
    if (status == MR_OK)
        return; /* and is not ours any more */
    status = after_cancel(task, status);
    if (is_final(task, status, alone))
        record_failure(task, task->node->node->on_error == MR_ON_ERROR_SKIP ? "skipped" : "failed");
    pthread_mutex_lock(&engine->lock);
    conclude_failure(task, status, alone);
    mr_run_settle(task->run);
    pthread_mutex_unlock(&engine->lock);
}
