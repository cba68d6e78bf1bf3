/* SPDX-License-Identifier: MIT */
/*
 * Finding and loading plugins. Folders are searched in this order; within one, by name; the first plugin of a name wins:
 *   1. each folder of MILLRACE_PLUGIN_PATH (colon-separated)
 *   2. ../lib/millrace/plugins relative to the real path of the running executable (build tree: build/bin + build/lib/millrace/plugins;
 *      install prefix: the same shape)
 * Files are shared objects (.so) and scripts (.lua) whose ops and filters are in Lua (plugins_script.c); a script becomes a plugin like any other.
 * A file that can't be loaded gets one clear diagnostic with its path, and the rest still loads.
 */
#ifndef MR_RUNTIME_PLUGINS_H
#define MR_RUNTIME_PLUGINS_H

#include "base/diag.h"
#include "graph/ops.h"
#include "scripting/ops.h"
#include <millrace/plugin.h>

typedef struct mr_loaded_plugin {
    const mr_plugin *plugin;
    const char *path;
    const char *label;       /* name and version, "overlay 1.0.0" */
    const mr_bundle *bundle; /* of a script; NULL: a shared object */
    mr_arena *arena;         /* that a script lives in; the set's */
} mr_loaded_plugin;

typedef struct mr_plugins mr_plugins;

/* Loads everything that is found. host is handed to load(). Never NULL but when memory is short; problems are diagnostics. */
mr_plugins *mr_plugins_load(const mr_host *host, mr_diags *diags);
/* Those of ../lib/millrace/servers besides, which bring much that a run and its task hosts have no use for. */
void mr_plugins_load_servers(mr_plugins *plugins, const mr_host *host, mr_diags *diags);
mr_plugins *mr_plugins_new(void); /* none yet; NULL: memory is short */
/* One file only, added to the others: for task hosts, tests and `millrace plugins FILE`. */
mr_status mr_plugins_add(mr_plugins *plugins, const char *path, const mr_host *host, mr_diags *diags);
/* For task hosts: has the loader bring in what is installed with this program (folder 2), so that adding it costs little. Nothing is said or kept. */
void mr_plugins_load_ahead(void);
void mr_plugins_free(mr_plugins *plugins); /* the shared objects stay loaded */

/*
 * A script, by its path, or as it is at hand (arena is taken, also on error). What it offers is asked of a process that can be killed
 * (script_host.h), which is kept for the next one until mr_plugins_end_reading(). asked: the place that names it; with one, a plugin of the same name
 * that is another is an error, not passed over. That very script again is fine.
 */
mr_status mr_plugins_add_script(mr_plugins *plugins, const char *path, mr_span asked, mr_diags *diags);
mr_status mr_plugins_add_bundle(mr_plugins *plugins, mr_arena *take_arena, const mr_bundle *bundle, mr_span asked, mr_diags *diags);
void mr_plugins_end_reading(mr_plugins *plugins);
/* In a task host: from mr_ops_script.text. */
mr_status mr_plugins_restore_script(mr_plugins *plugins, const char *text, const mr_script_limits *limits, mr_diags *diags);
/* Forgets what was added after the first count: the scripts of one pipeline, before the next. What they offer must not be in use. */
void mr_plugins_forget(mr_plugins *plugins, size_t count);
const mr_op_set *mr_plugins_ops(const mr_plugins *plugins);
size_t mr_plugins_count(const mr_plugins *plugins);
const mr_loaded_plugin *mr_plugins_get(const mr_plugins *plugins, size_t index);
/* What plugins offer beside ops (plugins_offers.c). Of an older plugin, and of one that has none: empty lists, never NULL. */
const mr_frame_filter *const *mr_plugin_filters(const mr_plugin *plugin);
const mr_service *const *mr_plugin_services(const mr_plugin *plugin);
const mr_storage_driver *mr_service_storage(const mr_service *service); /* NULL: it is of another class */
/* The service of that class that selector, a URL, chooses by its scheme; of "server", the first. NULL: none does. */
const mr_service *mr_plugins_service(const mr_plugins *plugins, const char *service_class, const char *selector);

#endif
