/* SPDX-License-Identifier: MIT */
/* See parents.h. A folder that somebody else removed meanwhile has no links left: what was kept of it is not used. */
#include "parents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void mr_parents_open(mr_parents *parents)
{
    *parents = (mr_parents){0};
    pthread_mutex_init(&parents->lock, NULL);
}

static void drop(mr_parent *parent)
{
    if (parent->path)
        close(parent->fd);
    free(parent->path);
    parent->path = NULL;
}

void mr_parents_forget(mr_parents *parents)
{
    pthread_mutex_lock(&parents->lock);
    for (unsigned i = 0; i < PARENTS_KEPT; i++)
        drop(&parents->kept[i]);
    pthread_mutex_unlock(&parents->lock);
}

void mr_parents_close(mr_parents *parents)
{
    mr_parents_forget(parents);
    pthread_mutex_destroy(&parents->lock);
}

static bool is_at(const mr_parent *parent, const char *path, size_t len)
{
    return parent->path && strncmp(parent->path, path, len) == 0 && parent->path[len] == '\0';
}

/* A descriptor of one's own; -1: it is not known. */
static int find(mr_parents *parents, const char *path, size_t len)
{
    int fd = -1;
    struct stat info;
    pthread_mutex_lock(&parents->lock);
    for (unsigned i = 0; i < PARENTS_KEPT && fd < 0; i++) {
        mr_parent *parent = &parents->kept[i];
        if (!is_at(parent, path, len))
            continue;
        if (fstat(parent->fd, &info) == 0 && info.st_nlink > 0)
            fd = fcntl(parent->fd, F_DUPFD_CLOEXEC, 0);
        else
            drop(parent);
    }
    pthread_mutex_unlock(&parents->lock);
    return fd;
}

static void keep(mr_parents *parents, const char *path, size_t len, int fd)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    char *words = copy < 0 ? NULL : strndup(path, len);
    if (!words) {
        if (copy >= 0)
            close(copy);
        return; /* the next one takes the steps again */
    }
    pthread_mutex_lock(&parents->lock);
    mr_parent *parent = &parents->kept[parents->next++ % PARENTS_KEPT];
    drop(parent);
    *parent = (mr_parent){.path = words, .fd = copy};
    pthread_mutex_unlock(&parents->lock);
}

/* One step, from *fd, which is closed. */
static int step(int *fd, const char *name, bool make)
{
    int result = make && mkdirat(*fd, name, 0755) != 0 && errno != EEXIST ? -errno : 0;
    const int next = result == 0 ? openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (result == 0 && next < 0)
        result = -errno;
    close(*fd);
    *fd = next;
    return result;
}

int mr_parent_open(mr_parents *parents, int fd, const char *path, bool make, int *ret_fd, const char **ret_name)
{
    char name[NAME_MAX + 1];
    const char *last = strrchr(path, '/');
    const size_t len = last ? (size_t)(last - path) : 0;
    const char *at = path;
    *ret_name = last ? last + 1 : path;
    *ret_fd = parents && last ? find(parents, path, len) : -1;
    if (*ret_fd >= 0)
        return 0;
    int here = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int result = here < 0 ? -errno : 0;
    for (const char *slash; result == 0 && (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        const size_t part = (size_t)(slash - at);
        if (part > NAME_MAX) {
            close(here);
            return -ENAMETOOLONG;
        }
        memcpy(name, at, part);
        name[part] = '\0';
        result = step(&here, name, make);
    }
    if (result == 0 && parents && last)
        keep(parents, path, len, here);
    *ret_fd = here;
    return result;
}
