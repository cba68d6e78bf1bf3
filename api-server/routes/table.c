/* SPDX-License-Identifier: MIT */
/* Every route, and who may use it. */
#include "api-server/routes/routes.h"

/* clang-format off */
const mr_route mr_route_table[] = {
    /* method  path                          rule             scopes  lane           body           bound  answer */
    {"GET", "/healthz",                      MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_healthz, .quiet = true},
    {"GET", "/readyz",                       MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_readyz, .quiet = true},
    {"GET", "/metrics",                      MR_RULE_ANYONE,  0, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_metrics, .quiet = true},
    {"GET", "/api/v1/server",                MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_server},
    {"GET", "/api/v1/pipelines",             MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_pipelines},
    {"GET", "/api/v1/pipelines/{name}",      MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_pipeline},
    {"POST", "/api/v1/pipelines/check",      MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_pipelines_check},
    {"GET", "/api/v1/ops",                   MR_RULE_CREATOR, MR_SCOPE_RUNS_READ, MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_ops},

    /* The page: what no row above has taken. */
    {"GET", "/",                             MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page},
    {"GET", "/{path*}",                      MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page},
    {0},
};
