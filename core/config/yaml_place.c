/* SPDX-License-Identifier: MIT */
/* From libyaml's marks (characters since the start) to bytes, lines and columns. */
#include "config/yaml_internal.h"
#include <stdlib.h>
#include <string.h>

static bool is_start(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

mr_status mr_yaml_text_open(mr_yaml_text *ret_text, const char *file, const char *text, size_t len)
{
    size_t chars = 0;
    size_t lines = 1;
    for (size_t i = 0; i < len; i++) {
        chars += is_start(text[i]);
        lines += text[i] == '\n';
    }
    *ret_text = (mr_yaml_text){.file = file, .text = text, .len = len};
    ret_text->every = calloc(chars / MR_YAML_STRIDE + 1, sizeof(uint32_t));
    ret_text->lines = calloc(lines, sizeof(uint32_t));
    if (!ret_text->every || !ret_text->lines) {
        mr_yaml_text_close(ret_text);
        return MR_ERR_NOMEM;
    }
    chars = 0;
    ret_text->line_count = 1;
    for (size_t i = 0; i < len; i++) {
        if (is_start(text[i]) && chars++ % MR_YAML_STRIDE == 0)
            ret_text->every[ret_text->strides++] = (uint32_t)i;
        if (text[i] == '\n')
            ret_text->lines[ret_text->line_count++] = (uint32_t)i + 1;
    }
    return MR_OK;
}

void mr_yaml_text_close(mr_yaml_text *text)
{
    free(text->every);
    free(text->lines);
    text->every = NULL;
    text->lines = NULL;
}

size_t mr_yaml_offset(const mr_yaml_text *text, const yaml_mark_t *mark)
{
    size_t stride = mark->index / MR_YAML_STRIDE;
    if (stride >= text->strides)
        return text->len;
    size_t at = text->every[stride];
    for (size_t left = mark->index % MR_YAML_STRIDE; left > 0 && at < text->len; left--) {
        at++;
        while (at < text->len && !is_start(text->text[at]))
            at++;
    }
    return at;
}

mr_span mr_yaml_span(const mr_yaml_text *text, size_t from, size_t to)
{
    size_t low = 0;
    size_t high = text->line_count;
    if (from > text->len)
        from = text->len;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (text->lines[middle] <= from)
            low = middle;
        else
            high = middle;
    }
    size_t end = low + 1 < text->line_count ? text->lines[low + 1] - 1 : text->len;
    if (to < end)
        end = to;
    while (end > from + 1 && (text->text[end - 1] == ' ' || text->text[end - 1] == '\t' || text->text[end - 1] == '\r'))
        end--;
    return (mr_span){.file = text->file,
                     .line = (uint32_t)low + 1,
                     .col = (uint32_t)(from - text->lines[low]) + 1,
                     .len = end > from ? (uint32_t)(end - from) : 1};
}

size_t mr_yaml_until(const mr_yaml_text *text, size_t at, const char *stops)
{
    while (at < text->len && !strchr(stops, text->text[at]))
        at++;
    return at;
}
