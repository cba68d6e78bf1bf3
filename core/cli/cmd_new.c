/* SPDX-License-Identifier: MIT */
/*
 * millrace new: writes something to begin from. A plugin is a copy of plugins/example or kit/lua (below share/millrace/kit), in which the word
 * "example" stands for nothing but the plugin's name: so what is written is what our own tests build and run.
 */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/session.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WORD "example"

enum { NAME_MAX_LEN = 32, FILE_MAX = 1 << 20, KEY_DIR = 0x2000, KEY_LUA };

typedef struct new_options {
    const char *what;
    const char *name;
    const char *dir;
    bool lua;
} new_options;

static const struct argp_option options[] = {
    {"dir", KEY_DIR, "DIR", 0, "Write the folder NAME into DIR (default: the current folder)", 0},
    {"lua", KEY_LUA, NULL, 0, "Write a plugin in Lua instead of C", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    new_options *to = state->input;
    switch (key) {
    case KEY_DIR: to->dir = arg; return 0;
    case KEY_LUA: to->lua = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && strcmp(arg, "plugin") != 0)
            argp_error(state, "'%s' can't be made new: there is 'plugin'", arg);
        if (state->arg_num == 0)
            to->what = arg;
        else if (state->arg_num == 1)
            to->name = arg;
        else
            mr_verb_unexpected(state, arg);
        return 0;
    case ARGP_KEY_END:
        if (!to->name)
            argp_error(state, "which name? As in 'millrace new plugin watermark'");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* NULL: fine, else why not. */
static const char *refuse_name(const mr_session *session, const char *name)
{
    /* Names of targets that CMake and make keep for themselves. */
    static const char *const kept[] = {"all", "clean", "help", "install", "package", "test"};
    const size_t len = strlen(name);
    if (name[0] < 'a' || name[0] > 'z' || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len > NAME_MAX_LEN)
        return "a plugin's name has lower case letters, digits and '_', begins with a letter, and is at most 32 long";
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        if (strcmp(name, kept[i]) == 0)
            return "CMake and make have a target of that name: choose another";
    }
    for (size_t i = 0; i < mr_plugins_count(session->plugins); i++) {
        if (strcmp(mr_plugins_get(session->plugins, i)->plugin->name, name) == 0)
            return "a plugin of that name is installed, and would be in its way: choose another";
    }
    return NULL;
}

/* text with the name in the place of the word; NULL: memory is short. */
static char *renamed(const char *text, const char *name)
{
    char *out = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&out, &len);
    if (!stream)
        return NULL;
    for (const char *at = strstr(text, WORD); at; at = strstr(text, WORD)) {
        fwrite(text, 1, (size_t)(at - text), stream);
        fputs(name, stream);
        text = at + strlen(WORD);
    }
    fputs(text, stream);
    const bool failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !failed)
        return out;
    free(out);
    return NULL;
}

static mr_status copy_file(const char *from, const char *to, const char *name, mr_diags *diags)
{
    mr_autofree char *text = NULL;
    size_t len = 0;
    mr_status status = mr_file_read(from, FILE_MAX, &text, &len, diags);
    mr_autofree char *own = status == MR_OK ? renamed(text, name) : NULL;
    if (status == MR_OK && !own)
        status = MR_ERR_NOMEM;
    return status == MR_OK ? mr_file_write_atomic(to, own, strlen(own), 0644, diags) : status;
}

static mr_status copy_folder(const char *from, const char *to, const char *name, mr_diags *diags)
{
    mr_status status = mr_dir_make(to, 0755, diags);
    DIR *dir = status == MR_OK ? opendir(from) : NULL;
    struct dirent *entry;
    if (status == MR_OK && !dir) {
        mr_error(diags, "new", (mr_span){0}, "can't read '%s': %s", from, strerrordesc_np(errno));
        return MR_ERR_IO;
    }
    while (status == MR_OK && (entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe): a stream of its own
        struct stat info;
        if (entry->d_name[0] == '.')
            continue;
        mr_autofree char *own = renamed(entry->d_name, name);
        mr_autofree char *source = mr_path_join(from, entry->d_name);
        mr_autofree char *target = own ? mr_path_join(to, own) : NULL;
        if (!source || !target || stat(source, &info) != 0)
            status = MR_ERR_IO;
        else if (S_ISDIR(info.st_mode))
            status = copy_folder(source, target, name, diags);
        else
            status = copy_file(source, target, name, diags);
    }
    if (dir)
        closedir(dir);
    return status;
}

static int write_plugin(const new_options *from, mr_session *session)
{
    struct stat info;
    const char *why = refuse_name(session, from->name);
    const char *template = mr_find_kit(session, from->lua ? "lua" : "plugin");
    mr_autofree char *to = from->dir ? mr_path_join(from->dir, from->name) : strdup(from->name);
    if (why) {
        mr_complain("'%s': %s", from->name, why);
        return MR_EXIT_USAGE;
    }
    if (!template || !to) {
        mr_complain("what to begin from is missing: share/millrace/kit beside the command's folder; install Millrace again");
        return MR_EXIT_FAILED;
    }
    if (lstat(to, &info) == 0) {
        mr_complain("'%s' exists already: nothing was written", to);
        return MR_EXIT_FAILED;
    }
    const mr_status status = copy_folder(template, to, from->name, session->diags);
    mr_session_flush(session);
    if (status != MR_OK) {
        mr_complain("'%s' could not be written whole", to);
        return MR_EXIT_FAILED;
    }
    if (from->lua)
        printf("%s: a plugin with the op %s.count. To test it:\n"
               "  cd %s && millrace test-plugin %s.lua --cases test/cases.yaml\n"
               "Its README.md says what comes next.\n",
               to, from->name, to, from->name);
    else
        printf("%s: a plugin with the op %s.count. To build and test it:\n"
               "  cd %s && cmake -B build && cmake --build build && ctest --test-dir build --output-on-failure\n"
               "or, with make: cd %s && make test. Its README.md says what comes next.\n",
               to, from->name, to, to);
    return MR_EXIT_DONE;
}

static int run(const mr_verb *verb, int argc, char **argv)
{
    new_options from = {0};
    mr_session session = {0};
    mr_verb_parse(verb, argc, argv, parse, &from);
    const int code = mr_session_open(&session) ? write_plugin(&from, &session) : MR_EXIT_FAILED;
    mr_session_close(&session);
    return code;
}

const mr_verb mr_verb_new = {
    .name = "new",
    .usage = "plugin NAME",
    .summary = "writes a plugin to begin from",
    .help = "The folder NAME holds a plugin in C that builds as it is, with CMake or with make, against the Millrace that this command belongs to: "
            "one op, "
            "its tables, cases that it is tested with, and a README.md that says how to go on. With --lua it is a script, which needs no compiler.",
    .examples = "    millrace new plugin watermark\n"
                "    cd watermark && make test",
    .args = MR_ARGS_NONE,
    .options = options,
    .run = run,
};
