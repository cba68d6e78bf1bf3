/* SPDX-License-Identifier: MIT */
/* Uploads and their parts: fills the table that api-server/uploads/store.h asks for, which also says what each function promises. */
#include "api-server/base/clock.h"
#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UPLOAD_COLUMNS                                                                                                                               \
    "id, COALESCE(video, ''), owner, kind, state, role, length, offset_bytes, part_size, created_us, expires_us, filename, type, metadata, concat,"  \
    " digest, etag"

typedef struct upload_change {
    const mr_upload *upload;
    const mr_video_fields *new_video;
    const char *id;
    int64_t offset, length, expires_us, part_size;
    int64_t *ret_left, *ret_part_size;
    const mr_upload_part *part;
    mr_upload_part *ret_old;
    int *ret_replaced;
    char video[MR_UPLOAD_ID]; /* whose looks have changed; "": none's */
} upload_change;

static mr_status find_upload(mr_sql_link *link, const char *id, mr_upload *ret_upload)
{
    mr_sql_rows rows = mr_sql_ask(link, "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE id = ?1", "t", id);
    const bool found = mr_sql_next(&rows);
    if (found) {
        mr_upload *it = ret_upload;
        memset(it, 0, sizeof(*it));
        it->kind = (mr_upload_kind)mr_sql_int(&rows, 3);
        it->state = (mr_upload_state)mr_sql_int(&rows, 4);
        it->role = (mr_upload_role)mr_sql_int(&rows, 5);
        it->length = mr_sql_int(&rows, 6);
        it->offset = mr_sql_int(&rows, 7);
        it->part_size = mr_sql_int(&rows, 8);
        it->created_us = mr_sql_int(&rows, 9);
        it->expires_us = mr_sql_int(&rows, 10);
        mr_sql_copy(&rows, 0, it->id, sizeof(it->id));
        mr_sql_copy(&rows, 1, it->video, sizeof(it->video));
        mr_sql_copy(&rows, 2, it->owner, sizeof(it->owner));
        mr_sql_copy(&rows, 11, it->filename, sizeof(it->filename));
        mr_sql_copy(&rows, 12, it->type, sizeof(it->type));
        mr_sql_copy(&rows, 13, it->metadata, sizeof(it->metadata));
        mr_sql_copy(&rows, 14, it->concat, sizeof(it->concat));
        mr_sql_copy(&rows, 15, it->digest, sizeof(it->digest));
        mr_sql_copy(&rows, 16, it->etag, sizeof(it->etag));
    }
    mr_status status = mr_sql_end(&rows);
    return status == MR_OK && !found ? MR_ERR_NOT_FOUND : status;
}

/* What of an upload's row counts: partial ones until they are joined, final ones never. */
#define COUNTS "(state = 0 OR role = 1) AND role <> 2"

static_assert(MR_UPLOAD_OPEN == 0 && MR_UPLOAD_PARTIAL == 1 && MR_UPLOAD_FINAL == 2, "these are in the text of statements");

/*
 * Whether an upload may grow to `to` bytes, of which `come` lie here, within the quota of its owner. A video takes one file: of several uploads that
 * are on the way to it the longest counts, or what has come of all of them, if that is more.
 */
static mr_status within_quota(mr_sql_link *link, const mr_upload *up, int64_t to, int64_t come, int64_t *ret_left)
{
    const int64_t quota = mr_sql_count(link, "SELECT quota_bytes FROM users WHERE id = ?1 AND quota_bytes >= 0", "t", up->owner);
    if (ret_left)
        *ret_left = INT64_MAX;
    if (quota < 0)
        return MR_OK;
    const int64_t stored = mr_user_bytes(link, up->owner);
    const int64_t coming =
        mr_sql_count(link,
                     "SELECT COALESCE(SUM(bytes), 0) FROM (SELECT MAX(MAX(MAX(length, offset_bytes)), SUM(offset_bytes)) AS bytes"
                     " FROM uploads WHERE owner = ?1 AND id <> ?2 AND COALESCE(video, '') <> ?3 AND " COUNTS " GROUP BY COALESCE(video, id))",
                     "ttt", up->owner, up->id, up->video[0] ? up->video : "none");
    const int64_t longest = mr_sql_count(
        link, "SELECT COALESCE(MAX(MAX(length, offset_bytes)), 0) FROM uploads WHERE video = ?1 AND id <> ?2 AND " COUNTS, "tt", up->video, up->id);
    const int64_t beside =
        mr_sql_count(link, "SELECT COALESCE(SUM(offset_bytes), 0) FROM uploads WHERE video = ?1 AND id <> ?2 AND " COUNTS, "tt", up->video, up->id);
    if (stored < 0 || coming < 0 || longest < 0 || beside < 0)
        return MR_ERR_IO;
    const int64_t left = quota > stored + coming ? quota - stored - coming : 0;
    if (ret_left)
        *ret_left = left;
    return to <= left && longest <= left && beside + come <= left ? MR_OK : MR_ERR_LIMIT;
}

/* The first byte. */
static mr_status video_uploads(mr_sql_link *link, upload_change *it, const char *video)
{
    mr_status status = mr_sql_do(link, "UPDATE videos SET status = ?2, updated_us = ?3, etag = etag + 1 WHERE id = ?1 AND status = ?4", "tiii", video,
                                 (int64_t)MR_VIDEO_UPLOADING, mr_now_us(), (int64_t)MR_VIDEO_CREATED);
    if (status == MR_OK)
        snprintf(it->video, sizeof(it->video), "%s", video);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status no_complete_one(mr_sql_link *link, const char *video, const char *but)
{
    const int64_t count = mr_sql_count(link, "SELECT COUNT(*) FROM uploads WHERE video = ?1 AND state = ?2 AND id <> ?3", "tit", video,
                                       (int64_t)MR_UPLOAD_COMPLETE, but);
    return count == 0 ? MR_OK : count > 0 ? MR_ERR_CONFLICT : MR_ERR_IO;
}

/* The video that is uploaded to: new, or his and without a source. A new one is there already when the answer to the first request was lost. */
static mr_status take_video(mr_sql_link *link, const upload_change *it)
{
    const mr_upload *up = it->upload;
    const mr_status added = it->new_video ? mr_video_insert(link, up->video, up->owner, it->new_video) : MR_ERR_CONFLICT;
    if (added != MR_ERR_CONFLICT)
        return added;
    const int64_t his = mr_sql_count(link, "SELECT COUNT(*) FROM videos WHERE id = ?1 AND owner = ?2", "tt", up->video, up->owner);
    return his == 1 ? no_complete_one(link, up->video, up->id) : his == 0 ? MR_ERR_NOT_FOUND : MR_ERR_IO;
}

static mr_status create(mr_sql_link *link, void *context)
{
    upload_change *it = context;
    const mr_upload *up = it->upload;
    const int64_t bytes = up->length > up->offset ? up->length : up->offset;
    mr_status status = up->video[0] ? take_video(link, it) : MR_OK;
    if (status == MR_OK)
        status = within_quota(link, up, up->role == MR_UPLOAD_FINAL ? 0 : bytes, up->offset, it->ret_left);
    if (status == MR_OK)
        status = mr_sql_do(link,
                           "INSERT INTO uploads (id, video, owner, kind, state, role, length, offset_bytes, part_size, created_us, expires_us,"
                           " filename, type, metadata, concat, digest, etag)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                           "tetiiiiiiiitttttt", up->id, up->video, up->owner, (int64_t)up->kind, (int64_t)up->state, (int64_t)up->role, up->length,
                           up->offset, up->part_size, up->created_us, up->expires_us, up->filename, up->type, up->metadata, up->concat, up->digest,
                           up->etag);
    return status == MR_OK && up->video[0] && up->offset > 0 ? video_uploads(link, it, up->video) : status;
}

static mr_status advance(mr_sql_link *link, void *context)
{
    upload_change *it = context;
    mr_status status = mr_sql_do(link, "UPDATE uploads SET offset_bytes = MAX(offset_bytes, ?2), expires_us = ?3 WHERE id = ?1", "tii", it->id,
                                 it->offset, it->expires_us);
    mr_upload up;
    if (status == MR_OK)
        status = find_upload(link, it->id, &up);
    if (status != MR_OK || up.video[0] == '\0' || it->offset <= 0)
        return status;
    /* Their lengths were within the quota; together with what comes for the same video beside it, it may be more. */
    if (mr_sql_count(link, "SELECT COUNT(*) FROM uploads WHERE video = ?1 AND id <> ?2 AND offset_bytes > 0", "tt", up.video, up.id) > 0)
        status = within_quota(link, &up, up.offset, up.offset, NULL);
    return status == MR_OK ? video_uploads(link, it, up.video) : status;
}

static mr_status set_length(mr_sql_link *link, void *context)
{
    const upload_change *it = context;
    mr_upload up;
    mr_status status = find_upload(link, it->id, &up);
    if (status != MR_OK || up.length == it->length)
        return status;
    if (up.length >= 0 || it->length < up.offset)
        return MR_ERR_CONFLICT;
    status = within_quota(link, &up, it->length, up.offset, it->ret_left);
    return status == MR_OK ? mr_sql_do(link, "UPDATE uploads SET length = ?2 WHERE id = ?1", "ti", it->id, it->length) : status;
}

static mr_status set_part_size(mr_sql_link *link, void *context)
{
    const upload_change *it = context;
    mr_status status = mr_sql_do(link, "UPDATE uploads SET part_size = ?2 WHERE id = ?1 AND part_size = 0", "ti", it->id, it->part_size);
    *it->ret_part_size = mr_sql_count(link, "SELECT part_size FROM uploads WHERE id = ?1", "t", it->id);
    if (*it->ret_part_size < 0)
        return MR_ERR_NOT_FOUND;
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

/* The row is the caller's word for what lies on the disk, synced. */
static mr_status complete(mr_sql_link *link, void *context)
{
    upload_change *it = context;
    const mr_upload *up = it->upload;
    mr_upload was;
    mr_status status = find_upload(link, up->id, &was);
    if (status != MR_OK || was.state == MR_UPLOAD_COMPLETE)
        return status;
    if (was.video[0])
        status = no_complete_one(link, was.video, was.id);
    if (status == MR_OK)
        status = mr_sql_do(link, "UPDATE uploads SET state = ?2, length = ?3, offset_bytes = ?3, digest = ?4, etag = ?5 WHERE id = ?1", "tiitt",
                           up->id, (int64_t)MR_UPLOAD_COMPLETE, up->length, up->digest, up->etag);
    if (status != MR_OK)
        return status;
    status = mr_sql_do(link, "DELETE FROM upload_parts WHERE upload = ?1", "t", up->id);
    if (status != MR_OK && status != MR_ERR_NOT_FOUND)
        return status;
    if (was.video[0] == '\0')
        return MR_OK;
    snprintf(it->video, sizeof(it->video), "%s", was.video);
    return mr_sql_do(link,
                     "UPDATE videos SET source = 'uploads/' || ?2, size = ?3, status = ?4, updated_us = ?5, etag = etag + 1,"
                     " filename = CASE ?6 WHEN '' THEN filename ELSE ?6 END WHERE id = ?1",
                     "ttiiit", was.video, up->id, up->length, (int64_t)MR_VIDEO_PROCESSING, mr_now_us(), was.filename);
}

/* A video of whose uploads nothing is left is as it was before the first byte; one that is processed meanwhile: arriving.c. */
static mr_status video_waits_again(mr_sql_link *link, upload_change *it, const char *video)
{
    mr_status status = mr_sql_do(link,
                                 "UPDATE videos SET status = ?2, run = NULL, updated_us = ?3, etag = etag + 1 WHERE id = ?1 AND status = ?4"
                                 " AND COALESCE(run, '') = '' AND NOT EXISTS (SELECT 1 FROM uploads WHERE video = ?1 AND offset_bytes > 0)",
                                 "tiii", video, (int64_t)MR_VIDEO_CREATED, mr_now_us(), (int64_t)MR_VIDEO_UPLOADING);
    if (status == MR_OK)
        snprintf(it->video, sizeof(it->video), "%s", video);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status remove_upload(mr_sql_link *link, void *context)
{
    upload_change *it = context;
    mr_upload was;
    mr_status status = find_upload(link, it->id, &was);
    if (status == MR_OK && was.state == MR_UPLOAD_COMPLETE && was.video[0])
        return MR_ERR_CONFLICT;
    if (status == MR_OK)
        status = mr_sql_do(link, "DELETE FROM uploads WHERE id = ?1", "t", it->id);
    return status == MR_OK && was.video[0] ? video_waits_again(link, it, was.video) : status;
}

mr_status mr_uploads_are_rubbish(mr_sql_link *link, const char *owner_or_video)
{
    static const char *const kinds[] = {
        "INSERT INTO rubbish (path) SELECT 'uploads/' || id FROM uploads WHERE (owner = ?1 OR video = ?1) ON CONFLICT DO NOTHING",
        "INSERT INTO rubbish (path) SELECT 'uploads/' || id || '.leaves' FROM uploads WHERE (owner = ?1 OR video = ?1) ON CONFLICT DO NOTHING",
        ("INSERT INTO rubbish (path) SELECT 'uploads/' || id || '.' || file FROM uploads, upload_parts"
         " WHERE upload = id AND place < 0 AND (owner = ?1 OR video = ?1) ON CONFLICT DO NOTHING"),
    };
    mr_status status = MR_OK;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && (status == MR_OK || status == MR_ERR_NOT_FOUND); i++)
        status = mr_sql_do(link, kinds[i], "t", owner_or_video);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

/* ---- parts ---- */

static void read_part(const mr_sql_rows *rows, mr_upload_part *part)
{
    memset(part, 0, sizeof(*part));
    part->number = (int32_t)mr_sql_int(rows, 0);
    part->size = mr_sql_int(rows, 1);
    part->place = mr_sql_int(rows, 2);
    part->file = mr_sql_int(rows, 3);
    part->modified_us = mr_sql_int(rows, 4);
    mr_sql_copy(rows, 5, part->etag, sizeof(part->etag));
}

static mr_status part_put(mr_sql_link *link, void *context)
{
    upload_change *it = context;
    const mr_upload_part *part = it->part;
    mr_upload up;
    mr_status status = find_upload(link, it->id, &up);
    if (status != MR_OK || up.state != MR_UPLOAD_OPEN)
        return status != MR_OK ? status : MR_ERR_NOT_FOUND;
    mr_sql_rows rows = mr_sql_ask(link, "SELECT number, size, place, file, modified_us, etag FROM upload_parts WHERE upload = ?1 AND number = ?2",
                                  "ti", it->id, (int64_t)part->number);
    *it->ret_replaced = mr_sql_next(&rows);
    if (*it->ret_replaced)
        read_part(&rows, it->ret_old);
    status = mr_sql_end(&rows);
    if (status == MR_OK)
        status = mr_sql_do(link,
                           "INSERT OR REPLACE INTO upload_parts (upload, number, size, place, file, modified_us, etag)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                           "tiiiiit", it->id, (int64_t)part->number, part->size, part->place, part->file, part->modified_us, part->etag);
    if (status != MR_OK)
        return status;
    const int64_t sum = mr_sql_count(link, "SELECT COALESCE(SUM(size), 0) FROM upload_parts WHERE upload = ?1", "t", it->id);
    if (sum < 0)
        return MR_ERR_IO;
    status = within_quota(link, &up, sum, sum, NULL);
    if (status == MR_OK)
        status = mr_sql_do(link, "UPDATE uploads SET offset_bytes = ?2, expires_us = ?3 WHERE id = ?1", "tii", it->id, sum, it->expires_us);
    return status == MR_OK && up.video[0] ? video_uploads(link, it, up.video) : status;
}

static mr_status parts_of(void *context, const char *id, mr_upload_part **ret_parts, size_t *ret_count)
{
    mr_metadata *metadata = context;
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    *ret_parts = NULL;
    *ret_count = 0;
    const int64_t most = mr_sql_count(link, "SELECT COUNT(*) FROM upload_parts WHERE upload = ?1", "t", id);
    mr_upload_part *parts = most >= 0 ? calloc((size_t)most + 1, sizeof(*parts)) : NULL;
    if (!parts)
        return most >= 0 ? MR_ERR_NOMEM : MR_ERR_IO;
    mr_sql_rows rows = mr_sql_ask(
        link, "SELECT number, size, place, file, modified_us, etag FROM upload_parts WHERE upload = ?1 ORDER BY number LIMIT ?2", "ti", id, most);
    while (mr_sql_next(&rows))
        read_part(&rows, &parts[(*ret_count)++]);
    mr_status status = mr_sql_end(&rows);
    if (status != MR_OK) {
        free(parts);
        *ret_count = 0;
        return status;
    }
    *ret_parts = parts;
    return MR_OK;
}

/* ---- the table ---- */

static mr_status run(void *context, mr_sql_change change, upload_change *it)
{
    mr_metadata *metadata = context;
    mr_status status = mr_sql_write(metadata->sql, change, it);
    if (status == MR_OK && it->video[0])
        mr_video_changed(metadata, it->video);
    return status;
}

static mr_status run_create(void *context, const mr_upload *upload, const mr_video_fields *new_video, int64_t *ret_left)
{
    return run(context, create, &(upload_change){.upload = upload, .new_video = new_video, .ret_left = ret_left});
}

static mr_status run_find(void *context, const char *id, mr_upload *ret_upload)
{
    mr_metadata *metadata = context;
    return find_upload(mr_sql_reader(metadata->sql), id, ret_upload);
}

static mr_status run_find_of_video(void *context, const char *video, mr_upload *ret_upload)
{
    mr_metadata *metadata = context;
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    char id[MR_UPLOAD_ID] = "";
    mr_sql_rows rows = mr_sql_ask(link, "SELECT id FROM uploads WHERE video = ?1 AND state = ?2", "ti", video, (int64_t)MR_UPLOAD_COMPLETE);
    if (mr_sql_next(&rows))
        mr_sql_copy(&rows, 0, id, sizeof(id));
    const mr_status status = mr_sql_end(&rows);
    return status == MR_OK ? find_upload(link, id, ret_upload) : status;
}

static mr_status run_open_of_video(void *context, const char *video, char (*ret_ids)[MR_UPLOAD_ID], size_t most, size_t *ret_count)
{
    mr_metadata *metadata = context;
    *ret_count = 0;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT id FROM uploads WHERE video = ?1 AND state = ?2 LIMIT ?3", "tii", video,
                                  (int64_t)MR_UPLOAD_OPEN, (int64_t)most);
    while (mr_sql_next(&rows))
        mr_sql_copy(&rows, 0, ret_ids[(*ret_count)++], MR_UPLOAD_ID);
    return mr_sql_end(&rows);
}

static mr_status run_advance(void *context, const char *id, int64_t offset, int64_t expires_us)
{
    return run(context, advance, &(upload_change){.id = id, .offset = offset, .expires_us = expires_us});
}

static mr_status run_set_length(void *context, const char *id, int64_t length, int64_t *ret_left)
{
    return run(context, set_length, &(upload_change){.id = id, .length = length, .ret_left = ret_left});
}

static mr_status run_set_part_size(void *context, const char *id, int64_t part_size, int64_t *ret_part_size)
{
    return run(context, set_part_size, &(upload_change){.id = id, .part_size = part_size, .ret_part_size = ret_part_size});
}

static mr_status run_complete(void *context, const mr_upload *upload)
{
    return run(context, complete, &(upload_change){.upload = upload});
}

static mr_status run_remove(void *context, const char *id)
{
    return run(context, remove_upload, &(upload_change){.id = id});
}

static mr_status run_part_put(void *context, const char *id, const mr_upload_part *part, int64_t expires_us, mr_upload_part *ret_old,
                              int *ret_replaced)
{
    return run(context, part_put,
               &(upload_change){.id = id, .part = part, .expires_us = expires_us, .ret_old = ret_old, .ret_replaced = ret_replaced});
}

static mr_status run_expired(void *context, int64_t now_us, char (*ret_ids)[MR_UPLOAD_ID], size_t most, size_t *ret_count, int64_t *ret_next_us)
{
    mr_metadata *metadata = context;
    *ret_count = 0;
    *ret_next_us = INT64_MAX;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql),
                                  "SELECT id, expires_us FROM uploads WHERE state = 0 OR (role = ?2 AND video IS NULL)"
                                  " ORDER BY expires_us LIMIT ?1",
                                  "ii", (int64_t)most + 1, (int64_t)MR_UPLOAD_PARTIAL);
    while (mr_sql_next(&rows)) {
        const int64_t expires_us = mr_sql_int(&rows, 1);
        if (expires_us >= now_us || *ret_count == most) {
            *ret_next_us = expires_us;
            break;
        }
        mr_sql_copy(&rows, 0, ret_ids[(*ret_count)++], MR_UPLOAD_ID);
    }
    return mr_sql_end(&rows);
}

void mr_uploads_fill(mr_metadata *metadata)
{
    metadata->uploads = (mr_upload_store){
        .context = metadata,
        .create = run_create,
        .find = run_find,
        .find_of_video = run_find_of_video,
        .open_of_video = run_open_of_video,
        .advance = run_advance,
        .set_length = run_set_length,
        .set_part_size = run_set_part_size,
        .complete = run_complete,
        .remove = run_remove,
        .part_put = run_part_put,
        .parts = parts_of,
        .expired = run_expired,
    };
}
