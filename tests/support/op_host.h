/* SPDX-License-Identifier: MIT */
/*
 * Runs one op of a built plugin outside the engine, in memory: for unit tests of plugins and for trying an op by hand (oprun).
 * The plugin is loaded as the engine loads it; params are bound by the engine's own code.
 */
#ifndef OP_HOST_H
#define OP_HOST_H

#include <millrace/plugin.h>

typedef struct op_input {
    const char *port;
    uint32_t type;    /* one MR_TYPE_* bit */
    const char *meta; /* JSON object; NULL: {} */
    const char *path; /* content from a file; NULL: from data */
    const void *data; /* NULL with path NULL: no content */
    size_t size;
    const char *digest; /* of the content; NULL: "" */
} op_input;

typedef struct op_item {
    uint32_t port;
    uint32_t type;
    char *meta;
    uint8_t *data;
    size_t size;
    bool has_content;
} op_item;

typedef struct op_result {
    mr_status status;
    op_item *items; /* in the order of emission */
    size_t count;
    char *messages; /* what the op reported: "error: …\n" lines; "" when nothing */
} op_result;

/* What to change about a run; zero means nothing special. */
typedef struct op_run_options {
    const char *output_dir;              /* for ops with MR_OP_EFFECT; also a URL, for the service */
    const char *run_state;               /* JSON for ops on a trigger */
    uint32_t cancel_after;               /* cancelled() turns true after so many calls; 0: never */
    const mr_limits *limits;             /* what media may ask for; NULL: the defaults */
    const mr_service *service;           /* the one that there is, beside what the op's plugin has itself */
    const struct mr_filter_set *filters; /* that params may name */
    uint32_t processors;                 /* of the batch; 0: one */
} op_run_options;

/* The op of that name in the plugin file, or NULL with a message on stderr. */
const mr_op *op_load(const char *plugin_path, const char *op_name);
/* params: YAML or JSON text of a map; NULL: defaults. Several inputs of one port come in the order given. Mistakes in the params are printed and give
 * MR_ERR_PARAM. */
op_result op_run(const mr_op *op, const char *params, const op_input *inputs, size_t input_count, const op_run_options *options);
/* Several tasks in one batch. What the task 'from' - 1 (0: none) emits first becomes an input on 'port' once it is finished, as in the engine. */
typedef struct op_batch_task {
    const mr_op *op;
    const char *params;
    const op_input *inputs;
    size_t input_count;
    size_t from;
    const char *port;
} op_batch_task;
/* results: one for each task. */
void op_run_batch(const op_batch_task *tasks, size_t count, const op_run_options *options, op_result *results);
void op_result_free(op_result *result);
/* The n-th item of a port, or NULL. */
const op_item *op_result_item(const op_result *result, const mr_op *op, const char *port, size_t n);
size_t op_result_count(const op_result *result, const mr_op *op, const char *port);

#endif
