/* SPDX-License-Identifier: MIT */
/*
 * Files that nothing refers to any more. Their paths are in the metadata before the reference goes, and leave it when they are gone: a death in
 * between costs nothing. What a run still writes to waits for its end.
 */
#include "api-server/videos/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 64, DEPTH_MAX = 16 };

/* By descriptors, so that no link leads out. */
static bool remove_at(int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return true;
    if ((errno != EISDIR && errno != EPERM) || depth == DEPTH_MAX)
        return false;
    struct dirent **names = NULL;
    const int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int count = fd >= 0 ? scandirat(fd, ".", &names, NULL, NULL) : -1;
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
            good = remove_at(fd, names[i]->d_name, depth + 1) && good;
        free(names[i]);
    }
    free(names);
    if (fd >= 0)
        close(fd);
    return good && unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* "media/VIDEO", "posters/VIDEO/…": of a video that a run still writes for. */
static bool is_of(const char *path, const char *video)
{
    const char *name = strncmp(path, "media/", 6) == 0 ? path + 6 : strncmp(path, "posters/", 8) == 0 ? path + 8 : NULL;
    const size_t len = strlen(video);
    return name && len > 0 && strncmp(name, video, len) == 0 && (name[len] == '\0' || name[len] == '/');
}

static bool is_in_use(mr_videos *videos, const char *path)
{
    bool used = false;
    pthread_mutex_lock(&videos->lock);
    for (const mr_follow *it = videos->follows; it && !used; it = it->next)
        used = is_of(path, it->video);
    for (const mr_making *it = videos->making; it && !used; it = it->next)
        used = strcmp(it->path, path) == 0;
    pthread_mutex_unlock(&videos->lock);
    return used;
}

mr_status mr_videos_making(mr_videos *videos, mr_making *making)
{
    pthread_mutex_lock(&videos->lock);
    making->next = videos->making;
    videos->making = making;
    pthread_mutex_unlock(&videos->lock);
    return mr_rubbish_add(videos->options.metadata, making->path);
}

void mr_videos_made(mr_videos *videos, mr_making *making)
{
    pthread_mutex_lock(&videos->lock);
    mr_making **at = &videos->making;
    while (*at != making)
        at = &(*at)->next;
    *at = making->next;
    pthread_mutex_unlock(&videos->lock);
    mr_videos_wake(videos); /* it may be rubbish still, or have made something so */
}

static bool remove_path(mr_videos *videos, int data, const char *path)
{
    if (strncmp(path, "uploads/", 8) == 0)
        mr_videos_source_over(videos, path, false);
    return remove_at(data, path, 0);
}

void mr_videos_remove_rubbish(mr_videos *videos)
{
    char paths[PAGE][MR_RUBBISH_SIZE];
    size_t count = 0;
    size_t gone = 1;
    const int data = open(videos->options.host->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (data >= 0 && gone > 0 && mr_rubbish_list(videos->options.metadata, paths, PAGE, &count) == MR_OK) {
        gone = 0;
        for (size_t i = 0; i < count; i++) {
            const bool plain = paths[i][0] != '/' && paths[i][0] != '\0' && !strstr(paths[i], "..");
            /* In this order: what was made meanwhile left the rubbish before it was left alone no more. */
            const bool idle = plain && !is_in_use(videos, paths[i]) && mr_rubbish_is(videos->options.metadata, paths[i]);
            if (idle && remove_path(videos, data, paths[i]))
                gone += mr_rubbish_gone(videos->options.metadata, paths[i]) == MR_OK;
        }
    }
    if (data >= 0)
        close(data);
}
