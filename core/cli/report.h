/* SPDX-License-Identifier: MIT */
/* run.json: what a run made, from what, with which versions, and how long it took. A reader of events. */
#ifndef MR_CLI_REPORT_H
#define MR_CLI_REPORT_H

#include "cli/job.h"
#include "cli/tally.h"

typedef struct mr_report mr_report;

mr_report *mr_report_new(void); /* NULL: no memory */
void mr_report_free(mr_report *report);
void mr_report_event(mr_report *report, const mr_event *event); /* one at a time */
/* After the run's end. Written atomically to job->output/run.json. */
mr_status mr_report_write(const mr_report *report, const mr_job *job, const mr_session *session, const mr_tally *tally, const mr_run *run,
                          mr_diags *diags);

#endif
