/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "../test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/mr-test-file-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return mr_dir_remove(root, NULL) == MR_OK && access(root, F_OK) != 0 ? 0 : -1;
}

/* Freed by the next call but seven: enough for one test's line. */
static const char *in_root(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static void check_content(const char *path, const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(mr_file_read(path, 1 << 20, &text, &len, NULL), MR_OK);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    free(text);
}

static void expect_message(mr_diags *diags, const char *part)
{
    const mr_diag *diag = mr_diags_first(diags);
    assert_non_null(diag);
    if (!strstr(diag->message, part))
        fail_msg("'%s' is not in '%s'", part, diag->message);
    assert_null(diag->next);
    mr_diags_free(diags);
}

static size_t count_entries(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return count < 2 ? 0 : (size_t)count - 2;
}

static void written_and_read(void **state)
{
    (void)state;
    struct stat st;
    const char *path = in_root("a.txt");
    assert_int_equal(mr_file_write_atomic(path, "one", 3, 0640, NULL), MR_OK);
    check_content(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(mr_file_write_atomic(path, "", 0, 0600, NULL), MR_OK);
    check_content(path, "");
    assert_int_equal(mr_file_write_atomic(path, "three", 5, 0600, NULL), MR_OK);
    check_content(path, "three");
    assert_int_equal(count_entries(root), 1); /* no temporary file is left */
}

static void link_is_replaced_not_followed(void **state)
{
    (void)state;
    assert_int_equal(mr_file_write_atomic(in_root("target"), "kept", 4, 0600, NULL), MR_OK);
    assert_int_equal(symlink("target", in_root("link")), 0);
    assert_int_equal(mr_file_write_atomic(in_root("link"), "new", 3, 0600, NULL), MR_OK);
    check_content(in_root("target"), "kept");
    check_content(in_root("link"), "new");
}

static void failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct rlimit limit;
    const char *path = in_root("full");
    char big[8192] = {0};
    assert_int_equal(mr_file_write_atomic(path, "old", 3, 0600, NULL), MR_OK);
    size_t before = count_entries(root);
    /* A file size limit fails the write as a full disk does. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    mr_diags *diags = mr_diags_new();
    mr_status status = mr_file_write_atomic(path, big, sizeof(big), 0600, diags);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, MR_ERR_IO);
    expect_message(diags, "File too large");
    check_content(path, "old");
    assert_int_equal(count_entries(root), before);
}

static void reading_has_limits(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_file_write_atomic(in_root("ten"), "0123456789", 10, 0600, NULL), MR_OK);
    assert_int_equal(mr_file_read(in_root("ten"), 10, &text, &len, NULL), MR_OK);
    assert_int_equal(len, 10);
    free(text);
    assert_int_equal(mr_file_read(in_root("ten"), 9, &text, &len, diags), MR_ERR_LIMIT);
    assert_null(text);
    expect_message(diags, "is 10 bytes, and more than 9");
    /* Files that say they are empty: the kernel's. */
    assert_int_equal(mr_file_read("/proc/self/status", 1 << 20, &text, &len, NULL), MR_OK);
    assert_true(len > 100 && strlen(text) == len);
    free(text);
    assert_int_equal(mr_file_read("/proc/self/status", 100, &text, &len, NULL), MR_ERR_LIMIT);
    assert_int_equal(mr_file_read(in_root("ten"), SIZE_MAX, &text, &len, NULL), MR_OK);
    free(text);
}

static void only_regular_files_are_read(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_file_read(root, 10, &text, &len, diags), MR_ERR_INPUT);
    expect_message(diags, "it is a folder");
    assert_int_equal(mkfifo(in_root("pipe"), 0600), 0);
    diags = mr_diags_new();
    assert_int_equal(mr_file_read(in_root("pipe"), 10, &text, &len, diags), MR_ERR_INPUT); /* and does not wait for a writer */
    expect_message(diags, "not a regular file");
    assert_int_equal(mr_file_read("/dev/zero", 10, &text, &len, NULL), MR_ERR_INPUT);
    diags = mr_diags_new();
    assert_int_equal(mr_file_read(in_root("absent"), 10, &text, &len, diags), MR_ERR_NOT_FOUND);
    expect_message(diags, "No such file or directory");
    assert_null(text);
}

static void folders_are_made(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(mr_dir_make(in_root("d/e//f/"), 0755, NULL), MR_OK);
    assert_int_equal(mr_dir_make(in_root("d/e/f"), 0755, NULL), MR_OK);
    assert_int_equal(stat(in_root("d/e/f"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(mr_dir_make("/", 0755, NULL), MR_OK);
    assert_int_equal(mr_dir_make("", 0755, NULL), MR_ERR_NOT_FOUND);
    assert_int_equal(symlink("d", in_root("to-d")), 0);
    assert_int_equal(mr_dir_make(in_root("to-d/g"), 0755, NULL), MR_OK);
    assert_int_equal(access(in_root("d/g"), F_OK), 0);
    mr_diags *diags = mr_diags_new();
    assert_int_equal(mr_file_write_atomic(in_root("d/file"), "x", 1, 0600, NULL), MR_OK);
    assert_int_equal(mr_dir_make(in_root("d/file/x"), 0755, diags), MR_ERR_IO);
    expect_message(diags, "there is a file");
}

static void removing_follows_no_links(void **state)
{
    (void)state;
    assert_int_equal(mr_dir_make(in_root("outside"), 0755, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(in_root("outside/kept"), "kept", 4, 0600, NULL), MR_OK);
    assert_int_equal(mr_dir_make(in_root("tree/a/b"), 0755, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(in_root("tree/a/file"), "x", 1, 0400, NULL), MR_OK);
    assert_int_equal(symlink("../../outside", in_root("tree/a/link")), 0);
    assert_int_equal(symlink("/nowhere", in_root("tree/dangling")), 0);
    assert_int_equal(mr_dir_remove(in_root("tree"), NULL), MR_OK);
    assert_int_equal(access(in_root("tree"), F_OK), -1);
    check_content(in_root("outside/kept"), "kept");
    /* A link to a folder is removed as the link it is, also when it is written like a folder. */
    assert_int_equal(symlink("outside", in_root("to-outside")), 0);
    assert_int_equal(mr_dir_remove(in_root("to-outside/"), NULL), MR_OK);
    assert_int_equal(access(in_root("to-outside"), F_OK), -1);
    check_content(in_root("outside/kept"), "kept");
    assert_int_equal(mr_dir_remove(in_root("absent"), NULL), MR_OK);
    assert_int_equal(mr_dir_remove("", NULL), MR_ERR_IO);
    assert_int_equal(mr_dir_remove("///", NULL), MR_ERR_IO);
}

/* A folder in a folder in a folder …, each with a file; the last is where the descriptor goes. */
static void nest(const char *name, int levels)
{
    assert_int_equal(mr_dir_make(in_root(name), 0755, NULL), MR_OK);
    int fd = open(in_root(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < levels; i++) {
        assert_int_equal(mkdirat(fd, "d", 0755), 0);
        int file = openat(fd, "deep-0", O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* in the way of what is moved up */
        assert_true(file >= 0);
        close(file);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
}

static void removing_goes_to_any_depth(void **state)
{
    (void)state;
    const int depths[] = {1, 62, 63, 64, 65, 1000};
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        nest("deep", depths[i]);
        assert_int_equal(mr_dir_remove(in_root("deep"), NULL), MR_OK);
        assert_int_equal(access(in_root("deep"), F_OK), -1);
    }
}

/* As someone whom modes concern: root passes them by. */
static void removing_minds_no_modes(void **state)
{
    (void)state;
    const bool is_root = geteuid() == 0;
    assert_int_equal(mr_dir_make(in_root("modes/a/b"), 0755, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(in_root("modes/a/b/file"), "x", 1, 0400, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(in_root("modes/a/file"), "x", 1, 0, NULL), MR_OK);
    if (is_root) {
        const char *const all[] = {"", "modes", "modes/a", "modes/a/b"};
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(chown(in_root(all[i]), 65534, 65534), 0);
    }
    assert_int_equal(chmod(in_root("modes/a/b"), 0), 0);
    assert_int_equal(chmod(in_root("modes/a"), 0500), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    mr_status status = mr_dir_remove(in_root("modes"), NULL);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(status, MR_OK);
    assert_int_equal(access(in_root("modes"), F_OK), -1);
}

static void paths(void **state)
{
    (void)state;
    static const char *const plain[] = {"a", "a/b", "a.b/..c", "...", "ä/ö", "a b", "-x", NULL};
    static const char *const odd[] = {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/../b", "a/..", "a/.", "a\\b", "a\nb", "a\177b", "a\tb", NULL};
    static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    char text[1100];
    for (const char *const *at = plain; *at; at++)
        if (!mr_path_is_plain(*at))
            fail_msg("'%s' was refused", *at);
    for (const char *const *at = odd; *at; at++)
        if (mr_path_is_plain(*at))
            fail_msg("'%s' was accepted", *at);
    memset(text, 'a', sizeof(text));
    text[1024] = '\0';
    assert_true(mr_path_is_plain(text));
    text[1024] = 'a';
    text[1025] = '\0';
    assert_false(mr_path_is_plain(text));
    assert_false(mr_path_is_plain(NULL));
    for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        char *joined = mr_path_join(joins[i][0], joins[i][1]);
        assert_string_equal(joined, joins[i][2]);
        free(joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(link_is_replaced_not_followed),
        cmocka_unit_test(failed_write_leaves_the_old_file),
        cmocka_unit_test(reading_has_limits),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(removing_follows_no_links),
        cmocka_unit_test(removing_goes_to_any_depth),
        cmocka_unit_test(removing_minds_no_modes),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
