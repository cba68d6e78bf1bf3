/* SPDX-License-Identifier: MIT */
/* See http.h. */
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 100 };

mr_status mr_http_load(const mr_host *host, char *why, size_t why_size)
{
    (void)host;
    CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (result == CURLE_OK)
        return MR_OK;
    snprintf(why, why_size, "libcurl can't be used: %s", curl_easy_strerror(result));
    return MR_ERR_UNSUPPORTED;
}

int64_t mr_http_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool mr_http_wait(const mr_host *host, mr_task *task, int64_t ms)
{
    int64_t until = mr_http_now_ms() + ms;
    for (;;) {
        int64_t rest = until - mr_http_now_ms();
        if (host->cancelled(task))
            return false;
        if (rest <= 0)
            return true;
        usleep((useconds_t)(rest < POLL_MS ? rest : POLL_MS) * 1000);
    }
}

/* FNV-1a, 32 bits, with a final mix: it has to spread, not to withstand. */
static uint32_t spread(const char *key, unsigned attempt)
{
    uint32_t hash = 2166136261u ^ attempt;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    hash ^= hash >> 16;
    hash *= 0x45d9f3bu;
    return hash ^ (hash >> 16);
}

int64_t mr_http_backoff_ms(const char *key, unsigned attempt, int64_t base_ms, int64_t max_ms)
{
    int64_t whole = base_ms;
    for (unsigned i = 0; i < attempt && whole < max_ms; i++)
        whole *= 2;
    if (whole > max_ms)
        whole = max_ms;
    return whole / 2 + (whole - whole / 2) * (int64_t)(spread(key, attempt) % 1000) / 1000;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    mr_http *http = context;
    if (purpose == CURLSOCKTYPE_IPCXN && !http->allow_private && !mr_address_is_public(&address->addr)) {
        http->met_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What may be shown of a URL: tokens stand in credentials and queries. */
static CURLUcode name_place(mr_http *http, const char *url)
{
    char *scheme = NULL, *name = NULL, *path = NULL, *port = NULL;
    CURLU *parsed = curl_url();
    CURLUcode result = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, CURLUPART_HOST, &name, 0);
    if (result == CURLUE_OK)
        result = curl_url_get(parsed, CURLUPART_PATH, &path, 0);
    if (result == CURLUE_OK && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        result = CURLUE_UNSUPPORTED_SCHEME;
    if (result == CURLUE_OK) {
        bool has_port = curl_url_get(parsed, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        snprintf(http->place, sizeof(http->place), "%s://%s%s%s%s", scheme, name, has_port ? ":" : "", has_port ? port : "", path);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(path);
    curl_free(port);
    curl_url_cleanup(parsed);
    return result;
}

bool mr_http_may_be_private(const mr_host *host, const mr_task *task, bool allowed)
{
    return allowed && !host->limits(task)->public_only;
}

const char *mr_http_private_hint(const mr_host *host, const mr_task *task)
{
    return host->limits(task)->public_only ? "the setting 'network: any' lets it" : "allow_private: true lets it";
}

mr_status mr_http_begin(mr_http *http, const mr_host *host, mr_task *task, const char *url, bool allow_private)
{
    *http = (mr_http){.host = host, .task = task, .allow_private = mr_http_may_be_private(host, task, allow_private)};
    CURLUcode bad = url ? name_place(http, url) : CURLUE_MALFORMED_INPUT;
    if (bad != CURLUE_OK) {
        host->report(task, MR_SEVERITY_ERROR, "url", "write https://host/path", "the URL can't be used: %s", curl_url_strerror(bad));
        return MR_ERR_PARAM;
    }
    http->curl = curl_easy_init();
    if (!http->curl)
        return MR_ERR_NOMEM;
    bool secure = strncasecmp(http->place, "https", 5) == 0;
    CURLcode result = curl_easy_setopt(http->curl, CURLOPT_URL, url);
    if (result == CURLE_OK)
        result = curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (result == CURLE_OK)
        result = curl_easy_setopt(http->curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_QUICK_EXIT, 1L); /* a name that does not resolve must not hold up a cancel */
    curl_easy_setopt(http->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "millrace");
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, 15000L);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(http->curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(http->curl, CURLOPT_OPENSOCKETDATA, http);
    return result == CURLE_OK ? MR_OK : MR_ERR_NOMEM;
}

void mr_http_end(mr_http *http)
{
    curl_easy_cleanup(http->curl);
    http->curl = NULL;
}

static CURLcode run(mr_http *http, CURLM *multi)
{
    int running = 1;
    while (running) {
        if (http->host->cancelled(http->task))
            return CURLE_ABORTED_BY_CALLBACK;
        if (curl_multi_perform(multi, &running) != CURLM_OK || (running && curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) != CURLM_OK))
            return CURLE_OUT_OF_MEMORY;
    }
    int rest;
    const CURLMsg *message = curl_multi_info_read(multi, &rest);
    return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_OUT_OF_MEMORY;
}

CURLcode mr_http_perform(mr_http *http, int64_t timeout_ms)
{
    CURLM *multi = curl_multi_init();
    http->error[0] = '\0';
    if (!multi)
        return CURLE_OUT_OF_MEMORY;
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    CURLcode result = curl_multi_add_handle(multi, http->curl) == CURLM_OK ? run(http, multi) : CURLE_OUT_OF_MEMORY;
    curl_multi_remove_handle(multi, http->curl);
    curl_multi_cleanup(multi);
    if (!http->error[0])
        snprintf(http->error, sizeof(http->error), "%s", curl_easy_strerror(result));
    return result;
}

long mr_http_code(const mr_http *http)
{
    long code = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

int64_t mr_http_retry_after(const mr_http *http)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? seconds : 0;
}

bool mr_http_may_retry(CURLcode result, long code)
{
    switch (result) {
    case CURLE_OK: return code == 408 || code == 409 || code == 425 || code == 429 || (code >= 500 && code != 501 && code != 505);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY: return true;
    default: return false;
    }
}
