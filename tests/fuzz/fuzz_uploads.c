/* SPDX-License-Identifier: MIT */
/*
 * What clients write about uploads: the first byte says what the rest is. A signature's request, a body in aws-chunked (in pieces whose size the
 * second byte says), a list of parts, fields of tus. What is accepted must hold what its header promises.
 */
#include "api-server/uploads/aws_chunked.h"
#include "api-server/uploads/s3_xml.h"
#include "api-server/uploads/tus_fields.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* Lines: method, target, then "name:value". */
static void fuzz_signature(char *text)
{
    mr_sigv4_field fields[40];
    mr_sigv4_claim claim;
    unsigned char key[MR_SIGV4_KEY];
    char *rest = text;
    const char *method = strsep(&rest, "\n");
    const char *target = rest ? strsep(&rest, "\n") : "/";
    size_t count = 0;
    while (rest && count < 40) {
        char *value = strsep(&rest, "\n");
        const char *name = strsep(&value, ":");
        fields[count++] = (mr_sigv4_field){name, value ? value : ""};
    }
    const mr_sigv4_request request = {method, target, fields, count};
    if (mr_sigv4_read(&request, &claim) != MR_SIGV4_GOOD)
        return;
    must(strlen(claim.signature) == MR_SIGV4_HASH - 1 && claim.key_id[0] && claim.expires_s <= MR_SIGV4_EXPIRES_S);
    mr_sigv4_verify(&request, &claim, "secret", 1369353600, key);
}

typedef struct taken {
    uint64_t bytes;
    unsigned trailers;
} taken;

static mr_status on_data(void *context, const void *data, size_t len)
{
    (void)data;
    ((taken *)context)->bytes += len;
    return MR_OK;
}

static mr_status on_trailer(void *context, const char *name, const char *value)
{
    must(name[0] && !strchr(value, '\n'));
    ((taken *)context)->trailers++;
    return MR_OK;
}

static void fuzz_chunks(const char *body, size_t len, size_t piece)
{
    static const char *const payloads[] = {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"};
    static const unsigned char key[MR_SIGV4_KEY];
    for (size_t i = 0; i < 2; i++) {
        mr_sigv4_claim claim = {.scope = "20130524/us-east-1/s3/aws4_request", .time = "20130524T000000Z"};
        taken to = {0};
        mr_aws_chunks chunks = {.context = &to, .data = on_data, .trailer = on_trailer, .length = 1000};
        snprintf(claim.payload, sizeof(claim.payload), "%s", payloads[i]);
        mr_status status = mr_aws_chunks_begin(&chunks, &claim, key);
        for (size_t at = 0; at < len && status == MR_OK; at += piece)
            status = mr_aws_chunks_add(&chunks, body + at, len - at < piece ? len - at : piece);
        must(to.bytes <= 1000 && to.trailers <= MR_AWS_TRAILERS);
        if (status == MR_OK && mr_aws_chunks_end(&chunks) == MR_OK)
            must(to.bytes == 1000 && i == 0); /* nobody guesses a signature */
        mr_aws_chunks_free(&chunks);
    }
}

static void fuzz_parts(const char *xml, size_t len)
{
    mr_s3_part *parts = NULL;
    size_t count = 0;
    if (mr_s3_parse_parts(xml, len, &parts, &count) != MR_OK) {
        must(!parts);
        return;
    }
    must(count > 0 && count <= MR_UPLOAD_PARTS);
    for (size_t i = 0; i < count; i++)
        must(parts[i].number >= 1 && parts[i].number <= MR_UPLOAD_PARTS && parts[i].etag[0] && (i == 0 || parts[i].number > parts[i - 1].number));
    free(parts);
}

static void fuzz_fields(const char *text)
{
    static char ids[MR_UPLOAD_CONCAT];
    char value[MR_UPLOAD_NAME];
    unsigned char sum[MR_SUM_MAX];
    mr_sum_kind kind = MR_SUM_NONE;
    mr_upload_role role = MR_UPLOAD_WHOLE;
    int64_t number = 0;
    if (mr_tus_metadata_is_valid(text) && mr_tus_metadata_get(text, "filename", value, sizeof(value)))
        must(strlen(value) < sizeof(value) && mr_upload_is_text(value, strlen(value)));
    if (mr_tus_concat(text, &role, ids) && role == MR_UPLOAD_FINAL)
        must(ids[0] && !strchr(ids, '/') && !strchr(ids, '.'));
    if (mr_tus_number(text, &number))
        must(number >= 0);
    mr_tus_checksum(text, &kind, sum);
    mr_upload_file_name(text, value);
    must(value[0] && !strchr(value, '/') && strcmp(value, "..") != 0 && mr_upload_is_text(value, strlen(value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    char *text = malloc(size - 1);
    if (!text)
        return 0;
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    switch (data[0]) {
    case 's': fuzz_signature(text); break;
    case 'c': fuzz_chunks(text, size - 2, 1 + data[1]); break;
    case 'p': fuzz_parts(text, size - 2); break;
    default: fuzz_fields(text); break;
    }
    free(text);
    return 0;
}
