/* SPDX-License-Identifier: MIT */
/*
 * Expressions: ${…} in pipelines, in Lua 5.4. They see params and the inputs of their own node, nothing else. They are
 * expressions only: no statements, no functions of their own, no comments, hence no loops and nothing that can be changed. The
 * functions at hand are pure: math (abs ceil exp floor fmod huge log max maxinteger min mininteger pi sqrt tointeger type), string
 * (format len lower sub upper, also as methods), tostring, tonumber. No pattern functions, no rep, no metatables, nothing that
 * shows an address: the same scope gives the same value. Limits: 100,000 instructions, 8 MiB.
 *
 * Text with ${…} inside is a template: its parts are joined as text (nil and tables there are errors). A text that is one whole
 * ${…} keeps the value's type. "$${" is a literal "${". An unterminated "${" is an error with the hint to quote the scalar.
 *
 * JSON and Lua: integers stay integers; a number without a fraction becomes an integer (720 / 2 is 360). A table whose keys are 1 … n
 * is a list, one with text keys an object, anything else an error; {} written in an expression is the empty list, an empty object that
 * came from the scope stays an object. null is nil; within a list it leaves a hole, which becomes null again unless it is at the end.
 */
#ifndef MR_SCRIPTING_EXPR_H
#define MR_SCRIPTING_EXPR_H

#include "config/value.h"
#include <millrace/status.h>

#define MR_EXPR_TEXT_MAX  8192       /* bytes of a text with expressions */
#define MR_EXPR_PARTS_MAX 64         /* literals and expressions in one text */
#define MR_EXPR_STEPS     100000     /* instructions of one evaluation */
#define MR_EXPR_MEMORY    (8u << 20) /* bytes that a Lua state may hold, and that a value may become */
#define MR_EXPR_VALUES    100000     /* values in a result */
#define MR_EXPR_DEPTH     32         /* nesting of a result */

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
bool mr_expr_uses(const mr_expr *expr, const char *name);       /* reads that variable */
bool mr_expr_uses_param(const mr_expr *expr, const char *name); /* reads params.NAME, or params in a way that may reach it */
bool mr_expr_only_params(const mr_expr *expr);                  /* can be evaluated before anything runs */
const char *mr_expr_text(const mr_expr *expr);                  /* as compiled */
bool mr_expr_whole(const mr_expr *expr);                        /* the text is one ${…}: the value keeps its type */
const char *mr_expr_pure_param(const mr_expr *expr);            /* NAME when the text is exactly ${params.NAME}, else NULL */

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
