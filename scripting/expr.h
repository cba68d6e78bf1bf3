/* SPDX-License-Identifier: MIT */
/*
 * Expressions: ${…} in pipelines, in Lua 5.4. They see params and the inputs of their own node, nothing else. No functions
 * but a few pure ones (math without random, tostring, tonumber, string.format/upper/lower/len/sub, #), no loops by construction of
 * the sandbox's limits: 100,000 instructions, 8 MiB. No pattern functions (they escape the instruction count).
 *
 * Text with ${…} inside is a template: its parts are joined as text. A text that is one whole ${…} keeps the value's type.
 * "$${" is a literal "${". An unterminated "${" is an error with the hint to quote the scalar.
 */
#ifndef MR_SCRIPTING_EXPR_H
#define MR_SCRIPTING_EXPR_H

#include "config/value.h"
#include <millrace/status.h>

typedef struct mr_expr mr_expr;       /* compiled text; immutable; may be shared by threads */
typedef struct mr_expr_vm mr_expr_vm; /* a Lua state; one thread at a time */

bool mr_expr_present(const char *text); /* has an unescaped "${" */

/*
 * Compiles text (lives in arena), with positions for diagnostics: span is that of the scalar. names: the variables that will be there
 * ("params", and the node's input ports); any other global name is an error with a suggestion. param_names: fields of params; an
 * unknown params.x is an error with a suggestion.
 */
mr_status mr_expr_compile(mr_arena *arena, const char *text, mr_span span, const char *const *names, size_t name_count,
                          const char *const *param_names, size_t param_count, mr_diags *diags, const mr_expr **ret_expr);
bool mr_expr_uses(const mr_expr *expr, const char *name); /* reads that variable */
bool mr_expr_only_params(const mr_expr *expr);            /* can be evaluated before anything runs */

mr_expr_vm *mr_expr_vm_new(void); /* NULL when memory is short */
void mr_expr_vm_free(mr_expr_vm *vm);
/*
 * Evaluates. scope: a JSON object of the variables (absent ones are nil; JSON null is nil). *ret_value: new reference; JSON
 * null for nil. Errors name the expression and its place.
 */
mr_status mr_expr_eval(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope, mr_diags *diags, json_t **ret_value);
/* For 'when': Lua truth (nil and false are false). */
mr_status mr_expr_test(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope, mr_diags *diags, bool *ret_true);

#endif
