/* SPDX-License-Identifier: MIT */
/*
 * Diagnostics for people and for programs. Columns are counted while a line is quoted, so that the carets stand under the
 * right characters whatever tabs, wide or escaped characters come before. Lines too long for a terminal show what is around the caret.
 */
#include "base/diag_internal.h"
#include "base/json.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

#define TAB_STOP     4
#define LINE_COLUMNS 160 /* of a quoted line, at most */
#define LINE_BEFORE  60  /* of those, before the caret when the line is cut */

static const struct style {
    const char *plain;
    const char *bold;
    const char *blue;
    const char *green;
    const char *severity[3]; /* by mr_severity */
} styles[] = {
    {"", "", "", "", {"", "", ""}},
    {"\033[0m", "\033[1m", "\033[1;34m", "\033[1;32m", {"\033[1;36m", "\033[1;35m", "\033[1;31m"}},
};

static const char *const severity_names[] = {"note", "warning", "error"};

static const mr_diag_file *find_text(const mr_diags *diags, const char *name)
{
    for (const mr_diag_file *file = diags->files; file; file = file->next)
        if (file->text && strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

/* The line without its end; NULL: there is none. A line past the last (at the end of a file) is empty. */
static const char *find_line(const mr_diag_file *file, uint32_t line, size_t *ret_len)
{
    const char *at = file->text;
    const char *end = file->text + file->len;
    for (uint32_t i = 1; i < line; i++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next)
            return NULL;
        at = next + 1;
    }
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((stop ? stop : end) - at);
    if (len > 0 && at[len - 1] == '\r')
        len--;
    *ret_len = len;
    return at;
}

/* Where a quoted line begins when it is cut: so many columns before the caret, at the start of a character. */
static size_t cut_before(const char *line, size_t from)
{
    size_t at = from;
    unsigned columns = 0;
    while (at > 0 && columns < LINE_BEFORE) {
        at--;
        columns += ((unsigned char)line[at] & 0xc0) != 0x80;
    }
    return at;
}

struct caret {
    unsigned column; /* of the next character */
    unsigned begin;
    unsigned end;
};

static void quote_line(FILE *out, const char *line, size_t len, size_t from, size_t to, struct caret *caret)
{
    size_t at = len > LINE_COLUMNS ? cut_before(line, from < len ? from : len) : 0;
    if (at > 0) {
        fputs("…", out);
        caret->column = 1;
    }
    bool begun = false;
    while (at < len) {
        char shown[MR_TEXT_SHOWN];
        unsigned columns = 0;
        if (at >= from && !begun) {
            caret->begin = caret->column;
            begun = true;
        }
        if (caret->column >= LINE_COLUMNS) {
            fputs("…", out);
            break;
        }
        size_t taken = mr_text_show(line + at, len - at, shown, &columns);
        if (line[at] == '\t') {
            columns = TAB_STOP - caret->column % TAB_STOP;
            fprintf(out, "%*s", (int)columns, "");
        } else {
            fputs(shown, out);
        }
        at += taken;
        caret->column += columns;
        if (at <= to)
            caret->end = caret->column;
    }
    if (!begun)
        caret->begin = caret->column;
    if (caret->end <= caret->begin)
        caret->end = caret->begin + 1;
}

static void print_quote(const mr_diags *diags, FILE *out, const struct style *style, mr_span span, const char *caret_style)
{
    size_t len = 0;
    const mr_diag_file *file = find_text(diags, span.file);
    const char *line = file ? find_line(file, span.line, &len) : NULL;
    if (!line)
        return;
    size_t from = span.col - 1;
    size_t to = span.len < SIZE_MAX - from ? from + span.len : SIZE_MAX;
    struct caret under = {0};
    fprintf(out, "%s%5u |%s ", style->blue, span.line, style->plain);
    quote_line(out, line, len, from, to < len ? to : len, &under);
    fprintf(out, "\n%s      |%s %*s%s^", style->blue, style->plain, (int)under.begin, "", caret_style);
    for (unsigned i = under.begin + 1; i < under.end; i++)
        fputc('~', out);
    fprintf(out, "%s\n", style->plain);
}

static void print_head(FILE *out, const struct style *style, const mr_diag *diag)
{
    if (diag->span.file) {
        char shown[4096];
        fprintf(out, "%s%s:", style->bold, mr_text_show_all(diag->span.file, strlen(diag->span.file), shown, sizeof(shown)));
        if (diag->span.line > 0)
            fprintf(out, "%u:%u:", diag->span.line, diag->span.col);
        fprintf(out, "%s ", style->plain);
    }
    fprintf(out, "%s%s:%s %s%s%s\n", style->severity[diag->severity], severity_names[diag->severity], style->plain, style->bold, diag->message,
            style->plain);
}

static void print_hints(FILE *out, const struct style *style, const char *hint)
{
    while (hint && *hint) {
        size_t len = strcspn(hint, "\n");
        fprintf(out, "   %s=%s %shelp:%s %.*s\n", style->blue, style->plain, style->green, style->plain, (int)len, hint);
        hint += len + (hint[len] == '\n');
    }
}

static void print_one(const mr_diags *diags, FILE *out, const struct style *style, const mr_diag *diag)
{
    print_head(out, style, diag);
    if (diag->span.line > 0)
        print_quote(diags, out, style, diag->span, style->severity[diag->severity]);
    print_hints(out, style, diag->hint);
    for (const mr_diag *note = diag->notes; note; note = note->next) {
        if (note->span.line > 0) {
            print_head(out, style, note);
            print_quote(diags, out, style, note->span, style->severity[MR_SEVERITY_NOTE]);
        } else {
            fprintf(out, "   %s=%s %snote:%s %s\n", style->blue, style->plain, style->severity[MR_SEVERITY_NOTE], style->plain, note->message);
        }
    }
}

void mr_diags_print(const mr_diags *diags, FILE *out, bool colour)
{
    if (!diags)
        return;
    const struct style *style = &styles[colour];
    pthread_mutex_lock((pthread_mutex_t *)&diags->mutex);
    for (const mr_diag *diag = diags->first; diag; diag = diag->next)
        print_one(diags, out, style, diag);
    if (diags->suppressed > 0)
        fprintf(out, "%snote:%s %zu more %s not shown\n", style->severity[MR_SEVERITY_NOTE], style->plain, diags->suppressed,
                diags->suppressed == 1 ? "is" : "are");
    pthread_mutex_unlock((pthread_mutex_t *)&diags->mutex);
}

/* A file's name need not be UTF-8; JSON must. */
static json_t *text_json(const char *text)
{
    char shown[4096];
    return text ? json_string(mr_text_show_all(text, strlen(text), shown, sizeof(shown))) : json_null();
}

static json_t *diag_json(const mr_diag *diag)
{
    mr_span span = diag->span;
    json_t *notes = json_array();
    json_t *json = json_pack("{s:s, s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:o}", "severity", severity_names[diag->severity], "code", diag->code,
                             "message", diag->message, "hint", diag->hint, "file", text_json(span.file), "line", (json_int_t)span.line, "col",
                             (json_int_t)(span.line ? span.col : 0), "len", (json_int_t)(span.line ? span.len : 0), "notes", notes);
    if (!json)
        return NULL;
    for (const mr_diag *note = diag->notes; note; note = note->next) {
        if (json_array_append_new(notes, diag_json(note)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

char *mr_diags_json(const mr_diags *diags)
{
    mr_autojson json_t *list = json_array();
    bool failed = !list;
    if (diags) {
        pthread_mutex_lock((pthread_mutex_t *)&diags->mutex);
        for (const mr_diag *diag = diags->first; diag && !failed; diag = diag->next)
            failed = json_array_append_new(list, diag_json(diag)) != 0;
        pthread_mutex_unlock((pthread_mutex_t *)&diags->mutex);
    }
    return failed ? NULL : json_dumps(list, JSON_COMPACT);
}
