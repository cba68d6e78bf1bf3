/* SPDX-License-Identifier: MIT */
/*
 * A run from its start to its end: its nodes, how they end, what a failure does. Lock held but where a function is public
 * (engine.h).
 */
#include "runtime/internal.h"
#include "base/clock.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- events and failures ---- */

void mr_run_emit(mr_run *run, mr_event event)
{
    if (!run->reader)
        return;
    event.seq = ++run->event_seq;
    event.time_us = mr_wall_us();
    event.run = run->id;
    run->reader(run->reader_context, &event);
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

static void main_nodes_done(mr_run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (run->nodes[i].node->trigger != MR_TRIGGER_NONE)
            mr_node_touch(&run->nodes[i]);
    }
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
    if (node->node->trigger == MR_TRIGGER_NONE && --run->open_main == 0)
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
    if (!node->expanded && triggered && run->open_main == 0 && !trigger_fires(run, node->node->trigger))
        node->expanded = true;
    if (!node->expanded && (!triggered || run->open_main == 0))
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
    bool quiet = run->busy == 0 && (run->open_all == 0 || (run->planning && run->ready == 0));
    if (quiet && !run->over)
        end_run(run);
}

/* ---- making a run ---- */

static void make_id(char id[40])
{
    unsigned char noise[5] = {0};
    char time[32];
    char compact[20];
    size_t used = 0;
    mr_time_text(mr_wall_us(), time); /* 2026-01-31T10:00:00.000Z */
    for (size_t i = 0; i < 19; i++) {
        if (time[i] != '-' && time[i] != ':')
            compact[used++] = time[i];
    }
    compact[used] = '\0';
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
        memset(noise, 0, sizeof(noise));
    snprintf(id, 40, "%s-%02x%02x%02x%02x%02x", compact, noise[0], noise[1], noise[2], noise[3], noise[4]);
}

static mr_status add_reader(mr_arena *arena, mr_stream *stream, mr_node_run *node)
{
    mr_node_run **readers = mr_arena_take_array(arena, stream->reader_count + 1, sizeof(*readers));
    if (!readers)
        return MR_ERR_NOMEM;
    if (stream->reader_count)
        memcpy(readers, stream->readers, stream->reader_count * sizeof(*readers));
    readers[stream->reader_count++] = node;
    stream->readers = readers;
    return MR_OK;
}

static mr_status bind_port(mr_run *run, mr_node_run *node, uint32_t b)
{
    const mr_binding *binding = &node->node->bindings[b];
    mr_bound_port *port = &node->ports[b];
    port->binding = binding;
    port->streaming = binding->how == MR_BIND_IN && (node->node->op->inputs[binding->port].flags & MR_PORT_STREAMING);
    port->sources = mr_arena_take_array(run->arena, binding->source_count + 1, sizeof(mr_stream *));
    if (!port->sources)
        return MR_ERR_NOMEM;
    for (size_t s = 0; s < binding->source_count; s++) {
        const mr_source *source = &binding->sources[s];
        port->sources[s] = source->kind == MR_SOURCE_INPUT ? &run->inputs[source->index] : &run->nodes[source->index].outputs[source->port];
        if (add_reader(run->arena, port->sources[s], node) != MR_OK)
            return MR_ERR_NOMEM;
    }
    node->streaming = node->streaming || port->streaming;
    node->crossed += binding->how != MR_BIND_IN;
    node->each_count += binding->how == MR_BIND_EACH;
    return MR_OK;
}

static mr_status make_outputs(mr_run *run, mr_node_run *node, uint32_t index)
{
    node->run = run;
    node->index = index;
    node->node = &run->bound->pipeline->nodes[index];
    node->bound = &run->bound->nodes[index];
    node->output_count = (uint32_t)mr_port_count(node->node->op->outputs);
    node->outputs = mr_arena_take_array(run->arena, node->output_count + 1, sizeof(*node->outputs));
    for (uint32_t p = 0; node->outputs && p < node->output_count; p++)
        node->outputs[p].by_task = !(node->node->op->outputs[p].flags & (MR_PORT_MANY | MR_PORT_OPTIONAL));
    return node->outputs ? MR_OK : MR_ERR_NOMEM;
}

static mr_status make_node(mr_run *run, mr_node_run *node, mr_diags *diags)
{
    const mr_node *model = node->node;
    mr_status status = MR_OK;
    node->ports = mr_arena_take_array(run->arena, model->binding_count + 1, sizeof(*node->ports));
    if (!node->ports)
        return MR_ERR_NOMEM;
    for (uint32_t b = 0; b < model->binding_count && status == MR_OK; b++)
        status = bind_port(run, node, b);
    if (status != MR_OK)
        return status;
    node->when = model->when && !mr_expr_only_params(model->when) ? model->when : NULL;
    node->open_params = mr_value_is_open(node->bound->with);
    if (!node->open_params && !node->bound->never)
        status = mr_bound_params(run->arena, NULL, run->bound, node->index, NULL, diags, &node->params);
    return status;
}

static mr_status make_nodes(mr_run *run, mr_diags *diags)
{
    const mr_pipeline *pipeline = run->bound->pipeline;
    mr_status status = MR_OK;
    run->node_count = pipeline->node_count;
    run->open_all = pipeline->node_count;
    run->nodes = mr_arena_take_array(run->arena, pipeline->node_count + 1, sizeof(*run->nodes));
    if (!run->nodes)
        return MR_ERR_NOMEM;
    for (uint32_t i = 0; i < run->node_count && status == MR_OK; i++) {
        status = make_outputs(run, &run->nodes[i], i);
        run->open_main += pipeline->nodes[i].trigger == MR_TRIGGER_NONE;
    }
    for (uint32_t i = 0; i < run->node_count && status == MR_OK; i++)
        status = make_node(run, &run->nodes[i], diags);
    for (size_t i = run->node_count; i-- > 0 && status == MR_OK;) {
        mr_node_run *node = &run->nodes[pipeline->order[i]];
        for (uint32_t p = 0; p < node->output_count; p++) {
            for (size_t r = 0; r < node->outputs[p].reader_count; r++)
                node->depth = node->outputs[p].readers[r]->depth > node->depth ? node->outputs[p].readers[r]->depth : node->depth;
        }
        node->depth++;
    }
    return status;
}

static mr_status open_inputs_of(mr_run *run, uint32_t index, const mr_run_options *options, mr_diags *diags)
{
    const mr_pipeline_input *input = &run->bound->pipeline->inputs[index];
    size_t given = 0;
    mr_status worst = MR_OK;
    for (size_t i = 0; i < options->input_count; i++) {
        mr_item *item = NULL;
        if (strcmp(options->inputs[i].name, input->name) != 0)
            continue;
        given++;
        mr_status status = mr_item_open_source(run, input, options->inputs[i].path, diags, &item);
        if (status == MR_OK && !mr_stream_add(run, &run->inputs[index], item))
            status = MR_ERR_NOMEM;
        worst = status != MR_OK ? status : worst;
    }
    if (given == 0 && input->required) {
        mr_error(diags, "missing-input", (mr_span){0}, "input '%s' is not given", input->name);
        mr_hint(diags, "add --input %s=PATH", input->name);
        return MR_ERR_PARAM;
    }
    if (given > 1 && !input->many) {
        mr_error(diags, "too-many-inputs", (mr_span){0}, "input '%s' takes one file, %zu are given", input->name, given);
        return MR_ERR_PARAM;
    }
    run->inputs[index].complete = true;
    return worst;
}

static mr_status open_inputs(mr_run *run, const mr_run_options *options, mr_diags *diags)
{
    const mr_pipeline *pipeline = run->bound->pipeline;
    const char **names = mr_arena_take_array(run->arena, pipeline->input_count + 1, sizeof(*names));
    mr_status worst = MR_OK;
    run->inputs = mr_arena_take_array(run->arena, pipeline->input_count + 1, sizeof(*run->inputs));
    if (!run->inputs || !names)
        return MR_ERR_NOMEM;
    for (uint32_t i = 0; i < pipeline->input_count; i++) {
        names[i] = pipeline->inputs[i].name;
        mr_status status = open_inputs_of(run, i, options, diags);
        worst = status != MR_OK ? status : worst;
    }
    for (size_t i = 0; i < options->input_count; i++) {
        bool known = false;
        for (size_t n = 0; n < pipeline->input_count; n++)
            known = known || strcmp(names[n], options->inputs[i].name) == 0;
        if (known)
            continue;
        const char *near = mr_nearest(options->inputs[i].name, names, pipeline->input_count);
        mr_error(diags, "unknown-input", (mr_span){0}, "the pipeline has no input '%s'", options->inputs[i].name);
        if (near)
            mr_hint(diags, "did you mean '%s'?", near);
        worst = MR_ERR_PARAM;
    }
    return worst;
}

static void free_run(mr_run *run)
{
    if (!run)
        return;
    for (size_t n = 0; run->nodes && n < run->node_count; n++) {
        mr_node_run *node = &run->nodes[n];
        for (size_t i = 0; i < node->task_count; i++) {
            mr_task_clear_attempt(node->tasks[i]);
            free(node->tasks[i]->outputs);
            if (node->tasks[i]->wake)
                pthread_cond_destroy(node->tasks[i]->wake);
        }
        free(node->tasks);
        for (uint32_t p = 0; node->outputs && p < node->output_count; p++)
            free(node->outputs[p].slots);
    }
    for (size_t i = 0; run->inputs && i < run->bound->pipeline->input_count; i++)
        free(run->inputs[i].slots);
    for (size_t i = 0; i < run->failure_count; i++) {
        free(run->failures[i].message);
        free(run->failures[i].hint);
    }
    free(run->failures);
    free(run->failed_node);
    free(run->output_dir);
    mr_items_free(run);
    pthread_cond_destroy(&run->ended);
    mr_arena_free(run->arena);
    free(run);
}

mr_status mr_run_create(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, bool planning, mr_diags *diags, mr_run **ret_run)
{
    mr_status status = MR_OK;
    mr_run *run = calloc(1, sizeof(*run));
    *ret_run = NULL;
    if (!run)
        return MR_ERR_NOMEM;
    run->engine = engine;
    run->bound = bound;
    run->no_cache = options->no_cache;
    run->planning = planning;
    run->reader = options->reader;
    run->reader_context = options->reader_context;
    run->started_us = mr_wall_us();
    pthread_cond_init(&run->ended, NULL);
    make_id(run->id);
    run->arena = mr_arena_new(0);
    if (options->output_dir && !(run->output_dir = strdup(options->output_dir)))
        status = MR_ERR_NOMEM;
    if (!run->arena)
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        status = open_inputs(run, options, diags);
    if (status == MR_OK)
        status = make_nodes(run, diags);
    if (status != MR_OK) {
        free_run(run);
        return status;
    }
    *ret_run = run;
    return MR_OK;
}

/* ---- public ---- */

static void launch(mr_run *run)
{
    mr_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    run->next = engine->runs;
    engine->runs = run;
    mr_run_emit(run, (mr_event){.type = MR_EVENT_RUN_STARTED});
    for (size_t i = run->node_count; i-- > 0;)
        mr_node_touch(&run->nodes[i]);
    mr_run_settle(run);
    pthread_mutex_unlock(&engine->lock);
}

mr_status mr_run_start(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, mr_diags *diags, mr_run **ret_run)
{
    mr_status status = mr_run_create(engine, bound, options, false, diags, ret_run);
    if (status == MR_OK && options->output_dir)
        status = mr_dir_make(options->output_dir, 0755, diags);
    if (status == MR_OK)
        status = mr_store_run_begin(engine->store, (*ret_run)->id, bound->pipeline->name ? bound->pipeline->name : "", bound->params, diags);
    if (status != MR_OK) {
        free_run(*ret_run);
        *ret_run = NULL;
        return status;
    }
    launch(*ret_run);
    return MR_OK;
}

void mr_run_cancel(mr_run *run)
{
    pthread_mutex_lock(&run->engine->lock);
    if (!run->over) {
        run->cancelled = true;
        mr_run_stop(run, MR_ERR_CANCELLED);
        for (size_t i = 0; i < run->node_count; i++)
            stop_node(&run->nodes[i]);
        mr_run_settle(run);
    }
    pthread_mutex_unlock(&run->engine->lock);
}

mr_status mr_run_wait(mr_run *run, mr_diags *diags)
{
    mr_engine *engine = run->engine;
    pthread_mutex_lock(&engine->lock);
    while (!run->over)
        pthread_cond_wait(&run->ended, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < run->failure_count; i++) {
        mr_error(diags, run->failures[i].code, run->failures[i].span, "%s", run->failures[i].message);
        if (run->failures[i].hint)
            mr_hint(diags, "%s", run->failures[i].hint);
    }
    mr_status status = run->cancelled ? MR_ERR_CANCELLED : run->stopping ? run->status : MR_OK;
    mr_status kept = run->planning ? MR_OK
                                   : mr_store_run_end(engine->store, run->id,
                                                      run->cancelled  ? "cancelled"
                                                      : run->stopping ? "failed"
                                                                      : "succeeded",
                                                      run->failure_count ? run->failures[0].message : NULL, status == MR_OK ? diags : NULL);
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
    while (!run->over)
        pthread_cond_wait(&run->ended, &run->engine->lock);
    unlink_run(run);
    pthread_mutex_unlock(&run->engine->lock);
    free_run(run);
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
