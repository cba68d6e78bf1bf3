/* SPDX-License-Identifier: MIT */
/* YAML from values. Whatever might be read as something else is quoted. */
#include "config/yaml_write.h"

#include "base/text.h"
#include "config/value_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  120 /* columns that a line in braces may have */
#define INDENT 2

static const char yaml_punctuation[] = ":#{}[],&*!|>'\"%@`\\";

/* Characters that can't stand in a text as they are, or that YAML takes for line breaks. */
static bool is_special(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff;
}

/* A text that YAML reads as that text without quotes, wherever it stands. */
static bool is_plain(const char *text)
{
    mr_value read = {.text = text};
    const unsigned char first = (unsigned char)text[0];
    const size_t len = strlen(text);
    if (!(isalnum(first) || first == '_' || first == '/' || first >= 0x80) || text[len - 1] == ' ' || strpbrk(text, yaml_punctuation))
        return false;
    for (size_t at = 0, size = 0; at < len; at += size) {
        uint32_t code = 0;
        size = mr_utf8_next(text + at, len - at, &code);
        if (size == 0 || is_special(code))
            return false;
    }
    mr_value_resolve(&read);
    return read.type == MR_VALUE_TEXT;
}

static bool write_quoted(const char *text, FILE *out)
{
    bool good = fputc('"', out) != EOF;
    const size_t len = strlen(text);
    for (size_t at = 0, size = 0; at < len && good; at += size) {
        uint32_t code = 0;
        size = mr_utf8_next(text + at, len - at, &code);
        if (size == 0)
            return false;
        if (code == '"' || code == '\\')
            good = fprintf(out, "\\%c", (int)code) > 0;
        else if (code == '\n' || code == '\t')
            good = fputs(code == '\n' ? "\\n" : "\\t", out) >= 0;
        else if (is_special(code))
            good = fprintf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code) > 0;
        else
            good = fwrite(text + at, 1, size, out) == size;
    }
    return good && fputc('"', out) != EOF;
}

static bool write_text(const char *text, FILE *out)
{
    return is_plain(text) ? fputs(text, out) >= 0 : write_quoted(text, out);
}

static bool write_flow(const mr_value *value, FILE *out)
{
    bool good = true;
    switch (value->type) {
    case MR_VALUE_NULL: return fputs("null", out) >= 0;
    case MR_VALUE_BOOL:
    case MR_VALUE_INT:
    case MR_VALUE_NUMBER: return fputs(value->text, out) >= 0;
    case MR_VALUE_TEXT: return write_text(value->text, out);
    case MR_VALUE_LIST:
        good = fputc('[', out) != EOF;
        for (size_t i = 0; i < value->list.count && good; i++)
            good = (i == 0 || fputs(", ", out) >= 0) && write_flow(value->list.items[i], out);
        return good && fputc(']', out) != EOF;
    case MR_VALUE_MAP:
        good = fputc('{', out) != EOF;
        for (size_t i = 0; i < value->map.count && good; i++)
            good = (i == 0 || fputs(", ", out) >= 0) && write_text(value->map.entries[i].key, out) && fputs(": ", out) >= 0 &&
                   write_flow(value->map.entries[i].value, out);
        return good && fputc('}', out) != EOF;
    }
    return false;
}

/* Columns that the value takes on one line; SIZE_MAX: memory is short. */
static size_t flow_width(const mr_value *value)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    const bool good = out && write_flow(value, out);
    if (!out || fclose(out) != 0 || !good)
        len = SIZE_MAX;
    free(text);
    return len;
}

static bool is_empty(const mr_value *value)
{
    return (value->type == MR_VALUE_MAP && value->map.count == 0) || (value->type == MR_VALUE_LIST && value->list.count == 0);
}

static bool write_block(const mr_value *value, unsigned indent, unsigned levels, FILE *out);

/* What follows "key:" or "-", where column is reached. */
static bool write_after(const mr_value *value, unsigned column, unsigned indent, unsigned levels, FILE *out)
{
    const bool nested = value->type == MR_VALUE_MAP || value->type == MR_VALUE_LIST;
    const size_t width = nested && levels == 0 && !is_empty(value) ? flow_width(value) : 0;
    if (width == SIZE_MAX)
        return false;
    if (!nested || is_empty(value) || (levels == 0 && column + 1 + width <= WIDTH))
        return fputc(' ', out) != EOF && write_flow(value, out) && fputc('\n', out) != EOF;
    return fputc('\n', out) != EOF && write_block(value, indent + INDENT, levels > 0 ? levels - 1 : 0, out);
}

static bool write_block(const mr_value *value, unsigned indent, unsigned levels, FILE *out)
{
    bool good = true;
    for (size_t i = 0; value->type == MR_VALUE_LIST && i < value->list.count && good; i++)
        good = fprintf(out, "%*s-", (int)indent, "") > 0 && write_after(value->list.items[i], indent + 1, indent, levels, out);
    for (size_t i = 0; value->type == MR_VALUE_MAP && i < value->map.count && good; i++) {
        const mr_entry *entry = &value->map.entries[i];
        good = fprintf(out, "%*s", (int)indent, "") >= 0 && write_text(entry->key, out) && fputc(':', out) != EOF &&
               write_after(entry->value, indent + (unsigned)strlen(entry->key) + 1, indent, levels, out);
    }
    return good;
}

mr_status mr_yaml_write(const mr_value *root, unsigned levels, FILE *out)
{
    const bool nested = (root->type == MR_VALUE_MAP || root->type == MR_VALUE_LIST) && !is_empty(root);
    const bool good = nested ? write_block(root, 0, levels, out) : write_flow(root, out) && fputc('\n', out) != EOF;
    return good ? MR_OK : ferror(out) ? MR_ERR_IO : MR_ERR_NOMEM;
}
