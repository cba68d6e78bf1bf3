/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests of a task, over libcurl. They end within a fifth of a second after a cancel, speak http and https only, verify certificates, and
 * can be kept from reaching addresses that are not public (whatever a name resolves to, at the moment of connecting).
 */
#ifndef MR_HTTP_HTTP_H
#define MR_HTTP_HTTP_H

#include <curl/curl.h>
#include <millrace/op.h>
#include <sys/socket.h>

typedef struct mr_http {
    CURL *curl; /* set what is special about the request here; WRITEDATA and the like are the caller's */
    const mr_host *host;
    mr_task *task;
    bool allow_private;
    bool met_private; /* a private address was refused */
    char place[256];  /* scheme, host and path of the URL, for messages: no credentials, no query */
    char error[CURL_ERROR_SIZE];
} mr_http;

/* To be called once when a plugin is loaded, before any other function here. */
mr_status mr_http_load(const mr_host *host, char *why, size_t why_size);
/* Reports what is wrong with the URL. mr_http_end in every case. */
/* Whether addresses that are not public, and files, may be reached: the op's param, and the engine's settings above it. */
bool mr_http_may_be_private(const mr_host *host, const mr_task *task, bool allowed);
/* What lets it, for a message. */
const char *mr_http_private_hint(const mr_host *host, const mr_task *task);
mr_status mr_http_begin(mr_http *http, const mr_host *host, mr_task *task, const char *url, bool allow_private);
void mr_http_end(mr_http *http);
/* Performs until done or cancelled (CURLE_ABORTED_BY_CALLBACK). timeout_ms: of this request, 0: none. */
CURLcode mr_http_perform(mr_http *http, int64_t timeout_ms);
/* The last request's status code; 0: none came. */
long mr_http_code(const mr_http *http);
/* Seconds that the server asked to wait (Retry-After, as a number or a date); 0: it did not say. */
int64_t mr_http_retry_after(const mr_http *http);
/* Worth another attempt: the transport failed, or the server is busy. */
bool mr_http_may_retry(CURLcode result, long code);

/* Half to all of base · 2^attempt, at most max; which part depends on key and attempt only, so that many clients spread and a test can know. */
int64_t mr_http_backoff_ms(const char *key, unsigned attempt, int64_t base_ms, int64_t max_ms);
/* False: cancelled meanwhile. */
bool mr_http_wait(const mr_host *host, mr_task *task, int64_t ms);
int64_t mr_http_now_ms(void); /* monotonic */

/* address.c: not loopback, private, link-local, shared, multicast or reserved (IANA special-purpose registries). */
bool mr_address_is_public(const struct sockaddr *address);

#endif
