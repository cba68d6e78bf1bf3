/* SPDX-License-Identifier: MIT */
/* Pictures of a pipeline. Deterministic: the same pipeline gives the same bytes. SVG is drawn here (layers, no graphviz needed). */
#ifndef MR_GRAPH_PRINT_H
#define MR_GRAPH_PRINT_H

#include "graph/pipeline.h"
#include <stdio.h>

typedef enum mr_graph_format { MR_GRAPH_TEXT, MR_GRAPH_DOT, MR_GRAPH_MERMAID, MR_GRAPH_SVG } mr_graph_format;
mr_status mr_graph_print(const mr_pipeline *pipeline, mr_graph_format format, FILE *out);

#endif
