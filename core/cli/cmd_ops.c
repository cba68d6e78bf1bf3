/* SPDX-License-Identifier: MIT */
/* millrace ops: what nodes can do. */
#include "cli/cli.h"
#include "cli/offers.h"

#include "config/params.h"

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

static size_t count(const mr_op_set *set)
{
    return set->count;
}

static mr_offer at(const mr_op_set *set, size_t index)
{
    const mr_op_entry *entry = &set->entries[index];
    return (mr_offer){.name = entry->op->name, .summary = entry->op->summary, .plugin = entry->plugin};
}

static json_t *describe(const mr_op_set *set, size_t index, mr_arena *arena)
{
    const mr_op_entry *entry = &set->entries[index];
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

static void page(const mr_doc *doc, const mr_op_set *set, size_t index, mr_arena *arena)
{
    mr_doc_op(doc, &set->entries[index], arena);
}

static const mr_offers ops = {.kind = "op", .none = "no plugin that is loaded has ops", .count = count, .at = at, .describe = describe, .page = page};

json_t *mr_describe_ops(const mr_op_set *set, mr_arena *arena)
{
    return mr_offers_json(&ops, set, arena);
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    return mr_offers_run(verb, argc, argv, &ops);
}

const mr_verb mr_verb_ops = {
    .name = "ops",
    .usage = "[NAME]",
    .summary = "lists what nodes can do, or explains one op with its ports and params",
    .help = "Types, defaults and limits come from the same tables that pipelines are checked by.",
    .examples = "    millrace ops\n"
                "    millrace ops transcode.video",
    .args = MR_ARGS_OP,
    .options = mr_offers_options,
    .run = run,
};
