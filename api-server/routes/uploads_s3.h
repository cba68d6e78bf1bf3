/* SPDX-License-Identifier: MIT */
/* One request of S3's API, from its signature (uploads_s3_body.c: to the last byte of its body) to its answer (uploads_s3.c). */
#ifndef MR_ROUTES_UPLOADS_S3_H
#define MR_ROUTES_UPLOADS_S3_H

#include "api-server/routes/uploads.h"

#include "api-server/uploads/aws_chunked.h"
#include "api-server/uploads/checksum.h"

enum { MR_S3_SUMS = 4 }; /* checksums that one body may be sent with */

typedef enum mr_s3_verb { MR_S3_PUT, MR_S3_PART, MR_S3_CREATE, MR_S3_COMPLETE, MR_S3_ABORT, MR_S3_LIST, MR_S3_HEAD, MR_S3_OTHER } mr_s3_verb;

typedef struct mr_s3_sum {
    mr_sum sum;
    bool known; /* what it must be; else it comes behind the body */
    unsigned char expected[MR_SUM_MAX];
} mr_s3_sum;

typedef struct mr_s3_call {
    mr_s3_verb verb;
    bool opened;
    char owner[MR_UPLOAD_ID]; /* whom the signature speaks for */
    bool admin;
    int64_t length; /* of the content; -1: not known */
    mr_sigv4_claim claim;
    mr_s3_sum sums[MR_S3_SUMS];
    size_t sum_count;
    bool chunked;
    mr_aws_chunks chunks;
    mr_upload upload;
    mr_writer *writer; /* NULL: no content is taken, or it is gathered */
    char *list;        /* the body of MR_S3_COMPLETE */
    size_t list_len;
    mr_refusal why; /* of the piece that was taken last */
} mr_s3_call;

/* Answers with S3's XML. code: S3's own, "NoSuchUpload". */
void mr_s3_error(mr_call *call, int status, const char *code, const char *detail);
void mr_s3_refuse(mr_call *call, const mr_refusal *why); /* the same of what the uploads said */

/* Who signed? False: answered. */
bool mr_s3_authenticate(mr_call *call, mr_s3_call *state, unsigned char ret_key[MR_SIGV4_KEY]);
/* How the body comes, and what it will be checked by. False: answered. */
bool mr_s3_open_body(mr_call *call, mr_s3_call *state, const unsigned char key[MR_SIGV4_KEY]);
/* A piece as it came. False: answered. */
bool mr_s3_take_body(mr_call *call, mr_s3_call *state, const void *data, size_t len);
/* Is it whole, and what it was sent with? False: answered. */
bool mr_s3_check_body(mr_call *call, mr_s3_call *state);
void mr_s3_close_body(mr_s3_call *state);

#endif
