/* SPDX-License-Identifier: MIT */
/* Runs a job, shows how it goes, and leaves run.json beside what was made. */
#include "cli/drive.h"

#include "base/units.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hooked.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 1024 };

/* A run and all who watch it. */
typedef struct running {
    const mr_drive *options;
    mr_session *session;
    mr_progress *progress;
    mr_report *report;
    mr_interrupt *interrupt;
    mr_hooked *hooked; /* NULL: no hooks */
    mr_engine *engine;
    mr_run *run;
    bool reader_gone; /* of --json */
} running;

/* A reader at the other end of a pipe sees each event when it happens. Once it is gone nothing more is printed, and the run goes on. */
static void print_event(running *of, const mr_event *event)
{
    mr_autojson json_t *json = of->reader_gone ? NULL : mr_event_json(event);
    mr_autofree char *text = json ? mr_json_text(json) : NULL;
    if (text && (printf("%s\n", text) < 0 || fflush(stdout) != 0) && errno == EPIPE) {
        of->reader_gone = true;
        clearerr(stdout);
    }
}

/* The one reader that the engine knows hands each event on. */
static void on_event(void *context, const mr_event *event)
{
    running *of = context;
    mr_report_event(of->report, event);
    mr_hooked_event(of->hooked, event);
    if (of->options->json)
        print_event(of, event);
    mr_progress_event(of->progress, event);
}

/* "'millrace resume ID' goes on from there" */
static void say_resumable(const running *of, const char *what)
{
    const char *state = of->options->job.state;
    if (of->run)
        mr_complain("%s; results so far are kept: 'millrace resume %s%s%s' goes on from there", what, mr_run_id(of->run), state ? " --state " : "",
                    state ? state : "");
    else
        mr_complain("%s; results so far are kept: the same command goes on from there", what);
}

static void last_words(void *context)
{
    running *of = context;
    if (of->progress)
        mr_progress_abandon(of->progress);
    say_resumable(of, "interrupted");
}

static mr_show how_to_show(const mr_drive *from)
{
    if (from->json || from->quiet)
        return MR_SHOW_NOTHING;
    return mr_is_terminal(stderr) ? MR_SHOW_BARS : MR_SHOW_LINES;
}

/* Where the results lie, on stdout: one line per output, as a path where the output is a file. */
static void print_outputs(const running *of)
{
    const char *dir = of->options->job.output;
    mr_autojson json_t *outputs = mr_run_outputs(of->run);
    const char *name;
    json_t *list;
    json_object_foreach(outputs, name, list)
    {
        size_t index;
        json_t *meta;
        json_array_foreach(list, index, meta)
        {
            const char *path = json_string_value(json_object_get(meta, "path"));
            mr_autofree char *text = path ? NULL : mr_json_text(meta);
            if (path)
                printf("%s: %s/%s\n", name, dir, path);
            else if (text)
                printf("%s: %s\n", name, text);
        }
    }
}

static void print_summary(const running *of, const mr_tally *tally)
{
    mr_totals totals = mr_tally_totals(tally);
    char took[32];
    mr_duration_text(tally->ended_us - tally->started_us, took, sizeof(took));
    fprintf(stderr, "%s: %s in %s, %llu tasks", of->options->job.bound.pipeline->name, tally->state, took, (unsigned long long)totals.done);
    if (totals.cached > 0)
        fprintf(stderr, " (%llu cached)", (unsigned long long)totals.cached);
    if (totals.failed > 0)
        fprintf(stderr, ", %llu failed", (unsigned long long)totals.failed);
    fputc('\n', stderr);
}

static int finish(running *of)
{
    mr_session *session = of->session;
    mr_status status = mr_run_wait(of->run, session->diags);
    mr_interrupt_watch(of->interrupt, NULL);
    mr_progress_stop(of->progress);
    const mr_tally *tally = mr_progress_tally(of->progress);
    const bool hooks_fine = mr_hooked_end(of->hooked, of->run, session);
    bool interrupted = mr_interrupt_came(of->interrupt) && status == MR_ERR_CANCELLED;
    /* Where the run failed, that run.json can't be written is the same trouble once more. */
    mr_status wrote = mr_report_write(of->report, &of->options->job, session, tally, of->run, status == MR_OK ? session->diags : NULL);
    mr_session_flush(session);
    if (status == MR_ERR_CANCELLED) {
        say_resumable(of, interrupted ? "interrupted" : "cancelled from another process");
        return MR_EXIT_INTERRUPTED;
    }
    if (!of->options->json && !of->options->quiet)
        print_summary(of, tally);
    if (status == MR_OK && !of->options->json)
        print_outputs(of);
    if (status == MR_ERR_PARAM)
        return MR_EXIT_FAILED; /* a task found it, not the check: the pipeline as such is valid */
    const int code = mr_exit_code(status == MR_OK ? wrote : status);
    return code == MR_EXIT_DONE && !hooks_fine ? MR_EXIT_FAILED : code;
}

static int start(running *of, mr_drive *drive)
{
    const mr_drive *from = of->options;
    mr_session *session = of->session;
    const char *state_dir = mr_job_state_dir(&from->job, session);
    if (!state_dir)
        return MR_EXIT_USAGE;
    const mr_engine_options engine_options = {
        .state_dir = state_dir, .jobs = from->job.jobs, .settings = &from->job.settings.values, .plugins = session->plugins};
    of->interrupt = mr_interrupt_new(last_words, of); /* before the engine's threads, which inherit the blocked signals */
    if (!of->interrupt)
        return MR_EXIT_FAILED;
    const int code = mr_hooked_begin(&drive->job, from->resume != NULL, session, &of->hooked);
    if (code != MR_EXIT_DONE)
        return code;
    of->report = mr_report_new();
    of->progress = mr_progress_new(from->job.bound.pipeline, how_to_show(from), from->verbose && !from->json && !from->quiet);
    if (!of->report || !of->progress)
        return MR_EXIT_FAILED;
    mr_autojson json_t *record = from->resume ? NULL : mr_job_record(&from->job, session);
    const mr_run_options how = {
        .inputs = from->job.inputs,
        .input_count = from->job.input_count,
        .output_dir = mr_url_scheme(from->job.output) ? NULL : from->job.output,
        .output_url = mr_url_scheme(from->job.output) ? from->job.output : NULL,
        .no_cache = from->job.no_cache,
        .resume = from->resume,
        .record = record,
        .reader = on_event,
        .reader_context = of,
    };
    mr_status status = mr_engine_open(&engine_options, session->diags, &of->engine);
    if (status == MR_OK)
        status = mr_run_start(of->engine, &from->job.bound, &how, session->diags, &of->run);
    if (status != MR_OK) {
        mr_progress_abandon(of->progress);
        mr_session_flush(session);
        return mr_exit_code(status);
    }
    mr_hooked_run(of->hooked, of->run);
    mr_interrupt_watch(of->interrupt, of->run);
    return finish(of);
}

error_t mr_drive_parse(mr_drive *drive, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case MR_KEY_HOOKS: mr_configure_add_path(&drive->job.configure, "hooks.file", arg, state); return 0;
    case 'j': drive->job.jobs = mr_job_number(state, "--jobs", arg, 1, JOBS_MAX); return 0;
    case MR_KEY_JSON: drive->json = true; return 0;
    case 'q': drive->quiet = true; return 0;
    case 'v': drive->verbose = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int mr_drive_run(mr_drive *drive, mr_session *session)
{
    running of = {.options = drive, .session = session};
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not end the run */
    int code = start(&of, drive);
    mr_interrupt_free(of.interrupt);
    mr_run_free(of.run);
    mr_hooked_free(of.hooked);
    mr_engine_close(of.engine);
    mr_progress_free(of.progress);
    mr_report_free(of.report);
    return code;
}
