/* SPDX-License-Identifier: MIT */
/* The collector's structure, for diag*.c only. */
#ifndef MR_BASE_DIAG_INTERNAL_H
#define MR_BASE_DIAG_INTERNAL_H

#include "base/diag.h"

#include <pthread.h>

#define MR_DIAG_THREADS 64

typedef struct kept_text {
    char *file;
    char *text;
    size_t len;
    struct kept_text *next;
} kept_text;

typedef struct thread_last {
    pthread_t thread;
    mr_diag *diag; /* NULL: it was not kept */
} thread_last;

struct mr_diags {
    pthread_mutex_t lock;
    mr_diag *first;
    size_t count;
    size_t errors;
    size_t warnings;
    size_t suppressed;
    kept_text *texts;
    thread_last threads[MR_DIAG_THREADS];
    size_t thread_count;
    size_t thread_oldest;
};

#endif
