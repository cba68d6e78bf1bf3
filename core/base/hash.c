/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 through OpenSSL's EVP. A step that OpenSSL refuses (in practice: no memory) makes the digest an empty text, never a wrong one.
 */
#include "base/hash.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 * 1024)

struct mr_hash {
    EVP_MD_CTX *context;
    bool failed;
};

static bool begin(mr_hash *hash)
{
    hash->failed = EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1;
    return !hash->failed;
}

mr_hash *mr_hash_new(void)
{
    mr_hash *hash = calloc(1, sizeof(*hash));
    if (!hash)
        return NULL;
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || !begin(hash)) {
        mr_hash_free(hash);
        return NULL;
    }
    return hash;
}

void mr_hash_free(mr_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void mr_hash_add(mr_hash *hash, const void *data, size_t len)
{
    if (len > 0 && EVP_DigestUpdate(hash->context, data, len) != 1)
        hash->failed = true;
}

void mr_hash_add_text(mr_hash *hash, const char *text)
{
    /* A length that no text has stands for NULL. Little-endian whatever the machine: digests travel. */
    uint64_t len = text ? strlen(text) : UINT64_MAX;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(len >> (8 * i));
    mr_hash_add(hash, prefix, sizeof(prefix));
    if (text)
        mr_hash_add(hash, text, (size_t)len);
}

void mr_hash_text(const unsigned char sum[32], char ret_digest[MR_DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    static const char prefix[] = "sha256:";
    char *at = ret_digest;
    memcpy(at, prefix, sizeof(prefix) - 1);
    at += sizeof(prefix) - 1;
    for (unsigned i = 0; i < 32; i++) {
        *at++ = digits[sum[i] >> 4];
        *at++ = digits[sum[i] & 15];
    }
    *at = '\0';
}

void mr_hash_finish(mr_hash *hash, char ret_digest[MR_DIGEST_TEXT])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    ret_digest[0] = '\0';
    if (EVP_DigestFinal_ex(hash->context, sum, &len) == 1 && !hash->failed && len == 32)
        mr_hash_text(sum, ret_digest);
    begin(hash);
}

void mr_digest(const void *data, size_t len, char ret_digest[MR_DIGEST_TEXT])
{
    ret_digest[0] = '\0';
    mr_hash *hash = mr_hash_new();
    if (!hash)
        return;
    mr_hash_add(hash, data, len);
    mr_hash_finish(hash, ret_digest);
    mr_hash_free(hash);
}

mr_status mr_digest_fd(int fd, char ret_digest[MR_DIGEST_TEXT])
{
    mr_status status = MR_OK;
    off_t at = 0;
    ret_digest[0] = '\0';
    mr_hash *hash = mr_hash_new();
    char *buf = malloc(READ_SIZE);
    if (!hash || !buf)
        status = MR_ERR_NOMEM;
    while (status == MR_OK) {
        ssize_t got = pread(fd, buf, READ_SIZE, at);
        if (got == 0)
            break;
        if (got > 0) {
            mr_hash_add(hash, buf, (size_t)got);
            at += got;
        } else if (errno != EINTR) {
            status = MR_ERR_IO;
        }
    }
    if (status == MR_OK) {
        mr_hash_finish(hash, ret_digest);
        if (!ret_digest[0])
            status = MR_ERR_NOMEM;
    }
    free(buf);
    mr_hash_free(hash);
    return status;
}
