/* SPDX-License-Identifier: MIT */
/*
 * The tree itself; see the header for its construction. Only leaves are kept: the nodes above are few hashes against reading the file, and are
 * computed when it is finished.
 */
#include "base/block_tree.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#define EXPORT_HEAD 24u

enum { TAG_LEAF = 0, TAG_NODE = 1, TAG_ROOT = 2 };

typedef struct leaf {
    unsigned char sum[MR_BLOCK_LEAF];
} leaf;

struct mr_block_tree {
    leaf *leaves;
    unsigned char *present; /* a bit for each leaf */
    uint32_t room;
    uint32_t end;       /* one past the highest leaf */
    mr_sha256 hash;     /* of the block that add() fills */
    uint32_t block_len; /* its bytes so far */
    uint64_t length;
    char digest[MR_DIGEST_TEXT];
};

mr_block_tree *mr_block_tree_new(void)
{
    return calloc(1, sizeof(mr_block_tree));
}

void mr_block_tree_free(mr_block_tree *tree)
{
    if (!tree)
        return;
    free(tree->leaves);
    free(tree->present);
    free(tree);
}

uint32_t mr_block_count(uint64_t length)
{
    return (uint32_t)((length + MR_BLOCK_SIZE - 1) / MR_BLOCK_SIZE);
}

/* ---- hashing ---- */

static void begin(mr_sha256 *hash, unsigned char tag)
{
    mr_sha256_begin(hash);
    mr_sha256_add(hash, &tag, 1);
}

void mr_block_leaf(const void *data, size_t len, unsigned char ret_leaf[MR_BLOCK_LEAF])
{
    mr_sha256 hash;
    begin(&hash, TAG_LEAF);
    mr_sha256_add(&hash, data, len);
    mr_sha256_end(&hash, ret_leaf);
}

void mr_block_leaf_two(const void *data, size_t len, unsigned char ret_leaf[MR_BLOCK_LEAF], const void *other_data, size_t other_len,
                       unsigned char ret_other[MR_BLOCK_LEAF])
{
    mr_sha256 one, other;
    begin(&one, TAG_LEAF);
    begin(&other, TAG_LEAF);
    mr_sha256_add_two(&one, data, len, &other, other_data, other_len);
    mr_sha256_end(&one, ret_leaf);
    mr_sha256_end(&other, ret_other);
}

/* The node over count leaves; the depth is at most 22, as MR_BLOCKS_MAX is 2^22. */
static void hash_nodes(const leaf *leaves, uint32_t count, unsigned char ret_sum[MR_BLOCK_LEAF]) // NOLINT(misc-no-recursion)
{
    unsigned char pair[2 * MR_BLOCK_LEAF];
    mr_sha256 hash;
    uint32_t left = 1;
    if (count == 1) {
        memcpy(ret_sum, leaves->sum, MR_BLOCK_LEAF);
        return;
    }
    while (left * 2 < count)
        left *= 2;
    hash_nodes(leaves, left, pair);
    hash_nodes(leaves + left, count - left, pair + MR_BLOCK_LEAF);
    begin(&hash, TAG_NODE);
    mr_sha256_add(&hash, pair, sizeof(pair));
    mr_sha256_end(&hash, ret_sum);
}

static void put_u64(unsigned char to[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(const unsigned char from[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void hash_root(const mr_block_tree *tree, uint64_t length, unsigned char ret_sum[MR_BLOCK_LEAF])
{
    static const char name[] = "millrace-tree-1";
    unsigned char numbers[16];
    unsigned char top[MR_BLOCK_LEAF];
    mr_sha256 hash;
    put_u64(numbers, MR_BLOCK_SIZE);
    put_u64(numbers + 8, length);
    mr_sha256_begin(&hash);
    mr_sha256_end(&hash, top);
    if (tree->end > 0)
        hash_nodes(tree->leaves, tree->end, top);
    begin(&hash, TAG_ROOT);
    mr_sha256_add(&hash, name, sizeof(name) - 1);
    mr_sha256_add(&hash, numbers, sizeof(numbers));
    mr_sha256_add(&hash, top, sizeof(top));
    mr_sha256_end(&hash, ret_sum);
}

/* ---- filling ---- */

static bool is_present(const mr_block_tree *tree, uint32_t index)
{
    return index < tree->end && (tree->present[index / 8] >> (index % 8) & 1);
}

static bool make_room(mr_block_tree *tree, uint32_t index)
{
    uint32_t room = tree->room ? tree->room : 64;
    while (room <= index)
        room *= 2;
    if (room == tree->room)
        return true;
    leaf *leaves = realloc(tree->leaves, room * sizeof(*leaves));
    if (!leaves)
        return false;
    tree->leaves = leaves;
    unsigned char *present = realloc(tree->present, room / 8);
    if (!present)
        return false;
    memset(present + tree->room / 8, 0, (room - tree->room) / 8);
    tree->present = present;
    tree->room = room;
    return true;
}

mr_status mr_block_tree_set(mr_block_tree *tree, uint32_t index, const unsigned char sum[MR_BLOCK_LEAF])
{
    if (index >= MR_BLOCKS_MAX)
        return MR_ERR_LIMIT;
    if (tree->digest[0])
        return MR_ERR_CONFLICT;
    if (!make_room(tree, index))
        return MR_ERR_NOMEM;
    memcpy(tree->leaves[index].sum, sum, MR_BLOCK_LEAF);
    tree->present[index / 8] |= (unsigned char)(1u << (index % 8));
    tree->end = index >= tree->end ? index + 1 : tree->end;
    return MR_OK;
}

static mr_status end_block(mr_block_tree *tree)
{
    unsigned char sum[MR_BLOCK_LEAF];
    mr_sha256_end(&tree->hash, sum);
    tree->block_len = 0;
    return mr_block_tree_set(tree, tree->end, sum);
}

mr_status mr_block_tree_add(mr_block_tree *tree, const void *data, size_t len)
{
    const unsigned char *from = data;
    mr_status status = MR_OK;
    if (len > MR_TREE_MAX - tree->length)
        return MR_ERR_LIMIT;
    while (len > 0 && status == MR_OK) {
        const size_t left = MR_BLOCK_SIZE - tree->block_len;
        const size_t some = len < left ? len : left;
        if (tree->block_len == 0)
            begin(&tree->hash, TAG_LEAF);
        mr_sha256_add(&tree->hash, from, some);
        tree->block_len += (uint32_t)some;
        tree->length += some;
        from += some;
        len -= some;
        if (tree->block_len == MR_BLOCK_SIZE)
            status = end_block(tree);
    }
    return status;
}

mr_status mr_block_tree_finish(mr_block_tree *tree, uint64_t length)
{
    unsigned char sum[MR_BLOCK_LEAF];
    mr_status status = tree->block_len > 0 ? end_block(tree) : MR_OK;
    if (status != MR_OK)
        return status;
    if (length > MR_TREE_MAX || tree->end != mr_block_count(length) || (tree->length && tree->length != length))
        return MR_ERR_CONFLICT;
    for (uint32_t i = 0; i < tree->end; i++) {
        if (!is_present(tree, i))
            return MR_ERR_CONFLICT;
    }
    hash_root(tree, length, sum);
    tree->length = length;
    mr_hash_text(sum, tree->digest);
    return MR_OK;
}

/* ---- finished ---- */

const char *mr_block_tree_digest(const mr_block_tree *tree)
{
    return tree->digest;
}

uint64_t mr_block_tree_length(const mr_block_tree *tree)
{
    return tree->length;
}

uint32_t mr_block_tree_count(const mr_block_tree *tree)
{
    return tree->end;
}

const unsigned char *mr_block_tree_leaf(const mr_block_tree *tree, uint32_t index)
{
    return is_present(tree, index) ? tree->leaves[index].sum : NULL;
}

mr_status mr_block_tree_export(const mr_block_tree *tree, void **ret_data, size_t *ret_len)
{
    const size_t leaves = (size_t)tree->end * MR_BLOCK_LEAF;
    *ret_data = NULL;
    *ret_len = 0;
    if (!tree->digest[0])
        return MR_ERR_CONFLICT;
    unsigned char *data = malloc(EXPORT_HEAD + leaves);
    if (!data)
        return MR_ERR_NOMEM;
    memcpy(data, "MRBT\1\0\0\0", 8);
    put_u64(data + 8, MR_BLOCK_SIZE);
    put_u64(data + 16, tree->length);
    if (leaves)
        memcpy(data + EXPORT_HEAD, tree->leaves, leaves);
    *ret_data = data;
    *ret_len = EXPORT_HEAD + leaves;
    return MR_OK;
}

mr_status mr_block_tree_import(const void *data, size_t len, mr_block_tree **ret_tree)
{
    const unsigned char *from = data;
    *ret_tree = NULL;
    if (len < EXPORT_HEAD || memcmp(from, "MRBT\1\0\0\0", 8) != 0 || get_u64(from + 8) != MR_BLOCK_SIZE)
        return MR_ERR_INPUT;
    const uint64_t length = get_u64(from + 16);
    if (length > MR_TREE_MAX || len - EXPORT_HEAD != (size_t)mr_block_count(length) * MR_BLOCK_LEAF)
        return MR_ERR_INPUT;
    mr_block_tree *tree = mr_block_tree_new();
    mr_status status = tree ? MR_OK : MR_ERR_NOMEM;
    for (uint32_t i = mr_block_count(length); i-- > 0 && status == MR_OK;)
        status = mr_block_tree_set(tree, i, from + EXPORT_HEAD + (size_t)i * MR_BLOCK_LEAF);
    if (status == MR_OK)
        status = mr_block_tree_finish(tree, length);
    if (status != MR_OK) {
        mr_block_tree_free(tree);
        return status;
    }
    *ret_tree = tree;
    return MR_OK;
}
