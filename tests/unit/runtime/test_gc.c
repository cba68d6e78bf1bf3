/* SPDX-License-Identifier: MIT */
/* Collecting: what goes, what stays, and that a run which goes on loses nothing while it is collected around it. */
#include "base/clock.h"
#include "base/file.h"
#include "runtime/state/gc.h"
#include "runtime/state/objects.h"
#include "runtime/state/store.h"

#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_US 3600000000ll

typedef struct world {
    char state[64];
    mr_diags *diags;
    mr_objects *objects;
    mr_store *store;
    mr_gc_report report;
} world;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->state, sizeof(it->state), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->state));
    it->diags = mr_diags_new();
    assert_int_equal(mr_objects_open(it->state, it->diags, &it->objects), MR_OK);
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_store_close(it->store);
    mr_objects_close(it->objects);
    mr_diags_free(it->diags);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

static void execute(const world *it, const char *sql)
{
    char path[96];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/tasks.db", it->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Stores a content; its digest. */
static mr_status put(mr_objects *objects, const char *bytes, char ret_digest[MR_DIGEST_TEXT])
{
    mr_object_writer *writer = NULL;
    uint64_t size = 0;
    mr_status status = mr_objects_writer(objects, NULL, &writer);
    if (status == MR_OK)
        status = mr_object_write_at(writer, 0, bytes, strlen(bytes), NULL);
    if (status == MR_OK)
        return mr_object_commit(writer, NULL, ret_digest, &size);
    mr_object_discard(writer);
    return status;
}

static void path_of(const world *it, const char *digest, char path[160])
{
    snprintf(path, 160, "%s/objects/%.2s/%s", it->state, digest + 7, digest + 9);
}

/* As if it had been made long ago. */
static void age(const world *it, const char *digest)
{
    char path[160];
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    path_of(it, digest, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static mr_status record(mr_store *store, const char *run, const char *item, const char *identity, const char *digest, size_t size, const char *state)
{
    mr_autojson json_t *outputs = json_pack("[{s:s, s:I}]", "digest", digest ? digest : "", "size", (json_int_t)size);
    const int64_t now = mr_wall_us();
    const mr_task_record task = {
        .run = run, .node = "video", .item = item, .identity = identity, .state = state, .started_us = now, .ended_us = now, .attempt = 1};
    const mr_result result = {.identity = identity, .op = "test.op", .outputs = outputs};
    return mr_store_task_done(store, &task, digest ? &result : NULL, NULL);
}

/* All contents. */
static void age_all(const world *it)
{
    glob_t found;
    char pattern[96];
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    snprintf(pattern, sizeof(pattern), "%s/objects/*/*", it->state);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        assert_int_equal(utimensat(AT_FDCWD, found.gl_pathv[i], times, 0), 0);
    globfree(&found);
}

/* A run that made one old content and has ended. */
static void make(world *it, const char *run, const char *identity, const char *bytes, char ret_digest[MR_DIGEST_TEXT])
{
    assert_int_equal(mr_store_run_begin(it->store, run, "vod", NULL, NULL, it->diags), MR_OK);
    assert_int_equal(put(it->objects, bytes, ret_digest), MR_OK);
    age(it, ret_digest);
    assert_int_equal(record(it->store, run, "0", identity, ret_digest, strlen(bytes), "succeeded"), MR_OK);
    assert_int_equal(mr_store_run_end(it->store, run, "succeeded", NULL, it->diags), MR_OK);
    /* Long before the collection began. */
    execute(it, "UPDATE runs SET started_us = started_us - 7200000000, ended_us = ended_us - 7200000000");
}

static void collect(world *it, mr_gc_options options)
{
    assert_int_equal(mr_gc(it->state, &options, it->diags, &it->report), MR_OK);
    assert_int_equal(mr_diags_errors(it->diags), 0);
}

static bool is_found(world *it, const char *identity)
{
    mr_autojson json_t *outputs = NULL;
    return mr_store_find_result(it->store, identity, NULL, &outputs) == MR_OK;
}

static const mr_gc_options plain = {.max_bytes = -1};

static void test_what_is_used_stays_and_what_nobody_names_goes(void **context)
{
    world *it = *context;
    char used[MR_DIGEST_TEXT];
    char orphan[MR_DIGEST_TEXT];
    make(it, "r1", "sha256:1", "used", used);
    assert_int_equal(put(it->objects, "orphan", orphan), MR_OK);
    age(it, orphan);
    collect(it, (mr_gc_options){.max_bytes = -1, .dry_run = true});
    assert_int_equal(it->report.objects, 1);
    assert_int_equal(it->report.bytes, 6);
    assert_true(mr_objects_has(it->objects, orphan, 6)); /* said, not done */
    collect(it, plain);
    assert_int_equal(it->report.objects, 1);
    assert_int_equal(it->report.bytes, 6);
    assert_int_equal(it->report.kept_objects, 1);
    assert_int_equal(it->report.results, 0);
    assert_false(mr_objects_has(it->objects, orphan, 6));
    assert_true(mr_objects_has(it->objects, used, 4));
    assert_true(is_found(it, "sha256:1"));
    collect(it, plain);
    assert_int_equal(it->report.objects, 0);
}

static void test_old_runs_are_forgotten_with_what_only_they_used(void **context)
{
    world *it = *context;
    char one[MR_DIGEST_TEXT];
    char both[MR_DIGEST_TEXT];
    make(it, "r1", "sha256:1", "one", one);
    make(it, "r2", "sha256:2", "both", both);
    execute(it, "UPDATE runs SET ended_us = 1000, started_us = 500"); /* both long ago; the next one is not */
    make(it, "r3", "sha256:3", "both", both);
    collect(it, (mr_gc_options){.max_bytes = -1, .older_than_us = 5 * HOUR_US});
    assert_int_equal(it->report.runs, 2);
    assert_int_equal(it->report.results, 2);
    assert_int_equal(it->report.objects, 1);
    assert_false(mr_objects_has(it->objects, one, 3));
    assert_true(mr_objects_has(it->objects, both, 4)); /* r3's as well */
    assert_false(is_found(it, "sha256:2"));
    assert_true(is_found(it, "sha256:3"));
    execute(it, "CREATE TEMP TABLE none AS SELECT 1 / (SELECT count(*) = 0 FROM events WHERE run <> 'r3')");
}

static void test_by_size_the_longest_unused_goes_first(void **context)
{
    world *it = *context;
    char digests[3][MR_DIGEST_TEXT];
    make(it, "r1", "sha256:1", "aaaa", digests[0]);
    make(it, "r2", "sha256:2", "bbbb", digests[1]);
    make(it, "r3", "sha256:3", "cccc", digests[2]);
    /* The first was used again, last of all. */
    execute(it, "UPDATE run_tasks SET ended_us = CASE run WHEN 'r1' THEN 30 WHEN 'r2' THEN 10 ELSE 20 END");
    collect(it, (mr_gc_options){.max_bytes = 8});
    assert_int_equal(it->report.results, 1);
    assert_int_equal(it->report.bytes, 4);
    assert_false(is_found(it, "sha256:2"));
    collect(it, (mr_gc_options){.max_bytes = 7});
    assert_false(is_found(it, "sha256:3"));
    assert_true(is_found(it, "sha256:1"));
    collect(it, (mr_gc_options){.max_bytes = 0});
    assert_int_equal(it->report.kept_bytes, 0);
}

static void test_results_whose_content_is_gone_or_damaged_go(void **context)
{
    world *it = *context;
    char gone[MR_DIGEST_TEXT];
    char cut[MR_DIGEST_TEXT];
    char spoiled[MR_DIGEST_TEXT];
    char path[160];
    make(it, "r1", "sha256:1", "gone", gone);
    make(it, "r2", "sha256:2", "cut short", cut);
    make(it, "r3", "sha256:3", "spoiled", spoiled);
    path_of(it, gone, path);
    assert_int_equal(unlink(path), 0);
    path_of(it, cut, path);
    assert_int_equal(truncate(path, 3), 0);
    age(it, cut);
    path_of(it, spoiled, path);
    assert_int_equal(chmod(path, 0644), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "S", 1, 0), 1);
    close(fd);
    collect(it, plain);
    assert_false(is_found(it, "sha256:1"));
    assert_false(is_found(it, "sha256:2"));
    assert_true(is_found(it, "sha256:3")); /* only its bytes tell */
    assert_false(mr_objects_has(it->objects, cut, 3));
    collect(it, (mr_gc_options){.max_bytes = -1, .verify = true});
    assert_int_equal(it->report.damaged, 1); /* though it is young: it was changed just now */
    assert_false(is_found(it, "sha256:3"));
    assert_false(mr_objects_has(it->objects, spoiled, 7));
}

static void test_a_run_that_goes_on_keeps_what_it_made_and_used(void **context)
{
    world *it = *context;
    char old[MR_DIGEST_TEXT];
    char early[MR_DIGEST_TEXT];
    char again[MR_DIGEST_TEXT];
    make(it, "r1", "sha256:1", "old", old);
    assert_int_equal(put(it->objects, "again", again), MR_OK);
    age(it, again);
    assert_int_equal(mr_store_run_begin(it->store, "r2", "vod", mr_objects_owner(it->objects), NULL, it->diags), MR_OK);
    assert_int_equal(put(it->objects, "early", early), MR_OK); /* not recorded yet */
    assert_int_equal(put(it->objects, "again", again), MR_OK); /* was there, and nobody names it */
    assert_int_equal(record(it->store, "r2", "0", "sha256:1", NULL, 0, "cached"), MR_OK);
    collect(it, (mr_gc_options){.max_bytes = 0, .older_than_us = 1});
    assert_int_equal(it->report.runs, 1); /* r1 */
    assert_true(mr_objects_has(it->objects, early, 5));
    assert_true(mr_objects_has(it->objects, again, 5));
    assert_true(mr_objects_has(it->objects, old, 3));
    assert_true(is_found(it, "sha256:1"));
}

/* ---- a run and collections at the same time ---- */

typedef struct traffic {
    world *it;
    atomic_bool enough;
    atomic_int runs;
    atomic_int lost;
    atomic_int reused;
} traffic;

static bool whole(world *it, const char *digest, const char *bytes)
{
    char text[32] = "";
    int fd = -1;
    uint64_t size = 0;
    if (mr_objects_fd(it->objects, digest, NULL, &fd, &size) != MR_OK)
        return false;
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    return got == (ssize_t)strlen(bytes) && memcmp(text, bytes, (size_t)got) == 0;
}

/* What the engine does for a task, over and over; each run names few contents, which all have made before. */
static void *run_tasks(void *context)
{
    enum { TASKS = 12 };
    traffic *of = context;
    world *it = of->it;
    for (int r = 0; !atomic_load(&of->enough); r++) {
        char run[16];
        char digests[TASKS][MR_DIGEST_TEXT];
        snprintf(run, sizeof(run), "t%d", r);
        mr_store_run_begin(it->store, run, "vod", mr_objects_owner(it->objects), NULL, NULL);
        for (int t = 0; t < TASKS; t++) {
            char bytes[32];
            char identity[32];
            char item[16];
            mr_autojson json_t *outputs = NULL;
            snprintf(bytes, sizeof(bytes), "content %d", t + r % 3);
            snprintf(identity, sizeof(identity), "sha256:%d", t + r % 3);
            snprintf(item, sizeof(item), "%d", t);
            const bool found = mr_store_find_result(it->store, identity, NULL, &outputs) == MR_OK;
            const char *digest = json_string_value(json_object_get(json_array_get(outputs, 0), "digest"));
            if (found && digest && mr_objects_has(it->objects, digest, strlen(bytes)) &&
                record(it->store, run, item, identity, NULL, 0, "cached") == MR_OK) {
                snprintf(digests[t], sizeof(digests[t]), "%s", digest);
                atomic_fetch_add(&of->reused, 1);
            } else if (put(it->objects, bytes, digests[t]) != MR_OK ||
                       record(it->store, run, item, identity, digests[t], strlen(bytes), "succeeded") != MR_OK) {
                atomic_fetch_add(&of->lost, 1);
            }
        }
        for (int t = 0; t < TASKS; t++) { /* what the run relies on is there until its end */
            char bytes[32];
            snprintf(bytes, sizeof(bytes), "content %d", t + r % 3);
            if (!whole(it, digests[t], bytes))
                atomic_fetch_add(&of->lost, 1);
        }
        mr_store_run_end(it->store, run, "succeeded", NULL, NULL);
        atomic_fetch_add(&of->runs, 1);
    }
    return NULL;
}

static void test_collected_around_a_run(void **context)
{
    world *it = *context;
    traffic of = {.it = it};
    pthread_t thread;
    uint64_t dropped = 0;
    int rounds = 0;
    assert_int_equal(pthread_create(&thread, NULL, run_tasks, &of), 0);
    /* Until both ways were gone: that something is dropped takes a collection between two runs, which are close together. */
    while (atomic_load(&of.runs) < 40 || atomic_load(&of.reused) == 0 || dropped == 0) {
        collect(it, (mr_gc_options){.max_bytes = 0, .older_than_us = rounds % 2 ? 1 : 0});
        dropped += it->report.results;
        rounds++;
    }
    atomic_store(&of.enough, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&of.lost), 0);
}

/* ---- killed in the middle ---- */

static void test_killed_at_any_instant(void **context)
{
    enum { KILLS = 6, TASKS = 30 };
    world *it = *context;
    const mr_gc_options everything = {.max_bytes = 0, .older_than_us = 1};
    for (int k = 0; k < KILLS; k++) {
        char run[16];
        char digest[MR_DIGEST_TEXT];
        snprintf(run, sizeof(run), "k%d", k);
        assert_int_equal(mr_store_run_begin(it->store, run, "vod", NULL, NULL, it->diags), MR_OK);
        for (int t = 0; t < TASKS; t++) {
            char bytes[32];
            char identity[32];
            char item[16];
            snprintf(bytes, sizeof(bytes), "content %d of %d", t, k);
            snprintf(identity, sizeof(identity), "sha256:%d-%d", k, t);
            snprintf(item, sizeof(item), "%d", t);
            assert_int_equal(put(it->objects, bytes, digest), MR_OK);
            age(it, digest);
            assert_int_equal(record(it->store, run, item, identity, digest, strlen(bytes), "succeeded"), MR_OK);
        }
        assert_int_equal(mr_store_run_end(it->store, run, "succeeded", NULL, it->diags), MR_OK);
        mr_store_close(it->store); /* no threads and no database when the child is made */
        const pid_t child = fork();
        if (child == 0) {
            mr_gc_report report;
            _exit(mr_gc(it->state, &everything, NULL, &report) == MR_OK ? 0 : 1);
        }
        for (int i = 0; i < k * 2; i++) /* some work for the time that it gets: a sync each */
            assert_int_equal(put(it->objects, i % 2 ? "tick" : "tock tick", digest), MR_OK);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
        for (int t = 0; t < TASKS; t++) { /* what is there is whole */
            char identity[32];
            mr_autojson json_t *outputs = NULL;
            snprintf(identity, sizeof(identity), "sha256:%d-%d", k, t);
            if (mr_store_find_result(it->store, identity, NULL, &outputs) != MR_OK)
                continue;
            const json_t *one = json_array_get(outputs, 0);
            assert_true(mr_objects_has(it->objects, json_string_value(json_object_get(one, "digest")),
                                       (uint64_t)json_integer_value(json_object_get(one, "size"))));
        }
    }
    age_all(it);
    collect(it, everything);
    assert_int_equal(it->report.kept_results, 0);
    assert_int_equal(it->report.kept_objects, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_used_stays_and_what_nobody_names_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_runs_are_forgotten_with_what_only_they_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_by_size_the_longest_unused_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_whose_content_is_gone_or_damaged_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_that_goes_on_keeps_what_it_made_and_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_collected_around_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_at_any_instant, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
