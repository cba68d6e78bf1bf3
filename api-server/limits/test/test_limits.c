/* SPDX-License-Identifier: MIT */
#include "api-server/limits/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static const int64_t start = 1000 * SECOND;
static const uint32_t limits_of[MR_LIMIT_KINDS] = {[MR_LIMIT_API] = 6, [MR_LIMIT_SIGN_IN] = 2};

static void a_bucket_empties_and_fills(void **state)
{
    mr_limits *limits = mr_limits_new(limits_of);
    (void)state;
    assert_non_null(limits);
    for (uint32_t i = 0; i < 6; i++) {
        const mr_limit_verdict verdict = mr_limits_take(limits, MR_LIMIT_API, "ada", start);
        assert_true(verdict.let_in);
        assert_int_equal(verdict.limit, 6);
        assert_int_equal(verdict.remaining, 5 - i);
        assert_int_equal(verdict.seconds, 10 * (i + 1));
    }
    mr_limit_verdict verdict = mr_limits_take(limits, MR_LIMIT_API, "ada", start + 1 * SECOND);
    assert_false(verdict.let_in);
    assert_int_equal(verdict.seconds, 9);
    assert_true(mr_limits_take(limits, MR_LIMIT_API, "eve", start).let_in);     /* another one's bucket */
    assert_true(mr_limits_take(limits, MR_LIMIT_SIGN_IN, "ada", start).let_in); /* another kind */
    assert_true(mr_limits_take(limits, MR_LIMIT_API, "ada", start + 10 * SECOND).let_in);
    assert_false(mr_limits_take(limits, MR_LIMIT_API, "ada", start + 10 * SECOND).let_in);
    verdict = mr_limits_take(limits, MR_LIMIT_API, "ada", start + 3600 * SECOND);
    assert_int_equal(verdict.remaining, 5); /* never more than a minute's */
    mr_limits_free(limits);
}

static void no_limit_is_none(void **state)
{
    mr_limits *limits = mr_limits_new(limits_of);
    (void)state;
    assert_non_null(limits);
    for (int i = 0; i < 100; i++)
        assert_true(mr_limits_take(limits, MR_LIMIT_ACCOUNT, "ada", start).let_in);
    assert_true(mr_limits_take(limits, MR_LIMIT_NONE, "ada", start).let_in);
    mr_limits_free(limits);
}

/* A crowd of addresses doesn't win anybody a fresh bucket: one that is empty is the last to go. */
static void a_crowd_does_not_empty_the_table(void **state)
{
    mr_limits *limits = mr_limits_new(limits_of);
    char name[32];
    (void)state;
    assert_non_null(limits);
    for (int i = 0; i < 2; i++)
        assert_true(mr_limits_take(limits, MR_LIMIT_SIGN_IN, "eve", start).let_in);
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        mr_limits_take(limits, MR_LIMIT_API, name, start);
    }
    assert_false(mr_limits_take(limits, MR_LIMIT_SIGN_IN, "eve", start + SECOND).let_in);
    mr_limits_free(limits);
}

static atomic_uint let_in;

static void *take_many(void *context)
{
    for (int i = 0; i < 1000; i++)
        let_in += mr_limits_take(context, MR_LIMIT_API, "ada", start).let_in;
    return NULL;
}

static void threads_share_a_bucket(void **state)
{
    static const uint32_t wide[MR_LIMIT_KINDS] = {[MR_LIMIT_API] = 1500};
    mr_limits *limits = mr_limits_new(wide);
    pthread_t threads[4];
    (void)state;
    assert_non_null(limits);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, limits), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(let_in, 1500);
    mr_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_empties_and_fills),
        cmocka_unit_test(no_limit_is_none),
        cmocka_unit_test(threads_share_a_bucket),
        cmocka_unit_test(a_crowd_does_not_empty_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
