/* SPDX-License-Identifier: MIT */
/* A lock between processes that begin the same data folder. The kernel drops it when the process ends, however it ends. */
#ifndef MR_SERVER_BASE_LOCK_H
#define MR_SERVER_BASE_LOCK_H

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Waits for the exclusive flock() of a folder that is there. A descriptor (closing it unlocks), or -1 and errno. */
static inline int mr_folder_lock(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        const int error = errno;
        if (error == EINTR)
            continue;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

#endif
