/* SPDX-License-Identifier: MIT */
/*
 * Watching a video: what to load (signed URLs), loading it, where one stopped, how often it was seen.
 *
 * A token is good for one video's paths for an hour or so (server.url_life). Its end is rounded up, so that viewers of the same ten minutes share
 * URLs, and caches with them; a session that lasts longer asks for playback again.
 */
#include "api-server/auth/auth.h"
#include "api-server/auth/words.h"
#include "api-server/base/clock.h"
#include "api-server/hooks/hooks.h"
#include "api-server/metadata/videos.h"
#include "api-server/playback/playback.h"
#include "api-server/routes/fields.h"
#include "api-server/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_SIZE = 1024, SHARES = 6 }; /* SHARES: so many ends there are in the life of a token */

/* ---- /media ---- */

void mr_route_media(mr_call *call)
{
    char prefix[64 + MR_ID_SIZE];
    char scope[16];
    int64_t expires_us = 0;
    const char *below = strlen(call->ids[0]) < MR_URL_TOKEN_SIZE ? mr_http_path(call->exchange) + strlen("/media/") + strlen(call->ids[0]) + 1 : NULL;
    const size_t video = below ? strcspn(below, "/") : MR_ID_SIZE;
    mr_playback_wait *wait = call->state;
    mr_status status = MR_ERR_INPUT;
    if (video < MR_ID_SIZE) {
        snprintf(prefix, sizeof(prefix), "/media/%.*s/", (int)video, below);
        status = mr_auth_url_check(call->server->auth, prefix, call->ids[0], scope, &expires_us);
    }
    if (status != MR_OK && !wait) { /* who waited had a good one when he came */
        mr_http_reply_field(call->exchange, "Access-Control-Allow-Origin", "*");
        mr_call_problem(call, 403, status == MR_ERR_NOT_FOUND ? "url-expired" : "url-not-signed",
                        status == MR_ERR_NOT_FOUND ? "this URL has expired; ask for playback again" : "this URL is not one that the server signed");
        return;
    }
    mr_playback_answer(call->server->playback, call->exchange, below, &wait);
    call->state = wait;
}

void mr_route_media_ended(mr_call *call)
{
    mr_playback_ended(call->server->playback, call->state);
}

/* Pages of other origins ask first when they send more than a plain Range. */
void mr_route_media_options(mr_call *call)
{
    mr_http_reply_field(call->exchange, "Access-Control-Allow-Origin", "*");
    mr_http_reply_field(call->exchange, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    mr_http_reply_field(call->exchange, "Access-Control-Allow-Headers", "Range, If-Range, If-None-Match, If-Modified-Since");
    mr_http_reply_field(call->exchange, "Access-Control-Max-Age", "86400");
    mr_call_empty(call, 204);
}

/* ---- what to load ---- */

/* NULL, and answered: it is not there for the caller. */
static const mr_video_view *look(mr_call *call)
{
    const mr_video_view *view = NULL;
    mr_status status = mr_video_look(call->server->metadata, call->ids[0], &view);
    if (status == MR_OK && mr_video_seen_by(view, &call->who))
        return view;
    mr_call_status(call, status == MR_OK ? MR_ERR_NOT_FOUND : status, "video");
    return NULL;
}

/* {url}; null: there is no such file. */
static json_t *url_of(const mr_call *call, const char *token, const char *output, const char *path)
{
    char url[URL_SIZE];
    const char *below = strchr(output, '/');
    if (!path[0] || !below || !mr_playback_has(call->server->playback, output, path))
        return json_null();
    snprintf(url, sizeof(url), "/media/%s%s/%s", token, below, path);
    return json_pack("{s:s}", "url", url);
}

static json_t *subtitles_of(mr_call *call, const char *token)
{
    char url[URL_SIZE];
    mr_caption *captions = NULL;
    size_t count = 0;
    json_t *list = json_array();
    if (mr_caption_list(call->server->metadata, call->ids[0], &captions, &count) != MR_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(url, sizeof(url), "/media/%s/%s/captions/%s", token, call->ids[0], captions[i].file);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "lang", captions[i].language, "label", captions[i].label, "url", url));
    }
    free(captions);
    return list;
}

static json_t *position_of(const mr_call *call)
{
    double seconds = 0;
    if (!call->who.user[0] || mr_position_get(call->server->metadata, call->who.user, call->ids[0], &seconds) != MR_OK)
        return json_null();
    return json_real(seconds);
}

static bool may_watch(mr_call *call)
{
    char why[MR_VETO_SIZE];
    if (mr_rule_allows(call->server->host, "authorize_playback",
                       json_pack("{s:s, s:s*, s:s, s:s}", "video", call->ids[0], "user", call->who.user[0] ? call->who.user : NULL, "role",
                                 mr_role_name(call->who.role), "address", call->client),
                       why))
        return true;
    mr_call_problem(call, 403, "vetoed", "%s", why);
    return false;
}

void mr_route_playback(mr_call *call)
{
    char token[MR_URL_TOKEN_SIZE];
    char prefix[64 + MR_ID_SIZE];
    char expires[MR_TIME_SIZE];
    char refresh[128];
    mr_video_life life;
    const mr_video_view *view = look(call);
    if (!view)
        return;
    const bool complete = view->complete;
    const double duration = view->duration;
    if (!may_watch(call))
        return;
    mr_status status = mr_video_life_find(call->server->metadata, call->ids[0], &life);
    if (status != MR_OK) {
        mr_call_status(call, status, "video");
        return;
    }
    free(life.params);
    if (!life.playable || !life.output[0]) {
        mr_call_problem(call, 409, "not-playable", "nothing of this video can be watched yet");
        return;
    }
    const int64_t shared = call->server->settings->url_life / SHARES;
    const int64_t until = (mr_now_us() + call->server->settings->url_life + shared) / shared * shared;
    snprintf(prefix, sizeof(prefix), "/media/%s/", life.id);
    mr_auth_url_sign(call->server->auth, prefix, "", until, token);
    snprintf(refresh, sizeof(refresh), "/api/v1/videos/%s/playback", life.id);
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, 200,
                 json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:b, s:o}", "hls", url_of(call, token, life.output, "master.m3u8"), "dash",
                           url_of(call, token, life.output, "manifest.mpd"), "poster", url_of(call, token, life.output, "poster.jpg"), "storyboard",
                           url_of(call, token, life.output, "storyboard.vtt"), "subtitles", subtitles_of(call, token), "expires_at",
                           mr_time_text(until, expires), "refresh_url", refresh, "position", position_of(call), "complete", complete, "duration",
                           duration >= 0 ? json_real(duration) : json_null()));
}

/* ---- where one stopped ---- */

void mr_route_position(mr_call *call)
{
    if (!look(call))
        return;
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, 200, json_pack("{s:o}", "seconds", position_of(call)));
}

void mr_route_set_position(mr_call *call)
{
    mr_fields fields = mr_fields_begin(call, "seconds");
    const json_t *given = json_object_get(call->json, "seconds");
    const double seconds = json_number_value(given);
    if (!json_is_number(given) || !(seconds >= 0) || seconds > 1e8)
        mr_field_wrong(&fields, "seconds", "a number from 0 on is needed");
    if (!mr_fields_good(&fields) || !look(call))
        return;
    const mr_status status = mr_position_put(call->server->metadata, call->who.user, call->ids[0], seconds);
    if (status == MR_OK)
        mr_call_empty(call, 204);
    else
        mr_call_status(call, status, "video");
}

/* ---- how often it was seen ---- */

static void tell_views(mr_call *call)
{
    int64_t views = 0;
    const mr_status status = mr_view_count(call->server->metadata, call->ids[0], &views);
    if (status == MR_OK)
        mr_call_json(call, 200, json_pack("{s:I}", "views", (json_int_t)views));
    else
        mr_call_status(call, status, "video");
}

void mr_route_views(mr_call *call)
{
    if (look(call))
        tell_views(call);
}

/* Addresses are not kept: what is, can't be turned back without the server's key. */
void mr_route_add_view(mr_call *call)
{
    char purpose[MR_ADDRESS_SIZE + 16];
    char viewer[MR_KEY_SECRET_SIZE];
    bool counted = false;
    if (!look(call))
        return;
    snprintf(purpose, sizeof(purpose), "viewer %s", call->client);
    if (!call->who.user[0])
        mr_auth_server_secret(call->server->auth, purpose, viewer);
    const mr_status status = mr_view_add(call->server->metadata, call->ids[0], call->who.user[0] ? call->who.user : viewer, &counted);
    if (status == MR_OK)
        tell_views(call);
    else
        mr_call_status(call, status, "video");
}
