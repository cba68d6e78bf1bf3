/* SPDX-License-Identifier: MIT */
/* What only the whole graph tells: cycles, the order of nodes, what triggered nodes may not do, and what nobody uses. */
#include "graph/check.h"

/* --- cycles: depth-first, with the path from the root of the search on a stack --- */

typedef enum mark { UNSEEN, ON_PATH, DONE } mark;

typedef struct search {
    mr_check *check;
    mark *marks;
    uint32_t *path;        /* nodes, each fed by the one after it */
    const mr_source **via; /* via[i]: the source by which path[i + 1] feeds path[i] */
    size_t depth;
} search;

/* closing: the source in path[depth - 1] that leads back to path[from]. */
static void report_cycle(search *s, size_t from, const mr_source *closing)
{
    mr_check *check = s->check;
    const mr_pipeline *pipeline = check->pipeline;
    /* The path runs against the streams; it is told in their direction, beginning with the node that stands first in the file. */
    size_t len = s->depth - from;
    size_t first = 0;
    for (size_t i = 0; i < len; i++)
        if (s->path[from + i] < s->path[from + first])
            first = i;
    const char *text = "";
    const mr_source *shown = NULL;
    for (size_t k = 0; k < len; k++) {
        size_t i = (first + len - k) % len; /* against the path */
        size_t by = (i + len - 1) % len;    /* whose source it is: path[by] is fed by path[i] */
        const mr_source *source = by == len - 1 ? closing : s->via[from + by];
        shown = shown ? shown : source;
        text = mr_check_text(check, "%s%s -> ", text, mr_source_text(check->arena, pipeline, source));
    }
    const char *name = check->nodes[s->path[from + first]].name;
    mr_fail(check, "cycle", shown->span, "the nodes form a cycle: %s%s", text, name);
    mr_hint(check->diags, "a node can't wait for its own result: cut one of these edges");
}

/* Depth is at most the number of nodes, MR_PIPELINE_NODES_MAX. */
static void visit(search *s, uint32_t index)
{
    const mr_node *node = &s->check->nodes[index];
    s->marks[index] = ON_PATH;
    size_t here = s->depth++;
    s->path[here] = index;
    for (size_t b = 0; b < node->binding_count; b++) {
        for (size_t i = 0; i < node->bindings[b].source_count; i++) {
            const mr_source *source = &node->bindings[b].sources[i];
            if (source->kind != MR_SOURCE_NODE)
                continue;
            if (s->marks[source->index] == UNSEEN) {
                s->via[here] = source;
                visit(s, source->index);
            } else if (s->marks[source->index] == ON_PATH) {
                size_t from = here;
                while (s->path[from] != source->index)
                    from--;
                report_cycle(s, from, source);
            }
        }
    }
    s->depth = here;
    s->marks[index] = DONE;
}

static void check_cycles(mr_check *check)
{
    size_t count = check->pipeline->node_count;
    search s = {.check = check};
    s.marks = mr_check_take(check, count, sizeof(*s.marks));
    s.path = mr_check_take(check, count + 1, sizeof(*s.path));
    s.via = mr_check_take(check, count + 1, sizeof(const mr_source *));
    for (size_t i = 0; s.marks && s.path && s.via && i < count; i++)
        if (s.marks[i] == UNSEEN)
            visit(&s, (uint32_t)i);
}

/* --- order: the first node in the file whose sources have all been placed, again and again; triggered nodes last --- */

static bool is_ready(const mr_check *check, const bool *placed, uint32_t index, bool triggered)
{
    const mr_node *node = &check->nodes[index];
    if (placed[index] || (node->trigger != MR_TRIGGER_NONE && !triggered))
        return false;
    for (size_t b = 0; b < node->binding_count; b++)
        for (size_t i = 0; i < node->bindings[b].source_count; i++) {
            const mr_source *source = &node->bindings[b].sources[i];
            if (source->kind == MR_SOURCE_NODE && !placed[source->index])
                return false;
        }
    return true;
}

static void make_order(mr_check *check)
{
    size_t count = check->pipeline->node_count;
    uint32_t *order = mr_check_take(check, count, sizeof(*order));
    bool *placed = mr_check_take(check, count, sizeof(*placed));
    size_t n = 0;
    for (int triggered = 0; order && placed && triggered < 2; triggered++) {
        for (uint32_t i = 0; i < count;) {
            if (is_ready(check, placed, i, triggered)) {
                placed[i] = true;
                order[n++] = i;
                i = 0;
            } else {
                i++;
            }
        }
    }
    check->pipeline->order = order;
}

/* --- triggers --- */

static void check_triggers(mr_check *check)
{
    for (size_t n = 0; n < check->pipeline->node_count; n++) {
        const mr_node *node = &check->nodes[n];
        for (size_t b = 0; b < node->binding_count; b++)
            for (size_t i = 0; i < node->bindings[b].source_count; i++) {
                const mr_source *source = &node->bindings[b].sources[i];
                if (source->kind != MR_SOURCE_NODE || check->nodes[source->index].trigger == MR_TRIGGER_NONE)
                    continue;
                const char *from = check->nodes[source->index].name;
                mr_fail(check, "trigger-feeds", source->span, "node '%s' has a trigger, so it can't feed '%s'", from, node->name);
                mr_hint(check->diags, "it runs when all nodes without a trigger have ended; remove its 'trigger', or this edge");
            }
    }
    for (size_t i = 0; i < check->pipeline->output_count; i++) {
        const mr_source *source = &check->outputs[i].source;
        if (source->kind == MR_SOURCE_NODE && check->nodes[source->index].trigger != MR_TRIGGER_NONE) {
            mr_fail(check, "trigger-feeds", source->span, "node '%s' has a trigger, so it can't be an output", check->nodes[source->index].name);
            mr_hint(check->diags, "it runs when all others have ended, and the outputs are known by then");
        }
    }
}

void mr_check_edges(mr_check *check)
{
    check_cycles(check);
    check_triggers(check);
    if (!check->failed)
        make_order(check);
}

void mr_check_unused(mr_check *check)
{
    const mr_pipeline *pipeline = check->pipeline;
    for (size_t i = 0; i < pipeline->input_count; i++)
        if (!check->input_used[i]) {
            mr_warning(check->diags, "unused-input", check->inputs[i].span, "input '%s' is not used", check->inputs[i].name);
            mr_hint(check->diags, "bind 'inputs.%s' to a port, or remove it", check->inputs[i].name);
        }
    for (size_t i = 0; i < pipeline->param_count; i++)
        if (!check->param_used[i]) {
            mr_warning(check->diags, "unused-param", check->params[i].span, "param '%s' is not used", check->params[i].spec.name);
            mr_hint(check->diags, "use it as \"${params.%s}\", or remove it", check->params[i].spec.name);
        }
    for (size_t i = 0; i < pipeline->node_count; i++) {
        const mr_node *node = &check->nodes[i];
        if (check->node_used[i] || (node->op->flags & MR_OP_EFFECT))
            continue;
        mr_warning(check->diags, "unused-node", node->span, "node '%s' is not used: nothing takes what it makes", node->name);
        if (mr_port_count(node->op->outputs) > 0)
            mr_hint(check->diags, "bind one of its ports, or name it under 'outputs' (%s: %s.%s), or remove the node", node->name, node->name,
                    node->op->outputs[0].name);
    }
}
