/* SPDX-License-Identifier: MIT */
#include "base/arena.h"
#include "../test.h"
#include <string.h>

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    unsigned char *pieces[400];
    assert_non_null(arena);
    for (size_t i = 0; i < 400; i++) {
        size_t size = i * 37 % 5000;
        pieces[i] = mr_arena_take(arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)(i % 251) + 1, size);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t at = 0; at < i * 37 % 5000; at++)
            assert_int_equal(pieces[i][at], i % 251 + 1);
    mr_arena_free(arena);
}

static void large_pieces_leave_room_for_small_ones(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    char *small = mr_arena_take(arena, 8);
    char *large = mr_arena_take(arena, (size_t)1 << 20);
    char *next = mr_arena_take(arena, 8);
    assert_non_null(small);
    assert_non_null(next);
    memset(large, 1, (size_t)1 << 20);
    assert_int_equal(small[0] + next[0], 0);
    mr_arena_free(arena);
}

static void limit_holds(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(1024);
    size_t taken = 0;
    while (mr_arena_take(arena, 64))
        taken += 64;
    assert_int_equal(taken, 1024);
    assert_null(mr_arena_take(arena, 1));
    mr_arena_free(arena);
    arena = mr_arena_new(1024);
    assert_null(mr_arena_take(arena, 1025));
    assert_non_null(mr_arena_take(arena, 1000)); /* a refusal takes nothing */
    mr_arena_free(arena);
}

static void overflow_is_refused(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    assert_null(mr_arena_take_array(arena, SIZE_MAX / 2, 4));
    assert_null(mr_arena_take(arena, SIZE_MAX));
    assert_null(mr_arena_take(arena, SIZE_MAX - 8));
    assert_non_null(mr_arena_take_array(arena, 0, 8));
    mr_arena_free(arena);
}

static void texts_are_copied(void **state)
{
    (void)state;
    mr_arena *arena = mr_arena_new(0);
    assert_string_equal(mr_arena_copy(arena, "hello", 4), "hell");
    assert_string_equal(mr_arena_copy(arena, NULL, 0), "");
    assert_string_equal(mr_arena_printf(arena, "%s-%d", "a", 12), "a-12");
    char *copy = mr_arena_copy(arena, "a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    mr_arena_free(arena);
    mr_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(large_pieces_leave_room_for_small_ones),
        cmocka_unit_test(limit_holds),
        cmocka_unit_test(overflow_is_refused),
        cmocka_unit_test(texts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
