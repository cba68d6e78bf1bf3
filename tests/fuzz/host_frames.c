/* SPDX-License-Identifier: MIT */
/* See host_frames.h. */
#include "host_frames.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD_HEAD = 4, SENT_MAX = 1 << 20, ANY_TYPE = 0xff };

typedef struct sender {
    int fd;
    size_t sent;
} sender;

static void require(bool right)
{
    if (!right)
        abort();
}

/* What does not fit into the socket is left out: the reader then sees the end within a frame. */
static void say(sender *out, const void *data, size_t len)
{
    if (out->sent + len > SENT_MAX)
        return;
    ssize_t count = send(out->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    out->sent = count == (ssize_t)len ? out->sent + len : SENT_MAX;
}

static void say_records(sender *out, const uint8_t *data, size_t size, uint32_t first_type)
{
    while (size >= RECORD_HEAD) {
        size_t len = (size_t)data[2] | (size_t)data[3] << 8;
        uint32_t head[2] = {0, data[0] == ANY_TYPE ? data[1] : first_type + data[0] % 16};
        unsigned times = data[0] == ANY_TYPE ? 1 : data[1] + 1u;
        data += RECORD_HEAD;
        size -= RECORD_HEAD;
        len = len < size ? len : size;
        head[0] = (uint32_t)len;
        for (unsigned i = 0; i < times && out->sent < SENT_MAX; i++) {
            say(out, head, sizeof(head));
            say(out, data, len);
        }
        data += len;
        size -= len;
    }
}

void host_frames_open(const uint8_t *data, size_t size, uint32_t first_type, mr_wire *wire, int *ret_peer)
{
    int sockets[2];
    int room = SENT_MAX;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    sender out = {.fd = sockets[1]};
    setsockopt(out.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (size > 0 && data[0] % 2 == 0)
        say_records(&out, data + 1, size - 1, first_type);
    else if (size > 1)
        say(&out, data + 1, size - 1);
    require(shutdown(out.fd, ret_peer ? SHUT_WR : SHUT_RDWR) == 0);
    if (ret_peer)
        *ret_peer = out.fd;
    else
        close(out.fd);
    require(mr_wire_open(wire, sockets[0], ret_peer != NULL) == MR_OK);
}
