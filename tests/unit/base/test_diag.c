/* SPDX-License-Identifier: MIT */
#include "base/diag.h"
#include "../test.h"
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static mr_span at(const char *file, uint32_t line, uint32_t col, uint32_t len)
{
    return (mr_span){.file = file, .line = line, .col = col, .len = len};
}

static char *printed(const mr_diags *diags, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    mr_diags_print(diags, out, colour);
    fclose(out);
    char *copy = strdup(text); /* gcc takes the stream's own pointer for one to this frame */
    free(text);
    return copy;
}

static void check_printed(mr_diags *diags, const char *expected)
{
    char *text = printed(diags, false);
    assert_string_equal(text, expected);
    free(text);
    mr_diags_free(diags);
}

static void as_in_the_header(void **state)
{
    (void)state;
    static const char text[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n    op: transcode.vido\n";
    mr_diags *diags = mr_diags_new();
    mr_diags_add_text(diags, "pipelines/vod.yaml", text, sizeof(text) - 1);
    mr_error(diags, "unknown-op", at("pipelines/vod.yaml", 12, 9, 14), "unknown op '%s'", "transcode.vido");
    mr_hint(diags, "did you mean '%s'?", "transcode.video");
    check_printed(diags, "pipelines/vod.yaml:12:9: error: unknown op 'transcode.vido'\n"
                         "   12 |     op: transcode.vido\n"
                         "      |         ^~~~~~~~~~~~~~\n"
                         "   = help: did you mean 'transcode.video'?\n");
}

static void notes_hints_and_no_place(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    mr_diags_add_text(diags, "f", "one\r\ntwo", 8);
    mr_warning(diags, "w", (mr_span){0}, "nowhere");
    mr_error(diags, "e", at("f", 2, 2, 9), "first");
    mr_note(diags, at("f", 1, 1, 1), "there");
    mr_note(diags, (mr_span){0}, "by the way");
    mr_hint(diags, "do this");
    mr_hint(diags, "or that");
    mr_error(diags, "e", (mr_span){.file = "g"}, "in a file");
    mr_error(diags, "e", at("unknown", 3, 4, 1), "not quoted");
    mr_error(diags, "e", at("f", 9, 1, 1), "past the end");
    check_printed(diags, "f:2:2: error: first\n"
                         "    2 | two\n"
                         "      |  ^~\n"
                         "   = help: do this\n"
                         "   = help: or that\n"
                         "f:1:1: note: there\n"
                         "    1 | one\n"
                         "      | ^\n"
                         "   = note: by the way\n"
                         "f:9:1: error: past the end\n"
                         "unknown:3:4: error: not quoted\n"
                         "warning: nowhere\n"
                         "g: error: in a file\n");
}

static void carets_stand_under_their_text(void **state)
{
    (void)state;
    /* Tabs to the next fourth column, wide characters two columns, combining ones none, controls as long as they are shown. */
    static const struct {
        const char *line;
        uint32_t col;
        uint32_t len;
        const char *quoted;
    } cases[] = {
        {"a\tb", 3, 1, "    1 | a   b\n      |     ^\n"},
        {"\t\tx: 1", 3, 1, "    1 |         x: 1\n      |         ^\n"},
        {"日本: x", 9, 1, "    1 | 日本: x\n      |       ^\n"},
        {"日本: x", 1, 6, "    1 | 日本: x\n      | ^~~~\n"},
        {"é: ö!", 5, 2, "    1 | é: ö!\n      |    ^\n"},
        {"e\xcc\x81z", 4, 1, "    1 | e\xcc\x81z\n      |  ^\n"},
        {"a\x1bz", 3, 1, "    1 | a\\x1bz\n      |      ^\n"},
        {"a\x1bz", 2, 1, "    1 | a\\x1bz\n      |  ^~~~\n"},
        {"", 1, 1, "    1 | \n      | ^\n"},
        {"ab", 3, 1, "    1 | ab\n      |   ^\n"},
        {"ab", 1, 4000000000u, "    1 | ab\n      | ^~\n"},
        {"ab", 4000000000u, 1, "    1 | ab\n      |   ^\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr_diags *diags = mr_diags_new();
        mr_diags_add_text(diags, "f", cases[i].line, strlen(cases[i].line));
        mr_error(diags, "e", at("f", 1, cases[i].col, cases[i].len), "x");
        char *text = printed(diags, false);
        assert_string_equal(strchr(text, '\n') + 1, cases[i].quoted);
        free(text);
        mr_diags_free(diags);
    }
}

static void long_lines_are_cut_around_the_caret(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    char *line = malloc(SIZE);
    assert_non_null(line);
    memset(line, 'x', SIZE);
    line[50000] = 'Y';
    mr_diags *diags = mr_diags_new();
    mr_diags_add_text(diags, "f", line, SIZE);
    mr_error(diags, "e", at("f", 1, 50001, 70000), "x");
    char *text = printed(diags, false);
    char *quoted = strstr(text, "| ") + 2;
    char *caret = strchr(strchr(quoted, '|') + 1, '^');
    assert_true(strlen(text) < 800);
    assert_memory_equal(quoted, "…", 3);
    /* Columns, not bytes: the ellipsis is one column of three bytes. */
    assert_int_equal(strchr(quoted, 'Y') - quoted - 2, caret - (strchr(quoted, '|') + 2));
    free(text);
    mr_diags_free(diags);
    free(line);
}

static void sorted_and_counted(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    mr_error(diags, "e", (mr_span){0}, "last");
    mr_error(diags, "e", at("b", 1, 1, 1), "4");
    mr_error(diags, "e", at("a", 2, 1, 1), "3");
    mr_warning(diags, "w", at("a", 1, 9, 1), "2");
    mr_error(diags, "e", at("a", 1, 2, 1), "1");
    mr_error(diags, "e", at("a", 1, 2, 1), "1b");
    mr_error(diags, "e", (mr_span){0}, "very last");
    static const char *const order[] = {"1", "1b", "2", "3", "4", "last", "very last"};
    size_t count = 0;
    for (const mr_diag *diag = mr_diags_first(diags); diag; diag = diag->next)
        assert_string_equal(diag->message, order[count++]);
    assert_int_equal(count, 7);
    assert_int_equal(mr_diags_errors(diags), 6);
    assert_int_equal(mr_diags_warnings(diags), 1);
    mr_diags_free(diags);
}

static void said_once_about_one_place(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    mr_error(diags, "e", at("a", 1, 1, 1), "same");
    mr_hint(diags, "hint");
    mr_error(diags, "e", at("a", 1, 1, 1), "same");
    mr_hint(diags, "hint");
    mr_error(diags, "e", at("a", 1, 1, 1), "other");
    assert_int_equal(mr_diags_errors(diags), 2);
    check_printed(diags, "a:1:1: error: same\n   = help: hint\na:1:1: error: other\n");
}

static void the_rest_is_counted(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    for (int i = 0; i < MR_DIAGS_MAX + 3; i++) {
        mr_error(diags, "e", at("a", (uint32_t)i + 1, 1, 1), "%d", i);
        mr_hint(diags, "hint %d", i);
        mr_note(diags, (mr_span){0}, "note %d", i);
    }
    size_t count = 0;
    for (const mr_diag *diag = mr_diags_first(diags); diag; diag = diag->next, count++) {
        char hint[32];
        snprintf(hint, sizeof(hint), "hint %zu", count);
        assert_string_equal(diag->hint, hint); /* those of a suppressed one go nowhere else */
        assert_null(diag->notes->next);
    }
    assert_int_equal(count, MR_DIAGS_MAX);
    assert_int_equal(mr_diags_errors(diags), MR_DIAGS_MAX + 3);
    char *text = printed(diags, false);
    assert_string_equal(strstr(text, "note: 3 more"), "note: 3 more are not shown\n");
    free(text);
    mr_diags_free(diags);
}

static void notes_are_limited(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    size_t count = 0;
    mr_error(diags, "e", (mr_span){0}, "x");
    for (int i = 0; i < 1000; i++)
        mr_note(diags, (mr_span){0}, "%d", i);
    for (const mr_diag *note = mr_diags_first(diags)->notes; note; note = note->next)
        count++;
    assert_in_range(count, 8, 64);
    mr_diags_free(diags);
}

static void messages_are_harmless(void **state)
{
    (void)state;
    char *big = malloc(100000);
    assert_non_null(big);
    memset(big, 'a', 99999);
    big[99999] = '\0';
    mr_diags *diags = mr_diags_new();
    mr_error(diags, "e", (mr_span){0}, "name '%s'", "a\033[2J\nb\xff");
    mr_error(diags, "e", (mr_span){0}, "%s", big);
    const mr_diag *diag = mr_diags_first(diags);
    assert_string_equal(diag->message, "name 'a\\x1b[2J\\nb\\xff'");
    assert_true(strlen(diag->next->message) < 4096);
    char *json = mr_diags_json(diags);
    assert_non_null(json); /* JSON takes valid UTF-8 only */
    free(json);
    mr_diags_free(diags);
    free(big);
}

static void spans_need_not_outlive_their_file_name(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    char *name = strdup("file.yaml");
    mr_error(diags, "e", at(name, 1, 1, 1), "x");
    memset(name, '!', strlen(name));
    free(name);
    check_printed(diags, "file.yaml:1:1: error: x\n");
}

static void for_programs(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    mr_error(diags, "some-code", at("a", 3, 5, 2), "message");
    mr_hint(diags, "hint");
    mr_note(diags, at("b", 1, 1, 1), "note");
    mr_warning(diags, "other", (mr_span){0}, "nowhere");
    char *text = mr_diags_json(diags);
    assert_string_equal(
        text, "[{\"severity\":\"error\",\"code\":\"some-code\",\"message\":\"message\",\"hint\":\"hint\",\"file\":\"a\",\"line\":3,\"col\":5,"
              "\"len\":2,\"notes\":[{\"severity\":\"note\",\"code\":\"note\",\"message\":\"note\",\"hint\":null,\"file\":\"b\",\"line\":1,"
              "\"col\":1,\"len\":1,\"notes\":[]}]},{\"severity\":\"warning\",\"code\":\"other\",\"message\":\"nowhere\",\"hint\":null,"
              "\"file\":null,\"line\":0,\"col\":0,\"len\":0,\"notes\":[]}]");
    free(text);
    mr_diags_free(diags);
    text = mr_diags_json(NULL);
    assert_string_equal(text, "[]");
    free(text);
}

static void colour_is_only_added(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    mr_diags_add_text(diags, "a", "text", 4);
    mr_error(diags, "e", at("a", 1, 1, 4), "x");
    mr_note(diags, at("a", 1, 2, 1), "y");
    mr_hint(diags, "z");
    char *plain = printed(diags, false);
    char *coloured = printed(diags, true);
    assert_non_null(strchr(coloured, '\033'));
    assert_null(strchr(plain, '\033'));
    char *to = coloured;
    for (const char *from = coloured; *from;) {
        if (*from == '\033')
            from = strchr(from, 'm') + 1;
        else
            *to++ = *from++;
    }
    *to = '\0';
    assert_string_equal(coloured, plain);
    free(plain);
    free(coloured);
    mr_diags_free(diags);
}

static void without_a_collector(void **state)
{
    (void)state;
    mr_error(NULL, "e", (mr_span){0}, "x");
    mr_warning(NULL, "e", (mr_span){0}, "x");
    mr_hint(NULL, "x");
    mr_note(NULL, (mr_span){0}, "x");
    mr_diags_add_text(NULL, "a", "b", 1);
    assert_int_equal(mr_diags_errors(NULL) + mr_diags_warnings(NULL), 0);
    assert_null(mr_diags_first(NULL));
    mr_diags_print(NULL, stdout, true);
    mr_diags_free(NULL);
    mr_diags *diags = mr_diags_new();
    mr_hint(diags, "nothing to hint at");
    mr_note(diags, (mr_span){0}, "nothing to note at");
    check_printed(diags, "");
}

enum { THREADS = 6, EACH = 12 };
static pthread_barrier_t barrier;

static void *report(void *arg)
{
    mr_diags *diags = arg;
    char name[32];
    snprintf(name, sizeof(name), "%lx", (unsigned long)pthread_self());
    for (uint32_t i = 0; i < EACH; i++) {
        pthread_barrier_wait(&barrier);
        mr_error(diags, "e", at(name, i + 1, 1, 1), "%s", name);
        mr_hint(diags, "%s", name);
        mr_note(diags, (mr_span){0}, "%s", name);
        (void)mr_diags_errors(diags);
    }
    return NULL;
}

static void hints_go_to_the_thread_s_own(void **state)
{
    (void)state;
    mr_diags *diags = mr_diags_new();
    pthread_t threads[THREADS];
    size_t count = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, report, diags), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (const mr_diag *diag = mr_diags_first(diags); diag; diag = diag->next, count++) {
        assert_string_equal(diag->hint, diag->message);
        assert_string_equal(diag->notes->message, diag->message);
        assert_string_equal(diag->span.file, diag->message);
        assert_null(diag->notes->next);
    }
    assert_int_equal(count, THREADS * EACH);
    mr_diags_free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_in_the_header),
        cmocka_unit_test(notes_hints_and_no_place),
        cmocka_unit_test(carets_stand_under_their_text),
        cmocka_unit_test(long_lines_are_cut_around_the_caret),
        cmocka_unit_test(sorted_and_counted),
        cmocka_unit_test(said_once_about_one_place),
        cmocka_unit_test(the_rest_is_counted),
        cmocka_unit_test(notes_are_limited),
        cmocka_unit_test(messages_are_harmless),
        cmocka_unit_test(spans_need_not_outlive_their_file_name),
        cmocka_unit_test(for_programs),
        cmocka_unit_test(colour_is_only_added),
        cmocka_unit_test(without_a_collector),
        cmocka_unit_test(hints_go_to_the_thread_s_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
