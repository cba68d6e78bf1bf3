/* SPDX-License-Identifier: MIT */
/* millrace ops: what nodes can do. */
#include "cli/cli.h"
#include "cli/doc.h"
#include "cli/session.h"

#include "base/json.h"
#include "config/params.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_NAMES };

typedef struct ops_options {
    const char *name;
    bool json, names;
} ops_options;

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the tables as JSON", 0},
    {"names", KEY_NAMES, NULL, 0, "Print names only, one a line", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ops_options *to = state->input;
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

static json_t *describe_ports(const mr_port *ports)
{
    json_t *list = json_array();
    for (; ports && ports->name; ports++) {
        json_t *types = json_array();
        char text[96];
        for (uint32_t bit = 1; bit <= MR_TYPE_FILE; bit <<= 1) {
            if (ports->types & bit)
                json_array_append_new(types, json_string(mr_types_text(bit, text, sizeof(text))));
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:b, s:b, s:b, s:s}", "name", ports->name, "types", types, "many",
                                        (ports->flags & (MR_PORT_MANY | MR_PORT_STREAMING)) != 0, "optional", (ports->flags & MR_PORT_OPTIONAL) != 0,
                                        "streaming", (ports->flags & MR_PORT_STREAMING) != 0, "help", ports->help ? ports->help : ""));
    }
    return list;
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new(object, name, json_string(text));
}

static json_t *describe_table(const mr_param *params, unsigned depth, mr_arena *arena)
{
    json_t *list = json_array();
    for (; params && params->name && depth < 4; params++) {
        json_t *one = json_pack("{s:s, s:b, s:b}", "name", params->name, "required", (params->flags & MR_PARAM_REQUIRED) != 0, "secret",
                                (params->flags & MR_PARAM_SECRET) != 0);
        set_text(one, "type", mr_param_type_text(arena, params));
        set_text(one, "default", params->standard);
        set_text(one, "min", params->min);
        set_text(one, "max", params->max);
        set_text(one, "help", params->help);
        if (params->choices) {
            json_t *choices = json_array();
            for (const char *const *choice = params->choices; *choice; choice++)
                json_array_append_new(choices, json_string(*choice));
            json_object_set_new(one, "choices", choices);
        }
        if (params->fields)
            json_object_set_new(one, "fields", describe_table(params->fields, depth + 1, arena));
        json_array_append_new(list, one);
    }
    return list;
}

json_t *mr_describe_params(const mr_param *params, mr_arena *arena)
{
    return describe_table(params, 0, arena);
}

static json_t *describe_op(const mr_op_entry *entry, mr_arena *arena)
{
    const mr_op *op = entry->op;
    json_t *one = json_pack("{s:s, s:s, s:i, s:s, s:b, s:i, s:i, s:i, s:o, s:o, s:o}", "name", op->name, "plugin", entry->plugin, "version",
                            (int)op->version, "summary", op->summary, "effect", (op->flags & MR_OP_EFFECT) != 0, "cpu", (int)op->cpu, "memory_mb",
                            (int)op->memory_mb, "batch_max", (int)op->batch_max, "inputs", describe_ports(op->inputs), "outputs",
                            describe_ports(op->outputs), "params", mr_describe_params(op->params, arena));
    set_text(one, "help", op->help);
    set_text(one, "batch_by", op->batch_by);
    set_text(one, "toolchain", op->toolchain ? op->toolchain() : NULL);
    return one;
}

json_t *mr_describe_ops(const mr_op_set *ops, mr_arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ops->count; i++)
        json_array_append_new(list, describe_op(&ops->entries[i], arena));
    return list;
}

static int print_json(const mr_op_set *ops, const mr_op_entry *only, mr_arena *arena)
{
    mr_autojson json_t *value = only ? describe_op(only, arena) : mr_describe_ops(ops, arena);
    char *text = mr_json_text(value);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

/* By plugin, in the order of names: "plugin.verb" sorts so already where ops are named after their plugin. */
static void print_list(const mr_op_set *ops, bool names)
{
    const char *plugin = "";
    for (size_t i = 0; i < ops->count; i++) {
        const mr_op_entry *entry = &ops->entries[i];
        if (names) {
            puts(entry->op->name);
            continue;
        }
        if (strcmp(plugin, entry->plugin) != 0)
            printf("%s%s\n", i > 0 ? "\n" : "", entry->plugin);
        plugin = entry->plugin;
        printf("  %-24s %s\n", entry->op->name, entry->op->summary);
    }
}

static int refuse(const mr_op_set *ops, const char *name)
{
    const char **names = calloc(ops->count + 1, sizeof(*names));
    for (size_t i = 0; names && i < ops->count; i++)
        names[i] = ops->entries[i].op->name;
    const char *near = names ? mr_nearest(name, names, ops->count) : NULL;
    if (near)
        mr_complain("unknown op '%s'; did you mean '%s'?", name, near);
    else
        mr_complain("unknown op '%s'; 'millrace ops' lists them", name);
    free(names);
    return MR_EXIT_USAGE;
}

static int show(const ops_options *from, const mr_session *session)
{
    const mr_op_set *ops = mr_session_ops(session);
    const mr_op_entry *entry = from->name ? mr_op_set_find(ops, from->name) : NULL;
    if (from->name && !entry)
        return refuse(ops, from->name);
    if (from->json)
        return print_json(ops, entry, session->arena);
    if (!entry) {
        print_list(ops, from->names);
    } else if (from->names) {
        puts(entry->op->name);
    } else {
        const mr_doc doc = {.out = stdout, .format = MR_DOC_TEXT, .width = 80, .colour = mr_wants_colour(stdout)};
        mr_doc_op(&doc, entry, session->arena);
    }
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    ops_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    int code = show(&parsed, &session);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_ops = {
    .name = "ops",
    .usage = "[NAME]",
    .summary = "lists what nodes can do, or explains one op with its ports and params",
    .help = "Types, defaults and limits come from the same tables that pipelines are checked by.",
    .examples = "    millrace ops\n"
                "    millrace ops transcode.video",
    .args = MR_ARGS_OP,
    .options = options,
    .run = run,
};
