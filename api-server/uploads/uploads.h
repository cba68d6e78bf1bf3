/* SPDX-License-Identifier: MIT */
/*
 * Uploads: their rules, and their life from the first byte to the moment when a video has its source. HTTP is not known here.
 *
 * Promises
 *   - An offset that anybody was told is durable: data is synced, then leaves, then the offset is committed, then it is said.
 *   - One writer at a time has an upload. A second one is told so, unless the first has been silent for MR_UPLOAD_SILENT_MS: then its connection is
 * dead although nobody said so, what it brought is kept, and the second one goes on.
 *   - Memory: a writer is some kilobytes, whatever the upload's size.
 *   - Completion is one commit in the metadata; the video's run is started after it by completed(), and by whoever reads the metadata at the next
 *     start, when the server dies between the two.
 *
 * Threads: every function may be called from any, and may block for as long as a disk does. A writer is one thread's at a time.
 */
#ifndef MR_UPLOADS_UPLOADS_H
#define MR_UPLOADS_UPLOADS_H

#include "api-server/uploads/store.h"

#include <stdbool.h>

#define MR_UPLOAD_SILENT_MS  2000
#define MR_UPLOAD_CHECKPOINT (256ll << 20)           /* bytes between two commits of one long request, or, on a slow link … */
#define MR_UPLOAD_CHECK_US   5000000ll               /* … so long */
#define MR_UPLOAD_LIFE_US    (24ll * 3600 * 1000000) /* an upload that nobody goes on with is kept so long */
#define MR_UPLOAD_PART_LEAST (5ll << 20)             /* of a multipart upload, but its last: as S3 */

typedef struct mr_uploads mr_uploads;
typedef struct mr_writer mr_writer;

/* Why something is refused, in HTTP's words, since every client of this is one. status 0: nothing was refused. */
typedef struct mr_refusal {
    int status;
    const char *code; /* "upload-too-large"; see routes/uploads_s3.c for what S3 calls it */
    char detail[200];
} mr_refusal;

typedef struct mr_uploads_options {
    const char *data_dir;  /* DATA/uploads is made */
    int64_t max;           /* bytes of one upload */
    int64_t keep_free;     /* bytes of the disk that uploads leave free */
    mr_upload_store store; /* its context outlives the uploads */
    void *context;
    /* The digest of the file whose leaves these are, and the engine remembers it. NULL: digests stay away. */
    void (*identify)(void *context, const char *path, int64_t length, const unsigned char *leaves, size_t count, char ret_digest[MR_UPLOAD_DIGEST]);
    /* It is complete, and that is durable. NULL: nothing to do. Must not wait for other uploads. */
    void (*completed)(void *context, const mr_upload *upload, const char *path);
    void (*begun)(void *context);                             /* there is one more; NULL: nobody wants to know */
    void (*full)(void *context);                              /* one was refused, since there is no room on the disk; NULL as above */
    void (*dropped)(void *context);                           /* one is gone that was not complete: given up, or expired; NULL as above */
    void (*progress)(void *context, const mr_upload *upload); /* its offset was committed; NULL: nobody wants to know */
    /* A PUT, or a multipart upload, that will have length bytes as far as is known: so many from the beginning are there, and stay unless changes()
     * is said, or all of it is dropped; but nothing of it counts yet. May be NULL. */
    void (*passes)(void *context, const mr_upload *upload, int64_t length, int64_t have);
    /* What passes() told of will have other bytes: nothing that was made of it may count. Not MR_OK: that can't be promised, and they stay. May be
     * NULL, as passes. */
    mr_status (*changes)(void *context, const mr_upload *upload);
    void (*leaving)(void *context, const mr_upload *upload); /* one without all its bytes has no row any more; its file goes next; NULL as above */
} mr_uploads_options;

mr_status mr_uploads_open(const mr_uploads_options *options, mr_uploads **ret_uploads, char *why, size_t why_size);
void mr_uploads_close(mr_uploads *uploads); /* all writers have been freed. NULL is fine */
int64_t mr_uploads_max(const mr_uploads *uploads);
bool mr_uploads_have_room(const mr_uploads *uploads, int64_t bytes, int64_t *ret_free); /* for so many more; -1: how much is free is not known */

/* Adds one: the caller fills video, owner, kind, role, length, filename, type, metadata; It gets an id and its times. new_video: as store.h says;
 * NULL: the video is there, or there is none. False: refused. */
bool mr_uploads_create(mr_uploads *uploads, mr_upload *upload, const struct mr_video_fields *new_video, mr_refusal *why);
/* owner: whose it must be; NULL: anyone's. An id that is no id is not found. What a silent writer has brought counts. */
bool mr_uploads_find(mr_uploads *uploads, const char *id, const char *owner, mr_upload *ret_upload, mr_refusal *why);
bool mr_uploads_find_of_video(mr_uploads *uploads, const char *video, mr_upload *ret_upload, mr_refusal *why); /* its complete one */
int mr_uploads_open_file(mr_uploads *uploads, const mr_upload *upload);                                        /* for reading; -1: it is gone */
bool mr_uploads_set_length(mr_uploads *uploads, mr_upload *upload, int64_t length, mr_refusal *why);
/* Ends one that is not complete, and frees what it holds. */
bool mr_uploads_remove(mr_uploads *uploads, const mr_upload *upload, mr_refusal *why);
/* Instead of create for a final one: adds it, joins its partial ones, which go, and completes it. */
bool mr_uploads_join(mr_uploads *uploads, mr_upload *upload, const struct mr_video_fields *new_video, mr_refusal *why);

/* ---- writers ---- */

typedef struct mr_write {
    int64_t offset; /* must be where the upload is; parts: 0 */
    int64_t length; /* of the body; -1: not known */
    int32_t part;   /* of a multipart upload; 0: none */
    bool whole;     /* it counts as a whole, after end, or not at all: S3, and bodies with a checksum */
} mr_write;

/* NULL: refused. upload: as found; copied. */
mr_writer *mr_writer_begin(mr_uploads *uploads, const mr_upload *upload, const mr_write *write, mr_refusal *why);
bool mr_writer_add(mr_writer *writer, const void *data, size_t len, mr_refusal *why);
/* The body is whole, and right. Completes the upload when this was its last byte, unless it is partial or has parts. */
bool mr_writer_end(mr_writer *writer, mr_refusal *why);
const mr_upload *mr_writer_upload(const mr_writer *writer);
const char *mr_writer_etag(const mr_writer *writer); /* of a part, after end */
/* Without end: what came is kept (tus), or dropped. NULL is fine. */
void mr_writer_free(mr_writer *writer);

/* ---- multipart uploads (S3) ---- */

typedef struct mr_part_name {
    int32_t number;
    const char *etag;
} mr_part_name;

/* The parts in this order are the upload, and it is complete. */
bool mr_uploads_assemble(mr_uploads *uploads, mr_upload *upload, const mr_part_name *parts, size_t count, mr_refusal *why);
/* By number; the caller frees. */
bool mr_uploads_parts(mr_uploads *uploads, const mr_upload *upload, mr_upload_part **ret_parts, size_t *ret_count, mr_refusal *why);

#endif
