/* SPDX-License-Identifier: MIT */
/*
 * One line per node and one for all. When the screen has fewer rows than the pipeline has nodes, those that ended and those that wait are
 * gathered in one line each, and what runs is shown as far as there is room.
 */
#include "cli/frame.h"

#include "base/clock.h"

#include <stdarg.h>
#include <string.h>

enum { NAME_MAX_WIDTH = 24, BAR_MAX_WIDTH = 40, LINE_MAX_BYTES = 1024 };

/* A line of the frame: bytes, and how many columns they take. Colours take none. */
typedef struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    unsigned used;
    unsigned width;
} line;

static void put(line *to, const char *text)
{
    for (const char *at = text; *at && to->len + 8 < sizeof(to->text); at++) {
        bool begins = ((unsigned char)*at & 0xc0) != 0x80;
        if (begins && to->used == to->width)
            return;
        to->used += begins;
        to->text[to->len++] = *at;
    }
}

static void put_colour(line *to, const mr_screen *screen, const char *code)
{
    size_t size = strlen(code);
    if (screen->colour && to->len + size < sizeof(to->text)) {
        memcpy(to->text + to->len, code, size);
        to->len += size;
    }
}

__attribute__((format(printf, 2, 3))) static void put_format(line *to, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put(to, text);
}

static void put_bar(line *to, const mr_screen *screen, unsigned width, double fraction)
{
    if (width < 6)
        return;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    unsigned filled = (unsigned)(fraction * width + 0.5);
    put(to, screen->utf8 ? "" : "[");
    put_colour(to, screen, "\033[36m");
    for (unsigned i = 0; i < width; i++) {
        if (i == filled)
            put_colour(to, screen, "\033[0;2m");
        put(to, i < filled ? (screen->utf8 ? "━" : "#") : (screen->utf8 ? "─" : "."));
    }
    put_colour(to, screen, "\033[0m");
    put(to, screen->utf8 ? "" : "]");
}

static const char *mark_of(const mr_tally_node *node, const mr_screen *screen)
{
    switch (node->state) {
    case MR_NODE_SUCCEEDED: return screen->utf8 ? "✓" : "+";
    case MR_NODE_FAILED: return screen->utf8 ? "✗" : "!";
    case MR_NODE_CANCELLED: return "x";
    case MR_NODE_SKIPPED: return "-";
    case MR_NODE_RUNNING: return screen->utf8 ? "▸" : ">";
    default: return " ";
    }
}

static const char *colour_of(mr_node_state state)
{
    switch (state) {
    case MR_NODE_SUCCEEDED: return "\033[32m";
    case MR_NODE_FAILED: return "\033[31m";
    case MR_NODE_CANCELLED: return "\033[33m";
    case MR_NODE_RUNNING: return "\033[36m";
    default: return "\033[2m";
    }
}

static unsigned name_width(const mr_tally *tally)
{
    size_t width = 5;
    for (size_t i = 0; i < tally->count; i++) {
        size_t len = strlen(tally->nodes[i].node->name);
        width = len > width ? len : width;
    }
    return width > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : (unsigned)width;
}

static unsigned bar_width(const mr_screen *screen, unsigned names)
{
    unsigned others = names + 36; /* marks, counts, percent, times */
    unsigned room = screen->columns > others ? screen->columns - others : 0;
    return room > BAR_MAX_WIDTH ? BAR_MAX_WIDTH : room;
}

static void end_line(FILE *out, line *of, const mr_screen *screen)
{
    put_colour(of, screen, "\033[0m");
    of->text[of->len] = '\0';
    fputs(of->text, out);
    fputc('\n', out);
}

static line new_line(const mr_screen *screen)
{
    return (line){.width = screen->columns > 1 ? screen->columns - 1 : 1};
}

static uint64_t known_tasks(const mr_tally_node *node)
{
    uint64_t seen = node->done + node->running;
    return node->total > seen ? node->total : seen;
}

static double node_fraction(const mr_tally_node *node)
{
    if (node->state >= MR_NODE_SUCCEEDED)
        return 1;
    uint64_t known = known_tasks(node) + (node->planned ? 0 : 1); /* at least one more may come */
    return known > 0 ? ((double)node->done + node->fraction) / (double)known : 0;
}

static void write_node(FILE *out, const mr_tally_node *node, const mr_screen *screen, unsigned names, int64_t now_us)
{
    line to = new_line(screen);
    char count[48];
    char took[32] = "";
    put(&to, " ");
    put_colour(&to, screen, colour_of(node->state));
    put(&to, mark_of(node, screen));
    if (node->state == MR_NODE_RUNNING)
        put_colour(&to, screen, "\033[0m");
    put_format(&to, " %-*.*s  ", (int)names, (int)names, node->node->name);
    if (node->state == MR_NODE_WAITING || node->state == MR_NODE_SKIPPED) {
        put(&to, node->state == MR_NODE_WAITING ? "waiting" : "skipped");
        end_line(out, &to, screen);
        return;
    }
    put_colour(&to, screen, "\033[0m");
    put_bar(&to, screen, bar_width(screen, names), node_fraction(node));
    snprintf(count, sizeof(count), "%llu/%llu%s", (unsigned long long)node->done, (unsigned long long)known_tasks(node), node->planned ? "" : "+");
    if (node->started_us)
        mr_duration_text((node->ended_us ? node->ended_us : now_us) - node->started_us, took, sizeof(took));
    put_format(&to, " %9s %8s", count, took);
    if (node->cached > 0)
        put_format(&to, "  %llu cached", (unsigned long long)node->cached);
    end_line(out, &to, screen);
}

static void write_total(FILE *out, const mr_tally *tally, const mr_screen *screen, unsigned names, int64_t now_us)
{
    line to = new_line(screen);
    mr_totals totals = mr_tally_totals(tally);
    char took[32];
    char count[48];
    mr_duration_text(tally->started_us ? (tally->ended_us ? tally->ended_us : now_us) - tally->started_us : 0, took, sizeof(took));
    snprintf(count, sizeof(count), "%llu/%llu", (unsigned long long)totals.done, (unsigned long long)totals.tasks);
    put_format(&to, "   %-*s  ", (int)names, "total");
    put_bar(&to, screen, bar_width(screen, names), tally->ended_us ? 1 : totals.fraction);
    put_format(&to, " %9s %8s", count, took);
    int64_t left = tally->ended_us ? -1 : mr_tally_remaining_us(tally, now_us);
    if (left >= 0) {
        mr_duration_text(left / 1000000 * 1000000, took, sizeof(took));
        put_format(&to, "  about %s left", left < 1000000 ? "1s" : took);
    }
    end_line(out, &to, screen);
}

__attribute__((format(printf, 3, 4))) static void write_words(FILE *out, const mr_screen *screen, const char *fmt, ...)
{
    line to = new_line(screen);
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put_colour(&to, screen, "\033[2m");
    put(&to, text);
    end_line(out, &to, screen);
}

/* Too many nodes for the screen: what ended and what waits take a line each. */
static unsigned write_gathered(FILE *out, const mr_tally *tally, const mr_screen *screen, unsigned names, int64_t now_us, unsigned room)
{
    size_t ended = 0;
    size_t waiting = 0;
    size_t running = 0;
    for (size_t i = 0; i < tally->count; i++) {
        mr_node_state state = tally->nodes[i].state;
        ended += state == MR_NODE_SUCCEEDED || state == MR_NODE_SKIPPED || state == MR_NODE_CANCELLED;
        waiting += state == MR_NODE_WAITING;
        running += state == MR_NODE_RUNNING || state == MR_NODE_FAILED;
    }
    unsigned lines = 0;
    room = room > 3 ? room - 3 : 0; /* for the three gathering lines */
    if (ended > 0) {
        write_words(out, screen, "   %zu of %zu nodes ended", ended, tally->count);
        lines++;
    }
    size_t shown = 0;
    for (size_t i = 0; i < tally->count && shown < room; i++) {
        mr_node_state state = tally->nodes[i].state;
        if (state == MR_NODE_RUNNING || state == MR_NODE_FAILED) {
            write_node(out, &tally->nodes[i], screen, names, now_us);
            shown++;
        }
    }
    if (running > shown) {
        write_words(out, screen, "   and %zu more running", running - shown);
        lines++;
    }
    if (waiting > 0) {
        write_words(out, screen, "   %zu waiting", waiting);
        lines++;
    }
    return lines + (unsigned)shown;
}

unsigned mr_frame_write(FILE *out, const mr_tally *tally, const mr_screen *screen, int64_t now_us)
{
    unsigned names = name_width(tally);
    unsigned lines = 0;
    unsigned room = screen->rows > 2 ? screen->rows - 2 : 0; /* the total, and the cursor's line */
    if (tally->count <= room) {
        for (size_t i = 0; i < tally->count; i++)
            write_node(out, &tally->nodes[i], screen, names, now_us);
        lines = (unsigned)tally->count;
    } else if (room >= 4) {
        lines = write_gathered(out, tally, screen, names, now_us, room);
    }
    write_total(out, tally, screen, names, now_us);
    return lines + 1;
}
