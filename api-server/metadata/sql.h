/* SPDX-License-Identifier: MIT */
/*
 * The SQL that the metadata is made of, and whoever runs it: a driver. Statements are constants, numbered ?1 ?2 …, in the part of the language that
 * SQLite and PostgreSQL share; what they don't is in schema.c and search.c.
 *
 * One thread writes. Changes of many threads wait in a queue; it takes all that wait as one transaction, each within a savepoint, so that one sync of
 * the disk serves them all and a change that fails undoes nothing but itself. Every other thread reads by a connection of its own, without a lock.
 */
#ifndef MR_METADATA_SQL_H
#define MR_METADATA_SQL_H

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_SQL_WORDS = 400 };

/* A connection is one thread's. Prepared statements are kept by the driver, by the address of their text. Codes: 0 is good, the rest the driver's. */
typedef struct mr_sql_driver {
    /* On an error why says what is wrong. steps: the schema's, brought up to date by the writer. */
    mr_status (*open)(const char *path, bool writer, const char *const *steps, char *why, size_t why_size, void **ret_connection);
    void (*close)(void *connection);
    void *(*prepare)(void *connection, const char *text); /* NULL: an error */
    void (*bind_text)(void *statement, int at, const char *value, size_t len);
    void (*bind_int)(void *statement, int at, int64_t value);
    void (*bind_double)(void *statement, int at, double value);
    mr_status (*step)(void *statement);                                /* MR_OK: a row; MR_END; MR_ERR_CONFLICT: a constraint; others */
    const char *(*text)(void *statement, int column, size_t *ret_len); /* NULL: no value */
    int64_t (*integer)(void *statement, int column);
    double (*real)(void *statement, int column);
    void (*reset)(void *statement);
    int64_t (*changed)(void *connection);     /* rows, of the last statement */
    int64_t (*last_number)(void *connection); /* of the row that was added last */
    const char *(*error)(void *connection);
} mr_sql_driver;

extern const mr_sql_driver mr_sqlite;

typedef struct mr_sql mr_sql;
typedef struct mr_sql_link mr_sql_link;
typedef mr_status (*mr_sql_change)(mr_sql_link *link, void *context);

typedef struct mr_sql_options {
    const mr_sql_driver *driver;
    const char *path;
    const char *const *steps; /* each brings the schema from its index to the next; ends with NULL */
    void (*complain)(void *context, const char *message);
    void *context;
} mr_sql_options;

mr_status mr_sql_open(const mr_sql_options *options, char *why, size_t why_size, mr_sql **ret_sql);
void mr_sql_close(mr_sql *sql); /* what waits is written first. NULL is fine */

mr_sql_link *mr_sql_reader(mr_sql *sql); /* this thread's. NULL: it can't be had, and that was said */
/* What a thread keeps beside its reader; freed with it. */
void **mr_sql_beside(mr_sql_link *link, void (*destroy)(void *));
/* Runs change on the writer's thread, within a transaction. MR_OK: it returned that, and it is on the disk. Else nothing of it is. */
mr_status mr_sql_write(mr_sql *sql, mr_sql_change change, void *context);

/* ---- statements: on a reader, or in a change ---- */

typedef struct mr_sql_rows {
    mr_sql_link *link;
    void *statement;
    mr_status status; /* of the last step */
} mr_sql_rows;

/* kinds: a letter for each value that follows: t text (NULL is none), i int64_t, d double, e text where "" is none,
 * n int64_t and m double of which those below 0 are none. */
mr_sql_rows mr_sql_ask(mr_sql_link *link, const char *text, const char *kinds, ...);
bool mr_sql_next(mr_sql_rows *rows);
const char *mr_sql_text(const mr_sql_rows *rows, int column); /* "" for none; until the next step */
void mr_sql_copy(const mr_sql_rows *rows, int column, char *to, size_t size);
bool mr_sql_has(const mr_sql_rows *rows, int column);
int64_t mr_sql_int(const mr_sql_rows *rows, int column);
double mr_sql_real(const mr_sql_rows *rows, int column);
mr_status mr_sql_end(mr_sql_rows *rows); /* MR_OK, or the error that ended it. Every ask has one */
/* A statement without rows. MR_ERR_NOT_FOUND: it changed nothing. */
mr_status mr_sql_do(mr_sql_link *link, const char *text, const char *kinds, ...);
int64_t mr_sql_number(mr_sql_link *link);
/* One whole number of one row. < 0: there is no row, or an error. */
int64_t mr_sql_count(mr_sql_link *link, const char *text, const char *kinds, ...);

#endif
