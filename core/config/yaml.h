/* SPDX-License-Identifier: MIT */
/*
 * YAML 1.1 as libyaml reads it, with the core schema of YAML 1.2 for plain scalars (true/false, not yes/no; null and ~).
 * Anchors, aliases and merge keys (<<) are resolved; tags other than the standard ones are errors; one document.
 */
#ifndef MR_CONFIG_YAML_H
#define MR_CONFIG_YAML_H

#include "value.h"
#include <millrace/status.h>

typedef struct mr_yaml_limits {
    size_t bytes;  /* of text: 1 MiB */
    size_t depth;  /* nesting of lists and maps: 32 */
    size_t values; /* after aliases are expanded: 100,000 */
} mr_yaml_limits;

extern const mr_yaml_limits mr_yaml_limits_default;

/* All errors go to diags (and the text is kept there for quoting). *ret_value is NULL on error. file is copied into arena. */
mr_status mr_yaml_read(mr_arena *arena, const char *file, const char *text, size_t len, const mr_yaml_limits *limits, mr_diags *diags,
                       const mr_value **ret_value);

#endif
