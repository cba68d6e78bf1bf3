/* SPDX-License-Identifier: MIT */
/* Uploads over HTTP: tus 1.0 (uploads_tus.c), S3's subset (uploads_s3*.c), and the targets that a new video's answer names (uploads_targets.c). */
#ifndef MR_ROUTES_UPLOADS_H
#define MR_ROUTES_UPLOADS_H

#include "api-server/hooks/hooks.h"
#include "api-server/metadata/videos.h"
#include "api-server/routes/router.h"
#include "api-server/uploads/uploads.h"

/* What these routes ask of videos and accounts. */
typedef struct mr_upload_people {
    void *context;
    void (*video_drop)(void *context, const char *video); /* the one just added: what was to be its upload could not be joined */
    mr_status (*video_owner)(void *context, const char *video, char ret_owner[MR_UPLOAD_ID]);
    mr_status (*may_upload)(void *context, const char *user); /* MR_ERR_NOT_FOUND: not any more, whatever was signed for him */
    /* Of an API key, for signatures. MR_ERR_NOT_FOUND: there is no such key, or it may not write. */
    mr_status (*key_secret)(void *context, const char *key_id, char ret_secret[64], mr_identity *ret_who);
    void (*own_secret)(void *context, const char *purpose, char ret_secret[64]); /* made from the server's key */
} mr_upload_people;

/* Opens server->uploads, with what metadata, accounts and the engine are to them (uploads_people.c). why: what is wrong. */
mr_status mr_server_open_uploads(mr_server *server, char *why, size_t why_size);
/* Whether uploads are taken, as far as the disk goes; the log hears when that changes. May block. */
bool mr_server_has_room(mr_server *server, int64_t *ret_free);
void mr_server_close_uploads(mr_server *server); /* not opened is fine */

#define MR_S3_REGION "us-east-1" /* in signatures of ours; those of others may name any */

/*
 * {tus: {url}, put: {url, method, headers, expires_at}, multipart: {bucket, key, endpoint, initiate_url, expires_at}} for a video that whoever calls
 * may upload to, or a new one of his that is added with the upload; length -1 and type "": not known, else bound by the signature. May block. NULL:
 * refused, nothing was added.
 */
json_t *mr_upload_targets(mr_call *call, const char *video, const mr_video_fields *new_video, int64_t length, const char *type, mr_refusal *why);

/* Whether the hook authorize_upload lets it pass; texts may be NULL, size -1: not known. */
bool mr_upload_allowed(mr_call *call, const char *filename, const char *title, int64_t size, const char *type, char ret_why[MR_VETO_SIZE]);

void mr_route_tus_begin(mr_call *call, uint64_t *ret_body_max);
mr_status mr_route_tus_body(mr_call *call, const void *data, size_t len);
void mr_route_tus_answer(mr_call *call);
void mr_route_tus_ended(mr_call *call);
void mr_route_tus_options(mr_call *call);

void mr_route_s3_begin(mr_call *call, uint64_t *ret_body_max);
mr_status mr_route_s3_body(mr_call *call, const void *data, size_t len);
void mr_route_s3_answer(mr_call *call);
void mr_route_s3_ended(mr_call *call);

void mr_route_uploads_sign(mr_call *call);

/* clang-format off: rows of table.c; rule: who may upload. What moves bytes is bounded by its bytes, not by requests a minute. */
#define MR_TUS_ROW(method, path, rule, kind)                                                                                                         \
    {                                                                                                                                                \
        method, path, rule, MR_SCOPE_VIDEOS_WRITE, MR_LANE_UPLOAD, MR_BODY_PIECES, 0,                                                                \
            .answer = mr_route_tus_answer, .begin = mr_route_tus_begin, .body = mr_route_tus_body, .ended = mr_route_tus_ended, .limit = (kind)      \
    }
#define MR_S3_ROW(method, kind)                                                                                                                      \
    {                                                                                                                                                \
        method, "/s3/{bucket}/{video}/{name*}", MR_RULE_TOKEN, 0, MR_LANE_UPLOAD, MR_BODY_PIECES, 0,                                                 \
            .answer = mr_route_s3_answer, .begin = mr_route_s3_begin, .body = mr_route_s3_body, .ended = mr_route_s3_ended, .limit = (kind),         \
            .asks_itself = true                                                                                                                      \
    }
#define MR_UPLOAD_ROWS(rule)                                                                                                                         \
    {"OPTIONS", "/api/v1/uploads/tus", MR_RULE_ANYONE, 0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_tus_options},                           \
        {"OPTIONS", "/api/v1/uploads/tus/{id}", MR_RULE_ANYONE, 0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_tus_options},                  \
        MR_TUS_ROW("POST", "/api/v1/uploads/tus", rule, MR_LIMIT_API), MR_TUS_ROW("HEAD", "/api/v1/uploads/tus/{id}", rule, MR_LIMIT_NONE),          \
        MR_TUS_ROW("PATCH", "/api/v1/uploads/tus/{id}", rule, MR_LIMIT_NONE), MR_TUS_ROW("DELETE", "/api/v1/uploads/tus/{id}", rule, MR_LIMIT_API),  \
        MR_TUS_ROW("POST", "/api/v1/uploads/tus/{id}", rule, MR_LIMIT_NONE), MR_S3_ROW("PUT", MR_LIMIT_NONE), MR_S3_ROW("POST", MR_LIMIT_API),       \
        MR_S3_ROW("HEAD", MR_LIMIT_API), MR_S3_ROW("GET", MR_LIMIT_API), MR_S3_ROW("DELETE", MR_LIMIT_API),                                          \
    {                                                                                                                                                \
        "POST", "/api/v1/uploads/sign", rule, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_uploads_sign,                 \
                                                                                                    .limit = MR_LIMIT_NONE                           \
    }
/* clang-format on */

#endif
