/* SPDX-License-Identifier: MIT */
/*
 * Videos that are processed while their upload goes on. Their status stays "uploading"; `run` says how it stands: NULL: nothing was begun; a run; or
 * '' (no run has that name): it ended badly, and nothing is begun before the upload is complete.
 */
#include "api-server/base/clock.h"
#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"
#include "api-server/uploads/store.h"

#include <assert.h>

/* One upload goes on, of which it is known how long it will be; what has come of it stays. */
#define ARRIVES                                                                                                                                      \
    " FROM videos v, uploads u WHERE u.video = v.id AND u.state = 0 AND u.kind = 0 AND u.role = 0 AND u.length > 0 AND u.offset_bytes > 0"           \
    " AND v.status = ?1 AND v.source = '' AND COALESCE(v.run, 'none') <> ''"                                                                         \
    " AND NOT EXISTS (SELECT 1 FROM uploads o WHERE o.video = v.id AND o.id <> u.id AND o.offset_bytes > 0)"

static_assert(MR_UPLOAD_OPEN == 0 && MR_UPLOAD_TUS == 0 && MR_UPLOAD_WHOLE == 0, "these are in the text of statements");

typedef struct arriving_change {
    const char *id, *run, *pipeline, *params;
    bool again;
    int64_t *ret_attempt;
} arriving_change;

mr_status mr_video_arriving_list(mr_metadata *metadata, const char *after, char (*ret_ids)[MR_ID_SIZE], size_t most, size_t *ret_count)
{
    *ret_count = 0;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT v.id" ARRIVES " AND v.id > ?2 ORDER BY v.id LIMIT ?3", "iti",
                                  (int64_t)MR_VIDEO_UPLOADING, after, (int64_t)most);
    while (mr_sql_next(&rows))
        mr_sql_copy(&rows, 0, ret_ids[(*ret_count)++], MR_ID_SIZE);
    return mr_sql_end(&rows);
}

mr_status mr_video_arriving_find(mr_metadata *metadata, const char *id, mr_video_arriving *ret_arriving)
{
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT 'uploads/' || u.id, u.length, u.offset_bytes" ARRIVES " AND v.id = ?2", "it",
                                  (int64_t)MR_VIDEO_UPLOADING, id);
    const bool found = mr_sql_next(&rows);
    if (found) {
        *ret_arriving = (mr_video_arriving){.length = mr_sql_int(&rows, 1), .have = mr_sql_int(&rows, 2)};
        mr_sql_copy(&rows, 0, ret_arriving->source, sizeof(ret_arriving->source));
    }
    const mr_status status = mr_sql_end(&rows);
    return status == MR_OK && !found ? MR_ERR_NOT_FOUND : status;
}

static mr_status fine_if_nothing(mr_status status)
{
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

/* What an attempt published goes, unless somebody may be watching it as the video's. */
static mr_status attempt_is_rubbish(mr_sql_link *link, const char *id)
{
    return fine_if_nothing(mr_sql_do(link,
                                     "INSERT INTO rubbish (path) SELECT 'media/' || id || '/' || attempt FROM videos WHERE id = ?1 AND attempt > 0"
                                     " ON CONFLICT DO NOTHING",
                                     "t", id));
}

static mr_status begins(mr_sql_link *link, void *context)
{
    const arriving_change *it = context;
    mr_status status = attempt_is_rubbish(link, it->id); /* of a run that nobody knows: the server died before the row had it */
    if (status == MR_OK)
        status = mr_sql_do(link,
                           "UPDATE videos SET run = NULL, attempt = attempt + 1, pipeline = COALESCE(?3, pipeline), params = COALESCE(?4, params),"
                           " updated_us = ?5, etag = etag + 1 WHERE id = ?1 AND status = ?2 AND source = ''",
                           "titti", it->id, (int64_t)MR_VIDEO_UPLOADING, it->pipeline, it->params, mr_now_us());
    *it->ret_attempt = mr_sql_count(link, "SELECT attempt FROM videos WHERE id = ?1", "t", it->id);
    return status;
}

static mr_status change(mr_metadata *metadata, mr_sql_change how, arriving_change *it)
{
    const mr_status status = mr_sql_write(metadata->sql, how, it);
    if (status == MR_OK)
        mr_video_changed(metadata, it->id);
    return status;
}

mr_status mr_video_arriving_begins(mr_metadata *metadata, const char *id, const char *pipeline, const char *params, int64_t *ret_attempt)
{
    return change(metadata, begins, &(arriving_change){.id = id, .pipeline = pipeline, .params = params, .ret_attempt = ret_attempt});
}

#define AS_BEFORE                                                                                                                                    \
    "playable = 0, complete = 0, output = '', duration = NULL, width = NULL, height = NULL, published_us = NULL,"                                    \
    " poster = CASE WHEN poster LIKE 'media/%' THEN '' ELSE poster END"

static mr_status ends(mr_sql_link *link, void *context)
{
    const arriving_change *it = context;
    const int64_t his =
        mr_sql_count(link, "SELECT COUNT(*) FROM videos WHERE id = ?1 AND COALESCE(run, '') = ?2 AND source = ''", "tt", it->id, it->run);
    mr_status status = his > 0 ? attempt_is_rubbish(link, it->id) : his == 0 ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    if (status == MR_OK)
        status = mr_sql_do(
            link, "UPDATE videos SET run = CASE ?2 WHEN 1 THEN NULL ELSE '' END, " AS_BEFORE ", updated_us = ?3, etag = etag + 1 WHERE id = ?1",
            "tii", it->id, (int64_t)it->again, mr_now_us());
    return status;
}

mr_status mr_video_arriving_ends(mr_metadata *metadata, const char *id, const char *run, bool again)
{
    return change(metadata, ends, &(arriving_change){.id = id, .run = run, .again = again});
}

/* Its status is "created" again when nothing is on the way any more. */
static mr_status gone(mr_sql_link *link, void *context)
{
    const arriving_change *it = context;
    mr_status status = MR_OK;
    const int64_t begun = mr_sql_count(link, "SELECT COUNT(*) FROM videos WHERE id = ?1 AND status = ?2 AND source = '' AND run IS NOT NULL", "ti",
                                       it->id, (int64_t)MR_VIDEO_UPLOADING);
    if (begun <= 0)
        return begun == 0 ? MR_ERR_NOT_FOUND : MR_ERR_IO;
    status = attempt_is_rubbish(link, it->id);
    if (status == MR_OK)
        status = mr_sql_do(link,
                           "UPDATE videos SET run = NULL, " AS_BEFORE ", updated_us = ?2, etag = etag + 1, status = CASE WHEN EXISTS"
                           " (SELECT 1 FROM uploads WHERE video = ?1 AND offset_bytes > 0) THEN status ELSE ?3 END WHERE id = ?1",
                           "tii", it->id, mr_now_us(), (int64_t)MR_VIDEO_CREATED);
    return status;
}

mr_status mr_video_arriving_gone(mr_metadata *metadata, const char *id)
{
    return change(metadata, gone, &(arriving_change){.id = id});
}

static mr_status other(mr_sql_link *link, void *context)
{
    const arriving_change *it = context;
    mr_status status = attempt_is_rubbish(link, it->id);
    return status != MR_OK
               ? status
               : mr_sql_do(link, "UPDATE videos SET run = NULL, " AS_BEFORE ", updated_us = ?3, etag = etag + 1 WHERE id = ?1 AND run = ?2", "tti",
                           it->id, it->run, mr_now_us());
}

mr_status mr_video_arriving_other(mr_metadata *metadata, const char *id, const char *run)
{
    return change(metadata, other, &(arriving_change){.id = id, .run = run});
}
