/* SPDX-License-Identifier: MIT */
/* Loading real plugin files, good and broken. Each test makes the folders that MILLRACE_PLUGIN_PATH names. */
#include "base/file.h"
#include "runtime/plugins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const mr_host host = {.size = sizeof(mr_host), .abi_major = MR_ABI_MAJOR, .abi_minor = MR_ABI_MINOR};

typedef struct world {
    char root[64]; /* holds folders a and b */
    char path[160];
    mr_diags *diags;
    mr_plugins *plugins;
} world;

static int set_up(void **context)
{
    world *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    snprintf(it->root, sizeof(it->root), "/tmp/millrace-test-XXXXXX");
    assert_non_null(mkdtemp(it->root));
    snprintf(it->path, sizeof(it->path), "%s/a", it->root);
    assert_int_equal(mkdir(it->path, 0755), 0);
    snprintf(it->path, sizeof(it->path), "%s/b", it->root);
    assert_int_equal(mkdir(it->path, 0755), 0);
    snprintf(it->path, sizeof(it->path), "%s/a:%s/b", it->root, it->root);
    it->diags = mr_diags_new();
    assert_non_null(it->diags);
    *context = it;
    return 0;
}

static int tear_down(void **context)
{
    world *it = *context;
    mr_plugins_free(it->plugins);
    mr_diags_free(it->diags);
    mr_dir_remove(it->root, NULL);
    free(it);
    return unsetenv("MILLRACE_PLUGIN_PATH"); // NOLINT(concurrency-mt-unsafe): one thread
}

/* "a/x.so" below the world's root. */
static char *place(const world *it, const char *name)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s", it->root, name);
    return path;
}

/* A fixture under a name of its own; copied, so that it is another file than the one of the test before. */
static void put(const world *it, const char *fixture, const char *name)
{
    char from[512];
    char *bytes = NULL;
    size_t len = 0;
    snprintf(from, sizeof(from), "%s/%s.so", FIXTURES, fixture);
    assert_int_equal(mr_file_read(from, 64u << 20, &bytes, &len, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, name), bytes, len, 0644, NULL), MR_OK);
    free(bytes);
}

static void load(world *it)
{
    assert_int_equal(setenv("MILLRACE_PLUGIN_PATH", it->path, 1), 0); // NOLINT(concurrency-mt-unsafe)
    it->plugins = mr_plugins_load(&host, it->diags);
    assert_non_null(it->plugins);
}

static size_t count_diags(const world *it)
{
    size_t count = 0;
    for (const mr_diag *diag = mr_diags_first(it->diags); diag; diag = diag->next)
        count++;
    return count;
}

/* The one diagnostic there is. */
static const mr_diag *only_diag(const world *it)
{
    const mr_diag *diag = mr_diags_first(it->diags);
    if (count_diags(it) != 1)
        mr_diags_print(it->diags, stderr, false);
    assert_int_equal(count_diags(it), 1);
    return diag;
}

static void assert_contains(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not contain '%s'", text ? text : "(nothing)", part);
}

static bool has_plugin(const world *it, const char *name)
{
    for (size_t i = 0; i < mr_plugins_count(it->plugins); i++)
        if (strcmp(mr_plugins_get(it->plugins, i)->plugin->name, name) == 0)
            return true;
    return false;
}

static void test_a_good_plugin_is_found_with_its_ops_sorted(void **context)
{
    world *it = *context;
    put(it, "good", "a/good.so");
    load(it);
    assert_int_equal(count_diags(it), 0);
    assert_int_equal(mr_plugins_count(it->plugins), 2); /* and the one beside the program */
    assert_string_equal(mr_plugins_get(it->plugins, 0)->plugin->name, "good");
    assert_string_equal(mr_plugins_get(it->plugins, 0)->path, place(it, "a/good.so"));
    assert_string_equal(mr_plugins_get(it->plugins, 1)->plugin->name, "own");
    assert_null(mr_plugins_get(it->plugins, 2));
    const mr_op_set *ops = mr_plugins_ops(it->plugins);
    assert_int_equal(ops->count, 3);
    assert_string_equal(ops->entries[0].op->name, "good.once");
    assert_string_equal(ops->entries[1].op->name, "good.twice");
    assert_string_equal(ops->entries[1].plugin, "good");
    assert_string_equal(ops->entries[2].op->name, "own.nothing");
    assert_non_null(mr_op_set_find(ops, "good.twice"));
    assert_null(mr_op_set_find(ops, "good.thrice"));
}

static void test_without_a_search_path_its_own_folder_is_used(void **context)
{
    world *it = *context;
    unsetenv("MILLRACE_PLUGIN_PATH"); // NOLINT(concurrency-mt-unsafe)
    it->plugins = mr_plugins_load(&host, it->diags);
    assert_int_equal(count_diags(it), 0);
    assert_int_equal(mr_plugins_count(it->plugins), 1);
    assert_contains(mr_plugins_get(it->plugins, 0)->path, "/lib/millrace/plugins/own.so");
}

#define TEXT_OF(number)       #number
#define VERSION(major, minor) TEXT_OF(major) "." TEXT_OF(minor)
#define ABI                   VERSION(MR_ABI_MAJOR, MR_ABI_MINOR)

/* What a broken file's one diagnostic must say. */
static const struct broken {
    const char *fixture;
    const char *says[4];
} broken[] = {
    {"wrong_major", {"ABI 8.3", "has " ABI}},
    {"newer_minor", {"was built for plugin ABI 1.", "has " ABI}},
    {"short_table", {"8 bytes", ABI}},
    {"tiny_entry", {"not a constant of type mr_plugin"}},
    {"function_entry", {"not a constant of type mr_plugin"}},
    {"no_entry", {"does not export 'mr_plugin_entry'"}},
    {"hidden_entry", {"does not export 'mr_plugin_entry'"}},
    {"needs_missing", {"fixture_function_that_nobody_has"}},
    {"bad_table", {"op 'bad.table': input port 'source' has no help"}},
    {"bad_param", {"op 'bad.param'", "level"}},
    {"load_fails", {"the encoder library is older than 164"}},
};

static void test_each_broken_file_gets_one_diagnostic_and_the_rest_loads(void **context)
{
    world *it = *context;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char name[64]; /* another for each: the loader takes a name that it has for what it has */
        snprintf(name, sizeof(name), "a/%s.so", broken[i].fixture);
        put(it, broken[i].fixture, name);
        put(it, "good", "a/good.so");
        load(it);
        const mr_diag *diag = only_diag(it);
        assert_int_equal(diag->severity, MR_SEVERITY_ERROR);
        assert_contains(diag->message, place(it, name));
        for (size_t k = 0; broken[i].says[k]; k++)
            assert_contains(diag->message, broken[i].says[k]);
        assert_true(has_plugin(it, "good"));
        assert_true(has_plugin(it, "own"));
        assert_int_equal(mr_plugins_count(it->plugins), 2);
        mr_plugins_free(it->plugins);
        mr_diags_free(it->diags);
        it->plugins = NULL;
        it->diags = mr_diags_new();
        assert_int_equal(unlink(place(it, name)), 0);
    }
}

static void test_further_mistakes_are_notes_of_the_first(void **context)
{
    world *it = *context;
    put(it, "bad_table", "a/bad.so");
    load(it);
    const mr_diag *diag = only_diag(it);
    assert_non_null(diag->notes);
    assert_contains(diag->notes->message, "batch_by names 'chunk'");
    assert_null(diag->notes->next);
}

static void test_files_that_are_no_shared_objects(void **context)
{
    world *it = *context;
    char cut[64] = "\177ELF\2\1\1";
    assert_int_equal(mr_file_write_atomic(place(it, "a/1-text.so"), "hello\n", 6, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, "a/2-empty.so"), "", 0, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, "a/3-cut.so"), cut, sizeof(cut), 0644, NULL), MR_OK);
    put(it, "good", "a/4-good.so");
    load(it);
    static const char *const names[] = {"a/1-text.so", "a/2-empty.so", "a/3-cut.so"};
    const mr_diag *diag = mr_diags_first(it->diags);
    assert_int_equal(count_diags(it), 3);
    for (size_t i = 0; i < 3; i++, diag = diag->next) {
        assert_string_equal(diag->code, "plugin-file");
        assert_contains(diag->message, place(it, names[i]));
        const char *path = strstr(diag->message, it->root);
        assert_null(strstr(path + 1, it->root)); /* the path is said once */
    }
    assert_true(has_plugin(it, "good"));
}

static void test_what_can_not_be_read_is_said(void **context)
{
    world *it = *context;
    assert_int_equal(symlink("nowhere", place(it, "a/gone.so")), 0);
    load(it);
    const mr_diag *diag = only_diag(it);
    assert_contains(diag->message, place(it, "a/gone.so"));
    assert_contains(diag->message, "No such file");
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "a/gone.so"), &host, NULL), MR_ERR_NOT_FOUND);
}

static void test_other_entries_are_passed_over(void **context)
{
    world *it = *context;
    assert_int_equal(mkdir(place(it, "a/folder.so"), 0755), 0);
    assert_int_equal(mr_file_write_atomic(place(it, "a/notes.txt"), "hello", 5, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, "a/.hidden.so"), "hello", 5, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, "a/.so"), "hello", 5, 0644, NULL), MR_OK);
    assert_int_equal(mr_file_write_atomic(place(it, "a/lib.so.1"), "hello", 5, 0644, NULL), MR_OK);
    load(it);
    assert_int_equal(count_diags(it), 0);
    assert_int_equal(mr_plugins_count(it->plugins), 1);
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "a/folder.so"), &host, it->diags), MR_ERR_INPUT);
    assert_contains(only_diag(it)->message, "is not a file");
}

static void test_a_missing_folder_of_the_search_path_is_a_warning(void **context)
{
    world *it = *context;
    put(it, "good", "a/good.so");
    snprintf(it->path, sizeof(it->path), "%s/gone::%s/a", it->root, it->root);
    load(it);
    const mr_diag *diag = only_diag(it);
    assert_int_equal(diag->severity, MR_SEVERITY_WARNING);
    assert_contains(diag->message, place(it, "gone"));
    assert_contains(diag->hint, "MILLRACE_PLUGIN_PATH");
    assert_true(has_plugin(it, "good"));
}

static void test_too_many_folders_are_a_warning(void **context)
{
    world *it = *context;
    char list[64 * 2 + 160];
    size_t len = 0;
    put(it, "good", "a/good.so");
    for (int i = 0; i < 64; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, ":");
    snprintf(list + len, sizeof(list) - len, "%s", place(it, "a"));
    setenv("MILLRACE_PLUGIN_PATH", list, 1); // NOLINT(concurrency-mt-unsafe)
    it->plugins = mr_plugins_load(&host, it->diags);
    assert_string_equal(only_diag(it)->code, "plugin-limit");
    assert_false(has_plugin(it, "good"));
}

static void test_an_op_that_is_there_already_names_both_files(void **context)
{
    world *it = *context;
    put(it, "good", "b/good.so");
    put(it, "duplicate_op", "a/duplicate.so");
    load(it);
    const mr_diag *diag = only_diag(it);
    assert_string_equal(diag->code, "duplicate-op");
    assert_contains(diag->message, "'good.once'");
    assert_contains(diag->message, place(it, "a/duplicate.so"));
    assert_contains(diag->message, place(it, "b/good.so"));
    /* Folder a comes first, so it is good that is refused, and whole. */
    assert_true(has_plugin(it, "duplicate"));
    assert_false(has_plugin(it, "good"));
    assert_null(mr_op_set_find(mr_plugins_ops(it->plugins), "good.twice"));
}

static void test_the_first_plugin_of_a_name_wins(void **context)
{
    world *it = *context;
    put(it, "own_again", "a/own.so");
    load(it);
    const mr_diag *diag = only_diag(it);
    assert_int_equal(diag->severity, MR_SEVERITY_WARNING);
    assert_contains(diag->message, place(it, "a/own.so"));
    assert_contains(diag->message, "/lib/millrace/plugins/own.so");
    assert_int_equal(mr_plugins_count(it->plugins), 1);
    assert_non_null(mr_op_set_find(mr_plugins_ops(it->plugins), "own.again"));
    assert_null(mr_op_set_find(mr_plugins_ops(it->plugins), "own.nothing"));
}

static void test_within_a_folder_names_decide(void **context)
{
    world *it = *context;
    put(it, "own_again", "a/2.so");
    put(it, "../lib/millrace/plugins/own", "a/1.so");
    load(it);
    assert_non_null(mr_op_set_find(mr_plugins_ops(it->plugins), "own.nothing"));
    assert_string_equal(mr_plugins_get(it->plugins, 0)->path, place(it, "a/1.so"));
}

static void test_the_same_file_twice_is_loaded_once(void **context)
{
    world *it = *context;
    char target[160];
    put(it, "good", "a/good.so");
    snprintf(target, sizeof(target), "%s/a/good.so", it->root);
    assert_int_equal(symlink(target, place(it, "b/good.so")), 0);
    load(it);
    assert_int_equal(count_diags(it), 0);
    assert_int_equal(mr_plugins_count(it->plugins), 2);
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "a/good.so"), &host, it->diags), MR_OK);
    assert_int_equal(mr_plugins_count(it->plugins), 2);
}

static void test_files_that_everyone_may_change_are_warned_of(void **context)
{
    world *it = *context;
    put(it, "good", "a/good.so");
    assert_int_equal(chmod(place(it, "a/good.so"), 0666), 0);
    load(it);
    assert_string_equal(only_diag(it)->code, "plugin-writable");
    assert_true(has_plugin(it, "good"));
    mr_plugins_free(it->plugins);
    mr_diags_free(it->diags);
    it->diags = mr_diags_new();
    assert_int_equal(chmod(place(it, "a/good.so"), 0644), 0);
    assert_int_equal(chmod(place(it, "a"), 0777), 0);
    load(it);
    assert_string_equal(only_diag(it)->code, "plugin-writable");
    assert_contains(only_diag(it)->message, "folder");
}

static void test_one_file_can_be_added_to_the_others(void **context)
{
    world *it = *context;
    load(it);
    put(it, "good", "good.so");
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "good.so"), NULL, it->diags), MR_ERR_INTERNAL); /* its load() wants a host */
    assert_contains(only_diag(it)->message, "no host was given");
    assert_int_equal(mr_plugins_ops(it->plugins)->count, 1);
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "good.so"), &host, NULL), MR_OK);
    assert_int_equal(mr_plugins_ops(it->plugins)->count, 3);
    put(it, "own_again", "own.so");
    assert_int_equal(mr_plugins_add(it->plugins, place(it, "own.so"), &host, NULL), MR_ERR_CONFLICT);
    assert_int_equal(mr_plugins_ops(it->plugins)->count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_plugin_is_found_with_its_ops_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_search_path_its_own_folder_is_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_broken_file_gets_one_diagnostic_and_the_rest_loads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_further_mistakes_are_notes_of_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_shared_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_read_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_entries_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_missing_folder_of_the_search_path_is_a_warning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_folders_are_a_warning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_op_that_is_there_already_names_both_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_plugin_of_a_name_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_within_a_folder_names_decide, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_file_twice_is_loaded_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_everyone_may_change_are_warned_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_file_can_be_added_to_the_others, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
