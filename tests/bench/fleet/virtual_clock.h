/* SPDX-License-Identifier: MIT */
/*
 * A clock that moves only when nobody has anything to do: tasks that "work" sleep on it, and it jumps to the next one's end when the engine has
 * started all that it can, and has committed all that has ended. One per process.
 */
#ifndef FLEET_VIRTUAL_CLOCK_H
#define FLEET_VIRTUAL_CLOCK_H

#include "runtime/engine.h"

/* Before its first run: the engine whose time it is. */
void virtual_clock_of(const mr_engine *engine);
int64_t virtual_now_us(void);
void virtual_sleep(int64_t us, uint32_t tasks); /* on a worker's thread, for a batch of so many tasks */

/* Streaming tasks: on their own threads, around each wait for an item. */
void virtual_wait_begin(void);
void virtual_wait_end(void);

/*
 * Moves the clock to the end of the next sleep, or to until_us if that is nearer, once the engine is at rest. False: nobody sleeps, and until_us is
 * negative. At rest: every task that has begun sleeps or waits for an item, nothing is on its way to the store, and what is ready finds no free slot.
 */
bool virtual_clock_step(mr_engine *engine, int64_t until_us);

#endif
