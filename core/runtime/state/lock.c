/* SPDX-License-Identifier: MIT */
/* flock() on a file that stays: it is never removed, since a waiter could then hold the lock of a file without a name. */
#include "runtime/state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int mr_lock_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
