/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 *   - The state in the table is what the run's process wrote last. "running" is believed only while its owner lives.
 *   - A run changes hands (resume) in one transaction that looks at its owner first: two who resume it at a time don't both get it.
 */
#include "runtime/state/journal.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/state/lock.h"
#include "runtime/state/objects.h"
#include "runtime/state/store_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_AT_A_TIME 1000

struct mr_journal {
    char *state_dir; /* absolute */
    char *path;
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *wants_cancel;
};

static const mr_span nowhere;

static mr_status no_memory(mr_diags *diags)
{
    mr_error(diags, "no-memory", nowhere, "out of memory");
    return MR_ERR_NOMEM;
}

static mr_status failed(mr_journal *journal, mr_diags *diags)
{
    return mr_store_error(diags, journal->path, sqlite3_extended_errcode(journal->db), sqlite3_errmsg(journal->db));
}

/* ---- opening and closing ---- */

static mr_status connect_it(mr_journal *journal, mr_diags *diags)
{
    mr_autofree char *lock_path = mr_path_join(journal->state_dir, "tasks.lock");
    if (!lock_path)
        return no_memory(diags);
    mr_autoclose int lock = mr_lock_file(lock_path);
    if (lock < 0) {
        mr_error(diags, "state-io", nowhere, "can't lock '%s': %s", lock_path, strerrordesc_np(errno));
        mr_hint(diags, "choose a state folder that you may write to with --state");
        return MR_ERR_IO;
    }
    mr_status status = mr_store_connect(journal->path, diags, &journal->db);
    if (status == MR_OK)
        status = mr_store_migrate(journal->db, journal->path, diags);
    if (status == MR_OK && sqlite3_prepare_v3(journal->db, "SELECT cancel FROM runs WHERE run = ?1", -1, SQLITE_PREPARE_PERSISTENT,
                                              &journal->wants_cancel, NULL) != SQLITE_OK)
        status = failed(journal, diags);
    return status;
}

mr_status mr_journal_open(const char *state_dir, bool must_exist, mr_diags *diags, mr_journal **ret_journal)
{
    mr_autofree char *path = mr_path_join(state_dir, "tasks.db");
    mr_journal *journal = NULL;
    mr_status status = MR_OK;
    *ret_journal = NULL;
    if (!path)
        return no_memory(diags);
    if (must_exist && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return MR_ERR_NOT_FOUND;
    if (!must_exist)
        status = mr_dir_make(state_dir, 0700, diags);
    if (status != MR_OK)
        return status;
    journal = calloc(1, sizeof(*journal));
    if (!journal)
        return no_memory(diags);
    pthread_mutex_init(&journal->lock, NULL);
    journal->state_dir = realpath(state_dir, NULL);
    journal->path = journal->state_dir ? mr_path_join(journal->state_dir, "tasks.db") : NULL;
    status = journal->path ? connect_it(journal, diags) : no_memory(diags);
    if (status != MR_OK) {
        mr_journal_close(journal);
        return status;
    }
    *ret_journal = journal;
    return MR_OK;
}

void mr_journal_close(mr_journal *journal)
{
    if (!journal)
        return;
    sqlite3_finalize(journal->wants_cancel);
    sqlite3_close(journal->db);
    pthread_mutex_destroy(&journal->lock);
    free(journal->path);
    free(journal->state_dir);
    free(journal);
}

/* ---- rows as JSON ---- */

/* NULL and what isn't there leave the field out. */
static void add_column(json_t *object, const char *name, sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER: json_object_set_new(object, name, json_integer(sqlite3_column_int64(row, column))); break;
    case SQLITE_TEXT: json_object_set_new(object, name, json_string((const char *)sqlite3_column_text(row, column))); break;
    default: break;
    }
}

static json_t *row_json(sqlite3_stmt *row)
{
    json_t *object = json_object();
    for (int i = 0; object && i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i);
        const char *text = strcmp(name, "detail") == 0 || strcmp(name, "given") == 0 ? (const char *)sqlite3_column_text(row, i) : NULL;
        json_t *parsed = text ? json_loads(text, 0, NULL) : NULL;
        if (strcmp(name, "detail") == 0)
            json_object_update(object, parsed);
        else if (parsed)
            json_object_set(object, name, parsed);
        else
            add_column(object, name, row, i);
        json_decref(parsed);
    }
    return object;
}

/* What a statement is given. */
typedef struct value {
    const char *text; /* NULL: the number */
    int64_t number;
} value;

/* All rows. The lock is held. */
static mr_status query(mr_journal *journal, const char *sql, const value *values, int count, mr_diags *diags, json_t **ret_rows)
{
    sqlite3_stmt *statement = NULL;
    json_t *rows = json_array();
    int code = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL);
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = values[i].text ? sqlite3_bind_text(statement, i + 1, values[i].text, -1, SQLITE_STATIC)
                              : sqlite3_bind_int64(statement, i + 1, values[i].number);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        json_array_append_new(rows, row_json(statement));
        code = SQLITE_OK;
    }
    *ret_rows = rows;
    mr_status status = !rows ? no_memory(diags) : code == SQLITE_OK || code == SQLITE_DONE ? MR_OK : failed(journal, diags);
    sqlite3_finalize(statement);
    if (status != MR_OK) {
        json_decref(rows);
        *ret_rows = NULL;
    }
    return status;
}

/* ---- whether it lives ---- */

/* "running" or "interrupted" for what the table calls running; takes the owner out of sight. */
static void settle_state(mr_journal *journal, json_t *run)
{
    const char *state = json_string_value(json_object_get(run, "state"));
    const char *owner = json_string_value(json_object_get(run, "owner"));
    if (state && strcmp(state, "running") == 0 && !(owner && mr_objects_owner_lives(journal->state_dir, owner)))
        json_object_set_new(run, "state", json_string("interrupted"));
    json_object_del(run, "owner");
}

#define RUN_COLUMNS                                                                                                                                  \
    "run, pipeline, state, owner, reason, started_us, ended_us,"                                                                                     \
    " (SELECT count(*) FROM run_tasks t WHERE t.run = runs.run) AS tasks,"                                                                           \
    " (SELECT count(*) FROM run_tasks t WHERE t.run = runs.run AND t.state = 'cached') AS cached,"                                                   \
    " (SELECT count(*) FROM run_tasks t WHERE t.run = runs.run AND t.state = 'failed') AS failed"

mr_status mr_journal_runs(mr_journal *journal, uint32_t most, mr_diags *diags, json_t **ret_runs)
{
    size_t i;
    json_t *run;
    pthread_mutex_lock(&journal->lock);
    mr_status status = query(journal, "SELECT " RUN_COLUMNS " FROM runs ORDER BY started_us DESC, run DESC LIMIT ?1",
                             (const value[]){{.number = most ? (int64_t)most : -1}}, 1, diags, ret_runs);
    json_array_foreach(*ret_runs, i, run) settle_state(journal, run);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

static mr_status no_such_run(mr_diags *diags, const char *run)
{
    mr_error(diags, "unknown-run", nowhere, "there is no run '%s'", run);
    mr_hint(diags, "'millrace runs' lists them; --state says in which folder to look");
    return MR_ERR_NOT_FOUND;
}

mr_status mr_journal_run(mr_journal *journal, const char *run, mr_diags *diags, json_t **ret_run)
{
    mr_autojson json_t *rows = NULL;
    mr_autojson json_t *failure = NULL;
    json_t *nodes = NULL;
    *ret_run = NULL;
    pthread_mutex_lock(&journal->lock);
    mr_status status = query(journal, "SELECT " RUN_COLUMNS ", given FROM runs WHERE run = ?1", (const value[]){{.text = run}}, 1, diags, &rows);
    if (status == MR_OK)
        status = query(journal,
                       "SELECT node, count(*) AS tasks, sum(state = 'cached') AS cached, sum(state = 'failed') AS failed, sum(cpu_us) AS cpu_us"
                       " FROM run_tasks WHERE run = ?1 GROUP BY node ORDER BY min(started_us), node",
                       (const value[]){{.text = run}}, 1, diags, &nodes);
    if (status == MR_OK)
        status = query(journal,
                       "SELECT detail FROM events WHERE run = ?1 AND event = 'run.failure' AND reason = (SELECT reason FROM runs WHERE run = ?1)"
                       " ORDER BY seq DESC LIMIT 1",
                       (const value[]){{.text = run}}, 1, diags, &failure);
    json_t *found = json_array_get(rows, 0);
    if (status == MR_OK && found)
        settle_state(journal, found);
    pthread_mutex_unlock(&journal->lock);
    if (status == MR_OK && !found)
        status = no_such_run(diags, run);
    if (status == MR_OK) {
        json_object_set(found, "nodes", nodes);
        json_object_set(found, "hint", json_object_get(json_array_get(failure, 0), "hint"));
        *ret_run = json_incref(found);
    }
    json_decref(nodes);
    return status;
}

const char *mr_journal_state(mr_journal *journal, const char *run)
{
    static const char *const states[] = {"running", "interrupted", "succeeded", "failed", "cancelled"};
    mr_autojson json_t *rows = NULL;
    pthread_mutex_lock(&journal->lock);
    if (query(journal, "SELECT state, owner FROM runs WHERE run = ?1", (const value[]){{.text = run}}, 1, NULL, &rows) == MR_OK &&
        json_array_size(rows) > 0)
        settle_state(journal, json_array_get(rows, 0));
    pthread_mutex_unlock(&journal->lock);
    const char *state = json_string_value(json_object_get(json_array_get(rows, 0), "state"));
    for (size_t i = 0; state && i < sizeof(states) / sizeof(*states); i++) {
        if (strcmp(states[i], state) == 0)
            return states[i];
    }
    return NULL;
}

mr_status mr_journal_find(mr_journal *journal, const char *text, mr_diags *diags, char ret_run[MR_RUN_ID])
{
    mr_autojson json_t *rows = NULL;
    pthread_mutex_lock(&journal->lock);
    mr_status status = query(journal,
                             "SELECT run FROM runs WHERE substr(run, 1, length(?1)) = ?1 OR substr(run, instr(run, '-') + 1, length(?1)) = ?1"
                             " ORDER BY run = ?1 DESC, started_us DESC LIMIT 3",
                             (const value[]){{.text = text}}, 1, diags, &rows);
    pthread_mutex_unlock(&journal->lock);
    if (status != MR_OK)
        return status;
    const char *first = json_string_value(json_object_get(json_array_get(rows, 0), "run"));
    if (!first || !*text || strlen(first) >= MR_RUN_ID)
        return no_such_run(diags, text);
    if (json_array_size(rows) > 1 && strcmp(first, text) != 0) {
        mr_error(diags, "unclear-run", nowhere, "several runs begin with '%s'", text);
        mr_hint(diags, "the latest is '%s'; 'millrace runs' lists them", first);
        return MR_ERR_NOT_FOUND;
    }
    snprintf(ret_run, MR_RUN_ID, "%s", first);
    return MR_OK;
}

mr_status mr_journal_events(mr_journal *journal, const char *run, const char *node, int64_t *after, mr_diags *diags, json_t **ret_events)
{
    size_t i;
    const json_t *event;
    pthread_mutex_lock(&journal->lock);
    mr_status status =
        query(journal,
              "SELECT seq, time_us, event, node, nullif(item, '') AS item, state, reason, nullif(attempt, 0) AS attempt, detail"
              " FROM events WHERE run = ?1 AND seq > ?2 AND (?4 = '' OR node = ?4) ORDER BY seq LIMIT ?3",
              (const value[]){{.text = run}, {.number = *after}, {.number = EVENTS_AT_A_TIME}, {.text = node ? node : ""}}, 4, diags, ret_events);
    pthread_mutex_unlock(&journal->lock);
    json_array_foreach(*ret_events, i, event) *after = json_integer_value(json_object_get(event, "seq"));
    return status;
}

/* ---- changes ---- */

/* One statement with the run as ?1 and text as ?2. SQLite's code; *ret_changed: rows. The lock is held. */
static int change(mr_journal *journal, const char *sql, const char *run, const char *text, int *ret_changed)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, run, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && text)
        code = sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    *ret_changed = sqlite3_changes(journal->db);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

mr_status mr_journal_cancel(mr_journal *journal, const char *run, mr_diags *diags)
{
    int changed = 0;
    const char *state = mr_journal_state(journal, run);
    if (!state)
        return no_such_run(diags, run);
    if (strcmp(state, "running") != 0) {
        mr_error(diags, "not-running", nowhere, "run '%s' isn't running: it %s", run,
                 strcmp(state, "interrupted") == 0 ? "was interrupted" : "has ended");
        mr_hint(diags, "'millrace runs %s' says how it stands", run);
        return MR_ERR_CONFLICT;
    }
    pthread_mutex_lock(&journal->lock);
    int code = change(journal, "UPDATE runs SET cancel = 1 WHERE run = ?1 AND state = 'running'", run, NULL, &changed);
    mr_status status = code == SQLITE_OK ? MR_OK : failed(journal, diags);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

bool mr_journal_wants_cancel(mr_journal *journal, const char *run)
{
    pthread_mutex_lock(&journal->lock);
    sqlite3_bind_text(journal->wants_cancel, 1, run, -1, SQLITE_STATIC);
    bool wanted = sqlite3_step(journal->wants_cancel) == SQLITE_ROW && sqlite3_column_int(journal->wants_cancel, 0) != 0;
    sqlite3_reset(journal->wants_cancel);
    sqlite3_clear_bindings(journal->wants_cancel);
    pthread_mutex_unlock(&journal->lock);
    return wanted;
}

#define PUT_EVENT                                                                                                                                    \
    "INSERT INTO events (run, seq, time_us, event, node, item, state, reason, attempt, detail)"                                                      \
    " VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM events WHERE run = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"

static int put_line(sqlite3_stmt *put, const char *run, const mr_journal_line *line)
{
    const char *const texts[] = {line->event, line->node, line->item, line->state, line->reason};
    sqlite3_bind_text(put, 1, run, -1, SQLITE_STATIC);
    sqlite3_bind_int64(put, 2, line->time_us);
    for (int i = 0; i < 5; i++)
        sqlite3_bind_text(put, 3 + i, texts[i], -1, SQLITE_STATIC); /* NULL binds NULL */
    if (line->attempt)
        sqlite3_bind_int64(put, 8, line->attempt);
    sqlite3_bind_text(put, 9, line->detail, -1, SQLITE_STATIC);
    int code = sqlite3_step(put);
    sqlite3_reset(put);
    sqlite3_clear_bindings(put);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* In a transaction. */
static int put_lines(mr_journal *journal, const char *run, const mr_journal_line *lines, size_t count)
{
    sqlite3_stmt *put = NULL;
    int code = sqlite3_prepare_v2(journal->db, PUT_EVENT, -1, &put, NULL);
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        code = put_line(put, run, &lines[i]);
    sqlite3_finalize(put);
    return code;
}

static void roll_back(mr_journal *journal)
{
    if (!sqlite3_get_autocommit(journal->db))
        sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
}

mr_status mr_journal_add(mr_journal *journal, const char *run, const mr_journal_line *lines, size_t count)
{
    pthread_mutex_lock(&journal->lock);
    int code = sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = put_lines(journal, run, lines, count);
    if (code == SQLITE_OK)
        code = sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL);
    roll_back(journal);
    pthread_mutex_unlock(&journal->lock);
    return code == SQLITE_OK ? MR_OK : MR_ERR_IO;
}

/* In a transaction, so that nobody else takes it between the look and the change. */
static mr_status take_over(mr_journal *journal, const char *run, const char *owner, mr_diags *diags)
{
    mr_autojson json_t *rows = NULL;
    int changed = 0;
    mr_status status = query(journal, "SELECT state, owner FROM runs WHERE run = ?1", (const value[]){{.text = run}}, 1, diags, &rows);
    json_t *found = json_array_get(rows, 0);
    if (status != MR_OK)
        return status;
    if (!found)
        return no_such_run(diags, run);
    settle_state(journal, found);
    const char *state = json_string_value(json_object_get(found, "state"));
    if (state && strcmp(state, "running") == 0) {
        mr_error(diags, "running", nowhere, "run '%s' is running", run);
        mr_hint(diags, "'millrace logs --follow %s' shows how it goes; 'millrace cancel %s' stops it", run, run);
        return MR_ERR_CONFLICT;
    }
    int code = change(journal, "UPDATE runs SET state = 'running', owner = ?2, cancel = 0, reason = NULL, ended_us = NULL WHERE run = ?1", run, owner,
                      &changed);
    const mr_journal_line line = {.time_us = mr_wall_us(), .event = "run.resumed", .state = "running"};
    if (code == SQLITE_OK)
        code = put_lines(journal, run, &line, 1);
    return code == SQLITE_OK ? MR_OK : failed(journal, diags);
}

mr_status mr_journal_resume(mr_journal *journal, const char *run, const char *owner, mr_diags *diags)
{
    mr_status status = MR_OK;
    pthread_mutex_lock(&journal->lock);
    if (sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        status = failed(journal, diags);
    if (status == MR_OK)
        status = take_over(journal, run, owner, diags);
    if (status == MR_OK && sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        status = failed(journal, diags);
    roll_back(journal);
    pthread_mutex_unlock(&journal->lock);
    return status;
}
