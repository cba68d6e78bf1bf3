/* SPDX-License-Identifier: MIT */
/* millrace filters: the frame filters that pipelines may use. */
#include "cli/cli.h"
#include "cli/doc.h"
#include "cli/session.h"

#include "base/diag.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_NAMES };

typedef struct filters_options {
    const char *name;
    bool json, names;
} filters_options;

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the tables as JSON", 0},
    {"names", KEY_NAMES, NULL, 0, "Print names only, one a line", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    filters_options *to = state->input;
    switch (key) {
    case KEY_JSON: to->json = true; return 0;
    case KEY_NAMES: to->names = true; return 0;
    case ARGP_KEY_ARG:
        if (to->name)
            mr_verb_unexpected(state, arg);
        to->name = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static json_t *describe(const mr_filter_entry *entry, mr_arena *arena)
{
    const mr_frame_filter *filter = entry->filter;
    json_t *one =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "name", filter->name, "plugin", entry->plugin, "version", (int)filter->version, "summary",
                  filter->summary, "kind", filter->apply ? "pixels" : "steered", "params", mr_describe_params(filter->params, arena));
    if (one && filter->help)
        json_object_set_new(one, "help", json_string(filter->help));
    return one;
}

static int print_json(const mr_filter_set *filters, const mr_filter_entry *only, mr_arena *arena)
{
    mr_autojson json_t *value = only ? describe(only, arena) : json_array();
    for (size_t i = 0; !only && i < filters->count; i++)
        json_array_append_new(value, describe(&filters->entries[i], arena));
    char *text = mr_json_text(value);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static void print_list(const mr_filter_set *filters, bool names)
{
    for (size_t i = 0; i < filters->count; i++) {
        const mr_filter_entry *entry = &filters->entries[i];
        if (names)
            puts(entry->filter->name);
        else
            printf("%-24s %s (%s)\n", entry->filter->name, entry->filter->summary, entry->plugin);
    }
    if (filters->count == 0 && !names)
        puts("no plugin that is loaded has filters; those of libavfilter are written as text: filters: \"eq=contrast=1.1\"");
}

static int refuse(const mr_filter_set *filters, const char *name)
{
    const char **names = calloc(filters->count + 1, sizeof(*names));
    for (size_t i = 0; names && i < filters->count; i++)
        names[i] = filters->entries[i].filter->name;
    const char *near = names ? mr_nearest(name, names, filters->count) : NULL;
    if (near)
        mr_complain("unknown filter '%s'; did you mean '%s'?", name, near);
    else
        mr_complain("unknown filter '%s'; 'millrace filters' lists them", name);
    free(names);
    return MR_EXIT_USAGE;
}

static int show(const filters_options *from, const mr_session *session)
{
    const mr_filter_set *filters = &mr_session_ops(session)->filters;
    const mr_filter_entry *entry = from->name ? mr_filter_set_find(filters, from->name) : NULL;
    if (from->name && !entry)
        return refuse(filters, from->name);
    if (from->json)
        return print_json(filters, entry, session->arena);
    if (!entry) {
        print_list(filters, from->names);
    } else if (from->names) {
        puts(entry->filter->name);
    } else {
        const mr_doc doc = {.out = stdout, .format = MR_DOC_TEXT, .width = 80, .colour = mr_wants_colour(stdout)};
        mr_doc_filter(&doc, entry, session->arena);
    }
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    filters_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    int code = show(&parsed, &session);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_filters = {
    .name = "filters",
    .usage = "[NAME]",
    .summary = "lists the frame filters that plugins offer, or explains one with its params",
    .help = "They stand in the param 'filters' of ops that read pictures, as {use: NAME, with: {…}}, beside chains of libavfilter, which are text.",
    .examples = "    millrace filters\n"
                "    millrace filters watermark.text",
    .args = MR_ARGS_FILTER,
    .options = options,
    .run = run,
};
