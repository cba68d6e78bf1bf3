/* SPDX-License-Identifier: MIT */
/* Frames over a socket: see wire.h for the format and the limits. */
#include "runtime/hosts/wire.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_ROOM (256u << 10) /* of a wire that gets ordinary frames */

/* ---- packing ---- */

static bool make_room(mr_packer *packer, size_t more)
{
    if (packer->bad || more > MR_FRAME_HEAD + MR_FRAME_MAX - packer->len) {
        packer->bad = true;
        return false;
    }
    if (packer->room - packer->len >= more)
        return true;
    size_t room = packer->room ? packer->room : 256;
    while (room - packer->len < more)
        room *= 2;
    char *grown = realloc(packer->data, room);
    if (!grown) {
        packer->bad = true;
        return false;
    }
    packer->data = grown;
    packer->room = room;
    return true;
}

void mr_pack_bytes(mr_packer *packer, const void *data, size_t len)
{
    if (len == 0 || !make_room(packer, len))
        return;
    memcpy(packer->data + packer->len, data, len);
    packer->len += len;
}

void mr_pack_begin(mr_packer *packer, uint32_t type)
{
    const uint32_t head[2] = {0, type};
    packer->len = 0;
    packer->bad = false;
    mr_pack_bytes(packer, head, sizeof(head));
}

void mr_pack_u32(mr_packer *packer, uint32_t value)
{
    mr_pack_bytes(packer, &value, sizeof(value));
}

void mr_pack_u64(mr_packer *packer, uint64_t value)
{
    mr_pack_bytes(packer, &value, sizeof(value));
}

void mr_pack_i64(mr_packer *packer, int64_t value)
{
    mr_pack_bytes(packer, &value, sizeof(value));
}

void mr_pack_f64(mr_packer *packer, double value)
{
    mr_pack_bytes(packer, &value, sizeof(value));
}

void mr_pack_text(mr_packer *packer, const char *text)
{
    const char *what = text ? text : "";
    size_t len = strlen(what);
    if (len > MR_FRAME_MAX) {
        packer->bad = true;
        return;
    }
    mr_pack_u32(packer, (uint32_t)len);
    mr_pack_bytes(packer, what, len + 1);
}

void mr_packer_free(mr_packer *packer)
{
    free(packer->data);
    *packer = (mr_packer){0};
}

/* ---- unpacking ---- */

static void take(mr_frame *frame, void *ret_value, size_t size)
{
    memset(ret_value, 0, size);
    if (frame->bad || frame->left < size) {
        frame->bad = true;
        return;
    }
    memcpy(ret_value, frame->at, size);
    frame->at += size;
    frame->left -= size;
}

uint32_t mr_frame_u32(mr_frame *frame)
{
    uint32_t value = 0;
    take(frame, &value, sizeof(value));
    return value;
}

uint64_t mr_frame_u64(mr_frame *frame)
{
    uint64_t value = 0;
    take(frame, &value, sizeof(value));
    return value;
}

int64_t mr_frame_i64(mr_frame *frame)
{
    int64_t value = 0;
    take(frame, &value, sizeof(value));
    return value;
}

double mr_frame_f64(mr_frame *frame)
{
    double value = 0;
    take(frame, &value, sizeof(value));
    if (isfinite(value))
        return value;
    frame->bad = true;
    return 0;
}

const char *mr_frame_text(mr_frame *frame)
{
    const size_t len = mr_frame_u32(frame);
    const char *text = frame->at;
    if (frame->bad || len >= frame->left || text[len] != '\0' || memchr(text, '\0', len) != NULL) {
        frame->bad = true;
        return "";
    }
    frame->at += len + 1;
    frame->left -= len + 1;
    return text;
}

const void *mr_frame_bytes(mr_frame *frame, size_t *ret_len)
{
    const void *bytes = frame->at;
    *ret_len = frame->bad ? 0 : frame->left;
    frame->at += frame->left;
    frame->left = 0;
    return bytes;
}

bool mr_frame_done(const mr_frame *frame)
{
    return !frame->bad && frame->left == 0;
}

/* ---- the socket ---- */

mr_status mr_wire_open(mr_wire *wire, int take_fd, bool takes_fds)
{
    *wire = (mr_wire){.fd = take_fd, .takes_fds = takes_fds, .fd_in = -1};
    int flags = fcntl(take_fd, F_GETFL);
    wire->in = malloc(IN_ROOM);
    wire->in_room = IN_ROOM;
    if (wire->in && flags >= 0 && fcntl(take_fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return MR_OK;
    mr_wire_close(wire);
    return MR_ERR_NOMEM;
}

void mr_wire_close(mr_wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    if (wire->fd_in >= 0)
        close(wire->fd_in);
    free(wire->in);
    *wire = (mr_wire){.fd = -1, .fd_in = -1};
}

/* MR_OK: ready. MR_NOT_YET: the time is over. */
static mr_status wait_for(int fd, short events, int64_t until_us)
{
    for (;;) {
        int64_t left = until_us < 0 ? -1 : until_us - mr_now_us();
        if (until_us >= 0 && left < 0)
            left = 0;
        struct pollfd poller = {.fd = fd, .events = events};
        int count = poll(&poller, 1, left < 0 ? -1 : (int)((left + 999) / 1000));
        if (count > 0)
            return MR_OK;
        if (count == 0)
            return MR_NOT_YET;
        if (errno != EINTR)
            return MR_ERR_IO;
    }
}

static int64_t deadline(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : mr_now_us() + (int64_t)timeout_ms * 1000;
}

static ssize_t send_some(const mr_wire *wire, const char *data, size_t len, int pass_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (pass_fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &pass_fd, sizeof(int));
    }
    return sendmsg(wire->fd, &message, MSG_NOSIGNAL);
}

mr_status mr_wire_send(mr_wire *wire, mr_packer *packer, int pass_fd, int timeout_ms)
{
    if (packer->bad)
        return MR_ERR_LIMIT;
    const int64_t until = deadline(timeout_ms);
    const uint32_t length = (uint32_t)(packer->len - MR_FRAME_HEAD);
    memcpy(packer->data, &length, sizeof(length));
    for (size_t sent = 0; sent < packer->len;) {
        ssize_t count = send_some(wire, packer->data + sent, packer->len - sent, pass_fd);
        if (count > 0) {
            sent += (size_t)count;
            pass_fd = -1; /* it went with the first byte */
            continue;
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return errno == EPIPE || errno == ECONNRESET ? MR_END : MR_ERR_IO;
        mr_status status = wait_for(wire->fd, POLLOUT, until);
        if (status != MR_OK)
            return status == MR_NOT_YET ? MR_ERR_LIMIT : status;
    }
    return MR_OK;
}

static void keep_fd(mr_wire *wire, struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        if (wire->fd_in >= 0)
            close(wire->fd_in);
        memcpy(&wire->fd_in, CMSG_DATA(part), sizeof(int));
    }
}

/* MR_NOT_YET: nothing there. */
static mr_status receive_some(mr_wire *wire)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = wire->in + wire->in_len, .iov_len = wire->in_room - wire->in_len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (wire->takes_fds) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
    }
    ssize_t count = recvmsg(wire->fd, &message, MSG_CMSG_CLOEXEC);
    if (count == 0)
        return MR_END;
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? MR_NOT_YET : errno == ECONNRESET ? MR_END : MR_ERR_IO;
    wire->in_len += (size_t)count;
    if (wire->takes_fds)
        keep_fd(wire, &message);
    return MR_OK;
}

/* Forgets the frame that was given out, and makes room for one of size bytes. */
static mr_status prepare_room(mr_wire *wire, size_t size)
{
    if (wire->in_used > 0) {
        wire->in_len -= wire->in_used;
        memmove(wire->in, wire->in + wire->in_used, wire->in_len);
        wire->in_used = 0;
    }
    size_t room = size > IN_ROOM ? size : IN_ROOM;
    if (room == wire->in_room || (room < wire->in_room && wire->in_len > room))
        return MR_OK;
    char *other = realloc(wire->in, room); /* also smaller again: an idle host must not hold what one large frame took */
    if (!other)
        return MR_ERR_NOMEM;
    wire->in = other;
    wire->in_room = room;
    return MR_OK;
}

/* True: a whole frame is there. */
static mr_status whole_frame(mr_wire *wire, mr_frame *ret_frame)
{
    uint32_t head[2] = {0, 0};
    const size_t have = wire->in_len - wire->in_used;
    if (have < MR_FRAME_HEAD)
        return prepare_room(wire, 0) == MR_OK ? MR_NOT_YET : MR_ERR_NOMEM;
    memcpy(head, wire->in + wire->in_used, sizeof(head));
    if (head[0] > MR_FRAME_MAX)
        return MR_ERR_LIMIT;
    const size_t size = MR_FRAME_HEAD + head[0];
    if (have < size)
        return prepare_room(wire, size) == MR_OK ? MR_NOT_YET : MR_ERR_NOMEM;
    *ret_frame = (mr_frame){.type = head[1], .at = wire->in + wire->in_used + MR_FRAME_HEAD, .left = head[0]};
    wire->in_used += size;
    return MR_OK;
}

mr_status mr_wire_receive(mr_wire *wire, int timeout_ms, mr_frame *ret_frame)
{
    const int64_t until = deadline(timeout_ms);
    for (;;) {
        mr_status status = whole_frame(wire, ret_frame);
        if (status != MR_NOT_YET)
            return status;
        status = receive_some(wire);
        if (status == MR_NOT_YET)
            status = wait_for(wire->fd, POLLIN, until);
        if (status != MR_OK)
            return status;
    }
}

int mr_wire_take_fd(mr_wire *wire)
{
    int fd = wire->fd_in;
    wire->fd_in = -1;
    return fd;
}
