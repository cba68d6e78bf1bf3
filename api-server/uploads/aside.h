/* SPDX-License-Identifier: MIT */
/* A thread that does one thing at a time for one other thread, which goes on meanwhile. */
#ifndef MR_UPLOADS_ASIDE_H
#define MR_UPLOADS_ASIDE_H

#include <stdbool.h>

typedef struct mr_aside mr_aside;

mr_aside *mr_aside_new(void);        /* NULL: no memory, or no thread */
void mr_aside_free(mr_aside *aside); /* nothing is under way. NULL is fine */
/* work(context) is called on the thread. What was begun before has been waited for. */
void mr_aside_begin(mr_aside *aside, bool (*work)(void *context), void *context);
bool mr_aside_wait(mr_aside *aside); /* until it is done: what work returned */

#endif
