/* SPDX-License-Identifier: MIT */
/*
 * Pipelines in Lua. A script describes its pipeline by calls, and what comes out is the value tree that YAML gives, with the places of the script's
 * lines; the same validator reads it.
 *
 *     local p = millrace.pipeline{name = "vod", description = "…"}
 *     local source = p:input("source", {type = "media", help = "the video"})   -- a stream: "inputs.source"
 *     local preset = p:param("preset", {type = "text", default = "medium"})    -- in 'with': "${params.preset}"
 *     local probe = p:node("probe", "probe.media", {from = {source = source}})
 *     local plan = p:node("plan", "segment.plan", {from = {source = source, info = probe.info}})
 *     p:node("video", "transcode.video", {each = {chunk = plan.chunks}, cross = {rung = …}, with = {preset = preset}, timeout = "30m"})
 *     p:output("hls", publish.hls)
 *
 * The fields of a node are those of YAML, but for two that are words of Lua itself: 'from' is YAML's in, 'cross' its for. NODE.PORT is a stream.
 * millrace.expr "CODE" is ${CODE}.
 *
 * In a process that can be killed the script is run (mr_script_pipeline_describe); what it says is believed by nobody, but read as hostile input
 * where the tree is made of it (mr_script_pipeline_tree).
 */
#ifndef MR_SCRIPTING_PIPELINE_H
#define MR_SCRIPTING_PIPELINE_H

#include "config/value.h"
#include "scripting/state.h"

#define MR_SCRIPT_PIPELINE_TIME  (5ll * 1000000) /* microseconds of processor time */
#define MR_SCRIPT_PIPELINE_DEPTH 32u             /* nesting of a value; as in YAML */
#define MR_SCRIPT_PIPELINE_TEXTS (1u << 20)      /* bytes of all texts */

/*
 * Runs the script. memory: 0 for MR_SCRIPT_MEMORY. New reference; NULL when it did not come to its end, or gave what is no value. Mistakes that the
 * validator can't know of (misspelled fields of a node, for one) are in diags although there is a description: then it is to be checked for more, and
 * not to be used.
 */
mr_status mr_script_pipeline_describe(const mr_bundle *bundle, size_t memory, mr_diags *diags, json_t **ret_description);
/* The tree that a description holds; it lives in arena, and its places name the bundle's files. MR_ERR_INPUT: it is no description. */
mr_status mr_script_pipeline_tree(mr_arena *arena, const mr_bundle *bundle, const json_t *description, const mr_value **ret_root);

/* What scripts can use, for what has to know all of it (editor annotations): fields and methods, each list ends with NULL. */
extern const char *const mr_script_pipeline_fields[];
extern const char *const mr_script_pipeline_methods[];
extern const char *const mr_script_node_fields[];

#endif
