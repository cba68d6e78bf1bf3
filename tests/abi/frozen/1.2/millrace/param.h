/* SPDX-License-Identifier: MIT */
/*
 * Param tables: a plugin describes each param of an op once, in a static table; from it come parsing with units, range
 * checks, defaults, `millrace ops`, the reference pages and the JSON Schema for editors.
 *
 * A table is an array of mr_param that ends with MR_PARAM_END. Each entry is bound by offset to a field of the op's
 * params struct; the macros check the field's C type at compile time. Before run() is called the engine has filled the
 * struct: every pointer in it belongs to the engine and lives as long as the task.
 */
#ifndef MILLRACE_PARAM_H
#define MILLRACE_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is written in the pipeline        C type of the field (absent and no default: zero, NULL, empty) */
typedef enum mr_param_type {
    MR_PARAM_TYPE_END = 0,
    MR_PARAM_TYPE_BOOL = 1,     /* true, false                       bool */
    MR_PARAM_TYPE_INT = 2,      /* 1080                              int64_t */
    MR_PARAM_TYPE_NUMBER = 3,   /* 0.5                               double */
    MR_PARAM_TYPE_TEXT = 4,     /* any text                          const char * (UTF-8, NULL when absent) */
    MR_PARAM_TYPE_CHOICE = 5,   /* one of a list of words            int32_t (index into choices) */
    MR_PARAM_TYPE_DURATION = 6, /* 4s, 250ms, 1m30s, 2h, 4           int64_t, microseconds (bare number: seconds) */
    MR_PARAM_TYPE_BITRATE = 7,  /* 800k, 2.5M, 128000                int64_t, bits per second (k = 1000) */
    MR_PARAM_TYPE_SIZE = 8,     /* 64MiB, 10MB, 4096                 int64_t, bytes */
    MR_PARAM_TYPE_RATIO = 9,    /* 30000/1001, 16:9, 25              mr_ratio (a decimal becomes the nearest fraction) */
    MR_PARAM_TYPE_URL = 10,     /* https://example.com/hook          const char * (http or https) */
    MR_PARAM_TYPE_LIST = 11,    /* [a, b]                            mr_list of item_type, or of structs given by fields */
    MR_PARAM_TYPE_JSON = 12,    /* any value                         const char *, compact JSON with sorted keys */
    MR_PARAM_TYPE_FILTERS = 13, /* "eq=gamma=1.1", or a list of     mr_filters (since 1.2; millrace/filter.h)
                                   these and {use: NAME, with: {}} */
} mr_param_type;

typedef struct mr_ratio {
    int32_t num;
    int32_t den; /* never 0 when set; {0, 0} when absent */
} mr_ratio;

typedef struct mr_list {
    const void *items; /* an array of count structs or scalars; NULL when empty */
    size_t count;
} mr_list;

struct mr_filter_use; /* millrace/filter.h */

typedef struct mr_filters {
    const struct mr_filter_use *const *items; /* in the order in which they are applied; NULL when there are none */
    size_t count;
} mr_filters;

enum {
    MR_PARAM_REQUIRED = 1u << 0, /* must be given; has no default */
    MR_PARAM_SECRET = 1u << 1,   /* never printed, logged or stored in clear */
    MR_PARAM_SILENT = 1u << 2,   /* does not change what is made: left out of the identity of results */
    MR_PARAM_WHOLE = 1u << 3,    /* FILTERS: those that need the whole are taken, too */
    MR_PARAM_SCHEMES = 1u << 4,  /* URL: any scheme, not only http and https */
};

typedef struct mr_param {
    const char *name;
    uint32_t type; /* mr_param_type */
    uint32_t flags;
    size_t offset;
    const char *standard; /* the default, as it would be written in a pipeline; NULL: none */
    const char *min;      /* inclusive, as it would be written; NULL: no limit. For text and lists: length */
    const char *max;
    const char *const *choices;    /* CHOICE: words, NULL-terminated */
    uint32_t item_type;            /* LIST of scalars: their mr_param_type (not CHOICE, LIST) */
    const struct mr_param *fields; /* LIST of maps: the table of one item, offsets within item_size bytes */
    size_t item_size;
    const char *help; /* one sentence in lower case, no full stop: what it does, and its unit */
} mr_param;

#ifdef __cplusplus
#define MR_PARAM_OFFSET(strct, field, ctype) offsetof(strct, field)
#else
/* offsetof(), and an error at compile time ("negative size") when the field is not of the type that the engine writes. */
#define MR_PARAM_OFFSET(strct, field, ctype) (offsetof(strct, field) + 0 * sizeof(char[_Generic(((strct *)0)->field, ctype : 1, default : -1)]))
#endif

/* One line each, so that they can be compared. */
/* clang-format off */
/* Further members follow as designated initialisers: MR_INT(struct op, crf, .standard = "23", .min = "0", .max = "51", .help = "…") */
#define MR_BOOL(s, f, ...)     { .name = #f, .type = MR_PARAM_TYPE_BOOL, .offset = MR_PARAM_OFFSET(s, f, bool), __VA_ARGS__ }
#define MR_INT(s, f, ...)      { .name = #f, .type = MR_PARAM_TYPE_INT, .offset = MR_PARAM_OFFSET(s, f, int64_t), __VA_ARGS__ }
#define MR_NUMBER(s, f, ...)   { .name = #f, .type = MR_PARAM_TYPE_NUMBER, .offset = MR_PARAM_OFFSET(s, f, double), __VA_ARGS__ }
#define MR_TEXT(s, f, ...)     { .name = #f, .type = MR_PARAM_TYPE_TEXT, .offset = MR_PARAM_OFFSET(s, f, const char *), __VA_ARGS__ }
#define MR_CHOICE(s, f, ...)   { .name = #f, .type = MR_PARAM_TYPE_CHOICE, .offset = MR_PARAM_OFFSET(s, f, int32_t), __VA_ARGS__ }
#define MR_DURATION(s, f, ...) { .name = #f, .type = MR_PARAM_TYPE_DURATION, .offset = MR_PARAM_OFFSET(s, f, int64_t), __VA_ARGS__ }
#define MR_BITRATE(s, f, ...)  { .name = #f, .type = MR_PARAM_TYPE_BITRATE, .offset = MR_PARAM_OFFSET(s, f, int64_t), __VA_ARGS__ }
#define MR_SIZE(s, f, ...)     { .name = #f, .type = MR_PARAM_TYPE_SIZE, .offset = MR_PARAM_OFFSET(s, f, int64_t), __VA_ARGS__ }
#define MR_RATIO(s, f, ...)    { .name = #f, .type = MR_PARAM_TYPE_RATIO, .offset = MR_PARAM_OFFSET(s, f, mr_ratio), __VA_ARGS__ }
#define MR_URL(s, f, ...)      { .name = #f, .type = MR_PARAM_TYPE_URL, .offset = MR_PARAM_OFFSET(s, f, const char *), __VA_ARGS__ }
#define MR_LIST(s, f, ...)     { .name = #f, .type = MR_PARAM_TYPE_LIST, .offset = MR_PARAM_OFFSET(s, f, mr_list), __VA_ARGS__ }
#define MR_JSON(s, f, ...)     { .name = #f, .type = MR_PARAM_TYPE_JSON, .offset = MR_PARAM_OFFSET(s, f, const char *), __VA_ARGS__ }
#define MR_FILTERS(s, f, ...)  { .name = #f, .type = MR_PARAM_TYPE_FILTERS, .offset = MR_PARAM_OFFSET(s, f, mr_filters), __VA_ARGS__ }
#define MR_PARAM_END           { .name = 0 }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
