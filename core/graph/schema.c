/* SPDX-License-Identifier: MIT */
/*
 * JSON Schema (2020-12) of pipeline files, for completion and checks in editors. A node's ports and params depend on its op, so
 * each op brings one if/then. Built from the ops' tables; equal tables give equal bytes. Where a pipeline names scripts, it may use ops and ports
 * that are not among these: what is known of the others is checked all the same.
 */
#include "graph/pipeline.h"
#include "config/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PATTERN "^[a-z][a-z0-9_]{0,63}$"

enum { DEF_NAME = 96 };

/* Builders below take ownership of what they are given, also on failure, and pass NULL on: one check at the end is enough. */
static json_t *set(json_t *object, const char *key, json_t *take_value)
{
    if (!object || !take_value || json_object_set_new(object, key, take_value) != 0) {
        if (!object)
            json_decref(take_value);
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *described(json_t *schema, const char *help)
{
    return help && *help ? set(schema, "description", json_string(help)) : schema;
}

static json_t *ref(const char *name)
{
    return json_pack("{s:s+}", "$ref", "#/$defs/", name);
}

static json_t *typed(const char *type, const char *help)
{
    return described(json_pack("{s:s}", "type", type), help);
}

static json_t *choice(const char *const *words, const char *help)
{
    json_t *list = json_array();
    for (size_t i = 0; list && words[i]; i++)
        if (json_array_append_new(list, json_string(words[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return described(set(json_object(), "enum", list), help);
}

static json_t *closed_object(json_t *take_properties, const char *help)
{
    json_t *object = set(typed("object", help), "additionalProperties", json_false());
    return set(object, "properties", take_properties);
}

static json_t *named_map(const char *def, const char *help)
{
    json_t *map = typed("object", help);
    map = set(map, "propertyNames", json_pack("{s:s}", "pattern", NAME_PATTERN));
    return set(map, "additionalProperties", ref(def));
}

/* "source" for a port that takes all types, else a definition for these: "source_media", "sources_image_text". into has room for 96 bytes. */
static const char *source_def(uint32_t types, bool list, char *into)
{
    size_t len = (size_t)snprintf(into, DEF_NAME, list ? "sources" : "source");
    for (uint32_t bit = 1; (types & MR_TYPE_ANY) != MR_TYPE_ANY && bit < MR_TYPE_ANY; bit <<= 1) {
        char one[80];
        if (types & bit)
            len += (size_t)snprintf(into + len, DEF_NAME - len, "_%s", mr_types_text(bit, one, sizeof(one)));
    }
    return into;
}

/* What a port may be bound to under 'in' (many: also a list), 'each' and 'for'. */
static json_t *ports_schema(const mr_port *ports, bool fan)
{
    json_t *properties = json_object();
    for (const mr_port *port = ports; port && port->name; port++) {
        bool many = (port->flags & (MR_PORT_MANY | MR_PORT_STREAMING)) != 0;
        char types[96];
        char help[512];
        char def[DEF_NAME];
        if (fan && many)
            continue;
        snprintf(help, sizeof(help), "%s (%s%s)", port->help ? port->help : port->name, mr_types_text(port->types, types, sizeof(types)),
                 port->flags & MR_PORT_OPTIONAL ? ", optional" : "");
        properties = set(properties, port->name, described(ref(source_def(port->types, many, def)), help));
    }
    return closed_object(properties, NULL);
}

/* A port that must be bound is, in exactly one of the ways there are. */
static json_t *bound_rule(const mr_port *port)
{
    static const char *const ways[] = {"in", "each", "for"};
    const size_t count = port->flags & (MR_PORT_MANY | MR_PORT_STREAMING) ? 1 : 3;
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        json_t *way = json_pack("{s:{s:{s:[s]}}, s:[s]}", "properties", ways[i], "required", port->name, "required", ways[i]);
        if (json_array_append_new(list, way) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return set(json_object(), "oneOf", list);
}

static json_t *bound_rules(const mr_port *ports)
{
    json_t *list = json_array();
    for (const mr_port *port = ports; list && port && port->name; port++) {
        if (!(port->flags & MR_PORT_OPTIONAL) && json_array_append_new(list, bound_rule(port)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* The rule with what its ports may be bound to; without it, what is known of the op's params alone. */
static json_t *op_rule(const mr_op *op, bool with_ports)
{
    json_t *properties = json_object();
    bool streaming = false;
    for (const mr_port *port = op->inputs; port && port->name; port++)
        streaming |= (port->flags & MR_PORT_STREAMING) != 0;
    if (with_ports) {
        properties = set(properties, "in", ports_schema(op->inputs, false));
        properties = set(properties, "each", streaming ? json_false() : ports_schema(op->inputs, true)); /* it runs once over its stream */
        properties = set(properties, "for", streaming ? json_false() : ports_schema(op->inputs, true));
    }
    json_t *with = json_pack("{s:s+}", "$ref", "#/$defs/with_", op->name);
    json_t *known = json_object();
    bool needs_with = false;
    for (const mr_param *param = op->params; param && param->name; param++) {
        needs_with |= (param->flags & MR_PARAM_REQUIRED) != 0;
        if (with_ports && param->type == MR_PARAM_TYPE_FILTERS)
            known = set(known, param->name, ref("filters_known"));
    }
    if (json_object_size(known) > 0)
        with = set(with, "properties", known);
    else
        json_decref(known);
    properties = set(properties, "with", with);
    json_t *then = set(json_object(), "properties", properties);
    json_t *bound = with_ports ? bound_rules(op->inputs) : NULL;
    if (json_array_size(bound) > 0)
        then = set(then, "allOf", bound);
    else
        json_decref(bound);
    if (needs_with)
        then = set(then, "required", json_pack("[s]", "with"));
    json_t *rule = json_pack("{s:{s:{s:{s:s}}, s:[s]}}", "if", "properties", "op", "const", op->name, "required", "op");
    return set(rule, "then", then);
}

static json_t *op_choice(const mr_op *op)
{
    return described(json_pack("{s:s}", "const", op->name), op->summary);
}

static json_t *op_list(const mr_op_set *ops, bool rules, bool with_ports)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < ops->count; i++) {
        json_t *one = rules ? op_rule(ops->entries[i].op, with_ports) : op_choice(ops->entries[i].op);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* 'in', 'each', 'for'; loosely: any port, any source. */
static json_t *edges_schema(bool loose, const char *help)
{
    json_t *edges = typed("object", help);
    return loose ? set(edges, "additionalProperties", ref("sources_any")) : edges;
}

/* loose: beside these ops there are some that scripts bring. */
static json_t *node_schema(const mr_op_set *ops, bool loose)
{
    static const char *const on_error[] = {"fail", "skip", NULL};
    static const char *const triggers[] = {"success", "failure", "always", NULL};
    json_t *retry = set(json_object(), "attempts", json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 1, "maximum", 10));
    retry = closed_object(set(retry, "delay", ref("duration")), "for what can pass: how often a task is tried, and the first pause between");
    json_t *properties = json_object();
    json_t *op = typed("string", "the kind of node");
    if (loose)
        op = set(op, "pattern", json_string("^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$"));
    else if (ops->count > 0)
        op = set(op, "oneOf", op_list(ops, false, false));
    properties = set(properties, "op", op);
    properties = set(properties, "in", edges_schema(loose, "whole streams, by input port; ports that take many may have a list of sources"));
    properties = set(properties, "each", edges_schema(loose, "streams that go in step: one task per item"));
    properties = set(properties, "for", edges_schema(loose, "streams that cross: one task per combination, the last one fastest"));
    properties = set(properties, "with", typed("object", "the op's params"));
    properties =
        set(properties, "when",
            json_pack("{s:[s,s], s:s}", "type", "string", "boolean", "description", "an expression, \"${…}\": the node runs when it is true"));
    properties = set(properties, "retry", retry);
    properties = set(properties, "timeout", described(ref("duration"), "how long a task may take"));
    properties = set(properties, "on_error", choice(on_error, "what a failed task does to the run"));
    properties = set(properties, "trigger", choice(triggers, "the node runs when all nodes without a trigger have ended"));
    properties = set(properties, "help", typed("string", "what the node is for"));
    json_t *node = set(closed_object(properties, "one step: an op with its inputs and params"), "required", json_pack("[s]", "op"));
    return ops->count > 0 ? set(node, "allOf", op_list(ops, true, !loose)) : node;
}

static json_t *input_schema(void)
{
    static const char *const types[] = {"media", "chunk", "segment", "image", "text", "json", "file", NULL};
    json_t *properties = set(json_object(), "type", choice(types, "the type of artifact"));
    properties = set(properties, "help", typed("string", "what it is"));
    properties = set(properties, "required", typed("boolean", "whether a run needs it; default true"));
    properties = set(properties, "many", typed("boolean", "whether it takes several; default false"));
    return set(closed_object(properties, "what the pipeline works on"), "required", json_pack("[s]", "type"));
}

static json_t *param_schema(void)
{
    static const char *const types[] = {"bool", "int",   "number", "text", "choice", "duration", "bitrate",
                                        "size", "ratio", "url",    "list", "map",    "any",      NULL};
    json_t *properties = set(json_object(), "type", choice(types, "what may be given"));
    properties = set(properties, "default", described(json_object(), "its value when none is given"));
    properties = set(properties, "min", described(json_object(), "least value, or length of text and lists"));
    properties = set(properties, "max", described(json_object(), "largest value, or length of text and lists"));
    properties = set(properties, "choices", json_pack("{s:s, s:i, s:s}", "type", "array", "minItems", 1, "description", "the words of a choice"));
    properties = set(properties, "required", typed("boolean", "false: may be absent without a default, and is nil then"));
    properties = set(properties, "help", typed("string", "what it does"));
    return set(closed_object(properties, "what a run may be told"), "required", json_pack("[s]", "type"));
}

/* One item of a list of filters that is a plugin's. */
static json_t *filter_schema(const mr_frame_filter *filter)
{
    static const mr_param no_params[] = {MR_PARAM_END};
    json_t *properties = set(json_object(), "use", described(json_pack("{s:s}", "const", filter->name), filter->summary));
    properties = set(properties, "with", mr_params_schema(filter->params ? filter->params : no_params));
    json_t *object = closed_object(properties, filter->summary);
    bool needs_with = false;
    for (const mr_param *param = filter->params; param && param->name; param++)
        needs_with |= (param->flags & MR_PARAM_REQUIRED) != 0;
    return set(object, "required", needs_with ? json_pack("[s,s]", "use", "with") : json_pack("[s]", "use"));
}

/* One that a script brings, as far as it is known without it: its name is none of those that are. */
static json_t *script_filter_schema(const mr_filter_set *filters)
{
    json_t *names = json_array();
    for (size_t i = 0; names && i < filters->count; i++) {
        if (json_array_append_new(names, json_string(filters->entries[i].filter->name)) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    json_t *use = set(typed("string", "a filter of a script"), "pattern", json_string("^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$"));
    if (json_array_size(names) > 0)
        use = set(use, "not", set(json_object(), "enum", names));
    else
        json_decref(names);
    json_t *properties = set(set(json_object(), "use", use), "with", typed("object", "the filter's params"));
    return set(closed_object(properties, "a filter of a script"), "required", json_pack("[s]", "use"));
}

/* One filter, or a list of them. */
static json_t *filter_list_schema(const char *item)
{
    json_t *list = typed("array", "filters, in the order in which they are applied");
    list = set(set(list, "maxItems", json_integer(MR_FILTERS_MAX)), "items", ref(item));
    return json_pack("{s:[o,o]}", "anyOf", ref(item), list);
}

/* 'filters' is what may stand where there are scripts, 'filters_known' what may stand elsewhere. */
static json_t *filters_schema(const mr_filter_set *filters)
{
    json_t *items = json_array();
    for (size_t i = 0; items && i <= filters->count; i++) {
        json_t *one = i == 0 ? typed("string", "a chain of libavfilter: eq=contrast=1.1,hflip") : filter_schema(filters->entries[i - 1].filter);
        if (json_array_append_new(items, one) != 0) {
            json_decref(items);
            items = NULL;
        }
    }
    json_t *defs = set(json_object(), "filter_known", set(json_object(), "anyOf", items));
    defs = set(defs, "filter", json_pack("{s:[o,o]}", "anyOf", ref("filter_known"), script_filter_schema(filters)));
    defs = set(defs, "filters_known", filter_list_schema("filter_known"));
    return set(defs, "filters", filter_list_schema("filter"));
}

/* ---- references ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_outputs(const mr_op_set *ops)
{
    size_t count = 0;
    for (size_t i = 0; i < ops->count; i++)
        count += mr_port_count(ops->entries[i].op->outputs);
    return count;
}

/*
 * "inputs.NAME or NODE.PORT", where PORT is one that some op gives these types on. Which node has which op a schema can't know; that a port of that
 * name gives nothing fitting anywhere, it can.
 */
static char *source_pattern(const mr_op_set *ops, uint32_t types)
{
    const char **names = calloc(count_outputs(ops) + 1, sizeof(*names));
    size_t count = 0;
    size_t len = 0;
    char *text = NULL;
    FILE *out = names ? open_memstream(&text, &len) : NULL;
    for (size_t i = 0; out && i < ops->count; i++) {
        for (const mr_port *port = ops->entries[i].op->outputs; port && port->name; port++) {
            if (port->types & types)
                names[count++] = port->name;
        }
    }
    if (!out) {
        free(names);
        return NULL;
    }
    qsort(names, count, sizeof(*names), compare_names);
    fputs("^(inputs\\.[a-z][a-z0-9_]*", out);
    for (size_t i = 0, said = 0; i < count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            fprintf(out, said++ == 0 ? "|[a-z][a-z0-9_]*\\.(%s" : "|%s", names[i]);
    }
    fputs(count ? "))$" : ")$", out);
    const bool whole = !ferror(out);
    free(names);
    if (fclose(out) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

/* The definitions one and many: a source like this pattern, and one or a list of them. */
static json_t *with_pattern(json_t *defs, const char *one, const char *many, const char *pattern)
{
    json_t *source = pattern ? json_pack("{s:s, s:s, s:s}", "type", "string", "pattern", pattern, "description", "inputs.NAME or NODE.PORT") : NULL;
    json_t *list = json_pack("{s:s, s:i, s:i, s:o}", "type", "array", "minItems", 1, "maxItems", MR_PIPELINE_SOURCES_MAX, "items", ref(one));
    defs = set(defs, one, source);
    return set(defs, many, json_pack("{s:[o,o]}", "oneOf", ref(one), list));
}

/* For a port that takes these types; those that are there already stay. */
static json_t *with_sources(json_t *defs, const mr_op_set *ops, uint32_t types)
{
    char one[DEF_NAME];
    char many[DEF_NAME];
    source_def(types, false, one);
    source_def(types, true, many);
    if (!defs || json_object_get(defs, one))
        return defs;
    char *pattern = source_pattern(ops, types);
    defs = with_pattern(defs, one, many, pattern);
    free(pattern);
    return defs;
}

/* What may stand under an op's 'with'. */
static json_t *with_params(json_t *defs, const mr_op *op)
{
    static const mr_param no_params[] = {MR_PARAM_END};
    char *name = NULL;
    if (asprintf(&name, "with_%s", op->name) < 0) {
        json_decref(defs);
        return NULL;
    }
    defs = set(defs, name, mr_params_schema(op->params ? op->params : no_params));
    free(name);
    return defs;
}

static json_t *definitions(const mr_op_set *ops)
{
    json_t *defs = with_sources(json_object(), ops, MR_TYPE_ANY);
    for (size_t i = 0; i < ops->count; i++) {
        for (const mr_port *port = ops->entries[i].op->inputs; port && port->name; port++)
            defs = with_sources(defs, ops, port->types);
        defs = with_params(defs, ops->entries[i].op);
    }
    defs = with_pattern(defs, "source_any", "sources_any", "^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$");
    defs = set(defs, "duration",
               json_pack("{s:[s,s], s:s}", "type", "string", "number", "description", "a duration: 500ms, 4s, 1h30m; a bare number is seconds"));
    defs = set(defs, "input", input_schema());
    defs = set(defs, "param", param_schema());
    json_t *filters = filters_schema(&ops->filters);
    if (!filters || !defs || json_object_update(defs, filters) != 0) {
        json_decref(defs);
        defs = NULL;
    }
    json_decref(filters);
    defs = set(defs, "node", node_schema(ops, false));
    return set(defs, "node_or_script", node_schema(ops, true));
}

/* What refers to ops and their ports. */
static json_t *referring(bool loose)
{
    json_t *properties = set(json_object(), "nodes", named_map(loose ? "node_or_script" : "node", "the steps, in any order"));
    properties = set(properties, "outputs", named_map(loose ? "source_any" : "source", "what a run gives back"));
    return set(json_object(), "properties", properties);
}

char *mr_pipeline_schema(const mr_op_set *ops)
{
    json_t *properties = json_object();
    properties = set(properties, "millrace", described(json_pack("{s:i}", "const", 1), "version of the language"));
    properties = set(properties, "name", typed("string", "the pipeline's name; default: that of its file"));
    properties = set(properties, "description", typed("string", "one sentence on what it does"));
    properties = set(properties, "inputs", named_map("input", "what it works on"));
    properties = set(properties, "params", named_map("param", "what a run may be told"));
    properties = set(properties, "nodes", set(typed("object", "the steps, in any order"), "minProperties", json_integer(1)));
    properties = set(properties, "outputs", typed("object", "what a run gives back"));
    properties = set(properties, "scripts",
                     json_pack("{s:s, s:i, s:{s:s}, s:s}", "type", "array", "maxItems", MR_PIPELINE_SCRIPTS_MAX, "items", "type", "string",
                               "description", "files in Lua whose ops and filters the nodes use; beside the pipeline"));
    json_t *schema = json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", "Millrace pipeline");
    schema = set(schema, "type", json_string("object"));
    schema = set(schema, "required", json_pack("[s,s]", "millrace", "nodes"));
    schema = set(schema, "additionalProperties", json_false());
    schema = set(schema, "properties", properties);
    schema = set(schema, "if", json_pack("{s:[s]}", "required", "scripts"));
    schema = set(schema, "then", referring(true));
    schema = set(schema, "else", referring(false));
    schema = set(schema, "$defs", definitions(ops));
    if (!schema)
        return NULL;
    char *text = json_dumps(schema, JSON_INDENT(1));
    json_decref(schema);
    return text;
}
