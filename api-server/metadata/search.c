/* SPDX-License-Identifier: MIT */
/*
 * Lists of videos: filters and what one may see are within the query; pages go on after the last row's key and number, so that what is added or
 * removed meanwhile moves nothing. The search (FTS5) is what another database does otherwise.
 */
#include "api-server/metadata/looks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 16, MATCH_MAX = 1024 };

/* ?1 who, ?2 sees all, ?3 owner, ?4 category, ?5 tag, ?6 status, ?7 visibility, ?8 number and ?9 key of the last one seen, ?10 limit, ?11 words */
#define FILTERS                                                                                                                                      \
    " WHERE (?2 = 1 OR videos.owner = ?1 OR (visibility = 0 AND playable = 1)) AND (?3 IS NULL OR videos.owner = ?3)"                                \
    " AND (?4 IS NULL OR category = ?4) AND (?5 IS NULL OR videos.number IN (SELECT number FROM video_tags WHERE tag = ?5))"                         \
    " AND (?6 IS NULL OR status = ?6) AND (?7 IS NULL OR visibility = ?7)"
#define ALL "SELECT " MR_LOOK_COLUMNS " FROM videos JOIN users ON users.id = videos.owner" FILTERS
#define FOUND                                                                                                                                        \
    "SELECT " MR_LOOK_COLUMNS " FROM (SELECT rowid AS found FROM video_words WHERE video_words MATCH ?11) AS hits"                                   \
    " JOIN videos ON videos.number = hits.found JOIN users ON users.id = videos.owner" FILTERS
#define NEWEST " AND (?8 IS NULL OR videos.number < ?8) AND ?9 IS NULL ORDER BY videos.number DESC LIMIT ?10"
#define OLDEST " AND (?8 IS NULL OR videos.number > ?8) AND ?9 IS NULL ORDER BY videos.number LIMIT ?10"
#define TITLES " AND (?8 IS NULL OR (title_key, videos.number) > (?9, ?8)) ORDER BY title_key, videos.number LIMIT ?10"
#define VIEWS  " AND (?8 IS NULL OR (views, videos.number) < (?9, ?8)) ORDER BY views DESC, videos.number DESC LIMIT ?10"
#define LENGTHS                                                                                                                                      \
    " AND (?8 IS NULL OR (COALESCE(duration, 0), videos.number) < (?9, ?8)) ORDER BY COALESCE(duration, 0) DESC, videos.number DESC LIMIT ?10"

typedef enum key_kind { KEY_NONE, KEY_TEXT, KEY_NUMBER } key_kind;

static const struct {
    const char *all, *found;
    char letter;
    key_kind key;
} sorts[] = {
    [MR_SORT_NEW] = {ALL NEWEST, FOUND NEWEST, 'n', KEY_NONE},          [MR_SORT_OLD] = {ALL OLDEST, FOUND OLDEST, 'o', KEY_NONE},
    [MR_SORT_TITLE] = {ALL TITLES, FOUND TITLES, 't', KEY_TEXT},        [MR_SORT_VIEWS] = {ALL VIEWS, FOUND VIEWS, 'v', KEY_NUMBER},
    [MR_SORT_DURATION] = {ALL LENGTHS, FOUND LENGTHS, 'd', KEY_NUMBER},
};

/* ---- words ---- */

static bool is_word(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Every word in quotation marks, so that nothing of it is an operator; the last one may be a beginning. What has no word in it is found nowhere. */
static mr_status make_match(const char *text, char match[MATCH_MAX])
{
    size_t len = 0;
    snprintf(match, MATCH_MAX, "\"\"");
    for (int words = 0; *text; words++) {
        while (*text && !is_word((unsigned char)*text))
            text++;
        size_t word = 0;
        while (is_word((unsigned char)text[word]))
            word++;
        if (word == 0)
            break;
        if (words == WORDS_MAX || len + word + 5 > MATCH_MAX)
            return MR_ERR_LIMIT;
        len += (size_t)snprintf(match + len, MATCH_MAX - len, "%s\"%.*s\"", len ? " " : "", (int)word, text);
        text += word;
    }
    if (len > 0)
        memcpy(match + len, "*", 2);
    return MR_OK;
}

/* ---- cursors: "t.42.6162": sort, number, key in hex ---- */

typedef struct place {
    int64_t number; /* < 0: from the start */
    char text[MR_CURSOR_SIZE];
    double key;
} place;

static bool read_cursor(const char *cursor, mr_video_sort sort, place *at)
{
    char *end = NULL;
    *at = (place){.number = -1};
    if (!cursor)
        return true;
    if (cursor[0] != sorts[sort].letter || cursor[1] != '.' || cursor[2] < '0' || cursor[2] > '9')
        return false;
    errno = 0;
    at->number = strtoll(cursor + 2, &end, 10);
    if (errno || *end != (sorts[sort].key == KEY_NONE ? '\0' : '.'))
        return false;
    if (sorts[sort].key == KEY_NONE)
        return true;
    if (sorts[sort].key == KEY_NUMBER) {
        const char *start = end + 1;
        at->key = strtod(start, &end);
        return end != start && *end == '\0' && at->key >= 0;
    }
    size_t len = 0;
    for (end++; end[0] && end[1] && len + 1 < sizeof(at->text); end += 2, len++) {
        const char pair[3] = {end[0], end[1], '\0'};
        if (strspn(pair, "0123456789abcdef") != 2)
            return false;
        at->text[len] = (char)strtol(pair, NULL, 16);
    }
    return *end == '\0' && memchr(at->text, '\0', len) == NULL;
}

static void write_cursor(const mr_sql_rows *rows, mr_video_sort sort, char *cursor, size_t size)
{
    size_t len = (size_t)snprintf(cursor, size, "%c.%lld", sorts[sort].letter, (long long)mr_sql_int(rows, MR_LOOK_NUMBER));
    if (sorts[sort].key == KEY_NUMBER)
        snprintf(cursor + len, size - len, ".%.17g",
                 sort == MR_SORT_VIEWS ? (double)mr_sql_int(rows, MR_LOOK_VIEWS) : mr_sql_real(rows, MR_LOOK_DURATION));
    if (sorts[sort].key != KEY_TEXT)
        return;
    len += (size_t)snprintf(cursor + len, size - len, ".");
    for (const char *c = mr_sql_text(rows, MR_LOOK_TITLE_KEY); *c && len + 3 < size; c++)
        len += (size_t)snprintf(cursor + len, size - len, "%02x", (unsigned char)*c);
}

/* ---- the list ---- */

static mr_sql_rows ask(mr_sql_link *link, const mr_video_query *query, const place *at, const char *match)
{
    const char *text = match ? sorts[query->sort].found : sorts[query->sort].all;
    const bool by_text = sorts[query->sort].key == KEY_TEXT;
    const int64_t status = query->status ? (int64_t)*query->status : -1;
    const int64_t visibility = query->visibility ? (int64_t)*query->visibility : -1;
    const int64_t all = query->who->role == MR_ROLE_ADMIN;
    const int64_t limit = (int64_t)query->limit + 1;
    if (by_text)
        return mr_sql_ask(link, text, match ? "titttnnntit" : "titttnnnti", query->who->user, all, query->owner, query->category, query->tag, status,
                          visibility, at->number, at->text, limit, match);
    return mr_sql_ask(link, text, match ? "titttnnnmit" : "titttnnnmi", query->who->user, all, query->owner, query->category, query->tag, status,
                      visibility, at->number, sorts[query->sort].key == KEY_NONE ? -1.0 : at->key, limit, match);
}

mr_status mr_video_list(mr_metadata *metadata, const mr_video_query *query, char **ret_json)
{
    char match[MATCH_MAX];
    char next[256] = "";
    char last[256] = "";
    size_t len = 0;
    place at;
    *ret_json = NULL;
    if (!read_cursor(query->cursor, query->sort, &at))
        return MR_ERR_PARAM;
    if (query->text && make_match(query->text, match) != MR_OK)
        return MR_ERR_LIMIT;
    FILE *to = open_memstream(ret_json, &len);
    if (!to)
        return MR_ERR_NOMEM;
    fputs("{\"items\":[", to);
    mr_sql_rows rows = ask(mr_sql_reader(metadata->sql), query, &at, query->text ? match : NULL);
    for (size_t i = 0; mr_sql_next(&rows); i++) {
        if (i == query->limit) {
            memcpy(next, last, sizeof(next));
            break;
        }
        fputs(i ? "," : "", to);
        mr_video_print(&rows, mr_video_fraction(metadata, mr_sql_text(&rows, 0)), to);
        write_cursor(&rows, query->sort, last, sizeof(last));
    }
    mr_status status = mr_sql_end(&rows);
    fprintf(to, next[0] ? "],\"next\":\"%s\"}" : "],\"next\":null}", next);
    if (fclose(to) != 0 && status == MR_OK)
        status = MR_ERR_NOMEM;
    if (status != MR_OK) {
        free(*ret_json);
        *ret_json = NULL;
    }
    return status;
}
