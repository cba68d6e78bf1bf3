/* SPDX-License-Identifier: MIT */
/*
 * A run from its start to its end: its nodes, how they end, what a failure does. Lock held but where a function is public
 * (engine.h).
 */
#include "runtime/internal.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- events and failures ---- */

void mr_run_emit(mr_run *run, mr_event event)
{
    event.time_us = mr_wall_us();
    event.run = run->id;
    if (!run->planning)
        mr_run_keep_line(run, &event);
    if (!run->delivery)
        return;
    event.seq = ++run->event_seq;
    mr_delivery_put(run->delivery, &event);
}

void mr_run_failure(mr_run *run, const char *code, mr_span span, char *take_message, char *take_hint)
{
    mr_failure *grown = run->failure_count < MR_DIAGS_MAX ? realloc(run->failures, (run->failure_count + 1) * sizeof(*grown)) : NULL;
    if (!grown) {
        free(take_message);
        free(take_hint);
        return;
    }
    run->failures = grown;
    grown[run->failure_count++] =
        (mr_failure){.code = code, .span = span, .message = take_message ? take_message : strdup("memory ran out"), .hint = take_hint};
}

static mr_span param_span(const mr_node *node, const char *param)
{
    const mr_entry *entry = param ? mr_value_entry(node->with, param) : NULL;
    return entry ? entry->value->span : (mr_span){0};
}

static char *describe(const mr_task *task, mr_status status, const char *text)
{
    char item[96];
    char *message = NULL;
    mr_task_item_text(task, item);
    /* An unusable input is the source's fault, not the node's: say only that. */
    int len = status == MR_ERR_INPUT ? asprintf(&message, "%s", text)
              : item[0]              ? asprintf(&message, "node '%s', item %s: %s", task->node->node->name, item, text)
                                     : asprintf(&message, "node '%s': %s", task->node->node->name, text);
    return len < 0 ? NULL : message;
}

void mr_run_fail(mr_run *run, const mr_task *task, mr_status status)
{
    const mr_node *node = task->node->node;
    const char *code = status == MR_ERR_INPUT ? "input" : "task-failed";
    size_t told = 0;
    if (run->failure_count && status == run->status && node->trigger == MR_TRIGGER_NONE)
        return; /* a full disk or a damaged input fails whatever runs at that moment: said once; events have them all */
    for (size_t i = 0; i < task->report_count; i++) {
        const mr_report *report = &task->reports[i];
        if (report->severity != MR_SEVERITY_ERROR)
            continue;
        mr_run_failure(run, code, param_span(node, report->param), describe(task, status, report->message),
                       report->hint ? strdup(report->hint) : NULL);
        told++;
    }
    if (!told)
        mr_run_failure(run, code, (mr_span){0}, describe(task, status, mr_status_text(status)), NULL);
    if (!run->failed_node)
        run->failed_node = strdup(node->name);
    mr_run_stop(run, status);
}

/* Those that wait for the end of all others. */
static void main_nodes_done(mr_run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (run->nodes[i].node->trigger != MR_TRIGGER_NONE)
            mr_node_touch(&run->nodes[i]);
    }
}

/* A source that still arrives may yet be given up: until then nobody is told that all went well. */
static bool mains_have_ended(const mr_run *run)
{
    return run->open_main == 0 && (run->stopping || !mr_run_has_open_sources(run));
}

static void stop_task(mr_task *task)
{
    switch (task->state) {
    case MR_TASK_PENDING:
    case MR_TASK_READY:
    case MR_TASK_DELAYED: mr_task_end(task, MR_TASK_CANCELLED, NULL); break;
    case MR_TASK_RUNNING:
        atomic_store(&task->cancel, true);
        if (task->wake)
            pthread_cond_broadcast(task->wake);
        break;
    default: break;
    }
}

static void stop_node(mr_node_run *node)
{
    node->expanded = true;
    for (size_t i = 0; i < node->task_count; i++)
        stop_task(node->tasks[i]);
    mr_node_touch(node);
}

void mr_run_stop(mr_run *run, mr_status status)
{
    if (run->stopping)
        return;
    run->stopping = true;
    run->status = status;
    for (size_t i = 0; i < run->node_count; i++) {
        if (run->nodes[i].node->trigger == MR_TRIGGER_NONE)
            stop_node(&run->nodes[i]);
    }
    if (run->open_main == 0) /* only its sources were waited for */
        main_nodes_done(run);
}

/* ---- settling ---- */

static const char *final_state(const mr_node_run *node)
{
    if (node->failed)
        return "failed";
    if (node->cancelled)
        return "cancelled";
    if (node->skipped == node->task_count)
        return "skipped";
    return node->cached == node->task_count ? "cached" : "succeeded";
}

static void node_done(mr_node_run *node)
{
    mr_run *run = node->run;
    node->done = true;
    node->state = final_state(node);
    for (uint32_t p = 0; p < node->output_count; p++) {
        node->outputs[p].complete = true;
        mr_stream_changed(&node->outputs[p]);
    }
    mr_run_emit(run, (mr_event){.type = MR_EVENT_NODE_DONE, .node = node->node->name, .state = node->state, .total = node->task_count});
    run->open_all--;
    if (node->node->trigger == MR_TRIGGER_NONE && --run->open_main == 0 && mains_have_ended(run))
        main_nodes_done(run);
}

static bool trigger_fires(const mr_run *run, mr_trigger trigger)
{
    if (run->cancelled)
        return false;
    return trigger == MR_TRIGGER_ALWAYS || (trigger == MR_TRIGGER_FAILURE) == run->stopping;
}

static void look_at_node(mr_node_run *node)
{
    mr_run *run = node->run;
    bool triggered = node->node->trigger != MR_TRIGGER_NONE;
    if (node->left_out)
        node->expanded = true;
    if (!node->expanded && triggered && mains_have_ended(run) && !trigger_fires(run, node->node->trigger))
        node->expanded = true;
    if (!node->expanded && (!triggered || mains_have_ended(run)))
        mr_node_expand(node);
    if (node->expanded && node->ended == node->task_count && !node->done)
        node_done(node);
}

static void end_run(mr_run *run)
{
    run->over = true;
    if (!run->planning)
        mr_run_emit(run, (mr_event){.type = MR_EVENT_RUN_DONE,
                                    .state = run->cancelled  ? "cancelled"
                                             : run->stopping ? "failed"
                                                             : "succeeded",
                                    .reason = run->failure_count ? run->failures[0].message : NULL,
                                    .elapsed_us = mr_wall_us() - run->started_us});
    pthread_cond_broadcast(&run->ended);
}

void mr_run_settle(mr_run *run)
{
    while (run->dirty) {
        mr_node_run *node = run->dirty;
        run->dirty = node->dirty_next;
        node->dirty = false;
        look_at_node(node);
    }
    mr_slots_look_again(run->engine);
    bool quiet = run->busy == 0 && ((run->open_all == 0 && mains_have_ended(run)) || (run->planning && run->ready == 0));
    if (quiet && !run->over)
        end_run(run);
}

void mr_run_sources_over(mr_run *run)
{
    if (mains_have_ended(run))
        main_nodes_done(run);
    mr_run_settle(run);
}

/* ---- public ---- */

static void launch(mr_run *run)
{
    mr_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    run->next = engine->runs;
    engine->runs = run;
    pthread_cond_signal(&engine->watch);
    mr_run_emit(run, (mr_event){.type = MR_EVENT_RUN_STARTED});
    for (size_t i = run->node_count; i-- > 0;)
        mr_node_touch(&run->nodes[i]);
    mr_run_settle(run);
    pthread_mutex_unlock(&engine->lock);
}

/* Recorded before anything of it happens. */
static mr_status record_begin(mr_run *run, const mr_run_options *options, mr_diags *diags)
{
    mr_engine *engine = run->engine;
    const mr_pipeline *pipeline = run->bound->pipeline;
    const char *owner = mr_objects_owner(engine->objects);
    if (options->resume)
        return mr_journal_resume(engine->journal, run->id, owner, diags);
    return mr_store_run_begin(engine->store, run->id, pipeline->name ? pipeline->name : "", owner, options->record, diags);
}

mr_status mr_run_start(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, mr_diags *diags, mr_run **ret_run)
{
    mr_status status = mr_run_create(engine, bound, options, false, diags, ret_run);
    if (status == MR_OK && options->output_dir)
        status = mr_dir_make(options->output_dir, 0755, diags);
    if (status == MR_OK)
        status = record_begin(*ret_run, options, diags);
    if (status != MR_OK) {
        mr_run_destroy(*ret_run);
        *ret_run = NULL;
        return status;
    }
    launch(*ret_run);
    return MR_OK;
}

void mr_run_cancel_locked(mr_run *run)
{
    if (run->over)
        return;
    run->cancelled = true;
    mr_run_stop(run, MR_ERR_CANCELLED);
    for (size_t i = 0; i < run->node_count; i++)
        stop_node(&run->nodes[i]);
    mr_run_settle(run);
}

void mr_run_cancel(mr_run *run)
{
    pthread_mutex_lock(&run->engine->lock);
    mr_run_cancel_locked(run);
    pthread_mutex_unlock(&run->engine->lock);
}

void mr_run_interrupt(mr_run *run)
{
    pthread_mutex_lock(&run->engine->lock);
    run->interrupted = run->interrupted || (!run->over && !run->cancelled);
    mr_run_cancel_locked(run);
    pthread_mutex_unlock(&run->engine->lock);
}

/* "3,1"; "": none. False: that is no item. */
static bool read_coords(const char *item, uint32_t ret_coords[MR_MAX_COORDS], uint32_t *ret_count)
{
    *ret_count = 0;
    while (*item) {
        char *end = NULL;
        errno = 0;
        const unsigned long value = item[0] >= '0' && item[0] <= '9' ? strtoul(item, &end, 10) : 0;
        if (!end || errno || value > UINT32_MAX || *ret_count == MR_MAX_COORDS || (*end && (*end != ',' || !end[1])))
            return false;
        ret_coords[(*ret_count)++] = (uint32_t)value;
        item = *end ? end + 1 : end;
    }
    return true;
}

static mr_task *find_task(const mr_run *run, const char *node, const uint32_t *coords, uint32_t count)
{
    for (size_t n = 0; n < run->node_count; n++) {
        const mr_node_run *at = &run->nodes[n];
        for (size_t t = 0; strcmp(at->node->name, node) == 0 && t < at->task_count; t++) {
            mr_task *task = at->tasks[t];
            if (task->coord_count == count && memcmp(task->coords, coords, count * sizeof(*coords)) == 0)
                return task;
        }
    }
    return NULL;
}

/* With those whose outputs it waits for: as deep as the pipeline. */
static void demand(mr_task *task)
{
    if (task->demanded || task->state >= MR_TASK_SUCCEEDED)
        return;
    task->demanded = true;
    mr_heap_raise(task->run->engine, task);
    for (uint32_t b = 0; b < task->node->crossed; b++) {
        const mr_slot *slot = task->slots[b];
        if (slot->state == MR_SLOT_PROMISED && slot->producer)
            demand(slot->producer);
    }
}

mr_status mr_run_demand(mr_run *run, const char *node, const char *item)
{
    uint32_t coords[MR_MAX_COORDS] = {0};
    uint32_t count = 0;
    if (!read_coords(item, coords, &count))
        return MR_ERR_PARAM;
    pthread_mutex_lock(&run->engine->lock);
    mr_task *task = find_task(run, node, coords, count);
    if (task)
        demand(task);
    pthread_mutex_unlock(&run->engine->lock);
    return task ? MR_OK : MR_ERR_NOT_FOUND;
}

void mr_run_object(mr_run *run, const char *code, const char *why)
{
    pthread_mutex_lock(&run->engine->lock);
    if (!run->over && !run->stopping) {
        mr_run_failure(run, code, (mr_span){0}, strdup(why), NULL);
        mr_run_stop(run, MR_ERR_CONFLICT);
        mr_run_settle(run);
    }
    pthread_mutex_unlock(&run->engine->lock);
}

static mr_status record_end(mr_run *run, mr_diags *diags)
{
    mr_run_flush_lines(run);
    if (run->interrupted)
        return MR_OK;
    return mr_store_run_end(run->engine->store, run->id,
                            run->cancelled  ? "cancelled"
                            : run->stopping ? "failed"
                                            : "succeeded",
                            run->failure_count ? run->failures[0].message : NULL, diags);
}

mr_status mr_run_wait(mr_run *run, mr_diags *diags)
{
    mr_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    while (!run->over || run->watching)
        pthread_cond_wait(&run->ended, &engine->lock);
    for (size_t i = 0; i < run->failure_count && !run->planning; i++)
        mr_run_keep_failure(run, &run->failures[i]);
    mr_delivery *delivery = run->delivery;
    run->delivery = NULL;
    pthread_mutex_unlock(&engine->lock);
    mr_delivery_end(delivery); /* the last event has been read */
    for (size_t i = 0; i < run->failure_count; i++) {
        mr_error(diags, run->failures[i].code, run->failures[i].span, "%s", run->failures[i].message);
        if (run->failures[i].hint)
            mr_hint(diags, "%s", run->failures[i].hint);
    }
    mr_status status = run->cancelled ? MR_ERR_CANCELLED : run->stopping ? run->status : MR_OK;
    mr_status kept = run->planning ? MR_OK : record_end(run, status == MR_OK ? diags : NULL);
    return status != MR_OK ? status : kept;
}

json_t *mr_run_outputs_locked(const mr_run *run)
{
    const mr_pipeline *pipeline = run->bound->pipeline;
    json_t *outputs = json_object();
    for (size_t i = 0; outputs && i < pipeline->output_count; i++) {
        const mr_source *source = &pipeline->outputs[i].source;
        const mr_stream *stream = source->kind == MR_SOURCE_INPUT ? &run->inputs[source->index] : &run->nodes[source->index].outputs[source->port];
        json_t *list = json_array();
        for (size_t s = 0; s < stream->count; s++) {
            const mr_item *item = stream->slots[s]->state == MR_SLOT_FILLED ? stream->slots[s]->item : NULL;
            if (item)
                json_array_append_new(list, mr_json_read(item->meta, item->pub.meta_len, MR_MAX_META, NULL));
        }
        json_object_set_new(outputs, pipeline->outputs[i].name, list);
    }
    return outputs;
}

json_t *mr_run_outputs(const mr_run *run)
{
    pthread_mutex_lock(&run->engine->lock);
    json_t *outputs = mr_run_outputs_locked(run);
    pthread_mutex_unlock(&run->engine->lock);
    return outputs;
}

const char *mr_run_id(const mr_run *run)
{
    return run->id;
}

/* Nothing of the run may stay in the engine's lists. */
static void unlink_run(mr_run *run)
{
    mr_engine *engine = run->engine;
    for (mr_run **at = &engine->runs; *at; at = &(*at)->next) {
        if (*at == run) {
            *at = run->next;
            break;
        }
    }
    mr_heap_drop_run(engine, run);
    mr_growth_forget_run(run);
    for (mr_task **at = &engine->delayed; *at;) {
        if ((*at)->run == run)
            *at = (*at)->delayed_next;
        else
            at = &(*at)->delayed_next;
    }
    for (mr_task **at = &engine->timed; *at;) {
        if ((*at)->run == run)
            *at = (*at)->timed_next;
        else
            at = &(*at)->timed_next;
    }
}

void mr_run_free(mr_run *run)
{
    if (!run)
        return;
    mr_run_cancel(run);
    pthread_mutex_lock(&run->engine->lock);
    while (!run->over || run->watching)
        pthread_cond_wait(&run->ended, &run->engine->lock);
    unlink_run(run);
    pthread_mutex_unlock(&run->engine->lock);
    mr_run_destroy(run);
}

mr_status mr_engine_plan(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, mr_diags *diags, json_t **ret_plan)
{
    mr_run *run = NULL;
    size_t cached = 0;
    size_t to_run = 0;
    mr_run_options quiet = *options;
    quiet.reader = NULL;
    *ret_plan = NULL;
    mr_status status = mr_run_create(engine, bound, &quiet, true, diags, &run);
    if (status != MR_OK)
        return status;
    launch(run);
    status = mr_run_wait(run, diags);
    json_t *nodes = json_array();
    for (size_t i = 0; status == MR_OK && i < run->node_count; i++) {
        const mr_node_run *node = &run->nodes[bound->pipeline->order[i]];
        const size_t left = node->task_count - node->ended;
        json_array_append_new(nodes,
                              json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "node", node->node->name, "op", node->node->op->name, "tasks",
                                        (json_int_t)node->task_count, "cached", (json_int_t)node->cached, "skipped", (json_int_t)node->skipped, "run",
                                        (json_int_t)left, "unknown", !node->expanded, "why", mr_explain_node(node)));
        cached += node->cached;
        to_run += left;
    }
    *ret_plan = json_pack("{s:o, s:I, s:I, s:I}", "nodes", nodes, "tasks", (json_int_t)run->task_count, "cached", (json_int_t)cached, "run",
                          (json_int_t)to_run);
    mr_run_free(run);
    return status != MR_OK ? status : *ret_plan ? MR_OK : MR_ERR_NOMEM;
}
