/* SPDX-License-Identifier: MIT */
/*
 * What a person sees of a run on stderr: bars on a terminal, one line per node elsewhere, or nothing. Events come from the
 * engine's threads and only change the tally; one thread draws, at most ten times a second.
 */
#ifndef MR_CLI_PROGRESS_H
#define MR_CLI_PROGRESS_H

#include "cli/tally.h"

typedef enum mr_show { MR_SHOW_NOTHING, MR_SHOW_ERRORS, MR_SHOW_LINES, MR_SHOW_BARS } mr_show;

typedef struct mr_progress mr_progress;

/* verbose: a line for each task too. NULL (and said so) when it can't be set up. */
mr_progress *mr_progress_new(const mr_pipeline *pipeline, mr_show show, bool verbose);
void mr_progress_event(mr_progress *progress, const mr_event *event); /* from any thread, one at a time */
/* Draws for the last time; nothing is drawn afterwards, and the tally stands still. */
void mr_progress_stop(mr_progress *progress);
/* From another thread, when the process is about to end: takes the bars off the terminal if that can be done at once. */
void mr_progress_abandon(mr_progress *progress);
const mr_tally *mr_progress_tally(const mr_progress *progress); /* after mr_progress_stop() */
void mr_progress_free(mr_progress *progress);

#endif
