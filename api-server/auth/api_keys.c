/* SPDX-License-Identifier: MIT */
/*
 * API keys: "mrk_" 22 letters of the id "_" 43 letters of the secret. The row has the secret's hash, for those who show it; and the secret itself,
 * encrypted with the server's key and bound to the id, since signatures of AWS's kind are made with the secret and never show it.
 */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "mrk_";

_Static_assert((int)MR_KEY_SECRET_SIZE >= (int)MR_SECRET_TEXT, "room for a secret");

static mr_status seal(mr_auth *auth, mr_key *key, const char *secret)
{
    char *sealed = mr_auth_seal(auth, key->id, secret);
    mr_status status = sealed && strlen(sealed) < sizeof(key->secret) ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK)
        memcpy(key->secret, sealed, strlen(sealed) + 1);
    free(sealed);
    return status;
}

static bool unseal(mr_auth *auth, const mr_key *key, char ret_secret[MR_KEY_SECRET_SIZE])
{
    char *secret = mr_auth_unseal(auth, key->id, key->secret);
    const bool fits = secret && strlen(secret) == MR_SECRET_TEXT - 1;
    if (fits)
        memcpy(ret_secret, secret, MR_SECRET_TEXT);
    if (secret)
        sodium_memzero(secret, strlen(secret));
    free(secret);
    return fits;
}

mr_status mr_auth_add_key(mr_auth *auth, mr_key *key, char ret_text[MR_API_KEY_SIZE])
{
    uint8_t bytes[MR_SECRET];
    char secret[MR_SECRET_TEXT];
    if (!mr_id_make('k', key->id))
        return MR_ERR_UNAVAILABLE;
    randombytes_buf(bytes, sizeof(bytes));
    mr_secret_text(bytes, secret);
    mr_secret_hash(secret, key->hash);
    key->created_us = mr_now_us();
    mr_status status = seal(auth, key, secret);
    if (status == MR_OK)
        status = mr_key_add(auth->metadata, key);
    if (status == MR_OK)
        snprintf(ret_text, MR_API_KEY_SIZE, "%s%.*s_%s", prefix, MR_ID_DIGITS, key->id + 2, secret);
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(secret, sizeof(secret));
    return status;
}

const char *mr_auth_key_part(const char *text)
{
    return text + sizeof(prefix) - 1 + MR_ID_DIGITS + 1;
}

/* The key if it holds, and whose it is. */
static mr_status find(mr_auth *auth, const char *id, mr_key *ret_key, mr_identity *ret_who)
{
    mr_status status = mr_id_is(id, 'k') ? mr_key_find(auth->metadata, id, ret_key) : MR_ERR_NOT_FOUND;
    if (status == MR_OK && (ret_key->role == MR_ROLE_NOBODY || (ret_key->expires_us && ret_key->expires_us <= mr_now_us())))
        status = MR_ERR_NOT_FOUND;
    if (status != MR_OK)
        return status;
    *ret_who = (mr_identity){.role = ret_key->role, .scopes = ret_key->scopes, .is_key = true};
    memcpy(ret_who->user, ret_key->user, sizeof(ret_who->user));
    memcpy(ret_who->proof, ret_key->id, sizeof(ret_who->proof));
    return MR_OK;
}

mr_status mr_key_identify(mr_auth *auth, const char *text, mr_identity *ret_who)
{
    char id[MR_ID_SIZE] = "k_";
    char shown[MR_HASH_SIZE] = "";
    mr_key key;
    const size_t start = sizeof(prefix) - 1;
    if (strlen(text) != start + MR_ID_DIGITS + 1 + MR_SECRET_TEXT - 1 || memcmp(text, prefix, start) != 0 || text[start + MR_ID_DIGITS] != '_')
        return MR_ERR_INPUT;
    memcpy(id + 2, text + start, MR_ID_DIGITS);
    mr_status status = find(auth, id, &key, ret_who);
    if (status == MR_OK) {
        mr_secret_hash(text + start + MR_ID_DIGITS + 1, shown);
        status = sodium_memcmp(shown, key.hash, 2 * (size_t)crypto_hash_sha256_BYTES) == 0 ? MR_OK : MR_ERR_INPUT;
    }
    if (status != MR_OK)
        *ret_who = (mr_identity){0};
    return status == MR_ERR_NOT_FOUND ? MR_ERR_INPUT : status;
}

mr_status mr_auth_key_secret(mr_auth *auth, const char *key_id, char ret_secret[MR_KEY_SECRET_SIZE], mr_identity *ret_who)
{
    mr_key key;
    mr_status status = find(auth, key_id, &key, ret_who);
    if (status == MR_OK && !unseal(auth, &key, ret_secret))
        status = MR_ERR_NOT_FOUND; /* the server's keys are others than when it was made */
    if (status != MR_OK)
        *ret_who = (mr_identity){0};
    return status;
}

void mr_auth_server_secret(mr_auth *auth, const char *purpose, char ret_secret[MR_KEY_SECRET_SIZE])
{
    uint8_t bytes[MR_SECRET];
    crypto_auth_hmacsha256(bytes, (const unsigned char *)purpose, strlen(purpose), auth->ring.server);
    mr_secret_text(bytes, ret_secret);
    sodium_memzero(bytes, sizeof(bytes));
}
