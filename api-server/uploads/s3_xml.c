/* SPDX-License-Identifier: MIT */
/* A reader of elements and texts: no attributes are looked at, no entity but the five that XML has, no depth but the one that is expected. */
#include "api-server/uploads/s3_xml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, TEXT_MAX_LEN = 256, DEPTH = 3 };

typedef struct reader {
    const char *at;
    const char *end;
    int depth;
    char names[DEPTH][NAME_MAX_LEN];
    char text[TEXT_MAX_LEN]; /* of the element that is open */
    size_t text_len;
    mr_s3_part *parts;
    size_t count;
    size_t room;
    bool over;
} reader;

static bool starts(const reader *in, const char *what)
{
    const size_t len = strlen(what);
    return (size_t)(in->end - in->at) >= len && memcmp(in->at, what, len) == 0;
}

/* Behind the next occurrence of what. */
static bool skip_past(reader *in, const char *what)
{
    const char *found = memmem(in->at, (size_t)(in->end - in->at), what, strlen(what));
    if (!found)
        return false;
    in->at = found + strlen(what);
    return true;
}

static bool put_char(reader *in, char c)
{
    if (in->text_len + 1 >= sizeof(in->text))
        return false;
    in->text[in->text_len++] = c;
    in->text[in->text_len] = '\0';
    return true;
}

static bool read_entity(reader *in)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&quot;", '"'}, {"&#34;", '"'}, {"&#x22;", '"'}, {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (starts(in, entities[i].name)) {
            in->at += strlen(entities[i].name);
            return put_char(in, entities[i].c);
        }
    }
    return false;
}

static bool read_number(const char *text, int32_t *ret_number)
{
    text += strspn(text, " \t\r\n");
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits + strspn(text + digits, " \t\r\n")])
        return false;
    *ret_number = (int32_t)strtol(text, NULL, 10);
    return *ret_number >= 1 && *ret_number <= MR_UPLOAD_PARTS;
}

static bool read_etag(const char *text, char *etag)
{
    text += strspn(text, " \t\r\n\"");
    const size_t len = strcspn(text, " \t\r\n\"");
    if (len == 0 || len >= MR_UPLOAD_ETAG || text[len + strspn(text + len, " \t\r\n\"")])
        return false;
    memcpy(etag, text, len);
    etag[len] = '\0';
    return true;
}

static mr_status add_part(reader *in)
{
    if (in->count == MR_UPLOAD_PARTS)
        return MR_ERR_INPUT;
    if (in->count == in->room) {
        in->room = in->room ? in->room * 2 : 64;
        mr_s3_part *grown = realloc(in->parts, in->room * sizeof(*grown));
        if (!grown)
            return MR_ERR_NOMEM;
        in->parts = grown;
    }
    in->parts[in->count++] = (mr_s3_part){0};
    return MR_OK;
}

/* The name in a tag, without a namespace's prefix, and in->at behind '>'. */
static bool read_tag(reader *in, char name[NAME_MAX_LEN], bool *ret_empty)
{
    const char *close = memchr(in->at, '>', (size_t)(in->end - in->at));
    size_t len = 0;
    if (!close)
        return false;
    *ret_empty = close > in->at && close[-1] == '/';
    for (const char *at = in->at; at < close && !strchr(" \t\r\n/", *at); at++) {
        if (*at == ':')
            len = 0;
        else if (*at == '<' || *at == '\0' || len + 1 >= NAME_MAX_LEN)
            return false;
        else
            name[len++] = *at;
    }
    name[len] = '\0';
    in->at = close + 1;
    return len > 0;
}

static mr_status open_element(reader *in)
{
    char name[NAME_MAX_LEN];
    bool empty = false;
    if (in->over || in->depth == DEPTH || !read_tag(in, name, &empty))
        return MR_ERR_INPUT;
    if ((in->depth == 0 && strcmp(name, "CompleteMultipartUpload") != 0) || (in->depth == 1 && strcmp(name, "Part") != 0))
        return MR_ERR_INPUT;
    mr_status status = in->depth == 1 ? add_part(in) : MR_OK;
    if (empty) {
        in->over = in->depth == 0;
        return status;
    }
    memcpy(in->names[in->depth++], name, sizeof(name));
    in->text_len = 0;
    in->text[0] = '\0';
    return status;
}

static mr_status close_element(reader *in)
{
    char name[NAME_MAX_LEN];
    bool empty = false;
    if (in->depth == 0 || !read_tag(in, name, &empty) || strcmp(name, in->names[in->depth - 1]) != 0)
        return MR_ERR_INPUT;
    in->depth--;
    in->over = in->depth == 0;
    if (in->depth != 2)
        return MR_OK;
    mr_s3_part *part = &in->parts[in->count - 1];
    if (strcmp(name, "PartNumber") == 0)
        return part->number == 0 && read_number(in->text, &part->number) ? MR_OK : MR_ERR_INPUT;
    if (strcmp(name, "ETag") == 0)
        return part->etag[0] == '\0' && read_etag(in->text, part->etag) ? MR_OK : MR_ERR_INPUT;
    return MR_OK;
}

static mr_status read_markup(reader *in)
{
    if (starts(in, "<?"))
        return skip_past(in, "?>") ? MR_OK : MR_ERR_INPUT;
    if (starts(in, "<!--"))
        return skip_past(in, "-->") ? MR_OK : MR_ERR_INPUT;
    if (starts(in, "<!"))
        return MR_ERR_INPUT;
    in->at++;
    if (in->at < in->end && *in->at == '/') {
        in->at++;
        return close_element(in);
    }
    return open_element(in);
}

static mr_status read_text(reader *in)
{
    const char c = *in->at;
    if (in->depth < DEPTH) { /* between elements */
        in->at++;
        return strchr(" \t\r\n", c) && c ? MR_OK : MR_ERR_INPUT;
    }
    if (c == '&')
        return read_entity(in) ? MR_OK : MR_ERR_INPUT;
    in->at++;
    return c && put_char(in, c) ? MR_OK : MR_ERR_INPUT;
}

mr_status mr_s3_parse_parts(const char *xml, size_t len, mr_s3_part **ret_parts, size_t *ret_count)
{
    reader in = {.at = xml, .end = xml + len};
    mr_status status = MR_OK;
    *ret_parts = NULL;
    *ret_count = 0;
    if (starts(&in, "\xef\xbb\xbf"))
        in.at += 3;
    while (in.at < in.end && status == MR_OK)
        status = *in.at == '<' ? read_markup(&in) : read_text(&in);
    if (status == MR_OK && (!in.over || in.count == 0))
        status = MR_ERR_INPUT;
    for (size_t i = 0; i < in.count && status == MR_OK; i++) {
        if (in.parts[i].number == 0 || !in.parts[i].etag[0])
            status = MR_ERR_INPUT;
        else if (i > 0 && in.parts[i].number <= in.parts[i - 1].number)
            status = MR_ERR_CONFLICT;
    }
    if (status != MR_OK) {
        free(in.parts);
        return status;
    }
    *ret_parts = in.parts;
    *ret_count = in.count;
    return MR_OK;
}

void mr_s3_put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc((unsigned char)*text < ' ' ? '?' : *text, out); break;
        }
    }
}
