/* SPDX-License-Identifier: MIT */
/*
 * Settings: the table, and reading it. The file's maps are flattened to dotted names, --set replaces single ones, and one bind against the table
 * checks all of them; so a mistake is told at its place, whichever way it was written.
 */
#include "runtime/settings.h"

#include "base/file.h"
#include "config/yaml.h"
#include <millrace/server.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (256u << 10)

static const mr_span nowhere = {0};
static const char server_prefix[] = MR_SERVICE_SERVER ".";

static const char *const sandbox_modes[] = {"auto", "require", "off", NULL};
static const char *const networks[] = {"auto", "any", "public", NULL};
static const char *const hook_errors[] = {"ignore", "fatal", NULL};

#define SETTING(dotted, kind, at, ...)                                                                                                               \
    {                                                                                                                                                \
        .name = dotted, .type = MR_PARAM_TYPE_##kind, .offset = at, __VA_ARGS__                                                                      \
    }
#define AT(field) MR_PARAM_OFFSET(mr_settings, field, int64_t)

const mr_param mr_setting_table[] = {
    MR_CHOICE(mr_settings, sandbox, .choices = sandbox_modes, .standard = "auto",
              .help = "where ops run that parse untrusted bytes: auto: in task hosts, locked down as far as the kernel can; require: the same, and "
                      "nothing starts where the kernel lacks a part; off: inside the engine"),
    MR_CHOICE(mr_settings, network, .choices = networks, .standard = "auto",
              .help = "what ops that take URLs may reach: any: what their params allow; public: only public addresses, and no files, since URLs come "
                      "from strangers; auto: public in a server, else any"),
    SETTING("host.memory", SIZE, AT(host_memory), .standard = "4GiB", .min = "256MiB", .max = "1TiB",
            .help = "address space of a task host; a task that needs more fails, and nothing else does"),
    SETTING("host.cpu", DURATION, AT(host_cpu), .standard = "4h", .min = "1s", .max = "1000h",
            .help = "processor time that a task host may use over its life"),
    SETTING("host.file_size", SIZE, AT(host_file_size), .standard = "64GiB", .min = "1MiB", .max = "16TiB",
            .help = "size of one content, or of one file in a task's scratch folder"),
    SETTING("host.open_files", INT, AT(host_open_files), .standard = "256", .min = "32", .max = "65536",
            .help = "descriptors that a task host may have open"),
    SETTING("host.nice", INT, AT(host_nice), .standard = "10", .min = "0", .max = "19",
            .help = "by how much task hosts yield to other processes, to the server that starts them above all, as with nice(1)"),
    SETTING("host.tasks", INT, AT(host_tasks), .standard = "64", .min = "1", .max = "1000000", .help = "tasks after which a host is replaced"),
    SETTING("host.growth", SIZE, AT(host_growth), .standard = "1GiB", .min = "16MiB", .max = "1TiB",
            .help = "resident memory after a task above which a host is replaced"),
    SETTING("host.hang", DURATION, AT(host_hang), .standard = "2m", .min = "1s", .max = "24h",
            .help = "time without progress after which a task counts as hung and its host is killed"),
    SETTING("host.strikes", INT, AT(host_strikes), .standard = "3", .min = "1", .max = "100",
            .help = "how often a task may kill its host before its input is set aside as a poison pill"),
    SETTING("limits.picture_pixels", INT, AT(limits.picture_pixels), .standard = "67108864", .min = "1", .max = "268435456",
            .help = "pixels of one picture, width times height as coded; the default is 8192x8192"),
    SETTING("limits.picture_side", INT, AT(limits.picture_side), .standard = "16384", .min = "1", .max = "32768",
            .help = "width and height of a picture, each, in pixels"),
    SETTING("limits.frame_rate", INT, AT(limits.frame_rate), .standard = "480", .min = "1", .max = "1000", .help = "pictures within a second"),
    SETTING("limits.packets", INT, AT(limits.packets), .standard = "33554432", .min = "1", .max = "268435456",
            .help = "pictures, pieces of sound and subtitles of an input, altogether; the default is enough for two days at 60 pictures a second "
                    "and two tracks of sound"),
    SETTING("limits.duration", DURATION, AT(limits.duration), .standard = "48h", .min = "1s", .max = "168h", .help = "how long an input may last"),
    SETTING("limits.streams", INT, AT(limits.streams), .standard = "128", .min = "1", .max = "1000",
            .help = "streams of an input: pictures, sound, subtitles, data and attachments"),
    SETTING("limits.sample_rate", INT, AT(limits.sample_rate), .standard = "384000", .min = "8000", .max = "6144000",
            .help = "samples per second of a track of sound"),
    SETTING("limits.channels", INT, AT(limits.channels), .standard = "64", .min = "1", .max = "64", .help = "channels of a track of sound"),
    SETTING("limits.chapters", INT, AT(limits.chapters), .standard = "10000", .min = "1", .max = "1000000", .help = "chapters of an input"),
    SETTING("limits.cues", INT, AT(limits.cues), .standard = "50000", .min = "1", .max = "1000000",
            .help = "subtitles that are taken of one track; the rest is left out, with a warning"),
    SETTING("limits.metadata_bytes", SIZE, AT(limits.metadata_bytes), .standard = "64MiB", .min = "64KiB", .max = "1GiB",
            .help = "tags, attached pictures and fonts, and codec headers of an input, altogether"),
    SETTING("limits.probe_bytes", SIZE, AT(limits.probe_bytes), .standard = "16MiB", .min = "64KiB", .max = "1GiB",
            .help = "what is read of an input to find its streams"),
    SETTING("limits.probe_time", DURATION, AT(limits.probe_time), .standard = "15s", .min = "1s", .max = "10m",
            .help = "media time that is looked at to find the streams of an input"),
    SETTING("limits.decoded_ratio", INT, AT(limits.decoded_ratio), .standard = "1000000", .min = "1", .max = "1000000000",
            .help =
                "bytes of decoded pictures and sound per byte of input: tells a tiny file that decodes to terabytes from one that is merely still"),
    SETTING("limits.decoded_floor", SIZE, AT(limits.decoded_floor), .standard = "64GiB", .min = "1MiB", .max = "1000TiB",
            .help = "decoded bytes that any input may have, however small it is, before limits.decoded_ratio is asked"),
    SETTING("scripts.memory", SIZE, AT(scripts_memory), .standard = "64MiB", .min = "1MiB", .max = "4GiB",
            .help = "memory of a script in Lua: of a task, or of the file of hooks"),
    SETTING("scripts.time", DURATION, AT(scripts_time), .standard = "1m", .min = "10ms", .max = "24h",
            .help = "processor time that a task in Lua may use"),
    SETTING("hooks.file", TEXT, MR_PARAM_OFFSET(mr_settings, hooks_file, const char *), .standard = "", .max = "4096",
            .help = "a file in Lua that is told how runs go, and may veto or change them; a relative path is taken from the folder of the file of "
                    "settings; empty: none"),
    SETTING("hooks.on_error", CHOICE, MR_PARAM_OFFSET(mr_settings, hooks_on_error, int32_t), .choices = hook_errors, .standard = "fatal",
            .help = "what a hook that fails or takes too long does to the run: ignore: a warning; fatal: the run fails"),
    SETTING("hooks.timeout", DURATION, AT(hooks_timeout), .standard = "2s", .min = "10ms", .max = "10m",
            .help = "how long one hook may take before its process is killed"),
    MR_PARAM_END,
};

const mr_setting_group mr_setting_groups[] = {
    {"", "where ops run"},
    {"host", "task hosts: the processes in which ops run that parse untrusted bytes"},
    {"limits", "what media may ask for: an input that asks for more is refused with a sentence that names the setting"},
    {"scripts", "scripts in Lua: what each may take"},
    {"hooks", "hooks: what is called when a run starts, goes on and ends"},
    {NULL, NULL},
};

static const mr_setting_group *find_group(const char *name)
{
    for (const mr_setting_group *group = mr_setting_groups + 1; group->name; group++)
        if (strcmp(group->name, name) == 0)
            return group;
    return NULL;
}

void mr_setting_group_rows(const mr_setting_group *group, mr_param ret_rows[MR_SETTINGS_MAX])
{
    size_t count = 0;
    size_t len = strlen(group->name);
    for (const mr_param *row = mr_setting_table; row->name; row++) {
        const char *dot = strchr(row->name, '.');
        if (len == 0 ? dot != NULL : !dot || (size_t)(dot - row->name) != len || strncmp(row->name, group->name, len) != 0)
            continue;
        ret_rows[count] = *row;
        ret_rows[count++].name = dot ? dot + 1 : row->name;
    }
    ret_rows[count] = (mr_param)MR_PARAM_END;
}

/* --- from a file's maps to dotted names --- */

typedef struct reader {
    mr_arena *arena;
    mr_diags *diags;
    mr_loaded_settings *loaded;
    mr_status status;
} reader;

static bool find_setting(const char *name, size_t *ret_row)
{
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        if (strcmp(mr_setting_table[row].name, name) == 0) {
            *ret_row = row;
            return true;
        }
    }
    return false;
}

static void report_unknown(reader *in, const char *name, mr_span span)
{
    const char *names[MR_SETTINGS_MAX];
    size_t count = 0;
    for (; mr_setting_table[count].name; count++)
        names[count] = mr_setting_table[count].name;
    const char *near = mr_nearest(name, names, count);
    mr_error(in->diags, "unknown-setting", span, "unknown setting '%s'", name);
    /* "memory": right, but for its group. */
    for (size_t i = 0; i < count && !near; i++) {
        const char *dot = strchr(names[i], '.');
        near = dot && strcmp(dot + 1, name) == 0 ? names[i] : NULL;
    }
    if (near)
        mr_hint(in->diags, "did you mean '%s'?", near);
    else
        mr_hint(in->diags, "'millrace settings' lists them all");
    in->status = MR_ERR_PARAM;
}

static void take_entry(reader *in, const char *name, const mr_entry *entry)
{
    size_t row = 0;
    if (!name)
        in->status = MR_ERR_NOMEM;
    else if (!find_setting(name, &row))
        report_unknown(in, name, entry->key_span);
    else if (in->loaded->given[row]) {
        mr_error(in->diags, "duplicate", entry->key_span, "'%s' is set twice", name);
        in->status = MR_ERR_PARAM;
    } else if (entry->value->type != MR_VALUE_NULL)
        in->loaded->given[row] = entry->value;
}

static void take_group(reader *in, const mr_entry *group)
{
    for (size_t i = 0; i < group->value->map.count; i++) {
        const mr_entry *entry = &group->value->map.entries[i];
        take_entry(in, mr_arena_printf(in->arena, "%s.%s", group->key, entry->key), entry);
    }
}

static void take_map(reader *in, const mr_value *map)
{
    for (size_t i = 0; i < map->map.count; i++) {
        const mr_entry *entry = &map->map.entries[i];
        if (strcmp(entry->key, MR_SERVICE_SERVER) == 0 && (entry->value->type == MR_VALUE_MAP || entry->value->type == MR_VALUE_NULL)) {
            in->loaded->server = entry->value->type == MR_VALUE_MAP ? entry->value : NULL;
        } else if (!find_group(entry->key) && strcmp(entry->key, MR_SERVICE_SERVER) != 0) {
            take_entry(in, entry->key, entry);
        } else if (entry->value->type == MR_VALUE_MAP) {
            take_group(in, entry);
        } else if (entry->value->type != MR_VALUE_NULL) {
            mr_error(in->diags, "bad-type", entry->value->span, "'%s' is a group of settings, not %s", entry->key,
                     mr_value_type_name(entry->value->type));
            mr_hint(in->diags, "write its settings below it, indented");
            in->status = MR_ERR_PARAM;
        }
    }
}

static void read_file(reader *in, const char *file)
{
    mr_autofree char *text = NULL;
    size_t len = 0;
    const mr_value *root = NULL;
    mr_status status = mr_file_read(file, FILE_MAX, &text, &len, in->diags);
    if (status == MR_OK)
        status = mr_yaml_read(in->arena, file, text, len, NULL, in->diags, &root);
    else if (status != MR_ERR_NOMEM)
        status = MR_ERR_INPUT;
    if (status != MR_OK) {
        in->status = status;
        return;
    }
    in->loaded->file = mr_arena_copy(in->arena, file, strlen(file));
    if (!root || root->type == MR_VALUE_NULL)
        return; /* all of it is a comment */
    if (root->type == MR_VALUE_MAP) {
        take_map(in, root);
        return;
    }
    mr_error(in->diags, "bad-type", root->span, "settings must be a map, not %s", mr_value_type_name(root->type));
    mr_hint(in->diags, "write it as 'sandbox: auto'");
    in->status = MR_ERR_PARAM;
}

static void take_set(reader *in, const mr_set *set)
{
    size_t row = 0;
    if (strncmp(set->name, server_prefix, sizeof(server_prefix) - 1) == 0)
        return; /* is the server's to read */
    if (!find_setting(set->name, &row)) {
        report_unknown(in, set->name, nowhere);
        return;
    }
    const mr_value *value = mr_value_scalar(in->arena, set->text, nowhere);
    if (!value)
        in->status = MR_ERR_NOMEM;
    in->loaded->given[row] = value && value->type != MR_VALUE_NULL ? value : NULL; /* null: the default, whatever the file says */
}

/* One bind for all: by row, so that names with dots need no map of maps. */
static mr_status bind_all(reader *in, mr_settings *settings)
{
    mr_entry entries[MR_SETTINGS_MAX];
    size_t count = 0;
    for (size_t row = 0; mr_setting_table[row].name; row++)
        if (in->loaded->given[row])
            entries[count++] = (mr_entry){.key = mr_setting_table[row].name, .value = in->loaded->given[row]};
    const mr_value map = {.type = MR_VALUE_MAP, .map = {.entries = entries, .count = count}};
    mr_status status = mr_params_bind(mr_setting_table, &map, "settings", nowhere, in->arena, settings, sizeof(*settings), NULL, in->diags);
    settings->limits.size = sizeof(settings->limits);
    settings->limits.public_only = settings->network == MR_NETWORK_PUBLIC;
    if (settings->hooks_file && !settings->hooks_file[0])
        settings->hooks_file = NULL;
    return status;
}

mr_status mr_settings_load(mr_arena *arena, const char *file, const mr_set *set, size_t set_count, mr_diags *diags, mr_loaded_settings *ret_loaded)
{
    reader in = {.arena = arena, .diags = diags, .loaded = ret_loaded, .status = MR_OK};
    *ret_loaded = (mr_loaded_settings){.set = set, .set_count = set_count};
    if (file)
        read_file(&in, file);
    for (size_t i = 0; i < set_count; i++)
        take_set(&in, &set[i]);
    mr_status status = bind_all(&in, &ret_loaded->values);
    return in.status != MR_OK ? in.status : status;
}

/* One that is there but can't be looked at is found all the same: reading it says why, where passing it over would drop what it asks for. */
static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

const char *mr_settings_find(mr_arena *arena)
{
    const char *config = secure_getenv("XDG_CONFIG_HOME");
    const char *home = secure_getenv("HOME");
    const char *own = NULL;
    if (config && config[0] == '/')
        own = mr_arena_printf(arena, "%s/millrace/config.yaml", config);
    else if (home && home[0] == '/')
        own = mr_arena_printf(arena, "%s/.config/millrace/config.yaml", home);
    static const char everyones[] = "/etc/millrace/config.yaml";
    return own && is_there(own) ? own : is_there(everyones) ? everyones : NULL;
}

/* --- schema --- */

/* The builders take what they are given, also on failure, and pass NULL on: one check at the end is enough. */
static json_t *with(json_t *object, const char *key, json_t *take_value)
{
    if (object && take_value && json_object_set_new(object, key, take_value) == 0)
        return object;
    if (!object)
        json_decref(take_value);
    json_decref(object);
    return NULL;
}

/* A setting is known when it is read: expressions, which the params of ops may have, are taken out of what it may be. */
static void drop_expressions(json_t *schema)
{
    const char *name = NULL;
    json_t *property = NULL;
    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        json_t *alternatives = json_object_get(property, "anyOf");
        json_array_remove(alternatives, json_array_size(alternatives) - 1);
    }
}

static json_t *group_schema(const mr_setting_group *group)
{
    mr_param rows[MR_SETTINGS_MAX];
    mr_setting_group_rows(group, rows);
    json_t *schema = mr_params_schema(rows);
    drop_expressions(schema);
    return with(schema, "description", json_string(group->help));
}

char *mr_settings_schema(void)
{
    json_t *schema = group_schema(&mr_setting_groups[0]);
    json_t *properties = json_object_get(schema, "properties");
    bool good = properties != NULL;
    for (const mr_setting_group *group = mr_setting_groups + 1; group->name && good; group++)
        good = json_object_set_new(properties, group->name, group_schema(group)) == 0;
    schema = with(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    schema = with(schema, "title", json_string("Millrace settings"));
    schema = with(schema, "description", json_string("what the operator of millrace may set: config.yaml"));
    char *text = schema && good ? json_dumps(schema, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(schema);
    return text;
}

/* --- defaults --- */

static mr_settings standard;
static bool standard_is_there;

static void make_standard(void)
{
    mr_loaded_settings loaded;
    mr_arena *arena = mr_arena_new(0);
    standard_is_there = arena && mr_settings_load(arena, NULL, NULL, 0, NULL, &loaded) == MR_OK;
    if (standard_is_there)
        standard = loaded.values;
    mr_arena_free(arena);
}

const mr_settings *mr_settings_default(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_standard);
    return standard_is_there ? &standard : NULL;
}
