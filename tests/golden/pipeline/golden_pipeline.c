/* SPDX-License-Identifier: MIT */
/*
 * One case of the pipeline language: golden_pipeline FOLDER. The folder holds pipeline.yaml or pipeline.lua, and what must come of it:
 *   expected.txt              diagnostics, then "ok" or the number of errors; with given.txt also every node's params
 *   given.txt (optional)      NAME=VALUE lines, as after --param
 *   graph.txt .dot .mmd .svg  (optional) the pictures
 * UPDATE=1 rewrites those of them that are there. Exit code 0: all as expected.
 */
#include "base/file.h"
#include "config/params.h"
#include "graph/print.h"
#include "scripting/pipeline.h"
#include "test_ops.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GIVEN_MAX = 16, TEXT_MAX = 4 << 20 };

static bool same(const char *name, const char *text, size_t len)
{
    char *expected = NULL;
    size_t expected_len = 0;
    if (access(name, F_OK) != 0)
        return true;
    if (getenv("UPDATE")) // NOLINT(concurrency-mt-unsafe): one thread
        return mr_file_write_atomic(name, text, len, 0644, NULL) == MR_OK;
    bool equal = mr_file_read(name, TEXT_MAX, &expected, &expected_len, NULL) == MR_OK && expected_len == len && memcmp(expected, text, len) == 0;
    if (!equal)
        printf("--- %s, expected:\n%s--- but got:\n%s--- (UPDATE=1 accepts it)\n", name, expected ? expected : "", text);
    free(expected);
    return equal;
}

static void print_params(FILE *out, const mr_bound *bound, mr_diags *diags)
{
    mr_arena *arena = mr_arena_new(0);
    mr_expr_vm *vm = mr_expr_vm_new();
    mr_autofree char *all = mr_json_text(bound->params);
    fprintf(out, "params %s\n", all);
    for (uint32_t i = 0; i < bound->pipeline->node_count; i++) {
        void *params = NULL;
        const mr_node *node = &bound->pipeline->nodes[i];
        if (bound->nodes[i].never) {
            fprintf(out, "%s never\n", node->name);
            continue;
        }
        if (mr_bound_params(arena, vm, bound, i, NULL, diags, &params) != MR_OK || !node->op->params)
            continue;
        mr_autojson json_t *json = mr_params_json(node->op->params, params);
        mr_autofree char *text = mr_json_text(json);
        fprintf(out, "%s %s\n", node->name, text);
    }
    mr_expr_vm_free(vm);
    mr_arena_free(arena);
}

static void bind_given(mr_arena *arena, const mr_pipeline *pipeline, mr_diags *diags, FILE *out)
{
    mr_given given[GIVEN_MAX];
    size_t count = 0;
    char *text = NULL;
    size_t len = 0;
    if (mr_file_read("given.txt", TEXT_MAX, &text, &len, diags) != MR_OK)
        return;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && count < GIVEN_MAX; line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        if (!equals)
            continue;
        *equals = '\0';
        given[count++] = (mr_given){.name = line, .text = equals + 1};
    }
    mr_bound bound = {0};
    if (mr_pipeline_bind(arena, pipeline, given, count, diags, &bound) == MR_OK)
        print_params(out, &bound, diags);
    mr_bound_clear(&bound);
    free(text);
}

static bool check_pictures(const mr_pipeline *pipeline)
{
    static const char *const names[] = {"graph.txt", "graph.dot", "graph.mmd", "graph.svg"};
    bool good = true;
    for (int format = MR_GRAPH_TEXT; format <= MR_GRAPH_SVG; format++) {
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        good &= out && mr_graph_print(pipeline, (mr_graph_format)format, out) == MR_OK;
        if (out)
            fclose(out);
        good &= same(names[format], text, len);
        free(text);
    }
    return good;
}

/* A script is run here, in this process: those of the cases come to their end. */
static mr_status load(mr_arena *arena, mr_diags *diags, const mr_pipeline **ret_pipeline)
{
    const mr_bundle *bundle = NULL;
    const mr_value *root = NULL;
    mr_autojson json_t *description = NULL;
    if (access("pipeline.lua", F_OK) != 0)
        return mr_pipeline_load(arena, "pipeline.yaml", &test_ops, diags, ret_pipeline);
    mr_status status = mr_bundle_read(arena, "pipeline.lua", (mr_span){0}, diags, &bundle);
    if (status == MR_OK)
        status = mr_script_pipeline_describe(bundle, 0, diags, &description);
    if (status == MR_OK)
        status = mr_script_pipeline_tree(arena, bundle, description, &root);
    if (status == MR_OK)
        status = mr_pipeline_check(arena, "pipeline.lua", root, &test_ops, diags, ret_pipeline);
    if (status == MR_OK && mr_diags_errors(diags) > 0) {
        *ret_pipeline = NULL;
        status = MR_ERR_PARAM;
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--schema") == 0) { /* of the ops that these pipelines name */
        char *schema = mr_pipeline_schema(&test_ops);
        const bool printed = schema && puts(schema) >= 0;
        free(schema);
        return printed ? 0 : 1;
    }
    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: golden_pipeline FOLDER | --schema\n");
        return 2;
    }
    char *text = NULL;
    size_t len = 0;
    const mr_pipeline *pipeline = NULL;
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    FILE *out = open_memstream(&text, &len);
    mr_status status = load(arena, diags, &pipeline);
    if (status == MR_OK && access("given.txt", F_OK) == 0)
        bind_given(arena, pipeline, diags, out);
    mr_diags_print(diags, out, false);
    if ((status == MR_OK) != (pipeline != NULL) || (status != MR_OK) != (mr_diags_errors(diags) > 0 && !pipeline))
        fprintf(out, "status %d does not fit\n", status);
    if (mr_diags_errors(diags) > 0)
        fprintf(out, "%zu %s\n", mr_diags_errors(diags), mr_diags_errors(diags) == 1 ? "error" : "errors");
    else
        fputs("ok\n", out);
    fclose(out);
    bool good = same("expected.txt", text, len) && access("expected.txt", F_OK) == 0;
    if (pipeline)
        good &= check_pictures(pipeline);
    free(text);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return good ? 0 : 1;
}
