/* SPDX-License-Identifier: MIT */
/* What a plugin's tables must hold before the engine trusts them. Only for plugins.c and its tests. */
#ifndef MR_RUNTIME_PLUGINS_CHECK_H
#define MR_RUNTIME_PLUGINS_CHECK_H

#include "base/diag.h"
#include <millrace/plugin.h>

#define MR_PLUGIN_OPS_MAX   256u /* ops of one plugin */
#define MR_PLUGIN_PORTS_MAX 32u  /* ports of one op, each way */
#define MR_PLUGIN_NAME_MAX  64u  /* bytes of a name */

/* Names, ports, params and entry points of a plugin whose ABI fits. Reports every mistake, without naming the file. */
mr_status mr_plugin_check(const mr_plugin *plugin, mr_diags *diags);
bool mr_plugin_is_name(const char *text); /* "plugin.verb" */

/* plugins_offers.c */
void mr_plugin_check_offers(const mr_plugin *plugin, mr_diags *diags);

#endif
