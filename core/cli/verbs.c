/* SPDX-License-Identifier: MIT */
/* The table of verbs, and how a verb's arguments are parsed: glibc's argp, with suggestions for unknown options in front of it. */
#include "cli/cli.h"

#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const mr_verb *const mr_verbs[] = {
    &mr_verb_run,    &mr_verb_check,    &mr_verb_plan,  &mr_verb_graph, &mr_verb_convert,     &mr_verb_repl, &mr_verb_runs,       &mr_verb_logs,
    &mr_verb_resume, &mr_verb_cancel,   &mr_verb_gc,    &mr_verb_serve, &mr_verb_user,        &mr_verb_ops,  &mr_verb_filters,    &mr_verb_plugins,
    &mr_verb_schema, &mr_verb_settings, &mr_verb_probe, &mr_verb_new,   &mr_verb_test_plugin, &mr_verb_help, &mr_verb_completion, NULL,
};

const struct argp_option mr_verb_common_options[] = {
    {"help", 'h', NULL, 0, "Print this help and exit", 0},
    {"usage", 0, NULL, 0, "Print a short usage line and exit", 0},
    {"version", 'V', NULL, 0, "Print the version and exit", 0},
    {0},
};

enum { MAX_OPTIONS = 64 };

const mr_verb *mr_verb_find(const char *name)
{
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++) {
        if (strcmp((*verb)->name, name) == 0)
            return *verb;
    }
    return NULL;
}

const char *mr_verb_nearest(const char *name)
{
    const char *names[MAX_OPTIONS];
    size_t count = 0;
    for (const mr_verb *const *verb = mr_verbs; *verb && count < MAX_OPTIONS; verb++)
        names[count++] = (*verb)->name;
    return mr_nearest(name, names, count);
}

static bool is_last(const struct argp_option *option)
{
    return !option->name && !option->key && !option->doc && !option->group;
}

static const struct argp_option *find_short(const mr_verb *verb, char letter)
{
    for (const struct argp_option *option = verb->options; !is_last(option); option++) {
        if (option->key == letter)
            return option;
    }
    return NULL;
}

/* As getopt_long does: an exact name, or any name that it begins. */
static const struct argp_option *find_long(const struct argp_option *table, const char *name, size_t len)
{
    const struct argp_option *begun = NULL;
    for (const struct argp_option *option = table; !is_last(option); option++) {
        if (!option->name || strncmp(option->name, name, len) != 0)
            continue;
        if (option->name[len] == '\0')
            return option;
        begun = option;
    }
    return begun;
}

static void refuse_option(const mr_verb *verb, const char *name, size_t len)
{
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)(len < 63 ? len : 63), name);
    const char *names[MAX_OPTIONS];
    size_t count = 0;
    const struct argp_option *tables[] = {verb->options, mr_verb_common_options};
    for (size_t t = 0; t < 2; t++) {
        for (const struct argp_option *option = tables[t]; !is_last(option) && count < MAX_OPTIONS; option++) {
            if (option->name)
                names[count++] = option->name;
        }
    }
    const char *near = mr_nearest(word, names, count);
    fprintf(stderr, "millrace %s: unknown option '--%s'", verb->name, word);
    if (near)
        fprintf(stderr, "; did you mean '--%s'?\n", near);
    else
        fprintf(stderr, "\nTry 'millrace %s --help' for its options.\n", verb->name);
    exit(MR_EXIT_USAGE);
}

/* Whether a cluster of short options ("-qj") ends in one that takes the next argument as its value. */
static bool cluster_takes_next(const mr_verb *verb, const char *letters)
{
    for (const char *letter = letters; *letter; letter++) {
        const struct argp_option *option = find_short(verb, *letter);
        if (option && option->arg)
            return letter[1] == '\0' && !(option->flags & OPTION_ARG_OPTIONAL);
    }
    return false;
}

/* argp says "unrecognized option" and no more, and knows '-?' where people type '-h': so look first. Values are stepped over. */
static void look_at_options(const mr_verb *verb, int argc, char **argv)
{
    static char help[] = "--help";
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (strcmp(arg, "--") == 0)
            return;
        if (strcmp(arg, "-h") == 0) {
            argv[i] = help;
        } else if (strncmp(arg, "--", 2) == 0) {
            const char *name = arg + 2;
            size_t len = strcspn(name, "=");
            const struct argp_option *option = find_long(verb->options, name, len);
            if (!option && !find_long(mr_verb_common_options, name, len))
                refuse_option(verb, name, len);
            if (option && option->arg && !(option->flags & OPTION_ARG_OPTIONAL) && !name[len])
                i++;
        } else if (arg[0] == '-' && cluster_takes_next(verb, arg + 1)) {
            i++;
        }
    }
}

void mr_verb_parse(const mr_verb *verb, int argc, char **argv, argp_parser_t parser, void *input)
{
    look_at_options(verb, argc, argv);
    char name[64];
    snprintf(name, sizeof(name), "millrace %s", verb->name);
    argv[0] = name;
    char *doc = NULL;
    if (asprintf(&doc, "%s: %s.\v%s%s%s", verb->name, verb->summary, verb->help ? verb->help : "", verb->examples ? "\n\nExamples:\n" : "",
                 verb->examples ? verb->examples : "") < 0) {
        mr_complain("out of memory");
        exit(MR_EXIT_FAILED);
    }
    /* An empty table would make glibc's --help leak the empty list it makes of it. */
    const struct argp argp = {is_last(verb->options) ? NULL : verb->options, parser, verb->usage, doc, NULL, NULL, NULL};
    error_t error = argp_parse(&argp, (unsigned)argc, argv, 0, NULL, input);
    free(doc);
    argv[0] = NULL; /* it pointed into this frame */
    if (error)
        exit(MR_EXIT_USAGE);
}

void mr_verb_unexpected(struct argp_state *state, const char *arg)
{
    argp_error(state, "unexpected argument '%s'", arg);
}

void mr_print_overview(FILE *out)
{
    fputs("Usage: millrace VERB [OPTION...] [ARGUMENT...]\n"
          "Media pipelines: from a file to a stream that plays everywhere.\n\n",
          out);
    for (const mr_verb *const *verb = mr_verbs; *verb; verb++)
        fprintf(out, "  %-12s%s\n", (*verb)->name, (*verb)->summary);
    fputs("\n'millrace VERB --help' says more about each, and 'millrace --version' prints the version.\n", out);
}

bool mr_is_terminal(FILE *out)
{
    const char *term = getenv("TERM");
    return isatty(fileno(out)) && term && *term && strcmp(term, "dumb") != 0;
}

bool mr_wants_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    return mr_is_terminal(out) && !(no_colour && *no_colour);
}

void mr_put_words(FILE *out, const char *words)
{
    for (const unsigned char *at = (const unsigned char *)words; *at; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080 to U+009F, which some terminals obey */
        fputc(*at < 0x20 || *at == 0x7f || is_c1 ? '?' : *at, out);
        at += is_c1;
    }
}

const char *mr_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

void mr_complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    flockfile(stderr);
    fputs("millrace: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}
