/* SPDX-License-Identifier: MIT */
/* What the verbs share that look at runs of the past, or at those of other processes: which state folder, and which run is meant. */
#ifndef MR_CLI_HISTORY_H
#define MR_CLI_HISTORY_H

#include "cli/cli.h"
#include "cli/session.h"
#include "runtime/state/journal.h"

typedef struct mr_history {
    const char *state; /* --state; NULL: the default */
    const char *id;    /* as given; NULL: none */
    mr_session session;
    const char *state_dir;
    mr_journal *journal; /* NULL: nothing ever ran with this state folder */
    char run[MR_RUN_ID]; /* the id in full; "": none was given */
} mr_history;

/* The rows of the option table. */
#define MR_HISTORY_OPTIONS                                                                                                                           \
    {                                                                                                                                                \
        "state", 0x1300, "DIR", 0, "Look in the state folder DIR (default: $XDG_STATE_HOME/millrace or ~/.local/state/millrace)", 0                  \
    }

/* For a parser: the option above, and the first argument as the id. ARGP_ERR_UNKNOWN: not one of these. */
error_t mr_history_parse(mr_history *history, int key, char *arg, struct argp_state *state);
/* Opens the journal and finds the run. An exit code; what is wrong is said. with_plugins: the session has them. */
int mr_history_open(mr_history *history, bool with_plugins);
void mr_history_close(mr_history *history);

#endif
