/* SPDX-License-Identifier: MIT */
/*
 * The store's tables and their history. PRAGMA user_version is the number of migrations that were applied; a migration that was
 * released is never changed, a new one is added at the end. All missing ones are applied in one transaction: a crash leaves the
 * former schema.
 */
#include "runtime/state/store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define INDEX_BYTES    (64u << 10) /* at least what a WAL's index grows by */
#define APPLICATION_ID 0x4d4c5243  /* "MLRC": tells our files from other programs' */

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE results ("
    "  identity TEXT PRIMARY KEY,"
    "  op TEXT NOT NULL,"
    "  outputs TEXT NOT NULL," /* JSON: [{port, type, meta, digest, size}] */
    "  made_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE runs ("
    "  run TEXT PRIMARY KEY,"
    "  pipeline TEXT NOT NULL,"
    "  given TEXT," /* JSON: what it needs to be resumed (cli/job.c) */
    "  state TEXT NOT NULL,"
    "  reason TEXT,"
    "  started_us INTEGER NOT NULL,"
    "  ended_us INTEGER"
    ") STRICT;"
    /* The last attempt of each task; what came before is in events. */
    "CREATE TABLE run_tasks ("
    "  run TEXT NOT NULL,"
    "  node TEXT NOT NULL,"
    "  item TEXT NOT NULL,"
    "  identity TEXT,"
    "  state TEXT NOT NULL,"
    "  reason TEXT,"
    "  started_us INTEGER NOT NULL,"
    "  ended_us INTEGER NOT NULL,"
    "  cpu_us INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL,"
    "  PRIMARY KEY (run, node, item)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE events ("
    "  run TEXT NOT NULL,"
    "  seq INTEGER NOT NULL," /* from 1 in each run, without gaps */
    "  time_us INTEGER NOT NULL,"
    "  event TEXT NOT NULL," /* run.started, task.done, run.done, and those of journal.c */
    "  node TEXT,"
    "  item TEXT,"
    "  state TEXT,"
    "  reason TEXT,"
    "  attempt INTEGER,"
    "  PRIMARY KEY (run, seq)"
    ") STRICT, WITHOUT ROWID;",
    /* What a result was made from, for "why would it run" and for reuse by the blocks that were read (identity.c writes it: JSON). */
    "ALTER TABLE results ADD COLUMN facts TEXT;"
    "ALTER TABLE results ADD COLUMN pattern TEXT;" /* facts.pattern, to be found by */
    "CREATE INDEX results_by_pattern ON results (pattern, made_us) WHERE pattern IS NOT NULL;"
    "CREATE TABLE recipes (" /* op, versions, toolchain and params of tasks, by their digest */
    "  recipe TEXT PRIMARY KEY,"
    "  facts TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    /* What stands for a file in identities, by what is cheap to know of it: the last content that was seen under an inode. */
    "CREATE TABLE sources ("
    "  device INTEGER NOT NULL,"
    "  inode INTEGER NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  mtime_ns INTEGER NOT NULL,"
    "  ctime_ns INTEGER NOT NULL,"
    "  key TEXT NOT NULL,"
    "  trusted INTEGER NOT NULL," /* 0: seen too soon after its last change for times to tell the next one */
    "  PRIMARY KEY (device, inode)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE contents (" /* what was read whole */
    "  key TEXT PRIMARY KEY,"
    "  digest TEXT NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  made_us INTEGER NOT NULL,"
    "  leaves BLOB" /* mr_block_tree_export; NULL: dropped for its age */
    ") STRICT;"
    "CREATE INDEX contents_by_digest ON contents (digest);"
    "CREATE INDEX contents_by_size ON contents (size);",
    /* Which process runs it (objects.h), who asked it to stop, and what an event says beside its sentence (JSON: severity, code, hint). */
    "ALTER TABLE runs ADD COLUMN owner TEXT;"
    "ALTER TABLE runs ADD COLUMN cancel INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE events ADD COLUMN detail TEXT;",
};
#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static const mr_span nowhere;

/* SQLite calls it an I/O error when the disk has no room for the WAL's index. */
static bool is_full(const char *path)
{
    struct statvfs disk;
    return statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < INDEX_BYTES;
}

mr_status mr_store_error(mr_diags *diags, const char *path, int code, const char *detail)
{
    switch ((code & 0xff) == SQLITE_IOERR && is_full(path) ? SQLITE_FULL : code & 0xff) {
    case SQLITE_NOMEM: mr_error(diags, "no-memory", nowhere, "out of memory"); return MR_ERR_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        mr_error(diags, "store-damaged", nowhere, "the task store '%s' is damaged: %s", path, detail);
        mr_hint(diags, "move it and the files beside it (%s-wal, %s-shm) away; results are then made again", path, path);
        return MR_ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        mr_error(diags, "store-busy", nowhere, "another process has held the task store '%s' for %d seconds", path, MR_STORE_BUSY_MS / 1000);
        mr_hint(diags, "see what holds it (fuser %s), or choose another state folder with --state", path);
        return MR_ERR_UNAVAILABLE;
    case SQLITE_FULL:
        mr_error(diags, "store-full", nowhere, "no space left for the task store '%s'", path);
        mr_hint(diags, "free some space on that disk, or choose another state folder with --state");
        return MR_ERR_IO;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        mr_error(diags, "store-open", nowhere, "can't write to the task store '%s': %s", path, detail);
        mr_hint(diags, "choose a state folder that you may write to with --state");
        return MR_ERR_IO;
    default:
        mr_error(diags, "store-io", nowhere, "the task store '%s' failed: %s", path, detail);
        mr_hint(diags, "check that disk, or choose another state folder with --state");
        return MR_ERR_IO;
    }
}

static mr_status failed(sqlite3 *db, const char *path, mr_diags *diags)
{
    return mr_store_error(diags, path, sqlite3_extended_errcode(db), sqlite3_errmsg(db));
}

mr_status mr_store_connect(const char *path, mr_diags *diags, sqlite3 **ret_db)
{
    sqlite3 *db = NULL;
    /* NOFOLLOW: a link planted in the state folder must not make us write elsewhere. */
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, MR_STORE_BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        /* FULL: a commit is on the disk when it returns. */
        code = sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        *ret_db = db;
        return MR_OK;
    }
    mr_status status = db ? failed(db, path, diags) : mr_store_error(diags, path, SQLITE_NOMEM, "");
    sqlite3_close(db);
    *ret_db = NULL;
    return status;
}

static int read_int(sqlite3 *db, const char *sql, int *ret_value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        *ret_value = sqlite3_column_int(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

/* In a transaction. Applies what is missing; *ret_code is SQLite's. */
static mr_status apply(sqlite3 *db, const char *path, mr_diags *diags, int *ret_code)
{
    int version = 0;
    int application = 0;
    int tables = 0;
    int code = read_int(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK)
        code = read_int(db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK)
        code = read_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    *ret_code = code;
    if (code != SQLITE_OK)
        return MR_ERR_IO;
    if (application != APPLICATION_ID && (tables > 0 || version != 0)) {
        mr_error(diags, "store-foreign", nowhere, "'%s' is a database of another program", path);
        mr_hint(diags, "choose another state folder with --state");
        return MR_ERR_CONFLICT;
    }
    if (version > SCHEMA_VERSION) {
        mr_error(diags, "store-newer", nowhere, "the task store '%s' was made by a newer millrace: its schema is %d, this one knows %d", path,
                 version, SCHEMA_VERSION);
        mr_hint(diags, "use the newer millrace, or choose another state folder with --state");
        return MR_ERR_UNSUPPORTED;
    }
    for (int i = version < 0 ? 0 : version; i < SCHEMA_VERSION && code == SQLITE_OK; i++)
        code = sqlite3_exec(db, migrations[i], NULL, NULL, NULL);
    char mark[96];
    snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, SCHEMA_VERSION);
    if (code == SQLITE_OK && version < SCHEMA_VERSION)
        code = sqlite3_exec(db, mark, NULL, NULL, NULL);
    *ret_code = code;
    return code == SQLITE_OK ? MR_OK : MR_ERR_IO;
}

mr_status mr_store_migrate(sqlite3 *db, const char *path, mr_diags *diags)
{
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(db, path, diags);
    mr_status status = apply(db, path, diags, &code);
    if (status == MR_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        status = failed(db, path, diags);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
