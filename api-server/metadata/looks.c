/* SPDX-License-Identifier: MIT */
/*
 * Looking at one video, without a lock: each thread keeps the JSON of the videos that it was asked for last. One is good for as long as the
 * generation of its id's hash stays what it was before the row was read; that counts up after the commit of a change, and before whoever made it is
 * answered. So nobody sees anything older than what was acknowledged when he asked.
 */
#include "api-server/metadata/looks.h"

#include "api-server/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = 256 }; /* of a thread */

typedef struct kept_look {
    unsigned generation;
    mr_video_view view;
    char *json; /* NULL: nothing is kept here */
} kept_look;

typedef struct looks {
    kept_look kept[KEPT];
} looks;

static const char *const status_names[] = {"created", "uploading", "processing", "ready", "failed"};
static const char *const visibility_names[] = {"public", "unlisted", "private"};

const char *mr_video_status_name(mr_video_status status)
{
    return (unsigned)status < 5 ? status_names[status] : "failed";
}

const char *mr_visibility_name(mr_visibility visibility)
{
    return (unsigned)visibility < 3 ? visibility_names[visibility] : "private";
}

static int name_at(const char *name, const char *const *names, int count)
{
    for (int i = 0; name && i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

bool mr_video_status_of(const char *name, mr_video_status *ret_status)
{
    const int at = name_at(name, status_names, 5);
    if (at >= 0)
        *ret_status = (mr_video_status)at;
    return at >= 0;
}

bool mr_visibility_of(const char *name, mr_visibility *ret_visibility)
{
    const int at = name_at(name, visibility_names, 3);
    if (at >= 0)
        *ret_visibility = (mr_visibility)at;
    return at >= 0;
}

/* ---- from a row to JSON ---- */

static void print_text(FILE *to, const char *text)
{
    putc('"', to);
    for (const char *start = text;; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        fwrite(start, 1, (size_t)(text - start), to);
        start = text + 1;
        if (c == '\0')
            break;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else
            fprintf(to, "\\u%04x", c);
    }
    putc('"', to);
}

static void print_field(FILE *to, const char *name, const char *text, bool none)
{
    fprintf(to, ",\"%s\":", name);
    if (none)
        fputs("null", to);
    else
        print_text(to, text);
}

static void print_time(FILE *to, const char *name, const mr_sql_rows *rows, int column)
{
    char text[MR_TIME_SIZE];
    print_field(to, name, mr_time_text(mr_sql_int(rows, column), text), !mr_sql_has(rows, column));
}

static void print_number(FILE *to, const char *name, const mr_sql_rows *rows, int column)
{
    fprintf(to, ",\"%s\":%s", name, mr_sql_has(rows, column) ? mr_sql_text(rows, column) : "null");
}

/* Texts in the row that are JSON were written by us: they are put in as they are. */
void mr_video_print(const mr_sql_rows *rows, double fraction, FILE *to)
{
    const char *id = mr_sql_text(rows, 0);
    const mr_video_status status = (mr_video_status)mr_sql_int(rows, 10);
    const bool complete = mr_sql_int(rows, 12) != 0;
    fputs("{\"id\":", to);
    print_text(to, id);
    print_field(to, "title", mr_sql_text(rows, 3), false);
    print_field(to, "description", mr_sql_text(rows, 4), false);
    fprintf(to, ",\"tags\":%s", mr_sql_text(rows, 5));
    print_field(to, "category", mr_sql_text(rows, 6), false);
    print_field(to, "language", mr_sql_text(rows, 7), false);
    fprintf(to, ",\"metadata\":%s", mr_sql_text(rows, 8));
    print_field(to, "visibility", mr_visibility_name((mr_visibility)mr_sql_int(rows, 9)), false);
    fputs(",\"owner\":{\"id\":", to);
    print_text(to, mr_sql_text(rows, 1));
    print_field(to, "name", mr_sql_text(rows, 2), false);
    putc('}', to);
    print_field(to, "status", mr_video_status_name(status), false);
    fprintf(to, ",\"playable\":%s,\"complete\":%s", mr_sql_int(rows, 11) ? "true" : "false", complete ? "true" : "false");
    if (mr_sql_has(rows, 13)) {
        fputs(",\"reason\":{\"code\":", to);
        print_text(to, mr_sql_text(rows, 13));
        print_field(to, "message", mr_sql_text(rows, 14), false);
        putc('}', to);
    } else {
        fputs(",\"reason\":null", to);
    }
    const bool made =
        status == MR_VIDEO_PROCESSING || (status == MR_VIDEO_UPLOADING && mr_sql_int(rows, 11)); /* playable: it is made while it comes */
    fprintf(to, ",\"progress\":%.4g", complete ? 1.0 : made && fraction > 0 ? fraction : 0.0);
    print_number(to, "duration", rows, 15);
    print_number(to, "width", rows, 16);
    print_number(to, "height", rows, 17);
    print_number(to, "size", rows, 18);
    print_field(to, "run", mr_sql_text(rows, 19), mr_sql_text(rows, 19)[0] == '\0');
    print_field(to, "pipeline", mr_sql_text(rows, 20), mr_sql_text(rows, 20)[0] == '\0');
    fprintf(to, ",\"params\":%s", mr_sql_text(rows, 21));
    if (mr_sql_text(rows, 22)[0])
        fprintf(to, ",\"poster_url\":\"/api/v1/videos/%s/poster/%s\"", id, mr_sql_text(rows, 23));
    else
        fputs(",\"poster_url\":null", to);
    print_time(to, "created_at", rows, 24);
    print_time(to, "updated_at", rows, 25);
    print_time(to, "published_at", rows, 26);
    print_number(to, "views", rows, MR_LOOK_VIEWS);
    print_field(to, "etag", mr_sql_text(rows, 28), false);
    putc('}', to);
}

void mr_video_read(const mr_sql_rows *rows, mr_video_view *view)
{
    *view = (mr_video_view){
        .visibility = (mr_visibility)mr_sql_int(rows, 9),
        .status = (mr_video_status)mr_sql_int(rows, 10),
        .playable = mr_sql_int(rows, 11) != 0,
        .complete = mr_sql_int(rows, 12) != 0,
        .duration = mr_sql_has(rows, MR_LOOK_DURATION) ? mr_sql_real(rows, MR_LOOK_DURATION) : -1,
        .published_us = mr_sql_int(rows, 26),
    };
    mr_sql_copy(rows, 0, view->id, sizeof(view->id));
    mr_sql_copy(rows, 1, view->owner, sizeof(view->owner));
    mr_sql_copy(rows, 19, view->run, sizeof(view->run));
    mr_sql_copy(rows, 22, view->poster, sizeof(view->poster));
    mr_sql_copy(rows, 23, view->poster_key, sizeof(view->poster_key));
    mr_sql_copy(rows, 28, view->etag, sizeof(view->etag));
    mr_sql_copy(rows, 29, view->output, sizeof(view->output));
}

/* ---- what a thread keeps ---- */

static uint32_t hash_of(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return hash ^ hash >> 15;
}

void mr_video_changed(mr_metadata *metadata, const char *video)
{
    atomic_fetch_add_explicit(&metadata->generations[hash_of(video) % MR_GENERATIONS], 1, memory_order_release);
}

void mr_videos_all_changed(mr_metadata *metadata)
{
    for (size_t i = 0; i < MR_GENERATIONS; i++)
        atomic_fetch_add_explicit(&metadata->generations[i], 1, memory_order_release);
}

static void free_looks(void *context)
{
    looks *it = context;
    for (size_t i = 0; i < KEPT; i++)
        free(it->kept[i].json);
    free(it);
}

static mr_status read_look(mr_metadata *metadata, mr_sql_link *link, const char *id, kept_look *kept)
{
    size_t len = 0;
    mr_sql_rows rows = mr_sql_ask(link, "SELECT " MR_LOOK_COLUMNS " FROM videos JOIN users ON users.id = videos.owner WHERE videos.id = ?1", "t", id);
    const bool found = mr_sql_next(&rows);
    free(kept->json);
    kept->json = NULL;
    FILE *to = found ? open_memstream(&kept->json, &len) : NULL;
    if (to) {
        mr_video_read(&rows, &kept->view);
        mr_video_print(&rows, mr_video_fraction(metadata, id), to);
        if (fclose(to) != 0) {
            free(kept->json);
            kept->json = NULL;
        }
    }
    mr_status status = mr_sql_end(&rows);
    if (status != MR_OK || !found || !kept->json)
        return status != MR_OK ? status : found ? MR_ERR_NOMEM : MR_ERR_NOT_FOUND;
    kept->view.json = kept->json;
    kept->view.json_len = len;
    return MR_OK;
}

mr_status mr_video_look(mr_metadata *metadata, const char *id, const mr_video_view **ret_view)
{
    *ret_view = NULL;
    mr_sql_link *link = mr_id_is(id, 'v') ? mr_sql_reader(metadata->sql) : NULL;
    if (!link)
        return mr_id_is(id, 'v') ? MR_ERR_IO : MR_ERR_NOT_FOUND;
    void **beside = mr_sql_beside(link, free_looks);
    if (!*beside)
        *beside = calloc(1, sizeof(looks));
    looks *mine = *beside;
    if (!mine)
        return MR_ERR_NOMEM;
    const uint32_t hash = hash_of(id);
    kept_look *kept = &mine->kept[hash % KEPT];
    const unsigned generation = atomic_load_explicit(&metadata->generations[hash % MR_GENERATIONS], memory_order_acquire);
    if (!kept->json || kept->generation != generation || strcmp(kept->view.id, id) != 0) {
        kept->generation = generation;
        mr_status status = read_look(metadata, link, id, kept);
        if (status != MR_OK) {
            free(kept->json);
            kept->json = NULL;
            return status;
        }
    }
    *ret_view = &kept->view;
    return MR_OK;
}

bool mr_video_owned_by(const mr_video_view *view, const mr_identity *who)
{
    return who->role == MR_ROLE_ADMIN || (who->user[0] && strcmp(view->owner, who->user) == 0);
}

bool mr_video_seen_by(const mr_video_view *view, const mr_identity *who)
{
    return mr_video_owned_by(view, who) || (view->playable && view->visibility != MR_VISIBILITY_PRIVATE);
}

/* ---- progress: in memory alone ---- */

void mr_video_progress(mr_metadata *metadata, const char *id, double fraction)
{
    pthread_mutex_lock(&metadata->lock);
    mr_progress *it = NULL;
    for (size_t i = 0; i < MR_PROGRESS_MAX && !it; i++)
        if (strcmp(metadata->progress[i].video, id) == 0)
            it = &metadata->progress[i];
    if (!it) /* more at a time: the oldest says nothing until it moves again */
        it = &metadata->progress[metadata->progress_next++ % MR_PROGRESS_MAX];
    snprintf(it->video, sizeof(it->video), "%s", id);
    it->fraction = fraction;
    pthread_mutex_unlock(&metadata->lock);
    mr_video_changed(metadata, id);
}

double mr_video_fraction(mr_metadata *metadata, const char *video)
{
    double fraction = -1;
    pthread_mutex_lock(&metadata->lock);
    for (size_t i = 0; i < MR_PROGRESS_MAX && fraction < 0; i++)
        if (strcmp(metadata->progress[i].video, video) == 0)
            fraction = metadata->progress[i].fraction;
    pthread_mutex_unlock(&metadata->lock);
    return fraction;
}
