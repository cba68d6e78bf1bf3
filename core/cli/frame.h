/* SPDX-License-Identifier: MIT */
/* The picture of a run on a terminal: text only, no terminal is touched here, so that tests can look at it. */
#ifndef MR_CLI_FRAME_H
#define MR_CLI_FRAME_H

#include "cli/tally.h"

#include <stdio.h>

typedef struct mr_screen {
    unsigned columns, rows;
    bool colour;
    bool utf8;
} mr_screen;

/* Writes lines of at most columns - 1 characters and rows - 1 lines altogether; returns how many lines. */
unsigned mr_frame_write(FILE *out, const mr_tally *tally, const mr_screen *screen, int64_t now_us);

#endif
