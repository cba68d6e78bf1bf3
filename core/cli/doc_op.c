/* SPDX-License-Identifier: MIT */
/* The page of an op, from its tables; and params for whoever has a table of them. */
#include "cli/doc.h"
#include "config/params.h"

#include <stdarg.h>
#include <string.h>

enum { LINE = 1024, DEPTH = 4 };

static void add(char line[LINE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(char line[LINE], const char *fmt, ...)
{
    size_t len = strlen(line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + len, LINE - len, fmt, args);
    va_end(args);
}

static void write_ports(const mr_doc *doc, const char *heading, const mr_port *ports, bool is_input)
{
    if (!ports || !ports->name)
        return;
    mr_doc_heading(doc, heading);
    for (; ports->name; ports++) {
        char kind[LINE] = "";
        char types[96];
        add(kind, "%s", ports->types == MR_TYPE_ANY ? "any type" : mr_types_text(ports->types, types, sizeof(types)));
        if (ports->flags & MR_PORT_STREAMING)
            add(kind, ", any number, taken while they are made");
        else if (ports->flags & MR_PORT_MANY)
            add(kind, ", any number");
        if (ports->flags & MR_PORT_OPTIONAL)
            add(kind, is_input ? ", optional" : ", may be absent");
        mr_doc_item(doc, 0, ports->name, kind, ports->help);
    }
}

static void add_limits(char kind[LINE], const mr_param *param)
{
    bool is_length = param->type == MR_PARAM_TYPE_TEXT || param->type == MR_PARAM_TYPE_LIST || param->type == MR_PARAM_TYPE_JSON ||
                     param->type == MR_PARAM_TYPE_URL;
    const char *of = is_length ? "length " : "";
    if (param->min && param->max)
        add(kind, ", %s%s to %s", of, param->min, param->max);
    else if (param->min)
        add(kind, ", %sat least %s", of, param->min);
    else if (param->max)
        add(kind, ", %sat most %s", of, param->max);
}

void mr_doc_params(const mr_doc *doc, const mr_param *params, const char *prefix, unsigned depth, mr_arena *arena)
{
    for (; params->name && depth < DEPTH; params++) {
        char kind[LINE] = "";
        char term[LINE] = "";
        add(term, "%s%s", prefix, params->name);
        const char *type = params->type == MR_PARAM_TYPE_CHOICE ? "one of " : mr_param_type_text(arena, params);
        add(kind, "%s", type ? type : "");
        for (const char *const *choice = params->type == MR_PARAM_TYPE_CHOICE ? params->choices : NULL; choice && *choice; choice++)
            add(kind, "%s%s", choice == params->choices ? "" : ", ", *choice);
        add_limits(kind, params);
        if (params->standard)
            add(kind, "; default %s", *params->standard ? params->standard : "empty");
        if (params->flags & MR_PARAM_REQUIRED)
            add(kind, "; required");
        if (params->flags & MR_PARAM_SECRET)
            add(kind, "; secret");
        mr_doc_item(doc, depth > 0, term, kind, params->help);
        if (params->fields) {
            add(term, "[].");
            mr_doc_params(doc, params->fields, term, depth + 1, arena);
        }
    }
}

static void write_needs(const mr_doc *doc, const mr_op_entry *entry)
{
    char line[LINE] = "";
    const mr_op *op = entry->op;
    add(line, "Plugin %s, version %u of the op. ", entry->plugin, op->version);
    if (op->flags & MR_OP_EFFECT)
        add(line, "It acts on the world, so it is always run and never cached. ");
    else
        add(line, "Its results are reused when inputs, params and versions are the same. ");
    if (op->cpu > 0)
        add(line, "A task takes %u CPU slot%s", op->cpu, op->cpu == 1 ? "" : "s");
    else
        add(line, "A task takes no CPU slot");
    if (op->memory_mb > 0)
        add(line, " and up to %u MiB of memory", op->memory_mb);
    add(line, ".");
    if (op->batch_max > 1 && op->batch_by)
        add(line, " Up to %u tasks that share '%s' may run as one batch.", op->batch_max, op->batch_by);
    mr_doc_text(doc, line);
}

void mr_doc_op(const mr_doc *doc, const mr_op_entry *entry, mr_arena *arena)
{
    const mr_op *op = entry->op;
    char name[128];
    snprintf(name, sizeof(name), "%s%s", doc->format == MR_DOC_MAN ? "millrace-op-" : "", op->name);
    mr_doc_title(doc, name, 7, op->summary);
    if (doc->format == MR_DOC_MAN)
        mr_doc_heading(doc, "Description");
    mr_doc_text(doc, op->help);
    write_needs(doc, entry);
    write_ports(doc, "Inputs", op->inputs, true);
    write_ports(doc, "Outputs", op->outputs, false);
    if (op->params && op->params->name) {
        mr_doc_heading(doc, "Params");
        mr_doc_params(doc, op->params, "", 0, arena);
    }
}

void mr_doc_filter(const mr_doc *doc, const mr_filter_entry *entry, mr_arena *arena)
{
    const mr_frame_filter *filter = entry->filter;
    char line[LINE] = "";
    mr_doc_title(doc, filter->name, 7, filter->summary);
    mr_doc_text(doc, filter->help);
    add(line, "Plugin %s, version %u of the filter. ", entry->plugin, (unsigned)filter->version);
    add(line, filter->apply ? "It makes pixels." : "It sets options of filters of libavfilter for each picture.");
    mr_doc_text(doc, line);
    if (filter->params && filter->params->name) {
        mr_doc_heading(doc, "Params");
        mr_doc_params(doc, filter->params, "", 0, arena);
    }
}
