/* SPDX-License-Identifier: MIT */
/* SHA-256 as text. */
#include "base/hash.h"
#include "base/sha256.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 * 1024)

struct mr_hash {
    mr_sha256 state;
};

mr_hash *mr_hash_new(void)
{
    mr_hash *hash = malloc(sizeof(*hash));
    if (hash)
        mr_sha256_begin(&hash->state);
    return hash;
}

void mr_hash_free(mr_hash *hash)
{
    free(hash);
}

void mr_hash_add(mr_hash *hash, const void *data, size_t len)
{
    if (len > 0)
        mr_sha256_add(&hash->state, data, len);
}

void mr_hash_add_two(mr_hash *one, const void *data, size_t len, mr_hash *other, const void *other_data, size_t other_len)
{
    mr_sha256_add_two(&one->state, data, len, &other->state, other_data, other_len);
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
    unsigned char sum[MR_SHA256_SIZE];
    mr_sha256_end(&hash->state, sum);
    mr_hash_text(sum, ret_digest);
    mr_sha256_begin(&hash->state);
}

void mr_digest(const void *data, size_t len, char ret_digest[MR_DIGEST_TEXT])
{
    mr_hash hash;
    mr_sha256_begin(&hash.state);
    mr_hash_add(&hash, data, len);
    mr_hash_finish(&hash, ret_digest);
}

mr_status mr_digest_fd(int fd, char ret_digest[MR_DIGEST_TEXT])
{
    mr_hash hash;
    mr_status status = MR_OK;
    off_t at = 0;
    ret_digest[0] = '\0';
    char *buf = malloc(READ_SIZE);
    if (!buf)
        status = MR_ERR_NOMEM;
    mr_sha256_begin(&hash.state);
    while (status == MR_OK) {
        ssize_t got = pread(fd, buf, READ_SIZE, at);
        if (got == 0)
            break;
        if (got > 0) {
            mr_hash_add(&hash, buf, (size_t)got);
            at += got;
        } else if (errno != EINTR) {
            status = MR_ERR_IO;
        }
    }
    if (status == MR_OK)
        mr_hash_finish(&hash, ret_digest);
    free(buf);
    return status;
}
