/* SPDX-License-Identifier: MIT */
/*
 * storage.fetch: a file from a web server or a store, as a source. A transfer that breaks goes on where it stopped, when the server can say that the
 * file is still the same one (a strong ETag, or a date, in If-Range); else it starts anew.
 */
#include "http/http.h"
#include "place.h"
#include "storage.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STORE_STEP = 1 << 20,
    REDIRECTS_MAX = 5,
    STALL_SECONDS = 30,
    NAME_BYTES = 256,
    VALIDATOR_BYTES = 256,
    RETRY_BASE_MS = 500,
    RETRY_MAX_MS = 30000
};

struct fetch {
    const mr_host *host;
    mr_task *task;
    const mr_fetch_params *params;
    mr_http http;
    mr_content *content;
    EVP_MD_CTX *hash;
    uint64_t received;
    int64_t total;                   /* -1: not known */
    char validator[VALIDATOR_BYTES]; /* for If-Range; "": the server gave none */
    /* of the response that is coming in */
    bool body_begun;
    char etag[VALIDATOR_BYTES], modified[VALIDATOR_BYTES], type[128];
    int64_t range_start, range_total; /* Content-Range; -1: none */
    mr_status broken;                 /* why the write callback stopped the transfer; MR_OK: it did not */
};

static mr_status start_anew(struct fetch *fetch)
{
    fetch->host->content_free(fetch->content);
    fetch->content = NULL;
    fetch->received = 0;
    fetch->total = -1;
    if (EVP_DigestInit_ex(fetch->hash, EVP_sha256(), NULL) != 1)
        return MR_ERR_NOMEM;
    return fetch->host->content_new(fetch->task, &fetch->content);
}

/* The first bytes of a body: is it the rest of what we have, or the file from its start? */
static mr_status begin_body(struct fetch *fetch)
{
    fetch->body_begun = true;
    if (mr_http_code(&fetch->http) == 206) {
        if (fetch->range_start != (int64_t)fetch->received)
            return MR_ERR_UNAVAILABLE; /* not what was asked for */
        fetch->total = fetch->range_total;
        return MR_OK;
    }
    curl_off_t length = -1;
    mr_status status = start_anew(fetch);
    curl_easy_getinfo(fetch->http.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    fetch->total = length;
    bool strong = fetch->etag[0] == '"';
    snprintf(fetch->validator, sizeof(fetch->validator), "%s", strong ? fetch->etag : fetch->modified);
    return status;
}

static mr_status take(struct fetch *fetch, const void *data, size_t len)
{
    long code = mr_http_code(&fetch->http);
    if (code != 200 && code != 206)
        return MR_OK; /* the words of an error page: of no use */
    mr_status status = fetch->body_begun ? MR_OK : begin_body(fetch);
    if (status != MR_OK)
        return status;
    if (fetch->received + len > (uint64_t)fetch->params->max_size || fetch->total > fetch->params->max_size)
        return MR_ERR_LIMIT;
    status = fetch->host->content_write_at(fetch->content, fetch->received, data, len);
    if (status == MR_OK && EVP_DigestUpdate(fetch->hash, data, len) != 1)
        status = MR_ERR_NOMEM;
    fetch->received += len;
    fetch->host->progress(fetch->task, fetch->total > 0 ? (double)fetch->received / (double)fetch->total : 0);
    return status;
}

static size_t on_data(char *data, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    fetch->broken = take(fetch, data, size * count);
    return fetch->broken == MR_OK ? size * count : 0;
}

static bool header_is(const char *line, size_t len, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);
    if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
        return false;
    const char *start = line + name_len + 1;
    const char *end = line + len;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - start) >= size)
        return false;
    memcpy(value, start, (size_t)(end - start));
    value[end - start] = '\0';
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    size_t len = size * count;
    char range[128];
    if (len > 5 && strncmp(line, "HTTP/", 5) == 0) { /* a new response: after a redirect, or 100 */
        fetch->etag[0] = fetch->modified[0] = fetch->type[0] = '\0';
        fetch->range_start = fetch->range_total = -1;
        fetch->body_begun = false;
    }
    header_is(line, len, "ETag", fetch->etag, sizeof(fetch->etag));
    header_is(line, len, "Last-Modified", fetch->modified, sizeof(fetch->modified));
    header_is(line, len, "Content-Type", fetch->type, sizeof(fetch->type));
    if (header_is(line, len, "Content-Range", range, sizeof(range)) && strncmp(range, "bytes ", 6) == 0) {
        char *end = NULL;
        const char *slash = strchr(range, '/');
        fetch->range_start = isdigit((unsigned char)range[6]) ? strtoll(range + 6, &end, 10) : -1;
        fetch->range_total = slash && isdigit((unsigned char)slash[1]) ? strtoll(slash + 1, &end, 10) : -1;
    }
    return len;
}

static mr_status refuse(struct fetch *fetch, mr_status status, const char *param, const char *hint, const char *why)
{
    fetch->host->report(fetch->task, MR_SEVERITY_ERROR, param, hint, "can't fetch %s: %s", fetch->http.place, why);
    return status;
}

/* What is wrong, in words, once no attempt is left or none would help. */
static mr_status give_up(struct fetch *fetch, CURLcode result)
{
    char words[160];
    long code = mr_http_code(&fetch->http);
    if (fetch->http.met_private)
        return refuse(fetch, MR_ERR_PARAM, "url", mr_http_private_hint(fetch->host, fetch->task), "it is at an address that is not public");
    if (fetch->broken == MR_ERR_LIMIT) {
        snprintf(words, sizeof(words), "it is larger than %" PRId64 " bytes", fetch->params->max_size);
        return refuse(fetch, MR_ERR_LIMIT, "max_size", NULL, words);
    }
    if (fetch->broken != MR_OK && fetch->broken != MR_ERR_UNAVAILABLE)
        return fetch->broken;
    if (result == CURLE_OK) {
        snprintf(words, sizeof(words), "the server answered %ld", code);
        return refuse(fetch, mr_http_may_retry(result, code) ? MR_ERR_UNAVAILABLE : MR_ERR_INPUT, "url", NULL, words);
    }
    if (result == CURLE_TOO_MANY_REDIRECTS)
        return refuse(fetch, MR_ERR_INPUT, "url", NULL, "it redirects more than 5 times");
    return refuse(fetch, mr_http_may_retry(result, code) ? MR_ERR_UNAVAILABLE : MR_ERR_INPUT, "url", NULL, fetch->http.error);
}

/* One request: the whole, or the rest. */
static CURLcode request(struct fetch *fetch, int64_t timeout_ms)
{
    char range[32], condition[VALIDATOR_BYTES + 16];
    struct curl_slist *headers = NULL;
    bool rest = fetch->received > 0 && fetch->validator[0];
    fetch->broken = MR_OK;
    fetch->body_begun = false;
    if (rest) {
        snprintf(range, sizeof(range), "%" PRIu64 "-", fetch->received);
        snprintf(condition, sizeof(condition), "If-Range: %s", fetch->validator);
        headers = curl_slist_append(NULL, condition);
        if (!headers)
            return CURLE_OUT_OF_MEMORY;
    }
    curl_easy_setopt(fetch->http.curl, CURLOPT_RANGE, rest ? range : NULL);
    curl_easy_setopt(fetch->http.curl, CURLOPT_HTTPHEADER, headers);
    CURLcode result = mr_http_perform(&fetch->http, timeout_ms);
    curl_easy_setopt(fetch->http.curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return result;
}

static bool is_whole(const struct fetch *fetch, CURLcode result)
{
    long code = mr_http_code(&fetch->http);
    return result == CURLE_OK && (code == 200 || code == 206) && (fetch->total < 0 || (uint64_t)fetch->total == fetch->received);
}

static bool may_go_on(const struct fetch *fetch, CURLcode result)
{
    long code = mr_http_code(&fetch->http);
    if (fetch->http.met_private)
        return false;
    if (fetch->broken != MR_OK)
        return fetch->broken == MR_ERR_UNAVAILABLE;
    return mr_http_may_retry(result, code) || (result == CURLE_OK && (code == 200 || code == 206 || code == 416));
}

static mr_status transfer(struct fetch *fetch)
{
    int64_t until = mr_http_now_ms() + fetch->params->timeout / 1000;
    unsigned failed = 0; /* attempts in a row that brought nothing */
    for (;;) {
        uint64_t before = fetch->received;
        int64_t left = until - mr_http_now_ms();
        if (left <= 0)
            return refuse(fetch, MR_ERR_UNAVAILABLE, "timeout", NULL, "it took too long");
        CURLcode result = request(fetch, left);
        if (result == CURLE_ABORTED_BY_CALLBACK)
            return MR_ERR_CANCELLED;
        if (is_whole(fetch, result))
            /* An empty file has no body to begin with. */
            return fetch->body_begun || fetch->content ? MR_OK : start_anew(fetch);
        if (fetch->received > before)
            failed = 0;
        if (!may_go_on(fetch, result) || ++failed >= (unsigned)fetch->params->attempts)
            return give_up(fetch, result);
        long code = mr_http_code(&fetch->http);
        if (code == 416 || fetch->broken == MR_ERR_UNAVAILABLE)
            fetch->validator[0] = '\0'; /* the file has changed, or the server does not know ranges: from the start */
        int64_t wait = mr_http_backoff_ms(fetch->host->effect_key(fetch->task), failed, RETRY_BASE_MS, RETRY_MAX_MS);
        int64_t asked = result == CURLE_OK ? mr_http_retry_after(&fetch->http) * 1000 : 0;
        wait = asked > wait ? asked : wait;
        if (wait > until - mr_http_now_ms())
            return give_up(fetch, result);
        if (!mr_http_wait(fetch->host, fetch->task, wait))
            return MR_ERR_CANCELLED;
    }
}

static mr_status check_digest(struct fetch *fetch)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[2 * EVP_MAX_MD_SIZE + 8] = "sha256:";
    if (EVP_DigestFinal_ex(fetch->hash, bytes, &len) != 1)
        return MR_ERR_NOMEM;
    for (unsigned i = 0; i < len; i++)
        snprintf(text + 7 + (size_t)i * 2, 3, "%02x", bytes[i]);
    if (!fetch->params->digest || strcasecmp(text, fetch->params->digest) == 0)
        return MR_OK;
    char words[160];
    snprintf(words, sizeof(words), "its digest is %s", text);
    return refuse(fetch, MR_ERR_INPUT, "digest", "the file is another one than expected", words);
}

/* The last part of the URL's path, without what is no use in a name. */
static void name_of(const struct fetch *fetch, char name[NAME_BYTES])
{
    const char *slash = strrchr(fetch->http.place, '/');
    int len = 0;
    char *decoded = curl_easy_unescape(fetch->http.curl, slash ? slash + 1 : "", 0, &len);
    size_t used = 0;
    for (int i = 0; decoded && i < len && used + 1 < NAME_BYTES; i++) {
        unsigned char c = (unsigned char)decoded[i];
        name[used++] = (char)(isalnum(c) || strchr(" .-_()[]+,=@", c) ? c : '_');
    }
    name[used] = '\0';
    curl_free(decoded);
}

static mr_status deliver(struct fetch *fetch)
{
    char name[NAME_BYTES];
    name_of(fetch, name);
    json_t *meta = json_pack("{s:s, s:I}", "name", name[0] ? name : "download", "size", (json_int_t)fetch->received);
    json_t *type = json_string(fetch->type); /* NULL when it is not UTF-8 */
    if (meta && type && fetch->type[0])
        json_object_set(meta, "content_type", type);
    json_decref(type);
    char *text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mr_status status = MR_ERR_NOMEM;
    if (text) {
        status = fetch->host->emit(fetch->task, FETCH_OUT_MEDIA, text, fetch->content);
        fetch->content = NULL;
    }
    free(text);
    json_decref(meta);
    return status;
}

/* From a store: the last part of the address is the key, what stands before it the place. */

static mr_status read_all(struct fetch *fetch, mr_place *place, const char *key)
{
    const mr_storage_driver *driver = place->driver;
    mr_storage_object object = {.size = sizeof(object)};
    char *buffer = malloc(STORE_STEP);
    mr_status status = buffer ? driver->head(place->store, key, &object, &place->error) : MR_ERR_NOMEM;
    fetch->total = (int64_t)object.bytes;
    if (status == MR_OK && object.bytes > (uint64_t)fetch->params->max_size) {
        fetch->broken = MR_ERR_LIMIT;
        status = give_up(fetch, CURLE_OK);
        free(buffer);
        return status;
    }
    while (status == MR_OK && fetch->received < object.bytes) {
        size_t got = 0;
        status = driver->read(place->store, key, object.tag[0] ? object.tag : NULL, fetch->received, buffer, STORE_STEP, &got, &place->error);
        if (status == MR_OK && got == 0)
            status = MR_ERR_UNAVAILABLE;
        if (status != MR_OK)
            break;
        status = fetch->host->content_write_at(fetch->content, fetch->received, buffer, got);
        if (status == MR_OK && EVP_DigestUpdate(fetch->hash, buffer, got) != 1)
            status = MR_ERR_NOMEM;
        fetch->received += got;
        fetch->host->progress(fetch->task, (double)fetch->received / (double)object.bytes);
        if (status == MR_OK && fetch->host->cancelled(fetch->task))
            status = MR_ERR_CANCELLED;
    }
    free(buffer);
    if (status == MR_OK || status == MR_ERR_CANCELLED)
        return status;
    return refuse(fetch, status == MR_ERR_NOT_FOUND ? MR_ERR_INPUT : status, "url", place->error.hint[0] ? place->error.hint : NULL,
                  place->error.message[0] ? place->error.message : "the store gave no reason");
}

static mr_status transfer_from_store(struct fetch *fetch)
{
    const char *url = fetch->params->url;
    const char *slash = strrchr(url, '/');
    mr_place place;
    snprintf(fetch->http.place, sizeof(fetch->http.place), "%.*s", (int)strcspn(url, "?#"), url);
    fetch->http.host = fetch->host;
    if (strncasecmp(url, "file:", 5) == 0 && !mr_http_may_be_private(fetch->host, fetch->task, fetch->params->allow_private))
        return refuse(fetch, MR_ERR_PARAM, "url", mr_http_private_hint(fetch->host, fetch->task), "it is a file of this machine");
    if (!slash[1])
        return refuse(fetch, MR_ERR_PARAM, "url", NULL, "it ends with '/': that is a place, not a file");
    char *where = strndup(url, (size_t)(slash - url));
    mr_status status = where ? mr_place_open(&place, fetch->host, fetch->task, where, "url") : MR_ERR_NOMEM;
    free(where);
    if (status != MR_OK)
        return status == MR_ERR_NOMEM || !place.driver ? status : refuse(fetch, status, "url", NULL, place.error.message);
    status = start_anew(fetch);
    if (status == MR_OK)
        status = read_all(fetch, &place, slash + 1);
    mr_place_close(&place);
    return status;
}

static bool is_web(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static mr_status transfer_from_web(struct fetch *fetch)
{
    mr_status status = mr_http_begin(&fetch->http, fetch->host, fetch->task, fetch->params->url, fetch->params->allow_private);
    if (status != MR_OK)
        return status;
    CURL *curl = fetch->http.curl;
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch);
    return transfer(fetch);
}

static mr_status run_one(const mr_host *host, const mr_batch_task *item)
{
    struct fetch fetch = {.host = host, .task = item->task, .params = item->params, .total = -1, .hash = EVP_MD_CTX_new()};
    mr_status status = fetch.hash && EVP_DigestInit_ex(fetch.hash, EVP_sha256(), NULL) == 1 ? MR_OK : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = is_web(fetch.params->url) ? transfer_from_web(&fetch) : transfer_from_store(&fetch);
    if (status == MR_OK)
        status = check_digest(&fetch);
    if (status == MR_OK)
        status = deliver(&fetch);
    host->content_free(fetch.content);
    mr_http_end(&fetch.http);
    EVP_MD_CTX_free(fetch.hash);
    return status;
}

mr_status mr_fetch_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        status = run_one(host, &batch->tasks[i]);
        host->finish(batch->tasks[i].task, status);
    }
    return status;
}
