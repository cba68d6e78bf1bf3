/* SPDX-License-Identifier: MIT */
/*
 * Texts that rows keep and only this server reads: XChaCha20-Poly1305 with a key made of the root, a random nonce before, and bound to a name, so
 * that what was sealed for one thing doesn't open as another's. As base64url.
 */
#include "api-server/auth/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    MORE = NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};

char *mr_auth_seal(mr_auth *auth, const char *bound, const char *text)
{
    const size_t len = strlen(text);
    const size_t size = sodium_base64_ENCODED_LEN(len + MORE, BASE64);
    uint8_t *sealed = malloc(len + MORE);
    char *out = malloc(size);
    if (sealed && out) {
        randombytes_buf(sealed, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, (const uint8_t *)text, len, (const uint8_t *)bound, strlen(bound), NULL,
                                                   sealed, auth->ring.sealing);
        sodium_bin2base64(out, size, sealed, len + MORE, BASE64);
    } else {
        free(out);
        out = NULL;
    }
    free(sealed);
    return out;
}

char *mr_auth_unseal(mr_auth *auth, const char *bound, const char *sealed_text)
{
    const size_t text_len = strlen(sealed_text);
    uint8_t *sealed = malloc(text_len + 1);
    char *out = malloc(text_len + 1);
    size_t len = 0;
    const bool good = sealed && out && sodium_base642bin(sealed, text_len, sealed_text, text_len, NULL, &len, NULL, BASE64) == 0 && len >= MORE &&
                      crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)out, NULL, NULL, sealed + NONCE, len - NONCE, (const uint8_t *)bound,
                                                                 strlen(bound), sealed, auth->ring.sealing) == 0;
    free(sealed);
    if (!good) {
        free(out);
        return NULL;
    }
    out[len - MORE] = '\0';
    return out;
}
