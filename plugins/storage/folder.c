/* SPDX-License-Identifier: MIT */
/*
 * See folder.h. Every step of a path is opened on its own with O_NOFOLLOW, so that a symbolic link inside the folder leads nowhere.
 * Durability: bytes of a file are on the disk before a playlist that names it gets its name. Files wait for that in a short list of descriptors,
 * so that many segments share the waiting.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PENDING_MAX = 64 };

#define NOTES     ".millrace"
#define TEMPORARY "part" /* in NOTES: one file is made at a time */

struct mr_folder {
    int fd;
    int notes;
    int pending[PENDING_MAX]; /* committed files and folders whose bytes may not be on the disk yet */
    size_t pending_count;
    int parent;       /* of the file being made; -1: none */
    const char *name; /* and its name there, in the caller's path */
};

bool mr_path_is_safe(const char *path)
{
    if (strlen(path) > MR_FOLDER_PATH_MAX)
        return false;
    for (;;) {
        size_t len = strcspn(path, "/");
        if (len == 0 || len > NAME_MAX || strncmp(path, ".", len) == 0 || strncmp(path, "..", len) == 0)
            return false;
        if (strncmp(path, NOTES, sizeof(NOTES) - 1) == 0)
            return false;
        for (size_t i = 0; i < len; i++) {
            if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f || path[i] == '\\')
                return false;
        }
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int mr_folder_open(const char *path, mr_folder **ret_folder)
{
    mr_folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return -ENOMEM;
    folder->parent = folder->notes = -1;
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = folder->fd < 0 ? -errno : 0;
    if (result == 0 && mkdirat(folder->fd, NOTES, 0755) != 0 && errno != EEXIST)
        result = -errno;
    if (result == 0) {
        folder->notes = openat(folder->fd, NOTES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = folder->notes < 0 ? -errno : 0;
    }
    if (result == 0 && flock(folder->notes, LOCK_EX | LOCK_NB) != 0)
        result = -errno;
    if (result != 0) {
        mr_folder_close(folder);
        folder = NULL;
    }
    *ret_folder = folder;
    return result;
}

void mr_folder_close(mr_folder *folder)
{
    if (!folder)
        return;
    mr_folder_discard(folder);
    for (size_t i = 0; i < folder->pending_count; i++)
        close(folder->pending[i]);
    close_fd(&folder->notes);
    close_fd(&folder->fd);
    free(folder);
}

int mr_folder_notes_fd(const mr_folder *folder)
{
    return folder->notes;
}

/* The folder in which path lies, made where missing and make is set. The caller closes *ret_fd. *ret_name: the last component, in path. */
static int open_parent(const mr_folder *folder, const char *path, bool make, int *ret_fd, const char **ret_name)
{
    char name[NAME_MAX + 1];
    int fd = fcntl(folder->fd, F_DUPFD_CLOEXEC, 0);
    *ret_fd = -1;
    if (fd < 0)
        return -errno;
    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        size_t len = (size_t)(slash - path);
        if (len > NAME_MAX) {
            close(fd);
            return -ENAMETOOLONG;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (make && mkdirat(fd, name, 0755) != 0 && errno != EEXIST) {
            int result = -errno;
            close(fd);
            return result;
        }
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int result = next < 0 ? -errno : 0;
        close(fd);
        if (result != 0)
            return result;
        fd = next;
    }
    *ret_fd = fd;
    *ret_name = path;
    return 0;
}

int mr_folder_create(mr_folder *folder, const char *path, int *ret_fd)
{
    *ret_fd = -1;
    mr_folder_discard(folder);
    int result = open_parent(folder, path, true, &folder->parent, &folder->name);
    if (result != 0)
        return result;
    unlinkat(folder->notes, TEMPORARY, 0); /* left by a publisher that was killed: we hold the lock, so nobody uses it */
    *ret_fd = openat(folder->notes, TEMPORARY, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (*ret_fd >= 0)
        return 0;
    result = -errno;
    close_fd(&folder->parent);
    return result;
}

void mr_folder_discard(mr_folder *folder)
{
    if (folder->parent < 0)
        return;
    unlinkat(folder->notes, TEMPORARY, 0);
    close_fd(&folder->parent);
}

int mr_folder_sync(mr_folder *folder)
{
    int result = 0;
    for (size_t i = 0; i < folder->pending_count; i++) {
        if (fsync(folder->pending[i]) != 0 && errno != EINVAL && result == 0) /* EINVAL: a file system that does not do this */
            result = -errno;
        close(folder->pending[i]);
    }
    folder->pending_count = 0;
    return result;
}

/* Takes fd. */
static int remember(mr_folder *folder, int fd)
{
    int result = 0;
    if (folder->pending_count == PENDING_MAX)
        result = mr_folder_sync(folder);
    folder->pending[folder->pending_count++] = fd;
    return result;
}

/* The folder itself has to reach the disk too: once, however many files were put into it. */
static int remember_parent(mr_folder *folder)
{
    struct stat mine, other;
    if (fstat(folder->parent, &mine) != 0)
        return -errno;
    for (size_t i = 0; i < folder->pending_count; i++) {
        if (fstat(folder->pending[i], &other) == 0 && other.st_ino == mine.st_ino && other.st_dev == mine.st_dev)
            return 0;
    }
    int copy = fcntl(folder->parent, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : remember(folder, copy);
}

int mr_folder_commit(mr_folder *folder, int fd, bool durable)
{
    int result = durable ? mr_folder_sync(folder) : 0;
    if (result == 0 && durable && fdatasync(fd) != 0)
        result = -errno;
    if (result == 0 && renameat(folder->notes, TEMPORARY, folder->parent, folder->name) != 0)
        result = -errno;
    if (result != 0) {
        mr_folder_discard(folder);
        return result;
    }
    if (!durable) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        result = copy < 0 ? -errno : remember(folder, copy);
    }
    if (result == 0)
        result = remember_parent(folder);
    close_fd(&folder->parent);
    return result;
}

int mr_folder_open_file(mr_folder *folder, const char *path, int *ret_fd, struct stat *ret_info)
{
    const char *name;
    int parent;
    *ret_fd = -1;
    int result = open_parent(folder, path, false, &parent, &name);
    if (result != 0)
        return result;
    if (fstatat(parent, name, ret_info, AT_SYMLINK_NOFOLLOW) != 0)
        result = -errno;
    else if (!S_ISREG(ret_info->st_mode))
        result = -EEXIST;
    if (result == 0) {
        *ret_fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        result = *ret_fd < 0 ? -errno : 0;
    }
    close_fd(&parent);
    if (result == 0 && (fstat(*ret_fd, ret_info) != 0 || !S_ISREG(ret_info->st_mode))) {
        close_fd(ret_fd);
        result = -EEXIST;
    }
    return result;
}

int mr_folder_remove(mr_folder *folder, const char *path, uint64_t size)
{
    char prefix[MR_FOLDER_PATH_MAX + 1];
    const char *name = "";
    struct stat info;
    int parent;
    int result = open_parent(folder, path, false, &parent, &name);
    if (result != 0)
        return result;
    bool there = fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && (!S_ISREG(info.st_mode) || (uint64_t)info.st_size != size))
        result = -EEXIST;
    else if (!there || unlinkat(parent, name, 0) != 0)
        result = -errno;
    close_fd(&parent);
    if (result != 0)
        return result;
    snprintf(prefix, sizeof(prefix), "%s", path);
    for (char *slash; (slash = strrchr(prefix, '/')) != NULL;) { /* up, as long as folders are empty */
        *slash = '\0';
        if (open_parent(folder, prefix, false, &parent, &name) != 0)
            break;
        int removed = unlinkat(parent, name, AT_REMOVEDIR);
        close_fd(&parent);
        if (removed != 0)
            break;
    }
    return 0;
}
