/* SPDX-License-Identifier: MIT */
/* The file of an upload: whatever the pieces that it comes in, its bytes and the leaves of its blocks are right, hashed aside or not. */
#include "api-server/uploads/file.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE (24u << 20) /* enough for a thread of its own, and some bytes after it */
#define REST 12345

static char folder_name[] = "/tmp/upload-file-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder_name) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder_name); /* nothing was left in it */
}

static void fill(unsigned char *bytes, size_t len)
{
    uint32_t state = 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
}

static void check_leaf(const unsigned char *leaf, const unsigned char *bytes, size_t len)
{
    unsigned char expected[MR_UPLOAD_LEAF];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(hash, EVP_sha256(), NULL) & EVP_DigestUpdate(hash, "\0", 1) & EVP_DigestUpdate(hash, bytes, len) &
                         EVP_DigestFinal_ex(hash, expected, NULL),
                     1);
    EVP_MD_CTX_free(hash);
    assert_memory_equal(leaf, expected, sizeof(expected));
}

/* Those that are in the file beside, not only those that are made when they are missing. */
static void check_leaves(int folder, const char *name, const unsigned char *bytes, size_t len)
{
    char path[MR_UPLOAD_PATH];
    unsigned char leaf[MR_UPLOAD_LEAF];
    unsigned char *leaves = NULL;
    size_t count = 0;
    snprintf(path, sizeof(path), "%s.leaves", name);
    const int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; (i + 1) * MR_UPLOAD_BLOCK <= len; i++) {
        assert_int_equal(pread(fd, leaf, sizeof(leaf), (off_t)(i * sizeof(leaf))), sizeof(leaf));
        check_leaf(leaf, bytes + i * MR_UPLOAD_BLOCK, MR_UPLOAD_BLOCK);
    }
    close(fd);
    assert_int_equal(mr_upload_file_leaves(folder, name, (int64_t)len, &leaves, &count), MR_OK);
    assert_int_equal(count, (len + MR_UPLOAD_BLOCK - 1) / MR_UPLOAD_BLOCK);
    check_leaf(leaves + (count - 1) * MR_UPLOAD_LEAF, bytes + (count - 1) * MR_UPLOAD_BLOCK, len - (count - 1) * MR_UPLOAD_BLOCK);
    free(leaves);
}

static void write_in_pieces(int folder, const char *name, const unsigned char *bytes, size_t len, size_t (*piece)(size_t at))
{
    mr_upload_file file;
    assert_int_equal(mr_upload_file_create(folder, name), MR_OK);
    assert_int_equal(mr_upload_file_open(folder, name, 0, (int64_t)len, true, &file), MR_OK);
    for (size_t at = 0; at < len;) {
        const size_t some = piece(at) < len - at ? piece(at) : len - at;
        assert_int_equal(mr_upload_file_write(&file, bytes + at, some), MR_OK);
        at += some;
    }
    assert_int_equal(file.at, len);
    assert_int_equal(mr_upload_file_sync(&file), MR_OK);
    mr_upload_file_close(&file);
    mr_upload_file_close(&file);
    check_leaves(folder, name, bytes, len);
    unsigned char *read_back = malloc(len);
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, read_back, len), len);
    assert_memory_equal(read_back, bytes, len);
    close(fd);
    free(read_back);
    mr_upload_file_remove(folder, name);
}

static size_t whole_blocks(size_t at)
{
    (void)at;
    return MR_UPLOAD_BLOCK;
}

static size_t across_blocks(size_t at)
{
    (void)at;
    return 200001;
}

static size_t at_once(size_t at)
{
    (void)at;
    return SIZE + REST;
}

/* Fast, then slow, then fast again: the thread goes, and another comes. */
static size_t sometimes_small(size_t at)
{
    return at > 18u << 20 && at < 19u << 20 ? 5003 : MR_UPLOAD_BLOCK - 3;
}

static void test_pieces(void **state)
{
    size_t (*const ways[])(size_t at) = {whole_blocks, across_blocks, at_once, sometimes_small};
    unsigned char *bytes = malloc(SIZE + REST);
    (void)state;
    fill(bytes, SIZE + REST);
    const int folder = open(folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        write_in_pieces(folder, "one", bytes, SIZE + REST, ways[i]);
    close(folder);
    free(bytes);
}

/* More than there are threads for: nobody waits for one, and each is right. */
static void test_many(void **state)
{
    enum { MANY = 4, LENGTH = 20 << 20 };
    mr_upload_file files[MANY];
    char name[MANY][8];
    unsigned char *bytes = malloc(LENGTH);
    (void)state;
    fill(bytes, LENGTH);
    const int folder = open(folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < MANY; i++) {
        snprintf(name[i], sizeof(name[i]), "%d", i);
        assert_int_equal(mr_upload_file_create(folder, name[i]), MR_OK);
        assert_int_equal(mr_upload_file_open(folder, name[i], 0, LENGTH, true, &files[i]), MR_OK);
    }
    for (size_t at = 0; at < LENGTH; at += MR_UPLOAD_BLOCK)
        for (int i = 0; i < MANY; i++)
            assert_int_equal(mr_upload_file_write(&files[i], bytes + at, MR_UPLOAD_BLOCK), MR_OK);
    for (int i = 0; i < MANY; i++) {
        mr_upload_file_close(&files[i]);
        check_leaves(folder, name[i], bytes, LENGTH);
        mr_upload_file_remove(folder, name[i]);
    }
    close(folder);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
