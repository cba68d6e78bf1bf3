/* SPDX-License-Identifier: MIT */
/* millrace run: checks a pipeline, runs it, shows how it goes, and leaves run.json beside what was made. */
#include "cli/drive.h"

#include "runtime/hosts/pool.h"

static const struct argp_option options[] = {
    MR_JOB_OPTIONS,
    {"output", 'o', "DIR", 0, "Publish to the folder DIR (default: out)", 0},
    MR_DRIVE_OPTIONS,
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    mr_drive *to = state->input;
    if (key == 'o') {
        to->job.output = arg;
        return 0;
    }
    error_t known = mr_drive_parse(to, key, arg, state);
    return known == ARGP_ERR_UNKNOWN ? mr_job_parse(&to->job, key, arg, state) : known;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    mr_drive drive = {.job = {.output = "out"}};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &drive);
    mr_hosts_start_early();
    if (mr_session_open(&session))
        code = mr_job_load(&drive.job, &session);
    if (code == MR_EXIT_DONE)
        code = mr_drive_run(&drive, &session);
    mr_job_clear(&drive.job);
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
        "Ctrl-C stops a run within a second, 'millrace cancel' does so from elsewhere; 'millrace resume', or the same command again, then goes on "
        "from there. 'millrace runs' lists the runs that were.\n\n"
        "Exit codes: 0 done, 1 a task failed, 2 wrong usage or an invalid pipeline, 3 an input can't be used, 130 interrupted.",
    .examples = "    millrace run vod --input clip.mp4 --output out\n"
                "    millrace run vod --input source=clip.mp4 --param segment_duration=2s --param preset=veryfast\n"
                "    millrace run vod --input clip.mp4 --json | jq -c 'select(.event == \"node.done\")'",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
