/* SPDX-License-Identifier: MIT */
/* What the files of the collector share: diag.c keeps, diag_print.c shows. */
#ifndef MR_BASE_DIAG_INTERNAL_H
#define MR_BASE_DIAG_INTERNAL_H

#include "base/diag.h"
#include <pthread.h>

#define MR_DIAG_MESSAGE_MAX 2048 /* bytes of a message or hint */
#define MR_DIAG_NOTES_MAX   16   /* per diagnostic */
#define MR_DIAG_TEXTS_MAX   64   /* files whose text is kept */

/* A file's name, kept so that a diagnostic outlives the arena its spans came from; and its text, when it was given. */
typedef struct mr_diag_file {
    struct mr_diag_file *next;
    char *text; /* NULL: not known */
    size_t len;
    char name[];
} mr_diag_file;

/* Which diagnostic a thread added last; NULL when that one was not kept, so that its hints and notes go nowhere else. */
typedef struct mr_diag_author {
    pthread_t thread;
    mr_diag *last;
} mr_diag_author;

struct mr_diags {
    pthread_mutex_t mutex;
    mr_diag *first; /* sorted; each also counted in 'kept' */
    size_t kept;
    size_t errors; /* also those not kept */
    size_t warnings;
    size_t suppressed;
    mr_diag_file *files;
    size_t texts;
    mr_diag_author *authors;
    size_t author_count;
    size_t author_room;
};

#endif
