/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/auth: the first administrator, registering, signing in and out.
 *
 * The cookie serves refreshing and signing out, nothing else: it is HttpOnly and SameSite=Strict, its path is this folder, and a request that brings
 * it must name our own origin. Browsers don't get the refresh token in any other way, so that no script can lose it.
 */
#include "api-server/routes/auth.h"

#include "api-server/base/clock.h"
#include "api-server/metrics/metrics.h"
#include "api-server/routes/cookie.h"
#include "api-server/routes/routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- where a request comes from ---- */

static size_t host_of(const char *url, const char **ret_host)
{
    const char *at = strstr(url, "://");
    *ret_host = at ? at + 3 : url;
    return strcspn(*ret_host, "/?#");
}

static bool same_host(const char *one, const char *other)
{
    const char *a;
    const char *b;
    const size_t len = host_of(one, &a);
    return len > 0 && host_of(other, &b) == len && strncasecmp(a, b, len) == 0;
}

/* Whether the page that asks is ours. public_url, where it is set, is compared whole. */
static bool is_own_origin(mr_call *call, const char *origin)
{
    const char *own = mr_call_origin(call);
    if (!own)
        return false;
    return call->server->settings->public_url ? strcasecmp(own, origin) == 0 : same_host(own, origin);
}

static bool is_secure(mr_call *call)
{
    const char *url = call->server->settings->public_url;
    const char *proto = mr_http_field(call->exchange, "X-Forwarded-Proto");
    if (url)
        return strncasecmp(url, "https://", 8) == 0;
    return proto && strcasecmp(proto, "https") == 0 && mr_proxies_hold(&call->server->proxies, mr_http_peer(call->exchange));
}

/* localhost, 127.0.0.1, [::1]: a name that no other machine's page can have made to mean this one. */
static bool is_loopback_host(const char *host)
{
    char name[256];
    const size_t len = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
    if (len == 0 || len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return strcasecmp(name, "localhost") == 0 || mr_address_is_loopback(name[0] == '[' ? name + 1 : name);
}

/*
 * Whether whoever asks sits at this machine. Behind a proxy everybody seems to: so a field that proxies add refuses it, unless the proxy is one that
 * the settings trust and it says that its client is here as well.
 */
static bool is_local(mr_call *call)
{
    static const char *const marks[] = {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"};
    const char *peer = mr_http_peer(call->exchange);
    const char *host = mr_http_field(call->exchange, "Host");
    const char *origin = mr_http_field(call->exchange, "Origin");
    const bool trusted = mr_proxies_hold(&call->server->proxies, peer) && mr_http_field(call->exchange, "X-Forwarded-For");
    for (size_t i = 0; !trusted && i < sizeof(marks) / sizeof(*marks); i++) {
        if (mr_http_field(call->exchange, marks[i]))
            return false;
    }
    if (call->server->settings->public_url && !trusted && !is_loopback_host(strstr(call->server->settings->public_url, "://") + 3))
        return false; /* there is a proxy, whether it says so or not */
    return mr_address_is_loopback(peer) && mr_address_is_loopback(call->client) && (trusted || (host && is_loopback_host(host))) &&
           (!origin || is_own_origin(call, origin));
}

/* ---- sessions ---- */

void mr_reply_refresh_cookie(mr_call *call, const char *refresh)
{
    char cookie[256];
    const int seconds = refresh[0] ? MR_REFRESH_DAYS * 86400 : 0;
    snprintf(cookie, sizeof(cookie), MR_REFRESH_COOKIE "=%s; Path=/api/v1/auth; Max-Age=%d; HttpOnly; SameSite=Strict%s", refresh, seconds,
             is_secure(call) ? "; Secure" : "");
    mr_http_reply_field(call->exchange, "Set-Cookie", cookie);
}

static void answer_session(mr_call *call, int status, const mr_session *session)
{
    const bool browser = mr_http_field(call->exchange, "Origin") != NULL;
    mr_reply_refresh_cookie(call, session->refresh);
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, status,
                 json_pack("{s:s, s:s, s:I, s:s*, s:o}", "token_type", "Bearer", "access_token", session->access, "expires_in",
                           (json_int_t)session->expires_in, "refresh_token", browser ? NULL : session->refresh, "user",
                           mr_user_json(&session->user)));
}

/* The new account is signed in at once. */
static void add_and_answer(mr_call *call, mr_role role, bool first)
{
    mr_user user = {.role = role, .quota_bytes = -1};
    mr_session session;
    mr_fields fields = mr_fields_begin(call, "email password name");
    const char *email = mr_field_email(&fields, "email", true, user.email);
    const char *password = mr_field_password(&fields, "password", true);
    const char *name = mr_field_text(&fields, "name", 0, MR_NAME_SIZE - 1, false);
    if (!mr_fields_good(&fields) || !email)
        return;
    snprintf(user.name, sizeof(user.name), "%s", name ? name : "");
    mr_status status = mr_auth_add_user(call->server->auth, &user, password, first);
    if (status == MR_OK)
        status = mr_auth_sign_in(call->server->auth, &user, &session);
    if (status == MR_OK)
        answer_session(call, 201, &session);
    else if (status == MR_ERR_CONFLICT && first)
        mr_call_problem(call, 409, "set-up-already", "there is a user already: sign in, or ask an administrator");
    else
        mr_answer_user_status(call, status);
}

/* ---- routes ---- */

void mr_route_setup_state(mr_call *call)
{
    const int64_t count = mr_user_count(call->server->metadata);
    if (count < 0)
        mr_call_status(call, MR_ERR_UNAVAILABLE, "users");
    else
        mr_call_json(call, 200, json_pack("{s:b, s:b}", "needed", count == 0, "allowed", count == 0 && is_local(call)));
}

void mr_route_setup(mr_call *call)
{
    if (!is_local(call))
        mr_call_problem(
            call, 403, "not-local",
            "the first administrator is made from the machine itself: open the page there, or run 'millrace user add EMAIL --role admin'");
    else if (mr_user_count(call->server->metadata) > 0)
        mr_call_problem(call, 409, "set-up-already", "there is a user already: sign in, or ask an administrator");
    else
        add_and_answer(call, MR_ROLE_ADMIN, true);
}

void mr_route_register(mr_call *call)
{
    const mr_server_settings *settings = call->server->settings;
    if (settings->registration != MR_REGISTRATION_OPEN)
        mr_call_problem(call, 403, "registration-closed", "accounts are made by an administrator here");
    else if (mr_user_count(call->server->metadata) <= 0)
        mr_call_problem(call, 409, "not-set-up", "the first account is the administrator's, which is made at the machine itself");
    else
        add_and_answer(call, settings->registration_role == MR_REGISTERED_CREATOR ? MR_ROLE_CREATOR : MR_ROLE_VIEWER, false);
}

void mr_route_login(mr_call *call)
{
    mr_session session;
    mr_fields fields = mr_fields_begin(call, "email password");
    const char *email = mr_field_text(&fields, "email", 1, MR_EMAIL_SIZE - 1, true);
    const char *password = mr_field_text(&fields, "password", 1, MR_PASSWORD_MAX, true);
    char account[MR_EMAIL_SIZE];
    if (!mr_fields_good(&fields) || !email || !password)
        return;
    size_t len = 0;
    for (; email[len] && len < sizeof(account) - 1; len++)
        account[len] = (char)(email[len] >= 'A' && email[len] <= 'Z' ? email[len] + 32 : email[len]);
    account[len] = '\0';
    if (!mr_call_take(call, MR_LIMIT_ACCOUNT, account))
        return;
    mr_status status = mr_auth_log_in(call->server->auth, email, password, &session);
    if (status == MR_OK)
        answer_session(call, 200, &session);
    else if (status == MR_ERR_NOT_FOUND)
        mr_call_problem(call, 401, "bad-credentials", "address or password is wrong");
    else
        mr_call_status(call, status, "account");
    if (status == MR_ERR_NOT_FOUND)
        mr_metrics_count(call->server->metrics, MR_COUNT_SIGN_INS_REFUSED, 1);
}

/* The token in the body, or else in the cookie, if the page that sent it is ours. False: answered. */
static bool find_refresh(mr_call *call, char cookie[MR_REFRESH_SIZE], const char **ret_refresh)
{
    mr_fields fields = mr_fields_begin(call, "refresh_token");
    const char *origin = mr_http_field(call->exchange, "Origin");
    *ret_refresh = mr_field_text(&fields, "refresh_token", 1, MR_REFRESH_SIZE - 1, false);
    if (!mr_fields_good(&fields))
        return false;
    if (*ret_refresh || !mr_cookie_find(mr_http_field(call->exchange, "Cookie"), MR_REFRESH_COOKIE, cookie, MR_REFRESH_SIZE))
        return true;
    if (!origin || !is_own_origin(call, origin)) {
        mr_call_problem(call, 403, "foreign-origin", "a cookie is taken from this site's own pages only, and Origin says '%s'",
                        origin ? origin : "nothing");
        return false;
    }
    *ret_refresh = cookie;
    return true;
}

void mr_route_refresh(mr_call *call)
{
    mr_session session;
    char cookie[MR_REFRESH_SIZE];
    const char *refresh = NULL;
    if (!find_refresh(call, cookie, &refresh))
        return;
    mr_status status = refresh ? mr_auth_refresh(call->server->auth, refresh, &session) : MR_ERR_NOT_FOUND;
    if (status == MR_OK) {
        answer_session(call, 200, &session);
        return;
    }
    if (status != MR_ERR_NOT_FOUND && status != MR_ERR_CONFLICT) {
        mr_call_status(call, status, "account");
        return;
    }
    mr_reply_refresh_cookie(call, "");
    if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 401, "refresh-token-reused", "this refresh token was used before, so all of its sign-in has ended: sign in again");
    else
        mr_call_problem(call, 401, "bad-refresh-token", "there is no sign-in to go on with: sign in again");
}

void mr_route_logout(mr_call *call)
{
    char cookie[MR_REFRESH_SIZE];
    const char *refresh = NULL;
    if (!find_refresh(call, cookie, &refresh))
        return;
    mr_auth_identify(call->server->auth, mr_http_field(call->exchange, "Authorization"), &call->who); /* an expired token is no reason to stay */
    mr_status status = mr_auth_log_out(call->server->auth, refresh, &call->who);
    mr_reply_refresh_cookie(call, "");
    if (status == MR_OK)
        mr_call_empty(call, 204);
    else
        mr_call_status(call, status, "sign-in");
}
