/* SPDX-License-Identifier: MIT */
/* The layers of the sandbox, for sandbox.c alone. Each answers MR_ERR_UNSUPPORTED, without a message, where the kernel lacks it. */
#ifndef MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H
#define MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H

#include "runtime/hosts/sandbox.h"

/* Sanitizers keep an address space of terabytes, and a thread or two of their own. ThreadSanitizer can't bear a handler for the signal of a forbidden
 * call (it waits for itself inside its own fork()): there such a call kills without a word. */
#if defined(__has_feature)
#define MR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define MR_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || MR_HAS_FEATURE(thread_sanitizer)
#define MR_SANDBOX_SILENT 1
#else
#define MR_SANDBOX_SILENT 0
#endif
#if defined(__SANITIZE_ADDRESS__) || MR_HAS_FEATURE(address_sanitizer) || MR_HAS_FEATURE(memory_sanitizer) || MR_SANDBOX_SILENT
#define MR_SANITIZED 1
#else
#define MR_SANITIZED 0
#endif

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
