/* SPDX-License-Identifier: MIT */
/* See server.h. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    int fd;
    int port;
    pthread_t thread;
    server_handler handler;
    void *context;
    atomic_uint count;
    atomic_bool stopping;
};

void server_write_bytes(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client has gone: that may be the test */
        at += sent;
        len -= (size_t)sent;
    }
}

void server_write(int fd, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof(text))
        server_write_bytes(fd, text, (size_t)len);
}

const char *server_header(const server_request *request, const char *name, char *buf, size_t size)
{
    size_t name_len = strlen(name);
    buf[0] = '\0';
    for (const char *line = request->head; line && *line; line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL) {
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *value = line + name_len + 1 + strspn(line + name_len + 1, " ");
        snprintf(buf, size, "%.*s", (int)strcspn(value, "\r\n"), value);
    }
    return buf;
}

/* Reads head and body. False: the client went away. */
static int read_request(int fd, server_request *request)
{
    static const char end[] = "\r\n\r\n";
    char text[16384];
    char length[32];
    size_t have = 0;
    char *split = NULL;
    while (!split && have < sizeof(text) - 1) {
        ssize_t got = recv(fd, text + have, sizeof(text) - 1 - have, 0);
        if (got <= 0)
            return 0;
        have += (size_t)got;
        text[have] = '\0';
        split = strstr(text, end);
    }
    if (!split || sscanf(text, "%15s %1023s", request->method, request->path) != 2)
        return 0;
    *split = '\0';
    const char *lines = strstr(text, "\r\n");
    snprintf(request->head, sizeof(request->head), "%s", lines ? lines + 2 : "");
    size_t want = strtoul(server_header(request, "Content-Length", length, sizeof(length)), NULL, 10);
    request->body_len = have - (size_t)(split + 4 - text);
    if (want >= sizeof(request->body) || request->body_len > want)
        return 0;
    memcpy(request->body, split + 4, request->body_len);
    while (request->body_len < want) {
        ssize_t got = recv(fd, request->body + request->body_len, want - request->body_len, 0);
        if (got <= 0)
            return 0;
        request->body_len += (size_t)got;
    }
    request->body[request->body_len] = '\0';
    return 1;
}

static void *serve(void *argument)
{
    struct server *server = argument;
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || atomic_load(&server->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        server_request *request = calloc(1, sizeof(*request));
        if (request && read_request(fd, request)) {
            request->number = atomic_fetch_add(&server->count, 1);
            server->handler(fd, request, server->context);
        }
        free(request);
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (recv(fd, rest, sizeof(rest), 0) > 0) { /* let the client read to the end before the connection is gone */
        }
        close(fd);
    }
}

server *server_start(server_handler handler, void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->handler = handler;
    server->context = context;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(server->fd, 16) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0 || pthread_create(&server->thread, NULL, serve, server) != 0) {
        if (server->fd >= 0)
            close(server->fd);
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    return server;
}

int server_port(const server *server)
{
    return server->port;
}
unsigned server_count(const server *server)
{
    return atomic_load(&server->count);
}

void server_stop(server *server)
{
    if (!server)
        return;
    atomic_store(&server->stopping, 1);
    shutdown(server->fd, SHUT_RDWR); /* wakes accept */
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
}
