/* SPDX-License-Identifier: MIT */
/*
 * Pipelines in Lua, from both sides: any text as a script, run under its limits and taken all the way to a checked pipeline; and any JSON as what a
 * script host says, which the engine reads. The first byte tells which.
 */
#include "config/yaml_write.h"
#include "graph/pipeline.h"
#include "scripting/pipeline.h"
#include "test_ops.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 4 << 20 };

/* A tree that was accepted can be checked, and written. */
static void use(mr_arena *arena, const mr_value *root, mr_diags *diags)
{
    const mr_pipeline *pipeline = NULL;
    mr_status status = mr_pipeline_check(arena, "fuzz.lua", root, &test_ops, diags, &pipeline);
    if ((status == MR_OK) != (pipeline != NULL))
        abort();
    FILE *out = fopen("/dev/null", "we");
    if (out && mr_yaml_write(root, 1, out) == MR_ERR_IO)
        abort();
    if (out)
        fclose(out);
}

static void read_description(mr_arena *arena, const mr_bundle *bundle, const json_t *description, mr_diags *diags)
{
    const mr_value *root = NULL;
    mr_status status = mr_script_pipeline_tree(arena, bundle, description, &root);
    if ((status == MR_OK) != (root != NULL))
        abort();
    if (root)
        use(arena, root, diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16)
        return 0;
    mr_arena *arena = mr_arena_new(64 << 20);
    mr_diags *diags = mr_diags_new();
    const mr_bundle *bundle = NULL;
    json_t *description = NULL;
    const bool json = data[0] == '{';
    char *text = calloc(1, size + 1);
    memcpy(text, data, size);
    const char *script = json ? "local p = 1\n" : text;
    if (mr_bundle_of_text(arena, "fuzz.lua", script, json ? strlen(script) : size, diags, &bundle) == MR_OK) {
        if (json)
            description = mr_json_read(text, size, 1 << 16, NULL);
        else if (mr_script_pipeline_describe(bundle, MEMORY, diags, &description) != MR_OK && mr_diags_errors(diags) == 0)
            abort(); /* a failure that says nothing */
        if (description)
            read_description(arena, bundle, description, diags);
    }
    json_decref(description);
    free(text);
    mr_diags_free(diags);
    mr_arena_free(arena);
    return 0;
}
