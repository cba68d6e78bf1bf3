/* SPDX-License-Identifier: MIT */
/* The ops that a pipeline may name. Filled by whoever loads plugins; borrowed tables, sorted by name. */
#ifndef MR_GRAPH_OPS_H
#define MR_GRAPH_OPS_H

#include "config/filters.h"
#include <millrace/op.h>
#include <stddef.h>

typedef struct mr_op_entry {
    const mr_op *op;
    const char *plugin; /* its plugin's name */
} mr_op_entry;

typedef struct mr_op_set {
    const mr_op_entry *entries; /* sorted by op->name */
    size_t count;
    mr_filter_set filters; /* that params of theirs may name */
} mr_op_set;

const mr_op_entry *mr_op_set_find(const mr_op_set *set, const char *name);
/* Index of a port by name in a table that ends with {0}; -1: none. */
int mr_port_find(const mr_port *table, const char *name);
size_t mr_port_count(const mr_port *table);
/* "media", "segment or image": for messages and docs. buf is at least 80 bytes. */
const char *mr_types_text(uint32_t types, char *buf, size_t size);
uint32_t mr_type_parse(const char *name); /* 0: unknown */

#endif
