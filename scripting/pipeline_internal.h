/* SPDX-License-Identifier: MIT */
/*
 * What describing a pipeline consists of. A description is {"root": VALUE}, where a value is a list that begins with its kind and its place:
 *     ["s", PLACE, null | true | false | number | text]
 *     ["l", PLACE, [VALUE, …]]
 *     ["m", PLACE, [[key, PLACE of the key, VALUE], …]]     in the order in which it is to be read
 * and a place is [file of the bundle, line, col, len].
 */
#ifndef MR_SCRIPTING_PIPELINE_INTERNAL_H
#define MR_SCRIPTING_PIPELINE_INTERNAL_H

#include "scripting/pipeline.h"
#include "scripting/places.h"

#define MR_SCRIPT_PIPELINE_VALUES 100000u

typedef enum mr_handle_kind { MR_HANDLE_PIPELINE, MR_HANDLE_STREAM, MR_HANDLE_NODE, MR_HANDLE_EXPR } mr_handle_kind;

typedef struct mr_handle { /* a userdata; its text is its user value */
    mr_handle_kind kind;
} mr_handle;

typedef struct mr_describing {
    const mr_bundle *bundle;
    mr_diags *diags;
    bool made;    /* millrace.pipeline was called */
    bool refused; /* a value can't be one, and is missing */
    json_t *top;  /* entries of the root that stand as they were written: a list of [key, place, value] */
    json_t *inputs, *params, *nodes, *outputs;
    json_t *known; /* {"node probe": place} */
    size_t values;
    size_t bytes;
} mr_describing;

/* pipeline_value.c. Raises nothing. The pointers behind a stack index stay valid, as nothing is converted in place. */
typedef struct mr_value_reader {
    mr_describing *to;
    lua_State *lua;
    int mark;        /* the stack index of the metatable of millrace.object */
    const char *why; /* why there is no value */
    mr_area at;      /* where that is */
    unsigned depth;
} mr_value_reader;

json_t *mr_place_json(const mr_describing *to, mr_area area);
/* The value at index, which is written at area. NULL: reader->why. */
json_t *mr_describe_value(mr_value_reader *reader, int index, mr_area area);
json_t *mr_describe_text(mr_describing *to, const char *text, mr_area area); /* NULL: memory is short, or it is no text of this world */
json_t *mr_describe_entry(const mr_describing *to, const char *key, mr_area key_area, json_t *take_value); /* [key, place, value] */

/* The handle at index, if it is one; pushes nothing. */
const mr_handle *mr_handle_at(lua_State *lua, int index);
/* Its text: "probe.info", "${params.crf}", a node's name. Pushed. */
const char *mr_handle_text(lua_State *lua, int index);
void mr_handle_push(lua_State *lua, mr_handle_kind kind, const char *text);
void mr_handles_open(lua_State *lua); /* once a state */

#endif
