/* SPDX-License-Identifier: MIT */
/* CRCs are reflected ones of up to 64 bits, eight bytes at a time (Kounavis and Berry, "slicing by 8"); hashes are OpenSSL's. */
#include "api-server/uploads/checksum.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

enum { CRCS = 3, SLICES = 8 };

static const struct kind {
    const char *name;
    size_t size;
    uint64_t polynomial; /* reflected; 0: a hash */
    uint64_t ones;       /* what the sum begins with, and is flipped by at last */
    const EVP_MD *(*hash)(void);
} kinds[MR_SUM_KINDS] = {
    [MR_SUM_NONE] = {.name = "none"},
    [MR_SUM_CRC32] = {.name = "crc32", .size = 4, .polynomial = 0xedb88320u, .ones = 0xffffffffu},
    [MR_SUM_CRC32C] = {.name = "crc32c", .size = 4, .polynomial = 0x82f63b78u, .ones = 0xffffffffu},
    [MR_SUM_CRC64NVME] = {.name = "crc64nvme", .size = 8, .polynomial = 0x9a6c9329ac4bc9b5u, .ones = UINT64_MAX},
    [MR_SUM_MD5] = {.name = "md5", .size = 16, .hash = EVP_md5},
    [MR_SUM_SHA1] = {.name = "sha1", .size = 20, .hash = EVP_sha1},
    [MR_SUM_SHA256] = {.name = "sha256", .size = 32, .hash = EVP_sha256},
};

static uint64_t tables[CRCS][SLICES][256]; /* [k][b]: of the byte b with k zero bytes behind it */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (size_t i = 0; i < CRCS; i++) {
        for (unsigned b = 0; b < 256; b++) {
            uint64_t crc = b;
            for (int bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (crc & 1 ? kinds[MR_SUM_CRC32 + i].polynomial : 0);
            tables[i][0][b] = crc;
        }
        for (int slice = 1; slice < SLICES; slice++) {
            for (unsigned b = 0; b < 256; b++)
                tables[i][slice][b] = tables[i][slice - 1][b] >> 8 ^ tables[i][0][tables[i][slice - 1][b] & 255];
        }
    }
}

static uint64_t add_crc(const uint64_t table[SLICES][256], uint64_t crc, const unsigned char *data, size_t len)
{
    for (; len >= 8; data += 8, len -= 8) {
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--)
            word = word << 8 | data[i];
        word ^= crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= table[7 - i][word >> (8 * i) & 255];
    }
    for (; len > 0; data++, len--)
        crc = crc >> 8 ^ table[0][(crc ^ *data) & 255];
    return crc;
}

const char *mr_sum_name(mr_sum_kind kind)
{
    return kinds[kind].name;
}

size_t mr_sum_size(mr_sum_kind kind)
{
    return kinds[kind].size;
}

mr_sum_kind mr_sum_by_name(const char *name, size_t len)
{
    for (int kind = MR_SUM_CRC32; kind < MR_SUM_KINDS; kind++) {
        if (strlen(kinds[kind].name) == len && strncasecmp(kinds[kind].name, name, len) == 0)
            return (mr_sum_kind)kind;
    }
    return MR_SUM_NONE;
}

bool mr_sum_begin(mr_sum *sum, mr_sum_kind kind)
{
    *sum = (mr_sum){.kind = kind, .crc = kinds[kind].ones};
    if (kinds[kind].polynomial)
        pthread_once(&tables_once, make_tables);
    if (!kinds[kind].hash)
        return true;
    sum->hash = EVP_MD_CTX_new();
    return sum->hash && EVP_DigestInit_ex(sum->hash, kinds[kind].hash(), NULL) == 1;
}

bool mr_sum_add(mr_sum *sum, const void *data, size_t len)
{
    if (sum->hash)
        return EVP_DigestUpdate(sum->hash, data, len) == 1;
    if (sum->kind != MR_SUM_NONE)
        sum->crc = add_crc((const uint64_t(*)[256])tables[sum->kind - MR_SUM_CRC32], sum->crc, data, len);
    return true;
}

size_t mr_sum_end(mr_sum *sum, unsigned char ret_bytes[MR_SUM_MAX])
{
    const struct kind *kind = &kinds[sum->kind];
    if (sum->hash)
        return EVP_DigestFinal_ex(sum->hash, ret_bytes, NULL) == 1 ? kind->size : 0;
    for (size_t i = 0; i < kind->size; i++)
        ret_bytes[i] = (unsigned char)((sum->crc ^ kind->ones) >> (8 * (kind->size - 1 - i)));
    return kind->size;
}

void mr_sum_free(mr_sum *sum)
{
    EVP_MD_CTX_free(sum->hash);
    sum->hash = NULL;
}

/* ---- base64 ---- */

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool mr_base64_decode(const char *text, size_t text_len, void *out, size_t size, size_t *ret_len)
{
    unsigned char *to = out;
    const size_t padding = text_len == 0 || text[text_len - 1] != '=' ? 0 : text_len > 1 && text[text_len - 2] == '=' ? 2 : 1;
    const size_t digits = text_len - padding;
    uint32_t bits = 0;
    *ret_len = digits * 3 / 4;
    if (text_len % 4 != 0 || *ret_len > size)
        return false;
    for (size_t i = 0; i < digits; i++) {
        const int value = digit(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            *to++ = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    const uint32_t spare = padding == 2 ? 15 : padding == 1 ? 3 : 0; /* bits that stand for nothing must say nothing */
    return (bits & spare) == 0;
}

void mr_base64_encode(const void *data, size_t len, char *ret_text)
{
    EVP_EncodeBlock((unsigned char *)ret_text, data, (int)len);
}
