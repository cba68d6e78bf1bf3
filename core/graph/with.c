/* SPDX-License-Identifier: MIT */
/*
 * The 'with' and 'when' of nodes: their expressions compiled once, and trees rebuilt with what can be evaluated. What stays open is
 * still the node's own value, found by its address; checks see it as one marker that they take for right.
 */
#include "graph/check.h"
#include "config/params.h"
#include <stdlib.h>

/* Stands for a value that is known later. */
static const mr_value open_marker = {.type = MR_VALUE_TEXT, .text = "${…}", .quoted = true};
static bool is_open(const mr_value *value)
{
    return value == &open_marker;
}

static bool has_expression(const mr_value *value)
{
    return value->type == MR_VALUE_TEXT && value->text && strstr(value->text, "${");
}

/* --- compiling --- */

static size_t count_texts(const mr_value *value)
{
    size_t count = has_expression(value) ? 1 : 0;
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++)
        count += count_texts(value->list.items[i]);
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++)
        count += count_texts(value->map.entries[i].value);
    return count;
}

static void collect_texts(const mr_value *value, mr_node_expr *exprs, size_t *count)
{
    if (has_expression(value))
        exprs[(*count)++].value = value;
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++)
        collect_texts(value->list.items[i], exprs, count);
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++)
        collect_texts(value->map.entries[i].value, exprs, count);
}

bool mr_has_expressions(const mr_value *value)
{
    return count_texts(value) > 0;
}

static int compare_exprs(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const mr_node_expr *)a)->value;
    uintptr_t right = (uintptr_t)((const mr_node_expr *)b)->value;
    return left < right ? -1 : left > right;
}

static const mr_node_expr *find_expr(const mr_node *node, const mr_value *value)
{
    mr_node_expr key = {.value = value};
    return node->expr_count > 0 ? bsearch(&key, node->exprs, node->expr_count, sizeof(key), compare_exprs) : NULL;
}

/* Names in scope: params, and the ports that are bound. An unknown op has all its expressions' names unknown: nothing is checked. */
static const char **scope_names(mr_check *check, const mr_node *node, size_t *ret_count)
{
    const char **names = mr_check_take(check, node->binding_count + 1, sizeof(*names));
    size_t n = 0;
    if (names)
        names[n++] = "params";
    for (size_t i = 0; names && i < node->binding_count; i++)
        names[n++] = node->op->inputs[node->bindings[i].port].name;
    *ret_count = n;
    return names;
}

static const mr_expr *compile(mr_check *check, const mr_node *node, const mr_value *value, const char *text)
{
    size_t count = 0;
    const mr_expr *expr = NULL;
    const char **names = scope_names(check, node, &count);
    if (!names)
        return NULL;
    mr_status status =
        mr_expr_compile(check->arena, text, value->span, names, count, check->param_names, check->pipeline->param_count, check->diags, &expr);
    if (status != MR_OK) {
        check->failed = true;
        /* Names after a mistake are not known: params that only it reads must not be called unused; failed checks say nothing of that. */
        return NULL;
    }
    for (size_t i = 0; i < check->pipeline->param_count; i++)
        check->param_used[i] |= mr_expr_uses_param(expr, check->param_names[i]) && mr_expr_uses(expr, "params");
    for (size_t i = 0; i < node->binding_count; i++) {
        const mr_port *port = &node->op->inputs[node->bindings[i].port];
        if (!(port->flags & MR_PORT_STREAMING) || !mr_expr_uses(expr, port->name))
            continue;
        mr_fail(check, "streaming-in-expression", value->span, "port '%s' is taken while its items are made, so an expression can't read it",
                port->name);
        return NULL;
    }
    return expr;
}

static void check_when(mr_check *check, mr_node *node, const mr_value *when)
{
    if (when->type == MR_VALUE_BOOL) {
        node->when = compile(check, node, when, when->boolean ? "${true}" : "${false}");
        return;
    }
    bool text = when->type == MR_VALUE_TEXT;
    if (!text || !mr_expr_present(when->text)) {
        mr_fail(check, "wrong-type", when->span, "'when' of node '%s' must be an expression, not %s", node->name,
                text ? "plain text" : mr_value_type_name(when->type));
        mr_hint(check->diags, "write \"${%s}\"", text && strlen(when->text) < 80 ? when->text : "params.NAME ~= nil");
        return;
    }
    const mr_expr *expr = compile(check, node, when, when->text);
    if (expr && !mr_expr_whole(expr)) {
        mr_fail(check, "wrong-type", when->span, "'when' of node '%s' is text with an expression in it, which is always true", node->name);
        mr_hint(check->diags, "put the whole condition between '${' and '}'");
    } else {
        node->when = expr;
    }
}

void mr_check_exprs(mr_check *check, uint32_t index)
{
    mr_node *node = &check->nodes[index];
    const mr_value *when = mr_value_get(check->node_entries[index]->value, "when");
    if (!node->op)
        return;
    size_t count = node->with ? count_texts(node->with) : 0;
    mr_node_expr *exprs = mr_check_take(check, count, sizeof(*exprs));
    if (!exprs)
        return;
    size_t n = 0;
    if (node->with)
        collect_texts(node->with, exprs, &n);
    qsort(exprs, n, sizeof(*exprs), compare_exprs);
    /* An aliased text is one value in several places: it is compiled once. */
    for (size_t i = 0; i < n; i++)
        exprs[i].expr =
            i > 0 && exprs[i].value == exprs[i - 1].value ? exprs[i - 1].expr : compile(check, node, exprs[i].value, exprs[i].value->text);
    node->exprs = exprs;
    node->expr_count = n;
    if (when)
        check_when(check, node, when);
}

/* --- values of params --- */

mr_status mr_values_from_defaults(mr_arena *arena, const mr_pipeline *pipeline, mr_values *ret_values)
{
    size_t count = pipeline->param_count > 0 ? pipeline->param_count : 1;
    *ret_values = (mr_values){.pipeline = pipeline, .json = json_object()};
    ret_values->given = mr_arena_take_array(arena, count, sizeof(const mr_value *));
    ret_values->unknown = mr_arena_take_array(arena, count, sizeof(bool));
    if (!ret_values->given || !ret_values->unknown || !ret_values->json)
        return MR_ERR_NOMEM;
    for (size_t i = 0; i < pipeline->param_count; i++) {
        const mr_pipeline_param *param = &pipeline->params[i];
        json_t *json = NULL;
        if (param->standard && mr_param_read(arena, param, param->standard, NULL, &json) != MR_OK)
            return MR_ERR_NOMEM; /* it was checked before */
        ret_values->given[i] = param->standard;
        ret_values->unknown[i] = !param->standard && param->required;
        if (json_object_set_new(ret_values->json, param->spec.name, json ? json : json_null()) != 0)
            return MR_ERR_NOMEM;
    }
    return MR_OK;
}

static bool is_closed(const mr_expr *expr, const mr_values *values)
{
    if (!expr || !mr_expr_only_params(expr))
        return false;
    for (size_t i = 0; i < values->pipeline->param_count; i++)
        if (values->unknown[i] && mr_expr_uses(expr, "params") && mr_expr_uses_param(expr, values->pipeline->params[i].spec.name))
            return false;
    return true;
}

static int find_param(const mr_pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->param_count; i++)
        if (strcmp(pipeline->params[i].spec.name, name) == 0)
            return (int)i;
    return -1;
}

/* --- closing trees --- */

typedef struct closer {
    mr_arena *arena;
    mr_expr_vm *vm;
    const mr_node *node;
    const mr_values *values;
    const json_t *scope; /* complete; NULL: only what needs params */
    json_t *params_scope;
    mr_diags *diags;
    bool failed;
} closer;

static const mr_value *null_at(closer *c, const mr_value *value)
{
    mr_value *null = mr_arena_take(c->arena, sizeof(*null));
    if (null)
        *null = (mr_value){.type = MR_VALUE_NULL, .span = value->span, .text = ""};
    c->failed |= !null;
    return null;
}

static const mr_value *close_text(closer *c, const mr_value *value, const mr_expr *expr)
{
    const char *pure = expr ? mr_expr_pure_param(expr) : NULL;
    bool closed = is_closed(expr, c->values);
    if (!closed && (!c->scope || !expr))
        return value;
    if (pure) {
        int param = find_param(c->values->pipeline, pure);
        return param >= 0 && c->values->given[param] ? c->values->given[param] : null_at(c, value);
    }
    json_t *json = NULL;
    const mr_value *out = NULL;
    if (mr_expr_eval(c->vm, expr, closed && !c->scope ? c->params_scope : c->scope, c->diags, &json) == MR_OK)
        out = mr_value_from_json(c->arena, json, value->span);
    json_decref(json);
    c->failed |= !out;
    return out ? out : value;
}

static const mr_value *close_value(closer *c, const mr_value *value);

static const mr_value *close_list(closer *c, const mr_value *value)
{
    const mr_value **items = mr_arena_take_array(c->arena, value->list.count + 1, sizeof(const mr_value *));
    mr_value *out = mr_arena_take(c->arena, sizeof(*out));
    if (!items || !out) {
        c->failed = true;
        return value;
    }
    for (size_t i = 0; i < value->list.count; i++)
        items[i] = close_value(c, value->list.items[i]);
    *out = *value;
    out->list.items = items;
    return out;
}

static const mr_value *close_map(closer *c, const mr_value *value)
{
    mr_entry *entries = mr_arena_take_array(c->arena, value->map.count + 1, sizeof(*entries));
    mr_value *out = mr_arena_take(c->arena, sizeof(*out));
    if (!entries || !out) {
        c->failed = true;
        return value;
    }
    for (size_t i = 0; i < value->map.count; i++) {
        entries[i] = value->map.entries[i];
        entries[i].value = close_value(c, entries[i].value);
    }
    *out = *value;
    out->map.entries = entries;
    return out;
}

/* Trees without expressions are shared, not copied. Depth is bounded by the YAML reader. */
static const mr_value *close_value(closer *c, const mr_value *value)
{
    if (value->type != MR_VALUE_TEXT && (value->type == MR_VALUE_LIST || value->type == MR_VALUE_MAP) && count_texts(value) == 0)
        return value;
    if (value->type == MR_VALUE_LIST)
        return close_list(c, value);
    if (value->type == MR_VALUE_MAP)
        return close_map(c, value);
    const mr_node_expr *found = find_expr(c->node, value);
    return found ? close_text(c, value, found->expr) : value;
}

const mr_value *mr_with_close(mr_arena *arena, mr_expr_vm *vm, const mr_node *node, const mr_value *with, const mr_values *values,
                              const json_t *scope, mr_diags *diags)
{
    closer c = {.arena = arena, .vm = vm, .node = node, .values = values, .scope = scope, .diags = diags};
    /* Several threads close nodes over the same params, whose reference count they must not touch: with a scope, it is not. */
    c.params_scope = scope ? NULL : json_pack("{s:O}", "params", values->json);
    const mr_value *out = scope || c.params_scope ? close_value(&c, with) : NULL;
    json_decref(c.params_scope);
    return c.failed ? NULL : out;
}

/* --- checking closed trees --- */

/* Whether the node's own, still open text is in the tree. */
static bool holds_open(const mr_node *node, const mr_value *value)
{
    if (find_expr(node, value))
        return true;
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count; i++)
        if (holds_open(node, value->list.items[i]))
            return true;
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count; i++)
        if (holds_open(node, value->map.entries[i].value))
            return true;
    return false;
}

static const mr_param *find_op_param(const mr_op *op, const char *name)
{
    for (const mr_param *param = op->params; param && param->name; param++)
        if (strcmp(param->name, name) == 0)
            return param;
    return NULL;
}

/* A required param whose expression gives nothing: said here, where the expression is known. */
static bool report_missing(const mr_node *node, const mr_entry *entry, mr_diags *diags)
{
    const mr_param *param = find_op_param(node->op, entry->key);
    const mr_value *written = mr_value_get(node->with, entry->key);
    const mr_node_expr *found = written ? find_expr(node, written) : NULL;
    if (!param || !(param->flags & MR_PARAM_REQUIRED) || !found || !found->expr)
        return false;
    const char *pure = mr_expr_pure_param(found->expr);
    mr_error(diags, "missing-param", written->span, "op '%s' needs its param '%s', but '%s' is nil here", node->op->name, entry->key, written->text);
    if (pure)
        mr_hint(diags, "give it (--param %s=…), or let the node run only when it is there: when: \"${params.%s ~= nil}\"", pure, pure);
    return true;
}

/* A copy of the tree with markers in place of what is still open, so that the rest of a list or map is checked. */
static const mr_value *mark_open(closer *c, const mr_value *value)
{
    if (!holds_open(c->node, value))
        return value;
    mr_value *out = mr_arena_take(c->arena, sizeof(*out));
    if (!out || (value->type != MR_VALUE_LIST && value->type != MR_VALUE_MAP)) {
        c->failed |= !out;
        return &open_marker;
    }
    *out = *value;
    size_t count = value->type == MR_VALUE_LIST ? value->list.count : value->map.count;
    const mr_value **items = mr_arena_take_array(c->arena, count, sizeof(const mr_value *));
    mr_entry *entries = mr_arena_take_array(c->arena, count, sizeof(*entries));
    if (!items || !entries) {
        c->failed = true;
        return &open_marker;
    }
    for (size_t i = 0; i < count && value->type == MR_VALUE_LIST; i++)
        items[i] = mark_open(c, value->list.items[i]);
    for (size_t i = 0; i < count && value->type == MR_VALUE_MAP; i++) {
        entries[i] = value->map.entries[i];
        entries[i].value = mark_open(c, entries[i].value);
    }
    if (value->type == MR_VALUE_LIST)
        out->list.items = items;
    else
        out->map.entries = entries;
    return out;
}

/* "${params.x}" whose value comes from elsewhere: judged alone, so that the mistake can also name the place where it is used. */
static bool judge_alone(closer *c, const char *what, const mr_entry *entry, void *scratch)
{
    const mr_param *param = find_op_param(c->node->op, entry->key);
    const mr_value *written = c->node->with ? mr_value_get(c->node->with, entry->key) : NULL;
    if (!param || !written || written == entry->value || written->span.file != entry->key_span.file ||
        (entry->value->span.file == written->span.file && entry->value->span.line == written->span.line))
        return true;
    mr_param table[2] = {*param, MR_PARAM_END};
    mr_entry one = *entry;
    mr_value map = {.type = MR_VALUE_MAP, .span = written->span, .map = {.entries = &one, .count = 1}};
    if (mr_params_bind_with(c->node->filters, table, &map, what, written->span, c->arena, scratch, c->node->op->params_size, is_open, c->diags) ==
        MR_OK)
        return true;
    mr_note(c->diags, written->span, "used here");
    return false;
}

/* One entry of 'with' as the binder shall see it. false: it is left out. */
static bool prepare_entry(closer *c, const char *what, bool fill, mr_entry *entry, void *scratch)
{
    if (entry->value->type == MR_VALUE_NULL) {
        if (fill || !report_missing(c->node, entry, c->diags))
            return false;
        c->failed = true;
        entry->value = &open_marker;
    } else if (fill && holds_open(c->node, entry->value)) {
        const mr_param *param = find_op_param(c->node->op, entry->key);
        if (param && !(param->flags & MR_PARAM_REQUIRED))
            return false; /* its default */
        entry->value = &open_marker;
    } else if (!fill) {
        entry->value = mark_open(c, entry->value);
        if (!judge_alone(c, what, entry, scratch)) {
            c->failed = true;
            entry->value = &open_marker;
        }
    }
    return true;
}

mr_status mr_with_bind(mr_arena *arena, const mr_node *node, const mr_value *with, mr_diags *diags, void **ret_params)
{
    static const mr_param no_params[] = {MR_PARAM_END};
    size_t size = node->op->params_size > 0 ? node->op->params_size : 1;
    void *out = mr_arena_take(arena, size);
    size_t count = with ? with->map.count : 0;
    mr_entry *entries = mr_arena_take_array(arena, count + 1, sizeof(*entries));
    char *what = mr_arena_printf(arena, "op '%s'", node->op->name);
    if (!out || !entries || !what)
        return MR_ERR_NOMEM;
    mr_value map = {.type = MR_VALUE_MAP, .span = with ? with->span : node->span, .map = {.entries = entries}};
    closer c = {.arena = arena, .node = node, .diags = diags};
    for (size_t i = 0; i < count; i++) {
        mr_entry entry = with->map.entries[i];
        if (prepare_entry(&c, what, ret_params != NULL, &entry, out))
            entries[map.map.count++] = entry;
    }
    mr_status status =
        mr_params_bind_with(node->filters, node->op->params ? node->op->params : no_params, &map, what, node->span, arena, out, size, is_open, diags);
    if (ret_params)
        *ret_params = out;
    return status == MR_OK && c.failed ? MR_ERR_PARAM : status;
}

mr_status mr_node_close(mr_arena *arena, mr_expr_vm *vm, const mr_node *node, const mr_values *values, mr_diags *diags, mr_bound_node *ret_bound)
{
    *ret_bound = (mr_bound_node){0};
    if (node->when && is_closed(node->when, values)) {
        bool run = false;
        json_t *scope = json_pack("{s:O}", "params", values->json);
        mr_status status = scope ? mr_expr_test(vm, node->when, scope, diags, &run) : MR_ERR_NOMEM;
        json_decref(scope);
        if (status != MR_OK)
            return status;
        ret_bound->never = !run;
    }
    ret_bound->with = node->with;
    if (ret_bound->never) /* what is written must make sense all the same; what its expressions would give is not asked */
        return mr_with_bind(arena, node, node->with, diags, NULL);
    if (node->with) {
        ret_bound->with = mr_with_close(arena, vm, node, node->with, values, NULL, diags);
        if (!ret_bound->with)
            return MR_ERR_PARAM;
    }
    return mr_with_bind(arena, node, ret_bound->with, diags, NULL);
}
