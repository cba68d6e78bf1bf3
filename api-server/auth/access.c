/* SPDX-License-Identifier: MIT */
/*
 * Access tokens: JWT (RFC 7519), HS256 and nothing else. The algorithm is the server's choice, never the token's: libjwt is given the key, refuses
 * "none" then, and what it took is looked at again here (RFC 8725, 3.1).
 *
 * A client sends the same token for minutes, and to check its signature costs as much as half of a quick answer. So each thread keeps what it has
 * checked lately: of that the signature is not looked at again, but whether its key is still good, and the time. Whether the sign-in was revoked is
 * for the rows to say, each time.
 */
#include "api-server/auth/internal.h"

#include "api-server/auth/words.h"

#include <errno.h>
#include <jwt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LONG_MAX >= INT64_MAX, "times and versions are long to libjwt");

mr_status mr_access_make(mr_ring *ring, const mr_claims *claims, char ret_token[MR_ACCESS_SIZE])
{
    mr_signing_key key = mr_ring_newest(ring);
    jwt_t *jwt = NULL;
    char *text = NULL;
    mr_status status = MR_ERR_NOMEM;
    if (jwt_new(&jwt) == 0 && jwt_set_alg(jwt, JWT_ALG_HS256, key.access, sizeof(key.access)) == 0 && jwt_add_grant(jwt, "sub", claims->user) == 0 &&
        jwt_add_grant(jwt, "role", mr_role_name(claims->role)) == 0 && jwt_add_grant(jwt, "fam", claims->family) == 0 &&
        jwt_add_grant_int(jwt, "ver", claims->version) == 0 && jwt_add_grant_int(jwt, "iat", claims->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "exp", claims->expires_s) == 0)
        text = jwt_encode_str(jwt);
    if (text && strlen(text) < MR_ACCESS_SIZE) {
        memcpy(ret_token, text, strlen(text) + 1);
        status = MR_OK;
    }
    free(text);
    jwt_free(jwt);
    sodium_memzero(&key, sizeof(key));
    return status;
}

/* ---- what was checked lately ---- */

enum { KNOWN = 32, KNOWN_SIZE = 512 };

typedef struct known_token {
    char token[KNOWN_SIZE]; /* "": none */
    uint8_t key[MR_SIGNING_ID];
    int64_t key_made_us;
    mr_claims claims;
} known_token;

static _Thread_local known_token known[KNOWN];

/* Where it would stand, by the end of its signature. */
static known_token *place_of(const char *token, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = len > 8 ? len - 8 : 0; i < len; i++)
        sum = sum * 31 + (unsigned char)token[i];
    return &known[sum % KNOWN];
}

static bool is_known(const known_token *it, const char *token, size_t len, const mr_signing_key *key)
{
    return len < KNOWN_SIZE && sodium_memcmp(it->token, token, len + 1) == 0 && memcmp(it->key, key->id, sizeof(it->key)) == 0 &&
           it->key_made_us == key->made_us;
}

static void keep(known_token *it, const char *token, size_t len, const mr_signing_key *key, const mr_claims *claims)
{
    if (len >= KNOWN_SIZE)
        return;
    memcpy(it->token, token, len + 1);
    memcpy(it->key, key->id, sizeof(it->key));
    it->key_made_us = key->made_us;
    it->claims = *claims;
}

/* ---- reading ---- */

/* NULL: not signed by this key. */
static jwt_t *decode(const char *token, const mr_signing_key *key)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, key->access, sizeof(key->access)) != 0)
        return NULL;
    if (jwt_get_alg(jwt) == JWT_ALG_HS256)
        return jwt;
    jwt_free(jwt);
    return NULL;
}

static bool take_id(jwt_t *jwt, const char *claim, char letter, char ret_id[MR_ID_SIZE])
{
    const char *text = jwt_get_grant(jwt, claim);
    if (!mr_id_is(text, letter))
        return false;
    memcpy(ret_id, text, strlen(text) + 1);
    return true;
}

static bool take_number(jwt_t *jwt, const char *claim, int64_t *ret)
{
    errno = 0;
    *ret = jwt_get_grant_int(jwt, claim);
    return errno == 0;
}

static bool take_role(jwt_t *jwt, mr_role *ret_role)
{
    const char *name = jwt_get_grant(jwt, "role");
    return name && mr_role_read(name, ret_role);
}

/* What it says, whenever that was; false: it is not signed by this key, or is none of ours. */
static bool read_token(const char *token, const mr_signing_key *key, mr_claims *ret_claims)
{
    jwt_t *jwt = decode(token, key);
    const bool good = jwt && take_id(jwt, "sub", 'u', ret_claims->user) && take_id(jwt, "fam", 'f', ret_claims->family) &&
                      take_role(jwt, &ret_claims->role) && take_number(jwt, "ver", &ret_claims->version) &&
                      take_number(jwt, "iat", &ret_claims->issued_s) && take_number(jwt, "exp", &ret_claims->expires_s);
    jwt_free(jwt);
    return good;
}

mr_status mr_access_read(mr_ring *ring, const char *token, int64_t now_us, mr_claims *ret_claims)
{
    mr_signing_key keys[MR_SIGNING_KEYS];
    const size_t len = strnlen(token, MR_ACCESS_SIZE);
    memset(ret_claims, 0, sizeof(*ret_claims));
    if (len == MR_ACCESS_SIZE || len == 0)
        return MR_ERR_INPUT;
    known_token *place = place_of(token, len);
    const size_t count = mr_ring_good(ring, now_us, keys);
    bool good = false;
    for (size_t i = 0; !good && i < count; i++) {
        good = is_known(place, token, len, &keys[i]);
        if (good)
            *ret_claims = place->claims;
    }
    for (size_t i = 0; !good && i < count; i++) {
        good = read_token(token, &keys[i], ret_claims);
        if (good)
            keep(place, token, len, &keys[i], ret_claims);
    }
    sodium_memzero(keys, sizeof(keys));
    return good && now_us / 1000000 < ret_claims->expires_s ? MR_OK : MR_ERR_INPUT;
}
