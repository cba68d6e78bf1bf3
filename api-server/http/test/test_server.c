/* SPDX-License-Identifier: MIT */
/* A real server on a free port, and raw sockets: framing, lanes, limits, streams, answers that are put off. */
#include "api-server/http/http.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_SIZE  (3u << 20)
#define REPLY_SIZE (FILE_SIZE + 65536)
#define WAIT_MS    60000 /* for what must come; a test that waits that long fails */

typedef struct fixture {
    mr_http_server *server;
    int file;
    char *reply;
    atomic_int ended;
    mr_later *later; /* of the last exchange that asked for one */
    pthread_mutex_t lock;
    pthread_cond_t came;
} fixture;

/* ---- the handler ---- */

static void on_begin(void *context, mr_exchange *exchange, mr_lane *ret_lane, uint64_t *ret_body_max)
{
    const char *path = mr_http_path(exchange);
    (void)context;
    *ret_body_max = 100000;
    if (strcmp(path, "/upload") == 0)
        *ret_lane = MR_LANE_UPLOAD;
    if (strcmp(path, "/slow") == 0)
        *ret_lane = MR_LANE_SLOW;
    if (strcmp(path, "/no") == 0)
        mr_http_reply_problem(exchange, 403, "forbidden", "not you");
}

static void keep_later(fixture *it, mr_later *later)
{
    pthread_mutex_lock(&it->lock);
    it->later = later;
    pthread_cond_broadcast(&it->came);
    pthread_mutex_unlock(&it->lock);
}

static void on_answer(void *context, mr_exchange *exchange)
{
    fixture *it = context;
    const char *path = mr_http_path(exchange);
    size_t len = 0;
    const char *body = mr_http_body(exchange, &len);
    if (strcmp(path, "/file") == 0) {
        mr_http_reply_file(exchange, 200, dup(it->file), 0, FILE_SIZE);
    } else if (strcmp(path, "/part") == 0) {
        mr_http_reply_field(exchange, "Content-Range", "bytes 10-19/100");
        mr_http_reply_file(exchange, 206, dup(it->file), 10, 10);
    } else if (strcmp(path, "/stream") == 0) {
        mr_http_reply_field(exchange, "Content-Type", "text/event-stream");
        keep_later(it, mr_http_reply_stream(exchange, 200));
    } else if (strcmp(path, "/later") == 0 && !mr_http_state(exchange)) {
        mr_http_set_state(exchange, it);
        keep_later(it, mr_http_later(exchange, 0));
    } else if (strcmp(path, "/timeout") == 0 && !mr_http_state(exchange)) {
        mr_http_set_state(exchange, it);
        mr_http_later_unref(mr_http_later(exchange, 1));
    } else if (strcmp(path, "/split") == 0) {
        mr_http_reply_field(exchange, "X", "a\r\nSet-Cookie: b");
        mr_http_reply(exchange, 200, "x", 1);
    } else if (strcmp(path, "/empty") == 0) {
        mr_http_reply(exchange, 204, NULL, 0);
    } else if (strcmp(path, "/big") == 0) {
        char *big = malloc(1000000);
        memset(big, 'b', 1000000);
        mr_http_reply(exchange, 200, big, 1000000);
        free(big);
    } else if (strcmp(path, "/silent") != 0) {
        mr_http_reply(exchange, 200, len ? body : "hello", len ? len : 5);
    }
}

static void on_ended(void *context, mr_exchange *exchange)
{
    fixture *it = context;
    (void)exchange;
    atomic_fetch_add(&it->ended, 1);
}

static int open_server(void **state)
{
    char why[256];
    fixture *it = calloc(1, sizeof(*it));
    const mr_http_options options = {.listen = "127.0.0.1:0",
                                     .lanes = {2, 1, 1},
                                     .limits = {.head_ms = 1500, .idle_ms = 1500, .window_ms = 1500, .window_bytes = 1000, .linger_ms = 300},
                                     .handler = {.context = it, .begin = on_begin, .answer = on_answer, .ended = on_ended}};
    it->file = memfd_create("file", MFD_CLOEXEC);
    it->reply = malloc(REPLY_SIZE);
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->came, NULL);
    for (unsigned i = 0; i < FILE_SIZE; i += 4096) {
        char page[4096];
        memset(page, 'a' + (int)(i / 4096 % 26), sizeof(page));
        assert_int_equal(write(it->file, page, sizeof(page)), sizeof(page));
    }
    assert_int_equal(mr_http_open(&options, why, sizeof(why), &it->server), MR_OK);
    *state = it;
    return 0;
}

static int close_server(void **state)
{
    fixture *it = *state;
    mr_http_close(it->server, 1000);
    mr_http_later_unref(it->later);
    close(it->file);
    free(it->reply);
    free(it);
    return 0;
}

/* ---- a client ---- */

static int dial(const fixture *it)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(mr_http_port(it->server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until the reply holds so many of what; or, what being NULL, until the other end closes. */
static const char *hear(fixture *it, int fd, const char *what, int times)
{
    size_t have = 0;
    it->reply[0] = '\0';
    for (;;) {
        int found = 0;
        for (const char *at = it->reply; what && (at = strstr(at, what)); at++)
            found++;
        if (what && found >= times)
            return it->reply;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
        const ssize_t len = recv(fd, it->reply + have, REPLY_SIZE - 1 - have, 0);
        if (len <= 0 && !what)
            return it->reply;
        assert_true(len > 0);
        have += (size_t)len;
        it->reply[have] = '\0';
    }
}

static const char *ask(fixture *it, const char *request)
{
    const int fd = dial(it);
    say(fd, request);
    hear(it, fd, NULL, 0);
    close(fd);
    return it->reply;
}

static void assert_begins(const char *text, const char *begin)
{
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("'%.200s' does not begin with '%s'", text, begin);
}

static void assert_ends(const char *text, const char *end)
{
    if (strlen(text) < strlen(end) || strcmp(text + strlen(text) - strlen(end), end) != 0)
        fail_msg("'%.400s' does not end with '%s'", text, end);
}

#define CLOSE "Host: a\r\nConnection: close\r\n"

/* ---- tests ---- */

static void test_simple(void **state)
{
    const char *reply = ask(*state, "GET / HTTP/1.1\r\n" CLOSE "\r\n");
    assert_begins(reply, "HTTP/1.1 200 OK\r\nDate: ");
    assert_non_null(strstr(reply, "Content-Length: 5\r\n"));
    assert_non_null(strstr(reply, "Connection: close\r\n"));
    assert_ends(reply, "\r\n\r\nhello");
    reply = ask(*state, "HEAD / HTTP/1.1\r\n" CLOSE "\r\n");
    assert_non_null(strstr(reply, "Content-Length: 5\r\n"));
    assert_ends(reply, "\r\n\r\n");
    reply = ask(*state, "GET / HTTP/1.0\r\n\r\n");
    assert_ends(reply, "hello");
    assert_null(strstr(ask(*state, "GET /empty HTTP/1.1\r\n" CLOSE "\r\n"), "Content-Length"));
}

/* Three requests in one piece, with bodies between, answered in order on one connection. */
static void test_pipelined(void **state)
{
    fixture *it = *state;
    const int fd = dial(it);
    say(fd, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
            "POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
            "POST / HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nthree");
    const char *reply = hear(it, fd, NULL, 0);
    const char *one = strstr(reply, "\r\n\r\noneHTTP/1.1 200");
    assert_non_null(one);
    const char *two = strstr(one, "\r\n\r\ntwoHTTP/1.1 200");
    assert_non_null(two);
    assert_ends(two, "\r\n\r\nthree");
    close(fd);
}

static void test_bodies(void **state)
{
    fixture *it = *state;
    int fd = dial(it);
    say(fd, "POST / HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    hear(it, fd, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    say(fd, "body");
    assert_ends(hear(it, fd, NULL, 0), "\r\n\r\nbody");
    close(fd);
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n"), "HTTP/1.1 413 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"), "HTTP/1.1 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n"), "HTTP/1.1 400 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n"), "HTTP/1.1 400 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "HTTP/1.1 400 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"), "HTTP/1.1 400 ");
}

/* What is refused is refused once, and nothing that follows is taken for a request. */
static void test_refused(void **state)
{
    fixture *it = *state;
    const char *reply =
        ask(it, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /file HTTP/1.1\r\n\r\n");
    assert_begins(reply, "HTTP/1.1 400 ");
    assert_non_null(strstr(reply, "application/problem+json"));
    assert_null(strstr(reply + 1, "HTTP/1.1 "));
    assert_begins(ask(it, "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 400 ");
    assert_begins(ask(it, "NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 501 ");
    reply = ask(it, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nGET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_begins(reply, "HTTP/1.1 403 ");
    assert_null(strstr(reply + 1, "HTTP/1.1 "));
    reply = ask(it, "GET /split HTTP/1.1\r\n" CLOSE "\r\n");
    assert_begins(reply, "HTTP/1.1 500 ");
    assert_null(strstr(reply, "Set-Cookie"));
    assert_begins(ask(it, "GET /silent HTTP/1.1\r\n" CLOSE "\r\n"), "HTTP/1.1 500 ");
}

static void test_files(void **state)
{
    fixture *it = *state;
    const char *reply = ask(it, "GET /file HTTP/1.1\r\n" CLOSE "\r\n");
    const char *content = strstr(reply, "\r\n\r\n") + 4;
    assert_int_equal(strlen(content), FILE_SIZE);
    for (unsigned i = 0; i < FILE_SIZE; i += 4096)
        assert_int_equal(content[i], 'a' + (int)(i / 4096 % 26));
    assert_ends(ask(it, "GET /part HTTP/1.1\r\n" CLOSE "\r\n"), "\r\n\r\naaaaaaaaaa");
    reply = ask(it, "GET /big HTTP/1.1\r\n" CLOSE "\r\n");
    assert_int_equal(strlen(strstr(reply, "\r\n\r\n") + 4), 1000000);
}

static mr_later *wait_for_later(fixture *it)
{
    pthread_mutex_lock(&it->lock);
    while (!it->later)
        pthread_cond_wait(&it->came, &it->lock);
    mr_later *later = it->later;
    it->later = NULL;
    pthread_mutex_unlock(&it->lock);
    return later;
}

static void test_stream(void **state)
{
    fixture *it = *state;
    int fd = dial(it);
    say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mr_later *stream = wait_for_later(it);
    assert_true(mr_http_stream_write(stream, "data: 1\n\n", 9));
    hear(it, fd, "9\r\ndata: 1\n\n\r\n", 1);
    assert_true(mr_http_stream_write(stream, "data: 2\n\n", 9));
    mr_http_later_resume(stream);
    mr_http_later_unref(stream);
    hear(it, fd, "0\r\n\r\n", 1);
    say(fd, "GET / HTTP/1.1\r\n" CLOSE "\r\n"); /* the connection goes on */
    assert_ends(hear(it, fd, NULL, 0), "hello");
    close(fd);
    /* A reader who goes is noticed. */
    fd = dial(it);
    say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = wait_for_later(it);
    close(fd);
    struct pollfd nothing = {.fd = -1};
    for (int i = 0; i < WAIT_MS && mr_http_stream_write(stream, "x", 1); i++)
        poll(&nothing, 1, 1);
    assert_false(mr_http_stream_write(stream, "x", 1));
    mr_http_later_unref(stream);
}

/* A reader who does not read is cut off; nobody waits for it, and memory is bounded. */
static void test_slow_stream(void **state)
{
    fixture *it = *state;
    char data[4096];
    const int fd = dial(it);
    memset(data, 'x', sizeof(data));
    say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    mr_later *stream = wait_for_later(it);
    size_t written = 0;
    while (mr_http_stream_write(stream, data, sizeof(data))) {
        written += sizeof(data);
        assert_true(written < (256u << 20));
    }
    mr_http_later_unref(stream);
    close(fd);
}

static void test_later(void **state)
{
    fixture *it = *state;
    const int fd = dial(it);
    say(fd, "GET /later HTTP/1.1\r\n" CLOSE "\r\n");
    mr_later *later = wait_for_later(it);
    mr_http_later_resume(later);
    assert_ends(hear(it, fd, NULL, 0), "hello");
    mr_http_later_resume(later); /* too late, and harmless */
    mr_http_later_unref(later);
    close(fd);
    assert_ends(ask(it, "GET /timeout HTTP/1.1\r\n" CLOSE "\r\n"), "hello");
}

/* Whoever dawdles is told so, or dropped; each exchange that began has ended. */
static void test_deadlines(void **state)
{
    fixture *it = *state;
    assert_begins(ask(it, "GET / HTT"), "HTTP/1.1 408 ");
    assert_begins(ask(it, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\nsome"), "HTTP/1.1 408 ");
    assert_string_equal(ask(it, ""), "");
    const int before = atomic_load(&it->ended);
    const int fd = dial(it);
    say(fd, "GET /file HTTP/1.1\r\nHost: a\r\n\r\nGET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    struct pollfd nothing = {.fd = -1};
    for (int i = 0; i < WAIT_MS && atomic_load(&it->ended) == before; i++)
        poll(&nothing, 1, 1); /* it is not read: cut off when the window has passed */
    assert_true(atomic_load(&it->ended) > before);
    close(fd);
    for (int i = 0; i < WAIT_MS && mr_http_connections(it->server) > 0; i++)
        poll(&nothing, 1, 1);
    assert_int_equal(mr_http_connections(it->server), 0);
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {"", "8080", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:999999", "127.0.0.1:65536"};
    fixture *it = *state;
    char why[256];
    char taken[64];
    mr_http_server *server = NULL;
    mr_http_options options = {.handler = {.begin = on_begin, .answer = on_answer}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.listen = bad[i];
        assert_int_equal(mr_http_open(&options, why, sizeof(why), &server), MR_ERR_PARAM);
        assert_non_null(strstr(why, "listen"));
    }
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", mr_http_port(it->server));
    options.listen = taken;
    assert_int_equal(mr_http_open(&options, why, sizeof(why), &server), MR_ERR_CONFLICT);
}

/* Nobody comes in while no file can be opened, and whoever waited does when one can be. */
static void test_no_descriptors(void **state)
{
    fixture *it = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(mr_http_port(it->server)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int least = dup(fd);
    close(least);
    const struct rlimit none = {.rlim_cur = (rlim_t)least, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    say(fd, "GET / HTTP/1.1\r\n" CLOSE "\r\n");
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    const int heard = poll(&answer, 1, 600); /* two of the loop's ticks */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(heard, 0);
    assert_ends(hear(it, fd, NULL, 0), "hello");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),    cmocka_unit_test(test_pipelined), cmocka_unit_test(test_bodies),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_stream),    cmocka_unit_test(test_slow_stream),    cmocka_unit_test(test_later),
        cmocka_unit_test(test_deadlines), cmocka_unit_test(test_addresses), cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
