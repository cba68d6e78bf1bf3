/* SPDX-License-Identifier: MIT */
/* millrace run: checks a pipeline, runs it, shows how it goes, and leaves run.json beside what was made. */
#include "base/clock.h"
#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/job.h"
#include "cli/progress.h"
#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, JOBS_MAX = 1024 };

typedef struct run_options {
    mr_job job;
    bool json, quiet, verbose;
} run_options;

/* A run and all who watch it. */
typedef struct running {
    const run_options *options;
    mr_session *session;
    mr_progress *progress;
    mr_report *report;
    mr_interrupt *interrupt;
    mr_engine *engine;
    mr_run *run;
    bool reader_gone; /* of --json */
} running;

static const struct argp_option options[] = {
    MR_JOB_OPTIONS,
    {"output", 'o', "DIR", 0, "Publish to the folder DIR (default: out)", 0},
    {"jobs", 'j', "N", 0, "Use N CPU slots (default: as many as this process may use)", 0},
    {"json", KEY_JSON, NULL, 0, "Print one event a line as JSON on standard output, and nothing else there", 0},
    {"quiet", 'q', NULL, 0, "Say nothing on standard error but errors", 0},
    {"verbose", 'v', NULL, 0, "Say a line for each task", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    run_options *to = state->input;
    switch (key) {
    case 'o': to->job.output = arg; return 0;
    case 'j': to->job.jobs = mr_job_number(state, "--jobs", arg, 1, JOBS_MAX); return 0;
    case KEY_JSON: to->json = true; return 0;
    case 'q': to->quiet = true; return 0;
    case 'v': to->verbose = true; return 0;
    default: return mr_job_parse(&to->job, key, arg, state);
    }
}

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
    if (of->options->json)
        print_event(of, event);
    mr_progress_event(of->progress, event);
}

static const char resume_words[] = "interrupted; results so far are kept: the same command goes on from there";

static void last_words(void *context)
{
    running *of = context;
    if (of->progress)
        mr_progress_abandon(of->progress);
    mr_complain("%s", resume_words);
}

static mr_show how_to_show(const run_options *from)
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
    bool interrupted = mr_interrupt_came(of->interrupt) && status == MR_ERR_CANCELLED;
    /* Where the run failed, that run.json can't be written is the same trouble once more. */
    mr_status wrote = mr_report_write(of->report, &of->options->job, session, tally, of->run, status == MR_OK ? session->diags : NULL);
    mr_session_flush(session);
    if (interrupted) {
        mr_complain("%s", resume_words);
        return MR_EXIT_INTERRUPTED;
    }
    if (!of->options->json && !of->options->quiet)
        print_summary(of, tally);
    if (status == MR_OK && !of->options->json)
        print_outputs(of);
    if (status == MR_ERR_PARAM)
        return MR_EXIT_FAILED; /* a task found it, not the check: the pipeline as such is valid */
    return mr_exit_code(status == MR_OK ? wrote : status);
}

static int start(running *of)
{
    const run_options *from = of->options;
    mr_session *session = of->session;
    const char *state_dir = mr_job_state_dir(&from->job, session);
    if (!state_dir)
        return MR_EXIT_USAGE;
    const mr_engine_options engine_options = {.state_dir = state_dir, .jobs = from->job.jobs, .settings = &from->job.settings.values, .plugins = session->plugins};
    of->interrupt = mr_interrupt_new(last_words, of); /* before the engine's threads, which inherit the blocked signals */
    of->report = mr_report_new();
    of->progress = mr_progress_new(from->job.bound.pipeline, how_to_show(from), from->verbose && !from->json && !from->quiet);
    if (!of->interrupt || !of->report || !of->progress)
        return MR_EXIT_FAILED;
    const mr_run_options run_options_ = {
        .inputs = from->job.inputs,
        .input_count = from->job.input_count,
        .output_dir = from->job.output,
        .no_cache = from->job.no_cache,
        .reader = on_event,
        .reader_context = of,
    };
    mr_status status = mr_engine_open(&engine_options, session->diags, &of->engine);
    if (status == MR_OK)
        status = mr_run_start(of->engine, &from->job.bound, &run_options_, session->diags, &of->run);
    if (status != MR_OK) {
        mr_progress_abandon(of->progress);
        mr_session_flush(session);
        return mr_exit_code(status);
    }
    mr_interrupt_watch(of->interrupt, of->run);
    return finish(of);
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    run_options parsed = {.job = {.output = "out"}};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away must not end the run */
    if (mr_session_open(&session))
        code = mr_job_load(&parsed.job, &session);
    if (code == MR_EXIT_DONE) {
        running of = {.options = &parsed, .session = &session};
        code = start(&of);
        mr_interrupt_free(of.interrupt);
        mr_run_free(of.run);
        mr_engine_close(of.engine);
        mr_progress_free(of.progress);
        mr_report_free(of.report);
    }
    mr_job_clear(&parsed.job);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_run = {
    .name = "run",
    .usage = "PIPELINE",
    .summary = "runs a pipeline",
    .help =
        "PIPELINE is a file, or the name of one that comes with millrace ('vod'). The pipeline is checked before anything runs, and what was done "
        "in earlier runs with the same inputs, params and versions is not done again.\n\n"
        "On a terminal, bars show how it goes; elsewhere there is one line for each node. Where the results lie is printed at the end, "
        "and DIR/run.json says what was made, from what, and how long it took.\n\n"
        "Ctrl-C stops a run within a second; the same command then goes on from there.\n\n"
        "Exit codes: 0 done, 1 a task failed, 2 wrong usage or an invalid pipeline, 3 an input can't be used, 130 interrupted.",
    .examples = "    millrace run vod --input clip.mp4 --output out\n"
                "    millrace run vod --input source=clip.mp4 --param segment_duration=2s --param preset=veryfast\n"
                "    millrace run vod --input clip.mp4 --json | jq -c 'select(.event == \"node.done\")'",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
