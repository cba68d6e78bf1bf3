/* SPDX-License-Identifier: MIT */
/* Between the files of the kit. */
#ifndef MR_CLI_KIT_INTERNAL_H
#define MR_CLI_KIT_INTERNAL_H

#include "cli/kit/kit.h"

/* Opens the engine, unless it is open. */
mr_status mr_bench_start(mr_bench *bench, mr_diags *diags);

/* The op as it is to be run, undisturbed. */
mr_trial mr_subject_trial(const mr_subject *subject);
/* Of a script, whose host keeps this promise for it: then it is said. */
bool mr_check_is_hosts(const mr_subject *subject, const char *check);
/* It failed, and nobody was told why. */
bool mr_trial_is_silent(const mr_trial_end *end);

#endif
