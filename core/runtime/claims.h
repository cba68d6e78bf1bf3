/* SPDX-License-Identifier: MIT */
/* What is being worked on, so that it is done once: see claims.c. */
#ifndef MR_RUNTIME_CLAIMS_H
#define MR_RUNTIME_CLAIMS_H

#include "base/diag.h"
#include <millrace/status.h>

typedef struct mr_claims mr_claims;

mr_status mr_claims_open(const char *state_dir, mr_diags *diags, mr_claims **ret_claims);
void mr_claims_close(mr_claims *claims); /* NULL is fine */

#endif
