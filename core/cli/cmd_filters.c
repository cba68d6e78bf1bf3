/* SPDX-License-Identifier: MIT */
/* millrace filters: the frame filters that pipelines may use. */
#include "cli/cli.h"
#include "cli/offers.h"

static size_t count(const mr_op_set *set)
{
    return set->filters.count;
}

static mr_offer at(const mr_op_set *set, size_t index)
{
    const mr_filter_entry *entry = &set->filters.entries[index];
    return (mr_offer){.name = entry->filter->name, .summary = entry->filter->summary, .plugin = entry->plugin};
}

static json_t *describe(const mr_op_set *set, size_t index, mr_arena *arena)
{
    const mr_filter_entry *entry = &set->filters.entries[index];
    const mr_frame_filter *filter = entry->filter;
    json_t *one =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "name", filter->name, "plugin", entry->plugin, "version", (int)filter->version, "summary",
                  filter->summary, "kind", filter->apply ? "pixels" : "steered", "params", mr_describe_params(filter->params, arena));
    if (one && filter->help)
        json_object_set_new(one, "help", json_string(filter->help));
    return one;
}

static void page(const mr_doc *doc, const mr_op_set *set, size_t index, mr_arena *arena)
{
    mr_doc_filter(doc, &set->filters.entries[index], arena);
}

static const mr_offers filters = {
    .kind = "filter",
    .none = "no plugin that is loaded has filters; those of libavfilter are written as text: filters: \"eq=contrast=1.1\"",
    .count = count,
    .at = at,
    .describe = describe,
    .page = page,
};

static int run(const mr_verb *verb, int argc, char **argv)
{
    return mr_offers_run(verb, argc, argv, &filters);
}

const mr_verb mr_verb_filters = {
    .name = "filters",
    .usage = "[NAME]",
    .summary = "lists the frame filters that plugins offer, or explains one with its params",
    .help = "They stand in the param 'filters' of ops that read pictures, as {use: NAME, with: {…}}, beside chains of libavfilter, which are text.",
    .examples = "    millrace filters\n"
                "    millrace filters watermark.text",
    .args = MR_ARGS_FILTER,
    .options = mr_offers_options,
    .run = run,
};
