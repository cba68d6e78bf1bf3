/* SPDX-License-Identifier: MIT */
/* Every route, and who may use it. */
#include "api-server/routes/routes.h"
#include "api-server/routes/uploads.h"

/* clang-format off */
const mr_route mr_route_table[] = {
    /* method  path                          rule             scopes  lane           body           bound  answer */
    {"GET", "/healthz",                      MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_healthz, .limit = MR_LIMIT_NONE, .quiet = true},
    {"GET", "/readyz",                       MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_readyz, .limit = MR_LIMIT_NONE, .quiet = true},
    {"GET", "/metrics",                      MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_metrics, .limit = MR_LIMIT_NONE, .quiet = true},
    {"GET", "/api/v1/server",                MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_server},
    {"GET", "/api/v1/pipelines",             MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_pipelines},
    {"GET", "/api/v1/pipelines/{name}",      MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_pipeline},
    {"POST", "/api/v1/pipelines/check",      MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_pipelines_check},
    {"GET", "/api/v1/ops",                   MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_ops},
    {"GET", "/api/v1/runs",                  MR_RULE_CREATOR, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_runs},
    {"GET", "/api/v1/runs/{id}",             MR_RULE_CREATOR, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run},
    {"GET", "/api/v1/runs/{id}/logs",        MR_RULE_CREATOR, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run_logs},
    {"GET", "/api/v1/runs/{id}/graph",       MR_RULE_CREATOR, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run_graph},
    {"POST", "/api/v1/runs/{id}/cancel",     MR_RULE_CREATOR, MR_SCOPE_RUNS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_run_cancel},
    {"POST", "/api/v1/runs/{id}/retry",      MR_RULE_CREATOR, MR_SCOPE_RUNS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_run_retry},

    {"GET", "/api/v1/auth/setup",            MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_setup_state, .asks_itself = true},
    {"POST", "/api/v1/auth/setup",           MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_setup, .asks_itself = true, .limit = MR_LIMIT_SIGN_IN},
    {"POST", "/api/v1/auth/register",        MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_register, .asks_itself = true, .limit = MR_LIMIT_SIGN_IN},
    {"POST", "/api/v1/auth/login",           MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_login, .asks_itself = true, .limit = MR_LIMIT_SIGN_IN},
    {"POST", "/api/v1/auth/refresh",         MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_refresh, .asks_itself = true},
    {"POST", "/api/v1/auth/logout",          MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_logout, .asks_itself = true},
    {"GET", "/api/v1/users/me",              MR_RULE_SIGNED_IN, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_me},
    {"PATCH", "/api/v1/users/me",            MR_RULE_SIGNED_IN, 0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_change_me},
    {"GET", "/api/v1/users",                 MR_RULE_ADMIN,   MR_SCOPE_USERS_ADMIN, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_users},
    {"POST", "/api/v1/users",                MR_RULE_ADMIN,   MR_SCOPE_USERS_ADMIN, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_add_user},
    {"PATCH", "/api/v1/users/{id}",          MR_RULE_ADMIN,   MR_SCOPE_USERS_ADMIN, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_change_user},
    {"DELETE", "/api/v1/users/{id}",         MR_RULE_ADMIN,   MR_SCOPE_USERS_ADMIN, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_remove_user},
    {"GET", "/api/v1/admin/stats",           MR_RULE_ADMIN,   MR_SCOPE_USERS_ADMIN, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_admin_stats},
    {"GET", "/api/v1/keys",                  MR_RULE_SIGNED_IN, 0, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_keys},
    {"POST", "/api/v1/keys",                 MR_RULE_SIGNED_IN, 0, MR_LANE_SLOW, MR_BODY_JSON, 8192, .answer = mr_route_add_key},
    {"DELETE", "/api/v1/keys/{id}",          MR_RULE_SIGNED_IN, 0, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_remove_key},

    {"GET", "/media/{token}/{path*}",        MR_RULE_TOKEN,   0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_media, .ended = mr_route_media_ended},
    {"OPTIONS", "/media/{token}/{path*}",    MR_RULE_TOKEN,   0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_media_options},
    {"GET", "/api/v1/videos/{id}/playback",  MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_playback, .hooked = "authorize_playback"},
    {"GET", "/api/v1/videos/{id}/stream",    MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_playback, .hooked = "authorize_playback"},
    {"GET", "/api/v1/videos/{id}/position",  MR_RULE_SIGNED_IN, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_position},
    {"PUT", "/api/v1/videos/{id}/position",  MR_RULE_SIGNED_IN, MR_SCOPE_VIDEOS_READ, MR_LANE_SLOW, MR_BODY_JSON, 1024, .answer = mr_route_set_position},
    {"GET", "/api/v1/videos/{id}/views",     MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_views},
    {"POST", "/api/v1/videos/{id}/views",    MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_SLOW, MR_BODY_JSON, 1024, .answer = mr_route_add_view},

    {"GET", "/api/v1/videos",                MR_RULE_ANYONE,  MR_SCOPE_VIDEOS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_videos},
    {"POST", "/api/v1/videos",               MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_add_video},
    {"POST", "/api/v1/videos/upload",        MR_RULE_CREATOR, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_add_video},
    {"GET", "/api/v1/videos/{id}",           MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_video},
    {"PATCH", "/api/v1/videos/{id}",         MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_edit_video},
    {"PUT", "/api/v1/videos/{id}",           MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_replace_video},
    {"DELETE", "/api/v1/videos/{id}",        MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_remove_video},
    {"POST", "/api/v1/videos/{id}/process",  MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_process_video},
    {"PUT", "/api/v1/videos/{id}/captions/{lang}", MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_KEPT, 2u << 20, .answer = mr_route_put_captions},
    {"DELETE", "/api/v1/videos/{id}/captions/{lang}", MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_remove_captions},
    {"POST", "/api/v1/videos/{id}/poster",   MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_WRITE, MR_LANE_SLOW, MR_BODY_KEPT, 8u << 20, .answer = mr_route_set_poster},
    {"GET", "/api/v1/videos/{id}/poster/{token}", MR_RULE_TOKEN, 0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_poster},
    {"GET", "/api/v1/videos/{id}/stats",     MR_RULE_OWNER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_video_stats},
    {"GET", "/api/v1/videos/{id}/events",    MR_RULE_VIEWER_OF, MR_SCOPE_VIDEOS_READ, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_video_events},

    MR_UPLOAD_ROWS(MR_RULE_CREATOR), /* uploads.h: tus, S3, signing */

    /* The page: what no row above has taken. */
    {"GET", "/",                             MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page, .limit = MR_LIMIT_NONE},
    {"GET", "/{path*}",                      MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page, .limit = MR_LIMIT_NONE},
    {0},
};
