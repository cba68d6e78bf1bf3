/* SPDX-License-Identifier: MIT */
/*
 * The tree itself; see the header for its construction. Only leaves are kept: the nodes above are few hashes against reading the file, and are
 * computed when it is finished.
 */
#include "base/block_tree.h"

#include <openssl/evp.h>
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
    EVP_MD_CTX *hash;   /* of the block that add() fills */
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
    EVP_MD_CTX_free(tree->hash);
    free(tree->leaves);
    free(tree->present);
    free(tree);
}

uint32_t mr_block_count(uint64_t length)
{
    return (uint32_t)((length + MR_BLOCK_SIZE - 1) / MR_BLOCK_SIZE);
}

/* ---- hashing ---- */

static bool begin(EVP_MD_CTX *hash, unsigned char tag)
{
    return EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(hash, &tag, 1) == 1;
}

static bool end(EVP_MD_CTX *hash, unsigned char ret_sum[MR_BLOCK_LEAF])
{
    return EVP_DigestFinal_ex(hash, ret_sum, NULL) == 1;
}

mr_status mr_block_leaf(const void *data, size_t len, unsigned char ret_leaf[MR_BLOCK_LEAF])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool good = hash && begin(hash, TAG_LEAF) && EVP_DigestUpdate(hash, data, len) == 1 && end(hash, ret_leaf);
    EVP_MD_CTX_free(hash);
    return good ? MR_OK : MR_ERR_NOMEM;
}

/* The node over count leaves; the depth is at most 22, as MR_BLOCKS_MAX is 2^22. */
static bool hash_nodes(EVP_MD_CTX *hash, const leaf *leaves, uint32_t count, unsigned char ret_sum[MR_BLOCK_LEAF]) // NOLINT(misc-no-recursion)
{
    unsigned char pair[2 * MR_BLOCK_LEAF];
    uint32_t left = 1;
    if (count == 1) {
        memcpy(ret_sum, leaves->sum, MR_BLOCK_LEAF);
        return true;
    }
    while (left * 2 < count)
        left *= 2;
    return hash_nodes(hash, leaves, left, pair) && hash_nodes(hash, leaves + left, count - left, pair + MR_BLOCK_LEAF) && begin(hash, TAG_NODE) &&
           EVP_DigestUpdate(hash, pair, sizeof(pair)) == 1 && end(hash, ret_sum);
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

static bool hash_root(const mr_block_tree *tree, uint64_t length, unsigned char ret_sum[MR_BLOCK_LEAF])
{
    static const char name[] = "millrace-tree-1";
    unsigned char numbers[16];
    unsigned char top[MR_BLOCK_LEAF];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    put_u64(numbers, MR_BLOCK_SIZE);
    put_u64(numbers + 8, length);
    bool good = hash != NULL;
    if (good && tree->end == 0)
        good = EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 && end(hash, top);
    else if (good)
        good = hash_nodes(hash, tree->leaves, tree->end, top);
    good = good && begin(hash, TAG_ROOT) && EVP_DigestUpdate(hash, name, sizeof(name) - 1) == 1 &&
           EVP_DigestUpdate(hash, numbers, sizeof(numbers)) == 1 && EVP_DigestUpdate(hash, top, sizeof(top)) == 1 && end(hash, ret_sum);
    EVP_MD_CTX_free(hash);
    return good;
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
    if (!end(tree->hash, sum))
        return MR_ERR_NOMEM;
    tree->block_len = 0;
    return mr_block_tree_set(tree, tree->end, sum);
}

mr_status mr_block_tree_add(mr_block_tree *tree, const void *data, size_t len)
{
    const unsigned char *from = data;
    mr_status status = MR_OK;
    if (len > MR_TREE_MAX - tree->length)
        return MR_ERR_LIMIT;
    if (!tree->hash && !(tree->hash = EVP_MD_CTX_new()))
        return MR_ERR_NOMEM;
    while (len > 0 && status == MR_OK) {
        const size_t left = MR_BLOCK_SIZE - tree->block_len;
        const size_t some = len < left ? len : left;
        if ((tree->block_len == 0 && !begin(tree->hash, TAG_LEAF)) || EVP_DigestUpdate(tree->hash, from, some) != 1)
            return MR_ERR_NOMEM;
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
    if (!hash_root(tree, length, sum))
        return MR_ERR_NOMEM;
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
