/* SPDX-License-Identifier: MIT */
/* The layers of the sandbox, for sandbox.c alone. Each answers MR_ERR_UNSUPPORTED, without a message, where the kernel lacks it. */
#ifndef MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H
#define MR_RUNTIME_HOSTS_SANDBOX_INTERNAL_H

#include "runtime/hosts/sandbox.h"

/* Sanitizers keep an address space of terabytes, a thread or two of their own, and make a few more system calls. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MR_SANITIZED 1
#endif
#endif
#ifndef MR_SANITIZED
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
