/* SPDX-License-Identifier: MIT */
/*
 * Finding and loading plugins. Folders are searched in this order; within one, by name; the first plugin of a name wins:
 *   1. each folder of MILLRACE_PLUGIN_PATH (colon-separated)
 *   2. ../lib/millrace/plugins relative to the real path of the running executable (build tree: build/bin + build/lib/millrace/plugins;
 *      install prefix: the same shape)
 * A file that can't be loaded gets one clear diagnostic with its path, and the rest still loads.
 */
#ifndef MR_RUNTIME_PLUGINS_H
#define MR_RUNTIME_PLUGINS_H

#include "base/diag.h"
#include "graph/ops.h"
#include <millrace/plugin.h>

typedef struct mr_loaded_plugin {
    const mr_plugin *plugin;
    const char *path;
    const char *label; /* name and version, "overlay 1.0.0" */
} mr_loaded_plugin;

typedef struct mr_plugins mr_plugins;

/* Loads everything that is found. host is handed to load(). Never NULL but when memory is short; problems are diagnostics. */
mr_plugins *mr_plugins_load(const mr_host *host, mr_diags *diags);
mr_plugins *mr_plugins_new(void); /* none yet; NULL: memory is short */
/* One file only, added to the others: for task hosts, tests and `millrace plugins FILE`. */
mr_status mr_plugins_add(mr_plugins *plugins, const char *path, const mr_host *host, mr_diags *diags);
/* For task hosts: has the loader bring in what is installed with this program (folder 2), so that adding it costs little. Nothing is said or kept. */
void mr_plugins_load_ahead(void);
void mr_plugins_free(mr_plugins *plugins); /* the shared objects stay loaded */
const mr_op_set *mr_plugins_ops(const mr_plugins *plugins);
size_t mr_plugins_count(const mr_plugins *plugins);
const mr_loaded_plugin *mr_plugins_get(const mr_plugins *plugins, size_t index);
/* What plugins offer beside ops (plugins_offers.c). Of an older plugin, and of one that has none: empty lists, never NULL. */
const mr_frame_filter *const *mr_plugin_filters(const mr_plugin *plugin);
const mr_service *const *mr_plugin_services(const mr_plugin *plugin);
const mr_storage_driver *mr_service_storage(const mr_service *service); /* NULL: it is of another class */
/* The service of that class that selector, a URL, chooses by its scheme. NULL: none does. */
const mr_service *mr_plugins_service(const mr_plugins *plugins, const char *service_class, const char *selector);

#endif
