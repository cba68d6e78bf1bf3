/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox forbids, from inside: each act fails or ends the process as operations/sandbox.md says, whatever way it is tried; and without the
 * sandbox it succeeds.
 */
#include "runtime/hosts/sandbox_internal.h" /* MR_SANDBOX_SILENT */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static void check_act(const world *it, const act *act)
{
    cage_end end = cage_try(&it->cage, act->run);
    char expected[128];
    print_message("%-20s %s %d, error %d, %s\n", act->name, end.signal ? "signal" : "ended", end.signal, end.error, end.words);
    if (act->call) {
        snprintf(expected, sizeof(expected), "a forbidden system call was made: %s\n", act->call);
        assert_int_equal(end.signal, SIGSYS);
        assert_true(act->unsaid || MR_SANDBOX_SILENT ? end.words[0] == '\0' : strstr(end.words, expected) != NULL);
        return;
    }
    assert_int_equal(end.signal, 0);
    assert_int_equal(end.entered, MR_OK);
    assert_int_equal(end.error, act->error);
}

static void test_forbidden_acts(void **context)
{
    world *it = *context;
    for (size_t i = 0; i < act_count; i++)
        check_act(it, &acts[i]);
}

/* Else the test above would prove nothing. */
static void test_acts_succeed_without_it(void **context)
{
    for (size_t i = 0; i < act_count; i++) {
        world_tear_down(context); /* what one act leaves must not be in the way of the next */
        world_set_up(context);
        world *it = *context;
        it->cage.open = true;
        cage_end end = cage_try(&it->cage, acts[i].run);
        if (acts[i].alone_may_fail && end.error != 0) {
            print_message("%s is forbidden on this machine even without the sandbox: %s\n", acts[i].name, strerror(end.error));
            continue;
        }
        if (end.signal != 0 || end.error != 0)
            fail_msg("%s: signal %d, error %d", acts[i].name, end.signal, end.error);
    }
}

static void *open_socket(void *context)
{
    (void)context;
    return (void *)(intptr_t)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int socket_in_a_thread(const act_place *place)
{
    (void)place;
    pthread_t thread;
    return pthread_create(&thread, NULL, open_socket, NULL) || pthread_join(thread, NULL);
}

static int socket_while_blocked(const act_place *place)
{
    (void)place;
    sigset_t all;
    sigfillset(&all);
    return sigprocmask(SIG_BLOCK, &all, NULL) || socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static void test_no_way_around_the_end(void **context)
{
    world *it = *context;
    assert_int_equal(cage_try(&it->cage, socket_in_a_thread).signal, SIGSYS);
    assert_int_equal(cage_try(&it->cage, socket_while_blocked).signal, SIGSYS);
}

#if defined(__x86_64__)
static int call_as_32_bit(const act_place *place)
{
    (void)place;
    long result = 20; /* getpid there, writev here */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0 : EPERM;
}

static int call_as_x32(const act_place *place)
{
    (void)place;
    return syscall(0x40000000 + SYS_getpid) > 0 ? 0 : EPERM;
}

static void test_other_abis(void **context)
{
    world *it = *context;
    cage_end end = cage_try(&it->cage, call_as_32_bit);
    assert_true(end.signal == SIGSYS || end.signal == SIGSEGV); /* SIGSEGV: this kernel has no 32-bit calls */
    assert_int_equal(cage_try(&it->cage, call_as_x32).signal, SIGSYS);
}
#endif

/* Calls by number, as no library makes them. error 0: it ends the process. */
typedef struct raw_call {
    const char *name;
    long number;
    long args[5];
    int error;
} raw_call;

#define AS_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define OTHERS    1 /* init's: nobody's whom we may touch, but that is not for the kernel to say */

static const raw_call raw_calls[] = {
    {"fork without a signal", SYS_clone, {0}, 0},
    {"fork that shares memory", SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}, 0},
    {"fork with an upper half", SYS_clone, {(long)((1ul << 32) | SIGCHLD)}, 0},
    {"fork into namespaces", SYS_clone, {CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD}, 0},
    {"thread in a namespace of its own", SYS_clone, {AS_THREAD | CLONE_NEWNET}, EPERM},
    {"thread with files of its own", SYS_clone, {AS_THREAD & ~CLONE_FILES}, EPERM},
    {"clone3", SYS_clone3, {0, 88}, ENOSYS},
    {"signal to all", SYS_kill, {-1, 0}, 0},
    {"signal to a group", SYS_kill, {-OTHERS, 0}, 0},
    {"signal to itself by another name", SYS_kill, {0, 0}, 0},
    {"signal to another's thread", SYS_tgkill, {OTHERS, OTHERS, 0}, 0},
    {"signal to any thread", SYS_tkill, {OTHERS, 0}, 0},
    {"queued signal", SYS_rt_sigqueueinfo, {OTHERS, SIGURG, 0}, 0},
    {"handle of a process", SYS_pidfd_open, {OTHERS, 0}, 0},
    {"another's limits", SYS_prlimit64, {OTHERS, RLIMIT_CORE, 0, 0}, EPERM},
    {"own limits", SYS_prlimit64, {0, RLIMIT_CORE, 4096, 0}, EPERM},
    {"executable by key", SYS_pkey_mprotect, {0, 4096, PROT_EXEC, -1}, EPERM},
    {"executable by nature", SYS_personality, {0x0400000 /* READ_IMPLIES_EXEC */}, EPERM},
    {"owner of a descriptor's signals", SYS_fcntl, {0, F_SETOWN, OTHERS}, EPERM},
    {"lease", SYS_fcntl, {0, F_SETLEASE, F_RDLCK}, EPERM},
    {"typing into a terminal", SYS_ioctl, {0, TIOCSTI, 0}, EPERM},
    {"socket at another number", SYS_sendmsg, {MR_SANDBOX_SOCKET + 1, 0, 0}, EPERM},
    {"many messages", SYS_sendmmsg, {MR_SANDBOX_SOCKET, 0, 0}, EPERM},
    {"socket option", SYS_setsockopt, {MR_SANDBOX_SOCKET, SOL_SOCKET, SO_RCVBUF, 0}, EPERM},
    {"thread pointer's ABI", SYS_prctl, {59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1}, EPERM},
    {"another filter", SYS_prctl, {PR_SET_SECCOMP, 2}, EPERM},
    {"another filter by its own call", SYS_seccomp, {1, 0, 0}, 0},
    {"call of tomorrow", 470, {0}, EPERM},
};

static const raw_call *raw;

static int call_raw(const act_place *place)
{
    (void)place;
    return syscall(raw->number, raw->args[0], raw->args[1], raw->args[2], raw->args[3], raw->args[4], 0L) < 0 ? errno : 0;
}

static void test_calls_by_number(void **context)
{
    world *it = *context;
    for (size_t i = 0; i < sizeof(raw_calls) / sizeof(raw_calls[0]); i++) {
        raw = &raw_calls[i];
        cage_end end = cage_try(&it->cage, call_raw);
        if (raw->error ? end.signal != 0 || end.error != raw->error : end.signal != SIGSYS)
            fail_msg("%s: signal %d, error %d, %s", raw->name, end.signal, end.error, end.words);
    }
}

/* Tricks with the upper halves of arguments, which the kernel ignores and a filter might not. */
static int upper_halves(const act_place *place)
{
    const unsigned long upper = 1ul << 32;
    unsigned char unused[256] = {0}; /* at least as long as the kernel's struct */
    if (syscall(SYS_rt_sigaction, upper + SIGSYS, unused, NULL, 8L) == 0)
        return 1;
    if (syscall(SYS_fcntl, place->input, upper + 4 /* F_SETFL */, 0L) == 0)
        return 2;
    return syscall(SYS_prctl, upper + PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) == 0 ? 3 : 0;
}

static void test_upper_halves(void **context)
{
    world *it = *context;
    assert_int_equal(cage_try(&it->cage, upper_halves).error, 0);
}

static int run_all(const char *who)
{
    static const struct CMUnitTest tests[] = {
        in_world(test_forbidden_acts),
        in_world(test_acts_succeed_without_it),
        in_world(test_no_way_around_the_end),
#if defined(__x86_64__)
        in_world(test_other_abis),
#endif
        in_world(test_calls_by_number),
        in_world(test_upper_halves),
    };
    return cmocka_run_group_tests_name(who, tests, NULL, NULL);
}

int main(void)
{
    return world_run_twice(run_all);
}
