/* SPDX-License-Identifier: MIT */
/* Opening and closing: the listening socket that all quick loops share, and the threads. */
#include "internal.h"

#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

/* "127.0.0.1:8080", "[::1]:8080", "*:8080" in its two parts; *ret_host NULL: any. */
static bool split_address(const char *listen, char host[256], const char **ret_host, const char **ret_port)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon ? (size_t)(colon - listen) : 0;
    const char *begin = listen;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX || len >= 256)
        return false;
    if (len >= 2 && begin[0] == '[' && begin[len - 1] == ']') {
        begin++;
        len -= 2;
    }
    memcpy(host, begin, len);
    host[len] = '\0';
    *ret_host = len == 0 || strcmp(host, "*") == 0 ? NULL : host;
    *ret_port = colon + 1;
    return true;
}

static int listen_at(const struct addrinfo *address)
{
    const int on = 1;
    const int off = 0;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    const in_port_t port = address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port;
    return ntohs(port);
}

static mr_status open_listener(mr_http_server *server, const char *listen, char *why, size_t why_size)
{
    char host[256];
    const char *name = NULL;
    const char *port = NULL;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!split_address(listen, host, &name, &port)) {
        snprintf(why, why_size, "'%s' is not an address to listen at: write HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or *:8080", listen);
        return MR_ERR_PARAM;
    }
    const int failed = getaddrinfo(name ? name : "::", port, &hints, &found);
    if (failed) {
        snprintf(why, why_size, "can't listen at '%s': %s", listen, gai_strerror(failed));
        return MR_ERR_PARAM;
    }
    int last = EADDRNOTAVAIL;
    for (const struct addrinfo *each = found; each && server->listener < 0; each = each->ai_next) {
        server->listener = listen_at(each);
        last = server->listener < 0 ? errno : 0;
    }
    freeaddrinfo(found);
    if (server->listener < 0) {
        snprintf(why, why_size, "can't listen at '%s': %s", listen, strerrordesc_np(last));
        return last == EADDRINUSE ? MR_ERR_CONFLICT : MR_ERR_UNAVAILABLE;
    }
    server->port = port_of(server->listener);
    return MR_OK;
}

static bool open_loop(mr_http_server *server, mr_loop *loop, mr_lane lane)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};
    loop->server = server;
    loop->lane = lane;
    loop->now_ms = mr_loop_now_ms();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->scratch = malloc(MR_HTTP_SCRATCH);
    if (loop->epoll < 0 || loop->wake < 0 || !loop->scratch || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0)
        return false;
    if (lane != MR_LANE_QUICK)
        return true;
    event = (struct epoll_event){.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, server->listener, &event) == 0;
}

static void free_loop(mr_loop *loop)
{
    while (loop->pool) {
        mr_exchange *exchange = loop->pool;
        loop->pool = exchange->next;
        free(exchange);
    }
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    free(loop->scratch);
    pthread_mutex_destroy(&loop->lock);
}

static unsigned processors(void)
{
    cpu_set_t set;
    const int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}

static bool make_loops(mr_http_server *server, const unsigned *wanted)
{
    const unsigned standard[MR_LANES] = {processors(), 2, 4};
    for (int lane = 0; lane < MR_LANES; lane++) {
        server->first[lane] = server->loop_count;
        server->loop_count += wanted[lane] ? wanted[lane] : standard[lane];
    }
    server->first[MR_LANES] = server->loop_count;
    server->loops = calloc(server->loop_count, sizeof(*server->loops));
    for (size_t i = 0; server->loops && i < server->loop_count; i++) {
        server->loops[i].epoll = server->loops[i].wake = -1;
        pthread_mutex_init(&server->loops[i].lock, NULL);
    }
    return server->loops != NULL;
}

static bool start_loops(mr_http_server *server)
{
    sigset_t all;
    sigset_t before;
    bool started = true;
    for (int lane = 0; lane < MR_LANES; lane++) { /* all of them are there before one runs: it may send a connection to any */
        for (size_t i = server->first[lane]; i < server->first[lane + 1] && started; i++)
            started = open_loop(server, &server->loops[i], (mr_lane)lane);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's business, not the loops' */
    for (size_t i = 0; i < server->loop_count && started; i++) {
        mr_loop *loop = &server->loops[i];
        started = loop->started = pthread_create(&loop->thread, NULL, mr_loop_run, loop) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Files that answers and uploads need open are to be had when every connection there may be is there. */
static size_t most_connections(void)
{
    struct rlimit files = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    const rlim_t left = files.rlim_cur - files.rlim_cur / 4;
    return left < 512 ? 256 : left - 256 < MR_HTTP_CONNECTIONS ? (size_t)left - 256 : MR_HTTP_CONNECTIONS;
}

static mr_http_limits with_defaults(mr_http_limits limits)
{
    limits.head_ms = limits.head_ms ? limits.head_ms : 10000;
    limits.idle_ms = limits.idle_ms ? limits.idle_ms : 75000;
    limits.window_ms = limits.window_ms ? limits.window_ms : 20000;
    limits.window_bytes = limits.window_bytes ? limits.window_bytes : 10240;
    limits.linger_ms = limits.linger_ms ? limits.linger_ms : 2000;
    return limits;
}

mr_status mr_http_open(const mr_http_options *options, char *why, size_t why_size, mr_http_server **ret_server)
{
    mr_http_server *server = calloc(1, sizeof(*server));
    *ret_server = NULL;
    if (!server)
        return MR_ERR_NOMEM;
    server->listener = -1;
    server->handler = options->handler;
    server->limits = with_defaults(options->limits);
    server->most = most_connections();
    *ret_server = server; /* handlers may run before this returns, and look for it */
    mr_status status = open_listener(server, options->listen, why, why_size);
    if (status == MR_OK && (!make_loops(server, options->lanes) || !start_loops(server))) {
        snprintf(why, why_size, "can't start the server's threads: raise the limits of processes and open files");
        status = MR_ERR_LIMIT;
    }
    if (status != MR_OK) {
        mr_http_close(server, 0);
        *ret_server = NULL;
    }
    return status;
}

uint16_t mr_http_port(const mr_http_server *server)
{
    return server->port;
}

size_t mr_http_connections(const mr_http_server *server)
{
    return atomic_load(&server->connections);
}

void mr_http_close(mr_http_server *server, int64_t grace_ms)
{
    if (!server)
        return;
    atomic_store(&server->cut_ms, mr_loop_now_ms() + grace_ms);
    if (server->listener >= 0)
        shutdown(server->listener, SHUT_RD); /* who comes now is refused at once, and may ask another server */
    atomic_store(&server->closing, true);
    for (size_t i = 0; server->loops && i < server->loop_count; i++) {
        if (server->loops[i].started)
            pthread_join(server->loops[i].thread, NULL);
    }
    for (size_t i = 0; server->loops && i < server->loop_count; i++)
        free_loop(&server->loops[i]);
    if (server->listener >= 0)
        close(server->listener);
    free(server->loops);
    free(server);
}
