/* SPDX-License-Identifier: MIT */
/*
 * Runs as playback follows them: where each publishes, which task makes which segment, and which entrances there are. Learned from events: a chunk
 * says which segments it holds; an output says which node makes a rendition, and for which rung or track. Not thread-safe: playback.c has the lock.
 */
#ifndef MR_PLAYBACK_FOLLOWED_H
#define MR_PLAYBACK_FOLLOWED_H

#include "api-server/playback/playback.h"

#include <jansson.h>

typedef struct mr_followed mr_followed;

enum { MR_MAKER_SIZE = 96 }; /* bytes for a node's name, or an item */

mr_followed *mr_followed_new(const char *run); /* NULL: no memory */
void mr_followed_free(mr_followed *followed);
const char *mr_followed_run(const mr_followed *followed);
const char *mr_followed_output(const mr_followed *followed); /* "": not known yet */
void mr_followed_publishes(mr_followed *followed, const char *output);
/* An event "output"; what is wrong or too much in it is passed over. */
void mr_followed_learn(mr_followed *followed, const json_t *event);
/* Whether this multivariant playlist or MPD has been made: it is published, or will be in a moment. */
bool mr_followed_has_made(const mr_followed *followed, const char *entrance);
/*
 * Whether path ("video/720p/00012.m4s") is of a segment that some task makes, and which one. A path of another form, of an unknown rendition, or
 * beyond the last segment: false. ret_node "": it will be made, but what makes the rendition's media is not known before the first of it.
 */
bool mr_followed_find(const mr_followed *followed, const char *path, char ret_node[static MR_MAKER_SIZE], char ret_item[static MR_MAKER_SIZE]);

#endif
