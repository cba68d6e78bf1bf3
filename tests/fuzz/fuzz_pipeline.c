/* SPDX-License-Identifier: MIT */
/* Reads any text as a pipeline, and takes one that is right all the way: bound, its params filled, drawn in every format. */
#include "config/yaml.h"
#include "graph/print.h"
#include "test_ops.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(mr_arena *arena, const mr_pipeline *pipeline, mr_diags *diags)
{
    mr_bound bound = {0};
    if (mr_pipeline_bind(arena, pipeline, NULL, 0, diags, &bound) == MR_OK) {
        mr_expr_vm *vm = mr_expr_vm_new();
        json_t *scope = json_pack("{s:{s:{s:i}}, s:{}, s:{s:i}}", "info", "video", "width", 1920, "chunk", "rung", "height", 720);
        for (uint32_t i = 0; vm && i < pipeline->node_count; i++) {
            void *params = NULL;
            bool truth = false;
            (void)mr_bound_params(arena, vm, &bound, i, i % 2 ? scope : NULL, diags, &params);
            if (pipeline->nodes[i].when)
                (void)mr_expr_test(vm, pipeline->nodes[i].when, scope, diags, &truth);
        }
        json_decref(scope);
        mr_expr_vm_free(vm);
    }
    mr_bound_clear(&bound);
    FILE *out = fopen("/dev/null", "we");
    for (int format = MR_GRAPH_TEXT; out && format <= MR_GRAPH_SVG; format++)
        if (mr_graph_print(pipeline, (mr_graph_format)format, out) != MR_OK)
            abort();
    if (out)
        fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mr_arena *arena = mr_arena_new(0);
    mr_diags *diags = mr_diags_new();
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    mr_status status = mr_yaml_read(arena, "fuzz", (const char *)data, size, &mr_yaml_limits_default, diags, &root);
    if (status == MR_OK) {
        status = mr_pipeline_check(arena, "fuzz", root, &test_ops, diags, &pipeline);
        if ((status == MR_OK) != (pipeline != NULL) || (status == MR_OK) != (mr_diags_errors(diags) == 0))
            abort();
    }
    if (pipeline)
        use(arena, pipeline, diags);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
