/* SPDX-License-Identifier: MIT */
/*
 * Running parts of a pipeline from its prompt: a pipeline of its own is made of the node and what it needs, whose outputs are the node's ports. It is
 * checked and run as any other, so what was done before is not done again.
 */
#include "cli/repl/repl.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static const mr_span nowhere;

/* ---- trees ---- */

typedef struct builder { /* a map that grows */
    mr_arena *arena;
    mr_entry entries[MR_PIPELINE_NODES_MAX];
    size_t count;
    bool bad; /* memory is short */
} builder;

static void add(builder *to, const char *key, const mr_value *value)
{
    to->bad = to->bad || !value || !key || to->count == MR_PIPELINE_NODES_MAX;
    if (!to->bad)
        to->entries[to->count++] = (mr_entry){.key = key, .key_span = nowhere, .value = value};
}

static const mr_value *finish(builder *from)
{
    mr_value *value = mr_arena_take(from->arena, sizeof(*value));
    mr_entry *entries = mr_arena_take_array(from->arena, from->count + 1, sizeof(*entries));
    if (!value || !entries || from->bad)
        return NULL;
    memcpy(entries, from->entries, from->count * sizeof(*entries));
    value->type = MR_VALUE_MAP;
    value->map.entries = entries;
    value->map.count = from->count;
    from->count = 0;
    return value;
}

static const mr_value *text(mr_arena *arena, const char *words)
{
    mr_autojson json_t *json = words ? json_string(words) : NULL;
    return json ? mr_value_from_json(arena, json, nowhere) : NULL;
}

/* {PORT: NODE.PORT} of all ports. */
static const mr_value *outputs_of(builder *b, const char *node, const mr_op *op)
{
    for (const mr_port *port = op->outputs; port && port->name; port++)
        add(b, port->name, text(b->arena, mr_arena_printf(b->arena, "%s.%s", node, port->name)));
    return finish(b);
}

/* ---- running ---- */

static bool open_engine(mr_repl *repl)
{
    mr_session *session = repl->session;
    const char *state_dir = repl->state_dir ? repl->state_dir : mr_default_state_dir(session);
    const mr_engine_options options = {.state_dir = state_dir, .settings = repl->settings, .plugins = session->plugins};
    if (!repl->engine && state_dir)
        mr_engine_open(&options, session->diags, &repl->engine);
    mr_session_flush(session);
    return repl->engine;
}

/* One value where there can be no more than one, else a list. */
static void keep_and_print(mr_repl *repl, const char *name, const mr_node *node, const json_t *outputs)
{
    json_t *kept = json_object();
    bool fans = false;
    for (size_t i = 0; i < node->binding_count; i++)
        fans = fans || node->bindings[i].how != MR_BIND_IN;
    for (const mr_port *port = node->op->outputs; port && port->name; port++) {
        json_t *list = json_object_get(outputs, port->name);
        const bool many = fans || (port->flags & MR_PORT_MANY);
        json_object_set(kept, port->name, many ? list : json_array_get(list, 0));
        printf("%s.%s = ", name, port->name);
        mr_repl_print(json_object_get(kept, port->name));
    }
    json_object_set_new(repl->scope, name, kept);
}

static bool run_bound(mr_repl *repl, const mr_bound *bound, const mr_run_input *inputs, size_t input_count, const char *name)
{
    mr_run *run = NULL;
    mr_session *session = repl->session;
    const mr_run_options how = {.inputs = inputs, .input_count = input_count};
    mr_status status = open_engine(repl) ? MR_OK : MR_ERR_UNAVAILABLE;
    if (status == MR_OK)
        status = mr_run_start(repl->engine, bound, &how, session->diags, &run);
    if (status == MR_OK)
        status = mr_run_wait(run, session->diags);
    mr_autojson json_t *outputs = status == MR_OK ? mr_run_outputs(run) : NULL;
    mr_run_free(run);
    mr_session_flush(session);
    for (size_t i = 0; i < bound->pipeline->node_count && outputs; i++)
        if (strcmp(bound->pipeline->nodes[i].name, name) == 0)
            keep_and_print(repl, name, &bound->pipeline->nodes[i], outputs);
    return outputs;
}

/* What the check only warns of (a param that this part does not use) is of no interest here. */
static bool run_tree(mr_repl *repl, const char *file, const mr_value *root, const mr_given *given, size_t given_count, const mr_run_input *inputs,
                     size_t input_count, const char *name)
{
    mr_bound bound = {0};
    mr_session *session = repl->session;
    const mr_pipeline *pipeline = NULL;
    mr_status status = root ? mr_session_check(session, file, root, &pipeline) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_pipeline_bind(session->arena, pipeline, given, given_count, session->diags, &bound);
    if (status == MR_OK && mr_diags_errors(session->diags) == 0) {
        mr_diags_free(session->diags);
        session->diags = mr_diags_new();
    }
    mr_session_flush(session);
    const bool good = status == MR_OK && run_bound(repl, &bound, inputs, input_count, name);
    mr_bound_clear(&bound);
    return good;
}

/* ---- a node of the pipeline ---- */

static void mark_needed(const mr_pipeline *pipeline, uint32_t node, bool *nodes, bool *inputs)
{
    if (nodes[node])
        return;
    nodes[node] = true;
    for (size_t i = 0; i < pipeline->nodes[node].binding_count; i++) {
        const mr_binding *binding = &pipeline->nodes[node].bindings[i];
        for (size_t k = 0; k < binding->source_count; k++) {
            if (binding->sources[k].kind == MR_SOURCE_NODE)
                mark_needed(pipeline, binding->sources[k].index, nodes, inputs);
            else
                inputs[binding->sources[k].index] = true;
        }
    }
}

/* The entries of a part of the pipeline ("nodes") that are marked, as the part is written. */
static const mr_value *marked_part(builder *b, const mr_value *part, const bool *marks)
{
    for (size_t i = 0; part && i < part->map.count; i++)
        if (marks[i])
            add(b, part->map.entries[i].key, part->map.entries[i].value);
    return finish(b);
}

static bool may_run(const mr_repl *repl, const bool *nodes, const bool *inputs)
{
    const mr_pipeline *pipeline = repl->pipeline;
    for (size_t i = 0; i < pipeline->node_count; i++) {
        if (nodes[i] && (pipeline->nodes[i].op->flags & MR_OP_EFFECT)) {
            mr_complain("node '%s' acts on the world (%s): that is for 'millrace run'", pipeline->nodes[i].name, pipeline->nodes[i].op->name);
            return false;
        }
    }
    for (size_t i = 0; i < pipeline->input_count; i++) {
        bool given = !inputs[i] || !pipeline->inputs[i].required;
        for (size_t k = 0; k < repl->input_count; k++)
            given = given || strcmp(repl->inputs[k].name, pipeline->inputs[i].name) == 0;
        if (!given) {
            mr_complain("input '%s' is needed: say :input %s=PATH", pipeline->inputs[i].name, pipeline->inputs[i].name);
            return false;
        }
    }
    return true;
}

static const mr_value *part_of(mr_repl *repl, builder *b, uint32_t node, const bool *nodes, const bool *inputs)
{
    const mr_value *used = marked_part(b, mr_value_get(repl->root, "inputs"), inputs);
    const mr_value *needed = marked_part(b, mr_value_get(repl->root, "nodes"), nodes);
    const mr_value *outputs = outputs_of(b, repl->pipeline->nodes[node].name, repl->pipeline->nodes[node].op);
    static const char *const kept[] = {"millrace", "name", "scripts", "params"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (mr_value_get(repl->root, kept[i]))
            add(b, kept[i], mr_value_get(repl->root, kept[i]));
    add(b, "inputs", used);
    add(b, "nodes", needed);
    add(b, "outputs", outputs);
    return finish(b);
}

bool mr_repl_run(mr_repl *repl, const char *name)
{
    const char *names[MR_PIPELINE_NODES_MAX];
    bool nodes[MR_PIPELINE_NODES_MAX] = {false};
    bool inputs[MR_PIPELINE_NAMES_MAX] = {false};
    mr_run_input given[MR_REPL_GIVEN];
    size_t given_count = 0;
    uint32_t node = 0;
    const mr_pipeline *pipeline = repl->pipeline;
    for (size_t i = 0; i < pipeline->node_count; i++)
        names[i] = pipeline->nodes[i].name;
    while (node < pipeline->node_count && strcmp(names[node], name) != 0)
        node++;
    if (node == pipeline->node_count) {
        const char *near = mr_nearest(name, names, pipeline->node_count);
        mr_complain(near ? "there is no node '%s'; did you mean '%s'?" : "there is no node '%s'; ':nodes' lists them", name, near);
        return false;
    }
    mark_needed(pipeline, node, nodes, inputs);
    if (!may_run(repl, nodes, inputs))
        return false;
    for (size_t i = 0; i < repl->input_count; i++)
        for (size_t k = 0; k < pipeline->input_count; k++)
            if (inputs[k] && strcmp(pipeline->inputs[k].name, repl->inputs[i].name) == 0)
                given[given_count++] = repl->inputs[i];
    builder *b = calloc(1, sizeof(*b));
    if (!b)
        return false;
    b->arena = repl->session->arena;
    const mr_value *root = part_of(repl, b, node, nodes, inputs);
    free(b);
    return run_tree(repl, repl->file, root, repl->given, repl->given_count, given, given_count, names[node]);
}

/* ---- one op ---- */

typedef struct attempt {
    builder inputs; /* of the pipeline */
    builder in;
    builder with;
    builder all;
    mr_run_input files[MR_REPL_GIVEN];
    size_t count;
} attempt;

/* "source=clip.mp4": a file for an input of the op, or a value for one of its params. */
static bool take_word(mr_repl *repl, attempt *of, const mr_op *op, const char *word)
{
    char types[96];
    mr_arena *arena = repl->session->arena;
    const size_t len = strcspn(word, "=");
    const char *name = mr_arena_copy(arena, word, len);
    const int port = name ? mr_port_find(op->inputs, name) : -1;
    if (!word[len] || !name) {
        mr_complain("'%s' is not NAME=VALUE", word);
        return false;
    }
    const char *value = mr_arena_copy(arena, word + len + 1, strlen(word + len + 1));
    if (port < 0) {
        add(&of->with, name, value ? mr_value_scalar(arena, value, nowhere) : NULL);
        return true;
    }
    const uint32_t all = op->inputs[port].types;
    mr_types_text(all & (~all + 1), types, sizeof(types)); /* the first of those that it takes */
    add(&of->all, "type", text(arena, types));
    add(&of->inputs, name, finish(&of->all));
    add(&of->in, name, text(arena, mr_arena_printf(arena, "inputs.%s", name)));
    if (of->count == MR_REPL_GIVEN || !value)
        return false;
    of->files[of->count++] = (mr_run_input){name, value};
    return true;
}

static const mr_value *attempt_root(attempt *of, const mr_op *op)
{
    mr_arena *arena = of->all.arena;
    const mr_value *inputs = finish(&of->inputs);
    add(&of->all, "op", text(arena, op->name));
    add(&of->all, "in", finish(&of->in));
    add(&of->all, "with", finish(&of->with));
    add(&of->all, "it", finish(&of->all));
    const mr_value *nodes = finish(&of->all);
    const mr_value *outputs = outputs_of(&of->all, "it", op);
    add(&of->all, "millrace", mr_value_scalar(arena, "1", nowhere));
    add(&of->all, "inputs", inputs);
    add(&of->all, "nodes", nodes);
    add(&of->all, "outputs", outputs);
    return finish(&of->all);
}

bool mr_repl_try(mr_repl *repl, char *words)
{
    char *rest = NULL;
    const char *name = strtok_r(words, " \t", &rest);
    const mr_op_entry *entry = mr_op_set_find(mr_session_ops(repl->session), name ? name : "");
    if (!entry || (entry->op->flags & MR_OP_EFFECT)) {
        mr_complain(entry ? "op '%s' acts on the world: that is for 'millrace run'" : "unknown op '%s'; ':ops' lists them", name ? name : "");
        return false;
    }
    attempt *of = calloc(1, sizeof(*of));
    if (!of)
        return false;
    of->inputs.arena = of->in.arena = of->with.arena = of->all.arena = repl->session->arena;
    bool good = true;
    for (const char *word = strtok_r(NULL, " \t", &rest); word && good; word = strtok_r(NULL, " \t", &rest))
        good = take_word(repl, of, entry->op, word);
    good = good && run_tree(repl, "it", attempt_root(of, entry->op), NULL, 0, of->files, of->count, "it");
    free(of);
    return good;
}
