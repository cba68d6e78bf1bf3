/* SPDX-License-Identifier: MIT */
/* millrace convert: a pipeline, whichever language it is in, as YAML or JSON. */
#include "cli/cli.h"
#include "cli/pipeline_file.h"
#include "config/yaml_write.h"

#include <string.h>

enum { LEVELS = 1 }; /* below the root: each input, param, node and output has a line */

static const struct argp_option options[] = {
    {"to", 't', "yaml|json", 0, "The language to write (default: yaml)", 0},
    {0},
};

typedef struct convert_options {
    const char *pipeline;
    bool json;
} convert_options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    convert_options *to = state->input;
    switch (key) {
    case 't':
        to->json = strcmp(arg, "json") == 0;
        if (!to->json && strcmp(arg, "yaml") != 0)
            argp_error(state, "--to: '%s' is neither yaml nor json", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (to->pipeline)
            mr_verb_unexpected(state, arg);
        to->pipeline = arg;
        return 0;
    case ARGP_KEY_END:
        if (!to->pipeline)
            argp_error(state, "which pipeline?");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static mr_status write_json(const mr_value *root)
{
    mr_autojson json_t *json = mr_value_to_json(root);
    if (!json)
        return MR_ERR_NOMEM;
    return json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF ? MR_OK : MR_ERR_IO;
}

static int convert(mr_session *session, const convert_options *from)
{
    size_t len = 0;
    const char *text = NULL;
    const mr_value *root = NULL;
    const mr_pipeline *pipeline = NULL;
    const char *file = mr_find_pipeline(session, from->pipeline);
    mr_status status = mr_pipeline_text(session, file, &text, &len);
    if (status == MR_OK)
        status = mr_pipeline_tree(session, file, text, len, &root);
    if (root && mr_session_check(session, file, root, &pipeline) != MR_OK && status == MR_OK)
        status = MR_ERR_PARAM;
    mr_session_flush(session);
    if (status != MR_OK)
        return MR_EXIT_USAGE;
    status = from->json ? write_json(root) : mr_yaml_write(root, LEVELS, stdout);
    if (status == MR_OK && fflush(stdout) == 0)
        return MR_EXIT_DONE;
    mr_complain(status == MR_ERR_NOMEM ? "out of memory" : "can't write to standard output");
    return MR_EXIT_FAILED;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    convert_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    int code = mr_session_open(&session) ? convert(&session, &parsed) : MR_EXIT_FAILED;
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_convert = {
    .name = "convert",
    .usage = "PIPELINE",
    .summary = "writes a pipeline in YAML or JSON, whichever language it is in",
    .help = "What a pipeline in Lua makes by loops, functions and modules is written out: the YAML describes the same graph. Of a pipeline in YAML, "
            "anchors and merges are written out. Comments are not kept. A pipeline with mistakes is not converted; they are printed.",
    .examples = "    millrace convert vod.lua --to yaml > vod.yaml",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
