/* SPDX-License-Identifier: MIT */
/* The server about itself. */
#include "api-server/routes/routes.h"

void mr_route_healthz(mr_call *call)
{
    mr_call_text(call, 200, "text/plain", "ok\n", 3);
}

void mr_route_readyz(mr_call *call)
{
    mr_call_text(call, 200, "text/plain", "ready\n", 6);
}

void mr_route_server(mr_call *call)
{
    const mr_server *server = call->server;
    mr_call_json(call, 200,
                 json_pack("{s:s, s:s, s:b, s:I}", "name", server->settings->name, "version", server->host->version, "registration",
                           server->settings->registration == MR_REGISTRATION_OPEN, "max_upload_bytes", (json_int_t)server->settings->upload_max));
}
