/* SPDX-License-Identifier: MIT */
/* What `run` and `resume` share: a job that was loaded, run to its end under the eyes of a person or a program. */
#ifndef MR_CLI_DRIVE_H
#define MR_CLI_DRIVE_H

#include "cli/job.h"

typedef struct mr_drive {
    mr_job job;
    bool json, quiet, verbose;
    const char *resume; /* the id of the run that goes on; NULL: a new one */
} mr_drive;

enum { MR_KEY_JSON = 0x2000, MR_KEY_HOOKS };

/* clang-format off */
#define MR_DRIVE_OPTIONS                                                                                                                      \
    {"jobs", 'j', "N", 0, "Use N CPU slots (default: as many as this process may use)", 0},                                                   \
    {"hooks", MR_KEY_HOOKS, "FILE", 0, "Tell the hooks in FILE, in Lua, how the run goes; they may veto it (setting hooks.file)", 0},         \
    {"json", MR_KEY_JSON, NULL, 0, "Print one event a line as JSON on standard output, and nothing else there", 0},                           \
    {"quiet", 'q', NULL, 0, "Say nothing on standard error but errors", 0},                                                                   \
    {"verbose", 'v', NULL, 0, "Say a line for each task", 0}
/* clang-format on */

error_t mr_drive_parse(mr_drive *drive, int key, char *arg, struct argp_state *state); /* ARGP_ERR_UNKNOWN: not one of these */
int mr_drive_run(mr_drive *drive, mr_session *session);                                /* an exit code; hooks may change the job */

#endif
