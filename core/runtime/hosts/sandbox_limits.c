/* SPDX-License-Identifier: MIT */
/*
 * Resource limits and capabilities.
 *
 * Invariants
 *   - A limit is only ever lowered: what the process may have now is its ceiling, so that it works without privileges.
 *   - No capability is left, with one exception: CAP_DAC_READ_SEARCH, for root whose scratch lies under folders of others, and only beneath Landlock,
 * which lets it open nothing else.
 */
#include "runtime/hosts/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS   16384 /* of all that the user runs, since that is how the kernel counts; root is not counted. Half of the smallest machine's */
#define CPU_GRACE 5     /* seconds between SIGXCPU, which says why, and SIGKILL, which can't be ignored */

static mr_status lower(int resource, uint64_t soft, uint64_t hard, const char *what, mr_diags *diags)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return mr_sandbox_failed(diags, what, errno);
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > hard)
        limit.rlim_max = (rlim_t)hard;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > soft)
        limit.rlim_cur = (rlim_t)soft;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return mr_sandbox_failed(diags, what, errno);
    return MR_OK;
}

mr_status mr_sandbox_limit(const mr_sandbox_limits *limits, mr_diags *diags)
{
    mr_status status = lower(RLIMIT_CORE, 0, 0, "can't forbid core dumps", diags);
    if (status == MR_OK)
        status = lower(RLIMIT_NPROC, THREADS, THREADS, "can't limit its threads", diags);
    if (status == MR_OK && limits->cpu_seconds > 0)
        status = lower(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + CPU_GRACE, "can't limit its CPU time", diags);
    if (status == MR_OK && limits->file_size > 0)
        status = lower(RLIMIT_FSIZE, limits->file_size, limits->file_size, "can't limit the size of its files", diags);
    if (status == MR_OK && limits->open_files > 0)
        status = lower(RLIMIT_NOFILE, limits->open_files, limits->open_files, "can't limit its open files", diags);
    if (status == MR_OK && limits->memory > 0 && !MR_SANITIZED)
        status = lower(RLIMIT_AS, limits->memory, limits->memory, "can't limit its memory", diags);
    return status;
}

static int set_capabilities(uint32_t effective, uint32_t permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = effective, .permitted = permitted}};
    return (int)syscall(SYS_capset, &header, data);
}

static bool have_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0)
        return true;
    return data[0].permitted != 0 || data[1].permitted != 0 || data[0].inheritable != 0 || data[1].inheritable != 0;
}

mr_status mr_sandbox_drop_capabilities(const char *scratch, bool confined, mr_diags *diags)
{
    const uint32_t search = 1u << CAP_DAC_READ_SEARCH;
    if (!have_capabilities())
        return MR_OK;
    for (int i = 0, held; (held = prctl(PR_CAPBSET_READ, i, 0, 0, 0)) >= 0; i++) {
        if (held > 0 && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EPERM) /* without CAP_SETPCAP: no_new_privs makes it idle */
            return mr_sandbox_failed(diags, "can't narrow its capabilities", errno);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return mr_sandbox_failed(diags, "can't drop its ambient capabilities", errno);
    /* Without any, but with this one at hand: is the folder still within reach? */
    if (set_capabilities(0, search) != 0 && set_capabilities(0, 0) != 0)
        return mr_sandbox_failed(diags, "can't drop its capabilities", errno);
    if (!scratch || faccessat(AT_FDCWD, scratch, X_OK, AT_EACCESS) == 0)
        return set_capabilities(0, 0) == 0 ? MR_OK : mr_sandbox_failed(diags, "can't drop its capabilities", errno);
    if (!confined || set_capabilities(search, search) != 0 || faccessat(AT_FDCWD, scratch, X_OK, AT_EACCESS) != 0)
        return mr_sandbox_failed(diags, "can't reach its scratch folder without root's privileges", EACCES);
    return MR_OK;
}
