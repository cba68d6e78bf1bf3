/* SPDX-License-Identifier: MIT */
/*
 * See folder.h; parents.h is the way to a file. A temporary file is made when somebody has bytes for it: what becomes another name of a file that is
 * there needs none.
 * Durability: bytes of a file are on the disk before a playlist that names it gets its name. Files wait for that in a short list of descriptors,
 * so that many segments share the waiting.
 */
#include "folder.h"
#include "parents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PENDING_MAX = 64, TEMPORARY_MAX = 64 };

#define NOTES     ".millrace"
#define TEMPORARY "part" /* in NOTES, with a number where several files are made at a time */
#define GUARD     "guard"

typedef struct pending {
    int fd;
    dev_t device;
    ino_t inode; /* of folders; 0: a file */
} pending;

struct mr_folder {
    int fd;
    int notes;
    bool locked;
    atomic_uint open_files;
    atomic_uint serial;
    mr_parents parents;
    pthread_mutex_t lock;         /* for what follows */
    pending pending[PENDING_MAX]; /* committed files and folders whose bytes may not be on the disk yet */
    size_t pending_count;
};

struct mr_folder_file {
    mr_folder *folder;
    int fd;     /* of the temporary file; -1: it is not there yet */
    int parent; /* the folder in which it will lie */
    bool committed;
    char temporary[TEMPORARY_MAX]; /* in the notes */
    char name[NAME_MAX + 1];       /* in parent */
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
    folder->notes = -1;
    pthread_mutex_init(&folder->lock, NULL);
    mr_parents_open(&folder->parents);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0 && errno == ENOENT && mkdir(path, 0755) == 0)
        folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = folder->fd < 0 ? -errno : 0;
    if (result == 0 && mkdirat(folder->fd, NOTES, 0755) != 0 && errno != EEXIST)
        result = -errno;
    if (result == 0) {
        folder->notes = openat(folder->fd, NOTES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = folder->notes < 0 ? -errno : 0;
    }
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
    for (size_t i = 0; i < folder->pending_count; i++)
        close(folder->pending[i].fd);
    mr_parents_close(&folder->parents);
    pthread_mutex_destroy(&folder->lock);
    close_fd(&folder->notes);
    close_fd(&folder->fd);
    free(folder);
}

int mr_folder_lock(mr_folder *folder)
{
    if (flock(folder->notes, LOCK_EX | LOCK_NB) != 0)
        return -errno;
    folder->locked = true;
    const int copy = fcntl(folder->notes, F_DUPFD_CLOEXEC, 0);
    DIR *notes = copy < 0 ? NULL : fdopendir(copy);
    if (!notes) {
        const int result = -errno;
        close_fd(&(int){copy});
        return result;
    }
    rewinddir(notes);
    for (const struct dirent *entry; (entry = readdir(notes)) != NULL;) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (strncmp(entry->d_name, TEMPORARY, sizeof(TEMPORARY) - 1) == 0)
            unlinkat(folder->notes, entry->d_name, 0);
    }
    closedir(notes);
    return 0;
}

int mr_folder_guard(mr_folder *folder)
{
    const int fd = openat(folder->notes, GUARD, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        const int result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

static int open_parent(mr_folder *folder, const char *path, bool make, int *ret_fd, const char **ret_name)
{
    return mr_parent_open(folder->locked ? &folder->parents : NULL, folder->fd, path, make, ret_fd, ret_name);
}

/* A name that nobody else uses: other processes, where they are not kept out. */
static void name_temporary(mr_folder_file *file)
{
    mr_folder *folder = file->folder;
    const unsigned serial = atomic_fetch_add(&folder->serial, 1);
    if (!folder->locked)
        snprintf(file->temporary, sizeof(file->temporary), TEMPORARY "-%ld-%u", (long)getpid(), serial);
    else if (atomic_load(&folder->open_files) > 1)
        snprintf(file->temporary, sizeof(file->temporary), TEMPORARY "-%u", serial);
    else
        snprintf(file->temporary, sizeof(file->temporary), TEMPORARY);
}

int mr_folder_create(mr_folder *folder, const char *path, mr_folder_file **ret_file)
{
    const char *name = "";
    mr_folder_file *file = calloc(1, sizeof(*file));
    *ret_file = NULL;
    if (!file)
        return -ENOMEM;
    *file = (mr_folder_file){.folder = folder, .fd = -1, .parent = -1};
    atomic_fetch_add(&folder->open_files, 1);
    int result = open_parent(folder, path, true, &file->parent, &name);
    if (result == 0 && strlen(name) > NAME_MAX)
        result = -ENAMETOOLONG;
    if (result == 0) {
        snprintf(file->name, sizeof(file->name), "%s", name);
        name_temporary(file);
    }
    if (result != 0) {
        mr_folder_free(file);
        file = NULL;
    }
    *ret_file = file;
    return result;
}

int mr_folder_file_fd(mr_folder_file *file)
{
    if (file->fd < 0)
        file->fd = openat(file->folder->notes, file->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return file->fd < 0 ? -errno : file->fd;
}

int mr_folder_link(mr_folder_file *file, int fd)
{
    char path[64];
    const int copy = file->fd < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0)
        return file->fd < 0 ? -errno : -EEXIST;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, file->folder->notes, file->temporary, AT_SYMLINK_FOLLOW) != 0) {
        const int result = -errno;
        close(copy);
        return result;
    }
    file->fd = copy;
    return 0;
}

void mr_folder_free(mr_folder_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0 && !file->committed)
        unlinkat(file->folder->notes, file->temporary, 0);
    close_fd(&file->fd);
    close_fd(&file->parent);
    atomic_fetch_sub(&file->folder->open_files, 1);
    free(file);
}

/* Replaced by another meanwhile, as short lists of the ledger are with each line: there is no way to its bytes any more. */
static bool is_gone(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_nlink == 0;
}

/* Lock held. */
static int sync_pending(mr_folder *folder)
{
    int result = 0;
    for (size_t i = 0; i < folder->pending_count; i++) {
        const int fd = folder->pending[i].fd;
        if (!is_gone(fd) && fsync(fd) != 0 && errno != EINVAL && result == 0) /* EINVAL: a file system that does not do this */
            result = -errno;
        close(fd);
    }
    folder->pending_count = 0;
    return result;
}

int mr_folder_sync(mr_folder *folder)
{
    pthread_mutex_lock(&folder->lock);
    const int result = sync_pending(folder);
    pthread_mutex_unlock(&folder->lock);
    return result;
}

/* Takes its descriptor. Lock held. */
static int remember(mr_folder *folder, const pending *one)
{
    int result = 0;
    if (folder->pending_count == PENDING_MAX)
        result = sync_pending(folder);
    folder->pending[folder->pending_count++] = *one;
    return result;
}

/* The folder itself has to reach the disk too: once, however many files were put into it. Lock held. */
static int remember_parent(const mr_folder_file *file)
{
    mr_folder *folder = file->folder;
    struct stat info;
    if (fstat(file->parent, &info) != 0)
        return -errno;
    for (size_t i = 0; i < folder->pending_count; i++) {
        if (folder->pending[i].inode == info.st_ino && folder->pending[i].device == info.st_dev)
            return 0;
    }
    const pending one = {.fd = fcntl(file->parent, F_DUPFD_CLOEXEC, 0), .device = info.st_dev, .inode = info.st_ino};
    return one.fd < 0 ? -errno : remember(folder, &one);
}

static int put_in_place(mr_folder_file *file, bool fresh)
{
    const int notes = file->folder->notes;
    if (!fresh)
        return renameat(notes, file->temporary, file->parent, file->name) == 0 ? 0 : -errno;
    if (linkat(notes, file->temporary, file->parent, file->name, 0) != 0)
        return -errno;
    unlinkat(notes, file->temporary, 0);
    return 0;
}

int mr_folder_commit(mr_folder_file *file, bool durable, bool fresh)
{
    mr_folder *folder = file->folder;
    const int fd = mr_folder_file_fd(file); /* an empty file is one, too */
    int result = fd < 0 ? fd : durable ? mr_folder_sync(folder) : 0;
    if (result == 0 && durable && fdatasync(fd) != 0)
        result = -errno;
    if (result == 0)
        result = put_in_place(file, fresh);
    if (result != 0)
        return result;
    file->committed = true;
    pthread_mutex_lock(&folder->lock);
    if (!durable) {
        const pending one = {.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
        result = one.fd < 0 ? -errno : remember(folder, &one);
    }
    if (result == 0)
        result = remember_parent(file);
    pthread_mutex_unlock(&folder->lock);
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

int mr_folder_remove(mr_folder *folder, const char *path)
{
    char prefix[MR_FOLDER_PATH_MAX + 1];
    const char *name = "";
    struct stat info;
    int parent;
    int result = open_parent(folder, path, false, &parent, &name);
    if (result != 0)
        return result;
    bool there = fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !S_ISREG(info.st_mode))
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
        mr_parents_forget(&folder->parents);
    }
    return 0;
}

/* ---- what is there ---- */

void mr_folder_names_free(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* *ret_name NULL: not one of ours to tell. */
static int take_name(int fd, bool notes, const char *name, char **ret_name)
{
    struct stat info;
    *ret_name = NULL;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (notes && strncmp(name, TEMPORARY, sizeof(TEMPORARY) - 1) == 0))
        return 0;
    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)))
        return 0; /* gone meanwhile, or nothing that holds bytes */
    return asprintf(ret_name, "%s%s", name, S_ISDIR(info.st_mode) ? "/" : "") < 0 ? -ENOMEM : 0;
}

static int read_names(DIR *dir, bool notes, char ***names, size_t *count)
{
    size_t room = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        char *name;
        int result = take_name(dirfd(dir), notes, entry->d_name, &name);
        if (result != 0)
            return result;
        if (!name)
            continue;
        if (*count == room) {
            room = room ? room * 2 : 64;
            char **grown = realloc(*names, room * sizeof(*grown));
            if (!grown) {
                free(name);
                return -ENOMEM;
            }
            *names = grown;
        }
        (*names)[(*count)++] = name;
    }
    return 0;
}

int mr_folder_names(mr_folder *folder, const char *path, char ***ret_names, size_t *ret_count)
{
    char within[MR_FOLDER_PATH_MAX + 3];
    const char *name;
    int parent;
    *ret_names = NULL;
    *ret_count = 0;
    snprintf(within, sizeof(within), "%s%s.", path, *path ? "/" : ""); /* its parent is the folder itself */
    int result = open_parent(folder, within, false, &parent, &name);
    if (result != 0)
        return result == -ENOENT || result == -ENOTDIR || result == -ELOOP ? 0 : result;
    const int again = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a place of its own to read from */
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    result = dir ? read_names(dir, strcmp(path, NOTES) == 0, ret_names, ret_count) : -errno;
    if (dir)
        closedir(dir);
    else if (again >= 0)
        close(again);
    close_fd(&parent);
    if (*ret_count)
        qsort(*ret_names, *ret_count, sizeof(**ret_names), compare_names);
    return result;
}
