/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mr_hash {
    EVP_MD_CTX *context;
};

mr_hash *mr_hash_new(void)
{
    mr_hash *hash = calloc(1, sizeof(*hash));
    if (!hash)
        return NULL;
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
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
    EVP_DigestUpdate(hash->context, data, len);
}

void mr_hash_add_text(mr_hash *hash, const char *text)
{
    char length[32];
    size_t len = text ? strlen(text) : 0;
    int used = text ? snprintf(length, sizeof(length), "%zu:", len) : snprintf(length, sizeof(length), "-:");
    mr_hash_add(hash, length, (size_t)used);
    mr_hash_add(hash, text ? text : "", len);
}

static void write_text(const unsigned char bytes[32], char ret_digest[MR_DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(ret_digest, "sha256:", 7);
    for (size_t i = 0; i < 32; i++) {
        ret_digest[7 + 2 * i] = digits[bytes[i] >> 4];
        ret_digest[8 + 2 * i] = digits[bytes[i] & 15];
    }
    ret_digest[71] = '\0';
}

void mr_hash_finish(mr_hash *hash, char ret_digest[MR_DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
    unsigned int len = 0;
    EVP_DigestFinal_ex(hash->context, bytes, &len);
    write_text(bytes, ret_digest);
    EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL);
}

void mr_digest(const void *data, size_t len, char ret_digest[MR_DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(data, len, bytes, NULL, EVP_sha256(), NULL);
    write_text(bytes, ret_digest);
}

mr_status mr_digest_fd(int fd, char ret_digest[MR_DIGEST_TEXT])
{
    enum { SIZE = 256 * 1024 };
    mr_hash *hash = mr_hash_new();
    unsigned char *buf = malloc(SIZE);
    mr_status status = hash && buf ? MR_OK : MR_ERR_NOMEM;
    for (off_t offset = 0; status == MR_OK;) {
        ssize_t got = pread(fd, buf, SIZE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = MR_ERR_IO;
        if (got <= 0)
            break;
        mr_hash_add(hash, buf, (size_t)got);
        offset += got;
    }
    if (status == MR_OK)
        mr_hash_finish(hash, ret_digest);
    free(buf);
    mr_hash_free(hash);
    return status;
}
