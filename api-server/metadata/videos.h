/* SPDX-License-Identifier: MIT */
/*
 * Videos as they are kept, and what belongs to them: captions, positions, views, their run. metadata.h: threads, errors.
 *
 * A video as others see it is a JSON text that is made when it changed, and kept by every thread that reads it: mr_video_look() takes no lock and, as
 * a rule, no memory. Versions: `etag` changes with every change of what a person wrote or that the life cycle brings; progress and views don't count.
 */
#ifndef MR_METADATA_VIDEOS_H
#define MR_METADATA_VIDEOS_H

#include "api-server/auth/identity.h"
#include "api-server/metadata/accounts.h"
#include "api-server/metadata/metadata.h"

enum {
    MR_TITLE_SIZE = 512,
    MR_DESCRIPTION_SIZE = 8192,
    MR_CATEGORY_SIZE = 128,
    MR_LANGUAGE_SIZE = 36,
    MR_ETAG_SIZE = 40,
    MR_VIDEO_TAGS = 50,            /* tags of a video */
    MR_VIDEO_METADATA_MAX = 65536, /* bytes of the free metadata as text */
    MR_CAPTIONS_MAX = 64,          /* captions of a video */
    MR_RUBBISH_SIZE = 192,
};

typedef enum mr_video_status { MR_VIDEO_CREATED, MR_VIDEO_UPLOADING, MR_VIDEO_PROCESSING, MR_VIDEO_READY, MR_VIDEO_FAILED } mr_video_status;
typedef enum mr_visibility { MR_VISIBILITY_PUBLIC, MR_VISIBILITY_UNLISTED, MR_VISIBILITY_PRIVATE } mr_visibility;

const char *mr_video_status_name(mr_video_status status);
const char *mr_visibility_name(mr_visibility visibility);
bool mr_video_status_of(const char *name, mr_video_status *ret_status);
bool mr_visibility_of(const char *name, mr_visibility *ret_visibility);

/* ---- one video, to look at ---- */

/* Valid until the same thread's next mr_video_look(); the texts with it. */
typedef struct mr_video_view {
    char id[MR_ID_SIZE];
    char owner[MR_ID_SIZE];
    char etag[MR_ETAG_SIZE]; /* without quotation marks */
    mr_video_status status;
    mr_visibility visibility;
    bool playable;               /* something can be watched */
    bool complete;               /* all of it is made */
    char poster[160];            /* its path below the data folder; "": none */
    char poster_key[MR_ID_SIZE]; /* in its URL: whoever was shown the video has it, and only until poster or visibility change */
    char output[96];             /* what is published, below the data folder: "media/v_…/1"; "": nothing yet */
    double duration;             /* seconds; < 0: not known */
    int64_t published_us;
    char run[64]; /* its latest; "": none */
    const char *json;
    size_t json_len;
} mr_video_view;

mr_status mr_video_look(mr_metadata *metadata, const char *id, const mr_video_view **ret_view);
/* Whether he may see it (public and unlisted: everybody once it is playable; else its owner and administrators), or change it. */
bool mr_video_seen_by(const mr_video_view *view, const mr_identity *who);
bool mr_video_owned_by(const mr_video_view *view, const mr_identity *who);

/* ---- what people write ---- */

/* NULL: as it is (mr_video_edit), or the default (of a new one). Checked by the caller against the sizes above. */
typedef struct mr_video_fields {
    const char *title, *description, *category, *language;
    const json_t *tags;     /* a list of texts */
    const json_t *metadata; /* an object */
    const mr_visibility *visibility;
    const char *pipeline;
    const json_t *params; /* an object */
    const char *filename; /* only of a new one */
} mr_video_fields;

/* A video is added with its first upload: `create` of api-server/uploads/store.h. */
/* if_match: NULL, or the etags of which it must have one, as in the field If-Match ("1", "2"): else MR_ERR_CONFLICT. */
mr_status mr_video_edit(mr_metadata *metadata, const char *id, const char *if_match, const mr_video_fields *fields);
/* With all that belongs to it; its files are rubbish then. */
mr_status mr_video_remove(mr_metadata *metadata, const char *id, const char *if_match);

/* ---- lists ---- */

typedef enum mr_video_sort { MR_SORT_NEW, MR_SORT_OLD, MR_SORT_TITLE, MR_SORT_VIEWS, MR_SORT_DURATION } mr_video_sort;

typedef struct mr_video_query {
    const mr_identity *who;             /* what he may not see is not in the list */
    const char *text;                   /* words to search for; NULL: all. The last one may be unfinished */
    const char *owner, *category, *tag; /* NULL: any */
    const mr_video_status *status;
    const mr_visibility *visibility;
    mr_video_sort sort;
    size_t limit;       /* 1 … MR_METADATA_PAGE */
    const char *cursor; /* NULL: from the start */
} mr_video_query;

/* {items, next}: what is there for as long as one pages is seen once, whatever is added meanwhile. MR_ERR_PARAM: no cursor of ours. MR_ERR_LIMIT: too
 * much is searched for. ret_json: free(). */
mr_status mr_video_list(mr_metadata *metadata, const mr_video_query *query, char **ret_json);

/* ---- life cycle; api-server/videos only ---- */

typedef struct mr_video_life {
    char id[MR_ID_SIZE];
    char owner[MR_ID_SIZE];
    mr_video_status status;
    bool playable, complete;
    bool again;         /* its run has ended, and is to go on */
    char run[64];       /* "": none */
    char source[256];   /* path below the data folder; "": not uploaded */
    char output[96];    /* path below the data folder of what is published now; "": nothing */
    char pipeline[128]; /* "": the server's */
    char *params;       /* JSON text or NULL; the receiver's, free() */
    int64_t attempt;    /* runs that were started for it */
} mr_video_life;

mr_status mr_video_life_find(mr_metadata *metadata, const char *id, mr_video_life *ret_life);
mr_status mr_video_life_of_run(mr_metadata *metadata, const char *run, mr_video_life *ret_life);
typedef struct mr_video_turn {
    int64_t number; /* videos count up in the order in which they were created */
    char id[MR_ID_SIZE];
} mr_video_turn;

/* Videos whose source is there and whose run is not known to have ended: the oldest first, from after that number on (0: all). */
mr_status mr_video_unfinished(mr_metadata *metadata, int64_t after, mr_video_turn *ret_turns, size_t most, size_t *ret_count);
/* A run is about to be started: status processing, complete no more, no run, attempt + 1; what is playable stays so. pipeline, params (JSON text):
 * NULL: as they were. */
mr_status mr_video_run_begins(mr_metadata *metadata, const char *id, const char *pipeline, const char *params, int64_t *ret_attempt);
/* It could not be started: all is as `before` again, but the number of the attempt. */
mr_status mr_video_run_undo(mr_metadata *metadata, const mr_video_life *before);
mr_status mr_video_run_is(mr_metadata *metadata, const char *id, const char *run); /* of the attempt that began last; it is under way */
/* Its run, which failed, is to go on: the video is processing. MR_ERR_NOT_FOUND: it is another's, or has not failed. */
mr_status mr_video_run_again(mr_metadata *metadata, const char *id, const char *run);
/* What became known of its run: NULL and < 0: as it was. A run that is not the video's: MR_ERR_NOT_FOUND. */
typedef struct mr_video_news {
    const mr_video_status *status;
    const bool *playable, *complete;
    const char *output;
    const char *reason_code, *reason_message; /* "" for none */
    double duration;                          /* < 0: as it was */
    int64_t width, height;                    /* < 0: as it was */
    const char *poster;                       /* below the data folder; "": none. A poster that a person chose stays */
} mr_video_news;
mr_status mr_video_tell(mr_metadata *metadata, const char *id, const char *run, const mr_video_news *news);
/* In memory alone: the fraction of its run that is done. Quick. */
void mr_video_progress(mr_metadata *metadata, const char *id, double fraction);
/* A person's choice; the one before is rubbish if it was one, too. */
mr_status mr_video_set_poster(mr_metadata *metadata, const char *id, const char *poster);

/* A run that makes a poster for a video below output: kept until it is known how it ended, also by the next server. */
typedef struct mr_poster_run {
    char run[64];
    char video[MR_ID_SIZE];
    char output[96];
} mr_poster_run;
mr_status mr_poster_run_add(mr_metadata *metadata, const mr_poster_run *it);                     /* MR_ERR_NOT_FOUND: the video is gone */
mr_status mr_poster_run_end(mr_metadata *metadata, const mr_poster_run *it, const char *poster); /* poster NULL: there is none */
/* In order, after the run `after`. */
mr_status mr_poster_run_list(mr_metadata *metadata, const char *after, mr_poster_run *ret_runs, size_t most, size_t *ret_count);

/* Paths below the data folder that nothing refers to, and the news that one is gone. What is about to be made is added before; it is rubbish no more
 * when its row is written (mr_caption_put, mr_video_set_poster, mr_poster_run_add). */
mr_status mr_rubbish_add(mr_metadata *metadata, const char *path);
mr_status mr_rubbish_list(mr_metadata *metadata, char (*ret_paths)[MR_RUBBISH_SIZE], size_t most, size_t *ret_count);
bool mr_rubbish_is(mr_metadata *metadata, const char *path);
mr_status mr_rubbish_gone(mr_metadata *metadata, const char *path);

/* ---- those that are processed while their upload goes on; api-server/videos only ---- */

typedef struct mr_video_arriving {
    char source[64];      /* path below the data folder */
    int64_t length, have; /* bytes that it will have, and has */
} mr_video_arriving;

/* As mr_video_unfinished: ids of videos whose one upload may be processed as far as it has come, whether that was begun or not. */
mr_status mr_video_arriving_list(mr_metadata *metadata, const char *after, char (*ret_ids)[MR_ID_SIZE], size_t most, size_t *ret_count);
mr_status mr_video_arriving_find(mr_metadata *metadata, const char *id, mr_video_arriving *ret_arriving); /* MR_ERR_NOT_FOUND: it isn't one */
/* As mr_video_run_begins, but the status stays. MR_ERR_NOT_FOUND: its upload is complete. */
mr_status mr_video_arriving_begins(mr_metadata *metadata, const char *id, const char *pipeline, const char *params, int64_t *ret_attempt);
/* That run ended badly before the upload was complete: what it said and made is gone. again: another may begin before that. MR_ERR_NOT_FOUND: the
 * upload is complete, or the run isn't the video's: that is the video's failure, or nothing. */
mr_status mr_video_arriving_ends(mr_metadata *metadata, const char *id, const char *run, bool again);
/* Its upload was given up: as if nothing had been begun. MR_ERR_NOT_FOUND: nothing was. */
mr_status mr_video_arriving_gone(mr_metadata *metadata, const char *id);
/* Another upload than the one that the run reads was complete first. */
mr_status mr_video_arriving_other(mr_metadata *metadata, const char *id, const char *run);

/* ---- captions: side tracks, files below DATA/captions/VIDEO/ ---- */

typedef struct mr_caption {
    char language[MR_LANGUAGE_SIZE];
    char label[MR_CATEGORY_SIZE];
    char file[64]; /* its name in that folder: a new one with each change, so that it may be cached for good */
    int64_t updated_us;
} mr_caption;

mr_status mr_caption_put(mr_metadata *metadata, const char *video, const mr_caption *caption); /* MR_ERR_LIMIT. The old file is rubbish */
mr_status mr_caption_remove(mr_metadata *metadata, const char *video, const char *language);
mr_status mr_caption_list(mr_metadata *metadata, const char *video, mr_caption **ret_captions, size_t *ret_count); /* the caller frees */

/* ---- positions and views ---- */

mr_status mr_position_put(mr_metadata *metadata, const char *user, const char *video, double seconds);
mr_status mr_position_get(mr_metadata *metadata, const char *user, const char *video, double *ret_seconds); /* MR_ERR_NOT_FOUND: never watched */
/* Counts once for a viewer (user, or a digest of a session or address), video and hour. */
mr_status mr_view_add(mr_metadata *metadata, const char *video, const char *viewer, bool *ret_counted);
/* Views of `count` days of UTC from first_day (days since 1970) on; of all videos where video is NULL. ret_views: zeroes; adds. */
mr_status mr_view_days(mr_metadata *metadata, const char *video, int64_t first_day, size_t count, int64_t *ret_views);
/* How many signed-in viewers stopped in each of `count` equal parts of the video. duration > 0. ret_viewers: zeroes; adds. */
mr_status mr_position_shares(mr_metadata *metadata, const char *video, double duration, size_t count, int64_t *ret_viewers);
mr_status mr_view_count(mr_metadata *metadata, const char *video, int64_t *ret_views);

#endif
