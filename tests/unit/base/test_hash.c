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

/* Messages that begin anywhere in a block, and end anywhere. */
static void two_at_a_time_are_as_one_by_one(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    static const size_t lengths[] = {0, 1, 55, 56, 63, 64, 65, 127, 128, 129, 640, 999};
    static const size_t befores[] = {0, 1, 63, 64, 100};
    enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]), BEFORES = sizeof(befores) / sizeof(befores[0]) };
    char data[2][MOST];
    char digests[2][MR_DIGEST_TEXT], expected[2][MR_DIGEST_TEXT];
    mr_hash *alone[2] = {mr_hash_new(), mr_hash_new()};
    mr_hash *together[2] = {mr_hash_new(), mr_hash_new()};
    for (int i = 0; i < MOST; i++) {
        data[0][i] = (char)(i * 31 + 7);
        data[1][i] = (char)(i * 101 + i / 256);
    }
    for (size_t i = 0; i < LENGTHS * LENGTHS * BEFORES * BEFORES; i++) {
        const size_t len[2] = {lengths[i % LENGTHS], lengths[i / LENGTHS % LENGTHS]};
        const size_t before[2] = {befores[i / LENGTHS / LENGTHS % BEFORES], befores[i / LENGTHS / LENGTHS / BEFORES]};
        for (int k = 0; k < 2; k++) {
            mr_hash_add(alone[k], data[1 - k], before[k]);
            mr_hash_add(alone[k], data[k], len[k]);
            mr_hash_add(together[k], data[1 - k], before[k]);
        }
        mr_hash_add_two(together[0], data[0], len[0], together[1], data[1], len[1]);
        for (int k = 0; k < 2; k++) {
            mr_hash_add(alone[k], "rest", 4);
            mr_hash_add(together[k], "rest", 4);
            mr_hash_finish(alone[k], expected[k]);
            mr_hash_finish(together[k], digests[k]);
            assert_string_equal(digests[k], expected[k]);
        }
    }
    for (int k = 0; k < 2; k++) {
        mr_hash_free(alone[k]);
        mr_hash_free(together[k]);
    }
}

/* Bits are counted in two words of 32. */
static void two_of_more_than_512_megabytes(void **state)
{
    (void)state;
    enum { STEP = 1 << 20, STEPS = 513 };
    char alone[MR_DIGEST_TEXT], digests[2][MR_DIGEST_TEXT];
    char *zeros = calloc(1, STEP);
    mr_hash *one = mr_hash_new(), *other = mr_hash_new();
    assert_non_null(zeros);
    for (int i = 0; i < STEPS; i++)
        mr_hash_add(one, zeros, STEP);
    mr_hash_finish(one, alone);
    for (int i = 0; i < STEPS; i++)
        mr_hash_add_two(one, zeros, STEP, other, zeros, STEP);
    mr_hash_finish(one, digests[0]);
    mr_hash_finish(other, digests[1]);
    assert_string_equal(digests[0], alone);
    assert_string_equal(digests[1], alone);
    mr_hash_free(one);
    mr_hash_free(other);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(pieces_are_the_whole_and_finish_starts_anew),
        cmocka_unit_test(texts_do_not_run_together),
        cmocka_unit_test(files_from_their_start),
        cmocka_unit_test(two_at_a_time_are_as_one_by_one),
        cmocka_unit_test(two_of_more_than_512_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
