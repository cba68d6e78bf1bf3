/* SPDX-License-Identifier: MIT */
/* What the server signs: access tokens and URLs, forged, changed, swapped and expired; and the keys that it signs with. */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"

#include <jwt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    snprintf(folder, sizeof(folder), "/tmp/mr-auth-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/keys/server.json", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/keys", folder);
    rmdir(path);
    rmdir(folder);
    return 0;
}

static void open_ring(mr_ring *ring, int64_t now_us)
{
    char why[512] = "";
    mr_status status = mr_ring_open(folder, now_us, ring, why, sizeof(why));
    assert_string_equal(why[0] && status != MR_OK ? why : "", "");
}

static mr_claims claims_at(int64_t now_us)
{
    mr_claims claims = {.role = MR_ROLE_CREATOR, .version = 7, .issued_s = now_us / SECOND, .expires_s = now_us / SECOND + MR_ACCESS_SECONDS};
    assert_true(mr_id_make('u', claims.user));
    assert_true(mr_id_make('f', claims.family));
    return claims;
}

static void tokens_say_what_was_signed(void **state)
{
    mr_ring ring;
    mr_claims read;
    char token[MR_ACCESS_SIZE];
    const int64_t now = mr_now_us();
    (void)state;
    open_ring(&ring, now);
    const mr_claims claims = claims_at(now);
    assert_int_equal(mr_access_make(&ring, &claims, token), MR_OK);
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_OK);
    assert_string_equal(read.user, claims.user);
    assert_string_equal(read.family, claims.family);
    assert_int_equal(read.role, MR_ROLE_CREATOR);
    assert_int_equal(read.version, 7);
    assert_int_equal(mr_access_read(&ring, token, now + (MR_ACCESS_SECONDS - 1) * SECOND, &read), MR_OK);
    assert_int_equal(mr_access_read(&ring, token, now + (MR_ACCESS_SECONDS + 1) * SECOND, &read), MR_ERR_INPUT);
    mr_ring_close(&ring);
}

/* One letter changed, at every place: never let in. (The last letter of each part has bits that mean nothing.) */
static void changed_tokens_are_refused(void **state)
{
    mr_ring ring;
    mr_claims read;
    char token[MR_ACCESS_SIZE];
    const int64_t now = mr_now_us();
    (void)state;
    open_ring(&ring, now);
    const mr_claims claims = claims_at(now);
    assert_int_equal(mr_access_make(&ring, &claims, token), MR_OK);
    for (size_t i = 0; token[i]; i++) {
        const char was = token[i];
        if (token[i + 1] == '.' || token[i + 1] == '\0')
            continue;
        token[i] = was == 'A' ? 'Q' : 'A';
        assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
        token[i] = was;
    }
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_OK);
    token[strlen(token) - 5] = '\0';
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
    mr_ring_close(&ring);
}

static char *forge(jwt_alg_t algorithm, const uint8_t *key, int key_len, const mr_claims *claims)
{
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_set_alg(jwt, algorithm, key, key_len), 0);
    jwt_add_grant(jwt, "sub", claims->user);
    jwt_add_grant(jwt, "role", "admin");
    jwt_add_grant(jwt, "fam", claims->family);
    jwt_add_grant_int(jwt, "ver", (long)claims->version);
    jwt_add_grant_int(jwt, "iat", (long)claims->issued_s);
    jwt_add_grant_int(jwt, "exp", (long)claims->expires_s);
    char *token = jwt_encode_str(jwt);
    jwt_free(jwt);
    assert_non_null(token);
    return token;
}

static void forged_tokens_are_refused(void **state)
{
    static const char *const nonsense[] = {"",     ".",          "..", "...", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9..",
                                           "null", "e30.e30.e30"};
    mr_ring ring;
    mr_claims read;
    uint8_t other[MR_SECRET] = {1};
    const int64_t now = mr_now_us();
    (void)state;
    open_ring(&ring, now);
    const mr_claims claims = claims_at(now);
    const mr_signing_key key = mr_ring_newest(&ring);
    const struct {
        jwt_alg_t algorithm;
        const uint8_t *key;
        int len;
        mr_status status;
    } tries[] = {
        {JWT_ALG_NONE, NULL, 0, MR_ERR_INPUT},           {JWT_ALG_HS256, other, sizeof(other), MR_ERR_INPUT},
        {JWT_ALG_HS512, key.access, 32, MR_ERR_INPUT},   {JWT_ALG_HS384, key.access, 32, MR_ERR_INPUT},
        {JWT_ALG_HS256, key.secret, 32, MR_ERR_INPUT},   {JWT_ALG_HS256, key.urls, 32, MR_ERR_INPUT},
        {JWT_ALG_HS256, ring.refresh, 32, MR_ERR_INPUT}, {JWT_ALG_HS256, key.access, 32, MR_OK}, /* the forger's tools are good */
    };
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
        char *token = forge(tries[i].algorithm, tries[i].key, tries[i].len, &claims);
        assert_int_equal(mr_access_read(&ring, token, now, &read), tries[i].status);
        free(token);
    }
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++)
        assert_int_equal(mr_access_read(&ring, nonsense[i], now, &read), MR_ERR_INPUT);
    char *longer = calloc(1, 100000);
    assert_non_null(longer);
    memset(longer, 'A', 99999);
    assert_int_equal(mr_access_read(&ring, longer, now, &read), MR_ERR_INPUT);
    free(longer);
    mr_ring_close(&ring);
}

static void claims_that_make_no_sense_are_refused(void **state)
{
    mr_ring ring;
    mr_claims read;
    const int64_t now = mr_now_us();
    (void)state;
    open_ring(&ring, now);
    mr_claims claims = claims_at(now);
    memcpy(claims.user, "v_0000000000000000000000", 25); /* a video is no user */
    const mr_signing_key key = mr_ring_newest(&ring);
    char *token = forge(JWT_ALG_HS256, key.access, sizeof(key.access), &claims);
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
    free(token);
    mr_ring_close(&ring);
}

static void keys_rotate_and_stay(void **state)
{
    mr_ring ring;
    mr_claims read;
    char first[MR_ACCESS_SIZE];
    char second[MR_ACCESS_SIZE];
    char path[128];
    struct stat st;
    uint8_t sealing[MR_SECRET];
    const int64_t start = 1000 * DAY;
    (void)state;
    open_ring(&ring, start);
    memcpy(sealing, ring.sealing, sizeof(sealing));
    snprintf(path, sizeof(path), "%s/keys/server.json", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    mr_claims claims = claims_at(start);
    claims.expires_s = (start + 1000 * DAY) / SECOND;
    assert_int_equal(mr_access_make(&ring, &claims, first), MR_OK);
    assert_int_equal(mr_ring_rotate_if_due(&ring, start + 29 * DAY), MR_OK);
    assert_int_equal(ring.count, 1);
    assert_int_equal(mr_ring_rotate_if_due(&ring, start + 30 * DAY), MR_OK);
    assert_int_equal(ring.count, 2);
    assert_int_equal(mr_access_make(&ring, &claims, second), MR_OK);
    mr_ring_close(&ring);

    open_ring(&ring, start + 30 * DAY); /* as after a restart */
    assert_memory_equal(ring.sealing, sealing, sizeof(sealing));
    assert_int_equal(mr_access_read(&ring, first, start + 36 * DAY, &read), MR_OK);
    assert_int_equal(mr_access_read(&ring, first, start + 38 * DAY, &read), MR_ERR_INPUT);
    assert_int_equal(mr_access_read(&ring, second, start + 38 * DAY, &read), MR_OK);
    for (int i = 0; i < 6; i++)
        assert_int_equal(mr_ring_rotate(&ring, start + (40 + i) * DAY), MR_OK);
    assert_int_equal(ring.count, MR_SIGNING_KEYS);
    mr_ring_close(&ring);
}

/* A token that was just found good is not checked anew: that must not make others good, nor outlive its key. */
static void what_is_known_stays_itself(void **state)
{
    mr_ring ring;
    mr_claims read;
    char token[MR_ACCESS_SIZE];
    const int64_t now = mr_now_us();
    (void)state;
    open_ring(&ring, now);
    mr_claims claims = claims_at(now);
    assert_int_equal(mr_access_make(&ring, &claims, token), MR_OK);
    const size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) { /* known before each try */
        assert_int_equal(mr_access_read(&ring, token, now, &read), MR_OK);
        assert_string_equal(read.user, claims.user);
        assert_int_equal(read.expires_s, claims.expires_s);
        const char was = token[i];
        token[i] = was == 'A' ? 'Q' : 'A';
        assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
        token[i] = '\0';
        assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
        token[i] = was;
    }
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_OK);
    assert_int_equal(mr_access_read(&ring, token, claims.expires_s * SECOND, &read), MR_ERR_INPUT);
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_OK);
    for (int i = 0; i < MR_SIGNING_KEYS; i++)
        assert_int_equal(mr_ring_rotate(&ring, now), MR_OK);
    assert_int_equal(mr_access_read(&ring, token, now, &read), MR_ERR_INPUT);
    mr_ring_close(&ring);
}

static void *rotate_often(void *context)
{
    for (int i = 0; i < 20; i++)
        mr_ring_rotate(context, mr_now_us());
    return NULL;
}

/* What is signed stays good while keys come and go: as long as its key is among those that are kept. */
static void keys_rotate_under_readers(void **state)
{
    mr_ring ring;
    mr_claims read;
    char token[MR_ACCESS_SIZE];
    pthread_t thread;
    (void)state;
    open_ring(&ring, mr_now_us());
    const mr_claims claims = claims_at(mr_now_us());
    assert_int_equal(pthread_create(&thread, NULL, rotate_often, &ring), 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(mr_access_make(&ring, &claims, token), MR_OK);
        mr_access_read(&ring, token, mr_now_us(), &read);
    }
    pthread_join(thread, NULL);
    assert_int_equal(mr_access_make(&ring, &claims, token), MR_OK);
    assert_int_equal(mr_access_read(&ring, token, mr_now_us(), &read), MR_OK);
    mr_ring_close(&ring);
}

static void keys_that_others_may_read_are_refused(void **state)
{
    mr_ring ring;
    char path[128];
    char why[512];
    (void)state;
    open_ring(&ring, mr_now_us());
    mr_ring_close(&ring);
    snprintf(path, sizeof(path), "%s/keys/server.json", folder);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(mr_ring_open(folder, mr_now_us(), &ring, why, sizeof(why)), MR_ERR_IO);
    assert_non_null(strstr(why, "chmod 600"));
    mr_ring_close(&ring);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(mr_ring_open(folder, mr_now_us(), &ring, why, sizeof(why)), MR_ERR_IO);
    assert_non_null(strstr(why, "damaged"));
    mr_ring_close(&ring);
}

static void urls_are_good_for_their_prefix_and_time(void **state)
{
    static const char prefix[] = "/media/v_1/";
    mr_auth *auth = calloc(1, sizeof(*auth));
    char token[MR_URL_TOKEN_SIZE];
    char scope[16];
    int64_t expires = 0;
    const int64_t now = mr_now_us();
    (void)state;
    assert_non_null(auth);
    open_ring(&auth->ring, now);
    mr_auth_url_sign(auth, prefix, "public", now + 3600 * SECOND, token);
    assert_int_equal(mr_auth_url_check(auth, prefix, token, scope, &expires), MR_OK);
    assert_string_equal(scope, "public");
    assert_int_equal(expires / SECOND, now / SECOND + 3600);
    assert_int_equal(mr_auth_url_check(auth, "/media/v_2/", token, scope, &expires), MR_ERR_INPUT);
    assert_int_equal(mr_auth_url_check(auth, "/media/v_1", token, scope, &expires), MR_ERR_INPUT);
    for (size_t i = 0; token[i + 1]; i++) { /* the last letter has bits that mean nothing: those are refused as well */
        const char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(mr_auth_url_check(auth, prefix, token, scope, &expires), MR_ERR_INPUT);
        token[i] = was;
    }
    assert_int_equal(mr_auth_url_check(auth, prefix, "", scope, &expires), MR_ERR_INPUT);
    assert_int_equal(mr_ring_rotate(&auth->ring, now), MR_OK);
    assert_int_equal(mr_auth_url_check(auth, prefix, token, scope, &expires), MR_OK);
    mr_auth_url_sign(auth, prefix, "", now - SECOND, token);
    assert_int_equal(mr_auth_url_check(auth, prefix, token, scope, &expires), MR_ERR_NOT_FOUND);
    mr_ring_close(&auth->ring);
    free(auth);
}

/* A letter can't move from the scope to the prefix: where one ends is signed, too. */
static void scope_and_prefix_stay_apart(void **state)
{
    mr_auth *auth = calloc(1, sizeof(*auth));
    char token[MR_URL_TOKEN_SIZE];
    char scope[16];
    int64_t expires = 0;
    uint8_t bytes[64];
    size_t len = 0;
    (void)state;
    assert_non_null(auth);
    open_ring(&auth->ring, mr_now_us());
    mr_auth_url_sign(auth, "b/", "a/", mr_now_us() + 3600 * SECOND, token);
    assert_int_equal(sodium_base642bin(bytes, sizeof(bytes), token, strlen(token), NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING), 0);
    assert_int_equal(len, 4 + 8 + 2 + 32);
    memmove(bytes + 12, bytes + 14, 32);
    sodium_bin2base64(token, sizeof(token), bytes, len - 2, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    assert_int_equal(mr_auth_url_check(auth, "a/b/", token, scope, &expires), MR_ERR_INPUT);
    mr_ring_close(&auth->ring);
    free(auth);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(tokens_say_what_was_signed),
        TEST(changed_tokens_are_refused),
        TEST(forged_tokens_are_refused),
        TEST(claims_that_make_no_sense_are_refused),
        TEST(keys_rotate_and_stay),
        TEST(what_is_known_stays_itself),
        TEST(keys_rotate_under_readers),
        TEST(keys_that_others_may_read_are_refused),
        TEST(urls_are_good_for_their_prefix_and_time),
        TEST(scope_and_prefix_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
