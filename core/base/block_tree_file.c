/* SPDX-License-Identifier: MIT */
/*
 * The tree of an open file. Threads take the next block by a counter, so that a file is read about in order, and each writes leaves of its own.
 * Invariant: a leaf is of bytes that were read in one go; whether the file changed meanwhile, its owner must ask the file's times.
 */
#include "base/block_tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define RUN_BLOCKS 16u /* blocks that a thread takes at once: 4 MiB, so that reads of several threads don't alternate on a disk */

typedef struct job {
    int fd;
    uint64_t length;
    uint32_t count;
    const atomic_bool *cancel;
    atomic_ullong *done;
    unsigned char *leaves;
    atomic_uint next;
    atomic_int status; /* the first that was not MR_OK */
    atomic_int error;  /* errno of it */
} job;

static void stop(job *it, mr_status status, int error)
{
    int expected = MR_OK;
    if (atomic_compare_exchange_strong(&it->status, &expected, status))
        atomic_store(&it->error, error);
}

static mr_status read_block(const job *it, uint32_t index, unsigned char *buf, size_t *ret_len)
{
    const uint64_t offset = (uint64_t)index * MR_BLOCK_SIZE;
    const size_t len = it->length - offset < MR_BLOCK_SIZE ? (size_t)(it->length - offset) : MR_BLOCK_SIZE;
    *ret_len = 0;
    while (*ret_len < len) {
        ssize_t got = pread(it->fd, buf + *ret_len, len - *ret_len, (off_t)(offset + *ret_len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return MR_ERR_IO;
        if (got == 0)
            return MR_ERR_CONFLICT;
        *ret_len += (size_t)got;
    }
    return MR_OK;
}

static void *hash_blocks(void *context)
{
    job *it = context;
    unsigned char *buf = malloc(MR_BLOCK_SIZE);
    if (!buf)
        stop(it, MR_ERR_NOMEM, ENOMEM);
    while (atomic_load(&it->status) == MR_OK) {
        const uint32_t first = atomic_fetch_add(&it->next, RUN_BLOCKS);
        if (first >= it->count)
            break;
        for (uint32_t i = first; i < it->count && i < first + RUN_BLOCKS && atomic_load(&it->status) == MR_OK; i++) {
            size_t len = 0;
            if (it->cancel && atomic_load(it->cancel))
                stop(it, MR_ERR_CANCELLED, 0);
            mr_status status = read_block(it, i, buf, &len);
            const int error = errno;
            if (status == MR_OK)
                status = mr_block_leaf(buf, len, it->leaves + (size_t)i * MR_BLOCK_LEAF);
            if (status != MR_OK)
                stop(it, status, error);
            if (it->done)
                atomic_fetch_add(it->done, len);
        }
    }
    free(buf);
    return NULL;
}

static mr_status build(const job *it, mr_block_tree **ret_tree)
{
    mr_block_tree *tree = mr_block_tree_new();
    mr_status status = tree ? MR_OK : MR_ERR_NOMEM;
    for (uint32_t i = it->count; i-- > 0 && status == MR_OK;)
        status = mr_block_tree_set(tree, i, it->leaves + (size_t)i * MR_BLOCK_LEAF);
    if (status == MR_OK)
        status = mr_block_tree_finish(tree, it->length);
    if (status == MR_OK)
        *ret_tree = tree;
    else
        mr_block_tree_free(tree);
    return status;
}

mr_status mr_block_tree_of_fd(int fd, uint64_t length, uint32_t threads, const atomic_bool *cancel, atomic_ullong *done, mr_block_tree **ret_tree)
{
    pthread_t others[MR_TREE_THREADS];
    uint32_t started = 0;
    job it = {.fd = fd, .length = length, .cancel = cancel, .done = done};
    *ret_tree = NULL;
    if (length > MR_TREE_MAX)
        return MR_ERR_LIMIT;
    it.count = mr_block_count(length);
    it.leaves = malloc((size_t)it.count * MR_BLOCK_LEAF + 1);
    if (!it.leaves)
        return MR_ERR_NOMEM;
    const uint32_t runs = (it.count + RUN_BLOCKS - 1) / RUN_BLOCKS;
    threads = threads > MR_TREE_THREADS ? MR_TREE_THREADS : threads;
    threads = threads > runs ? runs : threads;
    while (started + 1 < threads && pthread_create(&others[started], NULL, hash_blocks, &it) == 0)
        started++;
    hash_blocks(&it);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    mr_status status = (mr_status)atomic_load(&it.status);
    if (status == MR_OK)
        status = build(&it, ret_tree);
    free(it.leaves);
    errno = atomic_load(&it.error);
    return status;
}
