/* SPDX-License-Identifier: MIT */
/* millrace check: every mistake of every pipeline named, in one go. */
#include "cli/cli.h"
#include "cli/session.h"

#include "base/file.h"

#include <stdlib.h>

enum { KEY_JSON = 0x2000 };

typedef struct check_options {
    const char **files;
    size_t count;
    bool json;
} check_options;

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the diagnostics as a JSON array on standard output", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    check_options *to = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        to->files = calloc((size_t)state->argc, sizeof(*to->files));
        if (!to->files)
            argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
        return 0;
    case KEY_JSON: to->json = true; return 0;
    case ARGP_KEY_ARG: to->files[to->count++] = arg; return 0;
    case ARGP_KEY_END:
        if (to->count == 0)
            argp_error(state, "which pipeline? Name one file or more");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int check_all(const check_options *from, mr_session *session)
{
    const mr_pipeline *pipeline;
    for (size_t i = 0; i < from->count; i++) {
        mr_session_pipeline(session, mr_find_pipeline(session, from->files[i]), NULL, 0, &pipeline);
        mr_session_forget_scripts(session);
    }
    size_t errors = mr_diags_errors(session->diags);
    size_t warnings = mr_diags_warnings(session->diags);
    if (from->json) {
        mr_autofree char *text = mr_diags_json(session->diags);
        if (!text) {
            mr_complain("out of memory");
            return MR_EXIT_FAILED;
        }
        puts(text);
    } else {
        mr_session_flush(session);
    }
    fprintf(stderr, "%zu error%s, %zu warning%s\n", errors, mr_plural(errors), warnings, mr_plural(warnings));
    return errors > 0 ? MR_EXIT_USAGE : MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    check_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = mr_session_open(&session) ? check_all(&parsed, &session) : MR_EXIT_FAILED;
    free(parsed.files);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_check = {
    .name = "check",
    .usage = "PIPELINE...",
    .summary = "finds the mistakes in pipelines without running them",
    .help = "All mistakes of all pipelines are printed, each with the line it stands on and, where one can be guessed, what was meant. The exit code "
            "is 2 when there are errors; warnings alone leave it at 0.",
    .examples = "    millrace check pipelines/*.yaml",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
