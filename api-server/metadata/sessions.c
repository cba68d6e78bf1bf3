/* SPDX-License-Identifier: MIT */
/* Families of refresh tokens, and API keys. */
#include "api-server/base/clock.h"
#include "api-server/metadata/accounts.h"
#include "api-server/metadata/internal.h"

#include <stdlib.h>
#include <string.h>

#define KEY_COLUMNS                                                                                                                                  \
    "api_keys.id, user_id, api_keys.name, hash, secret, scopes, api_keys.created_us, used_us, expires_us, CASE disabled WHEN 0 THEN role ELSE 0 END"
#define HOUR_US (3600ll * 1000000)

/* ---- families ---- */

static mr_status add_family(mr_sql_link *link, void *context)
{
    const mr_family *it = context;
    mr_status status = mr_sql_do(link, "DELETE FROM families WHERE expires_us < ?1", "i", mr_now_us());
    if (status < 0 && status != MR_ERR_NOT_FOUND)
        return status;
    return mr_sql_do(link,
                     "INSERT INTO families (id, user_id, token_hash, generation, created_us, used_us, expires_us, revoked)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                     "tttiiiii", it->id, it->user, it->token_hash, it->generation, it->created_us, it->used_us, it->expires_us, (int64_t)it->revoked);
}

mr_status mr_family_add(mr_metadata *metadata, const mr_family *family)
{
    mr_family it = *family;
    return mr_sql_write(metadata->sql, add_family, &it);
}

static mr_status find_family(mr_sql_link *link, const char *id, mr_family *ret_family)
{
    mr_sql_rows rows =
        mr_sql_ask(link, "SELECT id, user_id, token_hash, generation, created_us, used_us, expires_us, revoked FROM families WHERE id = ?1", "t", id);
    const bool found = mr_sql_next(&rows);
    if (found) {
        *ret_family = (mr_family){.generation = mr_sql_int(&rows, 3),
                                  .created_us = mr_sql_int(&rows, 4),
                                  .used_us = mr_sql_int(&rows, 5),
                                  .expires_us = mr_sql_int(&rows, 6),
                                  .revoked = mr_sql_int(&rows, 7) != 0};
        mr_sql_copy(&rows, 0, ret_family->id, sizeof(ret_family->id));
        mr_sql_copy(&rows, 1, ret_family->user, sizeof(ret_family->user));
        mr_sql_copy(&rows, 2, ret_family->token_hash, sizeof(ret_family->token_hash));
    }
    mr_status status = mr_sql_end(&rows);
    return status == MR_OK && !found ? MR_ERR_NOT_FOUND : status;
}

mr_status mr_family_find(mr_metadata *metadata, const char *id, mr_family *ret_family)
{
    return find_family(mr_sql_reader(metadata->sql), id, ret_family);
}

typedef struct rotation {
    const char *id, *old_hash, *new_hash;
    int64_t now_us, expires_us;
    bool reused;
} rotation;

static mr_status rotate(mr_sql_link *link, void *context)
{
    rotation *it = context;
    mr_family family;
    mr_status status = find_family(link, it->id, &family);
    if (status != MR_OK)
        return status;
    if (family.revoked || family.expires_us < it->now_us)
        return MR_ERR_NOT_FOUND;
    it->reused = strcmp(family.token_hash, it->old_hash) != 0;
    if (it->reused) /* MR_OK: that it is revoked must stay */
        return mr_sql_do(link, "UPDATE families SET revoked = 1 WHERE id = ?1", "t", it->id);
    return mr_sql_do(link, "UPDATE families SET token_hash = ?2, generation = generation + 1, used_us = ?3, expires_us = ?4 WHERE id = ?1", "ttii",
                     it->id, it->new_hash, it->now_us, it->expires_us);
}

mr_status mr_family_rotate(mr_metadata *metadata, const char *id, const char *old_hash, const char *new_hash, int64_t now_us, int64_t expires_us)
{
    rotation it = {.id = id, .old_hash = old_hash, .new_hash = new_hash, .now_us = now_us, .expires_us = expires_us};
    mr_status status = mr_sql_write(metadata->sql, rotate, &it);
    return status == MR_OK && it.reused ? MR_ERR_CONFLICT : status;
}

static mr_status revoke(mr_sql_link *link, void *context)
{
    return mr_sql_do(link, "UPDATE families SET revoked = 1 WHERE id = ?1", "t", (const char *)context);
}

static mr_status revoke_all(mr_sql_link *link, void *context)
{
    return mr_sql_do(link, "UPDATE families SET revoked = 1 WHERE user_id = ?1", "t", (const char *)context);
}

static mr_status revoke_by(mr_metadata *metadata, mr_sql_change change, const char *id)
{
    mr_status status = mr_sql_write(metadata->sql, change, (void *)id);
    return status == MR_ERR_NOT_FOUND ? MR_OK : status;
}

mr_status mr_family_revoke(mr_metadata *metadata, const char *id)
{
    return revoke_by(metadata, revoke, id);
}

mr_status mr_family_revoke_all(mr_metadata *metadata, const char *user)
{
    return revoke_by(metadata, revoke_all, user);
}

mr_status mr_family_check(mr_metadata *metadata, const char *family, const char *user, int64_t version, mr_role *ret_role)
{
    const int64_t role = mr_sql_count(mr_sql_reader(metadata->sql),
                                      "SELECT role FROM families JOIN users ON users.id = user_id WHERE families.id = ?1 AND user_id = ?2"
                                      " AND version = ?3 AND revoked = 0 AND disabled = 0 AND expires_us >= ?4",
                                      "ttii", family, user, version, mr_now_us());
    if (role < MR_ROLE_VIEWER)
        return MR_ERR_NOT_FOUND;
    *ret_role = (mr_role)role;
    return MR_OK;
}

/* ---- API keys ---- */

static mr_status add_key(mr_sql_link *link, void *context)
{
    const mr_key *it = context;
    const int64_t count = mr_sql_count(link, "SELECT COUNT(*) FROM api_keys WHERE user_id = ?1", "t", it->user);
    if (count < 0 || count >= MR_KEYS_MAX)
        return count < 0 ? MR_ERR_IO : MR_ERR_LIMIT;
    return mr_sql_do(link,
                     "INSERT INTO api_keys (id, user_id, name, hash, secret, scopes, created_us, used_us, expires_us)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                     "tttttiiii", it->id, it->user, it->name, it->hash, it->secret, (int64_t)it->scopes, it->created_us, it->used_us, it->expires_us);
}

mr_status mr_key_add(mr_metadata *metadata, const mr_key *key)
{
    mr_key it = *key;
    return mr_sql_write(metadata->sql, add_key, &it);
}

static void read_key(const mr_sql_rows *rows, mr_key *key)
{
    *key = (mr_key){.scopes = (uint32_t)mr_sql_int(rows, 5),
                    .created_us = mr_sql_int(rows, 6),
                    .used_us = mr_sql_int(rows, 7),
                    .expires_us = mr_sql_int(rows, 8),
                    .role = (mr_role)mr_sql_int(rows, 9)};
    mr_sql_copy(rows, 0, key->id, sizeof(key->id));
    mr_sql_copy(rows, 1, key->user, sizeof(key->user));
    mr_sql_copy(rows, 2, key->name, sizeof(key->name));
    mr_sql_copy(rows, 3, key->hash, sizeof(key->hash));
    mr_sql_copy(rows, 4, key->secret, sizeof(key->secret));
}

mr_status mr_key_find(mr_metadata *metadata, const char *id, mr_key *ret_key)
{
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql),
                                  "SELECT " KEY_COLUMNS " FROM api_keys JOIN users ON users.id = user_id WHERE api_keys.id = ?1", "t", id);
    const bool found = mr_sql_next(&rows);
    if (found)
        read_key(&rows, ret_key);
    mr_status status = mr_sql_end(&rows);
    return status == MR_OK && !found ? MR_ERR_NOT_FOUND : status;
}

typedef struct key_change {
    const char *id, *user;
    int64_t now_us;
} key_change;

static mr_status touch_key(mr_sql_link *link, void *context)
{
    const key_change *it = context;
    return mr_sql_do(link, "UPDATE api_keys SET used_us = ?2 WHERE id = ?1", "ti", it->id, it->now_us);
}

mr_status mr_key_used(mr_metadata *metadata, const char *id, int64_t now_us)
{
    key_change it = {.id = id, .now_us = now_us};
    const int64_t used_us = mr_sql_count(mr_sql_reader(metadata->sql), "SELECT used_us FROM api_keys WHERE id = ?1", "t", id);
    if (used_us < 0)
        return MR_ERR_NOT_FOUND;
    return now_us - used_us < HOUR_US ? MR_OK : mr_sql_write(metadata->sql, touch_key, &it);
}

static mr_status remove_key(mr_sql_link *link, void *context)
{
    const key_change *it = context;
    return mr_sql_do(link, "DELETE FROM api_keys WHERE id = ?1 AND user_id = ?2", "tt", it->id, it->user);
}

mr_status mr_key_remove(mr_metadata *metadata, const char *user, const char *id)
{
    key_change it = {.id = id, .user = user};
    return mr_sql_write(metadata->sql, remove_key, &it);
}

mr_status mr_key_list(mr_metadata *metadata, const char *user, mr_key **ret_keys, size_t *ret_count)
{
    mr_key *keys = calloc(MR_KEYS_MAX, sizeof(*keys));
    *ret_keys = NULL;
    *ret_count = 0;
    if (!keys)
        return MR_ERR_NOMEM;
    mr_sql_rows rows = mr_sql_ask(mr_sql_reader(metadata->sql),
                                  "SELECT " KEY_COLUMNS " FROM api_keys JOIN users ON users.id = user_id WHERE user_id = ?1"
                                  " ORDER BY api_keys.created_us, api_keys.id LIMIT ?2",
                                  "ti", user, (int64_t)MR_KEYS_MAX);
    size_t count = 0;
    while (mr_sql_next(&rows))
        read_key(&rows, &keys[count++]);
    mr_status status = mr_sql_end(&rows);
    if (status != MR_OK) {
        free(keys);
        return status;
    }
    *ret_keys = keys;
    *ret_count = count;
    return MR_OK;
}
