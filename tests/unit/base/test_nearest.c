/* SPDX-License-Identifier: MIT */
#include "base/diag.h"
#include "../test.h"
#include <string.h>

static const char *const ops[] = {"probe.media",          "segment.plan",      "segment.remux",    "transcode.video",
                                  "transcode.audio",      "transcode.analyse", "transcode.ladder", "thumbnail.poster",
                                  "thumbnail.storyboard", "manifest.package",  "storage.publish",  "notify.webhook"};

static void suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *meant; /* NULL: nothing is near enough */
    } cases[] = {
        {"transcode.vido", "transcode.video"},
        {"transcode.vdieo", "transcode.video"},
        {"trancode.audio", "transcode.audio"},
        {"Transcode.Video", "transcode.video"},
        {"probe.medai", "probe.media"},
        {"video", "transcode.video"},
        {"encode.video", "transcode.video"},
        {"media.probe", NULL},
        {"xyz", NULL},
        {"notify.command", NULL},
        {"transcode.analyze", "transcode.analyse"},
        {"thumbnails.poster", "thumbnail.poster"},
        {"", NULL},
        {"webhook", "notify.webhook"},
        {"transcode.video", "transcode.video"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *near = mr_nearest(cases[i].word, ops, sizeof(ops) / sizeof(ops[0]));
        if ((near == NULL) != (cases[i].meant == NULL) || (near && strcmp(near, cases[i].meant) != 0))
            fail_msg("'%s' gave %s", cases[i].word, near ? near : "nothing");
    }
}

static void short_words(void **state)
{
    (void)state;
    static const char *const names[] = {"op", "in", "with", "each", "for", "when", "crf"};
    const size_t count = sizeof(names) / sizeof(names[0]);
    assert_string_equal(mr_nearest("po", names, count), "op");
    assert_string_equal(mr_nearest("crff", names, count), "crf");
    assert_string_equal(mr_nearest("wiht", names, count), "with");
    assert_string_equal(mr_nearest("ni", names, count), "in");
    assert_null(mr_nearest("x", names, count));
    assert_null(mr_nearest("zz", names, count));
    assert_null(mr_nearest("quality", names, count));
}

static void odd_input(void **state)
{
    (void)state;
    char long_word[500];
    const char *names[] = {NULL, "", "name", long_word};
    memset(long_word, 'n', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    assert_string_equal(mr_nearest("nmae", names, 4), "name");
    assert_null(mr_nearest(long_word, names, 3));
    assert_null(mr_nearest("name", NULL, 0));
    assert_null(mr_nearest(NULL, names, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(suggestions), cmocka_unit_test(short_words), cmocka_unit_test(odd_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
