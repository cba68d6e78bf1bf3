/* SPDX-License-Identifier: MIT */
/*
 * From a description (ops_describe.c) to the tables of a plugin. The description comes out of a process that ran someone's script, so nothing in it
 * is believed: kinds, counts and lengths are checked here, what tables may say by mr_plugin_check() and mr_params_check_table().
 */
#include "scripting/ops_internal.h"

#include "config/params.h"
#include "scripting/filters.h"

#include <stdlib.h>
#include <string.h>

#define PORTS_MAX   32u
#define PARAMS_MAX  128u
#define CHOICES_MAX 256u
#define DEPTH_MAX   8u
#define TEXT_MAX    20000u      /* bytes of a help text */
#define SLOT        16u         /* bytes of a param in its struct: enough for any type, and aligned for it */
#define WHOLE_MAX   (16u << 20) /* bytes of mr_ops_script.text */

typedef struct builder {
    mr_arena *arena;
    mr_diags *diags;
    const mr_bundle *bundle;
    const mr_ops_script *script;
    const mr_script_limits *limits;
    mr_span span;     /* of the op or filter */
    const char *what; /* "op 'captions.shift'" */
    bool failed;
    bool nomem;
} builder;

/* ---- values of known kind ---- */

static void wrong(builder *in, const char *owner, const char *field, const char *expected)
{
    mr_error(in->diags, "script-op", in->span, "%s: '%s'%s%s takes %s", in->what, field, owner[0] ? " of " : "", owner, expected);
    in->failed = true;
}

static const char *keep(builder *in, const char *text)
{
    const char *kept = mr_arena_copy(in->arena, text, strlen(text));
    in->nomem = in->nomem || !kept;
    return kept;
}

static const char *get_text(builder *in, const json_t *map, const char *owner, const char *field, const char *otherwise)
{
    const json_t *value = json_object_get(map, field);
    if (!value || json_is_null(value))
        return otherwise;
    if (json_is_string(value) && json_string_length(value) <= TEXT_MAX && strlen(json_string_value(value)) == json_string_length(value))
        return keep(in, json_string_value(value));
    wrong(in, owner, field, "a text");
    return otherwise;
}

static bool get_bool(builder *in, const json_t *map, const char *owner, const char *field)
{
    const json_t *value = json_object_get(map, field);
    if (value && !json_is_null(value) && !json_is_boolean(value))
        wrong(in, owner, field, "true or false");
    return json_is_true(value);
}

static uint32_t get_count(builder *in, const json_t *map, const char *field, uint32_t least, uint32_t most, uint32_t otherwise)
{
    char expected[64];
    const json_t *value = json_object_get(map, field);
    if (!value || json_is_null(value))
        return otherwise;
    if (json_is_integer(value) && json_integer_value(value) >= least && json_integer_value(value) <= most)
        return (uint32_t)json_integer_value(value);
    snprintf(expected, sizeof(expected), "a whole number from %u to %u", least, most);
    wrong(in, "", field, expected);
    return otherwise;
}

/* A value as it would be written in a pipeline: a text as it is, all else as JSON, which is YAML too. NULL: there is none. */
static const char *get_written(builder *in, const json_t *map, const char *field)
{
    const json_t *value = json_object_get(map, field);
    if (!value || json_is_null(value))
        return NULL;
    if (json_is_string(value))
        return strlen(json_string_value(value)) <= TEXT_MAX ? keep(in, json_string_value(value)) : NULL;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    const char *kept = text ? keep(in, text) : NULL;
    free(text);
    return kept;
}

/*
 * Walks {name = {…}, …}, or [{name = …, …}, …] where their order is the author's. *at: 0 at first. False: there are no more.
 */
static bool next_entry(builder *in, const json_t *entries, size_t *at, const char **ret_name, const json_t **ret_entry)
{
    if (json_is_array(entries)) {
        *ret_entry = json_array_get(entries, *at);
        *ret_name = *ret_entry ? get_text(in, *ret_entry, "an entry", "name", "") : NULL;
    } else {
        void *place = json_object_iter((json_t *)entries);
        for (size_t i = 0; place && i < *at; i++)
            place = json_object_iter_next((json_t *)entries, place);
        *ret_entry = place ? json_object_iter_value(place) : NULL;
        *ret_name = place ? keep(in, json_object_iter_key(place)) : NULL;
    }
    (*at)++;
    return *ret_entry && *ret_name;
}

/* How many there are; too many, or another kind, are none. */
static size_t count_entries(builder *in, const json_t *map, const char *field, size_t most)
{
    char expected[96];
    const json_t *entries = json_object_get(map, field);
    const size_t count = json_is_array(entries) ? json_array_size(entries) : json_object_size(entries);
    if (!entries || json_is_null(entries))
        return 0;
    if (count <= most && (json_is_array(entries) || json_is_object(entries)))
        return count;
    snprintf(expected, sizeof(expected), "a table of at most %zu entries, each a table", most);
    wrong(in, "", field, expected);
    return 0;
}

/* ---- ports ---- */

static const struct type_word {
    const char *word;
    uint32_t type;
} type_words[] = {
    {"media", MR_TYPE_MEDIA}, {"chunk", MR_TYPE_CHUNK}, {"segment", MR_TYPE_SEGMENT}, {"image", MR_TYPE_IMAGE},
    {"text", MR_TYPE_TEXT},   {"json", MR_TYPE_JSON},   {"file", MR_TYPE_FILE},       {"any", MR_TYPE_ANY},
};
#define TYPE_WORDS (sizeof(type_words) / sizeof(type_words[0]))

static uint32_t type_of(builder *in, const char *owner, const char *word)
{
    const char *words[TYPE_WORDS];
    for (size_t i = 0; i < TYPE_WORDS; i++) {
        words[i] = type_words[i].word;
        if (strcmp(words[i], word) == 0)
            return type_words[i].type;
    }
    const char *near = mr_nearest(word, words, TYPE_WORDS);
    mr_error(in->diags, "script-op", in->span, "%s: %s has the unknown type '%.64s'", in->what, owner, word);
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else
        mr_hint(in->diags, "one of: media, chunk, segment, image, text, json, file, any");
    in->failed = true;
    return 0;
}

/* "text", or {"segment", "image"} for several. */
static uint32_t get_types(builder *in, const json_t *map, const char *owner)
{
    size_t i;
    const json_t *one;
    uint32_t types = 0;
    const json_t *value = json_object_get(map, "type");
    if (json_is_string(value))
        return type_of(in, owner, json_string_value(value));
    json_array_foreach(value, i, one)
    {
        types |= json_is_string(one) && i < TYPE_WORDS ? type_of(in, owner, json_string_value(one)) : 0;
    }
    if (types == 0)
        wrong(in, owner, "type", "a type, as in type = \"text\"");
    return types;
}

static const mr_port *build_ports(builder *in, const json_t *op, const char *field, const char *kind)
{
    const size_t count = count_entries(in, op, field, PORTS_MAX);
    const json_t *entries = json_object_get(op, field);
    const json_t *entry = NULL;
    const char *name = NULL;
    size_t at = 0;
    mr_port *ports = mr_arena_take_array(in->arena, count + 1, sizeof(*ports));
    in->nomem = in->nomem || !ports;
    for (size_t i = 0; i < count && ports && next_entry(in, entries, &at, &name, &entry); i++) {
        const char *owner = mr_arena_printf(in->arena, "%s '%.64s'", kind, name);
        if (!owner)
            break;
        ports[i] = (mr_port){.name = name[0] ? name : "?", .types = get_types(in, entry, owner), .help = get_text(in, entry, owner, "help", "")};
        ports[i].flags |= get_bool(in, entry, owner, "many") ? MR_PORT_MANY : 0;
        ports[i].flags |= get_bool(in, entry, owner, "optional") ? MR_PORT_OPTIONAL : 0;
        ports[i].flags |= get_bool(in, entry, owner, "streaming") ? MR_PORT_STREAMING | MR_PORT_MANY : 0;
        if (!ports[i].help[0])
            wrong(in, owner, "help", "a sentence that says what it is for");
    }
    return ports;
}

/* ---- params ---- */

static const char *const kind_words[] = {
    [MR_PARAM_TYPE_BOOL] = "bool",     [MR_PARAM_TYPE_INT] = "int",           [MR_PARAM_TYPE_NUMBER] = "number",   [MR_PARAM_TYPE_TEXT] = "text",
    [MR_PARAM_TYPE_CHOICE] = "choice", [MR_PARAM_TYPE_DURATION] = "duration", [MR_PARAM_TYPE_BITRATE] = "bitrate", [MR_PARAM_TYPE_SIZE] = "size",
    [MR_PARAM_TYPE_RATIO] = "ratio",   [MR_PARAM_TYPE_URL] = "url",           [MR_PARAM_TYPE_LIST] = "list",       [MR_PARAM_TYPE_JSON] = "json",
};
#define KIND_WORDS (sizeof(kind_words) / sizeof(kind_words[0]))

static uint32_t get_kind(builder *in, const json_t *map, const char *owner, const char *field)
{
    const char *word = get_text(in, map, owner, field, "");
    for (uint32_t i = 1; i < KIND_WORDS; i++)
        if (strcmp(kind_words[i], word) == 0)
            return i;
    const char *near = mr_nearest(word, kind_words + 1, KIND_WORDS - 1);
    mr_error(in->diags, "script-op", in->span, "%s: %s has %s%.64s%s", in->what, owner, word[0] ? "the unknown type '" : "no ",
             word[0] ? word : field, word[0] ? "'" : "");
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else
        mr_hint(in->diags, "one of: bool, int, number, text, choice, duration, bitrate, size, ratio, url, list, json");
    in->failed = true;
    return MR_PARAM_TYPE_JSON;
}

static const char *const *get_choices(builder *in, const json_t *map, const char *owner)
{
    const json_t *value = json_object_get(map, "choices");
    const size_t count = json_array_size(value);
    if (!value || json_is_null(value))
        return NULL;
    const char **words = count <= CHOICES_MAX ? mr_arena_take_array(in->arena, count + 1, sizeof(*words)) : NULL;
    for (size_t i = 0; i < count && words; i++) {
        const char *word = json_string_value(json_array_get(value, i));
        words[i] = word && strlen(word) <= TEXT_MAX ? keep(in, word) : NULL;
        if (!words[i])
            words = NULL;
    }
    if (!words)
        wrong(in, owner, "choices", "a list of words");
    return words;
}

static const mr_param *build_params(builder *in, const json_t *owner_map, const char *field, unsigned depth, size_t *ret_size);

static void build_items(builder *in, const json_t *entry, const char *owner, mr_param *param, unsigned depth)
{
    if (json_object_get(entry, "fields") && depth < DEPTH_MAX)
        param->fields = build_params(in, entry, "fields", depth + 1, &param->item_size);
    else
        param->item_type = get_kind(in, entry, owner, "items");
}

static mr_param build_param(builder *in, const char *name, const json_t *entry, size_t index, unsigned depth)
{
    mr_param param = {.name = name, .offset = index * SLOT};
    const char *owner = mr_arena_printf(in->arena, "param '%.64s'", name);
    if (!owner) {
        in->nomem = true;
        return param;
    }
    param.type = get_kind(in, entry, owner, "type");
    param.help = get_text(in, entry, owner, "help", "");
    param.standard = get_written(in, entry, "default");
    param.min = get_written(in, entry, "min");
    param.max = get_written(in, entry, "max");
    param.choices = get_choices(in, entry, owner);
    param.flags |= get_bool(in, entry, owner, "required") ? MR_PARAM_REQUIRED : 0;
    param.flags |= get_bool(in, entry, owner, "secret") ? MR_PARAM_SECRET : 0;
    param.flags |= get_bool(in, entry, owner, "silent") ? MR_PARAM_SILENT : 0;
    if (param.type == MR_PARAM_TYPE_LIST)
        build_items(in, entry, owner, &param, depth);
    return param;
}

static const mr_param *build_params(builder *in, const json_t *owner_map, const char *field, unsigned depth, size_t *ret_size)
{
    const size_t count = count_entries(in, owner_map, field, PARAMS_MAX);
    const json_t *entries = json_object_get(owner_map, field);
    const json_t *entry = NULL;
    const char *name = NULL;
    size_t at = 0;
    mr_param *params = mr_arena_take_array(in->arena, count + 1, sizeof(*params));
    in->nomem = in->nomem || !params;
    for (size_t i = 0; i < count && params && next_entry(in, entries, &at, &name, &entry); i++)
        params[i] = build_param(in, name[0] ? name : "?", entry, i, depth);
    *ret_size = (count > 0 ? count : 1) * SLOT;
    return params;
}

/* ---- ops and filters ---- */

/* The line of the script that called millrace.op or millrace.filter, if it is one of its files. */
static mr_span call_span(const builder *in, const json_t *description)
{
    const char *file = json_string_value(json_object_get(description, "file"));
    const json_int_t line = json_integer_value(json_object_get(description, "line"));
    for (size_t i = 0; file && i < in->bundle->count; i++)
        if (strcmp(in->bundle->files[i].path, file) == 0 && line > 0 && line < (json_int_t)in->bundle->files[i].len + 2)
            return (mr_span){.file = in->bundle->files[i].path, .line = (uint32_t)line, .col = 1, .len = 1};
    return (mr_span){.file = in->bundle->path, .line = 1, .col = 1, .len = 1};
}

/* The first line of help is the summary; what follows after a line break are paragraphs. */
static void get_help(builder *in, const json_t *map, const char **ret_summary, const char **ret_help)
{
    const char *help = get_text(in, map, "", "help", "");
    const size_t len = strcspn(help, "\n");
    const char *rest = help + len + strspn(help + len, "\n");
    *ret_summary = mr_arena_copy(in->arena, help, len);
    *ret_help = rest[0] ? rest : NULL;
    in->nomem = in->nomem || !*ret_summary;
    if (!help[0])
        wrong(in, "", "help", "a sentence that says what it does");
}

/* What is reported from here on is about it. Its name. */
static const char *begin_one(builder *in, const json_t *description, const char *kind)
{
    in->span = call_span(in, description);
    in->what = kind;
    const char *name = get_text(in, description, "", "name", "");
    in->what = mr_arena_printf(in->arena, "%s '%.128s'", kind, name);
    in->nomem = in->nomem || !in->what;
    return name;
}

static uint32_t get_memory(builder *in, const json_t *op)
{
    struct {
        int64_t memory;
    } given = {0};
    const mr_param table[] = {{.name = "memory", .type = MR_PARAM_TYPE_SIZE, .min = "1MiB", .max = "64GiB", .standard = "64MiB"}, MR_PARAM_END};
    const char *text = get_written(in, op, "memory");
    const mr_value *value = text ? mr_value_scalar(in->arena, text, in->span) : NULL;
    const mr_entry entry = {.key = "memory", .key_span = in->span, .value = value};
    const mr_value map = {.type = MR_VALUE_MAP, .span = in->span, .map = {.entries = &entry, .count = value ? 1 : 0}};
    mr_status status = mr_params_bind(table, &map, in->what, in->span, in->arena, &given, sizeof(given), NULL, in->diags);
    in->nomem = in->nomem || status == MR_ERR_NOMEM || (text && !value);
    in->failed = in->failed || status != MR_OK;
    return (uint32_t)(given.memory >> 20);
}

/* What an op in Lua gives depends on it. */
static const char *lua_release(void)
{
    return LUA_RELEASE;
}

static const mr_op *build_op(builder *in, const json_t *description)
{
    mr_script_op *op = mr_arena_take(in->arena, sizeof(*op));
    in->nomem = in->nomem || !op;
    const char *name = begin_one(in, description, "op");
    if (in->nomem)
        return NULL;
    *op = (mr_script_op){.script = in->script, .limits = *in->limits, .span = in->span};
    op->pub = (mr_op){.size = sizeof(mr_op), .name = name, .run = mr_ops_run, .toolchain = lua_release};
    get_help(in, description, &op->pub.summary, &op->pub.help);
    op->pub.version = get_count(in, description, "version", 1, 1000000000, 1);
    op->pub.cpu = get_count(in, description, "cpu", 0, 64, 1);
    op->pub.memory_mb = get_memory(in, description);
    op->pub.inputs = build_ports(in, description, "inputs", "input");
    op->pub.outputs = build_ports(in, description, "outputs", "output");
    op->pub.params = build_params(in, description, "params", 0, &op->pub.params_size);
    return &op->pub;
}

/* {"drawtext.text", …}; what they may be, mr_plugin_check() knows. */
static const char *const *get_settings(builder *in, const json_t *map)
{
    const json_t *value = json_object_get(map, "settings");
    const size_t count = json_array_size(value);
    const char **words = mr_arena_take_array(in->arena, count + 1, sizeof(*words));
    bool good = words && count > 0 && count <= CHOICES_MAX;
    for (size_t i = 0; i < count && good; i++) {
        const char *word = json_string_value(json_array_get(value, i));
        words[i] = word && strlen(word) <= TEXT_MAX ? keep(in, word) : NULL;
        good = words[i] != NULL;
    }
    if (!good)
        wrong(in, "", "settings", "a list of what is set for each frame, as in settings = {\"drawtext.text\"}");
    return words;
}

static const mr_frame_filter *build_filter(builder *in, const json_t *description)
{
    mr_script_filter *filter = mr_arena_take(in->arena, sizeof(*filter));
    in->nomem = in->nomem || !filter;
    const char *name = begin_one(in, description, "filter");
    if (in->nomem)
        return NULL;
    *filter = (mr_script_filter){.script = in->script, .limits = *in->limits, .span = in->span, .push_params = mr_ops_push_params};
    filter->pub = (mr_frame_filter){.name = name, .toolchain = lua_release};
    get_help(in, description, &filter->pub.summary, &filter->pub.help);
    filter->pub.version = get_count(in, description, "version", 1, 1000000000, 1);
    filter->pub.params = build_params(in, description, "params", 0, &filter->pub.params_size);
    filter->pub.settings = get_settings(in, description);
    mr_script_filter_init(filter);
    return &filter->pub;
}

/* ---- a plugin ---- */

/* "captions" of "captions.shift", which all that a file offers shares. */
static void share_name(builder *in, const char **name, const char *kind, const char *own, mr_span span)
{
    const size_t len = strcspn(own, ".");
    if (!*name) {
        *name = mr_arena_copy(in->arena, own, len);
        in->nomem = in->nomem || !*name;
    } else if (strlen(*name) != len || strncmp(own, *name, len) != 0) {
        mr_error(in->diags, "script-op", span, "%s '%s' and '%s.…' are in one file: what a file offers shares what stands before the dot", kind, own,
                 *name);
        mr_hint(in->diags, "name it '%s.…', or move it to a file of its own", *name);
        in->failed = true;
    }
}

static const char *common_name(builder *in, const mr_op *const *ops, const mr_frame_filter *const *filters)
{
    const char *name = NULL;
    for (size_t i = 0; ops[i]; i++)
        share_name(in, &name, "op", ops[i]->name, mr_ops_span(ops[i]));
    for (size_t i = 0; filters[i]; i++)
        share_name(in, &name, "filter", filters[i]->name, mr_filter_span(filters[i]));
    return name;
}

static mr_status offers_nothing(const mr_bundle *bundle, mr_diags *diags)
{
    mr_error(diags, "script-op", (mr_span){.file = bundle->path, .line = 1, .col = 1, .len = 1}, "the script offers no op and no filter");
    mr_hint(diags, "call millrace.op{name = …, help = …, run = function(task) … end}");
    return MR_ERR_PARAM;
}

static const char *whole_text(mr_arena *arena, const mr_bundle *bundle, const json_t *description)
{
    json_t *json = json_pack("{s:o, s:O}", "bundle", mr_bundle_json(bundle), "description", description);
    char *text = json ? mr_json_text(json) : NULL;
    const char *kept = text ? mr_arena_copy(arena, text, strlen(text)) : NULL;
    json_decref(json);
    free(text);
    return kept;
}

static const mr_ops_script *script_with(mr_arena *arena, const mr_bundle *bundle, const json_t *description)
{
    mr_ops_script *script = mr_arena_take(arena, sizeof(*script));
    if (!script)
        return NULL;
    *script = (mr_ops_script){.bundle = bundle, .text = whole_text(arena, bundle, description)};
    return script->text ? script : NULL;
}

/* NULL: memory is short, which in says. */
static mr_plugin *build_plugin(builder *in, const json_t *listed_ops, const json_t *listed_filters)
{
    const size_t op_count = json_array_size(listed_ops);
    const size_t filter_count = json_array_size(listed_filters);
    const mr_op **ops = mr_arena_take_array(in->arena, op_count + 1, sizeof(*ops));
    const mr_frame_filter **filters = mr_arena_take_array(in->arena, filter_count + 1, sizeof(*filters));
    mr_plugin *plugin = mr_arena_take(in->arena, sizeof(*plugin));
    in->nomem = in->nomem || !ops || !filters || !plugin;
    for (size_t i = 0; i < op_count && !in->nomem; i++)
        ops[i] = build_op(in, json_array_get(listed_ops, i));
    for (size_t i = 0; i < filter_count && !in->nomem; i++)
        filters[i] = build_filter(in, json_array_get(listed_filters, i));
    const char *name = in->nomem ? NULL : common_name(in, ops, filters);
    if (in->nomem)
        return NULL;
    *plugin = (mr_plugin){.size = sizeof(mr_plugin),
                          .abi_major = MR_ABI_MAJOR,
                          .abi_minor = MR_ABI_MINOR,
                          .name = name,
                          .version = in->bundle->digest,
                          .summary = filter_count == 0 ? "ops in Lua"
                                     : op_count == 0   ? "filters in Lua"
                                                       : "ops and filters in Lua",
                          .ops = ops,
                          .filters = filters};
    return plugin;
}

mr_status mr_ops_build(mr_arena *arena, const mr_bundle *bundle, const json_t *description, const mr_script_limits *limits, mr_diags *diags,
                       const mr_plugin **ret_plugin)
{
    builder in = {.arena = arena, .diags = diags, .bundle = bundle, .limits = limits};
    const json_t *ops = json_object_get(description, "ops");
    const json_t *filters = json_object_get(description, "filters");
    *ret_plugin = NULL;
    if (json_array_size(ops) + json_array_size(filters) == 0 || json_array_size(ops) > MR_OPS_MAX || json_array_size(filters) > MR_OPS_MAX)
        return offers_nothing(bundle, diags);
    in.script = script_with(arena, bundle, description);
    in.nomem = !in.script;
    const mr_plugin *plugin = build_plugin(&in, ops, filters);
    if (in.nomem)
        return MR_ERR_NOMEM;
    if (in.failed)
        return MR_ERR_PARAM;
    *ret_plugin = plugin;
    return MR_OK;
}

mr_status mr_ops_restore(mr_arena *arena, const char *text, const mr_script_limits *limits, mr_diags *diags, const mr_plugin **ret_plugin)
{
    const mr_bundle *bundle = NULL;
    mr_autojson json_t *json = mr_json_read(text, strlen(text), WHOLE_MAX, NULL);
    *ret_plugin = NULL;
    mr_status status = json ? mr_bundle_from_json(arena, json_object_get(json, "bundle"), &bundle) : MR_ERR_INPUT;
    if (status == MR_OK)
        status = mr_bundle_compile(arena, bundle);
    return status == MR_OK ? mr_ops_build(arena, bundle, json_object_get(json, "description"), limits, diags, ret_plugin) : status;
}

static const mr_script_op *script_op(const mr_op *op)
{
    return op->run == mr_ops_run ? (const mr_script_op *)(const void *)op : NULL;
}

mr_span mr_ops_span(const mr_op *op)
{
    const mr_script_op *mine = script_op(op);
    return mine ? mine->span : (mr_span){0};
}

const mr_ops_script *mr_ops_script_of(const mr_op *op)
{
    const mr_script_op *mine = script_op(op);
    return mine ? mine->script : NULL;
}

const mr_ops_script *mr_plugin_script_of(const mr_plugin *plugin)
{
    if (plugin->ops && plugin->ops[0])
        return mr_ops_script_of(plugin->ops[0]);
    return plugin->filters && plugin->filters[0] ? mr_filter_script_of(plugin->filters[0]) : NULL;
}
