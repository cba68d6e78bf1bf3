/* SPDX-License-Identifier: MIT */
/* Captions that people have, and what is wrong with others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api-server/videos/captions.h"

#include <stdlib.h>
#include <string.h>

static void expect(const char *text, const char *vtt, const char *part_of_why)
{
    char why[160] = "";
    char *got = NULL;
    const mr_status status = mr_captions_read(text, strlen(text), &got, why, sizeof(why));
    assert_int_equal(status, vtt ? MR_OK : MR_ERR_INPUT);
    if (vtt)
        assert_string_equal(got, vtt);
    else if (!strstr(why, part_of_why))
        fail_msg("'%s' does not say '%s'", why, part_of_why);
    free(got);
}

static void test_taken(void **state)
{
    static const char plain[] = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello\nworld\n\n";
    (void)state;
    expect("1\n00:00:01,000 --> 00:00:02,500\nHello\nworld\n", plain, NULL);
    expect("\xef\xbb\xbf"
           "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello\r\nworld\r\n\r\n",
           plain, NULL);
    expect("WEBVTT - a title\nKind: captions\n\nan id\n00:01.000 --> 00:02.500\nHello\nworld", plain, NULL);
    expect("WEBVTT\n\nNOTE a word\nof mine\n\n00:01.000 --> 00:02.000 line:0 align:start\n<b>x</b>\n",
           "WEBVTT\n\nNOTE a word\nof mine\n\n00:00:01.000 --> 00:00:02.000 line:0 align:start\n<b>x</b>\n\n", NULL);
    expect("100:00:00,000 --> 100:00:01,000\nlate\n", "WEBVTT\n\n100:00:00.000 --> 100:00:01.000\nlate\n\n", NULL);
}

static void test_refused(void **state)
{
    char why[160];
    char *got = NULL;
    (void)state;
    expect("", NULL, "nothing in it");
    expect("WEBVTT\n\n", NULL, "no cue");
    expect("hello\nthere\n", NULL, "line 2");
    expect("1\n00:00:02,000 --> 00:00:01,000\nx\n", NULL, "ends before it begins");
    expect("1\n00:00:02,000 --> tomorrow\nx\n", NULL, "ends can't be read");
    expect("1\n00:61:02,000 --> 00:62:02,000\nx\n", NULL, "begins with a time");
    expect("1\n00:00:01,000 --> 00:00:02,000\nx\n2\n00:00:03,000 --> 00:00:04,000\ny\n", NULL, "line 5");
    expect("1\n00:00:01,000 --> 00:00:02,000\n\xff\xfe\n", NULL, "UTF-8");
    assert_int_equal(mr_captions_read("a\0b", 3, &got, why, sizeof(why)), MR_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
