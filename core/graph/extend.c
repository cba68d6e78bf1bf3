/* SPDX-License-Identifier: MIT */
/* A node more than a pipeline has: models are immutable, so the arrays are copied; nothing that points into them moves. */
#include "graph/check.h"

#define NODE_NAME "notify_%zu"

static bool is_taken(const mr_pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->node_count; i++)
        if (strcmp(pipeline->nodes[i].name, name) == 0)
            return true;
    return false;
}

static const char *free_name(mr_arena *arena, const mr_pipeline *pipeline)
{
    const char *name = NULL;
    for (size_t i = 1; i <= pipeline->node_count + 1; i++) {
        name = mr_arena_printf(arena, NODE_NAME, i);
        if (!name || !is_taken(pipeline, name))
            break;
    }
    return name;
}

mr_status mr_pipeline_add_trigger(mr_arena *arena, const mr_pipeline *pipeline, const mr_op_set *ops, const char *op, mr_trigger trigger,
                                  const json_t *with, const char *from, mr_diags *diags, const mr_pipeline **ret_pipeline)
{
    const size_t count = pipeline->node_count;
    const mr_op_entry *entry = mr_op_set_find(ops, op);
    *ret_pipeline = NULL;
    if (!entry || count >= MR_PIPELINE_NODES_MAX) {
        mr_error(diags, entry ? "limit" : "unknown-op", (mr_span){0},
                 entry ? "%s: the pipeline has as many nodes as there may be; '%s' is one more" : "%s: there is no op '%s'", from, op);
        return MR_ERR_PARAM;
    }
    mr_pipeline *extended = mr_arena_take(arena, sizeof(*extended));
    mr_node *nodes = mr_arena_take_array(arena, count + 1, sizeof(*nodes));
    uint32_t *order = mr_arena_take_array(arena, count + 1, sizeof(*order));
    const char *name = free_name(arena, pipeline);
    const char *place = mr_arena_copy(arena, from, strlen(from));
    if (!extended || !nodes || !order || !name || !place)
        return MR_ERR_NOMEM;
    memcpy(nodes, pipeline->nodes, count * sizeof(*nodes));
    memcpy(order, pipeline->order, count * sizeof(*order));
    nodes[count] = (mr_node){.name = name,
                             .op = entry->op,
                             .plugin = entry->plugin,
                             .filters = &ops->filters,
                             .with = mr_value_from_json(arena, with, (mr_span){.file = place}),
                             .attempts = 1,
                             .retry_delay_us = 1000000,
                             .trigger = trigger,
                             .help = place};
    order[count] = (uint32_t)count; /* triggered nodes come last */
    if (!nodes[count].with)
        return MR_ERR_NOMEM;
    if (mr_has_expressions(nodes[count].with)) {
        mr_error(diags, "expression", (mr_span){0}, "%s: there are no expressions here, but '${' is in what '%s' is given", from, op);
        return MR_ERR_PARAM;
    }
    *extended = *pipeline;
    extended->nodes = nodes;
    extended->order = order;
    extended->node_count = count + 1;
    *ret_pipeline = extended;
    return MR_OK;
}
