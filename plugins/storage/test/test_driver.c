/* SPDX-License-Identifier: MIT */
/* The storage driver for folders, by the promises of millrace/storage.h. */
#include <millrace/plugin.h>

#include "base/file.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { KEYS_MAX = 4096 };

static const mr_storage_driver *driver;
static mr_storage *store;
static mr_storage_error error = {.size = sizeof(error)};
static char root[64];

static int begin(void **state)
{
    static const mr_storage_client client = {.size = sizeof(client)};
    char url[96];
    (void)state;
    snprintf(root, sizeof(root), "/tmp/millrace-driver-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(url, sizeof(url), "file://%s/a%%20place", root); /* made where missing */
    return driver->open(&client, url, &store, &error) == MR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    driver->close(store);
    return mr_dir_remove(root, NULL) == MR_OK ? 0 : -1;
}

static mr_status put(const char *key, const char *text, uint32_t flags, const char *if_tag, int64_t bytes, mr_storage_object *ret_object)
{
    const mr_storage_put_options options = {.size = sizeof(options), .flags = flags, .bytes = bytes, .if_tag = if_tag};
    mr_storage_put *put = NULL;
    mr_status status = driver->put_new(store, key, &options, &put, &error);
    if (status == MR_OK)
        status = driver->put_write(put, text, strlen(text), &error);
    if (status == MR_OK)
        status = driver->put_commit(put, ret_object, &error);
    driver->put_free(put);
    return status;
}

static void expect(const char *key, const char *text)
{
    char found[256] = "";
    size_t got = 0;
    assert_int_equal(driver->read(store, key, NULL, 0, found, sizeof(found) - 1, &got, &error), MR_OK);
    found[got] = '\0';
    assert_string_equal(found, text);
}

/* Who keeps others out goes the way to a folder once, as long as it is there. */
static void test_folders_that_go_and_come(void **state)
{
    char path[96], moved[112];
    (void)state;
    assert_int_equal(driver->lock(store, &error), MR_OK);
    assert_int_equal(put("a/b/1", "one", 0, NULL, -1, NULL), MR_OK);
    assert_int_equal(put("a/b/2", "two", 0, NULL, -1, NULL), MR_OK);
    assert_int_equal(driver->remove(store, "a/b/1", NULL, &error), MR_OK);
    assert_int_equal(driver->remove(store, "a/b/2", NULL, &error), MR_OK); /* and the folders, which are empty */
    assert_int_equal(put("a/b/3", "three", MR_PUT_DURABLE, NULL, -1, NULL), MR_OK);
    expect("a/b/3", "three");
    snprintf(path, sizeof(path), "%s/a place/a", root);
    snprintf(moved, sizeof(moved), "%s/gone", root);
    assert_int_equal(rename(path, moved), 0); /* somebody else removes it, */
    assert_int_equal(mr_dir_remove(moved, NULL), MR_OK);
    assert_int_equal(put("a/b/4", "four", 0, NULL, -1, NULL), MR_OK);
    expect("a/b/4", "four");
    assert_int_equal(mr_dir_remove(path, NULL), MR_OK);
    assert_int_equal(symlink("/tmp", path), 0); /* or puts something else there */
    assert_int_equal(put("a/b/5", "five", 0, NULL, -1, NULL), MR_ERR_IO);
    assert_int_equal(unlink(path), 0);
    for (int k = 'a'; k < 'k'; k++) { /* more than are kept */
        const char key[] = {(char)k, '/', 'x', '\0'};
        assert_int_equal(put(key, key, 0, NULL, -1, NULL), MR_OK);
    }
    expect("a/x", "a/x");
    expect("j/x", "j/x");
}

/* What nothing was written to is an object, too. */
static void test_empty(void **state)
{
    mr_storage_object object = {.size = sizeof(object)};
    (void)state;
    assert_int_equal(put("a/empty", "", 0, NULL, 0, &object), MR_OK);
    assert_int_equal(object.bytes, 0);
    expect("a/empty", "");
}

static void test_whole_or_not_there(void **state)
{
    const mr_storage_put_options options = {.size = sizeof(options), .bytes = -1};
    mr_storage_object object = {.size = sizeof(object)};
    mr_storage_put *half = NULL;
    (void)state;
    assert_int_equal(put("a/b.txt", "old", 0, NULL, -1, NULL), MR_OK);
    assert_int_equal(driver->put_new(store, "a/b.txt", &options, &half, &error), MR_OK);
    assert_int_equal(driver->put_write(half, "new but never", 13, &error), MR_OK);
    expect("a/b.txt", "old");
    driver->put_free(half);
    expect("a/b.txt", "old");
    assert_int_equal(put("a/b.txt", "new", MR_PUT_DURABLE, NULL, 3, &object), MR_OK);
    assert_int_equal(object.bytes, 3);
    expect("a/b.txt", "new");
    assert_int_equal(put("a/b.txt", "longer", 0, NULL, 3, NULL), MR_ERR_IO); /* another length than was said */
    expect("a/b.txt", "new");
    assert_int_equal(driver->sync(store, &error), MR_OK);
}

static void test_tags_and_conditions(void **state)
{
    mr_storage_object first = {.size = sizeof(first)}, now = {.size = sizeof(now)};
    char buf[8];
    size_t got;
    (void)state;
    assert_int_equal(put("k", "one", MR_PUT_NEW, NULL, -1, &first), MR_OK);
    assert_int_equal(put("k", "two", MR_PUT_NEW, NULL, -1, NULL), MR_ERR_CONFLICT);
    expect("k", "one");
    assert_int_equal(driver->head(store, "k", &now, &error), MR_OK);
    assert_string_equal(now.tag, first.tag);
    assert_int_equal(put("k", "two", 0, first.tag, -1, &now), MR_OK);
    assert_string_not_equal(now.tag, first.tag);
    assert_int_equal(put("k", "three", 0, first.tag, -1, NULL), MR_ERR_CONFLICT);
    expect("k", "two");
    assert_int_equal(driver->read(store, "k", first.tag, 0, buf, sizeof(buf), &got, &error), MR_ERR_CONFLICT);
    assert_int_equal(driver->read(store, "k", now.tag, 1, buf, 1, &got, &error), MR_OK);
    assert_int_equal(got, 1);
    assert_int_equal(buf[0], 'w');
    assert_int_equal(driver->read(store, "k", now.tag, 9, buf, 1, &got, &error), MR_OK);
    assert_int_equal(got, 0);
    assert_int_equal(driver->remove(store, "k", first.tag, &error), MR_ERR_CONFLICT);
    assert_int_equal(driver->remove(store, "k", now.tag, &error), MR_OK);
    assert_int_equal(driver->remove(store, "k", NULL, &error), MR_ERR_NOT_FOUND);
    assert_int_equal(driver->head(store, "k", &now, &error), MR_ERR_NOT_FOUND);
    assert_int_equal(put("k", "again", 0, first.tag, -1, NULL), MR_ERR_CONFLICT); /* there is none to be that one */
}

static mr_status collect(void *context, const char *key, const mr_storage_object *object)
{
    char *keys = context;
    const size_t len = strlen(keys);
    assert_int_equal(object->bytes, 1);
    assert_true(len + strlen(key) + 2 < KEYS_MAX);
    snprintf(keys + len, KEYS_MAX - len, "%s ", key);
    return strcmp(key, "stop") == 0 ? MR_ERR_LIMIT : MR_OK;
}

static void test_lists(void **state)
{
    static const char *const keys[] = {"a/b", "a.txt", "a/c/d", "a", "stop", "z", ".millrace/note"};
    char found[KEYS_MAX] = "";
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], "a") != 0) /* a file and a folder of one name are not for this driver */
            assert_int_equal(put(keys[i], "x", 0, NULL, -1, NULL), MR_OK);
    assert_int_equal(driver->list(store, "a", NULL, collect, found, &error), MR_OK);
    assert_string_equal(found, "a.txt a/b a/c/d ");
    found[0] = '\0';
    assert_int_equal(driver->list(store, "a/", "a/b", collect, found, &error), MR_OK);
    assert_string_equal(found, "a/c/d ");
    found[0] = '\0';
    assert_int_equal(driver->list(store, "", NULL, collect, found, &error), MR_ERR_LIMIT);
    assert_string_equal(found, ".millrace/note a.txt a/b a/c/d stop ");
    assert_int_equal(put("a", "x", 0, NULL, -1, NULL), MR_ERR_IO);
}

static void *put_many(void *context)
{
    const char letter = *(const char *)context;
    char key[32], text[2] = {letter};
    mr_status status = MR_OK;
    for (int i = 0; i < 50 && status == MR_OK; i++) {
        const mr_storage_put_options options = {.size = sizeof(options), .bytes = 1};
        mr_storage_error mine = {.size = sizeof(mine)};
        mr_storage_put *one = NULL;
        snprintf(key, sizeof(key), "%s%d", i % 2 ? "shared/" : "", i);
        status = driver->put_new(store, key, &options, &one, &mine);
        if (status == MR_OK)
            status = driver->put_write(one, text, 1, &mine);
        if (status == MR_OK)
            status = driver->put_commit(one, NULL, &mine);
        driver->put_free(one);
    }
    return status == MR_OK ? NULL : (void *)context;
}

static void test_threads(void **state)
{
    static const char letters[] = "abc";
    pthread_t threads[3];
    (void)state;
    assert_int_equal(driver->lock(store, &error), MR_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)&letters[i]), 0);
    for (int i = 0; i < 3; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    char found[KEYS_MAX] = "";
    assert_int_equal(driver->list(store, "shared/", NULL, collect, found, &error), MR_OK);
    size_t count = 0;
    for (const char *at = found; (at = strchr(at, ' ')) != NULL; at++)
        count++;
    assert_int_equal(count, 25);
    assert_int_equal(driver->sync(store, &error), MR_OK);
}

static void test_one_publisher(void **state)
{
    static const mr_storage_client client = {.size = sizeof(client)};
    mr_storage *other = NULL;
    char path[96];
    (void)state;
    snprintf(path, sizeof(path), "%s/a place", root);
    assert_int_equal(driver->open(&client, path, &other, &error), MR_OK);
    assert_int_equal(driver->lock(store, &error), MR_OK);
    assert_int_equal(driver->lock(other, &error), MR_ERR_CONFLICT);
    driver->close(other);
    assert_int_equal(driver->open(&client, "file://elsewhere", &other, &error), MR_ERR_PARAM);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_whole_or_not_there), T(test_folders_that_go_and_come), T(test_empty), T(test_tags_and_conditions), T(test_lists), T(test_threads),
        T(test_one_publisher),
    };
    void *plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    const mr_plugin *entry = plugin ? dlsym(plugin, MR_PLUGIN_SYMBOL) : NULL;
    if (!entry || !entry->services || !entry->services[0])
        return 1;
    driver = entry->services[0]->table;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
