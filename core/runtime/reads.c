/* SPDX-License-Identifier: MIT */
/*
 * Which blocks of its sources a batch has read: the trace that a result is kept with (identity.c). One bitmap per source for the whole batch, since
 * what one of its tasks reads may serve the others. When memory is short the trace is lost, never a part of it.
 */
#include "runtime/internal.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 65536u /* bytes of a trace; a longer one is dropped */

struct mr_reads {
    const mr_item *item;
    uint32_t count; /* blocks of the source */
    unsigned char *blocks;
    struct mr_reads *next;
};

/* An op may read from several threads. The lock is held for a few instructions per read of some hundred kilobytes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static mr_reads *reads_of(mr_batch_run *batch, const mr_item *item)
{
    for (mr_reads *reads = batch->reads; reads; reads = reads->next) {
        if (reads->item == item)
            return reads;
    }
    mr_reads *reads = item->pub.size <= MR_TREE_MAX ? calloc(1, sizeof(*reads)) : NULL;
    if (reads) {
        reads->item = item;
        reads->count = mr_block_count(item->pub.size);
        reads->blocks = calloc(1, reads->count / 8 + 1);
    }
    if (!reads || !reads->blocks) {
        free(reads);
        batch->reads_lost = true;
        return NULL;
    }
    reads->next = batch->reads;
    batch->reads = reads;
    return reads;
}

static bool is_traced(const mr_task *task, const mr_item *item)
{
    return item->source && task->batch && !task->node->streaming && !(task->node->node->op->flags & MR_OP_EFFECT);
}

void mr_reads_add(mr_task *task, const mr_item *item, uint64_t offset, uint64_t len)
{
    if (!is_traced(task, item) || len == 0 || offset >= item->pub.size)
        return;
    len = len < item->pub.size - offset ? len : item->pub.size - offset;
    pthread_mutex_lock(&lock);
    mr_reads *reads = reads_of(task->batch, item);
    for (uint64_t i = offset / MR_BLOCK_SIZE; reads && i <= (offset + len - 1) / MR_BLOCK_SIZE; i++)
        reads->blocks[i / 8] |= (unsigned char)(1u << (i % 8));
    pthread_mutex_unlock(&lock);
}

bool mr_reads_merge(mr_batch_run *batch, const mr_item *item, uint32_t first, const unsigned char *blocks, size_t len)
{
    const uint64_t bytes = mr_block_count(item->pub.size <= MR_TREE_MAX ? item->pub.size : 0) / 8 + 1;
    if (item->fd < 0 || first > bytes || len > bytes - first)
        return false;
    if (!item->source) /* the beginning of one (rehearsal.c): what is made of it is not kept */
        return true;
    pthread_mutex_lock(&lock);
    mr_reads *reads = reads_of(batch, item);
    for (size_t i = 0; reads && i < len; i++)
        reads->blocks[first + i] |= blocks[i];
    pthread_mutex_unlock(&lock);
    return true;
}

static bool has(const mr_reads *reads, uint32_t block)
{
    return block < reads->count && (reads->blocks[block / 8] >> (block % 8) & 1);
}

char *mr_reads_text(const mr_batch_run *batch, const mr_item *item)
{
    char *text = NULL;
    size_t used = 0;
    pthread_mutex_lock(&lock);
    const mr_reads *reads = batch->reads;
    const bool alone = !batch->reads_lost && reads && reads->item == item && !reads->next;
    for (uint32_t i = 0; alone && i < reads->count && used < TEXT_MAX; i++) {
        uint32_t last = i;
        if (!has(reads, i))
            continue;
        while (has(reads, last + 1))
            last++;
        char *grown = realloc(text, used + 32);
        if (!grown) {
            used = TEXT_MAX;
            break;
        }
        text = grown;
        used += (size_t)snprintf(text + used, 32, last > i ? "%s%u-%u" : "%s%u", used ? "," : "", i, last);
        i = last;
    }
    pthread_mutex_unlock(&lock);
    if (used >= TEXT_MAX) {
        free(text);
        return NULL;
    }
    return text;
}

void mr_reads_free(mr_batch_run *batch)
{
    while (batch->reads) {
        mr_reads *reads = batch->reads;
        batch->reads = reads->next;
        free(reads->blocks);
        free(reads);
    }
}
