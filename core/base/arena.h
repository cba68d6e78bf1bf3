/* SPDX-License-Identifier: MIT */
/* A region of memory that is freed as a whole. Not for several threads at once. */
#ifndef MR_BASE_ARENA_H
#define MR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct mr_arena mr_arena;

/* limit: bytes that may be taken altogether; 0: none. NULL when memory is short. */
mr_arena *mr_arena_new(size_t limit);
void mr_arena_free(mr_arena *arena);
/* Zeroed, aligned for any type, valid until mr_arena_free(). NULL when memory is short or the limit is reached. */
void *mr_arena_take(mr_arena *arena, size_t size);
void *mr_arena_take_array(mr_arena *arena, size_t count, size_t size); /* NULL also on overflow */
char *mr_arena_copy(mr_arena *arena, const char *text, size_t len);    /* NUL-terminated */
char *mr_arena_printf(mr_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
