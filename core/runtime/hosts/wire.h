/* SPDX-License-Identifier: MIT */
/*
 * Frames between the engine and a task host, over a stream socket: a header of length and type, then a payload of fields.
 *
 *   frame   = u32 length of the payload, u32 type, payload
 *   field   = u32 | u64 | i64 | f64 (8 bytes, IEEE 754) | text (u32 length, bytes, NUL) | bytes (the rest of the payload)
 *
 * All in the machine's byte order: both ends are one machine. A descriptor may travel with a frame from the engine to the host, never
 * the other way: the engine receives without room for one, so that the kernel drops whatever a host attaches.
 *
 * Limits: a payload has at most MR_FRAME_MAX bytes, and what holds received bytes grows no further; a receiver never waits beyond the time
 * it names, so that the other end can make it neither allocate without bound nor block. Reading a field beyond the payload marks the frame
 * as bad and gives zero or "" from then on: it is checked once, when all is read (mr_frame_done).
 */
#ifndef MR_RUNTIME_HOSTS_WIRE_H
#define MR_RUNTIME_HOSTS_WIRE_H

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MR_FRAME_MAX  ((16u << 20) + (64u << 10)) /* the largest metadata of an artifact, and what goes with it */
#define MR_FRAME_HEAD 8u

/* ---- payloads ---- */

typedef struct mr_packer { /* zeroed: empty. Grows; full of memory trouble it says so when sent */
    char *data;            /* room for the head first */
    size_t len;
    size_t room;
    bool bad;
} mr_packer;

void mr_pack_begin(mr_packer *packer, uint32_t type); /* drops what was in it, keeps the memory */
void mr_pack_u32(mr_packer *packer, uint32_t value);
void mr_pack_u64(mr_packer *packer, uint64_t value);
void mr_pack_i64(mr_packer *packer, int64_t value);
void mr_pack_f64(mr_packer *packer, double value);
void mr_pack_text(mr_packer *packer, const char *text); /* NULL becomes "" */
void mr_pack_bytes(mr_packer *packer, const void *data, size_t len);
void mr_packer_free(mr_packer *packer);

typedef struct mr_frame { /* borrowed from the wire: valid until the next receive */
    uint32_t type;
    const char *at;
    size_t left;
    bool bad;
} mr_frame;

uint32_t mr_frame_u32(mr_frame *frame);
uint64_t mr_frame_u64(mr_frame *frame);
int64_t mr_frame_i64(mr_frame *frame);
double mr_frame_f64(mr_frame *frame);       /* finite, else the frame is bad */
const char *mr_frame_text(mr_frame *frame); /* NUL-terminated, without another NUL inside; never NULL */
const void *mr_frame_bytes(mr_frame *frame, size_t *ret_len);
bool mr_frame_done(const mr_frame *frame); /* all read, nothing beyond it, nothing wrong */

/* ---- the socket ---- */

typedef struct mr_wire {
    int fd; /* non-blocking; owned */
    bool takes_fds;
    int fd_in; /* that came with the frame last received: taken with mr_wire_take_fd; else -1 */
    char *in;
    size_t in_len;
    size_t in_room;
    size_t in_used; /* of the frame last given out */
} mr_wire;

mr_status mr_wire_open(mr_wire *wire, int take_fd, bool takes_fds);
void mr_wire_close(mr_wire *wire);

/*
 * Sends the frame in packer, with pass_fd unless it is -1. Waits at most timeout_ms for the other end to read (-1: for ever).
 * MR_END: the other end is gone. MR_ERR_LIMIT: too large, or not read in time. MR_ERR_NOMEM.
 */
mr_status mr_wire_send(mr_wire *wire, mr_packer *packer, int pass_fd, int timeout_ms);

/*
 * The next frame. MR_NOT_YET: not whole after timeout_ms (-1: never given up); call again. MR_END: the other end is gone.
 * MR_ERR_LIMIT: it announced more than MR_FRAME_MAX. MR_ERR_NOMEM, MR_ERR_IO.
 */
mr_status mr_wire_receive(mr_wire *wire, int timeout_ms, mr_frame *ret_frame);
int mr_wire_take_fd(mr_wire *wire); /* -1: none came */

#endif
