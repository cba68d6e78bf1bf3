/* SPDX-License-Identifier: MIT */
/* What uploads.c, writer.c and finish.c share. Nobody else includes it. */
#ifndef MR_UPLOADS_INTERNAL_H
#define MR_UPLOADS_INTERNAL_H

#include "api-server/uploads/file.h"
#include "api-server/uploads/uploads.h"

#include <pthread.h>
#include <uthash.h>

/* An upload that somebody is busy with. It is there as long as it has references. */
typedef struct mr_live {
    char id[MR_UPLOAD_ID];
    int references;       /* under mr_uploads.lock */
    pthread_mutex_t lock; /* what follows; held while its file is written */
    mr_writer *writer;    /* of the whole, not of a part; NULL: none */
    bool closing;         /* it is being completed or removed: nobody may write any more */
    bool places_known;
    unsigned writers;                              /* of parts */
    unsigned char places[MR_UPLOAD_PARTS / 8 + 1]; /* multipart: which places in the file are taken */
    unsigned char filled[MR_UPLOAD_PARTS / 8 + 1]; /* in which a part lies, or lay until it came again: nobody writes there any more */
    int32_t front;                                 /* so many of those from the first */
    UT_hash_handle hh;
} mr_live;

struct mr_uploads {
    mr_uploads_options options;
    char *folder_path;
    int folder;
    pthread_mutex_t lock; /* what follows */
    mr_live *live;
    pthread_cond_t wake; /* the janitor */
    bool stop;
    bool changed; /* something may expire earlier than the janitor thinks */
    pthread_t janitor;
    bool janitor_runs;
};

bool mr_upload_refuse(mr_refusal *why, int status, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5))); /* false */
bool mr_upload_refuse_status(mr_refusal *why, mr_status status, const mr_upload *upload);                                         /* true for MR_OK */
int64_t mr_uploads_now_us(void);
/* Of whatever has just been written: a new one each time. tail: "-1" and the like, so that it is not taken for an MD5. */
bool mr_upload_make_etag(char etag[MR_UPLOAD_ETAG], const char *tail);

mr_live *mr_live_get(mr_uploads *uploads, const char *id); /* NULL: no memory */
void mr_live_put(mr_uploads *uploads, mr_live *live);

/* live->lock held. Keeps what a silent writer brought, and takes the upload from it. False: it is not silent. */
bool mr_writer_take_over(mr_live *live);

/* "ID.7": the file of a part. */
void mr_part_file_name(const char *id, int64_t file, char out[MR_UPLOAD_PATH]);
/* All bytes are there and durable: digest, commit, and whoever waits for it. live->lock held, or nobody else knows the upload. */
bool mr_upload_finish(mr_uploads *uploads, mr_upload *upload, mr_refusal *why);
/* The partial ones that a final one was made of. */
void mr_upload_remove_joined(mr_uploads *uploads, const mr_upload *upload);
/* A video has its source: what else is on the way to it goes, whoever writes to it. */
void mr_upload_remove_others(mr_uploads *uploads, const char *video);
void mr_upload_remove_parts(mr_uploads *uploads, const char *id, const mr_upload_part *parts, size_t count); /* files of their own */

#endif
