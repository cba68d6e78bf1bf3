/* SPDX-License-Identifier: MIT */
/* Sources by themselves: what stands for a file, and when a change is seen. */
#include "base/file.h"
#include "runtime/source.h"
#include "runtime/state/store.h"

#include "../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL (3u * MR_BLOCK_SIZE + 1000u)
#define LARGE ((size_t)MR_SOURCE_FIRST + 5u * MR_BLOCK_SIZE)

typedef struct world {
    char dir[64];
    char *state;
    mr_catalogue *catalogue;
    mr_diags *diags;
} world;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    mr_store *store = NULL;
    memcpy(it->dir, "/tmp/millrace-test-XXXXXX", sizeof("/tmp/millrace-test-XXXXXX"));
    assert_non_null(mkdtemp(it->dir));
    it->state = mr_path_join(it->dir, "state");
    it->diags = mr_diags_new();
    assert_int_equal(mr_store_open(it->state, it->diags, &store), MR_OK);
    mr_store_close(store);
    assert_int_equal(mr_catalogue_open(it->state, it->diags, &it->catalogue), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_catalogue_close(it->catalogue);
    mr_diags_free(it->diags);
    mr_dir_remove(it->dir, NULL);
    free(it->state);
    free(it);
    return 0;
}

static char *path_in(const world *it, const char *name)
{
    return mr_path_join(it->dir, name);
}

static void write_bytes(const char *path, size_t len, unsigned seed)
{
    unsigned char *data = malloc(len);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_non_null(data);
    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)((i + seed) * 2654435761u >> 13);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
    free(data);
}

/* In place, and then as if nothing had been. */
static void change_byte(const char *path, off_t at)
{
    struct stat info;
    unsigned char byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(futimens(fd, (struct timespec[]){info.st_atim, info.st_mtim}), 0);
    close(fd);
}

typedef struct opened {
    int fd;
    mr_source *source;
} opened;

static opened open_it(world *it, const char *path, bool planning)
{
    const mr_source_options options = {.catalogue = it->catalogue, .input = "source", .path = path, .jobs = 2, .planning = planning};
    opened file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    assert_true(file.fd >= 0);
    assert_int_equal(mr_source_open(&options, file.fd, it->diags, &file.source), MR_OK);
    return file;
}

static void close_it(opened *file, bool finish)
{
    mr_source_close(file->source, finish);
    close(file->fd);
}

/* The key that a run would get; what is begun alongside is ended. */
static void key_of(world *it, const char *path, char key[MR_DIGEST_TEXT])
{
    opened file = open_it(it, path, false);
    memcpy(key, mr_source_key(file.source), MR_DIGEST_TEXT);
    close_it(&file, true);
}

static void assert_changed(world *it, opened *file, bool changed)
{
    (void)it;
    char *why = NULL;
    assert_int_equal(mr_source_check(file->source, &why), changed ? MR_ERR_CONFLICT : MR_OK);
    if (changed)
        assert_non_null(strstr(why, "input 'source' changed while it was read: "));
    else
        assert_null(why);
    free(why);
}

static void moved_touched_copied_changed(world *it, size_t size)
{
    char keys[7][MR_DIGEST_TEXT];
    char *first = path_in(it, "a.mp4");
    char *second = path_in(it, "b.mp4");
    write_bytes(first, size, 1);
    key_of(it, first, keys[0]);
    key_of(it, first, keys[1]); /* by what is cheap */
    assert_int_equal(rename(first, second), 0);
    key_of(it, second, keys[2]);
    assert_int_equal(utimensat(AT_FDCWD, second, NULL, 0), 0);
    key_of(it, second, keys[3]);
    write_bytes(first, size, 1); /* another inode */
    key_of(it, first, keys[4]);
    for (int i = 1; i <= 4; i++)
        assert_string_equal(keys[i], keys[0]);
    change_byte(second, (off_t)size - 1);
    key_of(it, second, keys[5]);
    assert_string_not_equal(keys[5], keys[0]);
    change_byte(second, (off_t)size - 1); /* and back */
    key_of(it, second, keys[6]);
    assert_string_equal(keys[6], keys[0]);
    free(first);
    free(second);
}

static void test_a_small_file_is_its_content(void **context)
{
    moved_touched_copied_changed(*context, SMALL);
}

static void test_a_large_file_is_its_content_once_it_was_read(void **context)
{
    moved_touched_copied_changed(*context, LARGE);
}

static void test_a_large_file_has_a_key_at_once(void **context)
{
    world *it = *context;
    char key[MR_DIGEST_TEXT];
    char *path = path_in(it, "a.mp4");
    write_bytes(path, LARGE, 1);
    opened file = open_it(it, path, true);
    assert_int_equal(strncmp(mr_source_key(file.source), "source:", 7), 0);
    assert_false(mr_catalogue_knows_size(it->catalogue, LARGE));
    close_it(&file, true);
    key_of(it, path, key);
    assert_int_equal(strncmp(key, "source:", 7), 0);
    assert_true(mr_catalogue_knows_size(it->catalogue, LARGE)); /* closing it waited: little was left */
    mr_block_tree *tree = mr_catalogue_tree(it->catalogue, key);
    assert_non_null(tree);
    assert_int_equal(mr_block_tree_length(tree), LARGE);
    mr_block_tree_free(tree);
    free(path);
}

static void test_the_writer_of_a_file_knows_its_digest(void **context)
{
    world *it = *context;
    char digest[MR_DIGEST_TEXT];
    char *path = path_in(it, "a.mp4");
    const uint32_t count = mr_block_count(LARGE);
    unsigned char *leaves = malloc((size_t)count * MR_BLOCK_LEAF);
    mr_block_tree *tree = NULL;
    write_bytes(path, LARGE, 1);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(mr_block_tree_of_fd(fd, LARGE, 1, NULL, NULL, &tree), MR_OK);
    for (uint32_t i = 0; i < count; i++)
        memcpy(leaves + (size_t)i * MR_BLOCK_LEAF, mr_block_tree_leaf(tree, i), MR_BLOCK_LEAF);
    assert_int_equal(mr_source_learn(it->catalogue, fd, LARGE, leaves, count - 1, digest), MR_ERR_PARAM);
    assert_int_equal(mr_source_learn(it->catalogue, fd, LARGE - 1, leaves, count, digest), MR_ERR_CONFLICT);
    assert_false(mr_catalogue_knows_size(it->catalogue, LARGE));
    assert_int_equal(mr_source_learn(it->catalogue, fd, LARGE, leaves, count, digest), MR_OK);
    assert_string_equal(digest, mr_block_tree_digest(tree));
    opened file = open_it(it, path, false); /* large, and yet not by a random key */
    assert_string_equal(mr_source_key(file.source), digest);
    close_it(&file, false);
    mr_block_tree_free(tree);
    free(leaves);
    close(fd);
    free(path);
}

/* A run that is killed has no digest; the next one goes on with the same key, by what is cheap. */
static void test_a_large_file_keeps_its_key_without_a_digest(void **context)
{
    world *it = *context;
    char key[MR_DIGEST_TEXT];
    char *path = path_in(it, "a.mp4");
    write_bytes(path, LARGE, 1);
    opened file = open_it(it, path, false);
    memcpy(key, mr_source_key(file.source), MR_DIGEST_TEXT);
    close_it(&file, false);
    file = open_it(it, path, false);
    assert_string_equal(mr_source_key(file.source), key);
    close_it(&file, false);
    change_byte(path, 3);
    file = open_it(it, path, false);
    assert_string_not_equal(mr_source_key(file.source), key);
    close_it(&file, false);
    free(path);
}

static void test_two_who_open_it_at_once_have_one_key(void **context)
{
    world *it = *context;
    char *path = path_in(it, "a.mp4");
    write_bytes(path, LARGE, 1);
    opened first = open_it(it, path, false);
    opened second = open_it(it, path, false);
    assert_string_equal(mr_source_key(first.source), mr_source_key(second.source));
    close_it(&first, false);
    close_it(&second, false);
    free(path);
}

static void test_a_change_is_seen(void **context)
{
    world *it = *context;
    char *path = path_in(it, "a.mp4");
    char *other = path_in(it, "b.mp4");
    for (int how = 0; how < 4; how++) {
        write_bytes(path, SMALL, 1);
        opened file = open_it(it, path, false);
        assert_changed(it, &file, false);
        if (how == 0)
            change_byte(path, 5);
        else if (how == 1)
            assert_int_equal(truncate(path, 100), 0);
        else if (how == 2)
            assert_int_equal(truncate(path, SMALL + 1), 0);
        else
            write_bytes(path, SMALL, 2);
        assert_changed(it, &file, true);
        if (how == 0)
            change_byte(path, 5);
        assert_changed(it, &file, true); /* it stays so: what was read in between is not known */
        close_it(&file, true);
    }
    write_bytes(path, SMALL, 1);
    opened file = open_it(it, path, false);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    assert_changed(it, &file, false);
    assert_int_equal(rename(path, other), 0);
    assert_changed(it, &file, false);
    assert_int_equal(unlink(other), 0);
    assert_changed(it, &file, false);
    close_it(&file, true);
    free(path);
    free(other);
}

static void test_blocks_are_compared(void **context)
{
    world *it = *context;
    char key[MR_DIGEST_TEXT];
    char *path = path_in(it, "a.mp4");
    write_bytes(path, SMALL, 1);
    key_of(it, path, key);
    change_byte(path, 2 * (off_t)MR_BLOCK_SIZE + 7);
    opened file = open_it(it, path, false);
    assert_string_not_equal(mr_source_key(file.source), key);
    static const char *const same[] = {"0", "1", "3", "0-1", "0-1,3", "0,1,3"};
    static const char *const not_same[] = {
        "2", "0-2", "0-3", "1,2", "2,3", "", "4", "0-4", "1-0", "x", "0-", "0,", "0x", "-1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_true(mr_source_same_blocks(file.source, key, same[i]));
    for (size_t i = 0; i < sizeof(not_same) / sizeof(not_same[0]); i++)
        assert_false(mr_source_same_blocks(file.source, key, not_same[i]));
    assert_false(mr_source_same_blocks(file.source, "sha256:unknown", "0"));
    close_it(&file, true);
    free(path);
}

static void test_a_file_that_grows_is_refused(void **context)
{
    world *it = *context;
    char *path = path_in(it, "a.mp4");
    write_bytes(path, 100, 1);
    opened file = open_it(it, path, false);
    assert_int_equal(mr_source_size(file.source), 100);
    assert_int_equal(truncate(path, 200), 0);
    assert_changed(it, &file, true);
    close_it(&file, true);
    mr_file_state state = {.size = 100};
    char key[MR_DIGEST_TEXT];
    assert_false(mr_catalogue_find_source(it->catalogue, &state, key)); /* forgotten */
    free(path);
}

static void test_times_are_not_trusted_before_they_can_be(void **context)
{
    world *it = *context;
    char key[MR_DIGEST_TEXT];
    const mr_file_state state = {.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
    const mr_file_state changed = {.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 6};
    mr_catalogue_claim_source(it->catalogue, &state, false, "source:1", key);
    assert_string_equal(key, "source:1");
    assert_false(mr_catalogue_find_source(it->catalogue, &state, key));
    mr_catalogue_claim_source(it->catalogue, &state, true, "source:2", key);
    assert_string_equal(key, "source:2");
    mr_catalogue_claim_source(it->catalogue, &state, true, "source:3", key);
    assert_string_equal(key, "source:2");
    assert_false(mr_catalogue_find_source(it->catalogue, &changed, key));
    mr_catalogue_set_source(it->catalogue, &changed, true, "source:4");
    assert_true(mr_catalogue_find_source(it->catalogue, &changed, key));
    assert_string_equal(key, "source:4");
    assert_false(mr_catalogue_find_source(it->catalogue, &state, key)); /* one content under an inode */
    mr_catalogue_forget_source(it->catalogue, &changed);
    assert_false(mr_catalogue_find_source(it->catalogue, &changed, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_small_file_is_its_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_file_is_its_content_once_it_was_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_file_has_a_key_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_writer_of_a_file_knows_its_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_file_keeps_its_key_without_a_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_who_open_it_at_once_have_one_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_change_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocks_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_grows_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_are_not_trusted_before_they_can_be, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
