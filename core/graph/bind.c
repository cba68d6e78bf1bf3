/* SPDX-License-Identifier: MIT */
/* A pipeline with its params: what is given is read by its declaration, then every node is closed over it. */
#include "graph/check.h"
#include "config/params.h"
#include "config/yaml.h"

static const char *from_of(const mr_given *given)
{
    return given->from ? given->from : "--param";
}

/* Where none of its letters is wrong: "--param preset". */
static mr_span given_span(mr_arena *arena, const mr_given *given)
{
    return (mr_span){.file = mr_arena_printf(arena, "%s %s", from_of(given), given->name)};
}

/* The text as it stands, or as a YAML flow value, by the declared type. */
static mr_status read_given(mr_arena *arena, const mr_pipeline_param *param, const mr_given *given, mr_diags *diags, const mr_value **ret_value)
{
    const char *text = given->text;
    const char *file = given_span(arena, given).file;
    size_t len = strlen(text);
    mr_param_type type = (mr_param_type)param->spec.type;
    if (!file)
        return MR_ERR_NOMEM;
    if (len > MR_PIPELINE_GIVEN_MAX) {
        mr_error(diags, "limit", (mr_span){file, 1, 1, 1}, "%zu bytes are more than the %d that a param may have", len, MR_PIPELINE_GIVEN_MAX);
        return MR_ERR_LIMIT;
    }
    if (type != MR_PARAM_TYPE_TEXT && type != MR_PARAM_TYPE_CHOICE && type != MR_PARAM_TYPE_URL)
        return mr_yaml_read(arena, file, text, len, &mr_yaml_limits_default, diags, ret_value);
    mr_value *value = mr_arena_take(arena, sizeof(*value));
    if (!value)
        return MR_ERR_NOMEM;
    mr_diags_add_text(diags, file, text, len);
    size_t line = strcspn(text, "\n");
    *value = (mr_value){.type = MR_VALUE_TEXT, .quoted = true, .span = {file, 1, 1, line > 0 ? (uint32_t)line : 1}};
    value->text = mr_arena_copy(arena, text, len);
    *ret_value = value;
    return value->text ? MR_OK : MR_ERR_NOMEM;
}

static void unknown_given(mr_arena *arena, const mr_pipeline *pipeline, const mr_given *given, mr_diags *diags)
{
    const char *names[MR_PIPELINE_NAMES_MAX];
    for (size_t i = 0; i < pipeline->param_count; i++)
        names[i] = pipeline->params[i].spec.name;
    mr_error(diags, "unknown-param", given_span(arena, given), "pipeline '%s' has no param '%s'", pipeline->name, given->name);
    const char *near = mr_nearest(given->name, names, pipeline->param_count);
    if (near)
        mr_hint(diags, "did you mean '%s'?", near);
    else if (pipeline->param_count > 0)
        mr_hint(diags, "it has: %s", mr_join(arena, names, pipeline->param_count, 12));
    else
        mr_hint(diags, "it has no params");
}

static int find_param(const mr_pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->param_count; i++)
        if (strcmp(pipeline->params[i].spec.name, name) == 0)
            return (int)i;
    return -1;
}

/* One text of --param over the defaults in values. */
static mr_status apply_given(mr_arena *arena, const mr_given *given, bool *seen, mr_values *values, mr_diags *diags)
{
    const mr_pipeline *pipeline = values->pipeline;
    int index = find_param(pipeline, given->name);
    if (index < 0) {
        unknown_given(arena, pipeline, given, diags);
        return MR_ERR_PARAM;
    }
    const mr_pipeline_param *param = &pipeline->params[index];
    if (seen[index]) {
        mr_error(diags, "duplicate", given_span(arena, given), "param '%s' is given twice", given->name);
        return MR_ERR_PARAM;
    }
    seen[index] = true;
    const mr_value *value = NULL;
    json_t *json = NULL;
    mr_status status = read_given(arena, param, given, diags, &value);
    if (status != MR_OK)
        return status;
    if (!value || value->type == MR_VALUE_NULL) { /* --param webhook= or =null: as if it had no default */
        values->given[index] = NULL;
        values->unknown[index] = param->required;
        return json_object_set_new(values->json, param->spec.name, json_null()) == 0 ? MR_OK : MR_ERR_NOMEM;
    }
    status = mr_param_read(arena, param, value, diags, &json);
    if (status != MR_OK) {
        values->unknown[index] = true; /* reported: it is not judged a second time */
        return status;
    }
    values->given[index] = value;
    values->unknown[index] = false;
    return json_object_set_new(values->json, param->spec.name, json) == 0 ? MR_OK : MR_ERR_NOMEM;
}

static mr_status check_required(const mr_values *values, const bool *seen, mr_diags *diags)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < values->pipeline->param_count; i++) {
        const mr_pipeline_param *param = &values->pipeline->params[i];
        if (values->given[i] || !param->required || (seen[i] && !json_is_null(json_object_get(values->json, param->spec.name))))
            continue;
        if (seen[i] && mr_diags_errors(diags) > 0)
            continue; /* given, but not readable: said already */
        mr_error(diags, "missing-param", param->span, "param '%s' is required, and was not given", param->spec.name);
        mr_hint(diags, "give it with --param %s=%s", param->spec.name, strcmp(param->type, "text") == 0 ? "TEXT" : "VALUE");
        status = MR_ERR_PARAM;
    }
    return status;
}

mr_status mr_pipeline_bind(mr_arena *arena, const mr_pipeline *pipeline, const mr_given *given, size_t given_count, mr_diags *diags,
                           mr_bound *ret_bound)
{
    *ret_bound = (mr_bound){.pipeline = pipeline};
    mr_values values = {0};
    mr_expr_vm *vm = mr_expr_vm_new();
    mr_bound_node *nodes = mr_arena_take_array(arena, pipeline->node_count + 1, sizeof(*nodes));
    bool seen[MR_PIPELINE_NAMES_MAX] = {0};
    mr_status status = vm && nodes ? mr_values_from_defaults(arena, pipeline, &values) : MR_ERR_NOMEM;
    if (status != MR_OK)
        goto out;
    for (size_t i = 0; i < given_count; i++) {
        mr_status one = apply_given(arena, &given[i], seen, &values, diags);
        status = one != MR_OK ? one : status;
    }
    mr_status required = check_required(&values, seen, diags);
    status = required != MR_OK ? required : status;
    for (size_t i = 0; i < pipeline->node_count; i++) {
        mr_status one = mr_node_close(arena, vm, &pipeline->nodes[i], &values, diags, &nodes[i]);
        status = one != MR_OK ? one : status;
    }
out:
    mr_expr_vm_free(vm);
    if (status != MR_OK) {
        json_decref(values.json);
        return status;
    }
    ret_bound->params = values.json;
    ret_bound->given = values.given;
    ret_bound->nodes = nodes;
    return MR_OK;
}

void mr_bound_clear(mr_bound *bound)
{
    if (!bound)
        return;
    json_decref(bound->params);
    *bound = (mr_bound){0};
}

mr_status mr_bound_params(mr_arena *arena, mr_expr_vm *vm, const mr_bound *bound, uint32_t node, const json_t *scope, mr_diags *diags,
                          void **ret_params)
{
    const mr_node *of = &bound->pipeline->nodes[node];
    const mr_value *with = bound->nodes[node].with;
    size_t count = bound->pipeline->param_count > 0 ? bound->pipeline->param_count : 1;
    *ret_params = NULL;
    mr_values values = {.pipeline = bound->pipeline, .given = (const mr_value **)bound->given, .json = bound->params};
    values.unknown = mr_arena_take_array(arena, count, sizeof(bool)); /* all are known by now */
    if (!values.unknown)
        return MR_ERR_NOMEM;
    if (with && scope && of->expr_count > 0) {
        json_t *whole = json_copy((json_t *)scope);
        bool bare = whole && !json_object_get(whole, "params");
        if (!whole || (bare && json_object_set_new(whole, "params", json_deep_copy(bound->params)) != 0)) {
            json_decref(whole);
            return MR_ERR_NOMEM;
        }
        with = mr_with_close(arena, vm, of, with, &values, whole, diags);
        json_decref(whole);
        if (!with)
            return MR_ERR_PARAM;
    }
    return mr_with_bind(arena, of, with, diags, ret_params);
}
