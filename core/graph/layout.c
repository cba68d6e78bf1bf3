/* SPDX-License-Identifier: MIT */
/* See layout.h. Everything is bounded: layers by nodes, bends by BENDS_MAX (beyond it long edges are drawn straight). */
#include "graph/layout.h"
#include <stdlib.h>
#include <string.h>

enum { CHAR_WIDTH = 8, PADDING = 14, LINE_HEIGHT = 18, GAP_X = 70, GAP_Y = 26, BEND_GAP = 14, MARGIN = 24, SWEEPS = 12, BENDS_MAX = 20000 };

uint32_t *mr_graph_layers(mr_arena *arena, const mr_pipeline *pipeline, uint32_t *ret_last)
{
    uint32_t *layers = mr_arena_take_array(arena, pipeline->node_count + 1, sizeof(*layers));
    *ret_last = 1;
    for (size_t k = 0; layers && k < pipeline->node_count; k++) {
        uint32_t index = pipeline->order[k];
        const mr_node *node = &pipeline->nodes[index];
        uint32_t layer = 1;
        for (size_t b = 0; b < node->binding_count; b++)
            for (size_t i = 0; i < node->bindings[b].source_count; i++) {
                const mr_source *source = &node->bindings[b].sources[i];
                if (source->kind == MR_SOURCE_NODE && layers[source->index] >= layer)
                    layer = layers[source->index] + 1;
            }
        layers[index] = node->trigger != MR_TRIGGER_NONE && layer < *ret_last ? *ret_last : layer; /* triggered nodes come last in order */
        *ret_last = layers[index] > *ret_last ? layers[index] : *ret_last;
    }
    return layers;
}

const char *mr_fan_text(mr_arena *arena, const mr_node *node)
{
    const char *text = NULL;
    for (size_t i = 0; i < node->binding_count; i++) {
        const mr_binding *binding = &node->bindings[i];
        if (binding->how == MR_BIND_IN)
            continue;
        const char *port = node->op->inputs[binding->port].name;
        const char *word = binding->how == MR_BIND_EACH ? "each" : "for";
        bool more = i > 0 && node->bindings[i - 1].how == binding->how;
        if (more)
            text = mr_arena_printf(arena, "%s + %s", text, port);
        else
            text = mr_arena_printf(arena, "%s%s%s %s", text ? text : "", text ? ", " : "", word, port);
        if (!text)
            return NULL;
    }
    return text;
}

/* --- vertices and edges --- */

static int text_width(const char *text)
{
    int count = 0;
    for (; text && *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count * CHAR_WIDTH;
}

static int longest(int a, int b)
{
    return a > b ? a : b;
}

static void add_vertices(mr_arena *arena, const mr_pipeline *pipeline, const uint32_t *layers, uint32_t last, mr_layout *layout)
{
    char type[96];
    for (size_t i = 0; i < pipeline->input_count; i++) {
        int width = longest(text_width(pipeline->inputs[i].name), text_width(mr_types_text(pipeline->inputs[i].type, type, sizeof(type))));
        layout->vertices[layout->vertex_count++] =
            (mr_vertex){.kind = MR_VERTEX_INPUT, .index = (uint32_t)i, .width = width + 2 * PADDING, .height = 2 * LINE_HEIGHT + PADDING};
    }
    for (size_t i = 0; i < pipeline->node_count; i++) {
        const mr_node *node = &pipeline->nodes[i];
        const char *fan = mr_fan_text(arena, node);
        int width = longest(longest(text_width(node->name), text_width(node->op->name)), text_width(fan));
        layout->vertices[layout->vertex_count++] = (mr_vertex){.kind = MR_VERTEX_NODE,
                                                               .index = (uint32_t)i,
                                                               .layer = layers[i],
                                                               .width = width + 2 * PADDING,
                                                               .height = (fan ? 3 : 2) * LINE_HEIGHT + PADDING};
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        layout->vertices[layout->vertex_count++] = (mr_vertex){.kind = MR_VERTEX_OUTPUT,
                                                               .index = (uint32_t)i,
                                                               .layer = last + 1,
                                                               .width = text_width(pipeline->outputs[i].name) + 2 * PADDING,
                                                               .height = LINE_HEIGHT + PADDING};
    layout->layer_count = last + (pipeline->output_count > 0 ? 2 : 1);
}

/* One edge per pair of vertices, however many ports it carries. Edges to one vertex are added together. */
static void add_edge(const mr_pipeline *pipeline, mr_layout *layout, size_t first, const mr_source *source, uint32_t to, bool fan)
{
    uint32_t from = source->index + (source->kind == MR_SOURCE_NODE ? (uint32_t)pipeline->input_count : 0);
    for (size_t i = first; i < layout->edge_count; i++) {
        if (layout->edges[i].from == from) {
            layout->edges[i].fan |= fan;
            return;
        }
    }
    layout->edges[layout->edge_count++] = (mr_layout_edge){.from = from, .to = to, .fan = fan};
}

static size_t count_sources(const mr_pipeline *pipeline)
{
    size_t count = pipeline->output_count;
    for (size_t n = 0; n < pipeline->node_count; n++)
        for (size_t b = 0; b < pipeline->nodes[n].binding_count; b++)
            count += pipeline->nodes[n].bindings[b].source_count;
    return count;
}

static void add_edges(const mr_pipeline *pipeline, mr_layout *layout)
{
    for (size_t n = 0; n < pipeline->node_count; n++) {
        const mr_node *node = &pipeline->nodes[n];
        size_t first = layout->edge_count;
        for (size_t b = 0; b < node->binding_count; b++)
            for (size_t i = 0; i < node->bindings[b].source_count; i++)
                add_edge(pipeline, layout, first, &node->bindings[b].sources[i], (uint32_t)(pipeline->input_count + n),
                         node->bindings[b].how != MR_BIND_IN);
    }
    for (size_t i = 0; i < pipeline->output_count; i++)
        add_edge(pipeline, layout, layout->edge_count, &pipeline->outputs[i].source, (uint32_t)(pipeline->input_count + pipeline->node_count + i),
                 false);
}

static size_t count_bends(const mr_layout *layout)
{
    size_t count = 0;
    for (size_t i = 0; i < layout->edge_count; i++)
        count += layout->vertices[layout->edges[i].to].layer - layout->vertices[layout->edges[i].from].layer - 1;
    return count <= BENDS_MAX ? count : 0;
}

static void add_bends(mr_layout *layout)
{
    for (size_t i = 0; i < layout->edge_count; i++) {
        mr_layout_edge *edge = &layout->edges[i];
        uint32_t from = layout->vertices[edge->from].layer;
        uint32_t to = layout->vertices[edge->to].layer;
        edge->first_bend = (uint32_t)layout->vertex_count;
        edge->bend_count = to - from - 1;
        for (uint32_t layer = from + 1; layer < to; layer++)
            layout->vertices[layout->vertex_count++] = (mr_vertex){.kind = MR_VERTEX_BEND, .index = (uint32_t)i, .layer = layer};
    }
}

/* --- order within layers --- */

enum side { LEFT, RIGHT, SIDES };

typedef struct grid {
    mr_layout *layout;
    uint32_t *order;        /* vertices by layer, then place */
    uint32_t *start;        /* per layer: its first in order; one more at the end */
    uint32_t *first[SIDES]; /* per vertex: its first neighbour on that side; one more at the end */
    uint32_t link_count;
    uint32_t *neighbour[SIDES]; /* vertices of the layer beside (or further away, when there are no bends) */
} grid;

/* Calls for each piece of each edge, from left to right. */
static void each_link(grid *g, void (*visit)(grid *g, uint32_t left, uint32_t right))
{
    for (size_t i = 0; i < g->layout->edge_count; i++) {
        const mr_layout_edge *edge = &g->layout->edges[i];
        uint32_t left = edge->from;
        for (uint32_t k = 0; k < edge->bend_count; k++) {
            visit(g, left, edge->first_bend + k);
            left = edge->first_bend + k;
        }
        visit(g, left, edge->to);
    }
}

static void count_link(grid *g, uint32_t left, uint32_t right)
{
    g->first[RIGHT][left + 1]++;
    g->first[LEFT][right + 1]++;
    g->link_count++;
}

/* Fills from the end of each vertex's room, so that first[] is right when all are in. */
static void store_link(grid *g, uint32_t left, uint32_t right)
{
    g->neighbour[RIGHT][--g->first[RIGHT][left + 1]] = right;
    g->neighbour[LEFT][--g->first[LEFT][right + 1]] = left;
}

static void make_links(grid *g)
{
    size_t count = g->layout->vertex_count;
    each_link(g, count_link);
    for (int side = LEFT; side < SIDES; side++) {
        uint32_t *first = g->first[side];
        for (size_t v = 0; v < count; v++)
            first[v + 1] += first[v]; /* now first[v + 1] is where v's room ends */
    }
    each_link(g, store_link);
    for (int side = LEFT; side < SIDES; side++) {
        uint32_t *first = g->first[side];
        memmove(first, first + 1, count * sizeof(*first));
        first[count] = g->link_count;
    }
}

static void make_layers(grid *g, uint32_t *next)
{
    for (size_t v = 0; v < g->layout->vertex_count; v++)
        g->start[g->layout->vertices[v].layer + 1]++;
    for (uint32_t layer = 0; layer < g->layout->layer_count; layer++)
        g->start[layer + 1] += g->start[layer];
    memcpy(next, g->start, g->layout->layer_count * sizeof(*next));
    for (size_t v = 0; v < g->layout->vertex_count; v++) {
        uint32_t place = next[g->layout->vertices[v].layer]++;
        g->order[place] = (uint32_t)v;
        g->layout->vertices[v].rank = place - g->start[g->layout->vertices[v].layer];
    }
}

static double rank_of(const mr_vertex *vertex)
{
    return vertex->rank;
}
static double middle_of(const mr_vertex *vertex)
{
    return vertex->y + vertex->height / 2.0;
}

/* The mean of value() over the neighbours on the sides from … to; own: for a vertex without any. */
static double mean(const grid *g, uint32_t v, enum side from, enum side to, double (*value)(const mr_vertex *vertex), double own)
{
    double sum = 0;
    uint32_t count = 0;
    for (int side = (int)from; side <= (int)to; side++) {
        for (uint32_t i = g->first[side][v]; i < g->first[side][v + 1]; i++, count++)
            sum += value(&g->layout->vertices[g->neighbour[side][i]]);
    }
    return count > 0 ? sum / count : own;
}

/* Sorts one layer by its vertices' barycentres; stable, so that equal ones stay as they are. */
static void sort_layer(grid *g, uint32_t layer, enum side side)
{
    uint32_t *order = g->order + g->start[layer];
    uint32_t count = g->start[layer + 1] - g->start[layer];
    mr_vertex *vertices = g->layout->vertices;
    for (uint32_t i = 0; i < count; i++)
        vertices[order[i]].rank = mean(g, order[i], side, side, rank_of, vertices[order[i]].rank);
    for (uint32_t i = 1; i < count; i++) {
        uint32_t v = order[i];
        uint32_t k = i;
        for (; k > 0 && vertices[order[k - 1]].rank > vertices[v].rank; k--)
            order[k] = order[k - 1];
        order[k] = v;
    }
    for (uint32_t i = 0; i < count; i++)
        vertices[order[i]].rank = i;
}

static void reduce_crossings(grid *g)
{
    uint32_t last = g->layout->layer_count - 1;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (uint32_t i = 0; i <= last; i++) {
            bool right = sweep % 2 == 0; /* to the right, looking left */
            sort_layer(g, right ? i : last - i, right ? LEFT : RIGHT);
        }
    }
}

/* --- positions --- */

static int gap_between(const mr_vertex *above, const mr_vertex *below)
{
    return above->kind == MR_VERTEX_BEND || below->kind == MR_VERTEX_BEND ? BEND_GAP : GAP_Y;
}

/* Moves a layer's vertices towards where their neighbours are, never closer together than the gaps. */
static void settle_layer(grid *g, uint32_t layer)
{
    mr_vertex *vertices = g->layout->vertices;
    uint32_t from = g->start[layer];
    uint32_t to = g->start[layer + 1];
    for (uint32_t i = from; i < to; i++) {
        mr_vertex *v = &vertices[g->order[i]];
        v->y = (int)(mean(g, g->order[i], LEFT, RIGHT, middle_of, middle_of(v)) - v->height / 2.0);
    }
    /* Down from the top, then what was pushed too far back up: half of the push each way. */
    int pushed = 0;
    for (uint32_t i = from + 1; i < to; i++) {
        const mr_vertex *above = &vertices[g->order[i - 1]];
        mr_vertex *v = &vertices[g->order[i]];
        int least = above->y + above->height + gap_between(above, v);
        if (v->y < least) {
            pushed = longest(pushed, least - v->y);
            v->y = least;
        }
    }
    for (uint32_t i = from; i < to; i++)
        vertices[g->order[i]].y -= pushed / 2;
}

static void place_rows(grid *g)
{
    mr_vertex *vertices = g->layout->vertices;
    for (uint32_t layer = 0; layer < g->layout->layer_count; layer++) {
        int y = 0;
        for (uint32_t i = g->start[layer]; i < g->start[layer + 1]; i++) {
            mr_vertex *v = &vertices[g->order[i]];
            v->y = y;
            y += v->height + (v->kind == MR_VERTEX_BEND ? BEND_GAP : GAP_Y);
        }
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (uint32_t i = 0; i < g->layout->layer_count; i++)
            settle_layer(g, sweep % 2 == 0 ? i : g->layout->layer_count - 1 - i);
}

static void place_columns(mr_layout *layout, const grid *g)
{
    int x = MARGIN;
    for (uint32_t layer = 0; layer < layout->layer_count; layer++) {
        int width = 0;
        for (uint32_t i = g->start[layer]; i < g->start[layer + 1]; i++)
            width = longest(width, layout->vertices[g->order[i]].width);
        for (uint32_t i = g->start[layer]; i < g->start[layer + 1]; i++) {
            mr_vertex *v = &layout->vertices[g->order[i]];
            v->x = v->kind == MR_VERTEX_BEND ? x : x + (width - v->width) / 2;
            v->width = v->kind == MR_VERTEX_BEND ? width : v->width;
        }
        x += width > 0 ? width + GAP_X : 0;
    }
    layout->width = x - GAP_X + MARGIN;
    int top = 0;
    int bottom = 0;
    for (size_t v = 0; v < layout->vertex_count; v++)
        top = v == 0 || layout->vertices[v].y < top ? layout->vertices[v].y : top;
    for (size_t v = 0; v < layout->vertex_count; v++) {
        layout->vertices[v].y += MARGIN - top;
        bottom = longest(bottom, layout->vertices[v].y + layout->vertices[v].height);
    }
    layout->height = bottom + MARGIN;
}

mr_status mr_layout_make(mr_arena *arena, const mr_pipeline *pipeline, mr_layout *ret_layout)
{
    mr_layout layout = {0};
    uint32_t last = 0;
    const uint32_t *layers = mr_graph_layers(arena, pipeline, &last);
    size_t vertices = pipeline->input_count + pipeline->node_count + pipeline->output_count;
    size_t sources = count_sources(pipeline);
    mr_vertex *some = mr_arena_take_array(arena, vertices + 1, sizeof(*some));
    layout.edges = mr_arena_take_array(arena, sources + 1, sizeof(*layout.edges));
    if (!layers || !some || !layout.edges)
        return MR_ERR_NOMEM;
    layout.vertices = some;
    add_vertices(arena, pipeline, layers, last, &layout);
    add_edges(pipeline, &layout);
    size_t bends = count_bends(&layout);
    size_t total = vertices + bends;
    layout.vertices = mr_arena_take_array(arena, total + 1, sizeof(*layout.vertices));
    size_t links = layout.edge_count + bends + 1;
    grid g = {.layout = &layout};
    g.order = mr_arena_take_array(arena, total + 1, sizeof(*g.order));
    g.start = mr_arena_take_array(arena, layout.layer_count + 2, sizeof(*g.start));
    uint32_t *next = mr_arena_take_array(arena, layout.layer_count + 1, sizeof(*next));
    bool room = layout.vertices && g.order && g.start && next;
    for (int side = LEFT; side < SIDES; side++) {
        g.first[side] = mr_arena_take_array(arena, total + 2, sizeof(uint32_t));
        g.neighbour[side] = mr_arena_take_array(arena, links, sizeof(uint32_t));
        room = room && g.first[side] && g.neighbour[side];
    }
    if (!room)
        return MR_ERR_NOMEM;
    memcpy(layout.vertices, some, vertices * sizeof(*some));
    if (bends > 0)
        add_bends(&layout);
    make_links(&g);
    make_layers(&g, next);
    reduce_crossings(&g);
    place_rows(&g);
    place_columns(&layout, &g);
    *ret_layout = layout;
    return MR_OK;
}
