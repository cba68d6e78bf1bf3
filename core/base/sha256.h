/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4) by OpenSSL, and of two messages at a time. One message is a chain in which each step waits for the one before, so a processor
 * with instructions for it is idle half of the time: the steps of a second one fit in between, and two take little longer than one.
 *
 * OpenSSL's functions for SHA-256 alone are used, not its EVP, for their state is known: what OpenSSL began, this goes on with, and the other way
 * round. Nothing here fails or allocates.
 */
#ifndef MR_BASE_SHA256_H
#define MR_BASE_SHA256_H

#include <openssl/sha.h>
#include <stddef.h>

#define MR_SHA256_SIZE 32u

typedef SHA256_CTX mr_sha256;

void mr_sha256_begin(mr_sha256 *hash);
void mr_sha256_add(mr_sha256 *hash, const void *data, size_t len);
/* As add() for each of them, which are two different ones. */
void mr_sha256_add_two(mr_sha256 *one, const void *data, size_t len, mr_sha256 *other, const void *other_data, size_t other_len);
void mr_sha256_end(mr_sha256 *hash, unsigned char ret_sum[MR_SHA256_SIZE]);

#endif
