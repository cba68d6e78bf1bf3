/* SPDX-License-Identifier: MIT */
/* The task store: what is recorded is found again, by any thread, process or later run; what can't be used is said clearly. */
#include "base/file.h"
#include "runtime/state/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    char state[64];
    char path[96]; /* of the database */
    mr_diags *diags;
    mr_store *store;
} world;

static int set_up_closed(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->state, sizeof(it->state), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->state));
    snprintf(it->path, sizeof(it->path), "%s/tasks.db", it->state);
    it->diags = mr_diags_new();
    *context = it;
    return 0;
}

static int set_up(void **context)
{
    assert_int_equal(set_up_closed(context), 0);
    world *it = *context;
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_store_close(it->store);
    mr_diags_free(it->diags);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* All rows of a query, as "a|b\nc|d". */
static void assert_rows(const char *path, const char *sql, const char *expected)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char text[2048] = "";
    size_t len = 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "|" : len ? "\n" : "", value ? value : "-");
            assert_true(len < sizeof(text));
        }
    }
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_string_equal(text, expected);
}

static mr_task_record task(const char *run, const char *item, const char *identity, const char *state)
{
    return (mr_task_record){
        .run = run, .node = "video", .item = item, .identity = identity, .state = state, .started_us = 10, .ended_us = 20, .cpu_us = 5, .attempt = 1};
}

static mr_status finish(mr_store *store, const char *run, const char *item, const char *identity, int number)
{
    const mr_task_record record = task(run, item, identity, "succeeded");
    mr_autojson json_t *outputs = json_pack("[{s:i}]", "port", number);
    const mr_result result = {.identity = identity, .op = "test.op", .outputs = outputs};
    return mr_store_task_done(store, &record, &result, NULL);
}

static int found(mr_store *store, const char *identity)
{
    mr_autojson json_t *outputs = NULL;
    if (mr_store_find_result(store, identity, NULL, &outputs) != MR_OK)
        return -1;
    return (int)json_integer_value(json_object_get(json_array_get(outputs, 0), "port"));
}

static void test_a_result_is_found_at_once_and_after_reopening(void **context)
{
    world *it = *context;
    assert_int_equal(found(it->store, "sha256:1"), -1);
    assert_int_equal(finish(it->store, "r1", "0", "sha256:1", 7), MR_OK);
    assert_int_equal(found(it->store, "sha256:1"), 7);
    assert_int_equal(finish(it->store, "r2", "0", "sha256:1", 8), MR_OK); /* made again: the newer counts */
    assert_int_equal(found(it->store, "sha256:1"), 8);
    mr_store_close(it->store);
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    assert_int_equal(found(it->store, "sha256:1"), 8);
    assert_int_equal(found(it->store, "sha256:2"), -1);
    assert_int_equal(mr_diags_errors(it->diags), 0);
}

static void test_no_result_is_found_without_a_word(void **context)
{
    world *it = *context;
    json_t *outputs = NULL;
    assert_int_equal(mr_store_find_result(it->store, "sha256:1", it->diags, &outputs), MR_ERR_NOT_FOUND);
    assert_null(outputs);
    assert_null(mr_diags_first(it->diags));
}

static void test_a_run_is_journalled_in_order(void **context)
{
    world *it = *context;
    mr_autojson json_t *given = json_pack("{s:s}", "preset", "medium");
    assert_int_equal(mr_store_run_begin(it->store, "r1", "vod", "proc-1", given, it->diags), MR_OK);
    mr_task_record record = task("r1", "0", NULL, "failed");
    record.reason = "the disk is away";
    assert_int_equal(mr_store_task_done(it->store, &record, NULL, it->diags), MR_OK);
    record = task("r1", "0", "sha256:1", "succeeded");
    record.attempt = 2;
    mr_autojson json_t *outputs = json_array();
    const mr_result result = {.identity = "sha256:1", .op = "test.op", .outputs = outputs};
    assert_int_equal(mr_store_task_done(it->store, &record, &result, it->diags), MR_OK);
    record = task("r1", "1", "sha256:2", "cached"); /* its result was collected: nothing is recorded, and nothing said */
    assert_int_equal(mr_store_task_done(it->store, &record, NULL, it->diags), MR_ERR_NOT_FOUND);
    assert_null(mr_diags_first(it->diags));
    record.identity = "sha256:1";
    assert_int_equal(mr_store_task_done(it->store, &record, NULL, it->diags), MR_OK);
    assert_int_equal(mr_store_run_end(it->store, "r1", "succeeded", NULL, it->diags), MR_OK);
    assert_rows(it->path, "SELECT run, pipeline, given, state, reason, ended_us >= started_us FROM runs",
                "r1|vod|{\"preset\":\"medium\"}|succeeded|-|1");
    assert_rows(it->path, "SELECT node, item, identity, state, reason, attempt, started_us, ended_us, cpu_us FROM run_tasks ORDER BY item",
                "video|0|sha256:1|succeeded|-|2|10|20|5\nvideo|1|sha256:1|cached|-|1|10|20|5");
    assert_rows(it->path, "SELECT seq, event, node, item, state, reason, attempt FROM events ORDER BY seq",
                "1|run.started|-|-|running|-|-\n2|task.done|video|0|failed|the disk is away|1\n3|task.done|video|0|succeeded|-|2\n"
                "4|task.done|video|1|cached|-|1\n5|run.done|-|-|succeeded|-|-");
}

static void test_a_run_begins_once_and_ends_only_when_it_began(void **context)
{
    world *it = *context;
    assert_int_equal(mr_store_run_begin(it->store, "r1", "vod", "proc-1", NULL, it->diags), MR_OK);
    assert_int_equal(mr_store_run_begin(it->store, "r1", "vod", "proc-1", NULL, it->diags), MR_ERR_CONFLICT);
    assert_int_equal(mr_store_run_end(it->store, "r2", "failed", "no", it->diags), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_diags_errors(it->diags), 2);
    assert_rows(it->path, "SELECT count(*) FROM events", "1");
}

static void test_a_refused_change_leaves_nothing_of_itself(void **context)
{
    world *it = *context;
    mr_task_record record = task("r1", "0", "sha256:1", "succeeded");
    record.node = NULL; /* the tables refuse it, after its result was put */
    mr_autojson json_t *outputs = json_array();
    const mr_result result = {.identity = "sha256:1", .op = "test.op", .outputs = outputs};
    assert_int_equal(mr_store_task_done(it->store, &record, &result, it->diags), MR_ERR_IO);
    assert_non_null(strstr(mr_diags_first(it->diags)->message, "run_tasks.node"));
    assert_int_equal(found(it->store, "sha256:1"), -1);
    assert_int_equal(finish(it->store, "r1", "0", "sha256:1", 3), MR_OK);
    assert_int_equal(found(it->store, "sha256:1"), 3);
}

static void test_texts_come_back_as_they_were(void **context)
{
    world *it = *context;
    mr_autojson json_t *outputs = json_pack("[{s:s, s:f}]", "meta", "\xc3\xa9\xe2\x82\xac \"'; DROP TABLE results; --", "x", 0.1);
    mr_autojson json_t *back = NULL;
    const mr_task_record record = task("r1", "0", "sha256:'1", "succeeded");
    const mr_result result = {.identity = "sha256:'1", .op = "test.op", .outputs = outputs};
    assert_int_equal(mr_store_task_done(it->store, &record, &result, it->diags), MR_OK);
    assert_int_equal(mr_store_find_result(it->store, "sha256:'1", it->diags, &back), MR_OK);
    assert_true(json_equal(outputs, back));
}

static void test_a_result_that_can_not_be_read_is_as_if_it_were_not_there(void **context)
{
    world *it = *context;
    json_t *outputs = NULL;
    execute(it->path, "INSERT INTO results (identity, op, outputs, made_us) VALUES ('sha256:1', 'test.op', '[{', 1)");
    assert_int_equal(mr_store_find_result(it->store, "sha256:1", it->diags, &outputs), MR_ERR_NOT_FOUND);
    assert_null(outputs);
    assert_int_equal(mr_diags_warnings(it->diags), 1);
    assert_int_equal(finish(it->store, "r1", "0", "sha256:1", 4), MR_OK);
    assert_int_equal(found(it->store, "sha256:1"), 4);
}

/* ---- what can't be opened ---- */

static void assert_refused(world *it, mr_status status, const char *says, const char *hint)
{
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), status);
    assert_null(it->store);
    assert_int_equal(mr_diags_errors(it->diags), 1);
    const mr_diag *diag = mr_diags_first(it->diags);
    assert_non_null(strstr(diag->message, it->path));
    if (!strstr(diag->message, says))
        fail_msg("'%s' does not say '%s'", diag->message, says);
    assert_non_null(diag->hint);
    assert_non_null(strstr(diag->hint, hint));
}

static void test_a_file_that_is_no_database(void **context)
{
    world *it = *context;
    static const char text[] =
        "this was never a database, however long one looks at it: it is a text, and a text it stays, for a hundred bytes and more.";
    assert_int_equal(mr_file_write_atomic(it->path, text, sizeof(text), 0600, NULL), MR_OK);
    assert_refused(it, MR_ERR_IO, "is damaged", "move it");
}

static void test_a_database_with_overwritten_pages(void **context)
{
    world *it = *context;
    char noise[4096 * 3];
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    mr_store_close(it->store);
    it->store = NULL;
    memset(noise, 0xa5, sizeof(noise));
    int fd = open(it->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 100), sizeof(noise)); /* the header stays, the table of tables goes */
    close(fd);
    assert_refused(it, MR_ERR_IO, "is damaged", "move it");
}

static void test_a_newer_schema_is_refused(void **context)
{
    world *it = *context;
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    assert_int_equal(finish(it->store, "r1", "0", "sha256:1", 3), MR_OK);
    mr_store_close(it->store);
    it->store = NULL;
    execute(it->path, "PRAGMA user_version = 99");
    assert_refused(it, MR_ERR_UNSUPPORTED, "newer millrace: its schema is 99", "newer millrace");
    assert_rows(it->path, "SELECT count(*) FROM results", "1"); /* untouched */
}

static void test_a_database_of_another_program_is_refused(void **context)
{
    world *it = *context;
    execute(it->path, "CREATE TABLE recipes (name TEXT)");
    assert_refused(it, MR_ERR_CONFLICT, "another program", "--state");
    assert_rows(it->path, "SELECT name FROM sqlite_schema", "recipes");
}

static void test_a_link_in_place_of_the_database_is_not_followed(void **context)
{
    world *it = *context;
    char target[96];
    snprintf(target, sizeof(target), "%s/elsewhere.db", it->state);
    assert_int_equal(symlink(target, it->path), 0);
    assert_refused(it, MR_ERR_IO, "can't write to", "--state");
    assert_int_equal(access(target, F_OK), -1);
}

static void test_a_migration_that_fails_leaves_the_former_schema(void **context)
{
    world *it = *context;
    /* One of our files in which a table of the first migration exists already. */
    execute(it->path, "PRAGMA application_id = 1296847427; CREATE TABLE events (x); PRAGMA user_version = 0");
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_ERR_IO);
    assert_int_equal(mr_diags_errors(it->diags), 1);
    assert_rows(it->path, "SELECT name FROM sqlite_schema", "events");
    assert_rows(it->path, "PRAGMA user_version", "0");
}

/* ---- threads ---- */

enum { THREADS = 12, TASKS = 25 };

typedef struct job {
    mr_store *store;
    unsigned number;
    unsigned good;
} job;

static void *record_many(void *context)
{
    job *it = context;
    for (unsigned i = 0; i < TASKS; i++) {
        char identity[40];
        char item[24];
        snprintf(identity, sizeof(identity), "sha256:%u-%u", it->number, i);
        snprintf(item, sizeof(item), "%u,%u", it->number, i);
        mr_status status = finish(it->store, "r1", item, identity, (int)i);
        it->good += status == MR_OK && found(it->store, identity) == (int)i;
    }
    return NULL;
}

static void test_many_threads_record_at_once(void **context)
{
    world *it = *context;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (job){.store = it->store, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].good, TASKS);
    }
    assert_rows(it->path, "SELECT count(*), count(DISTINCT item) FROM run_tasks", "300|300");
    assert_rows(it->path, "SELECT count(*), min(seq), max(seq) FROM events", "300|1|300");
}

/* One change of a group is at fault: it alone gets the error. */
static void *record_bad(void *context)
{
    job *it = context;
    for (unsigned i = 0; i < TASKS; i++) {
        mr_task_record record = task("r1", "bad", NULL, "failed");
        record.node = NULL;
        it->good += mr_store_task_done(it->store, &record, NULL, NULL) == MR_ERR_IO;
    }
    return NULL;
}

static void test_a_bad_change_does_not_spoil_its_group(void **context)
{
    world *it = *context;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (job){.store = it->store, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, i % 4 == 0 ? record_bad : record_many, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].good, TASKS);
    }
    assert_rows(it->path, "SELECT count(*) FROM run_tasks", "225");
}

/* ---- processes ---- */

static void test_several_processes_share_a_store(void **context)
{
    world *it = *context;
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork(); /* before anything is open */
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            job mine = {.number = i};
            if (mr_store_open(it->state, NULL, &mine.store) == MR_OK)
                record_many(&mine);
            mr_store_close(mine.store);
            _exit(mine.good == TASKS ? 0 : 1);
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int how = -1;
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_int_equal(how, 0);
    }
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    assert_int_equal(found(it->store, "sha256:3-24"), 24);
    assert_rows(it->path, "SELECT count(*), max(seq) FROM events", "100|100");
}

/* A process that dies without closing: what it was told is recorded is there. */
static void test_what_was_recorded_survives_its_process(void **context)
{
    world *it = *context;
    int how = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mr_store *store = NULL;
        bool good = mr_store_open(it->state, NULL, &store) == MR_OK && finish(store, "r1", "0", "sha256:1", 9) == MR_OK;
        if (good)
            raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    assert_int_equal(found(it->store, "sha256:1"), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_result_is_found_at_once_and_after_reopening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_result_is_found_without_a_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_is_journalled_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_begins_once_and_ends_only_when_it_began, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_change_leaves_nothing_of_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_come_back_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_result_that_can_not_be_read_is_as_if_it_were_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_database, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_a_database_with_overwritten_pages, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_a_newer_schema_is_refused, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_a_database_of_another_program_is_refused, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_a_link_in_place_of_the_database_is_not_followed, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_a_migration_that_fails_leaves_the_former_schema, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads_record_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_change_does_not_spoil_its_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_processes_share_a_store, set_up_closed, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_recorded_survives_its_process, set_up_closed, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
