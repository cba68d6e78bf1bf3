/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/json.h"
#include "../test.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct capture {
    char *text;
    size_t size;
    FILE *out;
};

static void capture_begin(struct capture *capture)
{
    *capture = (struct capture){0};
    capture->out = open_memstream(&capture->text, &capture->size);
    assert_non_null(capture->out);
}

static void for_people(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    mr_log *log = mr_log_new(capture.out, MR_LOG_INFO, false);
    mr_log_event(log, MR_LOG_DEBUG, "hidden", NULL, "not shown");
    mr_log_event(log, MR_LOG_WARNING, "node-done", "{\"tasks\":3,\"ms\":0.392,\"node\":\"a\\nb\"}", "node %s\nis done\033[0m", "video");
    mr_log_event(log, MR_LOG_ERROR, "bad-fields", "not json", "plain");
    mr_log_free(log);
    fclose(capture.out);
    /* After each line's time; what strangers wrote stays on its line. */
    static const char first[] = " warning node video\\nis done\\x1b[0m tasks=3 ms=0.392 node=a\\nb\n";
    static const char second[] = " error   plain\n";
    const char *at = strchr(capture.text, ' ');
    assert_memory_equal(at, first, sizeof(first) - 1);
    at = strchr(at + sizeof(first) - 1, ' ');
    assert_string_equal(at, second);
    free(capture.text);
}

static void check_line(const char *line, size_t len)
{
    json_t *json = mr_json_read(line, len, 65536, NULL);
    assert_non_null(json);
    assert_non_null(memmem(line, len, "\"ms\":0.392}", 11)); /* as it was written, not as it is kept */
    assert_string_equal(json_string_value(json_object_get(json, "event")), "node-done");
    assert_string_equal(json_string_value(json_object_get(json, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(json, "message")), "node 'x' is done");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "fields"), "tasks")), 3);
    assert_int_equal(strlen(json_string_value(json_object_get(json, "time"))), 24);
    json_decref(json);
}

enum { THREADS = 4, EACH = 50 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < EACH; i++)
        mr_log_event(arg, MR_LOG_INFO, "node-done", "{\"tasks\":3,\"ms\":0.392}", "node '%s' is done", "x");
    return NULL;
}

static void lines_are_whole(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    pthread_t threads[THREADS];
    mr_log *log = mr_log_new(capture.out, MR_LOG_DEBUG, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    mr_log_free(log);
    fclose(capture.out);
    int lines = 0;
    for (char *at = capture.text; *at; lines++) {
        size_t len = strcspn(at, "\n");
        check_line(at, len);
        at += len + 1;
    }
    assert_int_equal(lines, THREADS * EACH);
    free(capture.text);
}

static void without_a_logger(void **state)
{
    (void)state;
    mr_log_event(NULL, MR_LOG_ERROR, "x", NULL, "nothing happens");
    mr_log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(for_people), cmocka_unit_test(lines_are_whole), cmocka_unit_test(without_a_logger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
