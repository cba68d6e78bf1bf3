/* SPDX-License-Identifier: MIT */
/*
 * Makes a run of a bound pipeline: its nodes, the streams between them, its inputs; and frees it. No lock is needed: nobody else knows the run before
 * it is launched, or after it was taken out of the engine's list.
 */
#include "base/clock.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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

/* From now on; and what an input of the pipeline holds already. */
static bool list_arrivals(mr_stream *stream)
{
    bool good = true;
    stream->any_order = true;
    for (size_t i = 0; i < stream->count && good; i++)
        good = mr_stream_arrive(stream, stream->slots[i]->item);
    return good;
}

static mr_status bind_port(mr_run *run, mr_node_run *node, uint32_t b)
{
    const mr_binding *binding = &node->node->bindings[b];
    mr_bound_port *port = &node->ports[b];
    port->binding = binding;
    port->streaming = binding->how == MR_BIND_IN && (node->node->op->inputs[binding->port].flags & MR_PORT_STREAMING);
    port->any_order = port->streaming && (node->node->op->inputs[binding->port].flags & MR_PORT_ANY_ORDER);
    port->sources = mr_arena_take_array(run->arena, binding->source_count + 1, sizeof(mr_stream *));
    if (!port->sources)
        return MR_ERR_NOMEM;
    for (size_t s = 0; s < binding->source_count; s++) {
        const mr_source *source = &binding->sources[s];
        port->sources[s] = source->kind == MR_SOURCE_INPUT ? &run->inputs[source->index] : &run->nodes[source->index].outputs[source->port];
        if (port->any_order && !run->planning && !list_arrivals(port->sources[s]))
            return MR_ERR_NOMEM;
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
    for (uint32_t p = 0; node->outputs && p < node->output_count; p++) {
        node->outputs[p].by_task = !(node->node->op->outputs[p].flags & (MR_PORT_MANY | MR_PORT_OPTIONAL));
        node->beside = node->beside || node->node->op->outputs[p].types == MR_TYPE_IMAGE;
    }
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
            for (size_t r = 0; r < node->outputs[p].reader_count; r++) {
                const mr_node_run *reader = node->outputs[p].readers[r];
                node->depth = reader->depth > node->depth ? reader->depth : node->depth;
                node->leads = node->leads || (reader->each_count > 0 && !reader->beside) || reader->leads;
            }
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

static void free_stream(mr_stream *stream)
{
    free(stream->slots);
    free(stream->arrivals);
}

void mr_run_destroy(mr_run *run)
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
            free_stream(&node->outputs[p]);
    }
    for (size_t i = 0; run->inputs && i < run->bound->pipeline->input_count; i++)
        free_stream(&run->inputs[i]);
    for (size_t i = 0; i < run->failure_count; i++) {
        free(run->failures[i].message);
        free(run->failures[i].hint);
    }
    mr_delivery_end(run->delivery);
    mr_run_drop_lines(run);
    free(run->failures);
    free(run->failed_node);
    free(run->output_dir);
    free(run->output_url);
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
    run->rehearsal = options->rehearsal;
    run->started_us = mr_wall_us();
    pthread_cond_init(&run->ended, NULL);
    if (options->resume) /* the same run: keys of effects stay the same */
        snprintf(run->id, sizeof(run->id), "%s", options->resume);
    else
        make_id(run->id);
    run->arena = mr_arena_new(0);
    if (options->output_dir && !(run->output_dir = strdup(options->output_dir)))
        status = MR_ERR_NOMEM;
    if (options->output_url && !(run->output_url = strdup(options->output_url)))
        status = MR_ERR_NOMEM;
    if (!run->arena)
        status = MR_ERR_NOMEM;
    if (status == MR_OK)
        status = open_inputs(run, options, diags);
    if (status == MR_OK)
        status = make_nodes(run, diags);
    if (status == MR_OK && run->rehearsal)
        status = mr_rehearsal_prepare(run, diags);
    if (status == MR_OK && options->reader && !planning && !(run->delivery = mr_delivery_start(options->reader, options->reader_context)))
        status = MR_ERR_NOMEM;
    if (status != MR_OK) {
        mr_run_destroy(run);
        return status;
    }
    *ret_run = run;
    return MR_OK;
}
