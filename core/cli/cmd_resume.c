/* SPDX-License-Identifier: MIT */
/* millrace resume: goes on with a run that did not come to its end, under the same id, with what it was given when it began. */
#include "cli/drive.h"
#include "cli/history.h"
#include "cli/pipeline_file.h"

#include <string.h>

typedef struct resume_options {
    mr_drive drive;
    mr_history history;
} resume_options;

static const struct argp_option options[] = {
    MR_CONFIGURE_OPTIONS,
    MR_HISTORY_OPTIONS,
    MR_DRIVE_OPTIONS,
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    resume_options *to = state->input;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "which run? 'millrace runs' lists them");
    error_t known = mr_drive_parse(&to->drive, key, arg, state);
    if (known == ARGP_ERR_UNKNOWN)
        known = mr_history_parse(&to->history, key, arg, state);
    return known == ARGP_ERR_UNKNOWN ? mr_configure_parse(&to->drive.job.configure, key, arg, state) : known;
}

/* Whoever mended the pipeline expects the mended one to run. */
static void say_changed(mr_session *session, const mr_job *job, const char *run)
{
    mr_status status = MR_OK;
    if (mr_pipeline_is_same(session, job->pipeline, job->text, job->text_len, &status))
        return;
    mr_complain("'%s' %s since run %s began, which goes on with what it began with; 'millrace run' takes the file as it is now", job->pipeline,
                status == MR_OK ? "has changed" : "can't be read any more", run);
}

static int go_on(resume_options *from)
{
    mr_history *history = &from->history;
    mr_session *session = &history->session;
    mr_job *job = &from->drive.job;
    mr_autojson json_t *record = NULL;
    mr_status status = mr_journal_run(history->journal, history->run, session->diags, &record);
    mr_session_flush(session);
    if (status != MR_OK)
        return MR_EXIT_FAILED;
    const char *state = json_string_value(json_object_get(record, "state"));
    if (strcmp(state, "succeeded") == 0) {
        mr_complain("run %s has succeeded: there is nothing to do", history->run);
        return MR_EXIT_DONE;
    }
    const json_t *given = json_object_get(record, "given");
    if (!mr_job_restore(job, given, session->arena)) {
        mr_complain("run %s can't be resumed: what it was given was not recorded; the command that began it goes on from there", history->run);
        return MR_EXIT_FAILED;
    }
    job->state = history->state;
    if (!job->jobs)
        job->jobs = (uint32_t)json_integer_value(json_object_get(given, "jobs"));
    say_changed(session, job, history->run);
    int code = mr_job_load(job, session);
    if (code != MR_EXIT_DONE)
        return code;
    mr_journal_close(history->journal); /* the engine has its own */
    history->journal = NULL;
    from->drive.resume = history->run;
    return mr_drive_run(&from->drive, session);
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    resume_options parsed = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = mr_history_open(&parsed.history, true);
    if (code == MR_EXIT_DONE)
        code = go_on(&parsed);
    mr_job_clear(&parsed.drive.job);
    mr_history_close(&parsed.history);
    return code;
}

const mr_verb mr_verb_resume = {
    .name = "resume",
    .usage = "ID",
    .summary = "goes on with a run that was interrupted, cancelled, or failed",
    .help =
        "The run goes on under the same id, with the pipeline as it was when the run began, the same inputs and params, and into the same folder; "
        "what was done comes from the store. When the pipeline's file has changed since, that is said. Settings and the number of jobs are those "
        "of the run unless they are given here. Results of before are reused also when the run began with --no-cache. What is shown, run.json "
        "and the exit codes are those of 'millrace run'; a run that has succeeded has nothing to do, and is no error.",
    .examples = "    millrace resume 20260131T100000-1f3a",
    .args = MR_ARGS_RUN,
    .options = options,
    .run = run,
};
