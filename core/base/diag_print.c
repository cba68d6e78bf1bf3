/* SPDX-License-Identifier: MIT */
/* Diagnostics for people and for programs. Writes to what it is given; keeps no state. */
#include "base/diag_internal.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_QUOTE 200 /* bytes of a line that are shown */

typedef struct palette {
    const char *bold, *error, *warning, *note, *dim, *off;
} palette;

static const palette colours = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;36m", "\033[1;34m", "\033[0m"};
static const palette plain = {"", "", "", "", "", ""};

static const char *severity_name(mr_severity severity)
{
    return severity == MR_SEVERITY_ERROR ? "error" : severity == MR_SEVERITY_WARNING ? "warning" : "note";
}

static const char *severity_colour(mr_severity severity, const palette *p)
{
    return severity == MR_SEVERITY_ERROR ? p->error : severity == MR_SEVERITY_WARNING ? p->warning : p->note;
}

/* What a hostile file could do to a terminal is shown, not done. */
static void put_visible(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\t')
            fputc(' ', out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] < 0xa0)
            fprintf(out, "\\x%02x", (unsigned char)text[++i]);
        else
            fputc(c, out);
    }
}

static void put_message(FILE *out, const char *text)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        put_visible(out, at, len);
        at += len;
        if (*at == '\n') {
            fputs("\n    ", out);
            at++;
        }
    }
}

/* The columns that put_visible() takes. */
static size_t visible_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] < 0xa0) {
            i++;
            width += 4;
        } else if (c != '\t' && (c < 0x20 || c == 0x7f)) {
            width += 4;
        } else if ((c & 0xc0) != 0x80) {
            width++;
        }
    }
    return width;
}

static const char *find_line(const mr_diags *diags, const mr_span *span, size_t *ret_len)
{
    const kept_text *text = diags->texts;
    while (text && strcmp(text->file, span->file ? span->file : "") != 0)
        text = text->next;
    if (!text || span->line == 0)
        return NULL;
    const char *at = text->text;
    for (uint32_t line = 1; line < span->line; line++) {
        at = memchr(at, '\n', text->len - (size_t)(at - text->text));
        if (!at)
            return NULL;
        at++;
    }
    *ret_len = strcspn(at, "\r\n");
    return at;
}

static void quote(const mr_diags *diags, const mr_span *span, FILE *out, const palette *p, const char *caret_colour)
{
    size_t len = 0;
    const char *line = find_line(diags, span, &len);
    if (!line)
        return;
    size_t start = span->col > 0 ? span->col - 1 : 0;
    start = start > len ? len : start;
    size_t from = start > MAX_QUOTE / 2 ? start - MAX_QUOTE / 2 : 0;
    while (from < len && ((unsigned char)line[from] & 0xc0) == 0x80)
        from++;
    size_t shown = len - from > MAX_QUOTE ? MAX_QUOTE : len - from;
    size_t marked = span->len < 1 ? 1 : span->len;
    marked = start + marked > from + shown ? (from + shown > start ? from + shown - start : 1) : marked;
    fprintf(out, "%s%5u |%s ", p->dim, span->line, p->off);
    put_visible(out, line + from, shown);
    fprintf(out, "\n%s      |%s ", p->dim, p->off);
    for (size_t i = visible_width(line + from, start - from); i > 0; i--)
        fputc(' ', out);
    size_t width = visible_width(line + start, marked < len - start ? marked : len - start);
    fprintf(out, "%s^", caret_colour);
    for (size_t i = 1; i < width; i++)
        fputc('~', out);
    fprintf(out, "%s\n", p->off);
}

static void print_one(const mr_diags *diags, const mr_diag *diag, FILE *out, const palette *p)
{
    const char *colour = severity_colour(diag->severity, p);
    fputs(p->bold, out);
    if (diag->span.file && diag->span.line)
        fprintf(out, "%s:%u:%u: ", diag->span.file, diag->span.line, diag->span.col);
    fprintf(out, "%s%s:%s %s", colour, severity_name(diag->severity), p->off, p->bold);
    put_message(out, diag->message);
    fprintf(out, "%s\n", p->off);
    quote(diags, &diag->span, out, p, colour);
    if (diag->hint) {
        fprintf(out, "%s      = help:%s ", p->dim, p->off);
        put_message(out, diag->hint);
        fputc('\n', out);
    }
    for (const mr_diag *note = diag->notes; note; note = note->next)
        print_one(diags, note, out, p);
}

void mr_diags_print(const mr_diags *diags, FILE *out, bool colour)
{
    const palette *p = colour ? &colours : &plain;
    for (const mr_diag *diag = mr_diags_first(diags); diag; diag = diag->next)
        print_one(diags, diag, out, p);
    if (diags && diags->suppressed)
        fprintf(out, "and %zu more\n", diags->suppressed);
}

static json_t *to_json(const mr_diag *diag)
{
    json_t *one = json_pack("{s:s, s:s, s:s}", "severity", severity_name(diag->severity), "code", diag->code, "message", diag->message);
    json_t *notes = json_array();
    if (!one || !notes) {
        json_decref(notes);
        return one;
    }
    if (diag->hint)
        json_object_set_new(one, "hint", json_string(diag->hint));
    if (diag->span.file && diag->span.line) {
        json_object_set_new(one, "file", json_string(diag->span.file));
        json_object_set_new(one, "line", json_integer(diag->span.line));
        json_object_set_new(one, "col", json_integer(diag->span.col));
        json_object_set_new(one, "len", json_integer(diag->span.len));
    }
    for (const mr_diag *note = diag->notes; note; note = note->next)
        json_array_append_new(notes, to_json(note));
    json_object_set_new(one, "notes", notes);
    return one;
}

char *mr_diags_json(const mr_diags *diags)
{
    json_t *list = json_array();
    for (const mr_diag *diag = mr_diags_first(diags); list && diag; diag = diag->next)
        json_array_append_new(list, to_json(diag));
    char *text = list ? mr_json_text(list) : NULL;
    json_decref(list);
    return text;
}
