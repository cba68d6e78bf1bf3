/* SPDX-License-Identifier: MIT */
/* Where a client may put a video's file: a tus upload that waits for it, and URLs that are signed for it as S3's are. */
#include "api-server/routes/uploads.h"

#include "api-server/auth/words.h"

#include "api-server/base/clock.h"
#include "api-server/uploads/sigv4.h"
#include "api-server/uploads/tus_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIFE_S = 6 * 3600 }; /* of a signed URL: of the start of a request, not of its end */

typedef struct signing {
    const char *method;
    const char *video;
    const char *filename;
    const char *query; /* "uploads", "partNumber=1&uploadId=…", or "" */
    int64_t length;    /* -1: not bound */
    const char *type;  /* "": not bound */
} signing;

/* {url, method, headers, expires_at}. NULL: no memory. */
static json_t *sign(mr_call *call, const signing *what)
{
    const mr_upload_people *people = call->server->upload_people;
    const char *origin = mr_call_origin(call);
    const char *host = origin ? strstr(origin, "://") : NULL;
    char path[MR_UPLOAD_NAME + 64];
    char purpose[160];
    char length[32];
    char secret[64];
    char expires[MR_TIME_SIZE];
    mr_sigv4_field fields[3];
    size_t count = 0;
    json_t *headers = json_object();
    const int64_t now_s = time(NULL);
    if (!host || !headers) {
        json_decref(headers);
        return NULL;
    }
    snprintf(path, sizeof(path), "/s3/uploads/%s/%s", what->video, what->filename);
    snprintf(purpose, sizeof(purpose), "s3/%s", what->video);
    snprintf(length, sizeof(length), "%" PRId64, what->length);
    if (what->length >= 0) {
        fields[count++] = (mr_sigv4_field){"content-length", length};
        json_object_set_new(headers, "Content-Length", json_string(length));
    }
    if (what->type[0]) {
        fields[count++] = (mr_sigv4_field){"content-type", what->type};
        json_object_set_new(headers, "Content-Type", json_string(what->type));
    }
    fields[count++] = (mr_sigv4_field){"host", host + 3};
    people->own_secret(people->context, purpose, secret);
    char *target = mr_sigv4_presign(what->method, path, what->query, fields, count, what->video, secret, MR_S3_REGION, now_s, LIFE_S);
    explicit_bzero(secret, sizeof(secret));
    json_t *answer = target ? json_pack("{s:s++, s:s, s:o, s:s}", "url", origin, target, "", "method", what->method, "headers", headers, "expires_at",
                                        mr_time_text((now_s + LIFE_S) * 1000000, expires))
                            : NULL;
    if (!target)
        json_decref(headers);
    free(target);
    return answer;
}

json_t *mr_upload_targets(mr_call *call, const char *video, const mr_video_fields *new_video, int64_t length, const char *type, mr_refusal *why)
{
    mr_upload *upload = calloc(1, sizeof(*upload));
    char name[MR_UPLOAD_NAME];
    const char *origin = mr_call_origin(call);
    *why = (mr_refusal){.status = 503, .code = "unavailable", .detail = "the server is short of memory"};
    if (!upload || !origin) {
        free(upload);
        return NULL;
    }
    mr_upload_file_name(new_video->filename ? new_video->filename : "video", name);
    upload->length = length;
    snprintf(upload->video, sizeof(upload->video), "%s", video);
    snprintf(upload->owner, sizeof(upload->owner), "%s", call->who.user);
    snprintf(upload->filename, sizeof(upload->filename), "%s", name);
    snprintf(upload->type, sizeof(upload->type), "%s", type);
    json_t *answer = NULL;
    if (mr_uploads_create(call->server->uploads, upload, new_video, why)) {
        const signing put = {.method = "PUT", .video = video, .filename = name, .query = "", .length = length, .type = type};
        const signing initiate = {.method = "POST", .video = video, .filename = name, .query = "uploads=", .length = -1, .type = ""};
        json_t *first = sign(call, &initiate);
        answer = json_pack("{s:{s:s++}, s:o, s:{s:s, s:s++, s:s+, s:O, s:O}}", "tus", "url", "/api/v1/uploads/tus/", upload->id, "", "put",
                           sign(call, &put), "multipart", "bucket", "uploads", "key", video, "/", name, "endpoint", origin, "/s3", "initiate_url",
                           json_object_get(first, "url"), "expires_at", json_object_get(first, "expires_at"));
        json_decref(first);
    }
    free(upload);
    return answer;
}

/* ---- POST /uploads/sign ---- */

static const char *text_of(const mr_call *call, const char *name)
{
    const char *text = json_string_value(json_object_get(call->json, name));
    return text ? text : "";
}

/* action: put, initiate, part, list, complete, abort. False: not one of them, or what it needs is missing. */
static bool read_action(const mr_call *call, signing *ret_what, char *query, size_t size)
{
    static const struct {
        const char *action, *method;
        bool upload, part;
    } actions[] = {{"put", "PUT", false, false}, {"initiate", "POST", false, false}, {"part", "PUT", true, true},
                   {"list", "GET", true, false}, {"complete", "POST", true, false},  {"abort", "DELETE", true, false}};
    const char *action = text_of(call, "action");
    const char *id = text_of(call, "upload_id");
    const json_int_t part = json_integer_value(json_object_get(call->json, "part_number"));
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].action, action) != 0)
            continue;
        ret_what->method = actions[i].method;
        if (actions[i].part)
            snprintf(query, size, "partNumber=%lld&uploadId=%s", (long long)part, id);
        else
            snprintf(query, size, "%s%s", actions[i].upload ? "uploadId=" : i == 1 ? "uploads=" : "", actions[i].upload ? id : "");
        return (!actions[i].upload || (*id && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(id))) &&
               (!actions[i].part || (part >= 1 && part <= MR_UPLOAD_PARTS));
    }
    return false;
}

void mr_route_uploads_sign(mr_call *call)
{
    const mr_upload_people *people = call->server->upload_people;
    char owner[MR_UPLOAD_ID];
    char query[128];
    char name[MR_UPLOAD_NAME];
    signing what = {.video = text_of(call, "video"), .filename = name, .query = query, .type = text_of(call, "type"), .length = -1};
    const json_t *size = json_object_get(call->json, "size");
    if (strlen(what.video) >= MR_UPLOAD_ID || people->video_owner(people->context, what.video, owner) != MR_OK ||
        (call->who.role != MR_ROLE_ADMIN && strcmp(owner, call->who.user) != 0)) {
        mr_call_problem(call, 404, "no-such-video", "there is no such video to upload to");
        return;
    }
    if (json_is_integer(size))
        what.length = json_integer_value(size);
    mr_upload_file_name(text_of(call, "filename"), name);
    if (!read_action(call, &what, query, sizeof(query)) || (json_is_integer(size) && what.length < 0)) {
        mr_call_problem(
            call, 422, "invalid",
            "'action' must be put, initiate, part, list, complete or abort; all but the first two need 'upload_id', part needs 'part_number' too");
        return;
    }
    mr_call_json(call, 200, sign(call, &what));
}

bool mr_upload_allowed(mr_call *call, const char *filename, const char *title, int64_t size, const char *type, char ret_why[MR_VETO_SIZE])
{
    return mr_rule_allows(call->server->host, "authorize_upload",
                          json_pack("{s:s, s:s, s:s*, s:s*, s:I, s:s*}", "user", call->who.user, "role", mr_role_name(call->who.role), "filename",
                                    filename, "title", title, "size", (json_int_t)size, "type", type),
                          ret_why);
}
