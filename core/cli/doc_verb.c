/* SPDX-License-Identifier: MIT */
/* The pages of the command and its verbs. */
#include "cli/doc.h"

#include <string.h>

typedef struct word {
    const char *term;
    const char *text;
} word;

static const word environment[] = {
    {"MILLRACE_PLUGIN_PATH", "folders in which plugins are looked for first, separated by colons"},
    {"MILLRACE_PIPELINE_PATH", "folders in which a pipeline given by its bare name is looked for first, separated by colons"},
    {"XDG_STATE_HOME", "where the state folder lies (XDG_STATE_HOME/millrace) unless --state names one; without it, ~/.local/state/millrace"},
    {"NO_COLOR", "when set and not empty: no colours"},
    {"TERM", "when 'dumb': neither colours nor bars"},
    {NULL, NULL},
};

static const word exit_codes[] = {
    {"0", "done"},
    {"1", "a task failed, or the machine refused (a full disk, a state folder that can't be written)"},
    {"2", "wrong usage, or an invalid pipeline"},
    {"3", "an input can't be used"},
    {"130", "interrupted; the same command goes on from there"},
    {NULL, NULL},
};

static void write_words(const mr_doc *doc, const char *heading, const word *words)
{
    mr_doc_heading(doc, heading);
    for (; words->term; words++)
        mr_doc_item(doc, 0, words->term, NULL, words->text);
}

/* "-i, --input=NAME=PATH" */
static void write_option(const mr_doc *doc, const struct argp_option *option)
{
    char term[128];
    char letter[8] = "";
    if (option->key > ' ' && option->key < 127)
        snprintf(letter, sizeof(letter), option->name ? "-%c, " : "-%c", option->key);
    snprintf(term, sizeof(term), "%s%s%s%s%s", letter, option->name ? "--" : "", option->name ? option->name : "", option->arg ? "=" : "",
             option->arg ? option->arg : "");
    mr_doc_item(doc, 0, term, NULL, option->doc);
}

void mr_doc_verb(const mr_doc *doc, const mr_verb *verb)
{
    char name[64];
    char synopsis[256];
    snprintf(name, sizeof(name), "millrace-%s", verb->name);
    snprintf(synopsis, sizeof(synopsis), "    millrace %s [OPTION...] %s", verb->name, verb->usage);
    synopsis[strlen(synopsis) - (synopsis[strlen(synopsis) - 1] == ' ')] = '\0';
    mr_doc_title(doc, name, 1, verb->summary);
    mr_doc_heading(doc, "Synopsis");
    mr_doc_code(doc, synopsis);
    mr_doc_heading(doc, "Description");
    mr_doc_text(doc, verb->help);
    mr_doc_heading(doc, "Options");
    for (const struct argp_option *option = verb->options; option->name || option->key; option++)
        write_option(doc, option);
    for (const struct argp_option *option = mr_verb_common_options; option->name; option++)
        write_option(doc, option);
    if (verb->examples) {
        mr_doc_heading(doc, "Examples");
        mr_doc_code(doc, verb->examples);
    }
    write_words(doc, "Exit status", exit_codes);
    if (doc->format == MR_DOC_MAN) {
        mr_doc_heading(doc, "See also");
        mr_doc_text(doc, "millrace(1)");
    }
}

void mr_doc_overview(const mr_doc *doc)
{
    mr_doc_title(doc, "millrace", 1, "media pipelines, from a file to a stream that plays everywhere");
    mr_doc_heading(doc, "Synopsis");
    mr_doc_code(doc, "    millrace VERB [OPTION...] [ARGUMENT...]");
    mr_doc_heading(doc, "Description");
    mr_doc_text(doc, "Millrace runs pipelines: pages of YAML that say what is to be made of a video. A pipeline is checked before anything runs; "
                     "results are kept in a "
                     "state folder, and a later run does only what is new.\n\n"
                     "Results go to standard output, everything else to standard error.");
    mr_doc_heading(doc, "Verbs");
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++) {
        char term[160];
        snprintf(term, sizeof(term), "millrace %s %s", (*verb)->name, (*verb)->usage);
        term[strlen(term) - (term[strlen(term) - 1] == ' ')] = '\0';
        mr_doc_item(doc, 0, term, NULL, (*verb)->summary);
    }
    write_words(doc, "Environment", environment);
    write_words(doc, "Exit status", exit_codes);
    if (doc->format != MR_DOC_MAN)
        return;
    mr_doc_heading(doc, "See also");
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++)
        fprintf(doc->out, "%smillrace\\-%s(1)", verb == mr_verbs ? "" : ", ", (*verb)->name);
    fputc('\n', doc->out);
}
