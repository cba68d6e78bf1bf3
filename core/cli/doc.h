/* SPDX-License-Identifier: MIT */
/* Pages of documentation from the tables of verbs, ops and settings: for the terminal, as Markdown, or as man pages (man(7) macros). */
#ifndef MR_CLI_DOC_H
#define MR_CLI_DOC_H

#include "base/arena.h"
#include "cli/cli.h"
#include "graph/ops.h"

#include <jansson.h>

typedef enum mr_doc_format { MR_DOC_TEXT, MR_DOC_MARKDOWN, MR_DOC_MAN } mr_doc_format;

typedef struct mr_doc {
    FILE *out;
    mr_doc_format format;
    unsigned width; /* TEXT: columns */
    bool colour;    /* TEXT: headings in bold */
} mr_doc;

void mr_doc_title(const mr_doc *doc, const char *name, int section, const char *summary);
void mr_doc_heading(const mr_doc *doc, const char *text);
/* Paragraphs are separated by empty lines; lines that begin with four spaces are code. NULL and "": nothing. */
void mr_doc_text(const mr_doc *doc, const char *text);
void mr_doc_code(const mr_doc *doc, const char *text);
/* A term, what kind of thing it is (may be ""), and words about it. level: 0, or 1 for what belongs to the one before. */
void mr_doc_item(const mr_doc *doc, unsigned level, const char *term, const char *kind, const char *text);

void mr_doc_overview(const mr_doc *doc);                  /* millrace(1) */
void mr_doc_verb(const mr_doc *doc, const mr_verb *verb); /* millrace-run(1) */
void mr_doc_op(const mr_doc *doc, const mr_op_entry *entry, mr_arena *arena);
void mr_doc_filter(const mr_doc *doc, const mr_filter_entry *entry, mr_arena *arena);
void mr_doc_settings(const mr_doc *doc, mr_arena *arena); /* millrace-config(5) */
/* A table as JSON, for scripts. New reference; params may be NULL. */
json_t *mr_describe_params(const mr_param *params, mr_arena *arena);
/* All of them, as `millrace ops --json` prints them. New reference; NULL: no memory. */
json_t *mr_describe_ops(const mr_op_set *ops, mr_arena *arena);
/* An item for each row of a table, its name behind prefix. depth: 0, but for the fields of a list's items. */
void mr_doc_params(const mr_doc *doc, const mr_param *params, const char *prefix, unsigned depth, mr_arena *arena);

#endif
