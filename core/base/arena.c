/* SPDX-License-Identifier: MIT */
/*
 * A chain of zeroed blocks that only grows. Every piece is aligned for any type. Under AddressSanitizer each piece is a block of its own,
 * so that reading past a piece is caught.
 */
#include "base/arena.h"

#include "base/sanitized.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE      ((size_t)16 * 1024)
#define PIECE_PER_BLOCK MR_WITH_ASAN

typedef struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
} block;

struct mr_arena {
    block *first; /* the one that is being filled */
    size_t limit;
    size_t taken;
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
    while (arena->first) {
        block *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    free(arena);
}

static block *block_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(block))
        return NULL;
    block *new = calloc(1, sizeof(*new) + size);
    if (new)
        new->size = size;
    return new;
}

void *mr_arena_take(mr_arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t padded = size == 0 ? align : (size + align - 1) / align * align;
    if (arena->limit > 0 && padded > arena->limit - arena->taken)
        return NULL;
    block *at = PIECE_PER_BLOCK ? NULL : arena->first;
    if (!at || padded > at->size - at->used) {
        bool own = PIECE_PER_BLOCK || padded > BLOCK_SIZE / 4;
        at = block_new(PIECE_PER_BLOCK ? (size > 0 ? size : 1) : own ? padded : BLOCK_SIZE);
        if (!at)
            return NULL;
        /* A large piece goes behind the block that is being filled, which still has room for small ones. */
        if (own && arena->first) {
            at->next = arena->first->next;
            arena->first->next = at;
        } else {
            at->next = arena->first;
            arena->first = at;
        }
    }
    void *piece = (char *)at->data + at->used;
    at->used = PIECE_PER_BLOCK ? at->size : at->used + padded;
    arena->taken += padded;
    return piece;
}

void *mr_arena_take_array(mr_arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    return __builtin_mul_overflow(count, size, &total) ? NULL : mr_arena_take(arena, total);
}

char *mr_arena_copy(mr_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? mr_arena_take(arena, len + 1) : NULL;
    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}

char *mr_arena_printf(mr_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len >= 0 ? mr_arena_take(arena, (size_t)len + 1) : NULL;
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}
