/* SPDX-License-Identifier: MIT */
/* millrace settings: every setting, its value, its default, and where the value comes from. */
#include "cli/cli.h"
#include "cli/configure.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_JSON = 0x2000, KEY_SCHEMA };

typedef struct settings_options {
    mr_configure configure;
    bool json, schema;
} settings_options;

static const struct argp_option options[] = {
    MR_CONFIGURE_OPTIONS,
    {"json", KEY_JSON, NULL, 0, "Print one JSON object, values in base units", 0},
    {"schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of the file, for completion and checks in editors", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    settings_options *to = state->input;
    switch (key) {
    case KEY_JSON: to->json = true; return 0;
    case KEY_SCHEMA: to->schema = true; return 0;
    case ARGP_KEY_ARG: mr_verb_unexpected(state, arg); return 0;
    default: return mr_configure_parse(&to->configure, key, arg, state);
    }
}

static const char *written(const mr_loaded_settings *loaded, size_t row)
{
    return loaded->given[row] ? loaded->given[row]->text : mr_setting_table[row].standard;
}

static void print_text(const mr_loaded_settings *loaded)
{
    int name_width = 7;
    int value_width = 5;
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        int name = (int)strlen(mr_setting_table[row].name);
        int value = (int)strlen(written(loaded, row));
        name_width = name > name_width ? name : name_width;
        value_width = value > value_width && value <= 24 ? value : value_width;
    }
    printf("%-*s  %-*s  %-10s  %s\n", name_width, "setting", value_width, "value", "default", "from");
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        const mr_param *setting = &mr_setting_table[row];
        const mr_value *given = loaded->given[row];
        printf("%-*s  %-*s  %-10s  ", name_width, setting->name, value_width, written(loaded, row), setting->standard);
        if (!given)
            puts("default");
        else if (given->span.line == 0)
            puts("--set");
        else
            printf("%s:%u\n", loaded->file, given->span.line);
    }
}

static int print_json(const mr_loaded_settings *loaded)
{
    mr_autojson json_t *values = mr_params_json(mr_setting_table, &loaded->values);
    mr_autojson json_t *standards = mr_settings_default() ? mr_params_json(mr_setting_table, mr_settings_default()) : NULL;
    mr_autojson json_t *list = json_array();
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        const char *name = mr_setting_table[row].name;
        const mr_value *given = loaded->given[row];
        json_t *one = json_pack("{s:s, s:O, s:O, s:s, s:s}", "name", name, "value", json_object_get(values, name), "default",
                                json_object_get(standards, name), "help", mr_setting_table[row].help, "from",
                                !given                  ? "default"
                                : given->span.line == 0 ? "command"
                                                        : "file");
        if (given && given->span.line > 0)
            json_object_set_new(one, "line", json_integer(given->span.line));
        json_array_append_new(list, one);
    }
    mr_autojson json_t *all = json_pack("{s:O, s:s?}", "settings", list, "file", loaded->file);
    char *text = all ? mr_json_text(all) : NULL;
    if (text)
        puts(text);
    else
        mr_complain("out of memory");
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int print_schema(void)
{
    char *text = mr_settings_schema();
    if (text)
        puts(text);
    else
        mr_complain("out of memory");
    free(text);
    return text ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

static int print_settings(const settings_options *from, mr_session *session)
{
    mr_loaded_settings loaded;
    int code = mr_configure_load(&from->configure, session, &loaded);
    if (code != MR_EXIT_DONE)
        return code;
    if (from->json)
        return print_json(&loaded);
    print_text(&loaded);
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    settings_options parsed = {0};
    mr_session session = {0};
    int code = MR_EXIT_FAILED;
    mr_verb_parse(verb, argc, argv, parse, &parsed);
    if (parsed.schema)
        code = print_schema();
    else if (mr_session_open_bare(&session))
        code = print_settings(&parsed, &session);
    mr_configure_clear(&parsed.configure);
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_settings = {
    .name = "settings",
    .usage = "",
    .summary = "prints every setting, its value, its default, and where the value comes from",
    .help =
        "Settings are what the operator of a machine decides, whatever pipeline runs: where ops run that parse untrusted bytes, what they may use, "
        "and what media may ask for. They come from one YAML file: the one that --config names, else $XDG_CONFIG_HOME/millrace/config.yaml or "
        "~/.config/millrace/config.yaml, else /etc/millrace/config.yaml; --set replaces single ones. A setting named with a dot is written in "
        "the file below its group:\n\n"
        "    sandbox: require\n"
        "    limits:\n"
        "      picture_pixels: 35389440\n"
        "      duration: 4h",
    .examples = "    millrace settings\n"
                "    millrace settings --set limits.duration=4h --json\n"
                "    millrace settings --schema > config.schema.json",
    .args = MR_ARGS_NONE,
    .options = options,
    .run = run,
};
