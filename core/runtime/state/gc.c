/* SPDX-License-Identifier: MIT */
/*
 * The order of things, and why each step is safe while runs go on:
 *   1. Runs are forgotten one by one, each in a transaction that looks at its state again: none that goes on, or was resumed meanwhile.
 *   2. What results are doomed is found out without holding anything up; in temporary tables, so that memory does not grow with the store.
 *   3. They are removed in one transaction, but for those that a run which goes on has used by then. A run that takes a result from the store records
 *      that in a transaction which looks whether it is still there (store.c): either it comes first, and the result stays, or it makes the result
 *      anew.
 *   4. Objects that no result names are removed if they are older than all runs that go on, and than this collection. One that a run made and
 *      has not recorded yet is younger; one that it found there already was made young under the lock that is held here to look and to remove
 *      (objects.c).
 * A kill between any two of these leaves results without users or objects without results: the next collection finds them. Times of last use are
 * those of the journal, which a run writes for each task anyway.
 */
#include "runtime/state/gc.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "runtime/state/journal.h"
#include "runtime/state/lock.h"
#include "runtime/state/objects.h"
#include "runtime/state/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOCK_SLACK_US 20000 /* by which a file's time may lag behind the clock */
#define SLICE          256   /* objects that are removed while the lock is held */
#define HEX            64

typedef struct collection {
    const mr_gc_options *options;
    mr_gc_report *report;
    mr_diags *diags;
    const char *state_dir;
    char *path; /* of the database */
    sqlite3 *db;
    int root_fd; /* STATE/objects */
    int64_t begun_us;
    int64_t horizon_us; /* what is younger stays */
} collection;

static const mr_span nowhere;

static mr_status failed(collection *of)
{
    return mr_store_error(of->diags, of->path, sqlite3_extended_errcode(of->db), sqlite3_errmsg(of->db));
}

static mr_status execute(collection *of, const char *sql)
{
    return sqlite3_exec(of->db, sql, NULL, NULL, NULL) == SQLITE_OK ? MR_OK : failed(of);
}

static mr_status prepare(collection *of, const char *sql, sqlite3_stmt **ret_statement)
{
    return sqlite3_prepare_v2(of->db, sql, -1, ret_statement, NULL) == SQLITE_OK ? MR_OK : failed(of);
}

/* Steps a statement that gives nothing, and makes it ready for the next time. */
static mr_status step(collection *of, sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? MR_OK : failed(of);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

/* The number that a query gives, with ?1. */
static mr_status number(collection *of, const char *sql, int64_t first, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    mr_status status = prepare(of, sql, &statement);
    if (status == MR_OK) {
        if (sqlite3_bind_parameter_count(statement) > 0)
            sqlite3_bind_int64(statement, 1, first);
        if (sqlite3_step(statement) == SQLITE_ROW)
            *ret_number = sqlite3_column_int64(statement, 0);
        else
            status = failed(of);
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---- runs ---- */

/* Tells those that go on from those whose process is gone. */
static mr_status look_at_runs(collection *of)
{
    sqlite3_stmt *running = NULL;
    sqlite3_stmt *put = NULL;
    mr_status status = execute(of, "CREATE TEMP TABLE dead (run TEXT PRIMARY KEY, owner TEXT)");
    of->horizon_us = of->begun_us;
    if (status == MR_OK)
        status = prepare(of, "SELECT run, owner, started_us FROM runs WHERE state = 'running'", &running);
    if (status == MR_OK)
        status = prepare(of, "INSERT INTO dead VALUES (?1, ?2)", &put);
    while (status == MR_OK && sqlite3_step(running) == SQLITE_ROW) {
        const char *owner = (const char *)sqlite3_column_text(running, 1);
        const int64_t started = sqlite3_column_int64(running, 2);
        if (owner && mr_objects_owner_lives(of->state_dir, owner)) {
            of->horizon_us = started < of->horizon_us ? started : of->horizon_us;
            continue;
        }
        bind_text(put, 1, (const char *)sqlite3_column_text(running, 0));
        sqlite3_bind_text(put, 2, owner, -1, SQLITE_STATIC);
        status = step(of, put);
    }
    of->horizon_us -= CLOCK_SLACK_US;
    sqlite3_finalize(running);
    sqlite3_finalize(put);
    return status;
}

/* Not one that goes on; one whose process is gone is as good as ended. */
#define ENDED "(state <> 'running' OR EXISTS (SELECT 1 FROM dead WHERE dead.run = runs.run AND dead.owner IS runs.owner))"

static mr_status forget_runs(collection *of)
{
    static const char choose[] = "CREATE TEMP TABLE forgotten AS SELECT run FROM (SELECT run, coalesce(ended_us, started_us) AS at, row_number() "
                                 "OVER (ORDER BY started_us DESC)"
                                 " AS place FROM runs WHERE " ENDED ") WHERE at < ?1 OR place > ?2";
    static const char *const remove[] = {"DELETE FROM events WHERE run IN (SELECT run FROM forgotten)",
                                         "DELETE FROM run_tasks WHERE run IN (SELECT run FROM forgotten)",
                                         "DELETE FROM runs WHERE run IN (SELECT run FROM forgotten)"};
    sqlite3_stmt *statement = NULL;
    int64_t count = 0;
    mr_status status = execute(of, of->options->dry_run ? "BEGIN" : "BEGIN IMMEDIATE");
    if (status == MR_OK)
        status = prepare(of, choose, &statement);
    if (status == MR_OK) {
        sqlite3_bind_int64(statement, 1, of->options->older_than_us ? of->begun_us - of->options->older_than_us : INT64_MIN);
        sqlite3_bind_int64(statement, 2, MR_GC_RUNS);
        status = step(of, statement);
    }
    sqlite3_finalize(statement);
    if (status == MR_OK)
        status = number(of, "SELECT count(*) FROM forgotten", 0, &count);
    for (size_t i = 0; i < sizeof(remove) / sizeof(*remove) && status == MR_OK && !of->options->dry_run; i++)
        status = execute(of, remove[i]);
    if (status == MR_OK)
        status = execute(of, "COMMIT");
    of->report->runs = (uint64_t)count;
    return status;
}

/* ---- objects: what is there ---- */

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

static int64_t time_of(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000 + info->st_mtim.tv_nsec / 1000;
}

/* Whether the bytes are those that the name promises. */
static bool is_whole(int shard_fd, const char *name, const char *digest)
{
    char found[MR_DIGEST_TEXT];
    mr_autoclose int fd = openat(shard_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && mr_digest_fd(fd, found) == MR_OK && strcmp(found, digest) == 0;
}

static mr_status list_shard(collection *of, sqlite3_stmt *put, const char *shard)
{
    mr_status status = MR_OK;
    int fd = openat(of->root_fd, shard, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (!dir) {
        mr_cleanup_fd(&fd);
        return MR_OK; /* nobody made it yet */
    }
    while (status == MR_OK && (entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        char digest[MR_DIGEST_TEXT];
        struct stat info;
        if (!is_hex(entry->d_name, HEX - 2) || fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
            continue;
        snprintf(digest, sizeof(digest), "sha256:%s%s", shard, entry->d_name);
        bind_text(put, 1, digest);
        sqlite3_bind_int64(put, 2, info.st_size);
        sqlite3_bind_int64(put, 3, time_of(&info));
        sqlite3_bind_int(put, 4, of->options->verify && !is_whole(dirfd(dir), entry->d_name, digest));
        status = step(of, put);
    }
    closedir(dir);
    return status;
}

static mr_status list_objects(collection *of)
{
    sqlite3_stmt *put = NULL;
    mr_status status =
        execute(of, "CREATE TEMP TABLE objects (digest TEXT PRIMARY KEY, size INTEGER, time_us INTEGER, damaged INTEGER) WITHOUT ROWID");
    if (status == MR_OK)
        status = prepare(of, "INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4)", &put);
    for (unsigned i = 0; i < 256 && status == MR_OK; i++) {
        char shard[3];
        snprintf(shard, sizeof(shard), "%02x", i);
        status = list_shard(of, put, shard);
    }
    sqlite3_finalize(put);
    return status;
}

/* ---- results: which are doomed ---- */

/* needs: what each result names. used: when it was last used by a run that is remembered. */
static mr_status look_at_results(collection *of)
{
    mr_status status = execute(of, "CREATE TEMP TABLE needs (identity TEXT, digest TEXT, size INTEGER, PRIMARY KEY (identity, digest)) WITHOUT ROWID;"
                                   "INSERT OR IGNORE INTO needs SELECT identity, json_extract(o.value, '$.digest'), json_extract(o.value, '$.size')"
                                   " FROM results, json_each(results.outputs) o WHERE json_extract(o.value, '$.digest') IS NOT NULL;"
                                   "CREATE TEMP TABLE used (identity TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;"
                                   "INSERT INTO used SELECT identity, max(ended_us) FROM run_tasks WHERE identity IS NOT NULL"
                                   " AND run NOT IN (SELECT run FROM forgotten) GROUP BY identity;"
                                   "CREATE TEMP TABLE doomed (identity TEXT PRIMARY KEY, made_us INTEGER, broken INTEGER) WITHOUT ROWID");
    /* Those whose objects are gone or not as they should be. */
    if (status == MR_OK)
        status = execute(of, "INSERT OR IGNORE INTO doomed SELECT r.identity, r.made_us, 1 FROM results r JOIN needs n ON n.identity = r.identity"
                             " LEFT JOIN objects o ON o.digest = n.digest WHERE o.digest IS NULL OR o.damaged OR o.size <> n.size");
    /* Those that nobody used whom we remember. */
    if (status == MR_OK)
        status =
            execute(of, "INSERT OR IGNORE INTO doomed SELECT identity, made_us, 0 FROM results WHERE identity NOT IN (SELECT identity FROM used)");
    return status;
}

/* Lets go of what a result names; *total is what is left in use. */
static mr_status let_go(collection *of, sqlite3_stmt *needs, sqlite3_stmt *less, const char *identity, int64_t *total)
{
    mr_status status = MR_OK;
    bind_text(needs, 1, identity);
    while (status == MR_OK && sqlite3_step(needs) == SQLITE_ROW) {
        sqlite3_bind_text(less, 1, (const char *)sqlite3_column_text(needs, 0), -1, SQLITE_STATIC);
        const int code = sqlite3_step(less);
        if (code == SQLITE_ROW && sqlite3_column_int64(less, 0) == 0)
            *total -= sqlite3_column_int64(less, 1);
        else if (code != SQLITE_ROW && code != SQLITE_DONE)
            status = failed(of);
        sqlite3_reset(less);
    }
    sqlite3_reset(needs);
    return status;
}

static mr_status doom_by_size(collection *of)
{
    int64_t total = 0;
    sqlite3_stmt *oldest = NULL;
    sqlite3_stmt *needs = NULL;
    sqlite3_stmt *less = NULL;
    sqlite3_stmt *doom = NULL;
    mr_status status = execute(of, "CREATE TEMP TABLE counts (digest TEXT PRIMARY KEY, size INTEGER, users INTEGER) WITHOUT ROWID;"
                                   "INSERT INTO counts SELECT digest, max(size), count(*) FROM needs"
                                   " WHERE identity NOT IN (SELECT identity FROM doomed) GROUP BY digest");
    if (status == MR_OK)
        status = number(of, "SELECT coalesce(sum(size), 0) FROM counts", 0, &total);
    if (status == MR_OK)
        status = prepare(of,
                         "SELECT r.identity, r.made_us FROM results r LEFT JOIN used u ON u.identity = r.identity"
                         " WHERE r.identity NOT IN (SELECT identity FROM doomed) AND r.identity NOT IN (SELECT identity FROM held)"
                         " AND r.identity IN (SELECT identity FROM needs) ORDER BY coalesce(u.at, r.made_us), r.identity",
                         &oldest);
    if (status == MR_OK)
        status = prepare(of, "SELECT digest FROM needs WHERE identity = ?1", &needs);
    if (status == MR_OK)
        status = prepare(of, "UPDATE counts SET users = users - 1 WHERE digest = ?1 RETURNING users, size", &less);
    if (status == MR_OK)
        status = prepare(of, "INSERT INTO chosen VALUES (?1, ?2, 0)", &doom);
    while (status == MR_OK && total > of->options->max_bytes && sqlite3_step(oldest) == SQLITE_ROW) {
        const char *identity = (const char *)sqlite3_column_text(oldest, 0);
        bind_text(doom, 1, identity);
        sqlite3_bind_int64(doom, 2, sqlite3_column_int64(oldest, 1));
        status = step(of, doom);
        if (status == MR_OK)
            status = let_go(of, needs, less, identity, &total);
    }
    sqlite3_finalize(oldest);
    sqlite3_finalize(needs);
    sqlite3_finalize(less);
    sqlite3_finalize(doom);
    return status == MR_OK ? execute(of, "INSERT INTO doomed SELECT * FROM chosen") : status;
}

/* What runs used that go on, or that ended since this began. */
static mr_status look_what_is_held(collection *of)
{
    sqlite3_stmt *put = NULL;
    mr_status status = execute(of, "CREATE TEMP TABLE IF NOT EXISTS held (identity TEXT PRIMARY KEY) WITHOUT ROWID;"
                                   "CREATE TEMP TABLE IF NOT EXISTS chosen (identity TEXT, made_us INTEGER, broken INTEGER)");
    if (status == MR_OK)
        status = prepare(of,
                         "INSERT OR IGNORE INTO held SELECT identity FROM run_tasks WHERE identity IS NOT NULL"
                         " AND run IN (SELECT run FROM runs WHERE NOT " ENDED " OR ended_us >= ?1)",
                         &put);
    if (status == MR_OK) {
        sqlite3_bind_int64(put, 1, of->begun_us);
        status = step(of, put);
    }
    sqlite3_finalize(put);
    return status;
}

/* ---- removing ---- */

static mr_status remove_results(collection *of)
{
    static const char choose[] =
        "FROM results WHERE EXISTS (SELECT 1 FROM doomed d WHERE d.identity = results.identity AND d.made_us = results.made_us"
        " AND (d.broken OR d.identity NOT IN (SELECT identity FROM held)))";
    char sql[400];
    int64_t count = 0;
    mr_status status = execute(of, of->options->dry_run ? "BEGIN" : "BEGIN IMMEDIATE");
    if (status == MR_OK)
        status = look_what_is_held(of); /* again: now nobody can add to it */
    snprintf(sql, sizeof(sql), "SELECT count(*) %s", choose);
    if (status == MR_OK)
        status = number(of, sql, 0, &count);
    /* What the rest names, for the objects. */
    snprintf(sql, sizeof(sql), "CREATE TEMP TABLE going AS SELECT identity %s", choose);
    if (status == MR_OK)
        status = execute(of, sql);
    if (status == MR_OK && !of->options->dry_run)
        status = execute(of, "DELETE FROM results WHERE identity IN (SELECT identity FROM going)");
    if (status == MR_OK)
        status = execute(of, "COMMIT");
    of->report->results = (uint64_t)count;
    if (status == MR_OK)
        status = execute(of, "CREATE TEMP TABLE named (digest TEXT PRIMARY KEY) WITHOUT ROWID;"
                             "INSERT OR IGNORE INTO named SELECT json_extract(o.value, '$.digest') FROM results, json_each(results.outputs) o"
                             " WHERE json_extract(o.value, '$.digest') IS NOT NULL AND results.identity NOT IN (SELECT identity FROM going)");
    if (status == MR_OK)
        status = number(of, "SELECT count(*) FROM results WHERE identity NOT IN (SELECT identity FROM going)", 0, &count);
    of->report->kept_results = (uint64_t)count;
    return status;
}

/* The lock is held, so that nobody makes it young between the look and the removal. Damaged ones go whatever their age. */
static void remove_object(collection *of, const char *digest, bool damaged)
{
    char name[HEX + 2];
    struct stat info;
    const char *hex = digest + strlen("sha256:");
    snprintf(name, sizeof(name), "%.2s/%s", hex, hex + 2);
    if (fstatat(of->root_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || (!damaged && time_of(&info) >= of->horizon_us))
        return;
    if (!of->options->dry_run && unlinkat(of->root_fd, name, 0) != 0)
        return;
    of->report->objects++;
    of->report->bytes += (uint64_t)info.st_size;
    of->report->damaged += damaged;
}

static mr_status remove_objects(collection *of)
{
    sqlite3_stmt *garbage = NULL;
    mr_autofree char *lock_path = mr_path_join(of->state_dir, MR_GC_LOCK);
    mr_status status = lock_path ? prepare(of,
                                           "SELECT digest, damaged FROM objects WHERE damaged"
                                           " OR (time_us < ?1 AND digest NOT IN (SELECT digest FROM named)) ORDER BY digest",
                                           &garbage)
                                 : MR_ERR_NOMEM;
    bool more = status == MR_OK;
    if (more)
        sqlite3_bind_int64(garbage, 1, of->horizon_us);
    while (more && status == MR_OK) {
        mr_autoclose int lock = mr_lock_file(lock_path);
        if (lock < 0) {
            mr_error(of->diags, "state-io", nowhere, "can't lock '%s': %s", lock_path, strerrordesc_np(errno));
            status = MR_ERR_IO;
        }
        for (int i = 0; i < SLICE && status == MR_OK && (more = sqlite3_step(garbage) == SQLITE_ROW); i++)
            remove_object(of, (const char *)sqlite3_column_text(garbage, 0), sqlite3_column_int(garbage, 1) != 0);
    }
    sqlite3_finalize(garbage);
    return status;
}

static mr_status count_kept(collection *of)
{
    int64_t objects = 0;
    int64_t bytes = 0;
    mr_status status = number(of, "SELECT count(*) FROM objects", 0, &objects);
    if (status == MR_OK)
        status = number(of, "SELECT coalesce(sum(size), 0) FROM objects", 0, &bytes);
    of->report->kept_objects = (uint64_t)objects - of->report->objects;
    of->report->kept_bytes = (uint64_t)bytes - of->report->bytes;
    return status;
}

static mr_status collect(collection *of)
{
    mr_status status = look_at_runs(of);
    if (status == MR_OK)
        status = forget_runs(of);
    if (status == MR_OK)
        status = list_objects(of);
    if (status == MR_OK)
        status = look_at_results(of);
    if (status == MR_OK)
        status = look_what_is_held(of);
    if (status == MR_OK && of->options->max_bytes >= 0)
        status = doom_by_size(of);
    if (status == MR_OK)
        status = remove_results(of);
    if (status == MR_OK)
        status = remove_objects(of);
    return status == MR_OK ? count_kept(of) : status;
}

mr_status mr_gc(const char *state_dir, const mr_gc_options *options, mr_diags *diags, mr_gc_report *ret_report)
{
    mr_journal *journal = NULL;
    mr_objects *objects = NULL;
    mr_autofree char *root = mr_path_join(state_dir, "objects");
    *ret_report = (mr_gc_report){0};
    collection of = {.options = options, .report = ret_report, .diags = diags, .state_dir = state_dir, .root_fd = -1, .begun_us = mr_wall_us()};
    of.path = mr_path_join(state_dir, "tasks.db");
    mr_status status = of.path && root ? mr_journal_open(state_dir, true, diags, &journal) : MR_ERR_NOMEM; /* makes the tables as we know them */
    mr_journal_close(journal);
    if (status == MR_OK)
        status = mr_objects_open(state_dir, diags, &objects); /* sweeps what dead processes left */
    mr_objects_close(objects);
    if (status == MR_OK && (of.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        mr_error(diags, "state-io", nowhere, "can't open '%s': %s", root, strerrordesc_np(errno));
        status = MR_ERR_IO;
    }
    if (status == MR_OK) {
        mr_autofree char *real = realpath(of.path, NULL); /* links on the way are fine, the file itself is none */
        status = mr_store_connect(real ? real : of.path, diags, &of.db);
    }
    if (status == MR_OK)
        status = collect(&of);
    sqlite3_close(of.db);
    mr_cleanup_fd(&of.root_fd);
    free(of.path);
    return status;
}
