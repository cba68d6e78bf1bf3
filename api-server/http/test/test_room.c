/* SPDX-License-Identifier: MIT */
/* Room for exchanges: nobody has what another has, what is given back comes again and is empty, and there is more when all is taken. */
#include "api-server/http/room.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SIZE = 10000, COUNT = 8, THREADS = 4, ROUNDS = 20000, HELD = 3 };

static void test_each_is_ones_own(void **state)
{
    unsigned char *taken[COUNT + 2];
    mr_room *room = mr_room_new(SIZE, COUNT);
    (void)state;
    for (int i = 0; i < COUNT + 2; i++) { /* two more than there is room for */
        taken[i] = mr_room_take(room);
        assert_non_null(taken[i]);
        memset(taken[i], i + 1, SIZE);
    }
    for (int i = 0; i < COUNT + 2; i++) {
        assert_int_equal(taken[i][0], i + 1);
        assert_int_equal(taken[i][SIZE - 1], i + 1);
    }
    mr_room_give(room, taken[3]);
    mr_room_give(room, taken[5]);
    assert_ptr_equal(mr_room_take(room), taken[5]);
    assert_ptr_equal(mr_room_take(room), taken[3]);
    assert_int_equal(taken[3][SIZE / 2], 0); /* the kernel had it meanwhile */
    for (int i = 0; i < COUNT + 2; i++)
        mr_room_give(room, taken[i]);
    mr_room_free(room);
    mr_room_free(NULL);
}

typedef struct taker {
    mr_room *room;
    uintptr_t name; /* that it writes into what it holds */
    bool robbed;
} taker;

/* Holds some at a time, and gives them back in another order. */
static void *take_and_give(void *context)
{
    taker *it = context;
    uintptr_t *held[HELD] = {NULL};
    for (unsigned round = 0; round < ROUNDS; round++) {
        uintptr_t **at = &held[round * 7 % HELD];
        if (*at) {
            it->robbed = it->robbed || **at != it->name;
            mr_room_give(it->room, *at);
        }
        *at = mr_room_take(it->room);
        **at = it->name;
    }
    for (int i = 0; i < HELD; i++) {
        if (held[i])
            mr_room_give(it->room, held[i]);
    }
    return NULL;
}

static void test_by_many_threads(void **state)
{
    pthread_t threads[THREADS];
    taker takers[THREADS];
    mr_room *room = mr_room_new(SIZE, COUNT); /* fewer than they hold together: some come from elsewhere */
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (taker){.room = room, .name = (uintptr_t)i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &takers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(takers[i].robbed);
    }
    mr_room_free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_ones_own), cmocka_unit_test(test_by_many_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
