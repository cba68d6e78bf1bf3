/* SPDX-License-Identifier: MIT */
/* Pipelines and ops: read, and checked as `millrace check` does. */
#include "api-server/routes/routes.h"

#include <string.h>

/* The platform's texts are JSON already, and its own. */
static void send_text(mr_call *call, char *take_text, const char *what)
{
    const mr_platform_host *host = call->server->host;
    if (take_text)
        mr_call_text(call, 200, "application/json", take_text, strlen(take_text));
    else
        mr_call_status(call, MR_ERR_NOT_FOUND, what);
    host->text_free(host->platform, take_text);
}

void mr_route_pipelines(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    send_text(call, host->pipelines(host->platform), "list");
}

void mr_route_pipeline(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    send_text(call, host->pipeline(host->platform, call->ids[0]), "pipeline");
}

void mr_route_pipelines_check(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    const char *language = "yaml";
    const char *text = NULL;
    size_t len = 0;
    json_error_t error;
    if (json_unpack_ex(call->json, &error, 0, "{s:s%, s?s}", "text", &text, &len, "language", &language) != 0) {
        mr_call_invalid(call, json_pack("[{s:s, s:s}]", "field", "text", "message", "must be the text of a pipeline"));
        return;
    }
    if (strcmp(language, "yaml") != 0 && strcmp(language, "lua") != 0) {
        mr_call_invalid(call, json_pack("[{s:s, s:s}]", "field", "language", "message", "must be 'yaml' or 'lua'"));
        return;
    }
    send_text(call, host->pipeline_check(host->platform, language, text, len), "pipeline");
}

void mr_route_ops(mr_call *call)
{
    const mr_platform_host *host = call->server->host;
    send_text(call, host->ops(host->platform), "list");
}
