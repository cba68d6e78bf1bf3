/* SPDX-License-Identifier: MIT */
/*
 * The collector. Guarded by its own mutex; a hint or note finds "the last diagnostic of this thread" by the thread's id kept with
 * each. Invariant: nodes never move and live as long as the collector, so readers may walk the list once writers are done.
 */
#include "base/diag_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

mr_diags *mr_diags_new(void)
{
    mr_diags *diags = calloc(1, sizeof(*diags));
    if (diags)
        pthread_mutex_init(&diags->lock, NULL);
    return diags;
}

static void free_list(mr_diag *diag)
{
    while (diag) {
        mr_diag *next = diag->next;
        free_list(diag->notes);
        free(diag->message);
        free(diag->hint);
        free(diag);
        diag = next;
    }
}

void mr_diags_free(mr_diags *diags)
{
    if (!diags)
        return;
    free_list(diags->first);
    while (diags->texts) {
        kept_text *next = diags->texts->next;
        free(diags->texts->file);
        free(diags->texts->text);
        free(diags->texts);
        diags->texts = next;
    }
    pthread_mutex_destroy(&diags->lock);
    free(diags);
}

void mr_diags_add_text(mr_diags *diags, const char *file, const char *text, size_t len)
{
    if (!diags)
        return;
    kept_text *kept = calloc(1, sizeof(*kept));
    if (!kept)
        return;
    kept->file = strdup(file);
    kept->text = malloc(len + 1);
    if (!kept->file || !kept->text) {
        free(kept->file);
        free(kept->text);
        free(kept);
        return;
    }
    memcpy(kept->text, text, len);
    kept->text[len] = '\0';
    kept->len = len;
    pthread_mutex_lock(&diags->lock);
    kept->next = diags->texts;
    diags->texts = kept;
    pthread_mutex_unlock(&diags->lock);
}

static int compare_spans(const mr_span *a, const mr_span *b)
{
    if ((a->line == 0) != (b->line == 0))
        return a->line == 0 ? 1 : -1;
    int files = strcmp(a->file ? a->file : "", b->file ? b->file : "");
    if (files)
        return files;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->col < b->col ? -1 : a->col > b->col;
}

static void add(mr_diags *diags, mr_severity severity, const char *code, mr_span span, const char *fmt, va_list args)
{
    char *message = NULL;
    if (!diags || vasprintf(&message, fmt, args) < 0)
        return;
    pthread_mutex_lock(&diags->lock);
    *(severity == MR_SEVERITY_ERROR ? &diags->errors : &diags->warnings) += 1;
    mr_diag *diag = diags->count < MR_DIAGS_MAX ? calloc(1, sizeof(*diag)) : NULL;
    thread_last *mine = NULL;
    for (size_t i = 0; i < diags->thread_count && !mine; i++) {
        if (pthread_equal(diags->threads[i].thread, pthread_self()))
            mine = &diags->threads[i];
    }
    if (!mine) /* the oldest entry gives way: hints follow at once, so few threads matter at a time */
        mine = &diags->threads[diags->thread_count < MR_DIAG_THREADS ? diags->thread_count++ : diags->thread_oldest++ % MR_DIAG_THREADS];
    *mine = (thread_last){.thread = pthread_self(), .diag = diag};
    if (diag) {
        *diag = (mr_diag){.severity = severity, .code = code, .span = span, .message = message};
        mr_diag **at = &diags->first;
        while (*at && compare_spans(&(*at)->span, &span) <= 0)
            at = &(*at)->next;
        diag->next = *at;
        *at = diag;
        diags->count++;
        message = NULL;
    } else {
        diags->suppressed++;
    }
    pthread_mutex_unlock(&diags->lock);
    free(message);
}

void mr_error(mr_diags *diags, const char *code, mr_span span, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diags, MR_SEVERITY_ERROR, code, span, fmt, args);
    va_end(args);
}

void mr_warning(mr_diags *diags, const char *code, mr_span span, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diags, MR_SEVERITY_WARNING, code, span, fmt, args);
    va_end(args);
}

/* The last one that this thread added, or NULL. Lock held. */
static mr_diag *last_of_thread(mr_diags *diags)
{
    for (size_t i = 0; i < diags->thread_count; i++) {
        if (pthread_equal(diags->threads[i].thread, pthread_self()))
            return diags->threads[i].diag;
    }
    return NULL;
}

void mr_hint(mr_diags *diags, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    if (!diags)
        return;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    pthread_mutex_lock(&diags->lock);
    mr_diag *diag = last_of_thread(diags);
    if (diag) {
        free(diag->hint);
        diag->hint = text;
        text = NULL;
    }
    pthread_mutex_unlock(&diags->lock);
    free(text);
}

void mr_note(mr_diags *diags, mr_span span, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    if (!diags)
        return;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    pthread_mutex_lock(&diags->lock);
    mr_diag *diag = last_of_thread(diags);
    mr_diag *note = diag ? calloc(1, sizeof(*note)) : NULL;
    if (note) {
        *note = (mr_diag){.severity = MR_SEVERITY_NOTE, .code = "note", .span = span, .message = text};
        mr_diag **at = &diag->notes;
        while (*at)
            at = &(*at)->next;
        *at = note;
        text = NULL;
    }
    pthread_mutex_unlock(&diags->lock);
    free(text);
}

size_t mr_diags_errors(const mr_diags *diags) { return diags ? diags->errors : 0; }
size_t mr_diags_warnings(const mr_diags *diags) { return diags ? diags->warnings : 0; }
const mr_diag *mr_diags_first(const mr_diags *diags) { return diags ? diags->first : NULL; }
