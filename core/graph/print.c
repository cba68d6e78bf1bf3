/* SPDX-License-Identifier: MIT */
/* Pictures in words: text for terminals, DOT for Graphviz, Mermaid for pages that draw it. */
#include "graph/print_internal.h"
#include "graph/layout.h"
#include <string.h>

void mr_print_xml(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

/* One line, control characters as spaces. */
static void plain(FILE *out, const char *text)
{
    for (; text && *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? ' ' : *text, out);
}

/* --- text --- */

static const char *how_text(mr_bind_how how)
{
    return how == MR_BIND_IN ? "in" : how == MR_BIND_EACH ? "each" : "for";
}

static void print_binding(FILE *out, mr_arena *arena, const mr_pipeline *pipeline, const mr_node *node, const mr_binding *binding)
{
    fprintf(out, "    %-4s %s <- ", how_text(binding->how), node->op->inputs[binding->port].name);
    for (size_t i = 0; i < binding->source_count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", mr_source_text(arena, pipeline, &binding->sources[i]));
    fputc('\n', out);
}

static void print_text_node(FILE *out, mr_arena *arena, const mr_pipeline *pipeline, const mr_node *node, int width)
{
    static const char *const triggers[] = {"", "success", "failure", "always"};
    fprintf(out, "  %-*s  %s", width, node->name, node->op->name);
    if (node->trigger != MR_TRIGGER_NONE)
        fprintf(out, "  (trigger: %s)", triggers[node->trigger]);
    if (node->on_error == MR_ON_ERROR_SKIP)
        fputs("  (on error: skip)", out);
    if (node->attempts > 1)
        fprintf(out, "  (%u attempts)", node->attempts);
    fputc('\n', out);
    if (node->help) {
        fputs("    # ", out);
        plain(out, node->help);
        fputc('\n', out);
    }
    for (size_t i = 0; i < node->binding_count; i++)
        print_binding(out, arena, pipeline, node, &node->bindings[i]);
    if (node->when) {
        fputs("    when ", out);
        plain(out, mr_expr_text(node->when));
        fputc('\n', out);
    }
}

static int widest(const mr_pipeline *pipeline)
{
    size_t width = 4;
    for (size_t i = 0; i < pipeline->input_count; i++)
        width = strlen(pipeline->inputs[i].name) > width ? strlen(pipeline->inputs[i].name) : width;
    for (size_t i = 0; i < pipeline->param_count; i++)
        width = strlen(pipeline->params[i].spec.name) > width ? strlen(pipeline->params[i].spec.name) : width;
    for (size_t i = 0; i < pipeline->node_count; i++)
        width = strlen(pipeline->nodes[i].name) > width ? strlen(pipeline->nodes[i].name) : width;
    return (int)width;
}

static void print_head(FILE *out, const mr_pipeline *pipeline, int width)
{
    char type[96];
    plain(out, pipeline->name);
    fputs(*pipeline->description ? ": " : "", out);
    plain(out, pipeline->description);
    fputc('\n', out);
    for (size_t i = 0; i < pipeline->input_count; i++) {
        const mr_pipeline_input *input = &pipeline->inputs[i];
        fprintf(out, "%s  %-*s  %s%s%s%s", i == 0 ? "\ninputs\n" : "", width, input->name, mr_types_text(input->type, type, sizeof(type)),
                input->many ? ", many" : "", input->required ? "" : ", optional", input->help ? ": " : "");
        plain(out, input->help);
        fputc('\n', out);
    }
    for (size_t i = 0; i < pipeline->param_count; i++) {
        const mr_pipeline_param *param = &pipeline->params[i];
        bool scalar = param->standard && param->standard->text && strlen(param->standard->text) <= 40;
        fprintf(out, "%s  %-*s  %s%s", i == 0 ? "\nparams\n" : "", width, param->spec.name, param->type, scalar ? " = " : "");
        plain(out, scalar ? param->standard->text : NULL);
        fputs(param->required ? ", required" : "", out);
        fputs(param->spec.help ? ": " : "", out);
        plain(out, param->spec.help);
        fputc('\n', out);
    }
}

static mr_status print_text(const mr_pipeline *pipeline, mr_arena *arena, FILE *out)
{
    uint32_t last = 0;
    const uint32_t *layers = mr_graph_layers(arena, pipeline, &last);
    int width = widest(pipeline);
    if (!layers)
        return MR_ERR_NOMEM;
    print_head(out, pipeline, width);
    for (uint32_t layer = 1; layer <= last; layer++) {
        fprintf(out, "\nstep %u\n", layer);
        for (size_t i = 0; i < pipeline->node_count; i++)
            if (layers[i] == layer)
                print_text_node(out, arena, pipeline, &pipeline->nodes[i], width);
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        fprintf(out, "%s  %-*s  <- %s\n", i == 0 ? "\noutputs\n" : "", width, pipeline->outputs[i].name,
                mr_source_text(arena, pipeline, &pipeline->outputs[i].source));
    return MR_OK;
}

/* --- DOT and Mermaid: the same walk, other words --- */

/* Calls edge for every source of every port and output. to_output: index is of an output, else of a node. */
typedef void (*edge_printer)(FILE *out, const mr_pipeline *pipeline, const mr_source *source, const mr_binding *binding, size_t index,
                             bool to_output);

static void each_edge(const mr_pipeline *pipeline, FILE *out, edge_printer print)
{
    for (size_t n = 0; n < pipeline->node_count; n++)
        for (size_t b = 0; b < pipeline->nodes[n].binding_count; b++)
            for (size_t i = 0; i < pipeline->nodes[n].bindings[b].source_count; i++)
                print(out, pipeline, &pipeline->nodes[n].bindings[b].sources[i], &pipeline->nodes[n].bindings[b], n, false);
    for (size_t i = 0; i < pipeline->output_count; i++)
        print(out, pipeline, &pipeline->outputs[i].source, NULL, i, true);
}

static void dot_quoted(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static const char *port_name(const mr_pipeline *pipeline, const mr_source *source)
{
    return source->kind == MR_SOURCE_NODE ? pipeline->nodes[source->index].op->outputs[source->port].name : NULL;
}

static void dot_edge(FILE *out, const mr_pipeline *pipeline, const mr_source *source, const mr_binding *binding, size_t index, bool to_output)
{
    bool node = source->kind == MR_SOURCE_NODE;
    fprintf(out, "  \"%s:%s\" -> \"%s:%s\" [", node ? "node" : "input",
            node ? pipeline->nodes[source->index].name : pipeline->inputs[source->index].name, to_output ? "output" : "node",
            to_output ? pipeline->outputs[index].name : pipeline->nodes[index].name);
    if (node)
        fprintf(out, "taillabel=\"%s\" ", port_name(pipeline, source));
    if (binding)
        fprintf(out, "headlabel=\"%s\"%s", pipeline->nodes[index].op->inputs[binding->port].name,
                binding->how != MR_BIND_IN ? " style=bold color=\"#8250df\"" : "");
    fputs("];\n", out);
}

static mr_status print_dot(const mr_pipeline *pipeline, mr_arena *arena, FILE *out)
{
    char type[96];
    fputs("digraph \"", out);
    dot_quoted(out, pipeline->name);
    fputs("\" {\n  rankdir=LR;\n  node [shape=box style=rounded fontname=\"monospace\"];\n  edge [fontname=\"monospace\" fontsize=9 "
          "color=\"#818b98\"];\n",
          out);
    for (size_t i = 0; i < pipeline->input_count; i++)
        fprintf(out, "  \"input:%s\" [label=\"%s\\n%s\" shape=cds];\n", pipeline->inputs[i].name, pipeline->inputs[i].name,
                mr_types_text(pipeline->inputs[i].type, type, sizeof(type)));
    for (size_t i = 0; i < pipeline->node_count; i++) {
        const char *fan = mr_fan_text(arena, &pipeline->nodes[i]);
        fprintf(out, "  \"node:%s\" [label=\"%s\\n%s%s%s\"];\n", pipeline->nodes[i].name, pipeline->nodes[i].name, pipeline->nodes[i].op->name,
                fan ? "\\n" : "", fan ? fan : "");
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        fprintf(out, "  \"output:%s\" [label=\"%s\" shape=note];\n", pipeline->outputs[i].name, pipeline->outputs[i].name);
    each_edge(pipeline, out, dot_edge);
    fputs("}\n", out);
    return MR_OK;
}

static void mermaid_edge(FILE *out, const mr_pipeline *pipeline, const mr_source *source, const mr_binding *binding, size_t index, bool to_output)
{
    bool node = source->kind == MR_SOURCE_NODE;
    const char *from = node ? pipeline->nodes[source->index].name : pipeline->inputs[source->index].name;
    const char *to = to_output ? pipeline->outputs[index].name : pipeline->nodes[index].name;
    const char *arrow = binding && binding->how != MR_BIND_IN ? "==>" : "-->";
    fprintf(out, "  %s_%s %s", node ? "node" : "in", from, arrow);
    if (node)
        fprintf(out, "|%s|", port_name(pipeline, source));
    fprintf(out, " %s_%s\n", to_output ? "out" : "node", to);
}

/* Ids carry a prefix, since bare words like "end" mean something to Mermaid. Names are plain words, so labels need no escapes. */
static mr_status print_mermaid(const mr_pipeline *pipeline, mr_arena *arena, FILE *out)
{
    char type[96];
    fputs("flowchart LR\n", out);
    for (size_t i = 0; i < pipeline->input_count; i++)
        fprintf(out, "  in_%s([\"%s<br/>%s\"])\n", pipeline->inputs[i].name, pipeline->inputs[i].name,
                mr_types_text(pipeline->inputs[i].type, type, sizeof(type)));
    for (size_t i = 0; i < pipeline->node_count; i++) {
        const char *fan = mr_fan_text(arena, &pipeline->nodes[i]);
        fprintf(out, "  node_%s[\"<b>%s</b><br/>%s%s%s\"]\n", pipeline->nodes[i].name, pipeline->nodes[i].name, pipeline->nodes[i].op->name,
                fan ? "<br/>" : "", fan ? fan : "");
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        fprintf(out, "  out_%s([\"%s\"])\n", pipeline->outputs[i].name, pipeline->outputs[i].name);
    each_edge(pipeline, out, mermaid_edge);
    return MR_OK;
}

mr_status mr_graph_print(const mr_pipeline *pipeline, mr_graph_format format, FILE *out)
{
    mr_arena *arena = mr_arena_new(0);
    mr_status status = MR_ERR_NOMEM;
    if (!arena)
        return status;
    switch (format) {
    case MR_GRAPH_TEXT: status = print_text(pipeline, arena, out); break;
    case MR_GRAPH_DOT: status = print_dot(pipeline, arena, out); break;
    case MR_GRAPH_MERMAID: status = print_mermaid(pipeline, arena, out); break;
    case MR_GRAPH_SVG: status = mr_print_svg(pipeline, arena, out); break;
    }
    mr_arena_free(arena);
    if (status == MR_OK && (fflush(out) != 0 || ferror(out)))
        status = MR_ERR_IO;
    return status;
}
