/* SPDX-License-Identifier: MIT */
/* A database in a folder of its own, with somebody in it. */
#ifndef MR_METADATA_TEST_BASE_H
#define MR_METADATA_TEST_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api-server/base/clock.h"
#include "api-server/metadata/accounts.h"
#include "api-server/metadata/videos.h"
#include "api-server/uploads/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct world {
    char dir[64];
    char path[96];
    char ada[MR_ID_SIZE], bob[MR_ID_SIZE];
    mr_metadata *metadata;
} world;

static inline void complain(void *context, const char *message)
{
    (void)context;
    fprintf(stderr, "complaint: %s\n", message);
}

static inline void open_world(world *at)
{
    char why[256] = "";
    if (mr_metadata_open(at->path, complain, NULL, why, sizeof(why), &at->metadata) != MR_OK)
        fail_msg("%s", why);
}

static inline void add_somebody(world *at, const char *email, mr_role role, char ret_id[MR_ID_SIZE])
{
    mr_user user = {.role = role, .version = 1, .quota_bytes = -1, .created_us = mr_now_us(), .name = "Somebody", .password = "hash"};
    assert_true(mr_id_make('u', user.id));
    snprintf(user.email, sizeof(user.email), "%s", email);
    assert_int_equal(mr_user_add(at->metadata, &user, false), MR_OK);
    snprintf(ret_id, MR_ID_SIZE, "%s", user.id);
}

static inline void make_world(world *at)
{
    *at = (world){.dir = "/tmp/metadata-XXXXXX"};
    assert_non_null(mkdtemp(at->dir));
    snprintf(at->path, sizeof(at->path), "%s/metadata.db", at->dir);
    open_world(at);
    add_somebody(at, "Ada@example.org", MR_ROLE_ADMIN, at->ada);
    add_somebody(at, "bob@example.org", MR_ROLE_CREATOR, at->bob);
}

static inline void end_world(world *at)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[128];
    mr_metadata_close(at->metadata);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", at->path, ends[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(at->dir), 0);
}

/* A video with nothing on its way: its first upload was given up. */
static inline void add_video_as(world *at, const char *owner, const mr_video_fields *fields, char ret_id[MR_ID_SIZE])
{
    const mr_upload_store *store = mr_metadata_uploads(at->metadata);
    mr_upload upload = {.length = -1, .expires_us = mr_now_us() + 1000000, .created_us = mr_now_us()};
    assert_true(mr_id_make('v', ret_id) && mr_id_make('f', upload.id));
    snprintf(upload.video, sizeof(upload.video), "%s", ret_id);
    snprintf(upload.owner, sizeof(upload.owner), "%s", owner);
    assert_int_equal(store->create(store->context, &upload, fields, NULL), MR_OK);
    assert_int_equal(store->remove(store->context, upload.id), MR_OK);
}

static inline void add_video(world *at, const char *owner, const char *title, mr_visibility visibility, char ret_id[MR_ID_SIZE])
{
    const mr_video_fields fields = {.title = title, .visibility = &visibility};
    add_video_as(at, owner, &fields, ret_id);
}

/* The whole way from its upload to being ready. */
static inline void finish_video(world *at, const char *owner, const char *id, int64_t bytes)
{
    const mr_upload_store *store = mr_metadata_uploads(at->metadata);
    const mr_video_status ready = MR_VIDEO_READY;
    const bool yes = true;
    const mr_video_news news = {
        .status = &ready, .playable = &yes, .complete = &yes, .duration = 2, .width = 64, .height = 36, .output = "media/x/1"};
    int64_t attempt = 0;
    mr_upload upload = {.length = bytes, .offset = 0, .expires_us = mr_now_us() + 1000000, .created_us = mr_now_us(), .filename = "a.mp4"};
    assert_true(mr_id_make('t', upload.id));
    snprintf(upload.video, sizeof(upload.video), "%s", id);
    snprintf(upload.owner, sizeof(upload.owner), "%s", owner);
    assert_int_equal(store->create(store->context, &upload, NULL, NULL), MR_OK);
    assert_int_equal(store->advance(store->context, upload.id, bytes, mr_now_us() + 1000000), MR_OK);
    assert_int_equal(store->complete(store->context, &upload), MR_OK);
    assert_int_equal(mr_video_run_begins(at->metadata, id, NULL, NULL, &attempt), MR_OK);
    assert_int_equal(attempt, 1);
    assert_int_equal(mr_video_run_is(at->metadata, id, id + 2), MR_OK); /* any text is a run's id here */
    assert_int_equal(mr_video_tell(at->metadata, id, id + 2, &news), MR_OK);
}

#endif
