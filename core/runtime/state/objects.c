/* SPDX-License-Identifier: MIT */
/*
 * The store of content by digest.
 *
 * Layout: STATE/objects/ab/cdef… (the hex digits of SHA-256), STATE/tmp/proc-PID-XXXXXX/ (what one open store is writing),
 * STATE/tmp/lock.
 *
 * Invariants
 *   - A name under objects/ exists only for bytes that were hashed by us, synced and made read-only before they got it. Whoever sees the
 *     name sees the whole object, also after a crash. Contents never change, so whoever comes second with the same digest may use
 *     what is there, or replace it by the same bytes.
 *   - mr_object_commit() returns after the folder that holds the name was synced as well: what it returned survives a power cut.
 *   - A proc-* folder belongs to the open store that holds an exclusive flock() on it; the kernel drops the lock when that process ends,
 *     however it ends. Folders are made and judged only under an exclusive lock of STATE/tmp/lock, so one that can be locked there
 *     is one whose owner is gone. (Process ids prove nothing: they come again, and containers share a state folder but not ids.)
 */
#include "runtime/state/objects.h"

#include "base/file.h"
#include "runtime/state/hasher.h"
#include "runtime/state/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OBJECT_MAX    ((uint64_t)1 << 42) /* bytes of one object */
#define SHARDS        256
#define READ_SIZE     (128u << 10)
#define HASH_BEHIND   (128u << 10) /* bytes from which on another thread is worth waking */
#define OWNER_PREFIX  "proc-"
#define DIGEST_PREFIX "sha256:"
#define DIGEST_HEX    64

struct mr_objects {
    char *state_dir; /* absolute */
    char *own_dir;   /* absolute: STATE/tmp/proc-… */
    char *gc_lock;   /* absolute: STATE/gc.lock */
    int root_fd;     /* STATE/objects */
    int own_fd;      /* own_dir, locked */
    atomic_uint_fast64_t next_name;
    mr_hasher *hasher;

    /* Folders whose names must be synced: whoever finds nobody at it syncs all that are wanted, for everyone. */
    pthread_mutex_t sync_lock;
    pthread_cond_t synced;
    uint64_t sync_round; /* rounds started */
    uint64_t sync_ended; /* rounds ended */
    bool sync_busy;
    bool sync_wanted[SHARDS];
    bool shard_synced[SHARDS]; /* the shard's own name is durable; only the thread that syncs looks at it */
    int sync_errno;            /* of the last round that failed */
    uint64_t sync_failed;      /* its number; 0: none */
};

struct mr_object_writer {
    mr_objects *objects;
    mr_hash *hash;
    int fd;
    uint64_t size;
    uint64_t hashed;  /* bytes [0, hashed) are in the hash ... */
    bool overwritten; /* ... but some of them were changed afterwards */
    mr_status failed; /* why nothing can become of it; MR_OK: nothing failed */
    char name[24];    /* in own_dir */
};

static const mr_span nowhere;

static mr_status io_error(mr_diags *diags, const char *what, const char *path, int error)
{
    mr_error(diags, "state-io", nowhere, "can't %s '%s': %s", what, path, strerror(error)); // NOLINT(concurrency-mt-unsafe): glibc's is safe
    if (error == ENOSPC || error == EDQUOT)
        mr_hint(diags, "free some space on that disk, or choose another state folder with --state");
    else if (error == EACCES || error == EPERM || error == EROFS)
        mr_hint(diags, "choose a state folder that you may write to with --state");
    return MR_ERR_IO;
}

static mr_status no_memory(mr_diags *diags)
{
    mr_error(diags, "no-memory", nowhere, "out of memory");
    return MR_ERR_NOMEM;
}

/* ---- opening and closing ---- */

/* Removes the folders of owners that are gone. STATE/tmp/lock is held. */
static void sweep(const char *tmp_dir)
{
    DIR *dir = opendir(tmp_dir);
    if (!dir)
        return; /* leftovers cost space, nothing else: the next open tries again */
    const struct dirent *entry;
    while ((entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        if (strncmp(entry->d_name, OWNER_PREFIX, strlen(OWNER_PREFIX)) != 0)
            continue;
        mr_autofree char *path = mr_path_join(tmp_dir, entry->d_name);
        mr_autoclose int fd = path ? openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            mr_dir_remove(path, NULL);
    }
    closedir(dir);
}

static mr_status make_own_dir(mr_objects *objects, const char *tmp_dir, mr_diags *diags)
{
    mr_autofree char *lock_path = mr_path_join(tmp_dir, "lock");
    char name[64];
    snprintf(name, sizeof(name), OWNER_PREFIX "%ld-XXXXXX", (long)getpid());
    objects->own_dir = mr_path_join(tmp_dir, name);
    if (!lock_path || !objects->own_dir)
        return no_memory(diags);
    mr_autoclose int lock = mr_lock_file(lock_path);
    if (lock < 0)
        return io_error(diags, "lock", lock_path, errno);
    sweep(tmp_dir);
    if (!mkdtemp(objects->own_dir)) {
        int error = errno;
        free(objects->own_dir);
        objects->own_dir = NULL; /* nothing to remove */
        return io_error(diags, "make a folder in", tmp_dir, error);
    }
    objects->own_fd = open(objects->own_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (objects->own_fd < 0 || flock(objects->own_fd, LOCK_EX | LOCK_NB) != 0)
        return io_error(diags, "lock", objects->own_dir, errno);
    return MR_OK;
}

static mr_status open_folders(mr_objects *objects, const char *state_dir, mr_diags *diags)
{
    mr_status status = mr_dir_make(state_dir, 0700, diags);
    if (status != MR_OK)
        return status;
    objects->state_dir = realpath(state_dir, NULL);
    if (!objects->state_dir)
        return io_error(diags, "find", state_dir, errno);
    mr_autofree char *root = mr_path_join(objects->state_dir, "objects");
    mr_autofree char *tmp = mr_path_join(objects->state_dir, "tmp");
    objects->gc_lock = mr_path_join(objects->state_dir, MR_GC_LOCK);
    if (!root || !tmp || !objects->gc_lock)
        return no_memory(diags);
    status = mr_dir_make(root, 0700, diags);
    if (status == MR_OK)
        status = mr_dir_make(tmp, 0700, diags);
    if (status != MR_OK)
        return status;
    objects->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (objects->root_fd < 0)
        return io_error(diags, "open", root, errno);
    mr_autoclose int state_fd = open(objects->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state_fd < 0 || fsync(state_fd) != 0)
        return io_error(diags, "sync", objects->state_dir, errno);
    return make_own_dir(objects, tmp, diags);
}

mr_status mr_objects_open(const char *state_dir, mr_diags *diags, mr_objects **ret_objects)
{
    *ret_objects = NULL;
    mr_objects *objects = calloc(1, sizeof(*objects));
    if (!objects)
        return no_memory(diags);
    objects->root_fd = -1;
    objects->own_fd = -1;
    pthread_mutex_init(&objects->sync_lock, NULL);
    pthread_cond_init(&objects->synced, NULL);
    objects->hasher = mr_hasher_new();
    mr_status status = objects->hasher ? open_folders(objects, state_dir, diags) : no_memory(diags);
    if (status != MR_OK) {
        mr_objects_close(objects);
        return status;
    }
    *ret_objects = objects;
    return MR_OK;
}

void mr_objects_close(mr_objects *objects)
{
    if (!objects)
        return;
    if (objects->own_dir)
        mr_dir_remove(objects->own_dir, NULL); /* what stays is swept by the next open */
    mr_cleanup_fd(&objects->own_fd);           /* after the removal: the lock is what makes it ours */
    mr_cleanup_fd(&objects->root_fd);
    mr_hasher_free(objects->hasher);
    pthread_cond_destroy(&objects->synced);
    pthread_mutex_destroy(&objects->sync_lock);
    free(objects->own_dir);
    free(objects->gc_lock);
    free(objects->state_dir);
    free(objects);
}

const char *mr_objects_owner(const mr_objects *objects)
{
    return strrchr(objects->own_dir, '/') + 1;
}

bool mr_objects_owner_lives(const char *state_dir, const char *owner)
{
    mr_autofree char *tmp = mr_path_join(state_dir, "tmp");
    mr_autofree char *lock_path = tmp ? mr_path_join(tmp, "lock") : NULL;
    mr_autofree char *path = tmp ? mr_path_join(tmp, owner) : NULL;
    if (!path || strncmp(owner, OWNER_PREFIX, strlen(OWNER_PREFIX)) != 0 || strchr(owner, '/'))
        return false;
    mr_autoclose int lock = lock_path ? mr_lock_file(lock_path) : -1; /* two who judge at a time would take each other for the owner */
    mr_autoclose int fd = lock >= 0 ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
}

/* ---- names ---- */

/* "sha256:abcdef…" -> "ab", "ab/cdef…" and the shard's number. False: not a digest. */
static bool object_name(const char *digest, char ret_shard[3], char ret_name[DIGEST_HEX + 2], unsigned *ret_number)
{
    if (strncmp(digest, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) != 0)
        return false;
    const char *hex = digest + strlen(DIGEST_PREFIX);
    if (strlen(hex) != DIGEST_HEX || strspn(hex, "0123456789abcdef") != DIGEST_HEX)
        return false;
    snprintf(ret_shard, 3, "%.2s", hex);
    snprintf(ret_name, DIGEST_HEX + 2, "%.2s/%s", hex, hex + 2);
    *ret_number = (unsigned)strtoul(ret_shard, NULL, 16);
    return true;
}

/* ---- syncing folders in groups ---- */

static int sync_shards(mr_objects *objects, const bool wanted[SHARDS])
{
    bool new_names = false;
    for (unsigned i = 0; i < SHARDS; i++) {
        char name[3];
        if (!wanted[i])
            continue;
        snprintf(name, sizeof(name), "%02x", i);
        mr_autoclose int fd = openat(objects->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
            return errno;
        new_names = new_names || !objects->shard_synced[i];
    }
    if (!new_names)
        return 0;
    if (fsync(objects->root_fd) != 0)
        return errno;
    for (unsigned i = 0; i < SHARDS; i++)
        objects->shard_synced[i] = objects->shard_synced[i] || wanted[i];
    return 0;
}

/*
 * Returns when the names in that shard are durable: 0, or errno. Names that are wanted while a round is on its way go into the next
 * one, which the first of those who wait then leads; so however many threads commit, one syncs.
 */
static int sync_shard(mr_objects *objects, unsigned shard)
{
    pthread_mutex_lock(&objects->sync_lock);
    objects->sync_wanted[shard] = true;
    uint64_t mine = objects->sync_round + 1;
    while (objects->sync_ended < mine) {
        if (objects->sync_busy) {
            pthread_cond_wait(&objects->synced, &objects->sync_lock);
            continue;
        }
        bool wanted[SHARDS];
        memcpy(wanted, objects->sync_wanted, sizeof(wanted));
        memset(objects->sync_wanted, 0, sizeof(objects->sync_wanted));
        objects->sync_busy = true;
        uint64_t round = ++objects->sync_round;
        pthread_mutex_unlock(&objects->sync_lock);
        int error = sync_shards(objects, wanted);
        pthread_mutex_lock(&objects->sync_lock);
        objects->sync_busy = false;
        objects->sync_ended = round;
        if (error) {
            objects->sync_errno = error;
            objects->sync_failed = round;
        }
        pthread_cond_broadcast(&objects->synced);
    }
    int result = objects->sync_failed >= mine ? objects->sync_errno : 0;
    pthread_mutex_unlock(&objects->sync_lock);
    return result;
}

/* ---- writing ---- */

mr_status mr_objects_writer(mr_objects *objects, mr_diags *diags, mr_object_writer **ret_writer)
{
    *ret_writer = NULL;
    mr_object_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return no_memory(diags);
    *writer = (mr_object_writer){.objects = objects, .fd = -1, .hash = mr_hash_new()};
    mr_status status = writer->hash ? MR_OK : no_memory(diags);
    if (status == MR_OK) {
        snprintf(writer->name, sizeof(writer->name), "w%" PRIuFAST64, atomic_fetch_add(&objects->next_name, 1));
        writer->fd = openat(objects->own_fd, writer->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (writer->fd < 0)
            status = io_error(diags, "make a file in", objects->own_dir, errno);
    }
    if (status != MR_OK) {
        mr_object_discard(writer);
        return status;
    }
    *ret_writer = writer;
    return MR_OK;
}

static mr_status write_all(mr_object_writer *writer, uint64_t offset, const uint8_t *data, size_t len, mr_diags *diags)
{
    while (len > 0) {
        ssize_t wrote = pwrite(writer->fd, data, len, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            return writer->failed = io_error(diags, "write to", writer->objects->own_dir, wrote < 0 ? errno : ENOSPC);
        }
        offset += (uint64_t)wrote;
        data += wrote;
        len -= (size_t)wrote;
    }
    return MR_OK;
}

mr_status mr_object_write_at(mr_object_writer *writer, uint64_t offset, const void *data, size_t len, mr_diags *diags)
{
    if (len == 0)
        return MR_OK;
    if (offset > OBJECT_MAX || len > OBJECT_MAX - offset) {
        mr_error(diags, "object-size", nowhere, "a content of more than %" PRIu64 " bytes can't be stored", OBJECT_MAX);
        return writer->failed = MR_ERR_LIMIT;
    }
    const bool in_order = offset == writer->hashed;
    const bool behind = in_order && len >= HASH_BEHIND && mr_hasher_begin(writer->objects->hasher, writer->hash, data, len);
    mr_status status = write_all(writer, offset, data, len, diags);
    if (behind)
        mr_hasher_wait(writer->objects->hasher);
    if (status != MR_OK)
        return status;
    if (in_order) {
        if (!behind)
            mr_hash_add(writer->hash, data, len);
        writer->hashed += len;
    } else if (offset < writer->hashed) {
        writer->overwritten = true;
    }
    if (offset + len > writer->size)
        writer->size = offset + len;
    return MR_OK;
}

/* Brings into the hash what was not written in order. */
static mr_status hash_rest(mr_object_writer *writer, char ret_digest[MR_DIGEST_TEXT], mr_diags *diags)
{
    mr_autofree uint8_t *buf = NULL;
    if (writer->overwritten) {
        mr_hash_finish(writer->hash, ret_digest); /* starts anew */
        writer->hashed = 0;
    }
    if (writer->hashed < writer->size && !(buf = malloc(READ_SIZE)))
        return no_memory(diags);
    while (writer->hashed < writer->size) {
        ssize_t got = pread(writer->fd, buf, READ_SIZE, (off_t)writer->hashed);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return io_error(diags, "read back from", writer->objects->own_dir, got < 0 ? errno : EIO);
        mr_hash_add(writer->hash, buf, (size_t)got);
        writer->hashed += (uint64_t)got;
    }
    mr_hash_finish(writer->hash, ret_digest);
    return MR_OK;
}

static bool is_there(const mr_objects *objects, const char *name, uint64_t size)
{
    struct stat info;
    return fstatat(objects->root_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == size;
}

/* As is_there(), and from now on it is as new: gc.c looks at times and removes under the same lock, so an object is not taken from under us. */
static bool keep(const mr_objects *objects, const char *name, uint64_t size)
{
    if (!is_there(objects, name, size))
        return false; /* the usual case, without a lock */
    mr_autoclose int lock = mr_lock_file(objects->gc_lock);
    return lock >= 0 && is_there(objects, name, size) && utimensat(objects->root_fd, name, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Makes the bytes durable, then gives them their name. 0, or errno. */
static int put_in_place(mr_object_writer *writer, const char *shard, const char *name)
{
    const mr_objects *objects = writer->objects;
    if (fchmod(writer->fd, 0444) != 0 || fsync(writer->fd) != 0)
        return errno;
    if (mkdirat(objects->root_fd, shard, 0700) != 0 && errno != EEXIST)
        return errno;
    if (renameat(objects->own_fd, writer->name, objects->root_fd, name) != 0)
        return errno;
    writer->name[0] = '\0'; /* it has left our folder */
    return 0;
}

mr_status mr_object_commit(mr_object_writer *take_writer, mr_diags *diags, char ret_digest[MR_DIGEST_TEXT], uint64_t *ret_size)
{
    mr_object_writer *writer = take_writer;
    mr_objects *objects = writer->objects;
    char shard[3];
    char name[DIGEST_HEX + 2];
    unsigned number;
    *ret_size = writer->size;
    mr_status status = writer->failed; /* the reason was given when it happened */
    if (status == MR_OK)
        status = hash_rest(writer, ret_digest, diags);
    if (status == MR_OK && !object_name(ret_digest, shard, name, &number)) {
        mr_error(diags, "internal", nowhere, "'%s' is not a digest", ret_digest);
        status = MR_ERR_INTERNAL;
    }
    if (status == MR_OK) {
        int error = keep(objects, name, writer->size) ? 0 : put_in_place(writer, shard, name);
        if (!error)
            error = sync_shard(objects, number); /* also when it was there: whoever made it may not have come so far yet */
        if (error)
            status = io_error(diags, "store a content in", objects->state_dir, error);
    }
    mr_object_discard(writer);
    return status;
}

void mr_object_discard(mr_object_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0 && writer->name[0])
        unlinkat(writer->objects->own_fd, writer->name, 0);
    mr_cleanup_fd(&writer->fd);
    mr_hash_free(writer->hash);
    free(writer);
}

/* ---- reading ---- */

mr_status mr_objects_fd(mr_objects *objects, const char *digest, mr_diags *diags, int *ret_fd, uint64_t *ret_size)
{
    char shard[3];
    char name[DIGEST_HEX + 2];
    unsigned number;
    struct stat info;
    *ret_fd = -1;
    *ret_size = 0;
    if (!object_name(digest, shard, name, &number))
        return MR_ERR_NOT_FOUND;
    int fd = openat(objects->root_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return MR_ERR_NOT_FOUND;
    if (fd < 0 || fstat(fd, &info) != 0) {
        int error = errno;
        mr_cleanup_fd(&fd);
        return io_error(diags, "read a content in", objects->state_dir, error);
    }
    *ret_fd = fd;
    *ret_size = (uint64_t)info.st_size;
    return MR_OK;
}

bool mr_objects_has(mr_objects *objects, const char *digest, uint64_t size)
{
    char shard[3];
    char name[DIGEST_HEX + 2];
    unsigned number;
    return object_name(digest, shard, name, &number) && is_there(objects, name, size);
}

bool mr_objects_keep(mr_objects *objects, const char *digest, uint64_t size)
{
    char shard[3];
    char name[DIGEST_HEX + 2];
    unsigned number;
    return object_name(digest, shard, name, &number) && keep(objects, name, size);
}

mr_status mr_objects_scratch(mr_objects *objects, mr_diags *diags, char **ret_path)
{
    char name[24];
    snprintf(name, sizeof(name), "s%" PRIuFAST64, atomic_fetch_add(&objects->next_name, 1));
    *ret_path = mr_path_join(objects->own_dir, name);
    if (!*ret_path)
        return no_memory(diags);
    if (mkdirat(objects->own_fd, name, 0700) == 0)
        return MR_OK;
    mr_status status = io_error(diags, "make a folder in", objects->own_dir, errno);
    free(*ret_path);
    *ret_path = NULL;
    return status;
}
