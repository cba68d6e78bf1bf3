/* SPDX-License-Identifier: MIT */
/*
 * Landlock: what paths, TCP ports, signals and abstract sockets the process may use. Through system calls, since the C library has no wrappers.
 *
 * Invariants
 *   - All rights that the running kernel knows are handled, so that what is not granted is denied; which it knows follows from its ABI number
 *     (Documentation/userspace-api/landlock.rst). Newer rights than those below stay unhandled: seccomp forbids what they are about.
 *   - Granted is what files in scratch need, not more: no symbolic links, sockets, pipes or devices, which would be traps for the engine, and no
 *     execution.
 */
#include "runtime/hosts/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

/* Newer than the oldest kernel headers that we build with. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* ABI 2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0) /* ABI 6 */
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif
#ifndef LANDLOCK_CREATE_RULESET_VERSION
#define LANDLOCK_CREATE_RULESET_VERSION (1U << 0)
#endif
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif

/* struct landlock_ruleset_attr as of ABI 6. Kernels take a longer one as long as what they don't know is zero. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

#define FIRST_ABI (LANDLOCK_ACCESS_FS_REFER - 1) /* the thirteen rights of ABI 1 */
#define GRANTED                                                                                                                                      \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_READ_DIR |                      \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                    \
     LANDLOCK_ACCESS_FS_REFER)

/* 0 or less: there is none. */
static long landlock_abi(void)
{
    return syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool mr_sandbox_has_landlock(void)
{
    return landlock_abi() > 0;
}

static struct ruleset known_to(long abi)
{
    struct ruleset rules = {.files = FIRST_ABI};
    if (abi >= 2)
        rules.files |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        rules.files |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 4)
        rules.network = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    if (abi >= 5)
        rules.files |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    if (abi >= 6)
        rules.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
    return rules;
}

static mr_status grant(int ruleset, const char *folder, uint64_t access, mr_diags *diags)
{
    mr_autoclose int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return mr_sandbox_failed(diags, "can't open its scratch folder", errno);
    struct landlock_path_beneath_attr beneath = {.allowed_access = access, .parent_fd = fd};
    if (syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
        return mr_sandbox_failed(diags, "Landlock refuses the scratch folder", errno);
    return MR_OK;
}

mr_status mr_sandbox_landlock(const char *scratch, mr_diags *diags)
{
    long abi = landlock_abi();
    if (abi <= 0)
        return MR_ERR_UNSUPPORTED;
    struct ruleset rules = known_to(abi);
    mr_autoclose int ruleset = (int)syscall(__NR_landlock_create_ruleset, &rules, sizeof(rules), 0);
    if (ruleset < 0)
        return mr_sandbox_failed(diags, "Landlock refuses the rules", errno);
    if (fcntl(ruleset, F_SETFD, FD_CLOEXEC) != 0)
        return mr_sandbox_failed(diags, "can't keep the Landlock rules to itself", errno);
    mr_status status = scratch ? grant(ruleset, scratch, GRANTED & rules.files, diags) : MR_OK;
    if (status != MR_OK)
        return status;
    if (syscall(__NR_landlock_restrict_self, ruleset, 0) != 0)
        return mr_sandbox_failed(diags, "Landlock refuses to be entered", errno);
    return MR_OK;
}
