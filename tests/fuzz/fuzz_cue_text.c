/* SPDX-License-Identifier: MIT */
/*
 * Turns any text into WebVTT cue text, as ASS and as WebVTT, and into cue settings. What comes out must be what the header promises: UTF-8 without
 * control characters or empty lines, nothing that a player takes for the next cue, every tag closed; and made anew from itself, the same.
 */
#include "transcode/subtitles_text.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_DEPTH = 16 };

static void require(bool right)
{
    if (!right)
        abort();
}

static void check_lines(const char *text, size_t len)
{
    require(strlen(text) == len && len < MR_CUE_TEXT && mr_utf8_valid(text, len));
    require(!strstr(text, "-->") && !strstr(text, "\n\n"));
    require(len == 0 || (text[0] != '\n' && text[len - 1] != '\n'));
    for (size_t i = 0; i < len; i++)
        require(((unsigned char)text[i] >= 0x20 || text[i] == '\n') && text[i] != 0x7f);
}

/* Where the tag's name ends: at a class, an annotation or the end. */
static size_t name_length(const char *tag)
{
    return strcspn(tag, ". >");
}

static void check_tags(const char *text)
{
    const char *open[MAX_DEPTH];
    size_t depth = 0;
    for (const char *at = strchr(text, '<'); at; at = strchr(at + 1, '<')) {
        const char *close = strchr(at, '>');
        bool ends = at[1] == '/';
        size_t len = name_length(at + 1 + ends);
        require(close != NULL && len > 0);
        require(!memchr(at + 1, '<', (size_t)(close - at) - 1));
        if (ends) {
            require(depth > 0);
            depth--;
            require(name_length(open[depth]) == len && memcmp(open[depth], at + 2, len) == 0);
        } else {
            require(depth < MAX_DEPTH);
            open[depth++] = at + 1;
        }
    }
    require(depth == 0);
}

static void check_settings(const char *data, size_t size)
{
    char out[MR_CUE_SETTINGS];
    char again[MR_CUE_SETTINGS];
    mr_cue_settings(data, size, out);
    require(strlen(out) < sizeof(out) && !strstr(out, "-->"));
    for (const char *c = out; *c; c++)
        require(*c >= 0x20 && *c < 0x7f);
    mr_cue_settings(out, strlen(out), again);
    require(strcmp(out, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[MR_CUE_TEXT];
    static char again[MR_CUE_TEXT];
    char *text = malloc(size + 1); /* exactly as long as it is, for the address sanitizer */
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_lines(out, mr_cue_from_ass(text, size, out));
    check_tags(out);
    size_t len = mr_cue_from_webvtt(text, size, out);
    check_lines(out, len);
    check_tags(out);
    size_t len_again = mr_cue_from_webvtt(out, len, again);
    check_lines(again, len_again);
    check_tags(again);
    check_settings(text, size);
    (void)mr_ass_text(text);
    free(text);
    return 0;
}
