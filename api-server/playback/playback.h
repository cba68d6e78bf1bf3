/* SPDX-License-Identifier: MIT */
/*
 * What viewers load: the published trees of videos, and segments that are not made yet.
 *
 * Places
 *   Attempt N at a video publishes to DATA/media/VIDEO/N, a folder of its own, so that the bytes behind a path never change (manifests excepted) and
 *   caches may keep them for good. Its URL is /media/TOKEN/VIDEO/N/… Captions that people add are DATA/captions/VIDEO/FILE and
 *   /media/TOKEN/VIDEO/captions/FILE.
 *
 * Waiting
 *   From a run's events it is known which task makes which segment. Who asks for one that is not there yet raises that task to the top
 *   (mr_platform_host.run_demand), and is answered when the file has been published; after MR_PLAYBACK_WAIT_MS: 503, ask again. Manifests of a run
 *   that is under way are waited for the same way. What no run is going to make is 404 at once.
 *
 * Threads: all functions from any. None waits for a disk longer than an open() does.
 */
#ifndef MR_PLAYBACK_PLAYBACK_H
#define MR_PLAYBACK_PLAYBACK_H

#include "api-server/http/http.h"
#include <millrace/server.h>
#include <stdbool.h>

enum {
    MR_PLAYBACK_WAIT_MS = 20000,
    MR_PLAYBACK_WAITERS = 1024, /* answers that wait at a time; more: 503 */
    MR_PLAYBACK_RUNS = 4096,    /* that are followed at a time */
    MR_OUTPUT_SIZE = 96,        /* bytes for "media/v_…/12" */
};

typedef struct mr_playback mr_playback;
typedef struct mr_playback_wait mr_playback_wait; /* of one exchange */

/* Makes DATA/media and DATA/captions when they are missing. On an error why says what is wrong. */
mr_status mr_playback_open(const mr_platform_host *host, char *why, size_t why_size, mr_playback **ret_playback);
void mr_playback_drain(mr_playback *playback); /* whoever waits is answered: 503 */
void mr_playback_close(mr_playback *playback); /* after the last exchange has ended. NULL is fine */

/* Where attempt N at the video is published, below the data folder. */
void mr_playback_output(const char *video, int64_t attempt, char ret_output[static MR_OUTPUT_SIZE]);
/* The run publishes there: as soon as its id is known, also when it is resumed. Events may have come before. */
mr_status mr_playback_run_is(mr_playback *playback, const char *run, const char *output);
/* Each event of each run, as the driver gets them. */
void mr_playback_event(mr_playback *playback, const char *run, const char *event);

/* A file is published there; or it is a multivariant playlist or MPD that is about to be: who asks for it waits for a moment. */
bool mr_playback_has(mr_playback *playback, const char *output, const char *path);

/*
 * Answers GET and HEAD of /media/TOKEN/PATH, whose token is good, or puts it off. path: "VIDEO/N/…", decoded, not checked yet; a part of the
 * exchange's. *wait is NULL at first, kept by the caller, and given to mr_playback_ended() when the exchange has ended.
 */
void mr_playback_answer(mr_playback *playback, mr_exchange *exchange, const char *path, mr_playback_wait **wait);
void mr_playback_ended(mr_playback *playback, mr_playback_wait *wait); /* NULL is fine */

#endif
