/* SPDX-License-Identifier: MIT */
/* What belongs to a video beside itself: captions, and what its viewers leave. */
#include "api-server/base/clock.h"
#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_US    (3600ll * 1000000)
#define DAY_HOURS  24
#define DAYS_KEPT  400 /* of views: a year, and some */
#define SHARES_MAX 100000

typedef struct beside {
    const char *video, *user, *language;
    const mr_caption *caption;
    double seconds;
    bool counted;
} beside;

/* ---- captions ---- */

static mr_status fine_if_nothing(mr_status status)
{
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status old_file_is_rubbish(mr_sql_link *link, const char *video, const char *language)
{
    return fine_if_nothing(mr_sql_do(link,
                                     "INSERT INTO rubbish (path) SELECT 'captions/' || video || '/' || file FROM captions"
                                     " WHERE video = ?1 AND language = ?2 ON CONFLICT DO NOTHING",
                                     "tt", video, language));
}

static mr_status put_caption(mr_sql_link *link, void *context)
{
    const beside *it = context;
    const mr_caption *caption = it->caption;
    const int64_t others =
        mr_sql_count(link, "SELECT COUNT(*) FROM captions WHERE video = ?1 AND language <> ?2", "tt", it->video, caption->language);
    if (others < 0 || others >= MR_CAPTIONS_MAX)
        return others < 0 ? MR_ERR_IO : MR_ERR_LIMIT;
    if (mr_sql_count(link, "SELECT COUNT(*) FROM videos WHERE id = ?1", "t", it->video) != 1)
        return MR_ERR_NOT_FOUND;
    mr_status status = old_file_is_rubbish(link, it->video, caption->language);
    if (status == MR_OK)
        status = fine_if_nothing(mr_sql_do(link, "DELETE FROM captions WHERE video = ?1 AND language = ?2", "tt", it->video, caption->language));
    if (status == MR_OK)
        status = fine_if_nothing(mr_sql_do(link, "DELETE FROM rubbish WHERE path = 'captions/' || ?1 || '/' || ?2", "tt", it->video, caption->file));
    return status == MR_OK ? mr_sql_do(link, "INSERT INTO captions (video, language, label, file, updated_us) VALUES (?1, ?2, ?3, ?4, ?5)", "tttti",
                                       it->video, caption->language, caption->label, caption->file, caption->updated_us)
                           : status;
}

mr_status mr_caption_put(mr_metadata *metadata, const char *video, const mr_caption *caption)
{
    return mr_sql_write(metadata->sql, put_caption, &(beside){.video = video, .caption = caption});
}

static mr_status remove_caption(mr_sql_link *link, void *context)
{
    const beside *it = context;
    mr_status status = old_file_is_rubbish(link, it->video, it->language);
    return status == MR_OK ? mr_sql_do(link, "DELETE FROM captions WHERE video = ?1 AND language = ?2", "tt", it->video, it->language) : status;
}

mr_status mr_caption_remove(mr_metadata *metadata, const char *video, const char *language)
{
    return mr_sql_write(metadata->sql, remove_caption, &(beside){.video = video, .language = language});
}

mr_status mr_caption_list(mr_metadata *metadata, const char *video, mr_caption **ret_captions, size_t *ret_count)
{
    mr_caption *list = calloc(MR_CAPTIONS_MAX, sizeof(*list));
    size_t count = 0;
    *ret_captions = NULL;
    *ret_count = 0;
    if (!list)
        return MR_ERR_NOMEM;
    mr_sql_rows rows =
        mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT language, label, file, updated_us FROM captions WHERE video = ?1 ORDER BY language LIMIT ?2",
                   "ti", video, (int64_t)MR_CAPTIONS_MAX);
    for (; mr_sql_next(&rows); count++) {
        mr_sql_copy(&rows, 0, list[count].language, sizeof(list[count].language));
        mr_sql_copy(&rows, 1, list[count].label, sizeof(list[count].label));
        mr_sql_copy(&rows, 2, list[count].file, sizeof(list[count].file));
        list[count].updated_us = mr_sql_int(&rows, 3);
    }
    mr_status status = mr_sql_end(&rows);
    if (status != MR_OK) {
        free(list);
        return status;
    }
    *ret_captions = list;
    *ret_count = count;
    return MR_OK;
}

/* ---- positions ---- */

static mr_status put_position(mr_sql_link *link, void *context)
{
    const beside *it = context;
    mr_status status = mr_sql_do(link,
                                 "INSERT INTO positions (user_id, video, seconds, updated_us) VALUES (?1, ?2, ?3, ?4)"
                                 " ON CONFLICT (user_id, video) DO UPDATE SET seconds = excluded.seconds, updated_us = excluded.updated_us",
                                 "ttdi", it->user, it->video, it->seconds, mr_now_us());
    return status == MR_ERR_CONFLICT ? MR_ERR_NOT_FOUND : status; /* the video went meanwhile */
}

mr_status mr_position_put(mr_metadata *metadata, const char *user, const char *video, double seconds)
{
    return mr_sql_write(metadata->sql, put_position, &(beside){.user = user, .video = video, .seconds = seconds});
}

mr_status mr_position_get(mr_metadata *metadata, const char *user, const char *video, double *ret_seconds)
{
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT seconds FROM positions WHERE user_id = ?1 AND video = ?2", "tt", user, video);
    const bool found = mr_sql_next(&rows);
    if (found)
        *ret_seconds = mr_sql_real(&rows, 0);
    mr_status status = mr_sql_end(&rows);
    return status == MR_OK && !found ? MR_ERR_NOT_FOUND : status;
}

/* ---- views ---- */

static mr_status count_view(mr_sql_link *link, const char *video, int64_t day)
{
    mr_status status = mr_sql_do(link, "UPDATE videos SET views = views + 1 WHERE id = ?1", "t", video);
    if (status == MR_OK)
        status = mr_sql_do(link,
                           "INSERT INTO view_days (video, day, views) VALUES (?1, ?2, 1)"
                           " ON CONFLICT (video, day) DO UPDATE SET views = view_days.views + 1",
                           "ti", video, day);
    if (status == MR_OK)
        status = fine_if_nothing(mr_sql_do(link, "DELETE FROM view_days WHERE video = ?1 AND day < ?2", "ti", video, day - DAYS_KEPT));
    return status;
}

/* Rows of hours that have passed have done their work. */
static mr_status add_view(mr_sql_link *link, void *context)
{
    beside *it = context;
    const int64_t hour = mr_now_us() / HOUR_US;
    mr_status status = fine_if_nothing(mr_sql_do(link, "DELETE FROM views WHERE hour < ?1", "i", hour));
    if (status != MR_OK)
        return status;
    status = mr_sql_do(link, "INSERT INTO views (hour, video, viewer) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", "itt", hour, it->video, it->user);
    it->counted = status == MR_OK;
    if (status == MR_OK)
        return count_view(link, it->video, hour / DAY_HOURS);
    return status == MR_ERR_CONFLICT ? MR_ERR_NOT_FOUND : fine_if_nothing(status);
}

mr_status mr_view_add(mr_metadata *metadata, const char *video, const char *viewer, bool *ret_counted)
{
    beside it = {.video = video, .user = viewer};
    mr_status status = mr_sql_write(metadata->sql, add_view, &it);
    *ret_counted = status == MR_OK && it.counted;
    if (*ret_counted)
        mr_video_changed(metadata, video);
    return status;
}

mr_status mr_view_count(mr_metadata *metadata, const char *video, int64_t *ret_views)
{
    *ret_views = mr_sql_count(mr_sql_reader(metadata->sql), "SELECT views FROM videos WHERE id = ?1", "t", video);
    return *ret_views >= 0 ? MR_OK : MR_ERR_NOT_FOUND;
}

mr_status mr_view_days(mr_metadata *metadata, const char *video, int64_t first_day, size_t count, int64_t *ret_views)
{
    mr_sql_link *link = mr_sql_reader(metadata->sql);
    const int64_t end = first_day + (int64_t)count;
    mr_sql_rows rows =
        video ? mr_sql_ask(link, "SELECT day, views FROM view_days WHERE video = ?3 AND day >= ?1 AND day < ?2", "iit", first_day, end, video)
              : mr_sql_ask(link, "SELECT day, SUM(views) FROM view_days WHERE day >= ?1 AND day < ?2 GROUP BY day", "ii", first_day, end);
    while (mr_sql_next(&rows))
        ret_views[mr_sql_int(&rows, 0) - first_day] = mr_sql_int(&rows, 1);
    return mr_sql_end(&rows);
}

mr_status mr_position_shares(mr_metadata *metadata, const char *video, double duration, size_t count, int64_t *ret_viewers)
{
    mr_sql_rows rows =
        mr_sql_ask(mr_sql_reader(metadata->sql), "SELECT seconds FROM positions WHERE video = ?1 LIMIT ?2", "ti", video, (int64_t)SHARES_MAX);
    while (mr_sql_next(&rows)) {
        const double share = mr_sql_real(&rows, 0) / duration;
        ret_viewers[share < 1 ? (size_t)(share * (double)count) : count - 1]++;
    }
    return mr_sql_end(&rows);
}
