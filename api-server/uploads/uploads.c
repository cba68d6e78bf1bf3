/* SPDX-License-Identifier: MIT */
/*
 * The folder of uploads, the table of those that somebody is busy with, and the janitor, which removes what expired: it sleeps until the next one
 * does. A row has a file always: the file is made before the row, and goes after it; files that no row knows are removed at the start.
 */
#include "api-server/uploads/internal.h"

#include "api-server/base/clock.h"
#include "api-server/base/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SWEEP = 32 }; /* uploads that the janitor asks for at a time */

int64_t mr_uploads_now_us(void)
{
    return mr_now_us();
}

/* ---- refusals ---- */

bool mr_upload_refuse(mr_refusal *why, int status, const char *code, const char *fmt, ...)
{
    va_list args;
    why->status = status;
    why->code = code;
    va_start(args, fmt);
    vsnprintf(why->detail, sizeof(why->detail), fmt, args);
    va_end(args);
    return false;
}

bool mr_upload_refuse_status(mr_refusal *why, mr_status status, const mr_upload *upload)
{
    switch (status) {
    case MR_OK: return true;
    case MR_ERR_NOT_FOUND: return mr_upload_refuse(why, 404, "no-such-upload", "there is no upload '%s'", upload->id);
    case MR_ERR_CONFLICT: return mr_upload_refuse(why, 409, "upload-complete", "the upload, or its video's, is complete already");
    case MR_ERR_LIMIT: return mr_upload_refuse(why, 507, "disk-full", "there is no room on the server's disk: try again when there is");
    case MR_ERR_NOMEM:
    case MR_ERR_UNAVAILABLE: return mr_upload_refuse(why, 503, "unavailable", "the server can't take it at the moment: try again");
    default: return mr_upload_refuse(why, 500, "internal", "the server's disk refused");
    }
}

bool mr_upload_make_etag(char etag[MR_UPLOAD_ETAG], const char *tail)
{
    unsigned char noise[16];
    if (!mr_random_bytes(noise, sizeof(noise)))
        return false;
    for (size_t i = 0; i < sizeof(noise); i++)
        snprintf(etag + 2 * i, 3, "%02x", noise[i]);
    snprintf(etag + 32, MR_UPLOAD_ETAG - 32, "%s", tail);
    return true;
}

/* ---- those that somebody is busy with ---- */

mr_live *mr_live_get(mr_uploads *uploads, const char *id)
{
    mr_live *live = NULL;
    pthread_mutex_lock(&uploads->lock);
    HASH_FIND_STR(uploads->live, id, live);
    if (!live) {
        live = calloc(1, sizeof(*live));
        if (live) {
            snprintf(live->id, sizeof(live->id), "%s", id);
            pthread_mutex_init(&live->lock, NULL);
            HASH_ADD_STR(uploads->live, id, live);
        }
    }
    if (live)
        live->references++;
    pthread_mutex_unlock(&uploads->lock);
    return live;
}

void mr_live_put(mr_uploads *uploads, mr_live *live)
{
    if (!live)
        return;
    pthread_mutex_lock(&uploads->lock);
    const bool last = --live->references == 0;
    if (last)
        HASH_DEL(uploads->live, live);
    pthread_mutex_unlock(&uploads->lock);
    if (last) {
        pthread_mutex_destroy(&live->lock);
        free(live);
    }
}

/* ---- files ---- */

void mr_part_file_name(const char *id, int64_t file, char out[MR_UPLOAD_PATH])
{
    snprintf(out, MR_UPLOAD_PATH, "%s.%" PRId64, id, file);
}

void mr_upload_remove_parts(mr_uploads *uploads, const char *id, const mr_upload_part *parts, size_t count)
{
    char name[MR_UPLOAD_PATH];
    for (size_t i = 0; i < count; i++) {
        mr_part_file_name(id, parts[i].file, name);
        if (parts[i].place < 0)
            mr_upload_file_remove(uploads->folder, name);
    }
}

/* Leaves, and parts that a row knows. */
static bool belongs(mr_uploads *uploads, const char *file, const mr_upload *upload)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_upload_part *parts = NULL;
    size_t count = 0;
    char name[MR_UPLOAD_PATH];
    bool found = upload->state == MR_UPLOAD_OPEN && strcmp(file + strlen(upload->id), ".leaves") == 0;
    if (found || upload->state != MR_UPLOAD_OPEN)
        return found;
    found = store->parts(store->context, upload->id, &parts, &count) != MR_OK; /* better to have too many */
    for (size_t i = 0; i < count && !found; i++) {
        mr_part_file_name(upload->id, parts[i].file, name);
        found = parts[i].place < 0 && strcmp(name, file) == 0;
    }
    free(parts);
    return found;
}

/* Nobody can go on with it: it counts as a whole or not at all, or its video has its source. */
static bool is_lost(mr_uploads *uploads, const mr_upload *upload)
{
    const mr_upload_store *store = &uploads->options.store;
    bool has_source = false;
    mr_upload *other = upload->video[0] ? malloc(sizeof(*other)) : NULL;
    if (other)
        has_source = store->find_of_video(store->context, upload->video, other) == MR_OK;
    free(other);
    return has_source || upload->kind == MR_UPLOAD_PUT || upload->role == MR_UPLOAD_FINAL;
}

/* What a crash left: files without a row go, and uploads that can't go on; one that has all its bytes is completed. */
static void settle(mr_uploads *uploads, const char *file, const char *id, mr_upload *upload)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_refusal why;
    const mr_status status = store->find(store->context, id, upload);
    if (status != MR_OK && status != MR_ERR_NOT_FOUND)
        return;
    if (status == MR_ERR_NOT_FOUND || (strcmp(file, id) != 0 && !belongs(uploads, file, upload)))
        unlinkat(uploads->folder, file, 0);
    if (status == MR_ERR_NOT_FOUND || strcmp(file, id) != 0)
        return;
    if (upload->state == MR_UPLOAD_COMPLETE)
        mr_upload_remove_joined(uploads, upload);
    else if (is_lost(uploads, upload))
        mr_uploads_remove(uploads, upload, &why);
    else if (upload->kind == MR_UPLOAD_TUS && upload->role == MR_UPLOAD_WHOLE && upload->offset == upload->length)
        mr_upload_finish(uploads, upload, &why);
}

static void settle_all(mr_uploads *uploads)
{
    const int fd = openat(uploads->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    mr_upload *upload = malloc(sizeof(*upload));
    for (struct dirent *entry; upload && folder && (entry = readdir(folder));) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        char id[MR_UPLOAD_ID];
        const size_t len = strcspn(entry->d_name, ".");
        if (len == 0 || len >= sizeof(id))
            continue;
        memcpy(id, entry->d_name, len);
        id[len] = '\0';
        if (mr_id_is(id, 'f'))
            settle(uploads, entry->d_name, id, upload);
    }
    free(upload);
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
}

/* ---- the janitor ---- */

static void remove_expired(mr_uploads *uploads, const char *id)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_refusal why;
    mr_upload *upload = malloc(sizeof(*upload));
    if (upload && store->find(store->context, id, upload) == MR_OK && upload->expires_us <= mr_uploads_now_us())
        mr_uploads_remove(uploads, upload, &why);
    free(upload);
}

static int64_t sweep(mr_uploads *uploads)
{
    const mr_upload_store *store = &uploads->options.store;
    char ids[SWEEP][MR_UPLOAD_ID];
    size_t count = 0;
    int64_t next_us = INT64_MAX;
    if (store->expired(store->context, mr_uploads_now_us(), ids, SWEEP, &count, &next_us) != MR_OK)
        return mr_uploads_now_us() + 60 * 1000000ll;
    for (size_t i = 0; i < count; i++)
        remove_expired(uploads, ids[i]);
    const int64_t soon_us = mr_uploads_now_us() + 1000000; /* one that is being written to expires anew at each commit */
    return count == SWEEP || next_us < soon_us ? soon_us : next_us;
}

static void *janitor(void *context)
{
    mr_uploads *uploads = context;
    pthread_mutex_lock(&uploads->lock);
    while (!uploads->stop) {
        uploads->changed = false;
        pthread_mutex_unlock(&uploads->lock);
        const int64_t until_us = sweep(uploads);
        pthread_mutex_lock(&uploads->lock);
        const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
        int over = 0;
        while (!uploads->stop && !uploads->changed && over != ETIMEDOUT) {
            over = until_us == INT64_MAX ? pthread_cond_wait(&uploads->wake, &uploads->lock)
                                         : pthread_cond_timedwait(&uploads->wake, &uploads->lock, &until);
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    return NULL;
}

static void wake_janitor(mr_uploads *uploads)
{
    pthread_mutex_lock(&uploads->lock);
    uploads->changed = true;
    pthread_cond_signal(&uploads->wake);
    pthread_mutex_unlock(&uploads->lock);
}

/* ---- opening ---- */

mr_status mr_uploads_open(const mr_uploads_options *options, mr_uploads **ret_uploads, char *why, size_t why_size)
{
    mr_uploads *uploads = calloc(1, sizeof(*uploads));
    *ret_uploads = NULL;
    if (!uploads) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    uploads->options = *options;
    uploads->folder = -1;
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_cond_init(&uploads->wake, NULL);
    if (asprintf(&uploads->folder_path, "%s/uploads", options->data_dir) < 0)
        uploads->folder_path = NULL;
    if (uploads->folder_path && (mkdir(uploads->folder_path, 0750) == 0 || errno == EEXIST))
        uploads->folder = open(uploads->folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (uploads->folder < 0) {
        snprintf(why, why_size, "'%s' can't be made or opened: %s", uploads->folder_path ? uploads->folder_path : "uploads", strerrordesc_np(errno));
        mr_uploads_close(uploads);
        return MR_ERR_IO;
    }
    settle_all(uploads);
    uploads->janitor_runs = pthread_create(&uploads->janitor, NULL, janitor, uploads) == 0;
    if (!uploads->janitor_runs) {
        snprintf(why, why_size, "no thread can be started");
        mr_uploads_close(uploads);
        return MR_ERR_NOMEM;
    }
    *ret_uploads = uploads;
    return MR_OK;
}

void mr_uploads_close(mr_uploads *uploads)
{
    if (!uploads)
        return;
    if (uploads->janitor_runs) {
        pthread_mutex_lock(&uploads->lock);
        uploads->stop = true;
        pthread_cond_signal(&uploads->wake);
        pthread_mutex_unlock(&uploads->lock);
        pthread_join(uploads->janitor, NULL);
    }
    if (uploads->folder >= 0)
        close(uploads->folder);
    pthread_cond_destroy(&uploads->wake);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads->folder_path);
    free(uploads);
}

int64_t mr_uploads_max(const mr_uploads *uploads)
{
    return uploads->options.max;
}

/* ---- creating ---- */

/* What may hold pictures and sound; a file is known by its content only later, so this is a courtesy, not a guard. */
static bool is_media_type(const char *type)
{
    static const char *const kinds[] = {"video/",
                                        "audio/",
                                        "image/gif",
                                        "application/octet-stream",
                                        "binary/octet-stream",
                                        "application/mp4",
                                        "application/mxf",
                                        "application/ogg",
                                        "application/x-matroska",
                                        "application/vnd.apple.mpegurl",
                                        "application/vnd.rn-realmedia"};
    if (!*type)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncasecmp(type, kinds[i], strlen(kinds[i])) == 0)
            return true;
    }
    return false;
}

static bool length_is_fine(const mr_uploads *uploads, int64_t length, mr_refusal *why)
{
    if (length <= uploads->options.max)
        return true;
    return mr_upload_refuse(why, 413, "upload-too-large",
                            "the upload has %" PRId64 " bytes; at most %" PRId64 " are taken (setting server.upload_max)", length,
                            uploads->options.max);
}

bool mr_uploads_have_room(const mr_uploads *uploads, int64_t bytes, int64_t *ret_free)
{
    *ret_free = mr_disk_free(uploads->folder);
    return *ret_free < 0 || *ret_free - bytes >= uploads->options.keep_free;
}

static bool there_is_room(const mr_uploads *uploads, int64_t length, mr_refusal *why)
{
    int64_t room = 0;
    if (mr_uploads_have_room(uploads, length > 0 ? length : 0, &room))
        return true;
    if (uploads->options.full)
        uploads->options.full(uploads->options.context);
    return mr_upload_refuse(why, 507, "disk-full",
                            "there is no room for it on the server's disk: %" PRId64 " bytes are free, and %" PRId64
                            " stay so (setting server.keep_free)",
                            room, uploads->options.keep_free);
}

static bool refuse_quota(mr_refusal *why, int64_t length, int64_t left)
{
    return mr_upload_refuse(why, 413, "quota-exceeded", "the upload has %" PRId64 " bytes; %" PRId64 " are left of the account's quota", length,
                            left);
}

/* S3 says a multipart upload's length at its end only; what its video's file will have may have been said. -1: it was not. */
static int64_t announced(const mr_uploads *uploads, const char *video)
{
    const mr_upload_store *store = &uploads->options.store;
    char ids[SWEEP][MR_UPLOAD_ID];
    size_t count = 0;
    int64_t length = -1;
    mr_upload *other = malloc(sizeof(*other));
    if (other && store->open_of_video(store->context, video, ids, SWEEP, &count) == MR_OK) {
        for (size_t i = 0; i < count; i++) {
            if (store->find(store->context, ids[i], other) == MR_OK && other->length > length)
                length = other->length;
        }
    }
    free(other);
    return length;
}

bool mr_uploads_create(mr_uploads *uploads, mr_upload *upload, const struct mr_video_fields *new_video, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    int64_t left = 0;
    if (upload->kind == MR_UPLOAD_MULTIPART && upload->length < 0)
        upload->length = announced(uploads, upload->video);
    if (!length_is_fine(uploads, upload->length, why))
        return false;
    if (!is_media_type(upload->type))
        return mr_upload_refuse(why, 415, "type-not-taken", "'%.80s' is no type of video or audio", upload->type);
    if (!there_is_room(uploads, upload->length, why))
        return false;
    if (!mr_id_make('f', upload->id))
        return mr_upload_refuse_status(why, MR_ERR_UNAVAILABLE, upload);
    upload->state = MR_UPLOAD_OPEN;
    upload->offset = 0;
    upload->created_us = mr_uploads_now_us();
    upload->expires_us = upload->created_us + MR_UPLOAD_LIFE_US;
    mr_status status = mr_upload_file_create(uploads->folder, upload->id);
    if (status != MR_OK)
        return mr_upload_refuse_status(why, status, upload);
    status = store->create(store->context, upload, new_video, &left);
    if (status == MR_OK) {
        wake_janitor(uploads);
        if (uploads->options.begun)
            uploads->options.begun(uploads->options.context);
        return true;
    }
    mr_upload_file_remove(uploads->folder, upload->id);
    if (status == MR_ERR_LIMIT)
        return refuse_quota(why, upload->length, left);
    if (status == MR_ERR_NOT_FOUND)
        return mr_upload_refuse(why, 404, "no-such-video", "there is no video '%s' to upload to", upload->video);
    return mr_upload_refuse_status(why, status, upload);
}

bool mr_uploads_find(mr_uploads *uploads, const char *id, const char *owner, mr_upload *ret_upload, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_status status = mr_id_is(id, 'f') ? MR_OK : MR_ERR_NOT_FOUND;
    if (status == MR_OK) { /* what lies in the file but is not committed yet */
        mr_live *live = mr_live_get(uploads, id);
        if (live) {
            pthread_mutex_lock(&live->lock);
            mr_writer_take_over(live);
            pthread_mutex_unlock(&live->lock);
            mr_live_put(uploads, live);
        }
        status = store->find(store->context, id, ret_upload);
    }
    if (status == MR_OK && owner && strcmp(owner, ret_upload->owner) != 0)
        status = MR_ERR_NOT_FOUND;
    if (status == MR_ERR_NOT_FOUND)
        return mr_upload_refuse(why, 404, "no-such-upload", "there is no such upload");
    if (status == MR_OK && ret_upload->state == MR_UPLOAD_OPEN && ret_upload->expires_us <= mr_uploads_now_us())
        return mr_upload_refuse(why, 410, "upload-expired", "the upload has expired");
    return mr_upload_refuse_status(why, status, ret_upload);
}

bool mr_uploads_find_of_video(mr_uploads *uploads, const char *video, mr_upload *ret_upload, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    memcpy(ret_upload->id, "of the video", 13); /* for messages */
    return mr_upload_refuse_status(why, store->find_of_video(store->context, video, ret_upload), ret_upload);
}

int mr_uploads_open_file(mr_uploads *uploads, const mr_upload *upload)
{
    return openat(uploads->folder, upload->id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

bool mr_uploads_set_length(mr_uploads *uploads, mr_upload *upload, int64_t length, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    int64_t left = 0;
    if (!length_is_fine(uploads, length, why))
        return false;
    if (upload->length >= 0 && upload->length != length)
        return mr_upload_refuse(why, 400, "length-changed", "the upload's length is %" PRId64 ", and stays so", upload->length);
    if (length < upload->offset)
        return mr_upload_refuse(why, 400, "length-too-small", "%" PRId64 " bytes have come already", upload->offset);
    const mr_status status = store->set_length(store->context, upload->id, length, &left);
    if (status == MR_ERR_LIMIT)
        return refuse_quota(why, length, left);
    if (status == MR_OK)
        upload->length = length;
    return mr_upload_refuse_status(why, status, upload);
}

static bool end_upload(mr_uploads *uploads, const mr_upload *upload, bool even_busy, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_live *live = mr_live_get(uploads, upload->id);
    mr_upload_part *parts = NULL;
    size_t count = 0;
    if (!live)
        return mr_upload_refuse_status(why, MR_ERR_NOMEM, upload);
    pthread_mutex_lock(&live->lock);
    bool good = even_busy || (!live->closing && live->writers == 0 && mr_writer_take_over(live));
    if (!good) {
        mr_upload_refuse(why, 423, "upload-busy", "the upload is being written to");
    } else {
        if (upload->kind == MR_UPLOAD_MULTIPART)
            store->parts(store->context, upload->id, &parts, &count); /* their rows go with it */
        good = mr_upload_refuse_status(why, store->remove(store->context, upload->id), upload);
    }
    live->closing = live->closing || good;
    pthread_mutex_unlock(&live->lock);
    if (good && uploads->options.leaving)
        uploads->options.leaving(uploads->options.context, upload);
    if (good) {
        mr_upload_remove_parts(uploads, upload->id, parts, count);
        mr_upload_file_remove(uploads->folder, upload->id);
    }
    free(parts);
    mr_live_put(uploads, live);
    return good;
}

bool mr_uploads_remove(mr_uploads *uploads, const mr_upload *upload, mr_refusal *why)
{
    if (!end_upload(uploads, upload, false, why))
        return false;
    if (uploads->options.dropped)
        uploads->options.dropped(uploads->options.context);
    return true;
}

void mr_upload_remove_others(mr_uploads *uploads, const char *video)
{
    const mr_upload_store *store = &uploads->options.store;
    char ids[SWEEP][MR_UPLOAD_ID];
    size_t count = 0;
    mr_refusal why;
    mr_upload *other = malloc(sizeof(*other));
    if (other && video[0] && store->open_of_video(store->context, video, ids, SWEEP, &count) == MR_OK) {
        for (size_t i = 0; i < count; i++) {
            if (store->find(store->context, ids[i], other) == MR_OK)
                end_upload(uploads, other, true, &why);
        }
    }
    free(other);
}
