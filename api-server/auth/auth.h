/* SPDX-License-Identifier: MIT */
/*
 * Accounts: how somebody proves who they are, and what the server signs. Everything that is secret is in this folder; the rows are
 * api-server/metadata's.
 *
 * Kinds of proof
 *   access token    a JWT of 15 minutes (HS256), in the field Authorization: Bearer; good as long as the user's version and the sign-in (family) hold
 *   refresh token   30 days, opaque; each use gives the next one of its family, and an old one that comes again revokes the family
 *   API key         "mrk_" id "." secret, in the field Authorization: Bearer; or id and secret for signatures of AWS's kind
 *   signed URL      HMAC-SHA256 over key id, expiry and a prefix of paths
 *
 * Threads: all functions may be called from any. Those marked slow hash a password or write to disk: MR_LANE_SLOW. The others read a row or two.
 */
#ifndef MR_AUTH_AUTH_H
#define MR_AUTH_AUTH_H

#include "api-server/metadata/accounts.h"

typedef struct mr_auth mr_auth;

enum {
    MR_ACCESS_SECONDS = 15 * 60,
    MR_REFRESH_DAYS = 30,
    MR_PASSWORD_MIN = 10,
    MR_PASSWORD_MAX = 1024,
    MR_ACCESS_SIZE = 1024,   /* bytes for an access token */
    MR_REFRESH_SIZE = 96,    /* for a refresh token */
    MR_API_KEY_SIZE = 96,    /* for "mrk_…" */
    MR_KEY_SECRET_SIZE = 48, /* for an API key's secret */
    MR_URL_TOKEN_SIZE = 96,  /* for a signed URL's token */
};

/* data_dir: DATA; keys are made in DATA/keys, mode 0600, when there are none. metadata outlives it. On an error why says what is wrong. */
mr_status mr_auth_open(const char *data_dir, mr_metadata *metadata, char *why, size_t why_size, mr_auth **ret_auth);
void mr_auth_close(mr_auth *auth); /* NULL is fine */

/* ---- who asks ---- */

/* By the field Authorization. MR_OK: *ret_who, which is nobody when there is no such field. MR_ERR_INPUT: what it says is not (or no longer) good:
 * 401. Others: the rows can't be asked. */
mr_status mr_auth_identify(mr_auth *auth, const char *authorization, mr_identity *ret_who);

/* What a signature of AWS's kind is checked with: the secret of an API key, and whose it is. MR_ERR_NOT_FOUND: no such key, or it has expired. */
mr_status mr_auth_key_secret(mr_auth *auth, const char *key_id, char ret_secret[MR_KEY_SECRET_SIZE], mr_identity *ret_who);
/* A key and secret of the server's own, for URLs that it signs that way; user: whose upload it is for. The secret is made from the id. */
void mr_auth_server_secret(mr_auth *auth, const char *purpose, char ret_secret[MR_KEY_SECRET_SIZE]);

/* A text that a row keeps and nobody else may read, bound to a name; free(). NULL: no memory; of unseal: it is none of ours, or bound to another. */
char *mr_auth_seal(mr_auth *auth, const char *bound, const char *text);
char *mr_auth_unseal(mr_auth *auth, const char *bound, const char *sealed);

/* ---- accounts ---- */

typedef struct mr_session {
    mr_user user;
    char access[MR_ACCESS_SIZE];
    char refresh[MR_REFRESH_SIZE];
    int64_t expires_in; /* of the access token, seconds */
} mr_session;

/* Fills created_us, the password's hash and, unless it is there, id, and adds the user. Slow. */
mr_status mr_auth_add_user(mr_auth *auth, mr_user *user, const char *password, bool first);
/* Equal time for users that are not there. MR_ERR_NOT_FOUND: address or password is wrong, or the account is disabled. Slow. */
mr_status mr_auth_log_in(mr_auth *auth, const char *email, const char *password, mr_session *ret_session);
mr_status mr_auth_sign_in(mr_auth *auth, const mr_user *user, mr_session *ret_session); /* one who proved it otherwise. Slow */
/* MR_ERR_NOT_FOUND: the token is not good; MR_ERR_CONFLICT: it was used before, and its family is revoked now. Slow. */
mr_status mr_auth_refresh(mr_auth *auth, const char *refresh, mr_session *ret_session);
mr_status mr_auth_log_out(mr_auth *auth, const char *refresh, const mr_identity *who); /* either may be NULL. Slow */
/* Writes a user that was read before, as mr_user_update does; password (NULL: it stays) is hashed first. Where it, the role or disabled differ from
 * what was, sign-ins and tokens end. MR_ERR_UNAVAILABLE: somebody changed one of these meanwhile, try again. Slow. */
mr_status mr_auth_change_user(mr_auth *auth, mr_user *user, const char *password);
bool mr_auth_password_is(mr_auth *auth, const mr_user *user, const char *password); /* slow */

/* Makes a key of user with scopes and name; *ret_key is shown once. Slow. */
mr_status mr_auth_add_key(mr_auth *auth, mr_key *key, char ret_text[MR_API_KEY_SIZE]);

/* The secret at the end of what mr_auth_add_key gave. */
const char *mr_auth_key_part(const char *text);

/* NULL: fine; else what is wrong with it, in words. */
const char *mr_auth_email_problem(const char *email);
const char *mr_auth_password_problem(const char *password);
/* Without blanks around. False: too long. */
bool mr_auth_email_trim(const char *email, char ret_email[MR_EMAIL_SIZE]);

/* ---- signed URLs ---- */

/* A token for every path under prefix ("/media/v_…/") until expires_us. scope: one word, told back by the check ("" is fine). */
void mr_auth_url_sign(mr_auth *auth, const char *prefix, const char *scope, int64_t expires_us, char ret_token[MR_URL_TOKEN_SIZE]);
/* MR_OK; MR_ERR_INPUT: it is not ours, or of another prefix; MR_ERR_NOT_FOUND: expired. In constant time. */
mr_status mr_auth_url_check(mr_auth *auth, const char *prefix, const char *token, char ret_scope[16], int64_t *ret_expires_us);

#endif
