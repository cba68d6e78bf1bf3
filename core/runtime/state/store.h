/* SPDX-License-Identifier: MIT */
/*
 * The task store: a journal of what was done, in SQLite (STATE/tasks.db; WAL; synchronous=FULL at the group commit), not a queue. One writer thread
 * gathers what workers report and commits it in groups; a call returns, or is answered, when its group is committed. Safe for several processes.
 * Tables: results (identity -> outputs), runs, run_tasks, events (per run, in order). `PRAGMA user_version` is the schema's.
 */
#ifndef MR_RUNTIME_STORE_H
#define MR_RUNTIME_STORE_H

#include "base/diag.h"
#include "base/json.h"
#include <millrace/status.h>

typedef struct mr_store mr_store;

mr_status mr_store_open(const char *state_dir, mr_diags *diags, mr_store **ret_store);
void mr_store_close(mr_store *store);

/* A result: what a task with that identity emitted. outputs: a JSON array of {port, type, meta, digest, size}. */
typedef struct mr_result {
    const char *identity; /* "sha256:…" */
    const char *op;
    const json_t *outputs;
    const json_t *facts; /* what it was made from (identity.c); NULL: not known */
} mr_result;
/* NULL with MR_ERR_NOT_FOUND when there is none. *ret_outputs: new reference. */
mr_status mr_store_find_result(mr_store *store, const char *identity, mr_diags *diags, json_t **ret_outputs);

typedef struct mr_task_record {
    const char *run; /* run id */
    const char *node;
    const char *item;     /* coordinates, "3,1"; "" for a node's only task */
    const char *identity; /* NULL: none (effects, streaming nodes) */
    const char *state;    /* succeeded, cached, failed, skipped, cancelled */
    const char *reason;   /* NULL: none */
    int64_t started_us, ended_us, cpu_us;
    uint32_t attempt;
} mr_task_record;
/*
 * Commits, in one transaction, that a task ended and (when it succeeded; result not NULL) its result. Blocks until durable. MR_ERR_NOT_FOUND
 * without a word: it is "cached", but its result was collected meanwhile (gc.h); nothing was recorded.
 */
mr_status mr_store_task_done(mr_store *store, const mr_task_record *record, const mr_result *result, mr_diags *diags);

/*
 * The same without waiting for the disk: takes copies, and calls ended, once, on the store's writer thread when it is durable or failed. Only while
 * many are on their way does it wait for room (never on the writer thread itself). When it fails, ended is not called.
 */
typedef void mr_store_ended(void *context, mr_status status, const mr_diags *diags); /* diags: NULL with MR_OK */
mr_status mr_store_task_submit(mr_store *store, const mr_task_record *record, const mr_result *result, mr_store_ended *ended, void *context,
                               mr_diags *diags);

/* owner: of the process that runs it (mr_objects_owner); NULL: not known. given: what it needs to be resumed; NULL: nothing is kept. */
mr_status mr_store_run_begin(mr_store *store, const char *run, const char *pipeline, const char *owner, const json_t *given, mr_diags *diags);
mr_status mr_store_run_end(mr_store *store, const char *run, const char *state, const char *reason, mr_diags *diags);

#endif
