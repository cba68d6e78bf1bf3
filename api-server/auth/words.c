/* SPDX-License-Identifier: MIT */
#include "api-server/auth/words.h"

#include <string.h>

static const char *const roles[] = {"nobody", "viewer", "creator", "admin"};
static const char *const scopes[] = {"videos:read", "videos:write", "runs:read", "runs:write", "users:admin"};

const char *mr_role_name(mr_role role)
{
    return roles[(unsigned)role <= MR_ROLE_ADMIN ? role : MR_ROLE_NOBODY];
}

bool mr_role_read(const char *name, mr_role *ret_role)
{
    for (unsigned i = MR_ROLE_VIEWER; i <= MR_ROLE_ADMIN; i++) {
        if (strcmp(name, roles[i]) == 0) {
            *ret_role = (mr_role)i;
            return true;
        }
    }
    return false;
}

const char *mr_scope_name(uint32_t scope)
{
    for (unsigned i = 0; i < sizeof(scopes) / sizeof(*scopes); i++) {
        if (scope == 1u << i)
            return scopes[i];
    }
    return NULL;
}

uint32_t mr_scope_read(const char *name)
{
    for (unsigned i = 0; i < sizeof(scopes) / sizeof(*scopes); i++) {
        if (strcmp(name, scopes[i]) == 0)
            return 1u << i;
    }
    return 0;
}
