/* SPDX-License-Identifier: MIT */
/* Hands a run's events to its reader on a thread of its own: see delivery.c. */
#ifndef MR_RUNTIME_DELIVERY_H
#define MR_RUNTIME_DELIVERY_H

#include "runtime/events.h"

typedef struct mr_delivery mr_delivery;

mr_delivery *mr_delivery_start(mr_event_reader reader, void *context); /* NULL: no thread, or no memory */
/* Copies the event, but for run, node and state, which outlive it. Any thread, under any lock. */
void mr_delivery_put(mr_delivery *delivery, const mr_event *event);
void mr_delivery_wait(mr_delivery *delivery); /* until there is room. Without any lock; NULL is fine */
void mr_delivery_end(mr_delivery *delivery);  /* when all is delivered; frees it. Nothing may be put in any more; NULL is fine */

#endif
