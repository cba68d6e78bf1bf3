/* SPDX-License-Identifier: MIT */
/* Contents by digest: any order of writing, several threads and processes, leftovers, a full disk. */
#include "base/file.h"
#include "runtime/state/objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    char state[64];
    mr_diags *diags;
    mr_objects *objects;
} world;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->state, sizeof(it->state), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->state));
    it->diags = mr_diags_new();
    assert_int_equal(mr_objects_open(it->state, it->diags, &it->objects), MR_OK);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_objects_close(it->objects);
    mr_diags_free(it->diags);
    mr_dir_remove(it->state, NULL);
    free(it);
    return 0;
}

/* Entries of a folder below the state folder, but . and .. */
static size_t count_entries(const world *it, const char *folder)
{
    char path[160];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/%s", it->state, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    const struct dirent *entry;
    while ((entry = readdir(dir))) // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

/* What lies in the folder of the world's own store. */
static size_t count_unfinished(const world *it)
{
    char *path = NULL;
    assert_int_equal(mr_objects_scratch(it->objects, NULL, &path), MR_OK);
    assert_int_equal(rmdir(path), 0);
    *strrchr(path, '/') = '\0';
    size_t count = count_entries(it, path + strlen(it->state) + 1);
    free(path);
    return count;
}

static void assert_content(mr_objects *objects, const char *digest, const void *data, size_t len)
{
    int fd = -1;
    uint64_t size = 0;
    struct stat info;
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    assert_int_equal(mr_objects_fd(objects, digest, NULL, &fd, &size), MR_OK);
    assert_int_equal(size, len);
    assert_int_equal(pread(fd, bytes, len + 1, 0), len);
    assert_memory_equal(bytes, data, len);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0444);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
    free(bytes);
}

typedef struct piece {
    uint64_t offset;
    const char *data;
} piece;

/* Writes the pieces in turn and expects what, under its digest. */
static void check_pieces(world *it, const piece *pieces, size_t count, const char *what)
{
    mr_object_writer *writer = NULL;
    char digest[MR_DIGEST_TEXT];
    char expected[MR_DIGEST_TEXT];
    uint64_t size = 0;
    size_t len = strlen(what);
    assert_int_equal(mr_objects_writer(it->objects, it->diags, &writer), MR_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(mr_object_write_at(writer, pieces[i].offset, pieces[i].data, strlen(pieces[i].data), it->diags), MR_OK);
    assert_int_equal(mr_object_commit(writer, it->diags, digest, &size), MR_OK);
    mr_digest(what, len, expected);
    assert_string_equal(digest, expected);
    assert_int_equal(size, len);
    assert_true(mr_objects_has(it->objects, digest, len));
    assert_false(mr_objects_has(it->objects, digest, len + 1));
    assert_content(it->objects, digest, what, len);
    assert_int_equal(count_unfinished(it), 0);
}

static void test_any_order_of_writing_gives_the_digest_of_the_whole(void **context)
{
    world *it = *context;
    check_pieces(it, NULL, 0, "");
    check_pieces(it, (piece[]){{0, "hello "}, {6, "world"}}, 2, "hello world");
    check_pieces(it, (piece[]){{6, "earth"}, {0, "hello "}}, 2, "hello earth");                      /* backwards */
    check_pieces(it, (piece[]){{0, "____"}, {4, "body"}, {0, "head"}}, 3, "headbody");               /* a header written last */
    check_pieces(it, (piece[]){{0, "aaaa"}, {2, "bbbb"}}, 2, "aabbbb");                              /* over what is hashed and beyond */
    check_pieces(it, (piece[]){{0, "one"}, {6, "three"}, {3, "two"}, {11, "."}}, 4, "onetwothree."); /* a hole that is filled */
    check_pieces(it, (piece[]){{4, "xxxxzz"}, {0, "aaaabbbb"}}, 2, "aaaabbbbzz");                    /* in order, over what came before */
    check_pieces(it, (piece[]){{0, ""}, {0, "x"}, {1, ""}}, 3, "x");
}

static void test_holes_read_as_zeros(void **context)
{
    world *it = *context;
    mr_object_writer *writer = NULL;
    char digest[MR_DIGEST_TEXT];
    uint64_t size = 0;
    enum { GAP = 300000 }; /* more than one read */
    char *whole = calloc(1, GAP + 1);
    assert_non_null(whole);
    whole[GAP] = 'z';
    assert_int_equal(mr_objects_writer(it->objects, it->diags, &writer), MR_OK);
    assert_int_equal(mr_object_write_at(writer, GAP, "z", 1, it->diags), MR_OK);
    assert_int_equal(mr_object_commit(writer, it->diags, digest, &size), MR_OK);
    assert_content(it->objects, digest, whole, GAP + 1);
    free(whole);
}

static void test_the_same_content_twice_is_one_object(void **context)
{
    world *it = *context;
    check_pieces(it, (piece[]){{0, "same"}}, 1, "same");
    check_pieces(it, (piece[]){{0, "sa"}, {2, "me"}}, 2, "same");
    assert_int_equal(count_entries(it, "objects"), 1);
}

static void test_an_object_of_the_wrong_size_is_replaced(void **context)
{
    world *it = *context;
    char digest[MR_DIGEST_TEXT];
    char path[256];
    mr_digest("whole", 5, digest);
    check_pieces(it, (piece[]){{0, "whole"}}, 1, "whole");
    snprintf(path, sizeof(path), "%s/objects/%.2s/%s", it->state, digest + 7, digest + 9);
    assert_int_equal(truncate(path, 2), 0); /* as a broken disk might */
    assert_false(mr_objects_has(it->objects, digest, 5));
    check_pieces(it, (piece[]){{0, "whole"}}, 1, "whole");
}

static void test_a_discarded_content_leaves_nothing(void **context)
{
    world *it = *context;
    mr_object_writer *writer = NULL;
    assert_int_equal(mr_objects_writer(it->objects, it->diags, &writer), MR_OK);
    assert_int_equal(mr_object_write_at(writer, 0, "gone", 4, it->diags), MR_OK);
    assert_int_equal(count_unfinished(it), 1);
    mr_object_discard(writer);
    mr_object_discard(NULL);
    assert_int_equal(count_unfinished(it), 0);
    assert_int_equal(count_entries(it, "objects"), 0);
}

static void test_what_is_no_digest_is_not_found(void **context)
{
    world *it = *context;
    static const char *const names[] = {"",
                                        "sha256:",
                                        "sha256:zz",
                                        "../../etc/passwd",
                                        "sha256:../../../../../../../../../../../../../../../../../../../../../etc/passwd",
                                        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
                                        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                        "md5:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = 5;
        uint64_t size = 5;
        assert_int_equal(mr_objects_fd(it->objects, names[i], it->diags, &fd, &size), MR_ERR_NOT_FOUND);
        assert_int_equal(fd, -1);
        assert_false(mr_objects_has(it->objects, names[i], 0));
    }
    assert_int_equal(mr_diags_errors(it->diags), 0);
}

static void test_scratch_folders_are_private_and_go_with_the_store(void **context)
{
    world *it = *context;
    char *one = NULL;
    char *two = NULL;
    struct stat info;
    assert_int_equal(mr_objects_scratch(it->objects, it->diags, &one), MR_OK);
    assert_int_equal(mr_objects_scratch(it->objects, it->diags, &two), MR_OK);
    assert_string_not_equal(one, two);
    assert_int_equal(stat(one, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(one[0], '/');
    mr_objects_close(it->objects);
    it->objects = NULL;
    assert_int_equal(access(one, F_OK), -1);
    assert_int_equal(count_entries(it, "tmp"), 1); /* the lock file */
    free(one);
    free(two);
}

/* A full disk, as seen by write(2): a limit on the size of files gives EFBIG after a short write. */
static void test_a_write_that_fails_is_said_and_leaves_nothing(void **context)
{
    world *it = *context;
    mr_object_writer *writer = NULL;
    char digest[MR_DIGEST_TEXT];
    uint64_t size = 0;
    static char block[65536];
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(mr_objects_writer(it->objects, it->diags, &writer), MR_OK);
    const struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    mr_status first = mr_object_write_at(writer, 0, block, sizeof(block), it->diags);
    mr_status second = mr_object_write_at(writer, sizeof(block), block, sizeof(block), it->diags);
    mr_status third = mr_object_commit(writer, it->diags, digest, &size);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(first, MR_OK);
    assert_int_equal(second, MR_ERR_IO);
    assert_int_equal(third, MR_ERR_IO);
    assert_int_equal(mr_diags_errors(it->diags), 1);
    assert_non_null(strstr(mr_diags_first(it->diags)->message, "can't write to"));
    assert_non_null(strstr(mr_diags_first(it->diags)->message, "File too large"));
    assert_int_equal(count_unfinished(it), 0);
    assert_int_equal(count_entries(it, "objects"), 0);
}

static void test_a_content_beyond_the_limit_is_refused(void **context)
{
    world *it = *context;
    mr_object_writer *writer = NULL;
    char digest[MR_DIGEST_TEXT];
    uint64_t size = 0;
    assert_int_equal(mr_objects_writer(it->objects, it->diags, &writer), MR_OK);
    assert_int_equal(mr_object_write_at(writer, UINT64_MAX, "x", 1, it->diags), MR_ERR_LIMIT);
    assert_int_equal(mr_object_commit(writer, it->diags, digest, &size), MR_ERR_LIMIT);
    assert_int_equal(count_unfinished(it), 0);
}

static void test_a_state_folder_that_can_not_be_made(void **context)
{
    world *it = *context;
    mr_objects *objects = NULL;
    char path[160];
    snprintf(path, sizeof(path), "%s/file", it->state);
    assert_int_equal(mr_file_write_atomic(path, "x", 1, 0644, NULL), MR_OK);
    assert_int_not_equal(mr_objects_open(path, it->diags, &objects), MR_OK);
    assert_null(objects);
    assert_int_equal(mr_diags_errors(it->diags), 1);
    assert_non_null(strstr(mr_diags_first(it->diags)->message, path));
}

/* ---- threads ---- */

enum { THREADS = 8, CONTENTS = 12 };

typedef struct job {
    mr_objects *objects;
    unsigned number;
    unsigned good;
} job;

/* Half of the contents are the same in all threads. */
static size_t content_of(unsigned thread, unsigned number, char text[64])
{
    return (size_t)snprintf(text, 64, "content %u of %u", number, number % 2 ? thread : 0);
}

static void *store_many(void *context)
{
    job *it = context;
    for (unsigned i = 0; i < CONTENTS; i++) {
        mr_object_writer *writer = NULL;
        char text[64];
        char digest[MR_DIGEST_TEXT];
        char expected[MR_DIGEST_TEXT];
        uint64_t size = 0;
        size_t len = content_of(it->number, i, text);
        mr_digest(text, len, expected);
        if (mr_objects_writer(it->objects, NULL, &writer) != MR_OK)
            break;
        mr_status status = mr_object_write_at(writer, 0, text, len, NULL);
        status = mr_object_commit(writer, NULL, digest, &size) == MR_OK ? status : MR_ERR_IO;
        it->good += status == MR_OK && strcmp(digest, expected) == 0 && mr_objects_has(it->objects, digest, len);
    }
    return NULL;
}

static void check_all(mr_objects *objects)
{
    for (unsigned thread = 0; thread < THREADS; thread++)
        for (unsigned i = 0; i < CONTENTS; i++) {
            char text[64];
            char digest[MR_DIGEST_TEXT];
            size_t len = content_of(thread, i, text);
            mr_digest(text, len, digest);
            assert_content(objects, digest, text, len);
        }
}

static void test_many_threads_store_at_once(void **context)
{
    world *it = *context;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (job){.objects = it->objects, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, store_many, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].good, CONTENTS);
    }
    check_all(it->objects);
    assert_int_equal(count_unfinished(it), 0);
}

/* Pieces that are worth a second thread, and more writers than there are such threads. */
static void *store_large(void *context)
{
    job *mine = context;
    const size_t piece = (size_t)200 << 10;
    char *data = malloc(3 * piece);
    char digest[MR_DIGEST_TEXT] = "";
    char expected[MR_DIGEST_TEXT];
    uint64_t size = 0;
    mr_object_writer *writer = NULL;
    if (!data || mr_objects_writer(mine->objects, NULL, &writer) != MR_OK) {
        free(data);
        return NULL;
    }
    memset(data, (int)('a' + mine->number), 3 * piece);
    bool good = true;
    for (size_t at = 0; at < 3 * piece && good; at += piece)
        good = mr_object_write_at(writer, at, data + at, piece, NULL) == MR_OK;
    good = mr_object_commit(writer, NULL, digest, &size) == MR_OK && good;
    mr_digest(data, 3 * piece, expected);
    mine->good = good && strcmp(digest, expected) == 0 && size == 3 * piece;
    free(data);
    return NULL;
}

static void test_large_pieces_are_hashed_beside_the_writing(void **context)
{
    world *it = *context;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (job){.objects = it->objects, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, store_large, &jobs[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].good, 1);
    }
    assert_int_equal(count_unfinished(it), 0);
}

/* ---- processes ---- */

static void test_many_processes_store_at_once(void **context)
{
    world *it = *context;
    mr_objects_close(it->objects);
    it->objects = NULL;
    pid_t children[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            job mine = {.number = i};
            if (mr_objects_open(it->state, NULL, &mine.objects) == MR_OK)
                store_many(&mine);
            mr_objects_close(mine.objects);
            _exit(mine.good == CONTENTS ? 0 : 1);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        int how = -1;
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_int_equal(how, 0);
    }
    assert_int_equal(mr_objects_open(it->state, it->diags, &it->objects), MR_OK);
    check_all(it->objects);
    assert_int_equal(count_entries(it, "tmp"), 2); /* the lock, and ours */
}

/* A child opens the store, leaves a content and a scratch folder unfinished, says so, and waits to be killed. */
static pid_t start_unfinished(const world *it)
{
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mr_objects *objects = NULL;
        mr_object_writer *writer = NULL;
        char *scratch = NULL;
        close(ends[0]);
        if (mr_objects_open(it->state, NULL, &objects) != MR_OK || mr_objects_writer(objects, NULL, &writer) != MR_OK ||
            mr_object_write_at(writer, 0, "half", 4, NULL) != MR_OK || mr_objects_scratch(objects, NULL, &scratch) != MR_OK ||
            write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void test_leftovers_of_a_killed_process_are_removed_those_of_a_living_one_kept(void **context)
{
    world *it = *context;
    int how = 0;
    mr_objects *second = NULL;
    mr_objects_close(it->objects); /* so that a child has no lock of ours */
    it->objects = NULL;
    pid_t child = start_unfinished(it);
    assert_int_equal(mr_objects_open(it->state, it->diags, &it->objects), MR_OK);
    assert_int_equal(count_entries(it, "tmp"), 3); /* the lock, the child's, ours */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(mr_objects_open(it->state, it->diags, &second), MR_OK);
    assert_int_equal(count_entries(it, "tmp"), 3); /* the lock, ours, second's */
    assert_int_equal(count_unfinished(it), 0);
    mr_objects_close(second);
    assert_int_equal(count_entries(it, "tmp"), 2);
    assert_int_equal(mr_diags_errors(it->diags), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_order_of_writing_gives_the_digest_of_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_holes_read_as_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_content_twice_is_one_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_object_of_the_wrong_size_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_discarded_content_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_digest_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scratch_folders_are_private_and_go_with_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_write_that_fails_is_said_and_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_content_beyond_the_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_state_folder_that_can_not_be_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_threads_store_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_pieces_are_hashed_beside_the_writing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_processes_store_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leftovers_of_a_killed_process_are_removed_those_of_a_living_one_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
