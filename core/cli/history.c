/* SPDX-License-Identifier: MIT */
/* Opening the journal of a state folder, which nobody may have used yet: that is no mistake, and the folder is not made. */
#include "cli/history.h"

#include <string.h>

error_t mr_history_parse(mr_history *history, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 0x1300: history->state = arg; return 0;
    case ARGP_KEY_ARG:
        if (history->id)
            mr_verb_unexpected(state, arg);
        history->id = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int mr_history_open(mr_history *history, bool with_plugins)
{
    mr_session *session = &history->session;
    if (!(with_plugins ? mr_session_open(session) : mr_session_open_bare(session)))
        return MR_EXIT_FAILED;
    history->state_dir = history->state ? history->state : mr_default_state_dir(session);
    if (!history->state_dir)
        return MR_EXIT_USAGE;
    mr_status status = mr_journal_open(history->state_dir, true, session->diags, &history->journal);
    if (status == MR_OK && history->id)
        status = mr_journal_find(history->journal, history->id, session->diags, history->run);
    else if (status == MR_ERR_NOT_FOUND && history->id)
        mr_complain("there is no run '%s': nothing ever ran with the state folder '%s'", history->id, history->state_dir);
    else if (status == MR_ERR_NOT_FOUND)
        status = MR_OK;
    mr_session_flush(session);
    return status == MR_OK ? MR_EXIT_DONE : status == MR_ERR_NOT_FOUND ? MR_EXIT_USAGE : MR_EXIT_FAILED;
}

void mr_history_close(mr_history *history)
{
    mr_journal_close(history->journal);
    mr_session_close(&history->session);
}
