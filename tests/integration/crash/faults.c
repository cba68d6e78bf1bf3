/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the engine, it makes the disk fail: calls on paths beneath MR_FAULT_DIR are counted, and those from the MR_FAULT_AT-th on
 * (MR_FAULT_COUNT in all), or each with a chance of MR_FAULT_PER_MILLE (from MR_FAULT_SEED), fail with MR_FAULT_ERRNO; or each takes
 * MR_FAULT_SLOW_US longer. MR_FAULT_LOG names a file to which is written what was made durable, and what the store names: "sync PATH",
 * "rename FROM TO", "names DIGEST" as soon as the digest stands in what goes to its log or itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;

static long number(const char *name, long standard)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : standard;
}

static int beneath(const char *path)
{
    const char *dir = getenv("MR_FAULT_DIR");
    return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static int path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    path[len > 0 ? len : 0] = '\0';
    return beneath(path);
}

/* In one write, past ourselves: several threads, and several processes, may do so. */
static void tell(const char *what, const char *a, const char *b)
{
    char line[2 * PATH_MAX + 16];
    const char *name = getenv("MR_FAULT_LOG");
    int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    int len = snprintf(line, sizeof(line), "%s %s%s%s\n", what, a, b ? " " : "", b ? b : "");
    if (len > 0 && syscall(SYS_write, fd, line, (size_t)len) < 0)
        abort(); /* a test without its log proves nothing */
    syscall(SYS_close, fd);
}

/* The same calls are struck with the same seed, as far as threads make them in the same order (splitmix64's mixing, by Vigna). */
static int chance(long call)
{
    uint64_t mixed = (uint64_t)number("MR_FAULT_SEED", 0) + (uint64_t)call * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (long)((mixed ^ (mixed >> 31)) % 1000) < number("MR_FAULT_PER_MILLE", 0);
}

/* True: this call is to fail, and errno says how. */
static int struck(void)
{
    const long slow = number("MR_FAULT_SLOW_US", 0);
    const long at = number("MR_FAULT_AT", 0);
    const long call = atomic_fetch_add(&calls, 1) + 1;
    if (slow > 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = slow / 1000000, .tv_nsec = slow % 1000000 * 1000}, NULL);
    if ((at == 0 || call < at || call - at >= number("MR_FAULT_COUNT", 1)) && !chance(call))
        return 0;
    errno = (int)number("MR_FAULT_ERRNO", EIO);
    return 1;
}

/* From here on, what the store's files hold may be on the disk, synced or not. */
static void tell_names(const char *path, const char *data, size_t len)
{
    enum { PREFIX = 7, DIGITS = 64 };
    const char *end = data + len;
    if (!strstr(path, "/tasks.db") || !getenv("MR_FAULT_LOG"))
        return;
    for (const char *at = data; (at = memmem(at, (size_t)(end - at), "sha256:", PREFIX)) && end - at >= PREFIX + DIGITS; at += PREFIX) {
        char digest[DIGITS + 1];
        memcpy(digest, at + PREFIX, DIGITS);
        digest[DIGITS] = '\0';
        if (strspn(digest, "0123456789abcdef") == DIGITS)
            tell("names", digest, NULL);
    }
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

/* The C library's own prototypes; what is behind them is called by the kernel's names, which are the same on all that we build for. */
ssize_t write(int fd, const void *data, size_t len)
{
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        if (struck())
            return -1;
        tell_names(path, data, len);
    }
    return syscall(SYS_write, fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    char path[PATH_MAX];
    if (path_of(fd, path)) {
        if (struck())
            return -1;
        tell_names(path, data, len);
    }
    return syscall(SYS_pwrite64, fd, data, len, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
    return pwrite(fd, data, len, offset);
}

int fsync(int fd)
{
    char path[PATH_MAX];
    const int ours = path_of(fd, path);
    if (ours && struck())
        return -1;
    const int result = (int)syscall(SYS_fsync, fd);
    if (ours && result == 0)
        tell("sync", path, NULL);
    return result;
}

int fdatasync(int fd)
{
    char path[PATH_MAX];
    const int ours = path_of(fd, path);
    if (ours && struck())
        return -1;
    const int result = (int)syscall(SYS_fdatasync, fd);
    if (ours && result == 0)
        tell("sync", path, NULL);
    return result;
}

static int absolute(int dir, const char *name, char path[PATH_MAX])
{
    char folder[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        path_of(dir, folder);
        if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
            path[0] = '\0';
    }
    return beneath(path);
}

static int renamed(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char old[PATH_MAX];
    char new[PATH_MAX];
    absolute(from_dir, from, old);
    const int ours = absolute(to_dir, to, new);
    if (ours && struck())
        return -1;
    const int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (ours && result == 0)
        tell("rename", old, new);
    return result;
}

int rename(const char *from, const char *to)
{
    return renamed(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renamed(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return renamed(from_dir, from, to_dir, to, flags);
}

ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags)
{
    typedef ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned);
    char path[PATH_MAX];
    if (path_of(out, path) && struck())
        return -1;
    return ((real)next("copy_file_range"))(in, in_offset, out, out_offset, len, flags);
}

/* Opening to write or to make: others read what there is, which a failing disk may well give. */
static int opened(int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) /* O_TMPFILE comes with one of them */ && absolute(dir, name, path) && struck())
        return -1;
    return (int)syscall(SYS_openat, dir, name, flags | O_LARGEFILE, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define OPENS(name)                                                                                                                                  \
    int name(const char *path, int flags, ...)                                                                                                       \
    {                                                                                                                                                \
        va_list args;                                                                                                                                \
        va_start(args, flags);                                                                                                                       \
        const mode_t mode = mode_of(flags, args);                                                                                                    \
        va_end(args);                                                                                                                                \
        return opened(AT_FDCWD, path, flags, mode);                                                                                                  \
    }

#define OPENS_AT(name)                                                                                                                               \
    int name(int dir, const char *path, int flags, ...)                                                                                              \
    {                                                                                                                                                \
        va_list args;                                                                                                                                \
        va_start(args, flags);                                                                                                                       \
        const mode_t mode = mode_of(flags, args);                                                                                                    \
        va_end(args);                                                                                                                                \
        return opened(dir, path, flags, mode);                                                                                                       \
    }

OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

int ftruncate(int fd, off_t len)
{
    char path[PATH_MAX];
    return path_of(fd, path) && struck() ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate64(int fd, off64_t len)
{
    return ftruncate(fd, len);
}
