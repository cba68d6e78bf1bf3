/* SPDX-License-Identifier: MIT */
/*
 * notify.webhook: tells a web server how a run ended, by the Standard Webhooks specification. The id stays the same over attempts and resumed runs,
 * so that the receiver can tell a repetition; each attempt has its own timestamp and signature.
 */
#include "http/http.h"
#include "notify.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RETRY_MAX_MS = 60000, RETRY_AFTER_MAX_SECONDS = 300, ANSWER_MAX = 64 << 10, BODY_MAX = 256 << 10, ID_BYTES = 128 };

struct webhook {
    const mr_host *host;
    mr_task *task;
    const mr_webhook_params *params;
    mr_http http;
    char id[ID_BYTES];
    char *body;
    size_t answered; /* bytes of the answer's body, which nobody reads */
};

/* "run.succeeded", "run.failed", "run.cancelled"; the state as the engine says it. */
static void name_event(const json_t *state, char event[64])
{
    const char *word = json_string_value(json_object_get(state, "state"));
    snprintf(event, 64, "run.%s", word ? word : "ended");
}

static bool is_wanted(const mr_webhook_params *params, const char *event)
{
    const char *const *events = params->events.items;
    for (size_t i = 0; i < params->events.count; i++) {
        if (strcmp(events[i], event) == 0)
            return true;
    }
    return params->events.count == 0;
}

static void format_time(time_t when, char text[32])
{
    struct tm parts;
    if (!gmtime_r(&when, &parts) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        text[0] = '\0';
}

static mr_status make_body(struct webhook *webhook, json_t *state, const char *event)
{
    char when[32];
    format_time(time(NULL), when);
    json_t *body = json_pack("{s:s, s:s, s:O}", "type", event, "timestamp", when, "data", state);
    webhook->body = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(body);
    if (!webhook->body)
        return MR_ERR_NOMEM;
    if (strlen(webhook->body) > BODY_MAX) {
        webhook->host->report(webhook->task, MR_SEVERITY_ERROR, NULL, NULL, "what there is to tell of the run is longer than %d bytes", BODY_MAX);
        return MR_ERR_LIMIT;
    }
    return MR_OK;
}

/* The separator of the signed text is a full stop, so an id has none. */
static void make_id(struct webhook *webhook)
{
    const char *key = webhook->host->effect_key(webhook->task);
    size_t used = 0;
    for (; key && *key && used + 1 < sizeof(webhook->id); key++)
        webhook->id[used++] = (char)(isalnum((unsigned char)*key) || *key == '-' || *key == '_' ? *key : '_');
    webhook->id[used] = '\0';
}

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
    struct webhook *webhook = context;
    (void)data;
    webhook->answered += size * count;
    return webhook->answered <= ANSWER_MAX ? size * count : 0;
}

static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    char *line = NULL;
    struct curl_slist *grown = NULL;
    if (asprintf(&line, "%s: %s", name, value) > 0) {
        grown = curl_slist_append(*headers, line);
        free(line);
    }
    if (grown)
        *headers = grown;
    return grown != NULL;
}

static mr_status make_headers(struct webhook *webhook, struct curl_slist **ret_headers)
{
    char stamp[32];
    char *signature = NULL;
    int64_t now = (int64_t)time(NULL);
    mr_status status = MR_OK;
    snprintf(stamp, sizeof(stamp), "%" PRId64, now);
    if (!add_header(ret_headers, "Content-Type", "application/json") || !add_header(ret_headers, "webhook-id", webhook->id) ||
        !add_header(ret_headers, "webhook-timestamp", stamp) || !add_header(ret_headers, "Expect", ""))
        return MR_ERR_NOMEM;
    if (!webhook->params->secret)
        return MR_OK;
    status = mr_webhook_sign(webhook->params->secret, webhook->id, now, webhook->body, strlen(webhook->body), &signature);
    if (status == MR_ERR_PARAM)
        webhook->host->report(webhook->task, MR_SEVERITY_ERROR, "secret", "make one with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
                              "the secret is not whsec_ and base64 of 24 to 64 bytes");
    if (status == MR_OK && !add_header(ret_headers, "webhook-signature", signature))
        status = MR_ERR_NOMEM;
    free(signature);
    return status;
}

static mr_status post(struct webhook *webhook, CURLcode *ret_result)
{
    struct curl_slist *headers = NULL;
    mr_status status = make_headers(webhook, &headers);
    webhook->answered = 0;
    if (status == MR_OK) {
        curl_easy_setopt(webhook->http.curl, CURLOPT_HTTPHEADER, headers);
        *ret_result = mr_http_perform(&webhook->http, webhook->params->timeout / 1000);
        curl_easy_setopt(webhook->http.curl, CURLOPT_HTTPHEADER, NULL);
    }
    /* An endless answer to a delivered event is cut off; it was delivered all the same. */
    if (status == MR_OK && *ret_result == CURLE_WRITE_ERROR && webhook->answered > ANSWER_MAX)
        *ret_result = CURLE_OK;
    curl_slist_free_all(headers);
    return status;
}

static mr_status give_up(const struct webhook *webhook, CURLcode result, unsigned attempts)
{
    const mr_http *http = &webhook->http;
    const mr_host *host = webhook->host;
    long code = mr_http_code(http);
    mr_status status = mr_http_may_retry(result, code) ? MR_ERR_UNAVAILABLE : MR_ERR_PARAM;
    if (http->met_private)
        host->report(webhook->task, MR_SEVERITY_ERROR, "url", mr_http_private_hint(host, webhook->task), "%s is at an address that is not public",
                     http->place);
    else if (result != CURLE_OK)
        host->report(webhook->task, MR_SEVERITY_ERROR, "url", NULL, "can't tell %s: %s (attempts: %u)", http->place, http->error, attempts);
    else if (code >= 300 && code < 400)
        host->report(webhook->task, MR_SEVERITY_ERROR, "url", "name the address that it redirects to: a signed message is not sent on",
                     "%s answered with a redirect (%ld)", http->place, code);
    else if (code == 410)
        host->report(webhook->task, MR_SEVERITY_ERROR, "url", "remove the webhook", "%s is gone (410): it wants no more events", http->place);
    else
        host->report(webhook->task, MR_SEVERITY_ERROR, "url", NULL, "%s answered %ld (attempts: %u)", http->place, code, attempts);
    return http->met_private ? MR_ERR_PARAM : status;
}

static mr_status tell(const struct webhook *webhook, unsigned attempts)
{
    char meta[128];
    snprintf(meta, sizeof(meta), "{\"attempts\":%u,\"code\":%ld}", attempts, mr_http_code(&webhook->http));
    return webhook->host->emit(webhook->task, WEBHOOK_OUT_DELIVERED, meta, NULL);
}

static mr_status deliver(struct webhook *webhook)
{
    for (unsigned attempt = 1;; attempt++) {
        CURLcode result = CURLE_OK;
        mr_status status = post(webhook, &result);
        long code = mr_http_code(&webhook->http);
        if (status != MR_OK)
            return status;
        if (result == CURLE_ABORTED_BY_CALLBACK)
            return MR_ERR_CANCELLED;
        if (result == CURLE_OK && code >= 200 && code < 300)
            return tell(webhook, attempt);
        if (webhook->http.met_private || !mr_http_may_retry(result, code) || attempt >= (unsigned)webhook->params->attempts)
            return give_up(webhook, result, attempt);
        int64_t wait = mr_http_backoff_ms(webhook->id, attempt - 1, webhook->params->delay / 1000, RETRY_MAX_MS);
        int64_t asked = result == CURLE_OK ? mr_http_retry_after(&webhook->http) : 0;
        asked = (asked < RETRY_AFTER_MAX_SECONDS ? asked : RETRY_AFTER_MAX_SECONDS) * 1000;
        if (!mr_http_wait(webhook->host, webhook->task, asked > wait ? asked : wait))
            return MR_ERR_CANCELLED;
    }
}

static mr_status send_event(struct webhook *webhook, json_t *state, const char *event)
{
    make_id(webhook);
    mr_status status = make_body(webhook, state, event);
    if (status == MR_OK)
        status = mr_http_begin(&webhook->http, webhook->host, webhook->task, webhook->params->url, webhook->params->allow_private);
    if (status == MR_OK) {
        CURL *curl = webhook->http.curl;
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, webhook->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(webhook->body));
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, webhook);
        status = deliver(webhook);
    }
    mr_http_end(&webhook->http);
    free(webhook->body);
    return status;
}

static mr_status run_one(const mr_host *host, const mr_batch_task *item)
{
    struct webhook webhook = {.host = host, .task = item->task, .params = item->params};
    char event[64];
    const char *text = host->run_state(item->task);
    json_t *state = json_loads(text ? text : "{}", JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(state)) {
        host->report(item->task, MR_SEVERITY_ERROR, NULL, NULL, "the state of the run can't be read");
        json_decref(state);
        return MR_ERR_INTERNAL;
    }
    name_event(state, event);
    mr_status status = is_wanted(webhook.params, event) ? send_event(&webhook, state, event) : MR_OK;
    json_decref(state);
    return status;
}

mr_status mr_webhook_run(const mr_host *host, const mr_batch *batch)
{
    mr_status status = MR_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        status = run_one(host, &batch->tasks[i]);
        host->finish(batch->tasks[i].task, status);
    }
    return status;
}
