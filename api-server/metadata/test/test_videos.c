/* SPDX-License-Identifier: MIT */
/* Videos: who sees what, versions, pages while rows come and go, the search, and looks that are never older than what was acknowledged. */
#include "api-server/metadata/test/base.h"

#include <pthread.h>
#include <string.h>

static const mr_identity nobody;

static mr_identity who_is(const char *user, mr_role role)
{
    mr_identity who = {.role = role, .scopes = MR_SCOPE_ALL};
    snprintf(who.user, sizeof(who.user), "%s", user);
    return who;
}

static json_t *list(world *at, mr_video_query query)
{
    char *text = NULL;
    query.limit = query.limit ? query.limit : 100;
    query.who = query.who ? query.who : &nobody;
    assert_int_equal(mr_video_list(at->metadata, &query, &text), MR_OK);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static size_t hits(world *at, const mr_identity *who, const char *text)
{
    json_t *found = list(at, (mr_video_query){.who = who, .text = text});
    const size_t count = json_array_size(json_object_get(found, "items"));
    json_decref(found);
    return count;
}

static void test_looks(void **state)
{
    world at;
    char id[MR_ID_SIZE];
    const mr_video_view *view = NULL;
    (void)state;
    make_world(&at);
    const mr_identity ada = who_is(at.ada, MR_ROLE_ADMIN), bob = who_is(at.bob, MR_ROLE_CREATOR), eve = who_is("u_eve", MR_ROLE_CREATOR);
    add_video(&at, at.bob, "a \"quoted\" \\ title\n", MR_VISIBILITY_PUBLIC, id);
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_OK);
    assert_true(mr_video_seen_by(view, &bob) && mr_video_owned_by(view, &bob) && mr_video_seen_by(view, &ada));
    assert_false(mr_video_seen_by(view, &eve) || mr_video_seen_by(view, &nobody)); /* nothing to watch yet */
    json_t *json = json_loads(view->json, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "title")), "a \"quoted\" \\ title\n");
    assert_string_equal(json_string_value(json_object_get(json, "status")), "created");
    assert_true(json_is_null(json_object_get(json, "duration")));
    json_decref(json);

    finish_video(&at, at.bob, id, 1000);
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_OK);
    assert_true(mr_video_seen_by(view, &eve) && mr_video_seen_by(view, &nobody) && view->complete);
    assert_false(mr_video_owned_by(view, &eve));
    assert_non_null(strstr(view->json, "\"size\":1000"));
    assert_non_null(strstr(view->json, "\"name\":\"Somebody\""));

    mr_visibility hidden = MR_VISIBILITY_PRIVATE;
    assert_int_equal(mr_video_edit(at.metadata, id, NULL, &(mr_video_fields){.visibility = &hidden}), MR_OK);
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_OK);
    assert_false(mr_video_seen_by(view, &nobody));

    char etag[MR_ETAG_SIZE + 2];
    snprintf(etag, sizeof(etag), "\"%s\"", view->etag);
    assert_int_equal(mr_video_edit(at.metadata, id, "\"0\"", &(mr_video_fields){.title = "b"}), MR_ERR_CONFLICT);
    assert_int_equal(mr_video_edit(at.metadata, id, etag, &(mr_video_fields){.title = "b"}), MR_OK);
    assert_int_equal(mr_video_edit(at.metadata, id, etag, &(mr_video_fields){.title = "c"}), MR_ERR_CONFLICT);
    bool counted = false;
    assert_int_equal(mr_view_add(at.metadata, id, "viewer", &counted), MR_OK);
    assert_true(counted);
    assert_int_equal(mr_view_add(at.metadata, id, "another", &counted), MR_OK);
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_OK);
    assert_non_null(strstr(view->json, "\"views\":2"));
    assert_int_equal(mr_view_add(at.metadata, id, "another", &counted), MR_OK);
    assert_false(counted);
    int64_t days[3] = {0};
    const int64_t today = mr_now_us() / 86400000000; /* at midnight the views may be yesterday's */
    assert_int_equal(mr_view_days(at.metadata, id, today - 1, 3, days), MR_OK);
    assert_int_equal(days[0] + days[1] + days[2], 2);
    int64_t all[3] = {0};
    assert_int_equal(mr_view_days(at.metadata, NULL, today - 1, 3, all), MR_OK);
    assert_memory_equal(all, days, sizeof(all));
    double seconds = 0;
    assert_int_equal(mr_position_get(at.metadata, at.ada, id, &seconds), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_position_put(at.metadata, at.ada, id, 1.5), MR_OK);
    assert_int_equal(mr_position_put(at.metadata, at.ada, id, 2.5), MR_OK);
    assert_int_equal(mr_position_get(at.metadata, at.ada, id, &seconds), MR_OK);
    assert_true(seconds == 2.5);
    int64_t shares[4] = {0};
    assert_int_equal(mr_position_shares(at.metadata, id, 10, 4, shares), MR_OK);
    assert_int_equal(shares[1], 1); /* one viewer, where he stopped last */
    assert_int_equal(mr_position_shares(at.metadata, id, 2, 4, shares), MR_OK);
    assert_int_equal(shares[3], 1); /* behind the end is the end */
    assert_int_equal(mr_position_put(at.metadata, at.ada, "v_none", 1), MR_ERR_NOT_FOUND);

    char paths[8][MR_RUBBISH_SIZE];
    size_t count = 0;
    assert_int_equal(mr_video_remove(at.metadata, id, NULL), MR_OK);
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_rubbish_list(at.metadata, paths, 8, &count), MR_OK);
    assert_int_equal(count, 5); /* its upload: two files */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(mr_rubbish_gone(at.metadata, paths[i]), MR_OK);
    assert_int_equal(mr_rubbish_list(at.metadata, paths, 8, &count), MR_OK);
    assert_int_equal(count, 0);
    end_world(&at);
}

static void test_search(void **state)
{
    world at;
    char id[MR_ID_SIZE];
    (void)state;
    make_world(&at);
    const mr_identity ada = who_is(at.ada, MR_ROLE_ADMIN);
    const mr_visibility public = MR_VISIBILITY_PUBLIC;
    json_t *tags = json_pack("[s,s]", "nature", "nature");
    json_t *metadata = json_pack("{s:[s]}", "cast", "Ingrid Bergman");
    add_video_as(&at, at.bob,
                 &(mr_video_fields){.title = "Ein früher Morgen", .tags = tags, .metadata = metadata, .visibility = &public, .category = "film"}, id);
    json_decref(tags);
    json_decref(metadata);
    assert_int_equal(hits(&at, &ada, "fruh"), 1);
    assert_int_equal(hits(&at, &ada, "morgen FRÜHER"), 1);
    assert_int_equal(hits(&at, &ada, "ingrid berg"), 1);
    assert_int_equal(hits(&at, &ada, "ingrid chaplin"), 0);
    assert_int_equal(hits(&at, &nobody, "morgen"), 0); /* not playable */
    assert_int_equal(hits(&at, &ada, "\" OR NEAR( * : ^ -"), 0);
    assert_int_equal(hits(&at, &ada, "morgen\" OR title:\"x"), 0);
    assert_int_equal(hits(&at, &ada, "- ( \""), 0); /* no word: it is found nowhere */
    assert_int_equal(hits(&at, &ada, "\xf0\x9f\x8e\xac"), 0);
    char *none = NULL;
    const char *most = "a b c d e f g h i j k l m n o p";
    assert_int_equal(mr_video_list(at.metadata, &(mr_video_query){.who = &ada, .limit = 1, .text = "a b c d e f g h i j k l m n o p q"}, &none),
                     MR_ERR_LIMIT);
    assert_int_equal(hits(&at, &ada, most), 0);
    finish_video(&at, at.bob, id, 10);
    assert_int_equal(hits(&at, &nobody, "morgen"), 1);
    assert_int_equal(mr_video_edit(at.metadata, id, NULL, &(mr_video_fields){.title = "Abend"}), MR_OK);
    assert_int_equal(hits(&at, &nobody, "morgen"), 0);
    json_t *found = list(&at, (mr_video_query){.tag = "nature", .category = "film", .owner = at.bob});
    assert_int_equal(json_array_size(json_object_get(found, "items")), 1);
    json_decref(found);
    found = list(&at, (mr_video_query){.tag = "natur"});
    assert_int_equal(json_array_size(json_object_get(found, "items")), 0);
    json_decref(found);
    assert_int_equal(mr_video_remove(at.metadata, id, NULL), MR_OK);
    assert_int_equal(hits(&at, &ada, "abend"), 0);
    end_world(&at);
}

/* Pages by every sort; between two of them a video comes, and one that was seen goes: the rest is seen once. */
static void test_pages(void **state)
{
    enum { VIDEOS = 17 };
    world at;
    char ids[VIDEOS][MR_ID_SIZE], id[MR_ID_SIZE], title[32];
    (void)state;
    make_world(&at);
    const mr_identity ada = who_is(at.ada, MR_ROLE_ADMIN);
    for (int i = 0; i < VIDEOS; i++) {
        snprintf(title, sizeof(title), "title %c", 'a' + i % 5);
        add_video(&at, at.bob, title, MR_VISIBILITY_PUBLIC, ids[i]);
    }
    for (mr_video_sort sort = MR_SORT_NEW; sort <= MR_SORT_DURATION; sort++) {
        int seen[VIDEOS] = {0};
        char *cursor = NULL;
        int pages = 0;
        do {
            json_t *page = list(&at, (mr_video_query){.who = &ada, .limit = 5, .sort = sort, .cursor = cursor});
            size_t i;
            const json_t *item;
            json_array_foreach(json_object_get(page, "items"), i, item)
            {
                for (int k = 0; k < VIDEOS; k++)
                    seen[k] += strcmp(ids[k], json_string_value(json_object_get(item, "id"))) == 0;
            }
            free(cursor);
            const char *next = json_string_value(json_object_get(page, "next"));
            cursor = next ? strdup(next) : NULL;
            json_decref(page);
            add_video(&at, at.bob, "title c", MR_VISIBILITY_PUBLIC, id);
        } while (cursor && ++pages < 50);
        assert_null(cursor);
        for (int k = 0; k < VIDEOS; k++)
            assert_int_equal(seen[k], 1);
    }
    char *text = NULL;
    static const char *const bad[] = {"", "n", "n.", "n.x", "o.3", "n.3.1", "n.99999999999999999999", "n.-3", "t.3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(mr_video_list(at.metadata, &(mr_video_query){.who = &ada, .limit = 5, .cursor = bad[i]}, &text), MR_ERR_PARAM);
    end_world(&at);
}

/* ---- many threads ---- */

typedef struct crowd {
    world *at;
    const char *id;
    int number;
    int64_t last; /* acknowledged */
} crowd;

static void *edit_and_look(void *context)
{
    crowd *me = context;
    char title[32], wanted[64];
    for (int i = 0; i < 20; i++) {
        const mr_video_view *view = NULL;
        snprintf(title, sizeof(title), "t%d-%d", me->number, i);
        snprintf(wanted, sizeof(wanted), "\"description\":\"t%d-%d\"", me->number, i);
        if (mr_video_edit(me->at->metadata, me->id, NULL, &(mr_video_fields){.description = title}) != MR_OK ||
            mr_video_look(me->at->metadata, me->id, &view) != MR_OK)
            return (void *)"failed";
        if (me->number == 0 && !strstr(view->json, wanted))
            return (void *)"an old one was seen";
    }
    return NULL;
}

static void test_crowd(void **state)
{
    world at;
    char mine[MR_ID_SIZE], shared[MR_ID_SIZE];
    pthread_t threads[6];
    crowd crowds[6];
    (void)state;
    make_world(&at);
    add_video(&at, at.bob, "mine", MR_VISIBILITY_PUBLIC, mine);
    add_video(&at, at.bob, "shared", MR_VISIBILITY_PUBLIC, shared);
    for (int i = 0; i < 6; i++) {
        crowds[i] = (crowd){.at = &at, .id = i ? shared : mine, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, edit_and_look, &crowds[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        void *bad = NULL;
        pthread_join(threads[i], &bad);
        if (bad)
            fail_msg("%s", (const char *)bad);
    }
    const mr_video_view *view = NULL;
    assert_int_equal(mr_video_look(at.metadata, shared, &view), MR_OK);
    assert_string_equal(view->etag, "101"); /* none of 100 edits was lost */
    end_world(&at);
}

static void test_life(void **state)
{
    world at;
    char id[MR_ID_SIZE], later[MR_ID_SIZE];
    mr_video_turn turns[4];
    size_t count = 0;
    int64_t attempt = 0;
    mr_video_life life = {0};
    (void)state;
    make_world(&at);
    add_video(&at, at.bob, "x", MR_VISIBILITY_PUBLIC, id);
    assert_int_equal(mr_video_run_begins(at.metadata, id, NULL, NULL, &attempt), MR_ERR_NOT_FOUND); /* nothing was uploaded */
    finish_video(&at, at.bob, id, 7);
    assert_int_equal(mr_video_unfinished(at.metadata, 0, turns, 4, &count), MR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(mr_video_run_begins(at.metadata, id, "other", "{\"a\":1}", &attempt), MR_OK);
    assert_int_equal(attempt, 2);
    assert_int_equal(mr_video_unfinished(at.metadata, 0, turns, 4, &count), MR_OK);
    assert_int_equal(count, 1);
    add_video(&at, at.bob, "y", MR_VISIBILITY_PUBLIC, later);
    finish_video(&at, at.bob, later, 8);
    assert_int_equal(mr_video_run_begins(at.metadata, later, NULL, NULL, &attempt), MR_OK);
    assert_int_equal(mr_video_unfinished(at.metadata, 0, turns, 4, &count), MR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(turns[0].id, id);
    assert_int_equal(mr_video_unfinished(at.metadata, turns[0].number, turns, 4, &count), MR_OK);
    assert_int_equal(count, 1);
    assert_string_equal(turns[0].id, later);
    assert_int_equal(mr_video_life_find(at.metadata, id, &life), MR_OK);
    assert_true(life.run[0] == '\0' && life.playable && !life.complete && strcmp(life.pipeline, "other") == 0);
    free(life.params);
    const mr_video_news late = {.duration = -1, .width = -1, .height = -1, .output = "media/x/9"};
    assert_int_equal(mr_video_tell(at.metadata, id, id + 2, &late), MR_ERR_NOT_FOUND); /* news of a run that is no longer its */
    assert_int_equal(mr_video_run_is(at.metadata, id, "r"), MR_OK);
    assert_int_equal(mr_video_life_find(at.metadata, id, &life), MR_OK);
    free(life.params);
    char reason[400];
    const char *file = strrchr(life.source, '/') + 1;
    assert_true(strlen(file) > 8);
    snprintf(reason, sizeof(reason), "'%s' is empty", file);
    const mr_video_news sad = {.reason_code = "processing-failed", .reason_message = reason, .duration = -1, .width = -1, .height = -1};
    assert_int_equal(mr_video_tell(at.metadata, id, "r", &sad), MR_OK);
    const mr_video_view *view = NULL;
    assert_int_equal(mr_video_look(at.metadata, id, &view), MR_OK);
    assert_non_null(strstr(view->json, "\"message\":\"'a.mp4' is empty\""));
    end_world(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks), cmocka_unit_test(test_search), cmocka_unit_test(test_pages),
        cmocka_unit_test(test_crowd), cmocka_unit_test(test_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
