/* SPDX-License-Identifier: MIT */
/*
 * The model of a pipeline: what YAML (and Lua) describe, checked and with every name resolved. Immutable; lives in an
 * arena; the ops are borrowed.
 *
 * A node's input ports are bound in three ways. 'in': the whole stream(s), in the order written. 'each': streams that go in
 * step (item k of each, together). 'for': streams that cross. A node with 'each' or 'for' has one task per combination, in
 * row-major order: 'each' outermost, then the 'for' entries in the order written, the last one fastest.
 */
#ifndef MR_GRAPH_PIPELINE_H
#define MR_GRAPH_PIPELINE_H

#include "config/value.h"
#include "graph/ops.h"
#include "scripting/expr.h"
#include <millrace/status.h>

enum { /* limits of one pipeline */
       MR_PIPELINE_NODES_MAX = 1000,
       MR_PIPELINE_NAMES_MAX = 64,   /* inputs; params; outputs */
       MR_PIPELINE_SOURCES_MAX = 64, /* sources of one port */
       MR_PIPELINE_SCRIPTS_MAX = 16,
       MR_PIPELINE_NAME_MAX = 64,     /* bytes of a name */
       MR_PIPELINE_HELP_MAX = 2000,   /* bytes of a help line or description */
       MR_PIPELINE_GIVEN_MAX = 65536, /* bytes of a param given on the command line */
};

typedef struct mr_pipeline_input {
    const char *name;
    uint32_t type; /* one MR_TYPE_* bit */
    bool required; /* default true */
    bool many;     /* takes several */
    const char *help;
    mr_span span;
} mr_pipeline_input;

typedef struct mr_pipeline_param {
    const char *type;         /* as written: "duration", "map" … */
    bool required;            /* must be given: no default, and not 'required: false' */
    mr_param spec;            /* name, type, limits, help …; offset and fields unused. 'list' is type LIST of JSON, 'map' and 'any' JSON */
    const mr_value *standard; /* NULL: none */
    mr_span span;
} mr_pipeline_param;

typedef enum mr_source_kind { MR_SOURCE_INPUT, MR_SOURCE_NODE } mr_source_kind;
typedef struct mr_source { /* where a stream comes from: "inputs.source", "probe.info" */
    mr_source_kind kind;
    uint32_t index; /* of the input or the node in the pipeline's arrays */
    uint32_t port;  /* NODE: output port */
    mr_span span;
} mr_source;

/* Exactly one artifact (or, where its port is optional, none): what an input port that is not MANY takes under 'in'. */
typedef struct mr_pipeline mr_pipeline;
bool mr_source_is_one(const mr_pipeline *pipeline, const mr_source *source);
/* "inputs.source", "plan.chunks"; in arena. */
const char *mr_source_text(mr_arena *arena, const mr_pipeline *pipeline, const mr_source *source);

typedef enum mr_bind_how { MR_BIND_IN, MR_BIND_EACH, MR_BIND_FOR } mr_bind_how;
typedef struct mr_binding {
    uint32_t port; /* input port of the op */
    mr_bind_how how;
    const mr_source *sources; /* one, or for 'in' on a MANY port any number */
    size_t source_count;
    mr_span span;
} mr_binding;

typedef struct mr_node_expr { /* a text with ${…} somewhere in a node's 'with' */
    const mr_value *value;    /* the text; found by its address */
    const mr_expr *expr;
} mr_node_expr;

typedef enum mr_trigger { MR_TRIGGER_NONE, MR_TRIGGER_SUCCESS, MR_TRIGGER_FAILURE, MR_TRIGGER_ALWAYS } mr_trigger;
typedef enum mr_on_error { MR_ON_ERROR_FAIL, MR_ON_ERROR_SKIP } mr_on_error;

typedef struct mr_node {
    const char *name;
    const mr_op *op;
    const char *plugin;
    const mr_filter_set *filters; /* that its params may name */
    const mr_binding *bindings;   /* in port order within how: each …, for … (as written), in … */
    size_t binding_count;
    const mr_value *with;      /* the map as written; NULL: none */
    const mr_node_expr *exprs; /* sorted by the address of value */
    size_t expr_count;
    const mr_expr *when;    /* NULL: always */
    uint32_t attempts;      /* 1 … 10; default 1 */
    int64_t retry_delay_us; /* default 1 s; doubles each time, up to 1 min */
    int64_t timeout_us;     /* 0: none */
    mr_on_error on_error;
    mr_trigger trigger;
    const char *help; /* the node's 'help' line, NULL: none */
    mr_span span;     /* of its name */
} mr_node;

typedef struct mr_pipeline_output {
    const char *name;
    mr_source source;
    mr_span span;
} mr_pipeline_output;

struct mr_pipeline {
    const char *file;
    const char *name;
    const char *description;
    const mr_pipeline_input *inputs;
    size_t input_count;
    const mr_pipeline_param *params;
    size_t param_count;
    const mr_node *nodes; /* in file order */
    size_t node_count;
    const uint32_t *order; /* node indices, topological, file order among equals; triggered nodes last */
    const mr_pipeline_output *outputs;
    size_t output_count;
};

/*
 * Checks a value tree and builds the model. Every mistake that can be known before a run is reported, all of them in one go: unknown
 * op, port, param, node, key; wrong type, unit, range; missing input; edge types; cycles (as a path); streams into ports that take one
 * artifact, streaming ports in 'each' …; and, evaluated with the params' defaults, what expressions give. When there are no errors,
 * also what is there for nothing (warnings): nodes, inputs and params that nobody uses.
 * *ret_pipeline is NULL when there are errors.
 */
mr_status mr_pipeline_check(mr_arena *arena, const char *file, const mr_value *root, const mr_op_set *ops, mr_diags *diags,
                            const mr_pipeline **ret_pipeline);
/* The scripts that a pipeline names, as far as they are paths: their ops belong in the set before it is checked. */
size_t mr_pipeline_scripts(const mr_value *root, const mr_value *ret_scripts[MR_PIPELINE_SCRIPTS_MAX]);
/* Reads the text of the file path (for messages), then the above. */
mr_status mr_pipeline_read(mr_arena *arena, const char *path, const char *text, size_t len, const mr_op_set *ops, mr_diags *diags,
                           const mr_pipeline **ret_pipeline);
/* Reads the file, then the above. */
mr_status mr_pipeline_load(mr_arena *arena, const char *path, const mr_op_set *ops, mr_diags *diags, const mr_pipeline **ret_pipeline);

/*
 * The pipeline with one node more, without inputs, which runs when the others have ended: what a hook adds. with: an object of params as they would
 * be written; checked when the pipeline is bound. from: who adds it, for messages.
 */
mr_status mr_pipeline_add_trigger(mr_arena *arena, const mr_pipeline *pipeline, const mr_op_set *ops, const char *op, mr_trigger trigger,
                                  const json_t *with, const char *from, mr_diags *diags, const mr_pipeline **ret_pipeline);

/*
 * A pipeline with its params given: every 'with' that needs only params is evaluated and checked (so "--param" mistakes and
 * expressions that give a wrong type are found before anything runs).
 *
 * What is given is read by the declared type: for text, choice and url it is the text as it stands, for the others a YAML flow value
 * ("4s", "[1, 2]", "{height: 720}"). Mistakes are shown in a file called "--param NAME".
 *
 * A 'with' value that is exactly "${params.NAME}" hands the param's value on as it was written, with its place, so that "4s" reaches
 * a duration and a mistake is shown where the value was given. Other expressions compute with params as plain values: durations are
 * seconds, bitrates bits per second, sizes bytes, ratios numbers, choices their word, lists and maps as written ("5M" in one is a text).
 * A param that is neither given nor has a default is nil. A 'with' value that is null, or becomes it, counts as not given.
 */
typedef struct mr_given {
    const char *name;
    const char *text;
    const char *from; /* who gives it, for messages: "--param" when NULL */
    bool offered;     /* it is for pipelines that have such a param (mr_job_prepare) */
} mr_given;           /* --param NAME=VALUE; text is read as a YAML flow value */
typedef struct mr_bound_node {
    const mr_value *with; /* closed values evaluated; open ones still the node's text; NULL: none */
    bool never;           /* 'when' needs only params, and is false */
} mr_bound_node;
typedef struct mr_bound {
    const mr_pipeline *pipeline;
    json_t *params;               /* the values of all params as expressions see them; null: none. See mr_bound_clear */
    const mr_value *const *given; /* per param: what was given, else its default, else NULL */
    const mr_bound_node *nodes;   /* one per node */
} mr_bound;
mr_status mr_pipeline_bind(mr_arena *arena, const mr_pipeline *pipeline, const mr_given *given, size_t given_count, mr_diags *diags,
                           mr_bound *ret_bound);
void mr_bound_clear(mr_bound *bound); /* drops the reference to params */

/*
 * Fills an op's params struct for one task: evaluates what is open against scope (the node's inputs by port name: the metadata of
 * the artifact, or a list of them on a MANY port; and params, which are added when absent). scope NULL: only closed values, open ones keep their
 * default.
 */
mr_status mr_bound_params(mr_arena *arena, mr_expr_vm *vm, const mr_bound *bound, uint32_t node, const json_t *scope, mr_diags *diags,
                          void **ret_params);

/* JSON Schema (2020-12) of pipeline files, with all ops' ports and params. Caller frees the text; NULL: no memory. */
char *mr_pipeline_schema(const mr_op_set *ops);

#endif
