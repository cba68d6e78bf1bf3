/* SPDX-License-Identifier: MIT */
/* The layers of the sandbox, for sandbox.c alone. Each answers MR_ERR_UNSUPPORTED, without a message, where the kernel lacks it. */
#ifndef MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H
#define MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H

#include "base/sanitized.h"
#include "runtime/hosts/sandbox.h"

/* ThreadSanitizer can't bear a handler for the signal of a forbidden call (it waits for itself inside its own fork()): there such a call kills
 * without a word. */
#define MR_SANDBOX_SILENT MR_WITH_TSAN

/* sandbox_landlock.c */
bool mr_sandbox_has_landlock(void);
mr_status mr_sandbox_landlock(const char *scratch, mr_diags *diags);

/* sandbox_seccomp.c: the last layer, since it forbids what the others need. */
bool mr_sandbox_has_seccomp(void);
mr_status mr_sandbox_seccomp(mr_diags *diags);

/* sandbox_limits.c */
mr_status mr_sandbox_limit(const mr_sandbox_limits *limits, mr_diags *diags);
mr_status mr_sandbox_drop_capabilities(const char *scratch, bool confined, mr_diags *diags);

/* "sandbox: what: reason of errno". */
mr_status mr_sandbox_failed(mr_diags *diags, const char *what, int error);

#endif
