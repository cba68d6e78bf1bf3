/* SPDX-License-Identifier: MIT */
/*
 * Which blocks of its sources a batch reads: the engine keeps that with the results (runtime/reads.c). Told before a task is finished, so that
 * it is known when its result is kept; only what is new, and only when there is something.
 */
#include "task-host/child.h"

#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool mr_child_is_source(const mr_artifact *artifact)
{
    return artifact->name[0] != '\0' && artifact->size <= MR_TREE_MAX;
}

size_t mr_child_reads_size(const mr_artifact *artifact)
{
    return mr_child_is_source(artifact) ? mr_block_count(artifact->size) / 8 + 1 : 0;
}

void mr_child_count_read(mr_known *known, uint64_t offset, uint64_t len)
{
    if (!known->reads || len == 0 || offset >= known->pub.size)
        return;
    const uint64_t last = (offset + (len < known->pub.size - offset ? len : known->pub.size - offset) - 1) / MR_BLOCK_SIZE;
    pthread_mutex_lock(&lock);
    for (uint64_t i = offset / MR_BLOCK_SIZE; i <= last; i++) {
        const uint32_t at = (uint32_t)(i / 8);
        const unsigned char bit = (unsigned char)(1u << (i % 8));
        if (known->reads[at] & bit)
            continue;
        known->reads[at] |= bit;
        known->new_first = known->new_end == 0 || at < known->new_first ? at : known->new_first;
        known->new_end = at >= known->new_end ? at + 1 : known->new_end;
    }
    pthread_mutex_unlock(&lock);
}

void mr_child_tell_reads(mr_child *child)
{
    pthread_mutex_lock(&child->lock);
    for (mr_known *known = child->known; known; known = known->next) {
        pthread_mutex_lock(&lock);
        const bool any = known->new_end > 0;
        if (any) {
            mr_pack_begin(&child->packer, MR_FRAME_READS);
            mr_pack_u32(&child->packer, known->number);
            mr_pack_u32(&child->packer, known->new_first);
            mr_pack_bytes(&child->packer, known->reads + known->new_first, known->new_end - known->new_first);
        }
        known->new_first = 0;
        known->new_end = 0;
        pthread_mutex_unlock(&lock);
        if (any)
            mr_child_send(child);
    }
    pthread_mutex_unlock(&child->lock);
}
