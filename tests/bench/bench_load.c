/* SPDX-License-Identifier: MIT */
/*
 * Clients of an HTTP server where wrk does not fit: bodies, all at the same instant, at a steady rate, idle connections. One thread, epoll.
 *   bench_load [OPTION…] PORT METHOD TARGET      see --help; TARGET "-": one a line from the standard input, each asked once
 * It says what it saw as a line of JSON. The server's answers must have a Content-Length, or no content.
 */
#include "base/clock.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IN_SIZE = 4096, OUT_SIZE = 4096, FIELDS_SIZE = 2048, STATUSES = 600, EVENTS = 512, PIECE = 1 << 20 };

typedef enum phase { CONNECTING, RESTING, CLOSED, SENDING, READING, GONE } phase; /* CLOSED: by the server, while it rested */

static volatile sig_atomic_t stopped; /* SIGTERM: no more requests; what was seen is told */

typedef struct client {
    int fd;
    phase phase;
    bool head_read;
    bool last; /* the server closes after this answer */
    size_t out_len, out_at, in_len;
    int64_t body_left; /* to be sent */
    int64_t left;      /* of the answer's content */
    int64_t began_us;
    int status;
    struct client *next; /* of those that rest */
    char in[IN_SIZE];
    char out[OUT_SIZE];
} client;

typedef struct load {
    long port, connections, count, rate;
    bool gather, hold;
    const char *method, *target, *body;
    char fields[FIELDS_SIZE];
    int body_fd, epoll;
    int64_t body_len;
    client *clients, *resting;
    long connected, asked, ended, errors, gone;
    int64_t begin_us;
    uint32_t *took_us;
    long took;
    long statuses[STATUSES];
    uint64_t bytes;
} load;

static int fail(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerrordesc_np(errno));
    return 1;
}

/* ---- connections ---- */

static void watch(const load *it, client *one, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = one};
    epoll_ctl(it->epoll, how, one->fd, &event);
}

static void rest(load *it, client *one)
{
    one->phase = RESTING;
    one->next = it->resting;
    it->resting = one;
}

static bool open_client(load *it, client *one)
{
    const int on = 1;
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)it->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->fd < 0)
        return false;
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(one->fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        return false;
    one->phase = CONNECTING;
    watch(it, one, EPOLLOUT, EPOLL_CTL_ADD);
    return true;
}

/* wrong: in the middle of something; that request counts as an error. */
static void lose_client(load *it, client *one, bool wrong)
{
    if (wrong && (one->phase == SENDING || one->phase == READING)) {
        it->errors++;
        it->ended++;
    }
    close(one->fd);
    if (!open_client(it, one)) {
        one->phase = GONE;
        it->gone++;
    }
}

/* ---- a request ---- */

/* Whatever the input's next line says. False: there is none. */
static bool read_target(load *it, char *text, size_t size)
{
    if (strcmp(it->target, "-") != 0) {
        snprintf(text, size, "%s", it->target);
        return true;
    }
    if (!fgets(text, (int)size, stdin))
        return false;
    text[strcspn(text, "\n")] = '\0';
    return true;
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void finish(load *it, client *one)
{
    const int64_t took = mr_now_us() - one->began_us;
    it->took_us[it->took++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
    it->statuses[one->status]++;
    it->ended++;
    if (one->last)
        lose_client(it, one, false);
    else
        rest(it, one);
}

static bool send_some(load *it, client *one)
{
    while (one->out_at < one->out_len) {
        const ssize_t sent = send(one->fd, one->out + one->out_at, one->out_len - one->out_at, MSG_NOSIGNAL | (one->body_left ? MSG_MORE : 0));
        if (sent < 0)
            return errno == EAGAIN;
        one->out_at += (size_t)sent;
    }
    while (one->body_left > 0) {
        off_t at = it->body_len - one->body_left;
        const ssize_t sent = sendfile(one->fd, it->body_fd, &at, one->body_left < PIECE ? (size_t)one->body_left : PIECE);
        if (sent <= 0)
            return sent < 0 && errno == EAGAIN;
        one->body_left -= sent;
        it->bytes += (uint64_t)sent;
    }
    one->phase = READING;
    watch(it, one, EPOLLIN, EPOLL_CTL_MOD);
    return true;
}

static bool ask(load *it, client *one, int64_t due_us)
{
    char target[OUT_SIZE / 2];
    char length[48] = "";
    if (!read_target(it, target, sizeof(target)))
        return false;
    if (it->body)
        snprintf(length, sizeof(length), "Content-Length: %lld\r\n", (long long)it->body_len);
    const int len =
        snprintf(one->out, sizeof(one->out), "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n%s%s\r\n", it->method, target, it->port, it->fields, length);
    if (len < 0 || (size_t)len >= sizeof(one->out))
        return false;
    one->out_len = (size_t)len;
    one->out_at = one->in_len = 0;
    one->body_left = it->body_len;
    one->head_read = one->last = false;
    one->began_us = due_us;
    one->phase = SENDING;
    it->asked++;
    watch(it, one, EPOLLOUT | EPOLLIN, EPOLL_CTL_MOD); /* an early refusal is read, too */
    if (!send_some(it, one))
        lose_client(it, one, true);
    return true;
}

/* ---- an answer ---- */

static bool read_head(client *one)
{
    one->in[one->in_len] = '\0';
    const char *end = strstr(one->in, "\r\n\r\n");
    char *after = NULL;
    if (!end)
        return one->in_len < IN_SIZE - 1;
    const long status = strncmp(one->in, "HTTP/1.1 ", 9) == 0 ? strtol(one->in + 9, &after, 10) : 0;
    one->status = status > 0 && status < STATUSES ? (int)status : 0;
    one->left = 0;
    for (const char *line = strstr(one->in, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            one->left = strtoll(line + 17, &after, 10);
        if (strncasecmp(line + 2, "connection: close", 17) == 0)
            one->last = true;
    }
    one->left -= (int64_t)(one->in_len - (size_t)(end + 4 - one->in));
    one->head_read = true;
    return one->left >= 0;
}

static void read_some(load *it, client *one)
{
    char content[65536];
    for (;;) {
        char *to = one->head_read ? content : one->in + one->in_len;
        const ssize_t len = recv(one->fd, to, one->head_read ? sizeof(content) : sizeof(one->in) - 1 - one->in_len, 0);
        if (len < 0 && errno == EAGAIN)
            return;
        if (len <= 0) {
            lose_client(it, one, true);
            return;
        }
        if (one->head_read)
            one->left -= len;
        else
            one->in_len += (size_t)len;
        if (!one->head_read && !read_head(one)) {
            lose_client(it, one, true);
            return;
        }
        if (one->head_read && one->left <= 0) {
            one->last = one->last || one->phase == SENDING || one->left < 0; /* not all of the body was wanted */
            finish(it, one);
            return;
        }
    }
}

/* ---- all of them ---- */

static void handle(load *it, client *one, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (one->phase == CONNECTING) {
        getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            close(one->fd);
            one->phase = GONE;
            it->gone++;
            return;
        }
        watch(it, one, EPOLLIN, EPOLL_CTL_MOD);
        it->connected++;
        rest(it, one);
    } else if (one->phase == RESTING || one->phase == CLOSED) {
        one->phase = CLOSED;
        watch(it, one, 0, EPOLL_CTL_MOD);
    } else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        read_some(it, one);
    } else if (one->phase == SENDING && !send_some(it, one)) {
        lose_client(it, one, true);
    }
}

/* Asks as much as is due. *ret_wait_us: until the next is; -1: nothing is to come by time. */
static void ask_what_is_due(load *it, int64_t *ret_wait_us)
{
    const int64_t now_us = mr_now_us();
    *ret_wait_us = -1;
    if (stopped)
        it->count = it->asked;
    if (it->gather && it->asked == 0 && it->connected + it->gone < it->connections)
        return;
    if (it->asked == 0)
        it->begin_us = now_us;
    while (it->resting && it->asked < it->count) {
        const int64_t due_us = it->rate ? it->begin_us + it->asked * 1000000 / it->rate : now_us;
        if (due_us > now_us) {
            *ret_wait_us = due_us - now_us;
            return;
        }
        client *one = it->resting;
        it->resting = one->next;
        if (one->phase == CLOSED) {
            lose_client(it, one, false);
            continue;
        }
        if (!ask(it, one, due_us)) {
            it->count = it->asked; /* the input has ended */
            return;
        }
    }
}

static int run(load *it)
{
    struct epoll_event events[EVENTS];
    int64_t wait_us = 0;
    it->epoll = epoll_create1(EPOLL_CLOEXEC);
    it->clients = calloc((size_t)it->connections, sizeof(*it->clients));
    it->took_us = calloc((size_t)it->count, sizeof(*it->took_us));
    if (it->epoll < 0 || !it->clients || !it->took_us)
        return fail("memory");
    for (long i = 0; i < it->connections; i++) {
        if (!open_client(it, &it->clients[i]))
            return fail("connect (ulimit -n?)");
    }
    for (;;) {
        ask_what_is_due(it, &wait_us);
        if (it->ended >= it->count || it->gone == it->connections)
            return 0;
        const struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
        const int count = epoll_pwait2(it->epoll, events, EVENTS, wait_us < 0 ? NULL : &wait, NULL);
        for (int i = 0; i < count; i++)
            handle(it, events[i].data.ptr, events[i].events);
    }
}

static int compare(const void *one, const void *other)
{
    const uint32_t a = *(const uint32_t *)one;
    const uint32_t b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static double at_part(const load *it, double part)
{
    return it->took ? it->took_us[(long)((double)(it->took - 1) * part)] / 1000.0 : 0;
}

static void tell(load *it)
{
    const char *comma = "";
    const double seconds = (double)(mr_now_us() - it->begin_us) / 1e6;
    qsort(it->took_us, (size_t)it->took, sizeof(*it->took_us), compare);
    printf("{\"requests\": %ld, \"errors\": %ld, \"seconds\": %.6f, \"bytes\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"statuses\": {",
           it->took, it->errors + (it->count - it->ended), seconds, (unsigned long long)it->bytes, at_part(it, 0.5), at_part(it, 0.99),
           at_part(it, 1));
    for (int i = 0; i < STATUSES; i++) {
        if (it->statuses[i])
            printf("%s\"%d\": %ld", comma, i, it->statuses[i]);
        comma = it->statuses[i] ? ", " : comma;
    }
    printf("}}\n");
}

/* ---- the command ---- */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    load *it = state->input;
    char *end = NULL;
    const size_t len = strlen(it->fields);
    long *number = key == 'c' ? &it->connections : key == 'n' ? &it->count : key == 'r' ? &it->rate : NULL;
    if (number || (key == ARGP_KEY_ARG && state->arg_num == 0)) {
        number = number ? number : &it->port;
        *number = strtol(arg, &end, 10);
        if (*end || *number < 1 || *number > 100000000)
            argp_error(state, "'%s' is not a number from 1 on", arg);
        return 0;
    }
    switch (key) {
    case 'g': it->gather = true; return 0;
    case 'h': it->hold = true; return 0;
    case 'b': it->body = arg; return 0;
    case 'f':
        if ((size_t)snprintf(it->fields + len, sizeof(it->fields) - len, "%s\r\n", arg) >= sizeof(it->fields) - len)
            argp_error(state, "the fields are too long");
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 2)
            argp_usage(state);
        *(state->arg_num == 1 ? &it->method : &it->target) = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num != 3)
            argp_usage(state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"connections", 'c', "N", 0, "clients (1)", 0},
    {"count", 'n', "N", 0, "requests of all together (one of each client); fewer when the input ends before", 0},
    {"rate", 'r', "N", 0,
     "requests begin so many a second, and their time runs from when they should have; else a client asks again as soon as it is answered", 0},
    {"gather", 'g', NULL, 0, "nobody asks before all are connected", 0},
    {"hold", 'h', NULL, 0, "at the end keep the connections until the input ends", 0},
    {"body", 'b', "FILE", 0, "what each request carries", 0},
    {"field", 'f', "TEXT", 0, "a field of each request: 'Name: value'", 0},
    {0},
};

int main(int argc, char **argv)
{
    load it = {.connections = 1, .body_fd = -1};
    struct stat found;
    const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "PORT METHOD TARGET", .doc = "Clients of an HTTP server on this machine."};
    argp_parse(&argp, argc, argv, 0, NULL, &it);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    it.count = it.count ? it.count : it.connections;
    if (it.body) {
        it.body_fd = open(it.body, O_RDONLY | O_CLOEXEC);
        if (it.body_fd < 0 || fstat(it.body_fd, &found) != 0)
            return fail(it.body);
        it.body_len = found.st_size;
    }
    const int code = run(&it);
    if (code == 0)
        tell(&it);
    fflush(stdout);
    while (code == 0 && it.hold && getchar() != EOF)
        ;
    return code;
}
