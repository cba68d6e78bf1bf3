/* SPDX-License-Identifier: MIT */
/*
 * The collector. Messages are stored as they will be shown: valid UTF-8 without control characters, whatever they quote. The list is
 * always sorted. When memory is short a diagnostic is counted but not kept, so that an error never goes unnoticed.
 */
#include "base/diag_internal.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

mr_diags *mr_diags_new(void)
{
    mr_diags *diags = calloc(1, sizeof(*diags));
    if (diags && pthread_mutex_init(&diags->mutex, NULL) != 0) {
        free(diags);
        return NULL;
    }
    return diags;
}

static void free_list(mr_diag *diag)
{
    while (diag) {
        mr_diag *next = diag->next;
        free_list(diag->notes); /* notes have none: two levels at most */
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
    while (diags->files) {
        mr_diag_file *next = diags->files->next;
        free(diags->files->text);
        free(diags->files);
        diags->files = next;
    }
    free(diags->authors);
    pthread_mutex_destroy(&diags->mutex);
    free(diags);
}

static mr_diag_file *find_file(mr_diags *diags, const char *name)
{
    for (mr_diag_file *file = diags->files; file; file = file->next)
        if (strcmp(file->name, name) == 0)
            return file;
    size_t len = strlen(name);
    mr_diag_file *file = calloc(1, sizeof(*file) + len + 1);
    if (!file)
        return NULL;
    memcpy(file->name, name, len + 1);
    file->next = diags->files;
    diags->files = file;
    return file;
}

void mr_diags_add_text(mr_diags *diags, const char *file, const char *text, size_t len)
{
    if (!diags || !file || len == SIZE_MAX)
        return;
    char *copy = malloc(len + 1);
    if (!copy)
        return; /* lines will not be quoted */
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    pthread_mutex_lock(&diags->mutex);
    mr_diag_file *found = find_file(diags, file);
    if (found && (found->text || diags->texts < MR_DIAG_TEXTS_MAX)) {
        diags->texts += !found->text;
        char *old = found->text;
        found->text = copy;
        found->len = len;
        copy = old;
    }
    pthread_mutex_unlock(&diags->mutex);
    free(copy);
}

static char *format(const char *fmt, va_list args)
{
    char raw[MR_DIAG_MESSAGE_MAX];
    char shown[MR_DIAG_MESSAGE_MAX];
    int len = vsnprintf(raw, sizeof(raw), fmt, args);
    if (len < 0)
        return NULL;
    size_t have = strlen(raw);
    if ((size_t)len > have) {
        /* Cut, perhaps within a character: that one is dropped. */
        while (have > 0 && ((unsigned char)raw[have - 1] & 0xc0) == 0x80)
            have--;
        have -= have > 0 && ((unsigned char)raw[have - 1] & 0x80);
    }
    return strdup(mr_text_show_all(raw, have, shown, sizeof(shown)));
}

static int compare(const mr_diag *a, const mr_diag *b)
{
    if (!a->span.line != !b->span.line)
        return a->span.line ? -1 : 1;
    int order = strcmp(a->span.file ? a->span.file : "", b->span.file ? b->span.file : "");
    if (order != 0)
        return order;
    if (a->span.line != b->span.line)
        return a->span.line < b->span.line ? -1 : 1;
    return a->span.col == b->span.col ? 0 : a->span.col < b->span.col ? -1 : 1;
}

static bool same(const mr_diag *a, const mr_diag *b)
{
    return compare(a, b) == 0 && a->severity == b->severity && strcmp(a->code, b->code) == 0 && strcmp(a->message, b->message) == 0;
}

static mr_diag *diag_new(mr_diags *diags, mr_severity severity, const char *code, mr_span span, char *take_message)
{
    mr_diag *diag = take_message ? calloc(1, sizeof(*diag)) : NULL;
    if (!diag) {
        free(take_message);
        return NULL;
    }
    *diag = (mr_diag){.severity = severity, .code = code, .span = span, .message = take_message};
    if (span.file) {
        const mr_diag_file *file = find_file(diags, span.file);
        diag->span.file = file ? file->name : NULL;
    }
    if (!diag->span.file)
        diag->span.line = 0;
    if (diag->span.line > 0) {
        diag->span.col += diag->span.col == 0;
        diag->span.len += diag->span.len == 0;
    }
    return diag;
}

static void remember_author(mr_diags *diags, mr_diag *last)
{
    pthread_t self = pthread_self();
    for (size_t i = 0; i < diags->author_count; i++) {
        if (pthread_equal(diags->authors[i].thread, self)) {
            diags->authors[i].last = last;
            return;
        }
    }
    if (!last)
        return;
    if (diags->author_count == diags->author_room) {
        size_t room = diags->author_room > 0 ? diags->author_room * 2 : 8;
        mr_diag_author *authors = reallocarray(diags->authors, room, sizeof(*authors));
        if (!authors)
            return; /* its hints are lost */
        diags->authors = authors;
        diags->author_room = room;
    }
    diags->authors[diags->author_count++] = (mr_diag_author){self, last};
}

/* The diagnostic kept, or NULL: suppressed, or the same thing said again about the same place (an aliased value, for one). */
static mr_diag *keep(mr_diags *diags, mr_severity severity, const char *code, mr_span span, char *take_message)
{
    *(severity == MR_SEVERITY_ERROR ? &diags->errors : &diags->warnings) += 1;
    if (diags->kept >= MR_DIAGS_MAX) {
        diags->suppressed++;
        free(take_message);
        return NULL;
    }
    mr_diag *diag = diag_new(diags, severity, code, span, take_message);
    if (!diag) {
        diags->suppressed++;
        return NULL;
    }
    mr_diag **at = &diags->first;
    for (; *at && compare(*at, diag) <= 0; at = &(*at)->next) {
        if (!same(*at, diag))
            continue;
        *(severity == MR_SEVERITY_ERROR ? &diags->errors : &diags->warnings) -= 1;
        free_list(diag);
        return NULL;
    }
    diag->next = *at;
    *at = diag;
    diags->kept++;
    return diag;
}

static void add(mr_diags *diags, mr_severity severity, const char *code, mr_span span, const char *fmt, va_list args)
{
    if (!diags)
        return;
    char *message = format(fmt, args);
    pthread_mutex_lock(&diags->mutex);
    remember_author(diags, keep(diags, severity, code, span, message));
    pthread_mutex_unlock(&diags->mutex);
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

static mr_diag *own_last(const mr_diags *diags)
{
    pthread_t self = pthread_self();
    for (size_t i = 0; i < diags->author_count; i++)
        if (pthread_equal(diags->authors[i].thread, self))
            return diags->authors[i].last;
    return NULL;
}

void mr_hint(mr_diags *diags, const char *fmt, ...)
{
    if (!diags)
        return;
    va_list args;
    va_start(args, fmt);
    char *hint = format(fmt, args);
    va_end(args);
    pthread_mutex_lock(&diags->mutex);
    mr_diag *diag = own_last(diags);
    if (diag && diag->hint && hint) {
        /* A second hint: a line of its own. */
        char *both = NULL;
        if (asprintf(&both, "%s\n%s", diag->hint, hint) >= 0) {
            free(diag->hint);
            diag->hint = both;
        }
    } else if (diag && hint) {
        diag->hint = hint;
        hint = NULL;
    }
    pthread_mutex_unlock(&diags->mutex);
    free(hint);
}

void mr_note(mr_diags *diags, mr_span span, const char *fmt, ...)
{
    if (!diags)
        return;
    va_list args;
    va_start(args, fmt);
    char *message = format(fmt, args);
    va_end(args);
    pthread_mutex_lock(&diags->mutex);
    mr_diag *diag = own_last(diags);
    size_t count = 0;
    mr_diag **at = diag ? &diag->notes : NULL;
    for (; at && *at; at = &(*at)->next)
        count++;
    if (at && count < MR_DIAG_NOTES_MAX)
        *at = diag_new(diags, MR_SEVERITY_NOTE, "note", span, message);
    else
        free(message);
    pthread_mutex_unlock(&diags->mutex);
}

/* Reading locks too; the object itself is never const. */
static size_t read_count(const mr_diags *diags, const size_t *count)
{
    if (!diags)
        return 0;
    pthread_mutex_lock((pthread_mutex_t *)&diags->mutex);
    size_t value = *count;
    pthread_mutex_unlock((pthread_mutex_t *)&diags->mutex);
    return value;
}

size_t mr_diags_errors(const mr_diags *diags)
{
    return read_count(diags, diags ? &diags->errors : NULL);
}

size_t mr_diags_warnings(const mr_diags *diags)
{
    return read_count(diags, diags ? &diags->warnings : NULL);
}

const mr_diag *mr_diags_first(const mr_diags *diags)
{
    if (!diags)
        return NULL;
    pthread_mutex_lock((pthread_mutex_t *)&diags->mutex);
    const mr_diag *first = diags->first;
    pthread_mutex_unlock((pthread_mutex_t *)&diags->mutex);
    return first;
}
