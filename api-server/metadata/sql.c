/* SPDX-License-Identifier: MIT */
/*
 * The queue of changes, its one writer, and the threads' readers (sql.h).
 *
 * Invariants
 *   - A change lies on its caller's stack until `done`, which the writer sets under the lock as the last thing it does with it.
 *   - `done` comes after COMMIT, so after the sync. A commit that fails fails every change of its group; nothing of them is there then.
 *   - Readers are in the list `links` from their first use until their thread or the database ends; the list's lock is for that alone.
 */
#include "api-server/metadata/sql.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_MAX = 256 };

struct mr_sql_link {
    mr_sql *sql;
    void *connection;
    void *beside;
    void (*beside_destroy)(void *);
    mr_sql_link *next, *before;
};

typedef struct queued {
    mr_sql_change change;
    void *context;
    mr_status status;
    bool done;
    pthread_cond_t ended;
    struct queued *next;
} queued;

struct mr_sql {
    mr_sql_options options;
    char *path;
    mr_sql_link writer;
    pthread_t thread;
    bool thread_runs;
    pthread_key_t key;
    bool key_made;

    pthread_mutex_t lock; /* the queue */
    pthread_cond_t wanted;
    queued *first, *last;
    bool closing;

    pthread_mutex_t links_lock;
    mr_sql_link *links;
};

static void complain(const mr_sql *sql, const char *what, const char *words)
{
    char message[MR_SQL_WORDS * 2];
    snprintf(message, sizeof(message), "'%s': %s: %s", sql->path, what, words);
    if (sql->options.complain)
        sql->options.complain(sql->options.context, message);
}

/* ---- the writer ---- */

static mr_status say(mr_sql_link *link, const char *text)
{
    mr_status status = mr_sql_do(link, text, "");
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static void apply(mr_sql_link *link, queued *it)
{
    it->status = say(link, "SAVEPOINT one_change");
    if (it->status != MR_OK)
        return;
    it->status = it->change(link, it->context);
    if (it->status != MR_OK)
        say(link, "ROLLBACK TO one_change");
    mr_status status = say(link, "RELEASE one_change");
    it->status = it->status == MR_OK ? status : it->status;
}

static void write_group(mr_sql *sql, queued *group)
{
    mr_sql_link *link = &sql->writer;
    mr_status status = say(link, "BEGIN IMMEDIATE");
    for (queued *it = group; it && status == MR_OK; it = it->next)
        apply(link, it);
    if (status == MR_OK)
        status = say(link, "COMMIT");
    if (status == MR_OK)
        return;
    say(link, "ROLLBACK");
    for (queued *it = group; it; it = it->next)
        it->status = it->status == MR_OK ? status : it->status;
}

/* Lock held. */
static queued *take_group(mr_sql *sql)
{
    queued *group = sql->first;
    queued *end = group;
    for (size_t i = 1; i < GROUP_MAX && end->next; i++)
        end = end->next;
    sql->first = end->next;
    if (!sql->first)
        sql->last = NULL;
    end->next = NULL;
    return group;
}

static void *write_loop(void *context)
{
    mr_sql *sql = context;
    pthread_mutex_lock(&sql->lock);
    for (;;) {
        while (!sql->first && !sql->closing)
            pthread_cond_wait(&sql->wanted, &sql->lock);
        if (!sql->first)
            break;
        queued *group = take_group(sql);
        pthread_mutex_unlock(&sql->lock);
        write_group(sql, group);
        pthread_mutex_lock(&sql->lock);
        while (group) {
            queued *it = group;
            group = it->next; /* its caller, and with it the change, may be gone as soon as the lock is */
            it->done = true;
            pthread_cond_signal(&it->ended);
        }
    }
    pthread_mutex_unlock(&sql->lock);
    return NULL;
}

mr_status mr_sql_write(mr_sql *sql, mr_sql_change change, void *context)
{
    queued it = {.change = change, .context = context};
    pthread_cond_init(&it.ended, NULL);
    pthread_mutex_lock(&sql->lock);
    if (sql->last)
        sql->last->next = &it;
    else
        sql->first = &it;
    sql->last = &it;
    pthread_cond_signal(&sql->wanted);
    while (!it.done)
        pthread_cond_wait(&it.ended, &sql->lock);
    pthread_mutex_unlock(&sql->lock);
    pthread_cond_destroy(&it.ended);
    return it.status;
}

/* ---- readers ---- */

static void free_link(mr_sql_link *link)
{
    if (link->beside && link->beside_destroy)
        link->beside_destroy(link->beside);
    link->sql->options.driver->close(link->connection);
    free(link);
}

/* The thread ends. */
static void drop_link(void *context)
{
    mr_sql_link *link = context;
    mr_sql *sql = link->sql;
    pthread_mutex_lock(&sql->links_lock);
    if (link->before)
        link->before->next = link->next;
    else
        sql->links = link->next;
    if (link->next)
        link->next->before = link->before;
    pthread_mutex_unlock(&sql->links_lock);
    free_link(link);
}

static mr_sql_link *open_reader(mr_sql *sql)
{
    char why[MR_SQL_WORDS] = "out of memory";
    mr_sql_link *link = calloc(1, sizeof(*link));
    if (!link || sql->options.driver->open(sql->path, false, sql->options.steps, why, sizeof(why), &link->connection) != MR_OK) {
        complain(sql, "it can't be read", why);
        free(link);
        return NULL;
    }
    link->sql = sql;
    pthread_mutex_lock(&sql->links_lock);
    link->next = sql->links;
    if (sql->links)
        sql->links->before = link;
    sql->links = link;
    pthread_mutex_unlock(&sql->links_lock);
    if (pthread_setspecific(sql->key, link) == 0)
        return link;
    drop_link(link);
    return NULL;
}

mr_sql_link *mr_sql_reader(mr_sql *sql)
{
    mr_sql_link *link = pthread_getspecific(sql->key);
    return link ? link : open_reader(sql);
}

void **mr_sql_beside(mr_sql_link *link, void (*destroy)(void *))
{
    link->beside_destroy = destroy;
    return &link->beside;
}

/* ---- opening and closing ---- */

mr_status mr_sql_open(const mr_sql_options *options, char *why, size_t why_size, mr_sql **ret_sql)
{
    char words[MR_SQL_WORDS] = "out of memory";
    mr_status status = MR_ERR_NOMEM;
    mr_sql *sql = calloc(1, sizeof(*sql));
    *ret_sql = NULL;
    if (!sql)
        goto failed;
    sql->options = *options;
    pthread_mutex_init(&sql->lock, NULL);
    pthread_mutex_init(&sql->links_lock, NULL);
    pthread_cond_init(&sql->wanted, NULL);
    sql->writer.sql = sql;
    sql->path = strdup(options->path);
    sql->key_made = sql->path && pthread_key_create(&sql->key, drop_link) == 0;
    if (!sql->key_made)
        goto failed;
    status = options->driver->open(sql->path, true, options->steps, words, sizeof(words), &sql->writer.connection);
    if (status != MR_OK)
        goto failed;
    sql->thread_runs = pthread_create(&sql->thread, NULL, write_loop, sql) == 0;
    if (!sql->thread_runs) {
        status = MR_ERR_NOMEM;
        goto failed;
    }
    *ret_sql = sql;
    return MR_OK;
failed:
    snprintf(why, why_size, "'%s' can't be used: %s", options->path, words);
    mr_sql_close(sql);
    return status;
}

void mr_sql_close(mr_sql *sql)
{
    if (!sql)
        return;
    if (sql->thread_runs) {
        pthread_mutex_lock(&sql->lock);
        sql->closing = true;
        pthread_cond_signal(&sql->wanted);
        pthread_mutex_unlock(&sql->lock);
        pthread_join(sql->thread, NULL);
    }
    if (sql->key_made)
        pthread_key_delete(sql->key); /* threads that live on don't come back to their reader */
    while (sql->links) {
        mr_sql_link *link = sql->links;
        sql->links = link->next;
        free_link(link);
    }
    sql->options.driver->close(sql->writer.connection);
    pthread_cond_destroy(&sql->wanted);
    pthread_mutex_destroy(&sql->links_lock);
    pthread_mutex_destroy(&sql->lock);
    free(sql->path);
    free(sql);
}

/* ---- statements ---- */

static mr_sql_rows ask(mr_sql_link *link, const char *text, const char *kinds, va_list values)
{
    mr_sql_rows rows = {.link = link, .status = MR_ERR_IO};
    const mr_sql_driver *driver = link ? link->sql->options.driver : NULL;
    if (!link)
        return rows;
    rows.statement = driver->prepare(link->connection, text);
    if (!rows.statement) {
        complain(link->sql, text, driver->error(link->connection));
        return rows;
    }
    rows.status = MR_OK;
    for (int at = 1; *kinds; kinds++, at++) {
        const char *value = NULL;
        int64_t number = 0;
        double real = 0;
        switch (*kinds) {
        case 'i': driver->bind_int(rows.statement, at, va_arg(values, int64_t)); break;
        case 'd': driver->bind_double(rows.statement, at, va_arg(values, double)); break;
        case 'n':
            number = va_arg(values, int64_t);
            if (number < 0)
                driver->bind_text(rows.statement, at, NULL, 0);
            else
                driver->bind_int(rows.statement, at, number);
            break;
        case 'm':
            real = va_arg(values, double);
            if (real < 0)
                driver->bind_text(rows.statement, at, NULL, 0);
            else
                driver->bind_double(rows.statement, at, real);
            break;
        default:
            value = va_arg(values, const char *);
            value = *kinds == 'e' && value && value[0] == '\0' ? NULL : value;
            driver->bind_text(rows.statement, at, value, value ? strlen(value) : 0);
        }
    }
    return rows;
}

mr_sql_rows mr_sql_ask(mr_sql_link *link, const char *text, const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    mr_sql_rows rows = ask(link, text, kinds, values);
    va_end(values);
    return rows;
}

bool mr_sql_next(mr_sql_rows *rows)
{
    if (rows->status != MR_OK)
        return false;
    const mr_sql_driver *driver = rows->link->sql->options.driver;
    rows->status = driver->step(rows->statement);
    if (rows->status < 0 && rows->status != MR_ERR_CONFLICT)
        complain(rows->link->sql, "a statement failed", driver->error(rows->link->connection));
    return rows->status == MR_OK;
}

const char *mr_sql_text(const mr_sql_rows *rows, int column)
{
    size_t len = 0;
    const char *text = rows->link->sql->options.driver->text(rows->statement, column, &len);
    return text ? text : "";
}

void mr_sql_copy(const mr_sql_rows *rows, int column, char *to, size_t size)
{
    snprintf(to, size, "%s", mr_sql_text(rows, column));
}

bool mr_sql_has(const mr_sql_rows *rows, int column)
{
    size_t len = 0;
    return rows->link->sql->options.driver->text(rows->statement, column, &len) != NULL;
}

int64_t mr_sql_int(const mr_sql_rows *rows, int column)
{
    return rows->link->sql->options.driver->integer(rows->statement, column);
}

double mr_sql_real(const mr_sql_rows *rows, int column)
{
    return rows->link->sql->options.driver->real(rows->statement, column);
}

mr_status mr_sql_end(mr_sql_rows *rows)
{
    if (rows->statement)
        rows->link->sql->options.driver->reset(rows->statement);
    rows->statement = NULL;
    return rows->status < 0 ? rows->status : MR_OK;
}

mr_status mr_sql_do(mr_sql_link *link, const char *text, const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    mr_sql_rows rows = ask(link, text, kinds, values);
    va_end(values);
    mr_sql_next(&rows);
    const int64_t changed = rows.statement ? link->sql->options.driver->changed(link->connection) : 0;
    mr_status status = mr_sql_end(&rows);
    return status == MR_OK && changed == 0 ? MR_ERR_NOT_FOUND : status;
}

int64_t mr_sql_number(mr_sql_link *link)
{
    return link->sql->options.driver->last_number(link->connection);
}

int64_t mr_sql_count(mr_sql_link *link, const char *text, const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    mr_sql_rows rows = ask(link, text, kinds, values);
    va_end(values);
    const int64_t count = mr_sql_next(&rows) ? mr_sql_int(&rows, 0) : -1;
    return mr_sql_end(&rows) == MR_OK ? count : -1;
}
