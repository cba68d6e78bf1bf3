/* SPDX-License-Identifier: MIT */
/* The SVG picture: boxes at the layout's places, one curve per edge. Colours follow the reader's light or dark scheme. */
#include "graph/print_internal.h"
#include "graph/layout.h"

static const char style[] =
    ":root{color-scheme:light dark}"
    "svg{--ink:#1f2328;--soft:#59636e;--line:#818b98;--box:#ffffff;--edge:#d1d9e0;--in:#ddf4ff;--out:#dafbe1;--fan:#8250df;--page:#f6f8fa}"
    "@media(prefers-color-scheme:dark){svg{--ink:#f0f6fc;--soft:#9198a1;--line:#656c76;--box:#212830;--edge:#3d444d;--in:#0c2d4a;--out:#12361f;"
    "--fan:#ab7df8;--page:#0d1117}}"
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink);text-anchor:middle}"
    ".name{font-weight:600}.soft{fill:var(--soft)}.fan{fill:var(--fan)}"
    "rect.page{fill:var(--page)}rect.box{fill:var(--box);stroke:var(--edge)}rect.input{fill:var(--in);stroke:var(--edge)}"
    "rect.output{fill:var(--out);stroke:var(--edge)}"
    "path.edge{fill:none;stroke:var(--line);stroke-width:1.5}path.edge.many{stroke:var(--fan);stroke-width:2}path.tip{fill:var(--line)}";

static void text_line(FILE *out, const char *class, int x, int y, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
    mr_print_xml(out, text);
    fputs("</text>", out);
}

static void box(FILE *out, const char *class, const mr_vertex *v)
{
    fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>", class, v->x, v->y, v->width, v->height);
}

static void title(FILE *out, const char *first, const char *second)
{
    fputs("<title>", out);
    mr_print_xml(out, first);
    if (second && *second) {
        fputs(": ", out);
        mr_print_xml(out, second);
    }
    fputs("</title>", out);
}

static void print_vertex(FILE *out, mr_arena *arena, const mr_pipeline *pipeline, const mr_vertex *v)
{
    int x = v->x + v->width / 2;
    int y = v->y + 22;
    char type[96];
    if (v->kind == MR_VERTEX_BEND)
        return;
    fputs("<g>", out);
    if (v->kind == MR_VERTEX_INPUT) {
        const mr_pipeline_input *input = &pipeline->inputs[v->index];
        title(out, input->name, input->help);
        box(out, "input", v);
        text_line(out, "name", x, y, input->name);
        text_line(out, "soft", x, y + 18, mr_types_text(input->type, type, sizeof(type)));
    } else if (v->kind == MR_VERTEX_OUTPUT) {
        title(out, pipeline->outputs[v->index].name, mr_source_text(arena, pipeline, &pipeline->outputs[v->index].source));
        box(out, "output", v);
        text_line(out, "name", x, y - 2, pipeline->outputs[v->index].name);
    } else {
        const mr_node *node = &pipeline->nodes[v->index];
        const char *fan = mr_fan_text(arena, node);
        title(out, node->name, node->help ? node->help : node->op->summary);
        box(out, "box", v);
        text_line(out, "name", x, y, node->name);
        text_line(out, "soft", x, y + 18, node->op->name);
        if (fan)
            text_line(out, "fan", x, y + 36, fan);
    }
    fputs("</g>\n", out);
}

static void curve(FILE *out, int x0, int y0, int x1, int y1)
{
    int half = (x1 - x0) / 2;
    fprintf(out, " C%d,%d %d,%d %d,%d", x0 + half, y0, x1 - half, y1, x1, y1);
}

static void print_edge(FILE *out, const mr_layout *layout, const mr_layout_edge *edge)
{
    const mr_vertex *from = &layout->vertices[edge->from];
    const mr_vertex *to = &layout->vertices[edge->to];
    int x = from->x + from->width;
    int y = from->y + from->height / 2;
    fprintf(out, "<path class=\"edge%s\" d=\"M%d,%d", edge->fan ? " many" : "", x, y);
    for (uint32_t i = 0; i < edge->bend_count; i++) {
        const mr_vertex *bend = &layout->vertices[edge->first_bend + i];
        curve(out, x, y, bend->x, bend->y);
        fprintf(out, " L%d,%d", bend->x + bend->width, bend->y);
        x = bend->x + bend->width;
        y = bend->y;
    }
    curve(out, x, y, to->x - 6, to->y + to->height / 2);
    fprintf(out, "\" marker-end=\"url(#tip)\"/>\n");
}

mr_status mr_print_svg(const mr_pipeline *pipeline, mr_arena *arena, FILE *out)
{
    mr_layout layout;
    mr_status status = mr_layout_make(arena, pipeline, &layout);
    if (status != MR_OK)
        return status;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", layout.width,
            layout.height, layout.width, layout.height);
    title(out, pipeline->name, pipeline->description);
    fprintf(out, "\n<style>%s</style>\n", style);
    fputs("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"2\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" "
          "orient=\"auto\"><path class=\"tip\" d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n",
          out);
    fprintf(out, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", layout.width, layout.height);
    for (size_t i = 0; i < layout.edge_count; i++)
        print_edge(out, &layout, &layout.edges[i]);
    for (size_t i = 0; i < layout.vertex_count; i++)
        print_vertex(out, arena, pipeline, &layout.vertices[i]);
    fputs("</svg>\n", out);
    return MR_OK;
}
