/* SPDX-License-Identifier: MIT */
/* millrace repl: a pipeline's expressions and ops, tried line by line. */
#include "cli/pipeline_file.h"
#include "cli/repl/repl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 };

static const struct argp_option options[] = {
    MR_JOB_OPTIONS,
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return mr_job_parse(state->input, key, arg, state);
}

/* The pipeline, and what was given with the command. */
static int open_repl(mr_repl *repl, mr_job *job)
{
    size_t len = 0;
    const char *text = NULL;
    mr_session *session = repl->session;
    int code = mr_configure_load(&job->configure, session, &job->settings);
    if (code != MR_EXIT_DONE)
        return code;
    repl->settings = &job->settings.values;
    repl->state_dir = job->state;
    repl->file = mr_find_pipeline(session, job->pipeline);
    repl->vm = mr_expr_vm_new();
    repl->scope = json_pack("{s:{}}", "params");
    mr_status status = repl->vm && repl->scope ? mr_pipeline_text(session, repl->file, &text, &len) : MR_ERR_NOMEM;
    if (status == MR_OK)
        status = mr_pipeline_tree(session, repl->file, text, len, &repl->root);
    if (status == MR_OK)
        status = mr_session_check(session, repl->file, repl->root, &repl->pipeline);
    mr_session_flush(session);
    if (status != MR_OK)
        return MR_EXIT_USAGE;
    mr_pipeline_quote(session, repl->file, text, len);
    bool good = job->param_count > 0 || mr_repl_bind(repl);
    for (size_t i = 0; i < job->param_count; i++) {
        const char *given = mr_arena_printf(session->arena, "%s=%s", job->params[i].name, job->params[i].text);
        good = given && mr_repl_set(repl, given) && good;
    }
    for (size_t i = 0; i < job->input_count; i++)
        good = mr_repl_input(repl, job->input_texts[i]) && good;
    return good ? MR_EXIT_DONE : MR_EXIT_USAGE;
}

/* Until the end of the input. In a pipe or a script a line that fails is remembered for the exit code. */
static int read_lines(mr_repl *repl)
{
    char *line = NULL;
    size_t room = 0;
    bool quit = false;
    bool failed = false;
    const bool person = isatty(STDIN_FILENO);
    if (person)
        printf("%s: ':help' says what can be done here\n", repl->pipeline->name);
    while (!quit) {
        if (person)
            fputs("> ", stdout);
        fflush(stdout);
        const ssize_t len = getline(&line, &room, stdin);
        if (len < 0)
            break;
        if (len >= LINE_BYTES) {
            mr_complain("a line has at most %d bytes", LINE_BYTES - 1);
            failed = true;
            continue;
        }
        failed = !mr_repl_line(repl, line, &quit) || failed;
    }
    if (person && !quit)
        putchar('\n');
    free(line);
    return failed && !person ? MR_EXIT_FAILED : MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    mr_job job = {0};
    mr_session session = {0};
    mr_repl repl = {.session = &session};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &job);
    if (mr_session_open(&session))
        code = open_repl(&repl, &job);
    if (code == MR_EXIT_DONE)
        code = read_lines(&repl);
    mr_engine_close(repl.engine);
    mr_expr_vm_free(repl.vm);
    json_decref(repl.scope);
    mr_job_clear(&job);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_repl = {
    .name = "repl",
    .usage = "PIPELINE",
    .summary = "tries a pipeline's expressions and ops line by line",
    .help =
        "Lines come from standard input; ':help' lists what they can be. An expression is answered with its value: it sees params and what has been "
        "given a name. ':run NODE' runs a node of the pipeline with all that it needs, ':try OP NAME=VALUE …' any op; what comes out can be used in "
        "expressions: 'probe.info.video.width'. What was done before is not done again, and nothing that acts on the world is run.\n\n"
        "In a pipe, the exit code is 1 when a line failed.",
    .examples = "    millrace repl vod --input clip.mp4\n"
                "    echo 'params.ladder[1].height' | millrace repl vod",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
