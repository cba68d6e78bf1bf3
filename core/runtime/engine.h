/* SPDX-License-Identifier: MIT */
/* Runs a bound pipeline. One mr_engine per state folder and process; runs of one engine share its CPU slots. */
#ifndef MR_RUNTIME_ENGINE_H
#define MR_RUNTIME_ENGINE_H

#include "base/diag.h"
#include "base/hash.h"
#include "base/log.h"
#include "graph/pipeline.h"
#include "runtime/events.h"
#include "runtime/plugins.h"
#include "runtime/settings.h"

typedef struct mr_engine mr_engine;
typedef struct mr_run mr_run;

typedef struct mr_engine_options {
    const char *state_dir;       /* made when missing */
    uint32_t jobs;               /* CPU slots; 0: as many as this process may use */
    uint64_t memory_mb;          /* for tasks altogether; 0: three quarters of what the machine (or cgroup) has */
    mr_log *log;                 /* NULL: none */
    const mr_settings *settings; /* copied; NULL: the defaults */
    const mr_plugins *plugins;   /* what task hosts load; borrowed until the engine is closed. NULL: ops run in this process, without protection */
} mr_engine_options;

const mr_host *mr_engine_host(void); /* the table that plugins are given */

mr_status mr_engine_open(const mr_engine_options *options, mr_diags *diags, mr_engine **ret_engine);
void mr_engine_close(mr_engine *engine); /* when all its runs are freed; NULL is fine */

/* See mr_source_learn(): a file that will be a run's input is known by its bytes already. MR_ERR_IO: it can't be opened. ret_digest: "sha256:…". */
mr_status mr_engine_learn_source(mr_engine *engine, const char *path, uint64_t length, const unsigned char *leaves, size_t count,
                                 char ret_digest[MR_DIGEST_TEXT]);

/*
 * A file that will have length bytes has the first `have` of them by now, and they stay as they are. Runs may begin with it from then on: what they
 * read beyond is waited for. have never goes back. MR_ERR_NOT_FOUND: there is no such file; MR_ERR_CONFLICT: it is shorter, or was said to get
 * another length. Quick.
 */
mr_status mr_engine_source_grew(mr_engine *engine, const char *path, uint64_t length, uint64_t have);
/* It is whole and will not change any more: runs that read it may come to their end. Or (not whole) it was given up: they fail, and nothing that was
 * made of it is found by the file any more, which may get other bytes then, but not before. Not while a run of it is started. MR_ERR_NOT_FOUND:
 * nobody said that it grows. MR_ERR_IO: what was made of it can't be disowned. Quick. */
mr_status mr_engine_source_over(mr_engine *engine, const char *path, bool whole);

typedef struct mr_run_input {
    const char *name;
    const char *path;
} mr_run_input;

typedef struct mr_run_options {
    const mr_run_input *inputs; /* by name; a name may come several times where the input takes many */
    size_t input_count;
    const char *output_dir; /* made when missing; NULL: effects that publish fail */
    const char *output_url; /* instead: a store that a plugin's service knows, "mem://test" */
    bool rehearsal;         /* of a source that still arrives, what can be done ahead is done, and only results are kept (rehearsal.c) */
    bool no_cache;          /* nothing is reused (results are recorded all the same) */
    const char *resume;     /* the id of a run in this state folder that goes on; NULL: a new one. It must not be running */
    const json_t *record;   /* a new run's: kept in the store as it is, for the one who resumes it; NULL: nothing */
    mr_event_reader reader; /* may be NULL */
    void *reader_context;
} mr_run_options;

/* Opens and checks the inputs (MR_ERR_INPUT: an input can't be used), then starts. The bound pipeline is borrowed until mr_run_free. */
mr_status mr_run_start(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, mr_diags *diags, mr_run **ret_run);
void mr_run_cancel(mr_run *run); /* async-signal-safe is not promised; from any thread */
/* The same, but nobody wanted that: the task store takes it as if the process had been killed, so that the next one goes on with it. One that was
 * cancelled before stays so. */
void mr_run_interrupt(mr_run *run);
/* Someone objects: the run fails with why, unless it is over. code: as of a diagnostic, a constant. From any thread. */
void mr_run_object(mr_run *run, const char *code, const char *why);
/*
 * Somebody waits for what a task makes ("3,1" of node "video"; item "" of a node with one task): it is done next, with all that it needs. Its
 * siblings in a batch are left for later. MR_ERR_PARAM: that is no item; MR_ERR_NOT_FOUND: there is no such task (yet). From any thread.
 */
mr_status mr_run_demand(mr_run *run, const char *node, const char *item);
/* Waits for the end. MR_OK; MR_ERR_INPUT when a task failed because an input can't be used; MR_ERR_CANCELLED; other: a task failed (its status). */
mr_status mr_run_wait(mr_run *run, mr_diags *diags);
/* What the pipeline's outputs became: {name: [meta, …]}. After the wait. New reference. */
json_t *mr_run_outputs(const mr_run *run);
void mr_run_free(mr_run *run);
const char *mr_run_id(const mr_run *run);

/*
 * What would run and why, without running: plans as far as results are known. Streams whose length depends on a task that must run first are
 * "unknown". A JSON object: {nodes: [{node, op, tasks, cached, skipped, run, unknown, why}], tasks, cached, run}. New reference. why: [{reason,
 * tasks, items, name, old, new}], each only where it says something. items are the first few. reason is one of new         no run of this pipeline
 * had this task, as far as is remembered param       param name was old, is new            version, plugin, toolchain, op    of the op: was old, is
 * new         script    the file of the op in Lua, or a module of it, is another input       what comes in through port name is another unfinished it
 * was begun before, and ended as old     gone    its result is not there any more effect      it acts on the world: always runs         stream  it
 * takes a stream while that is made: always runs no-cache    nothing is reused                         more    not compared: too many waits       it
 * depends on node name, which would run  trigger it depends on how the run ends
 */
mr_status mr_engine_plan(mr_engine *engine, const mr_bound *bound, const mr_run_options *options, mr_diags *diags, json_t **ret_plan);

#endif
