/* SPDX-License-Identifier: MIT */
/* An HTTP server on loopback that answers one connection after the other with what a test's handler writes, as is. */
#ifndef HTTP_TEST_SERVER_H
#define HTTP_TEST_SERVER_H

#include <stddef.h>

typedef struct server_request {
    unsigned number; /* from 0 */
    char method[16];
    char path[1024];
    char head[16384]; /* the header lines */
    char body[65536];
    size_t body_len;
} server_request;

typedef struct server server;
/* Writes a whole response to fd, or a broken one; the connection is closed afterwards. Called on the server's thread. */
typedef void (*server_handler)(int fd, const server_request *request, void *context);

server *server_start(server_handler handler, void *context); /* NULL: no */
int server_port(const server *server);
unsigned server_count(const server *server); /* requests so far */
void server_stop(server *server);

void server_write(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void server_write_bytes(int fd, const void *data, size_t len);
/* The value of a header in the request, in buf; "" when it has none. */
const char *server_header(const server_request *request, const char *name, char *buf, size_t size);

#endif
