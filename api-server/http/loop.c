/* SPDX-License-Identifier: MIT */
/* A loop: epoll, the deadlines of its connections, and an inbox for what comes from other threads. See internal.h for what it may rely on. */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS     250
#define EVENTS      256
#define ACCEPT_TURN 64
#define UPLOAD_NICE 5 /* of the threads that hash and write bodies: whoever asks for JSON meanwhile doesn't wait for them */

int64_t mr_loop_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* IMF-fixdate, RFC 9110 section 5.6.7: independent of the locale. */
const char *mr_loop_date(mr_loop *loop)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = time(NULL);
    struct tm parts;
    if (now != loop->date_s && gmtime_r(&now, &parts)) {
        snprintf(loop->date, sizeof(loop->date), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon],
                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
        loop->date_s = now;
    }
    return loop->date;
}

/* ---- exchanges: kept for the next ---- */

mr_exchange *mr_exchange_new(mr_connection *connection)
{
    mr_loop *loop = connection->loop;
    mr_exchange *exchange = loop->pool;
    if (exchange) {
        loop->pool = exchange->next;
        loop->pool_count--;
        if (loop->pool_spare > loop->pool_count)
            loop->pool_spare = loop->pool_count;
    } else {
        exchange = malloc(sizeof(*exchange));
        if (!exchange)
            return NULL;
    }
    memset(exchange, 0, offsetof(mr_exchange, out_fields)); /* not the buffers: nothing is read of them that was not written */
    exchange->connection = connection;
    exchange->server = loop->server;
    exchange->file = -1;
    exchange->method[0] = exchange->path[0] = '\0';
    mr_request_name(exchange);
    return exchange;
}

void mr_exchange_free(mr_exchange *exchange)
{
    mr_loop *loop = exchange->connection->loop;
    free(exchange->body);
    free(exchange->extra);
    if (exchange->file >= 0)
        close(exchange->file);
    if (loop->pool_count >= MR_HTTP_POOL) {
        free(exchange);
        return;
    }
    exchange->next = loop->pool;
    loop->pool = exchange;
    loop->pool_count++;
}

static void free_spare(mr_loop *loop)
{
    for (; loop->pool_spare > 0; loop->pool_spare--) {
        mr_exchange *exchange = loop->pool;
        loop->pool = exchange->next;
        loop->pool_count--;
        free(exchange);
    }
    loop->pool_spare = loop->pool_count;
}

/* ---- connections ---- */

static uint32_t wanted_events(const mr_connection *connection, bool writable)
{
    switch (connection->phase) {
    case MR_PHASE_IDLE:
    case MR_PHASE_HEAD:
    case MR_PHASE_BODY:
    case MR_PHASE_LINGER: return EPOLLIN;
    case MR_PHASE_STREAM:
    case MR_PHASE_ANSWER: return EPOLLRDHUP; /* nobody waits for the answer any more */
    default: return writable ? EPOLLOUT : EPOLLIN;
    }
}

void mr_loop_watch(mr_connection *connection, bool writable)
{
    const uint32_t events = wanted_events(connection, writable);
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (events == connection->events)
        return;
    epoll_ctl(connection->loop->epoll, connection->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event);
    connection->events = events;
}

static void link_connection(mr_loop *loop, mr_connection *connection)
{
    connection->loop = loop;
    connection->next = loop->connections;
    connection->link = &loop->connections;
    if (loop->connections)
        loop->connections->link = &connection->next;
    loop->connections = connection;
    connection->events = 0;
    mr_loop_watch(connection, false);
}

void mr_loop_unlink(mr_connection *connection)
{
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    if (connection->events)
        epoll_ctl(connection->loop->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    connection->events = 0;
}

static void wake(mr_loop *loop)
{
    const uint64_t one = 1;
    const ssize_t written = write(loop->wake, &one, sizeof(one));
    (void)written; /* full means that it is awake */
}

void mr_loop_send(mr_loop *to, mr_connection *connection)
{
    mr_loop_unlink(connection);
    pthread_mutex_lock(&to->lock);
    connection->next = to->arrived;
    to->arrived = connection;
    pthread_mutex_unlock(&to->lock);
    wake(to);
}

void mr_loop_post(mr_later *later)
{
    mr_loop *loop = later->loop;
    if (!later->connection || later->posted)
        return;
    later->posted = true;
    atomic_fetch_add(&later->references, 1);
    pthread_mutex_lock(&loop->lock);
    later->next = loop->posted;
    loop->posted = later;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

static void take_arrived(mr_loop *loop, mr_connection *arrived)
{
    while (arrived) {
        mr_connection *connection = arrived;
        arrived = connection->next;
        link_connection(loop, connection);
        mr_connection_arrived(connection);
    }
}

static void take_posted(mr_later *posted)
{
    while (posted) {
        mr_later *later = posted;
        posted = later->next;
        pthread_mutex_lock(&later->lock);
        later->posted = false;
        mr_connection *connection = later->connection;
        pthread_mutex_unlock(&later->lock);
        if (connection) /* of this loop as long as it is set, and only this thread takes it away */
            mr_connection_resume(connection);
        mr_http_later_unref(later);
    }
}

static void empty_inbox(mr_loop *loop)
{
    uint64_t count;
    const ssize_t len = read(loop->wake, &count, sizeof(count));
    (void)len;
    pthread_mutex_lock(&loop->lock);
    mr_connection *arrived = loop->arrived;
    mr_later *posted = loop->posted;
    loop->arrived = NULL;
    loop->posted = NULL;
    pthread_mutex_unlock(&loop->lock);
    take_arrived(loop, arrived);
    take_posted(posted);
}

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static void write_peer(const address *from, char ret_text[INET6_ADDRSTRLEN])
{
    const bool four = from->any.sa_family == AF_INET;
    const bool mapped = !four && IN6_IS_ADDR_V4MAPPED(&from->v6.sin6_addr);
    const void *bytes = four ? (const void *)&from->v4.sin_addr : mapped ? &from->v6.sin6_addr.s6_addr[12] : &from->v6.sin6_addr.s6_addr[0];
    if (!inet_ntop(four || mapped ? AF_INET : AF_INET6, bytes, ret_text, INET6_ADDRSTRLEN))
        ret_text[0] = '\0';
}

static void adopt(mr_loop *loop, int fd, const address *from)
{
    const int on = 1;
    mr_connection *connection = calloc(1, sizeof(*connection));
    if (!connection || atomic_load(&loop->server->connections) >= loop->server->most) {
        free(connection);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    atomic_fetch_add(&loop->server->connections, 1);
    connection->fd = fd;
    write_peer(from, connection->peer);
    connection->home = loop;
    connection->deadline_ms = loop->now_ms + loop->server->limits.head_ms;
    link_connection(loop, connection);
    mr_connection_readable(connection); /* most clients have sent already */
}

/* A listener that has somebody waiting but can't be heard would keep the loop busy for nothing. */
static void listen_again(mr_loop *loop, bool again)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
    epoll_ctl(loop->epoll, again ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop->server->listener, &event);
    loop->deaf = !again;
}

static void accept_some(mr_loop *loop)
{
    if (atomic_load(&loop->server->closing)) { /* what is shut says so again and again */
        listen_again(loop, false);
        return;
    }
    for (int i = 0; i < ACCEPT_TURN; i++) {
        address from = {0};
        socklen_t len = sizeof(from);
        const int fd = accept4(loop->server->listener, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        const bool no_room = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS);
        if (fd >= 0)
            adopt(loop, fd, &from);
        else if (!no_room && errno != ECONNABORTED && errno != EINTR)
            return;
        if (no_room) {
            listen_again(loop, false);
            return;
        }
    }
}

static void check_deadlines(mr_loop *loop)
{
    const bool closing = atomic_load(&loop->server->closing);
    const bool cut = closing && loop->now_ms >= atomic_load(&loop->server->cut_ms);
    mr_connection *next = NULL;
    for (mr_connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        if (cut || (closing && connection->phase == MR_PHASE_IDLE))
            mr_connection_close(connection);
        else if (loop->now_ms >= connection->deadline_ms)
            mr_connection_overdue(connection);
    }
}

static void serve(mr_connection *connection, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
        mr_connection_close(connection);
    else if (events & EPOLLOUT)
        mr_reply_write(connection);
    else
        mr_connection_readable(connection);
}

static bool is_finished(mr_loop *loop)
{
    return atomic_load(&loop->server->closing) && atomic_load(&loop->server->connections) == 0;
}

void *mr_loop_run(void *context)
{
    mr_loop *loop = context;
    struct epoll_event events[EVENTS];
    int64_t checked = 0;
    if (loop->lane == MR_LANE_UPLOAD)
        setpriority(PRIO_PROCESS, (id_t)gettid(), UPLOAD_NICE);
    while (!is_finished(loop)) {
        const int count = epoll_wait(loop->epoll, events, EVENTS, TICK_MS);
        bool inbox = false;
        loop->now_ms = mr_loop_now_ms();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_some(loop);
            else if (events[i].data.ptr == loop)
                inbox = true;
            else
                serve(events[i].data.ptr, events[i].events);
        }
        if (inbox) /* last: it may close connections that the events above are about */
            empty_inbox(loop);
        if (loop->now_ms - checked >= TICK_MS) {
            check_deadlines(loop);
            free_spare(loop);
            if (loop->deaf && !atomic_load(&loop->server->closing))
                listen_again(loop, true);
            checked = loop->now_ms;
        }
    }
    empty_inbox(loop); /* answers to those who have gone: they hold references, and nothing is posted any more */
    return NULL;
}
