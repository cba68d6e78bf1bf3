/* SPDX-License-Identifier: MIT */
/*
 * "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", with and without trailing fields:
 *   chunk   = hex size [;chunk-signature=SIGNATURE] CRLF bytes CRLF
 *   last    = 0 [;chunk-signature=SIGNATURE] CRLF {name:value CRLF} [x-amz-trailer-signature:SIGNATURE CRLF] CRLF
 */
#include "api-server/uploads/aws_chunked.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD, DATA, DATA_END, TRAILER, DONE };

static const struct mode {
    const char *payload;
    bool is_signed;
    bool trailers;
} modes[] = {
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true},
    {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true},
};

static const struct mode *find_mode(const char *payload)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].payload, payload) == 0)
            return &modes[i];
    }
    return NULL;
}

bool mr_aws_is_chunked(const char *payload)
{
    return strncmp(payload, "STREAMING-", 10) == 0;
}

static bool restart_hash(mr_aws_chunks *chunks)
{
    return !chunks->is_signed || EVP_DigestInit_ex(chunks->hash, EVP_sha256(), NULL) == 1;
}

static bool add_hash(mr_aws_chunks *chunks, const void *data, size_t len)
{
    return !chunks->is_signed || EVP_DigestUpdate(chunks->hash, data, len) == 1;
}

mr_status mr_aws_chunks_begin(mr_aws_chunks *chunks, const mr_sigv4_claim *claim, const unsigned char key[MR_SIGV4_KEY])
{
    const struct mode *mode = find_mode(claim->payload);
    chunks->state = HEAD;
    chunks->hash = NULL;
    chunks->line_len = 0;
    chunks->total = chunks->left = 0;
    chunks->trailer_count = 0;
    chunks->claim = claim;
    if (!mode)
        return MR_ERR_UNSUPPORTED;
    chunks->is_signed = mode->is_signed;
    chunks->trailers = mode->trailers;
    memcpy(chunks->key, key, MR_SIGV4_KEY);
    memcpy(chunks->previous, claim->signature, MR_SIGV4_HASH);
    if (chunks->is_signed)
        chunks->hash = EVP_MD_CTX_new();
    return !chunks->is_signed || chunks->hash ? MR_OK : MR_ERR_NOMEM;
}

void mr_aws_chunks_free(mr_aws_chunks *chunks)
{
    EVP_MD_CTX_free(chunks->hash);
    chunks->hash = NULL;
    OPENSSL_cleanse(chunks->key, sizeof(chunks->key));
}

/* Is what was claimed the signature of what was hashed? It is what the next one stands on. */
static mr_status check_signature(mr_aws_chunks *chunks, bool trailer)
{
    unsigned char sum[32];
    char hash[MR_SIGV4_HASH];
    char expected[MR_SIGV4_HASH];
    if (!chunks->is_signed)
        return MR_OK;
    if (EVP_DigestFinal_ex(chunks->hash, sum, NULL) != 1)
        return MR_ERR_NOMEM;
    mr_sigv4_hex(sum, hash);
    if (!mr_sigv4_chunk(chunks->key, chunks->claim, chunks->previous, hash, trailer, expected))
        return MR_ERR_NOMEM;
    memcpy(chunks->previous, expected, sizeof(expected));
    return mr_sigv4_equal(expected, chunks->claimed) ? MR_OK : MR_ERR_CONFLICT;
}

static mr_status begin_chunk(mr_aws_chunks *chunks)
{
    static const char mark[] = ";chunk-signature=";
    const size_t digits = strspn(chunks->line, "0123456789abcdefABCDEF");
    const char *rest = chunks->line + digits;
    if (digits == 0 || digits > MR_AWS_DIGITS)
        return MR_ERR_INPUT;
    if (chunks->is_signed) {
        if (strncmp(rest, mark, sizeof(mark) - 1) != 0 || strlen(rest) != sizeof(mark) - 1 + MR_SIGV4_HASH - 1)
            return MR_ERR_INPUT;
        memcpy(chunks->claimed, rest + sizeof(mark) - 1, MR_SIGV4_HASH);
    } else if (*rest) {
        return MR_ERR_INPUT;
    }
    chunks->left = strtoull(chunks->line, NULL, 16);
    if (chunks->left > chunks->length - chunks->total)
        return MR_ERR_LIMIT;
    if (!restart_hash(chunks))
        return MR_ERR_NOMEM;
    chunks->state = chunks->left ? DATA : TRAILER;
    if (chunks->left)
        return MR_OK;
    const mr_status status = check_signature(chunks, false);
    return status == MR_OK && !restart_hash(chunks) ? MR_ERR_NOMEM : status;
}

/* A trailing field: hashed as "name:value\n", in the order in which they come. */
static mr_status take_trailer(mr_aws_chunks *chunks)
{
    char *colon = strchr(chunks->line, ':');
    if (!chunks->trailers || !colon || colon == chunks->line || ++chunks->trailer_count > MR_AWS_TRAILERS)
        return MR_ERR_INPUT;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " ");
    for (char *at = chunks->line; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (strcmp(chunks->line, "x-amz-trailer-signature") == 0) {
        if (!chunks->is_signed || chunks->claimed[0] || strlen(value) != MR_SIGV4_HASH - 1)
            return MR_ERR_INPUT;
        memcpy(chunks->claimed, value, MR_SIGV4_HASH);
        return MR_OK;
    }
    if (!add_hash(chunks, chunks->line, strlen(chunks->line)) || !add_hash(chunks, ":", 1) || !add_hash(chunks, value, strlen(value)) ||
        !add_hash(chunks, "\n", 1))
        return MR_ERR_NOMEM;
    return chunks->trailer(chunks->context, chunks->line, value);
}

static mr_status take_line(mr_aws_chunks *chunks)
{
    if (memchr(chunks->line, '\0', chunks->line_len))
        return MR_ERR_INPUT;
    chunks->line[chunks->line_len] = '\0';
    chunks->line_len = 0;
    switch (chunks->state) {
    case HEAD: {
        const mr_status status = begin_chunk(chunks);
        if (chunks->state == TRAILER)
            chunks->claimed[0] = '\0';
        return status;
    }
    case DATA_END: chunks->state = HEAD; return chunks->line[0] ? MR_ERR_INPUT : check_signature(chunks, false);
    default: /* TRAILER */
        if (chunks->line[0])
            return take_trailer(chunks);
        chunks->state = DONE;
        if (!chunks->trailers)
            return MR_OK;
        return chunks->is_signed && !chunks->claimed[0] ? MR_ERR_INPUT : check_signature(chunks, true);
    }
}

static mr_status take_data(mr_aws_chunks *chunks, const char *data, size_t len)
{
    if (!add_hash(chunks, data, len))
        return MR_ERR_NOMEM;
    chunks->left -= len;
    chunks->total += len;
    if (chunks->left == 0)
        chunks->state = DATA_END;
    return chunks->data(chunks->context, data, len);
}

/* Up to the end of a line. The bytes that were used; 0: too long, or an end that is none. */
static size_t gather_line(mr_aws_chunks *chunks, const char *data, size_t len, bool *ret_whole)
{
    const char *end = memchr(data, '\n', len);
    const size_t some = end ? (size_t)(end - data) + 1 : len;
    *ret_whole = end != NULL;
    if (some > sizeof(chunks->line) - 1 - chunks->line_len)
        return 0;
    memcpy(chunks->line + chunks->line_len, data, some);
    chunks->line_len += some;
    if (!end)
        return some;
    if (chunks->line_len < 2 || chunks->line[chunks->line_len - 2] != '\r')
        return 0;
    chunks->line_len -= 2;
    return some;
}

mr_status mr_aws_chunks_add(mr_aws_chunks *chunks, const void *data, size_t len)
{
    const char *from = data;
    mr_status status = MR_OK;
    while (len > 0 && status == MR_OK) {
        size_t some = 0;
        bool whole = false;
        if (chunks->state == DONE)
            return MR_ERR_INPUT;
        if (chunks->state == DATA) {
            some = chunks->left < len ? (size_t)chunks->left : len;
            status = take_data(chunks, from, some);
        } else {
            some = gather_line(chunks, from, len, &whole);
            status = some == 0 ? MR_ERR_INPUT : whole ? take_line(chunks) : MR_OK;
        }
        from += some;
        len -= some;
    }
    return status;
}

mr_status mr_aws_chunks_end(mr_aws_chunks *chunks)
{
    return chunks->state == DONE && chunks->total == chunks->length ? MR_OK : MR_ERR_INPUT;
}
