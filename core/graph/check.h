/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the checker share. A check goes on after a mistake as far as it makes sense, so that all mistakes are reported in
 * one go; what could not be resolved is left out (a node without its op has op NULL) and never blamed a second time.
 */
#ifndef MR_GRAPH_CHECK_H
#define MR_GRAPH_CHECK_H

#include "graph/pipeline.h"
#include <string.h>

typedef struct mr_check {
    mr_arena *arena;
    const mr_op_set *ops;
    mr_diags *diags;
    bool failed; /* an error was reported */
    bool nomem;
    mr_pipeline *pipeline;
    mr_pipeline_input *inputs; /* the pipeline's arrays, while they are filled */
    mr_pipeline_param *params;
    mr_node *nodes;
    mr_pipeline_output *outputs;
    const mr_entry **node_entries; /* per node: how it is written */
    const char **param_names;
    bool *input_used;
    bool *param_used;
    bool *node_used;
} mr_check;

#define mr_fail(check, code, span, ...) ((check)->failed = true, mr_error((check)->diags, code, span, __VA_ARGS__))

/* check_read.c: values of known shape. what names the owner: "node 'video'". Absent keys leave the result as it is. */
void *mr_check_take(mr_check *check, size_t count, size_t size); /* zeroed; NULL sets nomem */
const char *mr_check_text(mr_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool mr_check_map(mr_check *check, const mr_value *value, const char *what);
void mr_check_keys(mr_check *check, const mr_value *map, const char *what, const char *const *keys);
bool mr_check_name(mr_check *check, const char *name, mr_span span, const char *what);
bool mr_check_count(mr_check *check, const mr_value *map, size_t max, const char *what);
void mr_read_text(mr_check *check, const mr_value *map, const char *key, const char *what, const char **ret_text);
void mr_read_bool(mr_check *check, const mr_value *map, const char *key, const char *what, bool *ret_value);
void mr_read_int(mr_check *check, const mr_value *map, const char *key, const char *what, int64_t min, int64_t max, int64_t *ret_value);
void mr_read_duration(mr_check *check, const mr_value *map, const char *key, const char *what, int64_t max_us, int64_t *ret_us);
void mr_read_choice(mr_check *check, const mr_value *map, const char *key, const char *what, const char *const *choices, int *ret_index);
/* In Lua, where in and for are words of the language, these keys are called 'from' and 'cross'. */
bool mr_is_lua(const mr_check *check);
const char *mr_key_word(const mr_check *check, const char *key);
/* A hint: "did you mean …?", or else what there is. */
void mr_hint_names(mr_check *check, const char *word, const char *const *names, size_t count, const char *lead);
const char *mr_join(mr_arena *arena, const char *const *names, size_t count, size_t most);

/* check_params.c */
void mr_check_params(mr_check *check, const mr_value *map);
/* Reads one value by its declaration. out: room for any type. */
mr_status mr_param_read(mr_arena *arena, const mr_pipeline_param *param, const mr_value *value, mr_diags *diags, json_t **ret_json);

/* check_nodes.c */
void mr_check_nodes(mr_check *check, const mr_value *map);
/* check_sources.c */
bool mr_check_source(mr_check *check, const mr_value *value, mr_source *ret_source);
void mr_check_bindings(mr_check *check, uint32_t node);
/* check_edges.c: cycles, order, triggers, what is unused. */
void mr_check_edges(mr_check *check);
void mr_check_unused(mr_check *check);

/* with.c: params with their values, and 'with' trees closed over them. */
typedef struct mr_values {
    const mr_pipeline *pipeline;
    const mr_value **given; /* per param; NULL: none */
    bool *unknown;          /* per param: a value will be there, but not now */
    json_t *json;
} mr_values;
mr_status mr_values_from_defaults(mr_arena *arena, const mr_pipeline *pipeline, mr_values *ret_values);
bool mr_has_expressions(const mr_value *value); /* somewhere in the tree */
void mr_check_exprs(mr_check *check, uint32_t node);
/* The map with what can be evaluated: everything when scope is given, else what needs known params only. NULL: an error was reported. */
const mr_value *mr_with_close(mr_arena *arena, mr_expr_vm *vm, const mr_node *node, const mr_value *with, const mr_values *values,
                              const json_t *scope, mr_diags *diags);
/* Checks a closed map against the op's table; what is still open counts as right. ret_params not NULL: fills the op's struct, with
 * defaults for what is open. */
mr_status mr_with_bind(mr_arena *arena, const mr_node *node, const mr_value *with, mr_diags *diags, void **ret_params);
/* 'when' and 'with' of a node, as far as params alone decide. */
mr_status mr_node_close(mr_arena *arena, mr_expr_vm *vm, const mr_node *node, const mr_values *values, mr_diags *diags, mr_bound_node *ret_bound);

#endif
