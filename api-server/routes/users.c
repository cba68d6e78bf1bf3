/* SPDX-License-Identifier: MIT */
/* /api/v1/users: one's own account, and everybody's for administrators. */
#include "api-server/routes/auth.h"

#include "api-server/auth/words.h"
#include "api-server/base/clock.h"
#include "api-server/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTA_MAX (INT64_C(1) << 60)

json_t *mr_user_json(const mr_user *user)
{
    char created[MR_TIME_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:I}", "id", user->id, "email", user->email, "name", user->name, "role",
                     mr_role_name(user->role), "created_at", mr_time_text(user->created_us, created), "disabled", user->disabled, "quota_bytes",
                     user->quota_bytes < 0 ? json_null() : json_integer(user->quota_bytes), "used_bytes", (json_int_t)user->used_bytes);
}

const char *mr_field_email(mr_fields *fields, const char *name, bool required, char ret_email[MR_EMAIL_SIZE])
{
    const char *text = mr_field_text(fields, name, 1, MR_EMAIL_SIZE - 1, required);
    const char *problem = text && mr_auth_email_trim(text, ret_email) ? mr_auth_email_problem(ret_email) : NULL;
    if (problem)
        mr_field_wrong(fields, name, problem);
    return text && !problem ? ret_email : NULL;
}

const char *mr_field_password(mr_fields *fields, const char *name, bool required)
{
    const char *text = mr_field_text(fields, name, 0, MR_PASSWORD_MAX, required);
    const char *problem = text ? mr_auth_password_problem(text) : NULL;
    if (problem)
        mr_field_wrong(fields, name, problem);
    return problem ? NULL : text;
}

void mr_answer_user_status(mr_call *call, mr_status status)
{
    if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 409, "address-taken", "there is an account with this address already");
    else if (status == MR_ERR_LIMIT)
        mr_call_problem(call, 409, "last-administrator", "this is the last administrator: make another one first");
    else
        mr_call_status(call, status, "user");
}

static void answer_user(mr_call *call, int status, const mr_user *user)
{
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, status, mr_user_json(user));
}

/* What is stored now, since it may count used bytes; or what went wrong. */
static void answer_stored(mr_call *call, int http_status, mr_status status, const char *id)
{
    mr_user user;
    if (status == MR_OK)
        status = mr_user_find(call->server->metadata, id, &user);
    if (status == MR_OK)
        answer_user(call, http_status, &user);
    else
        mr_answer_user_status(call, status);
}

void mr_route_me(mr_call *call)
{
    answer_stored(call, 200, MR_OK, call->who.user);
}

/* Address and password are changed by who knows the password; the others may hold a token for a moment. */
static bool knows_password(mr_call *call, const mr_user *user, const char *current)
{
    char account[MR_ID_SIZE + 8];
    snprintf(account, sizeof(account), "of %s", user->id);
    if (!mr_call_take(call, MR_LIMIT_ACCOUNT, account))
        return false;
    if (current && mr_auth_password_is(call->server->auth, user, current))
        return true;
    mr_fields fields = {.call = call};
    mr_field_wrong(&fields, "current_password", current ? "this is not your password" : "this is needed to change address or password");
    return mr_fields_good(&fields);
}

void mr_route_change_me(mr_call *call)
{
    mr_user user;
    mr_session session;
    char address[MR_EMAIL_SIZE];
    mr_fields fields = mr_fields_begin(call, "name email password current_password");
    const char *name = mr_field_text(&fields, "name", 0, MR_NAME_SIZE - 1, false);
    const char *email = mr_field_email(&fields, "email", false, address);
    const char *password = mr_field_password(&fields, "password", false);
    const char *current = mr_field_text(&fields, "current_password", 0, MR_PASSWORD_MAX, false);
    if (!mr_fields_good(&fields))
        return;
    mr_status status = mr_user_find(call->server->metadata, call->who.user, &user);
    if (status == MR_OK && (email || password) && !knows_password(call, &user, current))
        return;
    if (name)
        snprintf(user.name, sizeof(user.name), "%s", name);
    if (email)
        snprintf(user.email, sizeof(user.email), "%s", email);
    if (status == MR_OK)
        status = mr_auth_change_user(call->server->auth, &user, password);
    /* All sign-ins have ended, and this one goes on as a new one. */
    if (status == MR_OK && password && mr_auth_sign_in(call->server->auth, &user, &session) == MR_OK)
        mr_reply_refresh_cookie(call, session.refresh);
    answer_stored(call, 200, status, call->who.user);
}

void mr_route_users(mr_call *call)
{
    int64_t limit;
    char next[MR_CURSOR_SIZE] = "";
    size_t count = 0;
    if (!mr_call_query_number(call, "limit", 1, MR_METADATA_PAGE, 24, &limit))
        return;
    mr_user *users = calloc((size_t)limit, sizeof(*users));
    mr_status status = users ? mr_user_list(call->server->metadata, mr_call_query(call, "cursor"), (size_t)limit, users, &count, next) : MR_ERR_NOMEM;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, mr_user_json(&users[i]));
    free(users);
    if (status == MR_OK) {
        mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
        mr_call_json(call, 200, json_pack("{s:o, s:s?}", "items", items, "next", next[0] ? next : NULL));
        return;
    }
    json_decref(items);
    mr_call_status(call, status, "cursor");
}

/* role, quota_bytes (null: none) and name, as far as they are there. */
static void read_common(mr_fields *fields, mr_user *user)
{
    const char *name = mr_field_text(fields, "name", 0, MR_NAME_SIZE - 1, false);
    const char *role = mr_field_text(fields, "role", 1, 32, false);
    int64_t quota;
    if (name)
        snprintf(user->name, sizeof(user->name), "%s", name);
    if (role && !mr_role_read(role, &user->role))
        mr_field_wrong(fields, "role", "this is viewer, creator or admin");
    if (json_is_null(json_object_get(fields->call->json, "quota_bytes")))
        user->quota_bytes = -1;
    else if (mr_field_number(fields, "quota_bytes", 0, QUOTA_MAX, &quota))
        user->quota_bytes = quota;
}

void mr_route_add_user(mr_call *call)
{
    mr_user user = {.role = MR_ROLE_VIEWER, .quota_bytes = -1};
    mr_fields fields = mr_fields_begin(call, "email password name role quota_bytes");
    const char *email = mr_field_email(&fields, "email", true, user.email);
    const char *password = mr_field_password(&fields, "password", true);
    read_common(&fields, &user);
    if (!mr_fields_good(&fields) || !email || !password)
        return;
    mr_user made;
    mr_status status = mr_call_make_id(call, 'u', user.id) ? mr_auth_add_user(call->server->auth, &user, password, false) : MR_ERR_UNAVAILABLE;
    if (status == MR_ERR_CONFLICT && mr_user_find(call->server->metadata, user.id, &made) == MR_OK)
        status = MR_OK; /* by this very request, whose answer was lost */
    answer_stored(call, 201, status, user.id);
}

void mr_route_change_user(mr_call *call)
{
    mr_user user;
    bool disabled;
    mr_status status = mr_user_find(call->server->metadata, call->ids[0], &user);
    if (status != MR_OK) {
        mr_call_status(call, status, "user");
        return;
    }
    mr_fields fields = mr_fields_begin(call, "name role quota_bytes disabled password");
    const char *password = mr_field_password(&fields, "password", false);
    read_common(&fields, &user);
    if (mr_field_bool(&fields, "disabled", &disabled))
        user.disabled = disabled;
    if (!mr_fields_good(&fields))
        return;
    answer_stored(call, 200, mr_auth_change_user(call->server->auth, &user, password), user.id);
}

void mr_route_remove_user(mr_call *call)
{
    mr_status status = mr_user_remove(call->server->metadata, call->ids[0]);
    if (status == MR_OK)
        mr_call_empty(call, 204);
    else if (status == MR_ERR_CONFLICT)
        mr_call_problem(call, 409, "has-videos", "the user still has videos: delete these first, or disable the account");
    else
        mr_answer_user_status(call, status);
}
