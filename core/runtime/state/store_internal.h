/* SPDX-License-Identifier: MIT */
/*
 * What the store's files share: a connection with its prepared statements, and the schema. Not for anyone outside store*.c.
 * A connection is used by one thread at a time: the writer's by the writer thread, the reader's under its mutex.
 */
#ifndef MR_RUNTIME_STORE_INTERNAL_H
#define MR_RUNTIME_STORE_INTERNAL_H

#include "runtime/state/store.h"

#include <pthread.h>
#include <sqlite3.h>

#define MR_STORE_BUSY_MS     20000               /* how long another process may hold the store */
#define MR_STORE_OUTPUTS_MAX ((size_t)256 << 20) /* bytes of a result's description */
#define MR_STORE_GROUP_MAX   256u                /* changes in one transaction */
#define MR_STORE_QUEUE_MAX   1024u               /* changes that wait without a caller who does; more make their callers wait */

/* Opens the database file with what every connection needs. Reports what is wrong; *ret_db is NULL then. */
mr_status mr_store_connect(const char *path, mr_diags *diags, sqlite3 **ret_db);
/* Makes or upgrades the tables; refuses a newer schema and other programs' databases. Only one process at a time may be in here. */
mr_status mr_store_migrate(sqlite3 *db, const char *path, mr_diags *diags);
/* What SQLite said, in words that help. code: extended or not. */
mr_status mr_store_error(mr_diags *diags, const char *path, int code, const char *detail);

typedef enum mr_change_kind { MR_CHANGE_TASK, MR_CHANGE_RUN_BEGIN, MR_CHANGE_RUN_END } mr_change_kind;

/* One call: on its caller's stack, who waits; or (with ended) on the heap, the writer's to free. */
typedef struct mr_change {
    mr_change_kind kind;
    const mr_task_record *task;
    const mr_result *result;
    const char *run;
    const char *pipeline; /* MR_CHANGE_RUN_BEGIN */
    const char *owner;    /* MR_CHANGE_RUN_BEGIN */
    const char *state;    /* MR_CHANGE_RUN_END */
    const char *reason;   /* MR_CHANGE_RUN_END */
    char *json;           /* the result's outputs, or what the run was given */
    size_t json_len;
    char *facts; /* the result's; NULL: none */
    int64_t now_us;
    int code;         /* SQLite's */
    char detail[128]; /* its words */
    bool done;
    pthread_cond_t ready;   /* done; one for each caller, so that nobody is woken for another's */
    mr_store_ended *notify; /* NULL: the caller waits */
    void *context;
    struct mr_change *next;
} mr_change;

/* What makes changes: prepared once, used by the writer thread. store_changes.c */
#define MR_CHANGE_STATEMENTS 6
typedef struct mr_changes {
    sqlite3 *db;
    sqlite3_stmt *statements[MR_CHANGE_STATEMENTS];
} mr_changes;

int mr_changes_prepare(mr_changes *changes); /* SQLite's code */
void mr_changes_finalize(mr_changes *changes);
/* In a transaction. SQLite's code; SQLITE_NOTFOUND: no such run, or the result that was reused is gone. */
int mr_change_apply(mr_changes *changes, const mr_change *it);

#endif
