/* SPDX-License-Identifier: MIT */
/*
 * People, their sign-ins and API keys, as they are kept: the table that api-server/auth/store.h asks for, with what each function promises written
 * there. used_bytes of a user: the sources of his videos and his open uploads. An API key of a user who is disabled or gone is not found.
 */
#ifndef MR_METADATA_ACCOUNTS_H
#define MR_METADATA_ACCOUNTS_H

#include "api-server/auth/store.h"
#include "api-server/metadata/metadata.h"

/* Valid until mr_metadata_close(). */
const mr_auth_store *mr_metadata_accounts(mr_metadata *metadata);

#endif
