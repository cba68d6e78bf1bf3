/* SPDX-License-Identifier: MIT */
/*
 * tus 1.0.0 (tus.io/protocols/resumable-upload): the core, and the extensions creation, creation-with-upload, creation-defer-length, checksum,
 * expiration, termination, concatenation. A piece of a body goes from the connection's buffer to the file; nothing is kept of it here.
 *
 * The head is judged on the quick lane as far as that needs no disk; the upload itself is opened on the upload lane, with the first piece or the
 * answer.
 */
#include "api-server/routes/uploads.h"

#include "api-server/uploads/checksum.h"
#include "api-server/uploads/tus_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define EXTENSIONS "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation"
#define BODY_TYPE  "application/offset+octet-stream"

typedef enum verb { CREATE, HEAD, PATCH, TERMINATE } verb;

typedef struct tus_call {
    verb verb;
    bool opened;
    bool new_video; /* none was named: one is added with the upload */
    int64_t offset; /* Upload-Offset */
    int64_t length; /* Upload-Length; -1: none */
    mr_upload upload;
    mr_writer *writer; /* NULL: no body is taken */
    mr_sum sum;
    unsigned char expected[MR_SUM_MAX];
} tus_call;

/* ---- answers ---- */

static void put_expiry(mr_call *call, const mr_upload *upload)
{
    char text[40];
    struct tm tm;
    if (upload->state == MR_UPLOAD_OPEN && gmtime_r(&(time_t){upload->expires_us / 1000000}, &tm) &&
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        mr_http_reply_field(call->exchange, "Upload-Expires", text);
}

static void put_version(mr_call *call)
{
    mr_http_reply_field(call->exchange, "Tus-Resumable", "1.0.0");
}

/* Of an answer that is no problem: those set no-store themselves. */
static void put_common(mr_call *call)
{
    put_version(call);
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
}

/* Whoever is told no may try again at once: the upload is free before the answer is out. */
static void answer_refusal(mr_call *call, const mr_refusal *why)
{
    tus_call *state = call->state;
    if (state) {
        mr_writer_free(state->writer);
        state->writer = NULL;
    }
    put_version(call);
    if (why->status == 413)
        mr_call_number_field(call, "Tus-Max-Size", mr_uploads_max(call->server->uploads));
    if (why->status == 423 || why->status == 503)
        mr_http_reply_field(call->exchange, "Retry-After", "1");
    mr_call_problem(call, why->status, why->code, "%s", why->detail);
}

static void refuse(mr_call *call, int status, const char *code, const char *detail)
{
    mr_refusal why = {.status = status, .code = code};
    snprintf(why.detail, sizeof(why.detail), "%s", detail);
    answer_refusal(call, &why);
}

void mr_route_tus_options(mr_call *call)
{
    put_common(call);
    mr_http_reply_field(call->exchange, "Tus-Version", "1.0.0");
    mr_http_reply_field(call->exchange, "Tus-Extension", EXTENSIONS);
    mr_http_reply_field(call->exchange, "Tus-Checksum-Algorithm", "sha1,sha256,crc32,crc32c,md5");
    mr_call_number_field(call, "Tus-Max-Size", mr_uploads_max(call->server->uploads));
    mr_call_empty(call, 204);
}

/* ---- the head ---- */

static bool find_verb(mr_call *call, verb *ret_verb)
{
    static const char *const names[] = {[HEAD] = "HEAD", [PATCH] = "PATCH", [TERMINATE] = "DELETE"};
    const char *method = mr_http_method(call->exchange);
    const char *other = mr_http_field(call->exchange, "X-HTTP-Method-Override");
    if (!call->ids[0]) {
        *ret_verb = CREATE;
        return true;
    }
    if (strcmp(method, "POST") == 0 && other)
        method = other;
    for (int i = HEAD; i <= TERMINATE; i++) {
        if (strcmp(method, names[i]) == 0) {
            *ret_verb = (verb)i;
            return true;
        }
    }
    return false;
}

/* A field that is a number: *ret stays when it is absent. False: refused. */
static bool read_number(mr_call *call, const char *name, int64_t *ret)
{
    const char *text = mr_http_field(call->exchange, name);
    char detail[128];
    if (!text || mr_tus_number(text, ret))
        return true;
    snprintf(detail, sizeof(detail), "'%s' must be a number of bytes", name);
    refuse(call, 400, "bad-field", detail);
    return false;
}

static bool read_checksum(mr_call *call, tus_call *state)
{
    const char *text = mr_http_field(call->exchange, "Upload-Checksum");
    mr_sum_kind kind = MR_SUM_NONE;
    if (!text)
        return true;
    if (!mr_tus_checksum(text, &kind, state->expected) || kind == MR_SUM_NONE || kind == MR_SUM_CRC64NVME) {
        refuse(call, 400, "bad-checksum", "'Upload-Checksum' must be one of sha1, sha256, crc32, crc32c, md5, a blank, and the checksum in base64");
        return false;
    }
    if (mr_sum_begin(&state->sum, kind))
        return true;
    refuse(call, 503, "unavailable", "the server is short of memory");
    return false;
}

static bool has_body(const mr_call *call)
{
    return mr_http_length(call->exchange) != 0;
}

static bool body_is_fine(mr_call *call, const tus_call *state)
{
    const char *type = mr_http_field(call->exchange, "Content-Type");
    const int64_t max = mr_uploads_max(call->server->uploads);
    if (state->verb == PATCH || (state->verb == CREATE && has_body(call))) {
        if (!type || strcasecmp(type, BODY_TYPE) != 0) {
            refuse(call, 415, "type-not-taken", "the body must be of the type '" BODY_TYPE "'");
            return false;
        }
    } else if (has_body(call)) {
        refuse(call, 400, "body-not-taken", "this request has no body");
        return false;
    }
    if (mr_http_length(call->exchange) > max) {
        char detail[128];
        snprintf(detail, sizeof(detail), "at most %" PRId64 " bytes are taken (setting server.upload_max)", max);
        refuse(call, 413, "upload-too-large", detail);
        return false;
    }
    return true;
}

static bool numbers_are_fine(mr_call *call, tus_call *state)
{
    if (!read_number(call, "Upload-Offset", &state->offset) || !read_number(call, "Upload-Length", &state->length) || !read_checksum(call, state))
        return false;
    if (state->verb == PATCH && state->offset < 0) {
        refuse(call, 400, "bad-field", "'Upload-Offset' is missing");
        return false;
    }
    return true;
}

void mr_route_tus_begin(mr_call *call, uint64_t *ret_body_max)
{
    tus_call *state = calloc(1, sizeof(*state));
    const char *version = mr_http_field(call->exchange, "Tus-Resumable");
    (void)ret_body_max;
    call->state = state;
    if (!state) {
        refuse(call, 503, "unavailable", "the server is short of memory");
        return;
    }
    state->offset = state->length = -1;
    if (!find_verb(call, &state->verb)) {
        refuse(call, 405, "method-not-allowed", "an upload takes HEAD, PATCH and DELETE");
        return;
    }
    if (!version || strcmp(version, "1.0.0") != 0) {
        mr_http_reply_field(call->exchange, "Tus-Version", "1.0.0");
        refuse(call, 412, "tus-version", "'Tus-Resumable' must be 1.0.0");
        return;
    }
    if (numbers_are_fine(call, state))
        body_is_fine(call, state);
}

/* ---- the upload ---- */

/* Whose uploads it must be; NULL: an administrator may touch all. */
static const char *owner_of(const mr_call *call)
{
    return call->who.role == MR_ROLE_ADMIN ? NULL : call->who.user;
}

/* What the fields say of a new upload. False: refused. */
static bool read_creation(mr_call *call, tus_call *state, mr_refusal *why)
{
    mr_upload *upload = &state->upload;
    const char *defer = mr_http_field(call->exchange, "Upload-Defer-Length");
    const char *metadata = mr_http_field(call->exchange, "Upload-Metadata");
    const char *concat = mr_http_field(call->exchange, "Upload-Concat");
    char text[1024];
    *why = (mr_refusal){.status = 400, .code = "bad-field"};
    upload->length = state->length;
    if (concat && !mr_tus_concat(concat, &upload->role, upload->concat))
        snprintf(why->detail, sizeof(why->detail), "'Upload-Concat' must be 'partial', or 'final;' and the URLs of partial uploads");
    else if (defer && (strcmp(defer, "1") != 0 || state->length >= 0))
        snprintf(why->detail, sizeof(why->detail), "'Upload-Defer-Length' must be 1, and without 'Upload-Length'");
    else if (upload->role == MR_UPLOAD_FINAL && (state->length >= 0 || has_body(call)))
        snprintf(why->detail, sizeof(why->detail), "a final upload has neither 'Upload-Length' nor a body");
    else if (upload->role != MR_UPLOAD_FINAL && state->length < 0 && !defer)
        snprintf(why->detail, sizeof(why->detail), "'Upload-Length' is missing; or say 'Upload-Defer-Length: 1'");
    else if (metadata && !mr_tus_metadata_is_valid(metadata))
        snprintf(why->detail, sizeof(why->detail), "'Upload-Metadata' must be pairs of a key and base64, with commas between, %d bytes at most",
                 MR_UPLOAD_META - 1);
    else
        why->status = 0;
    if (why->status)
        return false;
    snprintf(upload->metadata, sizeof(upload->metadata), "%s", metadata ? metadata : "");
    snprintf(upload->owner, sizeof(upload->owner), "%s", call->who.user);
    if (!mr_tus_metadata_get(upload->metadata, "filetype", upload->type, sizeof(upload->type)))
        upload->type[0] = '\0';
    const bool named =
        mr_tus_metadata_get(upload->metadata, "filename", text, sizeof(text)) || mr_tus_metadata_get(upload->metadata, "name", text, sizeof(text));
    mr_upload_file_name(named ? text : "", upload->filename);
    return true;
}

/* The video that the client names, or a new one. */
static bool find_video(mr_call *call, tus_call *state, mr_refusal *why)
{
    const mr_upload_people *people = call->server->upload_people;
    mr_upload *upload = &state->upload;
    if (upload->role == MR_UPLOAD_PARTIAL)
        return true;
    if (mr_tus_metadata_get(upload->metadata, "video", upload->video, sizeof(upload->video))) {
        char owner[MR_UPLOAD_ID];
        const mr_status status = people->video_owner(people->context, upload->video, owner);
        if (status == MR_OK && (call->who.role == MR_ROLE_ADMIN || strcmp(owner, call->who.user) == 0)) {
            memcpy(upload->owner, owner, sizeof(owner));
            return true;
        }
        *why = (mr_refusal){.status = 404, .code = "no-such-video", .detail = "there is no such video to upload to"};
        return false;
    }
    char veto[MR_VETO_SIZE];
    if (!mr_upload_allowed(call, upload->filename, NULL, upload->length, upload->type, veto)) {
        *why = (mr_refusal){.status = 403, .code = "vetoed"};
        snprintf(why->detail, sizeof(why->detail), "%.*s", (int)sizeof(why->detail) - 1, veto);
        return false;
    }
    state->new_video = mr_id_make('v', upload->video);
    if (!state->new_video)
        *why = (mr_refusal){.status = 503, .code = "unavailable", .detail = "a video can't be added at the moment: try again"};
    return state->new_video;
}

static bool create(mr_call *call, tus_call *state, mr_refusal *why)
{
    const mr_upload_people *people = call->server->upload_people;
    mr_upload *upload = &state->upload;
    char title[MR_UPLOAD_NAME];
    if (!read_creation(call, state, why) || !find_video(call, state, why))
        return false;
    const char *dot = strrchr(upload->filename, '.');
    snprintf(title, sizeof(title), "%.*s", dot && dot > upload->filename ? (int)(dot - upload->filename) : (int)strlen(upload->filename),
             upload->filename);
    const mr_video_fields fields = {.title = title, .filename = upload->filename};
    const mr_video_fields *new_video = state->new_video ? &fields : NULL;
    if (upload->role != MR_UPLOAD_FINAL)
        return mr_uploads_create(call->server->uploads, upload, new_video, why);
    const bool good = mr_uploads_join(call->server->uploads, upload, new_video, why);
    if (!good && new_video)
        people->video_drop(people->context, upload->video);
    return good;
}

static bool begin_writing(mr_call *call, tus_call *state, mr_refusal *why)
{
    const mr_write write = {
        .offset = state->verb == CREATE ? 0 : state->offset, .length = mr_http_length(call->exchange), .whole = state->sum.kind != MR_SUM_NONE};
    if (state->verb == PATCH && state->length >= 0 && !mr_uploads_set_length(call->server->uploads, &state->upload, state->length, why))
        return false;
    state->writer = mr_writer_begin(call->server->uploads, &state->upload, &write, why);
    return state->writer != NULL;
}

/* On the upload lane, once. False: answered. */
static bool open_upload(mr_call *call, tus_call *state)
{
    mr_refusal why = {0};
    bool good = true;
    if (state->opened)
        return true;
    state->opened = true;
    if (state->verb == CREATE)
        good = create(call, state, &why);
    else
        good = mr_uploads_find(call->server->uploads, call->ids[0], owner_of(call), &state->upload, &why);
    if (good && state->upload.kind != MR_UPLOAD_TUS) {
        why = (mr_refusal){.status = 404, .code = "no-such-upload", .detail = "there is no such upload"};
        good = false;
    }
    const bool empty_whole = state->verb == CREATE && state->upload.length == 0 && state->upload.role == MR_UPLOAD_WHOLE;
    if (good && (state->verb == PATCH || (state->verb == CREATE && has_body(call)) || empty_whole))
        good = begin_writing(call, state, &why);
    if (!good)
        answer_refusal(call, &why);
    return good;
}

mr_status mr_route_tus_body(mr_call *call, const void *data, size_t len)
{
    tus_call *state = call->state;
    mr_refusal why = {0};
    if (!open_upload(call, state))
        return MR_ERR_INPUT;
    if (!state->writer || !mr_sum_add(&state->sum, data, len)) {
        refuse(call, 503, "unavailable", "the body can't be taken");
        return MR_ERR_NOMEM;
    }
    if (mr_writer_add(state->writer, data, len, &why))
        return MR_OK;
    answer_refusal(call, &why);
    return MR_ERR_LIMIT;
}

/* ---- the end ---- */

static bool end_writing(mr_call *call, tus_call *state)
{
    mr_refusal why = {0};
    unsigned char sum[MR_SUM_MAX];
    if (!state->writer)
        return true;
    if (state->sum.kind != MR_SUM_NONE) {
        const size_t len = mr_sum_end(&state->sum, sum);
        if (len == 0 || memcmp(sum, state->expected, len) != 0) {
            refuse(call, 460, "checksum-mismatch", "the body's checksum is not the one it was sent with; nothing of it was taken");
            return false;
        }
    }
    if (!mr_writer_end(state->writer, &why)) {
        answer_refusal(call, &why);
        return false;
    }
    state->upload = *mr_writer_upload(state->writer);
    return true;
}

/* "final;/api/v1/uploads/tus/ID …", as far as an answer has room. */
static void put_concat(mr_call *call, const mr_upload *upload)
{
    char text[1500] = "final;";
    size_t len = strlen(text);
    for (const char *at = upload->concat; *at && len < sizeof(text);) {
        const size_t id = strcspn(at, " ");
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/api/v1/uploads/tus/%.*s", at == upload->concat ? "" : " ", (int)id, at);
        at += id + strspn(at + id, " ");
    }
    if (upload->role == MR_UPLOAD_PARTIAL)
        mr_http_reply_field(call->exchange, "Upload-Concat", "partial");
    else if (upload->role == MR_UPLOAD_FINAL)
        mr_http_reply_field(call->exchange, "Upload-Concat", len < sizeof(text) ? text : "final");
}

static void answer_head(mr_call *call, const mr_upload *upload)
{
    put_common(call);
    if (upload->role != MR_UPLOAD_FINAL || upload->state == MR_UPLOAD_COMPLETE)
        mr_call_number_field(call, "Upload-Offset", upload->offset);
    if (upload->length >= 0)
        mr_call_number_field(call, "Upload-Length", upload->length);
    else
        mr_http_reply_field(call->exchange, "Upload-Defer-Length", "1");
    if (upload->metadata[0])
        mr_http_reply_field(call->exchange, "Upload-Metadata", upload->metadata);
    put_concat(call, upload);
    put_expiry(call, upload);
    mr_call_empty(call, 200);
}

static void answer_created(mr_call *call, const mr_upload *upload)
{
    char path[128];
    put_common(call);
    snprintf(path, sizeof(path), "/api/v1/uploads/tus/%s", upload->id);
    mr_http_reply_field(call->exchange, "Location", path);
    mr_call_number_field(call, "Upload-Offset", upload->offset);
    if (upload->video[0])
        mr_http_reply_field(call->exchange, "Millrace-Video", upload->video);
    put_expiry(call, upload);
    mr_call_empty(call, 201);
}

void mr_route_tus_answer(mr_call *call)
{
    tus_call *state = call->state;
    mr_refusal why = {0};
    if (!open_upload(call, state) || !end_writing(call, state))
        return;
    switch (state->verb) {
    case CREATE: answer_created(call, &state->upload); break;
    case HEAD: answer_head(call, &state->upload); break;
    case PATCH:
        put_common(call);
        mr_call_number_field(call, "Upload-Offset", state->upload.offset);
        put_expiry(call, &state->upload);
        mr_call_empty(call, 204);
        break;
    case TERMINATE:
        if (!mr_uploads_remove(call->server->uploads, &state->upload, &why)) {
            answer_refusal(call, &why);
            break;
        }
        put_common(call);
        mr_call_empty(call, 204);
        break;
    }
}

void mr_route_tus_ended(mr_call *call)
{
    tus_call *state = call->state;
    if (!state)
        return;
    mr_writer_free(state->writer);
    mr_sum_free(&state->sum);
    free(state);
}
