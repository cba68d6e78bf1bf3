/* SPDX-License-Identifier: MIT */
/*
 * Ends the process whose filter is in one call of Lua's library for too long: a pattern that takes for ever asks no hook. A filter runs in the middle
 * of an encode, whose silence may have other reasons, so it is not for the engine to tell. Time is processor time of the thread that opened the
 * filter: a machine that is busy or asleep ends nothing.
 */
#ifndef MR_SCRIPTING_FILTERS_WATCH_H
#define MR_SCRIPTING_FILTERS_WATCH_H

#include "scripting/filters.h"

typedef struct mr_filter_watch mr_filter_watch;

/* For calls from this thread. NULL: memory, or threads, are short. */
mr_filter_watch *mr_filter_watch_new(const mr_host *host, mr_task *task, const mr_script_filter *filter);
void mr_filter_watch_free(mr_filter_watch *watch);  /* NULL is fine */
void mr_filter_watch_enter(mr_filter_watch *watch); /* Lua begins, or is known to go on */
void mr_filter_watch_leave(mr_filter_watch *watch);

#endif
