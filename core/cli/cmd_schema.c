/* SPDX-License-Identifier: MIT */
/* millrace schema: the JSON Schema of pipeline files, for editors. */
#include "cli/cli.h"
#include "cli/session.h"

#include <stdlib.h>

static const struct argp_option options[] = {{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    mr_verb_unexpected(state, arg);
    return 0;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, NULL);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    char *text = mr_pipeline_schema(mr_session_ops(&session));
    if (text)
        puts(text);
    else
        mr_complain("out of memory");
    int code = text ? MR_EXIT_DONE : MR_EXIT_FAILED;
    free(text);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_schema = {
    .name = "schema",
    .usage = "",
    .summary = "prints the JSON Schema of pipeline files, for completion and checks in editors",
    .help = "The schema knows the ops of the plugins that are loaded, with their ports and params. Editors that speak YAML use it when a pipeline "
            "begins with "
            "'# yaml-language-server: $schema=PATH'.",
    .examples = "    millrace schema > millrace.schema.json",
    .args = MR_ARGS_NONE,
    .options = options,
    .run = run,
};
