/* SPDX-License-Identifier: MIT */
/* What most verbs need: the plugins, an arena, a collector of diagnostics, and where pipelines and state lie. */
#ifndef MR_CLI_SESSION_H
#define MR_CLI_SESSION_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/json.h"
#include "graph/pipeline.h"
#include "runtime/plugins.h"

typedef struct mr_session {
    mr_arena *arena;
    mr_diags *diags;
    mr_plugins *plugins;
    bool borrowed;       /* they are somebody else's */
    size_t plugin_count; /* without the scripts that pipelines name */
    json_t *scripts;     /* those, as they were read: {name as in the pipeline: mr_bundle_json()}. What is in it is not read again */
} mr_session;

/* Loads the plugins; what is wrong with some of them goes to stderr. False (and said so) when memory is short. */
bool mr_session_open(mr_session *session);
bool mr_session_open_bare(mr_session *session); /* without plugins */
/* With plugins that are loaded already, and stay so after it is closed. Two such sessions must not read pipelines at a time: these name scripts. */
bool mr_session_open_with(mr_session *session, mr_plugins *plugins);
void mr_session_close(mr_session *session);
const mr_op_set *mr_session_ops(const mr_session *session);

/* Prints what was collected to stderr, and begins anew, without the texts that were kept for quoting. */
void mr_session_flush(mr_session *session);

/*
 * The file meant by PIPELINE: a path, or a bare name ("vod": vod.yaml or else vod.lua) that is looked for in the folders of MILLRACE_PIPELINE_PATH,
 * the install's share/millrace/pipelines, and the pipelines/ of the source tree that the command was built in. In the arena; a name that is found
 * nowhere is given back as it is, so that reading it says why.
 */
const char *mr_find_pipeline(mr_session *session, const char *name);
/* The bare names that are found: keys of an object. New reference; NULL: no memory. */
json_t *mr_pipeline_names(mr_session *session);
/* A bare name that was found nowhere: an error says so, and what may have been meant. */
bool mr_pipeline_is_unknown(mr_session *session, const char *name);

/*
 * A pipeline as a verb finds it: read, the scripts that it names loaded, and checked. text NULL: it is read from file. The scripts stay loaded with
 * the session; what else they were is forgotten when mr_session_forget_scripts() is called between two pipelines that have nothing to do with
 * each other.
 */
mr_status mr_session_pipeline(mr_session *session, const char *file, const char *text, size_t len, const mr_pipeline **ret_pipeline);
void mr_session_forget_scripts(mr_session *session);
/* The second half of it: of a tree that is at hand. */
mr_status mr_session_check(mr_session *session, const char *file, const mr_value *root, const mr_pipeline **ret_pipeline);

/* What comes with Millrace for plugin authors, "samples" or "plugin", in share/millrace/kit. In the arena; NULL: it is not there. */
const char *mr_find_kit(mr_session *session, const char *name);

/* An exit code for a status. */
int mr_exit_code(mr_status status);

/* $XDG_STATE_HOME/millrace or ~/.local/state/millrace. In the arena; NULL (and said so) when there is no home. */
const char *mr_default_state_dir(mr_session *session);

/* Where the command lies: "/usr/bin". In the arena; NULL when it can't be known. */
const char *mr_program_dir(mr_arena *arena);

#endif
