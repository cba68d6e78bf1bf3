/* SPDX-License-Identifier: MIT */
/* The part as a whole, and users as they are added and changed. */
#include "api-server/auth/internal.h"

#include "api-server/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mr_status mr_auth_open(const char *data_dir, mr_metadata *metadata, char *why, size_t why_size, mr_auth **ret_auth)
{
    *ret_auth = NULL;
    mr_auth *auth = sodium_init() >= 0 ? calloc(1, sizeof(*auth)) : NULL;
    if (!auth) {
        snprintf(why, why_size, "out of memory");
        return MR_ERR_NOMEM;
    }
    auth->metadata = metadata;
    pthread_mutex_init(&auth->changing, NULL);
    sem_init(&auth->hashing, 0, MR_HASHES_AT_A_TIME);
    mr_status status = mr_ring_open(data_dir, mr_now_us(), &auth->ring, why, why_size);
    if (status == MR_OK) {
        uint8_t bytes[MR_SECRET];
        char nobody[MR_SECRET_TEXT];
        randombytes_buf(bytes, sizeof(bytes));
        mr_secret_text(bytes, nobody);
        status = mr_password_hash(auth, nobody, auth->nobody);
        if (status != MR_OK)
            snprintf(why, why_size, "there is no memory to check passwords in (64 MiB)");
    }
    if (status == MR_OK)
        *ret_auth = auth;
    else
        mr_auth_close(auth);
    return status;
}

void mr_auth_close(mr_auth *auth)
{
    if (!auth)
        return;
    pthread_mutex_destroy(&auth->changing);
    sem_destroy(&auth->hashing);
    mr_ring_close(&auth->ring);
    free(auth);
}

mr_status mr_auth_add_user(mr_auth *auth, mr_user *user, const char *password, bool first)
{
    if (!user->id[0] && !mr_id_make('u', user->id))
        return MR_ERR_UNAVAILABLE;
    user->created_us = mr_now_us();
    user->version = 1;
    mr_status status = mr_password_hash(auth, password, user->password);
    return status == MR_OK ? mr_user_add(auth->metadata, user, first) : status;
}

bool mr_auth_password_is(mr_auth *auth, const mr_user *user, const char *password)
{
    return mr_password_verify(auth, password, user->password);
}

/* The version is of all that an administrator decides: whoever read the user before such a change must not write it back. */
static mr_status update(mr_auth *auth, mr_user *user, bool new_password)
{
    mr_user was;
    mr_status status = mr_user_find(auth->metadata, user->id, &was);
    if (status == MR_OK && was.version != user->version)
        status = MR_ERR_UNAVAILABLE;
    if (status != MR_OK)
        return status;
    const bool ends = new_password || user->role != was.role || user->disabled != was.disabled;
    user->version += ends;
    status = mr_user_update(auth->metadata, user, was.version);
    sodium_memzero(was.password, sizeof(was.password));
    return status;
}

mr_status mr_auth_change_user(mr_auth *auth, mr_user *user, const char *password)
{
    mr_status status = password ? mr_password_hash(auth, password, user->password) : MR_OK;
    pthread_mutex_lock(&auth->changing);
    if (status == MR_OK)
        status = update(auth, user, password != NULL);
    pthread_mutex_unlock(&auth->changing);
    return status;
}
