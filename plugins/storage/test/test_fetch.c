/* SPDX-License-Identifier: MIT */
/* storage.fetch against a real server that misbehaves on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_host.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 200000 };

/* SHA-256 of content[], as sha256sum prints it. */
#define DIGEST "sha256:f71da097a769f09d8385a1ea951cdc9d0e2a952278f47cbe099e6a403c748704"

static const mr_op *op;
static char content[SIZE];

static op_result fetch(server_handler handler, void *context, const char *path, const char *more, unsigned *ret_requests)
{
    char params[1024];
    server *server = server_start(handler, context);
    assert_non_null(server);
    snprintf(params, sizeof(params), "{url: 'http://127.0.0.1:%d%s', allow_private: true%s}", server_port(server), path, more);
    op_result result = op_run(op, params, NULL, 0, NULL);
    *ret_requests = server_count(server);
    server_stop(server);
    return result;
}

static void expect_content(const op_result *result)
{
    if (result->status != MR_OK)
        fail_msg("status %d: %s", result->status, result->messages);
    assert_int_equal(result->count, 1);
    assert_int_equal(result->items[0].size, SIZE);
    assert_memory_equal(result->items[0].data, content, SIZE);
}

static void give_whole(int fd, const char *headers)
{
    server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: video/mp4\r\n%sConnection: close\r\n\r\n", SIZE, headers);
    server_write_bytes(fd, content, SIZE);
}

static void whole(int fd, const server_request *request, void *context)
{
    (void)request;
    (void)context;
    give_whole(fd, "");
}

static void test_whole(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(whole, NULL, "/a/My%20clip%22.mp4?sig=1", ", digest: '" DIGEST "'", &requests);
    expect_content(&result);
    assert_int_equal(requests, 1);
    assert_string_equal(result.items[0].meta, "{\"content_type\":\"video/mp4\",\"name\":\"My clip_.mp4\",\"size\":200000}");
    op_result_free(&result);
}

/* Breaks off in the middle, three times; each time the rest is asked for, on condition that the file is the same. */
static void breaking(int fd, const server_request *request, void *context)
{
    char range[64], condition[64];
    unsigned long from = 0;
    unsigned *conditional = context;
    server_header(request, "Range", range, sizeof(range));
    server_header(request, "If-Range", condition, sizeof(condition));
    if (strncmp(range, "bytes=", 6) == 0)
        from = strtoul(range + 6, NULL, 10);
    *conditional += strcmp(condition, "\"v1\"") == 0;
    if (from == 0)
        server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"v1\"\r\n\r\n", SIZE);
    else
        server_write(fd, "HTTP/1.1 206 Partial\r\nContent-Length: %lu\r\nContent-Range: bytes %lu-%d/%d\r\nETag: \"v1\"\r\n\r\n", SIZE - from, from,
                     SIZE - 1, SIZE);
    size_t part = request->number < 3 ? 60000 : SIZE;
    server_write_bytes(fd, content + from, part < SIZE - from ? part : SIZE - from);
}

static void test_resumes(void **state)
{
    unsigned requests, conditional = 0;
    (void)state;
    op_result result = fetch(breaking, &conditional, "/x", ", digest: '" DIGEST "'", &requests);
    expect_content(&result);
    assert_int_equal(requests, 4);
    assert_int_equal(conditional, 3);
    op_result_free(&result);
}

/* The file changes after the first part: the server answers 200 with the new one, which is shorter. */
static void changing(int fd, const server_request *request, void *context)
{
    (void)context;
    if (request->number == 0) {
        server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"old\"\r\n\r\n", SIZE * 2);
        server_write_bytes(fd, content + 1, SIZE - 1);
        server_write_bytes(fd, content, SIZE / 2);
    } else {
        give_whole(fd, "ETag: \"new\"\r\n");
    }
}

static void test_changed_meanwhile(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(changing, NULL, "/x", "", &requests);
    expect_content(&result);
    assert_int_equal(requests, 2);
    op_result_free(&result);
}

/* No validator: nothing says that the rest belongs to the same file, so it is fetched anew. */
static void nameless(int fd, const server_request *request, void *context)
{
    char range[64];
    (void)context;
    assert_string_equal(server_header(request, "Range", range, sizeof(range)), "");
    if (request->number == 0) {
        server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
        server_write_bytes(fd, content, SIZE / 2);
    } else {
        give_whole(fd, "");
    }
}

static void test_no_validator(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(nameless, NULL, "/x", "", &requests);
    expect_content(&result);
    assert_int_equal(requests, 2);
    op_result_free(&result);
}

/* Answers another range than was asked for: not to be glued together. */
static void wrong_range(int fd, const server_request *request, void *context)
{
    (void)context;
    if (request->number == 0) {
        server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"v1\"\r\n\r\n", SIZE);
        server_write_bytes(fd, content, SIZE / 2);
    } else if (request->number == 1) {
        server_write(fd, "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/%d\r\nETag: \"v1\"\r\n\r\n0123456789", SIZE);
    } else {
        give_whole(fd, "");
    }
}

static void test_wrong_range(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(wrong_range, NULL, "/x", "", &requests);
    expect_content(&result);
    assert_int_equal(requests, 3);
    op_result_free(&result);
}

static void redirecting(int fd, const server_request *request, void *context)
{
    (void)context;
    if (strcmp(request->path, "/end") == 0)
        give_whole(fd, "");
    else if (strcmp(request->path, "/file") == 0)
        server_write(fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    else
        server_write(fd, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", strcmp(request->path, "/loop") == 0 ? "/loop" : "/end");
}

static void expect_refusal(server_handler handler, const char *path, const char *more, mr_status status, const char *words)
{
    unsigned requests;
    op_result result = fetch(handler, NULL, path, more, &requests);
    assert_int_equal(result.status, status);
    assert_int_equal(result.count, 0);
    if (!strstr(result.messages, words))
        fail_msg("'%s' is not in: %s", words, result.messages);
    assert_null(strstr(result.messages, "sig="));
    op_result_free(&result);
}

static void test_redirects(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(redirecting, NULL, "/start", "", &requests);
    expect_content(&result);
    assert_int_equal(requests, 2);
    op_result_free(&result);
    expect_refusal(redirecting, "/loop", "", MR_ERR_INPUT, "redirects more than 5 times");
    expect_refusal(redirecting, "/file", "", MR_ERR_INPUT, "can't fetch");
}

static void answer_404(int fd, const server_request *request, void *context)
{
    (void)request;
    (void)context;
    server_write(fd, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnope");
}

static void answer_500(int fd, const server_request *request, void *context)
{
    (void)request;
    (void)context;
    server_write(fd, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
}

/* No length, and no end. */
static void endless(int fd, const server_request *request, void *context)
{
    (void)request;
    (void)context;
    server_write(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 100; i++)
        server_write_bytes(fd, content, SIZE);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal(answer_404, "/x?sig=1", "", MR_ERR_INPUT, "the server answered 404");
    expect_refusal(answer_500, "/x", ", attempts: 2", MR_ERR_UNAVAILABLE, "the server answered 500");
    expect_refusal(whole, "/x", ", max_size: 100kB", MR_ERR_LIMIT, "it is larger than 100000 bytes");
    expect_refusal(endless, "/x", ", max_size: 1MB", MR_ERR_LIMIT, "it is larger than 1000000 bytes");
    expect_refusal(whole, "/x", ", digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'", MR_ERR_INPUT, DIGEST);
}

static void test_private_addresses(void **state)
{
    op_result result = op_run(op, "{url: 'http://127.0.0.1:1/x'}", NULL, 0, NULL);
    (void)state;
    assert_int_equal(result.status, MR_ERR_PARAM);
    assert_non_null(strstr(result.messages, "allow_private"));
    op_result_free(&result);
}

static void nothing(int fd, const server_request *request, void *context)
{
    (void)request;
    (void)context;
    server_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void test_empty(void **state)
{
    unsigned requests;
    (void)state;
    op_result result = fetch(nothing, NULL, "/", "", &requests);
    assert_int_equal(result.status, MR_OK);
    assert_int_equal(result.items[0].size, 0);
    assert_true(result.items[0].has_content);
    assert_string_equal(result.items[0].meta, "{\"name\":\"download\",\"size\":0}");
    op_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_resumes),           cmocka_unit_test(test_changed_meanwhile),
        cmocka_unit_test(test_no_validator), cmocka_unit_test(test_wrong_range),       cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_private_addresses), cmocka_unit_test(test_empty),
    };
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)('a' + i * 7 % 26);
    op = op_load(PLUGIN, "storage.fetch");
    return op ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
