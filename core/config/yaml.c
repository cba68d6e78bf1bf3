/* SPDX-License-Identifier: MIT */
/*
 * From libyaml's events to a value tree. Aliases share the anchored subtree, so an alias bomb takes no memory; but its values are counted as
 * if copied, and that count is limited. An anchor is known only once its value is complete, so a value can't hold itself.
 */
#include "config/yaml.h"
#include "config/yaml_internal.h"

#include <stdlib.h>
#include <string.h>

const mr_yaml_limits mr_yaml_limits_default = {.bytes = 1 << 20, .depth = 32, .values = 100000};

static mr_span span_of(const reader *in, yaml_mark_t start, yaml_mark_t end)
{
    mr_span span = {.file = in->file, .line = (uint32_t)start.line + 1, .col = 1, .len = 1};
    /* libyaml counts columns in characters; ours are bytes. */
    size_t line_start = start.index < in->len ? start.index : in->len;
    while (line_start > 0 && in->text[line_start - 1] != '\n')
        line_start--;
    span.col = (uint32_t)(start.index - line_start) + 1;
    size_t stop = end.index < in->len ? end.index : in->len;
    for (size_t i = start.index; i < stop && in->text[i] != '\n'; i++)
        span.len = (uint32_t)(i - start.index) + 1;
    return span;
}

static bool too_many(reader *in, size_t added, mr_span span)
{
    in->values += added;
    if (in->values <= in->limits->values)
        return false;
    if (!in->full) {
        mr_error(in->diags, "too-many-values", span, "the file holds more than %zu values", in->limits->values);
        mr_hint(in->diags, "aliases count as often as they are used; split the file, or compute the values with an expression");
    }
    in->full = true;
    return true;
}

static void syntax_error(reader *in)
{
    const yaml_parser_t *parser = &in->parser;
    yaml_mark_t mark = parser->problem_mark;
    mr_span span = span_of(in, mark, mark);
    const char *problem = parser->problem ? parser->problem : "can't be read";
    size_t at = mark.index < in->len ? mark.index : in->len;
    if (parser->error == YAML_READER_ERROR) {
        size_t offset = parser->problem_offset < in->len ? parser->problem_offset : in->len;
        yaml_mark_t place = {.index = offset};
        for (size_t i = 0; i < offset; i++)
            place.line += in->text[i] == '\n';
        mr_error(in->diags, "yaml-encoding", span_of(in, place, place), "the text is not UTF-8: %s", problem);
        mr_hint(in->diags, "save the file as UTF-8");
        return;
    }
    mr_error(in->diags, "yaml-syntax", span, "%s%s%s", problem, parser->context ? ", " : "", parser->context ? parser->context : "");
    if (at < in->len && in->text[at] == '\t')
        mr_hint(in->diags, "indent with spaces, not tabs");
    else if (mr_line_has_open_expression(in->text, in->len, at))
        mr_hint(in->diags, "quote an expression inside { } or [ ]: \"${…}\"");
}

bool mr_yaml_next_event(reader *in)
{
    yaml_event_delete(&in->event);
    if (!yaml_parser_parse(&in->parser, &in->event)) {
        syntax_error(in);
        return false;
    }
    return true;
}

static bool check_tag(reader *in, const yaml_char_t *tag, mr_span span)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    if (!tag || strncmp((const char *)tag, prefix, sizeof(prefix) - 1) == 0 || strcmp((const char *)tag, "!") == 0)
        return true;
    mr_error(in->diags, "unknown-tag", span, "unknown tag '%s'", (const char *)tag);
    mr_hint(in->diags, "remove it: types follow from the values");
    return false;
}

static void remember(reader *in, const yaml_char_t *name, const mr_value *value, size_t size)
{
    if (!name || !value)
        return;
    anchor *added = mr_arena_take(in->arena, sizeof(*added));
    if (!added)
        return;
    added->name = mr_arena_copy(in->arena, (const char *)name, strlen((const char *)name));
    added->value = value;
    added->size = size;
    added->next = in->anchors;
    in->anchors = added;
}

static const mr_value *read_alias(reader *in, mr_span span)
{
    const char *name = (const char *)in->event.data.alias.anchor;
    for (const anchor *known = in->anchors; known; known = known->next) {
        if (strcmp(known->name, name) == 0)
            return too_many(in, known->size, span) ? NULL : known->value;
    }
    mr_error(in->diags, "unknown-alias", span, "nothing is anchored as '&%s' before this", name);
    mr_hint(in->diags, "an anchor must stand above its use, and a value can't hold itself");
    return NULL;
}

static const mr_value *read_scalar(reader *in, mr_span span)
{
    const char *text = (const char *)in->event.data.scalar.value;
    size_t len = in->event.data.scalar.length;
    bool plain = in->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != len) {
        mr_error(in->diags, "nul", span, "text with a NUL character can't be used");
        return NULL;
    }
    if (plain && !(in->event.data.scalar.tag && strstr((const char *)in->event.data.scalar.tag, ":str")))
        return mr_value_scalar(in->arena, text, span);
    mr_value *value = mr_arena_take(in->arena, sizeof(*value));
    if (!value)
        return NULL;
    *value = (mr_value){.type = MR_VALUE_TEXT, .span = span, .text = mr_arena_copy(in->arena, text, len), .quoted = true};
    return value->text ? value : NULL;
}

static const mr_value *read_list(reader *in, mr_span span)
{
    const mr_value **items = NULL;
    size_t count = 0;
    size_t room = 0;
    while (mr_yaml_next_event(in) && in->event.type != YAML_SEQUENCE_END_EVENT) {
        const mr_value *item = mr_yaml_read_node(in);
        if (!item)
            goto failed;
        if (count == room) {
            room = room ? room * 2 : 8;
            const mr_value **grown = realloc(items, room * sizeof(*items));
            if (!grown)
                goto failed;
            items = grown;
        }
        items[count++] = item;
    }
    if (in->event.type != YAML_SEQUENCE_END_EVENT)
        goto failed;
    mr_value *value = mr_arena_take(in->arena, sizeof(*value));
    const mr_value **kept = mr_arena_take_array(in->arena, count, sizeof(*kept));
    if (!value || !kept)
        goto failed;
    if (count)
        memcpy(kept, items, count * sizeof(*kept));
    free(items);
    *value = (mr_value){.type = MR_VALUE_LIST, .span = span, .list = {.items = kept, .count = count}};
    return value;

failed:
    free(items);
    return NULL;
}

const mr_value *mr_yaml_read_node(reader *in)
{
    mr_span span = span_of(in, in->event.start_mark, in->event.end_mark);
    size_t before = in->values;
    const mr_value *value = NULL;
    yaml_char_t *name = NULL;
    if (in->event.type != YAML_ALIAS_EVENT && too_many(in, 1, span))
        return NULL;
    if (in->depth == in->limits->depth) {
        mr_error(in->diags, "too-deep", span, "values are nested deeper than %zu levels", in->limits->depth);
        return NULL;
    }
    in->depth++;
    switch (in->event.type) {
    case YAML_ALIAS_EVENT: value = read_alias(in, span); break;
    case YAML_SCALAR_EVENT:
        name = in->event.data.scalar.anchor;
        in->event.data.scalar.anchor = NULL;
        value = check_tag(in, in->event.data.scalar.tag, span) ? read_scalar(in, span) : NULL;
        break;
    case YAML_SEQUENCE_START_EVENT:
        name = in->event.data.sequence_start.anchor;
        in->event.data.sequence_start.anchor = NULL;
        value = check_tag(in, in->event.data.sequence_start.tag, span) ? read_list(in, span) : NULL;
        break;
    case YAML_MAPPING_START_EVENT:
        name = in->event.data.mapping_start.anchor;
        in->event.data.mapping_start.anchor = NULL;
        value = check_tag(in, in->event.data.mapping_start.tag, span) ? mr_yaml_read_map(in, span) : NULL;
        break;
    default: break;
    }
    in->depth--;
    remember(in, name, value, in->values - before);
    free(name); /* libyaml's allocator is malloc */
    return value;
}

static const mr_value *read_document(reader *in)
{
    const mr_value *root = NULL;
    if (!mr_yaml_next_event(in) || !mr_yaml_next_event(in)) /* stream start, document start */
        return NULL;
    if (in->event.type == YAML_STREAM_END_EVENT)
        return mr_value_scalar(in->arena, "", (mr_span){.file = in->file, .line = 1, .col = 1, .len = 1});
    if (!mr_yaml_next_event(in))
        return NULL;
    root = mr_yaml_read_node(in);
    if (!root || !mr_yaml_next_event(in) || !mr_yaml_next_event(in)) /* document end */
        return NULL;
    if (in->event.type != YAML_STREAM_END_EVENT) {
        mr_error(in->diags, "several-documents", span_of(in, in->event.start_mark, in->event.end_mark), "a second document begins here");
        mr_hint(in->diags, "one file holds one document: remove the '---', or make it a file of its own");
        return NULL;
    }
    return root;
}

mr_status mr_yaml_read(mr_arena *arena, const char *file, const char *text, size_t len, const mr_yaml_limits *limits, mr_diags *diags,
                       const mr_value **ret_value)
{
    *ret_value = NULL;
    reader in = {.arena = arena, .text = text, .len = len, .limits = limits, .diags = diags};
    in.file = mr_arena_copy(arena, file, strlen(file));
    if (!in.file)
        return MR_ERR_NOMEM;
    if (len > limits->bytes) {
        mr_error(diags, "too-large", (mr_span){0}, "'%s' is larger than %zu bytes, the most that is read", file, limits->bytes);
        return MR_ERR_LIMIT;
    }
    mr_diags_add_text(diags, in.file, text, len);
    if (!yaml_parser_initialize(&in.parser))
        return MR_ERR_NOMEM;
    size_t errors = mr_diags_errors(diags);
    yaml_parser_set_encoding(&in.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&in.parser, (const unsigned char *)text, len);
    const mr_value *root = read_document(&in);
    yaml_event_delete(&in.event);
    yaml_parser_delete(&in.parser);
    if (!root)
        return in.full ? MR_ERR_LIMIT : mr_diags_errors(diags) > errors || !diags ? MR_ERR_PARAM : MR_ERR_NOMEM;
    if (in.failed)
        return MR_ERR_PARAM;
    *ret_value = root;
    return MR_OK;
}
