/* SPDX-License-Identifier: MIT */
/* Ranges, conditions, dates: RFC 9110. And which paths are for viewers. */
#include "api-server/playback/media.h"
#include "api-server/playback/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_ranges(void **context)
{
    static const struct {
        const char *field;
        uint64_t size;
        mr_range range;
        uint64_t offset, len;
    } rows[] = {
        {NULL, 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=0-", 100, MR_RANGE_PART, 0, 100},
        {"bytes=0-0", 100, MR_RANGE_PART, 0, 1},
        {"Bytes=10-19", 100, MR_RANGE_PART, 10, 10},
        {"bytes= 10-19 ", 100, MR_RANGE_PART, 10, 10},
        {"bytes=90-200", 100, MR_RANGE_PART, 90, 10},
        {"bytes=99-", 100, MR_RANGE_PART, 99, 1},
        {"bytes=100-", 100, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=100-200", 100, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=-5", 100, MR_RANGE_PART, 95, 5},
        {"bytes=-500", 100, MR_RANGE_PART, 0, 100},
        {"bytes=-0", 100, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=0-", 0, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=-5", 0, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=5-4", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=0-1,5-6", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=-", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=a-b", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=1-2x", 100, MR_RANGE_WHOLE, 0, 100},
        {"lines=1-2", 100, MR_RANGE_WHOLE, 0, 100},
        {"bytes=0-99999999999999999999999", 100, MR_RANGE_PART, 0, 100},
        {"bytes=99999999999999999999999-", 100, MR_RANGE_OUTSIDE, 0, 0},
        {"bytes=-99999999999999999999999", 100, MR_RANGE_PART, 0, 100},
    };
    (void)context;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t offset = 0, len = 0;
        assert_int_equal(mr_range_read(rows[i].field, rows[i].size, &offset, &len), rows[i].range);
        if (rows[i].range == MR_RANGE_OUTSIDE)
            continue;
        assert_int_equal(offset, rows[i].offset);
        assert_int_equal(len, rows[i].len);
    }
}

static void test_entity_tags(void **context)
{
    (void)context;
    assert_true(mr_etag_listed("\"a\"", "\"a\""));
    assert_true(mr_etag_listed("*", "\"a\""));
    assert_true(mr_etag_listed("W/\"a\"", "\"a\""));
    assert_true(mr_etag_listed("\"b\", W/\"c\" ,\"a\"", "\"a\""));
    assert_false(mr_etag_listed("\"b\", \"aa\"", "\"a\""));
    assert_false(mr_etag_listed("a", "\"a\""));
    assert_false(mr_etag_listed("\"a", "\"a\""));
    assert_false(mr_etag_listed("", "\"a\""));
    assert_true(mr_if_range_holds("\"a\"", "\"a\"", 1000, 1000));
    assert_false(mr_if_range_holds("W/\"a\"", "\"a\"", 1000, 2000)); /* weak ones never hold here */
    assert_true(mr_if_range_holds("Thu, 01 Jan 1970 00:16:40 GMT", "\"a\"", 1000, 2000));
    assert_false(mr_if_range_holds("Thu, 01 Jan 1970 00:16:40 GMT", "\"a\"", 1000, 1001)); /* may change within the second */
    assert_false(mr_if_range_holds("Thu, 01 Jan 1970 00:16:41 GMT", "\"a\"", 1000, 2000));
}

static void test_dates(void **context)
{
    static const char *const bad[] = {"",
                                      "Fri, 01 Jan 1970 00:16:40 GMT",
                                      "Thu, 32 Jan 1970 00:16:40 GMT",
                                      "Thu, 01 Foo 1970 00:16:40 GMT",
                                      "Thu, 01 Jan 1970 00:16:40 UTC",
                                      "Thursday, 01-Jan-70 00:16:40 GMT"};
    char text[MR_HTTP_DATE_SIZE];
    time_t time = 0;
    (void)context;
    mr_http_date(1795262400, text);
    assert_string_equal(text, "Sat, 21 Nov 2026 12:00:00 GMT");
    assert_true(mr_http_date_read(text, &time));
    assert_int_equal(time, 1795262400);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(mr_http_date_read(bad[i], &time));
}

static void test_paths(void **context)
{
    static const char *const good[] = {"v_1/1/master.m3u8", "v_1/2/video/720p/00001.m4s", "v_1/1/text/de/subtitles.vtt", "v_1/1/a b.mp4"};
    static const char *const bad[] = {"",
                                      "master.m3u8",
                                      "v_1/1/run.json",
                                      "v_1/1/../../keys/a.mp4",
                                      "v_1/1/./a.mp4",
                                      "/v_1/a.mp4",
                                      "v_1//a.mp4",
                                      "v_1/1/.millrace/a.mp4",
                                      "v_1/1/a\\..\\b.mp4",
                                      "v_1/1/a\nb.mp4",
                                      "v_1/1/mp4",
                                      "v_1/1/x.mp4/",
                                      "v_1/1/x.MP4",
                                      "v_1/1/.mp4",
                                      "v_1/1/x.mp4/y",
                                      "../media/v_1/1/a.mp4"};
    char longest[MR_MEDIA_PATH + 1];
    (void)context;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(mr_media_path_is_fine(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(mr_media_path_is_fine(bad[i]));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 1, "/", 1);
    memcpy(longest + MR_MEDIA_PATH - 4, ".mp4", 5);
    assert_false(mr_media_path_is_fine(longest));
    memcpy(longest + MR_MEDIA_PATH - 5, ".mp4", 5);
    assert_true(mr_media_path_is_fine(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges), cmocka_unit_test(test_entity_tags), cmocka_unit_test(test_dates),
                                       cmocka_unit_test(test_paths)};
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
