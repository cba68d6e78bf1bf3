/* SPDX-License-Identifier: MIT */
/* What is done from the command line, beside a server that runs or does not: the rows are SQLite's, which takes more than one process. */
#ifndef MR_SERVER_ADMINISTER_H
#define MR_SERVER_ADMINISTER_H

#include "api-server/auth/auth.h"
#include <millrace/server.h>

/* DATA/metadata.db and DATA/keys. why: what is wrong. */
mr_status mr_server_open_accounts(const mr_platform_host *host, mr_metadata **ret_metadata, mr_auth **ret_auth, char *why, size_t why_size);

/* The driver's administer(): {"do": "user.add", email, role, name}, "user.list", "user.role" {email, role}, "user.disable", "user.enable",
 * "user.password", "user.remove" {email}. */
mr_status mr_server_administer(const mr_platform_host *host, const void *settings, const char *request, const char *password, char **ret_answer,
                               mr_server_error *error);

#endif
