/* SPDX-License-Identifier: MIT */
/* Heads that are taken, and each way to be wrong, whole and cut at every byte. */
#include "api-server/http/head.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

typedef struct head_case {
    const char *text;
    int status; /* 0: fine */
} head_case;

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static const head_case cases[] = {
    {GET HOST "\r\n", 0},
    {"GET /a%20b?x=1 HTTP/1.1\r\nHOST: [::1]:8080\r\nX-Empty:\r\nX: \t a b \t\r\n\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", 0},
    {GET HOST "X: caf\xc3\xa9\r\n\r\n", 0},
    {"\r\n" GET HOST "\r\n", 400},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {"G@T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /#x HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
    {"GET / HTTP/11\r\n" HOST "\r\n", 400},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {GET "\r\n", 400},
    {GET "Host:\r\n\r\n", 400},
    {GET "Host: a b\r\n\r\n", 400},
    {GET HOST HOST "\r\n", 400},
    {GET HOST " folded\r\n\r\n", 400},
    {GET HOST "X: a\r\n\tfolded\r\n\r\n", 400},
    {GET HOST "X : a\r\n\r\n", 400},
    {GET HOST ": a\r\n\r\n", 400},
    {GET HOST "nothing\r\n\r\n", 400},
    {GET "Host: a\n\r\n", 400},
    {GET HOST "X: a\rContent-Length: 5\r\n\r\n", 400},
    {GET HOST "X: a\r\r\n\r\n", 400},
    {GET HOST "X: \x01\r\n\r\n", 400},
    {GET HOST "X: \x7f\r\n\r\n", 400},
    {GET HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {GET HOST "Content-Length: 5, 5\r\n\r\n", 400},
    {GET HOST "Content-Length: +5\r\n\r\n", 400},
    {GET HOST "Content-Length: -5\r\n\r\n", 400},
    {GET HOST "Content-Length: 0x5\r\n\r\n", 400},
    {GET HOST "Content-Length:\r\n\r\n", 400},
    {GET HOST "Content-Length: 9999999999999999999\r\n\r\n", 400},
    {GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
};

static void check(const head_case *one, const char *text, size_t len, bool bytewise)
{
    mr_head_scan scan = {0};
    mr_head_verdict verdict = MR_HEAD_MORE;
    for (size_t cut = bytewise ? 1 : len; cut <= len && verdict == MR_HEAD_MORE; cut++)
        verdict = mr_head_look(&scan, text, cut);
    if (verdict != (one->status ? MR_HEAD_BAD : MR_HEAD_WHOLE) || (one->status && one->status != scan.status))
        fail_msg("verdict %d, status %d (%s), wanted %d: %s", verdict, scan.status, scan.why ? scan.why : "", one->status, text);
    if (!one->status)
        assert_int_equal(scan.at, len);
}

static void test_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&cases[i], cases[i].text, strlen(cases[i].text), false);
        check(&cases[i], cases[i].text, strlen(cases[i].text), true);
    }
}

static void test_nul(void **state)
{
    static const char text[] = GET HOST "X: a\0b\r\n\r\n";
    mr_head_scan scan = {0};
    (void)state;
    assert_int_equal(mr_head_look(&scan, text, sizeof(text) - 1), MR_HEAD_BAD);
    assert_int_equal(scan.status, 400);
}

static void test_what_follows_is_left(void **state)
{
    static const char text[] = GET HOST "\r\nGET /next";
    mr_head_scan scan = {0};
    (void)state;
    assert_int_equal(mr_head_look(&scan, text, sizeof(text) - 1), MR_HEAD_WHOLE);
    assert_int_equal(scan.at, strlen(GET HOST "\r\n"));
}

/* prefix, then 'a' up to the limit of a head. */
static int status_of_long(const char *prefix)
{
    static char text[MR_HTTP_HEAD_MAX + 1];
    mr_head_scan scan = {0};
    memset(text, 'a', sizeof(text));
    memcpy(text, prefix, strlen(prefix));
    return mr_head_look(&scan, text, sizeof(text)) == MR_HEAD_BAD ? scan.status : 0;
}

static void test_limits(void **state)
{
    char many[4096] = GET HOST;
    mr_head_scan scan = {0};
    (void)state;
    assert_int_equal(status_of_long("GET /"), 414);
    assert_int_equal(status_of_long(GET HOST "X: "), 431);
    for (int i = 0; i < MR_HTTP_FIELDS_MAX; i++)
        memcpy(many + strlen(many), "X: a\r\n", 7);
    assert_int_equal(mr_head_look(&scan, many, strlen(many)), MR_HEAD_BAD);
    assert_int_equal(scan.status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_what_follows_is_left),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
