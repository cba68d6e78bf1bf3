/* SPDX-License-Identifier: MIT */
/* Runs as the store keeps them: whether one lives, who may go on with it, what was said in it. */
#include "base/file.h"
#include "runtime/state/journal.h"
#include "runtime/state/objects.h"
#include "runtime/state/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    char state[64];
    char dead[64]; /* owner's name of a process that had the state folder open, and was killed */
    mr_diags *diags;
    mr_objects *objects;
    mr_store *store;
    mr_journal *journal;
} world;

/* Before anything is open: a child has neither the threads nor, for long, the locks of who makes it. */
static void kill_an_owner(const char *state, char ret_owner[static 64])
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
        mr_objects *objects = NULL;
        char name[64] = "";
        if (mr_objects_open(state, NULL, &objects) == MR_OK)
            snprintf(name, sizeof(name), "%s", mr_objects_owner(objects));
        if (write(pipe_fds[1], name, sizeof(name)) != sizeof(name))
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipe_fds[0], ret_owner, 64), 64);
    assert_true(ret_owner[0] != '\0');
    assert_true(mr_objects_owner_lives(state, ret_owner));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->state, sizeof(it->state), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->state));
    kill_an_owner(it->state, it->dead);
    it->diags = mr_diags_new();
    assert_int_equal(mr_objects_open(it->state, it->diags, &it->objects), MR_OK);
    assert_int_equal(mr_store_open(it->state, it->diags, &it->store), MR_OK);
    assert_int_equal(mr_journal_open(it->state, true, it->diags, &it->journal), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_journal_close(it->journal);
    mr_store_close(it->store);
    mr_objects_close(it->objects);
    mr_diags_free(it->diags);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

static void begin(world *it, const char *run, const char *owner)
{
    assert_int_equal(mr_store_run_begin(it->store, run, "vod", owner, NULL, it->diags), MR_OK);
}

static void test_a_run_is_running_as_long_as_its_process_lives(void **context)
{
    world *it = *context;
    begin(it, "20260101T000000-aa", mr_objects_owner(it->objects));
    begin(it, "20260101T000001-bb", it->dead);
    begin(it, "20260101T000002-cc", NULL);
    begin(it, "20260101T000003-dd", "../tmp");
    begin(it, "20260101T000004-ee", mr_objects_owner(it->objects));
    assert_int_equal(mr_store_run_end(it->store, "20260101T000004-ee", "failed", "the disk is away", it->diags), MR_OK);
    assert_string_equal(mr_journal_state(it->journal, "20260101T000000-aa"), "running");
    assert_string_equal(mr_journal_state(it->journal, "20260101T000001-bb"), "interrupted");
    assert_string_equal(mr_journal_state(it->journal, "20260101T000002-cc"), "interrupted");
    assert_string_equal(mr_journal_state(it->journal, "20260101T000003-dd"), "interrupted");
    assert_string_equal(mr_journal_state(it->journal, "20260101T000004-ee"), "failed");
    assert_null(mr_journal_state(it->journal, "20260101T000005-ff"));

    mr_autojson json_t *runs = NULL;
    assert_int_equal(mr_journal_runs(it->journal, 2, it->diags, &runs), MR_OK);
    assert_int_equal(json_array_size(runs), 2);
    const json_t *last = json_array_get(runs, 0);
    assert_string_equal(json_string_value(json_object_get(last, "run")), "20260101T000004-ee");
    assert_string_equal(json_string_value(json_object_get(last, "reason")), "the disk is away");
    assert_null(json_object_get(last, "owner"));
}

static mr_status find(world *it, const char *text, char run[MR_RUN_ID])
{
    mr_diags_free(it->diags);
    it->diags = mr_diags_new();
    return mr_journal_find(it->journal, text, it->diags, run);
}

static void test_an_id_may_be_cut_short(void **context)
{
    world *it = *context;
    char run[MR_RUN_ID];
    begin(it, "20260101T000000-aa11", NULL);
    begin(it, "20260101T000000-ab22", NULL);
    begin(it, "20260101T000000-aa1", NULL);
    assert_int_equal(find(it, "ab", run), MR_OK);
    assert_string_equal(run, "20260101T000000-ab22");
    assert_int_equal(find(it, "20260101T000000-ab", run), MR_OK);
    assert_int_equal(find(it, "20260101T000000-aa1", run), MR_OK); /* in full, though another begins like it */
    assert_string_equal(run, "20260101T000000-aa1");
    assert_int_equal(find(it, "20260101", run), MR_ERR_NOT_FOUND);
    assert_non_null(strstr(mr_diags_first(it->diags)->message, "several"));
    assert_int_equal(find(it, "%", run), MR_ERR_NOT_FOUND);
    assert_int_equal(find(it, "", run), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_diags_errors(it->diags), 1);
    assert_non_null(mr_diags_first(it->diags)->hint);
}

static void test_only_a_running_run_is_cancelled(void **context)
{
    world *it = *context;
    begin(it, "r1", mr_objects_owner(it->objects));
    begin(it, "r2", NULL);
    assert_false(mr_journal_wants_cancel(it->journal, "r1"));
    assert_int_equal(mr_journal_cancel(it->journal, "r1", it->diags), MR_OK);
    assert_true(mr_journal_wants_cancel(it->journal, "r1"));
    assert_int_equal(mr_journal_cancel(it->journal, "r2", it->diags), MR_ERR_CONFLICT);
    assert_false(mr_journal_wants_cancel(it->journal, "r2"));
    assert_int_equal(mr_journal_cancel(it->journal, "r3", it->diags), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_diags_errors(it->diags), 2);
}

static void test_a_run_goes_on_once_and_is_not_cancelled_by_what_was_asked_before(void **context)
{
    world *it = *context;
    const char *me = mr_objects_owner(it->objects);
    begin(it, "r1", me);
    assert_int_equal(mr_journal_resume(it->journal, "r1", me, it->diags), MR_ERR_CONFLICT); /* it runs */
    assert_int_equal(mr_journal_cancel(it->journal, "r1", it->diags), MR_OK);
    assert_int_equal(mr_store_run_end(it->store, "r1", "cancelled", NULL, it->diags), MR_OK);
    assert_int_equal(mr_journal_resume(it->journal, "r1", me, it->diags), MR_OK);
    assert_false(mr_journal_wants_cancel(it->journal, "r1"));
    assert_string_equal(mr_journal_state(it->journal, "r1"), "running");
    assert_int_equal(mr_journal_resume(it->journal, "r2", me, it->diags), MR_ERR_NOT_FOUND);
}

typedef struct contender {
    world *it;
    mr_status status;
} contender;

static void *contend(void *context)
{
    contender *me = context;
    mr_journal *journal = NULL;
    me->status = mr_journal_open(me->it->state, true, NULL, &journal);
    if (me->status == MR_OK)
        me->status = mr_journal_resume(journal, "r1", mr_objects_owner(me->it->objects), NULL);
    mr_journal_close(journal);
    return NULL;
}

static void test_of_many_who_resume_a_run_one_gets_it(void **context)
{
    enum { MANY = 6 };
    pthread_t threads[MANY];
    contender contenders[MANY];
    int got = 0;
    begin(*context, "r1", NULL);
    for (int i = 0; i < MANY; i++) {
        contenders[i] = (contender){.it = *context};
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contenders[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        pthread_join(threads[i], NULL);
        assert_true(contenders[i].status == MR_OK || contenders[i].status == MR_ERR_CONFLICT);
        got += contenders[i].status == MR_OK;
    }
    assert_int_equal(got, 1);
}

static void test_events_come_back_in_order_and_by_node(void **context)
{
    world *it = *context;
    int64_t after = 0;
    begin(it, "r1", NULL);
    const mr_journal_line lines[] = {
        {.time_us = 1, .event = "task.retry", .node = "video", .item = (char *)"3", .reason = (char *)"its host was killed", .attempt = 2},
        {.time_us = 2, .event = "task.report", .node = "audio", .detail = (char *)"{\"severity\":\"error\",\"hint\":\"mend it\"}"},
    };
    assert_int_equal(mr_journal_add(it->journal, "r1", lines, 2), MR_OK);
    assert_int_equal(mr_store_run_end(it->store, "r1", "failed", NULL, it->diags), MR_OK);
    mr_autojson json_t *all = NULL;
    assert_int_equal(mr_journal_events(it->journal, "r1", NULL, &after, it->diags, &all), MR_OK);
    assert_int_equal(json_array_size(all), 4);
    assert_int_equal(after, 4);
    const char *const names[] = {"run.started", "task.retry", "task.report", "run.done"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(json_string_value(json_object_get(json_array_get(all, i), "event")), names[i]);
        assert_int_equal(json_integer_value(json_object_get(json_array_get(all, i), "seq")), i + 1);
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 2), "hint")), "mend it");
    assert_null(json_object_get(json_array_get(all, 2), "detail"));
    mr_autojson json_t *none = NULL;
    assert_int_equal(mr_journal_events(it->journal, "r1", NULL, &after, it->diags, &none), MR_OK);
    assert_int_equal(json_array_size(none), 0);
    mr_autojson json_t *video = NULL;
    after = 0;
    assert_int_equal(mr_journal_events(it->journal, "r1", "video", &after, it->diags, &video), MR_OK);
    assert_int_equal(json_array_size(video), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(video, 0), "item")), "3");
}

static void test_a_folder_that_nobody_used_stays_as_it_is(void **context)
{
    world *it = *context;
    mr_journal *journal = NULL;
    char path[96];
    snprintf(path, sizeof(path), "%s/none", it->state);
    assert_int_equal(mr_journal_open(path, true, it->diags, &journal), MR_ERR_NOT_FOUND);
    assert_null(journal);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_null(mr_diags_first(it->diags));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_run_is_running_as_long_as_its_process_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_id_may_be_cut_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_a_running_run_is_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_goes_on_once_and_is_not_cancelled_by_what_was_asked_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_many_who_resume_a_run_one_gets_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events_come_back_in_order_and_by_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_nobody_used_stays_as_it_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
