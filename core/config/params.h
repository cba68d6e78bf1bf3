/* SPDX-License-Identifier: MIT */
/*
 * Param tables at work: from a value tree to a filled struct, with every mistake reported at its place; and from tables to
 * documentation and JSON Schema. mr_param (millrace/param.h) is the only source of what is accepted.
 */
#ifndef MR_CONFIG_PARAMS_H
#define MR_CONFIG_PARAMS_H

#include "filters.h"
#include "value.h"
#include <millrace/param.h>
#include <millrace/status.h>

/*
 * Fills out (size bytes, zeroed first) from map, which may be NULL: defaults for what is absent. what names the owner in
 * messages ("op 'transcode.video'", "pipeline"). owner is where a missing required param is reported. Unknown names get a
 * suggestion. Reports all mistakes, not the first only. Lists and texts live in arena. null counts as absent. Where a table says no max, a text
 * has at most 65,536 characters and a list 10,000 items. A secret's value is never in a message.
 * is_open (may be NULL): a value for which it returns true is known only later (an expression): it is accepted unchecked.
 */
mr_status mr_params_bind(const mr_param *table, const mr_value *map, const char *what, mr_span owner, mr_arena *arena, void *out, size_t size,
                         bool (*is_open)(const mr_value *value), mr_diags *diags);
/* The same where params may name these frame filters; without, none are known. filters may be NULL. */
mr_status mr_params_bind_with(const mr_filter_set *filters, const mr_param *table, const mr_value *map, const char *what, mr_span owner,
                              mr_arena *arena, void *out, size_t size, bool (*is_open)(const mr_value *value), mr_diags *diags);

/* Canonical JSON of a filled struct: every param with its value in base units (integers where possible), so that "4s" and
 * "4000ms" are equal and a default given explicitly is the default. SILENT params are left out, secrets are digests; lists of structs recurse.
 * For identities. New reference; NULL when memory is short. */
json_t *mr_params_json(const mr_param *table, const void *params);
/* All of a filled struct, secrets in clear, to be restored elsewhere. New reference; NULL when memory is short. */
json_t *mr_params_dump(const mr_param *table, const void *params);
/* Calls visit with each filter that a filled struct uses. */
void mr_params_each_filter(const mr_param *table, const void *params, void (*visit)(const mr_filter_use *use, void *context), void *context);
/* Fills out (size bytes, zeroed first) from what mr_params_dump() gave. Texts and lists live in arena. MR_ERR_PARAM: it is not of this table. */
mr_status mr_params_restore(const mr_param *table, const json_t *dump, mr_arena *arena, void *out, size_t size);
mr_status mr_params_restore_with(const mr_filter_set *filters, const mr_param *table, const json_t *dump, mr_arena *arena, void *out, size_t size);

/* The type's name for people: "duration", "list of {height, max_bitrate}". In arena. */
const char *mr_param_type_text(mr_arena *arena, const mr_param *param);
/* JSON Schema (2020-12) of a map of these params. New reference. Expressions "${…}" are allowed as text everywhere. Lists of filters refer to
 * "#/$defs/filters". */
json_t *mr_params_schema(const mr_param *table);

/* Checks tables themselves: names in snake_case and unique, help present and in style, defaults and limits parse, offsets within
 * size. what names the owner. */
mr_status mr_params_check_table(const mr_param *table, size_t size, const char *what, mr_diags *diags);

#endif
