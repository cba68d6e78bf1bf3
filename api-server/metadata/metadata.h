/* SPDX-License-Identifier: MIT */
/*
 * What the server remembers: people and their keys (accounts.h), videos and what belongs to them (videos.h), uploads (api-server/uploads/store.h,
 * filled here), answers to repeated requests (below). All SQL of the server is in this folder; it talks to a database through a driver (sql.h), of
 * which SQLite is the one there is.
 *
 * Threads: every function may be called from any thread. What reads takes microseconds and waits for nobody: fine on the quick lane, but for lists
 * and searches. What writes waits for the disk: MR_LANE_SLOW or MR_LANE_UPLOAD.
 * Durability: a function that writes and returns MR_OK has it on the disk. Writes of many threads share one sync.
 * Errors: MR_ERR_NOT_FOUND, MR_ERR_CONFLICT (it is there already, or another version is), MR_ERR_LIMIT as the functions say; MR_ERR_IO and
 * MR_ERR_NOMEM from all: the words are in the log.
 */
#ifndef MR_METADATA_H
#define MR_METADATA_H

#include <jansson.h>
#include <millrace/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_metadata mr_metadata;
struct mr_upload_store; /* api-server/uploads/store.h */

enum { MR_METADATA_PAGE = 100 }; /* most items of a page */

/* Told of what goes wrong below. Any thread. */
typedef void (*mr_metadata_complaint)(void *context, const char *message);

/* path: of the database's file, made when missing; one of an older version is brought up to date. On an error why says what is wrong. */
mr_status mr_metadata_open(const char *path, mr_metadata_complaint complain, void *context, char *why, size_t why_size, mr_metadata **ret_metadata);
void mr_metadata_close(mr_metadata *metadata); /* nobody may be in a call. NULL is fine */

/* What uploads ask for; valid until close. */
const struct mr_upload_store *mr_metadata_uploads(mr_metadata *metadata);

/*
 * Idempotency-Key: the first request of a key claims it, then keeps its answer for 24 hours. scope: who asks ("" for nobody's).
 * MR_OK: claimed, go on. MR_END: *ret_status and *ret_answer (the caller's, free()) are the answer that was given. MR_ERR_CONFLICT: the first one is
 * not answered yet. MR_ERR_PARAM: the key was used with another request (request: a digest of method, path and body).
 */
mr_status mr_idempotency_claim(mr_metadata *metadata, const char *scope, const char *key, const char *request, int *ret_status, char **ret_answer);
mr_status mr_idempotency_keep(mr_metadata *metadata, const char *scope, const char *key, int status, const char *answer);
mr_status mr_idempotency_forget(mr_metadata *metadata, const char *scope, const char *key); /* it failed: may be tried again */
mr_status mr_idempotency_forget_unanswered(mr_metadata *metadata); /* a server starts: who claimed died with the one before */

/* Numbers for people who look after the server: {videos: {status: count}, uploads: open ones, bytes, users, views}. New reference; NULL: an error. */
json_t *mr_metadata_stats(mr_metadata *metadata);

#endif
