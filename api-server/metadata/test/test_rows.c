/* SPDX-License-Identifier: MIT */
/* Uploads and their quota, accounts that two processes change, answers that are told again, and files that nothing refers to. */
#include "api-server/metadata/test/base.h"

#include "api-server/metadata/internal.h"

#include <string.h>

/* ---- uploads ---- */

static mr_upload upload_of(const world *at, const char *video, int64_t length)
{
    mr_upload it = {.length = length, .expires_us = mr_now_us() + 60000000, .created_us = mr_now_us(), .filename = "a.mp4"};
    assert_true(mr_id_make('f', it.id));
    snprintf(it.video, sizeof(it.video), "%s", video);
    snprintf(it.owner, sizeof(it.owner), "%s", at->bob);
    return it;
}

static mr_status create(const world *at, const mr_upload *upload, int64_t *ret_left)
{
    const mr_upload_store *store = mr_metadata_uploads(at->metadata);
    return store->create(store->context, upload, NULL, ret_left);
}

static mr_status advance(const world *at, const mr_upload *upload, int64_t offset)
{
    const mr_upload_store *store = mr_metadata_uploads(at->metadata);
    return store->advance(store->context, upload->id, offset, mr_now_us() + 60000000);
}

static void give_quota(const world *at, int64_t bytes)
{
    mr_user user;
    assert_int_equal(mr_user_find(at->metadata, at->bob, &user), MR_OK);
    user.quota_bytes = bytes;
    assert_int_equal(mr_user_update(at->metadata, &user, user.version), MR_OK);
}

static void test_quota(void **state)
{
    world at;
    char one[MR_ID_SIZE], two[MR_ID_SIZE];
    int64_t left = 0;
    (void)state;
    make_world(&at);
    give_quota(&at, 1000);
    add_video(&at, at.bob, "one", MR_VISIBILITY_PRIVATE, one);
    add_video(&at, at.bob, "two", MR_VISIBILITY_PRIVATE, two);
    const mr_upload tus = upload_of(&at, one, 600), put = upload_of(&at, one, 600), longer = upload_of(&at, one, 1001);
    assert_int_equal(create(&at, &tus, &left), MR_OK);
    assert_int_equal(left, 1000);
    assert_int_equal(create(&at, &put, &left), MR_OK); /* the same video: it takes one of them */
    assert_int_equal(create(&at, &longer, &left), MR_ERR_LIMIT);
    assert_int_equal(left, 1000);
    const mr_upload other = upload_of(&at, two, 401), fits = upload_of(&at, two, 400);
    assert_int_equal(create(&at, &other, &left), MR_ERR_LIMIT);
    assert_int_equal(left, 400);
    assert_int_equal(create(&at, &fits, &left), MR_OK);
    /* What has come counts, of whichever. */
    assert_int_equal(advance(&at, &tus, 300), MR_OK);
    assert_int_equal(advance(&at, &put, 301), MR_ERR_LIMIT);
    assert_int_equal(advance(&at, &put, 300), MR_OK);
    assert_int_equal(advance(&at, &tus, 301), MR_ERR_LIMIT);
    /* A length that was put off. */
    const mr_upload_store *store = mr_metadata_uploads(at.metadata);
    assert_int_equal(store->remove(store->context, fits.id), MR_OK);
    const mr_upload deferred = upload_of(&at, two, -1);
    assert_int_equal(create(&at, &deferred, &left), MR_OK);
    assert_int_equal(store->set_length(store->context, deferred.id, 401, &left), MR_ERR_LIMIT);
    assert_int_equal(store->set_length(store->context, deferred.id, 400, &left), MR_OK);
    /* Without a quota there is none. */
    give_quota(&at, -1);
    assert_int_equal(create(&at, &longer, &left), MR_OK);
    assert_int_equal(left, INT64_MAX);
    end_world(&at);
}

static bool is_there(const world *at, const char *video)
{
    const mr_video_view *view = NULL;
    return mr_video_look(at->metadata, video, &view) == MR_OK;
}

/* A new video and its first upload are one change: both are there, or neither. */
static void test_both_or_neither(void **state)
{
    const mr_video_fields fields = {.title = "new"};
    world at;
    char video[MR_ID_SIZE], ids[4][MR_UPLOAD_ID];
    size_t count = 0;
    int64_t left = 0;
    (void)state;
    make_world(&at);
    const mr_upload_store *store = mr_metadata_uploads(at.metadata);
    assert_true(mr_id_make('v', video));
    mr_upload upload = upload_of(&at, video, 1001);
    give_quota(&at, 1000);
    assert_int_equal(store->create(store->context, &upload, &fields, &left), MR_ERR_LIMIT);
    assert_int_equal(left, 1000);
    assert_false(is_there(&at, video));
    snprintf(upload.owner, sizeof(upload.owner), "u_nobody");
    assert_int_equal(store->create(store->context, &upload, &fields, NULL), MR_ERR_NOT_FOUND);
    assert_false(is_there(&at, video));
    upload = upload_of(&at, video, 10);
    assert_int_equal(store->create(store->context, &upload, &fields, NULL), MR_OK);
    assert_true(is_there(&at, video));
    assert_int_equal(store->open_of_video(store->context, video, ids, 4, &count), MR_OK);
    assert_int_equal(count, 1);
    assert_string_equal(ids[0], upload.id);

    mr_upload other = upload_of(&at, video, 10); /* a request whose answer was lost comes again */
    assert_int_equal(store->create(store->context, &other, &fields, NULL), MR_OK);
    assert_int_equal(store->complete(store->context, &upload), MR_OK);
    other = upload_of(&at, video, 10);
    assert_int_equal(store->create(store->context, &other, &fields, NULL), MR_ERR_CONFLICT);
    assert_true(is_there(&at, video));
    snprintf(other.owner, sizeof(other.owner), "%s", at.ada);
    assert_int_equal(store->create(store->context, &other, &fields, NULL), MR_ERR_NOT_FOUND); /* somebody else's */
    end_world(&at);
}

static void test_one_source(void **state)
{
    world at;
    char video[MR_ID_SIZE], ids[4][MR_UPLOAD_ID];
    size_t count = 0;
    mr_upload found;
    (void)state;
    make_world(&at);
    const mr_upload_store *store = mr_metadata_uploads(at.metadata);
    add_video(&at, at.bob, "v", MR_VISIBILITY_PRIVATE, video);
    mr_upload first = upload_of(&at, video, 10), second = upload_of(&at, video, 20), late = upload_of(&at, video, 5);
    assert_int_equal(create(&at, &first, NULL), MR_OK);
    assert_int_equal(create(&at, &second, NULL), MR_OK);
    assert_int_equal(advance(&at, &first, 10), MR_OK);
    assert_int_equal(store->complete(store->context, &first), MR_OK);
    assert_int_equal(store->complete(store->context, &first), MR_OK); /* again is fine */
    assert_int_equal(store->complete(store->context, &second), MR_ERR_CONFLICT);
    assert_int_equal(create(&at, &late, NULL), MR_ERR_CONFLICT);
    assert_int_equal(store->find_of_video(store->context, video, &found), MR_OK);
    assert_string_equal(found.id, first.id);
    assert_int_equal(store->open_of_video(store->context, video, ids, 4, &count), MR_OK);
    assert_int_equal(count, 1);
    assert_string_equal(ids[0], second.id);
    assert_int_equal(store->remove(store->context, first.id), MR_ERR_CONFLICT); /* the video's */
    assert_int_equal(store->remove(store->context, second.id), MR_OK);
    assert_int_equal(store->remove(store->context, second.id), MR_ERR_NOT_FOUND);
    assert_int_equal(advance(&at, &second, 5), MR_ERR_NOT_FOUND);
    end_world(&at);
}

static bool is_rubbish(const world *at, const char *fmt, const char *id)
{
    char path[MR_RUBBISH_SIZE];
    snprintf(path, sizeof(path), "uploads/%s%s", id, fmt);
    return mr_rubbish_is(at->metadata, path);
}

static void test_what_goes_leaves_rubbish(void **state)
{
    world at;
    char video[MR_ID_SIZE];
    mr_upload_part old;
    int replaced = 0;
    (void)state;
    make_world(&at);
    const mr_upload_store *store = mr_metadata_uploads(at.metadata);
    add_video(&at, at.bob, "v", MR_VISIBILITY_PRIVATE, video);
    mr_upload parts = upload_of(&at, video, -1);
    parts.kind = MR_UPLOAD_MULTIPART;
    assert_int_equal(create(&at, &parts, NULL), MR_OK);
    const mr_upload_part inside = {.number = 1, .size = 5, .place = 0, .file = 6, .etag = "a"},
                         own = {.number = 2, .size = 5, .place = -1, .file = 7, .etag = "b"};
    assert_int_equal(store->part_put(store->context, parts.id, &inside, mr_now_us() + 60000000, &old, &replaced), MR_OK);
    assert_int_equal(store->part_put(store->context, parts.id, &own, mr_now_us() + 60000000, &old, &replaced), MR_OK);
    assert_int_equal(mr_video_remove(at.metadata, video, NULL), MR_OK);
    assert_true(is_rubbish(&at, "", parts.id) && is_rubbish(&at, ".leaves", parts.id) && is_rubbish(&at, ".7", parts.id));
    assert_false(is_rubbish(&at, ".6", parts.id));

    /* A file that is made before its row: rubbish until there is one. */
    const mr_caption caption = {.language = "de", .label = "Deutsch", .file = "c_1.vtt"};
    char path[MR_RUBBISH_SIZE];
    add_video(&at, at.bob, "w", MR_VISIBILITY_PRIVATE, video);
    snprintf(path, sizeof(path), "captions/%s/c_1.vtt", video);
    assert_int_equal(mr_rubbish_add(at.metadata, path), MR_OK);
    assert_true(mr_rubbish_is(at.metadata, path));
    assert_int_equal(mr_caption_put(at.metadata, video, &caption), MR_OK);
    assert_false(mr_rubbish_is(at.metadata, path));
    assert_int_equal(mr_caption_remove(at.metadata, video, "de"), MR_OK);
    assert_true(mr_rubbish_is(at.metadata, path));
    end_world(&at);
}

static void test_runs_for_posters(void **state)
{
    world at;
    char video[MR_ID_SIZE], path[160];
    mr_poster_run list[4], run = {.run = "r1"};
    size_t count = 0;
    const mr_video_view *view = NULL;
    (void)state;
    make_world(&at);
    add_video(&at, at.bob, "v", MR_VISIBILITY_PRIVATE, video);
    snprintf(run.video, sizeof(run.video), "%s", video);
    snprintf(run.output, sizeof(run.output), "posters/%s/k1", video);
    assert_int_equal(mr_rubbish_add(at.metadata, run.output), MR_OK);
    assert_int_equal(mr_poster_run_add(at.metadata, &run), MR_OK);
    assert_false(mr_rubbish_is(at.metadata, run.output));
    mr_metadata_close(at.metadata);
    open_world(&at); /* the next server knows it */
    assert_int_equal(mr_poster_run_list(at.metadata, "", list, 4, &count), MR_OK);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].run, "r1");
    assert_string_equal(list[0].output, run.output);
    snprintf(path, sizeof(path), "%s/poster.jpg", run.output);
    assert_int_equal(mr_poster_run_end(at.metadata, &run, path), MR_OK);
    assert_int_equal(mr_video_look(at.metadata, video, &view), MR_OK);
    assert_string_equal(view->poster, path);
    assert_int_equal(mr_poster_run_list(at.metadata, "", list, 4, &count), MR_OK);
    assert_int_equal(count, 0);
    /* One that failed leaves its folder to be removed, and the poster as it is; the next one that is good replaces that. */
    mr_poster_run failed = run, next = run;
    snprintf(failed.run, sizeof(failed.run), "r2");
    snprintf(failed.output, sizeof(failed.output), "posters/%s/k2", video);
    snprintf(next.run, sizeof(next.run), "r3");
    snprintf(next.output, sizeof(next.output), "posters/%s/k3", video);
    assert_int_equal(mr_poster_run_add(at.metadata, &failed), MR_OK);
    assert_int_equal(mr_poster_run_end(at.metadata, &failed, NULL), MR_OK);
    assert_true(mr_rubbish_is(at.metadata, failed.output));
    assert_false(mr_rubbish_is(at.metadata, run.output));
    snprintf(path, sizeof(path), "%s/poster.jpg", next.output);
    assert_int_equal(mr_poster_run_add(at.metadata, &next), MR_OK);
    assert_int_equal(mr_poster_run_end(at.metadata, &next, path), MR_OK);
    assert_true(mr_rubbish_is(at.metadata, run.output));
    /* Of a video that is gone. */
    assert_int_equal(mr_video_remove(at.metadata, video, NULL), MR_OK);
    assert_int_equal(mr_poster_run_add(at.metadata, &run), MR_ERR_NOT_FOUND);
    end_world(&at);
}

/* ---- accounts ---- */

/* As the command beside the server does: another connection to the same database. */
static void test_two_processes_change_one_account(void **state)
{
    world at, beside;
    mr_user mine, theirs;
    char session[MR_ID_SIZE];
    mr_role role;
    (void)state;
    make_world(&at);
    beside = at;
    open_world(&beside);
    mr_family family = {.token_hash = "h", .created_us = mr_now_us(), .expires_us = mr_now_us() + 60000000};
    assert_true(mr_id_make('f', session));
    snprintf(family.id, sizeof(family.id), "%s", session);
    snprintf(family.user, sizeof(family.user), "%s", at.bob);
    assert_int_equal(mr_family_add(at.metadata, &family), MR_OK);
    assert_int_equal(mr_family_check(at.metadata, session, at.bob, 1, &role), MR_OK);
    assert_int_equal(mr_user_find(at.metadata, at.bob, &mine), MR_OK);
    assert_int_equal(mr_user_find(beside.metadata, at.bob, &theirs), MR_OK);
    theirs.disabled = true;
    theirs.version++;
    assert_int_equal(mr_user_update(beside.metadata, &theirs, 1), MR_OK);
    snprintf(mine.name, sizeof(mine.name), "New");
    assert_int_equal(mr_user_update(at.metadata, &mine, 1), MR_ERR_UNAVAILABLE); /* it would let him in again */
    assert_int_equal(mr_user_find(at.metadata, at.bob, &mine), MR_OK);
    assert_true(mine.disabled);
    assert_int_equal(mr_family_check(at.metadata, session, at.bob, 1, &role), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_family_find(at.metadata, session, &family), MR_OK);
    assert_true(family.revoked);
    mr_metadata_close(beside.metadata);
    /* The last administrator stays one, and addresses are one account's, whatever their case. */
    assert_int_equal(mr_user_find(at.metadata, at.ada, &mine), MR_OK);
    mine.disabled = true;
    assert_int_equal(mr_user_update(at.metadata, &mine, mine.version), MR_ERR_LIMIT);
    mine.disabled = false;
    snprintf(mine.email, sizeof(mine.email), "BOB@example.org");
    assert_int_equal(mr_user_update(at.metadata, &mine, mine.version), MR_ERR_CONFLICT);
    assert_int_equal(mr_user_remove(at.metadata, at.ada), MR_ERR_LIMIT);
    assert_int_equal(mr_user_remove(at.metadata, at.bob), MR_OK);
    assert_int_equal(mr_family_find(at.metadata, session, &family), MR_ERR_NOT_FOUND);
    end_world(&at);
}

/* ---- answers ---- */

static void test_answers_are_told_again(void **state)
{
    world at;
    char *answer = NULL;
    int status = 0;
    (void)state;
    make_world(&at);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.bob, "k", "digest", &status, &answer), MR_OK);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.bob, "k", "digest", &status, &answer), MR_ERR_CONFLICT);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.bob, "k", "other", &status, &answer), MR_ERR_PARAM);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.ada, "k", "other", &status, &answer), MR_OK); /* each has his own */
    assert_int_equal(mr_idempotency_keep(at.metadata, at.bob, "k", 201, "made"), MR_OK);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.bob, "k", "digest", &status, &answer), MR_END);
    assert_int_equal(status, 201);
    assert_string_equal(answer, "made");
    free(answer);
    /* Whoever claimed and did not answer died with the server. */
    assert_int_equal(mr_idempotency_forget_unanswered(at.metadata), MR_OK);
    assert_int_equal(mr_idempotency_forget_unanswered(at.metadata), MR_OK);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.ada, "k", "other", &status, &answer), MR_OK);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.bob, "k", "digest", &status, &answer), MR_END);
    free(answer);
    assert_int_equal(mr_idempotency_forget(at.metadata, at.ada, "k"), MR_OK);
    assert_int_equal(mr_idempotency_claim(at.metadata, at.ada, "k", "new", &status, &answer), MR_OK);
    end_world(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_both_or_neither),
        cmocka_unit_test(test_one_source),
        cmocka_unit_test(test_what_goes_leaves_rubbish),
        cmocka_unit_test(test_runs_for_posters),
        cmocka_unit_test(test_two_processes_change_one_account),
        cmocka_unit_test(test_answers_are_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
