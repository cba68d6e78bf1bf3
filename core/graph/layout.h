/* SPDX-License-Identifier: MIT */
/*
 * Layers of a pipeline's graph, left to right, in the manner of Sugiyama: each vertex to the right of what feeds it, long edges cut
 * by bends, crossings reduced by barycentres, positions drawn towards neighbours. Integers and fixed orders only where it shows: the same
 * pipeline gives the same picture.
 */
#ifndef MR_GRAPH_LAYOUT_H
#define MR_GRAPH_LAYOUT_H

#include "graph/pipeline.h"

typedef enum mr_vertex_kind { MR_VERTEX_INPUT, MR_VERTEX_NODE, MR_VERTEX_OUTPUT, MR_VERTEX_BEND } mr_vertex_kind;

typedef struct mr_vertex {
    mr_vertex_kind kind;
    uint32_t index; /* in the pipeline's array; bends: the edge */
    uint32_t layer;
    double rank;             /* while ordering */
    int x, y, width, height; /* top left corner, in pixels */
} mr_vertex;

typedef struct mr_layout_edge {
    uint32_t from, to;   /* vertices */
    uint32_t first_bend; /* vertex; one per layer between */
    uint32_t bend_count;
    bool fan; /* 'each' or 'for' */
} mr_layout_edge;

typedef struct mr_layout {
    mr_vertex *vertices;
    size_t vertex_count;
    mr_layout_edge *edges;
    size_t edge_count;
    uint32_t layer_count;
    int width, height;
} mr_layout;

/* Layer of each node: 1 without node sources, else one more than the furthest source; triggered nodes are in the last. In arena; NULL: no memory. */
uint32_t *mr_graph_layers(mr_arena *arena, const mr_pipeline *pipeline, uint32_t *ret_last);
mr_status mr_layout_make(mr_arena *arena, const mr_pipeline *pipeline, mr_layout *ret_layout);
/* The third line of a node's box: "each chunk + analysis, for rung"; NULL: none. In arena. */
const char *mr_fan_text(mr_arena *arena, const mr_node *node);

#endif
