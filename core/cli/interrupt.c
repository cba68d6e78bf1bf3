/* SPDX-License-Identifier: MIT */
/*
 * Signals are taken from a signalfd by a thread, so that no handler has to be async-signal-safe. The first one asks the run to stop. If the
 * process has not ended a second later, or at the second signal, it ends itself, wherever the other threads are: that is safe, since every
 * object, record and published file is complete or absent at any instant (renames and transactions), and a later run goes on from there.
 */
#include "cli/interrupt.h"

#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GRACE_MS = 1000 };

struct mr_interrupt {
    pthread_t thread;
    pthread_t canceller;
    bool has_canceller;
    pthread_mutex_t lock;
    mr_run *run;
    atomic_bool came;
    int signals;
    int stop;
    void (*last_words)(void *context);
    void *context;
};

/* True: a signal came; false: it is time to stop, or the time is over. */
static bool wait_for_signal(const mr_interrupt *interrupt, int timeout_ms, bool *ret_stop)
{
    struct pollfd fds[] = {{.fd = interrupt->stop, .events = POLLIN}, {.fd = interrupt->signals, .events = POLLIN}};
    int ready;
    do
        ready = poll(fds, 2, timeout_ms);
    while (ready < 0 && errno == EINTR);
    *ret_stop = fds[0].revents != 0;
    struct signalfd_siginfo info;
    return ready > 0 && !*ret_stop && read(interrupt->signals, &info, sizeof(info)) == sizeof(info);
}

static void *cancel_run(void *context)
{
    mr_interrupt *interrupt = context;
    pthread_mutex_lock(&interrupt->lock);
    if (interrupt->run)
        mr_run_cancel(interrupt->run);
    pthread_mutex_unlock(&interrupt->lock);
    return NULL;
}

static void *watch_loop(void *context)
{
    mr_interrupt *interrupt = context;
    bool stop = false;
    while (!wait_for_signal(interrupt, -1, &stop)) {
        if (stop)
            return NULL;
    }
    atomic_store(&interrupt->came, true);
    /* Not on this thread: the engine may be held up by a terminal or a pipe that nobody reads, and the time runs all the same. */
    interrupt->has_canceller = pthread_create(&interrupt->canceller, NULL, cancel_run, interrupt) == 0;
    wait_for_signal(interrupt, GRACE_MS, &stop);
    if (stop)
        return NULL;
    interrupt->last_words(interrupt->context);
    syscall(SYS_exit_group, MR_EXIT_INTERRUPTED); /* a sanitizer's _exit() flushes stdout, which may be what holds us up */
    return NULL;
}

/* nohup and shells that start jobs in the background have some ignored: that stays so (a blocked signal would be delivered all the same). */
static void choose_signals(sigset_t *ret_set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(ret_set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(ret_set, signals[i]);
    }
}

mr_interrupt *mr_interrupt_new(void (*last_words)(void *context), void *context)
{
    mr_interrupt *interrupt = calloc(1, sizeof(*interrupt));
    sigset_t set;
    choose_signals(&set);
    if (!interrupt || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        goto fail;
    pthread_mutex_init(&interrupt->lock, NULL);
    interrupt->last_words = last_words;
    interrupt->context = context;
    interrupt->signals = signalfd(-1, &set, SFD_CLOEXEC);
    interrupt->stop = eventfd(0, EFD_CLOEXEC);
    if (interrupt->signals >= 0 && interrupt->stop >= 0 && pthread_create(&interrupt->thread, NULL, watch_loop, interrupt) == 0)
        return interrupt;
    if (interrupt->signals >= 0)
        close(interrupt->signals);
    if (interrupt->stop >= 0)
        close(interrupt->stop);
fail:
    mr_complain("can't watch for signals: %s", strerrordesc_np(errno));
    free(interrupt);
    return NULL;
}

void mr_interrupt_watch(mr_interrupt *interrupt, mr_run *run)
{
    pthread_mutex_lock(&interrupt->lock);
    interrupt->run = run;
    if (run && atomic_load(&interrupt->came)) /* it came while the run was being started */
        mr_run_cancel(run);
    pthread_mutex_unlock(&interrupt->lock);
}

bool mr_interrupt_came(const mr_interrupt *interrupt)
{
    return atomic_load(&interrupt->came);
}

void mr_interrupt_free(mr_interrupt *interrupt)
{
    if (!interrupt)
        return;
    uint64_t one = 1;
    if (write(interrupt->stop, &one, sizeof(one)) == sizeof(one))
        pthread_join(interrupt->thread, NULL);
    if (interrupt->has_canceller)
        pthread_join(interrupt->canceller, NULL);
    close(interrupt->signals);
    close(interrupt->stop);
    pthread_mutex_destroy(&interrupt->lock);
    free(interrupt);
}
