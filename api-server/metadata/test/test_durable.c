/* SPDX-License-Identifier: MIT */
/* The database over time: made by many at once, of an older version, of a newer one, none at all, and one whose writer was killed. */
#include "api-server/metadata/test/base.h"

#include "api-server/metadata/internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum { STEPS_MAX = 32, KILLS = 10, MAKERS = 8, NEW_FILES = 20 };

static size_t count_steps(void)
{
    size_t count = 0;
    while (mr_schema_steps[count])
        count++;
    return count;
}

static mr_status add_some(mr_sql_link *link, void *context)
{
    (void)context;
    mr_status status = mr_sql_do(link,
                                 "INSERT INTO users (id, email, email_key, name, password, role, disabled, version, quota_bytes, created_us)"
                                 " VALUES ('u_0000000000000000000old', 'old@example.org', 'old@example.org', 'Old', 'hash', 3, 0, 1, -1, 1)",
                                 "");
    if (status == MR_OK)
        status =
            mr_sql_do(link,
                      "INSERT INTO videos (id, owner, title, title_key, description, category, language, tags, metadata, visibility, status,"
                      " playable, complete, size, attempt, pipeline, params, filename, source, output, poster, poster_key, created_us, updated_us,"
                      " views, etag) VALUES ('v_0000000000000000000old', 'u_0000000000000000000old', 'Kept', 'kept', '', '', '', '[]', '{}', 0, 3, "
                      "1, 1, 7, 1, '', '{}', 'a.mp4', 'uploads/x',"
                      " 'media/v_0000000000000000000old/1', '', 'p', 1, 1, 5, 1)",
                      "");
    return status;
}

/* As a Millrace wrote it that knew only the first steps. */
static void write_old(const world *at, size_t known)
{
    const char *steps[STEPS_MAX] = {NULL};
    char why[256] = "";
    mr_sql *sql = NULL;
    memcpy(steps, mr_schema_steps, known * sizeof(*steps));
    const mr_sql_options options = {.driver = &mr_sqlite, .path = at->path, .steps = steps, .complain = complain};
    assert_int_equal(mr_sql_open(&options, why, sizeof(why), &sql), MR_OK);
    assert_int_equal(mr_sql_write(sql, add_some, NULL), MR_OK);
    mr_sql_close(sql);
}

static world empty_world(void)
{
    world at = {.dir = "/tmp/metadata-XXXXXX"};
    assert_non_null(mkdtemp(at.dir));
    snprintf(at.path, sizeof(at.path), "%s/metadata.db", at.dir);
    return at;
}

static void test_older_versions(void **state)
{
    (void)state;
    for (size_t known = 1; known <= count_steps(); known++) {
        world at = empty_world();
        const mr_video_view *view = NULL;
        write_old(&at, known);
        for (int again = 0; again < 2; again++) { /* what is up to date stays as it is */
            open_world(&at);
            assert_int_equal(mr_video_look(at.metadata, "v_0000000000000000000old", &view), MR_OK);
            assert_non_null(strstr(view->json, "\"title\":\"Kept\""));
            assert_non_null(strstr(view->json, "\"views\":5"));
            assert_int_equal(mr_user_count(at.metadata), 1);
            if (!again)
                mr_metadata_close(at.metadata);
        }
        /* All of the schema is there. */
        const mr_poster_run run = {.run = "r", .video = "v_0000000000000000000old", .output = "posters/v_0000000000000000000old/k"};
        bool counted = false;
        assert_int_equal(mr_poster_run_add(at.metadata, &run), MR_OK);
        assert_int_equal(mr_view_add(at.metadata, "v_0000000000000000000old", "me", &counted), MR_OK);
        assert_true(counted);
        end_world(&at);
    }
}

static void expect_refused(const world *at, const char *words)
{
    char why[256] = "";
    mr_metadata *metadata = NULL;
    assert_int_not_equal(mr_metadata_open(at->path, complain, NULL, why, sizeof(why), &metadata), MR_OK);
    assert_null(metadata);
    if (!strstr(why, words) || !strstr(why, at->path))
        fail_msg("'%s' does not say '%s' of '%s'", why, words, at->path);
}

static void test_what_is_not_ours(void **state)
{
    static const char noise[] =
        "this is a text, and long enough to be taken for something else, if one does not look: ................................";
    const char *const steps[] = {
        "CREATE TABLE one (x)", "CREATE TABLE two (x)", "CREATE TABLE three (x)", "CREATE TABLE a4 (x)", "CREATE TABLE a5 (x)",
        "CREATE TABLE a6 (x)",  "CREATE TABLE a7 (x)",  "CREATE TABLE a8 (x)",    "CREATE TABLE a9 (x)", NULL};
    char why[256] = "";
    mr_sql *sql = NULL;
    (void)state;
    world at = empty_world();
    const mr_sql_options newer = {.driver = &mr_sqlite, .path = at.path, .steps = steps, .complain = complain};
    assert_true(count_steps() < sizeof(steps) / sizeof(*steps) - 1);
    assert_int_equal(mr_sql_open(&newer, why, sizeof(why), &sql), MR_OK);
    mr_sql_close(sql);
    expect_refused(&at, "newer Millrace");
    end_world(&at);

    at = empty_world();
    FILE *file = fopen(at.path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(noise, 1, sizeof(noise), file), sizeof(noise));
    assert_int_equal(fclose(file), 0);
    expect_refused(&at, "not a database");
    end_world(&at);
}

/* Adds people, and says of each on its standard output that he is there, until it is killed: what this program is when it is given a path. */
static void write_until_killed(const char *path)
{
    char why[256] = "";
    mr_metadata *metadata = NULL;
    if (mr_metadata_open(path, complain, NULL, why, sizeof(why), &metadata) != MR_OK)
        _exit(1);
    for (;;) {
        mr_user user = {.role = MR_ROLE_VIEWER, .version = 1, .quota_bytes = -1, .created_us = mr_now_us(), .password = "hash"};
        if (!mr_id_make('u', user.id))
            _exit(1);
        snprintf(user.email, sizeof(user.email), "%s@example.org", user.id);
        if (mr_user_add(metadata, &user, false) != MR_OK || write(STDOUT_FILENO, user.id, MR_ID_SIZE) != MR_ID_SIZE)
            _exit(1);
    }
}

/* A program of its own: neither an open SQLite database nor its thread may be taken across fork(). */
static pid_t start_writer(world *at, int said)
{
    char self[] = "/proc/self/exe";
    char *const words[] = {self, at->path, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, said, STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(&child, self, &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void kill_one(world *at, int after)
{
    char last[MR_ID_SIZE], id[MR_ID_SIZE] = "";
    int ends[2], status = 0, count = 0;
    mr_user user;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = start_writer(at, ends[1]);
    close(ends[1]);
    for (; count < after && read(ends[0], id, sizeof(id)) == sizeof(id); count++)
        memcpy(last, id, sizeof(last));
    kill(child, SIGKILL);
    while (read(ends[0], id, sizeof(id)) == sizeof(id)) { /* what it said before it died */
        memcpy(last, id, sizeof(last));
        count++;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    const int64_t was = mr_user_count(at->metadata);
    assert_int_equal(mr_user_find(at->metadata, last, &user), MR_OK);
    assert_true(was >= count);
}

static void test_killed_while_it_writes(void **state)
{
    (void)state;
    world at = empty_world();
    open_world(&at);
    mr_metadata_close(at.metadata);
    for (int i = 0; i < KILLS; i++) {
        open_world(&at); /* somebody reads meanwhile, as the server does beside the command */
        kill_one(&at, 1 + i * 3);
        char id[MR_ID_SIZE];
        const int64_t before = mr_user_count(at.metadata);
        char email[64];
        snprintf(email, sizeof(email), "after%d@example.org", i);
        add_somebody(&at, email, MR_ROLE_VIEWER, id); /* nothing of the dead one is in the way */
        assert_int_equal(mr_user_count(at.metadata), before + 1);
        mr_metadata_close(at.metadata);
    }
    open_world(&at);
    end_world(&at);
}

typedef struct maker {
    pthread_t thread;
    pthread_barrier_t *start;
    const char *path;
    mr_status status;
    char why[256];
} maker;

static void *make_it(void *context)
{
    maker *it = context;
    mr_metadata *metadata = NULL;
    pthread_barrier_wait(it->start);
    it->status = mr_metadata_open(it->path, complain, NULL, it->why, sizeof(it->why), &metadata);
    mr_metadata_close(metadata);
    return NULL;
}

/* A server and commands on a new data folder: each has connections of its own, as these threads have. */
static void test_many_make_it(void **state)
{
    (void)state;
    for (int i = 0; i < NEW_FILES; i++) {
        world at = empty_world();
        maker makers[MAKERS];
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, MAKERS);
        for (int k = 0; k < MAKERS; k++) {
            makers[k] = (maker){.start = &start, .path = at.path};
            assert_int_equal(pthread_create(&makers[k].thread, NULL, make_it, &makers[k]), 0);
        }
        for (int k = 0; k < MAKERS; k++)
            pthread_join(makers[k].thread, NULL);
        pthread_barrier_destroy(&start);
        end_world(&at);
        for (int k = 0; k < MAKERS; k++) {
            if (makers[k].status != MR_OK)
                fail_msg("%s", makers[k].why);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        write_until_killed(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_versions),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_killed_while_it_writes),
        cmocka_unit_test(test_many_make_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
