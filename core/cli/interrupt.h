/* SPDX-License-Identifier: MIT */
/* Ctrl-C, SIGTERM and a closed terminal while a run goes on. One per process. */
#ifndef MR_CLI_INTERRUPT_H
#define MR_CLI_INTERRUPT_H

#include "runtime/engine.h"

typedef struct mr_interrupt mr_interrupt;

/*
 * Blocks the signals, for this thread and all it makes later: call it before there are others. Then waits for them on a thread of its own.
 * last_words is called on that thread just before the process ends itself. NULL (and said so) when it can't be set up.
 */
mr_interrupt *mr_interrupt_new(void (*last_words)(void *context), void *context);
void mr_interrupt_watch(mr_interrupt *interrupt, mr_run *run); /* what to cancel; NULL: nothing (any more) */
bool mr_interrupt_came(const mr_interrupt *interrupt);
void mr_interrupt_free(mr_interrupt *interrupt); /* before the run is freed */

#endif
