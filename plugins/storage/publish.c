/* SPDX-License-Identifier: MIT */
/*
 * storage.publish: applies publications in the order in which they come. A file is written under another name and renamed into place, whole;
 * before a playlist gets its name, the bytes of everything that came before it are on the disk. A file that is there already, with the same bytes,
 * is left alone. At the end, what earlier runs published here and this one did not is removed.
 */
#include "folder.h"
#include "ledger.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COPY_STEP = 1 << 20 };

struct publisher {
    const mr_host *host;
    mr_task *task;
    const char *output_dir;
    mr_folder *folder;
    mr_ledger ledger;
    char *outputs[PUBLISH_OUT_PUBLISHED]; /* paths of the files whose role names an output */
    bool growing[PUBLISH_OUT_PUBLISHED];  /* what lies there is to be replaced by a later one */
    uint64_t written, unchanged, removed;
    uint64_t replaced; /* files that playlists of an earlier run may name, now with other bytes */
    uint8_t buffer[2][COPY_STEP / 2];
};

static mr_status refuse(const struct publisher *publisher, int error, const char *path)
{
    const char *hint = NULL;
    if (error == -ENOSPC || error == -EDQUOT)
        hint = "make room and run again: what was published so far stays, whole";
    else if (error == -EACCES || error == -EPERM || error == -EROFS)
        hint = "the output folder has to be writable";
    else if (error == -ELOOP || error == -ENOTDIR)
        hint = "a symbolic link or a file stands where a folder should be: remove it, or publish elsewhere";
    char words[128];
    publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, hint, "can't publish '%s' in '%s': %s", path, publisher->output_dir,
                            strerror_r(-error, words, sizeof(words)));
    return error == -ENOMEM ? MR_ERR_NOMEM : MR_ERR_IO;
}

/* Shares the bytes where the file system can, else lets the kernel copy, else copies what read_at gives. */
static mr_status copy_by_kernel(struct publisher *publisher, int from, int to, uint64_t size, const char *path, uint64_t *ret_done)
{
    *ret_done = 0;
    if (ioctl(to, FICLONE, from) == 0) {
        *ret_done = size;
        return MR_OK;
    }
    while (*ret_done < size) {
        loff_t at = (loff_t)*ret_done;
        loff_t into = at;
        uint64_t rest = size - *ret_done;
        ssize_t copied = copy_file_range(from, &at, to, &into, rest < COPY_STEP ? (size_t)rest : COPY_STEP, 0);
        if (publisher->host->cancelled(publisher->task))
            return MR_ERR_CANCELLED;
        if (copied < 0 && errno == EINTR)
            continue;
        if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
            return refuse(publisher, -errno, path);
        if (copied <= 0)
            return MR_OK; /* not possible between these files: the rest is copied by hand */
        *ret_done += (uint64_t)copied;
    }
    return MR_OK;
}

static mr_status write_all(struct publisher *publisher, int fd, const uint8_t *data, size_t len, uint64_t offset, const char *path)
{
    while (len > 0) {
        ssize_t written = pwrite(fd, data, len, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return refuse(publisher, written < 0 ? -errno : -EIO, path);
        data += written;
        len -= (size_t)written;
        offset += (uint64_t)written;
    }
    return MR_OK;
}

static mr_status copy_content(struct publisher *publisher, const mr_artifact *item, int fd, const char *path)
{
    uint64_t done = 0;
    int from = publisher->host->content_fd(publisher->task, item);
    mr_status status = from >= 0 ? copy_by_kernel(publisher, from, fd, item->size, path, &done) : MR_OK;
    while (status == MR_OK && done < item->size) {
        size_t got = 0;
        status = publisher->host->read_at(publisher->task, item, done, publisher->buffer[0], sizeof(publisher->buffer[0]), &got);
        if (status == MR_OK && got == 0)
            return refuse(publisher, -EIO, path);
        if (status == MR_OK)
            status = write_all(publisher, fd, publisher->buffer[0], got, done, path);
        if (status == MR_OK && publisher->host->cancelled(publisher->task))
            status = MR_ERR_CANCELLED;
        done += got;
    }
    return status;
}

/* Whether the file that is there holds the same bytes. */
static bool is_same(struct publisher *publisher, const mr_artifact *item, int fd)
{
    for (uint64_t offset = 0; offset < item->size;) {
        size_t got = 0;
        if (publisher->host->read_at(publisher->task, item, offset, publisher->buffer[0], sizeof(publisher->buffer[0]), &got) != MR_OK || got == 0)
            return false;
        if (pread(fd, publisher->buffer[1], got, (off_t)offset) != (ssize_t)got || memcmp(publisher->buffer[0], publisher->buffer[1], got) != 0)
            return false;
        offset += got;
    }
    return true;
}

enum presence { ABSENT, OTHER_BYTES, SAME_BYTES };

static enum presence look(struct publisher *publisher, const mr_artifact *item, const char *path)
{
    struct stat info;
    int fd;
    if (mr_folder_open_file(publisher->folder, path, &fd, &info) != 0)
        return ABSENT;
    bool same = (uint64_t)info.st_size == item->size && is_same(publisher, item, fd);
    close(fd);
    return same ? SAME_BYTES : OTHER_BYTES;
}

static mr_status write_file(struct publisher *publisher, const mr_artifact *item, const char *path, bool replaceable)
{
    int fd;
    int result = mr_folder_create(publisher->folder, path, &fd);
    if (result != 0)
        return refuse(publisher, result, path);
    mr_status status = copy_content(publisher, item, fd, path);
    if (status == MR_OK) {
        result = mr_folder_commit(publisher->folder, fd, replaceable);
        if (result != 0)
            status = refuse(publisher, result, path);
    } else {
        mr_folder_discard(publisher->folder);
    }
    close(fd);
    publisher->written += status == MR_OK;
    return status;
}

/* A file is about to change under the playlists of an earlier run: from now on they would lie. Those that this run has made are not concerned. */
static void withdraw_playlists(struct publisher *publisher)
{
    mr_ledger_entry *entry, *next;
    HASH_ITER (hh, publisher->ledger.entries, entry, next) {
        if (!entry->replaceable || (entry->current && !entry->whole_before))
            continue;
        mr_folder_remove(publisher->folder, entry->path, entry->size);
        entry->current = entry->whole_before = false;
    }
}

static mr_status publish(struct publisher *publisher, const mr_artifact *item, const char *path, bool replaceable, bool growing)
{
    mr_ledger_entry *entry = mr_ledger_find(&publisher->ledger, path);
    enum presence presence = look(publisher, item, path);
    /* A whole playlist of an earlier run stays true as long as nothing that it may name has changed: better than one that begins to grow anew. */
    if (growing && entry && entry->whole_before && presence != ABSENT && publisher->replaced == 0) {
        entry->current = entry->replaceable = true;
        return MR_OK;
    }
    if (entry && entry->current && !(entry->replaceable && replaceable)) {
        if (strcmp(entry->digest, item->digest) == 0 && item->digest[0])
            return MR_OK;
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "give one of them another name", "two different files want to be '%s'",
                                path);
        return MR_ERR_CONFLICT;
    }
    int result = mr_ledger_add(&publisher->ledger, path, item->digest, item->size, growing, replaceable, &entry);
    if (result != 0)
        return refuse(publisher, result, path);
    entry->current = true;
    entry->whole_before = false;
    if (presence == SAME_BYTES) {
        publisher->unchanged++;
        return MR_OK;
    }
    if (presence == OTHER_BYTES && !replaceable && publisher->replaced++ == 0)
        withdraw_playlists(publisher);
    return write_file(publisher, item, path, replaceable);
}

static mr_status note_output(struct publisher *publisher, const char *role, const char *path)
{
    static const char *const roles[] = {[PUBLISH_OUT_HLS] = "hls", [PUBLISH_OUT_DASH] = "dash", [PUBLISH_OUT_MEDIA] = "media"};
    for (size_t i = 0; role && i < PUBLISH_OUT_PUBLISHED; i++) {
        if (strcmp(role, roles[i]) != 0)
            continue;
        const mr_ledger_entry *entry = mr_ledger_find(&publisher->ledger, path);
        publisher->growing[i] = entry && entry->growing;
        if (publisher->outputs[i] && strcmp(publisher->outputs[i], path) == 0)
            continue;
        if (publisher->outputs[i]) {
            publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "publish them with two pipelines, into two folders",
                                    "both '%s' and '%s' want to be the output '%s'", publisher->outputs[i], path, role);
            return MR_ERR_CONFLICT;
        }
        publisher->outputs[i] = strdup(path);
        if (!publisher->outputs[i])
            return refuse(publisher, -ENOMEM, path);
    }
    return MR_OK;
}

static mr_status take_item(struct publisher *publisher, const mr_artifact *item)
{
    json_t *meta = json_loads(item->meta, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(meta, "path"));
    bool replaceable = json_is_true(json_object_get(meta, "replaceable"));
    mr_status status = MR_OK;
    if (!path || !item->has_content) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "segments are published through manifest.package",
                                "what came on 'files' has no %s: it is not a publication", path ? "content" : "'path' in its metadata");
        status = MR_ERR_INPUT;
    } else if (!mr_path_is_safe(path)) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, NULL, "'%s' is not a plain path inside the output folder", path);
        status = MR_ERR_INPUT;
    } else {
        status = publish(publisher, item, path, replaceable, json_is_true(json_object_get(meta, "growing")));
    }
    if (status == MR_OK)
        status = note_output(publisher, json_string_value(json_object_get(meta, "role")), path);
    json_decref(meta);
    return status;
}

static mr_status take_items(struct publisher *publisher)
{
    for (;;) {
        uint32_t port;
        const mr_artifact *item;
        mr_status status = publisher->host->next(publisher->task, &port, &item);
        if (status == MR_END)
            return MR_OK;
        if (status == MR_OK)
            status = take_item(publisher, item);
        if (status != MR_OK)
            return status;
    }
}

/* What earlier runs left and nothing names any more. A file that somebody changed since is theirs. */
static mr_status remove_stale(struct publisher *publisher)
{
    mr_ledger_entry *entry, *next;
    HASH_ITER (hh, publisher->ledger.entries, entry, next) {
        if (entry->current)
            continue;
        int result = mr_folder_remove(publisher->folder, entry->path, entry->size);
        if (result == -EEXIST)
            publisher->host->report(publisher->task, MR_SEVERITY_NOTE, NULL, NULL, "'%s' of an earlier run was changed since, and is left there",
                                    entry->path);
        else if (result != 0 && result != -ENOENT && result != -ENOTDIR && result != -ELOOP)
            return refuse(publisher, result, entry->path);
        publisher->removed += result == 0;
        mr_ledger_remove(&publisher->ledger, entry);
    }
    return MR_OK;
}

static mr_status emit(const struct publisher *publisher, uint32_t port, json_t *take_meta)
{
    char *text = take_meta ? json_dumps(take_meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = text ? publisher->host->emit(publisher->task, port, text, NULL) : MR_ERR_NOMEM;
    free(text);
    json_decref(take_meta);
    return status;
}

static mr_status tell(const struct publisher *publisher)
{
    mr_status status = MR_OK;
    json_int_t files = 0, bytes = 0;
    for (const mr_ledger_entry *entry = publisher->ledger.entries; entry; entry = entry->hh.next) {
        files++;
        bytes += (json_int_t)entry->size;
    }
    for (uint32_t i = 0; i < PUBLISH_OUT_PUBLISHED && status == MR_OK; i++) {
        if (publisher->outputs[i])
            status = emit(publisher, i, json_pack("{s:s}", "path", publisher->outputs[i]));
    }
    if (status == MR_OK)
        status = emit(publisher, PUBLISH_OUT_PUBLISHED,
                      json_pack("{s:I, s:I, s:I, s:I, s:I}", "files", files, "bytes", bytes, "written", (json_int_t)publisher->written, "unchanged",
                                (json_int_t)publisher->unchanged, "removed", (json_int_t)publisher->removed));
    return status;
}

static mr_status open_folder(struct publisher *publisher)
{
    publisher->output_dir = publisher->host->output_dir(publisher->task);
    if (!publisher->output_dir) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "name one with --output DIR", "there is no output folder to publish to");
        return MR_ERR_PARAM;
    }
    int result = mr_folder_open(publisher->output_dir, &publisher->folder);
    if (result == -EWOULDBLOCK) {
        publisher->host->report(publisher->task, MR_SEVERITY_ERROR, NULL, "wait for the other run; within a pipeline, connect all files to one node",
                                "another storage.publish is at work in '%s'", publisher->output_dir);
        return MR_ERR_CONFLICT;
    }
    if (result == 0)
        result = mr_ledger_open(&publisher->ledger, mr_folder_notes_fd(publisher->folder));
    return result == 0 ? MR_OK : refuse(publisher, result, ".millrace");
}

static mr_status finish(struct publisher *publisher)
{
    int result = mr_folder_sync(publisher->folder);
    mr_status status = result == 0 ? remove_stale(publisher) : refuse(publisher, result, ".");
    if (status == MR_OK) {
        result = mr_ledger_finish(&publisher->ledger, mr_folder_notes_fd(publisher->folder));
        status = result == 0 ? tell(publisher) : refuse(publisher, result, ".millrace/published.jsonl");
    }
    return status;
}

/*
 * The run does not come to its end here. What was published stays, but nobody is shown the way into a stream that has stopped growing: a later run
 * opens it again. (A publisher that is killed can't do this; its playlists have no end mark.)
 */
static void close_entrances(struct publisher *publisher)
{
    for (size_t i = 0; i < PUBLISH_OUT_PUBLISHED; i++) {
        const char *path = publisher->outputs[i];
        struct stat info;
        int fd;
        if (!path || !publisher->growing[i] || mr_folder_open_file(publisher->folder, path, &fd, &info) != 0)
            continue;
        close(fd);
        mr_folder_remove(publisher->folder, path, (uint64_t)info.st_size);
    }
}

mr_status mr_publish_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct publisher *publisher = calloc(1, sizeof(*publisher));
        if (!publisher)
            return MR_ERR_NOMEM;
        publisher->host = host;
        publisher->task = batch->tasks[i].task;
        publisher->ledger.fd = -1;
        status = open_folder(publisher);
        if (status == MR_OK)
            status = take_items(publisher);
        if (status == MR_OK)
            status = finish(publisher);
        if (status != MR_OK)
            close_entrances(publisher);
        mr_ledger_close(&publisher->ledger);
        mr_folder_close(publisher->folder);
        for (size_t k = 0; k < PUBLISH_OUT_PUBLISHED; k++)
            free(publisher->outputs[k]);
        free(publisher);
        host->finish(batch->tasks[i].task, status);
    }
    return status;
}
