/* SPDX-License-Identifier: MIT */
/*
 * The life of a video as a table: from every status, with everything that can happen to it, to the status that follows, or the refusal that leaves
 * all as it was. And whose turn it is when more videos wait than may be processed.
 */
#include "api-server/videos/test/platform.h"

/* Statuses, where one of them is several. */
typedef enum state {
    CREATED,
    UPLOADING,
    WAITING,    /* processing, without a run: its turn has not come */
    PROCESSING, /* with one */
    PLAYABLE,   /* processing, and can be watched */
    READY,
    FAILED,
    GONE,
    STATES
} state;

typedef struct video {
    char id[MR_ID_SIZE];
    char run[64]; /* its latest; "none": there was none */
    mr_upload upload;
    state state;
} video;

static state state_of(const house *it, const char *id)
{
    static const state of[] = {CREATED, UPLOADING, PROCESSING, READY, FAILED};
    const mr_video_view *view = NULL;
    if (mr_video_look(it->at.metadata, id, &view) != MR_OK)
        return GONE;
    assert_int_equal(view->complete, view->status == MR_VIDEO_READY);
    if (view->status != MR_VIDEO_PROCESSING)
        return of[view->status];
    return view->playable ? PLAYABLE : view->run[0] ? PROCESSING : WAITING;
}

static void find_run(const house *it, video *of)
{
    const mr_video_view *view = NULL;
    const bool found = mr_video_look(it->at.metadata, of->id, &view) == MR_OK && view->run[0];
    snprintf(of->run, sizeof(of->run), "%s", found ? view->run : "none");
}

/* ---- what happens ---- */

static mr_status add_upload(house *it, video *of)
{
    const mr_upload_store *store = mr_metadata_uploads(it->at.metadata);
    of->upload = (mr_upload){.length = 10, .created_us = mr_now_us(), .expires_us = mr_now_us() + 3600000000, .filename = "a.mp4"};
    assert_true(mr_id_make('f', of->upload.id));
    memcpy(of->upload.video, of->id, sizeof(of->id));
    memcpy(of->upload.owner, it->at.bob, sizeof(it->at.bob));
    return store->create(store->context, &of->upload, NULL, NULL);
}

static mr_status send_first_byte(house *it, video *of)
{
    const mr_upload_store *store = mr_metadata_uploads(it->at.metadata);
    const mr_status status = add_upload(it, of);
    return status == MR_OK ? store->advance(store->context, of->upload.id, 1, mr_now_us() + 3600000000) : status;
}

static mr_status send_last_byte(house *it, video *of)
{
    const mr_upload_store *store = mr_metadata_uploads(it->at.metadata);
    mr_status status = add_upload(it, of); /* several may be on their way: the first that is complete is it */
    return status == MR_OK ? store->complete(store->context, &of->upload) : status;
}

static mr_status give_upload_up(house *it, video *of)
{
    const mr_upload_store *store = mr_metadata_uploads(it->at.metadata);
    return store->remove(store->context, of->upload.id);
}

static mr_status ask_for_run(house *it, video *of)
{
    char *answer = NULL;
    const mr_status status = mr_videos_process(it->videos, of->id, NULL, NULL, &answer);
    free(answer);
    return status;
}

static mr_status ask_in_vain(house *it, video *of)
{
    it->platform.refuse = MR_ERR_PARAM;
    const mr_status status = ask_for_run(it, of);
    it->platform.refuse = MR_OK;
    return status;
}

static mr_status ask_again(house *it, video *of)
{
    return mr_videos_retry(it->videos, of->id, of->run);
}

static mr_status ask_again_for_another(house *it, video *of)
{
    return mr_videos_retry(it->videos, of->id, "r99");
}

static mr_status publish(house *it, video *of)
{
    publish_manifest(it, of->run);
    return MR_OK;
}

static mr_status succeed(house *it, video *of)
{
    end_run(it, of->run, "succeeded");
    return MR_OK;
}

static mr_status fail_run(house *it, video *of)
{
    end_run(it, of->run, "failed");
    return MR_OK;
}

static mr_status cancel(house *it, video *of)
{
    end_run(it, of->run, "cancelled");
    return MR_OK;
}

static mr_status hear_of_another(house *it, video *of)
{
    (void)of;
    end_run(it, "r60", "failed");
    return MR_OK;
}

static mr_status remove_it(house *it, video *of)
{
    return mr_videos_remove(it->videos, of->id, NULL);
}

/* ---- the table ---- */

#define SAME STATES /* nothing has changed */

typedef struct change {
    const char *name;
    mr_status (*happen)(house *it, video *of);
    struct {
        mr_status status;
        state then;
    } from[GONE];
} change;

#define NO(status)                                                                                                                                   \
    {                                                                                                                                                \
        (status), SAME                                                                                                                               \
    }

/* Columns: CREATED, UPLOADING, WAITING, PROCESSING, PLAYABLE, READY, FAILED. */
static const change changes[] = {
    {"the first byte comes",
     send_first_byte,
     {{MR_OK, UPLOADING},
      {MR_OK, UPLOADING},
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT)}},
    {"the last byte comes",
     send_last_byte,
     {{MR_OK, WAITING}, {MR_OK, WAITING}, NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT)}},
    {"its upload is given up",
     give_upload_up,
     {{MR_OK, CREATED}, {MR_OK, CREATED}, NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT)}},
    {"a run is asked for",
     ask_for_run,
     {NO(MR_ERR_NOT_FOUND),
      NO(MR_ERR_NOT_FOUND),
      {MR_OK, PROCESSING},
      {MR_OK, PROCESSING},
      {MR_OK, PLAYABLE},
      {MR_OK, PLAYABLE},
      {MR_OK, PROCESSING}}},
    {"a run is asked for that can't be",
     ask_in_vain,
     {NO(MR_ERR_NOT_FOUND), NO(MR_ERR_NOT_FOUND), NO(MR_ERR_PARAM), NO(MR_ERR_PARAM), NO(MR_ERR_PARAM), NO(MR_ERR_PARAM), NO(MR_ERR_PARAM)}},
    {"its run is to go on",
     ask_again,
     {NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT),
      {MR_OK, PROCESSING}}},
    {"another's run is to go on",
     ask_again_for_another,
     {NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT), NO(MR_ERR_CONFLICT),
      NO(MR_ERR_CONFLICT)}},
    {"a manifest is there", publish, {NO(MR_OK), NO(MR_OK), NO(MR_OK), {MR_OK, PLAYABLE}, {MR_OK, PLAYABLE}, NO(MR_OK), NO(MR_OK)}},
    {"its run succeeds", succeed, {NO(MR_OK), NO(MR_OK), NO(MR_OK), {MR_OK, READY}, {MR_OK, READY}, NO(MR_OK), NO(MR_OK)}},
    {"its run fails", fail_run, {NO(MR_OK), NO(MR_OK), NO(MR_OK), {MR_OK, FAILED}, {MR_OK, FAILED}, NO(MR_OK), NO(MR_OK)}},
    {"its run is cancelled", cancel, {NO(MR_OK), NO(MR_OK), NO(MR_OK), {MR_OK, FAILED}, {MR_OK, FAILED}, NO(MR_OK), NO(MR_OK)}},
    {"another run fails", hear_of_another, {NO(MR_OK), NO(MR_OK), NO(MR_OK), NO(MR_OK), NO(MR_OK), NO(MR_OK), NO(MR_OK)}},
    {"it is removed", remove_it, {{MR_OK, GONE}, {MR_OK, GONE}, {MR_OK, GONE}, {MR_OK, GONE}, {MR_OK, GONE}, {MR_OK, GONE}, {MR_OK, GONE}}},
};

static const char *const names[] = {"created", "uploading", "waiting", "processing", "playable", "ready", "failed", "gone"};

/* By the shortest way. */
static void bring(house *it, state wanted, video *ret_video)
{
    add_video(&it->at, it->at.bob, "v", MR_VISIBILITY_PRIVATE, ret_video->id);
    if (wanted == CREATED)
        assert_int_equal(add_upload(it, ret_video), MR_OK);
    else
        assert_int_equal(send_first_byte(it, ret_video), MR_OK);
    const mr_upload_store *store = mr_metadata_uploads(it->at.metadata);
    if (wanted > UPLOADING)
        assert_int_equal(store->complete(store->context, &ret_video->upload), MR_OK);
    if (wanted > WAITING)
        assert_int_equal(ask_for_run(it, ret_video), MR_OK);
    find_run(it, ret_video);
    if (wanted == PLAYABLE)
        publish(it, ret_video);
    else if (wanted == READY)
        succeed(it, ret_video);
    else if (wanted == FAILED)
        fail_run(it, ret_video);
    ret_video->state = wanted;
}

/* What of a refused change must not have changed. */
static void remember(const house *it, const char *id, char text[static 512])
{
    mr_video_life life = {0};
    text[0] = '\0';
    if (mr_video_life_find(it->at.metadata, id, &life) == MR_OK)
        snprintf(text, 512, "%s %d %d %d run %s source %s output %s", names[state_of(it, id)], life.playable, life.complete, life.again, life.run,
                 life.source, life.output);
    free(life.params);
}

static void try_change(house *it, const change *what, state from)
{
    video of = {.run = ""};
    char before[512], after[512];
    bring(it, from, &of);
    if (state_of(it, of.id) != from)
        fail_msg("a video could not be brought to be %s: it is %s", names[from], names[state_of(it, of.id)]);
    remember(it, of.id, before);
    const mr_status status = what->happen(it, &of);
    remember(it, of.id, after);
    const state then = state_of(it, of.id);
    const state wanted = what->from[from].then == SAME ? from : what->from[from].then;
    if (status != what->from[from].status || then != wanted)
        fail_msg("%s: %s: status %d and %s instead of %d and %s", names[from], what->name, status, names[then], what->from[from].status,
                 names[wanted]);
    if (what->from[from].then == SAME && strcmp(before, after) != 0)
        fail_msg("%s: %s: '%s' became '%s'", names[from], what->name, before, after);
    if (then == GONE)
        return;
    find_run(it, &of);
    if (strcmp(of.run, "none") != 0 && then != READY && then != FAILED)
        end_run(it, of.run, "failed"); /* the house is to be left empty */
}

static void test_every_change_from_every_status(void **unused)
{
    house it;
    (void)unused;
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        make_house(&it, 1000);
        for (state from = CREATED; from < GONE; from++)
            try_change(&it, &changes[i], from);
        end_house(&it);
    }
}

/* ---- what the next server makes of it ---- */

typedef struct past {
    const char *run_state; /* NULL: the engine knows of no run */
    state then;
    size_t starts, resumes;
} past;

static void test_a_server_starts_again(void **unused)
{
    static const past pasts[] = {{"interrupted", PROCESSING, 0, 1},
                                 {"succeeded", READY, 0, 0},
                                 {"failed", FAILED, 0, 0},
                                 {"cancelled", FAILED, 0, 0},
                                 {NULL, PROCESSING, 1, 0}};
    (void)unused;
    for (size_t i = 0; i < sizeof(pasts) / sizeof(*pasts); i++) {
        house it;
        video of[GONE];
        make_house(&it, 1000);
        for (int from = FAILED; from >= CREATED; from--) /* the one that waits comes last: when it was started, the others have been looked at */
            if (from != PLAYABLE)                        /* as PROCESSING, and what can be watched stays so */
                bring(&it, (state)from, &of[from]);
        mr_videos_close(it.videos); /* killed: nothing is told any more */
        it.platform.states[fake_number(of[PROCESSING].run)] = pasts[i].run_state;
        it.platform.starts = it.platform.resumes = 0;
        open_house(&it, 1000);
        mr_videos_begin(it.videos);
        wait_for_starts(&it, 1 + pasts[i].starts + pasts[i].resumes);
        mr_videos_drain(it.videos);                                /* it is through with all rows */
        assert_int_equal(it.platform.starts, 1 + pasts[i].starts); /* the one that waited */
        assert_int_equal(it.platform.resumes, pasts[i].resumes);
        assert_int_equal(state_of(&it, of[PROCESSING].id), pasts[i].then);
        assert_int_equal(state_of(&it, of[WAITING].id), PROCESSING);
        assert_int_equal(state_of(&it, of[CREATED].id), CREATED);
        assert_int_equal(state_of(&it, of[UPLOADING].id), UPLOADING);
        assert_int_equal(state_of(&it, of[READY].id), READY);
        assert_int_equal(state_of(&it, of[FAILED].id), FAILED);
        end_house(&it);
    }
}

/* ---- turns ---- */

/* One at a time: what was asked for again waits like all others, the oldest goes first, and goes on with its own run. */
static void test_who_is_asked_again_waits_for_his_turn(void **unused)
{
    house it;
    video failed, busy, late;
    (void)unused;
    make_house(&it, 1);
    bring(&it, FAILED, &failed);
    bring(&it, PROCESSING, &busy);
    bring(&it, WAITING, &late);
    assert_int_equal(it.platform.starts, 2);
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_OK);
    assert_int_equal(state_of(&it, failed.id), PROCESSING);
    assert_int_equal(it.platform.starts + it.platform.resumes, 2); /* there is no room */
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_ERR_CONFLICT);
    mr_videos_begin(it.videos);
    end_run(&it, busy.run, "succeeded");
    wait_for_starts(&it, 3);
    assert_int_equal(it.platform.resumes, 1);
    assert_string_equal(it.platform.states[fake_number(failed.run)], "running");
    end_run(&it, failed.run, "succeeded");
    wait_for_starts(&it, 4);
    mr_videos_drain(it.videos);
    assert_int_equal(it.platform.starts, 3);
    assert_int_equal(state_of(&it, failed.id), READY);
    assert_int_equal(state_of(&it, busy.id), READY);
    assert_int_equal(state_of(&it, late.id), PROCESSING);
    end_house(&it);
}

/* A server that dies while one waits to go on: the next one goes on with it, though its run had failed; and only once. */
static void test_who_is_asked_again_is_not_forgotten(void **unused)
{
    house it;
    video failed, busy, last;
    (void)unused;
    make_house(&it, 1);
    bring(&it, FAILED, &failed);
    bring(&it, PROCESSING, &busy);
    bring(&it, WAITING, &last);
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_OK);
    mr_videos_close(it.videos);
    open_house(&it, 2);
    it.platform.states[fake_number(busy.run)] = "interrupted";
    mr_videos_begin(it.videos);
    wait_for_starts(&it, 2 + 2);
    assert_int_equal(it.platform.resumes, 2);
    mr_videos_drain(it.videos);
    mr_videos_close(it.videos);
    it.platform.states[fake_number(busy.run)] = it.platform.states[fake_number(failed.run)] = "failed";
    open_house(&it, 2);
    mr_videos_begin(it.videos);
    wait_for_starts(&it, 3 + 2); /* the last one: both were looked at */
    mr_videos_drain(it.videos);
    assert_int_equal(it.platform.resumes, 2);
    assert_int_equal(state_of(&it, failed.id), FAILED);
    assert_int_equal(state_of(&it, busy.id), FAILED);
    end_house(&it);
}

/* He is asked not to: nothing of it goes on, also not with the next server, and he may be asked once more. */
static void test_who_waits_is_told_not_to(void **unused)
{
    house it;
    video failed, busy;
    (void)unused;
    make_house(&it, 1);
    bring(&it, FAILED, &failed);
    bring(&it, PROCESSING, &busy);
    assert_int_equal(mr_videos_cancel(it.videos, failed.id, failed.run), MR_ERR_CONFLICT);
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_OK);
    assert_int_equal(mr_videos_cancel(it.videos, busy.id, failed.run), MR_ERR_CONFLICT); /* it is not his */
    assert_int_equal(mr_videos_cancel(it.videos, failed.id, failed.run), MR_OK);
    assert_int_equal(state_of(&it, failed.id), FAILED);
    assert_int_equal(mr_videos_cancel(it.videos, failed.id, failed.run), MR_ERR_CONFLICT);
    mr_videos_close(it.videos);
    open_house(&it, 2);
    it.platform.states[fake_number(busy.run)] = "interrupted";
    mr_videos_begin(it.videos);
    wait_for_starts(&it, 2 + 1);
    mr_videos_drain(it.videos);
    assert_int_equal(it.platform.resumes, 1); /* the busy one */
    assert_int_equal(state_of(&it, failed.id), FAILED);
    mr_videos_close(it.videos);
    open_house(&it, 2);
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_OK);
    assert_int_equal(it.platform.resumes, 2);
    assert_int_equal(mr_videos_cancel(it.videos, failed.id, failed.run), MR_OK); /* it runs */
    end_house(&it);
}

/* One that can't go on begins anew; a run that ends before its start has returned leaves nothing behind. */
static void test_who_is_asked_again_in_vain(void **unused)
{
    house it;
    video failed, next;
    (void)unused;
    make_house(&it, 1);
    bring(&it, FAILED, &failed);
    it.platform.refuse = MR_ERR_INPUT;
    assert_int_equal(mr_videos_retry(it.videos, failed.id, failed.run), MR_OK);
    it.platform.refuse = MR_OK;
    assert_int_equal(state_of(&it, failed.id), FAILED); /* the new one was refused, too */
    bring(&it, WAITING, &next);
    assert_int_equal(ask_for_run(&it, &next), MR_OK);
    assert_int_equal(it.platform.starts, 2); /* there was room */
    end_house(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_change_from_every_status),
        cmocka_unit_test(test_a_server_starts_again),
        cmocka_unit_test(test_who_is_asked_again_waits_for_his_turn),
        cmocka_unit_test(test_who_is_asked_again_is_not_forgotten),
        cmocka_unit_test(test_who_waits_is_told_not_to),
        cmocka_unit_test(test_who_is_asked_again_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
