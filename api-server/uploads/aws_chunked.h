/* SPDX-License-Identifier: MIT */
/*
 * Takes apart bodies in S3's encoding aws-chunked, whose chunks may each be signed, with trailing fields behind them: as the bytes come, in constant
 * memory. Data is handed on before its signature is known to be right: what was handed on counts only when mr_aws_chunks_end() says MR_OK.
 */
#ifndef MR_UPLOADS_AWS_CHUNKED_H
#define MR_UPLOADS_AWS_CHUNKED_H

#include "api-server/uploads/sigv4.h"

enum {
    MR_AWS_LINE = 512,   /* bytes of a line: a chunk's head, a trailing field */
    MR_AWS_TRAILERS = 8, /* trailing fields */
    MR_AWS_DIGITS = 10,  /* of a chunk's size */
};

typedef struct mr_aws_chunks {
    /* Set by the caller, before begin. */
    void *context;
    mr_status (*data)(void *context, const void *data, size_t len);
    mr_status (*trailer)(void *context, const char *name, const char *value); /* name in lower case */
    uint64_t length;                                                          /* x-amz-decoded-content-length */

    /* Its own. */
    int state;
    bool is_signed;
    bool trailers;
    uint32_t trailer_count;
    uint64_t left;
    uint64_t total;
    unsigned char key[MR_SIGV4_KEY];
    const mr_sigv4_claim *claim;
    char previous[MR_SIGV4_HASH];
    char claimed[MR_SIGV4_HASH];
    void *hash; /* EVP_MD_CTX: of the chunk, then of the trailing fields */
    size_t line_len;
    char line[MR_AWS_LINE];
} mr_aws_chunks;

bool mr_aws_is_chunked(const char *payload); /* is it one of the words STREAMING-…? */
/* claim stays the caller's, until free; key: from mr_sigv4_verify. MR_ERR_UNSUPPORTED: claim->payload is no such encoding. MR_ERR_NOMEM. */
mr_status mr_aws_chunks_begin(mr_aws_chunks *chunks, const mr_sigv4_claim *claim, const unsigned char key[MR_SIGV4_KEY]);
/* MR_ERR_INPUT: malformed; MR_ERR_LIMIT: more than length; MR_ERR_CONFLICT: a signature is wrong; else what data or trailer said. */
mr_status mr_aws_chunks_add(mr_aws_chunks *chunks, const void *data, size_t len);
mr_status mr_aws_chunks_end(mr_aws_chunks *chunks); /* MR_ERR_INPUT: it is cut off, or less than length */
void mr_aws_chunks_free(mr_aws_chunks *chunks);

#endif
