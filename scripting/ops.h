/* SPDX-License-Identifier: MIT */
/*
 * Ops and frame filters in Lua. A script calls millrace.op{…} for each op that it offers:
 *
 *     millrace.op{
 *       name = "captions.shift",                                  -- all ops of a file share what stands before the dot
 *       help = "moves captions in time\n\nMore about it.",        -- a line, then paragraphs
 *       inputs = {captions = {type = "text", help = "…"}},        -- as in millrace/op.h: many, optional, streaming
 *       outputs = {captions = {type = "text", help = "…"}},
 *       params = {by = {type = "duration", default = "0s", help = "…"}},
 *       run = function(task) … end,
 *     }
 *
 * and millrace.filter{…} for each frame filter (filters.h). In a process that can be killed the script is run to see what it offers
 * (mr_ops_describe); what it says is checked and becomes the same tables that a plugin in C has (mr_ops_build), also in the engine, which runs none
 * of it. In a task host run() of such a table makes a fresh state for each task, so that a task knows nothing of the one before.
 *
 * In Lua durations are seconds, bitrates bits per second, sizes bytes, ratios numbers, choices their word, as in expressions.
 */
#ifndef MR_SCRIPTING_OPS_H
#define MR_SCRIPTING_OPS_H

#include "scripting/state.h"
#include <millrace/plugin.h>

#define MR_OPS_MAX       64u         /* of one script */
#define MR_OPS_READ_MAX  (1u << 20)  /* bytes of one artifact:read() */
#define MR_OPS_TEXT_MAX  (16u << 20) /* bytes of one artifact:text() */
#define MR_OPS_META_MAX  (16u << 20) /* bytes of the metadata of one artifact */
#define MR_OPS_WORDS_MAX 2000u       /* bytes of a message of task:log() and its kin */
#define MR_OPS_WORDS     100u        /* messages of one task */

typedef struct mr_script_limits { /* of one task */
    uint64_t memory;              /* bytes */
    int64_t time_us;              /* processor time */
} mr_script_limits;

/* Runs the script to see what it offers: {ops: [{name, …, file, line}], filters: [the same]}, for mr_ops_build. New reference. */
mr_status mr_ops_describe(const mr_bundle *bundle, const mr_script_limits *limits, mr_diags *diags, json_t **ret_description);
/* The plugin that the description makes; all is checked. It lives in arena, and needs the bundle as long. */
mr_status mr_ops_build(mr_arena *arena, const mr_bundle *bundle, const json_t *description, const mr_script_limits *limits, mr_diags *diags,
                       const mr_plugin **ret_plugin);

/* The script that an op, a filter or a plugin comes from. As long as its arena lives. */
typedef struct mr_ops_script {
    const mr_bundle *bundle;
    const char *text; /* all that it takes to build the same in another process: what mr_ops_restore() takes */
} mr_ops_script;

const mr_ops_script *mr_ops_script_of(const mr_op *op); /* NULL: it is not in Lua; of the next two, too */
const mr_ops_script *mr_filter_script_of(const mr_frame_filter *filter);
const mr_ops_script *mr_plugin_script_of(const mr_plugin *plugin); /* of what mr_ops_build() made */
mr_span mr_ops_span(const mr_op *op);                              /* of its millrace.op, for what is wrong with its tables */
mr_span mr_filter_span(const mr_frame_filter *filter);
mr_status mr_ops_restore(mr_arena *arena, const char *text, const mr_script_limits *limits, mr_diags *diags, const mr_plugin **ret_plugin);

#endif
