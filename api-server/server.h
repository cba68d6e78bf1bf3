/* SPDX-License-Identifier: MIT */
/*
 * The server as a whole: what its parts share. Each part is a folder, opened in open.c in the order of this struct, and closed in the reverse.
 * The struct is written before the first request, and read by all threads after.
 */
#ifndef MR_API_SERVER_H
#define MR_API_SERVER_H

#include "api-server/http/http.h"
#include "api-server/limits/client.h"
#include "api-server/limits/limits.h"
#include "api-server/settings.h"
#include <millrace/server.h>

#include <stdatomic.h>

struct mr_server {
    const mr_platform_host *host;
    const mr_server_settings *settings;
    mr_proxies proxies; /* that are trusted to say who asks */
    struct mr_metrics *metrics;
    mr_limits *limits;
    struct mr_metadata *metadata;
    struct mr_auth *auth;
    struct mr_playback *playback;
    struct mr_videos *videos;
    struct mr_page *page;
    struct mr_uploads *uploads;
    atomic_bool full;                             /* there was no room on the disk for uploads when that was last looked at */
    const struct mr_upload_people *upload_people; /* what their routes ask of videos and accounts */
    mr_http_server *http;
    char address[320];
    char *about; /* what /api/v1/server answers */
};

/* Fills error: "…: …". */
void mr_server_fail(mr_server_error *error, const char *hint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
