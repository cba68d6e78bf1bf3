/* SPDX-License-Identifier: MIT */
/* storage.publish in real folders: what lies there afterwards, what is left alone, what is refused, and that nothing half-made stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "op_host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const mr_op *op;
static char root[64];

static int setup(void **state)
{
    (void)state;
    memcpy(root, "/tmp/millrace-publish-XXXXXX", sizeof("/tmp/millrace-publish-XXXXXX"));
    return mkdtemp(root) ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    return mr_dir_remove(root, NULL) == MR_OK ? 0 : 1;
}

static op_input file(const char *meta, const char *text)
{
    return (op_input){.port = "files", .type = MR_TYPE_FILE, .meta = meta, .data = text, .size = strlen(text)};
}

static op_result publish(const op_input *inputs, size_t count)
{
    const op_run_options options = {.output_dir = root};
    return op_run(op, NULL, inputs, count, &options);
}

static const char *at(const char *path)
{
    static char full[4][2048];
    static unsigned turn;
    char *text = full[turn++ % 4];
    snprintf(text, sizeof(full[0]), "%s/%s", root, path);
    return text;
}

static void expect_text(const char *path, const char *text)
{
    char *found = NULL;
    size_t len = 0;
    assert_int_equal(mr_file_read(at(path), 1 << 20, &found, &len, NULL), MR_OK);
    assert_string_equal(found, text);
    free(found);
}

static bool is_there(const char *path)
{
    return access(at(path), F_OK) == 0;
}

static void expect_published(const op_result *result, const char *meta)
{
    const op_item *item = op_result_item(result, op, "published", 0);
    assert_non_null(item);
    assert_string_equal(item->meta, meta);
}

static void ok(const op_result *result)
{
    if (result->status != MR_OK)
        fail_msg("status %d: %s", result->status, result->messages);
}

static void test_publishes(void **state)
{
    const op_input inputs[] = {
        file("{\"path\":\"video/720p/00000.m4s\"}", "segment"),
        file("{\"growing\":true,\"path\":\"video/720p/index.m3u8\",\"replaceable\":true}", "growing"),
        file("{\"path\":\"master.m3u8\",\"replaceable\":true,\"role\":\"hls\"}", "master"),
        file("{\"path\":\"video/720p/index.m3u8\",\"replaceable\":true}", "whole playlist"),
        file("{\"path\":\"empty.vtt\"}", ""),
        file("{\"path\":\"manifest.mpd\",\"replaceable\":true,\"role\":\"dash\"}", "mpd"),
    };
    (void)state;
    op_result result = publish(inputs, 6);
    ok(&result);
    expect_text("video/720p/00000.m4s", "segment");
    expect_text("video/720p/index.m3u8", "whole playlist");
    expect_text("master.m3u8", "master");
    expect_text("empty.vtt", "");
    assert_string_equal(op_result_item(&result, op, "hls", 0)->meta, "{\"path\":\"master.m3u8\"}");
    assert_int_equal(op_result_count(&result, op, "dash"), 1);
    assert_int_equal(op_result_count(&result, op, "media"), 0);
    expect_published(&result, "{\"bytes\":30,\"files\":5,\"removed\":0,\"unchanged\":0,\"written\":6}");
    op_result_free(&result);
    result = publish(inputs, 6); /* once more: nothing is written, and the playlist does not go back to its growing form */
    ok(&result);
    expect_published(&result, "{\"bytes\":30,\"files\":5,\"removed\":0,\"unchanged\":5,\"written\":0}");
    op_result_free(&result);
    assert_false(is_there(".millrace/part"));
}

/* When a segment changes, the old whole playlist may lie about it: the growing one takes its place. So it does after a run that did not end. */
static void test_grows_anew(void **state)
{
    const op_input whole[] = {file("{\"path\":\"a.m4s\"}", "one"), file("{\"path\":\"index.m3u8\",\"replaceable\":true}", "whole")};
    const op_input changed[] = {file("{\"path\":\"a.m4s\"}", "two"),
                                file("{\"growing\":true,\"path\":\"index.m3u8\",\"replaceable\":true}", "growing")};
    const op_input again[] = {file("{\"path\":\"a.m4s\"}", "two"),
                              file("{\"growing\":true,\"path\":\"index.m3u8\",\"replaceable\":true}", "growing more")};
    (void)state;
    op_result result = publish(whole, 2);
    op_result_free(&result);
    result = publish(changed, 2);
    ok(&result);
    op_result_free(&result);
    expect_text("index.m3u8", "growing");
    result = publish(again, 2);
    ok(&result);
    op_result_free(&result);
    expect_text("index.m3u8", "growing more");
}

static void test_leaves_unchanged_alone(void **state)
{
    const op_input one = file("{\"path\":\"a/x.bin\"}", "12345");
    struct stat before, after;
    (void)state;
    op_result result = publish(&one, 1);
    op_result_free(&result);
    assert_int_equal(stat(at("a/x.bin"), &before), 0);
    result = publish(&one, 1);
    op_result_free(&result);
    assert_int_equal(stat(at("a/x.bin"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(mr_file_write_atomic(at("a/x.bin"), "54321", 5, 0644, NULL), MR_OK); /* same size, other bytes */
    result = publish(&one, 1);
    op_result_free(&result);
    expect_text("a/x.bin", "12345");
}

static void test_removes_only_its_own(void **state)
{
    const op_input first[] = {file("{\"path\":\"old/a.m4s\"}", "a"), file("{\"path\":\"old/b.m4s\"}", "b"), file("{\"path\":\"kept.m4s\"}", "k"),
                              file("{\"path\":\"changed.m4s\"}", "mine")};
    const op_input second[] = {file("{\"path\":\"kept.m4s\"}", "k"), file("{\"path\":\"new.m4s\"}", "n")};
    (void)state;
    assert_int_equal(mr_dir_make(at("theirs"), 0755, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(at("theirs/note.txt"), "hello", 5, 0644, NULL), MR_OK);
    op_result result = publish(first, 4);
    ok(&result);
    op_result_free(&result);
    assert_int_equal(mr_file_write_atomic(at("changed.m4s"), "theirs now", 10, 0644, NULL), MR_OK);
    result = publish(second, 2);
    ok(&result);
    assert_non_null(strstr(result.messages, "'changed.m4s' of an earlier run was changed since"));
    op_result_free(&result);
    assert_false(is_there("old"));
    expect_text("kept.m4s", "k");
    expect_text("new.m4s", "n");
    expect_text("changed.m4s", "theirs now");
    expect_text("theirs/note.txt", "hello");
    expect_text(".millrace/published.jsonl",
                "{\"digest\":\"\",\"path\":\"kept.m4s\",\"size\":1}\n{\"digest\":\"\",\"path\":\"new.m4s\",\"size\":1}\n");
}

/* A run that was killed has noted what it was about to publish: the next one cleans up after it. A torn last line is no harm. */
static void test_after_a_crash(void **state)
{
    const op_input one = file("{\"path\":\"new.m4s\"}", "n");
    static const char notes[] =
        "{\"digest\":\"\",\"path\":\"left.m4s\",\"size\":4}\n{\"digest\":\"\",\"path\":\"../evil\",\"size\":1}\nnonsense\n{\"digest\":\"\",\"pa";
    (void)state;
    assert_int_equal(mr_dir_make(at(".millrace"), 0755, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(at(".millrace/published.jsonl"), notes, sizeof(notes) - 1, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(at("left.m4s"), "left", 4, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(at(".millrace/part"), "half", 4, 0644, NULL), MR_OK);
    op_result result = publish(&one, 1);
    ok(&result);
    op_result_free(&result);
    assert_false(is_there("left.m4s"));
    assert_false(is_there(".millrace/part"));
    expect_text("new.m4s", "n");
}

static void expect_refusal(const op_input *inputs, size_t count, mr_status status, const char *words)
{
    op_result result = publish(inputs, count);
    assert_int_equal(result.status, status);
    if (!strstr(result.messages, words))
        fail_msg("'%s' is not in: %s", words, result.messages);
    op_result_free(&result);
    assert_false(is_there(".millrace/part"));
}

static void test_unsafe_paths(void **state)
{
    static const char *const paths[] = {
        "../x", "/etc/x", "a/../../x", "a//b", "./a", "a/.", "a\\\\b", "a\\nb", "a/", "", ".millrace/published.jsonl", "a/.millrace"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char meta[128];
        snprintf(meta, sizeof(meta), "{\"path\":\"%s\"}", paths[i]);
        const op_input one = file(meta, "x");
        expect_refusal(&one, 1, MR_ERR_INPUT, "is not a plain path");
    }
    const op_input none = file("{\"role\":\"x\"}", "x");
    expect_refusal(&none, 1, MR_ERR_INPUT, "no 'path' in its metadata");
}

static void test_symbolic_links(void **state)
{
    char outside[] = "/tmp/millrace-outside-XXXXXX";
    const op_input through = file("{\"path\":\"link/x\"}", "x");
    const op_input over = file("{\"path\":\"name\"}", "new");
    char target[128];
    (void)state;
    assert_non_null(mkdtemp(outside));
    snprintf(target, sizeof(target), "%s/target", outside);
    assert_int_equal(mr_file_write_atomic(target, "precious", 8, 0644, NULL), MR_OK);
    assert_int_equal(symlink(outside, at("link")), 0);
    assert_int_equal(symlink(target, at("name")), 0);
    expect_refusal(&through, 1, MR_ERR_IO, "a symbolic link or a file stands where a folder should be");
    op_result result = publish(&over, 1); /* the link is replaced, what it points to is not touched */
    ok(&result);
    op_result_free(&result);
    expect_text("name", "new");
    char *kept = NULL;
    size_t len;
    assert_int_equal(mr_file_read(target, 100, &kept, &len, NULL), MR_OK);
    assert_string_equal(kept, "precious");
    free(kept);
    mr_dir_remove(outside, NULL);
}

static void test_conflicts(void **state)
{
    const op_input twice[] = {file("{\"path\":\"a\"}", "1"), file("{\"path\":\"a\"}", "2")};
    const op_input roles[] = {file("{\"path\":\"a.mp4\",\"role\":\"media\"}", "1"), file("{\"path\":\"b.mp4\",\"role\":\"media\"}", "2")};
    const op_input folder = file("{\"path\":\"folder\"}", "x");
    const op_input below = file("{\"path\":\"file/x\"}", "x");
    (void)state;
    expect_refusal(twice, 2, MR_ERR_CONFLICT, "two different files want to be 'a'");
    expect_refusal(roles, 2, MR_ERR_CONFLICT, "want to be the output 'media'");
    assert_int_equal(mr_dir_make(at("folder"), 0755, NULL), MR_OK);
    expect_refusal(&folder, 1, MR_ERR_IO, "can't publish 'folder'");
    assert_int_equal(mr_file_write_atomic(at("file"), "f", 1, 0644, NULL), MR_OK);
    expect_refusal(&below, 1, MR_ERR_IO, "can't publish 'file/x'");
}

static void test_one_at_a_time(void **state)
{
    const op_input one = file("{\"path\":\"a\"}", "1");
    (void)state;
    assert_int_equal(mr_dir_make(at(".millrace"), 0755, NULL), MR_OK);
    int fd = open(at(".millrace"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    expect_refusal(&one, 1, MR_ERR_CONFLICT, "another storage.publish is at work");
    close(fd);
}

static void test_no_output(void **state)
{
    const op_input one = file("{\"path\":\"a\"}", "1");
    (void)state;
    op_result result = op_run(op, NULL, &one, 1, NULL);
    assert_int_equal(result.status, MR_ERR_PARAM);
    assert_non_null(strstr(result.messages, "--output"));
    op_result_free(&result);
}

/* A file larger than the disk takes: the same error path as a full disk, and no special rights needed. */
static void test_disk_refuses(void **state)
{
    static char big[1 << 20];
    const op_input inputs[] = {file("{\"path\":\"master.m3u8\",\"replaceable\":true}", "old"),
                               {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"big\"}", .data = big, .size = sizeof(big)},
                               file("{\"path\":\"master.m3u8\",\"replaceable\":true}", "new")};
    struct rlimit before, small = {.rlim_cur = 64 << 10};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    op_result result = publish(inputs, 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result.status, MR_ERR_IO);
    assert_non_null(strstr(result.messages, "can't publish 'big'"));
    op_result_free(&result);
    assert_false(is_there("big"));
    assert_false(is_there(".millrace/part"));
    expect_text("master.m3u8", "old");
}

static void test_cancelled(void **state)
{
    static char big[4 << 20];
    const op_input one = {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"big\"}", .data = big, .size = sizeof(big)};
    const op_run_options options = {.output_dir = root, .cancel_after = 2};
    (void)state;
    op_result result = op_run(op, NULL, &one, 1, &options);
    assert_int_equal(result.status, MR_ERR_CANCELLED);
    op_result_free(&result);
    assert_false(is_there("big"));
    assert_false(is_there(".millrace/part"));
}

/* A stream that stops growing has no way in any more; one that was whole before keeps it. */
static void test_stopped_while_growing(void **state)
{
    const op_input whole[] = {file("{\"path\":\"a.m4s\"}", "one"), file("{\"path\":\"master.m3u8\",\"replaceable\":true,\"role\":\"hls\"}", "whole")};
    const op_input stopped[] = {file("{\"path\":\"a.m4s\"}", "one"),
                                file("{\"growing\":true,\"path\":\"master.m3u8\",\"replaceable\":true,\"role\":\"hls\"}", "growing"),
                                file("{\"path\":\"../outside\"}", "refused")};
    (void)state;
    op_result result = publish(stopped, 3);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    expect_text("a.m4s", "one");
    assert_false(is_there("master.m3u8"));
    result = publish(whole, 2);
    ok(&result);
    op_result_free(&result);
    result = publish(stopped, 3);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    expect_text("master.m3u8", "whole");
}

/* Playlists of an earlier run go before what they name becomes something else; those of other streams in the folder need not be known apart. */
static void test_stopped_while_replacing(void **state)
{
    const op_input whole[] = {file("{\"path\":\"a.m4s\"}", "one"), file("{\"path\":\"b.m4s\"}", "same"),
                              file("{\"path\":\"index.m3u8\",\"replaceable\":true}", "index"),
                              file("{\"path\":\"manifest.mpd\",\"replaceable\":true,\"role\":\"dash\"}", "whole")};
    const op_input stopped[] = {file("{\"path\":\"b.m4s\"}", "same"), file("{\"path\":\"a.m4s\"}", "two"),
                                file("{\"path\":\"../outside\"}", "refused")};
    (void)state;
    op_result result = publish(whole, 4);
    ok(&result);
    op_result_free(&result);
    const op_input nothing_new[] = {stopped[0], stopped[2]};
    result = publish(nothing_new, 2);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    expect_text("manifest.mpd", "whole");
    result = publish(stopped, 3);
    assert_int_equal(result.status, MR_ERR_INPUT);
    op_result_free(&result);
    expect_text("a.m4s", "two");
    assert_false(is_there("index.m3u8"));
    assert_false(is_there("manifest.mpd"));
    result = publish(whole, 4);
    ok(&result);
    op_result_free(&result);
    expect_text("manifest.mpd", "whole");
}

/* Killed while it writes (SIGXFSZ strikes in the middle of a file): the playlist that was there is there, whole, and the next run goes on. */
static void test_killed(void **state)
{
    static char big[1 << 20];
    const op_input old[] = {file("{\"path\":\"a.m4s\"}", "segment"), file("{\"path\":\"index.m3u8\",\"replaceable\":true}", "old")};
    const op_input new[] = {
        file("{\"path\":\"a.m4s\"}", "segment"),
        file("{\"path\":\"b.m4s\"}", "another"),
        {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"index.m3u8\",\"replaceable\":true}", .data = big, .size = sizeof(big)}};
    (void)state;
    op_result result = publish(old, 2);
    ok(&result);
    op_result_free(&result);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit small = {.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
        signal(SIGXFSZ, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        if (setrlimit(RLIMIT_FSIZE, &small) == 0)
            publish(new, 3);
        _exit(1);
    }
    int how = 0;
    assert_true(child > 0 && waitpid(child, &how, 0) == child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGXFSZ);
    expect_text("index.m3u8", "old");
    expect_text("a.m4s", "segment");
    expect_text("b.m4s", "another");
    assert_true(is_there(".millrace/part"));
    result = publish(new, 3);
    ok(&result);
    expect_published(&result, "{\"bytes\":1048590,\"files\":3,\"removed\":0,\"unchanged\":2,\"written\":1}");
    op_result_free(&result);
    assert_false(is_there(".millrace/part"));
}

static void test_unwritable(void **state)
{
    const op_input one = file("{\"path\":\"a\"}", "1");
    (void)state;
    if (geteuid() != 0) {
        assert_int_equal(chmod(root, 0555), 0);
        expect_refusal(&one, 1, MR_ERR_IO, "the output folder has to be writable");
        assert_int_equal(chmod(root, 0755), 0);
        return;
    }
    /* To root every folder is writable: as somebody else, in a child. */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (chmod(root, 0555) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        op_result result = publish(&one, 1);
        _exit(result.status == MR_ERR_IO && strstr(result.messages, "the output folder has to be writable") ? 0 : 1);
    }
    int how = 0;
    assert_true(child > 0 && waitpid(child, &how, 0) == child);
    assert_int_equal(chmod(root, 0755), 0);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

/* Content that has a descriptor goes through the kernel; the bytes have to be the same. */
static void test_from_descriptor(void **state)
{
    char source[] = "/tmp/millrace-source-XXXXXX";
    char *text = malloc(3000001);
    char *found = NULL;
    size_t len;
    (void)state;
    int fd = mkstemp(source);
    assert_true(fd >= 0 && text);
    for (size_t i = 0; i < 3000000; i++)
        text[i] = (char)('a' + i * 7 % 26);
    assert_int_equal(write(fd, text, 3000000), 3000000);
    close(fd);
    const op_input one = {.port = "files", .type = MR_TYPE_IMAGE, .meta = "{\"path\":\"big.bin\",\"role\":\"poster\"}", .path = source};
    op_result result = publish(&one, 1);
    ok(&result);
    op_result_free(&result);
    assert_int_equal(mr_file_read(at("big.bin"), 4000000, &found, &len, NULL), MR_OK);
    assert_int_equal(len, 3000000);
    assert_memory_equal(found, text, len);
    free(found);
    free(text);
    unlink(source);
}

/* Segments become other names of stored contents; what may be written to, and what is replaced in time, is copied. */
static void test_links(void **state)
{
    (void)state;
    struct stat stored, shared, segment, playlist;
    char *out = strdup(at("out"));
    const op_run_options options = {.output_dir = out};
    assert_int_equal(mkdir(out, 0755), 0);
    assert_int_equal(mr_file_write_atomic(at("stored"), "bytes", 5, 0444, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(at("loose"), "loose", 5, 0644, NULL), MR_OK);
    const op_input inputs[] = {
        {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"v/1.m4s\"}", .path = at("stored")},
        {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"v/2.m4s\"}", .path = at("loose")},
        {.port = "files", .type = MR_TYPE_FILE, .meta = "{\"path\":\"v.m3u8\",\"replaceable\":true}", .path = at("stored")},
    };
    op_result result = op_run(op, "{link: true}", inputs, 3, &options);
    assert_int_equal(result.status, MR_OK);
    op_result_free(&result);
    assert_int_equal(stat(at("stored"), &stored), 0);
    assert_int_equal(stat(at("out/v/1.m4s"), &shared), 0);
    assert_int_equal(stat(at("out/v/2.m4s"), &segment), 0);
    assert_int_equal(stat(at("out/v.m3u8"), &playlist), 0);
    assert_true(shared.st_ino == stored.st_ino && stored.st_nlink == 2);
    assert_true(segment.st_nlink == 1 && playlist.st_nlink == 1);
    expect_text("out/v/1.m4s", "bytes");
    expect_text("out/v/2.m4s", "loose");
    expect_text("out/v.m3u8", "bytes");
    free(out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_publishes),
        T(test_grows_anew),
        T(test_leaves_unchanged_alone),
        T(test_removes_only_its_own),
        T(test_after_a_crash),
        T(test_unsafe_paths),
        T(test_symbolic_links),
        T(test_conflicts),
        T(test_one_at_a_time),
        T(test_no_output),
        T(test_disk_refuses),
        T(test_killed),
        T(test_cancelled),
        T(test_stopped_while_growing),
        T(test_stopped_while_replacing),
        T(test_unwritable),
        T(test_from_descriptor),
        T(test_links),
    };
    op = op_load(PLUGIN, "storage.publish");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
