/* SPDX-License-Identifier: MIT */
/* Finds the server, its folder and its settings. */
#include "cli/serve/serving.h"

#include "base/file.h"
#include "base/json.h"
#include "runtime/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

error_t mr_serving_parse(mr_serving *serving, int key, char *arg, struct argp_state *state)
{
    if (key != MR_KEY_DATA)
        return mr_configure_parse(&serving->configure, key, arg, state);
    serving->data = arg;
    return 0;
}

void mr_serving_set(mr_serving *serving, const char *name, const char *value)
{
    mr_configure *configure = &serving->configure;
    mr_set *set = &configure->set[configure->set_count++];
    *set = (mr_set){strdup(name), strdup(value)};
    if (!set->name || !set->text) {
        mr_complain("out of memory");
        exit(MR_EXIT_FAILED);
    }
}

/* Everything under it is meant to stay: so data, not state. */
static const char *default_data(mr_session *session)
{
    const char *data = secure_getenv("XDG_DATA_HOME");
    const char *home = secure_getenv("HOME");
    if (data && data[0] == '/')
        return mr_arena_printf(session->arena, "%s/millrace", data);
    if (home && home[0] == '/')
        return mr_arena_printf(session->arena, "%s/.local/share/millrace", home);
    mr_complain("there is no home folder to keep things in; say --data DIR");
    return NULL;
}

static const char *absolute(mr_session *session, const char *path)
{
    mr_autofree char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (path[0] == '/' || !here)
        return path;
    return mr_arena_printf(session->arena, "%s/%s", here, path);
}

static int find_driver(mr_serving *serving)
{
    mr_session *session = &serving->session;
    mr_plugins_load_servers(session->plugins, mr_engine_host(), session->diags);
    session->plugin_count = mr_plugins_count(session->plugins);
    mr_session_flush(session);
    const mr_service *service = mr_plugins_service(session->plugins, MR_SERVICE_SERVER, "");
    if (!service) {
        mr_complain("no server is installed: 'api_server.so' should lie in ../lib/millrace/servers beside this program");
        return MR_EXIT_FAILED;
    }
    serving->driver = service->table;
    return MR_EXIT_DONE;
}

int mr_serving_open(mr_serving *serving)
{
    mr_session *session = &serving->session;
    if (!mr_session_open(session))
        return MR_EXIT_FAILED;
    int code = find_driver(serving);
    if (code == MR_EXIT_DONE)
        code = mr_configure_load(&serving->configure, session, &serving->settings);
    if (code != MR_EXIT_DONE)
        return code;
    if (serving->settings.values.network == MR_NETWORK_AUTO) /* who may upload may name a webhook */
        serving->settings.values.limits.public_only = 1;
    mr_status status = mr_settings_bind_server(session->arena, &serving->settings, serving->driver->settings, serving->driver->settings_size,
                                               session->diags, &serving->values);
    mr_session_flush(session);
    if (status != MR_OK)
        return status == MR_ERR_NOMEM ? MR_EXIT_FAILED : MR_EXIT_USAGE;
    serving->data_dir = serving->data ? absolute(session, serving->data) : default_data(session);
    return serving->data_dir ? MR_EXIT_DONE : MR_EXIT_USAGE;
}

int mr_serving_make_data(mr_serving *serving)
{
    mr_session *session = &serving->session;
    mr_status status = mr_dir_make(serving->data_dir, 0700, session->diags);
    mr_session_flush(session);
    if (status == MR_OK && access(serving->data_dir, W_OK | X_OK) != 0) {
        mr_complain("'%s' can't be written to: %s", serving->data_dir, strerror(errno));
        status = MR_ERR_IO;
    }
    return status == MR_OK ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

int mr_serving_lock(mr_serving *serving)
{
    const char *path = mr_arena_printf(serving->session.arena, "%s/lock", serving->data_dir);
    serving->lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (serving->lock >= 0 && flock(serving->lock, LOCK_EX | LOCK_NB) == 0)
        return MR_EXIT_DONE;
    if (serving->lock >= 0 && errno == EWOULDBLOCK)
        mr_complain("'%s' is served by another process already", serving->data_dir);
    else
        mr_complain("'%s' can't be locked: %s", serving->data_dir, strerror(errno));
    return MR_EXIT_FAILED;
}

/* ---- --print-config ---- */

/* A number or size as it was written, a text in quotation marks, anything else as JSON, which YAML takes too. */
static void print_value(const mr_param *row, const mr_value *given, const char *name)
{
    const bool is_text = row->type == MR_PARAM_TYPE_TEXT || row->type == MR_PARAM_TYPE_URL;
    const char *text = given ? given->text : row->standard;
    mr_autojson json_t *json = is_text ? json_string(text ? text : "") : given ? mr_value_to_json(given) : NULL;
    const bool as_json = is_text || json_is_array(json) || json_is_object(json);
    mr_autofree char *words = as_json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (!given && !row->standard)
        printf("  # %s: %s\n", name, row->help);
    else if ((row->flags & MR_PARAM_SECRET) != 0)
        printf("  # %s: (secret)\n", name);
    else
        printf("  %s: %s\n", name, words ? words : text ? text : "");
}

static void print_group(const mr_setting_group *group, const mr_loaded_settings *loaded)
{
    const size_t len = strlen(group->name);
    printf("%s:\n", group->name);
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        const char *name = mr_setting_table[row].name;
        if (strncmp(name, group->name, len) == 0 && name[len] == '.')
            print_value(&mr_setting_table[row], loaded->given[row], name + len + 1);
    }
}

int mr_serving_print(mr_serving *serving)
{
    const mr_loaded_settings *loaded = &serving->settings;
    printf("# data: %s\n", serving->data_dir);
    for (size_t row = 0; mr_setting_table[row].name; row++) {
        if (!strchr(mr_setting_table[row].name, '.'))
            printf("%s: %s\n", mr_setting_table[row].name, loaded->given[row] ? loaded->given[row]->text : mr_setting_table[row].standard);
    }
    for (const mr_setting_group *group = mr_setting_groups + 1; group->name; group++)
        print_group(group, loaded);
    printf("%s:\n", MR_SERVICE_SERVER);
    for (const mr_param *row = serving->driver->settings; row->name; row++)
        print_value(row, mr_settings_server_given(serving->session.arena, loaded, row->name), row->name);
    return fflush(stdout) == 0 ? MR_EXIT_DONE : MR_EXIT_FAILED;
}

void mr_serving_complain(const mr_server_error *error)
{
    mr_complain("%s%s%s", error->message, error->hint[0] ? "; " : "", error->hint);
}

void mr_serving_close(mr_serving *serving)
{
    mr_configure_clear(&serving->configure);
    mr_session_close(&serving->session);
    if (serving->lock > 0)
        close(serving->lock);
}
