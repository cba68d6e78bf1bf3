/* SPDX-License-Identifier: MIT */
/* Videos: create, look, search, edit, process, remove. */
#include "api-server/routes/videos.h"

#include "api-server/routes/uploads.h"
#include "api-server/videos/videos.h"

#include <stdlib.h>
#include <string.h>

const mr_video_view *mr_call_video(mr_call *call, bool to_change)
{
    const mr_video_view *view = NULL;
    const mr_status status = mr_video_look(call->server->metadata, call->ids[0], &view);
    if (status != MR_OK && status != MR_ERR_NOT_FOUND) {
        mr_call_status(call, status, "video");
        return NULL;
    }
    if (status != MR_OK || !mr_video_seen_by(view, &call->who)) {
        mr_call_problem(call, 404, "not-found", "there is no such video");
        return NULL;
    }
    if (to_change && !mr_video_owned_by(view, &call->who)) {
        mr_call_problem(call, 403, "forbidden", "the video is somebody else's");
        return NULL;
    }
    return view;
}

static void answer_view(mr_call *call, int status, const mr_video_view *view)
{
    char etag[MR_ETAG_SIZE + 2];
    snprintf(etag, sizeof(etag), "\"%s\"", view->etag);
    mr_http_reply_field(call->exchange, "ETag", etag);
    mr_http_reply_field(call->exchange, "Cache-Control", "private, no-cache");
    mr_call_text(call, status, "application/json", view->json, view->json_len);
}

void mr_route_video(mr_call *call)
{
    const mr_video_view *view = mr_call_video(call, false);
    if (view)
        answer_view(call, 200, view);
}

/* ---- lists ---- */

static bool read_sort(const char *name, mr_video_sort *ret_sort)
{
    static const char *const names[] = {"new", "old", "title", "views", "duration"};
    for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0) {
            *ret_sort = (mr_video_sort)i;
            return true;
        }
    return !name;
}

static bool wrong_query(mr_call *call, const char *name, const char *message)
{
    mr_call_invalid(call, json_pack("[{s:s, s:s}]", "field", name, "message", message));
    return false;
}

static const char *given(mr_call *call, const char *name)
{
    const char *text = mr_call_query(call, name);
    return text && text[0] ? text : NULL;
}

static bool read_query(mr_call *call, mr_video_query *query, mr_video_status *status, mr_visibility *visibility)
{
    int64_t limit = 24;
    const char *state = given(call, "status");
    const char *seen = given(call, "visibility");
    *query = (mr_video_query){
        .who = &call->who, .text = given(call, "q"), .owner = given(call, "owner"), .category = given(call, "category"), .tag = given(call, "tag")};
    query->cursor = given(call, "cursor");
    if (state && !mr_video_status_of(state, status))
        return wrong_query(call, "status", "this is created, uploading, processing, ready or failed");
    if (seen && !mr_visibility_of(seen, visibility))
        return wrong_query(call, "visibility", "this is public, unlisted or private");
    if (!read_sort(given(call, "sort"), &query->sort))
        return wrong_query(call, "sort", "this is new, old, title, views or duration");
    if (query->owner && strcmp(query->owner, "me") == 0)
        query->owner = call->who.user;
    query->status = state ? status : NULL;
    query->visibility = seen ? visibility : NULL;
    if (!mr_call_query_number(call, "limit", 1, MR_METADATA_PAGE, 24, &limit))
        return false;
    query->limit = (size_t)limit;
    return true;
}

void mr_route_videos(mr_call *call)
{
    mr_video_query query;
    mr_video_status status;
    mr_visibility visibility;
    char *json = NULL;
    if (!read_query(call, &query, &status, &visibility))
        return;
    const mr_status found = mr_video_list(call->server->metadata, &query, &json);
    if (found == MR_ERR_PARAM) {
        wrong_query(call, "cursor", "this is what 'next' of the page before says, with the same sort");
    } else if (found == MR_ERR_LIMIT) {
        wrong_query(call, "q", "this is 16 words at most, and not a kilobyte of them");
    } else if (found != MR_OK) {
        mr_call_status(call, found, "list");
    } else {
        mr_http_reply_field(call->exchange, "Cache-Control", "private, no-cache");
        mr_call_text(call, 200, "application/json", json, strlen(json));
    }
    free(json);
}

/* ---- create ---- */

static void answer_created(mr_call *call, const char *id, const mr_video_body *body)
{
    const mr_video_view *view = NULL;
    mr_refusal why = {0};
    json_t *upload = mr_upload_targets(call, id, &body->fields, body->size, body->type, &why);
    if (!upload) {
        mr_call_problem(call, why.status, why.code, "%s", why.detail);
        return;
    }
    const mr_status status = mr_video_look(call->server->metadata, id, &view);
    if (status != MR_OK) {
        json_decref(upload);
        mr_call_status(call, status, "video");
        return;
    }
    char location[64];
    snprintf(location, sizeof(location), "/api/v1/videos/%s", id);
    mr_http_reply_field(call->exchange, "Location", location);
    mr_call_json(call, 201, json_pack("{s:o, s:o}", "video", json_loads(view->json, 0, NULL), "upload", upload));
}

void mr_route_add_video(mr_call *call)
{
    mr_video_body body;
    char id[MR_ID_SIZE];
    if (!mr_call_video_body(call, MR_BODY_CREATE, &body))
        return;
    char why[MR_VETO_SIZE];
    if (!mr_upload_allowed(call, body.fields.filename, body.fields.title, body.size, body.type, why)) {
        mr_call_problem(call, 403, "vetoed", "%s", why);
        return;
    }
    if (mr_call_make_id(call, 'v', id))
        answer_created(call, id, &body);
    else
        mr_call_status(call, MR_ERR_UNAVAILABLE, "video");
}

/* ---- edit, remove ---- */

/* NULL: any version. */
static const char *if_match(mr_call *call)
{
    const char *field = mr_http_field(call->exchange, "If-Match");
    return field && strcmp(field, "*") == 0 ? NULL : field;
}

static void answer_changed(mr_call *call, mr_status status)
{
    const mr_video_view *view = NULL;
    if (status == MR_OK)
        status = mr_video_look(call->server->metadata, call->ids[0], &view);
    if (status == MR_OK)
        answer_view(call, 200, view);
    else if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 412, "precondition-failed", "the video has changed meanwhile: read it again");
    else
        mr_call_status(call, status, "video");
}

static void edit(mr_call *call, enum mr_body_use use)
{
    mr_video_body body;
    if (!mr_call_video(call, true) || !mr_call_video_body(call, use, &body))
        return;
    answer_changed(call, mr_video_edit(call->server->metadata, call->ids[0], if_match(call), &body.fields));
}

void mr_route_edit_video(mr_call *call)
{
    edit(call, MR_BODY_EDIT);
}

void mr_route_replace_video(mr_call *call)
{
    if (!mr_http_field(call->exchange, "If-Match")) {
        if (mr_call_video(call, true))
            mr_call_problem(call, 428, "precondition-required", "say with If-Match which version you replace, or PATCH what you change");
        return;
    }
    edit(call, MR_BODY_REPLACE);
}

void mr_route_remove_video(mr_call *call)
{
    if (!mr_call_video(call, true))
        return;
    const mr_status status = mr_videos_remove(call->server->videos, call->ids[0], if_match(call));
    if (status == MR_OK)
        mr_call_empty(call, 204);
    else
        answer_changed(call, status);
}

/* ---- process ---- */

static void answer_refused(mr_call *call, mr_status status, const char *answer)
{
    mr_fields found = {.call = call};
    mr_fields_diagnostics(&found, answer);
    if (!mr_fields_good(&found))
        return;
    if (status == MR_ERR_NOT_FOUND)
        mr_call_problem(call, 409, "nothing-uploaded", "nothing was uploaded for this video yet");
    else
        mr_call_status(call, status, "run");
}

/* A run that has to wait for its turn is looked at now, not when somebody has long gone. What is not given stays as it is in the video. */
static void check_run(mr_fields *fields, const mr_video_view *view, const char *pipeline, const json_t *params)
{
    json_t *video = json_loads(view->json, 0, NULL);
    if (!pipeline)
        pipeline = json_string_value(json_object_get(video, "pipeline"));
    mr_fields_run(fields, pipeline, params ? params : json_object_get(video, "params"));
    json_decref(video);
}

void mr_route_process_video(mr_call *call)
{
    const mr_video_view *view = mr_call_video(call, true);
    if (!view)
        return;
    mr_fields fields = mr_fields_begin(call, "pipeline params");
    const char *pipeline = mr_field_text(&fields, "pipeline", 1, 127, false);
    const json_t *given_params = json_object_get(call->json, "params");
    if (given_params && !json_is_object(given_params))
        mr_field_wrong(&fields, "params", "this is an object");
    if (pipeline && strchr(pipeline, '/'))
        mr_field_wrong(&fields, "pipeline", "this is a pipeline's name");
    if (!fields.errors)
        check_run(&fields, view, pipeline, given_params);
    if (!mr_fields_good(&fields))
        return;
    char *params = given_params ? json_dumps(given_params, JSON_COMPACT) : NULL;
    char *answer = NULL;
    const mr_status status = mr_videos_process(call->server->videos, call->ids[0], pipeline, params, &answer);
    if (status == MR_OK)
        mr_call_json(call, 202, json_pack("{s:s?}", "run", answer[0] ? answer : NULL));
    else
        answer_refused(call, status, answer);
    free(answer);
    free(params);
}
