/* SPDX-License-Identifier: MIT */
/*
 * A folder as a store: folder.h behind the table of storage drivers. Objects are files at their keys; the tag of one is made of what changes when it
 * is replaced or written to.
 */
#include "local.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COPY_STEP = 1 << 20 };

struct mr_storage {
    const mr_storage_client *client;
    mr_folder *folder;
};

struct mr_storage_put {
    mr_storage *store;
    mr_folder_file *file;
    char *key;
    char *if_tag;
    uint32_t flags;
    int64_t expected; /* -1: not known */
    uint64_t written;
};

static bool is_cancelled(const mr_storage *store)
{
    return store->client->cancelled && store->client->cancelled(store->client->context);
}

/* ---- errors ---- */

static mr_status say(mr_storage_error *error, mr_status status, const char *message, const char *hint)
{
    snprintf(error->message, sizeof(error->message), "%s", message);
    snprintf(error->hint, sizeof(error->hint), "%s", hint ? hint : "");
    return status;
}

static mr_status fail(mr_storage_error *error, int number)
{
    char words[128];
    const char *text = strerror_r(-number, words, sizeof(words));
    switch (-number) {
    case ENOENT: return say(error, MR_ERR_NOT_FOUND, text, NULL);
    case ENOMEM: return say(error, MR_ERR_NOMEM, text, NULL);
    case ENOSPC:
    case EDQUOT: return say(error, MR_ERR_IO, text, "make room and run again: what was published so far stays, whole");
    case EACCES:
    case EPERM:
    case EROFS: return say(error, MR_ERR_IO, text, "the output folder has to be writable");
    case ELOOP:
    case ENOTDIR: return say(error, MR_ERR_IO, text, "a symbolic link or a file stands where a folder should be: remove it, or publish elsewhere");
    default: return say(error, MR_ERR_IO, text, NULL);
    }
}

static mr_status conflict(mr_storage_error *error)
{
    return say(error, MR_ERR_CONFLICT, "the object has become another one", NULL);
}

/* ---- places ---- */

/* "file:///srv/out" -> "/srv/out", with %20 and the like resolved; anything without a scheme is a path already. NULL: it can't be one. */
static char *path_of(const char *url)
{
    static const char scheme[] = "file://";
    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return strdup(url);
    const char *at = url + sizeof(scheme) - 1;
    if (strncmp(at, "localhost/", 10) == 0)
        at += 9;
    char *path = *at == '/' ? malloc(strlen(at) + 1) : NULL;
    size_t len = 0;
    for (; path && *at; at++) {
        unsigned byte = (unsigned char)*at;
        if (*at == '%' && sscanf(at + 1, "%2x", &byte) == 1 && at[1] && at[2])
            at += 2;
        if (byte == 0) {
            free(path);
            return NULL;
        }
        path[len++] = (char)byte;
    }
    if (path)
        path[len] = '\0';
    return path;
}

static mr_status local_open(const mr_storage_client *client, const char *url, mr_storage **ret_store, mr_storage_error *error)
{
    char *path = path_of(url);
    mr_storage *store = calloc(1, sizeof(*store));
    *ret_store = NULL;
    if (!path || !store) {
        free(store);
        free(path);
        return !path ? say(error, MR_ERR_PARAM, "the address is not that of a folder", "write file:///path/of/the/folder") : fail(error, -ENOMEM);
    }
    store->client = client;
    const int result = mr_folder_open(path, &store->folder);
    free(path);
    if (result != 0) {
        free(store);
        return fail(error, result);
    }
    *ret_store = store;
    return MR_OK;
}

static void local_close(mr_storage *store)
{
    if (!store)
        return;
    mr_folder_close(store->folder);
    free(store);
}

static mr_status local_lock(mr_storage *store, mr_storage_error *error)
{
    const int result = mr_folder_lock(store->folder);
    if (result == -EWOULDBLOCK)
        return say(error, MR_ERR_CONFLICT, "another publisher is at work there", NULL);
    return result == 0 ? MR_OK : fail(error, result);
}

/* ---- reading ---- */

static void describe(const struct stat *info, mr_storage_object *ret_object)
{
    ret_object->bytes = (uint64_t)info->st_size;
    ret_object->changed_us = (int64_t)info->st_mtim.tv_sec * 1000000 + info->st_mtim.tv_nsec / 1000;
    snprintf(ret_object->tag, sizeof(ret_object->tag), "%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09ld", (uint64_t)info->st_ino, (uint64_t)info->st_size,
             (uint64_t)info->st_ctim.tv_sec, info->st_ctim.tv_nsec);
}

/* Where a folder or a link lies in the way, there is no object. */
static mr_status open_object(mr_storage *store, const char *key, int *ret_fd, mr_storage_object *ret_object, mr_storage_error *error)
{
    struct stat info;
    const int result = mr_folder_open_file(store->folder, key, ret_fd, &info);
    if (result == -ENOTDIR || result == -ELOOP || result == -EEXIST)
        return fail(error, -ENOENT);
    if (result != 0)
        return fail(error, result);
    describe(&info, ret_object);
    return MR_OK;
}

static mr_status local_head(mr_storage *store, const char *key, mr_storage_object *ret_object, mr_storage_error *error)
{
    int fd = -1;
    mr_status status = open_object(store, key, &fd, ret_object, error);
    if (status == MR_OK)
        close(fd);
    return status;
}

static mr_status local_read(mr_storage *store, const char *key, const char *tag, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                            mr_storage_error *error)
{
    mr_storage_object object = {.size = sizeof(object)};
    int fd = -1;
    *ret_len = 0;
    mr_status status = open_object(store, key, &fd, &object, error);
    if (status != MR_OK)
        return status;
    if (tag && strcmp(tag, object.tag) != 0)
        status = conflict(error);
    while (status == MR_OK && *ret_len < len) {
        const ssize_t got = pread(fd, (char *)buf + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = fail(error, -errno);
        if (got <= 0)
            break;
        *ret_len += (size_t)got;
    }
    close(fd);
    return status;
}

typedef struct walk {
    mr_storage *store;
    const char *prefix;
    const char *after;
    mr_status (*visit)(void *context, const char *key, const mr_storage_object *object);
    void *context;
    mr_storage_error *error;
} walk;

static mr_status walk_folder(const walk *with, const char *path);

static mr_status walk_entry(const walk *with, const char *path, const char *name)
{
    char key[MR_STORAGE_KEY_MAX + 2];
    mr_storage_object object = {.size = sizeof(object)};
    const int len = snprintf(key, sizeof(key), "%s%s%s", path, *path ? "/" : "", name);
    if (len <= 0 || len > MR_STORAGE_KEY_MAX)
        return MR_OK; /* nothing that was put through us */
    const size_t prefix = strlen(with->prefix);
    if (key[len - 1] == '/') {
        if (strncmp(key, with->prefix, (size_t)len < prefix ? (size_t)len : prefix) != 0)
            return MR_OK;
        key[len - 1] = '\0';
        return walk_folder(with, key);
    }
    if (strncmp(key, with->prefix, prefix) != 0 || (with->after && strcmp(key, with->after) <= 0))
        return MR_OK;
    mr_status status = local_head(with->store, key, &object, with->error);
    return status == MR_OK ? with->visit(with->context, key, &object) : status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

static mr_status walk_folder(const walk *with, const char *path)
{
    char **names = NULL;
    size_t count = 0;
    const int result = mr_folder_names(with->store->folder, path, &names, &count);
    mr_status status = result == 0 ? MR_OK : fail(with->error, result);
    for (size_t i = 0; i < count && status == MR_OK; i++)
        status = is_cancelled(with->store) ? MR_ERR_CANCELLED : walk_entry(with, path, names[i]);
    mr_folder_names_free(names, count);
    return status;
}

static mr_status local_list(mr_storage *store, const char *prefix, const char *after,
                            mr_status (*visit)(void *context, const char *key, const mr_storage_object *object), void *context,
                            mr_storage_error *error)
{
    const walk with = {.store = store, .prefix = prefix, .after = after, .visit = visit, .context = context, .error = error};
    return walk_folder(&with, "");
}

/* ---- writing ---- */

static void local_put_free(mr_storage_put *put)
{
    if (!put)
        return;
    mr_folder_free(put->file);
    free(put->key);
    free(put->if_tag);
    free(put);
}

static mr_status local_put_new(mr_storage *store, const char *key, const mr_storage_put_options *options, mr_storage_put **ret_put,
                               mr_storage_error *error)
{
    mr_storage_put *put = calloc(1, sizeof(*put));
    *ret_put = NULL;
    if (!put)
        return fail(error, -ENOMEM);
    put->store = store;
    put->flags = options->flags;
    put->expected = options->bytes;
    put->key = strdup(key);
    put->if_tag = options->if_tag ? strdup(options->if_tag) : NULL;
    int result = put->key && (put->if_tag || !options->if_tag) ? mr_folder_create(store->folder, key, &put->file) : -ENOMEM;
    if (result != 0) {
        local_put_free(put);
        return fail(error, result == -ENOENT ? -EIO : result); /* nothing is missing that the caller could know of */
    }
    *ret_put = put;
    return MR_OK;
}

static mr_status local_put_write(mr_storage_put *put, const void *data, size_t len, mr_storage_error *error)
{
    const char *at = data;
    const int to = mr_folder_file_fd(put->file);
    if (to < 0)
        return fail(error, to);
    while (len > 0) {
        const ssize_t written = pwrite(to, at, len, (off_t)put->written);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(error, written < 0 ? -errno : -EIO);
        at += written;
        len -= (size_t)written;
        put->written += (uint64_t)written;
    }
    return is_cancelled(put->store) ? MR_ERR_CANCELLED : MR_OK;
}

/* A file that its owner may write to is nobody's to share: it may become other bytes. */
static bool can_link(const mr_storage_put *put, const struct stat *info)
{
    return (put->flags & MR_PUT_LINK) && S_ISREG(info->st_mode) && (info->st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0;
}

/* Shares the file or its bytes where the file system can, else lets the kernel copy. */
static mr_status local_put_fd(mr_storage_put *put, int fd, uint64_t offset, uint64_t len, uint64_t *ret_len, mr_storage_error *error)
{
    struct stat info;
    *ret_len = 0;
    const bool whole = offset == 0 && put->written == 0 && fstat(fd, &info) == 0 && (uint64_t)info.st_size == len;
    const bool linked = whole && can_link(put, &info) && mr_folder_link(put->file, fd) == 0;
    const int to = mr_folder_file_fd(put->file);
    if (to < 0)
        return fail(error, to);
    if (linked || (whole && ioctl(to, FICLONE, fd) == 0)) {
        *ret_len = put->written = len;
        return MR_OK;
    }
    while (*ret_len < len) {
        loff_t from = (loff_t)(offset + *ret_len);
        loff_t into = (loff_t)put->written;
        const uint64_t rest = len - *ret_len;
        const ssize_t copied = copy_file_range(fd, &from, to, &into, rest < COPY_STEP ? (size_t)rest : COPY_STEP, 0);
        if (is_cancelled(put->store))
            return MR_ERR_CANCELLED;
        if (copied < 0 && errno == EINTR)
            continue;
        if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
            return fail(error, -errno);
        if (copied <= 0)
            break; /* not possible between these files */
        put->written += (uint64_t)copied;
        *ret_len += (uint64_t)copied;
    }
    return MR_OK;
}

static mr_status check_condition(const mr_storage_put *put, mr_storage_error *error)
{
    mr_storage_object object = {.size = sizeof(object)};
    if (!put->if_tag)
        return MR_OK;
    mr_status status = local_head(put->store, put->key, &object, error);
    if (status == MR_OK && strcmp(object.tag, put->if_tag) == 0)
        return MR_OK;
    return status == MR_OK || status == MR_ERR_NOT_FOUND ? conflict(error) : status;
}

static mr_status local_put_commit(mr_storage_put *put, mr_storage_object *ret_object, mr_storage_error *error)
{
    struct stat info;
    if (put->expected >= 0 && (uint64_t)put->expected != put->written)
        return say(error, MR_ERR_IO, "it has another length than was said", NULL);
    const int guard = put->if_tag ? mr_folder_guard(put->store->folder) : -1;
    mr_status status = put->if_tag && guard < 0 ? fail(error, guard) : check_condition(put, error);
    int result = 0;
    if (status == MR_OK)
        result = mr_folder_commit(put->file, put->flags & MR_PUT_DURABLE, put->flags & MR_PUT_NEW);
    if (guard >= 0)
        close(guard);
    if (status != MR_OK)
        return status;
    if (result == -EEXIST && (put->flags & MR_PUT_NEW))
        return say(error, MR_ERR_CONFLICT, "there is one already", NULL);
    if (result != 0)
        return fail(error, result);
    if (ret_object && fstat(mr_folder_file_fd(put->file), &info) == 0)
        describe(&info, ret_object);
    return MR_OK;
}

static mr_status local_remove(mr_storage *store, const char *key, const char *tag, mr_storage_error *error)
{
    mr_storage_object object = {.size = sizeof(object)};
    mr_status status = local_head(store, key, &object, error);
    if (status == MR_OK && tag && strcmp(tag, object.tag) != 0)
        status = conflict(error);
    if (status != MR_OK)
        return status;
    const int result = mr_folder_remove(store->folder, key);
    return result == 0 ? MR_OK : fail(error, result);
}

static mr_status local_sync(mr_storage *store, mr_storage_error *error)
{
    const int result = mr_folder_sync(store->folder);
    return result == 0 ? MR_OK : fail(error, result);
}

static const char *const schemes[] = {"file", NULL};

const mr_storage_driver mr_local_driver = {
    .size = sizeof(mr_storage_driver),
    .flags = MR_STORAGE_DURABLE | MR_STORAGE_CONDITIONS,
    .schemes = schemes,
    .open = local_open,
    .close = local_close,
    .head = local_head,
    .read = local_read,
    .list = local_list,
    .put_new = local_put_new,
    .put_write = local_put_write,
    .put_fd = local_put_fd,
    .put_commit = local_put_commit,
    .put_free = local_put_free,
    .remove = local_remove,
    .sync = local_sync,
    .lock = local_lock,
};

const mr_service mr_local_service = {
    .size = sizeof(mr_service),
    .service_class = MR_SERVICE_STORAGE,
    .name = "storage.folder",
    .summary = "a local folder, file:///srv/out",
    .help = "Files are written beside their place and renamed. Symbolic links inside of the folder are not followed.",
    .table = &mr_local_driver,
};
