/* SPDX-License-Identifier: MIT */
/*
 * The driver for SQLite: a file in WAL mode. A commit of the writer is synced (synchronous=FULL); readers see the last commit and wait for nobody.
 * Statements are prepared once for each connection, and found by the address of their text.
 */
#include "api-server/base/lock.h"
#include "api-server/metadata/sql.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENTS = 256, BUSY_MS = 10000 };

typedef struct connection connection;

typedef struct statement {
    connection *owner;
    sqlite3_stmt *handle;
    const char *text;
    int bad; /* the code of a bind that failed */
} statement;

struct connection {
    sqlite3 *db;
    statement kept[STATEMENTS]; /* open addressing; the program has fewer statements than that */
};

static mr_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_ROW: return MR_OK;
    case SQLITE_OK:
    case SQLITE_DONE: return MR_END;
    case SQLITE_CONSTRAINT: return MR_ERR_CONFLICT;
    case SQLITE_NOMEM: return MR_ERR_NOMEM;
    case SQLITE_BUSY: return MR_ERR_UNAVAILABLE;
    default: return MR_ERR_IO;
    }
}

static void close_connection(void *context)
{
    connection *it = context;
    if (!it)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(it->kept[i].handle);
    sqlite3_close(it->db);
    free(it);
}

static int64_t version_of(sqlite3 *db)
{
    sqlite3_stmt *ask = NULL;
    int64_t version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &ask, NULL) == SQLITE_OK && sqlite3_step(ask) == SQLITE_ROW)
        version = sqlite3_column_int64(ask, 0);
    sqlite3_finalize(ask);
    return version;
}

/* One step, from the version that it is by now: another process may be at it, too. */
static int step_up(sqlite3 *db, const char *const *steps, int64_t count)
{
    char mark[64];
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const int64_t version = code == SQLITE_OK ? version_of(db) : -1;
    snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", (int)version + 1);
    if (code == SQLITE_OK && version >= 0 && version < count)
        code = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
    if (code == SQLITE_OK && version >= 0 && version < count)
        code = sqlite3_exec(db, mark, NULL, NULL, NULL);
    return code == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : code;
}

/* Each step is a transaction that ends with its number, so that a death in the middle leaves a whole version. */
static int migrate(sqlite3 *db, const char *const *steps, char *why, size_t why_size)
{
    int64_t count = 0;
    while (steps[count])
        count++;
    int64_t version = version_of(db);
    if (version < 0 || version > count) {
        snprintf(why, why_size, version < 0 ? "it is no database" : "a newer Millrace has written it: start that one, or another data folder");
        return SQLITE_MISMATCH;
    }
    int code = SQLITE_OK;
    for (; version < count && code == SQLITE_OK; version++)
        code = step_up(db, steps, count);
    return code;
}

/* Under a lock between processes: of two that turn a new file into a WAL database SQLite refuses one at once, however long it would wait. */
static int prepare_writer(sqlite3 *db, const char *path, const char *const *steps, char *why, size_t why_size)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    const int lock = mr_folder_lock(folder);
    if (lock < 0) {
        snprintf(why, why_size, "its folder can't be locked: %m");
        return SQLITE_IOERR_LOCK;
    }
    int code =
        sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-4096", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = migrate(db, steps, why, why_size);
    close(lock); /* with the lock */
    return code;
}

static mr_status open_connection(const char *path, bool writer, const char *const *steps, char *why, size_t why_size, void **ret_connection)
{
    connection *it = calloc(1, sizeof(*it));
    if (!it)
        return MR_ERR_NOMEM;
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (writer ? SQLITE_OPEN_CREATE : 0);
    why[0] = '\0';
    int code = sqlite3_open_v2(path, &it->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(it->db, BUSY_MS);
        sqlite3_db_config(it->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        code = writer ? prepare_writer(it->db, path, steps, why, why_size)
                      : sqlite3_exec(it->db, "PRAGMA query_only=ON; PRAGMA cache_size=-512", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        *ret_connection = it;
        return MR_OK;
    }
    if (why[0] == '\0')
        snprintf(why, why_size, "%s", it->db ? sqlite3_errmsg(it->db) : "out of memory");
    close_connection(it);
    return code == SQLITE_NOMEM ? MR_ERR_NOMEM : code == SQLITE_MISMATCH ? MR_ERR_UNSUPPORTED : MR_ERR_IO;
}

static void *prepare(void *context, const char *text)
{
    connection *it = context;
    const size_t start = (size_t)((uintptr_t)text * 0x9E3779B97F4A7C15ull >> 40);
    for (size_t i = 0; i < STATEMENTS; i++) {
        statement *kept = &it->kept[(start + i) % STATEMENTS];
        if (kept->text == text)
            return kept;
        if (kept->text)
            continue;
        if (sqlite3_prepare_v3(it->db, text, -1, SQLITE_PREPARE_PERSISTENT, &kept->handle, NULL) != SQLITE_OK)
            return NULL;
        kept->owner = it;
        kept->text = text;
        return kept;
    }
    return NULL;
}

static void bind_text(void *context, int at, const char *value, size_t len)
{
    statement *it = context;
    const int code = value ? sqlite3_bind_text64(it->handle, at, value, len, SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_null(it->handle, at);
    it->bad = it->bad ? it->bad : code;
}

static void bind_int(void *context, int at, int64_t value)
{
    statement *it = context;
    const int code = sqlite3_bind_int64(it->handle, at, value);
    it->bad = it->bad ? it->bad : code;
}

static void bind_double(void *context, int at, double value)
{
    statement *it = context;
    const int code = sqlite3_bind_double(it->handle, at, value);
    it->bad = it->bad ? it->bad : code;
}

static mr_status step(void *context)
{
    statement *it = context;
    return status_of(it->bad ? it->bad : sqlite3_step(it->handle));
}

static const char *text_of(void *context, int column, size_t *ret_len)
{
    const statement *it = context;
    const char *text = (const char *)sqlite3_column_text(it->handle, column);
    *ret_len = text ? (size_t)sqlite3_column_bytes(it->handle, column) : 0;
    return text;
}

static int64_t integer_of(void *context, int column)
{
    const statement *it = context;
    return sqlite3_column_int64(it->handle, column);
}

static double real_of(void *context, int column)
{
    const statement *it = context;
    return sqlite3_column_double(it->handle, column);
}

static void reset(void *context)
{
    statement *it = context;
    sqlite3_reset(it->handle);
    sqlite3_clear_bindings(it->handle);
    it->bad = 0;
}

static int64_t changed(void *context)
{
    const connection *it = context;
    return sqlite3_changes64(it->db);
}

static int64_t last_number(void *context)
{
    const connection *it = context;
    return sqlite3_last_insert_rowid(it->db);
}

static const char *error_of(void *context)
{
    const connection *it = context;
    return sqlite3_errmsg(it->db);
}

const mr_sql_driver mr_sqlite = {
    .open = open_connection,
    .close = close_connection,
    .prepare = prepare,
    .bind_text = bind_text,
    .bind_int = bind_int,
    .bind_double = bind_double,
    .step = step,
    .text = text_of,
    .integer = integer_of,
    .real = real_of,
    .reset = reset,
    .changed = changed,
    .last_number = last_number,
    .error = error_of,
};
