/* SPDX-License-Identifier: MIT */
/* Standard Webhooks 1.0.0, "Signature scheme": symmetric signatures. */
#include "notify.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_MIN = 24, SECRET_MAX = 64, SECRETS_MAX = 8 };

/* The bytes of one secret; their number, or -1. */
static int decode_secret(const char *text, size_t len, unsigned char key[SECRET_MAX + 8])
{
    static const char prefix[] = "whsec_";
    unsigned char padded[(SECRET_MAX + 8) / 3 * 4 + 8];
    if (len > sizeof(prefix) - 1 && memcmp(text, prefix, sizeof(prefix) - 1) == 0) {
        text += sizeof(prefix) - 1;
        len -= sizeof(prefix) - 1;
    }
    while (len > 0 && text[len - 1] == '=')
        len--;
    if (len == 0 || len % 4 == 1 || len > (size_t)(SECRET_MAX + 2) / 3 * 4)
        return -1;
    size_t padding = (4 - len % 4) % 4;
    memcpy(padded, text, len);
    memset(padded + len, '=', padding);
    int bytes = EVP_DecodeBlock(key, padded, (int)(len + padding));
    OPENSSL_cleanse(padded, sizeof(padded));
    bytes = bytes < 0 ? -1 : bytes - (int)padding;
    return bytes >= SECRET_MIN && bytes <= SECRET_MAX ? bytes : -1;
}

static mr_status sign_once(const unsigned char *key, int key_len, const char *signed_text, size_t len, FILE *out)
{
    unsigned char mac[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned mac_len = 0;
    if (!HMAC(EVP_sha256(), key, key_len, (const unsigned char *)signed_text, len, mac, &mac_len))
        return MR_ERR_NOMEM;
    EVP_EncodeBlock(text, mac, (int)mac_len);
    return fprintf(out, "v1,%s", (const char *)text) > 0 ? MR_OK : MR_ERR_NOMEM;
}

static mr_status sign_all(const char *secrets, const char *signed_text, size_t len, FILE *out)
{
    unsigned char key[SECRET_MAX + 8];
    int count = 0;
    for (const char *secret = secrets + strspn(secrets, " "); *secret; secret += strspn(secret, " ")) {
        size_t secret_len = strcspn(secret, " ");
        int key_len = decode_secret(secret, secret_len, key);
        if (key_len < 0 || count == SECRETS_MAX)
            return MR_ERR_PARAM;
        if (count++ > 0)
            fputc(' ', out);
        mr_status status = sign_once(key, key_len, signed_text, len, out);
        OPENSSL_cleanse(key, sizeof(key));
        if (status != MR_OK)
            return status;
        secret += secret_len;
    }
    return count > 0 ? MR_OK : MR_ERR_PARAM;
}

mr_status mr_webhook_sign(const char *secrets, const char *id, int64_t timestamp, const char *body, size_t body_len, char **ret_value)
{
    char *signed_text = NULL;
    size_t value_len = 0;
    *ret_value = NULL;
    int len = asprintf(&signed_text, "%s.%" PRId64 ".%.*s", id, timestamp, (int)body_len, body);
    FILE *out = len > 0 ? open_memstream(ret_value, &value_len) : NULL;
    mr_status status = out ? sign_all(secrets, signed_text, (size_t)len, out) : MR_ERR_NOMEM;
    if (out && fclose(out) != 0)
        status = MR_ERR_NOMEM;
    if (len > 0)
        free(signed_text);
    if (status != MR_OK) {
        free(*ret_value);
        *ret_value = NULL;
    }
    return status;
}
