/* SPDX-License-Identifier: MIT */
/* The rules, ids and times: what the routes build on. */
#include "api-server/auth/words.h"
#include "api-server/base/clock.h"
#include "api-server/base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static mr_identity somebody(mr_role role)
{
    return (mr_identity){.user = "u_1", .role = role, .scopes = MR_SCOPE_ALL};
}

static void every_rule_for_every_role(void **state)
{
    static const mr_verdict by_letter[] = {['y'] = MR_LET_IN, ['s'] = MR_SIGN_IN_FIRST, ['n'] = MR_NOT_FOR_YOU};
    static const struct {
        mr_rule rule;
        const char *verdicts; /* nobody, viewer, creator, admin: yes, no, sign in first */
    } table[] = {
        {MR_RULE_ANYONE, "yyyy"},    {MR_RULE_SIGNED_IN, "syyy"}, {MR_RULE_CREATOR, "snyy"}, {MR_RULE_ADMIN, "snny"},
        {MR_RULE_VIEWER_OF, "yyyy"}, {MR_RULE_OWNER_OF, "snyy"},  {MR_RULE_TOKEN, "yyyy"},   {(mr_rule)99, "snny"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const mr_identity nobody = {0};
        assert_int_equal(mr_rule_decide(table[i].rule, 0, &nobody), by_letter[(unsigned char)table[i].verdicts[0]]);
        for (unsigned role = MR_ROLE_VIEWER; role <= MR_ROLE_ADMIN; role++) {
            const mr_identity who = somebody((mr_role)role);
            assert_int_equal(mr_rule_decide(table[i].rule, 0, &who), by_letter[(unsigned char)table[i].verdicts[role]]);
        }
    }
}

/* A key reaches as far as its scopes, and as far as its owner may, whichever is less. */
static void keys_are_narrower_than_their_owner(void **state)
{
    mr_identity key = somebody(MR_ROLE_CREATOR);
    (void)state;
    key.is_key = true;
    key.scopes = MR_SCOPE_VIDEOS_READ | MR_SCOPE_VIDEOS_WRITE;
    assert_int_equal(mr_rule_decide(MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE, &key), MR_LET_IN);
    assert_int_equal(mr_rule_decide(MR_RULE_CREATOR, MR_SCOPE_RUNS_WRITE, &key), MR_NOT_FOR_YOU);
    assert_int_equal(mr_rule_decide(MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE | MR_SCOPE_RUNS_WRITE, &key), MR_NOT_FOR_YOU);
    assert_int_equal(mr_rule_decide(MR_RULE_SIGNED_IN, 0, &key), MR_NOT_FOR_YOU); /* where keys are not taken */
    key.scopes = MR_SCOPE_ALL;
    assert_int_equal(mr_rule_decide(MR_RULE_ADMIN, MR_SCOPE_USERS_ADMIN, &key), MR_NOT_FOR_YOU);
    assert_int_equal(mr_rule_decide(MR_RULE_ANYONE, 0, &key), MR_LET_IN);
}

static void words_are_read_as_they_are_written(void **state)
{
    mr_role role = MR_ROLE_NOBODY;
    (void)state;
    for (unsigned i = MR_ROLE_VIEWER; i <= MR_ROLE_ADMIN; i++) {
        assert_true(mr_role_read(mr_role_name((mr_role)i), &role));
        assert_int_equal(role, i);
    }
    assert_false(mr_role_read("nobody", &role));
    for (uint32_t scope = 1; scope <= MR_SCOPE_ALL; scope <<= 1)
        assert_int_equal(mr_scope_read(mr_scope_name(scope)), scope);
    assert_int_equal(mr_scope_read("videos"), 0);
    assert_null(mr_scope_name(3));
}

static void ids_have_one_form(void **state)
{
    static const char *const others[] = {
        "", "v", "v_", "u_0000000000000000000000", "v_000000000000000000000", "v_00000000000000000000000", "v_../000000000000000000"};
    char id[MR_ID_SIZE];
    char second[MR_ID_SIZE];
    (void)state;
    const bool made = mr_id_make('v', id) && mr_id_make('v', second);
    assert_true(made);
    if (!made)
        return;
    assert_true(mr_id_is(id, 'v'));
    assert_string_not_equal(id, second);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(mr_id_is(others[i], 'v'));
    assert_false(mr_id_is(NULL, 'v'));
}

static void times_are_those_of_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-11-21T12:00:00Z", 1795262400},
                {"2026-11-21T12:00:00.5z", 1795262400},
                {"2026-11-21T14:00:00+02:00", 1795262400},
                {"2026-11-21T08:30:00-03:30", 1795262400}};
    static const char *const bad[] = {"",
                                      "2026-11-21",
                                      "2026-11-21T12:00:00",
                                      "2026-11-21 12:00:00Z",
                                      "2026-11-21T12:00:00.Z",
                                      "2026-11-21T12:00:00+2",
                                      "2026-11-21T12:00:00+25:00",
                                      "2026-13-21T12:00:00Z",
                                      "2026-11-21T12:00:00Zx",
                                      "2026-11-21T12:00:00+-1:00"};
    char text[MR_TIME_SIZE];
    int64_t us = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(mr_time_read(good[i].text, &us));
        assert_int_equal(us, good[i].seconds * 1000000);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(mr_time_read(bad[i], &us));
    assert_false(mr_time_read(NULL, &us));
    assert_string_equal(mr_time_text(INT64_C(1795262400999999), text), "2026-11-21T12:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_for_every_role),          cmocka_unit_test(keys_are_narrower_than_their_owner),
        cmocka_unit_test(words_are_read_as_they_are_written), cmocka_unit_test(ids_have_one_form),
        cmocka_unit_test(times_are_those_of_rfc_3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
