/* SPDX-License-Identifier: MIT */
/*
 * Signed URLs. A token is base64url of: id of the key (4 bytes), expiry in seconds since 1970 (8, big endian), scope (to the MAC), HMAC-SHA256 (32)
 * over what stands before it and the prefix of the paths that it is good for. Nothing of it is secret but the key; the MAC is compared in constant
 * time, and before anything that the token says is believed.
 */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"

#include <string.h>

enum { EXPIRY = 8, SCOPE_MAX = 15, HEAD = MR_SIGNING_ID + EXPIRY, MAC = crypto_auth_hmacsha256_BYTES, TOKEN_MAX = HEAD + SCOPE_MAX + MAC };

_Static_assert(MR_URL_TOKEN_SIZE >= sodium_base64_ENCODED_LEN(TOKEN_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING), "room for a token");

static void make_mac(const mr_signing_key *key, const uint8_t *head, size_t head_len, const char *prefix, uint8_t ret_mac[MAC])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key->urls, sizeof(key->urls));
    const uint8_t len = (uint8_t)head_len; /* so that nothing moves from the scope to the prefix */
    crypto_auth_hmacsha256_update(&state, &len, 1);
    crypto_auth_hmacsha256_update(&state, head, head_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)prefix, strlen(prefix));
    crypto_auth_hmacsha256_final(&state, ret_mac);
    sodium_memzero(&state, sizeof(state));
}

void mr_auth_url_sign(mr_auth *auth, const char *prefix, const char *scope, int64_t expires_us, char ret_token[MR_URL_TOKEN_SIZE])
{
    mr_signing_key key = mr_ring_newest(&auth->ring);
    uint8_t bytes[TOKEN_MAX];
    const size_t scope_len = strnlen(scope, SCOPE_MAX);
    const uint64_t seconds = (uint64_t)(expires_us / 1000000);
    memcpy(bytes, key.id, MR_SIGNING_ID);
    for (unsigned i = 0; i < EXPIRY; i++)
        bytes[MR_SIGNING_ID + i] = (uint8_t)(seconds >> (8 * (EXPIRY - 1 - i)));
    memcpy(bytes + HEAD, scope, scope_len);
    make_mac(&key, bytes, HEAD + scope_len, prefix, bytes + HEAD + scope_len);
    sodium_bin2base64(ret_token, MR_URL_TOKEN_SIZE, bytes, HEAD + scope_len + MAC, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(&key, sizeof(key));
}

static bool is_signed(mr_auth *auth, const char *prefix, const uint8_t *bytes, size_t len, int64_t now_us)
{
    mr_signing_key keys[MR_SIGNING_KEYS];
    uint8_t mac[MAC];
    bool good = false;
    const size_t count = mr_ring_good(&auth->ring, now_us, keys);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(keys[i].id, bytes, MR_SIGNING_ID) != 0)
            continue;
        make_mac(&keys[i], bytes, len - MAC, prefix, mac);
        good = good || sodium_memcmp(mac, bytes + len - MAC, MAC) == 0;
    }
    sodium_memzero(keys, sizeof(keys));
    return good;
}

mr_status mr_auth_url_check(mr_auth *auth, const char *prefix, const char *token, char ret_scope[16], int64_t *ret_expires_us)
{
    uint8_t bytes[TOKEN_MAX];
    size_t len = 0;
    const char *end = NULL;
    const int64_t now_us = mr_now_us();
    const size_t text_len = strnlen(token, MR_URL_TOKEN_SIZE);
    if (text_len == MR_URL_TOKEN_SIZE ||
        sodium_base642bin(bytes, sizeof(bytes), token, text_len, NULL, &len, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        end != token + text_len || len < HEAD + MAC || !is_signed(auth, prefix, bytes, len, now_us))
        return MR_ERR_INPUT;
    uint64_t seconds = 0;
    for (unsigned i = 0; i < EXPIRY; i++)
        seconds = seconds << 8 | bytes[MR_SIGNING_ID + i];
    memcpy(ret_scope, bytes + HEAD, len - HEAD - MAC);
    ret_scope[len - HEAD - MAC] = '\0';
    *ret_expires_us = (int64_t)seconds * 1000000;
    return now_us < *ret_expires_us ? MR_OK : MR_ERR_NOT_FOUND;
}
