/* SPDX-License-Identifier: MIT */
/* What `run` and `plan` share: a pipeline with its inputs and params, and where things lie. */
#ifndef MR_CLI_JOB_H
#define MR_CLI_JOB_H

#include "cli/cli.h"
#include "cli/configure.h"
#include "cli/session.h"
#include "runtime/engine.h"

typedef struct mr_job {
    const char *pipeline;     /* as given */
    const char **input_texts; /* "NAME=PATH" or "PATH", as given */
    size_t input_count;
    mr_given *params; /* the texts are copies */
    size_t param_count;
    const char *output;
    const char *state; /* NULL: the default */
    uint32_t jobs;
    bool no_cache;
    mr_configure configure;

    const char *text; /* of the pipeline (mr_pipeline_text); NULL: to be read from its file */
    size_t text_len;
    const json_t *scripts; /* that it names, as mr_session.scripts has them; NULL: they are read. Borrowed */

    /* After mr_job_load(): */
    const char *file;
    mr_bound bound;
    mr_run_input *inputs;
    mr_loaded_settings settings;
} mr_job;

enum { MR_KEY_NO_CACHE = 0x1000, MR_KEY_STATE };

/* The rows of the option table that describe a job. */
#define MR_JOB_OPTIONS                                                                                                                               \
    MR_CONFIGURE_OPTIONS,                                                                                                                            \
        {"input", 'i', "NAME=PATH", 0, "Use the file PATH as the pipeline's input NAME; only PATH where it has one input. May be repeated", 0},      \
        {"param", 'p', "NAME=VALUE", 0, "Give the pipeline's param NAME a value, written as in a pipeline. May be repeated", 0},                     \
        {"state", MR_KEY_STATE, "DIR", 0, "Keep results in DIR (default: $XDG_STATE_HOME/millrace or ~/.local/state/millrace)", 0},                  \
    {                                                                                                                                                \
        "no-cache", MR_KEY_NO_CACHE, NULL, 0, "Reuse no earlier result", 0                                                                           \
    }

/* To be called first from a parser for keys of MR_JOB_OPTIONS, the pipeline argument, and the end. ARGP_ERR_UNKNOWN: not one of these. */
error_t mr_job_parse(mr_job *job, int key, char *arg, struct argp_state *state);
/* Reads the settings, loads and checks the pipeline, binds the params, matches the inputs. Prints what is wrong; an exit code. */
int mr_job_load(mr_job *job, mr_session *session);
/* The same without reading settings, and without printing: what is wrong is in the session's diags. */
bool mr_job_prepare(mr_job *job, mr_session *session);
/*
 * What it takes to go on with the job from any folder: {file, text, scripts: {name: bundle}, inputs: [{name, path}], params: [{name, text}], set:
 * [{name, text}], config, output, jobs}, paths absolute. Params may be secret: it is for the state folder, whose files are their owner's alone. NULL:
 * some path or value is not UTF-8, or memory is short. New reference.
 */
json_t *mr_job_record(const mr_job *job, const mr_session *session);
/* The job of such a record, to be loaded; it needs the record until then. Its texts live in the arena. False: there is something missing in it. */
bool mr_job_restore(mr_job *job, const json_t *record, mr_arena *arena);
/* The state folder; NULL (and said so) when there is none. */
const char *mr_job_state_dir(const mr_job *job, mr_session *session);
void mr_job_clear(mr_job *job);

/* A whole number in [least, most], or an error about option and its value, exit 2. */
uint32_t mr_job_number(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most);

#endif
