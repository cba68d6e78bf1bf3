/* SPDX-License-Identifier: MIT */
#ifndef MR_GRAPH_PRINT_INTERNAL_H
#define MR_GRAPH_PRINT_INTERNAL_H

#include "graph/print.h"

/* Text within XML; what XML can't carry (control characters) becomes a space. */
void mr_print_xml(FILE *out, const char *text);
mr_status mr_print_svg(const mr_pipeline *pipeline, mr_arena *arena, FILE *out);

#endif
