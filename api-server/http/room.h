/* SPDX-License-Identifier: MIT */
/*
 * Room for things of one size, of which none or thousands may be needed: pages that are asked for once, and are the kernel's again while nobody needs
 * them. All functions but new and free: any thread, without a lock.
 */
#ifndef MR_HTTP_ROOM_H
#define MR_HTTP_ROOM_H

#include <stddef.h>

typedef struct mr_room mr_room;

mr_room *mr_room_new(size_t size, size_t count); /* for so many; more by malloc. NULL: no memory */
void mr_room_free(mr_room *room);                /* all were given back. NULL is fine */
void *mr_room_take(mr_room *room);               /* NULL: no memory */
void mr_room_give(mr_room *room, void *take);

#endif
