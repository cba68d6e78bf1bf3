/* SPDX-License-Identifier: MIT */
/*
 * The task store: what was done, on the disk before anyone hears of it.
 *
 * Invariants
 *   - Changes are made by the writer thread only, in the order in which they were queued. A caller that waits has its change on its own stack:
 *     nothing of it is copied. One that does not (mr_store_task_submit) leaves a copy; of those at most MR_STORE_QUEUE_MAX wait, then their
 *     callers do: so a slow disk slows the workers instead of filling memory. The writer's own calls (from a callback) never wait.
 *   - Callbacks run on the writer thread, without the store's lock, in the order of the queue.
 *   - The writer takes all that waits, up to MR_STORE_GROUP_MAX, as one transaction: one sync of the disk serves them all. When a
 *     group fails it is tried again one by one, so that only the change at fault gets the error.
 *   - A change is seen by mr_store_find_result() when the call that made it returned, not before.
 */
#include "runtime/state/store_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "runtime/state/lock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A change that outlives its call, with its texts. */
typedef struct kept_change {
    mr_change it; /* first */
    mr_task_record task;
    mr_result result;
    char text[];
} kept_change;

struct mr_store {
    char *path;
    mr_changes changes; /* the writer thread's, with its connection */
    pthread_t writer;
    bool writer_started;

    pthread_mutex_t lock;  /* the queue */
    pthread_cond_t wanted; /* the queue has something, or closing */
    pthread_cond_t room;   /* there is room for changes that nobody waits for */
    mr_change *first;
    mr_change *last;
    size_t kept; /* in the queue, of those that nobody waits for */
    bool closing;

    pthread_mutex_t read_lock;
    sqlite3 *reader_db;
    sqlite3_stmt *find_result;
};

static const mr_span nowhere;

static mr_status no_memory(mr_diags *diags)
{
    mr_error(diags, "no-memory", nowhere, "out of memory");
    return MR_ERR_NOMEM;
}

/* ---- the writer ---- */

/* One transaction of the count changes from first on. SQLITE_OK: it is on the disk. */
static int commit_group(mr_store *store, mr_change *first, size_t count)
{
    sqlite3 *db = store->changes.db;
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    mr_change *it = first;
    for (size_t i = 0; i < count && code == SQLITE_OK; i++, it = it->next)
        code = mr_change_apply(&store->changes, it);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return code;
    snprintf(first->detail, sizeof(first->detail), "%s", code == SQLITE_NOTFOUND ? "no such run" : sqlite3_errmsg(db));
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static void write_group(mr_store *store, mr_change *first, size_t count)
{
    int code = commit_group(store, first, count);
    mr_change *it = first;
    if (code == SQLITE_OK || count == 1) {
        for (size_t i = 0; i < count; i++, it = it->next)
            it->code = code;
        return;
    }
    for (size_t i = 0; i < count; i++, it = it->next)
        it->code = commit_group(store, it, 1);
}

/* What became of it. */
static mr_status status_of(const mr_store *store, const mr_change *it, mr_diags *diags)
{
    if (it->code == SQLITE_OK)
        return MR_OK;
    if (it->code == SQLITE_NOTFOUND && it->kind == MR_CHANGE_TASK)
        return MR_ERR_NOT_FOUND;
    if (it->code == SQLITE_NOTFOUND) {
        mr_error(diags, "store-run", nowhere, "the task store '%s' has no run '%s'", store->path, it->run);
        return MR_ERR_NOT_FOUND;
    }
    if (it->code == SQLITE_CONSTRAINT_PRIMARYKEY && it->kind == MR_CHANGE_RUN_BEGIN) {
        mr_error(diags, "store-run", nowhere, "the task store '%s' has a run '%s' already", store->path, it->run);
        return MR_ERR_CONFLICT;
    }
    return mr_store_error(diags, store->path, it->code, it->detail);
}

static void free_texts(mr_change *it)
{
    free(it->json);
    it->json = NULL;
    free(it->facts);
    it->facts = NULL;
}

/* Without the lock. Frees it. */
static void notify(const mr_store *store, mr_change *it)
{
    mr_diags *diags = it->code == SQLITE_OK ? NULL : mr_diags_new();
    it->notify(it->context, status_of(store, it, diags), diags);
    mr_diags_free(diags);
    free_texts(it);
    free(it);
}

/* Takes up to MR_STORE_GROUP_MAX changes off the queue. Lock held. */
static mr_change *take_group(mr_store *store, size_t *ret_count)
{
    mr_change *group = store->first;
    mr_change *end = group;
    size_t kept = group->notify != NULL;
    *ret_count = 1;
    while (end->next && *ret_count < MR_STORE_GROUP_MAX) {
        end = end->next;
        kept += end->notify != NULL;
        ++*ret_count;
    }
    store->first = end->next;
    if (!store->first)
        store->last = NULL;
    store->kept -= kept;
    if (kept)
        pthread_cond_broadcast(&store->room);
    return group;
}

/* Lock held, but for callbacks. */
static void end_group(mr_store *store, mr_change *group, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mr_change *it = group;
        group = it->next;
        if (it->notify) {
            pthread_mutex_unlock(&store->lock);
            notify(store, it);
            pthread_mutex_lock(&store->lock);
        } else {
            it->done = true; /* its caller, and with it the change, may be gone as soon as the lock is */
            pthread_cond_signal(&it->ready);
        }
    }
}

static void *write_loop(void *context)
{
    mr_store *store = context;
    pthread_mutex_lock(&store->lock);
    for (;;) {
        size_t count = 0;
        while (!store->first && !store->closing)
            pthread_cond_wait(&store->wanted, &store->lock);
        if (!store->first)
            break; /* closing, and nobody waits */
        mr_change *group = take_group(store, &count);
        pthread_mutex_unlock(&store->lock);
        write_group(store, group, count);
        pthread_mutex_lock(&store->lock);
        end_group(store, group, count);
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

/* Lock held. */
static void queue(mr_store *store, mr_change *it)
{
    it->now_us = mr_wall_us();
    if (store->last)
        store->last->next = it;
    else
        store->first = it;
    store->last = it;
    pthread_cond_signal(&store->wanted);
}

/* Waits until the change is on the disk, or failed. */
static mr_status submit(mr_store *store, mr_change *it, mr_diags *diags)
{
    pthread_cond_init(&it->ready, NULL);
    pthread_mutex_lock(&store->lock);
    queue(store, it);
    while (!it->done)
        pthread_cond_wait(&it->ready, &store->lock);
    pthread_mutex_unlock(&store->lock);
    pthread_cond_destroy(&it->ready);
    free_texts(it);
    return status_of(store, it, diags);
}

/* ---- opening and closing ---- */

static mr_status prepare(mr_store *store, mr_diags *diags)
{
    sqlite3 *db = store->changes.db;
    if (mr_changes_prepare(&store->changes) != SQLITE_OK)
        return mr_store_error(diags, store->path, sqlite3_extended_errcode(db), sqlite3_errmsg(db));
    db = store->reader_db;
    if (sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v3(db, "SELECT outputs FROM results WHERE identity = ?1", -1, SQLITE_PREPARE_PERSISTENT, &store->find_result, NULL) !=
            SQLITE_OK)
        return mr_store_error(diags, store->path, sqlite3_extended_errcode(db), sqlite3_errmsg(db));
    return MR_OK;
}

/* Under a lock between processes: turning a new file into a WAL database is not safe against others who do the same. */
static mr_status connect_both(mr_store *store, const char *state_dir, mr_diags *diags)
{
    mr_status status = mr_dir_make(state_dir, 0700, diags);
    if (status != MR_OK)
        return status;
    mr_autofree char *dir = realpath(state_dir, NULL);
    if (!dir) {
        mr_error(diags, "state-io", nowhere, "can't find '%s': %s", state_dir, strerror(errno)); // NOLINT(concurrency-mt-unsafe): glibc's is safe
        return MR_ERR_IO;
    }
    mr_autofree char *lock_path = mr_path_join(dir, "tasks.lock");
    store->path = mr_path_join(dir, "tasks.db");
    if (!lock_path || !store->path)
        return no_memory(diags);
    mr_autoclose int lock = mr_lock_file(lock_path);
    if (lock < 0) {
        mr_error(diags, "state-io", nowhere, "can't lock '%s': %s", lock_path, strerror(errno)); // NOLINT(concurrency-mt-unsafe)
        mr_hint(diags, "choose a state folder that you may write to with --state");
        return MR_ERR_IO;
    }
    status = mr_store_connect(store->path, diags, &store->changes.db);
    if (status == MR_OK)
        status = mr_store_migrate(store->changes.db, store->path, diags);
    if (status == MR_OK)
        status = mr_store_connect(store->path, diags, &store->reader_db);
    return status == MR_OK ? prepare(store, diags) : status;
}

mr_status mr_store_open(const char *state_dir, mr_diags *diags, mr_store **ret_store)
{
    *ret_store = NULL;
    mr_store *store = calloc(1, sizeof(*store));
    if (!store)
        return no_memory(diags);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->read_lock, NULL);
    pthread_cond_init(&store->wanted, NULL);
    pthread_cond_init(&store->room, NULL);
    mr_status status = connect_both(store, state_dir, diags);
    if (status == MR_OK) {
        store->writer_started = pthread_create(&store->writer, NULL, write_loop, store) == 0;
        if (!store->writer_started) {
            mr_error(diags, "threads", nowhere, "can't start the task store's writer thread");
            mr_hint(diags, "raise the limit of processes (ulimit -u)");
            status = MR_ERR_LIMIT;
        }
    }
    if (status != MR_OK) {
        mr_store_close(store);
        return status;
    }
    *ret_store = store;
    return MR_OK;
}

void mr_store_close(mr_store *store)
{
    if (!store)
        return;
    if (store->writer_started) {
        pthread_mutex_lock(&store->lock);
        store->closing = true;
        pthread_cond_signal(&store->wanted);
        pthread_mutex_unlock(&store->lock);
        pthread_join(store->writer, NULL);
    }
    mr_changes_finalize(&store->changes);
    sqlite3_finalize(store->find_result);
    sqlite3_close(store->reader_db);
    sqlite3_close(store->changes.db);
    pthread_cond_destroy(&store->wanted);
    pthread_cond_destroy(&store->room);
    pthread_mutex_destroy(&store->read_lock);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}

/* ---- calls ---- */

static mr_status add_json(mr_change *it, const json_t *value, mr_diags *diags)
{
    it->json = mr_json_text(value);
    if (!it->json)
        return no_memory(diags);
    it->json_len = strlen(it->json);
    if (it->json_len <= MR_STORE_OUTPUTS_MAX)
        return MR_OK;
    mr_error(diags, "store-size", nowhere, "a description of %zu bytes can't be stored: the limit is %zu", it->json_len, MR_STORE_OUTPUTS_MAX);
    free(it->json);
    it->json = NULL;
    return MR_ERR_LIMIT;
}

static mr_status add_result(mr_change *it, const mr_result *result, mr_diags *diags)
{
    mr_status status = result ? add_json(it, result->outputs, diags) : MR_OK;
    if (status == MR_OK && result && result->facts && !(it->facts = mr_json_text(result->facts))) {
        free_texts(it);
        status = no_memory(diags);
    }
    return status;
}

mr_status mr_store_task_done(mr_store *store, const mr_task_record *record, const mr_result *result, mr_diags *diags)
{
    mr_change it = {.kind = MR_CHANGE_TASK, .task = record, .result = result, .run = record->run};
    mr_status status = add_result(&it, result, diags);
    return status == MR_OK ? submit(store, &it, diags) : status;
}

/* The text at *at, which is moved behind it; NULL stays NULL. */
static const char *keep_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    const size_t size = strlen(text) + 1;
    char *kept = memcpy(*at, text, size);
    *at += size;
    return kept;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static mr_change *keep_change(const mr_task_record *record, const mr_result *result)
{
    const size_t size = text_size(record->run) + text_size(record->node) + text_size(record->item) + text_size(record->identity) +
                        text_size(record->state) + text_size(record->reason) + (result ? text_size(result->identity) + text_size(result->op) : 0);
    kept_change *kept = calloc(1, sizeof(*kept) + size);
    if (!kept)
        return NULL;
    char *at = kept->text;
    kept->task = *record;
    kept->task.run = keep_text(&at, record->run);
    kept->task.node = keep_text(&at, record->node);
    kept->task.item = keep_text(&at, record->item);
    kept->task.identity = keep_text(&at, record->identity);
    kept->task.state = keep_text(&at, record->state);
    kept->task.reason = keep_text(&at, record->reason);
    kept->it = (mr_change){.kind = MR_CHANGE_TASK, .task = &kept->task, .run = kept->task.run};
    if (result) {
        kept->result = (mr_result){.identity = keep_text(&at, result->identity), .op = keep_text(&at, result->op)};
        kept->it.result = &kept->result;
    }
    return &kept->it;
}

mr_status mr_store_task_submit(mr_store *store, const mr_task_record *record, const mr_result *result, mr_store_ended *ended, void *context,
                               mr_diags *diags)
{
    mr_change *it = keep_change(record, result);
    if (!it)
        return no_memory(diags);
    mr_status status = add_result(it, result, diags);
    if (status != MR_OK) {
        free(it);
        return status;
    }
    it->notify = ended;
    it->context = context;
    pthread_mutex_lock(&store->lock);
    while (store->kept >= MR_STORE_QUEUE_MAX && !pthread_equal(pthread_self(), store->writer))
        pthread_cond_wait(&store->room, &store->lock);
    store->kept++;
    queue(store, it);
    pthread_mutex_unlock(&store->lock);
    return MR_OK;
}

mr_status mr_store_run_begin(mr_store *store, const char *run, const char *pipeline, const char *owner, const json_t *given, mr_diags *diags)
{
    mr_change it = {.kind = MR_CHANGE_RUN_BEGIN, .run = run, .pipeline = pipeline, .owner = owner};
    mr_status status = given ? add_json(&it, given, diags) : MR_OK;
    return status == MR_OK ? submit(store, &it, diags) : status;
}

mr_status mr_store_run_end(mr_store *store, const char *run, const char *state, const char *reason, mr_diags *diags)
{
    mr_change it = {.kind = MR_CHANGE_RUN_END, .run = run, .state = state, .reason = reason};
    return submit(store, &it, diags);
}

/* *ret_text is malloc()ed, or NULL when there is none. SQLite's code. read_lock is held. */
static int find(mr_store *store, const char *identity, char **ret_text, size_t *ret_len)
{
    sqlite3_stmt *statement = store->find_result;
    sqlite3_bind_text(statement, 1, identity, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const void *text = sqlite3_column_text(statement, 0);
        *ret_len = (size_t)sqlite3_column_bytes(statement, 0);
        *ret_text = text ? malloc(*ret_len + 1) : NULL;
        if (*ret_text)
            memcpy(*ret_text, text, *ret_len);
        code = *ret_text ? SQLITE_DONE : SQLITE_NOMEM;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

mr_status mr_store_find_result(mr_store *store, const char *identity, mr_diags *diags, json_t **ret_outputs)
{
    char *text = NULL;
    size_t len = 0;
    mr_status status = MR_OK;
    *ret_outputs = NULL;
    pthread_mutex_lock(&store->read_lock);
    int code = find(store, identity, &text, &len);
    if (code != SQLITE_OK)
        status = mr_store_error(diags, store->path, code, sqlite3_errmsg(store->reader_db));
    pthread_mutex_unlock(&store->read_lock);
    if (status != MR_OK)
        return status;
    if (!text)
        return MR_ERR_NOT_FOUND;
    *ret_outputs = json_loadb(text, len, 0, NULL);
    free(text);
    if (json_is_array(*ret_outputs))
        return MR_OK;
    mr_warning(diags, "store-damaged", nowhere, "the task store '%s' holds a result '%s' that can't be read: it is made again", store->path,
               identity);
    json_decref(*ret_outputs);
    *ret_outputs = NULL;
    return MR_ERR_NOT_FOUND;
}
