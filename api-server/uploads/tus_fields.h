/* SPDX-License-Identifier: MIT */
/* The fields of tus 1.0 requests (tus.io/protocols/resumable-upload). Pure functions. */
#ifndef MR_UPLOADS_TUS_FIELDS_H
#define MR_UPLOADS_TUS_FIELDS_H

#include "api-server/uploads/checksum.h"
#include "api-server/uploads/store.h"

bool mr_tus_number(const char *text, int64_t *ret_number); /* digits, 18 at most */

/* Upload-Metadata: "key base64, key, …": keys once each, at most MR_UPLOAD_META - 1 bytes in all. */
bool mr_tus_metadata_is_valid(const char *text);
/* The value of a key of valid metadata. False: absent, longer than size - 1, or no UTF-8 text without control characters. */
bool mr_tus_metadata_get(const char *text, const char *key, char *out, size_t size);

/* Upload-Checksum: "sha1 base64". *ret_kind: MR_SUM_NONE when the algorithm is not known. False: malformed. */
bool mr_tus_checksum(const char *text, mr_sum_kind *ret_kind, unsigned char ret_sum[MR_SUM_MAX]);

/* Upload-Concat: "partial", or "final;URL URL …". ret_ids: last segments of their paths, with blanks between. False: malformed. */
bool mr_tus_concat(const char *text, mr_upload_role *ret_role, char ret_ids[MR_UPLOAD_CONCAT]);

/* The last segment of a path that a client calls its file by, without what can't be in a name; "file" when nothing is left. */
void mr_upload_file_name(const char *text, char ret_name[MR_UPLOAD_NAME]);
bool mr_upload_is_text(const char *text, size_t len); /* UTF-8 without control characters */

#endif
