/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events about videos (WHATWG HTML, 9.2). Each client has a stream, whose bound is the HTTP server's (MR_HTTP_STREAM_MAX): one that reads
 * too slowly is cut off, and comes back with Last-Event-ID. The last MR_HUB_KEPT events of a video are kept for that; ids count up, also over
 * restarts.
 */
#ifndef MR_VIDEOS_HUB_H
#define MR_VIDEOS_HUB_H

#include "api-server/http/http.h"

enum { MR_HUB_KEPT = 256, MR_HUB_VIDEOS = 1024, MR_HUB_CLIENTS = 4096, MR_HUB_BEAT_S = 15 };

typedef struct mr_hub mr_hub;

mr_hub *mr_hub_new(void); /* NULL: no memory */
void mr_hub_free(mr_hub *hub);
/* Ends all streams; there are no new ones. */
void mr_hub_end(mr_hub *hub);
/* data: one line. */
void mr_hub_say(mr_hub *hub, const char *video, const char *event, const char *data);
/* Takes stream. first: makes the data of an event "status" (free()) for who comes without last_id ("" or NULL), or after too long: called while
 * nobody else says anything, so that what is said of a change comes after it or is in it. Else he gets what he missed. False: there are too many, or
 * no memory, and the stream was ended. */
typedef char *(*mr_hub_first)(void *context, const char *video);
bool mr_hub_join(mr_hub *hub, const char *video, mr_later *take_stream, const char *last_id, mr_hub_first first, void *context);
size_t mr_hub_clients(mr_hub *hub); /* streams that are open at the moment */

#endif
