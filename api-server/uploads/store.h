/* SPDX-License-Identifier: MIT */
/*
 * What uploads ask of the metadata, as a table, so that they can be tested without it. api-server/metadata fills it (SQLite today).
 *
 * Every call may come from any thread, may block for as long as a disk does, and when it returns MR_OK what it wrote is durable. MR_ERR_NOT_FOUND:
 * there is no such upload (any more). MR_ERR_UNAVAILABLE: not now, a client may try again.
 */
#ifndef MR_UPLOADS_STORE_H
#define MR_UPLOADS_STORE_H

#include <millrace/status.h>
#include <stddef.h>
#include <stdint.h>

struct mr_video_fields; /* api-server/metadata/videos.h; only passed on here */

enum {
    MR_UPLOAD_ID = 32,       /* bytes of an id of an upload, a video or a user, with NUL */
    MR_UPLOAD_NAME = 256,    /* of a file name */
    MR_UPLOAD_TYPE = 128,    /* of a media type */
    MR_UPLOAD_META = 2048,   /* of Upload-Metadata, as it came */
    MR_UPLOAD_CONCAT = 4096, /* of the ids of a final upload's parts, with blanks between */
    MR_UPLOAD_DIGEST = 72,   /* "sha256:…" */
    MR_UPLOAD_ETAG = 48,     /* without quotation marks */
    MR_UPLOAD_PARTS = 10000, /* parts of a multipart upload, as S3 */
};

typedef enum mr_upload_kind { MR_UPLOAD_TUS, MR_UPLOAD_PUT, MR_UPLOAD_MULTIPART } mr_upload_kind;
typedef enum mr_upload_state { MR_UPLOAD_OPEN, MR_UPLOAD_COMPLETE } mr_upload_state;
typedef enum mr_upload_role { MR_UPLOAD_WHOLE, MR_UPLOAD_PARTIAL, MR_UPLOAD_FINAL } mr_upload_role; /* tus: concatenation */

/* One row. Its bytes lie in DATA/uploads/ID; that file is the source of the video's run when the upload is complete. */
typedef struct mr_upload {
    char id[MR_UPLOAD_ID];
    char video[MR_UPLOAD_ID]; /* "": a partial one */
    char owner[MR_UPLOAD_ID]; /* whose quota it counts for, and who may go on with it */
    mr_upload_kind kind;
    mr_upload_state state;
    mr_upload_role role;
    int64_t length;     /* -1: not known yet; of a multipart one that is open: as it was announced, and may be wrong */
    int64_t offset;     /* bytes that are durable; what was acknowledged */
    int64_t part_size;  /* multipart: of regular parts; 0: not known yet */
    int64_t created_us; /* since 1970 */
    int64_t expires_us; /* it goes on up to then, if it is not complete */
    char filename[MR_UPLOAD_NAME];
    char type[MR_UPLOAD_TYPE];
    char metadata[MR_UPLOAD_META];
    char concat[MR_UPLOAD_CONCAT];
    char digest[MR_UPLOAD_DIGEST]; /* root of the block tree; "" before it is complete, or when it could not be made */
    char etag[MR_UPLOAD_ETAG];     /* S3's, when it is complete */
} mr_upload;

enum {
    MR_PLACE_OWN = -1,  /* a part in a file of its own: its place in the upload's is nobody's … */
    MR_PLACE_LATER = -2 /* … or another part of this number was there before it, and its bytes are there still */
};

typedef struct mr_upload_part {
    int32_t number; /* 1 … MR_UPLOAD_PARTS */
    int64_t size;
    int64_t place; /* offset in the upload's file; < 0: in a file of its own */
    int64_t file;  /* that file's number */
    int64_t modified_us;
    char etag[MR_UPLOAD_ETAG];
} mr_upload_part;

typedef struct mr_upload_store {
    void *context;
    /*
     * Adds a row. In the same transaction: the owner's limits hold (quota: bytes of all his videos, and length or offset of his other open uploads,
     * and this one's length; of those of one video the longest counts; a final one counts for nothing, since its partial ones do: MR_ERR_LIMIT;
     * *ret_left is what is left), the video is his to
     * upload to (MR_ERR_NOT_FOUND) and has no complete upload (MR_ERR_CONFLICT), and its status becomes "uploading" unless nothing has come yet
     * (offset 0). new_video: not NULL: its video (upload->video) is added with it, as that says, or neither is.
     */
    mr_status (*create)(void *context, const mr_upload *upload, const struct mr_video_fields *new_video, int64_t *ret_left);
    mr_status (*find)(void *context, const char *id, mr_upload *ret_upload);
    mr_status (*find_of_video)(void *context, const char *video, mr_upload *ret_upload); /* its complete one */
    mr_status (*open_of_video)(void *context, const char *video, char (*ret_ids)[MR_UPLOAD_ID], size_t most,
                               size_t *ret_count); /* those that are not */
    /* Sets offset (never smaller than it is), and the time of expiry. The first byte makes the video's status "uploading". MR_ERR_LIMIT: with what
     * came for the same video beside it, it is more than the quota. */
    mr_status (*advance)(void *context, const char *id, int64_t offset, int64_t expires_us);
    /* A length that was put off; checked against the quota as in create. MR_ERR_CONFLICT: it has another. */
    mr_status (*set_length)(void *context, const char *id, int64_t length, int64_t *ret_left);
    mr_status (*set_part_size)(void *context, const char *id, int64_t part_size, int64_t *ret_part_size); /* the first wins; what stands */
    /* One transaction: state, offset and length (upload->length), digest, etag; the parts' rows go; the video has its size and its source.
     * MR_ERR_CONFLICT: the video has another complete upload. Complete already: MR_OK. */
    mr_status (*complete)(void *context, const mr_upload *upload);
    /* And its parts' rows; its video is "created" again when nothing of it has come. Not a complete one that a video has: MR_ERR_CONFLICT. */
    mr_status (*remove)(void *context, const char *id);
    /* Parts of a multipart upload. put replaces one of the same number: *ret_old, when *ret_replaced. The upload's offset becomes the sum of their
     * sizes, and its time of expiry later. MR_ERR_LIMIT: that is more than the quota. */
    mr_status (*part_put)(void *context, const char *id, const mr_upload_part *part, int64_t expires_us, mr_upload_part *ret_old, int *ret_replaced);
    mr_status (*parts)(void *context, const char *id, mr_upload_part **ret_parts, size_t *ret_count); /* by number; the caller frees */
    /* Ids of open uploads that expired before now_us, at most `most`. *ret_next_us: when the next one does; INT64_MAX: none. */
    mr_status (*expired)(void *context, int64_t now_us, char (*ret_ids)[MR_UPLOAD_ID], size_t most, size_t *ret_count, int64_t *ret_next_us);
} mr_upload_store;

#endif
