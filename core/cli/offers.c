/* SPDX-License-Identifier: MIT */
/* See offers.h. */
#include "cli/offers.h"

#include "base/diag.h"
#include "base/json.h"
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_NAMES };

typedef struct offers_options {
    const char *name;
    bool json, names;
} offers_options;

const struct argp_option mr_offers_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the tables as JSON", 0},
    {"names", KEY_NAMES, NULL, 0, "Print names only, one a line", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    offers_options *to = state->input;
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

json_t *mr_offers_json(const mr_offers *offers, const mr_op_set *set, mr_arena *arena)
{
    json_t *list = json_array();
    for (size_t i = 0; i < offers->count(set); i++)
        json_array_append_new(list, offers->describe(set, i, arena));
    return list;
}

static int print_json(json_t *take_value)
{
    char *text = mr_json_text(take_value);
    json_decref(take_value);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

/* By plugin, in the order of names: they begin with their plugin's. */
static void print_list(const mr_offers *offers, const mr_op_set *set, bool names)
{
    const char *plugin = "";
    const size_t count = offers->count(set);
    for (size_t i = 0; i < count; i++) {
        const mr_offer one = offers->at(set, i);
        if (names) {
            puts(one.name);
            continue;
        }
        if (strcmp(plugin, one.plugin) != 0)
            printf("%s%.*s\n", i > 0 ? "\n" : "", (int)strcspn(one.plugin, " "), one.plugin);
        plugin = one.plugin;
        printf("  %-24s %s\n", one.name, one.summary);
    }
    if (count == 0 && !names)
        puts(offers->none);
}

static size_t find(const mr_offers *offers, const mr_op_set *set, const char *name)
{
    size_t i = 0;
    while (i < offers->count(set) && strcmp(offers->at(set, i).name, name) != 0)
        i++;
    return i;
}

static int refuse(const mr_verb *verb, const mr_offers *offers, const mr_op_set *set, const char *name)
{
    const size_t count = offers->count(set);
    const char **names = calloc(count + 1, sizeof(*names));
    for (size_t i = 0; names && i < count; i++)
        names[i] = offers->at(set, i).name;
    const char *near = names ? mr_nearest(name, names, count) : NULL;
    if (near)
        mr_complain("unknown %s '%s'; did you mean '%s'?", offers->kind, name, near);
    else
        mr_complain("unknown %s '%s'; 'millrace %s' lists them", offers->kind, name, verb->name);
    free(names);
    return MR_EXIT_USAGE;
}

static int show(const mr_verb *verb, const mr_offers *offers, const offers_options *from, const mr_session *session)
{
    const mr_op_set *set = mr_session_ops(session);
    const size_t at = from->name ? find(offers, set, from->name) : 0;
    if (from->name && at == offers->count(set))
        return refuse(verb, offers, set, from->name);
    if (from->json)
        return print_json(from->name ? offers->describe(set, at, session->arena) : mr_offers_json(offers, set, session->arena));
    if (!from->name) {
        print_list(offers, set, from->names);
    } else if (from->names) {
        puts(from->name);
    } else {
        const mr_doc doc = {.out = stdout, .format = MR_DOC_TEXT, .width = 80, .colour = mr_wants_colour(stdout)};
        offers->page(&doc, set, at, session->arena);
    }
    return MR_EXIT_DONE;
}

int mr_offers_run(const mr_verb *verb, int argc, char **argv, const mr_offers *offers)
{
    offers_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    int code = show(verb, offers, &parsed, &session);
    mr_session_close(&session);
    return code;
}
