/* SPDX-License-Identifier: MIT */
/* Roles and scopes by the names that the API, tokens and the command have for them. */
#ifndef MR_AUTH_WORDS_H
#define MR_AUTH_WORDS_H

#include "api-server/auth/identity.h"

const char *mr_role_name(mr_role role);                 /* "nobody" for what is none */
bool mr_role_read(const char *name, mr_role *ret_role); /* viewer, creator, admin */
const char *mr_scope_name(uint32_t scope);              /* of one scope; NULL: there is none */
uint32_t mr_scope_read(const char *name);               /* 0: there is none */

#endif
