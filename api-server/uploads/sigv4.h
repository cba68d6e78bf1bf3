/* SPDX-License-Identifier: MIT */
/*
 * AWS Signature Version 4 for S3, as its verifier and, for pre-signed URLs, its maker. Pure functions of what they are given, the time included.
 * "Authenticating Requests (AWS Signature Version 4)" in the S3 API reference; the examples there are the tests.
 */
#ifndef MR_UPLOADS_SIGV4_H
#define MR_UPLOADS_SIGV4_H

#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_SIGV4_HASH = 65,          /* a SHA-256 in hex, with NUL */
    MR_SIGV4_KEY = 32,           /* bytes of a signing key */
    MR_SIGV4_SKEW_S = 900,       /* that a clock may be off */
    MR_SIGV4_EXPIRES_S = 604800, /* at most, of a pre-signed URL */
    MR_SIGV4_FIELDS = 64,        /* that may be signed */
};

typedef struct mr_sigv4_field {
    const char *name;
    const char *value;
} mr_sigv4_field;

typedef struct mr_sigv4_request {
    const char *method;
    const char *target; /* path and query as they came */
    const mr_sigv4_field *fields;
    size_t field_count;
} mr_sigv4_request;

typedef enum mr_sigv4_verdict {
    MR_SIGV4_GOOD,
    MR_SIGV4_NONE,      /* there is no signature */
    MR_SIGV4_MALFORMED, /* in the field Authorization */
    MR_SIGV4_MALFORMED_QUERY,
    MR_SIGV4_SKEWED, /* its time is too far from ours */
    MR_SIGV4_EXPIRED,
    MR_SIGV4_NOT_SIGNED, /* a field that must be signed is not */
    MR_SIGV4_MISMATCH,
    MR_SIGV4_NO_MEMORY,
} mr_sigv4_verdict;

/* What a request says of its signature. */
typedef struct mr_sigv4_claim {
    bool in_query;
    char key_id[129];
    char scope[96]; /* "20130524/us-east-1/s3/aws4_request" */
    char time[17];  /* "20130524T000000Z" */
    int64_t expires_s;
    char signed_fields[1024]; /* "host;x-amz-date" */
    char signature[MR_SIGV4_HASH];
    char payload[48 + MR_SIGV4_HASH]; /* hash of the content, or one of the words that stand for none */
} mr_sigv4_claim;

mr_sigv4_verdict mr_sigv4_read(const mr_sigv4_request *request, mr_sigv4_claim *ret_claim);
/* secret: of claim->key_id. ret_key: what signs the chunks that follow; wipe it. */
mr_sigv4_verdict mr_sigv4_verify(const mr_sigv4_request *request, const mr_sigv4_claim *claim, const char *secret, int64_t now_s,
                                 unsigned char ret_key[MR_SIGV4_KEY]);

/* The query of a URL that is signed for method and path (decoded) until now_s + expires_s; query: further pairs, encoded, or "". fields: those that
 * the request must bring, host among them. NULL: no memory, or a number that is too large. The caller frees. */
char *mr_sigv4_presign(const char *method, const char *path, const char *query, const mr_sigv4_field *fields, size_t field_count, const char *key_id,
                       const char *secret, const char *region, int64_t now_s, int64_t expires_s);

/* The signature of one chunk (or, with trailer, of the trailing fields) behind previous. hash: of the chunk's bytes. */
bool mr_sigv4_chunk(const unsigned char key[MR_SIGV4_KEY], const mr_sigv4_claim *claim, const char *previous, const char *hash, bool trailer,
                    char ret_signature[MR_SIGV4_HASH]);

/* Lower-case hex of 32 bytes. */
void mr_sigv4_hex(const unsigned char sum[32], char ret_text[MR_SIGV4_HASH]);
bool mr_sigv4_equal(const char *a, const char *b); /* of texts of MR_SIGV4_HASH - 1 bytes, in constant time */

#endif
