/* SPDX-License-Identifier: MIT */
/*
 * The order of the sandbox's layers: each needs what the next one forbids.
 *
 * Invariants
 *   - Entered with one thread only: Landlock and capabilities belong to a thread, and only threads that it makes inherit them.
 *   - An error may leave some layers in place; the process must end then. It never leaves fewer than the kernel could give while saying MR_OK.
 */
#include "runtime/hosts/sandbox_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const mr_span nowhere;

mr_status mr_sandbox_failed(mr_diags *diags, const char *what, int error)
{
    mr_error(diags, "sandbox", nowhere, "sandbox: %s: %s", what, strerror(error)); // NOLINT(concurrency-mt-unsafe): one thread only
    mr_hint(diags, "sandbox: off runs without it, for input that can be trusted");
    return error == ENOMEM ? MR_ERR_NOMEM : MR_ERR_INTERNAL;
}

uint32_t mr_sandbox_missing(void)
{
    uint32_t missing = 0;
    if (!mr_sandbox_has_landlock())
        missing |= MR_SANDBOX_LANDLOCK;
    if (!mr_sandbox_has_seccomp())
        missing |= MR_SANDBOX_SECCOMP;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0)
        missing |= MR_SANDBOX_NO_NEW_PRIVS | MR_SANDBOX_SECCOMP | MR_SANDBOX_LANDLOCK; /* neither can be had without privileges then */
    return missing;
}

const char *mr_sandbox_missing_text(uint32_t missing, char *buf, size_t size)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{MR_SANDBOX_LANDLOCK, "Landlock"}, {MR_SANDBOX_SECCOMP, "seccomp"}, {MR_SANDBOX_NO_NEW_PRIVS, "no_new_privs"}};
    size_t len = 0;
    snprintf(buf, size, "nothing");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(missing & names[i].bit) || len >= size)
            continue;
        len += (size_t)snprintf(buf + len, size - len, "%s%s", len > 0 ? ", " : "", names[i].name);
    }
    return buf;
}

/* A folder's links are its subfolders, "." and its name: /proc/self/task has one subfolder per thread. Where there is no /proc, nobody can tell. */
mr_status mr_sandbox_check_threads(mr_diags *diags)
{
    struct stat info;
    if (MR_SANITIZED || stat("/proc/self/task", &info) != 0 || info.st_nlink <= 3)
        return MR_OK;
    mr_error(diags, "sandbox", nowhere,
             "sandbox: %ju threads run already, and only what the first one starts can be confined: a plugin must not start any when it is loaded",
             (uintmax_t)info.st_nlink - 2);
    mr_hint(diags, "threads can be made in run()");
    return MR_ERR_UNSUPPORTED;
}

static mr_status give_up_privileges(uint32_t missing, mr_diags *diags)
{
    if (!(missing & MR_SANDBOX_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return mr_sandbox_failed(diags, "can't give up new privileges", errno);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return mr_sandbox_failed(diags, "can't forbid dumps and debuggers", errno);
    return MR_OK;
}

/* One layer's outcome: what is lacking goes into *missing. */
static mr_status weigh(mr_status status, uint32_t bit, uint32_t *missing)
{
    if (status != MR_ERR_UNSUPPORTED)
        return status;
    *missing |= bit;
    return MR_OK;
}

mr_status mr_sandbox_enter(const char *scratch, const mr_sandbox_limits *limits, mr_diags *diags, uint32_t *ret_missing)
{
    uint32_t missing = mr_sandbox_missing();
    *ret_missing = missing;
    mr_status status = mr_sandbox_check_threads(diags);
    if (status == MR_OK && scratch && chdir(scratch) != 0)
        status = mr_sandbox_failed(diags, "can't enter its scratch folder", errno);
    if (status == MR_OK)
        status = give_up_privileges(missing, diags);
    if (status == MR_OK && !(missing & MR_SANDBOX_LANDLOCK))
        status = weigh(mr_sandbox_landlock(scratch, diags), MR_SANDBOX_LANDLOCK, &missing);
    if (status == MR_OK)
        status = mr_sandbox_drop_capabilities(scratch, !(missing & MR_SANDBOX_LANDLOCK), diags);
    if (status == MR_OK)
        status = mr_sandbox_limit(limits, diags);
    if (status == MR_OK && !(missing & MR_SANDBOX_SECCOMP))
        status = weigh(mr_sandbox_seccomp(diags), MR_SANDBOX_SECCOMP, &missing);
    *ret_missing = missing;
    return status;
}
