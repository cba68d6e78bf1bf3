/* SPDX-License-Identifier: MIT */
/* The notify plugin: tells others how a run ended. */
#include "http/http.h"
#include "notify.h"

#include <millrace/plugin.h>

static const mr_port webhook_outputs[] = {
    [WEBHOOK_OUT_DELIVERED] = {"delivered", MR_TYPE_JSON, MR_PORT_OPTIONAL, "that it was delivered: {attempts, code}"},
    {0},
};

static const mr_param webhook_params[] = {
    MR_URL(mr_webhook_params, url, .flags = MR_PARAM_REQUIRED, .help = "where to post the event, http or https"),
    MR_TEXT(mr_webhook_params, secret, .flags = MR_PARAM_SECRET,
            .help = "signs the event: whsec_ and base64 of 24 to 64 bytes; several, separated by spaces, while one is being exchanged"),
    MR_LIST(mr_webhook_params, events, .item_type = MR_PARAM_TYPE_TEXT, .max = "16",
            .help = "which events to post (run.succeeded, run.failed, run.cancelled); without it, all"),
    MR_DURATION(mr_webhook_params, timeout, .standard = "15s", .min = "100ms", .max = "5m", .help = "how long one attempt may take"),
    MR_INT(mr_webhook_params, attempts, .standard = "5", .min = "1", .max = "20", .help = "how often to try"),
    MR_DURATION(mr_webhook_params, delay, .standard = "1s", .min = "10ms", .max = "1m",
                .help = "pause after the first attempt; doubles with each, up to a minute"),
    MR_BOOL(mr_webhook_params, allow_private, .standard = "true",
            .help = "whether the URL may lead to addresses that are not public (loopback, local networks)"),
    MR_PARAM_END,
};

static const mr_op webhook_op = {
    .size = sizeof(mr_op),
    .version = 1,
    .name = "notify.webhook",
    .summary = "posts to a URL how the run ended",
    .help =
        "For a node with a trigger. The body is JSON: type (run.succeeded, run.failed, run.cancelled), timestamp, and data, which holds the run's "
        "id, "
        "pipeline, state, reason, failed node and outputs. Headers and signature follow the Standard Webhooks specification: webhook-id stays the "
        "same "
        "over attempts, webhook-timestamp and webhook-signature (v1, HMAC-SHA256) are made anew for each.\n\n"
        "Answers 2xx count as delivered. Busy servers (408, 409, 425, 429, 5xx) and broken connections are tried again, with pauses that double and "
        "differ from run to run, or as long as Retry-After asks, up to five minutes. Other answers, 410 among them, end it; redirects are not "
        "followed.\n\n"
        "Set allow_private to false where pipelines come from people who must not reach the machine's own network; the setting 'network' is "
        "above it.",
    .flags = MR_OP_EFFECT,
    .cpu = 0,
    .memory_mb = 16,
    .outputs = webhook_outputs,
    .params = webhook_params,
    .params_size = sizeof(mr_webhook_params),
    .run = mr_webhook_run,
};

static const mr_op *const ops[] = {&webhook_op, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "notify",
    .version = "0.1.0",
    .summary = "tells others how a run ended",
    .licence = "MIT",
    .ops = ops,
    .load = mr_http_load,
};
