/* SPDX-License-Identifier: MIT */
#include "base/block_tree.h"
#include "../test.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From tests/unit/base/block_tree.py, which knows nothing of the code; a test of its own compares them. */
static const struct known {
    uint64_t length;
    const char *digest;
} known[] = {
    {0, "sha256:7521841b6db85a0e74df074912717ffb4d484b7ae0f34a1ecb60421f95bdea05"},
    {1, "sha256:216f213792cf1bc5e05568c2263b997f0f29fb63eaf600240ee1dd83a0c0d6eb"},
    {255, "sha256:6767b9679a7c7760a17ae8f24630d73ba9425685f7b9af1422dbca0f8d0ddb71"},
    {262143, "sha256:02a75ceaf715126af057f7aa66c7fa0f4926d3c12560ae75763a777503dd128c"},
    {262144, "sha256:54b4117c553e935e71a0c71828e30575c83622ac85248eb14ee53aaef3c17dd2"},
    {262145, "sha256:2ef147a83dcce42d6d84c977e792610a4832d4a7b16929f9ad03242f710941fd"},
    {524288, "sha256:3501df9d3e249c926f4c26d57db470169c17c328c32d674c9a71b8a6b8486242"},
    {786432, "sha256:724242213e5f7962286b0a76bcae4c873d8a4d6a11e14b507d39f5cb75e5946d"},
    {786449, "sha256:2f9c7c2236af02e3f6510a3fc5f6ee45ab8e013b2465a5f1f5b3befa13cb2f80"},
    {1310720, "sha256:18c6f6c7672ef1c2470a086be50420a7e7f74300a714da41bfa0beb54a99d143"},
    {2097152, "sha256:464f2b20beec48b972f14099295e785143dd458d6010555ef55a5d0d8169b26d"},
    {3411968, "sha256:b1d3932535d98357b6b730ef9dfae7a48e9c7a568fafa323628e764b48d5253d"},
};
#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))
#define MOST        (13u * MR_BLOCK_SIZE + 4096u)

static unsigned char *content;

static int make_content(void **state)
{
    (void)state;
    content = malloc(MOST);
    for (uint64_t i = 0; content && i < MOST; i++)
        content[i] = (unsigned char)(i * 2654435761u >> 13);
    return content ? 0 : -1;
}

static int free_content(void **state)
{
    (void)state;
    free(content);
    return 0;
}

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        mr_block_tree *tree = mr_block_tree_new();
        assert_int_equal(mr_block_tree_add(tree, content, known[i].length), MR_OK);
        assert_int_equal(mr_block_tree_finish(tree, known[i].length), MR_OK);
        assert_string_equal(mr_block_tree_digest(tree), known[i].digest);
        assert_int_equal(mr_block_tree_length(tree), known[i].length);
        assert_int_equal(mr_block_tree_count(tree), mr_block_count(known[i].length));
        mr_block_tree_free(tree);
    }
    mr_block_tree_free(NULL);
}

static uint32_t random_of(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void any_split_gives_the_same_root(void **state)
{
    (void)state;
    uint32_t seed = 20260101;
    for (int round = 0; round < 20; round++) {
        const struct known *want = &known[(size_t)round % KNOWN_COUNT];
        mr_block_tree *tree = mr_block_tree_new();
        const uint32_t most = 1u << (round % 20);
        for (uint64_t at = 0; at < want->length;) {
            uint64_t some = random_of(&seed) % most + 1;
            some = some > want->length - at ? want->length - at : some;
            if (most < 64 && want->length - at > 4096) /* byte by byte at a start and an end, not for megabytes */
                some = at < 4096 ? some : want->length - at - 4096;
            assert_int_equal(mr_block_tree_add(tree, content + at, (size_t)some), MR_OK);
            at += some;
        }
        assert_int_equal(mr_block_tree_finish(tree, want->length), MR_OK);
        assert_string_equal(mr_block_tree_digest(tree), want->digest);
        mr_block_tree_free(tree);
    }
}

static void leaves_may_come_in_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const uint32_t count = mr_block_count(known[i].length);
        mr_block_tree *tree = mr_block_tree_new();
        for (uint32_t k = 0; k < count; k++) {
            const uint32_t index = (k * 11 + 3) % count; /* 11 divides none of the counts */
            const uint64_t at = (uint64_t)index * MR_BLOCK_SIZE;
            unsigned char leaf[MR_BLOCK_LEAF];
            assert_int_equal(mr_block_leaf(content + at, (size_t)(known[i].length - at < MR_BLOCK_SIZE ? known[i].length - at : MR_BLOCK_SIZE), leaf),
                             MR_OK);
            assert_int_equal(mr_block_tree_finish(tree, known[i].length), MR_ERR_CONFLICT);
            assert_int_equal(mr_block_tree_set(tree, index, leaf), MR_OK);
        }
        assert_int_equal(mr_block_tree_finish(tree, known[i].length), MR_OK);
        assert_string_equal(mr_block_tree_digest(tree), known[i].digest);
        mr_block_tree_free(tree);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    unsigned char leaf[MR_BLOCK_LEAF] = {0};
    mr_block_tree *tree = mr_block_tree_new();
    assert_int_equal(mr_block_tree_set(tree, MR_BLOCKS_MAX, leaf), MR_ERR_LIMIT);
    assert_int_equal(mr_block_tree_add(tree, content, 100), MR_OK);
    assert_int_equal(mr_block_tree_finish(tree, 101), MR_ERR_CONFLICT);
    assert_string_equal(mr_block_tree_digest(tree), "");
    assert_int_equal(mr_block_tree_finish(tree, 100), MR_OK);
    assert_int_equal(mr_block_tree_set(tree, 0, leaf), MR_ERR_CONFLICT);
    assert_null(mr_block_tree_leaf(tree, 1));
    mr_block_tree_free(tree);
}

static void exported_and_imported(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        mr_block_tree *tree = mr_block_tree_new();
        mr_block_tree *other = NULL;
        void *data = NULL;
        size_t len = 0;
        assert_int_equal(mr_block_tree_add(tree, content, known[i].length), MR_OK);
        assert_int_equal(mr_block_tree_export(tree, &data, &len), MR_ERR_CONFLICT);
        assert_int_equal(mr_block_tree_finish(tree, known[i].length), MR_OK);
        assert_int_equal(mr_block_tree_export(tree, &data, &len), MR_OK);
        assert_int_equal(mr_block_tree_import(data, len, &other), MR_OK);
        assert_string_equal(mr_block_tree_digest(other), known[i].digest);
        for (uint32_t b = 0; b < mr_block_tree_count(tree); b++)
            assert_memory_equal(mr_block_tree_leaf(tree, b), mr_block_tree_leaf(other, b), MR_BLOCK_LEAF);
        mr_block_tree_free(other);
        assert_int_equal(mr_block_tree_import(data, len - 1, &other), MR_ERR_INPUT);
        assert_null(other);
        for (size_t at = 0; at < 16; at++) { /* the head, but the low bytes of the length */
            ((unsigned char *)data)[at] ^= 0x40;
            assert_int_equal(mr_block_tree_import(data, len, &other), MR_ERR_INPUT);
            ((unsigned char *)data)[at] ^= 0x40;
        }
        ((unsigned char *)data)[len - 1] ^= 1;
        if (mr_block_tree_import(data, len, &other) == MR_OK)
            assert_string_not_equal(mr_block_tree_digest(other), known[i].digest);
        mr_block_tree_free(other);
        mr_block_tree_free(tree);
        free(data);
    }
}

static void of_files(void **state)
{
    (void)state;
    atomic_ullong done = 0;
    atomic_bool cancel = true;
    mr_block_tree *tree = NULL;
    int fd = memfd_create("tree", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, MOST), MOST);
    for (uint32_t threads = 0; threads <= 40; threads += 3) {
        const struct known *want = &known[threads % KNOWN_COUNT];
        atomic_store(&done, 0);
        assert_int_equal(mr_block_tree_of_fd(fd, want->length, threads, NULL, &done, &tree), MR_OK);
        assert_string_equal(mr_block_tree_digest(tree), want->digest);
        assert_int_equal(atomic_load(&done), want->length);
        mr_block_tree_free(tree);
    }
    assert_int_equal(mr_block_tree_of_fd(fd, MOST, 2, &cancel, NULL, &tree), MR_ERR_CANCELLED);
    assert_null(tree);
    assert_int_equal(mr_block_tree_of_fd(fd, MOST + 1, 2, NULL, NULL, &tree), MR_ERR_CONFLICT);
    assert_int_equal(mr_block_tree_of_fd(fd, MR_TREE_MAX + 1, 2, NULL, NULL, &tree), MR_ERR_LIMIT);
    assert_int_equal(mr_block_tree_of_fd(-1, MOST, 2, NULL, NULL, &tree), MR_ERR_IO);
    assert_int_equal(errno, EBADF);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(any_split_gives_the_same_root),
        cmocka_unit_test(leaves_may_come_in_any_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(exported_and_imported),
        cmocka_unit_test(of_files),
    };
    return cmocka_run_group_tests(tests, make_content, free_content);
}
