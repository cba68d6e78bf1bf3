/* SPDX-License-Identifier: MIT */
/*
 * Both formats are blocks with a line of times, "START --> END", between empty lines. WebVTT (W3C, section 4) begins with WEBVTT and has dots in its
 * times; SubRip has commas and numbers before them. Times are checked, what stands in a cue is the player's to show.
 */
#include "api-server/videos/captions.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *at, *end;
    int line;
    FILE *to;
    bool srt;
    int cues;
    char *why;
    size_t why_size;
} reader;

static bool is_utf8(const unsigned char *at, const unsigned char *end)
{
    while (at < end) {
        const size_t more = *at < 0x80 ? 0 : (*at >= 0xC2 && *at < 0xE0) ? 1 : (*at & 0xF0) == 0xE0 ? 2 : (*at >= 0xF0 && *at < 0xF5) ? 3 : 4;
        if (more == 4 || (size_t)(end - at) <= more || *at == '\0')
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((at[i] & 0xC0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}

/* Without its end; false: there is none. */
static bool next_line(reader *in, const char **ret_line, size_t *ret_len)
{
    if (in->at >= in->end)
        return false;
    const char *start = in->at;
    while (in->at < in->end && *in->at != '\n' && *in->at != '\r')
        in->at++;
    *ret_line = start;
    *ret_len = (size_t)(in->at - start);
    if (in->at < in->end && *in->at == '\r' && in->at + 1 < in->end && in->at[1] == '\n')
        in->at++;
    if (in->at < in->end)
        in->at++;
    in->line++;
    return true;
}

static bool number(const char **at, const char *end, int least, int most, int64_t *ret)
{
    int digits = 0;
    for (*ret = 0; *at < end && **at >= '0' && **at <= '9' && digits < most; digits++)
        *ret = *ret * 10 + (*(*at)++ - '0');
    return digits >= least;
}

/* [HH…:]MM:SS.mmm or with a comma; ms. */
static bool read_time(const char **at, const char *end, int64_t *ret_ms)
{
    int64_t a, b, c = -1, ms;
    if (!number(at, end, 1, 6, &a) || *at >= end || *(*at)++ != ':' || !number(at, end, 2, 2, &b) || *at >= end)
        return false;
    if (**at == ':') {
        ++*at;
        if (!number(at, end, 2, 2, &c) || *at >= end)
            return false;
    }
    if (**at != '.' && **at != ',')
        return false;
    ++*at;
    if (!number(at, end, 3, 3, &ms))
        return false;
    const int64_t hours = c >= 0 ? a : 0, minutes = c >= 0 ? b : a, seconds = c >= 0 ? c : b;
    *ret_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
    return minutes < 60 && seconds < 60;
}

static void write_time(FILE *to, int64_t ms)
{
    fprintf(to, "%02lld:%02lld:%02lld.%03lld", (long long)(ms / 3600000), (long long)(ms / 60000 % 60), (long long)(ms / 1000 % 60),
            (long long)(ms % 1000));
}

static bool wrong(const reader *in, const char *what)
{
    snprintf(in->why, in->why_size, "line %d: %s", in->line, what);
    return false;
}

static bool write_times(reader *in, const char *line, size_t len)
{
    const char *at = line;
    const char *end = line + len;
    int64_t start, stop;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (!read_time(&at, end, &start))
        return wrong(in, "a cue begins with a time, '00:00:01.000 --> 00:00:04.000'");
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (end - at < 3 || memcmp(at, "-->", 3) != 0)
        return wrong(in, "between the two times of a cue stands '-->'");
    for (at += 3; at < end && (*at == ' ' || *at == '\t');)
        at++;
    if (!read_time(&at, end, &stop))
        return wrong(in, "the time at which a cue ends can't be read");
    if (stop <= start)
        return wrong(in, "a cue ends before it begins");
    write_time(in->to, start);
    fputs(" --> ", in->to);
    write_time(in->to, stop);
    if (!in->srt) /* settings */
        fwrite(at, 1, (size_t)(end - at), in->to);
    putc('\n', in->to);
    in->cues++;
    return true;
}

static bool has_arrow(const char *line, size_t len)
{
    return memmem(line, len, "-->", 3) != NULL;
}

/* After the line of times, up to the empty line. */
static bool copy_text(reader *in)
{
    const char *line;
    size_t len;
    while (next_line(in, &line, &len) && len > 0) {
        if (has_arrow(line, len))
            return wrong(in, "a cue's text holds '-->': is the empty line before the next cue missing?");
        fwrite(line, 1, len, in->to);
        putc('\n', in->to);
    }
    putc('\n', in->to);
    return true;
}

/* STYLE, REGION and NOTE of WebVTT stay as they are; an id (a number, in SubRip) goes. */
static bool copy_block(reader *in, const char *line, size_t len)
{
    if (has_arrow(line, len))
        return write_times(in, line, len) && copy_text(in);
    const bool kept = !in->srt && ((len >= 4 && memcmp(line, "NOTE", 4) == 0) || (len >= 5 && memcmp(line, "STYLE", 5) == 0) ||
                                   (len >= 6 && memcmp(line, "REGION", 6) == 0));
    if (kept) {
        fwrite(line, 1, len, in->to);
        putc('\n', in->to);
        return copy_text(in);
    }
    if (!next_line(in, &line, &len) || !has_arrow(line, len))
        return wrong(in, "there is no line of times, '00:00:01.000 --> 00:00:04.000', where a cue should begin");
    return write_times(in, line, len) && copy_text(in);
}

static bool copy_all(reader *in)
{
    const char *line = NULL;
    size_t len = 0;
    if (in->end - in->at >= 3 && memcmp(in->at, "\xef\xbb\xbf", 3) == 0)
        in->at += 3;
    in->srt = in->end - in->at < 6 || memcmp(in->at, "WEBVTT", 6) != 0;
    fputs("WEBVTT\n\n", in->to);
    while (!in->srt && next_line(in, &line, &len) && len > 0) {} /* the header, to its empty line */
    while (next_line(in, &line, &len))
        if (len > 0 && !copy_block(in, line, len))
            return false;
    return in->cues > 0 || wrong(in, "there is no cue in it");
}

mr_status mr_captions_read(const char *text, size_t len, char **ret_vtt, char *why, size_t why_size)
{
    size_t written = 0;
    *ret_vtt = NULL;
    if (len == 0 || !is_utf8((const unsigned char *)text, (const unsigned char *)text + len)) {
        snprintf(why, why_size, "%s", len == 0 ? "captions are WebVTT or SubRip: there is nothing in it" : "captions are text in UTF-8: this is not");
        return MR_ERR_INPUT;
    }
    FILE *to = open_memstream(ret_vtt, &written);
    if (!to)
        return MR_ERR_NOMEM;
    reader in = {.at = text, .end = text + len, .to = to, .why = why, .why_size = why_size};
    const bool good = copy_all(&in);
    if (fclose(to) == 0 && good)
        return MR_OK;
    free(*ret_vtt);
    *ret_vtt = NULL;
    return good ? MR_ERR_NOMEM : MR_ERR_INPUT;
}
