/* SPDX-License-Identifier: MIT */
/* Opening and closing, answers to repeated requests, numbers. */
#include "api-server/metadata/internal.h"

#include "api-server/base/clock.h"
#include "api-server/metadata/videos.h"

#include <stdlib.h>
#include <string.h>

#define DAY_US    (24ll * 3600 * 1000000)
#define MINUTE_US (60ll * 1000000)

mr_status mr_metadata_open(const char *path, mr_metadata_complaint complain, void *context, char *why, size_t why_size, mr_metadata **ret_metadata)
{
    *ret_metadata = NULL;
    mr_metadata *metadata = calloc(1, sizeof(*metadata));
    if (!metadata) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    pthread_mutex_init(&metadata->lock, NULL);
    const mr_sql_options options = {.driver = &mr_sqlite, .path = path, .steps = mr_schema_steps, .complain = complain, .context = context};
    mr_status status = mr_sql_open(&options, why, why_size, &metadata->sql);
    if (status != MR_OK) {
        mr_metadata_close(metadata);
        return status;
    }
    mr_uploads_fill(metadata);
    *ret_metadata = metadata;
    return MR_OK;
}

void mr_metadata_close(mr_metadata *metadata)
{
    if (!metadata)
        return;
    mr_sql_close(metadata->sql);
    pthread_mutex_destroy(&metadata->lock);
    free(metadata);
}

const mr_upload_store *mr_metadata_uploads(mr_metadata *metadata)
{
    return &metadata->uploads;
}

/* ---- answers ---- */

typedef struct claim {
    const char *scope, *key, *request, *answer;
    int status;
    int *ret_status;
    char **ret_answer;
} claim;

/* A claim that nobody answered within a minute is of a request that died: whoever comes next has it. */
static mr_status claim_it(mr_sql_link *link, void *context)
{
    const claim *it = context;
    const int64_t now_us = mr_now_us();
    mr_status status =
        mr_sql_do(link, "DELETE FROM answers WHERE created_us < ?1 OR (status = 0 AND created_us < ?2)", "ii", now_us - DAY_US, now_us - MINUTE_US);
    if (status < 0 && status != MR_ERR_NOT_FOUND)
        return status;
    mr_sql_rows rows = mr_sql_ask(link, "SELECT request, status, answer FROM answers WHERE scope = ?1 AND key = ?2", "tt", it->scope, it->key);
    const bool found = mr_sql_next(&rows);
    if (found) {
        *it->ret_status = (int)mr_sql_int(&rows, 1);
        if (strcmp(mr_sql_text(&rows, 0), it->request) != 0)
            status = MR_ERR_PARAM;
        else if (*it->ret_status == 0)
            status = MR_ERR_CONFLICT;
        else
            status = (*it->ret_answer = strdup(mr_sql_text(&rows, 2))) ? MR_END : MR_ERR_NOMEM;
    }
    const mr_status ended = mr_sql_end(&rows);
    if (found || ended != MR_OK)
        return found ? status : ended;
    return mr_sql_do(link, "INSERT INTO answers (scope, key, request, status, answer, created_us) VALUES (?1, ?2, ?3, 0, '', ?4)", "ttti", it->scope,
                     it->key, it->request, now_us);
}

mr_status mr_idempotency_claim(mr_metadata *metadata, const char *scope, const char *key, const char *request, int *ret_status, char **ret_answer)
{
    claim it = {.scope = scope, .key = key, .request = request, .ret_status = ret_status, .ret_answer = ret_answer};
    *ret_answer = NULL;
    return mr_sql_write(metadata->sql, claim_it, &it);
}

static mr_status keep_it(mr_sql_link *link, void *context)
{
    const claim *it = context;
    return mr_sql_do(link, "UPDATE answers SET status = ?3, answer = ?4 WHERE scope = ?1 AND key = ?2", "ttit", it->scope, it->key,
                     (int64_t)it->status, it->answer);
}

mr_status mr_idempotency_keep(mr_metadata *metadata, const char *scope, const char *key, int status, const char *answer)
{
    claim it = {.scope = scope, .key = key, .status = status, .answer = answer};
    return mr_sql_write(metadata->sql, keep_it, &it);
}

static mr_status forget_it(mr_sql_link *link, void *context)
{
    const claim *it = context;
    return mr_sql_do(link, "DELETE FROM answers WHERE scope = ?1 AND key = ?2 AND status = 0", "tt", it->scope, it->key);
}

mr_status mr_idempotency_forget(mr_metadata *metadata, const char *scope, const char *key)
{
    claim it = {.scope = scope, .key = key};
    return mr_sql_write(metadata->sql, forget_it, &it);
}

static mr_status forget_unanswered(mr_sql_link *link, void *context)
{
    (void)context;
    mr_status status = mr_sql_do(link, "DELETE FROM answers WHERE status = 0", "");
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

mr_status mr_idempotency_forget_unanswered(mr_metadata *metadata)
{
    return mr_sql_write(metadata->sql, forget_unanswered, NULL);
}

/* ---- numbers ---- */

json_t *mr_metadata_stats(mr_metadata *metadata)
{
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    json_t *videos = json_object();
    mr_sql_rows rows = mr_sql_ask(link, "SELECT status, COUNT(*) FROM videos GROUP BY status", "");
    for (int i = MR_VIDEO_CREATED; i <= MR_VIDEO_FAILED; i++)
        json_object_set_new(videos, mr_video_status_name((mr_video_status)i), json_integer(0));
    while (mr_sql_next(&rows))
        json_object_set_new(videos, mr_video_status_name((mr_video_status)mr_sql_int(&rows, 0)), json_integer(mr_sql_int(&rows, 1)));
    if (mr_sql_end(&rows) != MR_OK) {
        json_decref(videos);
        return NULL;
    }
    const int64_t bytes = mr_sql_count(link, "SELECT COALESCE(SUM(size), 0) FROM videos", "");
    const int64_t uploads = mr_sql_count(link, "SELECT COUNT(*) FROM uploads WHERE state = 0", "");
    const int64_t users = mr_sql_count(link, "SELECT COUNT(*) FROM users", "");
    const int64_t views = mr_sql_count(link, "SELECT COALESCE(SUM(views), 0) FROM videos", "");
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "videos", videos, "bytes", (json_int_t)bytes, "uploads", (json_int_t)uploads, "users",
                     (json_int_t)users, "views", (json_int_t)views);
}
