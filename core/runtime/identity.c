/* SPDX-License-Identifier: MIT */
/*
 * Identity: what went into a task, as one hash. Two tasks with one identity make the same outputs, whoever runs them and when.
 * What goes in: the op's name, version and toolchain; its params in canonical form; and, port by port, the keys of the items it
 * reads in their order. What stays out: names of nodes and files, times, the machine, batches, priorities.
 */
#include "config/params.h"
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY_FORMAT "millrace-identity-1" /* raise when the rules below change */

bool mr_value_is_open(const mr_value *value)
{
    if (!value)
        return false;
    switch (value->type) {
    case MR_VALUE_TEXT: return mr_expr_present(value->text);
    case MR_VALUE_LIST:
        for (size_t i = 0; i < value->list.count; i++) {
            if (mr_value_is_open(value->list.items[i]))
                return true;
        }
        return false;
    case MR_VALUE_MAP:
        for (size_t i = 0; i < value->map.count; i++) {
            if (mr_value_is_open(value->map.entries[i].value))
                return true;
        }
        return false;
    default: return false;
    }
}

static json_t *meta_of(const mr_item *item)
{
    return item ? mr_json_read(item->meta, item->pub.meta_len, MR_MAX_META, NULL) : NULL;
}

json_t *mr_task_scope(const mr_task *task)
{
    const mr_node_run *node = task->node;
    json_t *scope = json_object();
    if (!scope)
        return NULL;
    json_object_set_new(scope, "params", json_deep_copy(task->run->bound->params)); /* reference counts are not for several threads */
    for (size_t b = 0; b < node->node->binding_count; b++) {
        const mr_bound_port *port = &node->ports[b];
        const mr_port *table = &node->node->op->inputs[port->binding->port];
        json_t *value = NULL;
        if (port->streaming)
            continue;
        if (b < node->crossed) {
            value = meta_of(task->slots[b]->item);
        } else if (table->flags & MR_PORT_MANY) {
            value = json_array();
            for (size_t i = 0; i < port->item_count; i++)
                json_array_append_new(value, meta_of(port->items[i]));
        } else if (port->item_count > 0) {
            value = meta_of(port->items[0]);
        }
        if (value)
            json_object_set_new(scope, table->name, value);
    }
    return scope;
}

/* False: an item without a key, so there is no identity. */
static bool add_item(mr_hash *hash, const mr_item *item)
{
    mr_hash_add_text(hash, item->key);
    return item->key[0] != '\0';
}

static bool add_inputs(mr_hash *hash, const mr_task *task)
{
    const mr_node_run *node = task->node;
    char count[32];
    bool known = true;
    for (size_t b = 0; b < node->node->binding_count && known; b++) {
        const mr_bound_port *port = &node->ports[b];
        mr_hash_add_text(hash, node->node->op->inputs[port->binding->port].name);
        if (b < node->crossed) {
            mr_hash_add_text(hash, "1");
            known = add_item(hash, task->slots[b]->item);
            continue;
        }
        snprintf(count, sizeof(count), "%zu", port->item_count);
        mr_hash_add_text(hash, count);
        for (size_t i = 0; i < port->item_count && known; i++)
            known = add_item(hash, port->items[i]);
    }
    return known;
}

mr_status mr_task_identity(mr_task *task)
{
    const mr_op *op = task->node->node->op;
    char version[32];
    task->identity[0] = '\0';
    if ((op->flags & MR_OP_EFFECT) || task->node->streaming)
        return MR_OK;
    json_t *params = op->params ? mr_params_json(op->params, task->params) : json_object();
    char *text = params ? mr_json_text(params) : NULL;
    json_decref(params);
    mr_hash *hash = text ? mr_hash_new() : NULL;
    if (!hash) {
        free(text);
        return MR_ERR_NOMEM;
    }
    snprintf(version, sizeof(version), "%u", op->version);
    mr_hash_add_text(hash, IDENTITY_FORMAT);
    mr_hash_add_text(hash, op->name);
    mr_hash_add_text(hash, version);
    mr_hash_add_text(hash, op->toolchain ? op->toolchain() : "");
    mr_hash_add_text(hash, text);
    if (add_inputs(hash, task))
        mr_hash_finish(hash, task->identity);
    mr_hash_free(hash);
    free(text);
    return MR_OK;
}
