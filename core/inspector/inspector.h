/* SPDX-License-Identifier: MIT */
/* The inspector's own: a plugin without ops that `millrace test-plugin` has loaded into the task host beside the plugin that it tests. */
#ifndef MR_INSPECTOR_H
#define MR_INSPECTOR_H

#include "inspection.h"

#include <stdbool.h>
#include <stddef.h>

extern mr_inspection *mr_inspected; /* the shared page; NULL: this process is no task host under test */
extern bool mr_inspecting;          /* run() is under way */

/* Puts ours in the place of malloc() and its like, in what the plugin calls. False: it has no such object. */
bool mr_inspect_allocations(const char *plugin);

/* Writes a pointer where it may be read-only, as constants with addresses in them are once they are relocated. */
bool mr_inspect_poke(const void *place, const void *value);

#endif
