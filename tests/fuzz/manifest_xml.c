/* SPDX-License-Identifier: MIT */
/* See manifest_xml.h. XML 1.0 (fifth edition), 2.1 and 3.1; no comments, sections or declarations inside, since no manifest has them. */
#include "manifest_xml.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

typedef struct element {
    const char *name;
    size_t len;
} element;

static size_t name_length(const char *text)
{
    size_t len = 0;
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return 0;
    while (isalnum((unsigned char)text[len]) || (text[len] && strchr("_:.-", text[len])))
        len++;
    return len;
}

/* The length of an entity at text, which begins with '&'; 0: none. */
static size_t entity_length(const char *text)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#39;"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return strlen(known[i]);
    }
    return 0;
}

/* Characters up to one of stops; NULL: one that can't be there. */
static const char *skip_text(const char *text, const char *stops)
{
    while (*text && !strchr(stops, *text)) {
        size_t len = *text == '&' ? entity_length(text) : 1;
        bool control = (unsigned char)*text < 0x20 && *text != '\n' && *text != '\t';
        if (len == 0 || control || *text == '<' || *text == '>')
            return NULL;
        text += len;
    }
    return text;
}

/* name="value" and blanks, up to the end of the tag. */
static const char *skip_attributes(const char *text)
{
    for (;;) {
        size_t blanks = strspn(text, " \n");
        text += blanks;
        size_t len = name_length(text);
        if (len == 0)
            return text;
        if (blanks == 0 || text[len] != '=' || text[len + 1] != '"')
            return NULL;
        text = skip_text(text + len + 2, "\"");
        if (!text || *text != '"')
            return NULL;
        text++;
    }
}

/* A tag at text, which begins with '<': what follows it, or NULL. */
static const char *take_tag(const char *text, element *open, size_t *depth)
{
    bool ends = text[1] == '/';
    text += 1 + ends;
    size_t len = name_length(text);
    element tag = {text, len};
    if (len == 0)
        return NULL;
    if (ends) {
        if (*depth == 0 || open[*depth - 1].len != len || memcmp(open[*depth - 1].name, text, len) != 0 || text[len] != '>')
            return NULL;
        --*depth;
        return text + len + 1;
    }
    text = skip_attributes(text + len);
    if (text && text[0] == '/' && text[1] == '>')
        return text + 2;
    if (!text || *text != '>' || *depth == MAX_DEPTH)
        return NULL;
    open[(*depth)++] = tag;
    return text + 1;
}

bool xml_is_well_formed(const char *text)
{
    static const char prolog[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    element open[MAX_DEPTH];
    size_t depth = 0;
    if (!mr_utf8_valid(text, strlen(text)) || strncmp(text, prolog, sizeof(prolog) - 1) != 0)
        return false;
    text = take_tag(text + sizeof(prolog) - 1, open, &depth);
    while (text && depth > 0) {
        text = skip_text(text, "<");
        text = text && *text == '<' ? take_tag(text, open, &depth) : NULL;
    }
    return text && strcmp(text, "\n") == 0;
}
