/* SPDX-License-Identifier: MIT */
/* What the files of the metadata share. */
#ifndef MR_METADATA_INTERNAL_H
#define MR_METADATA_INTERNAL_H

#include "api-server/metadata/metadata.h"
#include "api-server/metadata/sql.h"
#include "api-server/uploads/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MR_GENERATIONS = 1024, MR_PROGRESS_MAX = 256 };

typedef struct mr_progress {
    char video[32];
    double fraction;
} mr_progress;

struct mr_metadata {
    mr_sql *sql;
    mr_upload_store uploads;
    /* One counts up after each commit that changes what a video with that hash looks like: whoever keeps one asks it (looks.c). */
    atomic_uint generations[MR_GENERATIONS];
    pthread_mutex_t lock; /* progress */
    mr_progress progress[MR_PROGRESS_MAX];
    uint32_t progress_next;
};

extern const char *const mr_schema_steps[]; /* schema.c */

void mr_uploads_fill(mr_metadata *metadata); /* uploads.c */

/* After a commit: the video, or all of them, look different. */
void mr_video_changed(mr_metadata *metadata, const char *video);
void mr_videos_all_changed(mr_metadata *metadata);
double mr_video_fraction(mr_metadata *metadata, const char *video); /* < 0: not known */

/* In a change: adds a video. MR_ERR_CONFLICT: there is no such owner, or it is there already. */
struct mr_video_fields;
mr_status mr_video_insert(mr_sql_link *link, const char *id, const char *owner, const struct mr_video_fields *fields);

/* In a change: all files of the uploads of a user, or of a video, that are about to go. */
mr_status mr_uploads_are_rubbish(mr_sql_link *link, const char *owner_or_video);

/* In a change: what the video's sources and its owner's open uploads hold. */
int64_t mr_user_bytes(mr_sql_link *link, const char *user);

#endif
