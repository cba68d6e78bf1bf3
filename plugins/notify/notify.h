/* SPDX-License-Identifier: MIT */
/* notify.webhook: its params, and Standard Webhooks signatures. */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include <millrace/op.h>

typedef struct mr_webhook_params {
    const char *url, *secret;
    mr_list events; /* const char * */
    int64_t timeout, attempts, delay;
    bool allow_private;
} mr_webhook_params;

enum { WEBHOOK_OUT_DELIVERED };

mr_status mr_webhook_run(const mr_host *host, const mr_batch *batch);

/*
 * The value of webhook-signature (Standard Webhooks 1.0.0): "v1,BASE64" of HMAC-SHA256 over "ID.TIMESTAMP.BODY", one for each of the secrets,
 * which are separated by spaces ("whsec_BASE64", the prefix may be missing), so that a secret can be exchanged. malloc()ed.
 * MR_ERR_PARAM: a secret is not base64, or not of 24 to 64 bytes.
 */
mr_status mr_webhook_sign(const char *secrets, const char *id, int64_t timestamp, const char *body, size_t body_len, char **ret_value);

#endif
