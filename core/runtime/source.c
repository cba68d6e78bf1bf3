/* SPDX-License-Identifier: MIT */
/*
 * Opening, hashing and watching sources.
 *
 * How far times can be trusted: a change sets ctime, which nobody can put back; but two changes within one tick of the file system's clock leave the
 * same time. So a file that was changed less than a tick before it is looked at is waited for (a tick is some milliseconds where times have
 * nanoseconds), or, where ticks are long or the clock is another machine's, not trusted by its times ("racily clean", as in git).
 *
 * Invariant: a digest is recorded only when the file had the same times before its first and after its last byte was read.
 */
#include "runtime/source.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS      50000000ll        /* local file systems: the kernel's tick is at most 10 ms */
#define LONG_TICK_NS 5000000000ll      /* those with whole seconds, and those of other machines, whose clock may be off a little */
#define IO_LOW       ((2u << 13) | 7u) /* best effort, the last of its levels: linux/ioprio.h */
#define IO_THREAD    1                 /* IOPRIO_WHO_PROCESS */
#define OTHERS       4u                /* other contents whose leaves are kept at hand */
#define STILL_GROWS  (-1)              /* in place of a time of change */

typedef struct other {
    char key[MR_DIGEST_TEXT];
    mr_block_tree *tree; /* NULL: not known */
} other;

struct mr_source {
    mr_catalogue *catalogue;
    int fd;
    bool planning;
    char key[MR_DIGEST_TEXT];
    char *input;
    uint64_t size;
    pthread_mutex_t lock; /* what follows */
    bool grows;           /* its writer has not said yet that it is whole: state is not known */
    mr_file_state state;
    mr_block_tree *tree; /* NULL: not known (yet) */
    bool changed;
    other others[OTHERS];
    uint32_t other_next;

    pthread_t thread;
    bool behind; /* the thread was started */
    atomic_bool cancel;
    atomic_bool over;
    atomic_ullong done; /* bytes hashed */
    int64_t began_us;
};

static atomic_uint hashing; /* threads of this process */

/* ---- what is cheap to know ---- */

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool look(int fd, mr_file_state *ret_state)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return false;
    *ret_state = (mr_file_state){.device = info.st_dev,
                                 .inode = info.st_ino,
                                 .size = (uint64_t)info.st_size,
                                 .mtime_ns = nanoseconds(info.st_mtim),
                                 .ctime_ns = nanoseconds(info.st_ctim)};
    return true;
}

static bool same_state(const mr_file_state *a, const mr_file_state *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* File systems of other machines, or of programs: linux/magic.h. */
static bool is_remote(int fd)
{
    static const uint32_t kinds[] = {0x6969 /* NFS */,      0x517b /* SMB */,    0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
                                     0x65735546 /* FUSE */, 0x01021997 /* 9P */, 0x00c36400 /* Ceph */, 0x6b414653 /* AFS */};
    struct statfs info;
    if (fstatfs(fd, &info) != 0)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((uint32_t)info.f_type == kinds[i])
            return true;
    }
    return false;
}

static int64_t age_ns(const mr_file_state *state)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(now) - state->ctime_ns;
}

/* Looks at the file at a moment when its next change will show, if such a moment is near. False: it can't be read. */
static bool look_when_settled(int fd, mr_file_state *ret_state, bool *ret_trusted)
{
    if (!look(fd, ret_state))
        return false;
    const bool long_ticks = ret_state->ctime_ns % 1000000000 == 0 || is_remote(fd);
    for (int i = 0; i < 2 && !long_ticks; i++) {
        const int64_t age = age_ns(ret_state);
        if (age < 0 || age >= TICK_NS)
            break;
        nanosleep(&(struct timespec){.tv_nsec = (long)(TICK_NS - age)}, NULL);
        if (!look(fd, ret_state))
            return false;
    }
    *ret_trusted = age_ns(ret_state) >= (long_ticks ? LONG_TICK_NS : TICK_NS);
    return true;
}

/* ---- hashing ---- */

/* The whole file, as long as it stays as it is. */
static mr_status hash_whole(mr_source *source, uint32_t threads, mr_block_tree **ret_tree)
{
    mr_file_state after;
    mr_status status = mr_block_tree_of_fd(source->fd, source->state.size, threads, &source->cancel, &source->done, ret_tree);
    if (status == MR_OK && (!look(source->fd, &after) || !same_state(&source->state, &after))) {
        mr_block_tree_free(*ret_tree);
        *ret_tree = NULL;
        return MR_ERR_CONFLICT;
    }
    return status;
}

static void *hash_behind(void *context)
{
    mr_source *source = context;
    mr_block_tree *tree = NULL;
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_IDLE, &none); /* for cores that nobody else wants */
    syscall(SYS_ioprio_set, IO_THREAD, 0, IO_LOW);
    if (hash_whole(source, 1, &tree) == MR_OK) {
        mr_catalogue_add_content(source->catalogue, source->key, tree);
        pthread_mutex_lock(&source->lock);
        source->tree = tree;
        pthread_mutex_unlock(&source->lock);
    }
    atomic_store(&source->over, true);
    atomic_fetch_sub(&hashing, 1);
    return NULL;
}

static void start_behind(mr_source *source)
{
    if (source->planning || source->state.size > MR_TREE_MAX)
        return;
    if (atomic_fetch_add(&hashing, 1) < MR_SOURCE_BEHIND) {
        source->began_us = mr_now_us();
        source->behind = pthread_create(&source->thread, NULL, hash_behind, source) == 0;
    }
    if (!source->behind)
        atomic_fetch_sub(&hashing, 1);
}

/* ---- opening ---- */

static void fresh_key(char key[MR_DIGEST_TEXT])
{
    unsigned char noise[16];
    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise)) {
        key[0] = '\0'; /* no identity: nothing is reused */
        return;
    }
    size_t used = (size_t)snprintf(key, MR_DIGEST_TEXT, "source:");
    for (size_t i = 0; i < sizeof(noise); i++)
        used += (size_t)snprintf(key + used, MR_DIGEST_TEXT - used, "%02x", noise[i]);
}

static mr_status open_failed(const mr_source_options *options, mr_status status, mr_diags *diags)
{
    if (status == MR_ERR_NOMEM)
        return status;
    if (status == MR_ERR_CONFLICT) {
        mr_error(diags, "input", (mr_span){0}, "input '%s': '%s' changes while it is read", options->input, options->path);
        mr_hint(diags, "run again when nothing writes to it any more");
    } else {
        mr_error(diags, "input", (mr_span){0}, "input '%s': '%s' can't be read: %s", options->input, options->path, strerrordesc_np(errno));
    }
    return MR_ERR_INPUT;
}

static mr_status open_by_digest(mr_source *source, const mr_source_options *options, bool trusted, mr_diags *diags)
{
    mr_status status = hash_whole(source, options->jobs, &source->tree);
    if (status != MR_OK)
        return open_failed(options, status, diags);
    const char *digest = mr_block_tree_digest(source->tree);
    if (!mr_catalogue_find_content(source->catalogue, digest, source->key))
        memcpy(source->key, digest, strlen(digest) + 1);
    mr_catalogue_add_content(source->catalogue, source->key, source->tree);
    if (!source->planning)
        mr_catalogue_set_source(source->catalogue, &source->state, trusted, source->key);
    return MR_OK;
}

static mr_status find_key(mr_source *source, const mr_source_options *options, bool trusted, mr_diags *diags)
{
    char fresh[MR_DIGEST_TEXT];
    const uint64_t size = source->state.size;
    if (trusted && mr_catalogue_find_source(source->catalogue, &source->state, source->key)) {
        source->tree = mr_catalogue_tree(source->catalogue, source->key);
        if (!source->tree)
            start_behind(source);
        return MR_OK;
    }
    if (size <= MR_TREE_MAX && (options->first || size <= MR_SOURCE_FIRST || mr_catalogue_knows_size(source->catalogue, size)))
        return open_by_digest(source, options, trusted, diags);
    fresh_key(fresh);
    if (source->planning || !fresh[0])
        memcpy(source->key, fresh, sizeof(fresh));
    else
        mr_catalogue_claim_source(source->catalogue, &source->state, trusted, fresh, source->key);
    start_behind(source);
    return MR_OK;
}

/* ---- those that arrive ---- */

/*
 * What stays of a file while it grows, in a row of its own: when it was made, and how long it will be. False: the file system doesn't tell, and an
 * inode may be another file's one day.
 */
static bool look_at_growing(int fd, uint64_t length, mr_file_state *ret_state)
{
    struct statx info;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0 || !(info.stx_mask & STATX_BTIME) || !look(fd, ret_state))
        return false;
    ret_state->size = length;
    ret_state->mtime_ns = (int64_t)info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
    ret_state->ctime_ns = STILL_GROWS;
    return true;
}

/* The same whenever it is opened, so that what was made before an interruption is found after it. */
static mr_status open_growing(mr_source *source, uint64_t length)
{
    char fresh[MR_DIGEST_TEXT];
    mr_file_state state;
    source->grows = true;
    source->size = length;
    fresh_key(fresh);
    if (fresh[0] && !source->planning && look_at_growing(source->fd, length, &state))
        mr_catalogue_claim_source(source->catalogue, &state, true, fresh, source->key);
    else
        memcpy(source->key, fresh, sizeof(fresh));
    return MR_OK;
}

void mr_source_has_grown(mr_source *source)
{
    pthread_mutex_lock(&source->lock);
    const bool first = source->grows && look(source->fd, &source->state);
    if (first) {
        source->grows = false;
        source->tree = mr_catalogue_tree(source->catalogue, source->key);
    }
    if (first && !source->tree)
        start_behind(source);
    pthread_mutex_unlock(&source->lock);
}

mr_status mr_source_open(const mr_source_options *options, int fd, mr_diags *diags, mr_source **ret_source)
{
    bool trusted = false;
    mr_source *source = calloc(1, sizeof(*source));
    *ret_source = NULL;
    if (!source)
        return MR_ERR_NOMEM;
    pthread_mutex_init(&source->lock, NULL);
    source->catalogue = options->catalogue;
    source->fd = fd;
    source->planning = options->planning;
    source->input = strdup(options->input);
    mr_status status = source->input ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK && options->grows) {
        *ret_source = source;
        return open_growing(source, options->length);
    }
    if (status == MR_OK && !look_when_settled(fd, &source->state, &trusted))
        status = open_failed(options, MR_ERR_IO, diags);
    source->size = source->state.size;
    if (status == MR_OK)
        status = find_key(source, options, trusted, diags);
    if (status != MR_OK) {
        mr_source_close(source, false);
        return status;
    }
    *ret_source = source;
    return MR_OK;
}

/* The digest saves a later run what this one took, so the wait is no more than a part of that. */
static bool nearly_done(const mr_source *source)
{
    const unsigned long long done = atomic_load(&source->done);
    const unsigned long long left = source->size - done;
    const int64_t took = mr_now_us() - source->began_us;
    const double wait = done > 0 ? (double)took * (double)left / (double)done : (double)INT64_MAX;
    return left <= MR_SOURCE_LITTLE || (wait < (double)MR_SOURCE_LAST && wait < (double)took / MR_SOURCE_PART);
}

void mr_source_close(mr_source *source, bool finish)
{
    if (!source)
        return;
    if (source->behind) {
        if (!finish || (!atomic_load(&source->over) && !nearly_done(source)))
            atomic_store(&source->cancel, true);
        pthread_join(source->thread, NULL);
    }
    for (uint32_t i = 0; i < OTHERS; i++)
        mr_block_tree_free(source->others[i].tree);
    mr_block_tree_free(source->tree);
    pthread_mutex_destroy(&source->lock);
    free(source->input);
    free(source);
}

/* What was made while it arrived is found under the key that it had then; else under that of the same content. */
static void key_of_written(mr_catalogue *catalogue, int fd, const mr_file_state *state, const char *digest, char ret_key[MR_DIGEST_TEXT])
{
    mr_file_state growing;
    if ((look_at_growing(fd, state->size, &growing) && mr_catalogue_find_source(catalogue, &growing, ret_key)) ||
        mr_catalogue_find_source(catalogue, state, ret_key) || mr_catalogue_find_content(catalogue, digest, ret_key))
        return;
    memcpy(ret_key, digest, strlen(digest) + 1);
}

mr_status mr_source_learn(mr_catalogue *catalogue, int fd, uint64_t length, const unsigned char *leaves, size_t count,
                          char ret_digest[MR_DIGEST_TEXT])
{
    mr_file_state state;
    bool trusted = false;
    char key[MR_DIGEST_TEXT];
    mr_block_tree *tree = mr_block_tree_new();
    mr_status status = !tree ? MR_ERR_NOMEM : length > MR_TREE_MAX || count != mr_block_count(length) ? MR_ERR_PARAM : MR_OK;
    for (size_t i = count; i-- > 0 && status == MR_OK;)
        status = mr_block_tree_set(tree, (uint32_t)i, leaves + i * MR_BLOCK_LEAF);
    if (status == MR_OK)
        status = mr_block_tree_finish(tree, length);
    if (status == MR_OK && (!look_when_settled(fd, &state, &trusted) || state.size != length))
        status = MR_ERR_CONFLICT;
    if (status == MR_OK) {
        const char *digest = mr_block_tree_digest(tree);
        memcpy(ret_digest, digest, strlen(digest) + 1);
        key_of_written(catalogue, fd, &state, digest, key);
        mr_catalogue_add_content(catalogue, key, tree);
        mr_catalogue_set_source(catalogue, &state, trusted, key);
    }
    mr_block_tree_free(tree);
    return status;
}

mr_status mr_source_disown(mr_catalogue *catalogue, int fd)
{
    mr_file_state state;
    return look(fd, &state) ? mr_catalogue_disown_source(catalogue, &state) : MR_ERR_IO;
}

const char *mr_source_key(const mr_source *source)
{
    return source->key;
}

uint64_t mr_source_size(const mr_source *source)
{
    return source->size;
}

/* ---- watching ---- */

/* Only its times changed. Lock held. */
static bool is_the_same(mr_source *source, const mr_file_state *now)
{
    mr_block_tree *again = NULL;
    mr_file_state after;
    if (!source->tree || mr_block_tree_of_fd(source->fd, now->size, 2, &source->cancel, NULL, &again) != MR_OK)
        return false;
    bool same = strcmp(mr_block_tree_digest(again), mr_block_tree_digest(source->tree)) == 0 && look(source->fd, &after) && same_state(now, &after);
    mr_block_tree_free(again);
    if (same) {
        mr_catalogue_set_source(source->catalogue, now, age_ns(now) >= LONG_TICK_NS, source->key);
        source->state = *now;
    }
    return same;
}

static void describe_change(const mr_source *source, const mr_file_state *now, char **ret_why)
{
    int len = now->size != source->state.size
                  ? asprintf(ret_why, "input '%s' changed while it was read: it had %llu bytes, and has %llu now", source->input,
                             (unsigned long long)source->state.size, (unsigned long long)now->size)
                  : asprintf(ret_why, "input '%s' changed while it was read: its size is the same, its times are not", source->input);
    if (len < 0)
        *ret_why = NULL;
}

mr_status mr_source_check(mr_source *source, char **ret_why)
{
    mr_file_state now;
    *ret_why = NULL;
    pthread_mutex_lock(&source->lock);
    if (source->grows) { /* its writer is trusted to add to it only */
        pthread_mutex_unlock(&source->lock);
        return MR_OK;
    }
    const bool there = look(source->fd, &now);
    if (!there)
        now = (mr_file_state){0};
    const bool changed =
        source->changed || !there || (!same_state(&source->state, &now) && (now.size != source->state.size || !is_the_same(source, &now)));
    if (changed)
        describe_change(source, &now, ret_why);
    if (changed && !source->changed && !source->planning)
        mr_catalogue_forget_source(source->catalogue, &source->state);
    source->changed = changed;
    pthread_mutex_unlock(&source->lock);
    return changed ? MR_ERR_CONFLICT : MR_OK;
}

/* ---- comparing ---- */

/* Lock held. NULL: not known. */
static const mr_block_tree *tree_of(mr_source *source, const char *key)
{
    for (uint32_t i = 0; i < OTHERS; i++) {
        if (strcmp(source->others[i].key, key) == 0)
            return source->others[i].tree;
    }
    other *place = &source->others[source->other_next++ % OTHERS];
    mr_block_tree_free(place->tree);
    snprintf(place->key, sizeof(place->key), "%s", key);
    place->tree = mr_catalogue_tree(source->catalogue, key);
    return place->tree;
}

static bool same_range(const mr_block_tree *a, const mr_block_tree *b, unsigned long first, unsigned long last)
{
    for (unsigned long i = first; i <= last; i++) {
        const unsigned char *x = i < MR_BLOCKS_MAX ? mr_block_tree_leaf(a, (uint32_t)i) : NULL;
        const unsigned char *y = x ? mr_block_tree_leaf(b, (uint32_t)i) : NULL;
        if (!y || memcmp(x, y, MR_BLOCK_LEAF) != 0)
            return false;
    }
    return true;
}

/* "7" or "0-3", and what follows it. False: neither. */
static bool read_range(const char **at, unsigned long *ret_first, unsigned long *ret_last)
{
    char *rest = NULL;
    if (!isdigit((unsigned char)**at))
        return false;
    *ret_first = strtoul(*at, &rest, 10);
    *ret_last = *ret_first;
    if (*rest == '-') {
        *at = rest + 1;
        if (!isdigit((unsigned char)**at))
            return false;
        *ret_last = strtoul(*at, &rest, 10);
    }
    *at = rest;
    return *ret_first <= *ret_last;
}

bool mr_source_same_blocks(mr_source *source, const char *key, const char *blocks)
{
    const char *at = blocks;
    pthread_mutex_lock(&source->lock);
    const mr_block_tree *theirs = source->tree ? tree_of(source, key) : NULL;
    bool same = theirs && mr_block_tree_length(theirs) == mr_block_tree_length(source->tree);
    for (bool more = same; more;) {
        unsigned long first = 0;
        unsigned long last = 0;
        same = read_range(&at, &first, &last) && (*at == ',' || *at == '\0') && same_range(source->tree, theirs, first, last);
        more = same && *at++ == ',';
    }
    pthread_mutex_unlock(&source->lock);
    return same;
}
