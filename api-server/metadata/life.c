/* SPDX-License-Identifier: MIT */
/* Where a video is between its upload and being ready: the state machine is these rows, so that whoever starts the server again knows what to do. */
#include "api-server/base/clock.h"
#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"

#include <stdlib.h>
#include <string.h>

typedef struct life_change {
    const char *id, *run, *pipeline, *params, *poster;
    const mr_video_news *news;
    const mr_video_life *before;
    int64_t *ret_attempt;
    char poster_key[MR_ID_SIZE];
} life_change;

static mr_status find_life(mr_metadata *metadata, const char *text, const char *by, mr_video_life *ret_life)
{
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), text, "t", by);
    mr_status status = MR_ERR_NOT_FOUND;
    if (mr_sql_next(&rows)) {
        *ret_life = (mr_video_life){.status = (mr_video_status)mr_sql_int(&rows, 2),
                                    .playable = mr_sql_int(&rows, 3) != 0,
                                    .complete = mr_sql_int(&rows, 4) != 0,
                                    .attempt = mr_sql_int(&rows, 10),
                                    .again = mr_sql_int(&rows, 11) != 0};
        mr_sql_copy(&rows, 0, ret_life->id, sizeof(ret_life->id));
        mr_sql_copy(&rows, 1, ret_life->owner, sizeof(ret_life->owner));
        mr_sql_copy(&rows, 5, ret_life->run, sizeof(ret_life->run));
        mr_sql_copy(&rows, 6, ret_life->source, sizeof(ret_life->source));
        mr_sql_copy(&rows, 7, ret_life->output, sizeof(ret_life->output));
        mr_sql_copy(&rows, 8, ret_life->pipeline, sizeof(ret_life->pipeline));
        ret_life->params = strdup(mr_sql_text(&rows, 9));
        status = ret_life->params ? MR_OK : MR_ERR_NOMEM;
    }
    const mr_status ended = mr_sql_end(&rows);
    return ended != MR_OK ? ended : status;
}

#define LIFE_COLUMNS "id, owner, status, playable, complete, COALESCE(run, ''), source, output, pipeline, params, attempt, again"

mr_status mr_video_life_find(mr_metadata *metadata, const char *id, mr_video_life *ret_life)
{
    return find_life(metadata, "SELECT " LIFE_COLUMNS " FROM videos WHERE id = ?1", id, ret_life);
}

mr_status mr_video_life_of_run(mr_metadata *metadata, const char *run, mr_video_life *ret_life)
{
    return find_life(metadata, "SELECT " LIFE_COLUMNS " FROM videos WHERE run = ?1", run, ret_life);
}

mr_status mr_video_unfinished(mr_metadata *metadata, int64_t after, mr_video_turn *ret_turns, size_t most, size_t *ret_count)
{
    *ret_count = 0;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql),
                                  "SELECT number, id FROM videos WHERE status = ?1 AND source <> '' AND number > ?2 ORDER BY number LIMIT ?3", "iii",
                                  (int64_t)MR_VIDEO_PROCESSING, after, (int64_t)most);
    while (mr_sql_next(&rows)) {
        mr_video_turn *turn = &ret_turns[(*ret_count)++];
        turn->number = mr_sql_int(&rows, 0);
        mr_sql_copy(&rows, 1, turn->id, sizeof(turn->id));
    }
    return mr_sql_end(&rows);
}

/* ---- runs ---- */

static mr_status fine_if_nothing(mr_status status)
{
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status run_begins(mr_sql_link *link, void *context)
{
    const life_change *it = context;
    /* An attempt whose run nobody knows: its server died before the row had it. */
    mr_status status = fine_if_nothing(mr_sql_do(link,
                                                 "INSERT INTO rubbish (path) SELECT 'media/' || id || '/' || attempt FROM videos WHERE id = ?1"
                                                 " AND run IS NULL AND attempt > 0 AND output <> 'media/' || id || '/' || attempt"
                                                 " ON CONFLICT DO NOTHING",
                                                 "t", it->id));
    if (status != MR_OK)
        return status;
    status = mr_sql_do(link,
                       "UPDATE videos SET status = ?2, complete = 0, run = NULL, again = 0, attempt = attempt + 1, reason_code = NULL,"
                       " reason_message = NULL, pipeline = COALESCE(?3, pipeline), params = COALESCE(?4, params), updated_us = ?5,"
                       " etag = etag + 1 WHERE id = ?1 AND source <> ''",
                       "titti", it->id, (int64_t)MR_VIDEO_PROCESSING, it->pipeline, it->params, mr_now_us());
    *it->ret_attempt = mr_sql_count(link, "SELECT attempt FROM videos WHERE id = ?1", "t", it->id);
    return status;
}

static mr_status change_look(mr_metadata *metadata, mr_sql_change change, life_change *it)
{
    mr_status status = mr_sql_write(metadata->sql, change, it);
    if (status == MR_OK)
        mr_video_changed(metadata, it->id);
    return status;
}

mr_status mr_video_run_begins(mr_metadata *metadata, const char *id, const char *pipeline, const char *params, int64_t *ret_attempt)
{
    return change_look(metadata, run_begins, &(life_change){.id = id, .pipeline = pipeline, .params = params, .ret_attempt = ret_attempt});
}

static mr_status run_undo(mr_sql_link *link, void *context)
{
    const mr_video_life *before = ((const life_change *)context)->before;
    return mr_sql_do(link,
                     "UPDATE videos SET status = ?2, complete = ?3, run = ?4, pipeline = ?5, params = ?6, updated_us = ?7, again = ?8,"
                     " etag = etag + 1 WHERE id = ?1 AND run IS NULL",
                     "tiiettii", before->id, (int64_t)before->status, (int64_t)before->complete, before->run, before->pipeline, before->params,
                     mr_now_us(), (int64_t)before->again);
}

mr_status mr_video_run_undo(mr_metadata *metadata, const mr_video_life *before)
{
    return change_look(metadata, run_undo, &(life_change){.id = before->id, .before = before});
}

static mr_status run_is(mr_sql_link *link, void *context)
{
    const life_change *it = context;
    return mr_sql_do(link, "UPDATE videos SET run = ?2, again = 0 WHERE id = ?1", "tt", it->id, it->run);
}

mr_status mr_video_run_is(mr_metadata *metadata, const char *id, const char *run)
{
    return change_look(metadata, run_is, &(life_change){.id = id, .run = run});
}

static mr_status run_again(mr_sql_link *link, void *context)
{
    const life_change *it = context;
    return mr_sql_do(link,
                     "UPDATE videos SET status = ?3, again = 1, reason_code = NULL, reason_message = NULL, updated_us = ?4, etag = etag + 1"
                     " WHERE id = ?1 AND run = ?2 AND status = ?5",
                     "ttiii", it->id, it->run, (int64_t)MR_VIDEO_PROCESSING, mr_now_us(), (int64_t)MR_VIDEO_FAILED);
}

mr_status mr_video_run_again(mr_metadata *metadata, const char *id, const char *run)
{
    return change_look(metadata, run_again, &(life_change){.id = id, .run = run});
}

/* A new output makes the one before rubbish only when the video is removed: who watches it may finish. */
/* Reasons name the source as its owner does, not as it lies on the disk. */
static mr_status tell(mr_sql_link *link, void *context)
{
    const life_change *it = context;
    const mr_video_news *news = it->news;
    const int64_t now_us = mr_now_us();
    return mr_sql_do(link,
                     "UPDATE videos SET status = COALESCE(?3, status), playable = COALESCE(?4, playable), complete = COALESCE(?5, complete),"
                     " output = COALESCE(?6, output), reason_code = CASE WHEN ?7 IS NULL THEN reason_code WHEN ?7 = '' THEN NULL ELSE ?7 END,"
                     " reason_message = CASE WHEN ?7 IS NULL THEN reason_message ELSE replace(?8, replace(source, 'uploads/', ''),"
                     " CASE filename WHEN '' THEN 'the uploaded file' ELSE filename END) END, duration = COALESCE(?9, duration),"
                     " width = COALESCE(?10, width), height = COALESCE(?11, height),"
                     " poster_key = CASE WHEN ?12 IS NULL OR poster LIKE 'posters/%' THEN poster_key ELSE ?13 END,"
                     " poster = CASE WHEN ?12 IS NULL OR poster LIKE 'posters/%' THEN poster ELSE ?12 END,"
                     " published_us = CASE WHEN published_us IS NULL AND ?4 = 1 THEN ?14 ELSE published_us END, updated_us = ?14, etag = etag + 1"
                     " WHERE id = ?1 AND COALESCE(run, '') = ?2",
                     "ttnnntttmnntti", it->id, it->run, news->status ? (int64_t)*news->status : (int64_t)-1,
                     news->playable ? (int64_t)*news->playable : (int64_t)-1, news->complete ? (int64_t)*news->complete : (int64_t)-1, news->output,
                     news->reason_code, news->reason_message, news->duration, news->width, news->height, news->poster, it->poster_key, now_us);
}

mr_status mr_video_tell(mr_metadata *metadata, const char *id, const char *run, const mr_video_news *news)
{
    life_change it = {.id = id, .run = run, .news = news};
    return mr_id_make('p', it.poster_key) ? change_look(metadata, tell, &it) : MR_ERR_UNAVAILABLE;
}

static mr_status set_poster(mr_sql_link *link, void *context)
{
    const life_change *it = context;
    mr_status status = fine_if_nothing(mr_sql_do(link,
                                                 "INSERT INTO rubbish (path) SELECT replace(poster, '/poster.jpg', '') FROM videos"
                                                 " WHERE id = ?1 AND poster LIKE 'posters/%' AND poster <> ?2 ON CONFLICT DO NOTHING",
                                                 "tt", it->id, it->poster));
    if (status == MR_OK)
        status = fine_if_nothing(mr_sql_do(link, "DELETE FROM rubbish WHERE path = ?1", "t", it->poster));
    if (status != MR_OK)
        return status;
    return mr_sql_do(link, "UPDATE videos SET poster = ?2, poster_key = ?3, updated_us = ?4, etag = etag + 1 WHERE id = ?1", "ttti", it->id,
                     it->poster, it->poster_key, mr_now_us());
}

mr_status mr_video_set_poster(mr_metadata *metadata, const char *id, const char *poster)
{
    life_change it = {.id = id, .poster = poster};
    return mr_id_make('p', it.poster_key) ? change_look(metadata, set_poster, &it) : MR_ERR_UNAVAILABLE;
}

/* ---- runs that make posters ---- */

static mr_status add_poster_run(mr_sql_link *link, void *context)
{
    const mr_poster_run *it = context;
    mr_status status = fine_if_nothing(mr_sql_do(link, "DELETE FROM rubbish WHERE path = ?1", "t", it->output));
    if (status == MR_OK)
        status = mr_sql_do(link, "INSERT INTO poster_runs (run, video, output) VALUES (?1, ?2, ?3)", "ttt", it->run, it->video, it->output);
    return status == MR_ERR_CONFLICT ? MR_ERR_NOT_FOUND : status;
}

mr_status mr_poster_run_add(mr_metadata *metadata, const mr_poster_run *it)
{
    return mr_sql_write(metadata->sql, add_poster_run, (void *)it);
}

typedef struct poster_end {
    const mr_poster_run *run;
    life_change *change; /* NULL: there is no poster */
} poster_end;

static mr_status end_poster_run(mr_sql_link *link, void *context)
{
    const poster_end *it = context;
    mr_status status = fine_if_nothing(mr_sql_do(link, "DELETE FROM poster_runs WHERE run = ?1", "t", it->run->run));
    if (status == MR_OK && it->change)
        status = fine_if_nothing(set_poster(link, it->change)); /* of a video that is gone all is rubbish already */
    else if (status == MR_OK)
        status = fine_if_nothing(mr_sql_do(link, "INSERT INTO rubbish (path) VALUES (?1) ON CONFLICT DO NOTHING", "t", it->run->output));
    return status;
}

mr_status mr_poster_run_end(mr_metadata *metadata, const mr_poster_run *run, const char *poster)
{
    life_change change = {.id = run->video, .poster = poster};
    poster_end it = {.run = run, .change = poster ? &change : NULL};
    if (!mr_id_make('p', change.poster_key))
        return MR_ERR_UNAVAILABLE;
    mr_status status = mr_sql_write(metadata->sql, end_poster_run, &it);
    if (status == MR_OK)
        mr_video_changed(metadata, run->video);
    return status;
}

mr_status mr_poster_run_list(mr_metadata *metadata, const char *after, mr_poster_run *ret_runs, size_t most, size_t *ret_count)
{
    *ret_count = 0;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT run, video, output FROM poster_runs WHERE run > ?1 ORDER BY run LIMIT ?2",
                                  "ti", after, (int64_t)most);
    while (mr_sql_next(&rows)) {
        mr_poster_run *it = &ret_runs[(*ret_count)++];
        mr_sql_copy(&rows, 0, it->run, sizeof(it->run));
        mr_sql_copy(&rows, 1, it->video, sizeof(it->video));
        mr_sql_copy(&rows, 2, it->output, sizeof(it->output));
    }
    return mr_sql_end(&rows);
}

/* ---- rubbish ---- */

static mr_status rubbish_add(mr_sql_link *link, void *context)
{
    return fine_if_nothing(mr_sql_do(link, "INSERT INTO rubbish (path) VALUES (?1) ON CONFLICT DO NOTHING", "t", (const char *)context));
}

mr_status mr_rubbish_add(mr_metadata *metadata, const char *path)
{
    return mr_sql_write(metadata->sql, rubbish_add, (void *)path);
}

mr_status mr_rubbish_list(mr_metadata *metadata, char (*ret_paths)[MR_RUBBISH_SIZE], size_t most, size_t *ret_count)
{
    *ret_count = 0;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT path FROM rubbish ORDER BY path LIMIT ?1", "i", (int64_t)most);
    while (mr_sql_next(&rows))
        mr_sql_copy(&rows, 0, ret_paths[(*ret_count)++], MR_RUBBISH_SIZE);
    return mr_sql_end(&rows);
}

bool mr_rubbish_is(mr_metadata *metadata, const char *path)
{
    return mr_sql_count(mr_sql_reader(metadata->sql), "SELECT COUNT(*) FROM rubbish WHERE path = ?1", "t", path) == 1;
}

static mr_status rubbish_gone(mr_sql_link *link, void *context)
{
    return mr_sql_do(link, "DELETE FROM rubbish WHERE path = ?1", "t", (const char *)context);
}

mr_status mr_rubbish_gone(mr_metadata *metadata, const char *path)
{
    return mr_sql_write(metadata->sql, rubbish_gone, (void *)path);
}
