/* SPDX-License-Identifier: MIT */
/* /api/v1/keys: one's own API keys. A key can't make keys: its routes ask for a session. */
#include "api-server/routes/auth.h"

#include "api-server/auth/words.h"
#include "api-server/base/clock.h"
#include "api-server/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *time_json(int64_t us)
{
    char text[MR_TIME_SIZE];
    return us ? json_string(mr_time_text(us, text)) : json_null();
}

static json_t *key_json(const mr_key *key)
{
    json_t *scopes = json_array();
    for (uint32_t scope = 1; scope <= MR_SCOPE_ALL; scope <<= 1) {
        if (key->scopes & scope)
            json_array_append_new(scopes, json_string(mr_scope_name(scope)));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "id", key->id, "name", key->name, "scopes", scopes, "created_at", time_json(key->created_us),
                     "expires_at", time_json(key->expires_us), "last_used_at", time_json(key->used_us));
}

void mr_route_keys(mr_call *call)
{
    mr_key *keys = NULL;
    size_t count = 0;
    mr_status status = mr_key_list(call->server->metadata, call->who.user, &keys, &count);
    if (status != MR_OK) {
        mr_call_status(call, status, "keys");
        return;
    }
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, key_json(&keys[i]));
    free(keys);
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

static void read_scopes(mr_fields *fields, mr_key *key)
{
    const json_t *list = json_object_get(fields->call->json, "scopes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const uint32_t scope = name ? mr_scope_read(name) : 0;
        if (scope == 0) {
            mr_field_wrong(fields, "scopes", "these are of videos:read, videos:write, runs:read, runs:write and users:admin");
            return;
        }
        key->scopes |= scope;
    }
    if (json_array_size(list) == 0)
        mr_field_wrong(fields, "scopes", "what the key is good for is needed: a list of one or more");
    else if ((key->scopes & MR_SCOPE_USERS_ADMIN) && fields->call->who.role != MR_ROLE_ADMIN)
        mr_field_wrong(fields, "scopes", "users:admin is for administrators");
}

void mr_route_add_key(mr_call *call)
{
    mr_key key = {0};
    char text[MR_API_KEY_SIZE];
    mr_fields fields = mr_fields_begin(call, "name scopes expires_at");
    const char *name = mr_field_text(&fields, "name", 1, MR_NAME_SIZE - 1, true);
    const char *expires = mr_field_text(&fields, "expires_at", 1, 64, false);
    read_scopes(&fields, &key);
    if (expires && (!mr_time_read(expires, &key.expires_us) || key.expires_us <= mr_now_us()))
        mr_field_wrong(&fields, "expires_at", "this is a time to come, as 2030-01-31T00:00:00Z");
    if (!mr_fields_good(&fields) || !name)
        return;
    snprintf(key.name, sizeof(key.name), "%s", name);
    memcpy(key.user, call->who.user, sizeof(key.user));
    mr_status status = mr_auth_add_key(call->server->auth, &key, text);
    if (status == MR_ERR_LIMIT) {
        mr_call_problem(call, 409, "too-many-keys", "you have %d keys, which is the most: remove one first", MR_KEYS_MAX);
        return;
    }
    if (status != MR_OK) {
        mr_call_status(call, status, "key");
        return;
    }
    json_t *answer = key_json(&key);
    json_object_set_new(answer, "key", json_string(text));
    json_object_set_new(answer, "secret", json_string(mr_auth_key_part(text))); /* for signatures of AWS's kind, beside the id */
    mr_http_reply_field(call->exchange, "Cache-Control", "no-store");
    mr_call_json(call, 201, answer);
}

void mr_route_remove_key(mr_call *call)
{
    mr_status status = mr_key_remove(call->server->metadata, call->who.user, call->ids[0]);
    if (status == MR_OK)
        mr_call_empty(call, 204);
    else
        mr_call_status(call, status, "key");
}
