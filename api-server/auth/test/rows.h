/* SPDX-License-Identifier: MIT */
/* Accounts in memory, by the contract of api-server/metadata/accounts.h: so that what is above them is tested alone. */
#ifndef MR_AUTH_TEST_ROWS_H
#define MR_AUTH_TEST_ROWS_H

#include "api-server/metadata/accounts.h"

#include "api-server/base/clock.h"

#include <string.h>
#include <strings.h>

enum { ROWS = 8 };

struct mr_metadata {
    mr_user users[ROWS];
    mr_family families[ROWS];
    mr_key keys[ROWS];
    size_t user_count, family_count, key_count;
};

static mr_user *row_of_user(mr_metadata *all, const char *id)
{
    for (size_t i = 0; i < all->user_count; i++) {
        if (strcmp(all->users[i].id, id) == 0)
            return &all->users[i];
    }
    return NULL;
}

static mr_family *row_of_family(mr_metadata *all, const char *id)
{
    for (size_t i = 0; i < all->family_count; i++) {
        if (strcmp(all->families[i].id, id) == 0)
            return &all->families[i];
    }
    return NULL;
}

mr_status mr_user_add(mr_metadata *all, const mr_user *user, bool only_first)
{
    if ((only_first && all->user_count > 0) || all->user_count == ROWS)
        return MR_ERR_CONFLICT;
    all->users[all->user_count++] = *user;
    return MR_OK;
}

mr_status mr_user_find(mr_metadata *all, const char *id, mr_user *ret_user)
{
    const mr_user *user = row_of_user(all, id);
    if (user)
        *ret_user = *user;
    return user ? MR_OK : MR_ERR_NOT_FOUND;
}

mr_status mr_user_find_email(mr_metadata *all, const char *email, mr_user *ret_user)
{
    for (size_t i = 0; i < all->user_count; i++) {
        if (strcasecmp(all->users[i].email, email) == 0) {
            *ret_user = all->users[i];
            return MR_OK;
        }
    }
    return MR_ERR_NOT_FOUND;
}

mr_status mr_user_update(mr_metadata *all, const mr_user *user, int64_t was)
{
    mr_user *row = row_of_user(all, user->id);
    if (row && row->version != was)
        return MR_ERR_UNAVAILABLE;
    if (row)
        *row = *user;
    for (size_t i = 0; row && user->version != was && i < all->family_count; i++)
        all->families[i].revoked = all->families[i].revoked || strcmp(all->families[i].user, user->id) == 0;
    return row ? MR_OK : MR_ERR_NOT_FOUND;
}

mr_status mr_family_add(mr_metadata *all, const mr_family *family)
{
    if (all->family_count == ROWS)
        return MR_ERR_LIMIT;
    all->families[all->family_count++] = *family;
    return MR_OK;
}

mr_status mr_family_find(mr_metadata *all, const char *id, mr_family *ret_family)
{
    const mr_family *family = row_of_family(all, id);
    if (family)
        *ret_family = *family;
    return family ? MR_OK : MR_ERR_NOT_FOUND;
}

mr_status mr_family_rotate(mr_metadata *all, const char *id, const char *old_hash, const char *new_hash, int64_t now_us, int64_t expires_us)
{
    mr_family *family = row_of_family(all, id);
    if (!family || family->revoked || family->expires_us <= now_us)
        return MR_ERR_NOT_FOUND;
    family->revoked = strcmp(family->token_hash, old_hash) != 0;
    if (family->revoked)
        return MR_ERR_CONFLICT;
    memcpy(family->token_hash, new_hash, strlen(new_hash) + 1);
    family->used_us = now_us;
    family->expires_us = expires_us;
    return MR_OK;
}

mr_status mr_family_revoke(mr_metadata *all, const char *id)
{
    mr_family *family = row_of_family(all, id);
    if (family)
        family->revoked = true;
    return MR_OK;
}

mr_status mr_family_revoke_all(mr_metadata *all, const char *user)
{
    for (size_t i = 0; i < all->family_count; i++)
        all->families[i].revoked = all->families[i].revoked || strcmp(all->families[i].user, user) == 0;
    return MR_OK;
}

mr_status mr_family_check(mr_metadata *all, const char *id, const char *user_id, int64_t version, mr_role *ret_role)
{
    const mr_family *family = row_of_family(all, id);
    const mr_user *user = row_of_user(all, user_id);
    if (!family || !user || family->revoked || user->disabled || user->version != version || strcmp(family->user, user_id) != 0)
        return MR_ERR_NOT_FOUND;
    *ret_role = user->role;
    return MR_OK;
}

mr_status mr_key_add(mr_metadata *all, const mr_key *key)
{
    if (all->key_count == ROWS)
        return MR_ERR_LIMIT;
    all->keys[all->key_count++] = *key;
    return MR_OK;
}

mr_status mr_key_find(mr_metadata *all, const char *id, mr_key *ret_key)
{
    for (size_t i = 0; i < all->key_count; i++) {
        if (strcmp(all->keys[i].id, id) == 0) {
            const mr_user *user = row_of_user(all, all->keys[i].user);
            *ret_key = all->keys[i];
            ret_key->role = user && !user->disabled ? user->role : MR_ROLE_NOBODY;
            return MR_OK;
        }
    }
    return MR_ERR_NOT_FOUND;
}

#endif
