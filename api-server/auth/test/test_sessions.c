/* SPDX-License-Identifier: MIT */
/* Sign-ins, refreshing, API keys and the ends of all of them. */
#include "api-server/auth/internal.h"

#include "api-server/auth/test/rows.h"
#include "api-server/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    char folder[64];
    mr_metadata rows;
    mr_auth *auth;
    mr_user user;
} fixture;

static const char password[] = "correct horse battery";

static int begin(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    char why[512] = "";
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/mr-auth-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(mr_auth_open(f->folder, &f->rows, why, sizeof(why), &f->auth), MR_OK);
    f->user.role = MR_ROLE_CREATOR;
    snprintf(f->user.email, sizeof(f->user.email), "ada@example.org");
    assert_int_equal(mr_auth_add_user(f->auth, &f->user, password, true), MR_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    fixture *f = *state;
    char path[128];
    mr_auth_close(f->auth);
    snprintf(path, sizeof(path), "%s/keys/server.json", f->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/keys", f->folder);
    rmdir(path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static mr_status bearer(fixture *f, const char *proof, mr_identity *ret_who)
{
    char field[MR_ACCESS_SIZE + 16];
    snprintf(field, sizeof(field), "Bearer %s", proof);
    return mr_auth_identify(f->auth, field, ret_who);
}

static mr_session log_in(fixture *f)
{
    mr_session session;
    assert_int_equal(mr_auth_log_in(f->auth, " Ada@Example.ORG ", password, &session), MR_OK);
    return session;
}

static void who_logs_in_is_known(void **state)
{
    fixture *f = *state;
    mr_identity who;
    mr_session refused;
    const mr_session session = log_in(f);
    assert_int_equal(bearer(f, session.access, &who), MR_OK);
    assert_string_equal(who.user, f->user.id);
    assert_int_equal(who.role, MR_ROLE_CREATOR);
    assert_int_equal(who.scopes, MR_SCOPE_ALL);
    assert_false(who.is_key);
    assert_int_equal(mr_auth_log_in(f->auth, "ada@example.org", "correct horse batterz", &refused), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_auth_log_in(f->auth, "eve@example.org", password, &refused), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_auth_identify(f->auth, NULL, &who), MR_OK);
    assert_string_equal(who.user, "");
    assert_int_equal(mr_auth_identify(f->auth, "Basic YTpi", &who), MR_ERR_INPUT);
    assert_int_equal(bearer(f, session.refresh, &who), MR_ERR_INPUT); /* one kind of token is not the other */
    assert_int_equal(mr_auth_refresh(f->auth, session.access, &refused), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_auth_add_user(f->auth, &(mr_user){.role = MR_ROLE_ADMIN}, password, true), MR_ERR_CONFLICT);
}

static void refresh_tokens_rotate(void **state)
{
    fixture *f = *state;
    mr_identity who;
    mr_session again;
    mr_session twice;
    mr_session last;
    const mr_session first = log_in(f);
    assert_int_equal(mr_auth_refresh(f->auth, first.refresh, &again), MR_OK);
    assert_string_not_equal(again.refresh, first.refresh);
    assert_int_equal(bearer(f, again.access, &who), MR_OK);
    /* The answer was lost: the same successor, and it is good. */
    assert_int_equal(mr_auth_refresh(f->auth, first.refresh, &twice), MR_OK);
    assert_string_equal(twice.refresh, again.refresh);
    assert_int_equal(mr_auth_refresh(f->auth, twice.refresh, &last), MR_OK);
    assert_int_equal(bearer(f, last.access, &who), MR_OK);
}

typedef struct asker {
    pthread_t thread;
    mr_auth *auth;
    const char *refresh;
    mr_status status;
    mr_session session;
} asker;

static void *ask(void *context)
{
    asker *it = context;
    it->status = mr_auth_refresh(it->auth, it->refresh, &it->session);
    return NULL;
}

/* Tabs that wake up together: all go on, with the same token. */
static void many_may_refresh_at_a_time(void **state)
{
    fixture *f = *state;
    asker askers[8];
    const mr_session first = log_in(f);
    for (size_t i = 0; i < 8; i++) {
        askers[i] = (asker){.auth = f->auth, .refresh = first.refresh};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++)
        pthread_join(askers[i].thread, NULL);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(askers[i].status, MR_OK);
        assert_string_equal(askers[i].session.refresh, askers[0].session.refresh);
    }
    assert_false(f->rows.families[0].revoked);
}

static void an_old_refresh_token_ends_the_family(void **state)
{
    fixture *f = *state;
    mr_identity who;
    mr_session again;
    mr_session stolen;
    const mr_session first = log_in(f);
    const mr_session other = log_in(f);
    assert_int_equal(mr_auth_refresh(f->auth, first.refresh, &again), MR_OK);
    assert_int_equal(bearer(f, again.access, &who), MR_OK);
    f->rows.families[0].used_us -= (MR_REFRESH_GRACE_S + 1) * INT64_C(1000000);
    assert_int_equal(mr_auth_refresh(f->auth, first.refresh, &stolen), MR_ERR_CONFLICT);
    assert_int_equal(mr_auth_refresh(f->auth, again.refresh, &stolen), MR_ERR_NOT_FOUND);
    assert_int_equal(bearer(f, again.access, &who), MR_ERR_INPUT);
    assert_int_equal(bearer(f, other.access, &who), MR_OK); /* another sign-in is not touched */
}

static void a_made_up_secret_is_refused(void **state)
{
    fixture *f = *state;
    mr_session session = log_in(f);
    mr_session refused;
    static const char *const nonsense[] = {"", "mrr_", "mrr_0000000000000000000000_", "mrk_", "\xff\xff"};
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++)
        assert_int_equal(mr_auth_refresh(f->auth, nonsense[i], &refused), MR_ERR_NOT_FOUND);
    char *letter = session.refresh + 4;
    *letter = *letter == '0' ? '1' : '0'; /* another family */
    assert_int_equal(mr_auth_refresh(f->auth, session.refresh, &refused), MR_ERR_NOT_FOUND);
}

static void logging_out_ends_the_sign_in(void **state)
{
    fixture *f = *state;
    mr_identity who;
    mr_session refused;
    const mr_session one = log_in(f);
    const mr_session two = log_in(f);
    assert_int_equal(bearer(f, one.access, &who), MR_OK);
    assert_int_equal(mr_auth_log_out(f->auth, NULL, &who), MR_OK);
    assert_int_equal(bearer(f, one.access, &who), MR_ERR_INPUT);
    assert_int_equal(mr_auth_refresh(f->auth, one.refresh, &refused), MR_ERR_NOT_FOUND);
    assert_int_equal(bearer(f, two.access, &who), MR_OK);
    assert_int_equal(mr_auth_log_out(f->auth, two.refresh, NULL), MR_OK);
    assert_int_equal(bearer(f, two.access, &who), MR_ERR_INPUT);
    assert_int_equal(mr_auth_log_out(f->auth, two.refresh, NULL), MR_OK);
}

static void changes_of_an_account_end_its_tokens(void **state)
{
    fixture *f = *state;
    mr_identity who;
    mr_session refused;
    mr_session session = log_in(f);
    assert_int_equal(bearer(f, session.access, &who), MR_OK);
    f->user.role = MR_ROLE_VIEWER;
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, NULL), MR_OK);
    assert_int_equal(bearer(f, session.access, &who), MR_ERR_INPUT);

    session = log_in(f);
    assert_int_equal(bearer(f, session.access, &who), MR_OK);
    assert_int_equal(who.role, MR_ROLE_VIEWER);
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, "another good one"), MR_OK);
    assert_int_equal(bearer(f, session.access, &who), MR_ERR_INPUT);
    assert_int_equal(mr_auth_log_in(f->auth, f->user.email, password, &refused), MR_ERR_NOT_FOUND);
    assert_int_equal(mr_auth_log_in(f->auth, f->user.email, "another good one", &session), MR_OK);

    f->user.disabled = true;
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, NULL), MR_OK);
    assert_int_equal(bearer(f, session.access, &who), MR_ERR_INPUT);
    assert_int_equal(mr_auth_log_in(f->auth, f->user.email, "another good one", &refused), MR_ERR_NOT_FOUND);
}

/* A name that is written back after an administrator locked the account doesn't unlock it. */
static void a_stale_user_is_not_written(void **state)
{
    fixture *f = *state;
    mr_user stale = f->user;
    f->user.disabled = true;
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, NULL), MR_OK);
    assert_int_equal(mr_auth_change_user(f->auth, &stale, NULL), MR_ERR_UNAVAILABLE);
    assert_true(f->rows.users[0].disabled);
}

static mr_key make_key(fixture *f, char text[MR_API_KEY_SIZE], int64_t expires_us)
{
    mr_key key = {.scopes = MR_SCOPE_VIDEOS_READ, .expires_us = expires_us};
    memcpy(key.user, f->user.id, sizeof(key.user));
    assert_int_equal(mr_auth_add_key(f->auth, &key, text), MR_OK);
    return key;
}

static void api_keys_are_shown_once(void **state)
{
    fixture *f = *state;
    char text[MR_API_KEY_SIZE];
    char secret[MR_KEY_SECRET_SIZE];
    mr_identity who;
    const mr_key key = make_key(f, text, 0);
    assert_int_equal(bearer(f, text, &who), MR_OK);
    assert_string_equal(who.user, f->user.id);
    assert_string_equal(who.proof, key.id);
    assert_int_equal(who.scopes, MR_SCOPE_VIDEOS_READ);
    assert_true(who.is_key);
    assert_int_equal(mr_auth_key_secret(f->auth, key.id, secret, &who), MR_OK);
    assert_string_equal(secret, text + 27);
    const size_t len = strlen(secret); /* the row holds neither the secret nor a part of it */
    const uint8_t *row = (const uint8_t *)&f->rows.keys[0];
    assert_null(memmem(row, sizeof(mr_key), secret, len / 2));
    text[30] = text[30] == 'A' ? 'B' : 'A';
    assert_int_equal(bearer(f, text, &who), MR_ERR_INPUT);
    assert_string_equal(who.user, "");
    text[10] = text[10] == 'A' ? 'B' : 'A';
    assert_int_equal(bearer(f, text, &who), MR_ERR_INPUT);
}

static void api_keys_end(void **state)
{
    fixture *f = *state;
    char lasting[MR_API_KEY_SIZE];
    char expired[MR_API_KEY_SIZE];
    char secret[MR_KEY_SECRET_SIZE];
    mr_identity who;
    make_key(f, lasting, mr_now_us() + 3600 * INT64_C(1000000));
    const mr_key old = make_key(f, expired, mr_now_us() - 1);
    assert_int_equal(bearer(f, lasting, &who), MR_OK);
    assert_int_equal(bearer(f, expired, &who), MR_ERR_INPUT);
    assert_int_equal(mr_auth_key_secret(f->auth, old.id, secret, &who), MR_ERR_NOT_FOUND);
    f->user.disabled = true;
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, NULL), MR_OK);
    assert_int_equal(bearer(f, lasting, &who), MR_ERR_INPUT);
    f->user.disabled = false;
    assert_int_equal(mr_auth_change_user(f->auth, &f->user, NULL), MR_OK);
    assert_int_equal(bearer(f, lasting, &who), MR_OK);
    f->rows.key_count = 0;
    assert_int_equal(bearer(f, lasting, &who), MR_ERR_INPUT);
}

/* What is sealed for one key doesn't open as another's. */
static void sealed_secrets_are_bound_to_their_key(void **state)
{
    fixture *f = *state;
    char text[MR_API_KEY_SIZE];
    char secret[MR_KEY_SECRET_SIZE];
    mr_identity who;
    make_key(f, text, 0);
    const mr_key second = make_key(f, text, 0);
    memcpy(f->rows.keys[1].secret, f->rows.keys[0].secret, sizeof(f->rows.keys[0].secret));
    assert_int_equal(mr_auth_key_secret(f->auth, second.id, secret, &who), MR_ERR_NOT_FOUND);
    assert_string_equal(who.user, "");
}

static void addresses_and_passwords_are_looked_at(void **state)
{
    static const char *const good[] = {"a@b", "first.last+tag@example.org", "admin@localhost", "j\xc3\xb6rg@example.org"};
    static const char *const bad[] = {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b..c", ".a@b", "a.@b", "a@-b", "a@b.", "a\n@b", "a,b@c", "<a@b>"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_null(mr_auth_email_problem(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_non_null(mr_auth_email_problem(bad[i]));
    assert_non_null(mr_auth_password_problem("short"));
    assert_non_null(mr_auth_password_problem("aaaaaaaaaaaaaaaa"));
    assert_null(mr_auth_password_problem(password));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(who_logs_in_is_known),
        TEST(refresh_tokens_rotate),
        TEST(many_may_refresh_at_a_time),
        TEST(an_old_refresh_token_ends_the_family),
        TEST(a_made_up_secret_is_refused),
        TEST(logging_out_ends_the_sign_in),
        TEST(changes_of_an_account_end_its_tokens),
        TEST(a_stale_user_is_not_written),
        TEST(api_keys_are_shown_once),
        TEST(api_keys_end),
        TEST(sealed_secrets_are_bound_to_their_key),
        cmocka_unit_test(addresses_and_passwords_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
