/* SPDX-License-Identifier: MIT */
/*
 * Files and folders. A file that was written atomically is on the disk when the call returns, name and content, or is as it was before.
 * Removing goes from descriptor to descriptor and never through a name that someone may have replaced by a link.
 */
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_DEPTH_MAX  64
#define PLAIN_PATH_MAX 1024

static const mr_span nowhere = {0};

void mr_cleanup_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void mr_cleanup_free(void *ptr)
{
    void *memory = NULL;
    memcpy(&memory, ptr, sizeof(memory));
    free(memory);
}

static const char *reason(int error)
{
    const char *text = strerrordesc_np(error); /* the untranslated text, and safe on any thread */
    return text ? text : "unknown error";
}

static mr_status fail(mr_diags *diags, const char *code, const char *verb, const char *path, int error)
{
    mr_error(diags, code, nowhere, "can't %s '%s': %s", verb, path, reason(error));
    if (error == ENOSPC || error == EDQUOT)
        mr_hint(diags, "free some space on that disk, or choose another folder");
    else if (error == EROFS || ((error == EACCES || error == EPERM) && strcmp(verb, "read") != 0))
        mr_hint(diags, "choose a folder that you may write to");
    if (error == ENOMEM)
        return MR_ERR_NOMEM;
    return error == ENOENT ? MR_ERR_NOT_FOUND : MR_ERR_IO;
}

/* --- reading --- */

static mr_status read_all(int fd, const char *path, size_t guess, size_t max, char **ret_text, size_t *ret_len, mr_diags *diags)
{
    size_t room = guess < max ? guess + 1 : max + 1;
    size_t len = 0;
    mr_autofree char *text = malloc(room + 1);
    while (text) {
        if (len == room) {
            /* It grew, or is one whose size the kernel doesn't tell (/proc). One byte over max shows that it is too large. */
            if (room > max)
                break;
            size_t more = room <= max / 2 ? room * 2 : max + 1;
            char *larger = realloc(text, more + 1);
            if (!larger)
                return fail(diags, "can't-read", "read", path, ENOMEM);
            text = larger;
            room = more;
        }
        ssize_t got = read(fd, text + len, room - len);
        if (got == 0)
            break;
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            return fail(diags, "can't-read", "read", path, errno);
    }
    if (!text)
        return fail(diags, "can't-read", "read", path, ENOMEM);
    if (len > max) {
        mr_error(diags, "too-large", nowhere, "'%s' is larger than %zu bytes", path, max);
        return MR_ERR_LIMIT;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    text = NULL;
    return MR_OK;
}

mr_status mr_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, mr_diags *diags)
{
    struct stat st;
    *ret_text = NULL;
    *ret_len = 0;
    if (max > SIZE_MAX / 4)
        max = SIZE_MAX / 4;
    /* Not blocked by a pipe that nobody writes to: only regular files are read. */
    mr_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(diags, "can't-read", "read", path, errno);
    if (!S_ISREG(st.st_mode)) {
        mr_error(diags, "not-a-file", nowhere, "can't read '%s': it is %s", path, S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
        return MR_ERR_INPUT;
    }
    if ((uint64_t)st.st_size > max) {
        mr_error(diags, "too-large", nowhere, "'%s' is %lld bytes, and more than %zu are not read", path, (long long)st.st_size, max);
        return MR_ERR_LIMIT;
    }
    return read_all(fd, path, st.st_size > 0 ? (size_t)st.st_size : 4096, max, ret_text, ret_len, diags);
}

/* --- writing --- */

static char *copy(const char *text, size_t len)
{
    char *text_copy = NULL;
    return len > INT_MAX || asprintf(&text_copy, "%.*s", (int)len, text) < 0 ? NULL : text_copy;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return copy(".", 1);
    return slash == path ? copy("/", 1) : copy(path, (size_t)(slash - path));
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        data += put;
        len -= (size_t)put;
    }
    return 0;
}

/* Content and mode on the disk. Returns an errno. */
static int fill(int fd, const void *data, size_t len, mode_t mode)
{
    int error = write_all(fd, data, len);
    if (error == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        error = errno;
    return error;
}

/* Returns an errno. */
static int rename_or_remove(const char *temp, const char *path)
{
    const int error = rename(temp, path) == 0 ? 0 : errno;
    if (error != 0)
        unlink(temp);
    return error;
}

/*
 * A file that has no name until it is whole: whoever is killed while he writes leaves nothing. Only where there is a file of that name already, it
 * has another one for a moment. Returns an errno; EOPNOTSUPP: the file system has no such files.
 */
static int write_unnamed(const char *parent, const char *temp, const char *path, const void *data, size_t len, mode_t mode)
{
    char self[32];
    mr_autoclose int fd = open(parent, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EISDIR ? EOPNOTSUPP : errno;
    const int error = fill(fd, data, len, mode);
    if (error != 0)
        return error;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno != EEXIST)
        return errno == ENOENT ? EOPNOTSUPP : errno; /* there is no /proc */
    if (linkat(AT_FDCWD, self, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) != 0)
        return errno;
    return rename_or_remove(temp, path);
}

/* Closed before it is in place: a full disk may be told as late as that. Returns an errno. */
static int write_named(const char *temp, const char *path, const void *data, size_t len, mode_t mode)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = fill(fd, data, len, mode);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0)
        return rename_or_remove(temp, path);
    unlink(temp);
    return error;
}

mr_status mr_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, mr_diags *diags)
{
    mr_autofree char *parent = parent_of(path);
    /* A short name: that of the file may be as long as the file system allows. */
    char name[32];
    uint64_t noise = 0;
    if (getrandom(&noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
        return fail(diags, "can't-write", "write", path, errno);
    snprintf(name, sizeof(name), ".mr-%016" PRIx64, noise);
    mr_autofree char *temp = parent ? mr_path_join(parent, name) : NULL;
    if (!temp)
        return fail(diags, "can't-write", "write", path, ENOMEM);
    mr_autoclose int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return fail(diags, "can't-write", "write", path, errno);
    int error = write_unnamed(parent, temp, path, data, len, mode);
    if (error == EOPNOTSUPP)
        error = write_named(temp, path, data, len, mode);
    if (error != 0)
        return fail(diags, "can't-write", "write", path, error);
    /* The name is in place; that it stays after a crash is for the folder to say. Some file systems can't sync folders. */
    if (fsync(dir) != 0 && errno != EINVAL && errno != ENOTSUP)
        return fail(diags, "can't-write", "write", path, errno);
    return MR_OK;
}

/* --- folders --- */

/* part: path, or what stands in the place of one of its parents. */
static mr_status not_a_folder(const char *path, const char *part, mr_diags *diags)
{
    mr_error(diags, "can't-make-folder", nowhere, "can't make the folder '%s': there is a file '%s'", path, part);
    mr_hint(diags, "choose another folder, or remove the file");
    return MR_ERR_IO;
}

mr_status mr_dir_make(const char *path, mode_t mode, mr_diags *diags)
{
    struct stat st;
    mr_autofree char *at = copy(path, strlen(path));
    if (!at)
        return fail(diags, "can't-make-folder", "make the folder", path, ENOMEM);
    /* Each prefix in turn; one that another process has made meanwhile is as good. */
    for (char *slash = at + 1; *at; slash++) {
        if (*slash && *slash != '/')
            continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(at, mode) != 0) {
            int error = errno;
            bool there = stat(at, &st) == 0;
            if (!there)
                return fail(diags, "can't-make-folder", "make the folder", path, error);
            if (!S_ISDIR(st.st_mode))
                return not_a_folder(path, at, diags);
        }
        if (!kept)
            return MR_OK;
        *slash = kept;
    }
    return fail(diags, "can't-make-folder", "make the folder", path, ENOENT);
}

/* A folder that is being removed. What lies deeper than DIR_DEPTH_MAX is moved up into top first: neither descriptors nor stack grow with it. */
typedef struct removal {
    int top;
    unsigned moved;
} removal;

static int remove_entry(removal *it, int parent, const char *name, unsigned depth);

/* Open for reading, with the right to look into it and to empty it, whatever whoever made it thought of that. -1: errno says why. */
static int open_folder(int parent, const char *name)
{
    char path[64];
    struct stat info;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        mr_autoclose int shut = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", shut);
        fd = shut >= 0 && chmod(path, S_IRWXU) == 0 ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    } else if (fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & S_IRWXU) != S_IRWXU) {
        (void)fchmod(fd, S_IRWXU); /* emptying it tells, when that was needed */
    }
    return fd;
}

/* Returns an errno. */
static int empty_folder(removal *it, DIR *dir, unsigned depth)
{
    int error = 0;
    errno = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's readdir is safe on a stream that only this thread has */
    for (struct dirent *entry = readdir(dir); entry && error == 0; entry = error == 0 ? readdir(dir) : NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            error = remove_entry(it, dirfd(dir), entry->d_name, depth);
        if (error == 0)
            errno = 0;
    }
    return error ? error : errno;
}

static int move_up(removal *it, int parent, const char *name)
{
    char moved[32];
    int error = EEXIST;
    for (int tries = 0; tries < 1000 && (error == EEXIST || error == ENOTEMPTY || error == ENOTDIR); tries++) {
        snprintf(moved, sizeof(moved), "deep-%u", it->moved++);
        error = renameat(parent, name, it->top, moved) == 0 ? 0 : errno;
    }
    return error;
}

/* Returns an errno. */
static int remove_folder(removal *it, int parent, const char *name, unsigned depth)
{
    int error = 0;
    int fd = open_folder(parent, name);
    if (fd < 0)
        return errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        error = errno;
        close(fd);
        return error;
    }
    if (depth == 0)
        it->top = fd;
    unsigned moved;
    do { /* more than once only for what was moved up meanwhile */
        moved = it->moved;
        error = empty_folder(it, dir, depth + 1);
        rewinddir(dir);
    } while (depth == 0 && error == 0 && it->moved != moved);
    closedir(dir);
    if (error == 0 && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        error = errno;
    return error;
}

static int remove_entry(removal *it, int parent, const char *name, unsigned depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* POSIX says EPERM for a folder, Linux EISDIR */
        return errno;
    const int first = errno;
    int error = depth < DIR_DEPTH_MAX ? remove_folder(it, parent, name, depth) : move_up(it, parent, name);
    return error == ENOTDIR || error == ELOOP ? first : error;
}

mr_status mr_dir_remove(const char *path, mr_diags *diags)
{
    mr_autofree char *plain = copy(path, strlen(path));
    if (!plain)
        return fail(diags, "can't-remove", "remove", path, ENOMEM);
    /* "link/" would mean what the link points to. */
    size_t len = strlen(plain);
    while (len > 0 && plain[len - 1] == '/')
        plain[--len] = '\0';
    if (len == 0)
        return fail(diags, "can't-remove", "remove", path, EINVAL);
    removal it = {.top = -1};
    int error = remove_entry(&it, AT_FDCWD, plain, 0);
    return error == 0 ? MR_OK : fail(diags, "can't-remove", "remove", path, error);
}

/* --- paths --- */

char *mr_path_join(const char *dir, const char *name)
{
    char *path = NULL;
    size_t len = strlen(dir);
    const char *between = len == 0 || dir[len - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", dir, between, name) < 0 ? NULL : path;
}

bool mr_path_is_plain(const char *path)
{
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len > PLAIN_PATH_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f || path[i] == '\\')
            return false;
    for (const char *at = path;; at++) {
        size_t part = strcspn(at, "/");
        if (part == 0 || (part == 1 && at[0] == '.') || (part == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        at += part;
        if (!*at)
            return true;
    }
}
