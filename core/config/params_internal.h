/* SPDX-License-Identifier: MIT */
/*
 * Shared by params*.c: params.c binds maps and lists, params_value.c one scalar, params_filters.c lists of filters, params_limit.c knows min and max,
 * params_json.c and params_schema.c write, params_check.c checks the tables themselves.
 */
#ifndef MR_CONFIG_PARAMS_INTERNAL_H
#define MR_CONFIG_PARAMS_INTERNAL_H

#include "base/units.h"
#include "config/params.h"

#define MR_PARAM_TEXT_MAX  65536 /* characters of a text; of a table's own max, at most */
#define MR_PARAM_LIST_MAX  10000 /* items of a list */
#define MR_PARAM_TABLE_MAX 128   /* params of a table */
#define MR_PARAM_DEPTH_MAX 8     /* lists of maps within lists of maps */

typedef struct binder {
    const mr_filter_set *filters; /* NULL: none are known */
    const char *what;
    mr_arena *arena;
    bool (*is_open)(const mr_value *value);
    mr_diags *diags;
    mr_span owner;
    unsigned depth;
    bool nomem;
} binder;

typedef struct mr_param_kind {
    const char *name;
    size_t size;         /* of the field */
    size_t align;        /* of the field */
    const char *expects; /* for messages */
} mr_param_kind;

const mr_param_kind *mr_param_kind_of(uint32_t type); /* NULL: unknown */
/* Of one item of a list. */
size_t mr_param_item_size(const mr_param *list);

/* These write field and return true, or report and return false. */
bool mr_param_bind_one(binder *in, const mr_param *param, const mr_value *value, void *field);
bool mr_param_bind_scalar(binder *in, const mr_param *param, const mr_value *value, void *field);
bool mr_param_bind_filters(binder *in, const mr_param *param, const mr_value *value, void *field);
json_t *mr_param_filters_json(const mr_filters *filters, bool whole); /* as mr_params_json(), or whole: as mr_params_dump() */
mr_status mr_param_restore_filters(const mr_filter_set *set, const json_t *json, mr_arena *arena, void *field);
/* Reports "'x' takes a duration, not …". why: what is expected in detail, or NULL. Returns false. */
bool mr_param_wrong(const binder *in, const mr_param *param, const mr_value *value, const char *why);
/* A place for a message about a value: not the line of a secret. */
mr_span mr_param_span(const binder *in, const mr_param *param, const mr_value *value);

/* What min and max are compared with. */
typedef struct mr_param_amount {
    bool real;
    double number;   /* real */
    int64_t integer; /* else; numerator of a ratio */
    int64_t over;    /* denominator; 1 when it is not a ratio */
} mr_param_amount;

/* A limit's text as an amount, read as a value of the type (texts and lists: as a length). */
mr_status mr_param_amount_of(const mr_param *param, const char *text, mr_param_amount *ret_amount, const char **ret_why);
/* Negative, 0 or positive: exact for integers and ratios. */
int mr_param_compare(const mr_param_amount *a, const mr_param_amount *b);
/* Within min and max, or reported. what: what is counted ("items"), or NULL when it is the value itself. */
bool mr_param_check_limits(const binder *in, const mr_param *param, const mr_value *value, const mr_param_amount *amount, const char *what);

/* The default as a value; NULL: memory is short or the text is wrong (and *ret_status says which). */
const mr_value *mr_param_standard(mr_arena *arena, const mr_param *param, mr_diags *diags, mr_status *ret_status);

#endif
