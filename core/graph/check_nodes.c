/* SPDX-License-Identifier: MIT */
/* Nodes: first all names and ops, so that sources may point forwards; then what each node says. */
#include "graph/check.h"

static const char *const node_keys[] = {"op", "in", "each", "for", "with", "when", "retry", "timeout", "on_error", "trigger", "help", NULL};
#define DAY_US 86400000000ll

static void find_op(mr_check *check, const mr_entry *entry, mr_node *node)
{
    const mr_value *op = mr_value_get(entry->value, "op");
    if (!op) {
        mr_fail(check, "missing-key", entry->key_span, "node '%s' has no 'op'", entry->key);
        mr_hint(check->diags, "add op: NAME; 'millrace ops' lists them");
        return;
    }
    if (op->type != MR_VALUE_TEXT) {
        mr_fail(check, "wrong-type", op->span, "'op' of node '%s' must be the name of an op, not %s", entry->key, mr_value_type_name(op->type));
        return;
    }
    const mr_op_entry *found = mr_op_set_find(check->ops, op->text);
    if (found) {
        node->op = found->op;
        node->plugin = found->plugin;
        node->filters = &check->ops->filters;
        return;
    }
    const char **names = mr_check_take(check, check->ops->count, sizeof(*names));
    for (size_t i = 0; names && i < check->ops->count; i++)
        names[i] = check->ops->entries[i].op->name;
    mr_fail(check, "unknown-op", op->span, "unknown op '%s'", op->text);
    const char *near = names ? mr_nearest(op->text, names, check->ops->count) : NULL;
    if (near)
        mr_hint(check->diags, "did you mean '%s'?", near);
    else
        mr_hint(check->diags, "'millrace ops' lists the ops of the plugins that are loaded");
}

static void read_retry(mr_check *check, const mr_value *map, const char *what, mr_node *node)
{
    static const char *const keys[] = {"attempts", "delay", NULL};
    const mr_value *retry = mr_value_get(map, "retry");
    int64_t attempts = 1;
    if (!retry)
        return;
    const char *of = mr_check_text(check, "'retry' of %s", what);
    if (!mr_check_map(check, retry, of)) {
        mr_hint(check->diags, "write for example retry: {attempts: 3, delay: 1s}");
        return;
    }
    mr_check_keys(check, retry, of, keys);
    mr_read_int(check, retry, "attempts", of, 1, 10, &attempts);
    mr_read_duration(check, retry, "delay", of, 60000000, &node->retry_delay_us);
    node->attempts = (uint32_t)attempts;
}

static void read_options(mr_check *check, const mr_value *map, const char *what, mr_node *node)
{
    static const char *const on_error[] = {"fail", "skip", NULL};
    static const char *const triggers[] = {"success", "failure", "always", NULL};
    int choice = 0;
    node->attempts = 1;
    node->retry_delay_us = 1000000;
    read_retry(check, map, what, node);
    mr_read_duration(check, map, "timeout", what, 7 * DAY_US, &node->timeout_us);
    mr_read_choice(check, map, "on_error", what, on_error, &choice);
    node->on_error = (mr_on_error)choice;
    choice = -1;
    mr_read_choice(check, map, "trigger", what, triggers, &choice);
    node->trigger = (mr_trigger)(choice + 1);
    mr_read_text(check, map, "help", what, &node->help);
}

/* A key that is none of a node's may be a param or a port of its op, written one level too high. */
static void check_node_keys(mr_check *check, const mr_value *map, const char *what, const mr_op *op)
{
    for (size_t i = 0; i < map->map.count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        bool known = false;
        bool param = false;
        size_t keys = 0;
        for (; node_keys[keys]; keys++)
            known |= strcmp(node_keys[keys], entry->key) == 0;
        if (known)
            continue;
        for (const mr_param *p = op ? op->params : NULL; p && p->name; p++)
            param |= strcmp(p->name, entry->key) == 0;
        mr_fail(check, "unknown-key", entry->key_span, "%s has no key '%s'", what, entry->key);
        if (param)
            mr_hint(check->diags, "it is a param of the op: write with: {%s: …}", entry->key);
        else if (op && mr_port_find(op->inputs, entry->key) >= 0)
            mr_hint(check->diags, "it is an input port of the op: write in: {%s: …}", entry->key);
        else
            mr_hint_names(check, entry->key, node_keys, keys, "it has");
    }
}

static void read_node(mr_check *check, uint32_t index)
{
    const mr_entry *entry = check->node_entries[index];
    mr_node *node = &check->nodes[index];
    const char *what = mr_check_text(check, "node '%s'", entry->key);
    check_node_keys(check, entry->value, what, node->op);
    read_options(check, entry->value, what, node);
    const mr_value *with = mr_value_get(entry->value, "with");
    if (with && mr_check_map(check, with, mr_check_text(check, "'with' of %s", what)))
        node->with = with;
    mr_check_bindings(check, index);
    mr_check_exprs(check, index);
}

void mr_check_nodes(mr_check *check, const mr_value *map)
{
    if (!mr_check_map(check, map, "'nodes'") || !mr_check_count(check, map, MR_PIPELINE_NODES_MAX, "nodes"))
        return;
    size_t count = map->map.count;
    if (count == 0) {
        mr_fail(check, "missing-key", map->span, "the pipeline has no nodes");
        return;
    }
    check->nodes = mr_check_take(check, count, sizeof(*check->nodes));
    check->node_entries = mr_check_take(check, count, sizeof(const mr_entry *));
    check->node_used = mr_check_take(check, count, sizeof(*check->node_used));
    if (!check->nodes || !check->node_entries || !check->node_used)
        return;
    check->pipeline->nodes = check->nodes;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        bool reserved = strcmp(entry->key, "inputs") == 0 || strcmp(entry->key, "params") == 0;
        if (reserved)
            mr_fail(check, "bad-name", entry->key_span, "a node can't be named '%s': sources and expressions use that word", entry->key);
        else
            mr_check_name(check, entry->key, entry->key_span, "a node");
        if (!mr_check_map(check, entry->value, mr_check_text(check, "node '%s'", entry->key)))
            continue;
        check->node_entries[n] = entry;
        check->nodes[n] = (mr_node){.name = entry->key, .span = entry->key_span};
        find_op(check, entry, &check->nodes[n++]);
    }
    check->pipeline->node_count = n;
    for (size_t i = 0; i < n; i++)
        read_node(check, (uint32_t)i);
}
