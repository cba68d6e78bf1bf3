/* SPDX-License-Identifier: MIT */
/* The frame filters that params of the type MR_PARAM_TYPE_FILTERS may name. Filled by whoever loads plugins; borrowed tables, sorted by name. */
#ifndef MR_CONFIG_FILTERS_H
#define MR_CONFIG_FILTERS_H

#include <millrace/filter.h>

#define MR_FILTERS_MAX 32 /* of one param */

typedef struct mr_filter_entry {
    const mr_frame_filter *filter;
    const char *plugin; /* with its version: "overlay 1.0.0" */
} mr_filter_entry;

typedef struct mr_filter_set {
    const mr_filter_entry *entries; /* sorted by filter->name */
    size_t count;
} mr_filter_set;

const mr_filter_entry *mr_filter_set_find(const mr_filter_set *set, const char *name); /* set may be NULL */

#endif
