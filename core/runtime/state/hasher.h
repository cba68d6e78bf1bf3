/* SPDX-License-Identifier: MIT */
/*
 * A thread that hashes while another writes the same bytes: of all that storing takes, hashing is the most. It helps one writer at a time; who finds
 * it busy hashes for himself, so nobody waits for somebody else's bytes.
 */
#ifndef MR_RUNTIME_HASHER_H
#define MR_RUNTIME_HASHER_H

#include "base/hash.h"
#include <stdbool.h>

typedef struct mr_hasher mr_hasher;

mr_hasher *mr_hasher_new(void); /* the thread is started when it is first needed. NULL: memory is short */
void mr_hasher_free(mr_hasher *hasher);
/* True: data is being added to hash; neither is to be touched before mr_hasher_wait(). False: it has no time, nothing was done. */
bool mr_hasher_begin(mr_hasher *hasher, mr_hash *hash, const void *data, size_t len);
void mr_hasher_wait(mr_hasher *hasher); /* for what one has begun */

#endif
