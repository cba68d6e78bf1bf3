/* SPDX-License-Identifier: MIT */
/*
 * See subtitles_text.h. A writer keeps the invariants: it never writes half a character, keeps room to close the tags that are open, and starts a
 * line only when there is something to put on it.
 */
#include "subtitles_text.h"
#include "utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_OPEN = 8, CLOSE_ROOM = 96, MAX_TAG = 200 };

typedef struct writer {
    char *out;
    size_t len;
    bool line_wanted; /* a line break, once text follows */
    bool full;
    const char *open[MAX_OPEN]; /* names of the tags that are open */
    int depth;
} writer;

/* ---- writing ---- */

/* With room 0 it is written even when there is no room for more text: it is (a part of) a tag, and room for those was kept. */
static bool put(writer *w, const char *text, size_t len, size_t room)
{
    if ((w->full && room > 0) || w->len + len + room >= MR_CUE_TEXT) {
        w->full = w->full || room > 0;
        return false;
    }
    memcpy(w->out + w->len, text, len);
    w->len += len;
    return true;
}

/* The break that is due before what comes next. Never a second one: an empty line ends a cue. */
static void put_break(writer *w)
{
    if (w->line_wanted && w->len > 0 && w->out[w->len - 1] != '\n')
        put(w, "\n", 1, CLOSE_ROOM);
    w->line_wanted = false;
}

static void put_text(writer *w, const char *text, size_t len)
{
    put_break(w);
    put(w, text, len, CLOSE_ROOM);
}

/* The length of an entity that WebVTT knows at text, which begins with '&'; 0: none. */
static size_t entity_length(const char *text, size_t len)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;", "&quot;"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i]);
        if (n <= len && memcmp(text, known[i], n) == 0)
            return n;
    }
    return 0;
}

/* One character of text, or one entity; returns the bytes used. */
static size_t put_character(writer *w, const char *text, size_t len)
{
    char bytes[4];
    size_t used;
    size_t entity = *text == '&' ? entity_length(text, len) : 0;
    if (entity) {
        put_text(w, text, entity);
        return entity;
    }
    uint32_t code = mr_utf8_next(text, len, &used);
    if (code == '\n' || code == 0x2028 || code == 0x2029 || code == 0x85)
        w->line_wanted = true;
    else if (code == '&')
        put_text(w, "&amp;", 5);
    else if (code == '<')
        put_text(w, "&lt;", 4);
    else if (code == '>')
        put_text(w, "&gt;", 4);
    else if (code == '\t')
        put_text(w, " ", 1);
    else if (code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0xfeff)
        put_text(w, bytes, mr_utf8_put(code, bytes));
    return used;
}

static void close_top(writer *w)
{
    const char *name = w->open[--w->depth];
    put(w, "</", 2, 0);
    put(w, name, strlen(name), 0);
    put(w, ">", 1, 0);
}

/* Empty lines and blanks at the ends are no text. */
static size_t finish(writer *w)
{
    while (w->depth > 0)
        close_top(w);
    while (w->len > 0 && (w->out[w->len - 1] == ' ' || w->out[w->len - 1] == '\n'))
        w->len--;
    w->out[w->len] = '\0';
    return w->len;
}

/* Is there anything to see? Tags alone show nothing. */
static bool visible(const char *text)
{
    bool in_tag = false;
    for (; *text; text++) {
        if (*text == '<' || *text == '>')
            in_tag = *text == '<';
        else if (!in_tag && !isspace((unsigned char)*text))
            return true;
    }
    return false;
}

static size_t done(writer *w)
{
    finish(w);
    if (!visible(w->out)) {
        w->len = 0;
        w->out[0] = '\0';
    }
    return w->len;
}

/* ---- ASS ---- */

enum { BOLD, ITALIC, UNDERLINE, STYLES };

typedef struct ass_state {
    bool wanted[STYLES];
    bool drawing;
} ass_state;

static void apply_styles(writer *w, const ass_state *state)
{
    static const char *const names[STYLES] = {"b", "i", "u"};
    bool open[STYLES] = {false};
    bool same = true;
    for (int i = 0; i < w->depth; i++) {
        for (int s = 0; s < STYLES; s++)
            open[s] = open[s] || strcmp(w->open[i], names[s]) == 0;
    }
    for (int s = 0; s < STYLES; s++)
        same = same && open[s] == state->wanted[s];
    if (same)
        return;
    while (w->depth > 0)
        close_top(w);
    put_break(w);
    for (int s = 0; s < STYLES; s++) {
        if (state->wanted[s] && put(w, "<", 1, CLOSE_ROOM) && put(w, names[s], 1, 0) && put(w, ">", 1, 0))
            w->open[w->depth++] = names[s];
    }
}

/* "\b1", "\i0", "\u", "\p2", "\r…" of an override block without its braces; the rest is about looks. */
static void read_overrides(ass_state *state, const char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '\\')
            continue;
        char name = text[i + 1];
        size_t at = i + 2;
        unsigned value = 0;
        size_t digits = at;
        while (digits < len && isdigit((unsigned char)text[digits]) && value < 10000)
            value = value * 10 + (unsigned)(text[digits++] - '0');
        bool whole = digits == len || text[digits] == '\\' || isspace((unsigned char)text[digits]);
        if (name == 'r')
            memset(state->wanted, 0, sizeof(state->wanted));
        if (!whole)
            continue; /* a longer name: \bord2, \iclip(…) */
        if (name == 'b')
            state->wanted[BOLD] = value == 1 || value >= 600;
        else if (name == 'i')
            state->wanted[ITALIC] = value == 1;
        else if (name == 'u')
            state->wanted[UNDERLINE] = value == 1;
        else if (name == 'p')
            state->drawing = value > 0;
    }
}

size_t mr_cue_from_ass(const char *text, size_t len, char out[MR_CUE_TEXT])
{
    writer w = {.out = out};
    ass_state state = {0};
    size_t i = 0;
    while (i < len && text[i]) {
        const char *close = text[i] == '{' ? memchr(text + i, '}', len - i) : NULL;
        if (close) {
            read_overrides(&state, text + i + 1, (size_t)(close - text) - i - 1);
            i = (size_t)(close - text) + 1;
        } else if (text[i] == '\\' && i + 1 < len && (text[i + 1] == 'N' || text[i + 1] == 'n')) {
            w.line_wanted = true;
            i += 2;
        } else if (state.drawing) {
            i++;
        } else if (text[i] == '\\' && i + 1 < len && text[i + 1] == 'h') {
            put_text(&w, "\xc2\xa0", 2);
            i += 2;
        } else {
            apply_styles(&w, &state);
            i += put_character(&w, text + i, len - i);
        }
    }
    return done(&w);
}

const char *mr_ass_text(const char *event)
{
    for (int commas = 0; commas < 8; commas++) {
        const char *comma = strchr(event, ',');
        if (!comma)
            return event;
        event = comma + 1;
    }
    return event;
}

/* ---- WebVTT ---- */

static const char *known_tag(const char *name, size_t len)
{
    static const char *const names[] = {"c", "i", "b", "u", "v", "lang", "ruby", "rt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return names[i];
    }
    return NULL;
}

/* The inside of a start tag: name, classes, annotation. Classes are plain words; the annotation is text. */
static void open_tag(writer *w, const char *tag, size_t len)
{
    size_t name_len = 0;
    while (name_len < len && tag[name_len] >= 'a' && tag[name_len] <= 'z')
        name_len++;
    const char *name = known_tag(tag, name_len);
    bool whole = name_len == len || tag[name_len] == '.' || isspace((unsigned char)tag[name_len]); /* else another name: "i2", "c-x" */
    if (!name || !whole || w->depth == MAX_OPEN)
        return;
    put_break(w);
    if (!put(w, "<", 1, CLOSE_ROOM + 2 * MAX_TAG * 5))
        return;
    put(w, name, name_len, 0);
    size_t i = name_len;
    for (; i < len && (tag[i] == '.' || tag[i] == '-' || tag[i] == '_' || isalnum((unsigned char)tag[i])); i++)
        put(w, tag + i, 1, 0);
    while (i < len && isspace((unsigned char)tag[i]))
        i++;
    if (i < len) {
        char line[MAX_TAG + 1];
        mr_utf8_line(tag + i, len - i, line, sizeof(line));
        put(w, line[0] ? " " : "", line[0] ? 1 : 0, 0);
        for (const char *c = line; *c; c++) {
            if (*c == '&' && !entity_length(c, strlen(c)))
                put(w, "&amp;", 5, 0);
            else if (*c == '<')
                put(w, "&lt;", 4, 0);
            else
                put(w, c, 1, 0);
        }
    }
    while (w->out[w->len - 1] == '-') /* "-->" would begin another cue */
        w->len--;
    put(w, ">", 1, 0);
    w->open[w->depth++] = name;
}

static void end_tag(writer *w, const char *name, size_t len)
{
    const char *tag = known_tag(name, len);
    int at = w->depth - 1;
    while (at >= 0 && w->open[at] != tag)
        at--;
    while (tag && at >= 0 && w->depth > at)
        close_top(w);
}

size_t mr_cue_from_webvtt(const char *text, size_t len, char out[MR_CUE_TEXT])
{
    writer w = {.out = out};
    size_t i = 0;
    while (i < len && text[i]) {
        size_t limit = len - i < MAX_TAG ? len - i : MAX_TAG;
        const char *close = text[i] == '<' ? memchr(text + i, '>', limit) : NULL;
        bool tag = close && i + 1 < len && (text[i + 1] == '/' || isalnum((unsigned char)text[i + 1]));
        if (!tag) {
            i += put_character(&w, text + i, len - i);
            continue;
        }
        size_t inside = (size_t)(close - text) - i - 1;
        if (text[i + 1] == '/')
            end_tag(&w, text + i + 2, inside - 1);
        else
            open_tag(&w, text + i + 1, inside);
        i += inside + 2;
    }
    return done(&w);
}

void mr_cue_settings(const char *text, size_t len, char out[MR_CUE_SETTINGS])
{
    static const char *const names[] = {"vertical:", "line:", "position:", "size:", "align:"};
    size_t used = 0;
    size_t i = 0;
    while (i < len) {
        size_t end = i;
        bool plain = true;
        while (end < len && !isspace((unsigned char)text[end]) && text[end]) {
            plain = plain && (isalnum((unsigned char)text[end]) || strchr(":.,%-", text[end]));
            end++;
        }
        for (size_t n = 0; plain && n < sizeof(names) / sizeof(names[0]); n++) {
            size_t name_len = strlen(names[n]);
            if (end - i <= name_len || memcmp(text + i, names[n], name_len) != 0 || memchr(text + i + name_len, ':', end - i - name_len) ||
                used + (end - i) + 2 > MR_CUE_SETTINGS)
                continue;
            if (used > 0)
                out[used++] = ' ';
            memcpy(out + used, text + i, end - i);
            used += end - i;
            break;
        }
        i = end + 1;
    }
    out[used] = '\0';
}
