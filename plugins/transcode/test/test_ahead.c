/* SPDX-License-Identifier: MIT */
/* Pictures that are made ahead come in their order, all of them, up to where it fails; whoever stops early waits for nothing that is still to come.
 */
#include "transcode/ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TOTAL = 50 };

typedef struct maker {
    int fails_at; /* -1: never */
    atomic_int made;
} maker;

/* Picture i has i + 1 lines; every third is left empty. */
static mr_status make(void *context, int index, AVFrame *picture)
{
    maker *it = context;
    if (index == it->fails_at)
        return MR_ERR_CANCELLED;
    if (index != atomic_fetch_add(&it->made, 1))
        return MR_ERR_INTERNAL;
    picture->format = AV_PIX_FMT_GRAY8;
    picture->width = 16;
    picture->height = index + 1;
    return index % 3 == 2 || av_frame_get_buffer(picture, 0) >= 0 ? MR_OK : MR_ERR_NOMEM;
}

/* Takes up to so many pictures; how it ended. */
static mr_status take(maker *it, int most, int *ret_taken)
{
    AVFrame *picture = av_frame_alloc();
    mr_ahead *ahead = NULL;
    assert_int_equal(mr_ahead_start(TOTAL, make, it, &ahead), MR_OK);
    mr_status status = MR_OK;
    for (*ret_taken = 0; *ret_taken < most; ++*ret_taken) {
        status = mr_ahead_take(ahead, picture);
        if (status != MR_OK)
            break;
        assert_int_equal(picture->height, *ret_taken + 1);
        assert_int_equal(picture->buf[0] != NULL, *ret_taken % 3 != 2);
    }
    mr_ahead_stop(ahead);
    av_frame_free(&picture);
    return status;
}

static void test_all_come_in_order(void **state)
{
    maker it = {.fails_at = -1};
    int taken;
    (void)state;
    assert_int_equal(take(&it, TOTAL + 1, &taken), MR_END);
    assert_int_equal(taken, TOTAL);
}

static void test_what_was_made_comes_before_the_failure(void **state)
{
    (void)state;
    for (int at = 0; at < 20; at += 19) {
        maker it = {.fails_at = at};
        int taken;
        assert_int_equal(take(&it, TOTAL, &taken), MR_ERR_CANCELLED);
        assert_int_equal(taken, at);
    }
}

/* It waits for room then, or makes one. */
static void test_who_stops_early_ends_it(void **state)
{
    (void)state;
    for (int most = 0; most < 3; most++) {
        maker it = {.fails_at = -1};
        int taken;
        assert_int_equal(take(&it, most, &taken), MR_OK);
        assert_true(atomic_load(&it.made) < TOTAL); /* memory is bounded */
    }
    mr_ahead_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_come_in_order),
        cmocka_unit_test(test_what_was_made_comes_before_the_failure),
        cmocka_unit_test(test_who_stops_early_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
