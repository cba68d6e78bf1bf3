/* SPDX-License-Identifier: MIT */
/* The checker's way through a pipeline: the top level, inputs and outputs here; params, nodes and edges in files of their own. */
#include "graph/check.h"
#include "base/file.h"
#include "config/yaml.h"
#include <stdlib.h>

static const char *const type_names[] = {"media", "chunk", "segment", "image", "text", "json", "file", NULL};

static bool has_ending(const char *text, const char *end)
{
    const size_t len = strlen(text);
    return len > strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static void read_input(mr_check *check, const mr_entry *entry, mr_pipeline_input *input)
{
    static const char *const keys[] = {"type", "help", "required", "many", NULL};
    const char *what = mr_check_text(check, "input '%s'", entry->key);
    int type = -1;
    *input = (mr_pipeline_input){.name = entry->key, .required = true, .span = entry->key_span};
    mr_check_name(check, entry->key, entry->key_span, "an input");
    if (!mr_check_map(check, entry->value, what)) {
        mr_hint(check->diags, "write for example %s: {type: media, help: the video to publish}", entry->key);
        return;
    }
    mr_check_keys(check, entry->value, what, keys);
    if (!mr_value_get(entry->value, "type")) {
        mr_fail(check, "missing-key", entry->key_span, "%s has no 'type'", what);
        mr_hint(check->diags, "one of: %s", mr_join(check->arena, type_names, 7, 7));
    }
    mr_read_choice(check, entry->value, "type", what, type_names, &type);
    input->type = type >= 0 ? mr_type_parse(type_names[type]) : 0;
    mr_read_text(check, entry->value, "help", what, &input->help);
    mr_read_bool(check, entry->value, "required", what, &input->required);
    mr_read_bool(check, entry->value, "many", what, &input->many);
}

static void check_inputs(mr_check *check, const mr_value *map)
{
    if (!map || !mr_check_map(check, map, "'inputs'") || !mr_check_count(check, map, MR_PIPELINE_NAMES_MAX, "inputs"))
        return;
    check->inputs = mr_check_take(check, map->map.count, sizeof(*check->inputs));
    check->input_used = mr_check_take(check, map->map.count, sizeof(*check->input_used));
    if (!check->inputs || !check->input_used)
        return;
    for (size_t i = 0; i < map->map.count; i++)
        read_input(check, &map->map.entries[i], &check->inputs[i]);
    check->pipeline->inputs = check->inputs;
    check->pipeline->input_count = map->map.count;
}

static void check_outputs(mr_check *check, const mr_value *map)
{
    if (!map || !mr_check_map(check, map, "'outputs'") || !mr_check_count(check, map, MR_PIPELINE_NAMES_MAX, "outputs"))
        return;
    check->outputs = mr_check_take(check, map->map.count, sizeof(*check->outputs));
    if (!check->outputs)
        return;
    size_t n = 0;
    for (size_t i = 0; i < map->map.count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        mr_pipeline_output *output = &check->outputs[n];
        *output = (mr_pipeline_output){.name = entry->key, .span = entry->key_span};
        mr_check_name(check, entry->key, entry->key_span, "an output");
        n += mr_check_source(check, entry->value, &output->source) ? 1 : 0;
    }
    check->pipeline->outputs = check->outputs;
    check->pipeline->output_count = n;
}

static void check_version(mr_check *check, const mr_value *root)
{
    const mr_value *version = mr_value_get(root, "millrace");
    if (!version) {
        mr_fail(check, "missing-key", root->span, "this is not a pipeline: it has no 'millrace' key");
        mr_hint(check->diags, "begin the file with 'millrace: 1', the version of the language");
    } else if (version->type != MR_VALUE_INT || version->integer != 1) {
        mr_fail(check, "wrong-version", version->span, "'millrace' names the version of the language, which is 1");
        mr_hint(check->diags, "write 'millrace: 1'");
    }
}

/* Evaluates what params alone decide, with their defaults; also for a pipeline that has other mistakes. */
static void check_values(mr_check *check)
{
    mr_values values = {0};
    mr_expr_vm *vm = mr_expr_vm_new();
    if (!vm || mr_values_from_defaults(check->arena, check->pipeline, &values) != MR_OK) {
        check->nomem = true;
        goto out;
    }
    for (size_t i = 0; i < check->pipeline->node_count; i++) {
        mr_bound_node bound = {0};
        const mr_node *node = &check->nodes[i];
        if (node->op && mr_node_close(check->arena, vm, node, &values, check->diags, &bound) != MR_OK)
            check->failed = true;
    }
out:
    json_decref(values.json);
    mr_expr_vm_free(vm);
}

/* Their ops are in the set already: whoever read the pipeline has loaded them (mr_pipeline_scripts). */
static void check_scripts(mr_check *check, const mr_value *list)
{
    if (!list)
        return;
    if (list->type != MR_VALUE_LIST) {
        mr_fail(check, "wrong-type", list->span, "'scripts' takes a list of files, not %s", mr_value_type_name(list->type));
        mr_hint(check->diags, "write scripts: [ops/captions.lua]");
        return;
    }
    if (list->list.count > MR_PIPELINE_SCRIPTS_MAX)
        mr_fail(check, "limit", list->span, "%zu scripts are more than the %d that a pipeline may have", list->list.count, MR_PIPELINE_SCRIPTS_MAX);
    for (size_t i = 0; i < list->list.count; i++) {
        const mr_value *one = list->list.items[i];
        if (one->type != MR_VALUE_TEXT || !mr_path_is_plain(one->text) || !has_ending(one->text, ".lua")) {
            mr_fail(check, "script-path", one->span, "'%s' is not a script's path", one->text ? one->text : mr_value_type_name(one->type));
            mr_hint(check->diags, "a file that ends in .lua, from the pipeline's folder down: ops/captions.lua");
        }
    }
}

size_t mr_pipeline_scripts(const mr_value *root, const mr_value *ret_scripts[MR_PIPELINE_SCRIPTS_MAX])
{
    size_t count = 0;
    const mr_value *list = mr_value_get(root, "scripts");
    for (size_t i = 0; list && list->type == MR_VALUE_LIST && i < list->list.count && i < MR_PIPELINE_SCRIPTS_MAX; i++) {
        const mr_value *one = list->list.items[i];
        if (one->type == MR_VALUE_TEXT && mr_path_is_plain(one->text) && has_ending(one->text, ".lua"))
            ret_scripts[count++] = one;
    }
    return count;
}

static void check_root(mr_check *check, const mr_value *root)
{
    static const char *const keys[] = {"millrace", "name", "description", "scripts", "inputs", "params", "nodes", "outputs", NULL};
    mr_check_keys(check, root, "a pipeline", keys);
    check_version(check, root);
    mr_read_text(check, root, "name", "the pipeline", &check->pipeline->name);
    mr_read_text(check, root, "description", "the pipeline", &check->pipeline->description);
    check_scripts(check, mr_value_get(root, "scripts"));
    check_inputs(check, mr_value_get(root, "inputs"));
    mr_check_params(check, mr_value_get(root, "params"));
    const mr_value *nodes = mr_value_get(root, "nodes");
    if (nodes) {
        mr_check_nodes(check, nodes);
    } else {
        mr_fail(check, "missing-key", root->span, "the pipeline has no 'nodes'");
        mr_hint(check->diags, "add nodes: {NAME: {op: …}}");
    }
    check_outputs(check, mr_value_get(root, "outputs"));
    if (check->nomem)
        return;
    check_values(check);
    mr_check_edges(check);
    if (!check->failed && !check->nomem)
        mr_check_unused(check);
}

/* "vod" of "pipelines/vod.yaml": a pipeline without a name is called after its file. */
static const char *file_name(mr_check *check, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    return mr_check_text(check, "%.*s", (int)(dot && dot != base ? dot - base : (long)strlen(base)), base);
}

mr_status mr_pipeline_check(mr_arena *arena, const char *file, const mr_value *root, const mr_op_set *ops, mr_diags *diags,
                            const mr_pipeline **ret_pipeline)
{
    *ret_pipeline = NULL;
    mr_check check = {.arena = arena, .ops = ops, .diags = diags};
    check.pipeline = mr_arena_take(arena, sizeof(*check.pipeline));
    if (!check.pipeline)
        return MR_ERR_NOMEM;
    check.pipeline->file = mr_arena_copy(arena, file, strlen(file));
    check.pipeline->name = file_name(&check, file);
    check.pipeline->description = "";
    if (root->type != MR_VALUE_MAP) {
        if (root->type == MR_VALUE_NULL)
            mr_fail(&check, "wrong-type", root->span, "the pipeline is empty");
        else
            mr_fail(&check, "wrong-type", root->span, "a pipeline is a map, not %s", mr_value_type_name(root->type));
        mr_hint(diags, "its keys are: millrace, name, description, scripts, inputs, params, nodes, outputs");
        return MR_ERR_PARAM;
    }
    check_root(&check, root);
    if (check.nomem)
        return MR_ERR_NOMEM;
    if (check.failed)
        return MR_ERR_PARAM;
    *ret_pipeline = check.pipeline;
    return MR_OK;
}

mr_status mr_pipeline_read(mr_arena *arena, const char *path, const char *text, size_t len, const mr_op_set *ops, mr_diags *diags,
                           const mr_pipeline **ret_pipeline)
{
    const mr_value *root = NULL;
    *ret_pipeline = NULL;
    mr_status status = mr_yaml_read(arena, path, text, len, &mr_yaml_limits_default, diags, &root);
    return status == MR_OK ? mr_pipeline_check(arena, path, root, ops, diags, ret_pipeline) : status;
}

mr_status mr_pipeline_load(mr_arena *arena, const char *path, const mr_op_set *ops, mr_diags *diags, const mr_pipeline **ret_pipeline)
{
    char *text = NULL;
    size_t len = 0;
    *ret_pipeline = NULL;
    mr_status status = mr_file_read(path, mr_yaml_limits_default.bytes, &text, &len, diags);
    if (status == MR_OK)
        status = mr_pipeline_read(arena, path, text, len, ops, diags, ret_pipeline);
    free(text);
    return status;
}
