/* SPDX-License-Identifier: MIT */
/* Runs scripts for the engine that asks, and answers with JSON and diagnostics. A script that was evaluated is kept, state and all, until the next.
 */
#include "task-host/scripts.h"

#include "scripting/hooks.h"
#include "scripting/ops.h"
#include "scripting/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX   (16u << 20)
#define ARGUMENT_MAX (16u << 20)

struct mr_child_script {
    mr_arena *arena;
    const mr_bundle *bundle;
    mr_hooks_state *hooks; /* NULL: it was asked for ops only */
};

static void free_script(mr_child_script *script)
{
    if (!script)
        return;
    mr_hooks_state_free(script->hooks);
    mr_arena_free(script->arena);
    free(script);
}

bool mr_child_add_ops(mr_plugins *plugins, mr_frame *frame)
{
    const mr_script_limits limits = {.memory = mr_frame_u64(frame), .time_us = mr_frame_i64(frame)};
    const char *text = mr_frame_text(frame);
    mr_diags *diags = mr_diags_new();
    mr_status status = mr_frame_done(frame) && diags ? mr_plugins_restore_script(plugins, text, &limits, diags) : MR_ERR_INTERNAL;
    const mr_diag *diag = status != MR_OK && diags ? mr_diags_first(diags) : NULL;
    if (status != MR_OK)
        fprintf(stderr, "the ops of a script can't be used: %s\n", diag ? diag->message : "memory ran out");
    mr_diags_free(diags);
    return status == MR_OK;
}

static bool answer(mr_child *child, mr_status status, const json_t *result, const mr_diags *diags)
{
    char *text = result ? mr_json_text(result) : NULL;
    char *told = mr_diags_json(diags);
    mr_pack_begin(&child->packer, MR_FRAME_ANSWER);
    mr_pack_i64(&child->packer, result && !text ? MR_ERR_NOMEM : status);
    mr_pack_text(&child->packer, text);
    mr_pack_text(&child->packer, told ? told : "[]");
    mr_child_send(child);
    free(text);
    free(told);
    return true;
}

static mr_status evaluate(mr_child_script *script, uint32_t kind, const mr_script_limits *limits, mr_diags *diags, json_t **ret_result)
{
    switch (kind) {
    case MR_SCRIPT_OPS: return mr_ops_describe(script->bundle, limits, diags, ret_result);
    case MR_SCRIPT_HOOKS: return mr_hooks_state_open(script->bundle, limits, diags, ret_result, &script->hooks);
    case MR_SCRIPT_PIPELINE: return mr_script_pipeline_describe(script->bundle, limits->memory, diags, ret_result);
    default: return MR_ERR_UNSUPPORTED;
    }
}

bool mr_child_evaluate(mr_child *child, mr_child_script **script, mr_frame *frame)
{
    const uint32_t kind = mr_frame_u32(frame);
    const mr_script_limits limits = {.memory = mr_frame_u64(frame), .time_us = mr_frame_i64(frame)};
    const char *text = mr_frame_text(frame);
    mr_autojson json_t *bundle = mr_frame_done(frame) ? mr_json_read(text, strlen(text), BUNDLE_MAX, NULL) : NULL;
    mr_autojson json_t *result = NULL;
    mr_diags *diags = mr_diags_new();
    free_script(*script);
    *script = calloc(1, sizeof(**script));
    if (!*script || !diags || !bundle || !((*script)->arena = mr_arena_new(0))) {
        mr_diags_free(diags);
        return false;
    }
    mr_status status = mr_bundle_from_json((*script)->arena, bundle, &(*script)->bundle);
    if (status == MR_OK)
        status = evaluate(*script, kind, &limits, diags, &result);
    answer(child, status, result, diags);
    mr_diags_free(diags);
    return true;
}

bool mr_child_call(mr_child *child, mr_child_script *script, mr_frame *frame)
{
    const char *function = mr_frame_text(frame);
    const char *text = mr_frame_text(frame);
    mr_autojson json_t *argument = mr_frame_done(frame) ? mr_json_read(text, strlen(text), ARGUMENT_MAX, NULL) : NULL;
    mr_autojson json_t *result = NULL;
    mr_diags *diags = mr_diags_new();
    if (!script || !script->hooks || !argument || !diags) {
        mr_diags_free(diags);
        return false;
    }
    mr_status status = mr_hooks_state_call(script->hooks, function, argument, diags, &result);
    answer(child, status, result, diags);
    mr_diags_free(diags);
    return true;
}
