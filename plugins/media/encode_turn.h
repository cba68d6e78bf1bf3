/* SPDX-License-Identifier: MIT */
/*
 * Who may have an encoder open, within one process. Encoder libraries keep tables that all their encoders share:
 *   - x265 (and others) fill them when the first encoder is opened, without a lock: encoders are opened one after the other.
 *   - SVT-AV1 (seen with 1.4.1) makes and frees some with each encoder, and its table of block shapes depends on the preset and on the size, while
 * the encoder's own threads read it as long as it is open. Two encoders of one process crash, hang, or spoil each other's pictures, however their
 *     opening and closing is ordered. So such an encoder is alone from before it is opened until after it is closed.
 * Any thread may give back what another took. One process means: one plugin, for each has this code of its own; only transcode encodes pictures.
 */
#ifndef MR_MEDIA_ENCODE_TURN_H
#define MR_MEDIA_ENCODE_TURN_H

#include <millrace/op.h>

/* Waits until no other encoder is open that must be alone; MR_ERR_CANCELLED when the task is cancelled meanwhile. A thread that has one open already
 * gets MR_ERR_INTERNAL, with a report: it would wait for itself. */
mr_status mr_encode_turn_take(const mr_host *host, mr_task *task);
void mr_encode_turn_give(void);

/* Around the opening and the closing of any encoder; short. */
void mr_encode_opening_lock(void);
void mr_encode_opening_unlock(void);

#endif
