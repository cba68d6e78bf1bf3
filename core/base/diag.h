/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics: what went wrong, where, and what to do. Functions that can fail return a status and add to a collector
 * that the caller passes; nothing is printed here. A collector may be used by several threads.
 *
 * Style of messages: lower case, names the thing and its value ("unknown op 'transcode.vido'"); the hint says what to do
 * ("did you mean 'transcode.video'?").
 */
#ifndef MR_BASE_DIAG_H
#define MR_BASE_DIAG_H

#include <millrace/op.h> /* mr_severity */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A place in a text. line and col start at 1 (col in bytes); line 0: no place. file is borrowed; diagnostics copy it. */
typedef struct mr_span {
    const char *file;
    uint32_t line;
    uint32_t col;
    uint32_t len; /* bytes to underline on that line; at least 1 */
} mr_span;

typedef struct mr_diag {
    mr_severity severity;
    const char *code; /* stable, kebab case: "unknown-op" */
    mr_span span;     /* where; span.line 0: nowhere in a file */
    char *message;
    char *hint;            /* NULL: none */
    struct mr_diag *notes; /* further places ("first defined here"), in order; severity NOTE */
    struct mr_diag *next;
} mr_diag;

typedef struct mr_diags mr_diags;

mr_diags *mr_diags_new(void); /* NULL when memory is short */
void mr_diags_free(mr_diags *diags);

/* Keeps a copy of a file's text, so that lines can be quoted. */
void mr_diags_add_text(mr_diags *diags, const char *file, const char *text, size_t len);

/* All accept diags == NULL (then nothing is kept). At most MR_DIAGS_MAX are kept; the rest is counted. Said again about the same place in the
 * same words (an alias is used twice), a message is kept and counted once. Messages are kept without control characters, as valid UTF-8. */
#define MR_DIAGS_MAX 100
void mr_error(mr_diags *diags, const char *code, mr_span span, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void mr_warning(mr_diags *diags, const char *code, mr_span span, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* To the diagnostic that this thread added last, or to none when that one was not kept. A second hint is a line of its own. */
void mr_hint(mr_diags *diags, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mr_note(mr_diags *diags, mr_span span, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

size_t mr_diags_errors(const mr_diags *diags);
size_t mr_diags_warnings(const mr_diags *diags);
const mr_diag *
mr_diags_first(const mr_diags *diags); /* in the order of file, line, col; those without a place last. To be walked while no thread adds */

/*
 * For people, in the manner of modern compilers:
 *     pipelines/vod.yaml:12:9: error: unknown op 'transcode.vido'
 *        12 |     op: transcode.vido
 *           |         ^~~~~~~~~~~~~~
 *        = help: did you mean 'transcode.video'?
 * Control characters in quoted text are made visible; tabs keep the caret aligned.
 */
void mr_diags_print(const mr_diags *diags, FILE *out, bool colour);
/* For programs: a JSON array of {severity, code, message, hint, file, line, col, len, notes}. Caller frees; NULL: no memory. */
char *mr_diags_json(const mr_diags *diags);

/* The candidate nearest to word by edit distance, or NULL when none is near enough to be meant. */
const char *mr_nearest(const char *word, const char *const *candidates, size_t count);

#endif
