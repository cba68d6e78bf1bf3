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
    {"GET", "/api/v1/runs",                  MR_RULE_ADMIN, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_runs},
    {"GET", "/api/v1/runs/{id}",             MR_RULE_ADMIN, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run},
    {"GET", "/api/v1/runs/{id}/logs",        MR_RULE_ADMIN, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run_logs},
    {"GET", "/api/v1/runs/{id}/graph",       MR_RULE_ADMIN, MR_SCOPE_RUNS_READ,  MR_LANE_SLOW, MR_BODY_NONE, 0, .answer = mr_route_run_graph},
    {"POST", "/api/v1/runs/{id}/cancel",     MR_RULE_ADMIN, MR_SCOPE_RUNS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_run_cancel},
    {"POST", "/api/v1/runs/{id}/retry",      MR_RULE_ADMIN, MR_SCOPE_RUNS_WRITE, MR_LANE_SLOW, MR_BODY_JSON, 0, .answer = mr_route_run_retry},

    /* The page: what no row above has taken. */
    {"GET", "/",                             MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page},
    {"GET", "/{path*}",                      MR_RULE_ANYONE,  0, MR_LANE_QUICK, MR_BODY_NONE, 0, .answer = mr_route_page},
    {0},
};
