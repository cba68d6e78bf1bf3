/* SPDX-License-Identifier: MIT */
/* From --config and --set to settings. */
#include "cli/configure.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_set(mr_configure *configure, const char *arg, struct argp_state *state)
{
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg)
        argp_error(state, "--set: '%s' is not NAME=VALUE", arg);
    mr_set *set = &configure->set[configure->set_count++];
    set->name = equals ? strndup(arg, (size_t)(equals - arg)) : NULL;
    set->text = equals ? strdup(equals + 1) : NULL;
    if (!set->name || !set->text)
        argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
}

void mr_configure_add_path(mr_configure *configure, const char *name, const char *path, struct argp_state *state)
{
    char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    mr_set *set = &configure->set[configure->set_count++];
    set->name = strdup(name);
    set->text = here ? mr_path_join(here, path) : strdup(path);
    free(here);
    if (!set->name || !set->text)
        argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
}

error_t mr_configure_parse(mr_configure *configure, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_INIT:
        configure->set = calloc((size_t)state->argc, sizeof(*configure->set)); /* there can't be more than words on the command line */
        if (!configure->set)
            argp_failure(state, MR_EXIT_FAILED, 0, "out of memory");
        return 0;
    case MR_KEY_CONFIG: configure->file = arg; return 0;
    case MR_KEY_SET: add_set(configure, arg, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

bool mr_configure_restore(mr_configure *configure, const json_t *record, mr_arena *arena)
{
    size_t i;
    const json_t *one;
    const json_t *list = json_object_get(record, "set");
    const char *file = json_string_value(json_object_get(record, "config"));
    const size_t before = json_array_size(list);
    mr_set *all = calloc(before + configure->set_count + 1, sizeof(*all));
    if (!all)
        return false;
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *text = json_string_value(json_object_get(one, "text"));
        all[i] = (mr_set){strdup(name ? name : ""), strdup(text ? text : "")};
    }
    if (configure->set_count)
        memcpy(all + before, configure->set, configure->set_count * sizeof(*all));
    free(configure->set);
    configure->set = all;
    configure->set_count += before;
    if (!configure->file && file)
        configure->file = mr_arena_copy(arena, file, strlen(file));
    return true;
}

int mr_configure_load(const mr_configure *configure, mr_session *session, mr_loaded_settings *ret_loaded)
{
    const char *file = configure->file ? configure->file : mr_settings_find(session->arena);
    mr_status status = mr_settings_load(session->arena, file, configure->set, configure->set_count, session->diags, ret_loaded);
    mr_session_flush(session);
    if (status == MR_ERR_NOMEM)
        mr_complain("out of memory");
    return status == MR_OK ? MR_EXIT_DONE : status == MR_ERR_NOMEM ? MR_EXIT_FAILED : MR_EXIT_USAGE;
}

void mr_configure_clear(mr_configure *configure)
{
    for (size_t i = 0; i < configure->set_count; i++) {
        free((char *)configure->set[i].name);
        free((char *)configure->set[i].text);
    }
    free(configure->set);
}
