/* SPDX-License-Identifier: MIT */
/*
 * Runs and what happened in them, as the task store keeps them: for `millrace runs`, `logs`, `resume` and `cancel`, and for the engine's watch over
 * its own runs. A connection of its own to STATE/tasks.db, for any thread and any process.
 *
 * A run is "running" as long as the process that runs it lives; when that process is gone without a word, the run is "interrupted".
 */
#ifndef MR_RUNTIME_JOURNAL_H
#define MR_RUNTIME_JOURNAL_H

#include "base/diag.h"
#include "base/json.h"

#define MR_JOURNAL_LINES 10000u /* reports, retries and ends of nodes that are kept of one run (of each time it is resumed) */
#define MR_RUN_ID        64     /* bytes for an id */

typedef struct mr_journal mr_journal;

/* Makes the tables when missing. With must_exist, a state folder that nobody used is MR_ERR_NOT_FOUND, without a word, and stays as it is. */
mr_status mr_journal_open(const char *state_dir, bool must_exist, mr_diags *diags, mr_journal **ret_journal);
void mr_journal_close(mr_journal *journal);

/* ---- for people ---- */

/*
 * The id that text is the beginning of (or the beginning of its part behind the date). MR_ERR_NOT_FOUND: none or several, said so, with a
 * suggestion.
 */
mr_status mr_journal_find(mr_journal *journal, const char *text, mr_diags *diags, char ret_run[MR_RUN_ID]);
/*
 * [{run, pipeline, state, reason, started_us, ended_us, tasks, cached, failed}], the latest first; ended_us and reason only where there are. most 0:
 * all. New reference.
 */
mr_status mr_journal_runs(mr_journal *journal, uint32_t most, mr_diags *diags, json_t **ret_runs);
/* The same of one run, with nodes: [{node, tasks, cached, failed, cpu_us}], hint where its failure came with one (a lost host's last words), and
 * given, as mr_store_run_begin() got it. */
mr_status mr_journal_run(mr_journal *journal, const char *run, mr_diags *diags, json_t **ret_run);
/*
 * Events after number *after of the run, at most a thousand, of one node when it is not NULL: [{seq, time_us, event, node, item, state, reason,
 * attempt, severity, code, hint}], in order, each field only where it says something. *after is moved on; an empty list: that was all.
 */
mr_status mr_journal_events(mr_journal *journal, const char *run, const char *node, int64_t *after, mr_diags *diags, json_t **ret_events);

/* Asks the process that runs it to stop. MR_ERR_CONFLICT: it isn't running (said). */
mr_status mr_journal_cancel(mr_journal *journal, const char *run, mr_diags *diags);
const char *mr_journal_state(mr_journal *journal, const char *run); /* a constant text: "running" …; NULL: no such run */

/* ---- for the engine ---- */

/* Goes on with a run that has ended. MR_ERR_CONFLICT: it is running, or there is nothing to do; MR_ERR_NOT_FOUND. Said. */
mr_status mr_journal_resume(mr_journal *journal, const char *run, const char *owner, mr_diags *diags);
bool mr_journal_wants_cancel(mr_journal *journal, const char *run);

typedef struct mr_journal_line {
    int64_t time_us;
    const char *event; /* task.retry, task.report, node.done, run.failure, run.cancel */
    const char *node;  /* NULL: of the run */
    const char *state; /* NULL: none */
    char *item;        /* NULL: none */
    char *reason;      /* NULL: none */
    char *detail;      /* JSON: {severity, code, hint}; NULL: none */
    uint32_t attempt;
} mr_journal_line;
/* Keeps them, in one transaction. That a line is lost is no failure of the run. */
mr_status mr_journal_add(mr_journal *journal, const char *run, const mr_journal_line *lines, size_t count);

#endif
