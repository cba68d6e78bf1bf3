/* SPDX-License-Identifier: MIT */
/*
 * What of S3's API uploads need, at /s3/uploads/VIDEO/NAME: PutObject, HeadObject, CreateMultipartUpload, UploadPart, ListParts,
 * CompleteMultipartUpload, AbortMultipartUpload, with errors and answers as S3 has them. "Amazon Simple Storage Service API Reference".
 */
#include "api-server/routes/uploads_s3.h"

#include "api-server/base/clock.h"
#include "api-server/uploads/s3_xml.h"
#include "api-server/uploads/tus_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* ---- answers ---- */

typedef struct xml {
    FILE *out;
    char *text;
    size_t len;
} xml;

static bool xml_begin(xml *doc, const char *root)
{
    *doc = (xml){0};
    doc->out = open_memstream(&doc->text, &doc->len);
    if (doc->out)
        fprintf(doc->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s>", root);
    return doc->out != NULL;
}

static void xml_put(xml *doc, const char *name, const char *text)
{
    fprintf(doc->out, "<%s>", name);
    mr_s3_put_text(doc->out, text);
    fprintf(doc->out, "</%s>", name);
}

static void xml_answer(mr_call *call, int status, xml *doc, const char *root)
{
    fprintf(doc->out, "</%s>", root);
    const bool good = fclose(doc->out) == 0;
    mr_http_reply_field(call->exchange, "x-amz-request-id", call->request_id);
    if (good)
        mr_call_text(call, status, "application/xml", doc->text, doc->len);
    else
        mr_call_empty(call, 503);
    free(doc->text);
}

void mr_s3_error(mr_call *call, int status, const char *code, const char *detail)
{
    xml doc;
    mr_s3_call *state = call->state;
    if (state) { /* what was written is dropped before the answer is out: whoever is told no may try again at once */
        mr_writer_free(state->writer);
        state->writer = NULL;
    }
    if (!xml_begin(&doc, "Error")) {
        mr_call_empty(call, 503);
        return;
    }
    xml_put(&doc, "Code", code);
    xml_put(&doc, "Message", detail);
    xml_put(&doc, "Resource", mr_http_path(call->exchange));
    xml_put(&doc, "RequestId", call->request_id);
    xml_answer(call, status, &doc, "Error");
}

/* What S3 calls it. */
void mr_s3_refuse(mr_call *call, const mr_refusal *why)
{
    static const struct {
        const char *ours, *theirs;
        int status;
    } names[] = {
        {"upload-too-large", "EntityTooLarge", 400}, {"quota-exceeded", "EntityTooLarge", 413},
        {"type-not-taken", "InvalidRequest", 415},   {"no-such-upload", "NoSuchUpload", 404},
        {"upload-expired", "NoSuchUpload", 404},     {"no-such-video", "NoSuchKey", 404},
        {"upload-busy", "OperationAborted", 409},    {"upload-complete", "OperationAborted", 409},
        {"invalid-part", "InvalidPart", 400},        {"part-too-small", "EntityTooSmall", 400},
        {"bad-part-number", "InvalidArgument", 400}, {"no-length", "MissingContentLength", 411},
        {"incomplete-body", "IncompleteBody", 400},  {"unavailable", "SlowDown", 503},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].ours, why->code) == 0) {
            mr_s3_error(call, names[i].status, names[i].theirs, why->detail);
            return;
        }
    }
    mr_s3_error(call, why->status, "InternalError", why->detail);
}

static void put_etag(mr_call *call, const char *etag)
{
    char text[MR_UPLOAD_ETAG + 2];
    snprintf(text, sizeof(text), "\"%s\"", etag);
    mr_http_reply_field(call->exchange, "ETag", text);
}

/* ---- what is asked ---- */

static mr_s3_verb find_verb(mr_call *call)
{
    const char *method = mr_http_method(call->exchange);
    const bool upload = mr_call_query(call, "uploadId") != NULL;
    if (strcmp(method, "PUT") == 0)
        return upload ? MR_S3_PART : MR_S3_PUT;
    if (strcmp(method, "POST") == 0)
        return upload ? MR_S3_COMPLETE : mr_call_query(call, "uploads") ? MR_S3_CREATE : MR_S3_OTHER;
    if (strcmp(method, "DELETE") == 0 && upload)
        return MR_S3_ABORT;
    if (strcmp(method, "HEAD") == 0)
        return MR_S3_HEAD;
    return strcmp(method, "GET") == 0 && upload ? MR_S3_LIST : MR_S3_OTHER;
}

void mr_route_s3_begin(mr_call *call, uint64_t *ret_body_max)
{
    mr_s3_call *state = calloc(1, sizeof(*state));
    (void)ret_body_max;
    call->state = state;
    if (!state) {
        mr_s3_error(call, 503, "SlowDown", "the server is short of memory");
        return;
    }
    state->verb = find_verb(call);
    if (strcmp(call->ids[0], "uploads") != 0)
        mr_s3_error(call, 404, "NoSuchBucket", "the one bucket is 'uploads'");
    else if (state->verb == MR_S3_OTHER)
        mr_s3_error(call, 501, "NotImplemented", "of S3's API uploads are here, and nothing else");
}

/* A new upload of this video. */
static bool create(mr_call *call, mr_s3_call *state, mr_upload_kind kind, int64_t length, mr_refusal *why)
{
    const mr_upload_people *people = call->server->upload_people;
    mr_upload *upload = &state->upload;
    char owner[MR_UPLOAD_ID] = "";
    const char *type = mr_http_field(call->exchange, "Content-Type");
    const mr_status status = people->video_owner(people->context, call->ids[1], owner);
    if (status != MR_OK || (!state->admin && strcmp(owner, state->owner) != 0)) {
        *why = (mr_refusal){.status = 404, .code = "no-such-video", .detail = "the key must begin with the id of a video of yours"};
        return false;
    }
    upload->kind = kind;
    upload->length = length;
    snprintf(upload->video, sizeof(upload->video), "%s", call->ids[1]);
    snprintf(upload->owner, sizeof(upload->owner), "%s", owner);
    snprintf(upload->type, sizeof(upload->type), "%s", type ? type : "");
    mr_upload_file_name(call->ids[2], upload->filename);
    return mr_uploads_create(call->server->uploads, upload, NULL, why);
}

static bool find(mr_call *call, mr_s3_call *state, mr_refusal *why)
{
    const char *id = mr_call_query(call, "uploadId");
    if (!mr_uploads_find(call->server->uploads, id ? id : "", state->admin ? NULL : state->owner, &state->upload, why))
        return false;
    if (state->upload.kind == MR_UPLOAD_MULTIPART && strcmp(state->upload.video, call->ids[1]) == 0 && state->upload.state == MR_UPLOAD_OPEN)
        return true;
    *why = (mr_refusal){.status = 404, .code = "no-such-upload", .detail = "there is no such upload of this key"};
    return false;
}

static bool begin_writing(mr_call *call, mr_s3_call *state, mr_refusal *why)
{
    const char *text = mr_call_query(call, "partNumber");
    int64_t number = 0;
    if (state->verb == MR_S3_PART && (!text || !mr_tus_number(text, &number) || number < 1 || number > MR_UPLOAD_PARTS))
        number = -1;
    const mr_write write = {.length = state->length, .part = (int32_t)number, .whole = true};
    state->writer = mr_writer_begin(call->server->uploads, &state->upload, &write, why);
    return state->writer != NULL;
}

static bool prepare(mr_call *call, mr_s3_call *state, mr_refusal *why)
{
    switch (state->verb) {
    case MR_S3_PUT:
        if (state->length >= 0)
            return create(call, state, MR_UPLOAD_PUT, state->length, why) && begin_writing(call, state, why);
        *why = (mr_refusal){.status = 411, .code = "no-length", .detail = "the length of the content must be said"};
        return false;
    case MR_S3_PART: return find(call, state, why) && begin_writing(call, state, why);
    case MR_S3_CREATE: return create(call, state, MR_UPLOAD_MULTIPART, -1, why);
    case MR_S3_HEAD: return mr_uploads_find_of_video(call->server->uploads, call->ids[1], &state->upload, why);
    default: return find(call, state, why);
    }
}

/* On the upload lane, once. False: answered. */
static bool open_call(mr_call *call, mr_s3_call *state)
{
    unsigned char key[MR_SIGV4_KEY] = {0};
    mr_refusal why = {0};
    if (state->opened)
        return true;
    state->opened = true;
    if (!mr_s3_authenticate(call, state, key) || !mr_s3_open_body(call, state, key))
        return false;
    const bool good = prepare(call, state, &why);
    if (!good)
        mr_s3_refuse(call, &why);
    return good;
}

mr_status mr_route_s3_body(mr_call *call, const void *data, size_t len)
{
    mr_s3_call *state = call->state;
    return open_call(call, state) && mr_s3_take_body(call, state, data, len) ? MR_OK : MR_ERR_INPUT;
}

/* ---- what is answered ---- */

static void answer_written(mr_call *call, mr_s3_call *state)
{
    mr_refusal why = {0};
    if (!mr_writer_end(state->writer, &why)) {
        mr_s3_refuse(call, &why);
        return;
    }
    put_etag(call, state->verb == MR_S3_PART ? mr_writer_etag(state->writer) : mr_writer_upload(state->writer)->etag);
    mr_http_reply_field(call->exchange, "x-amz-request-id", call->request_id);
    mr_call_empty(call, 200);
}

static void put_key(mr_call *call, xml *doc)
{
    char key[1200];
    snprintf(key, sizeof(key), "%s/%s", call->ids[1], call->ids[2]);
    xml_put(doc, "Bucket", "uploads");
    xml_put(doc, "Key", key);
}

static void answer_created(mr_call *call, const mr_upload *upload)
{
    xml doc;
    if (!xml_begin(&doc, "InitiateMultipartUploadResult " NAMESPACE)) {
        mr_s3_error(call, 503, "SlowDown", "the server is short of memory");
        return;
    }
    put_key(call, &doc);
    xml_put(&doc, "UploadId", upload->id);
    xml_answer(call, 200, &doc, "InitiateMultipartUploadResult");
}

static bool assemble(mr_call *call, mr_s3_call *state)
{
    mr_s3_part *parts = NULL;
    size_t count = 0;
    mr_refusal why = {0};
    const mr_status status = mr_s3_parse_parts(state->list ? state->list : "", state->list_len, &parts, &count);
    if (status != MR_OK) {
        mr_s3_error(call, 400, status == MR_ERR_CONFLICT ? "InvalidPartOrder" : "MalformedXML",
                    "the list of parts is not well formed, or not in order");
        return false;
    }
    mr_part_name *names = calloc(count, sizeof(*names));
    for (size_t i = 0; i < count && names; i++)
        names[i] = (mr_part_name){.number = parts[i].number, .etag = parts[i].etag};
    bool good = names && mr_uploads_assemble(call->server->uploads, &state->upload, names, count, &why);
    if (!names)
        mr_s3_error(call, 503, "SlowDown", "the server is short of memory");
    else if (!good)
        mr_s3_refuse(call, &why);
    free(names);
    free(parts);
    return good;
}

static void answer_completed(mr_call *call, mr_s3_call *state)
{
    xml doc;
    char etag[MR_UPLOAD_ETAG + 2];
    char location[2048];
    const char *origin = mr_call_origin(call);
    if (!assemble(call, state))
        return;
    if (!xml_begin(&doc, "CompleteMultipartUploadResult " NAMESPACE)) {
        mr_s3_error(call, 503, "SlowDown", "the server is short of memory");
        return;
    }
    snprintf(location, sizeof(location), "%s%s", origin ? origin : "", mr_http_path(call->exchange));
    snprintf(etag, sizeof(etag), "\"%s\"", state->upload.etag);
    xml_put(&doc, "Location", location);
    put_key(call, &doc);
    xml_put(&doc, "ETag", etag);
    xml_answer(call, 200, &doc, "CompleteMultipartUploadResult");
}

static void put_parts(xml *doc, const mr_upload_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[MR_UPLOAD_ETAG + 2];
        char time[MR_TIME_SIZE];
        fprintf(doc->out, "<Part><PartNumber>%" PRId32 "</PartNumber><Size>%" PRId64 "</Size>", parts[i].number, parts[i].size);
        snprintf(text, sizeof(text), "\"%s\"", parts[i].etag);
        xml_put(doc, "ETag", text);
        xml_put(doc, "LastModified", mr_time_text(parts[i].modified_us, time));
        fputs("</Part>", doc->out);
    }
}

static void answer_list(mr_call *call, mr_s3_call *state)
{
    mr_upload_part *parts = NULL;
    size_t count = 0;
    size_t first = 0;
    int64_t most = 1000;
    int64_t after = 0;
    mr_refusal why = {0};
    xml doc;
    if (!mr_call_query_number(call, "max-parts", 0, 1000, 1000, &most) ||
        !mr_call_query_number(call, "part-number-marker", 0, MR_UPLOAD_PARTS, 0, &after))
        return;
    if (!mr_uploads_parts(call->server->uploads, &state->upload, &parts, &count, &why)) {
        mr_s3_refuse(call, &why);
        return;
    }
    while (first < count && parts[first].number <= after)
        first++;
    const size_t some = count - first < (size_t)most ? count - first : (size_t)most;
    if (xml_begin(&doc, "ListPartsResult " NAMESPACE)) {
        put_key(call, &doc);
        xml_put(&doc, "UploadId", state->upload.id);
        fprintf(doc.out, "<PartNumberMarker>%" PRId64 "</PartNumberMarker><NextPartNumberMarker>%" PRId32 "</NextPartNumberMarker>", after,
                some ? parts[first + some - 1].number : (int32_t)after);
        fprintf(doc.out, "<MaxParts>%" PRId64 "</MaxParts><IsTruncated>%s</IsTruncated>", most, first + some < count ? "true" : "false");
        put_parts(&doc, parts + first, some);
        xml_answer(call, 200, &doc, "ListPartsResult");
    } else {
        mr_s3_error(call, 503, "SlowDown", "the server is short of memory");
    }
    free(parts);
}

static void answer_aborted(mr_call *call, mr_s3_call *state)
{
    mr_refusal why = {0};
    if (mr_uploads_remove(call->server->uploads, &state->upload, &why))
        mr_call_empty(call, 204);
    else
        mr_s3_refuse(call, &why);
}

/* The answer to a GET, whose content stays away: S3 says an object's length in Content-Length. */
static void answer_head(mr_call *call, const mr_s3_call *state)
{
    const bool mine = state->admin || strcmp(state->owner, state->upload.owner) == 0;
    const int fd = mine ? mr_uploads_open_file(call->server->uploads, &state->upload) : -1;
    if (fd < 0) {
        mr_s3_error(call, 404, "NoSuchKey", "there is no such object");
        return;
    }
    put_etag(call, state->upload.etag);
    mr_http_reply_field(call->exchange, "Content-Type", state->upload.type[0] ? state->upload.type : "application/octet-stream");
    mr_http_reply_file(call->exchange, 200, fd, 0, (uint64_t)state->upload.length);
}

void mr_route_s3_answer(mr_call *call)
{
    mr_s3_call *state = call->state;
    if (!open_call(call, state) || !mr_s3_check_body(call, state))
        return;
    switch (state->verb) {
    case MR_S3_PUT:
    case MR_S3_PART: answer_written(call, state); break;
    case MR_S3_CREATE: answer_created(call, &state->upload); break;
    case MR_S3_COMPLETE: answer_completed(call, state); break;
    case MR_S3_ABORT: answer_aborted(call, state); break;
    case MR_S3_LIST: answer_list(call, state); break;
    default: answer_head(call, state); break;
    }
}

void mr_route_s3_ended(mr_call *call)
{
    mr_s3_call *state = call->state;
    if (!state)
        return;
    mr_writer_free(state->writer);
    mr_s3_close_body(state);
    free(state);
}
