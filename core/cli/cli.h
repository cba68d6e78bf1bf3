/* SPDX-License-Identifier: MIT */
/*
 * The command. Every verb is one mr_verb constant in its own cmd_*.c: a name, its options as an argp table, words for people, and
 * one function. verbs.c lists them; the parser, --help, the man pages, the reference and the shell completion all read these tables.
 */
#ifndef MR_CLI_CLI_H
#define MR_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    MR_EXIT_DONE = 0,
    MR_EXIT_FAILED = 1, /* a task failed, or the machine refused (disk, state folder) */
    MR_EXIT_USAGE = 2,  /* wrong usage, or an invalid pipeline */
    MR_EXIT_INPUT = 3,  /* an input can't be used */
    MR_EXIT_INTERRUPTED = 130,
};

/* What a verb's arguments are: for completion. */
typedef enum mr_verb_args {
    MR_ARGS_NONE,
    MR_ARGS_PIPELINE,
    MR_ARGS_FILE,
    MR_ARGS_OP,
    MR_ARGS_FILTER,
    MR_ARGS_VERB,
    MR_ARGS_SHELL,
    MR_ARGS_RUN,
    MR_ARGS_USER
} mr_verb_args;

typedef struct mr_verb {
    const char *name;
    const char *usage;    /* its arguments: "PIPELINE..."; "" when it takes none */
    const char *summary;  /* one sentence in lower case, no full stop */
    const char *help;     /* paragraphs; lines that begin with four spaces are shown as they are */
    const char *examples; /* lines of shell; "# …" lines say what the next one does */
    mr_verb_args args;
    const struct argp_option *options; /* ends with {0}. The arg of an option that takes one of a few words lists them: "text|dot" */
    int (*run)(const struct mr_verb *verb, int argc, char **argv); /* an exit code */
} mr_verb;

extern const mr_verb mr_verb_run;
extern const mr_verb mr_verb_resume;
extern const mr_verb mr_verb_cancel;
extern const mr_verb mr_verb_runs;
extern const mr_verb mr_verb_logs;
extern const mr_verb mr_verb_gc;
extern const mr_verb mr_verb_serve;
extern const mr_verb mr_verb_user;
extern const mr_verb mr_verb_check;
extern const mr_verb mr_verb_plan;
extern const mr_verb mr_verb_graph;
extern const mr_verb mr_verb_convert;
extern const mr_verb mr_verb_repl;
extern const mr_verb mr_verb_ops;
extern const mr_verb mr_verb_filters;
extern const mr_verb mr_verb_plugins;
extern const mr_verb mr_verb_schema;
extern const mr_verb mr_verb_settings;
extern const mr_verb mr_verb_probe;
extern const mr_verb mr_verb_new;
extern const mr_verb mr_verb_test_plugin;
extern const mr_verb mr_verb_help;
extern const mr_verb mr_verb_completion;

extern const mr_verb *const mr_verbs[]; /* in the order of the help; ends with NULL */
const mr_verb *mr_verb_find(const char *name);
const char *mr_verb_nearest(const char *name); /* NULL: none is near */

/* Options that every verb has, from argp itself. */
extern const struct argp_option mr_verb_common_options[];

/*
 * Parses a verb's arguments by its table. parser gets input in state->input. Prints help or an error and exits where these were
 * asked for or earned; returns only when the arguments are good.
 */
void mr_verb_parse(const mr_verb *verb, int argc, char **argv, argp_parser_t parser, void *input);
/* For a parser that takes no more arguments than it has: "unexpected argument '…'", exit 2. */
void mr_verb_unexpected(struct argp_state *state, const char *arg);

void mr_print_overview(FILE *out); /* `millrace --help` */

/* Is it a terminal that takes colour and cursor movement? Honours NO_COLOR (colour only) and TERM=dumb. */
bool mr_wants_colour(FILE *out);
bool mr_is_terminal(FILE *out);

/* Words that may come from hostile media: no control character reaches the terminal. */
void mr_put_words(FILE *out, const char *words);
const char *mr_plural(size_t count); /* "s", or "" for one */

/* "millrace: …" on stderr. */
void mr_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
