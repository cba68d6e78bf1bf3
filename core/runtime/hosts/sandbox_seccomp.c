/* SPDX-License-Identifier: MIT */
/*
 * seccomp: which system calls the process may make.
 *
 * Invariants
 *   - What is not in a table fails with EPERM, so that a library's fall-back works and a new kernel's calls are closed by default.
 *   - What no op has a reason for is hostile: the call is not made, its name is written to stderr, and the process ends with SIGSYS. The handler that
 *     writes it can't be replaced (the filter forbids it), and it ends in a call that the kernel itself answers by killing the process.
 *   - Calls by another ABI of the machine (32-bit, x32), whose numbers mean other things, kill the process.
 *   - Paths can't be told apart here; that is Landlock's work. What Landlock has no say in (chmod, chown, times, attributes, truncate by path, links,
 *     locks) is left out of the tables.
 */
#include "runtime/hosts/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HOSTILE      (MR_SANDBOX_SILENT ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_TRAP)
#define NAMED_CALLS  1024
#define FINAL_CALL   "reboot" /* the call that the handler ends in: every architecture has it */
#define FINAL_NUMBER SYS_reboot
#define INT_ARGUMENT 0xffffffffu /* the kernel looks at the low half of an int; so do we */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define FORBIDDEN_FLAGS                                                                                                                              \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_VFORK | CLONE_PARENT |        \
     CLONE_PTRACE | CLONE_IO | CLONE_PIDFD)
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* glibc names its arenas */
#endif

/* Whatever the arguments. Names that this libseccomp or this architecture doesn't know are left out. */
static const char *const allowed[] = {
    /* memory */
    "brk", "munmap", "mremap", "madvise", "get_mempolicy",
    /* threads and what they wait for */
    "exit", "exit_group", "futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier",
    "gettid", "getpid", "getppid", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max",
    "sched_get_priority_min", "getcpu", "getpriority",
    /* time */
    "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
    "gettimeofday", "time", "times", "getrusage",
    /* signals of its own */
    "rt_sigreturn", "rt_sigprocmask", "sigaltstack", "restart_syscall", "pause", "rt_sigsuspend", "rt_sigtimedwait",
    /* who and where it is */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "uname", "sysinfo", "getrlimit", "ugetrlimit", "getrandom",
    /* what it has open */
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "lseek", "_llseek", "close", "close_range",
    "dup", "dup2", "dup3", "fstat", "fstat64", "fsync", "fdatasync", "sync_file_range", "fadvise64", "fadvise64_64", "readahead", "copy_file_range",
    "ftruncate", "ftruncate64", "fallocate", "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
    /* files by path, within Landlock */
    "open", "openat", "creat", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "access", "faccessat", "faccessat2",
    "getdents", "getdents64", "getcwd", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "umask"};

/* Nothing that media could need: whoever calls one of these is under someone else's control. */
static const char *const hostile[] = {
    /* other machines, and other processes of this one */
    "socket", "socketpair", "socketcall", "connect", "bind", "listen", "accept", "accept4", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "msgget", "semget", "shmget", "mq_open",
    /* other programs */
    "execve", "execveat", "fork", "vfork", "uselib",
    /* other places */
    "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick", "pivot_root", "chroot",
    "setns", "unshare", "open_by_handle_at", "name_to_handle_at",
    /* other users */
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset", "keyctl", "add_key",
    "request_key",
    /* the kernel */
    "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "lookup_dcookie",
    "iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname",
    "setdomainname", "vhangup", "nfsservctl", "seccomp", "landlock_create_ruleset"};

/* New enough for the C library to fall back on an older call when it is told that there is none. */
static const char *const unknown[] = {"clone3", "openat2", "epoll_pwait2", "map_shadow_stack", "mseal"};

static const char *names[NAMED_CALLS]; /* of hostile calls, by number: written before the filter is entered, only read afterwards */

/* ---- the end of a hostile call ---- */

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* nobody is left to hear of it */
}

/* Runs instead of the call, on the thread that made it. Async-signal-safe. */
static void on_hostile_call(int number, siginfo_t *info, void *context)
{
    const char *name = info->si_syscall >= 0 && info->si_syscall < NAMED_CALLS ? names[info->si_syscall] : NULL;
    (void)number;
    (void)context;
    say("sandbox: a forbidden system call was made: ");
    say(name ? name : "with arguments that are not allowed");
    say("\n");
    syscall(FINAL_NUMBER, 0, 0, 0, 0);
    _exit(128 + SIGSYS); /* can't be reached */
}

static mr_status install_handler(mr_diags *diags)
{
    struct sigaction action = {.sa_sigaction = on_hostile_call, .sa_flags = SA_SIGINFO};
    sigset_t set;
    sigfillset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0)
        return mr_sandbox_failed(diags, "can't watch for forbidden system calls", errno);
    return MR_OK;
}

/* ---- the rules ---- */

/* 0 or a negative errno, as libseccomp has it. conditions hold all together; count 0: always. */
static int rule(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *conditions, unsigned count)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0)
        return 0; /* this architecture has none */
    if (action == HOSTILE && number < NAMED_CALLS)
        names[number] = name;
    return seccomp_rule_add_array(filter, action, number, count, conditions);
}

static int rules(scmp_filter_ctx filter, uint32_t action, const char *const *table, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = rule(filter, action, table[i], NULL, 0);
    return result;
}

/* Allowed when argument `position` is one of the values. */
static int one_of(scmp_filter_ctx filter, const char *name, unsigned position, const uint64_t *values, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        struct scmp_arg_cmp is = {.arg = position, .op = SCMP_CMP_MASKED_EQ, .datum_a = INT_ARGUMENT, .datum_b = values[i]};
        result = rule(filter, SCMP_ACT_ALLOW, name, &is, 1);
    }
    return result;
}

/* Memory is never made executable: code stays what was loaded. */
static int memory_rules(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp plain = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int result = rule(filter, SCMP_ACT_ALLOW, "mmap", &plain, 1);
    if (result == 0)
        result = rule(filter, SCMP_ACT_ALLOW, "mmap2", &plain, 1);
    return result == 0 ? rule(filter, SCMP_ACT_ALLOW, "mprotect", &plain, 1) : result;
}

/* Threads, but no processes. A clone that is neither a thread as the C library makes them nor a fork fails. */
static int process_rules(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, (scmp_datum_t)(THREAD_FLAGS | FORBIDDEN_FLAGS), THREAD_FLAGS);
    const struct scmp_arg_cmp fork = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int result = rule(filter, SCMP_ACT_ALLOW, "clone", &thread, 1);
    return result == 0 ? rule(filter, HOSTILE, "clone", &fork, 1) : result;
}

/* Signals to itself only, as abort() sends them. */
static int signal_rules(scmp_filter_ctx filter)
{
    static const char *const senders[] = {"tgkill", "kill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};
    const scmp_datum_t self = (scmp_datum_t)getpid();
    int result = rule(filter, HOSTILE, "tkill", NULL, 0); /* names a thread alone: nobody's in particular */
    for (size_t i = 0; i < COUNT(senders) && result == 0; i++) {
        const struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, self, 0);
        const struct scmp_arg_cmp other = SCMP_A0(SCMP_CMP_NE, self, 0);
        result = rule(filter, SCMP_ACT_ALLOW, senders[i], &own, 1);
        if (result == 0)
            result = rule(filter, HOSTILE, senders[i], &other, 1);
    }
    /* What it does with a signal is its own affair, but SIGSYS is ours. Listed, since "all but one" compares 64 bits where the kernel reads 32. */
    for (uint64_t number = 1; number < NSIG && result == 0; number++)
        result = number == SIGSYS ? 0 : one_of(filter, "rt_sigaction", 0, &number, 1);
    const struct scmp_arg_cmp only_asked = SCMP_A1(SCMP_CMP_EQ, 0, 0);
    return result == 0 ? rule(filter, SCMP_ACT_ALLOW, "rt_sigaction", &only_asked, 1) : result;
}

/* Messages go over the engine's socket; descriptors are asked about and copied, never changed for others that share them. */
static int descriptor_rules(scmp_filter_ctx filter)
{
    static const char *const messages[] = {"sendmsg", "recvmsg", "sendto", "recvfrom"};
    static const uint64_t socket[] = {MR_SANDBOX_SOCKET};
    static const uint64_t questions[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC};
    static const uint64_t is_terminal[] = {TCGETS};
    int result = 0;
    for (size_t i = 0; i < COUNT(messages) && result == 0; i++)
        result = one_of(filter, messages[i], 0, socket, COUNT(socket));
    if (result == 0)
        result = one_of(filter, "fcntl", 1, questions, COUNT(questions));
    if (result == 0)
        result = one_of(filter, "fcntl64", 1, questions, COUNT(questions));
    return result == 0 ? one_of(filter, "ioctl", 1, is_terminal, COUNT(is_terminal)) : result;
}

/* Names of threads, and limits as they are. */
static int settings_rules(scmp_filter_ctx filter)
{
    static const uint64_t options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG};
    const struct scmp_arg_cmp asked[] = {SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0)};
    int result = one_of(filter, "prctl", 0, options, COUNT(options));
    return result == 0 ? rule(filter, SCMP_ACT_ALLOW, "prlimit64", asked, COUNT(asked)) : result;
}

static int all_rules(scmp_filter_ctx filter)
{
    int result = rules(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (result == 0)
        result = rules(filter, HOSTILE, hostile, COUNT(hostile));
    if (result == 0)
        result = rules(filter, SCMP_ACT_ERRNO(ENOSYS), unknown, COUNT(unknown));
    if (result == 0)
        result = rule(filter, SCMP_ACT_KILL_PROCESS, FINAL_CALL, NULL, 0);
    if (result == 0)
        result = memory_rules(filter);
    if (result == 0)
        result = process_rules(filter);
    if (result == 0)
        result = signal_rules(filter);
    if (result == 0)
        result = descriptor_rules(filter);
    return result == 0 ? settings_rules(filter) : result;
}

/* The mitigation of speculative stores costs a tenth of the speed on older kernels, and is for code that shares a process with its secrets. */
static int attributes(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (result == 0 && seccomp_api_get() >= 4)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return result == 0 ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : result;
}

bool mr_sandbox_has_seccomp(void)
{
    const uint32_t actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO};
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) != 0)
            return false;
    }
    return true;
}

mr_status mr_sandbox_seccomp(mr_diags *diags)
{
    if (!mr_sandbox_has_seccomp())
        return MR_ERR_UNSUPPORTED;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return mr_sandbox_failed(diags, "can't make a filter of system calls", ENOMEM);
    int result = all_rules(filter);
    if (result == 0)
        result = attributes(filter);
    mr_status status = result == 0 ? install_handler(diags) : mr_sandbox_failed(diags, "can't write the filter of system calls", -result);
    if (status == MR_OK) {
        result = seccomp_load(filter);
        if (result != 0)
            status = mr_sandbox_failed(diags, "the kernel refuses the filter of system calls", -result);
    }
    seccomp_release(filter);
    return status;
}
