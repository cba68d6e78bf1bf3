/* SPDX-License-Identifier: MIT */
/* What the routes about videos share. */
#ifndef MR_ROUTES_VIDEOS_H
#define MR_ROUTES_VIDEOS_H

#include "api-server/metadata/videos.h"
#include "api-server/routes/fields.h"
#include "api-server/routes/routes.h"

/* The video in the path, if whoever calls may see it, or change it. NULL: answered; 404 also to those who may not know that it is there, 403 to those
 * who may only look. */
const mr_video_view *mr_call_video(mr_call *call, bool to_change);

/* What a body says of a video; the texts are the call's. False: something is wrong, and answered. */
typedef struct mr_video_body {
    mr_video_fields fields;
    mr_visibility visibility;
    int64_t size;     /* -1: not said */
    const char *type; /* "": not said */
} mr_video_body;
enum mr_body_use { MR_BODY_CREATE, MR_BODY_EDIT, MR_BODY_REPLACE };
/* What is wrong with a run of that pipeline (NULL: the server's), with these params (NULL: none). */
void mr_fields_run(mr_fields *fields, const char *pipeline, const json_t *params);
bool mr_call_video_body(mr_call *call, enum mr_body_use use, mr_video_body *ret_body);

#endif
