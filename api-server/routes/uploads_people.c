/* SPDX-License-Identifier: MIT */
/* What uploads need of the rest of the server: rows, videos, keys, and the engine, which is told the digest that was made on the way. */
#include "api-server/routes/uploads.h"

#include "api-server/auth/auth.h"
#include "api-server/base/id.h"
#include "api-server/metadata/videos.h"
#include "api-server/metrics/metrics.h"
#include "api-server/videos/videos.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(MR_KEY_SECRET_SIZE <= 64, "secrets fit where they are written to");

static void video_drop(void *context, const char *video)
{
    mr_server *server = context;
    mr_video_remove(server->metadata, video, NULL); /* it has nothing but its row */
}

static mr_status video_owner(void *context, const char *video, char ret_owner[MR_UPLOAD_ID])
{
    mr_server *server = context;
    const mr_video_view *view = NULL;
    const mr_status status = mr_id_is(video, 'v') ? mr_video_look(server->metadata, video, &view) : MR_ERR_NOT_FOUND;
    if (status == MR_OK)
        memcpy(ret_owner, view->owner, MR_UPLOAD_ID);
    return status;
}

static mr_status may_upload(void *context, const char *id)
{
    mr_server *server = context;
    mr_user user;
    const mr_status status = mr_user_find(server->metadata, id, &user);
    if (status != MR_OK)
        return status;
    mr_identity who = {.role = user.role, .scopes = MR_SCOPE_ALL};
    memcpy(who.user, user.id, sizeof(who.user));
    return !user.disabled && mr_rule_decide(MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE, &who) == MR_LET_IN ? MR_OK : MR_ERR_NOT_FOUND;
}

static mr_status key_secret(void *context, const char *key_id, char ret_secret[64], mr_identity *ret_who)
{
    mr_server *server = context;
    const mr_status status = mr_auth_key_secret(server->auth, key_id, ret_secret, ret_who);
    if (status == MR_OK && mr_rule_decide(MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE, ret_who) != MR_LET_IN)
        return MR_ERR_NOT_FOUND;
    return status;
}

static void own_secret(void *context, const char *purpose, char ret_secret[64])
{
    mr_server *server = context;
    mr_auth_server_secret(server->auth, purpose, ret_secret);
}

static void identify(void *context, const char *path, int64_t length, const unsigned char *leaves, size_t count, char ret_digest[MR_UPLOAD_DIGEST])
{
    const mr_platform_host *host = ((mr_server *)context)->host;
    if (host->source_learn(host->platform, path, (uint64_t)length, leaves, count, ret_digest) != MR_OK)
        ret_digest[0] = '\0'; /* the engine reads the file itself then */
}

/* Below the data folder. */
static bool source_of(const mr_upload *upload, char source[static 64])
{
    return snprintf(source, 64, "uploads/%s", upload->id) < 64;
}

static void progress(void *context, const mr_upload *upload)
{
    mr_server *server = context;
    char source[64];
    if (!server->videos || upload->video[0] == '\0')
        return;
    mr_videos_upload_progress(server->videos, upload->video, upload->offset, upload->length);
    /* Of the others nobody knows how long they will be, or they count as a whole or not at all. */
    if (upload->kind == MR_UPLOAD_TUS && upload->role == MR_UPLOAD_WHOLE && upload->length > 0 && source_of(upload, source))
        mr_videos_upload_grew(server->videos, upload->video, source, upload->length, upload->offset);
}

static void passes(void *context, const mr_upload *upload, int64_t length, int64_t have)
{
    const mr_server *server = context;
    char source[64];
    if (!server->videos || upload->video[0] == '\0')
        return;
    mr_videos_upload_progress(server->videos, upload->video, have, length);
    if (source_of(upload, source))
        mr_videos_upload_passes(server->videos, upload->video, source, length, have);
}

static mr_status changes(void *context, const mr_upload *upload)
{
    const mr_server *server = context;
    char source[64];
    return server->videos && source_of(upload, source) ? mr_videos_upload_changes(server->videos, source) : MR_ERR_UNAVAILABLE;
}

static void leaving(void *context, const mr_upload *upload)
{
    const mr_server *server = context;
    char source[64];
    if (server->videos && upload->video[0] && source_of(upload, source))
        mr_videos_upload_gone(server->videos, upload->video, source);
}

bool mr_server_has_room(mr_server *server, int64_t *ret_free)
{
    char fields[128];
    const mr_platform_host *host = server->host;
    const bool room = mr_uploads_have_room(server->uploads, 0, ret_free);
    if (atomic_exchange(&server->full, !room) == !room)
        return room;
    snprintf(fields, sizeof(fields), "{\"free_bytes\":%lld,\"keep_free\":%lld}", (long long)*ret_free, (long long)server->settings->keep_free);
    if (room)
        host->log(host->platform, MR_SERVER_LOG_INFO, "disk", fields, "there is room on the disk again, and uploads are taken");
    else
        host->log(host->platform, MR_SERVER_LOG_WARNING, "disk", fields,
                  "there is no room on the disk: uploads are refused until more than server.keep_free is free");
    return room;
}

static void full(void *context)
{
    int64_t free_bytes = 0;
    mr_server_has_room(context, &free_bytes);
}

static void begun(void *context)
{
    mr_metrics_count(((mr_server *)context)->metrics, MR_COUNT_UPLOADS_STARTED, 1);
}

static void dropped(void *context)
{
    mr_metrics_count(((mr_server *)context)->metrics, MR_COUNT_UPLOADS_FAILED, 1);
}

/* While the server opens there are no videos yet: they look at the rows when they begin. */
static void completed(void *context, const mr_upload *upload, const char *path)
{
    mr_server *server = context;
    (void)path;
    mr_metrics_count(server->metrics, MR_COUNT_UPLOADS_COMPLETED, 1);
    char source[64];
    if (!server->videos || upload->video[0] == '\0')
        return;
    if (source_of(upload, source))
        mr_videos_upload_whole(server->videos, upload->video, source);
    mr_videos_upload_complete(server->videos, upload->video);
}

mr_status mr_server_open_uploads(mr_server *server, char *why, size_t why_size)
{
    mr_upload_people *people = malloc(sizeof(*people));
    if (!people) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    *people = (mr_upload_people){.context = server,
                                 .video_drop = video_drop,
                                 .video_owner = video_owner,
                                 .may_upload = may_upload,
                                 .key_secret = key_secret,
                                 .own_secret = own_secret};
    server->upload_people = people;
    mr_uploads_options options = {.data_dir = server->host->data_dir,
                                  .max = server->settings->upload_max,
                                  .keep_free = server->settings->keep_free,
                                  .store = *mr_metadata_uploads(server->metadata),
                                  .context = server,
                                  .identify = identify};
    options.completed = completed;
    options.begun = begun;
    options.full = full;
    options.dropped = dropped;
    options.progress = progress;
    options.passes = passes;
    options.changes = changes;
    options.leaving = leaving;
    return mr_uploads_open(&options, &server->uploads, why, why_size);
}

void mr_server_close_uploads(mr_server *server)
{
    mr_uploads_close(server->uploads);
    free((void *)server->upload_people);
}
