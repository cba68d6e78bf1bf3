/* SPDX-License-Identifier: MIT */
/* Sessions: opening and closing what a verb works with, and finding pipelines and the state folder. */
#include "cli/session.h"

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/pipeline_file.h"
#include "runtime/engine.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const mr_span nowhere;

enum { ARENA_MAX = 256 << 20, PIPELINES_MAX = 256 };

static bool open_failed(mr_session *session)
{
    mr_complain("out of memory");
    mr_session_close(session);
    return false;
}

bool mr_session_open_bare(mr_session *session)
{
    *session = (mr_session){.arena = mr_arena_new(ARENA_MAX), .diags = mr_diags_new()};
    return (session->arena && session->diags) || open_failed(session);
}

bool mr_session_open(mr_session *session)
{
    if (!mr_session_open_bare(session))
        return false;
    session->plugins = mr_plugins_load(mr_engine_host(), session->diags);
    if (!session->plugins)
        return open_failed(session);
    session->plugin_count = mr_plugins_count(session->plugins);
    mr_session_flush(session);
    return true;
}

bool mr_session_open_with(mr_session *session, mr_plugins *plugins)
{
    if (!mr_session_open_bare(session))
        return false;
    session->plugins = plugins;
    session->plugin_count = mr_plugins_count(plugins);
    session->borrowed = true;
    return true;
}

void mr_session_close(mr_session *session)
{
    if (!session->borrowed)
        mr_plugins_free(session->plugins);
    json_decref(session->scripts);
    mr_diags_free(session->diags);
    mr_arena_free(session->arena);
    *session = (mr_session){0};
}

const mr_op_set *mr_session_ops(const mr_session *session)
{
    return mr_plugins_ops(session->plugins);
}

void mr_session_flush(mr_session *session)
{
    if (!session->diags || !mr_diags_first(session->diags))
        return;
    mr_diags_print(session->diags, stderr, mr_wants_colour(stderr));
    fflush(stderr);
    mr_diags_free(session->diags);
    session->diags = mr_diags_new(); /* NULL is fine: then nothing is collected */
}

const char *mr_program_dir(mr_arena *arena)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return NULL;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    return slash && slash != path ? mr_arena_copy(arena, path, (size_t)(slash - path)) : NULL;
}

/* The script as a resumed run had it, or as it lies there now. */
static mr_status read_script(mr_session *session, const char *file, const mr_value *script, mr_arena *arena, const mr_bundle **ret_bundle)
{
    const json_t *kept = json_object_get(session->scripts, script->text);
    const char *slash = strrchr(file, '/');
    if (kept)
        return mr_bundle_from_json(arena, kept, ret_bundle);
    const char *path = mr_arena_printf(arena, "%.*s%s", slash ? (int)(slash - file + 1) : 0, file, script->text);
    mr_status status = path ? mr_bundle_read(arena, path, script->span, session->diags, ret_bundle) : MR_ERR_NOMEM;
    if (status == MR_OK && json_object_set_new(session->scripts, script->text, mr_bundle_json(*ret_bundle)) != 0)
        status = MR_ERR_NOMEM;
    return status;
}

static mr_status load_script(mr_session *session, const char *file, const mr_value *script)
{
    const mr_bundle *bundle = NULL;
    mr_arena *arena = mr_arena_new(0);
    if (!session->scripts)
        session->scripts = json_object();
    mr_status status = arena && session->scripts ? read_script(session, file, script, arena, &bundle) : MR_ERR_NOMEM;
    if (status == MR_OK)
        return mr_plugins_add_bundle(session->plugins, arena, bundle, script->span, session->diags);
    mr_arena_free(arena);
    return status;
}

/* A path is taken from the folder of the pipeline. Mistakes are in the session's diags; the pipeline is checked all the same, to find the others. */
static mr_status load_scripts(mr_session *session, const char *file, const mr_value *root)
{
    const mr_value *scripts[MR_PIPELINE_SCRIPTS_MAX];
    const size_t count = mr_pipeline_scripts(root, scripts);
    mr_status status = MR_OK;
    for (size_t i = 0; i < count; i++) {
        mr_status one = load_script(session, file, scripts[i]);
        status = status == MR_OK ? one : status;
    }
    mr_plugins_end_reading(session->plugins);
    return status;
}

mr_status mr_session_check(mr_session *session, const char *file, const mr_value *root, const mr_pipeline **ret_pipeline)
{
    mr_status scripts = load_scripts(session, file, root);
    mr_status status = mr_pipeline_check(session->arena, file, root, mr_session_ops(session), session->diags, ret_pipeline);
    if (scripts != MR_OK)
        *ret_pipeline = NULL;
    return status == MR_OK ? scripts : status;
}

mr_status mr_session_pipeline(mr_session *session, const char *file, const char *text, size_t len, const mr_pipeline **ret_pipeline)
{
    const mr_value *root = NULL;
    *ret_pipeline = NULL;
    mr_status status = text ? MR_OK : mr_pipeline_text(session, file, &text, &len);
    if (status == MR_OK)
        status = mr_pipeline_tree(session, file, text, len, &root);
    if (!root)
        return status;
    mr_status checked = mr_session_check(session, file, root, ret_pipeline);
    if (status != MR_OK)
        *ret_pipeline = NULL;
    return status == MR_OK ? checked : status;
}

void mr_session_forget_scripts(mr_session *session)
{
    json_decref(session->scripts);
    session->scripts = NULL;
    mr_plugins_forget(session->plugins, session->plugin_count);
}

static const char *if_readable(const char *path)
{
    return path && access(path, R_OK) == 0 ? path : NULL;
}

/* NAME.yaml before NAME.lua; a name that has one of these endings is that file. */
static const char *find_in_folder(mr_session *session, const char *folder, size_t len, const char *name)
{
    static const char *const endings[] = {".yaml", ".lua"};
    const char *dot = strrchr(name, '.');
    const char *found = NULL;
    for (size_t i = 0; i < 2 && !found; i++) {
        const bool named = dot && strcmp(dot, endings[i]) == 0;
        found = if_readable(mr_arena_printf(session->arena, "%.*s/%s%s", (int)len, folder, name, named ? "" : endings[i]));
    }
    return found;
}

static const char *find_in_path(mr_session *session, const char *folders, const char *name)
{
    while (folders && *folders) {
        size_t len = strcspn(folders, ":");
        const char *found = len ? find_in_folder(session, folders, len, name) : NULL;
        if (found)
            return found;
        folders += len + (folders[len] == ':');
    }
    return NULL;
}

/* A folder may have the name of a pipeline: what "vod" is published to is often called "vod". */
static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

const char *mr_find_pipeline(mr_session *session, const char *name)
{
    /* build/bin and build/PRESET/bin lie below the root of the source tree. */
    static const char *const places[] = {"../share/millrace/pipelines", "../../pipelines", "../../../pipelines"};
    if (strchr(name, '/') || is_file(name))
        return name;
    const char *found = find_in_path(session, getenv("MILLRACE_PIPELINE_PATH"), name);
    const char *dir = mr_program_dir(session->arena);
    for (size_t i = 0; dir && !found && i < sizeof(places) / sizeof(*places); i++) {
        const char *folder = mr_arena_printf(session->arena, "%s/%s", dir, places[i]);
        found = folder ? find_in_folder(session, folder, strlen(folder), name) : NULL;
    }
    return found ? found : name;
}

/* Where mr_find_pipeline() looks, the latest first: what stands further on doesn't show when it has the name of an earlier one. */
static void list_folder(const char *folder, json_t *names)
{
    struct dirent **found = NULL;
    int count = scandir(folder, &found, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(found[i]->d_name, '.');
        if (dot && dot != found[i]->d_name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".lua") == 0) && json_object_size(names) < PIPELINES_MAX) {
            *(char *)dot = '\0';
            json_object_set_new(names, found[i]->d_name, json_true());
        }
        free(found[i]);
    }
    free(found);
}

json_t *mr_pipeline_names(mr_session *session)
{
    json_t *names = json_object();
    const char *folders = getenv("MILLRACE_PIPELINE_PATH");
    while (names && folders && *folders) {
        const size_t len = strcspn(folders, ":");
        mr_autofree char *folder = len ? strndup(folders, len) : NULL;
        if (folder)
            list_folder(folder, names);
        folders += len + (folders[len] == ':');
    }
    const char *shipped = mr_find_pipeline(session, "vod"); /* the folder of what comes with millrace */
    const char *slash = strrchr(shipped, '/');
    mr_autofree char *folder = slash ? strndup(shipped, (size_t)(slash - shipped)) : NULL;
    if (names && folder)
        list_folder(folder, names);
    return names;
}

bool mr_pipeline_is_unknown(mr_session *session, const char *name)
{
    const char *known[64];
    const char *key;
    json_t *there;
    size_t count = 0;
    if (strpbrk(name, "/.") || is_file(name))
        return false;
    mr_autojson json_t *names = mr_pipeline_names(session);
    json_object_foreach(names, key, there)
    {
        if (count < sizeof(known) / sizeof(*known))
            known[count++] = key;
    }
    const char *meant = mr_nearest(name, known, count);
    mr_error(session->diags, "unknown-pipeline", nowhere, "there is no pipeline '%s'", name);
    if (meant)
        mr_hint(session->diags, "did you mean '%s'?", meant);
    else
        mr_hint(session->diags, "name a file, or one that comes with millrace, as in 'vod'");
    return true;
}

const char *mr_find_kit(mr_session *session, const char *name)
{
    const char *dir = mr_program_dir(session->arena);
    return dir ? if_readable(mr_arena_printf(session->arena, "%s/../share/millrace/kit/%s", dir, name)) : NULL;
}

int mr_exit_code(mr_status status)
{
    switch (status) {
    case MR_OK: return MR_EXIT_DONE;
    case MR_ERR_INPUT: return MR_EXIT_INPUT;
    case MR_ERR_PARAM: return MR_EXIT_USAGE;
    default: return MR_EXIT_FAILED;
    }
}

const char *mr_default_state_dir(mr_session *session)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state && state[0] == '/')
        return mr_arena_printf(session->arena, "%s/millrace", state);
    if (home && home[0] == '/')
        return mr_arena_printf(session->arena, "%s/.local/state/millrace", home);
    mr_complain("neither XDG_STATE_HOME nor HOME is set: say with --state where results are kept");
    return NULL;
}
