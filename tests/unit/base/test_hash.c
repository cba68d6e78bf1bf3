/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "../test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From FIPS 180-4's examples. */
static const char of_abc[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char of_nothing[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void known_digests(void **state)
{
    (void)state;
    char digest[MR_DIGEST_TEXT];
    mr_digest("abc", 3, digest);
    assert_string_equal(digest, of_abc);
    mr_digest("", 0, digest);
    assert_string_equal(digest, of_nothing);
    assert_int_equal(strlen(digest) + 1, MR_DIGEST_TEXT);
}

static void pieces_are_the_whole_and_finish_starts_anew(void **state)
{
    (void)state;
    char digest[MR_DIGEST_TEXT];
    mr_hash *hash = mr_hash_new();
    assert_non_null(hash);
    for (int i = 0; i < 2; i++) {
        mr_hash_add(hash, "a", 1);
        mr_hash_add(hash, NULL, 0);
        mr_hash_add(hash, "bc", 2);
        mr_hash_finish(hash, digest);
        assert_string_equal(digest, of_abc);
    }
    mr_hash_finish(hash, digest);
    assert_string_equal(digest, of_nothing);
    mr_hash_free(hash);
    mr_hash_free(NULL);
}

static void digest_of_texts(const char *const *texts, size_t count, char digest[MR_DIGEST_TEXT])
{
    mr_hash *hash = mr_hash_new();
    for (size_t i = 0; i < count; i++)
        mr_hash_add_text(hash, texts[i]);
    mr_hash_finish(hash, digest);
    mr_hash_free(hash);
}

static void texts_do_not_run_together(void **state)
{
    (void)state;
    static const char *const lists[][3] = {{"ab", "c", ""},   {"a", "bc", ""},   {"abc", "", ""},  {"", "abc", ""},
                                           {NULL, "abc", ""}, {"abc", NULL, ""}, {"abc", "", NULL}};
    enum { COUNT = sizeof(lists) / sizeof(lists[0]) };
    char digests[COUNT][MR_DIGEST_TEXT];
    for (size_t i = 0; i < COUNT; i++) {
        digest_of_texts(lists[i], 3, digests[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(digests[i], digests[j]);
    }
}

static void files_from_their_start(void **state)
{
    (void)state;
    char digest[MR_DIGEST_TEXT];
    char expected[MR_DIGEST_TEXT];
    enum { SIZE = 700001 }; /* several reads and a rest */
    char *data = malloc(SIZE);
    assert_non_null(data);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31);
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(write(fd, data, SIZE), SIZE);
    assert_int_equal(lseek(fd, 1234, SEEK_SET), 1234);
    mr_digest(data, SIZE, expected);
    assert_int_equal(mr_digest_fd(fd, digest), MR_OK);
    assert_string_equal(digest, expected);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 1234);
    close(fd);
    free(data);
    assert_int_equal(mr_digest_fd(-1, digest), MR_ERR_IO);
    assert_string_equal(digest, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(pieces_are_the_whole_and_finish_starts_anew),
        cmocka_unit_test(texts_do_not_run_together),
        cmocka_unit_test(files_from_their_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
