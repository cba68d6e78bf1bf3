/* SPDX-License-Identifier: MIT */
/* The web page: its files, and for every address that is one of its views the page itself. */
#include "api-server/page/page.h"
#include "api-server/routes/routes.h"

#include <string.h>

/* Nothing of other hosts, nothing inline, no framing; the embedded player may be framed by anyone. */
#define POLICY                                                                                                                                       \
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "       \
    "base-uri 'none'; form-action 'self'; frame-ancestors "

static void send_file(mr_call *call, const mr_page_file *file, bool embedded)
{
    mr_exchange *exchange = call->exchange;
    const char *known = mr_http_field(exchange, "If-None-Match");
    const mr_page_form *form = mr_page_choose(file, mr_http_field(exchange, "Accept-Encoding"));
    mr_http_reply_field(exchange, "ETag", form->etag);
    mr_http_reply_field(exchange, "Vary", "Accept-Encoding");
    mr_http_reply_field(exchange, "Cache-Control", file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    mr_http_reply_field(exchange, "X-Content-Type-Options", "nosniff");
    if (known && strcmp(known, form->etag) == 0) {
        mr_call_empty(call, 304);
        return;
    }
    if (strncmp(file->type, "text/html", 9) == 0) {
        mr_http_reply_field(exchange, "Content-Security-Policy", embedded ? POLICY "*" : POLICY "'none'");
        mr_http_reply_field(exchange, "Referrer-Policy", "same-origin");
        mr_http_reply_field(exchange, "Cross-Origin-Opener-Policy", "same-origin");
    }
    if (form->coding)
        mr_http_reply_field(exchange, "Content-Encoding", form->coding);
    mr_call_text(call, 200, file->type, form->data, form->len);
}

/* Views have no dot in their last part; what has one is a file, and is there or not. */
static bool is_view(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strchr(slash ? slash : path, '.') == NULL && strncmp(path, "api/", 4) != 0 && strncmp(path, "s3/", 3) != 0;
}

void mr_route_page(mr_call *call)
{
    static const char missing[] = "The page was not built: './dev build' builds it where Node.js and npm are. The API answers at /api/v1.\n";
    const char *path = call->ids[0] ? call->ids[0] : "";
    const mr_page_file *file = mr_page_find(call->server->page, path);
    if (!file && is_view(path))
        file = mr_page_find(call->server->page, "");
    if (file)
        send_file(call, file, strncmp(path, "embed/", 6) == 0);
    else if (is_view(path) && path[0] == '\0')
        mr_call_text(call, 200, "text/plain; charset=utf-8", missing, sizeof(missing) - 1);
    else
        mr_call_problem(call, 404, "not-found", "there is nothing at '/%s'", path);
}
