/* SPDX-License-Identifier: MIT */
/* Blocks in a list; each request is rounded up to the strictest alignment. Invariant: taken <= limit when there is one. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE (16u << 10)

typedef struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
} block;

struct mr_arena {
    block *blocks;
    size_t taken;
    size_t limit;
};

mr_arena *mr_arena_new(size_t limit)
{
    mr_arena *arena = calloc(1, sizeof(*arena));
    if (arena)
        arena->limit = limit;
    return arena;
}

void mr_arena_free(mr_arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static block *add_block(mr_arena *arena, size_t size)
{
    block *added = calloc(1, sizeof(*added) + size);
    if (!added)
        return NULL;
    added->size = size;
    added->next = arena->blocks;
    arena->blocks = added;
    return added;
}

void *mr_arena_take(mr_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (!arena || size > SIZE_MAX / 2)
        return NULL;
    size = (size + align - 1) / align * align;
    if (size == 0)
        size = align;
    if (arena->limit && (size > arena->limit || arena->taken > arena->limit - size))
        return NULL;
    block *place = arena->blocks;
    if (!place || place->size - place->used < size)
        place = add_block(arena, size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE);
    if (!place)
        return NULL;
    void *taken = place->bytes + place->used;
    place->used += size;
    arena->taken += size;
    /* A large block is full at once: keep the one with room in front. */
    if (place->used == place->size && place->next && place->next->size - place->next->used > 0) {
        block *roomy = place->next;
        place->next = roomy->next;
        roomy->next = place;
        arena->blocks = roomy;
    }
    return taken;
}

void *mr_arena_take_array(mr_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : mr_arena_take(arena, bytes);
}

char *mr_arena_copy(mr_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX / 2 ? mr_arena_take(arena, len + 1) : NULL;
    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *mr_arena_printf(mr_arena *arena, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return NULL;
    char *copy = mr_arena_copy(arena, text, (size_t)len);
    free(text);
    return copy;
}
