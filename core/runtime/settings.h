/* SPDX-License-Identifier: MIT */
/*
 * What an operator may set: one table (settings.c), from which come reading, checks, `millrace settings`, docs/reference/settings.md and the
 * JSON Schema. The file is YAML: names with a dot are written in a map ("host.memory" is memory: under host:).
 */
#ifndef MR_RUNTIME_SETTINGS_H
#define MR_RUNTIME_SETTINGS_H

#include "config/params.h"
#include <millrace/limits.h>

typedef enum mr_sandbox_mode { MR_SANDBOX_AUTO, MR_SANDBOX_REQUIRE, MR_SANDBOX_OFF } mr_sandbox_mode;

typedef enum mr_hooks_on_error { MR_HOOKS_IGNORE, MR_HOOKS_FATAL } mr_hooks_on_error;

typedef enum mr_network { MR_NETWORK_AUTO, MR_NETWORK_ANY, MR_NETWORK_PUBLIC } mr_network;

typedef struct mr_settings {
    int32_t sandbox;         /* mr_sandbox_mode */
    int32_t network;         /* mr_network */
    int64_t host_memory;     /* bytes: RLIMIT_AS of a task host */
    int64_t host_cpu;        /* microseconds: RLIMIT_CPU of a task host over its life */
    int64_t host_file_size;  /* bytes: of one content or scratch file */
    int64_t host_open_files; /* RLIMIT_NOFILE of a task host */
    int64_t host_nice;       /* nicer than the engine by that much */
    int64_t host_tasks;      /* a host is replaced after so many */
    int64_t host_growth;     /* bytes: … or when its resident memory is larger than this after a task */
    int64_t host_hang;       /* microseconds without progress: killed */
    int64_t host_strikes;    /* an input that killed its host so often is a poison pill */
    mr_limits limits;        /* what media may ask for */
    int64_t scripts_memory;  /* bytes: of a Lua state */
    int64_t scripts_time;    /* microseconds of processor time: of a task in Lua */
    const char *hooks_file;  /* NULL: none */
    int64_t hooks_timeout;   /* microseconds: of one hook */
    int32_t hooks_on_error;  /* mr_hooks_on_error */
    int32_t reserved_2;
} mr_settings;

enum { MR_SETTINGS_MAX = 64 };

/* Names with a dot where they have a group; offsets within mr_settings. Ends with MR_PARAM_END. */
extern const mr_param mr_setting_table[];

/* Names before a dot, each with what it is about. Ends with {0}; the first one is "", for names without a dot. */
typedef struct mr_setting_group {
    const char *name;
    const char *help;
} mr_setting_group;
extern const mr_setting_group mr_setting_groups[];
/* The rows of a group, named without it. Ends with MR_PARAM_END. */
void mr_setting_group_rows(const mr_setting_group *group, mr_param ret_rows[MR_SETTINGS_MAX]);

/* A setting given outside of the file: --set NAME=VALUE. */
typedef struct mr_set {
    const char *name;
    const char *text;
} mr_set;

typedef struct mr_loaded_settings {
    mr_settings values;
    const char *file;                       /* the file that was read; NULL: none */
    const mr_value *given[MR_SETTINGS_MAX]; /* by row of the table: what was given; NULL: the default. span.line 0: with --set, not in the file */
    const mr_value *server;                 /* the file's group "server", which belongs to the server; NULL: none */
    const mr_set *set;                      /* as given; among them those of the server ("server.listen"). Borrowed */
    size_t set_count;
} mr_loaded_settings;

/*
 * file, and over it set, which is read like a scalar of the file. file NULL: defaults under set. All mistakes are reported: MR_ERR_PARAM; that the
 * file can't be read: MR_ERR_INPUT. What was loaded points into arena.
 */
mr_status mr_settings_load(mr_arena *arena, const char *file, const mr_set *set, size_t set_count, mr_diags *diags, mr_loaded_settings *ret_loaded);
/*
 * The settings of a server, by its own table: the file's group "server", over it MILLRACE_SERVER_NAME in the environment, over that what was set.
 * *ret has size bytes in arena. MR_ERR_PARAM: all mistakes are reported.
 */
mr_status mr_settings_bind_server(mr_arena *arena, const mr_loaded_settings *loaded, const mr_param *table, size_t size, mr_diags *diags, void **ret);
/* What was given for one of them; NULL: the default holds, or memory is short. */
const mr_value *mr_settings_server_given(mr_arena *arena, const mr_loaded_settings *loaded, const char *name);
/* $XDG_CONFIG_HOME/millrace/config.yaml or ~/.config/millrace/config.yaml where there is one, else /etc/millrace/config.yaml, else NULL. In arena. */
const char *mr_settings_find(mr_arena *arena);
/* The defaults; valid for the life of the process. NULL: memory was short when it was first asked for. */
const mr_settings *mr_settings_default(void);

/* JSON Schema (2020-12) of the file. Caller frees; NULL: no memory. */
char *mr_settings_schema(void);

#endif
