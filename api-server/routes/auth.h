/* SPDX-License-Identifier: MIT */
/* What the routes of accounts share. */
#ifndef MR_ROUTES_AUTH_H
#define MR_ROUTES_AUTH_H

#include "api-server/auth/auth.h"
#include "api-server/routes/fields.h"

/* As the API shows a user. New reference. */
json_t *mr_user_json(const mr_user *user);
/* Checked address, and password into the fields' errors. NULL: wrong, or absent where it was needed. */
const char *mr_field_email(mr_fields *fields, const char *name, bool required, char ret_email[MR_EMAIL_SIZE]);
const char *mr_field_password(mr_fields *fields, const char *name, bool required);
/* Answers for what mr_auth_add_user and mr_auth_change_user return. */
void mr_answer_user_status(mr_call *call, mr_status status);
/* The refresh token as a cookie; "" ends it. */
void mr_reply_refresh_cookie(mr_call *call, const char *refresh);

#endif
