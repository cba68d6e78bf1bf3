/* SPDX-License-Identifier: MIT */
/* millrace repl: what its lines share. A value that has a name is part of the scope that expressions are evaluated in. */
#ifndef MR_CLI_REPL_H
#define MR_CLI_REPL_H

#include "cli/job.h"

enum { MR_REPL_GIVEN = 64 }; /* params and inputs, each */

typedef struct mr_repl {
    mr_session *session;
    const char *state_dir; /* NULL: the default */
    const mr_settings *settings;
    const char *file;
    const mr_value *root; /* of the pipeline */
    const mr_pipeline *pipeline;
    mr_given given[MR_REPL_GIVEN];
    size_t given_count;
    mr_run_input inputs[MR_REPL_GIVEN];
    size_t input_count;
    json_t *scope; /* {params, and what has a name} */
    mr_expr_vm *vm;
    mr_engine *engine; /* NULL: nothing was run yet */
} mr_repl;

/* One line. False: it could not be done, and it was said why. */
bool mr_repl_line(mr_repl *repl, char *line, bool *ret_quit);
/* The params as they are given now, into the scope. */
bool mr_repl_bind(mr_repl *repl);
/* NAME=VALUE or NAME=PATH; the texts are copied. */
bool mr_repl_set(mr_repl *repl, const char *text);
bool mr_repl_input(mr_repl *repl, const char *text);
void mr_repl_print(const json_t *value);

/* repl_run.c: runs a node of the pipeline with all that it needs, or one op. What comes out is in the scope, and printed. */
bool mr_repl_run(mr_repl *repl, const char *node);
bool mr_repl_try(mr_repl *repl, char *words);

#endif
