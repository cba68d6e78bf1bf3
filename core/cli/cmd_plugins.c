/* SPDX-License-Identifier: MIT */
/* millrace plugins: which are loaded, from where, and what is wrong with the others. */
#include "cli/cli.h"
#include "cli/session.h"

#include "base/json.h"
#include "runtime/engine.h"

#include <stdlib.h>

enum { KEY_JSON = 0x2000 };

typedef struct plugins_options {
    const char **files;
    size_t count;
    bool json;
} plugins_options;

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print a JSON array", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    plugins_options *to = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        to->files = calloc((size_t)state->argc, sizeof(*to->files));
        if (!to->files)
            argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
        return 0;
    case KEY_JSON: to->json = true; return 0;
    case ARGP_KEY_ARG: to->files[to->count++] = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* "2 ops, 1 filter, " */
static void print_offers(const mr_plugin *plugin)
{
    const mr_frame_filter *const *filters = mr_plugin_filters(plugin);
    const mr_service *const *services = mr_plugin_services(plugin);
    static const char *const words[] = {"op", "filter", "service"};
    size_t counts[3] = {0};
    for (const mr_op *const *op = plugin->ops; op && *op; op++)
        counts[0]++;
    while (filters[counts[1]])
        counts[1]++;
    while (services[counts[2]])
        counts[2]++;
    for (size_t i = 0; i < 3; i++) {
        if (counts[i] > 0)
            printf("%zu %s%s, ", counts[i], words[i], mr_plural(counts[i]));
    }
}

static void print_text(const mr_session *session)
{
    for (size_t i = 0; i < mr_plugins_count(session->plugins); i++) {
        const mr_loaded_plugin *loaded = mr_plugins_get(session->plugins, i);
        const mr_plugin *plugin = loaded->plugin;
        printf("%-12s %-8s %s (", plugin->name, plugin->version, plugin->summary);
        print_offers(plugin);
        printf("%s)\n             %s\n", plugin->licence ? plugin->licence : "licence unknown", loaded->path);
    }
}

static int print_json(const mr_session *session)
{
    mr_autojson json_t *list = json_array();
    for (size_t i = 0; i < mr_plugins_count(session->plugins); i++) {
        const mr_loaded_plugin *loaded = mr_plugins_get(session->plugins, i);
        const mr_plugin *plugin = loaded->plugin;
        json_t *ops = json_array();
        for (const mr_op *const *op = plugin->ops; op && *op; op++)
            json_array_append_new(ops, json_string((*op)->name));
        json_t *filters = json_array();
        for (const mr_frame_filter *const *filter = mr_plugin_filters(plugin); *filter; filter++)
            json_array_append_new(filters, json_string((*filter)->name));
        json_t *services = json_array();
        for (const mr_service *const *service = mr_plugin_services(plugin); *service; service++)
            json_array_append_new(services, json_string((*service)->name));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:[i, i], s:o, s:o, s:o}", "name", plugin->name, "version", plugin->version,
                                              "summary", plugin->summary ? plugin->summary : "", "licence", plugin->licence ? plugin->licence : "",
                                              "path", loaded->path, "abi", (int)plugin->abi_major, (int)plugin->abi_minor, "ops", ops, "filters",
                                              filters, "services", services));
    }
    char *text = mr_json_text(list);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    plugins_options parsed = {0};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (mr_session_open(&session)) {
        bool good = true;
        for (size_t i = 0; i < parsed.count; i++)
            good = mr_plugins_add(session.plugins, parsed.files[i], mr_engine_host(), session.diags) == MR_OK && good;
        mr_session_flush(&session);
        code = MR_EXIT_DONE;
        if (parsed.json)
            code = print_json(&session);
        else
            print_text(&session);
        if (!good)
            code = MR_EXIT_FAILED;
    }
    free(parsed.files);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_plugins = {
    .name = "plugins",
    .usage = "[FILE...]",
    .summary = "lists the plugins that are loaded, and says what is wrong with the others",
    .help =
        "Plugins are looked for in the folders of MILLRACE_PLUGIN_PATH (separated by colons), then in lib/millrace/plugins beside the folder of the "
        "command; the first of a name wins. FILE is loaded besides, to try a plugin: the exit code is 1 when one of those can't be loaded.",
    .examples = "    millrace plugins\n"
                "    millrace plugins ./build/example.so",
    .args = MR_ARGS_FILE,
    .options = options,
    .run = run,
};
