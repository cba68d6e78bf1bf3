/* SPDX-License-Identifier: MIT */
/* What the files of videos/ share. */
#ifndef MR_VIDEOS_INTERNAL_H
#define MR_VIDEOS_INTERNAL_H

#include "api-server/videos/videos.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MR_RUN_SIZE = 64, MR_EARLY_MAX = 4096, MR_FOLLOW_NODES = 128, MR_NODE_SIZE = 64, MR_ARRIVALS = 256, MR_SOURCE_PATH = 4096 };

typedef struct mr_node_count {
    char node[MR_NODE_SIZE];
    int64_t total, done;
    bool failed;
} mr_node_count;

/* A run that is under way. Its events come one at a time; `lock` of mr_videos guards video, attached, early and the list. */
typedef struct mr_follow {
    char run[MR_RUN_SIZE];
    char video[MR_ID_SIZE]; /* "": not known yet */
    char output[96];
    char arriving[64]; /* of the upload that it reads, which goes on; else "" */
    int64_t began_us;  /* mr_metrics_now_us() */
    bool only_poster;  /* it makes a poster: the video's own run is another */
    bool attached;     /* events are taken at once; before, they wait in early */
    char **early;
    size_t early_count, early_room;
    /* The run's thread alone, once attached: */
    mr_node_count nodes[MR_FOLLOW_NODES];
    size_t node_count;
    int64_t total; /* tasks of nodes that have more than one */
    double fraction, fraction_said;
    atomic_bool playable;
    atomic_bool ended;
    char poster[64];
    struct mr_follow *next;
} mr_follow;

typedef struct mr_rehearsal mr_rehearsal;

/* The last byte of a video's upload came, and it can't be played yet. */
typedef struct mr_arrival {
    char video[MR_ID_SIZE];
    int64_t at_us; /* 0: none */
} mr_arrival;

struct mr_videos {
    mr_videos_options options;
    mr_hub *hub;
    pthread_mutex_t starting; /* one run is started at a time; taken before lock */
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t worker;
    bool worker_runs;
    bool work; /* rows may say that something is to be done */
    bool closing;
    atomic_bool draining;
    bool start_under_way; /* a run whose id is not known yet may say something */
    mr_follow *follows;
    struct mr_rehearsal *rehearsals;
    mr_making *making;
    mr_arrival arrivals[MR_ARRIVALS]; /* a ring: when so many wait, the oldest is not measured */
    size_t arrival_next;
};

void mr_videos_log(mr_videos *videos, mr_server_log level, const char *video, const char *message);
void mr_videos_wake(mr_videos *videos);

/* follow.c */
/* Lock held. One that has ended is nobody's any more: its run may be going on again. */
mr_follow *mr_follow_find(mr_videos *videos, const char *run);
mr_follow *mr_follow_of_video(mr_videos *videos, const char *video);
/* Whether one more run may start. One of this video's is about to be replaced by it; those of uploads that go on wait for bytes more than they work,
 * and have a limit of their own. Takes the lock. */
bool mr_follow_has_room(mr_videos *videos, const char *video);
mr_follow *mr_follow_add(mr_videos *videos, const char *run); /* NULL: no memory */
/* Without the lock: a run of the video is under way. */
bool mr_follow_has(mr_videos *videos, const char *video);
/* Without the lock: the run is this video's; what it said so far is told. */
void mr_follow_attach(mr_videos *videos, const char *run, const char *video, const char *output, bool only_poster);
void mr_follow_forget(mr_videos *videos, const char *run);
void mr_follow_drop(mr_videos *videos, mr_follow *follow); /* NULL is fine */
/* A start is over: runs that spoke meanwhile and are not the new one ("": there is none) are nobody's. */
void mr_follow_sort_out(mr_videos *videos, const char *started);

/* tell.c: one event of a run that is attached. */
void mr_follow_event(mr_videos *videos, mr_follow *follow, const char *event);
void mr_videos_say_status(mr_videos *videos, const char *video);

/* start.c; starting held. */
/* Somebody waits for the answer (asked): what can't be started leaves the video as it was. Else it has failed. */
mr_status mr_videos_start(mr_videos *videos, const char *video, bool asked, const char *pipeline, const char *params, char **ret_answer);
void mr_videos_resume(mr_videos *videos, const mr_video_life *life);
/* Its run was to go on, and is not: it has ended, as it says itself. */
mr_status mr_videos_not_again(mr_videos *videos, const mr_video_life *life);
/* A run for an upload that goes on, below the data folder. */
mr_status mr_videos_start_early(mr_videos *videos, const mr_video_life *life, const char *source, char **ret_answer);
/* For host->run_start: what can be done ahead of an upload that goes on. NULL: no memory. */
char *mr_videos_rehearsal_request(mr_videos *videos, const mr_video_life *life, const char *source);
/* *ret_run: its id; *ret_answer: diagnostics. */
mr_status mr_videos_start_run(mr_videos *videos, const char *request, char ret_run[static MR_RUN_SIZE], char **ret_answer);
/* The run, which has ended and was attached again, goes on. With an error it is forgotten. */
mr_status mr_videos_resume_run(mr_videos *videos, const char *run);
void mr_videos_resume_poster(mr_videos *videos, const mr_poster_run *poster);
/* How a run that makes a poster ended. */
void mr_videos_poster_ended(mr_videos *videos, const mr_poster_run *run, bool good);

/* measure.c: for /metrics. */
void mr_measure_arrived(mr_videos *videos, const char *video);
void mr_measure_playable(mr_videos *videos, const char *video);
void mr_measure_event(mr_videos *videos, const mr_follow *follow, const char *event, const char *state);

/* arriving.c */
void mr_videos_look_at_arriving(mr_videos *videos); /* the worker: what may be begun early is */
void mr_videos_mark_early(mr_videos *videos, const char *run, const char *source);
bool mr_videos_early_room(const mr_videos *videos);                            /* for one more run before an upload's end; lock held */
bool mr_videos_index_has_come(const char *path, int64_t length, int64_t have); /* MP4 and QuickTime, with the index in front */
bool mr_videos_early_failed(mr_videos *videos, mr_follow *follow);             /* and that is no failure of the video */
void mr_videos_source_over(mr_videos *videos, const char *source, bool whole);

/* rehearse.c. A mr_rehearsal is of one upload. */
/* Of an upload so much has come; as_a_whole: it counts only when all has. */
void mr_rehearsals_grew(mr_videos *videos, const char *video, const char *source, const char *path, int64_t length, int64_t have, bool as_a_whole);
void mr_rehearsals_over(mr_videos *videos, const char *source);                  /* complete, or given up */
void mr_rehearsals_of_video_over(mr_videos *videos, const char *video);          /* it is removed; starting held */
void mr_videos_look_at_rehearsals(mr_videos *videos);                            /* the worker */
bool mr_rehearsals_event(mr_videos *videos, const char *run, const char *event); /* false: it is none of theirs */
int64_t mr_rehearsals_under_way(const mr_videos *videos);                        /* lock held */
void mr_rehearsals_free(mr_videos *videos);

/* tidy.c */
void mr_videos_remove_rubbish(mr_videos *videos);

#endif
