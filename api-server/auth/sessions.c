/* SPDX-License-Identifier: MIT */
/*
 * Sign-ins. A refresh token is "mrr_" 22 letters of its family's id "_" 43 letters. The one that follows is made of it with the server's key: who
 * asks twice within a few seconds, since the answer was lost or two tabs asked, gets the same one twice, and there is no race to lose. An older one
 * that comes again was stolen, or the newer was: the family ends (RFC 9700, 4.14.2).
 */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECOND_US  INT64_C(1000000)
#define REFRESH_US (SECOND_US * 86400 * MR_REFRESH_DAYS)

static const char prefix[] = "mrr_";

/* A token's last part: what is kept of it is its hash. */
typedef struct secret_text {
    char text[MR_SECRET_TEXT];
    char hash[MR_HASH_SIZE];
} secret_text;

static secret_text write_secret(const uint8_t secret[MR_SECRET])
{
    secret_text made = {.text = ""};
    mr_secret_text(secret, made.text);
    mr_secret_hash(made.text, made.hash);
    return made;
}

static void write_refresh(const char *family, const secret_text *secret, char ret_text[MR_REFRESH_SIZE])
{
    snprintf(ret_text, MR_REFRESH_SIZE, "%s%.*s_%s", prefix, MR_ID_DIGITS, family + 2, secret->text);
}

static bool read_refresh(const char *text, char ret_family[MR_ID_SIZE], uint8_t ret_secret[MR_SECRET])
{
    const size_t start = sizeof(prefix) - 1;
    if (strlen(text) != start + MR_ID_DIGITS + 1 + MR_SECRET_TEXT - 1 || memcmp(text, prefix, start) != 0 || text[start + MR_ID_DIGITS] != '_')
        return false;
    memcpy(ret_family, "f_", 2);
    memcpy(ret_family + 2, text + start, MR_ID_DIGITS);
    ret_family[2 + MR_ID_DIGITS] = '\0';
    return mr_id_is(ret_family, 'f') && mr_secret_read(text + start + MR_ID_DIGITS + 1, ret_secret);
}

static mr_status make_access(mr_auth *auth, const char *family, mr_session *session)
{
    const int64_t now_us = mr_now_us();
    mr_claims claims = {.role = session->user.role, .version = session->user.version, .issued_s = now_us / SECOND_US};
    claims.expires_s = claims.issued_s + MR_ACCESS_SECONDS;
    memcpy(claims.user, session->user.id, sizeof(claims.user));
    memcpy(claims.family, family, MR_ID_SIZE);
    session->expires_in = MR_ACCESS_SECONDS;
    mr_ring_rotate_if_due(&auth->ring, now_us); /* if it can't be kept, the old one goes on */
    return mr_access_make(&auth->ring, &claims, session->access);
}

mr_status mr_auth_sign_in(mr_auth *auth, const mr_user *user, mr_session *ret_session)
{
    mr_family family = {.created_us = mr_now_us()};
    uint8_t bytes[MR_SECRET];
    memset(ret_session, 0, sizeof(*ret_session));
    ret_session->user = *user;
    if (!mr_id_make('f', family.id))
        return MR_ERR_UNAVAILABLE;
    randombytes_buf(bytes, sizeof(bytes));
    secret_text secret = write_secret(bytes);
    memcpy(family.user, user->id, sizeof(family.user));
    memcpy(family.token_hash, secret.hash, sizeof(family.token_hash));
    family.used_us = family.created_us;
    family.expires_us = family.created_us + REFRESH_US;
    mr_status status = mr_family_add(auth->metadata, &family);
    if (status == MR_OK)
        status = make_access(auth, family.id, ret_session);
    if (status == MR_OK)
        write_refresh(family.id, &secret, ret_session->refresh);
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(&secret, sizeof(secret));
    return status;
}

mr_status mr_auth_log_in(mr_auth *auth, const char *email, const char *password, mr_session *ret_session)
{
    char trimmed[MR_EMAIL_SIZE];
    mr_user user = {0};
    const bool fits = mr_auth_email_trim(email, trimmed) && strlen(password) <= MR_PASSWORD_MAX;
    mr_status status = fits ? mr_user_find_email(auth->metadata, trimmed, &user) : MR_ERR_NOT_FOUND;
    if (status != MR_OK && status != MR_ERR_NOT_FOUND)
        return status;
    /* The same work for an address that nobody has. */
    const bool right = mr_password_verify(auth, fits ? password : "", status == MR_OK ? user.password : NULL);
    status = right && !user.disabled ? mr_auth_sign_in(auth, &user, ret_session) : MR_ERR_NOT_FOUND;
    sodium_memzero(user.password, sizeof(user.password));
    return status;
}

/* Puts next in the place of the family's token, if that is shown; or it was a moment ago, and next stands there already. */
static mr_status rotate(mr_auth *auth, const char *id, const secret_text *shown, const secret_text *next, mr_family *ret_family)
{
    const int64_t now_us = mr_now_us();
    pthread_mutex_lock(&auth->changing);
    mr_status status = mr_family_find(auth->metadata, id, ret_family);
    const bool again = status == MR_OK && !ret_family->revoked && strcmp(ret_family->token_hash, next->hash) == 0 &&
                       now_us - ret_family->used_us < MR_REFRESH_GRACE_S * SECOND_US;
    if (status == MR_OK && !again)
        status = mr_family_rotate(auth->metadata, id, shown->hash, next->hash, now_us, now_us + REFRESH_US);
    pthread_mutex_unlock(&auth->changing);
    return status;
}

mr_status mr_auth_refresh(mr_auth *auth, const char *refresh, mr_session *ret_session)
{
    mr_family family = {0};
    char id[MR_ID_SIZE];
    uint8_t bytes[MR_SECRET];
    uint8_t next_bytes[MR_SECRET];
    memset(ret_session, 0, sizeof(*ret_session));
    if (!read_refresh(refresh, id, bytes))
        return MR_ERR_NOT_FOUND;
    crypto_auth_hmacsha256(next_bytes, bytes, sizeof(bytes), auth->ring.refresh);
    secret_text shown = write_secret(bytes);
    secret_text next = write_secret(next_bytes);
    mr_status status = rotate(auth, id, &shown, &next, &family);
    if (status == MR_OK)
        status = mr_user_find(auth->metadata, family.user, &ret_session->user);
    if (status == MR_OK && ret_session->user.disabled)
        status = MR_ERR_NOT_FOUND;
    if (status == MR_OK)
        status = make_access(auth, id, ret_session);
    if (status == MR_OK)
        write_refresh(id, &next, ret_session->refresh);
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(next_bytes, sizeof(next_bytes));
    sodium_memzero(&shown, sizeof(shown));
    sodium_memzero(&next, sizeof(next));
    return status;
}

mr_status mr_auth_log_out(mr_auth *auth, const char *refresh, const mr_identity *who)
{
    char family[MR_ID_SIZE];
    uint8_t secret[MR_SECRET];
    mr_status status = MR_OK;
    if (refresh && read_refresh(refresh, family, secret))
        status = mr_family_revoke(auth->metadata, family);
    if (status == MR_OK && who && who->user[0] && !who->is_key)
        status = mr_family_revoke(auth->metadata, who->proof);
    return status;
}

/* ---- who asks ---- */

static mr_status identify_session(mr_auth *auth, const char *token, mr_identity *ret_who)
{
    mr_claims claims;
    mr_role role = MR_ROLE_NOBODY;
    mr_status status = mr_access_read(&auth->ring, token, mr_now_us(), &claims);
    if (status == MR_OK)
        status = mr_family_check(auth->metadata, claims.family, claims.user, claims.version, &role);
    if (status != MR_OK)
        return status == MR_ERR_NOT_FOUND ? MR_ERR_INPUT : status;
    *ret_who = (mr_identity){.role = role, .scopes = MR_SCOPE_ALL};
    memcpy(ret_who->user, claims.user, sizeof(ret_who->user));
    memcpy(ret_who->proof, claims.family, sizeof(ret_who->proof));
    return MR_OK;
}

mr_status mr_auth_identify(mr_auth *auth, const char *authorization, mr_identity *ret_who)
{
    static const char aws[] = "AWS4-HMAC-SHA256";
    *ret_who = (mr_identity){0};
    if (!authorization || strncmp(authorization, aws, sizeof(aws) - 1) == 0)
        return MR_OK; /* those are looked at where they are taken */
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return MR_ERR_INPUT;
    const char *proof = authorization + 7 + strspn(authorization + 7, " ");
    return strncmp(proof, "mrk_", 4) == 0 ? mr_key_identify(auth, proof, ret_who) : identify_session(auth, proof, ret_who);
}
