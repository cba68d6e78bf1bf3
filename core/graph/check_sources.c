/* SPDX-License-Identifier: MIT */
/* Where streams come from ("inputs.source", "probe.info"), and how a node's ports are bound to them: in, each, for. */
#include "graph/check.h"

bool mr_source_is_one(const mr_pipeline *pipeline, const mr_source *source)
{
    if (source->kind == MR_SOURCE_INPUT)
        return !pipeline->inputs[source->index].many;
    const mr_node *node = &pipeline->nodes[source->index];
    for (size_t i = 0; i < node->binding_count; i++)
        if (node->bindings[i].how != MR_BIND_IN)
            return false;
    return !(node->op->outputs[source->port].flags & (MR_PORT_MANY | MR_PORT_STREAMING));
}

const char *mr_source_text(mr_arena *arena, const mr_pipeline *pipeline, const mr_source *source)
{
    const char *text = NULL;
    if (source->kind == MR_SOURCE_INPUT)
        text = mr_arena_printf(arena, "inputs.%s", pipeline->inputs[source->index].name);
    else
        text = mr_arena_printf(arena, "%s.%s", pipeline->nodes[source->index].name, pipeline->nodes[source->index].op->outputs[source->port].name);
    return text ? text : "";
}

/* As above, while nodes are still being read. */
static const char *fan_key(const mr_check *check, uint32_t node)
{
    const mr_value *map = check->node_entries[node]->value;
    static const char *const keys[] = {"each", "for"};
    for (size_t i = 0; i < 2; i++) {
        const mr_value *value = mr_value_get(map, keys[i]);
        if (value && value->type == MR_VALUE_MAP && value->map.count > 0)
            return keys[i];
    }
    return NULL;
}

static uint32_t source_type(const mr_check *check, const mr_source *source)
{
    if (source->kind == MR_SOURCE_INPUT)
        return check->inputs[source->index].type;
    return check->nodes[source->index].op->outputs[source->port].types;
}

/* "probe.info, probe.audio_tracks": the ports of a node, for hints. */
static const char **port_names(mr_check *check, const char *owner, const mr_port *ports, size_t *ret_count)
{
    size_t count = mr_port_count(ports);
    const char **names = mr_check_take(check, count, sizeof(*names));
    for (size_t i = 0; names && i < count; i++)
        names[i] = owner ? mr_check_text(check, "%s.%s", owner, ports[i].name) : ports[i].name;
    *ret_count = names ? count : 0;
    return names;
}

static const char **all_names(mr_check *check, size_t *ret_count)
{
    size_t count = check->pipeline->input_count + check->pipeline->node_count;
    const char **names = mr_check_take(check, count, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; names && i < check->pipeline->input_count; i++)
        names[n++] = mr_check_text(check, "inputs.%s", check->inputs[i].name);
    for (size_t i = 0; names && i < check->pipeline->node_count; i++)
        names[n++] = check->nodes[i].name;
    *ret_count = n;
    return names;
}

static int find_node(const mr_check *check, const char *name)
{
    for (size_t i = 0; i < check->pipeline->node_count; i++)
        if (strcmp(check->nodes[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int find_input(const mr_check *check, const char *name)
{
    for (size_t i = 0; i < check->pipeline->input_count; i++)
        if (strcmp(check->inputs[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* "probe" instead of "probe.info", "source" instead of "inputs.source", "${…}", "params.x". */
static void not_a_source(mr_check *check, const mr_value *value)
{
    const char *text = value->text;
    int node = find_node(check, text);
    mr_fail(check, "bad-source", value->span, "'%s' is not a source: a source is 'inputs.NAME' or 'NODE.PORT'", text);
    if (strstr(text, "${"))
        mr_hint(check->diags, "sources are written without ${}; expressions belong in 'with' and 'when'");
    else if (strncmp(text, "params.", 7) == 0)
        mr_hint(check->diags, "a param is used in 'with': \"${%s}\"", text);
    else if (find_input(check, text) >= 0)
        mr_hint(check->diags, "write 'inputs.%s'", text);
    else if (node >= 0 && check->nodes[node].op) {
        size_t count = 0;
        check->node_used[node] = true;
        const char **names = port_names(check, text, check->nodes[node].op->outputs, &count);
        if (count > 0)
            mr_hint(check->diags, "name one of its ports: %s", mr_join(check->arena, names, count, 12));
    }
}

static bool input_source(mr_check *check, const mr_value *value, const char *name, mr_source *ret_source)
{
    int input = find_input(check, name);
    if (input < 0) {
        mr_fail(check, "unknown-input", value->span, "unknown input '%s'", name);
        const char **names = mr_check_take(check, check->pipeline->input_count, sizeof(*names));
        for (size_t i = 0; names && i < check->pipeline->input_count; i++)
            names[i] = mr_check_text(check, "inputs.%s", check->inputs[i].name);
        if (names && check->pipeline->input_count > 0)
            mr_hint_names(check, value->text, names, check->pipeline->input_count, "the pipeline has");
        else
            mr_hint(check->diags, "declare it under 'inputs'");
        return false;
    }
    check->input_used[input] = true;
    *ret_source = (mr_source){MR_SOURCE_INPUT, (uint32_t)input, 0, value->span};
    return check->inputs[input].type != 0;
}

static bool node_source(mr_check *check, const mr_value *value, const char *name, const char *port_name, mr_source *ret_source)
{
    int node = find_node(check, name);
    if (node < 0) {
        size_t count = 0;
        const char **names = all_names(check, &count);
        mr_fail(check, "unknown-node", value->span, "unknown node '%s'", name);
        if (strcmp(name, "input") == 0)
            mr_hint(check->diags, "did you mean 'inputs.%s'?", port_name);
        else
            mr_hint_names(check, name, names, count, "there are");
        return false;
    }
    check->node_used[node] = true;
    const mr_op *op = check->nodes[node].op;
    if (!op)
        return false;
    int port = mr_port_find(op->outputs, port_name);
    if (port < 0) {
        size_t count = 0;
        const char **names = port_names(check, NULL, op->outputs, &count);
        const char *near = mr_nearest(port_name, names, count);
        mr_fail(check, "unknown-port", value->span, "node '%s' (op '%s') has no output port '%s'", name, op->name, port_name);
        if (near)
            mr_hint(check->diags, "did you mean '%s.%s'?", name, near);
        else if (count > 0)
            mr_hint_names(check, port_name, names, count, "it has");
        else
            mr_hint(check->diags, "the op has no outputs");
        return false;
    }
    *ret_source = (mr_source){MR_SOURCE_NODE, (uint32_t)node, (uint32_t)port, value->span};
    return true;
}

bool mr_check_source(mr_check *check, const mr_value *value, mr_source *ret_source)
{
    if (value->type != MR_VALUE_TEXT) {
        mr_fail(check, "bad-source", value->span, "a source must be text like 'inputs.NAME' or 'NODE.PORT', not %s", mr_value_type_name(value->type));
        return false;
    }
    const char *dot = strchr(value->text, '.');
    bool plain = dot && !strchr(dot + 1, '.') && dot[1] && dot != value->text && !strpbrk(value->text, " ${}");
    if (!plain || strncmp(value->text, "params.", 7) == 0) {
        not_a_source(check, value);
        return false;
    }
    const char *name = mr_check_text(check, "%.*s", (int)(dot - value->text), value->text);
    if (strcmp(name, "inputs") == 0)
        return input_source(check, value, dot + 1, ret_source);
    return node_source(check, value, name, dot + 1, ret_source);
}

/* --- bindings --- */

typedef struct binder {
    mr_check *check;
    mr_node *node;
    uint32_t index;
    const mr_value *map; /* the node's */
    mr_binding *bindings;
    const mr_entry **places; /* per input port: where it was bound */
    bool *meant;             /* per input port: a misspelt name means it, so it is not missing as well */
    size_t port_count;
} binder;

static void check_edge(binder *b, const mr_port *port, mr_bind_how how, const mr_source *source)
{
    char have[96];
    char want[96];
    mr_check *check = b->check;
    uint32_t type = source_type(check, source);
    const char *text = source->kind == MR_SOURCE_INPUT ? mr_check_text(check, "inputs.%s", check->inputs[source->index].name)
                                                       : mr_check_text(check, "%s.%s", check->nodes[source->index].name,
                                                                       check->nodes[source->index].op->outputs[source->port].name);
    if (!(type & port->types)) {
        mr_fail(check, "type-mismatch", source->span, "'%s' is of type %s, but port '%s' of op '%s' takes %s", text,
                mr_types_text(type, have, sizeof(have)), port->name, b->node->op->name, mr_types_text(port->types, want, sizeof(want)));
        return;
    }
    if (how != MR_BIND_IN || (port->flags & (MR_PORT_MANY | MR_PORT_STREAMING)))
        return;
    const char *key = source->kind == MR_SOURCE_NODE ? fan_key(check, source->index) : NULL;
    bool many = source->kind == MR_SOURCE_INPUT
                    ? check->inputs[source->index].many
                    : (check->nodes[source->index].op->outputs[source->port].flags & (MR_PORT_MANY | MR_PORT_STREAMING)) != 0;
    if (!many && !key)
        return;
    mr_fail(check, "stream-to-one", source->span, "port '%s' of op '%s' takes one artifact, but '%s' is a stream%s", port->name, b->node->op->name,
            text, many ? "" : mr_check_text(check, ", since node '%s' has '%s'", check->nodes[source->index].name, mr_key_word(check, key)));
    mr_hint(check->diags, "bind it under 'each' (a task per item, in step with other 'each' streams) or '%s' (a task per combination)",
            mr_key_word(check, "for"));
}

static void unknown_port(binder *b, const mr_entry *entry)
{
    mr_check *check = b->check;
    size_t count = 0;
    const char **names = port_names(check, NULL, b->node->op->inputs, &count);
    const char *near = mr_nearest(entry->key, names, count);
    if (near)
        b->meant[mr_port_find(b->node->op->inputs, near)] = true;
    mr_fail(check, "unknown-port", entry->key_span, "op '%s' has no input port '%s'", b->node->op->name, entry->key);
    bool param = false;
    for (const mr_param *p = b->node->op->params; p && p->name; p++)
        param |= strcmp(p->name, entry->key) == 0;
    if (param)
        mr_hint(check->diags, "it is a param of the op: write it under 'with'");
    else if (count > 0)
        mr_hint_names(check, entry->key, names, count, "it has");
    else
        mr_hint(check->diags, "the op has no inputs");
}

/* The sources of one port. NULL op: they are resolved only to find their own mistakes. */
static void bind_port(binder *b, const mr_entry *entry, mr_bind_how how, const char *key, mr_binding *binding)
{
    mr_check *check = b->check;
    const mr_value *value = entry->value;
    const mr_port *port = binding ? &b->node->op->inputs[binding->port] : NULL;
    bool list = value->type == MR_VALUE_LIST;
    size_t count = list ? value->list.count : 1;
    if (port && list && (how != MR_BIND_IN || !(port->flags & (MR_PORT_MANY | MR_PORT_STREAMING)))) {
        mr_fail(check, "bad-source", value->span, "port '%s' under '%s' takes one source, not a list", entry->key, key);
        if (how != MR_BIND_IN)
            mr_hint(check->diags, "a list of sources is only possible under '%s'", mr_key_word(check, "in"));
        else
            mr_hint(check->diags, "the port takes one artifact; only ports that take a whole stream take several sources");
        port = NULL;
    }
    if (count > MR_PIPELINE_SOURCES_MAX) {
        mr_fail(check, "limit", value->span, "%zu sources are more than the %d that a port may have", count, MR_PIPELINE_SOURCES_MAX);
        return;
    }
    if (port && count == 0 && !(port->flags & MR_PORT_OPTIONAL))
        mr_fail(check, "missing-input", value->span, "port '%s' of op '%s' needs at least one source", port->name, b->node->op->name);
    mr_source *sources = mr_check_take(check, count, sizeof(*sources));
    size_t good = 0;
    for (size_t i = 0; sources && i < count; i++) {
        const mr_value *item = list ? value->list.items[i] : value;
        if (!mr_check_source(check, item, &sources[good]))
            continue;
        if (port)
            check_edge(b, port, how, &sources[good]);
        good++;
    }
    if (binding) {
        binding->sources = sources;
        binding->source_count = sources ? good : 0;
    }
}

/* A streaming op runs as one task, and a port that takes a whole stream can't be given its items one by one. */
static bool check_fan(binder *b, const mr_entry *entry, const mr_port *port, const char *key)
{
    const char *op = b->node->op->name;
    if (port->flags & MR_PORT_STREAMING)
        mr_fail(b->check, "fan-on-many", entry->key_span, "port '%s' of op '%s' takes its items while they are made, so it can't be under '%s'",
                port->name, op, key);
    else if (port->flags & MR_PORT_MANY)
        mr_fail(b->check, "fan-on-many", entry->key_span, "port '%s' of op '%s' takes a whole stream, so it can't be under '%s'", port->name, op,
                key);
    else
        return true;
    mr_hint(b->check->diags, "bind it under '%s'", mr_key_word(b->check, "in"));
    return false;
}

static void bind_entry(binder *b, const mr_entry *entry, mr_bind_how how, const char *key)
{
    mr_check *check = b->check;
    if (!b->node->op) {
        bind_port(b, entry, how, key, NULL);
        return;
    }
    int port = mr_port_find(b->node->op->inputs, entry->key);
    if (port < 0) {
        unknown_port(b, entry);
        bind_port(b, entry, how, key, NULL);
        return;
    }
    if (b->places[port]) {
        mr_span first = b->places[port]->key_span;
        mr_span second = entry->key_span;
        bool swap = second.line < first.line || (second.line == first.line && second.col < first.col);
        mr_fail(check, "bound-twice", swap ? first : second, "port '%s' is bound twice", entry->key);
        mr_note(check->diags, swap ? second : first, "first bound here");
        return;
    }
    b->places[port] = entry;
    if (how != MR_BIND_IN && !check_fan(b, entry, &b->node->op->inputs[port], key)) {
        bind_port(b, entry, how, key, NULL);
        return;
    }
    mr_binding *binding = &b->bindings[b->node->binding_count++];
    *binding = (mr_binding){.port = (uint32_t)port, .how = how, .span = entry->key_span};
    bind_port(b, entry, how, key, binding);
}

/* 'each' and 'in' are kept in port order, 'for' as written: its order is the order of the tasks. */
static void sort_bindings(mr_binding *bindings, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && bindings[k].port < bindings[k - 1].port; k--) {
            mr_binding swap = bindings[k];
            bindings[k] = bindings[k - 1];
            bindings[k - 1] = swap;
        }
}

static void bind_map(binder *b, const char *key, mr_bind_how how)
{
    const mr_value *map = mr_value_get(b->map, key);
    const char *word = mr_key_word(b->check, key);
    size_t first = b->node->binding_count;
    if (!map)
        return;
    if (!mr_check_map(b->check, map, mr_check_text(b->check, "'%s' of node '%s'", word, b->node->name))) {
        mr_hint(b->check->diags, mr_is_lua(b->check) ? "write %s = {PORT = STREAM}" : "write %s: {PORT: SOURCE}", word);
        memset(b->meant, true, b->port_count); /* which ports were meant is not known */
        return;
    }
    for (size_t i = 0; i < map->map.count; i++)
        bind_entry(b, &map->map.entries[i], how, word);
    if (how != MR_BIND_FOR && b->bindings)
        sort_bindings(b->bindings + first, b->node->binding_count - first);
}

/* Where a missing input could come from: a port of that name, else an input of that type. */
static void hint_missing(mr_check *check, uint32_t index, const mr_port *port)
{
    const char *found = NULL;
    for (size_t i = 0; i < check->pipeline->node_count && !found; i++) {
        const mr_op *op = i != index ? check->nodes[i].op : NULL;
        int out = op ? mr_port_find(op->outputs, port->name) : -1;
        if (out >= 0 && (op->outputs[out].types & port->types))
            found = mr_check_text(check, "%s.%s", check->nodes[i].name, port->name);
    }
    for (size_t i = 0; i < check->pipeline->input_count && !found; i++)
        if (check->inputs[i].type & port->types)
            found = mr_check_text(check, "inputs.%s", check->inputs[i].name);
    char types[96];
    if (found && mr_is_lua(check))
        mr_hint(check->diags, "bind it under 'from', for example from = {%s = %s}", port->name,
                strncmp(found, "inputs.", 7) == 0 ? found + 7 : found);
    else if (found)
        mr_hint(check->diags, "bind it under 'in', for example in: {%s: %s}", port->name, found);
    else
        mr_hint(check->diags, "it takes %s: bind it under '%s', 'each' or '%s'", mr_types_text(port->types, types, sizeof(types)),
                mr_key_word(check, "in"), mr_key_word(check, "for"));
}

static void check_missing(binder *b)
{
    mr_check *check = b->check;
    for (size_t i = 0; i < b->port_count; i++) {
        const mr_port *port = &b->node->op->inputs[i];
        bool said = b->meant[i] || mr_value_get(b->map, port->name); /* misspelt, or written one level too high */
        if (b->places[i] || said || (port->flags & MR_PORT_OPTIONAL))
            continue;
        mr_fail(check, "missing-input", b->node->span, "node '%s': input port '%s' of op '%s' is not connected", b->node->name, port->name,
                b->node->op->name);
        hint_missing(check, b->index, port);
    }
}

static void check_streaming(binder *b)
{
    const char *key = fan_key(b->check, b->index);
    for (size_t i = 0; key && i < b->port_count; i++) {
        const mr_port *port = &b->node->op->inputs[i];
        if (!(port->flags & MR_PORT_STREAMING))
            continue;
        mr_fail(b->check, "fan-on-streaming", mr_value_entry(b->map, key)->key_span,
                "op '%s' runs once over its stream '%s', so its node can't have '%s'", b->node->op->name, port->name, key);
        return;
    }
}

void mr_check_bindings(mr_check *check, uint32_t node)
{
    binder b = {.check = check, .node = &check->nodes[node], .index = node, .map = check->node_entries[node]->value};
    b.port_count = b.node->op ? mr_port_count(b.node->op->inputs) : 0;
    b.places = mr_check_take(check, b.port_count, sizeof(const mr_entry *));
    b.bindings = mr_check_take(check, b.port_count, sizeof(*b.bindings));
    b.meant = mr_check_take(check, b.port_count, sizeof(*b.meant));
    if (!b.places || !b.bindings || !b.meant)
        return;
    b.node->bindings = b.bindings;
    bind_map(&b, "each", MR_BIND_EACH);
    bind_map(&b, "for", MR_BIND_FOR);
    bind_map(&b, "in", MR_BIND_IN);
    check_missing(&b);
    check_streaming(&b);
}
