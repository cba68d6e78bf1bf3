/* SPDX-License-Identifier: MIT */
/*
 * The digest of a file as the root of a hash tree over its blocks, so that it can be made while bytes arrive, in any order and by
 * several threads, and so that two files can be compared block by block without reading either again.
 *
 * The construction is the Merkle tree of RFC 9162 section 2.1.1 over SHA-256, with the length hashed into the root:
 *   leaf   = SHA-256(0x00 || bytes of a block)       every block has MR_BLOCK_SIZE bytes, but the last, which has what is left
 *   node   = SHA-256(0x01 || left || right)          left holds the largest power of two of leaves that is smaller than all
 *   top    = the node over all leaves; of no leaves SHA-256()
 *   root   = SHA-256(0x02 || "millrace-tree-1" || block size, u64 LE || length, u64 LE || top)
 * The first byte tells leaves, nodes and roots apart; so none can pass for another. A tree is one thread's at a time, but where it says otherwise.
 */
#ifndef MR_BASE_BLOCK_TREE_H
#define MR_BASE_BLOCK_TREE_H

#include "hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MR_BLOCK_SIZE   262144u                                   /* bytes */
#define MR_BLOCK_LEAF   32u                                       /* bytes of a leaf */
#define MR_BLOCKS_MAX   4194304u                                  /* blocks of a tree: */
#define MR_TREE_MAX     ((uint64_t)MR_BLOCKS_MAX * MR_BLOCK_SIZE) /* 1 TiB */
#define MR_TREE_THREADS 16u

typedef struct mr_block_tree mr_block_tree;

mr_block_tree *mr_block_tree_new(void); /* NULL when memory is short */
void mr_block_tree_free(mr_block_tree *tree);

uint32_t mr_block_count(uint64_t length); /* blocks of so many bytes; length at most MR_TREE_MAX */
/* Of the bytes of one block: 1 … MR_BLOCK_SIZE. MR_ERR_NOMEM when OpenSSL refuses. */
mr_status mr_block_leaf(const void *data, size_t len, unsigned char ret_leaf[MR_BLOCK_LEAF]);

/* The next bytes, in order. MR_ERR_LIMIT beyond MR_TREE_MAX. */
mr_status mr_block_tree_add(mr_block_tree *tree, const void *data, size_t len);
/* A leaf from elsewhere, in any order; not together with add. MR_ERR_LIMIT: index is MR_BLOCKS_MAX or more. */
mr_status mr_block_tree_set(mr_block_tree *tree, uint32_t index, const unsigned char leaf[MR_BLOCK_LEAF]);
/* The whole has length bytes. MR_ERR_CONFLICT: leaves are missing, or are too many. From then on the tree does not change. */
mr_status mr_block_tree_finish(mr_block_tree *tree, uint64_t length);

/* Of a finished tree. */
const char *mr_block_tree_digest(const mr_block_tree *tree); /* "sha256:…"; "" before it is finished */
uint64_t mr_block_tree_length(const mr_block_tree *tree);
uint32_t mr_block_tree_count(const mr_block_tree *tree);
const unsigned char *mr_block_tree_leaf(const mr_block_tree *tree, uint32_t index); /* NULL: there is none */

/* A finished tree as bytes: "MRBT" || version 1, u32 LE || block size, u64 LE || length, u64 LE || leaves. The caller frees. */
mr_status mr_block_tree_export(const mr_block_tree *tree, void **ret_data, size_t *ret_len);
/* Finished. MR_ERR_INPUT: not what export gives. That the leaves are right only the digest tells: compare it. */
mr_status mr_block_tree_import(const void *data, size_t len, mr_block_tree **ret_tree);

/*
 * Of the first length bytes of an open file, without moving its offset, with so many threads (at least 1: the caller's own). *ret_tree is finished.
 * MR_ERR_CANCELLED soon after *cancel (may be NULL) is set; MR_ERR_CONFLICT: the file is shorter; MR_ERR_IO: it can't be read (errno says why).
 * done (may be NULL) counts the bytes that are hashed.
 */
mr_status mr_block_tree_of_fd(int fd, uint64_t length, uint32_t threads, const atomic_bool *cancel, atomic_ullong *done, mr_block_tree **ret_tree);

#endif
