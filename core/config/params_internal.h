/* SPDX-License-Identifier: MIT */
/* Shared by params*.c. */
#ifndef MR_CONFIG_PARAMS_INTERNAL_H
#define MR_CONFIG_PARAMS_INTERNAL_H

#include "base/units.h"
#include "config/params.h"
#include "config/yaml.h"

#include <stdlib.h>

typedef struct binder {
    const char *what;
    mr_arena *arena;
    bool (*is_open)(const mr_value *value);
    mr_diags *diags;
    bool nomem;
} binder;

typedef struct mr_param_kind {
    const char *name;
    size_t size;         /* of the field */
    const char *expects; /* for messages */
} mr_param_kind;

const mr_param_kind *mr_param_kind_of(uint32_t type); /* NULL: unknown */
bool mr_param_bind_one(binder *in, const mr_param *param, const mr_value *value, void *field);
bool mr_param_bind_map(binder *in, const mr_param *table, const mr_value *map, mr_span owner, char *out);
const char *mr_choices_text(mr_arena *arena, const char *const *choices);               /* "a, b or c" */
const char *mr_names_text(mr_arena *arena, const char *const *names, size_t count);

#endif
