/* SPDX-License-Identifier: MIT */
/* Checksums that clients send along, made piece by piece: those of tus' extension and of S3. Base64 of the big-endian sum, as both want it. */
#ifndef MR_UPLOADS_CHECKSUM_H
#define MR_UPLOADS_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_SUM_MAX = 32, MR_SUM_TEXT = 48 };

typedef enum mr_sum_kind {
    MR_SUM_NONE,
    MR_SUM_CRC32,
    MR_SUM_CRC32C,
    MR_SUM_CRC64NVME,
    MR_SUM_MD5,
    MR_SUM_SHA1,
    MR_SUM_SHA256,
    MR_SUM_KINDS
} mr_sum_kind;

typedef struct mr_sum {
    mr_sum_kind kind;
    uint64_t crc;
    void *hash; /* EVP_MD_CTX */
} mr_sum;

const char *mr_sum_name(mr_sum_kind kind);                /* "sha1" */
mr_sum_kind mr_sum_by_name(const char *name, size_t len); /* whatever the case; MR_SUM_NONE: not known */
size_t mr_sum_size(mr_sum_kind kind);                     /* bytes */

bool mr_sum_begin(mr_sum *sum, mr_sum_kind kind); /* false: no memory. MR_SUM_NONE: the others do nothing */
bool mr_sum_add(mr_sum *sum, const void *data, size_t len);
size_t mr_sum_end(mr_sum *sum, unsigned char ret_bytes[MR_SUM_MAX]); /* their number; 0: it failed */
void mr_sum_free(mr_sum *sum);                                       /* also without end; twice is fine */

/* Strict base64 (RFC 4648 section 4, padded). False: it is not, or is more than size bytes. */
bool mr_base64_decode(const char *text, size_t text_len, void *out, size_t size, size_t *ret_len);
void mr_base64_encode(const void *data, size_t len, char *ret_text); /* room for (len + 2) / 3 * 4 + 1 */

#endif
