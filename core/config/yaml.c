/* SPDX-License-Identifier: MIT */
/*
 * From libyaml's events to a value tree. Aliases and merged keys share the subtree they name, so that an alias bomb takes no memory; each
 * use counts as if it were written out, so that whoever walks the tree meets no more than the limit. Mistakes that leave the text
 * readable (duplicate keys, unknown anchors and tags) are collected; the first that does not ends the reading.
 */
#include "base/text.h"
#include "config/value_internal.h"
#include "config/yaml_internal.h"
#include <stdlib.h>
#include <string.h>

#define ANCHORS_MAX 1000

const mr_yaml_limits mr_yaml_limits_default = {.bytes = (size_t)1024 * 1024, .depth = 32, .values = 100000};

/* --- events --- */

bool mr_yaml_advance(reader *r)
{
    yaml_event_delete(&r->event);
    if (r->status != MR_OK)
        return false;
    if (yaml_parser_parse(&r->parser, &r->event))
        return true;
    r->status = mr_yaml_report(&r->text, &r->parser, r->diags);
    return false;
}

bool mr_yaml_stop(reader *r, mr_status status)
{
    if (r->status == MR_OK)
        r->status = status;
    return false;
}

void *mr_yaml_take(reader *r, size_t count, size_t size)
{
    void *memory = mr_arena_take_array(r->arena, count, size);
    if (!memory)
        mr_yaml_stop(r, MR_ERR_NOMEM);
    return memory;
}

mr_span mr_yaml_event_span(const reader *r)
{
    return mr_yaml_span(&r->text, mr_yaml_offset(&r->text, &r->event.start_mark), mr_yaml_offset(&r->text, &r->event.end_mark));
}

/* The value's own token: an event begins with its anchor and tag. A list or map in block style begins where its event ends. */
static mr_span token_span(const reader *r, bool has_anchor_or_tag, bool block)
{
    const char *text = r->text.text;
    size_t at = mr_yaml_offset(&r->text, &r->event.start_mark);
    size_t end = mr_yaml_offset(&r->text, &r->event.end_mark);
    size_t begin = at;
    if (has_anchor_or_tag) {
        while (at < end && (text[at] == '&' || text[at] == '!')) {
            while (at < end && !strchr(" \t\r\n", text[at]))
                at++;
            while (at < end && (strchr(" \t\r\n", text[at]) || text[at] == '#'))
                at = text[at] == '#' ? mr_yaml_until(&r->text, at, "\n") : at + 1;
        }
        /* An empty value: the anchor is all there is to see. */
        if (at >= end)
            at = block ? end : begin;
    }
    return mr_yaml_span(&r->text, at, end);
}

/* --- limits --- */

static bool count_values(reader *r, size_t values, mr_span span)
{
    r->values = values < SIZE_MAX - r->values ? r->values + values : SIZE_MAX;
    if (r->values <= r->limits.values)
        return true;
    mr_error(r->diags, "too-many-values", span, "the file has more than %zu values, counting what its aliases stand for", r->limits.values);
    return mr_yaml_stop(r, MR_ERR_LIMIT);
}

static bool check_depth(reader *r, size_t depth, mr_span span)
{
    if (depth <= r->limits.depth)
        return true;
    mr_error(r->diags, "too-deep", span, "values are nested more than %zu levels deep", r->limits.depth);
    return mr_yaml_stop(r, MR_ERR_LIMIT);
}

/* --- anchors --- */

static struct anchor *find_anchor(reader *r, const char *name)
{
    for (size_t i = r->anchor_count; i > 0; i--)
        if (strcmp(r->anchors[i - 1].name, name) == 0)
            return &r->anchors[i - 1];
    return NULL;
}

/* Its index plus 1; 0: none, or no room. An anchor that is named again means the new value from there on. */
static size_t open_anchor(reader *r, const char *name, mr_span span)
{
    if (!name)
        return 0;
    struct anchor *found = find_anchor(r, name);
    if (!found && r->anchor_count == ANCHORS_MAX) {
        mr_error(r->diags, "too-many-anchors", span, "the file has more than %d anchors", ANCHORS_MAX);
        mr_yaml_stop(r, MR_ERR_LIMIT);
        return 0;
    }
    if (!found) {
        if (r->anchor_count == r->anchor_room) {
            size_t room = r->anchor_room > 0 ? r->anchor_room * 2 : 8;
            struct anchor *anchors = reallocarray(r->anchors, room, sizeof(*anchors));
            if (!anchors) {
                mr_yaml_stop(r, MR_ERR_NOMEM);
                return 0;
            }
            r->anchors = anchors;
            r->anchor_room = room;
        }
        found = &r->anchors[r->anchor_count];
        *found = (struct anchor){0};
        found->name = mr_arena_copy(r->arena, name, strlen(name));
        if (!found->name) {
            mr_yaml_stop(r, MR_ERR_NOMEM);
            return 0;
        }
        r->anchor_count++;
    }
    found->open = true;
    return (size_t)(found - r->anchors) + 1;
}

static built read_alias(reader *r, size_t depth)
{
    mr_span span = mr_yaml_event_span(r);
    const char *name = (const char *)r->event.data.alias.anchor;
    const struct anchor *found = find_anchor(r, name);
    built out = {0};
    if (!found) {
        const char **names = mr_yaml_take(r, r->anchor_count, sizeof(*names));
        for (size_t i = 0; names && i < r->anchor_count; i++)
            names[i] = r->anchors[i].name;
        mr_error(r->diags, "unknown-anchor", span, "alias '*%s' names no anchor that stands before it", name);
        const char *near = names ? mr_nearest(name, names, r->anchor_count) : NULL;
        if (near)
            mr_hint(r->diags, "did you mean '*%s'?", near);
        r->wrong = true;
    } else if (found->open) {
        mr_error(r->diags, "recursive-alias", span, "alias '*%s' stands within the value that it names", name);
        r->wrong = true;
    } else if (count_values(r, found->named.values, span) && check_depth(r, depth + found->named.depth - 1, span)) {
        out = found->named;
    }
    mr_yaml_advance(r);
    return out;
}

/* --- tags --- */

#define STANDARD_TAG "tag:yaml.org,2002:"

/* The tag's short name: "" when there is none, "!" for the one that makes text, NULL when it is unknown (and was reported). */
static const char *read_tag(reader *r, const yaml_char_t *tag, const char *const *allowed)
{
    static const size_t prefix = sizeof(STANDARD_TAG) - 1;
    const char *text = (const char *)tag;
    if (!text)
        return "";
    if (strcmp(text, "!") == 0)
        return "!";
    if (strncmp(text, STANDARD_TAG, prefix) == 0)
        for (; *allowed; allowed++)
            if (strcmp(text + prefix, *allowed) == 0)
                return *allowed;
    size_t at = mr_yaml_offset(&r->text, &r->event.start_mark);
    const char *mark = memchr(r->text.text + at, '!', r->text.len - at);
    if (mark)
        at = (size_t)(mark - r->text.text);
    bool standard = strncmp(text, STANDARD_TAG, prefix) == 0;
    mr_error(r->diags, "unknown-tag", mr_yaml_span(&r->text, at, mr_yaml_until(&r->text, at, " \t\r\n,]}")), "tag '%s%s' can't be used here",
             standard ? "!!" : "", standard ? text + prefix : text);
    mr_hint(r->diags, "remove it; if the text begins with '!', put it in quotes");
    r->wrong = true;
    return NULL;
}

static bool apply_scalar_tag(reader *r, mr_value *value, const char *tag)
{
    static const struct {
        const char *tag;
        mr_value_type type;
    } types[] = {{"int", MR_VALUE_INT}, {"float", MR_VALUE_NUMBER}, {"bool", MR_VALUE_BOOL}, {"null", MR_VALUE_NULL}};
    if (strcmp(tag, "!") == 0 || strcmp(tag, "str") == 0) {
        value->type = MR_VALUE_TEXT;
        value->quoted = true;
        return true;
    }
    mr_value_resolve(value);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(tag, types[i].tag) != 0)
            continue;
        if (types[i].type == MR_VALUE_NUMBER && value->type == MR_VALUE_INT) {
            value->type = MR_VALUE_NUMBER;
            value->number = (double)value->integer;
        }
        if (value->type == types[i].type) {
            value->quoted = false;
            return true;
        }
        mr_error(r->diags, "wrong-type", value->span, "'%s' is not of the type that its tag '!!%s' says", value->text, tag);
        r->wrong = true;
        return false;
    }
    return true;
}

/* --- scalars --- */

static built read_scalar(reader *r)
{
    static const char *const tags[] = {"str", "int", "float", "bool", "null", NULL};
    const char *bytes = (const char *)r->event.data.scalar.value;
    size_t len = r->event.data.scalar.length;
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    mr_span span = token_span(r, r->event.data.scalar.anchor || r->event.data.scalar.tag, false);
    size_t anchor = open_anchor(r, (const char *)r->event.data.scalar.anchor, span);
    const char *tag = read_tag(r, r->event.data.scalar.tag, tags);
    built out = {.values = 1};
    mr_value *value = mr_yaml_take(r, 1, sizeof(*value));
    char *copy = mr_arena_copy(r->arena, bytes, len);
    bool right = tag && count_values(r, 1, span);
    if (!copy)
        mr_yaml_stop(r, MR_ERR_NOMEM);
    if (right && memchr(bytes, '\0', len)) {
        mr_error(r->diags, "bad-character", span, "text can't hold a NUL character");
        r->wrong = true;
        right = false;
    }
    if (value && copy && right) {
        *value = (mr_value){.type = MR_VALUE_TEXT, .span = span, .text = copy, .quoted = !plain};
        if (*tag)
            right = apply_scalar_tag(r, value, tag);
        else if (plain)
            mr_value_resolve(value);
        out.value = right ? value : NULL;
        out.merge = plain && !*tag && strcmp(copy, "<<") == 0;
    }
    if (anchor > 0) {
        r->anchors[anchor - 1].named = out;
        r->anchors[anchor - 1].open = false;
    }
    mr_yaml_advance(r);
    return out;
}

/* --- lists and maps --- */

void *mr_yaml_grow(reader *r, growing *list, size_t size)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 8;
        void *items = reallocarray(list->items, room, size);
        if (!items) {
            mr_yaml_stop(r, MR_ERR_NOMEM);
            return NULL;
        }
        list->items = items;
        list->room = room;
    }
    return (char *)list->items + list->count++ * size;
}

void *mr_yaml_settle(reader *r, const growing *list, size_t size)
{
    void *items = mr_yaml_take(r, list->count, size);
    if (items && list->count > 0)
        memcpy(items, list->items, list->count * size);
    return items;
}

mr_value *mr_yaml_begin(reader *r, size_t depth, const yaml_char_t *anchor_name, const yaml_char_t *tag_name, const char *standard, bool flow,
                        size_t *ret_anchor, bool *ret_right)
{
    const char *const tags[] = {standard, NULL};
    mr_span span = token_span(r, anchor_name || tag_name, !flow);
    *ret_anchor = 0;
    if (!flow)
        span.len = 1; /* replaced by the first key or dash */
    if (!check_depth(r, depth, span) || !count_values(r, 1, span))
        return NULL;
    const char *tag = read_tag(r, tag_name, tags);
    *ret_right = tag && strcmp(tag, "!") != 0;
    if (tag && !*ret_right) {
        mr_error(r->diags, "unknown-tag", span, "tag '!' is for text");
        r->wrong = true;
    }
    *ret_anchor = open_anchor(r, (const char *)anchor_name, span);
    mr_value *value = r->status == MR_OK ? mr_yaml_take(r, 1, sizeof(*value)) : NULL;
    if (value)
        value->span = span;
    return value;
}

built mr_yaml_finish(reader *r, mr_value *value, built out, size_t anchor, bool right)
{
    out.value = right && r->status == MR_OK ? value : NULL;
    if (anchor > 0) {
        r->anchors[anchor - 1].named = out;
        r->anchors[anchor - 1].open = false;
    }
    return out;
}

void mr_yaml_add_cost(built *sum, const built *part)
{
    sum->values += part->values;
    if (part->depth + 1 > sum->depth)
        sum->depth = part->depth + 1;
}

static built read_list(reader *r, size_t depth)
{
    growing items = {0};
    size_t anchor = 0;
    bool right = false;
    built out = {.values = 1, .depth = 1};
    bool flow = r->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    mr_value *value = mr_yaml_begin(r, depth, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag, "seq", flow, &anchor, &right);
    if (!value || !mr_yaml_advance(r))
        return (built){0};
    while (r->status == MR_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        built item = mr_yaml_read_value(r, depth + 1);
        const mr_value **slot = item.value ? mr_yaml_grow(r, &items, sizeof(const mr_value *)) : NULL;
        if (slot) {
            *slot = item.value;
            mr_yaml_add_cost(&out, &item);
        }
    }
    mr_yaml_advance(r);
    value->type = MR_VALUE_LIST;
    value->list.items = mr_yaml_settle(r, &items, sizeof(const mr_value *));
    value->list.count = items.count;
    free(items.items);
    return mr_yaml_finish(r, value, out, anchor, right);
}

/* Recursion ends at the depth limit. */
built mr_yaml_read_value(reader *r, size_t depth)
{
    switch (r->event.type) {
    case YAML_ALIAS_EVENT: return read_alias(r, depth);
    case YAML_SCALAR_EVENT: return read_scalar(r);
    case YAML_SEQUENCE_START_EVENT: return read_list(r, depth);
    case YAML_MAPPING_START_EVENT: return mr_yaml_read_map(r, depth);
    default: mr_yaml_stop(r, MR_ERR_INTERNAL); return (built){0};
    }
}

/* --- the file --- */

static const mr_value *read_stream(reader *r)
{
    for (int i = 0; i < 2; i++) /* the stream begins, a document begins */
        if (!mr_yaml_advance(r))
            return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT) { /* nothing but comments */
        const mr_value *nothing = mr_value_scalar(r->arena, "", mr_yaml_span(&r->text, 0, 0));
        if (!nothing)
            mr_yaml_stop(r, MR_ERR_NOMEM);
        return nothing;
    }
    if (!mr_yaml_advance(r))
        return NULL;
    built root = mr_yaml_read_value(r, 1);
    if (r->status != MR_OK || !mr_yaml_advance(r))
        return NULL;
    if (r->event.type == YAML_DOCUMENT_START_EVENT) {
        mr_error(r->diags, "second-document", mr_yaml_event_span(r), "a second document begins here");
        mr_hint(r->diags, "a file holds one document: remove what follows, or the '---'");
        r->wrong = true;
    }
    return root.value;
}

/* The first byte that is no UTF-8; libyaml would tell of it, but not where. */
static bool check_encoding(reader *r)
{
    const char *text = r->text.text;
    size_t len = r->text.len;
    uint32_t code = 0;
    for (size_t at = 0; at < len;) {
        size_t size = mr_utf8_next(text + at, len - at, &code);
        if (size == 0) {
            mr_error(r->diags, "bad-encoding", mr_yaml_span(&r->text, at, at + 1), "the file is not UTF-8: byte 0x%02x begins no character",
                     (unsigned char)text[at]);
            mr_hint(r->diags, "save it as UTF-8");
            return mr_yaml_stop(r, MR_ERR_INPUT);
        }
        at += size;
    }
    return true;
}

static mr_status read_text(reader *r, const mr_value **ret_value)
{
    if (!check_encoding(r))
        return r->status;
    if (!yaml_parser_initialize(&r->parser))
        return MR_ERR_NOMEM;
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->text.text, r->text.len);
    const mr_value *root = read_stream(r);
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
    if (r->status == MR_OK && r->wrong)
        r->status = MR_ERR_INPUT;
    if (r->status == MR_OK)
        *ret_value = root;
    return r->status;
}

mr_status mr_yaml_read(mr_arena *arena, const char *file, const char *text, size_t len, const mr_yaml_limits *limits, mr_diags *diags,
                       const mr_value **ret_value)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    reader r = {.arena = arena, .diags = diags, .limits = limits ? *limits : mr_yaml_limits_default};
    *ret_value = NULL;
    const char *name = mr_arena_copy(arena, file, strlen(file));
    if (!name)
        return MR_ERR_NOMEM;
    if (len > r.limits.bytes || len >= UINT32_MAX) {
        mr_error(diags, "too-large", (mr_span){.file = name}, "the file is %zu bytes, and more than %zu are not read", len, r.limits.bytes);
        return MR_ERR_LIMIT;
    }
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        len -= 3;
    }
    mr_diags_add_text(diags, name, text, len);
    mr_status status = mr_yaml_text_open(&r.text, name, text, len);
    if (status == MR_OK)
        status = read_text(&r, ret_value);
    if (status == MR_ERR_NOMEM)
        mr_error(diags, "no-memory", (mr_span){.file = name}, "memory is short");
    free(r.anchors);
    mr_yaml_text_close(&r.text);
    return status;
}
