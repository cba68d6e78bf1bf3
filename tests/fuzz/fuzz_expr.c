/* SPDX-License-Identifier: MIT */
/*
 * Compiles and evaluates any text as an expression. Besides crashes: a compiled expression must evaluate within its limits, and the
 * same scope must give the same value twice.
 */
#include "scripting/expr.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"params", "info"};
static const char *const param_names[] = {"height", "preset", "ladder"};
static const char scope_text[] =
    "{\"params\":{\"height\":720,\"preset\":\"slow\",\"ladder\":[{\"height\":1},[],{}]},\"info\":{\"video\":{\"width\":1920,\"sar\":[1,null,1]}}}";

static char *evaluate(mr_expr_vm *vm, const mr_expr *expr, const json_t *scope)
{
    json_t *value = NULL;
    char *text = NULL;
    mr_status status = mr_expr_eval(vm, expr, scope, NULL, &value);
    if ((status == MR_OK) != (value != NULL))
        abort();
    if (value)
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(value);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mr_expr_vm *vm;
    static json_t *scope;
    if (!vm) {
        vm = mr_expr_vm_new();
        scope = json_loads(scope_text, 0, NULL);
    }
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    char *text = mr_arena_copy(arena, (const char *)data, size);
    const mr_expr *expr = NULL;
    mr_span span = {"fuzz", 1, 1, (uint32_t)strlen(text)};
    mr_status status = mr_expr_compile(arena, text, span, names, 2, param_names, 3, diags, &expr);
    if ((status == MR_OK) != (expr != NULL) || (status != MR_OK) != (mr_diags_errors(diags) > 0))
        abort();
    if (expr) {
        char *first = evaluate(vm, expr, scope);
        char *second = evaluate(vm, expr, scope);
        if ((first == NULL) != (second == NULL) || (first && strcmp(first, second) != 0))
            abort();
        free(first);
        free(second);
        bool truth = false;
        (void)mr_expr_test(vm, expr, scope, diags, &truth);
        (void)mr_expr_only_params(expr);
    }
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
