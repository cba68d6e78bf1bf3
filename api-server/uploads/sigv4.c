/* SPDX-License-Identifier: MIT */
/*
 * Canonical requests, strings to sign, signatures. Path and query are decoded and encoded anew, so that however a client wrote them, both sides sign
 * the same; a byte that stands for nothing (a bad escape) makes the request malformed.
 */
#include "api-server/uploads/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EMPTY     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
enum { PAIRS_MAX = 64, TEXT_MAX = 65536 };

/* ---- small things ---- */

void mr_sigv4_hex(const unsigned char sum[32], char ret_text[MR_SIGV4_HASH])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        ret_text[2 * i] = digits[sum[i] >> 4];
        ret_text[2 * i + 1] = digits[sum[i] & 15];
    }
    ret_text[64] = '\0';
}

bool mr_sigv4_equal(const char *a, const char *b)
{
    return CRYPTO_memcmp(a, b, MR_SIGV4_HASH - 1) == 0;
}

static bool hmac(const void *key, size_t key_len, const char *text, unsigned char ret_sum[32])
{
    unsigned len = 0;
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), ret_sum, &len) && len == 32;
}

static bool hash_hex(const char *data, size_t len, char ret_text[MR_SIGV4_HASH])
{
    unsigned char sum[32];
    if (EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) != 1)
        return false;
    mr_sigv4_hex(sum, ret_text);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next byte of encoded text; -1: a bad escape or a NUL. */
static int next_byte(const char **at, const char *end, bool form)
{
    const char *from = (*at)++;
    if (*from == '+' && form)
        return ' ';
    if (*from != '%')
        return (unsigned char)*from;
    const int high = end - from >= 3 ? hex_digit(from[1]) : -1;
    const int low = high >= 0 ? hex_digit(from[2]) : -1;
    *at = from + 3;
    return low >= 0 && high + low > 0 ? high * 16 + low : -1;
}

static char *put_encoded(char *out, int c, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && keep_slash)) {
        *out++ = (char)c;
    } else {
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    return out;
}

/* Decodes and encodes; out has room for 3 times as much. NULL: a bad escape. Else behind the NUL that ends it. */
static char *recode(const char *from, const char *end, bool path, char *out)
{
    while (from < end) {
        const int c = next_byte(&from, end, !path);
        if (c < 0)
            return NULL;
        out = put_encoded(out, c, path);
    }
    *out = '\0';
    return out + 1;
}

/* ---- queries ---- */

typedef struct pair {
    const char *name;
    const char *value;
} pair;

typedef struct query {
    pair pairs[PAIRS_MAX];
    size_t count;
    char *text; /* holds them, encoded */
} query;

static int compare_pairs(const void *a, const void *b)
{
    const pair *x = a;
    const pair *y = b;
    const int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->value, y->value);
}

static bool read_pair(query *q, const char *from, const char *end, char **out)
{
    const char *equals = memchr(from, '=', (size_t)(end - from));
    pair *next = &q->pairs[q->count];
    if (q->count == PAIRS_MAX)
        return false;
    next->name = *out;
    *out = recode(from, equals ? equals : end, false, *out);
    if (!*out)
        return false;
    next->value = *out;
    *out = recode(equals ? equals + 1 : end, end, false, *out);
    q->count++;
    return *out != NULL;
}

/* Sorted. False: malformed, or no memory (text is NULL). */
static bool read_query(const char *from, query *q)
{
    const char *end = from + strlen(from);
    q->count = 0;
    q->text = end - from < TEXT_MAX ? malloc((size_t)(end - from) * 3 + 2ul * PAIRS_MAX + 2) : NULL;
    char *out = q->text;
    if (!out)
        return false;
    while (from < end) {
        const char *ampersand = memchr(from, '&', (size_t)(end - from));
        const char *stop = ampersand ? ampersand : end;
        if (stop > from && !read_pair(q, from, stop, &out))
            return false;
        from = ampersand ? ampersand + 1 : end;
    }
    qsort(q->pairs, q->count, sizeof(pair), compare_pairs);
    return true;
}

/* Decoded. False: absent, twice, or too long. */
static bool query_value(const query *q, const char *name, char *out, size_t size)
{
    const pair *found = NULL;
    for (size_t i = 0; i < q->count; i++) {
        if (strcmp(q->pairs[i].name, name) != 0)
            continue;
        if (found)
            return false;
        found = &q->pairs[i];
    }
    if (!found)
        return false;
    const char *at = found->value;
    const char *end = at + strlen(at);
    size_t len = 0;
    while (at < end) {
        if (len + 1 >= size)
            return false;
        out[len++] = (char)next_byte(&at, end, false);
    }
    out[len] = '\0';
    return true;
}

static const char *query_of(const char *target)
{
    const char *mark = strchr(target, '?');
    return mark ? mark + 1 : "";
}

/* ---- what is claimed ---- */

static const char *field_of(const mr_sigv4_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (strcasecmp(request->fields[i].name, name) == 0)
            return request->fields[i].value;
    }
    return NULL;
}

static bool copy(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

/* "KEY/20130524/us-east-1/s3/aws4_request" */
static bool split_credential(const char *text, size_t len, mr_sigv4_claim *claim)
{
    const char *end = text + len;
    const char *slash = memchr(text, '/', len);
    int parts = 0;
    if (!slash || slash == text || !copy(claim->key_id, sizeof(claim->key_id), text, (size_t)(slash - text)) ||
        !copy(claim->scope, sizeof(claim->scope), slash + 1, (size_t)(end - slash - 1)))
        return false;
    for (const char *at = claim->scope; *at; at++)
        parts += *at == '/';
    const size_t scope = strlen(claim->scope);
    static const char tail[] = "/s3/aws4_request";
    return parts == 3 && scope > 8 + sizeof(tail) && claim->scope[8] == '/' && strcmp(claim->scope + scope - (sizeof(tail) - 1), tail) == 0;
}

/* " SignedHeaders=…" of the field Authorization: value of name, up to the next comma. */
static const char *part_of(const char *text, const char *name, size_t *ret_len)
{
    const size_t name_len = strlen(name);
    for (const char *at = text; at; at = strchr(at, ',')) {
        at += strspn(at, ", ");
        if (strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            const char *value = at + name_len + 1;
            *ret_len = strcspn(value, ", ");
            return value;
        }
    }
    return NULL;
}

static mr_sigv4_verdict read_field(const mr_sigv4_request *request, const char *authorization, mr_sigv4_claim *claim)
{
    static const char prefix[] = ALGORITHM " ";
    size_t len[3] = {0};
    const char *time = field_of(request, "x-amz-date");
    const char *payload = field_of(request, "x-amz-content-sha256");
    if (strncmp(authorization, prefix, sizeof(prefix) - 1) != 0)
        return MR_SIGV4_NONE; /* another scheme */
    authorization += sizeof(prefix) - 1;
    const char *credential = part_of(authorization, "Credential", &len[0]);
    const char *names = part_of(authorization, "SignedHeaders", &len[1]);
    const char *signature = part_of(authorization, "Signature", &len[2]);
    if (!credential || !names || !signature || !time || !payload || !split_credential(credential, len[0], claim) ||
        !copy(claim->signed_fields, sizeof(claim->signed_fields), names, len[1]) || len[2] != MR_SIGV4_HASH - 1 ||
        !copy(claim->signature, sizeof(claim->signature), signature, len[2]) || !copy(claim->time, sizeof(claim->time), time, strlen(time)) ||
        !copy(claim->payload, sizeof(claim->payload), payload, strlen(payload)))
        return MR_SIGV4_MALFORMED;
    return MR_SIGV4_GOOD;
}

static mr_sigv4_verdict read_query_claim(const mr_sigv4_request *request, const query *q, mr_sigv4_claim *claim)
{
    char text[sizeof(claim->key_id) + sizeof(claim->scope)];
    char *rest = NULL;
    if (!query_value(q, "X-Amz-Algorithm", text, sizeof(text)) || strcmp(text, ALGORITHM) != 0 ||
        !query_value(q, "X-Amz-Credential", text, sizeof(text)) || !split_credential(text, strlen(text), claim) ||
        !query_value(q, "X-Amz-Date", claim->time, sizeof(claim->time)) ||
        !query_value(q, "X-Amz-SignedHeaders", claim->signed_fields, sizeof(claim->signed_fields)) ||
        !query_value(q, "X-Amz-Signature", claim->signature, sizeof(claim->signature)) || strlen(claim->signature) != MR_SIGV4_HASH - 1 ||
        !query_value(q, "X-Amz-Expires", text, sizeof(text)) || strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 6)
        return MR_SIGV4_MALFORMED_QUERY;
    claim->expires_s = strtol(text, &rest, 10);
    if (claim->expires_s < 1 || claim->expires_s > MR_SIGV4_EXPIRES_S)
        return MR_SIGV4_MALFORMED_QUERY;
    claim->in_query = true;
    const char *payload = field_of(request, "x-amz-content-sha256");
    if (!query_value(q, "X-Amz-Content-Sha256", claim->payload, sizeof(claim->payload)))
        copy(claim->payload, sizeof(claim->payload), payload ? payload : "UNSIGNED-PAYLOAD", payload ? strnlen(payload, 200) : 16);
    return claim->payload[0] ? MR_SIGV4_GOOD : MR_SIGV4_MALFORMED_QUERY;
}

mr_sigv4_verdict mr_sigv4_read(const mr_sigv4_request *request, mr_sigv4_claim *ret_claim)
{
    query q;
    char text[8];
    const char *authorization = field_of(request, "authorization");
    *ret_claim = (mr_sigv4_claim){0};
    mr_sigv4_verdict verdict = MR_SIGV4_NONE;
    const bool good = read_query(query_of(request->target), &q);
    if (!good)
        verdict = q.text ? MR_SIGV4_MALFORMED_QUERY : MR_SIGV4_NO_MEMORY;
    else if (strstr(request->target, "X-Amz-Signature=") || query_value(&q, "X-Amz-Signature", text, sizeof(text)))
        verdict = authorization ? MR_SIGV4_MALFORMED_QUERY : read_query_claim(request, &q, ret_claim);
    else if (authorization)
        verdict = read_field(request, authorization, ret_claim);
    free(q.text);
    return verdict;
}

/* ---- times ---- */

static bool two_digits(const char *text, int low, int high, int *ret_number)
{
    *ret_number = (text[0] - '0') * 10 + (text[1] - '0');
    return text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9' && *ret_number >= low && *ret_number <= high;
}

/* "20130524T000000Z" */
static bool parse_time(const char *text, int64_t *ret_s)
{
    int century = 0;
    int year = 0;
    struct tm tm = {0};
    if (strlen(text) != 16 || text[8] != 'T' || text[15] != 'Z' || !two_digits(text, 19, 99, &century) || !two_digits(text + 2, 0, 99, &year) ||
        !two_digits(text + 4, 1, 12, &tm.tm_mon) || !two_digits(text + 6, 1, 31, &tm.tm_mday) || !two_digits(text + 9, 0, 23, &tm.tm_hour) ||
        !two_digits(text + 11, 0, 59, &tm.tm_min) || !two_digits(text + 13, 0, 60, &tm.tm_sec))
        return false;
    tm.tm_year = century * 100 + year - 1900;
    tm.tm_mon--;
    *ret_s = timegm(&tm);
    return true;
}

static mr_sigv4_verdict check_time(const mr_sigv4_claim *claim, int64_t now_s)
{
    int64_t then_s = 0;
    if (!parse_time(claim->time, &then_s) || memcmp(claim->time, claim->scope, 8) != 0)
        return claim->in_query ? MR_SIGV4_MALFORMED_QUERY : MR_SIGV4_MALFORMED;
    if (then_s > now_s + MR_SIGV4_SKEW_S || (!claim->in_query && then_s < now_s - MR_SIGV4_SKEW_S))
        return MR_SIGV4_SKEWED;
    return claim->in_query && now_s > then_s + claim->expires_s ? MR_SIGV4_EXPIRED : MR_SIGV4_GOOD;
}

/* ---- canonical requests ---- */

static bool is_signed(const char *names, const char *name)
{
    const size_t len = strlen(name);
    for (const char *at = names; *at; at += *at == ';') {
        const size_t one = strcspn(at, ";");
        if (one == len && strncasecmp(at, name, len) == 0)
            return true;
        at += one;
    }
    return false;
}

/* host, and what tells S3 what to do: nobody may change or add it on the way. */
static bool all_signed(const mr_sigv4_request *request, const mr_sigv4_claim *claim)
{
    if (!is_signed(claim->signed_fields, "host"))
        return false;
    for (size_t i = 0; i < request->field_count; i++) {
        const char *name = request->fields[i].name;
        const bool told = claim->in_query && strcasecmp(name, "x-amz-content-sha256") == 0; /* then it is in the canonical request anyway */
        if (strncasecmp(name, "x-amz-", 6) == 0 && !told && !is_signed(claim->signed_fields, name))
            return false;
    }
    return true;
}

/* Blanks around are gone already; several in a row become one. */
static void put_value(FILE *out, const char *value)
{
    bool blank = false;
    value += strspn(value, " \t");
    for (; *value; value++) {
        const bool is_blank = *value == ' ' || *value == '\t';
        if (is_blank && (blank || value[strspn(value, " \t")] == '\0'))
            continue;
        fputc(is_blank ? ' ' : *value, out);
        blank = is_blank;
    }
}

/* name: as it is signed, lower case. False: the request has no such field. */
static bool put_field(const mr_sigv4_request *request, const char *name, size_t len, FILE *out)
{
    bool found = false;
    fprintf(out, "%.*s:", (int)len, name);
    for (size_t i = 0; i < request->field_count; i++) {
        const mr_sigv4_field *field = &request->fields[i];
        if (strlen(field->name) != len || strncasecmp(field->name, name, len) != 0)
            continue;
        if (found)
            fputc(',', out);
        put_value(out, field->value);
        found = true;
    }
    fputc('\n', out);
    return found;
}

/* Sorted, as the signature's maker must have had them, and each there. */
static bool put_fields(const mr_sigv4_request *request, const char *names, FILE *out)
{
    const char *before = NULL;
    size_t before_len = 0;
    size_t count = 0;
    for (const char *at = names; *at; at += *at == ';') {
        const size_t len = strcspn(at, ";");
        const int order = before ? strncmp(before, at, before_len < len ? before_len : len) : -1;
        if (len == 0 || order > 0 || (order == 0 && before_len >= len) || ++count > MR_SIGV4_FIELDS || !put_field(request, at, len, out))
            return false;
        before = at;
        before_len = len;
        at += len;
    }
    return count > 0;
}

static bool put_path(const char *target, FILE *out)
{
    const char *end = target + strcspn(target, "?");
    char *text = malloc((size_t)(end - target) * 3 + 1);
    const bool good = text && recode(target, end, true, text);
    if (good)
        fputs(text, out);
    free(text);
    return good;
}

static bool put_query(const char *target, FILE *out)
{
    query q;
    bool first = true;
    const bool good = read_query(query_of(target), &q);
    for (size_t i = 0; good && i < q.count; i++) {
        if (strcmp(q.pairs[i].name, "X-Amz-Signature") == 0)
            continue;
        fprintf(out, "%s%s=%s", first ? "" : "&", q.pairs[i].name, q.pairs[i].value);
        first = false;
    }
    free(q.text);
    return good;
}

/* The hash of the canonical request. */
static bool hash_request(const mr_sigv4_request *request, const char *names, const char *payload, char ret_hash[MR_SIGV4_HASH])
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool good = out != NULL;
    if (good) {
        fprintf(out, "%s\n", request->method);
        good = put_path(request->target, out);
        fputc('\n', out);
        good = good && put_query(request->target, out);
        fputc('\n', out);
        good = good && put_fields(request, names, out);
        fprintf(out, "\n%s\n%s", names, payload);
        good = fclose(out) == 0 && good && hash_hex(text, len, ret_hash);
    }
    free(text);
    return good;
}

/* ---- signatures ---- */

static bool derive(const char *secret, const char *scope, unsigned char ret_key[MR_SIGV4_KEY])
{
    char text[256];
    unsigned char key[MR_SIGV4_KEY];
    const char *at = scope;
    int len = snprintf(text, sizeof(text), "AWS4%s", secret);
    bool good = len > 0 && (size_t)len < sizeof(text);
    size_t key_len = (size_t)len;
    const void *from = text;
    while (good && at) { /* date, region, service, "aws4_request" */
        char part[96];
        const char *slash = strchr(at, '/');
        good = copy(part, sizeof(part), at, slash ? (size_t)(slash - at) : strlen(at)) && hmac(from, key_len, part, key);
        at = slash ? slash + 1 : NULL;
        from = key;
        key_len = sizeof(key);
    }
    memcpy(ret_key, key, sizeof(key));
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(key, sizeof(key));
    return good;
}

static bool sign(const unsigned char key[MR_SIGV4_KEY], const char *time, const char *scope, const char *hash, char ret_signature[MR_SIGV4_HASH])
{
    char text[256];
    unsigned char sum[32];
    const int len = snprintf(text, sizeof(text), ALGORITHM "\n%s\n%s\n%s", time, scope, hash);
    if (len < 0 || (size_t)len >= sizeof(text) || !hmac(key, MR_SIGV4_KEY, text, sum))
        return false;
    mr_sigv4_hex(sum, ret_signature);
    return true;
}

mr_sigv4_verdict mr_sigv4_verify(const mr_sigv4_request *request, const mr_sigv4_claim *claim, const char *secret, int64_t now_s,
                                 unsigned char ret_key[MR_SIGV4_KEY])
{
    char hash[MR_SIGV4_HASH];
    char expected[MR_SIGV4_HASH];
    const mr_sigv4_verdict timely = check_time(claim, now_s);
    if (timely != MR_SIGV4_GOOD)
        return timely;
    if (!all_signed(request, claim))
        return MR_SIGV4_NOT_SIGNED;
    if (!hash_request(request, claim->signed_fields, claim->payload, hash))
        return MR_SIGV4_MISMATCH;
    if (!derive(secret, claim->scope, ret_key) || !sign(ret_key, claim->time, claim->scope, hash, expected))
        return MR_SIGV4_NO_MEMORY;
    if (mr_sigv4_equal(expected, claim->signature))
        return MR_SIGV4_GOOD;
    OPENSSL_cleanse(ret_key, MR_SIGV4_KEY);
    return MR_SIGV4_MISMATCH;
}

bool mr_sigv4_chunk(const unsigned char key[MR_SIGV4_KEY], const mr_sigv4_claim *claim, const char *previous, const char *hash, bool trailer,
                    char ret_signature[MR_SIGV4_HASH])
{
    char text[512];
    unsigned char sum[32];
    const int len = snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%s%s%s", trailer ? ALGORITHM "-TRAILER" : ALGORITHM "-PAYLOAD", claim->time,
                             claim->scope, previous, trailer ? "" : EMPTY, trailer ? "" : "\n", hash);
    if (len < 0 || (size_t)len >= sizeof(text) || !hmac(key, MR_SIGV4_KEY, text, sum))
        return false;
    mr_sigv4_hex(sum, ret_signature);
    return true;
}

/* ---- pre-signed URLs ---- */

static void put_all_encoded(FILE *out, const char *text, bool path)
{
    char one[4];
    for (; *text; text++) {
        *put_encoded(one, (unsigned char)*text, path) = '\0';
        fputs(one, out);
    }
}

char *mr_sigv4_presign(const char *method, const char *path, const char *query, const mr_sigv4_field *fields, size_t field_count, const char *key_id,
                       const char *secret, const char *region, int64_t now_s, int64_t expires_s)
{
    char names[512] = "";
    char hash[MR_SIGV4_HASH];
    char signature[MR_SIGV4_HASH];
    char time[32];
    char scope[96];
    unsigned char key[MR_SIGV4_KEY];
    struct tm tm;
    size_t names_len = 0;
    for (size_t i = 0; i < field_count && names_len < sizeof(names); i++)
        names_len += (size_t)snprintf(names + names_len, sizeof(names) - names_len, "%s%s", i ? ";" : "", fields[i].name);
    if (names_len >= sizeof(names) || !gmtime_r(&(time_t){now_s}, &tm) || strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm) == 0 ||
        snprintf(scope, sizeof(scope), "%.8s/%s/s3/aws4_request", time, region) >= (int)sizeof(scope))
        return NULL;
    char *target = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&target, &len);
    if (!out)
        return NULL;
    put_all_encoded(out, path, true);
    fprintf(out, "?%s%sX-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=", query, *query ? "&" : "");
    put_all_encoded(out, key_id, false);
    put_all_encoded(out, "/", false);
    put_all_encoded(out, scope, false);
    fprintf(out, "&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-SignedHeaders=", time, (long long)expires_s);
    put_all_encoded(out, names, false);
    fflush(out);
    const mr_sigv4_request request = {.method = method, .target = target, .fields = fields, .field_count = field_count};
    bool good = hash_request(&request, names, "UNSIGNED-PAYLOAD", hash) && derive(secret, scope, key) && sign(key, time, scope, hash, signature);
    OPENSSL_cleanse(key, sizeof(key));
    if (good)
        fprintf(out, "&X-Amz-Signature=%s", signature);
    good = fclose(out) == 0 && good;
    if (!good) {
        free(target);
        target = NULL;
    }
    return target;
}
