/* SPDX-License-Identifier: MIT */
/* Which addresses are public, how long to wait, what is worth another attempt, how fast a cancel ends a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return mr_address_is_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return mr_address_is_public((const struct sockaddr *)&v6);
}

static void test_addresses(void **state)
{
    static const char *const open[] = {"8.8.8.8",     "172.15.255.255",  "172.32.0.1",     "192.167.1.1",      "100.63.0.1",
                                       "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"};
    static const char *const closed[] = {"0.0.0.0",
                                         "10.1.2.3",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.168.0.1",
                                         "100.64.0.1",
                                         "198.18.0.1",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "fe80::1",
                                         "fc00::1",
                                         "ff02::1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:169.254.169.254",
                                         "64:ff9b::10.0.0.1",
                                         "2001:db8::1",
                                         "2002:7f00:1::",
                                         "::127.0.0.1",
                                         "2001::1"};
    (void)state;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (!is_public(open[i]))
            fail_msg("%s is public", open[i]);
    }
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        if (is_public(closed[i]))
            fail_msg("%s is not public", closed[i]);
    }
}

static void test_backoff(void **state)
{
    bool differ = false;
    (void)state;
    for (unsigned attempt = 0; attempt < 12; attempt++) {
        int64_t whole = 1000 << attempt;
        whole = whole < 60000 ? whole : 60000;
        int64_t wait = mr_http_backoff_ms("run-1", attempt, 1000, 60000);
        assert_in_range(wait, whole / 2, whole);
        assert_int_equal(wait, mr_http_backoff_ms("run-1", attempt, 1000, 60000));
        differ |= wait != mr_http_backoff_ms("run-2", attempt, 1000, 60000);
    }
    assert_true(differ);
}

static void test_what_is_tried_again(void **state)
{
    static const struct {
        long code;
        bool again;
    } codes[] = {{200, false}, {301, false}, {400, false}, {401, false}, {404, false}, {408, true}, {409, true}, {410, false},
                 {413, false}, {425, true},  {429, true},  {500, true},  {501, false}, {502, true}, {503, true}, {504, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(mr_http_may_retry(CURLE_OK, codes[i].code), codes[i].again);
    assert_true(mr_http_may_retry(CURLE_COULDNT_CONNECT, 0));
    assert_false(mr_http_may_retry(CURLE_PEER_FAILED_VERIFICATION, 0));
    assert_false(mr_http_may_retry(CURLE_UNSUPPORTED_PROTOCOL, 0));
}

/* A task, as far as requests know one. */
struct mr_task {
    atomic_bool cancelled;
    char said[512];
};

static int cancelled(const mr_task *task)
{
    return atomic_load(&((mr_task *)task)->cancelled);
}

static void report(mr_task *task, mr_severity severity, const char *param, const char *hint, const char *fmt, ...)
{
    va_list args;
    (void)severity;
    (void)param;
    (void)hint;
    va_start(args, fmt);
    vsnprintf(task->said, sizeof(task->said), fmt, args);
    va_end(args);
}

static const mr_limits *limits_of(const mr_task *task)
{
    static const mr_limits standard = MR_LIMITS_STANDARD;
    (void)task;
    return &standard;
}

static const mr_host host = {.size = sizeof(mr_host), .cancelled = cancelled, .report = report, .limits = limits_of};

/* Cancels as soon as the request has come in, and answers never: only the cancel can end it. */
static void never_answer(int fd, const server_request *request, void *context)
{
    mr_task *task = context;
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    (void)request;
    atomic_store(&task->cancelled, true);
    poll(&gone, 1, 20000);
}

static void test_cancel(void **state)
{
    mr_task task = {0};
    mr_http http;
    char url[64];
    server *server = server_start(never_answer, &task);
    (void)state;
    assert_non_null(server);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server_port(server));
    assert_int_equal(mr_http_begin(&http, &host, &task, url, true), MR_OK);
    int64_t before = mr_http_now_ms();
    assert_int_equal(mr_http_perform(&http, 20000), CURLE_ABORTED_BY_CALLBACK);
    assert_true(mr_http_now_ms() - before < 1000);
    assert_false(mr_http_wait(&host, &task, 20000));
    assert_true(mr_http_now_ms() - before < 1000);
    mr_http_end(&http);
    server_stop(server);
}

static void test_private_address(void **state)
{
    mr_task task = {0};
    mr_http http;
    (void)state;
    assert_int_equal(mr_http_begin(&http, &host, &task, "http://user:secret@127.0.0.1:1/a?token=1", false), MR_OK);
    assert_string_equal(http.place, "http://127.0.0.1:1/a");
    assert_int_not_equal(mr_http_perform(&http, 1000), CURLE_OK);
    assert_true(http.met_private);
    mr_http_end(&http);
}

static void test_bad_urls(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://example.com/", "not a url", "http://", "gopher://example.com/"};
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        mr_task task = {0};
        mr_http http;
        assert_int_equal(mr_http_begin(&http, &host, &task, urls[i], true), MR_ERR_PARAM);
        assert_non_null(strstr(task.said, "the URL can't be used"));
        mr_http_end(&http);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_backoff),         cmocka_unit_test(test_what_is_tried_again),
        cmocka_unit_test(test_cancel),    cmocka_unit_test(test_private_address), cmocka_unit_test(test_bad_urls),
    };
    char why[128];
    if (mr_http_load(&host, why, sizeof(why)) != MR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
