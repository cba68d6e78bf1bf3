/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4, through OpenSSL), as "sha256:<64 hex digits>"; an empty text when OpenSSL refuses for want of memory. */
#ifndef MR_BASE_HASH_H
#define MR_BASE_HASH_H

#include <millrace/status.h>
#include <stddef.h>

#define MR_DIGEST_TEXT 72 /* "sha256:" + 64 + NUL */

typedef struct mr_hash mr_hash;

mr_hash *mr_hash_new(void); /* NULL when memory is short */
void mr_hash_free(mr_hash *hash);
void mr_hash_add(mr_hash *hash, const void *data, size_t len);
/* A text with its length in front, so that ("ab","c") and ("a","bc") differ. NULL counts as its own value. */
void mr_hash_add_text(mr_hash *hash, const char *text);
void mr_hash_finish(mr_hash *hash, char ret_digest[MR_DIGEST_TEXT]); /* and starts anew */

/* The text of the 32 bytes of a SHA-256. */
void mr_hash_text(const unsigned char sum[32], char ret_digest[MR_DIGEST_TEXT]);

void mr_digest(const void *data, size_t len, char ret_digest[MR_DIGEST_TEXT]);
/* Of an open file, from its start, without moving its offset. */
mr_status mr_digest_fd(int fd, char ret_digest[MR_DIGEST_TEXT]);

#endif
