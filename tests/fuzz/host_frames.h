/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer's input as what one end of a task host's socket says. The first byte chooses: odd, the rest are raw bytes; even, they are records (u8
 * type, u8 repeat, u16 little-endian length, payload) that become whole frames, so that a fuzzer gets past the frame's head.
 */
#ifndef HOST_FRAMES_H
#define HOST_FRAMES_H

#include "runtime/hosts/wire.h"

/* Fills wire with the other end of a socket on which all of that waits to be read, followed by its end. ret_peer (may be NULL): keeps what is sent
 * back until it is closed; else that is dropped. */
void host_frames_open(const uint8_t *data, size_t size, uint32_t first_type, mr_wire *wire, int *ret_peer);

#endif
