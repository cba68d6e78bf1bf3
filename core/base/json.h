/* SPDX-License-Identifier: MIT */
/* Helpers over jansson: canonical text, safe building. */
#ifndef MR_BASE_JSON_H
#define MR_BASE_JSON_H

#include <jansson.h>
#include <millrace/status.h>

/* Compact, keys sorted, non-ASCII as is: equal values give equal text. Caller frees; NULL when memory is short. */
char *mr_json_text(const json_t *value);
/* Rejects duplicate keys, trailing text, more than max bytes, more than 64 levels. NULL on error; *ret_why (may be NULL) says why. */
json_t *mr_json_read(const char *text, size_t len, size_t max, char ret_why[160]);

static inline void mr_cleanup_json(json_t **value)
{
    json_decref(*value);
}
#define mr_autojson __attribute__((cleanup(mr_cleanup_json)))

#endif
