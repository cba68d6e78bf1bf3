/* SPDX-License-Identifier: MIT */
/*
 * What the store's files share: a connection with its prepared statements, and the schema. Not for anyone outside store*.c.
 * A connection is used by one thread at a time: the writer's by the writer thread, the reader's under its mutex.
 */
#ifndef MR_RUNTIME_STORE_INTERNAL_H
#define MR_RUNTIME_STORE_INTERNAL_H

#include "runtime/store.h"

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

#endif
