/* SPDX-License-Identifier: MIT */
/*
 * The life of a video: uploaded -> processing -> playable -> ready, or failed.
 *
 * What has to be done is what the rows say (metadata/videos.h), so that a server that died knows it at its next start: a video that is processing and
 * has no run gets one; one whose run was interrupted goes on with it; one whose run ended without anybody noticing is told so. A thread does that,
 * woken by who changed a row; it never polls.
 *
 * At most `runs` are under way at a time, since each holds memory and threads for as long as it lasts. The other videos wait as rows: processing,
 * without a run; the oldest goes next when a run has ended.
 *
 * Attempt N at a video publishes to DATA/media/VIDEO/N. The first multivariant playlist or MPD of a run makes the video playable; the folder of an
 * older attempt stays until the video goes, so that whoever watches can finish.
 *
 * Threads: all functions from any; those that block as long as a disk does are marked slow.
 */
#ifndef MR_VIDEOS_H
#define MR_VIDEOS_H

#include "api-server/metadata/videos.h"
#include "api-server/videos/hub.h"
#include <millrace/server.h>

typedef struct mr_videos mr_videos;

typedef struct mr_videos_options {
    const mr_platform_host *host;
    mr_metadata *metadata;
    struct mr_metrics *metrics;
    const char *pipeline; /* for videos that name none */
    int64_t early_runs;   /* for uploads that go on, at a time; 0: none. The platform has source_grew then */
    int64_t runs;         /* at a time */
    /* Where attempt N is published, and the news which run does it: playback's. NULL: nobody wants to know. */
    void (*run_is)(void *context, const char *run, const char *output);
    void *context;
} mr_videos_options;

mr_status mr_videos_open(const mr_videos_options *options, mr_videos **ret_videos);
void mr_videos_begin(mr_videos *videos); /* events may come from here on: goes on with what was left */
void mr_videos_drain(mr_videos *videos); /* what ends from here on was interrupted; nothing is started; streams end */
void mr_videos_close(mr_videos *videos); /* NULL is fine */
/* The data of an event "status": {status, playable, complete, progress, reason}; free(). NULL: no memory. */
char *mr_video_status_text(const mr_video_view *view);
mr_hub *mr_videos_hub(mr_videos *videos);

/* Each event of each run, as the driver gets them. */
void mr_videos_event(mr_videos *videos, const char *run, const char *event);
/* Of an upload (a path below the data folder) that will have length bytes have come, and stay. Quick. */
void mr_videos_upload_grew(mr_videos *videos, const char *video, const char *source, int64_t length, int64_t have);
/* The same of one that counts as a whole or not at all (a PUT, or parts): these bytes are not kept yet, but will be if any are, or it is said that
 * they change. Quick. */
void mr_videos_upload_passes(mr_videos *videos, const char *video, const char *source, int64_t length, int64_t have);
/* What upload_passes told of will have other bytes: what was made of it counts for nothing. Not MR_OK: they must stay. Slow. */
mr_status mr_videos_upload_changes(mr_videos *videos, const char *source);
/* It was given up; its file is there still, its row is not. Slow. */
void mr_videos_upload_gone(mr_videos *videos, const char *video, const char *source);
/* It is complete, and that is on the disk: before mr_videos_upload_complete(). */
void mr_videos_upload_whole(mr_videos *videos, const char *video, const char *source);
/* Its upload is complete, and that is on the disk. Quick. */
void mr_videos_upload_complete(mr_videos *videos, const char *video);
void mr_videos_upload_progress(mr_videos *videos, const char *video, int64_t received, int64_t size);
/* Whether a run could be started so; pipeline NULL: the server's; params: JSON text of an object. With an error *ret_answer has diagnostics as JSON;
 * free(). Where the operator has a rule that chooses both (choose_pipeline), nothing is wrong before it was asked. Slow. */
mr_status mr_videos_check(mr_videos *videos, const char *pipeline, const char *params, char **ret_answer);
/* Starts another run at it. pipeline, params (JSON text of an object): NULL: as before. *ret_answer: the run's id ("": it waits for its turn) or,
 * with an error, diagnostics as JSON; free(). MR_ERR_NOT_FOUND: nothing was uploaded. Slow. */
mr_status mr_videos_process(mr_videos *videos, const char *video, const char *pipeline, const char *params, char **ret_answer);
/* The video's run, which failed, goes on: at once, or when its turn comes. MR_ERR_CONFLICT: it is another's run, or has not failed. Slow. */
mr_status mr_videos_retry(mr_videos *videos, const char *video, const char *run);
/* The run stops. One that waits for its turn to go on has ended as it did before. video: whose it is; NULL: nobody's. MR_ERR_CONFLICT: it neither
 * runs nor waits. Slow. */
mr_status mr_videos_cancel(mr_videos *videos, const char *video, const char *run);
/* Starts a run that makes the picture at that time its poster. *ret_answer as above. Slow. */
mr_status mr_videos_poster(mr_videos *videos, const char *video, double seconds, char **ret_answer);
/* Removes it, stops its run, and has its files removed. Slow. */
mr_status mr_videos_remove(mr_videos *videos, const char *video, const char *if_match);
/* Something was made rubbish. Quick. */
void mr_videos_tidy(mr_videos *videos);

/* A file or folder below the data folder that is made before a row refers to it: rubbish until then, so that it goes if nobody comes to write that
 * row, and left alone until mr_videos_made(). */
typedef struct mr_making {
    char path[MR_RUBBISH_SIZE];
    struct mr_making *next;
} mr_making;
mr_status mr_videos_making(mr_videos *videos, mr_making *making); /* slow. path is filled; `making` stays where it is */
void mr_videos_made(mr_videos *videos, mr_making *making);        /* once, also when making it failed */

#endif
