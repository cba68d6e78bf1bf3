/* SPDX-License-Identifier: MIT */
/*
 * Before a route sees a call: whose it is, whether it comes too often, and whether the route's row lets it in. In this order, so that guesses at
 * tokens are counted, too.
 */
#include "api-server/routes/call.h"

#include "api-server/auth/auth.h"
#include "api-server/metrics/metrics.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A list may come in several fields (RFC 9110, 5.3). NULL: absent. */
static const char *joined_field(mr_call *call, const char *name)
{
    char text[1024];
    size_t len = 0;
    size_t found = 0;
    for (size_t i = 0; i < mr_http_field_count(call->exchange); i++) {
        const char *field;
        const char *value;
        mr_http_field_at(call->exchange, i, &field, &value);
        if (strcasecmp(field, name) != 0)
            continue;
        int added = snprintf(text + len, sizeof(text) - len, "%s%s", found++ ? "," : "", value);
        if (added < 0 || len + (size_t)added >= sizeof(text))
            return ""; /* nobody is behind that many proxies */
        len += (size_t)added;
    }
    return found ? mr_call_keep(call, text, len) : NULL;
}

static void find_client(mr_call *call)
{
    mr_client_address(&call->server->proxies, mr_http_peer(call->exchange), joined_field(call, "X-Forwarded-For"), call->client);
}

bool mr_call_take(mr_call *call, mr_limit_kind kind, const char *whose)
{
    const mr_limit_verdict verdict = mr_limits_take(call->server->limits, kind, whose, mr_metrics_now_us());
    if (verdict.limit == 0)
        return true;
    if (kind != MR_LIMIT_ACCOUNT) { /* one set of fields is enough: those of the address */
        mr_call_number_field(call, "RateLimit-Limit", verdict.limit);
        mr_call_number_field(call, "RateLimit-Remaining", verdict.remaining);
        mr_call_number_field(call, "RateLimit-Reset", verdict.seconds);
    }
    if (!verdict.let_in) {
        mr_call_number_field(call, "Retry-After", verdict.seconds);
        mr_metrics_count(call->server->metrics, MR_COUNT_RATE_LIMITED, 1);
        mr_call_problem(call, 429, "too-many-requests", "that was too often: %u a minute is the limit; try again in %u s", verdict.limit,
                        verdict.seconds);
    }
    return verdict.let_in;
}

static bool is_counted(mr_call *call)
{
    char network[MR_ADDRESS_SIZE];
    if (call->route->limit == MR_LIMIT_NONE || call->route->rule == MR_RULE_TOKEN)
        return true;
    if (call->who.user[0] && call->route->limit == MR_LIMIT_API)
        return mr_call_take(call, MR_LIMIT_API, call->who.user);
    mr_address_network(call->client, network);
    return mr_call_take(call, call->route->limit, network);
}

/* So that no other site's page can make a browser send it without being asked first: what such a page may send unasked is no JSON. */
static bool is_json(mr_call *call)
{
    static const char json[] = "application/json";
    const char *type = mr_http_field(call->exchange, "Content-Type");
    if (call->route->takes != MR_BODY_JSON || mr_http_length(call->exchange) == 0)
        return true;
    if (type && strncasecmp(type, json, sizeof(json) - 1) == 0 && strchr("; \t", type[sizeof(json) - 1]))
        return true;
    mr_call_problem(call, 415, "unsupported-media-type", "the body must be JSON, and Content-Type must say so: 'application/json'");
    return false;
}

static bool refuse_proof(mr_call *call, mr_status status)
{
    if (status != MR_ERR_INPUT) {
        mr_call_status(call, status, "account");
        return false;
    }
    mr_http_reply_field(call->exchange, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
    mr_call_problem(call, 401, "bad-token", "the token or key is not good, or no longer: sign in again");
    return false;
}

static bool is_allowed(mr_call *call)
{
    switch (mr_rule_decide(call->route->rule, call->route->scopes, &call->who)) {
    case MR_LET_IN: return true;
    case MR_SIGN_IN_FIRST:
        mr_http_reply_field(call->exchange, "WWW-Authenticate", "Bearer");
        mr_call_problem(call, 401, "unauthenticated", "sign in first");
        return false;
    case MR_NOT_FOR_YOU: break;
    }
    mr_call_problem(call, 403, "forbidden", "you may not do that");
    return false;
}

bool mr_call_admit(mr_call *call)
{
    const mr_route *route = call->route;
    mr_status status = MR_OK;
    find_client(call);
    if (!route->asks_itself && route->rule != MR_RULE_TOKEN)
        status = mr_auth_identify(call->server->auth, mr_http_field(call->exchange, "Authorization"), &call->who);
    return is_counted(call) && (status == MR_OK || refuse_proof(call, status)) && is_allowed(call) && is_json(call);
}
