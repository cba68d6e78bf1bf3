/* SPDX-License-Identifier: MIT */
/*
 * Cases: what an op must make of given inputs, as data. A YAML list; see docs/plugin-author/testing.md.
 *
 *     - name: lines of a text
 *       op: example.count
 *       in: {source: {text: "one\ntwo\n"}}
 *       with: {lines: true}
 *       out: {count: {meta: {bytes: 8, lines: 2}}}
 *     - op: example.count
 *       in: {source: {file: long.txt}}
 *       with: {limit: 4}
 *       fails: the limit is 4
 *
 * Files are named relative to the file of the cases. Mistakes in it are diagnostics, with their place.
 */
#include "cli/kit/kit_internal.h"

#include "base/file.h"
#include "base/hash.h"
#include "config/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { CASES_MAX = 1000, FILE_MAX = 64 << 20, REPEAT_MAX = 64 << 20 };

typedef struct cases {
    mr_bench *bench;
    mr_kit_report *report;
    const char *file;
    const char *dir; /* of the file */
    mr_diags *diags;
} cases;

/* False, and said so: a key that is not among these (NULL ends them). */
static bool check_keys(const cases *it, const mr_value *map, const char *what, const char *const *known)
{
    size_t count = 0;
    while (known[count])
        count++;
    if (map->type != MR_VALUE_MAP) {
        mr_error(it->diags, "case", map->span, "%s is %s, not a map", what, mr_value_type_name(map->type));
        return false;
    }
    for (size_t i = 0; i < map->map.count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found = found || strcmp(entry->key, known[k]) == 0;
        if (found)
            continue;
        const char *near = mr_nearest(entry->key, known, count);
        mr_error(it->diags, "case", entry->key_span, "%s has no '%s'", what, entry->key);
        if (near)
            mr_hint(it->diags, "did you mean '%s'?", near);
        return false;
    }
    return true;
}

static const char *text_at(const mr_value *map, const char *key)
{
    const mr_value *value = mr_value_get(map, key);
    return value ? value->text : NULL;
}

static const char *file_at(const cases *it, const mr_value *map)
{
    const char *name = text_at(map, "file");
    if (!name || name[0] == '/')
        return name;
    return mr_arena_printf(it->bench->arena, "%s/%s", it->dir, name);
}

/* The bytes of 'text', times 'repeat', in a file. */
static const char *text_file(const cases *it, const mr_value *map)
{
    const char *text = text_at(map, "text");
    const mr_value *repeat = mr_value_get(map, "repeat");
    const size_t len = strlen(text);
    size_t times = 1;
    if (repeat && (repeat->type != MR_VALUE_INT || repeat->integer < 1 || repeat->integer > REPEAT_MAX / (int64_t)(len ? len : 1))) {
        mr_error(it->diags, "case", repeat->span, "'repeat' takes a number from 1 on that keeps the text below 64 MiB");
        return NULL;
    }
    times = repeat ? (size_t)repeat->integer : 1;
    mr_autofree char *bytes = malloc(len * times + 1);
    for (size_t i = 0; bytes && i < times; i++)
        memcpy(bytes + i * len, text, len);
    return bytes ? mr_bench_file(it->bench, bytes, len * times) : NULL;
}

/* ---- what goes in ---- */

static uint32_t type_of(const mr_port *port, const mr_value *map)
{
    const uint32_t named = text_at(map, "type") ? mr_type_parse(text_at(map, "type")) : 0;
    if (named)
        return named;
    if (text_at(map, "text") && (port->types & MR_TYPE_TEXT))
        return MR_TYPE_TEXT;
    return port->types & (~port->types + 1);
}

static bool read_item(const cases *it, const mr_port *port, const mr_value *map, mr_kit_inputs *inputs)
{
    static const char *const keys[] = {"text", "repeat", "file", "meta", "type", NULL};
    const size_t before = mr_diags_errors(it->diags);
    const mr_value *meta = NULL;
    mr_kit_item item = {0};
    if (!check_keys(it, map, "an input", keys))
        return false;
    item.type = type_of(port, map);
    meta = mr_value_get(map, "meta");
    if (meta) {
        mr_autojson json_t *value = mr_value_to_json(meta);
        item.meta = mr_bench_json(it->bench, value);
    }
    if (text_at(map, "text"))
        item.content = text_file(it, map);
    else if (text_at(map, "file"))
        item.content = file_at(it, map);
    if ((meta && !item.meta) || (text_at(map, "text") && !item.content) || inputs->count == MR_KIT_GIVEN_MAX) {
        if (mr_diags_errors(it->diags) == before)
            mr_error(it->diags, "case", map->span, "the input can't be made");
        return false;
    }
    inputs->list[inputs->count++] = (mr_kit_given){.port = port->name, .item = item};
    return true;
}

static bool read_inputs(const cases *it, const mr_op *op, const mr_value *in, mr_kit_inputs *inputs)
{
    for (size_t i = 0; in && in->type == MR_VALUE_MAP && i < in->map.count; i++) {
        const mr_entry *entry = &in->map.entries[i];
        const int port = op->inputs ? mr_port_find(op->inputs, entry->key) : -1;
        if (port < 0) {
            mr_error(it->diags, "case", entry->key_span, "op '%s' has no input port '%s'", op->name, entry->key);
            return false;
        }
        const bool list = entry->value->type == MR_VALUE_LIST;
        for (size_t k = 0; k < (list ? entry->value->list.count : 1); k++) {
            if (!read_item(it, &op->inputs[port], list ? entry->value->list.items[k] : entry->value, inputs))
                return false;
        }
    }
    return true;
}

/* ---- what comes out ---- */

static bool same_content(const cases *it, const mr_value *want, const json_t *got, char *buf, size_t size)
{
    const char *text = text_at(want, "text");
    const char *path = text ? text_file(it, want) : file_at(it, want);
    const char *digest = json_string_value(json_object_get(got, "digest"));
    mr_autofree char *bytes = NULL;
    char wanted[MR_DIGEST_TEXT];
    size_t len = 0;
    if (!path || mr_file_read(path, FILE_MAX, &bytes, &len, it->diags) != MR_OK) {
        snprintf(buf, size, "the content to compare with can't be read");
        return false;
    }
    mr_digest(bytes, len, wanted);
    if (digest && strcmp(digest, wanted) == 0)
        return true;
    snprintf(buf, size, "its content has %lld bytes with the digest %.24s…, not the %zu bytes expected",
             (long long)json_integer_value(json_object_get(got, "size")), digest ? digest : "", len);
    return false;
}

static bool same_item(const cases *it, const mr_value *want, const json_t *got, char *buf, size_t size)
{
    static const char *const keys[] = {"meta", "text", "repeat", "file", "size", NULL};
    const mr_value *meta = NULL;
    const mr_value *bytes = NULL;
    if (!check_keys(it, want, "an expected artifact", keys))
        return false;
    meta = mr_value_get(want, "meta");
    bytes = mr_value_get(want, "size");
    mr_autojson json_t *wanted = meta ? mr_value_to_json(meta) : NULL;
    if (meta && !json_equal(wanted, json_object_get(got, "meta"))) {
        mr_autofree char *is = mr_json_text(json_object_get(got, "meta"));
        mr_autofree char *should = mr_json_text(wanted);
        snprintf(buf, size, "its metadata is %.300s, not %.300s", is ? is : "", should ? should : "");
        return false;
    }
    if (bytes && bytes->integer != json_integer_value(json_object_get(got, "size"))) {
        snprintf(buf, size, "its content has %lld bytes, not %s", (long long)json_integer_value(json_object_get(got, "size")), bytes->text);
        return false;
    }
    return (!text_at(want, "text") && !text_at(want, "file")) || same_content(it, want, got, buf, size);
}

/* The k-th artifact of a port; NULL: there are fewer. */
static const json_t *output_of(const json_t *outputs, const char *port, size_t k)
{
    size_t i;
    const json_t *one;
    json_array_foreach(outputs, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "port")), port) == 0 && k-- == 0)
            return one;
    }
    return NULL;
}

static bool same_outputs(const cases *it, const mr_op *op, const mr_value *out, const json_t *outputs, char *buf, size_t size)
{
    for (size_t i = 0; out && out->type == MR_VALUE_MAP && i < out->map.count; i++) {
        const mr_entry *entry = &out->map.entries[i];
        const bool list = entry->value->type == MR_VALUE_LIST;
        const size_t wanted = list ? entry->value->list.count : 1;
        size_t count = 0;
        char why[900];
        if (!op->outputs || mr_port_find(op->outputs, entry->key) < 0) {
            mr_error(it->diags, "case", entry->key_span, "op '%s' has no output port '%s'", op->name, entry->key);
            return false;
        }
        while (output_of(outputs, entry->key, count))
            count++;
        if (count != wanted) {
            snprintf(buf, size, "port '%s' gave %zu artifacts, not %zu", entry->key, count, wanted);
            return false;
        }
        for (size_t k = 0; k < wanted; k++) {
            if (same_item(it, list ? entry->value->list.items[k] : entry->value, output_of(outputs, entry->key, k), why, sizeof(why)))
                continue;
            snprintf(buf, size, "port '%s', artifact %zu: %s", entry->key, k, why);
            return false;
        }
    }
    return true;
}

/* ---- a case ---- */

static void judge(const cases *it, const mr_op *op, const mr_value *map, const char *name, const mr_trial_end *end)
{
    char words[1600] = "";
    const char *fails = text_at(map, "fails");
    const size_t before = mr_diags_errors(it->diags);
    bool good = false;
    if (end->bad_trial || end->lost || (end->status != MR_OK) != (fails != NULL))
        mr_trial_words(end, words, sizeof(words));
    else if (fails && !strstr(end->message, fails))
        snprintf(words, sizeof(words), "said '%.400s', not '%.400s'", end->message, fails);
    else
        good = fails || same_outputs(it, op, mr_value_get(map, "out"), end->outputs, words, sizeof(words));
    if (mr_diags_errors(it->diags) == before)
        mr_kit_say(it->report, op->name, "case", good ? MR_KIT_PASSED : MR_KIT_FAILED, NULL, "%s%s%s", name, good ? "" : ": ", good ? "" : words);
}

static const mr_op *find_op(const cases *it, const mr_value *map, const char *only)
{
    const mr_value *named = mr_value_get(map, "op");
    const mr_op_entry *entry = named && named->text ? mr_op_set_find(mr_plugins_ops(it->bench->plugins), named->text) : NULL;
    if (!entry) {
        mr_error(it->diags, "case", named ? named->span : map->span, "the plugin has no op '%s'", named && named->text ? named->text : "");
        return NULL;
    }
    return only && strcmp(only, entry->op->name) != 0 ? NULL : entry->op;
}

static void run_case(const cases *it, const mr_value *map, size_t number, const char *only)
{
    static const char *const keys[] = {"name", "op", "in", "with", "out", "fails", NULL};
    const char *name = NULL;
    mr_kit_inputs inputs = {.count = 0};
    mr_trial_end end;
    if (!check_keys(it, map, "a case", keys))
        return;
    const mr_op *op = find_op(it, map, only);
    const mr_value *with = mr_value_get(map, "with");
    if (!op || !read_inputs(it, op, mr_value_get(map, "in"), &inputs))
        return;
    mr_autojson json_t *params = with ? mr_value_to_json(with) : NULL;
    mr_autofree char *text = params ? mr_json_text(params) : NULL;
    name = text_at(map, "name") ? text_at(map, "name") : mr_arena_printf(it->bench->arena, "number %zu, line %u", number, map->span.line);
    const mr_trial trial = {
        .op = op, .with = text, .inputs = &inputs, .output = mr_arena_printf(it->bench->arena, "%s/out-%zu", it->bench->dir, number)};
    mr_trial_run(it->bench, &trial, NULL, &end);
    judge(it, op, map, name ? name : "", &end);
    mr_trial_end_clear(&end);
}

void mr_check_cases(mr_bench *bench, mr_kit_report *report, const char *file, const char *op, mr_diags *diags)
{
    const char *slash = strrchr(file, '/');
    const mr_value *root = NULL;
    mr_autofree char *text = NULL;
    size_t len = 0;
    const cases it = {.bench = bench,
                      .report = report,
                      .file = file,
                      .dir = slash ? mr_arena_copy(bench->arena, file, (size_t)(slash - file)) : ".",
                      .diags = diags};
    if (mr_file_read(file, mr_yaml_limits_default.bytes, &text, &len, diags) != MR_OK ||
        mr_yaml_read(bench->arena, file, text, len, &mr_yaml_limits_default, diags, &root) != MR_OK)
        return;
    if (root->type != MR_VALUE_LIST || root->list.count > CASES_MAX) {
        mr_error(diags, "case", root->span, "cases are a list of at most %u maps", CASES_MAX);
        return;
    }
    for (size_t i = 0; i < root->list.count && !bench->interrupted; i++)
        run_case(&it, root->list.items[i], i + 1, op);
}
