/* SPDX-License-Identifier: MIT */
/* The fields of a JSON body, looked at one by one; all that is wrong with them is told in one answer. */
#ifndef MR_ROUTES_FIELDS_H
#define MR_ROUTES_FIELDS_H

#include "api-server/routes/router.h"

typedef struct mr_fields {
    mr_call *call;
    json_t *errors; /* NULL: none so far */
} mr_fields;

/* known: the names that the route takes, with blanks between; any other is a mistake. */
mr_fields mr_fields_begin(mr_call *call, const char *known);
bool mr_fields_has(const mr_fields *fields, const char *name); /* null counts */
/* Bytes in [least, most]. NULL: absent, or wrong. */
const char *mr_field_text(mr_fields *fields, const char *name, size_t least, size_t most, bool required);
bool mr_field_bool(mr_fields *fields, const char *name, bool *ret);                                   /* false: absent, or wrong; *ret stays */
bool mr_field_number(mr_fields *fields, const char *name, int64_t least, int64_t most, int64_t *ret); /* the same */
void mr_field_wrong(mr_fields *fields, const char *name, const char *message);
/* What the platform said of a run that it would not start: params by their names ("params.preset"), anything else is the pipeline's. */
void mr_fields_diagnostics(mr_fields *fields, const char *answer);
/* False: something is wrong, and answered. Called once, at the end. */
bool mr_fields_good(mr_fields *fields);

#endif
