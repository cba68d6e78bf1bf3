/* SPDX-License-Identifier: MIT */
/* millrace cancel: asks the process that runs a run to stop, and waits until it did. */
#include "base/clock.h"
#include "cli/history.h"

#include <string.h>
#include <time.h>

enum { WAIT_US = 10000000, LOOK_NS = 50000000 };

static const struct argp_option options[] = {
    MR_HISTORY_OPTIONS,
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    mr_history *to = state->input;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "which run? 'millrace runs' lists them");
    return mr_history_parse(to, key, arg, state);
}

static int cancel(mr_history *history)
{
    const int64_t until = mr_now_us() + WAIT_US;
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    mr_status status = mr_journal_cancel(history->journal, history->run, history->session.diags);
    mr_session_flush(&history->session);
    if (status != MR_OK)
        return MR_EXIT_FAILED;
    const char *state;
    while ((state = mr_journal_state(history->journal, history->run)) && strcmp(state, "running") == 0 && mr_now_us() < until)
        nanosleep(&pause, NULL);
    if (state && strcmp(state, "running") == 0) {
        mr_complain("run '%s' was asked to stop, but goes on; its process seems to be held up", history->run);
        return MR_EXIT_FAILED;
    }
    printf("%s: %s\n", history->run, state ? state : "gone");
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    mr_history history = {0};
    mr_verb_parse(verb, argc, argv, parse, &history);
    int code = mr_history_open(&history, false);
    if (code == MR_EXIT_DONE)
        code = cancel(&history);
    mr_history_close(&history);
    return code;
}

const mr_verb mr_verb_cancel = {
    .name = "cancel",
    .usage = "ID",
    .summary = "stops a run that goes on in another process",
    .help =
        "The run ends as with Ctrl-C, within a second; what was done is kept, and 'millrace resume' goes on from there. A run that isn't running is "
        "an error (exit code 1). When the run ended by itself in the meantime, its state says so.",
    .examples = "    millrace cancel 20260131T100000-1f3a",
    .args = MR_ARGS_RUN,
    .options = options,
    .run = run,
};
