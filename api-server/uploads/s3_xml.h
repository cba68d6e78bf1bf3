/* SPDX-License-Identifier: MIT */
/* The little XML that S3 speaks: reading the list of parts that a client completes an upload with, writing texts into answers. */
#ifndef MR_UPLOADS_S3_XML_H
#define MR_UPLOADS_S3_XML_H

#include "api-server/uploads/store.h"

#include <stdio.h>

enum { MR_S3_BODY_MAX = 3 << 20 }; /* of such a list: MR_UPLOAD_PARTS parts with checksums */

typedef struct mr_s3_part {
    int32_t number;
    char etag[MR_UPLOAD_ETAG]; /* without quotation marks */
} mr_s3_part;

/*
 * <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"…"</ETag></Part>…. Unknown elements within a part are passed over; declarations
 * of types and entities are refused. MR_ERR_INPUT: malformed; MR_ERR_CONFLICT: the numbers do not rise; MR_ERR_NOMEM. The caller frees.
 */
mr_status mr_s3_parse_parts(const char *xml, size_t len, mr_s3_part **ret_parts, size_t *ret_count);
void mr_s3_put_text(FILE *out, const char *text); /* escaped */

#endif
