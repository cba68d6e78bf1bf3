/* SPDX-License-Identifier: MIT */
/* The reader's state, for yaml*.c only. */
#ifndef MR_CONFIG_YAML_INTERNAL_H
#define MR_CONFIG_YAML_INTERNAL_H

#include "config/yaml.h"

#include <yaml.h>

typedef struct anchor {
    const char *name;
    const mr_value *value;
    size_t size; /* values it stands for */
    struct anchor *next;
} anchor;

typedef struct reader {
    mr_arena *arena;
    const char *file;
    const char *text;
    size_t len;
    const mr_yaml_limits *limits;
    mr_diags *diags;
    yaml_parser_t parser;
    yaml_event_t event;
    anchor *anchors; /* the newest first: a name may be anchored again */
    size_t depth;
    size_t values;
    bool full;   /* the limit of values was reported */
    bool failed; /* something was reported that did not end the reading */
} reader;

bool mr_yaml_next_event(reader *in); /* false: reported */
const mr_value *mr_yaml_read_node(reader *in);              /* the current event begins it; NULL: reported */
const mr_value *mr_yaml_read_map(reader *in, mr_span span); /* in yaml_map.c */
bool mr_line_has_open_expression(const char *text, size_t len, size_t at);

#endif
