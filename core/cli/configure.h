/* SPDX-License-Identifier: MIT */
/* --config and --set: what the verbs that start an engine share to read the settings. */
#ifndef MR_CLI_CONFIGURE_H
#define MR_CLI_CONFIGURE_H

#include "cli/cli.h"
#include "cli/session.h"
#include "runtime/settings.h"

typedef struct mr_configure {
    const char *file; /* --config; NULL: wherever one is found */
    mr_set *set;      /* --set, in the order given; the texts are copies */
    size_t set_count;
} mr_configure;

enum { MR_KEY_CONFIG = 0x1100, MR_KEY_SET };

/* The rows of the option table. */
#define MR_CONFIGURE_OPTIONS                                                                                                                         \
    {"config",                                                                                                                                       \
     MR_KEY_CONFIG,                                                                                                                                  \
     "FILE",                                                                                                                                         \
     0,                                                                                                                                              \
     "Read the settings from FILE (default: $XDG_CONFIG_HOME/millrace/config.yaml or ~/.config/millrace/config.yaml, else "                          \
     "/etc/millrace/config.yaml)",                                                                                                                   \
     0},                                                                                                                                             \
    {                                                                                                                                                \
        "set", MR_KEY_SET, "NAME=VALUE", 0, "Give the setting NAME a value, over that of the file, as in 'sandbox=require'. May be repeated", 0      \
    }

/* To be called from a parser with ARGP_KEY_INIT and for keys of MR_CONFIGURE_OPTIONS. ARGP_ERR_UNKNOWN: not one of these. */
error_t mr_configure_parse(mr_configure *configure, int key, char *arg, struct argp_state *state);
/* As --set NAME=PATH, for an option that stands for a setting; made absolute, so that it holds from any folder. Once for each word on the command
 * line. */
void mr_configure_add_path(mr_configure *configure, const char *name, const char *path, struct argp_state *state);
/* What a record (job.h) says, behind which what is there already stands: that was given now. */
bool mr_configure_restore(mr_configure *configure, const json_t *record, mr_arena *arena);
/* Prints what is wrong; an exit code. *ret_loaded lives in the session's arena. */
int mr_configure_load(const mr_configure *configure, mr_session *session, mr_loaded_settings *ret_loaded);
void mr_configure_clear(mr_configure *configure);

#endif
