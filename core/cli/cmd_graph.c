/* SPDX-License-Identifier: MIT */
/* millrace graph: a picture of a pipeline. */
#include "cli/cli.h"
#include "cli/session.h"
#include "graph/print.h"

#include <string.h>

typedef struct graph_options {
    const char *pipeline;
    mr_graph_format format;
} graph_options;

static const struct argp_option options[] = {
    {"format", 'f', "text|dot|mermaid|svg", 0, "How to draw it (default: text)", 0},
    {0},
};

static const char *const formats[] = {[MR_GRAPH_TEXT] = "text", [MR_GRAPH_DOT] = "dot", [MR_GRAPH_MERMAID] = "mermaid", [MR_GRAPH_SVG] = "svg"};
enum { FORMAT_COUNT = sizeof(formats) / sizeof(*formats) };

static mr_graph_format parse_format(struct argp_state *state, const char *arg)
{
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(arg, formats[i]) == 0)
            return (mr_graph_format)i;
    }
    const char *near = mr_nearest(arg, formats, FORMAT_COUNT);
    argp_error(state, "--format: '%s' is none of text, dot, mermaid, svg%s%s%s", arg, near ? "; did you mean '" : "", near ? near : "",
               near ? "'?" : "");
    return MR_GRAPH_TEXT;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    graph_options *to = state->input;
    switch (key) {
    case 'f': to->format = parse_format(state, arg); return 0;
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

static int run(const mr_verb *verb, int argc, char **argv)
{
    graph_options parsed = {0};
    mr_session session = {0};
    const mr_pipeline *pipeline = NULL;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    const char *file = mr_find_pipeline(&session, parsed.pipeline);
    mr_status status = mr_session_pipeline(&session, file, NULL, 0, &pipeline);
    mr_session_flush(&session);
    int code = MR_EXIT_USAGE;
    if (status == MR_OK)
        code = mr_graph_print(pipeline, parsed.format, stdout) == MR_OK ? MR_EXIT_DONE : MR_EXIT_FAILED;
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_graph = {
    .name = "graph",
    .usage = "PIPELINE",
    .summary = "draws a pipeline",
    .help =
        "text is for reading in a terminal, mermaid for Markdown pages, dot for Graphviz; svg is drawn by millrace itself and needs nothing else.",
    .examples = "    millrace graph vod\n"
                "    millrace graph vod --format svg > vod.svg",
    .args = MR_ARGS_PIPELINE,
    .options = options,
    .run = run,
};
