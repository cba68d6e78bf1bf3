/* SPDX-License-Identifier: MIT */
/*
 * Bytes go from the socket's buffer to the page cache and, in windows, on to the disk while more come, so that what is left to sync at the end is
 * little and a large upload does not push everything else out of memory. Space is asked for in steps: a full disk is found before the
 * bytes are there, and a promise of a length that never comes holds little.
 */
#include "api-server/uploads/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STEP   (256ll << 20) /* that is allocated ahead */
#define WINDOW (16ll << 20)  /* that is written behind */

/* Large uploads that come fast have a second thread to hash on, while the first moves bytes: a few of them at a time. */
#define ASIDE_AFTER (16ll << 20) /* bytes */
#define ASIDE_LEAST 65536        /* bytes of a piece that are worth waking it for */
#define ASIDE_SMALL 64           /* smaller pieces in a row: others can make more of it */
#define ASIDES_MAX  2

static atomic_uint asides;

int64_t mr_disk_free(int fd)
{
    struct statvfs disk;
    return fstatvfs(fd, &disk) == 0 ? (int64_t)(disk.f_bavail * disk.f_frsize) : -1;
}

static mr_status status_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? MR_ERR_LIMIT : errno == ENOENT ? MR_ERR_NOT_FOUND : MR_ERR_IO;
}

static void leaves_name(const char *name, char out[MR_UPLOAD_PATH])
{
    snprintf(out, MR_UPLOAD_PATH, "%s.leaves", name);
}

mr_status mr_upload_file_create(int folder, const char *name)
{
    const int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return errno == EEXIST ? MR_ERR_CONFLICT : status_of_errno();
    mr_status status = fsync(fd) == 0 && fsync(folder) == 0 ? MR_OK : status_of_errno();
    close(fd);
    if (status != MR_OK)
        unlinkat(folder, name, 0);
    return status;
}

void mr_upload_file_remove(int folder, const char *name)
{
    char leaves[MR_UPLOAD_PATH];
    leaves_name(name, leaves);
    unlinkat(folder, leaves, 0);
    unlinkat(folder, name, 0);
}

/* ---- leaves ---- */

static bool begin_block(EVP_MD_CTX *hash)
{
    return EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(hash, "\0", 1) == 1;
}

static bool read_exactly(int fd, void *into, size_t len, int64_t at)
{
    char *to = into;
    while (len > 0) {
        const ssize_t got = pread(fd, to, len, at);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        to += got > 0 ? got : 0;
        at += got > 0 ? got : 0;
        len -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* What lies of the block before at. */
static bool rehash(mr_upload_file *file)
{
    unsigned char buffer[16384];
    int64_t from = file->at - file->at % MR_UPLOAD_BLOCK;
    if (!begin_block(file->hash))
        return false;
    while (from < file->at) {
        const size_t some = file->at - from < (int64_t)sizeof(buffer) ? (size_t)(file->at - from) : sizeof(buffer);
        if (!read_exactly(file->fd, buffer, some, from) || EVP_DigestUpdate(file->hash, buffer, some) != 1)
            return false;
        from += (int64_t)some;
    }
    return true;
}

/* A piece of what comes, no longer than a block: the end of one at most is in it. */
typedef struct slice {
    mr_upload_file *file;
    const unsigned char *data;
    size_t len;
    bool whole; /* a block ended in it: its leaf */
    unsigned char leaf[MR_UPLOAD_LEAF];
} slice;

static bool hash_slice(void *context)
{
    slice *it = context;
    EVP_MD_CTX *hash = it->file->hash;
    const size_t left = (size_t)(MR_UPLOAD_BLOCK - it->file->at % MR_UPLOAD_BLOCK);
    const size_t some = it->len < left ? it->len : left;
    if (EVP_DigestUpdate(hash, it->data, some) != 1)
        return false;
    it->whole = some == left;
    return !it->whole ||
           (EVP_DigestFinal_ex(hash, it->leaf, NULL) == 1 && begin_block(hash) && EVP_DigestUpdate(hash, it->data + some, it->len - some) == 1);
}

static bool write_leaf(const slice *it)
{
    const off_t place = it->file->at / MR_UPLOAD_BLOCK * MR_UPLOAD_LEAF;
    return pwrite(it->file->leaves, it->leaf, sizeof(it->leaf), place) == (ssize_t)sizeof(it->leaf);
}

static void drop_aside(mr_upload_file *file)
{
    if (!file->aside)
        return;
    mr_aside_free(file->aside);
    file->aside = NULL;
    atomic_fetch_sub(&asides, 1);
}

/* Whether there is one for a piece of this length. */
static bool has_aside(mr_upload_file *file, size_t len)
{
    if (len < ASIDE_LEAST) {
        if (++file->small >= ASIDE_SMALL)
            drop_aside(file);
        return false;
    }
    file->small = 0;
    if (file->aside || file->at - file->begun < ASIDE_AFTER)
        return file->aside != NULL;
    if (atomic_fetch_add(&asides, 1) < ASIDES_MAX)
        file->aside = mr_aside_new();
    if (!file->aside)
        atomic_fetch_sub(&asides, 1);
    return file->aside != NULL;
}

/* ---- writing ---- */

static mr_status open_leaves(int folder, const char *name, mr_upload_file *file)
{
    char leaves[MR_UPLOAD_PATH];
    leaves_name(name, leaves);
    file->leaves = openat(folder, leaves, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    file->hash = EVP_MD_CTX_new();
    if (file->leaves < 0)
        return status_of_errno();
    if (!file->hash)
        return MR_ERR_NOMEM;
    return rehash(file) ? MR_OK : MR_ERR_IO;
}

mr_status mr_upload_file_open(int folder, const char *name, int64_t at, int64_t end, bool with_leaves, mr_upload_file *ret_file)
{
    *ret_file = (mr_upload_file){.leaves = -1, .at = at, .end = end, .allocated = at, .flushed = at, .begun = at};
    ret_file->fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    mr_status status = ret_file->fd >= 0 ? MR_OK : status_of_errno();
    if (status == MR_OK && with_leaves)
        status = open_leaves(folder, name, ret_file);
    if (status != MR_OK)
        mr_upload_file_close(ret_file);
    return status;
}

void mr_upload_file_close(mr_upload_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->leaves >= 0)
        close(file->leaves);
    EVP_MD_CTX_free(file->hash);
    drop_aside(file);
    *file = (mr_upload_file){.fd = -1, .leaves = -1};
}

/* How much is free is not known everywhere: then the disk says it itself. */
static bool fits(const mr_upload_file *file, int64_t more)
{
    const int64_t room = mr_disk_free(file->fd);
    return room < 0 || room - more >= file->keep;
}

static mr_status allocate(mr_upload_file *file, int64_t until)
{
    int64_t to = until + STEP;
    if (file->end >= 0 && to > file->end)
        to = file->end > until ? file->end : until;
    if (until <= file->allocated)
        return MR_OK;
    if (!fits(file, to - file->allocated))
        to = until;
    if (!fits(file, to - file->allocated))
        return MR_ERR_LIMIT;
    if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, file->allocated, to - file->allocated) != 0 &&
        (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
        return MR_ERR_LIMIT;
    file->allocated = to; /* a file system that can't is asked again when more comes */
    return MR_OK;
}

/* Starts to write the last window, and waits for the one before the last: the disk is never idle, and no more than three windows are dirty. */
static void write_behind(mr_upload_file *file)
{
    while (file->at - file->flushed >= WINDOW) {
        sync_file_range(file->fd, file->flushed, WINDOW, SYNC_FILE_RANGE_WRITE);
        if (file->flushed >= WINDOW)
            sync_file_range(file->fd, file->flushed - WINDOW, WINDOW,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        file->flushed += WINDOW;
    }
}

static mr_status put(int fd, const unsigned char *data, size_t len, int64_t at)
{
    while (len > 0) {
        const ssize_t done = pwrite(fd, data, len, at);
        if (done <= 0 && !(done < 0 && errno == EINTR))
            return status_of_errno();
        data += done > 0 ? done : 0;
        at += done > 0 ? done : 0;
        len -= done > 0 ? (size_t)done : 0;
    }
    return MR_OK;
}

static mr_status write_slice(slice *it)
{
    mr_upload_file *file = it->file;
    const bool hashes = file->leaves >= 0;
    const bool aside = hashes && has_aside(file, it->len);
    if (aside)
        mr_aside_begin(file->aside, hash_slice, it);
    mr_status status = put(file->fd, it->data, it->len, file->at);
    const bool hashed = aside ? mr_aside_wait(file->aside) : !hashes || hash_slice(it);
    if (status == MR_OK && (!hashed || (it->whole && !write_leaf(it))))
        status = MR_ERR_IO;
    file->at += status == MR_OK ? (int64_t)it->len : 0;
    return status;
}

mr_status mr_upload_file_write(mr_upload_file *file, const void *data, size_t len)
{
    const unsigned char *from = data;
    mr_status status = allocate(file, file->at + (int64_t)len);
    while (len > 0 && status == MR_OK) {
        slice it = {.file = file, .data = from, .len = len < MR_UPLOAD_BLOCK ? len : MR_UPLOAD_BLOCK};
        status = write_slice(&it);
        from += it.len;
        len -= it.len;
    }
    write_behind(file);
    return status;
}

mr_status mr_upload_file_sync(mr_upload_file *file)
{
    if (fdatasync(file->fd) != 0 || (file->leaves >= 0 && fdatasync(file->leaves) != 0))
        return status_of_errno();
    file->flushed = file->at;
    return MR_OK;
}

/* ---- joining ---- */

static mr_status copy_by_hand(int from, int64_t from_at, int to, int64_t to_at, int64_t len)
{
    char *buffer = malloc(MR_UPLOAD_BLOCK);
    mr_status status = buffer ? MR_OK : MR_ERR_NOMEM;
    while (len > 0 && status == MR_OK) {
        const size_t some = len < MR_UPLOAD_BLOCK ? (size_t)len : MR_UPLOAD_BLOCK;
        if (!read_exactly(from, buffer, some, from_at))
            status = MR_ERR_IO;
        else if (pwrite(to, buffer, some, to_at) != (ssize_t)some)
            status = status_of_errno();
        from_at += (int64_t)some;
        to_at += (int64_t)some;
        len -= (int64_t)some;
    }
    free(buffer);
    return status;
}

mr_status mr_upload_file_copy(int from, int64_t from_at, int to, int64_t to_at, int64_t len)
{
    while (len > 0) {
        const size_t some = len < WINDOW ? (size_t)len : (size_t)WINDOW;
        const ssize_t put = copy_file_range(from, &(off_t){from_at}, to, &(off_t){to_at}, some, 0);
        if (put < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
            return copy_by_hand(from, from_at, to, to_at, len);
        if (put <= 0)
            return put == 0 ? MR_ERR_IO : status_of_errno();
        sync_file_range(to, to_at, put, SYNC_FILE_RANGE_WRITE);
        from_at += put;
        to_at += put;
        len -= put;
    }
    return MR_OK;
}

mr_status mr_upload_file_compare(int a, int64_t a_at, int b, int64_t b_at, int64_t len)
{
    char *buffer = malloc(2ul * MR_UPLOAD_BLOCK);
    struct stat info;
    mr_status status = !buffer ? MR_ERR_NOMEM : fstat(b, &info) != 0 ? status_of_errno() : info.st_size < b_at + len ? MR_ERR_CONFLICT : MR_OK;
    for (int64_t done = 0; done < len && status == MR_OK; done += MR_UPLOAD_BLOCK) {
        const size_t some = len - done < MR_UPLOAD_BLOCK ? (size_t)(len - done) : MR_UPLOAD_BLOCK;
        if (!read_exactly(a, buffer, some, a_at + done) || !read_exactly(b, buffer + some, some, b_at + done))
            status = MR_ERR_IO;
        else if (memcmp(buffer, buffer + some, some) != 0)
            status = MR_ERR_CONFLICT;
    }
    free(buffer);
    return status;
}

mr_status mr_upload_file_forget(int folder, const char *name, int64_t at, int64_t len)
{
    static const unsigned char none[MR_UPLOAD_LEAF];
    char leaves[MR_UPLOAD_PATH];
    leaves_name(name, leaves);
    const int fd = openat(folder, leaves, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? MR_OK : status_of_errno();
    mr_status status = MR_OK;
    const int64_t last = (at + len - 1) / MR_UPLOAD_BLOCK;
    for (int64_t block = at / MR_UPLOAD_BLOCK; len > 0 && block <= last && status == MR_OK; block++) {
        if (pwrite(fd, none, sizeof(none), block * MR_UPLOAD_LEAF) != (ssize_t)sizeof(none))
            status = status_of_errno();
    }
    if (status == MR_OK && fdatasync(fd) != 0)
        status = status_of_errno();
    close(fd);
    return status;
}

/* ---- all leaves ---- */

static bool hash_block(int fd, int64_t at, size_t len, unsigned char *buffer, EVP_MD_CTX *hash, unsigned char *ret_leaf)
{
    return read_exactly(fd, buffer, len, at) && begin_block(hash) && EVP_DigestUpdate(hash, buffer, len) == 1 &&
           EVP_DigestFinal_ex(hash, ret_leaf, NULL) == 1;
}

static mr_status fill_leaves(int fd, int64_t length, unsigned char *leaves, size_t count)
{
    static const unsigned char none[MR_UPLOAD_LEAF];
    unsigned char *buffer = malloc(MR_UPLOAD_BLOCK);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    mr_status status = buffer && hash ? MR_OK : MR_ERR_NOMEM;
    for (size_t i = 0; i < count && status == MR_OK; i++) {
        const int64_t at = (int64_t)i * MR_UPLOAD_BLOCK;
        const bool whole = length - at >= MR_UPLOAD_BLOCK;
        unsigned char *leaf = leaves + i * MR_UPLOAD_LEAF;
        if (whole && memcmp(leaf, none, sizeof(none)) != 0)
            continue;
        if (!hash_block(fd, at, whole ? MR_UPLOAD_BLOCK : (size_t)(length - at), buffer, hash, leaf))
            status = MR_ERR_IO;
    }
    free(buffer);
    EVP_MD_CTX_free(hash);
    return status;
}

static mr_status read_leaves(int folder, const char *name, unsigned char *leaves, size_t size)
{
    char path[MR_UPLOAD_PATH];
    leaves_name(name, path);
    const int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? MR_OK : status_of_errno();
    size_t have = 0;
    while (have < size) {
        const ssize_t got = pread(fd, leaves + have, size - have, (off_t)have);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    memset(leaves + have / MR_UPLOAD_LEAF * MR_UPLOAD_LEAF, 0, size - have / MR_UPLOAD_LEAF * MR_UPLOAD_LEAF);
    close(fd);
    return MR_OK;
}

mr_status mr_upload_file_leaves(int folder, const char *name, int64_t length, unsigned char **ret_leaves, size_t *ret_count)
{
    const size_t count = (size_t)((length + MR_UPLOAD_BLOCK - 1) / MR_UPLOAD_BLOCK);
    unsigned char *leaves = calloc(count + 1, MR_UPLOAD_LEAF);
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    mr_status status = !leaves ? MR_ERR_NOMEM : fd < 0 ? status_of_errno() : MR_OK;
    if (status == MR_OK)
        status = read_leaves(folder, name, leaves, count * MR_UPLOAD_LEAF);
    if (status == MR_OK)
        status = fill_leaves(fd, length, leaves, count);
    if (fd >= 0)
        close(fd);
    if (status != MR_OK) {
        free(leaves);
        return status;
    }
    *ret_leaves = leaves;
    *ret_count = count;
    return MR_OK;
}
