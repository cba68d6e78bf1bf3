/* SPDX-License-Identifier: MIT */
/* What the files of the YAML reader share: yaml.c builds the tree, yaml_map.c its maps, yaml_place.c finds places, yaml_error.c puts libyaml's errors
 * into words. */
#ifndef MR_CONFIG_YAML_INTERNAL_H
#define MR_CONFIG_YAML_INTERNAL_H

#include "config/yaml.h"
#include <yaml.h>

/* The text, and where its characters and lines begin. */
typedef struct mr_yaml_text {
    const char *file;
    const char *text; /* without a byte order mark */
    size_t len;
    uint32_t *every; /* byte offset of every MR_YAML_STRIDE-th character */
    size_t strides;
    uint32_t *lines; /* byte offset of each line */
    size_t line_count;
} mr_yaml_text;

#define MR_YAML_STRIDE 64

/* text must be shorter than 4 GiB, and valid UTF-8 as far as places in it are asked for. */
mr_status mr_yaml_text_open(mr_yaml_text *ret_text, const char *file, const char *text, size_t len);
void mr_yaml_text_close(mr_yaml_text *text);
/* libyaml counts characters; everything here counts bytes. */
size_t mr_yaml_offset(const mr_yaml_text *text, const yaml_mark_t *mark);
/* From one byte to another; cut at the end of the line and of its last word, at least 1 long. */
mr_span mr_yaml_span(const mr_yaml_text *text, size_t from, size_t to);
/* The first of these characters from at on, or the end: the text need not end with a NUL. */
size_t mr_yaml_until(const mr_yaml_text *text, size_t at, const char *stops);

/* Turns the parser's error into a diagnostic, with what most likely was meant. */
mr_status mr_yaml_report(const mr_yaml_text *text, const yaml_parser_t *parser, mr_diags *diags);

/* --- building --- */

/* A value with what it costs to walk it. */
typedef struct built {
    const mr_value *value; /* NULL: there was a mistake in it */
    size_t values;
    size_t depth; /* of lists and maps; 0: a scalar */
    bool merge;   /* a plain '<<' */
} built;

struct anchor {
    const char *name;
    built named;
    bool open; /* its value is being read */
};

typedef struct reader {
    mr_arena *arena;
    mr_diags *diags;
    mr_yaml_limits limits;
    mr_yaml_text text;
    yaml_parser_t parser;
    yaml_event_t event; /* the one to be looked at */
    size_t values;      /* so far, aliases written out */
    mr_status status;   /* of what ends the reading */
    bool wrong;         /* mistakes that don't */
    struct anchor *anchors;
    size_t anchor_count;
    size_t anchor_room;
} reader;

/* Arrays of a size that is known at their end only. */
typedef struct growing {
    void *items;
    size_t count;
    size_t room;
} growing;

/* Goes on to the next event; false: reading has ended. */
bool mr_yaml_advance(reader *r);
/* Ends the reading. Returns false. */
bool mr_yaml_stop(reader *r, mr_status status);
void *mr_yaml_take(reader *r, size_t count, size_t size);
mr_span mr_yaml_event_span(const reader *r);
/* Room for one more item; NULL: no memory. */
void *mr_yaml_grow(reader *r, growing *list, size_t size);
/* The arena's copy of a finished array. */
void *mr_yaml_settle(reader *r, const growing *list, size_t size);

/* A list or map has begun: the value that will hold it. *ret_right is false when its tag is wrong. */
mr_value *mr_yaml_begin(reader *r, size_t depth, const yaml_char_t *anchor_name, const yaml_char_t *tag_name, const char *standard, bool flow,
                        size_t *ret_anchor, bool *ret_right);
built mr_yaml_finish(reader *r, mr_value *value, built out, size_t anchor, bool right);
void mr_yaml_add_cost(built *sum, const built *part);

/* The value of the current event; the event after it is current then. depth: of the value, from 1. */
built mr_yaml_read_value(reader *r, size_t depth);
built mr_yaml_read_map(reader *r, size_t depth);

#endif
