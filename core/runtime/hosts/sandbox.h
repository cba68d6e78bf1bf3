/* SPDX-License-Identifier: MIT */
/*
 * Locks a task host down. The process keeps what it has open, its memory and one folder; everything else of the machine is out of its reach from
 * then on, whatever code runs in it. See docs/operations/sandbox.md for what is promised and which test proves it.
 *
 * Three layers, each enough against most of what hostile media could try, none relied on alone:
 *   - Landlock: no path but those beneath the scratch folder can be opened, made, renamed or removed; no TCP; no signals to others.
 *   - seccomp: an allow list of system calls. A call that no op has a reason for (socket, fork, execve, ptrace, mount …) ends the process with
 *     SIGSYS, and its name is written to stderr before; a merely unlisted one fails with EPERM.
 *   - limits (RLIMIT_*), no capabilities, no new privileges, not dumpable.
 */
#ifndef MR_RUNTIME_HOSTS_SANDBOX_H
#define MR_RUNTIME_HOSTS_SANDBOX_H

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The only descriptor that messages can be sent on and received from (sendmsg, recvmsg, send, recv) afterwards. Any may be read and written. */
#define MR_SANDBOX_SOCKET 3

/* What a kernel may lack, or a container may forbid. */
enum {
    MR_SANDBOX_LANDLOCK = 1u << 0,     /* Linux 5.13, and enabled at boot */
    MR_SANDBOX_SECCOMP = 1u << 1,      /* Linux 4.14 */
    MR_SANDBOX_NO_NEW_PRIVS = 1u << 2, /* Linux 3.5 */
};

typedef struct mr_sandbox_limits {
    uint64_t memory;      /* bytes of address space; 0: as many as the process may have now. Sanitizer builds leave it out */
    uint64_t cpu_seconds; /* of all tasks together: SIGXCPU, and SIGKILL five seconds later; 0: no limit */
    uint64_t open_files;  /* descriptors; 0: as now */
    uint64_t file_size;   /* bytes of one file in scratch: SIGXFSZ; 0: as now */
} mr_sandbox_limits;

/* What this kernel lacks, without entering anything: for the log, and for `sandbox: require`. */
uint32_t mr_sandbox_missing(void);

/* Names of the bits, for people: "Landlock, seccomp"; "nothing" for 0. */
const char *mr_sandbox_missing_text(uint32_t missing, char *buf, size_t size);

/* MR_ERR_UNSUPPORTED: threads run that plugins started when they were loaded, and can't be confined; diags say so. */
mr_status mr_sandbox_check_threads(mr_diags *diags);

/*
 * Locks the calling process down for good. It must still have a single thread, and have loaded all that it will ever need: nothing outside of
 * scratch can be opened afterwards, and nothing new can become executable. Descriptors that are open stay so: the caller sees to it that none is
 * that shouldn't be.
 *
 * scratch: the only folder it may use afterwards, with no symbolic links, sockets or devices made in it; NULL: none at all. It becomes the current
 * folder. What the kernel lacks is left out (and in *ret_missing); anything else that fails is an error, and the process must not go on.
 */
mr_status mr_sandbox_enter(const char *scratch, const mr_sandbox_limits *limits, mr_diags *diags, uint32_t *ret_missing);

#endif
