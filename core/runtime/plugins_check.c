/* SPDX-License-Identifier: MIT */
/*
 * Checks a plugin's tables once, at load: everything after may then rely on them (names, help, ports, params, entry points). A
 * mistake in a table is its author's, so each is named with the op and the port at fault.
 */
#include "runtime/plugins_check.h"

#include "config/params.h"

#include <string.h>

static const mr_span nowhere;

#define PORT_FLAGS  ((uint32_t)(MR_PORT_MANY | MR_PORT_OPTIONAL | MR_PORT_STREAMING | MR_PORT_ANY_ORDER))
#define OP_FLAGS    ((uint32_t)MR_OP_EFFECT)
#define OP_SIZE_1_0 ((uint32_t)(offsetof(mr_op, toolchain) + sizeof(((mr_op *)0)->toolchain)))

/* The length of a name in snake_case that text begins with; 0: none. */
static size_t name_len(const char *text)
{
    size_t len = 0;
    if (text[0] < 'a' || text[0] > 'z')
        return 0;
    while ((text[len] >= 'a' && text[len] <= 'z') || (text[len] >= '0' && text[len] <= '9') || text[len] == '_')
        len++;
    return len <= MR_PLUGIN_NAME_MAX ? len : 0;
}

static bool is_name(const char *text)
{
    size_t len = text ? name_len(text) : 0;
    return len > 0 && text[len] == '\0';
}

bool mr_plugin_is_name(const char *text)
{
    size_t len = text ? name_len(text) : 0;
    return len > 0 && text[len] == '.' && is_name(text + len + 1);
}

static bool says_something(const char *text)
{
    return text && text[0];
}

static void check_port(const mr_op *op, const mr_port *table, size_t index, bool output, mr_diags *diags)
{
    const mr_port *port = &table[index];
    const char *way = output ? "output" : "input";
    if (!is_name(port->name)) {
        mr_error(diags, "plugin-port", nowhere, "op '%s': '%s' can't be the name of an %s port", op->name, port->name, way);
        mr_hint(diags, "a name is lower case letters, digits and '_', and begins with a letter");
    } else if (strcmp(port->name, "params") == 0 || strcmp(port->name, "inputs") == 0) {
        mr_error(diags, "plugin-port", nowhere, "op '%s': %s port '%s' has a name that pipelines use for something else", op->name, way, port->name);
    }
    for (size_t i = 0; i < index; i++)
        if (strcmp(table[i].name, port->name) == 0)
            mr_error(diags, "plugin-port", nowhere, "op '%s' has two %s ports '%s'", op->name, way, port->name);
    if (port->types == 0 || (port->types & ~MR_TYPE_ANY) != 0)
        mr_error(diags, "plugin-port", nowhere, "op '%s': %s port '%s' has an unknown type 0x%x", op->name, way, port->name, (unsigned)port->types);
    else if (output && __builtin_popcount(port->types) != 1)
        mr_error(diags, "plugin-port", nowhere, "op '%s': output port '%s' has more than one type", op->name, port->name);
    if ((port->flags & ~PORT_FLAGS) != 0)
        mr_error(diags, "plugin-port", nowhere, "op '%s': %s port '%s' has unknown flags 0x%x", op->name, way, port->name, (unsigned)port->flags);
    if (output && (port->flags & MR_PORT_STREAMING))
        mr_error(diags, "plugin-port", nowhere, "op '%s': output port '%s' says streaming, which is for input ports", op->name, port->name);
    if ((port->flags & MR_PORT_ANY_ORDER) && !(port->flags & MR_PORT_STREAMING))
        mr_error(diags, "plugin-port", nowhere, "op '%s': %s port '%s' says any order, which is for streaming ports", op->name, way, port->name);
    if (!says_something(port->help))
        mr_error(diags, "plugin-help", nowhere, "op '%s': %s port '%s' has no help", op->name, way, port->name);
}

static void check_ports(const mr_op *op, const mr_port *table, bool output, mr_diags *diags)
{
    for (size_t i = 0; table && table[i].name; i++) {
        if (i == MR_PLUGIN_PORTS_MAX) {
            mr_error(diags, "plugin-port", nowhere, "op '%s' has more than %u %s ports, or its table has no end", op->name, MR_PLUGIN_PORTS_MAX,
                     output ? "output" : "input");
            return;
        }
        check_port(op, table, i, output, diags);
    }
}

static void check_batch(const mr_op *op, mr_diags *diags)
{
    const mr_port *port = op->inputs;
    if (!op->batch_by) {
        if (op->batch_max > 1)
            mr_error(diags, "plugin-batch", nowhere, "op '%s' has batch_max %u, but no batch_by", op->name, (unsigned)op->batch_max);
        return;
    }
    while (port && port->name && strcmp(port->name, op->batch_by) != 0)
        port++;
    if (!port || !port->name)
        mr_error(diags, "plugin-batch", nowhere, "op '%s': batch_by names '%s', which is not an input port", op->name, op->batch_by);
    else if (port->flags & (MR_PORT_MANY | MR_PORT_STREAMING))
        mr_error(diags, "plugin-batch", nowhere, "op '%s': batch_by names '%s', which takes more than one artifact", op->name, op->batch_by);
}

/* Of an op whose size and name are fine. */
static void check_op(const mr_op *op, mr_diags *diags)
{
    char what[MR_PLUGIN_NAME_MAX * 2 + 16];
    if (!says_something(op->summary))
        mr_error(diags, "plugin-help", nowhere, "op '%s' has no summary", op->name);
    if (!op->run)
        mr_error(diags, "plugin-op", nowhere, "op '%s' has no run function", op->name);
    if ((op->flags & ~OP_FLAGS) != 0)
        mr_error(diags, "plugin-op", nowhere, "op '%s' has unknown flags 0x%x", op->name, (unsigned)op->flags);
    check_ports(op, op->inputs, false, diags);
    check_ports(op, op->outputs, true, diags);
    check_batch(op, diags);
    if (!op->params)
        return;
    snprintf(what, sizeof(what), "op '%s'", op->name);
    mr_params_check_table(op->params, op->params_size, what, diags); /* what it finds is in diags */
}

static void check_ops(const mr_plugin *plugin, mr_diags *diags)
{
    for (size_t i = 0; plugin->ops && plugin->ops[i]; i++) {
        const mr_op *op = plugin->ops[i];
        if (i == MR_PLUGIN_OPS_MAX) {
            mr_error(diags, "plugin-op", nowhere, "it has more than %u ops, or its table has no end", MR_PLUGIN_OPS_MAX);
            return;
        }
        if (op->size < OP_SIZE_1_0) {
            mr_error(diags, "plugin-op", nowhere, "op number %zu says that it is %u bytes long; it takes %u", i + 1, (unsigned)op->size, OP_SIZE_1_0);
            return; /* nothing behind it can be trusted */
        }
        if (!mr_plugin_is_name(op->name)) {
            mr_error(diags, "plugin-op", nowhere, "op number %zu has the name '%s'; it takes one like 'plugin.verb'", i + 1,
                     op->name ? op->name : "");
            continue;
        }
        for (size_t k = 0; k < i; k++)
            if (plugin->ops[k]->name && strcmp(plugin->ops[k]->name, op->name) == 0)
                mr_error(diags, "plugin-op", nowhere, "it has two ops '%s'", op->name);
        check_op(op, diags);
    }
}

mr_status mr_plugin_check(const mr_plugin *plugin, mr_diags *diags)
{
    size_t before = mr_diags_errors(diags);
    if (!is_name(plugin->name))
        mr_error(diags, "plugin-name", nowhere, "'%s' can't be a plugin's name", plugin->name ? plugin->name : "");
    if (!says_something(plugin->version))
        mr_error(diags, "plugin-name", nowhere, "it has no version");
    if (!says_something(plugin->summary))
        mr_error(diags, "plugin-help", nowhere, "it has no summary");
    check_ops(plugin, diags);
    mr_plugin_check_offers(plugin, diags);
    return mr_diags_errors(diags) == before ? MR_OK : MR_ERR_PARAM;
}
