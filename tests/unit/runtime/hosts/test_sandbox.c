/* SPDX-License-Identifier: MIT */
/* The sandbox from inside: what a task host needs works, limits and privileges, and kernels and processes that can't be confined. */
#include "base/file.h"
#include "base/sanitized.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what is needed ---- */

static int use_scratch(const act_place *place)
{
    char byte = 'x';
    struct stat info;
    mr_autoclose int file = open("a", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* it is the current folder */
    if (file < 0 || write(file, &byte, 1) != 1 || pread(file, &byte, 1, 0) != 1 || ftruncate(file, 100) != 0 || fstat(file, &info) != 0)
        return errno;
    if (info.st_size != 100 || rename("a", "b") != 0 || mkdir("folder", 0700) != 0 || rmdir("folder") != 0 || unlink("b") != 0)
        return errno;
    return pread(place->input, &byte, 1, 0) == 1 && byte == 't' ? 0 : EIO;
}

static void *give_back(void *context)
{
    prctl(PR_SET_NAME, "worker", 0, 0, 0);
    return context;
}

static int use_threads(const act_place *place)
{
    pthread_t threads[8];
    void *back = NULL;
    size_t count = 0;
    int error = 0;
    for (; count < 8 && error == 0; count += error == 0)
        error = pthread_create(&threads[count], NULL, give_back, (void *)place);
    for (size_t i = 0; i < count; i++) {
        if (pthread_join(threads[i], &back) != 0 || back != place)
            error = EINVAL;
    }
    return error;
}

static int use_memory_and_time(const act_place *place)
{
    (void)place;
    struct timespec now;
    struct timespec little = {.tv_nsec = 1000};
    unsigned char random[16];
    void *memory = malloc(64u << 20);
    if (!memory)
        return ENOMEM;
    memset(memory, 1, 64u << 20);
    free(memory);
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0 || clock_nanosleep(CLOCK_MONOTONIC, 0, &little, NULL) != 0)
        return errno;
    return getrandom(random, sizeof(random), 0) == sizeof(random) ? 0 : errno;
}

/* The engine's socket, and no other. */
static int use_socket(const act_place *place)
{
    (void)place;
    char byte = 'm';
    if (send(MR_SANDBOX_SOCKET, &byte, 1, MSG_NOSIGNAL) != 1 || read(MR_SANDBOX_SOCKET + 1, &byte, 1) != 1 || byte != 'm')
        return errno ? errno : EIO;
    if (send(MR_SANDBOX_SOCKET + 1, &byte, 1, MSG_NOSIGNAL) == 1)
        return EEXIST;
    return errno == EPERM ? 0 : errno;
}

static void test_what_is_needed_works(void **context)
{
    world *it = *context;
    int (*const needed[])(const act_place *) = {use_scratch, use_threads, use_memory_and_time, use_socket};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        cage_end end = cage_try(&it->cage, needed[i]);
        if (end.signal || end.error)
            fail_msg("need %zu: signal %d, error %d, %s", i, end.signal, end.error, end.words);
    }
}

static int call_abort(const act_place *place)
{
    (void)place;
    abort();
}

static int crash(const act_place *place)
{
    (void)place;
    return kill(getpid(), SIGSEGV);
}

static void test_crashes_keep_their_name(void **context)
{
    world *it = *context;
    assert_int_equal(cage_try(&it->cage, call_abort).signal, SIGABRT);
    assert_int_equal(cage_try(&it->cage, crash).signal, SIGSEGV);
}

/* ---- limits ---- */

static int fill_a_file(const act_place *place)
{
    (void)place;
    mr_autoclose int file = open("large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return file >= 0 && ftruncate(file, (1 << 20) + 1) == 0 ? 0 : errno;
}

static int take_memory(const act_place *place)
{
    (void)place;
    void *much = mmap(NULL, 1u << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return much == MAP_FAILED ? errno : 0;
}

static int take_descriptors(const act_place *place)
{
    int fd = 0;
    for (int i = 0; i < 1000 && fd >= 0; i++)
        fd = fcntl(place->input, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? errno : 0;
}

static int ask_limits(const act_place *place)
{
    struct rlimit threads;
    struct rlimit core;
    (void)place;
    if (getrlimit(RLIMIT_NPROC, &threads) != 0 || getrlimit(RLIMIT_CORE, &core) != 0)
        return errno;
    return threads.rlim_max <= 16384 && core.rlim_max == 0 ? 0 : ERANGE;
}

static int take_the_processor(const act_place *place)
{
    struct rusage used;
    do {
        getrusage(RUSAGE_SELF, &used);
    } while (used.ru_utime.tv_sec + used.ru_stime.tv_sec < 30);
    (void)place;
    return 0;
}

static void test_limits(void **context)
{
    world *it = *context;
    assert_int_equal(cage_try(&it->cage, fill_a_file).signal, SIGXFSZ);
    assert_int_equal(cage_try(&it->cage, take_descriptors).error, EMFILE);
    assert_int_equal(cage_try(&it->cage, ask_limits).error, 0);
    assert_int_equal(cage_try(&it->cage, take_memory).error, MR_SANITIZED ? 0 : ENOMEM);
    const mr_sandbox_limits short_of_time = {.cpu_seconds = 1};
    it->cage.limits = &short_of_time;
    assert_int_equal(cage_try(&it->cage, take_the_processor).signal, SIGXCPU);
    it->cage.open = true;
    it->cage.limits = NULL;
    assert_int_equal(cage_try(&it->cage, fill_a_file).error, 0);
    assert_int_equal(cage_try(&it->cage, take_descriptors).error, 0);
    assert_int_equal(cage_try(&it->cage, take_memory).error, 0);
    assert_int_equal(cage_try(&it->cage, ask_limits).error, ERANGE);
}

/* ---- privileges ---- */

static int status_fd = -1;

/* An open descriptor stays one: what it tells of is the process as it is when it is read. */
static int open_status(void)
{
    status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    return status_fd < 0;
}

static int check_status(const act_place *place)
{
    static const char *const lines[] = {"\nNoNewPrivs:\t1\n",
                                        "\nSeccomp:\t2\n",
                                        "\nCapInh:\t0000000000000000\n",
                                        "\nCapPrm:\t0000000000000000\n",
                                        "\nCapEff:\t0000000000000000\n",
                                        "\nCapAmb:\t0000000000000000\n"};
    char text[4096];
    (void)place;
    ssize_t len = pread(status_fd, text, sizeof(text) - 1, 0);
    if (len <= 0)
        return 100;
    text[len] = '\0';
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!strstr(text, lines[i]))
            return 101 + (int)i;
    }
    return getuid() != 0 || strstr(text, "\nCapBnd:\t0000000000000000\n") ? 0 : 110;
}

/* What the caller set before (see cage.c) is still there: giving up privileges can undo it. */
static int dies_with_parent(const act_place *place)
{
    int number = 0;
    (void)place;
    return prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGKILL ? 0 : 1;
}

static void test_no_privileges(void **context)
{
    world *it = *context;
    it->cage.before = open_status;
    assert_int_equal(cage_try(&it->cage, check_status).error, 0);
    assert_int_equal(cage_try(&it->cage, dies_with_parent).error, 0);
    it->cage.open = true;
    assert_int_not_equal(cage_try(&it->cage, check_status).error, 0);
}

static int write_by_path(const act_place *place)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/by-path", place->scratch);
    mr_autoclose int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return file < 0 ? errno : 0;
}

/* Root may work below a folder that only someone else may enter; without capabilities it would not get there any more. */
static void test_scratch_below_a_private_folder(void **context)
{
    world *it = *context;
    if (getuid() != 0) {
        assert_int_equal(cage_try(&it->cage, write_by_path).error, 0);
        return;
    }
    assert_int_equal(chown(it->root, NOBODY, NOBODY), 0);
    cage_end end = cage_try(&it->cage, write_by_path);
    assert_int_equal(end.entered, MR_OK);
    assert_int_equal(end.error, 0);
    assert_int_equal(cage_try(&it->cage, act_find("read-passwd")->run).error, EACCES);
    assert_int_equal(cage_try(&it->cage, act_find("read-outside")->run).error, EACCES);
}

/* ---- what can't be had ---- */

/* From now on the kernel does not know the call. */
static int forget_call(const char *name)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(name), 0);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}

static int forget_landlock(void)
{
    return forget_call("landlock_create_ruleset");
}
static int forget_seccomp(void)
{
    return forget_call("seccomp");
}

static int say_missing(const act_place *place)
{
    (void)place;
    return (int)mr_sandbox_missing();
}

static void test_kernel_without_landlock(void **context)
{
    world *it = *context;
    it->cage.before = forget_landlock;
    cage_end end = cage_try(&it->cage, act_find("read-passwd")->run);
    assert_int_equal(end.entered, MR_OK);
    assert_int_equal(end.missing, MR_SANDBOX_LANDLOCK);
    assert_int_equal(end.error, 0);
    assert_int_equal(cage_try(&it->cage, act_find("tcp")->run).signal, SIGSYS);
    it->cage.open = true;
    assert_int_equal(cage_try(&it->cage, say_missing).error, MR_SANDBOX_LANDLOCK);
}

static void test_kernel_without_seccomp(void **context)
{
    world *it = *context;
    it->cage.before = forget_seccomp;
    cage_end end = cage_try(&it->cage, act_find("read-passwd")->run);
    assert_int_equal(end.entered, MR_OK);
    assert_int_equal(end.missing, MR_SANDBOX_SECCOMP);
    assert_int_equal(end.error, EACCES);
    assert_int_equal(cage_try(&it->cage, act_find("tcp")->run).error, 0);
    it->cage.open = true;
    assert_int_equal(cage_try(&it->cage, say_missing).error, MR_SANDBOX_SECCOMP);
}

static void test_this_kernel(void **context)
{
    char text[64];
    (void)context;
    assert_string_equal(mr_sandbox_missing_text(0, text, sizeof(text)), "nothing");
    assert_string_equal(mr_sandbox_missing_text(MR_SANDBOX_LANDLOCK | MR_SANDBOX_SECCOMP, text, sizeof(text)), "Landlock, seccomp");
    assert_string_equal(mr_sandbox_missing_text(~0u, text, sizeof(text)), "Landlock, seccomp, no_new_privs");
    assert_string_equal(mr_sandbox_missing_text(~0u, text, 8), "Landloc");
    assert_string_equal(mr_sandbox_missing_text(mr_sandbox_missing(), text, sizeof(text)), "nothing");
}

static void *stay(void *context)
{
    (void)context;
    pause();
    return NULL;
}

static int start_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, stay, NULL);
}

static void test_refusals(void **context)
{
    world *it = *context;
    if (!MR_SANITIZED) { /* they have threads of their own */
        it->cage.before = start_thread;
        cage_end end = cage_try(&it->cage, use_scratch);
        assert_int_equal(end.entered, MR_ERR_UNSUPPORTED);
        assert_non_null(strstr(end.words, "2 threads run already"));
        it->cage.before = NULL;
    }
    it->cage.scratch = "/nonexistent/scratch";
    cage_end end = cage_try(&it->cage, use_scratch);
    assert_int_equal(end.entered, MR_ERR_INTERNAL);
    assert_non_null(strstr(end.words, "can't enter its scratch folder: No such file or directory"));
}

static int no_folder_at_all(const act_place *place)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/theirs", place->outside);
    mr_autoclose int file = open(path, O_RDONLY | O_CLOEXEC);
    return file < 0 ? errno : 0;
}

static void test_without_scratch(void **context)
{
    world *it = *context;
    it->cage.scratch = NULL;
    assert_int_equal(cage_try(&it->cage, no_folder_at_all).error, EACCES);
}

static int run_all(const char *who)
{
    static const struct CMUnitTest tests[] = {
        in_world(test_this_kernel),
        in_world(test_what_is_needed_works),
        in_world(test_crashes_keep_their_name),
        in_world(test_limits),
        in_world(test_no_privileges),
        in_world(test_scratch_below_a_private_folder),
        in_world(test_kernel_without_landlock),
        in_world(test_kernel_without_seccomp),
        in_world(test_refusals),
        in_world(test_without_scratch),
    };
    return cmocka_run_group_tests_name(who, tests, NULL, NULL);
}

int main(void)
{
    return world_run_twice(run_all);
}
