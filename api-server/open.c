/* SPDX-License-Identifier: MIT */
/* The plugin: one service, and the order in which the parts of the server begin and end. */
#include "api-server/server.h"

#include "api-server/administer.h"
#include "api-server/auth/auth.h"
#include "api-server/metadata/metadata.h"
#include "api-server/metrics/metrics.h"
#include "api-server/page/page.h"
#include "api-server/playback/playback.h"
#include "api-server/routes/router.h"
#include "api-server/routes/routes.h"
#include "api-server/routes/uploads.h"
#include "api-server/videos/videos.h"

#include <millrace/plugin.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mr_server_fail(mr_server_error *error, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->message, sizeof(error->message), fmt, args);
    va_end(args);
    snprintf(error->hint, sizeof(error->hint), "%s", hint ? hint : "");
}

static mr_status listen_for(mr_server *server, mr_server_error *error)
{
    char why[MR_SERVER_WORDS];
    const mr_server_settings *settings = server->settings;
    const mr_http_limits limits = {
        .head_ms = settings->head_timeout / 1000, .window_ms = settings->stall_timeout / 1000, .idle_ms = settings->idle_timeout / 1000};
    const mr_http_options options = {.listen = settings->listen, .limits = limits, .handler = mr_router_handler(server)};
    mr_status status = mr_http_open(&options, why, sizeof(why), &server->http);
    if (status != MR_OK) {
        mr_server_fail(error, status == MR_ERR_CONFLICT ? "say --listen with another port" : NULL, "%s", why);
        return status;
    }
    const char *listen = server->settings->listen;
    const char *colon = strrchr(listen, ':');
    const int len = colon ? (int)(colon - listen) : 0;
    const bool any = len == 0 || (len == 1 && listen[0] == '*');
    snprintf(server->address, sizeof(server->address), "http://%.*s:%u", any ? 9 : len, any ? "localhost" : listen, mr_http_port(server->http));
    return MR_OK;
}

static mr_status open_limits(mr_server *server, mr_server_error *error)
{
    const mr_server_settings *settings = server->settings;
    const uint32_t per_minute[MR_LIMIT_KINDS] = {
        [MR_LIMIT_API] = (uint32_t)settings->rate_api,
        [MR_LIMIT_SIGN_IN] = (uint32_t)settings->rate_sign_in,
        [MR_LIMIT_ACCOUNT] = (uint32_t)settings->rate_sign_in * 5,
    };
    const char *bad = NULL;
    if (!mr_proxies_read(settings->trusted_proxies, &server->proxies, &bad)) {
        mr_server_fail(error, "say them as '127.0.0.1, 10.0.0.0/8', 32 at most", "server.trusted_proxies: '%s' begins with no address or network",
                       bad);
        return MR_ERR_PARAM;
    }
    server->limits = mr_limits_new(per_minute);
    return server->limits ? MR_OK : MR_ERR_NOMEM;
}

static mr_status open_accounts(mr_server *server, mr_server_error *error)
{
    char why[MR_SERVER_WORDS] = "";
    mr_status status = mr_server_open_accounts(server->host, &server->metadata, &server->auth, why, sizeof(why));
    if (status == MR_OK) {
        status = mr_idempotency_forget_unanswered(server->metadata);
        snprintf(why, sizeof(why), "the database can't be written to; the log says why");
    }
    if (status != MR_OK)
        mr_server_fail(error, NULL, "%s", why);
    return status;
}

static mr_status open_uploads(mr_server *server, mr_server_error *error)
{
    char why[MR_SERVER_WORDS] = "";
    mr_status status = mr_server_open_uploads(server, why, sizeof(why));
    if (status != MR_OK)
        mr_server_fail(error, NULL, "%s", why);
    return status;
}

static mr_status open_playback(mr_server *server, mr_server_error *error)
{
    char why[MR_SERVER_WORDS] = "";
    mr_status status = mr_playback_open(server->host, why, sizeof(why), &server->playback);
    if (status != MR_OK)
        mr_server_fail(error, NULL, "%s", why);
    return status;
}

static void run_is(void *context, const char *run, const char *output)
{
    mr_server *server = context;
    mr_playback_run_is(server->playback, run, output);
}

/* Said at once, not to the first who uploads. */
static bool has_pipeline(const mr_server *server, mr_server_error *error)
{
    char *text = server->host->pipeline(server->host->platform, server->settings->pipeline);
    const bool found = text != NULL;
    server->host->text_free(server->host->platform, text);
    if (!found)
        mr_server_fail(error, "set server.pipeline to the name of a file in the folders of pipelines, without its ending",
                       "there is no pipeline '%s'", server->settings->pipeline);
    return found;
}

static mr_status open_videos(mr_server *server)
{
    const mr_videos_options options = {.host = server->host,
                                       .metadata = server->metadata,
                                       .metrics = server->metrics,
                                       .pipeline = server->settings->pipeline,
                                       .early_runs = server->settings->early_runs,
                                       .runs = server->settings->runs,
                                       .run_is = run_is,
                                       .context = server};
    return mr_videos_open(&options, &server->videos);
}

static mr_status open_parts(mr_server *server, mr_server_error *error)
{
    mr_status status = mr_metrics_new(&server->metrics);
    if (status == MR_OK)
        status = open_limits(server, error);
    if (status == MR_OK)
        status = open_accounts(server, error);
    if (status == MR_OK)
        status = open_uploads(server, error);
    if (status == MR_OK)
        status = open_playback(server, error);
    if (status == MR_OK)
        status = has_pipeline(server, error) ? open_videos(server) : MR_ERR_PARAM;
    if (status == MR_OK)
        status = mr_page_open(server->host->share_dir, &server->page);
    if (status == MR_OK && !(server->about = mr_about_text(server)))
        status = MR_ERR_NOMEM;
    if (status == MR_ERR_NOMEM)
        mr_server_fail(error, NULL, "out of memory");
    return status;
}

static void close_server(mr_server *server)
{
    if (!server)
        return;
    mr_http_close(server->http, 0);
    mr_page_close(server->page);
    mr_videos_close(server->videos);
    mr_playback_close(server->playback);
    mr_server_close_uploads(server);
    mr_auth_close(server->auth);
    mr_metadata_close(server->metadata);
    mr_limits_free(server->limits);
    mr_metrics_free(server->metrics);
    free(server->about);
    free(server);
}

static mr_status open_server(const mr_platform_host *host, const void *settings, mr_server **ret_server, mr_server_error *error)
{
    *ret_server = NULL;
    mr_server *server = calloc(1, sizeof(*server));
    if (!server) {
        mr_server_fail(error, NULL, "out of memory");
        return MR_ERR_NOMEM;
    }
    server->host = host;
    server->settings = settings;
    mr_status status = open_parts(server, error);
    *ret_server = server; /* events of runs find it from here on */
    if (status == MR_OK)
        status = listen_for(server, error);
    if (status == MR_OK) {
        int64_t free_bytes = 0;
        mr_server_has_room(server, &free_bytes); /* the log says it, before somebody uploads in vain */
        mr_videos_begin(server->videos);
        return MR_OK;
    }
    *ret_server = NULL;
    close_server(server);
    return status;
}

static const char *address(const mr_server *server)
{
    return server->address;
}

static void on_event(mr_server *server, const char *run, const char *event)
{
    mr_playback_event(server->playback, run, event);
    mr_videos_event(server->videos, run, event);
}

static void drain(mr_server *server)
{
    mr_videos_drain(server->videos);
    mr_playback_drain(server->playback);
    mr_http_close(server->http, server->settings->drain / 1000);
    server->http = NULL;
}

static const mr_server_driver driver = {
    .size = sizeof(driver),
    .settings = mr_server_setting_table,
    .settings_size = sizeof(mr_server_settings),
    .open = open_server,
    .address = address,
    .event = on_event,
    .drain = drain,
    .close = close_server,
    .administer = mr_server_administer,
};

static const mr_service service = {
    .size = sizeof(service),
    .service_class = MR_SERVICE_SERVER,
    .name = "api_server.http",
    .summary = "uploads, videos, playback and the page over HTTP",
    .table = &driver,
};

static const mr_service *const services[] = {&service, NULL};

MR_PLUGIN_EXPORT const mr_plugin mr_plugin_entry = {
    .size = sizeof(mr_plugin),
    .abi_major = MR_ABI_MAJOR,
    .abi_minor = MR_ABI_MINOR,
    .name = "api_server",
    .version = "1.0.0",
    .summary = "a video platform: the HTTP API and the page",
    .licence = "MIT",
    .services = services,
};
