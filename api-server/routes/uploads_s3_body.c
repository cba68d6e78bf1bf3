/* SPDX-License-Identifier: MIT */
/* The signature of a request of S3's API, and its body: encodings, checksums. Nothing of a body counts before all of it was found right. */
#include "api-server/routes/uploads_s3.h"

#include "api-server/uploads/s3_xml.h"
#include "api-server/uploads/tus_fields.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- signatures ---- */

static void answer_verdict(mr_call *call, mr_sigv4_verdict verdict)
{
    switch (verdict) {
    case MR_SIGV4_NONE: mr_s3_error(call, 403, "AccessDenied", "the request is not signed (AWS4-HMAC-SHA256)"); break;
    case MR_SIGV4_MALFORMED:
        mr_s3_error(call, 400, "AuthorizationHeaderMalformed", "the field Authorization, or what belongs to it, is not well formed");
        break;
    case MR_SIGV4_MALFORMED_QUERY:
        mr_s3_error(call, 400, "AuthorizationQueryParametersError", "the signature in the query is not well formed");
        break;
    case MR_SIGV4_SKEWED: mr_s3_error(call, 403, "RequestTimeTooSkewed", "the request's time and the server's are more than 15 minutes apart"); break;
    case MR_SIGV4_EXPIRED: mr_s3_error(call, 403, "AccessDenied", "Request has expired"); break;
    case MR_SIGV4_NOT_SIGNED: mr_s3_error(call, 403, "AccessDenied", "there were headers present in the request which were not signed"); break;
    case MR_SIGV4_NO_MEMORY: mr_s3_error(call, 503, "SlowDown", "the server is short of memory"); break;
    default: mr_s3_error(call, 403, "SignatureDoesNotMatch", "the signature is not that of this request with the key's secret"); break;
    }
}

/* "v_…" is a key of the server's own, for that video alone; others are API keys. */
static mr_status find_secret(mr_call *call, mr_s3_call *state, char secret[64])
{
    const mr_upload_people *people = call->server->upload_people;
    mr_identity who = {0};
    mr_status status = MR_OK;
    if (strncmp(state->claim.key_id, "v_", 2) == 0) {
        char purpose[160];
        if (strcmp(state->claim.key_id, call->ids[1]) != 0)
            return MR_ERR_NOT_FOUND;
        status = people->video_owner(people->context, call->ids[1], state->owner);
        if (status == MR_OK)
            status = people->may_upload(people->context, state->owner);
        snprintf(purpose, sizeof(purpose), "s3/%s", state->claim.key_id);
        people->own_secret(people->context, purpose, secret);
        return status;
    }
    status = people->key_secret(people->context, state->claim.key_id, secret, &who);
    snprintf(state->owner, sizeof(state->owner), "%s", who.user);
    state->admin = who.role == MR_ROLE_ADMIN;
    return status;
}

bool mr_s3_authenticate(mr_call *call, mr_s3_call *state, unsigned char ret_key[MR_SIGV4_KEY])
{
    const size_t count = mr_http_field_count(call->exchange);
    char secret[64];
    mr_sigv4_field *fields = calloc(count + 1, sizeof(*fields));
    mr_sigv4_verdict verdict = fields ? MR_SIGV4_GOOD : MR_SIGV4_NO_MEMORY;
    const mr_sigv4_request request = {
        .method = mr_http_method(call->exchange), .target = mr_http_target(call->exchange), .fields = fields, .field_count = count};
    for (size_t i = 0; i < count && fields; i++)
        mr_http_field_at(call->exchange, i, &fields[i].name, &fields[i].value);
    if (verdict == MR_SIGV4_GOOD)
        verdict = mr_sigv4_read(&request, &state->claim);
    mr_status found = verdict == MR_SIGV4_GOOD ? find_secret(call, state, secret) : MR_OK;
    if (verdict == MR_SIGV4_GOOD && found == MR_OK)
        verdict = mr_sigv4_verify(&request, &state->claim, secret, time(NULL), ret_key);
    OPENSSL_cleanse(secret, sizeof(secret));
    free(fields);
    if (found == MR_ERR_NOT_FOUND)
        mr_s3_error(call, 403, "InvalidAccessKeyId", "there is no such access key, or it may not upload");
    else if (found != MR_OK)
        mr_s3_error(call, 503, "SlowDown", "the key can't be looked up at the moment");
    else if (verdict != MR_SIGV4_GOOD)
        answer_verdict(call, verdict);
    return found == MR_OK && verdict == MR_SIGV4_GOOD;
}

/* ---- checksums ---- */

static mr_s3_sum *add_sum(mr_s3_call *state, mr_sum_kind kind)
{
    mr_s3_sum *sum = state->sum_count < MR_S3_SUMS ? &state->sums[state->sum_count] : NULL;
    if (!sum || !mr_sum_begin(&sum->sum, kind))
        return NULL;
    state->sum_count++;
    return sum;
}

static bool set_expected(mr_s3_sum *sum, const char *base64)
{
    size_t len = 0;
    sum->known = mr_base64_decode(base64, strlen(base64), sum->expected, sizeof(sum->expected), &len) && len == mr_sum_size(sum->sum.kind);
    return sum->known;
}

static bool bad_digest(mr_call *call, const char *name)
{
    char detail[128];
    snprintf(detail, sizeof(detail), "'%.60s' is no checksum that is known here", name);
    mr_s3_error(call, 400, "InvalidDigest", detail);
    return false;
}

/* x-amz-content-sha256: 64 hex digits, or a word that says there is none. */
static bool add_payload_sum(mr_call *call, mr_s3_call *state)
{
    const char *hex = state->claim.payload;
    if (strcmp(hex, "UNSIGNED-PAYLOAD") == 0 || state->chunked)
        return true;
    mr_s3_sum *sum = add_sum(state, MR_SUM_SHA256);
    if (!sum || strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
        return bad_digest(call, "x-amz-content-sha256");
    for (size_t i = 0; i < 32; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        sum->expected[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    sum->known = true;
    return true;
}

static bool add_field_sums(mr_call *call, mr_s3_call *state)
{
    static const char prefix[] = "x-amz-checksum-";
    const char *md5 = mr_http_field(call->exchange, "Content-MD5");
    const char *trailer = mr_http_field(call->exchange, "x-amz-trailer");
    for (size_t i = 0; i < mr_http_field_count(call->exchange); i++) {
        const char *name = NULL;
        const char *value = NULL;
        mr_http_field_at(call->exchange, i, &name, &value);
        if (strncasecmp(name, prefix, sizeof(prefix) - 1) != 0)
            continue;
        name += sizeof(prefix) - 1;
        const mr_sum_kind kind = mr_sum_by_name(name, strlen(name));
        mr_s3_sum *sum = kind != MR_SUM_NONE && state->verb != MR_S3_COMPLETE ? add_sum(state, kind) : NULL; /* there it is of the whole upload */
        if (sum && !set_expected(sum, value))
            return bad_digest(call, name);
    }
    if (md5) {
        mr_s3_sum *sum = add_sum(state, MR_SUM_MD5);
        if (!sum || !set_expected(sum, md5))
            return bad_digest(call, "Content-MD5");
    }
    if (trailer && state->chunked) {
        const bool known = strncasecmp(trailer, prefix, sizeof(prefix) - 1) == 0;
        const mr_sum_kind kind = known ? mr_sum_by_name(trailer + sizeof(prefix) - 1, strlen(trailer) - (sizeof(prefix) - 1)) : MR_SUM_NONE;
        if (kind == MR_SUM_NONE || !add_sum(state, kind))
            return bad_digest(call, trailer);
    }
    return true;
}

/* ---- pieces ---- */

/* Content, without any framing. */
static mr_status take_content(void *context, const void *data, size_t len)
{
    mr_s3_call *state = context;
    for (size_t i = 0; i < state->sum_count; i++) {
        if (!mr_sum_add(&state->sums[i].sum, data, len))
            return MR_ERR_NOMEM;
    }
    if (state->writer)
        return mr_writer_add(state->writer, data, len, &state->why) ? MR_OK : MR_ERR_CANCELLED;
    if (len > MR_S3_BODY_MAX - state->list_len)
        return MR_ERR_LIMIT;
    char *grown = realloc(state->list, state->list_len + len + 1);
    if (!grown)
        return MR_ERR_NOMEM;
    memcpy(grown + state->list_len, data, len);
    state->list = grown;
    state->list_len += len;
    return MR_OK;
}

static mr_status take_trailer(void *context, const char *name, const char *value)
{
    static const char prefix[] = "x-amz-checksum-";
    mr_s3_call *state = context;
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return MR_OK;
    const mr_sum_kind kind = mr_sum_by_name(name + sizeof(prefix) - 1, strlen(name) - (sizeof(prefix) - 1));
    for (size_t i = 0; i < state->sum_count; i++) {
        if (state->sums[i].sum.kind == kind && !state->sums[i].known)
            return set_expected(&state->sums[i], value) ? MR_OK : MR_ERR_INPUT;
    }
    return MR_ERR_INPUT; /* not announced */
}

bool mr_s3_open_body(mr_call *call, mr_s3_call *state, const unsigned char key[MR_SIGV4_KEY])
{
    state->chunked = mr_aws_is_chunked(state->claim.payload);
    state->length = mr_http_length(call->exchange);
    if (state->chunked) {
        const char *decoded = mr_http_field(call->exchange, "x-amz-decoded-content-length");
        if (!decoded || !mr_tus_number(decoded, &state->length)) {
            mr_s3_error(call, 411, "MissingContentLength", "'x-amz-decoded-content-length' must say the length of the content");
            return false;
        }
        state->chunks = (mr_aws_chunks){.context = state, .data = take_content, .trailer = take_trailer, .length = (uint64_t)state->length};
        if (mr_aws_chunks_begin(&state->chunks, &state->claim, key) != MR_OK) {
            mr_s3_error(call, 501, "NotImplemented", "this x-amz-content-sha256 is not known here");
            return false;
        }
    }
    return add_payload_sum(call, state) && add_field_sums(call, state);
}

static bool answer_body_error(mr_call *call, const mr_s3_call *state, mr_status status)
{
    switch (status) {
    case MR_ERR_CANCELLED: mr_s3_refuse(call, &state->why); break;
    case MR_ERR_CONFLICT: mr_s3_error(call, 403, "SignatureDoesNotMatch", "the signature of a chunk is not right"); break;
    case MR_ERR_LIMIT: mr_s3_error(call, 400, "EntityTooLarge", "the body has more bytes than it said, or than are taken"); break;
    case MR_ERR_NOMEM: mr_s3_error(call, 503, "SlowDown", "the server is short of memory"); break;
    default: mr_s3_error(call, 400, "IncompleteBody", "the body is not well formed (aws-chunked), or too short"); break;
    }
    return false;
}

bool mr_s3_take_body(mr_call *call, mr_s3_call *state, const void *data, size_t len)
{
    const mr_status status = state->chunked ? mr_aws_chunks_add(&state->chunks, data, len) : take_content(state, data, len);
    return status == MR_OK || answer_body_error(call, state, status);
}

bool mr_s3_check_body(mr_call *call, mr_s3_call *state)
{
    const mr_status status = state->chunked ? mr_aws_chunks_end(&state->chunks) : MR_OK;
    if (status != MR_OK)
        return answer_body_error(call, state, status);
    for (size_t i = 0; i < state->sum_count; i++) {
        unsigned char sum[MR_SUM_MAX];
        mr_s3_sum *one = &state->sums[i];
        const size_t len = mr_sum_end(&one->sum, sum);
        if (one->known && len > 0 && memcmp(sum, one->expected, len) == 0)
            continue;
        const bool payload = one->sum.kind == MR_SUM_SHA256 && i == 0 && !state->chunked && strlen(state->claim.payload) == 64;
        mr_s3_error(call, 400, payload ? "XAmzContentSHA256Mismatch" : "BadDigest", "the body's checksum is not the one it was sent with");
        return false;
    }
    return true;
}

void mr_s3_close_body(mr_s3_call *state)
{
    mr_aws_chunks_free(&state->chunks);
    for (size_t i = 0; i < state->sum_count; i++)
        mr_sum_free(&state->sums[i].sum);
    free(state->list);
}
