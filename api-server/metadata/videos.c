/* SPDX-License-Identifier: MIT */
/* What people write of a video. The words that are searched are written in the same transaction. */
#include "api-server/base/clock.h"
#include "api-server/metadata/internal.h"
#include "api-server/metadata/videos.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_KEY = 64 };

typedef struct video_change {
    const char *id, *owner, *if_match;
    const mr_video_fields *fields;
    char *tags, *metadata, *params;
    char title_key[TITLE_KEY];
    char poster_key[MR_ID_SIZE];
} video_change;

/* What titles are sorted by: the beginning, without regard to ASCII's case; whole characters. */
static void make_title_key(const char *title, char key[TITLE_KEY])
{
    size_t len = 0;
    for (; title[len] && len + 1 < TITLE_KEY; len++)
        key[len] = (char)((unsigned char)title[len] < 0x80 ? tolower((unsigned char)title[len]) : title[len]);
    while (title[len] && len > 0 && ((unsigned char)title[len] & 0xC0) == 0x80)
        len--;
    key[len] = '\0';
}

static bool prepare(video_change *it)
{
    const mr_video_fields *fields = it->fields;
    bool good = mr_id_make('p', it->poster_key);
    if (fields->title)
        make_title_key(fields->title, it->title_key);
    if (fields->tags)
        good = (it->tags = json_dumps(fields->tags, JSON_COMPACT)) && good;
    if (fields->metadata)
        good = (it->metadata = json_dumps(fields->metadata, JSON_COMPACT)) && good;
    if (fields->params)
        good = (it->params = json_dumps(fields->params, JSON_COMPACT)) && good;
    return good;
}

static void clear(video_change *it)
{
    free(it->tags);
    free(it->metadata);
    free(it->params);
}

static mr_status fine_if_nothing(mr_status status)
{
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status write_words(mr_sql_link *link, const char *id)
{
    mr_status status = fine_if_nothing(mr_sql_do(link, "DELETE FROM video_words WHERE rowid = (SELECT number FROM videos WHERE id = ?1)", "t", id));
    return status != MR_OK ? status
                           : mr_sql_do(link,
                                       "INSERT INTO video_words (rowid, title, description, tags, metadata)"
                                       " SELECT number, title, description || ' ' || category, tags, metadata FROM videos WHERE id = ?1",
                                       "t", id);
}

static mr_status write_tags(mr_sql_link *link, const char *id, const json_t *tags)
{
    size_t i;
    const json_t *tag;
    mr_status status = fine_if_nothing(mr_sql_do(link, "DELETE FROM video_tags WHERE number = (SELECT number FROM videos WHERE id = ?1)", "t", id));
    json_array_foreach(tags, i, tag)
    {
        if (status == MR_OK)
            status = fine_if_nothing(
                mr_sql_do(link, "INSERT INTO video_tags (tag, number) SELECT ?2, number FROM videos WHERE id = ?1 ON CONFLICT DO NOTHING", "tt", id,
                          json_string_value(tag)));
    }
    return status;
}

/* ---- add ---- */

static mr_status insert(mr_sql_link *link, const video_change *it)
{
    const mr_video_fields *fields = it->fields;
    const int64_t now_us = mr_now_us();
    mr_status status = mr_sql_do(
        link,
        "INSERT INTO videos (id, owner, title, title_key, description, category, language, tags, metadata, visibility, status, playable,"
        " complete, size, attempt, pipeline, params, filename, source, output, poster, poster_key, created_us, updated_us, views, etag)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, 0, 0, ?11, ?12, ?13, '', '', '', ?14, ?15, ?15, 0, 1)",
        "tttttttttitttti", it->id, it->owner, fields->title ? fields->title : "", it->title_key, fields->description ? fields->description : "",
        fields->category ? fields->category : "", fields->language ? fields->language : "", it->tags ? it->tags : "[]",
        it->metadata ? it->metadata : "{}", (int64_t)(fields->visibility ? *fields->visibility : MR_VISIBILITY_PRIVATE),
        fields->pipeline ? fields->pipeline : "", it->params ? it->params : "{}", fields->filename ? fields->filename : "", it->poster_key, now_us);
    if (status == MR_OK)
        status = write_tags(link, it->id, fields->tags);
    return status == MR_OK ? write_words(link, it->id) : status;
}

mr_status mr_video_insert(mr_sql_link *link, const char *id, const char *owner, const mr_video_fields *fields)
{
    video_change it = {.id = id, .owner = owner, .fields = fields};
    mr_status status = prepare(&it) ? insert(link, &it) : MR_ERR_NOMEM;
    clear(&it);
    return status;
}

/* ---- edit ---- */

/* Whether an etag, with its quotation marks, is in a list of such (RFC 9110, 13.1.1). A weak one never is. */
static bool is_among(const char *list, const char *etag)
{
    const size_t len = strlen(etag);
    for (const char *at = list; (at = strstr(at, etag)); at++) {
        const char behind = at[len];
        if ((at == list || strchr(" \t,", at[-1])) && (behind == '\0' || strchr(" \t,", behind)))
            return true;
    }
    return false;
}

static mr_status check_version(mr_sql_link *link, const video_change *it)
{
    char text[MR_ETAG_SIZE + 2];
    const int64_t etag = mr_sql_count(link, "SELECT etag FROM videos WHERE id = ?1", "t", it->id);
    snprintf(text, sizeof(text), "\"%lld\"", (long long)etag);
    if (etag < 0)
        return MR_ERR_NOT_FOUND;
    return !it->if_match || is_among(it->if_match, text) ? MR_OK : MR_ERR_CONFLICT;
}

static mr_status edit_video(mr_sql_link *link, void *context)
{
    const video_change *it = context;
    const mr_video_fields *fields = it->fields;
    mr_status status = check_version(link, it);
    if (status == MR_OK)
        status =
            mr_sql_do(link,
                      "UPDATE videos SET title = COALESCE(?2, title), title_key = COALESCE(?3, title_key), description = COALESCE(?4, description),"
                      " category = COALESCE(?5, category), language = COALESCE(?6, language), tags = COALESCE(?7, tags),"
                      " metadata = COALESCE(?8, metadata), poster_key = CASE WHEN ?9 IS NULL OR ?9 = visibility THEN poster_key ELSE ?10 END,"
                      " visibility = COALESCE(?9, visibility), pipeline = COALESCE(?11, pipeline), params = COALESCE(?12, params),"
                      " updated_us = ?13, etag = etag + 1 WHERE id = ?1",
                      "ttttttttnttti", it->id, fields->title, fields->title ? it->title_key : NULL, fields->description, fields->category,
                      fields->language, it->tags, it->metadata, (int64_t)(fields->visibility ? (int64_t)*fields->visibility : -1), it->poster_key,
                      fields->pipeline, it->params, mr_now_us());
    if (status == MR_OK && fields->tags)
        status = write_tags(link, it->id, fields->tags);
    return status == MR_OK ? write_words(link, it->id) : status;
}

mr_status mr_video_edit(mr_metadata *metadata, const char *id, const char *if_match, const mr_video_fields *fields)
{
    video_change it = {.id = id, .if_match = if_match, .fields = fields};
    mr_status status = prepare(&it) ? mr_sql_write(metadata->sql, edit_video, &it) : MR_ERR_NOMEM;
    if (status == MR_OK)
        mr_video_changed(metadata, id);
    clear(&it);
    return status;
}

/* ---- remove ---- */

static mr_status remove_video(mr_sql_link *link, void *context)
{
    static const char *const leftovers[] = {
        "INSERT INTO rubbish (path) VALUES ('media/' || ?1) ON CONFLICT DO NOTHING",
        "INSERT INTO rubbish (path) VALUES ('captions/' || ?1) ON CONFLICT DO NOTHING",
        "INSERT INTO rubbish (path) VALUES ('posters/' || ?1) ON CONFLICT DO NOTHING",
        "DELETE FROM video_words WHERE rowid = (SELECT number FROM videos WHERE id = ?1)",
        "DELETE FROM videos WHERE id = ?1",
    };
    const video_change *it = context;
    mr_status status = check_version(link, it);
    if (status == MR_OK)
        status = mr_uploads_are_rubbish(link, it->id);
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(*leftovers) && status == MR_OK; i++)
        status = fine_if_nothing(mr_sql_do(link, leftovers[i], "t", it->id));
    return status;
}

mr_status mr_video_remove(mr_metadata *metadata, const char *id, const char *if_match)
{
    video_change it = {.id = id, .if_match = if_match};
    mr_status status = mr_sql_write(metadata->sql, remove_video, &it);
    if (status == MR_OK)
        mr_video_changed(metadata, id);
    return status;
}
