/* SPDX-License-Identifier: MIT */
/*
 * Completion. Until the one commit that says "complete" everything here can be done again from what the rows say: parts' own files stay until after
 * it, and what is written into the upload's file are bytes that some row still has elsewhere.
 */
#include "api-server/uploads/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_MAX (1ll << 40) /* bytes that a block tree can have */

/* ---- one upload ---- */

/* The file has these bytes and no more. */
static mr_status trim(mr_uploads *uploads, const mr_upload *upload)
{
    struct stat info;
    const int fd = openat(uploads->folder, upload->id, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    mr_status status = fd >= 0 && fstat(fd, &info) == 0 && info.st_size >= upload->length ? MR_OK : MR_ERR_IO;
    if (status == MR_OK && info.st_size > upload->length && (ftruncate(fd, upload->length) != 0 || fsync(fd) != 0))
        status = MR_ERR_IO;
    if (fd >= 0)
        close(fd);
    return status;
}

static mr_status identify(mr_uploads *uploads, mr_upload *upload, const char *path)
{
    unsigned char *leaves = NULL;
    size_t count = 0;
    if (!uploads->options.identify || upload->length > TREE_MAX)
        return MR_OK;
    const mr_status status = mr_upload_file_leaves(uploads->folder, upload->id, upload->length, &leaves, &count);
    if (status == MR_OK)
        uploads->options.identify(uploads->options.context, path, upload->length, leaves, count, upload->digest);
    free(leaves);
    return status;
}

bool mr_upload_finish(mr_uploads *uploads, mr_upload *upload, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    char *path = NULL;
    mr_status status = asprintf(&path, "%s/%s", uploads->folder_path, upload->id) > 0 ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = trim(uploads, upload);
    if (status == MR_OK)
        status = identify(uploads, upload, path);
    if (status == MR_OK && !upload->etag[0])
        status = mr_upload_make_etag(upload->etag, "-1") ? MR_OK : MR_ERR_UNAVAILABLE;
    if (status == MR_OK) {
        upload->state = MR_UPLOAD_COMPLETE;
        status = store->complete(store->context, upload);
    }
    if (status == MR_OK) {
        char leaves[MR_UPLOAD_PATH];
        snprintf(leaves, sizeof(leaves), "%s.leaves", upload->id);
        unlinkat(uploads->folder, leaves, 0);
        mr_upload_remove_others(uploads, upload->video);
        if (uploads->options.completed)
            uploads->options.completed(uploads->options.context, upload, path);
    } else {
        upload->state = MR_UPLOAD_OPEN;
    }
    free(path);
    return mr_upload_refuse_status(why, status, upload);
}

/* ---- tus: concatenation ---- */

/* Cuts the next id of a list off. One that is too long is none of ours, cut or not. */
static bool next_id(const char **at, char ret_id[MR_UPLOAD_ID])
{
    *at += strspn(*at, " ");
    const size_t len = strcspn(*at, " ");
    snprintf(ret_id, MR_UPLOAD_ID, "%.*s", (int)len, *at);
    *at += len;
    return len > 0;
}

/* The next id of upload->concat, as found. 1: there was one; 0: the end; -1: refused. */
static int next_partial(mr_uploads *uploads, const mr_upload *upload, const char **at, mr_upload *ret_partial, mr_refusal *why)
{
    char id[MR_UPLOAD_ID];
    if (!next_id(at, id))
        return 0;
    if (!mr_uploads_find(uploads, id, upload->owner, ret_partial, why))
        return -1;
    if (ret_partial->role != MR_UPLOAD_PARTIAL || ret_partial->offset != ret_partial->length) {
        mr_upload_refuse(why, 409, "upload-not-joinable", "'%s' is not a partial upload that has all its bytes", id);
        return -1;
    }
    return 1;
}

static bool sum_partials(mr_uploads *uploads, mr_upload *upload, mr_upload *partial, mr_refusal *why)
{
    const char *at = upload->concat;
    int next = 0;
    upload->length = 0;
    while ((next = next_partial(uploads, upload, &at, partial, why)) > 0) {
        if (partial->length > uploads->options.max - upload->length)
            return mr_upload_refuse(why, 413, "upload-too-large", "together they are more than %" PRId64 " bytes (setting server.upload_max)",
                                    uploads->options.max);
        upload->length += partial->length;
    }
    return next == 0;
}

static bool copy_partials(mr_uploads *uploads, const mr_upload *upload, mr_upload *partial, mr_refusal *why)
{
    const char *at = upload->concat;
    int64_t to_at = 0;
    int next = 0;
    const int to = openat(uploads->folder, upload->id, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    mr_status status = to >= 0 ? MR_OK : MR_ERR_IO;
    while (status == MR_OK && (next = next_partial(uploads, upload, &at, partial, why)) > 0) {
        const int from = openat(uploads->folder, partial->id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        status = from >= 0 ? mr_upload_file_copy(from, 0, to, to_at, partial->length) : MR_ERR_IO;
        to_at += partial->length;
        if (from >= 0)
            close(from);
    }
    if (status == MR_OK && next == 0 && fdatasync(to) != 0)
        status = MR_ERR_IO;
    if (to >= 0)
        close(to);
    return next == 0 && mr_upload_refuse_status(why, status, upload);
}

void mr_upload_remove_joined(mr_uploads *uploads, const mr_upload *upload)
{
    const char *at = upload->concat;
    mr_refusal unheard;
    char id[MR_UPLOAD_ID];
    mr_upload *partial = upload->concat[0] ? malloc(sizeof(*partial)) : NULL;
    while (partial && next_id(&at, id)) {
        if (mr_uploads_find(uploads, id, upload->owner, partial, &unheard) && partial->role == MR_UPLOAD_PARTIAL)
            mr_uploads_remove(uploads, partial, &unheard);
    }
    free(partial);
}

bool mr_uploads_join(mr_uploads *uploads, mr_upload *upload, const struct mr_video_fields *new_video, mr_refusal *why)
{
    mr_refusal unheard;
    mr_upload *partial = malloc(sizeof(*partial));
    if (!partial)
        return mr_upload_refuse_status(why, MR_ERR_NOMEM, upload);
    bool good = sum_partials(uploads, upload, partial, why) && mr_uploads_create(uploads, upload, new_video, why);
    if (good) {
        good = copy_partials(uploads, upload, partial, why);
        upload->offset = upload->length;
        good = good && mr_upload_finish(uploads, upload, why);
        if (!good)
            mr_uploads_remove(uploads, upload, &unheard);
    }
    free(partial);
    if (good)
        mr_upload_remove_joined(uploads, upload);
    return good;
}

/* ---- S3: parts ---- */

bool mr_uploads_parts(mr_uploads *uploads, const mr_upload *upload, mr_upload_part **ret_parts, size_t *ret_count, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    *ret_parts = NULL;
    *ret_count = 0;
    return mr_upload_refuse_status(why, store->parts(store->context, upload->id, ret_parts, ret_count), upload);
}

/* Those that the client names, in its order, at the front of parts. */
static bool pick_parts(const mr_uploads *uploads, mr_upload_part *parts, size_t have, const mr_part_name *names, size_t count, int64_t *ret_total,
                       mr_refusal *why)
{
    size_t at = 0;
    *ret_total = 0;
    for (size_t i = 0; i < count; i++, at++) { /* both are in order of their numbers */
        while (at < have && parts[at].number < names[i].number)
            at++;
        if (at == have || parts[at].number != names[i].number || strcmp(parts[at].etag, names[i].etag) != 0)
            return mr_upload_refuse(why, 400, "invalid-part", "part %d was not uploaded, or has another ETag", (int)names[i].number);
        if (i + 1 < count && parts[at].size < MR_UPLOAD_PART_LEAST)
            return mr_upload_refuse(why, 400, "part-too-small", "part %d has %" PRId64 " bytes; all but the last have %lld at least",
                                    (int)names[i].number, parts[at].size, (long long)MR_UPLOAD_PART_LEAST);
        if (parts[at].size > uploads->options.max - *ret_total)
            return mr_upload_refuse(why, 413, "upload-too-large", "together the parts are more than %" PRId64 " bytes (setting server.upload_max)",
                                    uploads->options.max);
        *ret_total += parts[at].size;
        const mr_upload_part picked = parts[at];
        parts[at] = parts[i]; /* what is not picked is kept behind: its file goes, too */
        parts[i] = picked;
    }
    return true;
}

/* mr_upload_file_copy or _compare: of a part that lies in a file of its own, with where it belongs. */
typedef mr_status (*part_work)(int from, int64_t from_at, int to, int64_t to_at, int64_t size);

static mr_status with_part(const mr_uploads *uploads, const mr_upload *upload, const mr_upload_part *part, part_work work, int to, int64_t at)
{
    char name[MR_UPLOAD_PATH];
    mr_part_file_name(upload->id, part->file, name);
    const int from = openat(uploads->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const mr_status status = from >= 0 ? work(from, 0, to, at, part->size) : MR_ERR_IO;
    if (from >= 0)
        close(from);
    return status;
}

/* Is each part where it belongs, or can it be put there without writing over another? */
static bool is_regular(const mr_upload *upload, const mr_upload_part *parts, size_t count, size_t have)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].number != (int32_t)i + 1 || parts[i].size > upload->part_size || (i + 1 < count && parts[i].size != upload->part_size))
            return false;
    }
    return count == have && upload->part_size > 0;
}

/* Bytes that somebody may have been told of will be others. */
static mr_status change(mr_uploads *uploads, const mr_upload *upload)
{
    return uploads->options.changes ? uploads->options.changes(uploads->options.context, upload) : MR_OK;
}

/* It lies where another part of its number was, which may have been told of. Often that was the same: its answer was lost. */
static mr_status change_place(mr_uploads *uploads, const mr_upload *upload, const mr_upload_part *part, int to, int64_t at, bool *ret_same)
{
    const mr_status status = with_part(uploads, upload, part, mr_upload_file_compare, to, at);
    *ret_same = status == MR_OK;
    return status == MR_ERR_CONFLICT ? change(uploads, upload) : status;
}

static mr_status put_in_place(mr_uploads *uploads, const mr_upload *upload, const mr_upload_part *parts, size_t count, int to)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        const int64_t at = (int64_t)i * upload->part_size;
        bool there = parts[i].place >= 0;
        if (parts[i].place == MR_PLACE_LATER)
            status = change_place(uploads, upload, &parts[i], to, at, &there);
        if (status == MR_OK && !there)
            status = mr_upload_file_forget(uploads->folder, upload->id, at, parts[i].size);
        if (status == MR_OK && !there)
            status = with_part(uploads, upload, &parts[i], mr_upload_file_copy, to, at);
    }
    return status;
}

/* A part leaves its place for a file of its own. */
static mr_status move_out(mr_uploads *uploads, const mr_upload *upload, mr_upload_part *part, int from)
{
    const mr_upload_store *store = &uploads->options.store;
    char name[MR_UPLOAD_PATH];
    mr_upload_part old;
    int replaced = 0;
    mr_part_file_name(upload->id, part->file, name);
    mr_upload_file_remove(uploads->folder, name); /* of a try before */
    mr_status status = mr_upload_file_create(uploads->folder, name);
    const int to = status == MR_OK ? openat(uploads->folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (status == MR_OK)
        status = to >= 0 ? mr_upload_file_copy(from, part->place, to, 0, part->size) : MR_ERR_IO;
    if (status == MR_OK && fdatasync(to) != 0)
        status = MR_ERR_IO;
    if (to >= 0)
        close(to);
    if (status == MR_OK) {
        part->place = MR_PLACE_OWN;
        status = store->part_put(store->context, upload->id, part, upload->expires_us, &old, &replaced);
    }
    return status;
}

/* Parts of different sizes, or not all of them: each has its own file first, then the upload's is written anew. */
static mr_status write_anew(mr_uploads *uploads, const mr_upload *upload, mr_upload_part *parts, size_t count, size_t have, int to)
{
    char leaves[MR_UPLOAD_PATH];
    int64_t at = 0;
    mr_status status = change(uploads, upload);
    for (size_t i = 0; i < have && status == MR_OK; i++) {
        if (parts[i].place >= 0)
            status = move_out(uploads, upload, &parts[i], to);
    }
    snprintf(leaves, sizeof(leaves), "%s.leaves", upload->id);
    if (status == MR_OK) {
        unlinkat(uploads->folder, leaves, 0);
        status = fsync(uploads->folder) == 0 && ftruncate(to, 0) == 0 ? MR_OK : MR_ERR_IO;
    }
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        status = with_part(uploads, upload, &parts[i], mr_upload_file_copy, to, at);
        at += parts[i].size;
    }
    return status;
}

static mr_status lay_out(mr_uploads *uploads, mr_live *live, const mr_upload *upload, mr_upload_part *parts, size_t count, size_t have)
{
    const int to = openat(uploads->folder, upload->id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    const bool regular = is_regular(upload, parts, count, have);
    mr_status status = to < 0    ? MR_ERR_IO
                       : regular ? put_in_place(uploads, upload, parts, count, to)
                                 : write_anew(uploads, upload, parts, count, have, to);
    live->places_known = live->places_known && regular; /* parts have moved */
    if (status == MR_OK && fdatasync(to) != 0)
        status = MR_ERR_IO;
    if (to >= 0)
        close(to);
    return status;
}

static bool assemble(mr_uploads *uploads, mr_live *live, mr_upload *upload, const mr_part_name *names, size_t count, mr_refusal *why)
{
    const mr_upload_store *store = &uploads->options.store;
    mr_upload_part *parts = NULL;
    size_t have = 0;
    int64_t total = 0;
    mr_upload fresh = *upload;
    if (!mr_upload_refuse_status(why, store->find(store->context, upload->id, &fresh), upload)) /* the size of parts may have become known */
        return false;
    *upload = fresh;
    bool good = mr_upload_refuse_status(why, store->parts(store->context, upload->id, &parts, &have), upload) &&
                pick_parts(uploads, parts, have, names, count, &total, why) &&
                mr_upload_refuse_status(why, lay_out(uploads, live, upload, parts, count, have), upload);
    if (good) {
        upload->length = upload->offset = total;
        snprintf(upload->etag, sizeof(upload->etag), "%.32s-%zu", parts[count - 1].etag, count);
        good = mr_upload_finish(uploads, upload, why);
    }
    if (good)
        mr_upload_remove_parts(uploads, upload->id, parts, have);
    free(parts);
    return good;
}

bool mr_uploads_assemble(mr_uploads *uploads, mr_upload *upload, const mr_part_name *parts, size_t count, mr_refusal *why)
{
    mr_live *live = mr_live_get(uploads, upload->id);
    if (!live)
        return mr_upload_refuse_status(why, MR_ERR_NOMEM, upload);
    pthread_mutex_lock(&live->lock);
    bool good = live->closing || live->writers > 0 ? mr_upload_refuse(why, 409, "upload-busy", "parts are being written, or it is being completed")
                                                   : assemble(uploads, live, upload, parts, count, why);
    live->closing = live->closing || good;
    pthread_mutex_unlock(&live->lock);
    mr_live_put(uploads, live);
    return good;
}
