/* SPDX-License-Identifier: MIT */
/*
 * See room.h. From malloc, such things made a thread's heap larger one by one, by mprotect; in a process whose other threads fault pages in, that
 * waits for the lock of all its memory: tens of milliseconds of a loop on a busy machine, when many connections come at once.
 *
 * Which are free is a stack of their numbers. The number on top comes with a count of its changes, so that one that was taken and given back
 * meanwhile is not mistaken for what it was.
 */
#include "room.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mr_room {
    char *pages;
    size_t each, count;    /* bytes of one, a whole number of pages; how many */
    atomic_size_t touched; /* so many were taken at least once */
    atomic_ullong top;     /* 1 + its number, 0: none is free; the upper half counts changes */
    atomic_uint below[];   /* as top, of each that is free */
};

mr_room *mr_room_new(size_t size, size_t count)
{
    mr_room *room = calloc(1, sizeof(*room) + count * sizeof(room->below[0]));
    if (!room)
        return NULL;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    room->each = (size + page - 1) / page * page;
    room->count = count;
    room->pages = mmap(NULL, room->each * count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room->pages == MAP_FAILED) { /* where memory may not be promised: malloc has it */
        room->pages = NULL;
        room->count = 0;
        return room;
    }
    madvise(room->pages, room->each * count, MADV_NOHUGEPAGE); /* one would take as much as fifty */
    return room;
}

void mr_room_free(mr_room *room)
{
    if (!room)
        return;
    if (room->pages)
        munmap(room->pages, room->each * room->count);
    free(room);
}

static unsigned long long changed(unsigned long long top, unsigned to)
{
    return ((top >> 32) + 1) << 32 | to;
}

void *mr_room_take(mr_room *room)
{
    unsigned long long top = atomic_load(&room->top);
    while ((unsigned)top != 0) {
        const unsigned number = (unsigned)top - 1;
        if (atomic_compare_exchange_weak(&room->top, &top, changed(top, atomic_load(&room->below[number]))))
            return room->pages + number * room->each;
    }
    if (atomic_load(&room->touched) < room->count) {
        const size_t number = atomic_fetch_add(&room->touched, 1);
        if (number < room->count)
            return room->pages + number * room->each;
    }
    return malloc(room->each);
}

void mr_room_give(mr_room *room, void *take)
{
    char *at = take;
    if (!room->pages || at < room->pages || at >= room->pages + room->each * room->count) {
        free(take);
        return;
    }
    const unsigned number = (unsigned)((size_t)(at - room->pages) / room->each);
    madvise(at, room->each, MADV_DONTNEED);
    unsigned long long top = atomic_load(&room->top);
    do
        atomic_store(&room->below[number], (unsigned)top);
    while (!atomic_compare_exchange_weak(&room->top, &top, changed(top, number + 1)));
}
