/* SPDX-License-Identifier: MIT */
/* millrace help: pages about the command, its verbs and the ops, for the terminal, as man pages, and as Markdown for docs/reference. */
#include "cli/cli.h"
#include "cli/doc.h"
#include "cli/session.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAN = 0x2000, KEY_MARKDOWN, KEY_WRITE, KEY_JSON };

typedef struct help_options {
    const char *topic;
    const char *dir; /* --write */
    mr_doc_format format;
    bool json;
} help_options;

static const struct argp_option options[] = {
    {"man", KEY_MAN, NULL, 0, "Print the page as a man page", 0},
    {"markdown", KEY_MARKDOWN, NULL, 0, "Print the page as Markdown", 0},
    {"json", KEY_JSON, NULL, 0, "Print the table of verbs and their options as JSON", 0},
    {"write", KEY_WRITE, "DIR", 0, "Write all pages to the folder DIR, as man pages or as Markdown", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    help_options *to = state->input;
    switch (key) {
    case KEY_MAN: to->format = MR_DOC_MAN; return 0;
    case KEY_MARKDOWN: to->format = MR_DOC_MARKDOWN; return 0;
    case KEY_JSON: to->json = true; return 0;
    case KEY_WRITE: to->dir = arg; return 0;
    case ARGP_KEY_ARG:
        if (to->topic)
            mr_verb_unexpected(state, arg);
        to->topic = arg;
        return 0;
    case ARGP_KEY_END:
        if (to->dir && to->topic)
            argp_error(state, "--write writes all pages; leave '%s' out", to->topic);
        if (to->dir && to->format == MR_DOC_TEXT)
            argp_error(state, "--write needs --man or --markdown");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static json_t *describe_options(const struct argp_option *table)
{
    json_t *list = json_array();
    for (; table->name || table->key; table++) {
        char letter[2] = {(char)(table->key > ' ' && table->key < 127 ? table->key : '\0'), '\0'};
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", table->name ? table->name : "", "letter", letter, "arg",
                                              table->arg ? table->arg : "", "help", table->doc ? table->doc : ""));
    }
    return list;
}

static int print_json(void)
{
    mr_autojson json_t *list = json_array();
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "verb", (*verb)->name, "usage", (*verb)->usage, "summary", (*verb)->summary,
                                              "options", describe_options((*verb)->options)));
    mr_autojson json_t *all = json_pack("{s:O, s:o}", "verbs", list, "common", describe_options(mr_verb_common_options));
    char *text = mr_json_text(all);
    if (text)
        puts(text);
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

typedef struct page {
    mr_doc doc;
    char *text;
    size_t size;
} page;

static bool page_begin(page *of, mr_doc_format format)
{
    *of = (page){.doc = {.format = format, .width = 80}};
    of->doc.out = open_memstream(&of->text, &of->size);
    return of->doc.out != NULL;
}

/* Written only when it differs, so that a build does not see a newer file. */
static mr_status page_end(page *of, const char *path, mr_diags *diags)
{
    mr_autofree char *old = NULL;
    size_t old_size = 0;
    mr_status status = fclose(of->doc.out) == 0 ? MR_OK : MR_ERR_NOMEM;
    bool same = status == MR_OK && mr_file_read(path, 1 << 20, &old, &old_size, NULL) == MR_OK && old_size == of->size &&
                memcmp(old, of->text, of->size) == 0;
    if (status == MR_OK && !same)
        status = mr_file_write_atomic(path, of->text, of->size, 0644, diags);
    free(of->text);
    return status;
}

static mr_status write_verbs(const char *dir, mr_doc_format format, mr_arena *arena, mr_diags *diags)
{
    const char *suffix = format == MR_DOC_MAN ? "1" : "md";
    page of;
    if (!page_begin(&of, format))
        return MR_ERR_NOMEM;
    mr_doc_overview(&of.doc);
    mr_status status = page_end(&of, mr_arena_printf(arena, "%s/millrace.%s", dir, suffix), diags);
    for (const mr_verb *const *verb = mr_verbs; *verb && status == MR_OK; verb++) {
        if (!page_begin(&of, format))
            return MR_ERR_NOMEM;
        mr_doc_verb(&of.doc, *verb);
        status = page_end(&of, mr_arena_printf(arena, "%s/millrace-%s.%s", dir, (*verb)->name, suffix), diags);
    }
    return status;
}

static mr_status write_ops(const char *dir, mr_doc_format format, const mr_op_set *ops, mr_arena *arena, mr_diags *diags)
{
    mr_status status = MR_OK;
    for (size_t i = 0; i < ops->count && status == MR_OK; i++) {
        const char *name = ops->entries[i].op->name;
        page of;
        if (!page_begin(&of, format))
            return MR_ERR_NOMEM;
        mr_doc_op(&of.doc, &ops->entries[i], arena);
        status = page_end(&of, mr_arena_printf(arena, format == MR_DOC_MAN ? "%s/millrace-op-%s.7" : "%s/%s.md", dir, name), diags);
    }
    return status;
}

/* The first page of docs/reference/ops. */
static mr_status write_op_index(const char *dir, const mr_op_set *ops, mr_arena *arena, mr_diags *diags)
{
    page of;
    if (!page_begin(&of, MR_DOC_MARKDOWN))
        return MR_ERR_NOMEM;
    mr_doc_title(&of.doc, "Ops", 7, "What a node can do: every op of the plugins that come with millrace");
    fputc('\n', of.doc.out);
    for (size_t i = 0; i < ops->count; i++)
        fprintf(of.doc.out, "- [%s](%s.md): %s\n", ops->entries[i].op->name, ops->entries[i].op->name, ops->entries[i].op->summary);
    return page_end(&of, mr_arena_printf(arena, "%s/README.md", dir), diags);
}

static mr_status write_settings(const char *dir, mr_doc_format format, mr_arena *arena, mr_diags *diags)
{
    page of;
    if (!page_begin(&of, format))
        return MR_ERR_NOMEM;
    mr_doc_settings(&of.doc, arena);
    return page_end(&of, mr_arena_printf(arena, format == MR_DOC_MAN ? "%s/millrace-config.5" : "%s/settings.md", dir), diags);
}

static int write_all(const help_options *from, mr_session *session)
{
    bool man = from->format == MR_DOC_MAN;
    const mr_op_set *ops = mr_session_ops(session);
    const char *verbs_dir = man ? from->dir : mr_arena_printf(session->arena, "%s/commands", from->dir);
    const char *ops_dir = man ? from->dir : mr_arena_printf(session->arena, "%s/ops", from->dir);
    mr_status status = mr_dir_make(verbs_dir, 0755, session->diags);
    if (status == MR_OK)
        status = mr_dir_make(ops_dir, 0755, session->diags);
    if (status == MR_OK)
        status = write_verbs(verbs_dir, from->format, session->arena, session->diags);
    if (status == MR_OK)
        status = write_ops(ops_dir, from->format, ops, session->arena, session->diags);
    if (status == MR_OK)
        status = write_settings(from->dir, from->format, session->arena, session->diags);
    if (status == MR_OK && !man)
        status = write_op_index(ops_dir, ops, session->arena, session->diags);
    mr_session_flush(session);
    return status == MR_OK ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int print_topic(const help_options *from, mr_session *session)
{
    const mr_doc doc = {.out = stdout, .format = from->format, .width = 80, .colour = from->format == MR_DOC_TEXT && mr_wants_colour(stdout)};
    const mr_verb *verb = from->topic ? mr_verb_find(from->topic) : NULL;
    const mr_filter_entry *filter = from->topic ? mr_filter_set_find(&mr_session_ops(session)->filters, from->topic) : NULL;
    const mr_op_entry *entry = from->topic ? mr_op_set_find(mr_session_ops(session), from->topic) : NULL;
    if (!from->topic && from->format == MR_DOC_TEXT)
        mr_print_overview(stdout);
    else if (!from->topic)
        mr_doc_overview(&doc);
    else if (verb)
        mr_doc_verb(&doc, verb);
    else if (entry)
        mr_doc_op(&doc, entry, session->arena);
    else if (filter)
        mr_doc_filter(&doc, filter, session->arena);
    else {
        const char *near = mr_verb_nearest(from->topic);
        mr_complain("no help for '%s'%s%s%s", from->topic, near ? "; did you mean '" : ": it is neither a verb nor an op", near ? near : "",
                    near ? "'?" : "");
        return MR_EXIT_USAGE;
    }
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    help_options parsed = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (parsed.json)
        return print_json();
    if (!mr_session_open(&session))
        return MR_EXIT_FAILED;
    int code = parsed.dir ? write_all(&parsed, &session) : print_topic(&parsed, &session);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_help = {
    .name = "help",
    .usage = "[VERB|OP]",
    .summary = "explains the command, a verb or an op",
    .help = "Without an argument, the verbs are listed. The same pages come as man pages and as Markdown.",
    .examples = "    millrace help run\n"
                "    millrace help transcode.video\n"
                "    millrace help --man run | man -l -",
    .args = MR_ARGS_VERB,
    .options = options,
    .run = run,
};
