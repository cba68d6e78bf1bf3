/* SPDX-License-Identifier: MIT */
/*
 * Runs a program as if the kernel did not know some system calls: without CALL… -- PROGRAM [ARG…]. They give ENOSYS, in all that it starts, too.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int at = 1;
    int result = filter ? 0 : -ENOMEM;
    for (; at < argc && strcmp(argv[at], "--") != 0 && result == 0; at++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(argv[at]), 0);
    if (result == 0 && at + 1 < argc)
        result = seccomp_load(filter);
    if (result != 0 || at + 1 >= argc) {
        fprintf(stderr, "without: %s\n", result ? strerrordesc_np(-result) : "usage: without CALL... -- PROGRAM [ARG...]");
        return 125;
    }
    execvp(argv[at + 1], argv + at + 1);
    perror(argv[at + 1]);
    return 127;
}
