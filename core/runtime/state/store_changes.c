/* SPDX-License-Identifier: MIT */
/* What each change to the store is in SQL. The writer thread's (store.c), in its transactions. */
#include "runtime/state/store_internal.h"

#include <string.h>

enum { PUT_RESULT, HAS_RESULT, PUT_TASK, PUT_RUN, END_RUN, PUT_EVENT, STATEMENTS };
_Static_assert(STATEMENTS == MR_CHANGE_STATEMENTS, "one place each");

static const char *const statements[STATEMENTS] = {
    [PUT_RESULT] = "INSERT INTO results (identity, op, outputs, made_us, facts, pattern)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, json_extract(?5, '$.pattern'))"
                   " ON CONFLICT (identity) DO UPDATE SET op = ?2, outputs = ?3, made_us = ?4, facts = ?5, pattern = excluded.pattern",
    [HAS_RESULT] = "SELECT 1 FROM results WHERE identity = ?1",
    [PUT_TASK] = "INSERT OR REPLACE INTO run_tasks (run, node, item, identity, state, reason, started_us, ended_us, cpu_us, attempt)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [PUT_RUN] = "INSERT INTO runs (run, pipeline, given, state, started_us, owner) VALUES (?1, ?2, ?3, 'running', ?4, ?5)",
    [END_RUN] = "UPDATE runs SET state = ?2, reason = ?3, ended_us = ?4 WHERE run = ?1",
    [PUT_EVENT] = "INSERT INTO events (run, seq, time_us, event, node, item, state, reason, attempt)"
                  " VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

static int run_statement(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Texts are the caller's, who waits: nothing is copied. A wrong bind leaves NULL, which the tables refuse. */
static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static int put_event(mr_changes *changes, const char *run, int64_t time_us, const char *event, const mr_task_record *task, const char *state,
                     const char *reason)
{
    sqlite3_stmt *put = changes->statements[PUT_EVENT];
    bind_text(put, 1, run);
    sqlite3_bind_int64(put, 2, time_us);
    bind_text(put, 3, event);
    if (task) {
        bind_text(put, 4, task->node);
        bind_text(put, 5, task->item);
        sqlite3_bind_int64(put, 8, task->attempt);
    }
    bind_text(put, 6, state);
    bind_text(put, 7, reason);
    return run_statement(put);
}

static int put_task(mr_changes *changes, const mr_change *it)
{
    const mr_task_record *task = it->task;
    sqlite3_stmt *put = changes->statements[PUT_TASK];
    bind_text(put, 1, task->run);
    bind_text(put, 2, task->node);
    bind_text(put, 3, task->item);
    bind_text(put, 4, task->identity);
    bind_text(put, 5, task->state);
    bind_text(put, 6, task->reason);
    sqlite3_bind_int64(put, 7, task->started_us);
    sqlite3_bind_int64(put, 8, task->ended_us);
    sqlite3_bind_int64(put, 9, task->cpu_us);
    sqlite3_bind_int64(put, 10, task->attempt);
    int code = run_statement(put);
    if (code != SQLITE_OK)
        return code;
    return put_event(changes, task->run, it->now_us, "task.done", task, task->state, task->reason);
}

/* In the same transaction as the line that says it was reused: what a run relies on was not collected (gc.c) before that line is there. */
static int check_result(mr_changes *changes, const char *identity)
{
    sqlite3_stmt *has = changes->statements[HAS_RESULT];
    bind_text(has, 1, identity);
    int code = sqlite3_step(has);
    sqlite3_reset(has);
    sqlite3_clear_bindings(has);
    return code == SQLITE_ROW ? SQLITE_OK : code == SQLITE_DONE ? SQLITE_NOTFOUND : code;
}

static int put_result(mr_changes *changes, const mr_change *it)
{
    sqlite3_stmt *put = changes->statements[PUT_RESULT];
    bind_text(put, 1, it->result->identity);
    bind_text(put, 2, it->result->op);
    sqlite3_bind_text64(put, 3, it->json, it->json_len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(put, 4, it->now_us);
    bind_text(put, 5, it->facts);
    return run_statement(put);
}

static int begin_run(mr_changes *changes, const mr_change *it)
{
    sqlite3_stmt *put = changes->statements[PUT_RUN];
    bind_text(put, 1, it->run);
    bind_text(put, 2, it->pipeline);
    if (it->json)
        sqlite3_bind_text64(put, 3, it->json, it->json_len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(put, 4, it->now_us);
    bind_text(put, 5, it->owner);
    int code = run_statement(put);
    return code == SQLITE_OK ? put_event(changes, it->run, it->now_us, "run.started", NULL, "running", NULL) : code;
}

static int end_run(mr_changes *changes, const mr_change *it)
{
    sqlite3_stmt *put = changes->statements[END_RUN];
    bind_text(put, 1, it->run);
    bind_text(put, 2, it->state);
    bind_text(put, 3, it->reason);
    sqlite3_bind_int64(put, 4, it->now_us);
    int code = run_statement(put);
    if (code == SQLITE_OK && sqlite3_changes(changes->db) == 0)
        return SQLITE_NOTFOUND; /* no such run */
    return code == SQLITE_OK ? put_event(changes, it->run, it->now_us, "run.done", NULL, it->state, it->reason) : code;
}

int mr_change_apply(mr_changes *changes, const mr_change *it)
{
    int code = SQLITE_OK;
    switch (it->kind) {
    case MR_CHANGE_TASK:
        if (it->result)
            code = put_result(changes, it);
        else if (it->task->identity && strcmp(it->task->state, "cached") == 0)
            code = check_result(changes, it->task->identity);
        return code == SQLITE_OK ? put_task(changes, it) : code;
    case MR_CHANGE_RUN_BEGIN: return begin_run(changes, it);
    case MR_CHANGE_RUN_END: return end_run(changes, it);
    }
    return SQLITE_MISUSE;
}

int mr_changes_prepare(mr_changes *changes)
{
    int code = SQLITE_OK;
    for (int i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(changes->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &changes->statements[i], NULL);
    return code;
}

void mr_changes_finalize(mr_changes *changes)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(changes->statements[i]);
}
