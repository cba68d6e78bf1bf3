/* SPDX-License-Identifier: MIT */
/* Everything is done through descriptors once a folder is open, so that a swapped symbolic link leads nowhere. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PATH_BYTES 4096
#define MAX_DEPTH 64

static mr_status io_error(mr_diags *diags, const char *what, const char *path, int error)
{
    mr_error(diags, "io", (mr_span){0}, "can't %s '%s': %s", what, path, strerror(error));
    if (error == ENOSPC || error == EDQUOT)
        mr_hint(diags, "make room on the disk, then run it again: it goes on from where it was");
    else if (error == EACCES || error == EPERM || error == EROFS)
        mr_hint(diags, "choose a place that you may write to");
    return error == ENOENT ? MR_ERR_NOT_FOUND : error == ENOMEM ? MR_ERR_NOMEM : MR_ERR_IO;
}

void mr_cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void mr_cleanup_free(void *ptr) { free(*(void **)ptr); }

char *mr_path_join(const char *dir, const char *name)
{
    char *path = NULL;
    size_t len = strlen(dir);
    return asprintf(&path, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0 ? NULL : path;
}

bool mr_path_is_plain(const char *path)
{
    size_t len = strnlen(path, 1025);
    if (len == 0 || len > 1024 || path[0] == '/')
        return false;
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.'))
            return false;
    }
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    }
    return true;
}

mr_status mr_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, mr_diags *diags)
{
    struct stat info;
    mr_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *ret_text = NULL;
    *ret_len = 0;
    if (fd < 0 || fstat(fd, &info) != 0)
        return io_error(diags, "read", path, errno);
    if (!S_ISREG(info.st_mode)) {
        mr_error(diags, "io", (mr_span){0}, "can't read '%s': it is %s", path, S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
        return MR_ERR_IO;
    }
    size_t room = (size_t)info.st_size < max ? (size_t)info.st_size : max;
    mr_autofree char *text = malloc(room + 2);
    size_t len = 0;
    if (!text)
        return MR_ERR_NOMEM;
    while (len < room + 1) { /* one more than it should hold: tells a file that is too large or grew */
        ssize_t got = read(fd, text + len, room + 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_error(diags, "read", path, errno);
        if (got == 0)
            break;
        len += (size_t)got;
    }
    if (len > max) {
        mr_error(diags, "too-large", (mr_span){0}, "'%s' is larger than %zu bytes, the most that is read", path, max);
        return MR_ERR_LIMIT;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    text = NULL;
    return MR_OK;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, data, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        data += done;
        len -= (size_t)done;
    }
    return 0;
}

/* The folder's own record of its names must reach the disk too. */
static int sync_parent(const char *path)
{
    char *dir = strdup(path);
    if (!dir)
        return -1;
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir ? 1 : 0] = '\0';
    mr_autoclose int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    return fd < 0 ? -1 : fsync(fd);
}

mr_status mr_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, mr_diags *diags)
{
    mr_autofree char *temp = NULL;
    if (asprintf(&temp, "%s.XXXXXX", path) < 0) {
        temp = NULL;
        return MR_ERR_NOMEM;
    }
    mr_autoclose int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return io_error(diags, "write", path, errno);
    if (write_all(fd, data, len) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(temp, path) != 0) {
        int error = errno;
        unlink(temp);
        return io_error(diags, "write", path, error);
    }
    return sync_parent(path) == 0 ? MR_OK : io_error(diags, "write", path, errno);
}

mr_status mr_dir_make(const char *path, mode_t mode, mr_diags *diags)
{
    size_t len = strnlen(path, MAX_PATH_BYTES);
    struct stat info;
    if (len == 0 || len >= MAX_PATH_BYTES) {
        mr_error(diags, "io", (mr_span){0}, "'%.60s' is not a usable path", path);
        return MR_ERR_IO;
    }
    mr_autofree char *part = strdup(path);
    if (!part)
        return MR_ERR_NOMEM;
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST && errno != EISDIR)
            return io_error(diags, "make the folder", part, errno);
        part[i] = kept;
    }
    if (stat(path, &info) != 0)
        return io_error(diags, "make the folder", path, errno);
    return S_ISDIR(info.st_mode) ? MR_OK : io_error(diags, "make the folder", path, ENOTDIR);
}

static int remove_inside(int parent, const char *name, int depth);

static int remove_entries(DIR *dir, int depth)
{
    int worst = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) { // NOLINT(concurrency-mt-unsafe): dir is ours alone
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (remove_inside(dirfd(dir), entry->d_name, depth + 1) != 0)
            worst = errno;
    }
    errno = worst;
    return worst ? -1 : 0;
}

static int remove_inside(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int fd = depth < MAX_DEPTH ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    int failed = remove_entries(dir, depth);
    closedir(dir);
    return failed ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}

mr_status mr_dir_remove(const char *path, mr_diags *diags)
{
    return remove_inside(AT_FDCWD, path, 0) == 0 ? MR_OK : io_error(diags, "remove", path, errno);
}
